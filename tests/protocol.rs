//! The wire as `protocol.md` tells it, spoken by plain WebSocket clients that know nothing else.

#![cfg(feature = "ssr")]

mod support;

use lockstep::server::limits::Limits;
use serde_json::{Value, json};
use support::{Client, Got, QUIET, Server, change, stat};

async fn server() -> Server {
    Server::start(Limits::default()).await
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
    assert!(
        grace.within(QUIET).await.iter().all(|frame| frame["type"] != "commits"),
        "nobody else hears of it"
    );
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
async fn s10_too_many_changes_are_told_when_to_come_again() {
    let server = Server::start(Limits { changes_per_s: 10, changes_burst: 5, ..Limits::default() }).await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let changes: Vec<Value> = (1..=8).map(|seq| change(seq, &seq.to_string())).collect();
    ada.push(&id, json!(changes)).await;
    assert_eq!(ada.commits().await.len(), 5);
    let rejected = ada.expect("rejected").await;
    assert_eq!(
        (&rejected["seq"], &rejected["code"], &rejected["expected"]),
        (&json!(6), &json!("rate_limited"), &json!(6))
    );
    let wait = rejected["retry_after_ms"].as_u64().expect("when to come again");
    tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
    ada.push(&id, json!(changes[5..])).await;
    assert_eq!(ada.commits().await.len(), 3);
}

#[tokio::test]
async fn frames_that_do_not_fit_are_answered_and_the_connection_stays() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut grace = server.joined("grace", &id).await;
    let mut ada = server.joined("ada", &id).await;
    for (frame, code) in [
        (json!({"type": "dance"}), "invalid"),
        (json!({"no": "type"}), "invalid"),
        (json!({"type": 7}), "invalid"),
        (json!({"type": "hello", "protocol": 1, "client": "again"}), "invalid"),
        (json!({"type": "join", "dashboard": "../../etc/passwd"}), "invalid"),
        (json!({"type": "join", "dashboard": "x".repeat(65)}), "invalid"),
        (json!({"type": "join", "dashboard": "nowhere"}), "not_found"),
        (json!({"type": "push", "dashboard": "elsewhere", "changes": [change(1, "x")]}), "not_joined"),
        (json!({"type": "push", "dashboard": id, "changes": [{"ops": []}]}), "invalid"),
        (json!({"type": "push", "dashboard": id, "changes": 3}), "invalid"),
        (json!({"type": "leave", "dashboard": "elsewhere"}), "not_joined"),
        (json!({"type": "presence", "dashboard": "elsewhere", "presence": {}}), "not_joined"),
        (
            json!({"type": "presence", "dashboard": id, "presence": {"cursor": {"on": "w1", "x": 7, "y": 0}}}),
            "invalid",
        ),
        (json!({"type": "presence", "dashboard": id, "presence": {"selected": vec!["w1"; 51]}}), "invalid"),
        (json!({"type": "ping"}), "invalid"),
    ] {
        ada.send(frame.clone()).await;
        let error = ada.expect("error").await;
        assert_eq!(error["code"], code, "{frame}");
        assert!(error["reason"].is_string());
    }
    ada.send(json!({"type": "leave", "dashboard": id})).await;
    ada.push(&id, json!([change(1, "x")])).await;
    assert_eq!(ada.expect("error").await["code"], "not_joined");
    ada.is_alive().await;
    grace.is_alive().await;
}

#[tokio::test]
async fn close_codes_say_what_was_wrong() {
    let limits = Limits { hello_ms: 300, ..Limits::default() };
    let server = Server::start(limits.clone()).await;
    let id = server.dashboard().await;
    let mut grace = server.joined("grace", &id).await;
    // Before hello.
    assert_eq!(server.connect().await.closed().await, 4408, "no hello");
    let hello = |protocol: u32, client: &str| {
        json!({"type": "hello", "protocol": protocol, "client": client}).to_string()
    };
    let padded = format!(
        "{{\"type\":\"hello\",\"protocol\":1,\"client\":\"c\",\"more\":\"{}\"}}",
        "x".repeat(limits.hello_bytes)
    );
    for (first, code) in [
        (hello(2, "c1"), 4409),
        (hello(1, "not an id"), 4400),
        (hello(1, ""), 4400),
        (json!({"type": "join", "dashboard": id}).to_string(), 4400),
        ("garbage".to_owned(), 4400),
        (padded, 4413),
        ("x".repeat(limits.frame_bytes + 1), 4413),
    ] {
        let mut client = server.connect().await;
        client.text(first.clone()).await;
        assert_eq!(client.closed().await, code, "{first:.60}");
    }
    // After it.
    for (frame, code) in [("null", 4400), ("[1]", 4400), ("{\"type\":\"ping\"", 4400), ("\u{0}", 4400)] {
        let mut ada = server.joined("ada", &id).await;
        ada.text(frame).await;
        assert_eq!(ada.closed().await, code, "{frame}");
    }
    let mut ada = server.joined("ada", &id).await;
    ada.bytes(b"\x00\xff binary").await;
    assert_eq!(ada.closed().await, 4400);
    let mut ada = server.joined("ada", &id).await;
    ada.text(format!("{{\"type\":\"ping\",\"id\":1,\"x\":\"{}\"}}", "x".repeat(limits.frame_bytes))).await;
    assert_eq!(ada.closed().await, 4413);
    let mut ada = server.joined("ada", &id).await;
    for _ in 0..2 * limits.changes_burst {
        ada.text("{}").await;
    }
    assert_eq!(ada.closed().await, 4429, "nothing but mistakes");
    grace.is_alive().await;
}

