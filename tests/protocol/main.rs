//! The wire as `docs/protocol.md` tells it, spoken by plain WebSocket clients that know nothing else.

#![cfg(feature = "ssr")]

mod bin;
mod bounds;
mod broken;
mod compaction;
mod conflicts;
mod restored;
#[path = "../support/mod.rs"]
mod support;
mod unread;

use lockstep::server::limits::Limits;
use serde_json::{Value, json};
use support::{Client, Got, PATIENCE, Server, change, stat};

async fn server() -> Server {
    Server::start(Limits::default()).await
}

/// Waits until the server has heard and said all that it has to.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

fn title(commit: &Value) -> &str {
    commit["ops"][0]["value"].as_str().expect("a title")
}

fn revisions(commits: &Value) -> Vec<u64> {
    let commits = commits.as_array().expect("commits");
    commits.iter().map(|commit| commit["revision"].as_u64().expect("a revision")).collect()
}

#[tokio::test]
async fn hello_join_push_and_everybody_hears() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.connect().await;
    let welcome = ada.hello("secret-of-ada").await;
    assert_eq!(welcome["protocol"], 1);
    assert_eq!(welcome["heartbeat_ms"], 10_000);
    assert_eq!(welcome["user"]["name"], "secret-of-ada");
    assert_ne!(welcome["client"], "secret-of-ada", "the secret stays one");
    let joined = ada.join(&id).await;
    assert_eq!(
        (&joined["revision"], &joined["last_seq"], &joined["role"]),
        (&json!(0), &json!(0), &json!("editor"))
    );
    assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "Orders");
    assert!(joined["peers"][welcome["session"].as_str().expect("a session")].is_object());
    let mut grace = server.joined("grace", &id).await;
    let seq = ada.push_title(&id, "Orders per minute").await;
    for client in [&mut ada, &mut grace] {
        let commits = client.commits().await;
        let commit = &commits[0];
        assert_eq!((&commit["revision"], &commit["seq"]), (&json!(1), &json!(seq)));
        assert_eq!((&commit["client"], &commit["by"]), (&welcome["client"], &welcome["user"]));
        assert_eq!(title(commit), "Orders per minute");
        assert_eq!((&commit["refused"], &commit["conflicts"]), (&json!([]), &json!([])));
        assert!(commit["at"].as_u64().is_some_and(|at| at > 1_600_000_000_000));
    }
    let again = server.connect().await.hello("secret-of-ada").await;
    assert_eq!((&again["client"], &again["user"]), (&welcome["client"], &welcome["user"]), "known again");
}

#[tokio::test]
async fn s2_a_change_that_comes_again_is_answered_and_applied_once() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let mut grace = server.joined("grace", &id).await;
    ada.push_title(&id, "A").await;
    let first = ada.commits().await;
    grace.commits().await;
    ada.push(&id, json!([change(1, "A"), change(1, "other content, same seq")])).await;
    assert_eq!(ada.commits().await, first);
    assert_eq!(ada.commits().await, first);
    // What the room had for others left before these answers.
    assert!(grace.so_far().await.iter().all(|frame| frame["type"] != "commits"), "nobody else hears of it");
    // The same by another connection, and by one after a restart.
    drop(ada);
    let mut ada = server.joined("ada", &id).await;
    ada.push(&id, json!([change(1, "A")])).await;
    assert_eq!(ada.commits().await, first);
    drop((ada, grace));
    let server = Server::start_in(server.stop().await, Limits::default()).await;
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    assert_eq!(ada.join(&id).await["last_seq"], 1);
    ada.push(&id, json!([change(1, "A")])).await;
    assert_eq!(ada.commits().await, first);
}

#[tokio::test]
async fn s10_a_tail_too_large_for_a_frame_is_a_snapshot() {
    // Two commits fit, six do not.
    let server = Server::start(Limits { tail_bytes: 800, ..Limits::default() }).await;
    let id = server.dashboard().await;
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    let epoch = ada.join(&id).await["epoch"].clone();
    for n in 1..=6 {
        ada.push_title(&id, &n.to_string()).await;
        ada.commits().await;
    }
    assert_eq!(revisions(&ada.resume(&id, &epoch, 4).await["commits"]), [5, 6]);
    let joined = ada.resume(&id, &epoch, 0).await;
    assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "6");
    assert!(joined.get("commits").is_none());
}

