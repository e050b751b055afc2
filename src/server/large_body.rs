//! Body of a large answer: goes out in pieces, and is let go of when its reader stands still.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Bytes given out at once: the connection holds a few of these for a reader that stands still.
const PIECE: usize = 64 * 1024;
/// How long a reader may take nothing: a train's tunnel, and not a connection that was forgotten.
const STANDS_STILL: Duration = Duration::from_secs(20);

/// The reader took nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the reader stood still")]
struct StoodStill;

/// What is not given out yet, and what it holds on to.
struct Rest<T> {
    parts: VecDeque<Bytes>,
    taken_at: Instant,
    _holds: T,
}

type Shared<T> = Arc<Mutex<Option<Rest<T>>>>;

/// Looks after a body until that is dropped, and lets go of it then.
struct Watch<T> {
    rest: Shared<T>,
    task: JoinHandle<()>,
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.task.abort();
        lock(&self.rest).take();
    }
}

/// An answer of these parts, one after the other. A large one holds on to something, such as a permit, until
/// all of it is given out or its reader stood still.
pub fn large_body<T: Send + 'static>(parts: impl IntoIterator<Item = Bytes>, holds: T) -> Response {
    let parts: VecDeque<Bytes> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let size: usize = parts.iter().map(Bytes::len).sum();
    let body = match size <= PIECE {
        true => Body::from(parts.iter().flatten().copied().collect::<Vec<u8>>()),
        false => Body::from_stream(in_pieces(Rest { parts, taken_at: Instant::now(), _holds: holds })),
    };
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    response
}

fn in_pieces<T: Send + 'static>(rest: Rest<T>) -> impl futures::Stream<Item = Result<Bytes, StoodStill>> {
    let rest: Shared<T> = Arc::new(Mutex::new(Some(rest)));
    let watch = Watch { task: tokio::spawn(let_go(rest.clone())), rest };
    futures::stream::poll_fn(move |_| {
        let mut guard = lock(&watch.rest);
        std::task::Poll::Ready(match &mut *guard {
            Some(rest) => rest.piece().map(Ok),
            None => Some(Err(StoodStill)),
        })
    })
}

impl<T> Rest<T> {
    /// The next piece. A copy, so that what a connection holds of it is no more than that.
    fn piece(&mut self) -> Option<Bytes> {
        self.taken_at = Instant::now();
        let first = self.parts.front_mut()?;
        let piece = first.split_to(first.len().min(PIECE));
        if first.is_empty() {
            self.parts.pop_front();
        }
        Some(Bytes::copy_from_slice(&piece))
    }
}

/// Waits until nothing was taken for too long, and lets go of the rest.
async fn let_go<T>(rest: Shared<T>) {
    loop {
        let due = match &mut *lock(&rest) {
            Some(rest) => rest.taken_at + STANDS_STILL,
            None => return,
        };
        if due <= Instant::now() {
            lock(&rest).take();
            return;
        }
        sleep_until(due).await;
    }
}

fn lock<T>(rest: &Shared<T>) -> MutexGuard<'_, Option<Rest<T>>> {
    // No code panics while it holds the lock; the rest is whole in any case.
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::unsent::Unsent;
    use futures::StreamExt as _;

    #[tokio::test(start_paused = true)]
    async fn s10_a_body_whose_reader_stands_still_is_let_go_of() {
        let unsent = Unsent::new(10_000_000);
        let large = Bytes::from(vec![7; 1_000_000]);
        let parts = [Bytes::from("head"), large, Bytes::from("tail")];
        let body = |parts: &[Bytes]| {
            let charge = unsent.charge(1_000_008).expect("fits");
            large_body(parts.to_vec(), charge).into_body()
        };
        let whole = axum::body::to_bytes(body(&parts), usize::MAX).await.expect("all of it");
        assert_eq!(whole.len(), 1_000_008);
        assert!(whole.starts_with(b"head\x07") && whole.ends_with(b"\x07tail"));
        assert_eq!(unsent.bytes(), 0);

        let mut stands = body(&parts).into_data_stream();
        for _ in 0..5 {
            // Slow, and not still.
            tokio::time::sleep(STANDS_STILL - Duration::from_secs(1)).await;
            assert!(stands.next().await.is_some_and(|piece| piece.is_ok()));
        }
        assert_eq!(unsent.bytes(), 1_000_008);
        tokio::time::sleep(STANDS_STILL + Duration::from_secs(1)).await;
        assert_eq!(unsent.bytes(), 0, "what it held is free");
        assert!(stands.next().await.is_some_and(|piece| piece.is_err()), "and it does not end as if whole");

        let gone = body(&parts);
        drop(gone);
        assert_eq!(unsent.bytes(), 0);
    }
}
