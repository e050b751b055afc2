//! Servers that answer with JSON as sources: asked by this server below the addresses of its settings, and nowhere else.

mod answer;
mod path;
mod request;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::future::join_all;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::task::spawn_blocking;

use self::path::{Found, Path};
use self::request::Request;
use super::upstream::{Failure, Upstream, WAIT, in_one_line};
use super::variables::with_all;
use super::{Answer, Ask, Curve, MAX_VALUES, Source, SourceError, SourceState, Times};
use crate::dashboard::settings::Chosen;
use crate::server::config::{self, Access};

/// Requests at once for those that everybody looks at: servers that are not made for many.
const AT_ONCE: usize = 4;
/// How often a server is asked where a dashboard does not say: public ones ask for patience.
const HTTP_EVERY_MS: u64 = 60_000;
/// Bytes of an answer, whatever the settings allow: as values they take many times as much.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of an answer that is an error: no more of it is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// Characters of what a server says that people read.
const MAX_SAID_CHARS: usize = 300;

/// One server that the settings name.
pub struct Http {
    url: String,
    client: reqwest::Client,
    most_bytes: usize,
    upstream: Upstream,
}

impl Http {
    /// Errors where this machine gives no TLS client, in words.
    pub fn new(server: &config::Http, most_bytes: usize) -> Result<Self, SourceError> {
        let name = &server.name;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let bad = || SourceError(format!("What lets us in to {name} does not fit in a header."));
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| bad())?;
            value.set_sensitive(true);
            Ok::<_, SourceError>(value)
        };
        if let Access::Header(access) = &server.access {
            headers.insert(AUTHORIZATION, secret(access.reveal())?);
        }
        for (header, value) in &server.headers {
            let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| bad())?;
            headers.insert(header, secret(value.reveal())?);
        }
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(WAIT)
            // Where it leads nobody has allowed, and what lets us in is not for there.
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SourceError(format!("There is no client for {name}: {error}.")))?;
        let upstream = Upstream::new(name, AT_ONCE);
        Ok(Self { url: server.url.clone(), client, most_bytes: most_bytes.min(MAX_BYTES), upstream })
    }

    /// Asks for one document, and works on it beside the server's tasks.
    async fn get<T: Send + 'static>(
        &self,
        path: &str,
        single: bool,
        work: impl FnOnce(&Value) -> Result<T, String> + Send + 'static,
    ) -> Result<T, SourceError> {
        let asks = async {
            let url = request::address(&self.url, path).map_err(Failure::Refused)?;
            let answer = self.client.get(url).send().await.map_err(|error| self.cut(&error))?;
            let answer = self.accept(answer).await?;
            let body = self.gather(answer, self.most_bytes).await?;
            let name = self.upstream.name().to_owned();
            let worked = spawn_blocking(move || {
                let document: Value = serde_json::from_slice(&body)
                    .map_err(|error| format!("What {name} answers is not JSON: line {}.", error.line()))?;
                work(&document)
            });
            let unreadable = |_| Failure::Refused("The answer could not be read.".to_owned());
            worked.await.map_err(unreadable)?.map_err(Failure::Refused)
        };
        self.upstream.in_turn(single, asks).await
    }

    /// Passes an answer on that is one; else says why not.
    async fn accept(&self, answer: reqwest::Response) -> Result<reqwest::Response, Failure> {
        let (name, status) = (self.upstream.name(), answer.status());
        let down = |reason: String| Err(Failure::Down(reason));
        match status.as_u16() {
            200..=299 => return Ok(answer),
            300..=399 => {
                return down(format!("{name} points to another address, which is not asked ({status})."));
            }
            401 | 403 => return down(format!("{name} does not let this server in ({status}).")),
            429 => {
                return down(format!("{name} is asked too often ({status}); a longer `refresh` asks less."));
            }
            _ => {}
        }
        let body = self.gather(answer, MAX_ERROR_BYTES).await.unwrap_or_default();
        let said = said(&body).map_or(".".to_owned(), |said| format!(": {said}"));
        match status.as_u16() {
            500.. => down(format!("{name} answers {status}{said}")),
            _ => Err(Failure::Refused(format!("{name} answers {status}{said}"))),
        }
    }

    /// Never the error's own words: they may hold the address.
    fn cut(&self, error: &reqwest::Error) -> Failure {
        let name = self.upstream.name();
        Failure::Down(if error.is_timeout() {
            format!("{name} did not answer within {} s.", WAIT.as_secs())
        } else if error.is_connect() {
            format!("{name} cannot be reached.")
        } else {
            format!("The answer of {name} was cut off.")
        })
    }

    /// Reads a whole body of at most so many bytes.
    async fn gather(&self, mut answer: reqwest::Response, most: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.cut(&error))? {
            if body.len() + part.len() > most {
                let name = self.upstream.name();
                let mib = most as f64 / (1024.0 * 1024.0);
                return Err(Failure::Refused(format!(
                    "The answer of {name} is larger than {mib} MiB; ask for less."
                )));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    async fn ask_one(
        &self,
        request: Request,
        ask: &Ask,
        line: usize,
    ) -> Result<(Vec<Curve>, Vec<String>), SourceError> {
        let (path, ask) = (request.path.clone(), ask.clone());
        self.get(&path, ask.single, move |document| answer::read(document, &request, &ask, line)).await
    }
}

#[async_trait]
impl Source for Http {
    fn name(&self) -> &str {
        self.upstream.name()
    }

    fn kind(&self) -> &'static str {
        "http"
    }

    fn every_ms(&self) -> u64 {
        HTTP_EVERY_MS
    }

    /// Whatever a server answers it may correct: what differs from before is told.
    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        // Whole stretches, so that what is thinned is the same at the next asking.
        let stretch = ask.step.max(1) * 3;
        let variables = with_all(self, &ask.variables).await?;
        let ask = Ask { from: ask.from / stretch * stretch, variables, ..ask.clone() };
        let requests = request::read(&ask).map_err(SourceError)?;
        let timed = requests.iter().filter(|request| request.times.is_some()).count();
        if timed > 0 && timed < requests.len() {
            let reason = "Of several paths all have a line with `time:`, or none has.";
            return Err(SourceError(reason.to_owned()));
        }
        let mut first = 0;
        let several = requests.len() > 1;
        let asked = requests.into_iter().map(|request| {
            let (line, at) = (first, request.line);
            let lines: Vec<usize> = (line..line + request.values.len()).collect();
            first += request.values.len();
            let ask = &ask;
            async move { (lines, at, self.ask_one(request, ask, line).await) }
        });
        let asked: Vec<_> = asked.collect();
        let mut answer = Answer {
            times: if timed > 0 { Times::Own } else { Times::Now },
            complete_from: (timed > 0 && !ask.latest).then_some(ask.from),
            ..Answer::default()
        };
        let mut errors = Vec::new();
        for (lines, at, result) in join_all(asked).await {
            match result {
                Ok((curves, notes)) => {
                    answer.curves.extend(curves);
                    answer.notes.extend(notes);
                }
                Err(error) => {
                    answer.failed.extend(lines);
                    errors.push(if several { format!("Line {at}: {error}") } else { error.to_string() });
                }
            }
        }
        if let Some(first) = errors.first().filter(|_| answer.curves.is_empty()) {
            return Err(SourceError(first.clone()));
        }
        answer.notes.extend(errors);
        (answer.count, answer.living) = (answer.curves.len(), answer.curves.len());
        Ok(answer)
    }

    /// `of` is the path below the address, and `label` where the values stand in the answer.
    async fn values(
        &self,
        label: &str,
        of: &str,
        variables: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError> {
        let of = of.trim();
        if !of.starts_with('/') {
            return Err(SourceError("What is asked for values begins with `/`.".to_owned()));
        }
        let address = request::fill_address(of, &Ask::for_values(of, variables)).map_err(SourceError)?;
        let path = Path::read(label).map_err(|error| SourceError(format!("{label} {error}.")))?;
        let values = self.get(&address, true, move |document| {
            let found = path.find(document).map_err(|error| format!("{} {error}.", path.text()))?;
            let text = |Found { node, .. }: Found<'_>| match node {
                Value::String(text) => Some(text.clone()),
                Value::Number(_) | Value::Bool(_) => Some(node.to_string()),
                _ => None,
            };
            Ok(found.into_iter().filter_map(text).collect::<BTreeSet<String>>())
        });
        Ok(values.await?.into_iter().take(MAX_VALUES).collect())
    }

    fn state(&self) -> SourceState {
        self.upstream.state()
    }
}

/// What the body of an error says, where it is JSON with words in one of the usual places.
fn said(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let places = ["/reason", "/message", "/detail", "/error/message", "/error"];
    let text = places.into_iter().find_map(|place| document.pointer(place)?.as_str())?;
    // A text may name the address that was asked, which nobody is told.
    let fits = !text.trim().is_empty() && !text.contains("//");
    fits.then(|| in_one_line(text, MAX_SAID_CHARS))
}
