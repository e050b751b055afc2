//! A Prometheus server as a source: its HTTP API, asked by this server and by nobody else.

mod answer;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::try_join_all;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::answer::{Latest, Matrix, Reply};
use super::{Answer, Ask, Curve, MOST_VALUES, Source, SourceError, SourceState};
use crate::server::clock::now_ms;
use crate::server::config::{self, Access};

/// The longest that an answer may take.
const WAIT: Duration = Duration::from_secs(10);
/// Queries at once of those that stand: many widgets that open together are not an attack.
const AT_ONCE: usize = 8;
/// Questions at once of single people, who look at a time of their own. They have turns of their own: those
/// that everybody looks at never wait behind them.
const SINGLE_AT_ONCE: usize = 4;
/// Such questions that wait for their turn; one more is told that there are too many.
const SINGLE_WAITING: usize = 256;
/// Lines of one query, and so queries for one widget.
const MOST_LINES: usize = 20;
/// How often it is asked where a dashboard does not say, and its shortest step.
const EVERY_MS: u64 = 10_000;
/// How often such servers look at what they watch, mostly.
const SCRAPE_MS: u64 = 15_000;
/// Characters of what a server says of an error.
const MOST_SAID: usize = 300;

/// One server that the settings name.
pub struct Prometheus {
    name: String,
    url: String,
    client: reqwest::Client,
    most_bytes: usize,
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

impl Prometheus {
    /// Errors where this machine gives no TLS client, in words.
    pub fn new(server: &config::Prometheus, most_bytes: usize) -> Result<Self, SourceError> {
        let mut headers = HeaderMap::new();
        if let Access::Header(secret) = &server.access {
            let bad =
                |_| SourceError(format!("What lets us in to {} does not fit in a header.", server.name));
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(bad)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(WAIT)
            // Where it leads nobody has allowed, and what lets us in is not for there.
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SourceError(format!("There is no client for {}: {error}.", server.name)))?;
        Ok(Self {
            name: server.name.clone(),
            url: server.url.clone(),
            client,
            most_bytes,
            at_once: Semaphore::new(AT_ONCE),
            single: Semaphore::new(SINGLE_AT_ONCE),
            places: Semaphore::new(SINGLE_AT_ONCE + SINGLE_WAITING),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            seen: Mutex::default(),
        })
    }

