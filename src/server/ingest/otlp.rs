//! OpenTelemetry's metrics over HTTP: `POST /v1/metrics` with protocol buffers or JSON.
//!
//! A metric is called as it calls itself. Histograms and summaries become series as Prometheus names them. Of a
//! cumulative sum each point is the total so far; of a delta what came since the point before: added up here, a
//! batch that is sent again would count twice.

mod json;
mod proto;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::batch::Batch;
use super::json::with_headers;
use super::protobuf::Message;
use super::remote_write::{finite, without_controls};
use super::{Ingest, IngestError, Outcome};
use crate::server::data::series::key::{Key, MAX_TAGS};
use crate::server::data::series::memory::Id;
use crate::server::data::series::spelling::Way;

/// Buckets of a histogram: each is a series of its own, and SDKs make 16.
const MAX_BUCKETS: usize = 200;
/// In the flags of a point: there is no value any more.
const NO_VALUE: u64 = 1;
/// Which attributes of a resource tell its series from others', and as what: as Prometheus has them, and where
/// nobody named the instance, what else tells two of them apart.
const JOB: &str = "service.name";
const NAMESPACE: &str = "service.namespace";
const INSTANCES: [&str; 3] = ["service.instance.id", "k8s.pod.name", "host.name"];

#[derive(Clone, Copy, PartialEq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let said = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        match said.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn answer(self, status: StatusCode, protobuf: Message, json: &serde_json::Value) -> Response {
        let (body, kind) = match self {
            Self::Protobuf => (protobuf.0, "application/x-protobuf"),
            Self::Json => (json.to_string().into_bytes(), "application/json"),
        };
        (status, [(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}

/// `POST /v1/metrics`, packed with gzip or not: 200 once it is on the disk. What does not fit is counted and named
/// in `partial_success`, and senders go on with the next.
pub async fn metrics(State(ingest): State<Ingest>, request: Request) -> Response {
    let Some(encoding) = Encoding::of(request.headers()) else {
        let why = "This takes application/x-protobuf or application/json.\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    };
    let read = move |body: &[u8], batch| {
        let points = Points { batch, place: 0 };
        let points = match encoding {
            Encoding::Protobuf => proto::read(body, points),
            Encoding::Json => json::read(body, points),
        };
        points.map(|points| points.batch)
    };
    match ingest.take(request, read).await {
        Ok(outcome) => succeeded(encoding, &outcome),
        Err(error) => failed(encoding, &error),
    }
}

fn succeeded(encoding: Encoding, outcome: &Outcome) -> Response {
    let mut message = Message::default();
    let mut body = json!({});
    if !outcome.refused.is_empty() {
        let (count, words) = (outcome.refused.count(), outcome.refused.words("data point"));
        let mut partial = Message::default();
        partial.number(1, count);
        partial.bytes(2, words.as_bytes());
        message.bytes(1, &partial.0);
        body = json!({"partialSuccess": {"rejectedDataPoints": count.to_string(), "errorMessage": words}});
    }
    encoding.answer(StatusCode::OK, message, &body)
}

fn failed(encoding: Encoding, error: &IngestError) -> Response {
    // The codes of gRPC.
    let (status, code) = match error.status() {
        // Others than these senders do not try again.
        StatusCode::INSUFFICIENT_STORAGE | StatusCode::SERVICE_UNAVAILABLE => {
            (StatusCode::SERVICE_UNAVAILABLE, 14)
        }
        StatusCode::UNAUTHORIZED => (StatusCode::UNAUTHORIZED, 16),
        status => (status, 3),
    };
    let words = error.to_string();
    let mut message = Message::default();
    message.number(1, code);
    message.bytes(2, words.as_bytes());
    with_headers(error, encoding.answer(status, message, &json!({"code": code, "message": words})))
}

type Tags = Vec<(String, String)>;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number,
    Histogram,
    /// Its buckets have no place in a chart.
    ExponentialHistogram,
    Summary,
}

/// One data point of any kind.
#[derive(Debug, Default)]
struct DataPoint {
    attributes: Tags,
    time_ns: u64,
    flags: u64,
    number: Option<f64>,
    count: u64,
    sum: Option<f64>,
    buckets: Vec<u64>,
    bounds: Vec<f64>,
    /// Each with its value.
    quantiles: Vec<(f64, f64)>,
}

/// Gathers data points.
struct Points {
    batch: Batch,
    /// The number of the last one.
    place: usize,
}

impl Points {
    /// Adds a data point; what does not fit is noted.
    fn add(&mut self, metric: &str, kind: Kind, resource: &[(String, String)], point: DataPoint) {
        self.add_spelled(metric, kind, resource, point, None);
    }

    /// The same of a number, whose series has this spelling.
    fn add_spelled(
        &mut self,
        metric: &str,
        kind: Kind,
        resource: &[(String, String)],
        point: DataPoint,
        spelled: Option<&[u8]>,
    ) {
        self.place += 1;
        if let Err(why) = self.try_add(metric, kind, resource, point, spelled) {
            self.batch.refused.add(self.place, 1, why);
        }
    }

    /// Adds a number of a series that is known.
    fn add_known(&mut self, id: Id, time_ns: u64, value: f64) {
        self.place += 1;
        match time(&self.batch, time_ns) {
            Ok(at) => {
                let series = self.batch.known(id, self.place);
                self.batch.add(series, at, finite(value));
            }
            Err(why) => self.batch.refused.add(self.place, 1, why),
        }
    }

    fn try_add(
        &mut self,
        metric: &str,
        kind: Kind,
        resource: &[(String, String)],
        point: DataPoint,
        spelled: Option<&[u8]>,
    ) -> Result<(), String> {
        let Self { batch, place } = self;
        let at = time(batch, point.time_ns)?;
        let mut tags = point.attributes;
        for (tag, value) in resource {
            if !tags.iter().any(|(known, _)| known == tag) {
                tags.push((tag.clone(), value.clone()));
            }
        }
        let is_gap = point.flags & NO_VALUE != 0;
        let mut put = |suffix: &str, extra: Option<(&str, String)>, value: f64| {
            let mut tags = tags.clone();
            tags.extend(extra.map(|(tag, value)| (tag.to_owned(), value)));
            let series = batch.series(Key::new(&format!("{metric}{suffix}"), tags)?, *place)?;
            batch.add(series, at, if is_gap { f64::NAN } else { finite(value) });
            Ok::<u32, String>(series)
        };
        if kind == Kind::Number {
            let number = point.number.or(is_gap.then_some(f64::NAN));
            let series = put("", None, number.ok_or("the point has no value")?)?;
            if let Some(spelled) = spelled {
                batch.learn(Way::Otlp, spelled, b"", series);
            }
            return Ok(());
        }
        put("_count", None, point.count as f64)?;
        if let Some(sum) = point.sum {
            put("_sum", None, sum)?;
        }
        match kind {
            Kind::Histogram if !point.buckets.is_empty() => {
                if point.buckets.len() > MAX_BUCKETS || point.buckets.len() != point.bounds.len() + 1 {
                    return Err(format!(
                        "a histogram has at most {MAX_BUCKETS} buckets, and one more than bounds"
                    ));
                }
                let bounds = point.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
                let mut total = 0_u64;
                for (count, bound) in point.buckets.iter().zip(bounds) {
                    total = total.saturating_add(*count);
                    put("_bucket", Some(("le", bound)), total as f64)?;
                }
            }
            Kind::Summary => {
                for (quantile, value) in point.quantiles.into_iter().take(MAX_BUCKETS) {
                    put("", Some(("quantile", quantile.to_string())), value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The time of a point in milliseconds; now where it brings none.
fn time(batch: &Batch, time_ns: u64) -> Result<u64, String> {
    if time_ns == 0 {
        return batch.now();
    }
    batch.check_time(i64::try_from(time_ns / 1_000_000).unwrap_or(i64::MAX))
}

/// What of a resource's attributes goes to its series.
fn of_resource(attributes: &[(String, String)]) -> Tags {
    let get = |name: &str| attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let job = get(JOB).map(|name| match get(NAMESPACE) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.clone(),
    });
    let instance = INSTANCES.into_iter().find_map(get).cloned();
    let tags = [("job", job), ("instance", instance)];
    tags.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value?))).collect()
}

/// Adds an attribute where it has a value, and one too many, so that it is named as such.
fn add_attribute(attributes: &mut Tags, name: &str, value: Option<String>) {
    if attributes.len() <= MAX_TAGS
        && let Some(value) = value.filter(|value| !value.trim().is_empty())
    {
        attributes.push((name.to_owned(), without_controls(&value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::data::series::retention::Window;

    pub(super) const NOW: u64 = 1_795_000_000_000;

    pub(super) fn points() -> Points {
        Points { batch: Batch::new(Window::around(NOW, 86_400_000)), place: 0 }
    }

    /// Each point as `name value`.
    pub(super) fn taken(points: Points) -> Vec<String> {
        let (runs, refused, _) = points.batch.finish();
        assert!(refused.is_empty(), "{refused:?}");
        let one = |run: &crate::server::data::series::Run| format!("{} {}", run.key.whole(), run.points[0].1);
        runs.into_list().iter().map(one).collect()
    }

    #[test]
    fn histograms_and_summaries_are_named_as_prometheus_does() {
        let mut all = points();
        let resource = of_resource(&[
            ("service.name".to_owned(), "shop".to_owned()),
            ("host.name".to_owned(), "a".to_owned()),
            ("telemetry.sdk.language".to_owned(), "rust".to_owned()),
        ]);
        let histogram = DataPoint {
            time_ns: NOW * 1_000_000,
            count: 6,
            sum: Some(12.5),
            buckets: vec![1, 2, 3],
            bounds: vec![0.5, 10.0],
            ..DataPoint::default()
        };
        all.add("latency", Kind::Histogram, &resource, histogram);
        let summary = DataPoint { count: 1, quantiles: vec![(0.5, 3.0)], ..DataPoint::default() };
        all.add("size", Kind::Summary, &[], summary);
        let gone = DataPoint { flags: NO_VALUE, ..DataPoint::default() };
        all.add("gone", Kind::Number, &[], gone);
        assert_eq!(
            taken(all),
            [
                "latency_count{instance=a,job=shop} 6",
                "latency_sum{instance=a,job=shop} 12.5",
                "latency_bucket{instance=a,job=shop,le=0.5} 1",
                "latency_bucket{instance=a,job=shop,le=10} 3",
                "latency_bucket{instance=a,job=shop,le=+Inf} 6",
                "size_count 1",
                "size{quantile=0.5} 3",
                "gone NaN",
            ]
        );
    }

    #[test]
    fn s10_what_does_not_fit_is_named_by_its_number() {
        let mut all = points();
        all.add("a", Kind::Number, &[], DataPoint::default());
        let many = DataPoint { buckets: vec![0; MAX_BUCKETS + 1], ..DataPoint::default() };
        all.add("b", Kind::Histogram, &[], many);
        let told: Vec<usize> = all.batch.refused.told().iter().map(|(place, _)| *place).collect();
        assert_eq!(told, [1, 2]);
    }
}
