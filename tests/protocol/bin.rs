//! Dashboards that go into the bin and come back, with people in them and edits on their way.

use lockstep::dashboard::{DashboardId, User};
use lockstep::server::limits::Limits;
use lockstep::server::rooms::RoomError;
use lockstep::server::store::{ListQuery, Listed};
use serde_json::{Value, json};

use super::support::{Client, Got, Server, change, stat};
use super::{revisions, server, title};

fn id(name: &str) -> DashboardId {
    DashboardId::new(name).expect("an id")
}

fn ada() -> Option<User> {
    Some(User { name: "Ada".to_owned(), ..User::default() })
}

/// What is listed of the only dashboard.
async fn listed(server: &Server) -> Listed {
    let query = ListQuery { limit: 9, ..ListQuery::default() };
    let page = server.rooms.store().page(&query).await.expect("a page");
    assert_eq!((page.total, page.dashboards.len()), (1, 1));
    page.dashboards.into_iter().next().expect("one")
}

/// The answer to a join that fails.
async fn turned_down(client: &mut Client, dashboard: &str) -> Value {
    client.send(json!({"type": "join", "dashboard": dashboard})).await;
    client.expect("error").await
}

#[tokio::test]
async fn who_is_in_it_is_told_and_goes_on_where_it_was_once_it_is_restored() {
    let server = server().await;
    let name = server.dashboard().await;
    let mut ada_ = server.joined("ada", &name).await;
    let mut grace = server.connect().await;
    grace.hello("grace").await;
    let epoch = grace.join(&name).await["epoch"].clone();
    ada_.push_title(&name, "first").await;
    ada_.commits().await;
    grace.commits().await;
    // Grace is away, and writes meanwhile.
    drop(grace);
    ada_.push_title(&name, "second").await;
    ada_.commits().await;
    server.rooms.delete(&id(&name), ada()).await.expect("deleted");
    let told = ada_.expect_any("error").await;
    assert_eq!((&told["code"], &told["in_bin"]), (&json!("not_found"), &json!(true)), "{told}");
    assert_eq!(ada_.closed().await, 4404);
    let mut grace = server.connect().await;
    grace.hello("grace").await;
    let told = turned_down(&mut grace, &name).await;
    assert_eq!((&told["code"], &told["in_bin"]), (&json!("not_found"), &json!(true)), "{told}");
    let reason = told["reason"].as_str().expect("words");
    assert!(reason.contains("moved to the bin on") && reason.contains("by Ada"), "{reason}");
    let other = turned_down(&mut grace, "none").await;
    assert!(other.get("in_bin").is_none(), "what never was is in no bin: {other}");
    assert_eq!(server.rooms.restore(&id(&name)).await, Ok(true));
    let joined = grace.resume(&name, &epoch, 1).await;
    assert_eq!((revisions(&joined["commits"]), &joined["epoch"]), (vec![2], &epoch));
    // Judged as if it had never been away: she had not seen the second title.
    let op = json!({"op": "set", "id": "w1", "field": "title", "value": "hers"});
    grace.push(&name, json!([{"seq": 1, "base": 1, "ops": [op]}])).await;
    let commits = grace.commits().await;
    assert_eq!((&commits[0]["revision"], title(&commits[0])), (&json!(3), "hers"));
    assert_eq!(commits[0]["conflicts"][0]["other"]["value"], "second");
    // And Ada's number goes on where it was.
    let mut ada_ = server.connect().await;
    ada_.hello("ada").await;
    assert_eq!(ada_.join(&name).await["last_seq"], 2);
}

#[tokio::test]
async fn a_restart_in_between_changes_nothing() {
    let server = server().await;
    let name = server.dashboard().await;
    let mut client = server.connect().await;
    client.hello("ada").await;
    let epoch = client.join(&name).await["epoch"].clone();
    for n in 1..=3 {
        client.push_title(&name, &n.to_string()).await;
        client.commits().await;
    }
    server.rooms.delete(&id(&name), None).await.expect("deleted");
    drop(client);
    let server = Server::start_in(server.stop().await, Limits::default()).await;
    let mut client = server.connect().await;
    client.hello("ada").await;
    assert_eq!(turned_down(&mut client, &name).await["in_bin"], json!(true));
    assert!(matches!(server.rooms.delete(&id(&name), None).await, Err(RoomError::InBin(_))));
    assert_eq!(server.rooms.restore(&id(&name)).await, Ok(true));
    let server = Server::start_in(server.stop().await, Limits::default()).await;
    let mut client = server.connect().await;
    client.hello("ada").await;
    assert_eq!(revisions(&client.resume(&name, &epoch, 1).await["commits"]), [2, 3]);
    client.push(&name, json!([change(3, "3"), change(4, "4")])).await;
    let again = client.commits().await;
    assert_eq!((&again[0]["revision"], &again[0]["seq"]), (&json!(3), &json!(3)), "answered, not done twice");
    assert_eq!(client.commits().await[0]["revision"], json!(4));
}

