//! Prometheus' remote write, 1.0 and 2.0: `POST /api/v1/write`.
//!
//! Names and labels are as they come, and times, too. A value that is not finite is a gap: Prometheus marks so
//! where a series ends, and has no value for a quantile of nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use super::batch::Batch;
use super::json::with_headers;
use super::protobuf::{Fields, MALFORMED, Value};
use super::{Ingest, IngestError, Packing};
use crate::server::data::series::key::{Key, MAX_TAGS, NAME_LABEL};
use crate::server::data::series::memory::Id;
use crate::server::data::series::spelling::{Way, spell};

/// Texts of one request of 2.0: many times what a sender has in it.
const MAX_SYMBOLS: usize = 500_000;

/// Numbers of the fields of a series.
const SAMPLES: u64 = 2;
const HISTOGRAMS: u64 = 4;
const HISTOGRAMS_V2: u64 = 3;

#[derive(Clone, Copy, PartialEq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// By the content type; `None` for what is neither.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(said) = headers.get(CONTENT_TYPE) else { return Some(Self::One) };
        let mut parts = said.to_str().ok()?.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("application/x-protobuf") {
            return None;
        }
        match parts.find_map(|part| part.strip_prefix("proto=")).map(|proto| proto.trim_matches('"')) {
            None | Some("prometheus.WriteRequest") => Some(Self::One),
            Some("io.prometheus.write.v2.Request") => Some(Self::Two),
            Some(_) => None,
        }
    }
}

/// What was read, as 2.0 wants it told.
#[derive(Default)]
struct Written {
    samples: AtomicU64,
    histograms: AtomicU64,
}

