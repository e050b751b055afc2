//! Requests that change something: they run to their end, also where whoever sent them hangs up.
//!
//! A handler is dropped with its connection, at whatever it waits for just then. A change could be stored without counting
//! in memory that way, or without standing in the audit log.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument as _;

use super::errors::ApiError;
use super::store::StoreError;

/// Runs what follows in a task of its own where it may change something.
pub async fn to_the_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => ApiError::from(StoreError::Closed).into_response(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tokio::sync::{Notify, mpsc};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_changes_something_ends_although_its_sender_hangs_up() {
        for (method, expected) in [("POST", Some("end")), ("GET", None)] {
            let (says, mut heard) = mpsc::channel(2);
            let go_on = Arc::new(Notify::new());
            let handler = {
                let go_on = go_on.clone();
                move || async move {
                    let _ = says.send("begin").await;
                    go_on.notified().await;
                    let _ = says.send("end").await;
                }
            };
            let routes = get(handler.clone()).post(handler);
            let app = Router::new().route("/", routes).layer(from_fn(to_the_end));
            let request = Request::builder().method(method).uri("/").body(Body::empty()).expect("a request");
            let sender = tokio::spawn(app.oneshot(request));
            assert_eq!(heard.recv().await, Some("begin"));
            sender.abort();
            assert!(sender.await.is_err_and(|error| error.is_cancelled()));
            go_on.notify_one();
            let ended = tokio::time::timeout(Duration::from_secs(1), heard.recv()).await;
            assert_eq!(ended.ok().flatten(), expected, "{method}");
        }
    }
}
