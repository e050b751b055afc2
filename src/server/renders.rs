//! Bound on the pages and documents that are made, or wait to be read, at the same time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::errors::ApiError;
use crate::sync::protocol::Code;

/// How long a page waits for its turn: somebody who looks at an empty tab waits that long.
const WAIT: Duration = Duration::from_secs(5);
/// Bytes of one permit.
const UNIT: usize = 1024;

/// The right to so many bytes of pages; a copy is the same one.
#[derive(Clone, Debug)]
pub struct Renders {
    permits: Arc<Semaphore>,
    all: u32,
}

impl Renders {
    pub fn new(max_bytes: usize) -> Self {
        let all = u32::try_from((max_bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self { permits: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for its turn, in order. Errors where that takes too long. What is larger than the bound has it
    /// alone.
    pub async fn begin(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).clamp(1, self.all);
        let turn = self.permits.clone().acquire_many_owned(units);
        match tokio::time::timeout(WAIT, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed.
            Ok(Err(_)) | Err(_) => {
                let reason = "The server makes as many pages as it has room for. Nothing is lost; try again \
                              in a moment.";
                Err(ApiError::new(Code::Full, reason).status(StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn s10_pages_wait_for_their_turn_and_are_told_when_it_does_not_come() {
        let renders = Renders::new(10 * UNIT);
        let first = renders.begin(6 * UNIT).await.expect("there is room");
        let error = renders.begin(6 * UNIT).await.expect_err("none within the wait");
        assert_eq!(error.status, StatusCode::SERVICE_UNAVAILABLE);
        let waits = tokio::spawn({
            let renders = renders.clone();
            async move { renders.begin(100 * UNIT).await.is_ok() }
        });
        tokio::time::sleep(WAIT / 2).await;
        drop(first);
        assert!(waits.await.expect("no panic"), "a page larger than the bound has it alone");
    }
}
