//! Outcome of the last real write to a file, for those who ask whether writing works.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::StoreError;
use crate::server::clock::now_ms;

/// A success that is older than this says nothing about now.
const SUCCESS_HOLDS: Duration = Duration::from_secs(10);
/// The same of a failure: shorter, so that its end shows soon, and long enough that asking often does not
/// mean writing often.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// Writing that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Unix milliseconds.
    pub since: u64,
    /// Of the last write.
    pub error: StoreError,
}

/// What became of the last write.
#[derive(Debug, Default)]
pub struct LastWrite(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    at: Option<Instant>,
    failing: Option<Failing>,
}

impl LastWrite {
    /// Notes what became of a write. Errors that are about the rows alone say that the file works.
    pub fn note(&self, file: &str, outcome: Result<(), &StoreError>) {
        let mut noted = self.noted();
        let error = match outcome {
            Ok(()) => None,
            Err(error) if error.is_of_the_disk() => Some(error),
            Err(_) => return,
        };
        noted.at = Some(Instant::now());
        let Some(error) = error else {
            if let Some(failing) = noted.failing.take() {
                let after_ms = now_ms().saturating_sub(failing.since);
                tracing::info!(file, after_ms, "writing works again");
            }
            return;
        };
        match &mut noted.failing {
            Some(failing) => failing.error = error.clone(),
            None => {
                tracing::error!(file, %error, "writing fails; it is tried again with whatever comes");
                noted.failing = Some(Failing { since: now_ms(), error: error.clone() });
            }
        }
    }

    /// Since when writing fails, and why.
    pub fn failing(&self) -> Option<Failing> {
        self.noted().failing.clone()
    }

    /// What is known of writing without another write; `None` where it takes one.
    pub fn known(&self) -> Option<Result<(), StoreError>> {
        let noted = self.noted();
        let age = noted.at?.elapsed();
        match &noted.failing {
            None => (age < SUCCESS_HOLDS).then_some(Ok(())),
            Some(failing) => (age < FAILURE_HOLDS).then(|| Err(failing.error.clone())),
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Each call leaves it whole before it can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_beginning_until_a_write_succeeds() {
        let last = LastWrite::default();
        assert_eq!(last.known(), None, "nothing was written yet");
        let full = StoreError::Full("no room".to_owned());
        last.note("a", Err(&full));
        let since = last.failing().map(|failing| failing.since);
        last.note("a", Err(&StoreError::Io("broken".to_owned())));
        let failing = last.failing().expect("it fails");
        assert_eq!((Some(failing.since), failing.error), (since, StoreError::Io("broken".to_owned())));
        last.note("a", Err(&StoreError::Taken));
        assert!(last.failing().is_some(), "an error of the rows says nothing of the disk");
        last.note("a", Ok(()));
        assert_eq!((last.failing(), last.known()), (None, Some(Ok(()))));
    }
}
