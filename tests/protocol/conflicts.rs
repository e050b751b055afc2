//! Conflicts as they travel: who had not seen what, what is refused, and the same records after a restart.

use lockstep::server::limits::Limits;
use serde_json::{Value, json};

use super::server;
use super::support::{Client, Server};

fn set(title: &str) -> Value {
    json!({"op": "set", "id": "w1", "field": "title", "value": title})
}

fn remove(id: &str) -> Value {
    json!({"op": "remove_widget", "id": id})
}

/// Pushes one change of one op, and returns its commit.
async fn judged(
    (client, who): (&mut Client, &str),
    dashboard: &str,
    (seq, base): (u64, u64),
    op: Value,
) -> Value {
    client.push(dashboard, json!([{"seq": seq, "base": base, "ops": [op]}])).await;
    loop {
        let mine = |commit: &Value| commit["by"]["name"] == who && commit["seq"] == seq;
        if let Some(commit) = client.commits().await.into_iter().find(mine) {
            return commit;
        }
    }
}

/// Grace names the widget; Ada, as one who has heard nothing since revision 0, names it too and removes it.
/// Returns both, and the commits of what Ada did.
async fn removed_unaware(server: &Server, id: &str) -> (Client, Client, [Value; 2]) {
    let mut grace = server.joined("grace", id).await;
    judged((&mut grace, "grace"), id, (1, 0), set("Grace’s")).await;
    let mut ada = server.joined("ada", id).await;
    let over = judged((&mut ada, "ada"), id, (1, 0), set("Ada’s")).await;
    let gone = judged((&mut ada, "ada"), id, (2, 0), remove("w1")).await;
    (grace, ada, [over, gone])
}

#[tokio::test]
async fn s6_a_removal_meets_an_unseen_edit_over_which_its_author_wrote() {
    let server = server().await;
    let id = server.dashboard().await;
    let (_grace, mut ada, [over, gone]) = removed_unaware(&server, &id).await;
    assert_eq!(over["conflicts"][0]["other"]["value"], "Grace’s");
    let conflicts = gone["conflicts"].as_array().expect("conflicts");
    let removal = conflicts.iter().find(|conflict| conflict["cell"]["field"] == "removed");
    let removal = removal.expect("the removal meets what grace wrote");
    assert_eq!((&removal["kept"]["value"], &removal["settled"]), (&json!(true), &Value::Null));
    assert_eq!(removal["other"]["value"], json!([set("Grace’s")]));
    let other = json!({"op": "settle_conflict", "conflict": removal["id"], "choose": "other"});
    let back = judged((&mut ada, "ada"), &id, (3, 3), other).await;
    assert_eq!((&back["refused"], &back["ops"][0]["op"]), (&json!([]), &json!("restore_widget")));
    let agreed =
        back["conflicts"].as_array().expect("records").iter().find(|one| one["cell"]["field"] == "title");
    assert_eq!(agreed.expect("the title’s sides agree")["settled"]["agreed"], true);
}

#[tokio::test]
async fn s4_what_cannot_be_performed_on_a_removed_note_is_refused() {
    let server = server().await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let frame = json!({"x": 0, "y": 8, "w": 6, "h": 4});
    let note = json!({"kind": "note", "title": "Note", "frame": frame, "options": {}});
    judged((&mut ada, "ada"), &id, (1, 0), json!({"op": "add_widget", "id": "n1", "widget": note})).await;
    judged((&mut ada, "ada"), &id, (2, 1), remove("n1")).await;
    let mut grace = server.joined("grace", &id).await;
    // No update, an empty one, and one that builds on what is nowhere.
    for (seq, update) in [(1, "bm8gdXBkYXRl"), (2, "AAA="), (3, "AQEFAoQFAQF5AA==")] {
        let op = json!({"op": "edit_text", "id": "n1", "update": update});
        let commit = judged((&mut grace, "grace"), &id, (seq, 1), op).await;
        assert_eq!(commit["refused"][0]["index"], 0, "{update}: {commit}");
        assert_eq!((&commit["ops"], &commit["conflicts"]), (&json!([]), &json!([])), "{update}");
    }
}

#[tokio::test]
async fn s1_a_restarted_server_has_the_records_that_were() {
    let server = server().await;
    let id = server.dashboard().await;
    let (mut grace, _ada, _) = removed_unaware(&server, &id).await;
    judged(
        (&mut grace, "grace"),
        &id,
        (2, 1),
        json!({"op": "set", "id": "w1", "field": "unit", "value": "ms"}),
    )
    .await;
    let snapshot = |joined: Value| joined["snapshot"].clone();
    let mut late = server.connect().await;
    late.hello("late").await;
    let was = snapshot(late.join(&id).await);
    assert_eq!(was["conflicts"].as_object().map(serde_json::Map::len), Some(2));
    let server = Server::start_in(server.stop().await, Limits::default()).await;
    let mut later = server.connect().await;
    later.hello("later").await;
    assert_eq!(snapshot(later.join(&id).await), was);
}
