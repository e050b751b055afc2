//! Compactions of notes as clients meet them: those that follow them, and those that know nothing of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lockstep::dashboard::NoteText;
use lockstep::dashboard::text::Update;
use lockstep::server::limits::Limits;
use serde_json::{Value, json};
use yrs::updates::decoder::Decode as _;
use yrs::{Doc, GetString as _, OffsetKind, Options, ReadTxn as _, Text as _, TextRef, Transact as _};

use super::support::{Client, Server};
use super::until;

const AUTHOR: u64 = 0x1f_edcb_a987_6543;

/// A server that lets somebody type as fast as they can.
async fn server() -> Server {
    Server::start(Limits { changes_per_s: 100_000, changes_burst: 100_000, ..Limits::default() }).await
}

async fn dashboard_with_note(server: &Server, text: &NoteText) -> String {
    let note =
        json!({"kind": "note", "title": "Runbook", "frame": {"x": 0, "y": 0, "w": 4, "h": 3}, "text": text});
    let dashboard = json!({"title": "Test", "widgets": {"n1": note}});
    let dashboard = serde_json::from_value(dashboard).expect("a dashboard");
    server.rooms.create_with(dashboard).await.expect("made").to_string()
}

/// A client that follows compactions.
async fn follower(server: &Server, dashboard: &str) -> (Client, Value) {
    let mut client = server.connect().await;
    client.hello("ada").await;
    client.send(json!({"type": "join", "dashboard": dashboard, "compactions": true})).await;
    let joined = client.expect("joined").await;
    (client, joined)
}

fn edit(seq: u64, base: u64, update: &Update) -> Value {
    json!({"seq": seq, "base": base, "ops": [{"op": "edit_text", "id": "n1", "update": update}]})
}

fn update(commit: &Value) -> Vec<u8> {
    BASE64.decode(commit["ops"][0]["update"].as_str().expect("an update")).expect("base64")
}

fn generation(commit: &Value) -> Option<u64> {
    commit["ops"][0]["compacted"].as_u64()
}

/// The text after a commit, as one who follows has it.
fn follow(text: &NoteText, commit: &Value) -> NoteText {
    match generation(commit) {
        Some(generation) => text.compacted(generation),
        None => text.apply(&Update::new(update(commit))).expect("applies"),
    }
}

/// The dashboard as it is stored.
async fn note(server: &Server, dashboard: &str) -> Value {
    let id = lockstep::dashboard::DashboardId::new(dashboard).expect("an id");
    let read = server.rooms.snapshot(&id).await.expect("a dashboard");
    serde_json::to_value(&*read.dashboard).expect("JSON")["widgets"]["n1"]["text"].clone()
}

#[tokio::test]
async fn a_note_is_compacted_once_everybody_in_the_room_follows() {
    let server = server().await;
    let mut text = NoteText::from_plain("call the person on duty", 1);
    let id = dashboard_with_note(&server, &text).await;
    let (mut ada, _) = follower(&server, &id).await;
    let bob = server.joined("bob", &id).await;
    let mut seq = 0;
    let mut base = 0;
    // Each word that is replaced leaves a trace, far beyond what the text itself takes.
    while text.state_bytes() < 6 * 1024 {
        let (update, _) = text.splice(AUTHOR ^ (seq % 50), 5, 3, if seq % 2 == 0 { "any" } else { "the" });
        seq += 1;
        ada.push(&id, json!([edit(seq, base, &update)])).await;
        let commits = ada.commits().await;
        assert_eq!(commits.len(), 1);
        assert_eq!(
            (generation(&commits[0]), &commits[0]["seq"]),
            (None, &json!(seq)),
            "not while bob is here"
        );
        text = follow(&text, &commits[0]);
        base = commits[0]["revision"].as_u64().expect("a revision");
    }
    drop(bob);
    until("bob has left", || server.rooms.here().values().flatten().count() == 1).await;
    let (update, _) = text.splice(AUTHOR, 0, 0, "Please ");
    ada.push(&id, json!([edit(seq + 1, base, &update)])).await;
    let mut heard = ada.commits().await;
    while heard.len() < 2 {
        heard.extend(ada.commits().await);
    }
    assert_eq!((generation(&heard[0]), &heard[0]["seq"]), (None, &json!(seq + 1)));
    let compaction = &heard[1];
    assert_eq!(
        (&compaction["client"], &compaction["by"]["id"]),
        (&json!("compaction"), &json!("compaction"))
    );
    assert_eq!((&compaction["refused"], &compaction["conflicts"]), (&json!([]), &json!([])));
    let before = follow(&text, &heard[0]);
    text = follow(&before, compaction);
    let stored = note(&server, &id).await;
    assert_eq!(stored["generation"].as_u64(), generation(compaction));
    assert_eq!(stored["plain"], text.plain());
    assert!(stored["state"].as_str().expect("a state").len() < 200, "as small as its text: {stored}");
    // One key that was on its way, and one after it.
    let (late, _) = before.splice(AUTHOR, 0, 1, "p");
    ada.push(&id, json!([edit(seq + 2, base, &late)])).await;
    text = follow(&text, &ada.commits().await[0]);
    let (next, _) = text.splice(AUTHOR, text.len_utf16(), 0, ".");
    ada.push(&id, json!([edit(seq + 3, base + 2, &next)])).await;
    text = follow(&text, &ada.commits().await[0]);
    assert!(
        text.plain().starts_with("please call ") && text.plain().ends_with(" person on duty."),
        "{text:?}"
    );
    assert_eq!(note(&server, &id).await["plain"], text.plain());
}

