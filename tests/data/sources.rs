//! Sources that are asked: once for all who look, only while somebody does, and never more than the settings
//! allow.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fake::{Fake, Mode};
use crate::program::{Program, answer, now_ms};
use crate::support::Client;

/// A fake source, and a server whose settings name it `main`; its data is gone with the directory.
async fn start(set: &[(&str, &str)]) -> (Fake, Program, tempfile::TempDir) {
    let fake = Fake::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    let setting = fake.setting();
    let all: Vec<(&str, &str)> =
        set.iter().copied().chain([("LOCKSTEP_PROMETHEUS", setting.as_str())]).collect();
    let server = Program::start(dir.path(), &all);
    (fake, server, dir)
}

/// A dashboard that asks the fake source with as many widgets.
async fn dashboard(server: &Program, widgets: usize, settings: &[(&str, Value)]) -> String {
    dashboard_of(server, "up", widgets, settings).await
}

/// The same with another query.
async fn dashboard_of(server: &Program, query: &str, widgets: usize, settings: &[(&str, Value)]) -> String {
    let made = server.post("/api/v1/dashboards").json(&json!({"title": "Asked"}));
    let id = answer(made).await.1["id"].as_str().expect("an id").to_owned();
    let mut ada = join(server, "maker", &id).await;
    let mut ops: Vec<Value> = (0..widgets)
        .map(|n| {
            let options = json!({"source": "main", "query": query, "legend": "{{job}}"});
            let frame = json!({"x": 0, "y": n, "w": 6, "h": 4});
            json!({"op": "add_widget", "id": format!("w{n}"), "widget": {"kind": "timeseries", "frame": frame, "options": options}})
        })
        .collect();
    ops.extend(
        settings.iter().map(|(field, value)| json!({"op": "set_dashboard", "field": field, "value": value})),
    );
    ada.push(&id, json!([{"seq": 1, "base": 0, "ops": ops}])).await;
    ada.expect("commits").await;
    id
}

async fn join(server: &Program, name: &str, id: &str) -> Client {
    let mut client = Client::connect(server.addr).await;
    client.hello(name).await;
    client.join(id).await;
    client
}

/// The next frame for a widget.
async fn frame(client: &mut Client, widget: &str) -> Value {
    loop {
        let data = client.expect_any("data").await;
        let frames = data["frames"].as_array().expect("frames").clone();
        if let Some(frame) = frames.into_iter().find(|frame| frame["widget"] == widget) {
            return frame;
        }
    }
}

fn points(frame: &Value) -> &Vec<Value> {
    frame["series"][0]["points"].as_array().expect("points")
}

#[tokio::test]
async fn two_hundred_viewers_are_one_query_an_interval() {
    let (fake, server, _dir) = start(&[("LOCKSTEP_LIMIT_SESSIONS_PER_ROOM", "500")]).await;
    // Two dashboards of ten widgets each ask the same.
    let settings = [("refresh", json!(2)), ("range", json!("5m"))];
    let (first, second) = (dashboard(&server, 10, &settings).await, dashboard(&server, 10, &settings).await);
    let begun = std::time::Instant::now();
    let mut viewers = Vec::new();
    for n in 0..200 {
        viewers.push(join(&server, &format!("v{n}"), if n % 2 == 0 { &first } else { &second }).await);
    }
    for viewer in &mut viewers {
        let window = frame(viewer, "w9").await;
        assert_eq!((&window["reset"], &window["series"][0]["name"]), (&json!(true), &json!("j0000")));
        assert_eq!(window["every_ms"], 2_000);
        assert!(points(&window).len() >= 149, "{}", points(&window).len());
    }
    assert!(fake.authorization().starts_with("Basic "));
    // Over three more intervals.
    fake.asked_more_than(fake.queries() + 2).await;
    // A busy machine asks less often than each interval, and never more often.
    let one_an_interval = || {
        let queries = fake.queries();
        let intervals = begun.elapsed().as_millis() as u64 / 2_000;
        assert!(queries <= intervals + 2, "{queries} queries in {intervals} intervals");
    };
    one_an_interval();
    let counted = server.metric("lockstep_source_queries_total{source=\"main\"}").await;
    assert!(counted >= 3.0 && counted <= fake.queries() as f64, "{counted}");
    assert_eq!(server.metric("lockstep_standing_queries").await, 1.0);
    let news = frame(&mut viewers[0], "w0").await;
    assert_eq!((&news["reset"], points(&news).len()), (&json!(false), 1), "only what is new: {news}");
    assert!(news["note"].is_null() && news["series"][0]["replaces_from"].is_null(), "{news}");
    // Somebody who comes late has the window at once, without another query.
    let mut late = join(&server, "late", &first).await;
    let window = frame(&mut late, "w0").await;
    assert_eq!(window["reset"], true);
    assert!(points(&window).len() >= 149);
    one_an_interval();
}

