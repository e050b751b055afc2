//! What the server does not take: too much, too fast, too slow, broken, from elsewhere; and how it says so.

use lockstep::server::limits::Limits;
use serde_json::{Value, json};

use super::support::{self, Client, Got, Server, change};
use super::{revisions, server};

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
    assert!(rejected["retry_after_ms"].is_u64(), "when to come again");
    // Who comes again at once is told the same until there is room, and nothing is lost or taken twice.
    let mut taken = 5;
    while taken < changes.len() {
        ada.push(&id, json!(changes[taken..])).await;
        loop {
            match ada.got().await {
                Got::Frame(frame) if frame["type"] == "commits" => {
                    taken += frame["commits"].as_array().expect("commits").len();
                    if taken == changes.len() {
                        break;
                    }
                }
                Got::Frame(frame) if frame["type"] == "rejected" => {
                    assert_eq!(frame["expected"], taken as u64 + 1);
                    break;
                }
                Got::Frame(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
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
        (r#"{"type":"hello","protocol":2,"token":{"of":[2]}}"#.to_owned(), 4409),
        (r#"{"type":"hello","client":"c1"}"#.to_owned(), 4400),
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
            // The one that went may not be counted out yet.
            _ => tokio::task::yield_now().await,
        }
    };
    sixth.send(json!({"type": "join", "dashboard": third})).await;
    assert_eq!(sixth.expect("error").await["code"], "full", "two rooms open");
    ada.is_alive().await;
}

#[tokio::test]
async fn s10_no_address_has_all_seats_of_a_dashboard() {
    let limits = Limits {
        sessions_per_room: 3,
        room_sessions_per_address: 2,
        sessions: 5,
        sessions_per_address: 3,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let (id, other) = (server.dashboard().await, server.dashboard().await);
    let from = async |address: &str, secret: &str| {
        let client = Client::connect_with(server.addr, &[("x-forwarded-for", address)]).await;
        let mut client = client.expect("a connection");
        client.send(json!({"type": "hello", "protocol": 1, "client": secret})).await;
        client
    };
    let mut office = Vec::new();
    for secret in ["o1", "o2", "o3"] {
        let mut client = from("192.0.2.1", secret).await;
        client.expect("welcome").await;
        office.push(client);
    }
    office[0].join(&id).await;
    office[1].join(&id).await;
    office[2].send(json!({"type": "join", "dashboard": id})).await;
    let refused = office[2].expect("error").await;
    assert_eq!(refused["code"], "full");
    assert!(
        refused["reason"].as_str().is_some_and(|reason| reason.contains("from your network")),
        "{refused}"
    );
    office[2].join(&other).await;
    // The seat that is left is for somebody else, and so is the place on the server.
    let mut grace = from("198.51.100.7", "grace").await;
    grace.expect("welcome").await;
    grace.join(&id).await;
    let mut late = from("192.0.2.1", "o4").await;
    assert_eq!(late.expect("error").await["code"], "full");
    assert_eq!(late.closed().await, 4429);
    // Who joins again keeps the seat.
    office[0].join(&id).await;
    office[0].is_alive().await;
}

#[tokio::test]
async fn whom_a_room_refused_is_told_so_and_may_go_elsewhere() {
    let server =
        Server::start(Limits { sessions_per_room: 1, joins_per_session: 1, ..Limits::default() }).await;
    let (one, two) = (server.dashboard().await, server.dashboard().await);
    let mut ada = server.joined("ada", &one).await;
    let mut late = server.connect().await;
    late.hello("late").await;
    // Sent before the refusal is heard, and after it.
    late.send(json!({"type": "join", "dashboard": one})).await;
    late.push(&one, json!([change(1, "early")])).await;
    late.send(json!({"type": "presence", "dashboard": one, "presence": {}})).await;
    for code in ["full", "not_joined", "not_joined"] {
        assert_eq!(late.expect("error").await["code"], code);
    }
    late.push(&one, json!([change(1, "later")])).await;
    assert_eq!(late.expect("error").await["code"], "not_joined");
    late.join(&two).await;
    late.push_title(&two, "elsewhere").await;
    assert_eq!(late.commits().await.len(), 1);
    assert!(ada.so_far().await.iter().all(|frame| frame["type"] != "commits"));
}

#[tokio::test]
async fn silence_ends_a_session_and_a_ping_keeps_it() {
    let limits = Limits { silence_ms: 400, hidden_silence_ms: 60_000, ..Limits::default() };
    let server = Server::start(limits).await;
    let id = server.dashboard().await;
    let (mut silent, mut hidden) = (server.joined("silent", &id).await, server.joined("hidden", &id).await);
    hidden.send(json!({"type": "ping", "id": 1, "hidden": true})).await;
    hidden.expect("pong").await;
    let mut lively = server.joined("lively", &id).await;
    let mut ended = tokio::spawn(async move { silent.closed().await });
    let code = loop {
        tokio::select! {
            code = &mut ended => break code.expect("closed"),
            () = lively.is_alive() => {}
        }
    };
    assert_eq!(code, 4408);
    lively.is_alive().await;
    // A tab that shows again has no more patience to ask for.
    hidden.is_alive().await;
    assert_eq!(hidden.closed().await, 4408);
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
