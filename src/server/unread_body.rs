//! Remainders of request bodies: what nobody read of one is read before an error is answered.
//!
//! A connection that is closed over bytes that nobody read is reset, and whoever still sends a body that
//! is refused learns that the connection broke instead of why.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt as _;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::oneshot;

/// Bytes that are read of a body for nothing; what is longer is cut off.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How long that may take; what is slower is cut off.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Answers errors once the rest of the request came.
pub async fn read_rest(request: Request, next: Next) -> Response {
    // Whoever asks before they send a body sends none after an error.
    if request.body().is_end_stream() || asks_first(request.headers()) {
        return next.run(request).await;
    }
    let (rest, unread) = oneshot::channel();
    let request = request.map(|body| Body::new(Watched { body, rest: Some(rest) }));
    let response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error {
        // What is slow or longer still is cut off.
        let _ = tokio::time::timeout(MAX_WAIT, discard(unread)).await;
    }
    response
}

fn asks_first(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn discard(unread: oneshot::Receiver<Body>) {
    let Ok(body) = unread.await else { return };
    let mut parts = body.into_data_stream();
    let mut left = MAX_BYTES;
    while let Some(Ok(part)) = parts.next().await
        && part.len() <= left
    {
        left -= part.len();
    }
}

/// A body that hands over what is left of it when its reader drops it.
struct Watched {
    body: Body,
    rest: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take() {
            // Nobody waits for it where the answer is no error, or where nobody waits for an answer.
            let _ = rest.send(std::mem::take(&mut self.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use futures::stream;
    use tower::ServiceExt as _;

    use super::*;

    /// How many of a body's parts of 1 MiB were read when the answer came.
    async fn parts_read(parts: usize, headers: &[(&str, &str)], status: StatusCode) -> usize {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = read.clone();
        let body = stream::iter(0..parts).map(move |_| {
            counted.fetch_add(1, Relaxed);
            Ok::<_, Infallible>(Bytes::from(vec![0; 1024 * 1024]))
        });
        let mut request = Request::post("/").body(Body::from_stream(body)).expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(
                axum::http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        let app = Router::new().route("/", post(move || async move { status })).layer(from_fn(read_rest));
        let answer = app.oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), status);
        read.load(Relaxed)
    }

    #[tokio::test]
    async fn the_rest_of_a_refused_body_is_read_within_bounds() {
        assert_eq!(parts_read(3, &[], StatusCode::PAYLOAD_TOO_LARGE).await, 3);
        assert_eq!(parts_read(3, &[], StatusCode::SERVICE_UNAVAILABLE).await, 3);
        assert_eq!(parts_read(1_000, &[], StatusCode::FORBIDDEN).await, 65, "what is longer is cut off");
    }

    #[tokio::test]
    async fn nothing_is_read_for_nothing() {
        assert_eq!(parts_read(3, &[], StatusCode::OK).await, 0);
        let asks = [("expect", "100-Continue")];
        assert_eq!(parts_read(3, &asks, StatusCode::PAYLOAD_TOO_LARGE).await, 0);
    }
}