/// `POST /api/v1/write`: 204 once it is on the disk. Where samples do not fit, the others are written all the
/// same: 400 with what was not, which makes senders go on with the next; 503, which makes them send it again, where some
/// of it would be taken then.
pub async fn write(State(ingest): State<Ingest>, mut request: Request) -> Response {
    let Some(version) = Version::of(request.headers()) else {
        let why = "This takes application/x-protobuf with prometheus.WriteRequest or io.prometheus.write.v2.Request.\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    };
    // Senders that do not say how they pack do it all the same, as the protocol has no other way.
    request.extensions_mut().insert(Packing::PerhapsSnappy);
    let written = Arc::new(Written::default());
    let counts = written.clone();
    let read = move |body: &[u8], batch| match version {
        Version::One => read_v1(body, batch, &counts),
        Version::Two => read_v2(body, batch, &counts),
    };
    let mut response = match ingest.take(request, read).await {
        Ok(outcome) if outcome.refused.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(outcome) => {
            let (accepted, words) = (outcome.accepted, outcome.refused.words("series"));
            let words = format!("{accepted} points written, not these: {words}\n");
            match outcome.refused.is_for_now {
                true => {
                    let response = (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
                    with_headers(&IngestError::Busy, response)
                }
                false => (StatusCode::BAD_REQUEST, words).into_response(),
            }
        }
        Err(error) => return failed(&error),
    };
    if version == Version::Two {
        let counts = [
            ("x-prometheus-remote-write-samples-written", written.samples.load(Relaxed)),
            ("x-prometheus-remote-write-histograms-written", written.histograms.load(Relaxed)),
            ("x-prometheus-remote-write-exemplars-written", 0),
        ];
        let counts = counts.map(|(name, count)| (HeaderName::from_static(name), count.into()));
        response.headers_mut().extend(counts);
    }
    response
}

fn failed(error: &IngestError) -> Response {
    with_headers(error, (error.status(), format!("{error}\n")).into_response())
}

fn read_v1(body: &[u8], mut batch: Batch, written: &Written) -> Result<Batch, String> {
    let memory = batch.memory();
    let spellings = memory.as_ref().and_then(|memory| memory.spellings());
    let (mut place, mut next) = (0, 0);
    for field in Fields(body) {
        let (1, series) = field? else { continue };
        place += 1;
        let (spelled, rest) = spelled(series);
        // Labels that are not together, and histograms, are read with more care.
        let is_plain = rest.flatten().all(|(number, _)| number != 1 && number != HISTOGRAMS);
        if is_plain
            && let Some(id) =
                spellings.as_ref().and_then(|known| known.series(Way::RemoteWrite, spelled, &mut next))
        {
            add_samples(id, rest, place, &mut batch, written)?;
            continue;
        }
        let mut labels = Labels::spelled(Way::RemoteWrite, spelled);
        for field in series.fields() {
            let (1, label) = field? else { continue };
            let (mut name, mut value) = ("", "");
            for field in label.fields() {
                match field? {
                    (1, text) => name = text.text()?,
                    (2, text) => value = text.text()?,
                    _ => {}
                }
            }
            labels.add(name, value);
        }
        Series { labels, place, histograms: HISTOGRAMS }.read(series, &mut batch, written)?;
    }
    drop(spellings);
    Ok(batch)
}

/// Adds the samples of a series that is known. Other fields are passed over.
fn add_samples(
    id: Id,
    fields: Fields<'_>,
    place: usize,
    batch: &mut Batch,
    written: &Written,
) -> Result<(), String> {
    let series = batch.known(id, place);
    for field in fields {
        let (SAMPLES, message) = field? else { continue };
        let (value, at) = sample(message)?;
        match batch.check_time(at) {
            Ok(at) => {
                batch.add(series, at, value);
                written.samples.fetch_add(1, Relaxed);
            }
            Err(why) => batch.refused.add(place, 1, why),
        }
    }
    Ok(())
}

/// The bytes of the labels that a series begins with, and what is behind them.
fn spelled(series: Value<'_>) -> (&[u8], Fields<'_>) {
    let Value::Bytes(bytes) = series else { return (&[], Fields(&[])) };
    let mut fields = Fields(bytes);
    loop {
        let before = fields;
        if !matches!(fields.next(), Some(Ok((1, _)))) {
            return (&bytes[..bytes.len() - before.0.len()], before);
        }
    }
}

fn read_v2(body: &[u8], mut batch: Batch, written: &Written) -> Result<Batch, String> {
    let mut symbols = Vec::new();
    for field in Fields(body) {
        let (4, text) = field? else { continue };
        if symbols.len() == MAX_SYMBOLS {
            return Err(format!("A request has at most {MAX_SYMBOLS} symbols. Send it in parts."));
        }
        symbols.push(text.text()?);
    }
    let symbol = |at: u64| {
        let text = usize::try_from(at).ok().and_then(|at| symbols.get(at));
        text.copied().ok_or_else(|| MALFORMED.to_owned())
    };
    let memory = batch.memory();
    let spellings = memory.as_ref().and_then(|memory| memory.spellings());
    let (mut place, mut next, mut texts, mut spelled) = (0, 0, Vec::new(), Vec::new());
    for field in Fields(body) {
        let (5, series) = field? else { continue };
        place += 1;
        texts.clear();
        let mut has_histograms = false;
        for field in series.fields() {
            match field? {
                // Names and values in turn.
                (1, references) => {
                    for reference in references.varints() {
                        texts.push(symbol(reference)?);
                    }
                }
                (HISTOGRAMS_V2, _) => has_histograms = true,
                _ => {}
            }
        }
        // By its texts: symbols have other numbers in each request.
        spelled.clear();
        texts.iter().for_each(|text| spell(text.as_bytes(), &mut spelled));
        let known =
            spellings.as_ref().and_then(|known| known.series(Way::RemoteWriteV2, &spelled, &mut next));
        if let Some(id) = known.filter(|_| !has_histograms) {
            add_samples(id, series.fields(), place, &mut batch, written)?;
            continue;
        }
        let mut labels = Labels::spelled(Way::RemoteWriteV2, &spelled);
        texts.chunks_exact(2).for_each(|pair| labels.add(pair[0], pair[1]));
        Series { labels, place, histograms: HISTOGRAMS_V2 }.read(series, &mut batch, written)?;
    }
    drop(spellings);
    Ok(batch)
}

struct Labels<'a> {
    way: Way,
    /// Their bytes in that way.
    spelled: &'a [u8],
    name: &'a str,
    tags: Vec<(String, String)>,
}

impl<'a> Labels<'a> {
    /// None as yet.
    fn spelled(way: Way, spelled: &'a [u8]) -> Self {
        Self { way, spelled, name: "", tags: Vec::new() }
    }

    fn add(&mut self, name: &'a str, value: &'a str) {
        if name == NAME_LABEL {
            self.name = value;
        // An empty label is as none. One too many is kept, so that it is named as such.
        } else if !value.is_empty() && self.tags.len() <= MAX_TAGS {
            self.tags.push((name.to_owned(), without_controls(value)));
        }
    }
}

/// A text on one line, as names are.
pub(super) fn without_controls(text: &str) -> String {
    if text.chars().any(char::is_control) { text.replace(char::is_control, " ") } else { text.to_owned() }
}

/// A series, and the number of the field of its histograms, in which the versions differ.
struct Series<'a> {
    labels: Labels<'a>,
    place: usize,
    histograms: u64,
}

