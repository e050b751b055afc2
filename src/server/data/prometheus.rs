//! A Prometheus server as a source: its HTTP API, asked by this server and by nobody else.

mod answer;
mod promql;
mod variables;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use self::answer::{Reply, Response, Wanted};
use super::upstream::{EVERY_MS, Failure, Upstream, WAIT};
use super::{Answer, Ask, MAX_VALUES, Source, SourceError, SourceState};
use crate::dashboard::settings::Chosen;
use crate::server::config::{self, Access};

/// Queries at once of those that stand: many widgets that open together are not an attack.
const AT_ONCE: usize = 8;
/// Queries for one widget.
const MAX_QUERIES: usize = 20;
/// Bytes of an answer up to which it is read at once.
const SMALL_BYTES: usize = 256 * 1024;
/// Parts of a larger answer that wait to be read.
const MAX_PARTS: usize = 8;
/// Bytes of an answer that is an error: no more of it is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// How often such servers look at what they watch, mostly.
const SCRAPE_MS: u64 = 15_000;

/// One server that the settings name.
pub struct Prometheus {
    name: String,
    url: String,
    client: reqwest::Client,
    most_bytes: usize,
    overlap: Duration,
    upstream: Upstream,
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
            overlap: server.overlap,
            upstream: Upstream::new(&server.name, AT_ONCE),
        })
    }

    /// Sends a request; what comes is an answer to it.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let name = &self.name;
        let answer = request.send().await.map_err(|error| self.cut(&error))?;
        let status = answer.status();
        match status.as_u16() {
            200..=299 => return Ok(answer),
            401 | 403 => {
                return Err(Failure::Down(format!("{name} does not let this server in ({status}).")));
            }
            300..=399 => {
                let reason = format!("{name} points to another address, which is not asked.");
                return Err(Failure::Down(reason));
            }
            _ => {}
        }
        let is_text = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/plain"));
        let body = self.gather(answer, MAX_ERROR_BYTES).await.unwrap_or_default();
        if let Ok(Reply::<IgnoredAny> { error: Some(error), .. }) = serde_json::from_slice(&body) {
            let error = answer::said(&error);
            return Err(Failure::Refused(match status.as_u16() {
                400 | 422 => format!("{name} does not take the query: {error}"),
                _ => format!("{name} gave the query up: {error}"),
            }));
        }
        let said = answer::said(&String::from_utf8_lossy(&body));
        // A text may name the address that was asked, which nobody is told.
        let said =
            if is_text && !said.is_empty() && !said.contains('/') { format!(": {said}") } else { ".".into() };
        Err(Failure::Down(match status.as_u16() {
            503 => format!("{name} is not ready ({status}){said}"),
            _ => format!("{name} answers {status}{said}"),
        }))
    }

    /// Never the error's own words: they may hold the address.
    fn cut(&self, error: &reqwest::Error) -> Failure {
        let name = &self.name;
        Failure::Down(if error.is_timeout() {
            format!("{name} did not answer within {} s.", WAIT.as_secs())
        } else if error.is_connect() {
            format!("{name} cannot be reached.")
        } else {
            format!("The answer of {name} was cut off.")
        })
    }

    fn too_large(&self, most: usize) -> Failure {
        let most = most / (1024 * 1024);
        Failure::Down(format!("The answer of {} is larger than {most} MiB; ask for less.", self.name))
    }

    /// Reads a whole body of at most so many bytes.
    async fn gather(&self, mut answer: reqwest::Response, most: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.cut(&error))? {
            if body.len() + part.len() > most {
                return Err(self.too_large(most));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// Reads the answer to a query: a small one whole, a large one while it comes, beside the server's tasks.
    async fn read(&self, mut answer: reqwest::Response, wanted: Wanted) -> Result<Response, Failure> {
        let mut body = Vec::new();
        while body.len() <= SMALL_BYTES {
            match answer.chunk().await.map_err(|error| self.cut(&error))? {
                Some(part) => body.extend_from_slice(&part),
                None => return self.check(answer::read_slice(&body, &wanted), &wanted),
            }
        }
        let mut bytes = body.len();
        let (parts, coming) = mpsc::channel(MAX_PARTS);
        let reading = spawn_blocking(move || {
            let response = answer::read_parts(body.into(), coming, &wanted);
            (response, wanted)
        });
        let fed = async {
            while let Some(part) = answer.chunk().await.map_err(|error| self.cut(&error))? {
                bytes += part.len();
                if bytes > self.most_bytes {
                    return Err(self.too_large(self.most_bytes));
                }
                if parts.send(part).await.is_err() {
                    // It is read to its end, or does not read.
                    break;
                }
            }
            Ok(())
        }
        .await;
        drop(parts);
        let read = reading.await;
        fed?;
        let (response, wanted) = read.map_err(|_| self.unreadable())?;
        self.check(response, &wanted)
    }

    fn unreadable(&self) -> Failure {
        Failure::Refused(format!("What {} answers is not Prometheus' JSON.", self.name))
    }

    fn check(
        &self,
        response: Result<Response, serde_json::Error>,
        wanted: &Wanted,
    ) -> Result<Response, Failure> {
        let name = &self.name;
        let response = response.map_err(|_| self.unreadable())?;
        if let Some(error) = &response.error {
            return Err(Failure::Refused(format!("{name} does not take the query: {error}")));
        }
        if !response.is_success || !response.has_data {
            return Err(Failure::Refused(format!("{name} answers without data.")));
        }
        if response.is_unfit {
            return Err(Failure::Refused(if wanted.latest {
                "This query has a range of values for each series, where a table takes one.".to_owned()
            } else {
                "This query has no series of numbers.".to_owned()
            }));
        }
        Ok(response)
    }

    /// Asks one query for a time, or for the values at its end.
    async fn query(&self, ask: &Ask, start: u64, wanted: Wanted) -> Result<Response, SourceError> {
        let (path, times) = if ask.latest {
            ("query", vec![("time", seconds(ask.to))])
        } else {
            let times = [("start", start), ("end", wanted.end), ("step", wanted.step)];
            ("query_range", times.map(|(name, time)| (name, seconds(time))).to_vec())
        };
        let mut form = vec![("query", wanted.query.clone()), ("timeout", format!("{}s", WAIT.as_secs()))];
        form.extend(times);
        let request = self.client.post(format!("{}/api/v1/{path}", self.url)).form(&form);
        self.upstream.in_turn(ask.single, async { self.read(self.send(request).await?, wanted).await }).await
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

    fn overlap_ms(&self) -> Option<u64> {
        Some(self.overlap.as_millis() as u64)
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let step = ask.step.max(1);
        let text = variables::fill(&ask.text, &ask.variables).map_err(SourceError)?;
        let expressions = promql::expressions(&text);
        if expressions.len() > MAX_QUERIES {
            return Err(SourceError(format!("A widget asks at most {MAX_QUERIES} queries.")));
        }
        // Points lie at whole steps, so that those of one asking are those of another.
        let end = ask.to / step * step;
        let is_whole = expressions.iter().any(|one| promql::depends_on_window(&one.text));
        let start = start(ask.from, ask.since.filter(|_| !is_whole), step);
        if !ask.latest && start > end {
            return Ok(Answer::default());
        }
        let asked = expressions.iter().map(async |one| {
            let query = with_intervals(&one.text, step, ask.min_step, ask.to.saturating_sub(ask.from));
            let (most, known) = (ask.most(), ask.known.clone());
            let (line, latest) = (one.line, ask.latest);
            let step = if latest { 0 } else { step };
            self.query(ask, start, Wanted { line, query, step, end, most, known, latest }).await
        });
        let mut answer = Answer { complete_from: (!ask.latest).then_some(start), ..Answer::default() };
        let mut errors: Vec<(usize, SourceError)> = Vec::new();
        for (one, response) in expressions.iter().zip(join_all(asked).await) {
            match response {
                Ok(response) => {
                    answer.curves.extend(response.curves);
                    answer.count += response.count;
                    answer.living += response.living;
                    answer.notes.extend(response.notes);
                }
                Err(error) => {
                    answer.failed.push(one.line);
                    errors.push((one.first_line, error));
                }
            }
        }
        let same = errors.windows(2).all(|pair| pair[0].1 == pair[1].1);
        let said = |(line, error): &(usize, SourceError)| match expressions.len() {
            1 => error.to_string(),
            _ => format!("Line {line}: {error}"),
        };
        match &errors[..] {
            [] => {}
            [(_, first), ..] if errors.len() == expressions.len() && same => return Err(first.clone()),
            [first, ..] if errors.len() == expressions.len() => return Err(SourceError(said(first))),
            some => answer.notes.extend(some.iter().map(said)),
        }
        answer.notes.dedup();
        Ok(answer)
    }

    async fn values(
        &self,
        label: &str,
        of: &str,
        variables: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
        if label.is_empty() || !label.bytes().all(fits) {
            return Err(SourceError(format!("{label:?} is not a label's name.")));
        }
        let mut request = self.client.get(format!("{}/api/v1/label/{label}/values", self.url));
        if !of.trim().is_empty() {
            let of = variables::fill(of.trim(), variables).map_err(SourceError)?;
            request = request.query(&[("match[]", of)]);
        }
        let ask = async {
            let answer = self.send(request).await?;
            let body = self.gather(answer, self.most_bytes).await?;
            let reply: Reply<Vec<String>> = serde_json::from_slice(&body).map_err(|_| self.unreadable())?;
            let no_data = || Failure::Refused(format!("{} answers without data.", self.name));
            reply.data.filter(|_| reply.status == "success").ok_or_else(no_data)
        };
        let mut values = self.upstream.in_turn(true, ask).await?;
        values.sort();
        values.truncate(MAX_VALUES);
        Ok(values)
    }

    fn state(&self) -> SourceState {
        self.upstream.state()
    }
}

/// The first step that is asked for: the one at which what is known for good ends, and never before what is
/// shown.
fn start(from: u64, since: Option<u64>, step: u64) -> u64 {
    let first = from.div_ceil(step).saturating_mul(step);
    since.map_or(first, |since| (since / step * step).max(first))
}

/// Milliseconds as the API takes them.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// A query with what dashboards of other makers have in it: `$__interval` is the step, `$__rate_interval` as
/// much as a rate needs (four looks of the server at least, which `min_step` tells in milliseconds where it is not
/// 0), `$__range` the time shown.
fn with_intervals(text: &str, step: u64, min_step: u64, range: u64) -> String {
    let text = if text.contains("$__") || text.contains("${__") {
        let scrape = if min_step > 0 { min_step } else { SCRAPE_MS };
        let rate = (step + scrape).max(4 * scrape);
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
        assert_eq!(start(12_345, Some(20_900), 1_000), 20_000);
        assert_eq!(start(12_345, Some(3_000), 1_000), 13_000, "after a long time without an answer");
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
            assert_eq!(with_intervals(text, 10_000, 0, 3_600_000), expected);
        }
        assert_eq!(with_intervals("[$__rate_interval]", 600_000, 0, 1), "[615000ms]");
        assert_eq!(with_intervals("[$__rate_interval]", 60_000, 60_000, 1), "[240000ms]");
        assert_eq!(with_intervals("[$__rate_interval]", 600_000, 60_000, 1), "[660000ms]");
    }
}