#[tokio::test]
async fn nobody_is_asked_for_nobody() {
    let (fake, server, _dir) = start(&[("LOCKSTEP_LIMIT_QUERY_IDLE_MS", "300")]).await;
    let settings = [("refresh", json!(1)), ("range", json!("5m"))];
    let id = dashboard(&server, 1, &settings).await;
    let other = dashboard_of(&server, "other", 1, &settings).await;
    let (mut ada, mut bob) = (join(&server, "ada", &id).await, join(&server, "bob", &other).await);
    frame(&mut ada, "w0").await;
    frame(&mut bob, "w0").await;
    drop(ada);
    while server.metric("lockstep_standing_queries").await > 1.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // While the other is asked three times more, a second apart.
    fake.asked_more_than(fake.queries() + 2).await;
    assert_eq!(fake.last_queries(3), ["other"; 3], "it pauses");
    let mut grace = join(&server, "grace", &id).await;
    assert!(points(&frame(&mut grace, "w0").await).len() >= 149, "and goes on");
}

#[tokio::test]
async fn errors_reach_the_widget_in_words_and_the_points_stay() {
    let (fake, server, _dir) = start(&[("LOCKSTEP_LIMIT_ANSWER_BYTES", "1048576")]).await;
    let id = dashboard(&server, 1, &[("refresh", json!(1)), ("range", json!("5m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    frame(&mut ada, "w0").await;
    let mut all_said = String::new();
    for (mode, words) in [
        (Mode::Wrong, "main does not take the query: 1:2: parse error: no"),
        (Mode::Unauthorised, "main does not let this server in"),
        (Mode::Redirect, "points to another address"),
        (Mode::Large, "larger than 1 MiB"),
        (Mode::NotJson, "not Prometheus' JSON"),
        (Mode::Starting, "main is not ready (503 Service Unavailable): Service Unavailable"),
        (Mode::TimedOut, "main gave the query up: query timed out in expression evaluation"),
        (Mode::Empty, "main answers without data."),
    ] {
        fake.set(mode);
        let said = loop {
            let frame = frame(&mut ada, "w0").await;
            if let Some(error) = frame["error"].as_str() {
                assert_eq!(frame["reset"], false, "the points stay");
                break error.to_owned();
            }
        };
        assert!(said.contains(words), "{mode:?}: {said}");
        let mut late = join(&server, "late", &id).await;
        let window = frame(&mut late, "w0").await;
        assert!(window["error"].is_string() && points(&window).len() > 100, "{mode:?}: {window}");
        all_said += &said;
        all_said += &server.json("/api/v1/status").await.to_string();
        fake.set(Mode::Good);
        loop {
            let frame = frame(&mut ada, "w0").await;
            if frame["error"].is_null() && !points(&frame).is_empty() {
                break;
            }
        }
    }
    assert_eq!(fake.others(), 0, "no redirect is followed");
    for secret in ["s3cret", "ada:", &fake.addr.to_string(), "Basic"] {
        assert!(!all_said.contains(secret), "{secret} in {all_said}");
    }
    let services = server.json("/api/v1/status").await["services"].clone();
    let main = services.as_array().expect("a list").iter().find(|one| one["name"] == "source-main").cloned();
    let main = main.expect("it is there");
    assert_eq!(main["state"], "ok", "{main}");
    assert!(main["latency_ms"].is_f64() && main["last_error"].is_string(), "{main}");
}

#[tokio::test]
async fn only_what_the_settings_name_is_asked() {
    let (fake, server, _dir) = start(&[]).await;
    let id = dashboard(&server, 1, &[]).await;
    let mut ada = join(&server, "ada", &id).await;
    frame(&mut ada, "w0").await;
    for source in [format!("http://{}", fake.addr), "other".to_owned()] {
        let before = fake.queries();
        let seq = ada.seq + 1;
        ada.seq = seq;
        let op = json!({"op": "set", "id": "w0", "field": "source", "value": source});
        ada.push(&id, json!([{"seq": seq, "base": 1, "ops": [op]}])).await;
        let frame = frame(&mut ada, "w0").await;
        let error = frame["error"].as_str().expect("words");
        assert!(error.contains("no source that is called"), "{error}");
        assert_eq!((&frame["reset"], frame["series"].as_array().map(Vec::len)), (&json!(true), Some(0)));
        assert_eq!((fake.queries(), fake.others()), (before, 0));
    }
}

#[tokio::test]
async fn more_series_than_fit_have_a_word_and_tables_have_more_rows() {
    let (fake, server, _dir) = start(&[]).await;
    fake.set(Mode::Many(1_500));
    let id = dashboard(&server, 1, &[("range", json!("5m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    let window = frame(&mut ada, "w0").await;
    assert_eq!(window["series"].as_array().map(Vec::len), Some(20));
    assert_eq!(window["note"], "Showing the first 20 of 1500 series.");
    let table = json!({"kind": "table", "frame": {"x": 0, "y": 9, "w": 6, "h": 4}, "options": {"source": "main", "query": "up"}});
    ada.push(&id, json!([{"seq": 1, "base": 1, "ops": [{"op": "add_widget", "id": "t", "widget": table}]}]))
        .await;
    let window = frame(&mut ada, "t").await;
    assert_eq!(window["series"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(window["series"][7]["tags"], json!([["job", "j0007"]]));
    assert_eq!(points(&window).len(), 1);
    let op = json!({"op": "set", "id": "t", "field": "shows", "value": "max"});
    ada.push(&id, json!([{"seq": 2, "base": 2, "ops": [op]}])).await;
    let window = loop {
        let frame = frame(&mut ada, "t").await;
        if frame["reset"] == true && !points(&frame).is_empty() {
            break frame;
        }
    };
    assert_eq!(window["series"].as_array().map(Vec::len), Some(1_000), "of all of the time as well");
    let point = &points(&window)[0];
    assert_eq!((points(&window).len(), point[0].as_f64()), (1, point[1].as_f64().map(|at| at * 1_000.0)));
}

#[tokio::test]
async fn a_time_of_ones_own_is_asked_once_for_all_who_want_it() {
    let (fake, server, _dir) = start(&[]).await;
    let id = dashboard(&server, 1, &[]).await;
    // Within a step of 10 s: the answer begins before it and ends after it.
    let to = (now_ms() - 3_600_000) / 10_000 * 10_000 + 5_000;
    let path = format!("/api/v1/dashboards/{id}/data?widget=w0&from={}&to={to}", to - 900_000);
    let all = futures::future::join_all((0..200).map(|_| server.json(&path))).await;
    for frame in &all {
        assert_eq!(
            (&frame["widget"], &frame["reset"], points(frame).len()),
            (&json!("w0"), &json!(true), 92)
        );
    }
    assert_eq!(fake.queries_until(to + 10_000), 1);
    for (query, status) in
        [("widget=w0&from=5&to=1", 400), ("widget=w0", 400), ("widget=none&from=0&to=90000", 404)]
    {
        let path = format!("/api/v1/dashboards/{id}/data?{query}");
        assert_eq!(server.get(&path).await.status(), status, "{query}");
    }
    assert_eq!(server.get("/api/v1/dashboards/none/data?widget=w&from=0&to=90000").await.status(), 404);
    fake.set(Mode::Unauthorised);
    let failed = server.json(&format!("/api/v1/dashboards/{id}/data?widget=w0&from=0&to=900000")).await;
    assert!(failed["error"].as_str().expect("words").contains("does not let this server in"), "{failed}");
}

#[tokio::test]
async fn sources_and_what_they_know_are_listed() {
    let (_fake, server, _dir) = start(&[]).await;
    assert_eq!(
        server.push("/api/v2/write", "orders,host=b value=1\norders,host=a value=2,queue=3").await.0,
        204
    );
    let sources = server.json("/api/v1/sources").await;
    let kinds: Vec<(&Value, &Value)> =
        sources.as_array().expect("a list").iter().map(|one| (&one["name"], &one["kind"])).collect();
    assert_eq!(kinds, [(&json!(""), &json!("series")), (&json!("main"), &json!("prometheus"))]);
    assert!(!sources.to_string().contains("s3cret"));
    assert_eq!(server.json("/api/v1/sources/main/values?label=job&of=up").await, json!(["a", "b"]));
    for name in ["series", ""] {
        let path = format!("/api/v1/sources/{name}/values?label=host&of=orders");
        assert_eq!(server.json(&path).await, json!(["a", "b"]), "{name:?}");
    }
    // What is chosen of a variable is escaped by the source: a literal point is no pattern.
    for (is_literal, expected) in [(true, json!([])), (false, json!(["a", "b"]))] {
        let chosen = json!({"h": {"values": ["."], "is_literal": is_literal}}).to_string();
        let mut url =
            reqwest::Url::parse("http://x/api/v1/sources/series/values?label=host").expect("an address");
        url.query_pairs_mut().append_pair("of", r#"orders{host=~"$h"}"#).append_pair("variables", &chosen);
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        assert_eq!(server.json(&path).await, expected, "{path}");
    }
    assert_eq!(server.get("/api/v1/sources/main/values?label=a&variables=x").await.status(), 400);
    assert_eq!(server.get("/api/v1/sources/none/values?label=a").await.status(), 404);
    assert_eq!(server.get("/api/v1/sources/main/values?label=a/../b").await.status(), 502);
    assert_eq!(server.json("/api/v1/series?part=QUEUE").await, json!(["orders.queue{host=a}"]));
}

#[tokio::test]
async fn another_time_or_variable_brings_other_points() {
    let (_fake, server, _dir) = start(&[]).await;
    let id = dashboard(&server, 1, &[("variable.job", json!({"choices": ["a", "b"]}))]).await;
    let mut ada = join(&server, "ada", &id).await;
    let window = frame(&mut ada, "w0").await;
    let first = points(&window).len();
    for op in [
        json!({"op": "set_dashboard", "field": "range", "value": "1h"}),
        json!({"op": "set", "id": "w0", "field": "query", "value": "up{job=\"$job\"}"}),
        json!({"op": "set_dashboard", "field": "value.job", "value": "b"}),
        json!({"op": "set", "id": "w0", "field": "legend", "value": "all"}),
    ] {
        ada.seq += 1;
        let seq = ada.seq;
        ada.push(&id, json!([{"seq": seq, "base": seq, "ops": [op]}])).await;
        let window = loop {
            let frame = frame(&mut ada, "w0").await;
            if frame["reset"] == true {
                break frame;
            }
        };
        assert!(points(&window).len() > first, "an hour of points: {op}");
    }
    // What asks for nothing shows nothing.
    let op = json!({"op": "set", "id": "w0", "field": "query", "value": ""});
    ada.push(&id, json!([{"seq": 5, "base": 5, "ops": [op]}])).await;
    let window = loop {
        let frame = frame(&mut ada, "w0").await;
        if frame["reset"] == true {
            break frame;
        }
    };
    assert_eq!(window["series"], json!([]));
}

/// What a client has of a widget's first series over five minutes, as the protocol says.
#[derive(Default)]
struct Copy(Vec<(u64, Option<f64>)>);

impl Copy {
    fn take(&mut self, frame: &Value) {
        let Some(series) = frame["series"].get(0) else { return };
        if frame["reset"] == true {
            self.0.clear();
        }
        if let Some(from) = series["replaces_from"].as_u64() {
            self.0.retain(|(at, _)| *at < from);
        }
        let points = series["points"].as_array().expect("points");
        self.0.extend(points.iter().map(|point| (point[0].as_u64().expect("a time"), point[1].as_f64())));
        let newest = self.0.last().map_or(0, |(at, _)| *at);
        let left = self.0.partition_point(|(at, _)| at + 300_000 < newest);
        self.0.drain(..left.saturating_sub(1));
    }
}

#[tokio::test]
async fn what_the_source_corrects_is_corrected_for_those_who_watch_and_those_who_join() {
    let (fake, server, _dir) = start(&[]).await;
    fake.set(Mode::Late(6_000));
    let id = dashboard(&server, 1, &[("refresh", json!(1)), ("range", json!("5m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    let mut copy = Copy::default();
    let begun = now_ms();
    let mut corrected = false;
    // Until all that came at first, late as it was, is older than what is late.
    while now_ms() < begun + 12_000 {
        let frame = frame(&mut ada, "w0").await;
        corrected |= !frame["series"][0]["replaces_from"].is_null();
        copy.take(&frame);
    }
    assert!(corrected);
    let wrong = |copy: &Copy| -> Vec<(u64, Option<f64>)> {
        let (end, _) = *copy.0.last().expect("points");
        let true_at = |at: u64| at.min(end - 6_000) as f64 / 1_000.0;
        copy.0.iter().filter(|(at, value)| *value != Some(true_at(*at))).copied().collect()
    };
    assert_eq!(wrong(&copy), []);
    let mut grace = join(&server, "grace", &id).await;
    let mut late = Copy::default();
    late.take(&frame(&mut grace, "w0").await);
    assert_eq!(wrong(&late), []);
    let newest = late.0.last().expect("points").0;
    while copy.0.last().is_none_or(|(at, _)| *at < newest) {
        copy.take(&frame(&mut ada, "w0").await);
    }
    let from = copy.0[0].0.max(late.0[0].0);
    let since = |copy: &Copy| -> Vec<u64> {
        copy.0.iter().map(|(at, _)| *at).filter(|at| (from..=newest).contains(at)).collect()
    };
    assert_eq!(since(&copy), since(&late));
    assert!(late.0[0].0 + 302_000 > newest, "no more than the time that is shown");
    assert_eq!(server.metric("lockstep_standing_queries").await, 1.0);
    let seconds = (now_ms() - begun) / 1_000;
    assert!(fake.queries() <= seconds + 3, "no more queries than before: {} in {seconds} s", fake.queries());
}

#[tokio::test]
async fn a_bad_line_names_itself_and_spares_the_others() {
    let (fake, server, _dir) = start(&[]).await;
    let id = dashboard(&server, 1, &[("range", json!("5m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    frame(&mut ada, "w0").await;
    let text = "# what is up\nsum(\n  up\n) by (job)\n\nbad(\n)\nup # all";
    let op = json!({"op": "set", "id": "w0", "field": "query", "value": text});
    ada.push(&id, json!([{"seq": 1, "base": 1, "ops": [op]}])).await;
    let window = loop {
        let frame = frame(&mut ada, "w0").await;
        if !frame["note"].is_null() {
            break frame;
        }
    };
    assert!(window["error"].is_null(), "{window}");
    assert_eq!(window["series"].as_array().map(Vec::len), Some(2), "{window}");
    assert_eq!(window["note"], "Line 6: main does not take the query: 1:2: parse error: no");
    assert_eq!(fake.last_queries(3), ["bad(\n)", "sum(\n  up\n) by (job)", "up"]);
}

#[tokio::test]
async fn a_large_answer_is_read_while_it_comes_and_asked_for_packed() {
    let (fake, server, _dir) = start(&[]).await;
    fake.set(Mode::Many(1_000));
    let id = dashboard(&server, 1, &[("range", json!("15m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    let window = frame(&mut ada, "w0").await;
    assert!(window["error"].is_null(), "{window}");
    assert_eq!(window["note"], "Showing the first 20 of 1000 series.");
    assert!(points(&window).len() >= 90);
    let (packed, bytes) = fake.largest();
    assert!(bytes > 2 << 20 && packed < bytes / 4, "{packed} of {bytes}");
}

#[tokio::test]
async fn series_that_have_values_now_come_before_those_that_ended() {
    let (fake, server, _dir) = start(&[]).await;
    fake.set(Mode::Ended(30));
    let id = dashboard(&server, 1, &[("refresh", json!(1)), ("range", json!("5m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    let window = frame(&mut ada, "w0").await;
    let names: Vec<&str> =
        window["series"].as_array().expect("series").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names.len(), 20);
    for n in 20..30 {
        assert!(names.contains(&format!("j{n:04}").as_str()), "{names:?}");
    }
    assert_eq!(window["note"], "Showing 20 of 30 series, first those 10 that have values now.");
}

#[tokio::test]
async fn what_the_source_says_of_its_answer_reaches_the_widget_and_goes_again() {
    let (fake, server, _dir) = start(&[]).await;
    let id = dashboard(&server, 1, &[("refresh", json!(1)), ("range", json!("5m"))]).await;
    let mut ada = join(&server, "ada", &id).await;
    frame(&mut ada, "w0").await;
    for (mode, note) in [(Mode::Warns, "shard 2 is away"), (Mode::Good, "")] {
        fake.set(mode);
        loop {
            let frame = frame(&mut ada, "w0").await;
            if frame["note"] == note {
                break;
            }
        }
    }
}

#[tokio::test]
async fn how_often_servers_are_scraped_is_the_shortest_step_and_what_a_rate_goes_by() {
    let (fake, server, _dir) = start(&[]).await;
    let id = dashboard(&server, 1, &[]).await;
    let mut ada = join(&server, "ada", &id).await;
    frame(&mut ada, "w0").await;
    for (seq, field, value) in [(1, "query", json!("rate(up[$__rate_interval])")), (2, "min_step", json!(60))]
    {
        let op = json!({"op": "set", "id": "w0", "field": field, "value": value});
        ada.push(&id, json!([{"seq": seq, "base": seq, "ops": [op]}])).await;
    }
    let window = loop {
        let frame = frame(&mut ada, "w0").await;
        if frame["every_ms"] == 60_000 {
            break frame;
        }
    };
    let times: Vec<u64> = points(&window).iter().filter_map(|point| point[0].as_u64()).collect();
    assert!(times.len() > 10 && times.windows(2).all(|pair| pair[1] - pair[0] == 60_000), "{times:?}");
    assert_eq!(fake.last_queries(1), ["rate(up[240000ms])"]);
}