impl Series<'_> {
    fn read(self, series: Value<'_>, batch: &mut Batch, written: &Written) -> Result<(), String> {
        let Self { mut labels, place, histograms } = self;
        // Most series have values alone, and one key.
        let has_histograms = series.fields().flatten().any(|(number, _)| number == histograms);
        let mut key = |batch: &mut Batch, suffix: &str| {
            let key = if has_histograms {
                Key::new(&format!("{}{suffix}", labels.name), labels.tags.clone())?
            } else {
                Key::new(labels.name, std::mem::take(&mut labels.tags))?
            };
            let series = batch.series(key, place)?;
            if !has_histograms && !labels.spelled.is_empty() {
                batch.learn(labels.way, labels.spelled, b"", series);
            }
            Ok::<u32, String>(series)
        };
        let mut values = None;
        let mut counts_and_sums: Option<Result<(u32, u32), String>> = None;
        for field in series.fields() {
            let (number, message) = field?;
            let read = if number == SAMPLES {
                let series = values.get_or_insert_with(|| key(batch, ""));
                let (value, at) = sample(message)?;
                series.as_ref().map_err(Clone::clone).and_then(|series| {
                    let at = batch.check_time(at)?;
                    batch.add(*series, at, value);
                    written.samples.fetch_add(1, Relaxed);
                    Ok(())
                })
            } else if number == histograms {
                let both =
                    counts_and_sums.get_or_insert_with(|| Ok((key(batch, "_count")?, key(batch, "_sum")?)));
                let (count, sum, at) = histogram(message)?;
                both.as_ref().map_err(Clone::clone).and_then(|(of_count, of_sum)| {
                    let at = batch.check_time(at)?;
                    batch.add(*of_count, at, count);
                    batch.add(*of_sum, at, sum);
                    written.histograms.fetch_add(1, Relaxed);
                    Ok(())
                })
            } else {
                Ok(())
            };
            if let Err(why) = read {
                batch.refused.add(place, 1, why);
            }
        }
        Ok(())
    }
}

/// The value, NaN for a gap, and the time.
fn sample(message: Value<'_>) -> Result<(f64, i64), String> {
    let (mut value, mut at) = (0.0, 0);
    for field in message.fields() {
        match field? {
            (1, number) => value = finite(number.double()),
            (2, number) => at = number.number().cast_signed(),
            _ => {}
        }
    }
    Ok((value, at))
}

/// The count, the sum and the time of a native histogram, whose buckets have no place in a chart.
fn histogram(message: Value<'_>) -> Result<(f64, f64, i64), String> {
    let (mut count, mut sum, mut at) = (0.0, 0.0, 0);
    for field in message.fields() {
        match field? {
            (1, number) => count = number.number() as f64,
            (2, number) => count = number.double(),
            (3, number) => sum = finite(number.double()),
            (15, number) => at = number.number().cast_signed(),
            _ => {}
        }
    }
    // The end of one is marked in its sum.
    Ok((if sum.is_nan() { sum } else { finite(count) }, sum, at))
}

/// The value as a chart may have it: what is not finite is a gap.
pub(super) fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}
