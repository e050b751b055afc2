//! Common parts of all sources that are asked over the network: turns, counters, and how the last asking went.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Ask, SourceError, SourceState};
use crate::dashboard::settings::Chosen;
use crate::server::clock::now_ms;

/// The longest that an answer may take.
pub const WAIT: Duration = Duration::from_secs(10);
/// How often a source is asked where a dashboard does not say, and the shortest step.
pub const EVERY_MS: u64 = 10_000;
/// Questions at once of single people, who look at a time of their own. They have turns of their own: those
/// that everybody looks at never wait behind them.
pub const SINGLE_AT_ONCE: usize = 4;
/// Such questions that wait for their turn; one more is told that there are too many.
const SINGLE_WAITING: usize = 256;

/// What a query for a variable's values is about: the last day.
const VALUES_RANGE_MS: u64 = 24 * 60 * 60 * 1_000;

impl Ask {
    /// Asks once for the values of a variable, in a text that may be about a time.
    pub fn for_values(text: &str, variables: &BTreeMap<String, Chosen>) -> Self {
        let to = now_ms();
        let from = to.saturating_sub(VALUES_RANGE_MS);
        let (text, variables) = (text.to_owned(), variables.clone());
        Self { text, variables, from, to, step: EVERY_MS, single: true, ..Self::default() }
    }
}

/// What somebody else's program says, in one line of so many characters at most.
pub fn in_one_line(text: &str, most_chars: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(most_chars).collect()
}

/// Why there is no answer, in words.
pub enum Failure {
    /// It does not answer as it should.
    Down(String),
    /// It is there, and does not answer this.
    Refused(String),
}

/// A source that is asked: who may ask at once, how often it was asked, and how it is.
pub struct Upstream {
    name: String,
    at_once: Semaphore,
    single: Semaphore,
    /// Places of single questions, those that wait among them.
    places: Semaphore,
    asked: AtomicU64,
    failed: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    last_success: Option<u64>,
    latency: Option<Duration>,
    /// The last error, and since when there was no answer; `None` after a success.
    down: Option<(String, u64)>,
    last_error: Option<String>,
}

impl Seen {
    fn answered(&mut self, begun: Instant) {
        (self.last_success, self.latency) = (Some(now_ms()), Some(begun.elapsed()));
        self.down = None;
    }
}

impl Upstream {
    /// A source of a name, which so many standing queries may ask at once.
    pub fn new(name: &str, at_once: usize) -> Self {
        Self {
            name: name.to_owned(),
            at_once: Semaphore::new(at_once),
            single: Semaphore::new(SINGLE_AT_ONCE),
            places: Semaphore::new(SINGLE_AT_ONCE + SINGLE_WAITING),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for a turn, asks, and keeps what there is to know of how it went.
    pub async fn in_turn<T>(
        &self,
        single: bool,
        ask: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, SourceError> {
        let busy = || SourceError(format!("{} is busy with other questions; try again.", self.name));
        let _place = if single { Some(self.places.try_acquire().map_err(|_| busy())?) } else { None };
        let turn = if single { &self.single } else { &self.at_once }.acquire();
        let turn = if single { timeout(WAIT, turn).await.map_err(|_| busy())? } else { turn.await };
        let _turn = turn.expect("it is never closed");
        self.asked.fetch_add(1, Relaxed);
        let begun = Instant::now();
        let answer = ask.await;
        let mut seen = self.seen();
        let error = match answer {
            Ok(answer) => {
                seen.answered(begun);
                return Ok(answer);
            }
            Err(Failure::Refused(error)) => {
                // It answers, whatever it says.
                seen.answered(begun);
                error
            }
            Err(Failure::Down(error)) => {
                let since = seen.down.take().map_or_else(now_ms, |(_, since)| since);
                seen.down = Some((error.clone(), since));
                error
            }
        };
        self.failed.fetch_add(1, Relaxed);
        seen.last_error = Some(error.clone());
        Err(SourceError(error))
    }

    /// How it is.
    pub fn state(&self) -> SourceState {
        let seen = self.seen();
        let ago = |at: u64| now_ms().saturating_sub(at) / 1000;
        let (state, says) = match (&seen.down, seen.last_success) {
            (Some((error, since)), _) => ("down", format!("{error} That is so for {} s.", ago(*since))),
            (None, Some(at)) => ("ok", format!("The last answer came {} s ago.", ago(at))),
            (None, None) => ("waiting", "Nobody has asked it yet.".to_owned()),
        };
        SourceState {
            state,
            says,
            last_error: seen.last_error.clone(),
            latency_ms: seen.latency.map(|latency| (latency.as_secs_f64() * 100_000.0).round() / 100.0),
            asked: Some((self.asked.load(Relaxed), self.failed.load(Relaxed))),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s10_single_questions_have_turns_of_their_own_and_a_bound() {
        let upstream = Upstream::new("main", 1);
        let answer = async || Ok::<_, Failure>(7);
        let _all = upstream.single.acquire_many(SINGLE_AT_ONCE as u32).await.expect("free");
        assert_eq!(upstream.in_turn(false, answer()).await, Ok(7), "it does not wait");
        let _places =
            upstream.places.acquire_many((SINGLE_AT_ONCE + SINGLE_WAITING) as u32).await.expect("free");
        let single = upstream.in_turn(true, answer()).await.expect_err("no place to wait at");
        assert_eq!(single.0, "main is busy with other questions; try again.");
    }
}
