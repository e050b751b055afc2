//! Points that are pushed: both ways in, what is refused and how it is said, and that an answer means kept.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use lockstep::server::data::series::key::selectors;
use lockstep::server::data::series::{Bounds, SeriesStore};
use lockstep::server::limits::Limits;
use serde_json::{Value, json};

use crate::program::{Program, answer, now_ms};
use crate::support::Client;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text).expect("into memory");
    packed.finish().expect("into memory")
}

/// What the file of a server that has ended keeps of a series: times and values.
pub async fn kept(dir: &Path, query: &str) -> Vec<(u64, f64)> {
    let bounds = Bounds::new(&Limits::default(), 24);
    let store = SeriesStore::open(&dir.join("data/series.db"), bounds).await.expect("opens");
    let (found, _) = store.memory().find(&selectors(query)[0], 100, |_| 0, u64::MAX);
    let mut points = Vec::new();
    found.iter().for_each(|one| one.view.each(|point| points.push(point)));
    store.close().await;
    points
}

#[tokio::test]
async fn json_points_are_kept_and_show_at_once() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let made = server.post("/api/v1/dashboards").json(&json!({"title": "Orders"}));
    let id = answer(made).await.1["id"].as_str().expect("an id").to_owned();
    let mut ada = Client::connect(server.addr).await;
    ada.hello("ada").await;
    ada.join(&id).await;
    let widget =
        json!({"kind": "stat", "frame": {"x": 0, "y": 0, "w": 6, "h": 4}, "options": {"query": "orders"}});
    ada.push(
        &id,
        json!([{"seq": 1, "base": 0, "ops": [{"op": "add_widget", "id": "w1", "widget": widget}]}]),
    )
    .await;
    ada.expect("commits").await;
    // Without a content type, as curl sends it.
    assert_eq!(
        server.push("/api/v1/series", r#"{"series":"orders","value":42}"#).await,
        (200, json!({"accepted": 1}))
    );
    let series = loop {
        let frame = ada.expect_any("data").await;
        let series = frame["frames"][0]["series"][0].clone();
        if series["points"].as_array().is_some_and(|points| !points.is_empty()) {
            break series;
        }
    };
    assert_eq!((&series["name"], &series["points"][0][1]), (&json!("orders"), &json!(42.0)));
    // From here on only what is new; and everything for somebody who comes late.
    assert_eq!(server.push("/api/v1/series", r#"{"series":"orders","value":43}"#).await.0, 200);
    let frame = ada.expect_any("data").await["frames"][0].clone();
    assert_eq!((&frame["reset"], &frame["series"][0]["points"][0][1]), (&json!(false), &json!(43.0)));
    let mut grace = Client::connect(server.addr).await;
    grace.hello("grace").await;
    grace.join(&id).await;
    let frame = grace.expect_any("data").await["frames"][0].clone();
    let points = frame["series"][0]["points"].as_array().map(Vec::len);
    assert_eq!((&frame["reset"], points), (&json!(true), Some(2)));
    let at = now_ms() - 5_000;
    let several = json!([
        {"series": "orders", "value": 1, "at": at, "tags": {"host": "b", "area": "eu"}},
        {"series": "orders", "value": 2.5, "at": at + 1},
    ]);
    assert_eq!(server.push("/api/v1/series", several.to_string()).await.0, 200);
    drop(server);
    assert_eq!(kept(dir.path(), "orders{host=b}").await, [(at, 1.0)]);
    assert_eq!(kept(dir.path(), "orders").await.len(), 4);
}

#[tokio::test]
async fn items_that_do_not_fit_are_named_and_the_others_taken() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let now = now_ms();
    let items = json!([
        {"series": "a", "value": 1},
        {"series": "", "value": 1},
        {"series": "a", "value": "x"},
        {"series": "a", "value": null},
        {"series": "a", "value": 1, "at": now + 7_200_000},
        {"series": "a", "value": 1, "at": now - 90_000_000},
        {"series": "\n", "value": 1},
        {"series": "a", "value": 1, "tags": {"": "x"}},
        {"value": 1},
        {"series": "a", "value": 2, "at": now - 10},
    ]);
    let (status, said) = server.push("/api/v1/series", items.to_string()).await;
    assert_eq!((status, &said["accepted"], &said["code"]), (400, &json!(2), &json!("invalid")), "{said}");
    let refused = said["refused"].as_array().expect("a list");
    let places: Vec<&Value> = refused.iter().map(|one| &one["item"]).collect();
    assert_eq!(places, [2, 3, 4, 5, 6, 7, 8, 9]);
    for (index, words) in
        [(3, "ahead of this server's clock"), (4, "this server keeps 24 hours"), (5, "control characters")]
    {
        let reason = refused[index]["reason"].as_str().expect("words");
        assert!(reason.contains(words), "{reason}");
    }
    for body in ["", "{", "3", "[{\"series\":\"a\",\"value\":NaN}]", "[1e999"] {
        let (status, said) = server.push("/api/v1/series", body).await;
        assert_eq!((status, &said["accepted"]), (400, &json!(0)), "{body}: {said}");
    }
    drop(server);
    assert_eq!(kept(dir.path(), "a").await.len(), 2);
}

#[tokio::test]
async fn line_protocol_comes_in_every_precision_packed_or_not() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let now = now_ms() / 1000 * 1000;
    for (precision, factor) in [("ns", 1_000_000.0), ("us", 1_000.0), ("ms", 1.0), ("s", 0.001)] {
        let time = (now as f64 * factor) as u64;
        let lines = format!("cpu,host=a,p={precision} idle=1.5,user=2i,name=\"x\" {time}\n# a remark\n");
        let path = format!("/api/v2/write?org=any&bucket=some&precision={precision}");
        let packed = server.post(&path).header("content-encoding", "gzip").body(gzip(lines.as_bytes()));
        assert_eq!(answer(packed).await, (204, Value::Null), "{precision}");
    }
    assert_eq!(server.push("/api/v2/write", "orders value=3").await.0, 204, "nanoseconds, and now");
    assert_eq!(server.push("/api/v2/write?precision=h", "a value=1").await.0, 400);
    assert_eq!(server.metric("lockstep_ingest_texts_total").await, 4.0);
    assert_eq!(server.get("/ping").await.status(), 204);
    assert_eq!(server.json("/health").await["status"], "pass");
    drop(server);
    assert_eq!(kept(dir.path(), "cpu.idle{p=ns}").await, [(now, 1.5)]);
    assert_eq!(kept(dir.path(), "cpu.idle").await.len(), 4);
    assert_eq!(kept(dir.path(), "orders").await.len(), 1);
}