#[tokio::test]
async fn s7_resume_gives_the_tail_or_a_snapshot() {
    let server = Server::start(Limits { tail_commits: 3, ..Limits::default() }).await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    for n in 1..=6 {
        ada.push_title(&id, &n.to_string()).await;
        ada.commits().await;
    }
    let mut grace = server.connect().await;
    grace.hello("grace").await;
    let epoch = grace.join(&id).await["epoch"].clone();
    // From memory, from the store, and with nothing to tell.
    for (from, expected) in [(4, vec![5, 6]), (0, vec![1, 2, 3, 4, 5, 6]), (6, vec![])] {
        let joined = grace.resume(&id, &epoch, from).await;
        assert_eq!(revisions(&joined["commits"]), expected);
        assert!(joined.get("snapshot").is_none());
        assert_eq!(joined["revision"], 6);
    }
    // Another log, or a revision that this log never had.
    for (epoch, from) in [(json!("another"), 4), (epoch.clone(), 7)] {
        let joined = grace.resume(&id, &epoch, from).await;
        assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "6");
        assert!(joined.get("commits").is_none());
    }
    drop((ada, grace));
    let server = Server::start_in(server.stop().await, Limits::default()).await;
    let mut grace = server.connect().await;
    grace.hello("grace").await;
    assert_eq!(
        revisions(&grace.resume(&id, &epoch, 2).await["commits"]),
        [3, 4, 5, 6],
        "after a restart too"
    );
}

#[tokio::test]
async fn an_op_without_effect_is_refused_and_the_others_count() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let ops = json!([
        {"op": "set", "id": "nobody", "field": "title", "value": "x"},
        {"op": "set", "id": "w1", "field": "title", "value": "good"},
        {"op": "set", "id": "w1", "field": "title", "value": 5}
    ]);
    ada.push(&id, json!([{"seq": 1, "base": 0, "ops": ops}])).await;
    let commit = ada.commits().await.remove(0);
    let refused: Vec<u64> = commit["refused"]
        .as_array()
        .expect("refused")
        .iter()
        .map(|r| r["index"].as_u64().expect("an index"))
        .collect();
    assert_eq!(refused, [0, 2]);
    assert_eq!(title(&commit), "good");
}

#[tokio::test]
async fn what_is_rejected_takes_no_seq() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let long = json!({"seq": 2, "base": 0, "ops": [{"op": "set", "id": "w1", "field": "title", "value": "x".repeat(70_000)}]});
    for (changes, seq, code, expected) in [
        (json!([change(2, "early")]), 2, "out_of_order", 1),
        (json!([{"seq": 1, "base": 0, "ops": []}]), 1, "invalid", 1),
        (json!([{"seq": 1, "base": 0, "ops": [{"op": "fly"}]}]), 1, "invalid", 1),
        (json!([{"seq": 1, "base": 99, "ops": [{"op": "remove_widget", "id": "w1"}]}]), 1, "invalid", 1),
        (json!([{"seq": 1, "base": 0, "ops": [{"op": "remove_widget", "id": "../w1"}]}]), 1, "invalid", 1),
    ] {
        ada.push(&id, changes.clone()).await;
        let rejected = ada.expect("rejected").await;
        assert_eq!(
            (&rejected["seq"], &rejected["code"], &rejected["expected"]),
            (&json!(seq), &json!(code), &json!(expected)),
            "{changes}"
        );
        assert!(rejected["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
        assert_eq!(rejected["dashboard"], json!(id));
    }
    // One bad change does not spoil the good one before it; the one after it comes too early.
    ada.push(&id, json!([change(1, "good"), long, change(3, "after")])).await;
    assert_eq!(title(&ada.commits().await[0]), "good");
    let rejected = ada.expect("rejected").await;
    assert_eq!(
        (&rejected["seq"], &rejected["code"], &rejected["expected"]),
        (&json!(2), &json!("too_large"), &json!(2))
    );
    let rejected = ada.expect("rejected").await;
    assert_eq!(
        (&rejected["seq"], &rejected["code"], &rejected["expected"]),
        (&json!(3), &json!("out_of_order"), &json!(2))
    );
    ada.push(&id, json!([change(2, "after")])).await;
    assert_eq!(title(&ada.commits().await[0]), "after");
}

#[tokio::test]
async fn s8_presence_goes_round_and_ends_with_its_session() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.connect().await;
    let me = ada.hello("ada").await;
    let session = me["session"].as_str().expect("a session").to_owned();
    ada.join(&id).await;
    let cursor = json!({"cursor": {"on": "w1", "x": 0.25, "y": 0.5}});
    ada.send(json!({"type": "presence", "dashboard": id, "presence": cursor})).await;
    let mut grace = server.connect().await;
    let newcomer = grace.hello("grace").await["session"].as_str().expect("a session").to_owned();
    let peers = grace.join(&id).await["peers"].clone();
    assert_eq!(peers[&session]["user"], me["user"], "the server's word");
    assert_eq!(peers[&session]["presence"]["cursor"]["x"], 0.25);
    let first = ada.expect_presence().await;
    assert!(first["peers"][&newcomer].is_object(), "nothing while alone, and a newcomer shows: {first}");
    // Many moves of a moment are few frames, and the last one counts.
    for n in 1..=200 {
        let cursor = json!({"cursor": {"on": "canvas", "x": f64::from(n) / 200.0, "y": 0.5}});
        ada.send(json!({"type": "presence", "dashboard": id, "presence": cursor})).await;
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&1.0) {
        let frame = grace.expect_presence().await;
        seen.extend(frame["peers"][&session]["presence"]["cursor"]["x"].as_f64());
    }
    assert!(seen.len() < 100, "{} frames", seen.len());
    ada.send(json!({"type": "presence", "dashboard": id, "presence": null})).await;
    assert_eq!(grace.expect_presence().await["peers"][&session], Value::Null);
    ada.send(json!({"type": "presence", "dashboard": id, "presence": {}})).await;
    assert!(grace.expect_presence().await["peers"][&session].is_object());
    drop(ada);
    assert_eq!(grace.expect_presence().await["peers"][&session], Value::Null, "a cut connection too");
    let here = server.rooms.here();
    let names: Vec<_> = here.values().flatten().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["grace"]);
}