#[tokio::test]
async fn bytes_that_are_no_websocket_harm_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = server().await;
    let id = server.dashboard().await;
    let mut grace = server.joined("grace", &id).await;
    let handshake = "GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Unmasked text, reserved bits, a lone continuation, a control frame too long, text that is not
    // UTF-8, a length of 2^63, half a frame.
    let frames: [&[u8]; 7] = [
        b"\x81\x02{}",
        b"\xf1\x80\0\0\0\0",
        b"\x80\x80\0\0\0\0",
        b"\x89\xfe\x00\x80\0\0\0\0",
        b"\x81\x82\0\0\0\0\xff\xfe",
        b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0",
        b"\x81\x85\0\0\0\0{\"",
    ];
    for bytes in frames {
        let mut raw = tokio::net::TcpStream::connect(server.addr).await.expect("connects");
        raw.write_all(handshake.as_bytes()).await.expect("sends");
        let mut answer = [0; 512];
        let read = raw.read(&mut answer).await.expect("answers");
        assert!(answer[..read].starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer[..read]));
        raw.write_all(bytes).await.expect("sends");
        raw.shutdown().await.expect("half closes");
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(support::PATIENCE, raw.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the server lets go of {bytes:?}");
    }
    grace.is_alive().await;
    grace.push_title(&id, "still here").await;
    grace.commits().await;
}

#[tokio::test]
async fn only_pages_of_this_server_may_open_a_socket() {
    let server = server().await;
    let own = format!("http://{}", server.addr);
    assert!(Client::connect_with(server.addr, &[("origin", &own)]).await.is_ok());
    assert!(Client::connect_with(server.addr, &[]).await.is_ok(), "a script has no origin");
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        match Client::connect_with(server.addr, &[("origin", origin)]).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 403),
            other => panic!("{origin}: {:?}", other.map(|_| ())),
        }
    }
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
    assert_eq!(ada.within(QUIET).await, Vec::<Value>::new(), "nothing while alone");
    let mut grace = server.connect().await;
    grace.hello("grace").await;
    let peers = grace.join(&id).await["peers"].clone();
    assert_eq!(peers[&session]["user"], me["user"], "the server's word");
    assert_eq!(peers[&session]["presence"]["cursor"]["x"], 0.25);
    assert!(ada.within(QUIET).await.iter().any(|frame| frame["type"] == "presence"), "a newcomer shows");
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
async fn s10_a_reader_too_slow_is_closed_and_resumes() {
    let limits = Limits {
        outbound_bytes: 256 * 1024,
        outbound_messages: 1_000,
        changes_per_s: 100_000,
        changes_burst: 100_000,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let id = server.dashboard().await;
    let mut slow = server.connect().await;
    slow.hello("slow").await;
    let epoch = slow.join(&id).await["epoch"].clone();
    let mut ada = server.joined("ada", &id).await;
    // Many times what the socket's own buffers take.
    let note = "x".repeat(150);
    let mut pushed = 0;
    while server.metrics.slow_readers_closed.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        assert!(pushed < 200_000, "never found too slow");
        let changes: Vec<Value> = (1..=200).map(|n| change(pushed + n, &format!("{note}{n}"))).collect();
        ada.push(&id, json!(changes)).await;
        let mut heard = 0;
        while heard < 200 {
            heard += ada.commits().await.len();
        }
        pushed += 200;
    }
    ada.is_alive().await;
    let mut last = 0;
    let code = loop {
        match slow.got().await {
            Got::Frame(frame) if frame["type"] == "commits" => {
                for revision in revisions(&frame["commits"]) {
                    assert_eq!(revision, last + 1, "in order, without a gap");
                    last = revision;
                }
            }
            Got::Frame(_) => {}
            Got::Closed(code) => break Some(code),
            // It may have been too slow for the close, too.
            Got::Cut => break None,
        }
    };
    assert!(matches!(code, None | Some(4508)), "{code:?}");
    let mut again = server.connect().await;
    again.hello("slow").await;
    let joined = again.resume(&id, &epoch, last).await;
    assert_eq!(joined["revision"], pushed);
}