#[tokio::test]
async fn lines_that_do_not_fit_are_answered_as_that_api_does() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let lines = "a value=1\nb\nc value=NaN\nd value=1 99999999999999999\ne value=2";
    let (status, said) = server.push("/api/v2/write?precision=ns", lines).await;
    assert_eq!((status, &said["code"], &said["line"]), (400, &json!("invalid"), &json!(2)), "{said}");
    let message = said["message"].as_str().expect("words");
    assert!(message.starts_with("partial write: 2 points written; dropped 3: line 2: "), "{message}");
    assert!(message.contains("line 3: ") && message.contains("line 4: "), "{message}");
    for (encoding, body, status) in [("gzip", "not packed", 400), ("br", "a value=1", 415)] {
        let bad = server.post("/api/v2/write").header("content-encoding", encoding).body(body);
        assert_eq!(answer(bad).await.0, status, "{encoding}");
    }
    drop(server);
    assert_eq!((kept(dir.path(), "a").await.len(), kept(dir.path(), "e").await.len()), (1, 1));
}

#[tokio::test]
async fn s10_bodies_are_bounded_packed_and_unpacked() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let large = vec![b'#'; 11 * 1024 * 1024];
    let (status, said) = server.push("/api/v2/write", large.clone()).await;
    assert_eq!((status, &said["maxLength"]), (413, &json!(10 * 1024 * 1024)), "{said}");
    let (status, said) = server.push("/api/v1/series", large).await;
    assert_eq!((status, &said["code"]), (413, &json!("too_large")), "{said}");
    let bomb = gzip(&vec![b'\n'; 200 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024);
    let (status, said) =
        answer(server.post("/api/v2/write").header("content-encoding", "gzip").body(bomb)).await;
    assert_eq!(status, 413, "{said}");
    assert!(said["message"].as_str().expect("words").contains("unpacks to more than"), "{said}");
    assert_eq!(server.push("/api/v2/write", "a value=1").await.0, 204, "and goes on");
}