#[tokio::test]
async fn edits_on_their_way_are_in_the_log_or_come_again_and_never_twice() {
    let limits = Limits { changes_burst: 10_000, changes_per_s: 10_000, ..Limits::default() };
    let server = Server::start(limits).await;
    let name = server.dashboard().await;
    const EDITS: u64 = 300;
    for round in 0..5 {
        let secret = format!("ada-{round}");
        let mut client = server.connect().await;
        client.hello(&secret).await;
        client.join(&name).await;
        let deleting = {
            let (rooms, id) = (server.rooms.clone(), id(&name));
            tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(3 * round)).await;
                rooms.delete(&id, None).await
            })
        };
        for seq in 1..=EDITS {
            client.push(&name, json!([change(seq, &format!("{round}.{seq}"))])).await;
        }
        // All that is said before the end is acknowledged.
        let mut acked = Vec::new();
        loop {
            match client.got().await {
                Got::Frame(frame) if frame["type"] == "commits" => {
                    let commits = frame["commits"].as_array().expect("commits");
                    acked.extend(commits.iter().map(|commit| commit["seq"].as_u64().expect("a number")));
                }
                Got::Frame(_) => {}
                Got::Closed(code) => {
                    assert_eq!(code, 4404);
                    break;
                }
                // What was still being sent met a closed socket.
                Got::Cut => break,
            }
        }
        deleting.await.expect("no panic").expect("deleted");
        assert_eq!(acked, (1..=acked.len() as u64).collect::<Vec<_>>());
        assert_eq!(server.rooms.restore(&id(&name)).await, Ok(true));
        let mut client = server.connect().await;
        client.hello(&secret).await;
        let last = client.join(&name).await["last_seq"].as_u64().expect("a number");
        assert!(last >= acked.len() as u64, "{last} in the log, {} acknowledged", acked.len());
        client
            .push(&name, (last + 1..=EDITS).map(|seq| change(seq, &format!("{round}.{seq}"))).collect())
            .await;
        let mut seen = last;
        while seen < EDITS {
            for commit in client.commits().await {
                seen += 1;
                assert_eq!(commit["seq"].as_u64(), Some(seen), "each once and in order");
            }
        }
        assert_eq!(listed(&server).await.revision, EDITS * (round + 1));
    }
}

#[tokio::test]
async fn whoever_comes_after_it_was_restored_is_let_in() {
    let server = server().await;
    let name = server.dashboard().await;
    for round in 0..20 {
        // The room is open and says goodbye to somebody while it is restored.
        let mut here = server.joined(&format!("here-{round}"), &name).await;
        let (rooms, dashboard) = (server.rooms.clone(), id(&name));
        rooms.delete(&dashboard, None).await.expect("deleted");
        assert_eq!(rooms.restore(&dashboard).await, Ok(true));
        let mut late = server.connect().await;
        late.hello("late").await;
        assert_eq!(late.join(&name).await["revision"], json!(0));
        assert_eq!(here.closed().await, 4404);
    }
}

