//! Remote write of Prometheus and metrics of OpenTelemetry, message by message.

use reqwest::Response;
use serde_json::json;

use crate::ingest::kept;
use crate::program::{Program, answer, now_ms};

/// Marks the end of a series.
const STALE: u64 = 0x7ff0_0000_0000_0002;

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field with a text or a message.
fn part(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    varint(bytes.len() as u64, &mut out);
    out.extend(bytes);
    out
}

fn double(field: u8, bits: u64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(bits.to_le_bytes());
    out
}

fn number(field: u8, number: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    varint(number, &mut out);
    out
}

fn sample(value: u64, at: u64) -> Vec<u8> {
    part(2, &[double(1, value), number(2, at)].concat())
}

fn label(name: &str, value: &str) -> Vec<u8> {
    part(1, &[part(1, name.as_bytes()), part(2, value.as_bytes())].concat())
}

async fn send(server: &Program, kind: &str, message: &[u8]) -> Response {
    let packed = snap::raw::Encoder::new().compress_vec(message).expect("packs");
    let request = server.post("/api/v1/write").header("content-type", kind);
    request.header("content-encoding", "snappy").body(packed).send().await.expect("an answer")
}

#[tokio::test]
async fn version_1_brings_samples_and_the_ends_of_series() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Program::start(dir.path(), &[]);
    let now = now_ms();
    let up = [
        label("__name__", "up"),
        label("job", "a"),
        label("empty", ""),
        sample(1.0_f64.to_bits(), now - 2),
        sample(STALE, now - 1),
        sample(2.0_f64.to_bits(), now),
    ];
    let old = [label("__name__", "old"), sample(1.0_f64.to_bits(), 5)];
    let histogram = [number(1, 7), double(3, 1.5_f64.to_bits()), number(15, now)].concat();
    let native = [label("__name__", "native"), part(4, &histogram)];
    let all = [part(1, &up.concat()), part(1, &native.concat())].concat();
    assert_eq!(send(&server, "application/x-protobuf", &all).await.status(), 204);
    let some = [part(1, &old.concat()), part(1, &up.concat())].concat();
    let refused = send(&server, "application/x-protobuf;proto=prometheus.WriteRequest", &some).await;
    assert_eq!(refused.status(), 400);
    let why = refused.text().await.expect("text");
    assert!(why.starts_with("3 points written, not these: series 1: its time is "), "{why}");
    assert_eq!(send(&server, "application/json", &all).await.status(), 415);
    assert_eq!(send(&server, "application/x-protobuf", b"\x0a\x7f").await.status(), 400);
    let bare = server.post("/api/v1/write").header("content-encoding", "snappy").body("not packed");
    assert_eq!(answer(bare).await.0, 400);
    // As a sender for JavaScript does: packed, and not a word of it.
    let unsaid = [label("__name__", "unsaid"), sample(3.0_f64.to_bits(), now)].concat();
    let packed = snap::raw::Encoder::new().compress_vec(&part(1, &unsaid)).expect("packs");
    assert_eq!(answer(server.post("/api/v1/write").body(packed)).await.0, 204);
    let plain = [label("__name__", "plain"), sample(4.0_f64.to_bits(), now)].concat();
    assert_eq!(answer(server.post("/api/v1/write").body(part(1, &plain))).await.0, 204);
    assert_eq!(answer(server.post("/api/v1/write").body("neither")).await.0, 400);
    drop(server);
    assert_eq!(kept(dir.path(), "unsaid").await, [(now, 3.0)]);
    assert_eq!(kept(dir.path(), "plain").await, [(now, 4.0)]);
    let points = kept(dir.path(), "up{job=a}").await;
    assert_eq!(points.len(), 3);
    assert!(points[0] == (now - 2, 1.0) && points[1].1.is_nan() && points[2] == (now, 2.0), "{points:?}");
    assert_eq!(kept(dir.path(), "native_count").await, [(now, 7.0)]);
    assert_eq!(kept(dir.path(), "native_sum").await, [(now, 1.5)]);
}