#[tokio::test]
async fn s10_a_flood_of_series_is_turned_down_and_harms_nobody() {
    let dir = dir();
    let server = Program::start(dir.path(), &[("LOCKSTEP_LIMIT_SERIES", "5")]);
    let flood: String = (0..1_000).map(|n| format!("flood,n={n} value=1\n")).collect();
    let (status, said) = server.push("/api/v2/write", flood).await;
    assert_eq!(status, 400);
    let message = said["message"].as_str().expect("words");
    assert!(message.starts_with("partial write: 5 points written; dropped 995: line 6: "), "{message}");
    assert!(message.contains("one more than the 5") && message.len() < 20_000, "{message}");
    assert_eq!(server.push("/api/v2/write", "flood,n=1 value=2").await.0, 204, "known series go on");
    assert_eq!(server.push("/api/v1/series", r#"{"series":"new","value":1}"#).await.0, 400);
}

#[tokio::test]
async fn only_those_who_know_the_token_bring_points_and_no_foreign_page_does() {
    let dir = dir();
    let server = Program::start(dir.path(), &[("LOCKSTEP_INGEST_TOKEN", "tell-nobody")]);
    for (path, body) in [("/api/v2/write", "a value=1"), ("/api/v1/series", r#"{"series":"a","value":1}"#)] {
        for said in ["", "Token wrong", "tell-nobody", "Basic tell-nobody", "Token tell-nobody2"] {
            let (status, said) = answer(server.post(path).header("authorization", said).body(body)).await;
            assert_eq!(status, 401, "{said}");
        }
        for said in ["Token tell-nobody", "Bearer tell-nobody", "bearer  tell-nobody"] {
            let known = server.post(path).header("authorization", said);
            let (status, _) = answer(known.body(body)).await;
            assert!([200, 204].contains(&status), "{path} {said}");
            let foreign =
                server.post(path).header("authorization", said).header("origin", "https://evil.example");
            assert_eq!(answer(foreign.body(body)).await.0, 403, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kill_9() {
    let dir = dir();
    let mut answered = Vec::new();
    for round in 0..5_u64 {
        let server = Arc::new(Program::start(dir.path(), &[]));
        let last: Vec<Arc<AtomicU64>> = (0..4).map(|_| Arc::default()).collect();
        let begin = now_ms();
        let tasks: Vec<_> = last
            .iter()
            .enumerate()
            .map(|(writer, last)| {
                let (post, last) = (server.post("/api/v2/write?precision=ms"), last.clone());
                tokio::spawn(async move {
                    for n in 1.. {
                        let line = format!("kill,w={writer},r={round} value={n} {}", begin + n);
                        let request = post.try_clone().expect("no body yet").body(line);
                        match request.send().await {
                            Ok(answer) if answer.status() == 204 => last.store(n, SeqCst),
                            Ok(answer) => panic!("{}", answer.status()),
                            Err(_) => return,
                        }
                    }
                })
            })
            .collect();
        while last.iter().map(|last| last.load(SeqCst)).sum::<u64>() < 20 + 30 * round {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let server = Arc::try_unwrap(server).unwrap_or_else(|_| panic!("nobody else has it"));
        drop(server);
        for task in tasks {
            task.await.expect("no writer saw an error");
        }
        answered
            .extend(last.iter().enumerate().map(|(writer, last)| (round, writer, last.load(SeqCst), begin)));
    }
    let mut count = 0;
    for (round, writer, last, begin) in answered {
        let points = kept(dir.path(), &format!("kill{{w={writer},r={round}}}")).await;
        let expected: Vec<(u64, f64)> = (1..=last).map(|n| (begin + n, n as f64)).collect();
        // One more may have been written and not answered.
        assert!(points.starts_with(&expected) && points.len() <= expected.len() + 1, "{round} {writer}");
        count += last;
    }
    println!("{count} points answered in 5 lives, all there");
}