#[tokio::test]
async fn s10_rooms_and_sessions_are_bounded() {
    let limits =
        Limits { sessions: 4, sessions_per_room: 2, joins_per_session: 1, rooms: 2, ..Limits::default() };
    let server = Server::start(limits).await;
    let (one, two) = (server.dashboard().await, server.dashboard().await);
    let third = server.dashboard().await;
    let mut ada = server.joined("ada", &one).await;
    let _grace = server.joined("grace", &one).await;
    let mut late = server.connect().await;
    late.hello("late").await;
    late.send(json!({"type": "join", "dashboard": one})).await;
    assert_eq!(late.expect("error").await["code"], "full");
    ada.send(json!({"type": "join", "dashboard": two})).await;
    assert_eq!(ada.expect("error").await["code"], "full", "one dashboard a session");
    let _fourth = server.joined("fourth", &two).await;
    let mut fifth = server.connect().await;
    assert_eq!(fifth.expect("error").await["code"], "full");
    assert_eq!(fifth.closed().await, 4429);
    drop(late);
    let mut sixth = loop {
        let mut client = server.connect().await;
        client.send(json!({"type": "hello", "protocol": 1, "client": "sixth"})).await;
        match client.got().await {
            Got::Frame(frame) if frame["type"] == "welcome" => break client,
            _ => tokio::time::sleep(QUIET).await,
        }
    };
    sixth.send(json!({"type": "join", "dashboard": third})).await;
    assert_eq!(sixth.expect("error").await["code"], "full", "two rooms open");
    ada.is_alive().await;
}

#[tokio::test]
async fn silence_ends_a_session_and_a_ping_keeps_it() {
    let limits = Limits { silence_ms: 400, hidden_silence_ms: 1_500, ..Limits::default() };
    let server = Server::start(limits).await;
    let id = server.dashboard().await;
    let (mut silent, mut hidden) = (server.joined("silent", &id).await, server.joined("hidden", &id).await);
    hidden.send(json!({"type": "ping", "id": 1, "hidden": true})).await;
    hidden.expect("pong").await;
    let mut lively = server.joined("lively", &id).await;
    for _ in 0..8 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        lively.is_alive().await;
    }
    assert_eq!(silent.closed().await, 4408);
    hidden.is_alive().await;
    assert_eq!(hidden.closed().await, 4408);
}

#[tokio::test]
async fn widgets_get_the_points_that_they_ask_for() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    server.points.add();
    server.points.add();
    assert!(ada.within(QUIET).await.is_empty(), "nobody asks");
    let mut widget = stat("CPU");
    widget["options"]["query"] = json!("cpu");
    let ops = json!([{"op": "add_widget", "id": "w2", "widget": widget}]);
    ada.push(&id, json!([{"seq": 1, "base": 0, "ops": ops}])).await;
    ada.commits().await;
    let frames = |frame: Value| frame["frames"].clone();
    let points = |from: u64, to: u64| (from..=to).map(|n| json!([n, n as f64])).collect::<Vec<_>>();
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
    server.rooms.delete(&dashboard).await.expect("deleted");
    assert_eq!(ada.expect("error").await["code"], "not_found");
    assert_eq!(ada.closed().await, 4404);
    assert!(server.rooms.delete(&dashboard).await.is_err());
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    ada.send(json!({"type": "join", "dashboard": id})).await;
    assert_eq!(ada.expect("error").await["code"], "not_found");
}

#[tokio::test]
async fn draining_finishes_the_log_and_says_when_to_come_back() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let mut idle = server.connect().await;
    idle.hello("idle").await;
    let changes: Vec<Value> = (1..=50).map(|seq| change(seq, &seq.to_string())).collect();
    ada.push(&id, json!(changes)).await;
    // Taken by the server, and maybe not saved yet.
    while server.metrics.commits_total.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let rooms = server.rooms.clone();
    let draining = tokio::spawn(async move { rooms.drain(1_234).await });
    let (mut acked, mut retry) = (0, Value::Null);
    let code = loop {
        match ada.got().await {
            Got::Frame(frame) if frame["type"] == "commits" => acked += revisions(&frame["commits"]).len(),
            Got::Frame(frame) if frame["type"] == "error" => retry = frame["retry_after_ms"].clone(),
            Got::Frame(_) => {}
            Got::Closed(code) => break code,
            Got::Cut => panic!("cut"),
        }
    };
    assert_eq!((acked, retry, code), (50, json!(1_234), 4503));
    assert_eq!(idle.expect("error").await["retry_after_ms"], 1_234);
    assert_eq!(idle.closed().await, 4503);
    draining.await.expect("drained");
    let mut late = server.connect().await;
    assert!(late.expect("error").await["retry_after_ms"].is_number());
    assert_eq!(late.closed().await, 4503);
    let server = Server::start_in(server.stop().await, Limits::default()).await;
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    let joined = ada.join(&id).await;
    assert_eq!((&joined["revision"], &joined["last_seq"]), (&json!(50), &json!(50)));
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
            tokio::time::sleep(QUIET).await;
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