#[tokio::test]
async fn a_first_scrape_with_many_new_series_is_sent_again_until_all_are_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = [("LOCKSTEP_LIMIT_NEW_SERIES_PER_MINUTE", "3000"), ("LOCKSTEP_LIMIT_SERIES", "3050")];
    let server = Program::start(dir.path(), &limits);
    let now = now_ms();
    let scrape = |count: usize| -> Vec<u8> {
        let series = |n: usize| {
            let labels = [label("__name__", "up"), label("pod", &format!("p{n}"))].concat();
            part(1, &[labels, sample(1.0_f64.to_bits(), now)].concat())
        };
        (0..count).flat_map(series).collect()
    };
    let kind = "application/x-protobuf";
    let first = send(&server, kind, &scrape(3_040)).await;
    assert_eq!(first.status(), 503);
    assert!(first.headers().contains_key("retry-after"));
    let why = first.text().await.expect("text");
    assert!(why.contains("is new, and your address makes too many of them"), "{why}");
    while send(&server, kind, &scrape(3_040)).await.status() == 503 {}
    assert_eq!(send(&server, kind, &scrape(3_040)).await.status(), 204, "all are known");
    // Where no place is left, sending again helps nobody.
    while send(&server, kind, &scrape(3_050)).await.status() == 503 {}
    let full = send(&server, kind, &scrape(3_200)).await;
    assert_eq!(full.status(), 400, "{}", full.text().await.expect("text"));
}

#[tokio::test]
async fn version_2_brings_its_texts_once_and_is_told_what_was_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Program::start(dir.path(), &[]);
    let now = now_ms();
    let symbols = ["", "__name__", "up", "job", "a"].map(|text| part(4, text.as_bytes())).concat();
    let series = |references: &[u8]| part(5, &[part(1, references), sample(1.0_f64.to_bits(), now)].concat());
    let kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let written = send(&server, kind, &[symbols.clone(), series(&[1, 2, 3, 4])].concat()).await;
    assert_eq!(written.status(), 204);
    assert_eq!(written.headers()["x-prometheus-remote-write-samples-written"], "1");
    assert_eq!(send(&server, kind, &[symbols, series(&[1, 9])].concat()).await.status(), 400);
    // The same series by other numbers, beside one that differs in where its texts are parted.
    let symbols = ["", "a", "job", "up", "__name__", "upj", "ob"].map(|text| part(4, text.as_bytes()));
    let series = |references: &[u8], value: f64| {
        part(5, &[part(1, references), sample(value.to_bits(), now + 1)].concat())
    };
    let body = [symbols.concat(), series(&[4, 3, 2, 1], 2.0), series(&[4, 5, 6, 1], 3.0)].concat();
    for _ in 0..2 {
        let written = send(&server, kind, &body).await;
        assert_eq!(written.headers()["x-prometheus-remote-write-samples-written"], "2");
    }
    drop(server);
    assert_eq!(kept(dir.path(), "up{job=a}").await, [(now, 1.0), (now + 1, 2.0)]);
    assert_eq!(kept(dir.path(), "upj{ob=a}").await, [(now + 1, 3.0)]);
}

#[tokio::test]
async fn opentelemetry_is_told_what_was_not_taken_in_its_own_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Program::start(dir.path(), &[("LOCKSTEP_INGEST_TOKEN", "tell-nobody")]);
    let push = async |body: serde_json::Value| {
        let request = server.post("/v1/metrics").header("authorization", "Bearer tell-nobody");
        answer(request.json(&body)).await
    };
    let points = json!([{"asDouble": 1.5}, {"asDouble": 1, "timeUnixNano": "5"}]);
    let metric = json!({"name": "temperature", "gauge": {"dataPoints": points}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]});
    let (status, said) = push(body.clone()).await;
    let partial = &said["partialSuccess"];
    assert_eq!((status, &partial["rejectedDataPoints"]), (200, &json!("1")), "{said}");
    assert!(partial["errorMessage"].as_str().is_some_and(|why| why.starts_with("data point 2: ")), "{said}");
    assert_eq!(push(json!({})).await, (200, json!({})));
    assert_eq!(push(json!("no message")).await.0, 400);
    let unknown = answer(server.post("/v1/metrics").json(&body)).await;
    assert_eq!((unknown.0, &unknown.1["code"]), (401, &json!(16)));
    assert_eq!(server.json("/api/v1/series?part=temp").await, json!(["temperature"]));
}