#[tokio::test]
async fn of_many_at_once_one_deletes_and_one_restores() {
    let server = server().await;
    let name = server.dashboard().await;
    let dashboard = id(&name);
    for _ in 0..10 {
        let deleting = (0..6).map(|_| server.rooms.delete(&dashboard, None));
        let outcomes = futures::future::join_all(deleting).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(RoomError::InBin(_)))));
        let restoring = (0..6).map(|_| server.rooms.restore(&dashboard));
        let outcomes = futures::future::join_all(restoring).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(true)).count(), 1);
    }
    // Restored by one while another removes it for good: it is out or gone, never half.
    for _ in 0..10 {
        let name = server.dashboard().await;
        server.rooms.delete(&id(&name), None).await.expect("deleted");
        let id = id(&name);
        let (restored, purged) = tokio::join!(server.rooms.restore(&id), server.rooms.purge(&id));
        match (&restored, &purged) {
            (Ok(true), Ok(false)) => assert!(server.rooms.snapshot(&id).await.is_ok()),
            (Err(RoomError::NotFound), Ok(true)) => {
                assert!(matches!(server.rooms.snapshot(&id).await, Err(RoomError::NotFound)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_list_follows_tags_and_the_outline() {
    let server = server().await;
    let name = server.dashboard().await;
    let mut ada = server.joined("ada", &name).await;
    let mut seq = 0;
    let mut edit = async |ops: Value| -> Value {
        seq += 1;
        ada.push(&name, json!([{"seq": seq, "base": seq - 1, "ops": ops}])).await;
        ada.commits().await[0].clone()
    };
    let outline = async || {
        let outline = listed(&server).await.listing.outline.expect("it is known");
        serde_json::from_str::<Value>(&outline).expect("JSON")
    };
    assert_eq!(outline().await, json!([["stat", 0, 0, 6, 4]]));
    let widget =
        json!({"kind": "note", "title": "", "frame": {"x": 6, "y": 0, "w": 6, "h": 4}, "options": {}});
    edit(json!([{"op": "add_widget", "id": "w2", "widget": widget}])).await;
    assert_eq!(outline().await, json!([["stat", 0, 0, 6, 4], ["note", 6, 0, 6, 4]]));
    edit(json!([{"op": "place", "id": "w1", "frame": {"x": 12, "y": 0, "w": 8, "h": 5}}])).await;
    assert_eq!(outline().await, json!([["note", 6, 0, 6, 4], ["stat", 12, 0, 8, 5]]));
    edit(json!([{"op": "remove_widget", "id": "w2"}])).await;
    assert_eq!(outline().await, json!([["stat", 12, 0, 8, 5]]));
    edit(json!([{"op": "restore_widget", "id": "w2"}])).await;
    assert_eq!(outline().await.as_array().map(Vec::len), Some(2));
    edit(json!([{"op": "set_dashboard", "field": "tags", "value": ["prod", "eu", "prod"]}])).await;
    assert_eq!(listed(&server).await.listing.tags, ["prod", "eu"]);
    let refused = edit(json!([{"op": "set_dashboard", "field": "tags", "value": "prod"}])).await;
    assert!(
        refused["refused"][0]["reason"].as_str().is_some_and(|why| why.contains("tags takes up to 20 tags"))
    );
    // Two who tag it without having seen each other's tags meet as anywhere.
    let mut grace = server.joined("grace", &name).await;
    let op = json!({"op": "set_dashboard", "field": "tags", "value": ["us"]});
    grace.push(&name, json!([{"seq": 1, "base": 0, "ops": [op]}])).await;
    let met = grace.commits().await[0].clone();
    assert_eq!(met["conflicts"][0]["other"]["value"], json!(["prod", "eu", "prod"]));
    assert_eq!(listed(&server).await.listing.tags, ["us"]);
    let settle = json!({"op": "settle_conflict", "conflict": met["conflicts"][0]["id"], "choose": "other"});
    grace.push(&name, json!([{"seq": 2, "base": met["revision"], "ops": [settle]}])).await;
    grace.commits().await;
    assert_eq!(listed(&server).await.listing.tags, ["prod", "eu"]);
}

#[tokio::test]
async fn dashboards_of_before_there_were_outlines_get_theirs() {
    let server = server().await;
    let name = server.dashboard().await;
    let mut ada = server.joined("ada", &name).await;
    ada.push(
        &name,
        json!([{"seq": 1, "base": 0, "ops": [
            {"op": "add_widget", "id": "w2", "widget": stat("Late")},
            {"op": "place", "id": "w2", "frame": {"x": 6, "y": 0, "w": 6, "h": 4}},
        ]}]),
    )
    .await;
    ada.commits().await;
    let made = listed(&server).await;
    drop(ada);
    let dir = server.stop().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("lockstep.db"));
    let mut file = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::query("UPDATE dashboards SET outline = NULL").execute(&mut file).await.expect("written");
    sqlx::Connection::close(file).await.expect("closed");
    let server = Server::start_in(dir, Limits::default()).await;
    assert_eq!(listed(&server).await.listing.outline, None);
    server.rooms.make_outlines().await.expect("made");
    assert_eq!(listed(&server).await, made);
}