/// Somebody's Yjs document, which knows nothing of compactions.
struct Outsider {
    doc: Doc,
    text: TextRef,
}

impl Outsider {
    fn new(snapshot: &Value) -> Self {
        let state = snapshot["widgets"]["n1"]["text"]["state"].as_str().expect("a state");
        let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
        let text = doc.get_or_insert_text("text");
        let outsider = Self { doc, text };
        outsider.apply(&BASE64.decode(state).expect("base64"));
        outsider
    }

    fn apply(&self, update: &[u8]) {
        let update = yrs::Update::decode_v1(update).expect("an update");
        self.doc.transact_mut().apply_update(update).expect("applies");
        assert!(!self.doc.transact().has_missing_updates());
    }

    fn reads(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }
}

#[tokio::test]
async fn who_does_not_follow_takes_a_compaction_as_an_edit_where_it_cannot_wait() {
    // Each character by itself takes some 14 bytes of state; an update of so many is not too large.
    const PIECE: u32 = 2_500;
    let server = server().await;
    let mut text = NoteText::from_plain("#", 1);
    let id = dashboard_with_note(&server, &text).await;
    let (mut ada, joined) = follower(&server, &id).await;
    let epoch = joined["epoch"].clone();
    let mut bob = server.connect().await;
    bob.hello("bob").await;
    let outsider = Outsider::new(&bob.join(&id).await["snapshot"]);
    let writer = Outsider::new(&joined["snapshot"]);
    let mut seq = 0;
    let compaction = loop {
        seq += 1;
        assert!(seq < 40, "it is compacted before there is no room left");
        let update = {
            let mut txn = writer.doc.transact_mut();
            (0..PIECE).for_each(|_| writer.text.insert(&mut txn, 0, "x"));
            txn.commit();
            txn.encode_update_v1()
        };
        ada.push(&id, json!([edit(seq, seq - 1, &Update::new(update))])).await;
        let mut heard = ada.commits().await;
        assert_eq!(&heard[0]["refused"], &json!([]));
        heard.extend(
            ada.so_far()
                .await
                .into_iter()
                .filter(|frame| frame["type"] == "commits")
                .flat_map(|frame| frame["commits"].as_array().expect("commits").clone()),
        );
        text = heard.iter().fold(text, |text, commit| follow(&text, commit));
        if let Some(compaction) = heard.into_iter().find(|commit| generation(commit).is_some()) {
            break compaction;
        }
    };
    let length = seq as usize * PIECE as usize + 1;
    assert_eq!(text.len_utf16() as usize, length);
    let revision = compaction["revision"].as_u64().expect("a revision");
    loop {
        let commits = bob.commits().await;
        commits.iter().for_each(|commit| outsider.apply(&update(commit)));
        if commits.iter().any(|commit| commit["revision"] == revision) {
            break;
        }
    }
    assert_eq!(outsider.reads(), text.plain());
    // What they type after it meets what the others have.
    let typed = {
        let mut txn = outsider.doc.transact_mut();
        outsider.text.insert(&mut txn, 1, "y");
        txn.commit();
        txn.encode_update_v1()
    };
    bob.push(&id, json!([edit(1, revision, &Update::new(typed))])).await;
    bob.commits().await;
    text = follow(&text, &ada.commits().await[0]);
    assert_eq!(text.plain(), outsider.reads());
    // From before it they get the whole; who follows gets the tail.
    assert!(bob.resume(&id, &epoch, revision - 1).await["snapshot"].is_object());
    let resume = json!({"epoch": epoch, "revision": revision - 1});
    ada.send(json!({"type": "join", "dashboard": id, "compactions": true, "resume": resume})).await;
    let commits = ada.expect("joined").await["commits"].clone();
    assert_eq!(generation(&commits[0]), generation(&compaction), "{commits}");
}
