//! Readers that do not read: what waits for them is bounded, and they are let go of before others go without.

use lockstep::server::limits::Limits;
use serde_json::{Value, json};

use super::support::{Client, Got, Server};
use super::until;

const MIB: usize = 1024 * 1024;
/// More than the buffers of a connection take.
const LARGE: usize = 15 * MIB / 2;

async fn join(client: &mut Client, dashboard: &str) {
    client.send(json!({"type": "join", "dashboard": dashboard})).await;
}

#[tokio::test]
async fn s10_joins_that_nobody_reads_wait_as_one_and_share_their_bytes() {
    const SESSIONS: usize = 8;
    const JOINS: usize = 20;
    let server = Server::start(Limits { silence_ms: 120_000, ..Limits::default() }).await;
    let id = server.large_dashboard(LARGE).await;
    let mut clients = Vec::new();
    for n in 0..SESSIONS {
        let mut client = Client::connect_narrow(server.addr).await;
        client.hello(&format!("c{n}")).await;
        for _ in 0..JOINS {
            join(&mut client, &id).await;
        }
        clients.push(client);
    }
    let sessions = || server.rooms.here().values().flatten().count();
    until("all are in", || sessions() == SESSIONS).await;
    let waits = server.rooms.unsent().bytes();
    assert!((LARGE..LARGE + MIB).contains(&waits), "the same bytes for all: {waits}");
    let mut client = clients.remove(0);
    drop(clients);
    // Everything that was asked for is answered: with the dashboard, or with when to come again.
    let (mut joined, mut again) = (0, 0);
    while joined + again < JOINS {
        match client.got().await {
            Got::Frame(frame) if frame["type"] == "joined" => {
                assert_eq!(frame["snapshot"]["title"], "Large");
                joined += 1;
            }
            Got::Frame(frame) if frame["type"] == "error" => {
                assert_eq!(frame["code"], "rate_limited");
                assert!(frame["retry_after_ms"].is_u64(), "{frame}");
                again += 1;
            }
            Got::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(joined > 0);
    client.is_alive().await;
    until("nothing waits", || server.rooms.unsent().bytes() == 0).await;
}

#[tokio::test]
async fn s10_over_the_bound_of_all_the_slowest_reader_is_closed_and_the_next_join_has_room() {
    let server = Server::start(Limits { unsent_bytes: 12 * MIB, ..Limits::default() }).await;
    let (one, two) = (server.large_dashboard(LARGE).await, server.large_dashboard(LARGE).await);
    let mut slow = Client::connect_narrow(server.addr).await;
    slow.hello("slow").await;
    join(&mut slow, &one).await;
    until("it waits", || server.rooms.unsent().bytes() >= LARGE).await;
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    let mut refused = 0;
    let joined = loop {
        join(&mut ada, &two).await;
        match ada.got().await {
            Got::Frame(frame) if frame["type"] == "joined" => break frame,
            Got::Frame(frame) => {
                assert_eq!((&frame["type"], &frame["code"]), (&json!("error"), &json!("full")), "{frame}");
                let wait = frame["retry_after_ms"].as_u64().expect("when to come again");
                tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(refused > 0, "both do not fit");
    assert_eq!(joined["snapshot"]["title"], "Large");
    let read = async {
        loop {
            match slow.got().await {
                Got::Frame(frame) => assert_ne!(frame["type"], "joined", "it was not read in time"),
                Got::Closed(code) => break Some(code),
                Got::Cut => break None,
            }
        }
    };
    // It may have been too slow for the close, too.
    assert!(matches!(read.await, None | Some(4508)));
    let slow_readers = &server.metrics.slow_readers_closed;
    assert_eq!(slow_readers.load(std::sync::atomic::Ordering::Relaxed), 1);
    // The one that was refused is in by now, like anybody.
    let title = json!({"op": "set_dashboard", "field": "title", "value": "Still large"});
    ada.push(&two, json!([{"seq": 1, "base": 0, "ops": [title]}])).await;
    assert_eq!(ada.commits().await.len(), 1);
}

#[tokio::test]
async fn s10_an_edit_that_makes_a_dashboard_too_large_is_refused_with_a_reason() {
    let server = Server::start(Limits { dashboard_bytes: 2 * MIB, ..Limits::default() }).await;
    let id = server.large_dashboard(2 * MIB - 100_000).await;
    let mut ada = server.joined("ada", &id).await;
    let data = |n: usize| json!({"op": "set", "id": "w10", "field": "data", "value": "x".repeat(n)});
    let add = |n: usize| {
        let mut table = super::stat("More");
        table["kind"] = json!("table");
        table["options"] = json!({"data": "y".repeat(60_000)});
        json!({"op": "add_widget", "id": format!("n{n}"), "widget": table})
    };
    let ops: [(Vec<Value>, usize); 5] = [
        (vec![add(1)], 0),
        (vec![add(2)], 1),
        // What fits of a change counts.
        (vec![add(3), data(10)], 1),
        (vec![json!({"op": "remove_widget", "id": "w11"})], 0),
        (vec![data(20)], 0),
    ];
    for (seq, (ops, refused)) in (1..).zip(ops) {
        ada.push(&id, json!([{"seq": seq, "base": seq - 1, "ops": ops}])).await;
        let commit = ada.commits().await.remove(0);
        assert_eq!(commit["refused"].as_array().expect("a list").len(), refused, "{}", commit["refused"]);
        if refused > 0 {
            let reason = commit["refused"][0]["reason"].as_str().expect("words");
            assert!(reason.contains("2 MiB") && reason.contains("Remove"), "{reason}");
        }
    }
}