impl Client {
    /// What comes before the next frame of a type, which is passed over.
    async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut before = Vec::new();
        loop {
            match self.got().await {
                Got::Frame(frame) if frame["type"] == kind => return before,
                Got::Frame(frame) => before.push(frame),
                other => panic!("{kind} wanted, got {other:?}"),
            }
        }
    }

    async fn expect_presence(&mut self) -> Value {
        loop {
            match self.got().await {
                Got::Frame(frame) if frame["type"] == "presence" => return frame,
                Got::Frame(_) => {}
                other => panic!("presence wanted, got {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_joins_again_ends_its_older_session() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut older = server.joined("ada", &id).await;
    let mut newer = server.joined("ada", &id).await;
    older.push_title(&id, "from the old socket").await;
    assert_eq!(older.closed().await, 4429);
    newer.push_title(&id, "from the new one").await;
    assert_eq!(title(&newer.commits().await[0]), "from the new one");
}

#[tokio::test]
async fn widgets_get_the_points_that_they_ask_for() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    server.points.add();
    server.points.add();
    let mut widget = stat("CPU");
    widget["options"]["query"] = json!("cpu");
    let ops = json!([{"op": "add_widget", "id": "w2", "widget": widget}]);
    ada.push(&id, json!([{"seq": 1, "base": 0, "ops": ops}])).await;
    let before = ada.until("commits").await;
    assert!(before.iter().all(|frame| frame["type"] != "data"), "nobody asks: {before:?}");
    let frames = |frame: Value| frame["frames"].clone();
    let points = |from: u64, to: u64| {
        (from..=to).map(|n| json!([server.points.begin + n, n as f64])).collect::<Vec<_>>()
    };
    let series = |from, to| json!([{"name": "cpu", "points": points(from, to)}]);
    assert_eq!(
        frames(ada.expect_data().await),
        json!([{"widget": "w2", "reset": true, "series": series(1, 2)}])
    );
    server.points.add();
    assert_eq!(
        frames(ada.expect_data().await),
        json!([{"widget": "w2", "reset": false, "series": series(3, 3)}])
    );
    let mut grace = server.joined("grace", &id).await;
    assert_eq!(
        frames(grace.expect_data().await),
        json!([{"widget": "w2", "reset": true, "series": series(1, 3)}])
    );
    server.points.add();
    for client in [&mut ada, &mut grace] {
        assert_eq!(
            frames(client.expect_data().await),
            json!([{"widget": "w2", "reset": false, "series": series(4, 4)}])
        );
    }
    let ops = json!([{"op": "set", "id": "w1", "field": "query", "value": "memory"}]);
    ada.push(&id, json!([{"seq": 2, "base": 1, "ops": ops}])).await;
    let reset = frames(grace.expect_data().await);
    assert_eq!((&reset[0]["widget"], &reset[0]["reset"]), (&json!("w1"), &json!(true)));
}

impl Client {
    async fn expect_data(&mut self) -> Value {
        loop {
            match self.got().await {
                Got::Frame(frame) if frame["type"] == "data" => return frame,
                Got::Frame(_) => {}
                other => panic!("data wanted, got {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_deleted_dashboard_says_so_and_is_gone() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let dashboard = id.parse().expect("an id");
    server.rooms.delete(&dashboard, None).await.expect("deleted");
    assert_eq!(ada.expect("error").await["code"], "not_found");
    assert_eq!(ada.closed().await, 4404);
    assert!(server.rooms.delete(&dashboard, None).await.is_err());
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    ada.send(json!({"type": "join", "dashboard": id})).await;
    assert_eq!(ada.expect("error").await["code"], "not_found");
}

#[tokio::test]
async fn a_room_that_nobody_needs_closes_and_opens_again() {
    let server = Server::start(Limits { room_idle_ms: 100, ..Limits::default() }).await;
    let id = server.dashboard().await;
    for round in 1..=3 {
        let mut ada = server.joined("ada", &id).await;
        ada.push_title(&id, &round.to_string()).await;
        assert_eq!(revisions(&json!(ada.commits().await)), [round]);
        drop(ada);
        while server.metrics.rooms.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    }
    let dashboard = id.parse().expect("an id");
    let reads = (0..50).map(|_| server.rooms.snapshot(&dashboard));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.expect("reads").revision, 3);
    }
    assert_eq!(server.metrics.rooms.load(std::sync::atomic::Ordering::Relaxed), 1, "opened once");
    let nowhere = "nowhere".parse().expect("an id");
    assert!(server.rooms.snapshot(&nowhere).await.is_err());
}