    /// Asks an address of the API, once.
    async fn fetch<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        single: bool,
    ) -> Result<T, SourceError> {
        let busy = || SourceError(format!("{} is busy with other questions; try again.", self.name));
        let _place = if single { Some(self.places.try_acquire().map_err(|_| busy())?) } else { None };
        let turn = if single { &self.single } else { &self.at_once }.acquire();
        let turn = if single { timeout(WAIT, turn).await.map_err(|_| busy())? } else { turn.await };
        let _turn = turn.expect("it is never closed");
        self.asked.fetch_add(1, Relaxed);
        let begun = Instant::now();
        let answer = self.read(request).await;
        let mut seen = self.seen();
        match answer {
            Ok(text) => {
                let reply: Result<Reply<T>, _> = serde_json::from_slice(&text);
                // It answers, whatever it says.
                (seen.last_success, seen.latency) = (Some(now_ms()), Some(begun.elapsed()));
                seen.down = None;
                let answer = match reply {
                    Ok(Reply { data: Some(data), status, .. }) if status == "success" => return Ok(data),
                    Ok(Reply { error, .. }) => {
                        let said: String = error.unwrap_or_default().chars().take(MOST_SAID).collect();
                        SourceError(format!("{} does not take the query: {said}", self.name))
                    }
                    Err(_) => SourceError(format!("What {} answers is not Prometheus' JSON.", self.name)),
                };
                self.failed.fetch_add(1, Relaxed);
                seen.last_error = Some(answer.to_string());
                Err(answer)
            }
            Err(error) => {
                self.failed.fetch_add(1, Relaxed);
                seen.last_error = Some(error.to_string());
                let since = seen.down.take().map_or_else(now_ms, |(_, since)| since);
                seen.down = Some((error.to_string(), since));
                Err(error)
            }
        }
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, SourceError> {
        let name = &self.name;
        // Never the error's own words: they may hold the address.
        let failed = |error: reqwest::Error| {
            SourceError(if error.is_timeout() {
                format!("{name} did not answer within {} s.", WAIT.as_secs())
            } else if error.is_connect() {
                format!("{name} cannot be reached.")
            } else {
                format!("The answer of {name} was cut off.")
            })
        };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        match status.as_u16() {
            401 | 403 => return Err(SourceError(format!("{name} does not let this server in ({status})."))),
            300..=399 => {
                return Err(SourceError(format!("{name} points to another address, which is not asked.")));
            }
            // An error of the query comes with JSON that says what is wrong.
            200 | 400 | 422 => {}
            503 => {}
            _ => return Err(SourceError(format!("{name} answers {status}."))),
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if body.len() + part.len() > self.most_bytes {
                let most = self.most_bytes / (1024 * 1024);
                return Err(SourceError(format!(
                    "The answer of {name} is larger than {most} MiB; ask for less."
                )));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    async fn range(
        &self,
        text: &str,
        (start, end): (u64, u64),
        step: u64,
        single: bool,
    ) -> Result<Matrix, SourceError> {
        let (start, end, step) = (seconds(start), seconds(end), seconds(step));
        let form = [("query", text), ("start", &start), ("end", &end), ("step", &step), ("timeout", "10s")];
        let request = self.client.post(format!("{}/api/v1/query_range", self.url)).form(&form);
        self.fetch(request, single).await
    }

    async fn instant(&self, text: &str, at: u64, single: bool) -> Result<Latest, SourceError> {
        let at = seconds(at);
        let form = [("query", text), ("time", &at), ("timeout", "10s")];
        self.fetch(self.client.post(format!("{}/api/v1/query", self.url)).form(&form), single).await
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Source for Prometheus {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "prometheus"
    }

    fn every_ms(&self) -> u64 {
        EVERY_MS
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let step = ask.step.max(1);
        let lines: Vec<(usize, String)> = ask
            .text
            .lines()
            .map(str::trim)
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| (number, with_intervals(line, step, ask.to.saturating_sub(ask.from))))
            .collect();
        if lines.len() > MOST_LINES {
            return Err(SourceError(format!(
                "A widget asks at most {MOST_LINES} queries, one on each line."
            )));
        }
        // Points lie at whole steps, so that those of one asking follow those of another.
        let end = ask.to / step * step;
        let known = ask.known.values().max().copied();
        let start = start(ask.from, known, step);
        if !ask.latest && start > end {
            // Nothing can have come since.
            return Ok(Answer::default());
        }
        let answers = try_join_all(lines.iter().map(async |(number, line)| {
            let curves = if ask.latest {
                self.instant(line, ask.to, ask.single).await?.curves(*number, line)
            } else {
                self.range(line, (start, end), step, ask.single).await?.curves(*number, line, step, known)
            };
            Ok::<Vec<Curve>, SourceError>(curves)
        }));
        let curves: Vec<Curve> = answers.await?.into_iter().flatten().collect();
        let count = curves.len();
        Ok(Answer { curves, count, stamp: 0 })
    }

    async fn values(&self, label: &str, of: &str) -> Result<Vec<String>, SourceError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
        if label.is_empty() || !label.bytes().all(fits) {
            return Err(SourceError(format!("{label:?} is not a label's name.")));
        }
        let mut request = self.client.get(format!("{}/api/v1/label/{label}/values", self.url));
        if !of.trim().is_empty() {
            request = request.query(&[("match[]", of.trim())]);
        }
        let mut values: Vec<String> = self.fetch(request, true).await?;
        values.sort();
        values.truncate(MOST_VALUES);
        Ok(values)
    }

    fn state(&self) -> SourceState {
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
}

/// The first step that is asked for: after what is known, and never before what is shown.
fn start(from: u64, known: Option<u64>, step: u64) -> u64 {
    let first = from.div_ceil(step).saturating_mul(step);
    known.map_or(first, |last| (last / step + 1).saturating_mul(step).max(first))
}

/// Milliseconds as the API takes them.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// A query with what dashboards of other makers have in it: `$__interval` is the step, `$__rate_interval` as
/// much as a rate needs (four looks of the server at least), `$__range` the time shown.
fn with_intervals(text: &str, step: u64, range: u64) -> String {
    let text = if text.contains("$__") || text.contains("${__") {
        let rate = (step + SCRAPE_MS).max(4 * SCRAPE_MS);
        let mut text = text.to_owned();
        for (name, value) in [
            ("rate_interval", format!("{rate}ms")),
            ("interval_ms", step.to_string()),
            ("interval", format!("{step}ms")),
            ("range_s", (range / 1000).to_string()),
            ("range_ms", range.to_string()),
            ("range", format!("{}ms", range.max(1))),
        ] {
            text = text.replace(&format!("${{__{name}}}"), &value).replace(&format!("$__{name}"), &value);
        }
        text
    } else {
        text.to_owned()
    };
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_what_is_shown_is_never_asked_for() {
        assert_eq!(start(12_345, None, 1_000), 13_000);
        assert_eq!(start(12_345, Some(20_000), 1_000), 21_000);
        assert_eq!(start(12_345, Some(3_000), 1_000), 13_000, "after a long time without an answer");
    }

    #[tokio::test]
    async fn s10_single_questions_have_turns_of_their_own_and_a_bound() {
        let server = config::Prometheus {
            name: "main".to_owned(),
            url: "http://127.0.0.1:9".to_owned(),
            access: Access::Open,
        };
        let source = Prometheus::new(&server, 1_000).expect("a client");
        let _all = source.single.acquire_many(SINGLE_AT_ONCE as u32).await.expect("free");
        let ask = |single| Ask { text: "up".to_owned(), to: 9_000, step: 1_000, single, ..Ask::default() };
        let standing = source.ask(&ask(false)).await.expect_err("nobody answers there");
        assert!(!standing.0.contains("busy"), "it did not wait: {standing}");
        let _places =
            source.places.acquire_many((SINGLE_AT_ONCE + SINGLE_WAITING) as u32).await.expect("free");
        let single = source.ask(&ask(true)).await.expect_err("no place to wait at");
        assert_eq!(single.0, "main is busy with other questions; try again.");
    }

    #[test]
    fn intervals_of_other_dashboards_stand_for_something_true() {
        for (text, expected) in [
            ("rate(a[$__rate_interval])", "rate(a[60000ms])"),
            ("rate(a[${__rate_interval}])", "rate(a[60000ms])"),
            ("avg_over_time(a[$__interval])", "avg_over_time(a[10000ms])"),
            ("increase(a[$__range]) / $__range_s", "increase(a[3600000ms]) / 3600"),
            ("a{b=\"$c\"}", "a{b=\"$c\"}"),
        ] {
            assert_eq!(with_intervals(text, 10_000, 3_600_000), expected);
        }
        assert_eq!(with_intervals("[$__rate_interval]", 600_000, 1), "[615000ms]");
    }
}
