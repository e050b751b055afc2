//! A server whose data is put back to an older copy (S7): whoever saw more tells it by that, and its logs
//! take another name before anybody is told anything wrong.

use std::path::Path;

use lockstep::server::limits::Limits;
use serde_json::{Value, json};

use super::support::{Client, Got, Server};

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).expect("a directory") {
        let file = file.expect("a file").path();
        std::fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("copied");
    }
}

/// Stops a server and starts it with a copy of its data from before.
async fn restore(server: Server, backup: &Path) -> Server {
    let dir = server.stop().await;
    for file in std::fs::read_dir(dir.path()).expect("a directory") {
        std::fs::remove_file(file.expect("a file").path()).expect("removed");
    }
    copy(backup, dir.path());
    Server::start_in(dir, Limits::default()).await
}

/// A dashboard with three commits, a copy of the data as it is then, and two commits more.
struct Scene {
    server: Server,
    id: String,
    epoch: Value,
    /// What came with the commits to resume from them, by revision from 1 on.
    tokens: Vec<Value>,
}

/// Writes titles one after the other; returns what came with each to resume from it.
async fn write(client: &mut Client, id: &str, titles: &[&str]) -> Vec<Value> {
    let mut tokens = Vec::new();
    for title in titles {
        client.push_title(id, title).await;
        tokens.push(client.expect("commits").await["token"].clone());
    }
    tokens
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start(Limits::default()).await;
        let id = server.dashboard().await;
        let mut ada = server.joined("ada", &id).await;
        let mut tokens = write(&mut ada, &id, &["one", "two", "three"]).await;
        let dir = server.stop().await;
        let backup = tempfile::tempdir().expect("a directory");
        copy(dir.path(), backup.path());
        let server = Server::start_in(dir, Limits::default()).await;
        let mut ada = server.connect().await;
        ada.hello("ada").await;
        let epoch = ada.join(&id).await["epoch"].clone();
        tokens.extend(write(&mut ada, &id, &["four", "five"]).await);
        Self { server: restore(server, backup.path()).await, id, epoch, tokens }
    }

    fn resume(&self, revision: u64) -> Value {
        let token = &self.tokens[revision as usize - 1];
        let resume = json!({"epoch": self.epoch, "revision": revision, "token": token});
        json!({"type": "join", "dashboard": self.id, "resume": resume})
    }
}

/// The one who noticed is told to come again, and does.
async fn comes_again(server: &Server, mut client: Client, join: &Value) -> (Client, Value) {
    let error = client.expect("error").await;
    assert!(error["reason"].as_str().expect("a reason").contains("restored"), "{error}");
    assert_eq!(client.closed().await, 4503);
    let mut client = server.connect().await;
    client.hello("ada").await;
    client.send(join.clone()).await;
    let joined = client.expect("joined").await;
    (client, joined)
}

#[tokio::test]
async fn s7_a_client_ahead_of_a_restored_log_gives_it_another_name() {
    let scene = Scene::new().await;
    let mut ada = scene.server.connect().await;
    ada.hello("ada").await;
    ada.send(scene.resume(5)).await;
    let (mut ada, joined) = comes_again(&scene.server, ada, &scene.resume(5)).await;
    assert_ne!(joined["epoch"], scene.epoch);
    assert_eq!((&joined["revision"], &joined["last_seq"]), (&json!(3), &json!(3)));
    assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "three");
    // It goes on under that name, also when it is started again.
    ada.seq = 3;
    write(&mut ada, &scene.id, &["four again"]).await;
    let dir = scene.server.stop().await;
    let server = Server::start_in(dir, Limits::default()).await;
    let mut grace = server.connect().await;
    grace.hello("grace").await;
    let again = grace.join(&scene.id).await;
    assert_eq!((&again["epoch"], &again["revision"]), (&joined["epoch"], &json!(4)));
}

#[tokio::test]
async fn s7_a_restored_log_that_went_on_is_told_from_what_was_there_before() {
    let scene = Scene::new().await;
    let mut grace = scene.server.connect().await;
    grace.hello("grace").await;
    grace.send(scene.resume(3)).await;
    let joined = grace.expect("joined").await;
    assert_eq!((&joined["epoch"], &joined["commits"]), (&scene.epoch, &json!([])), "hers is still right");
    write(&mut grace, &scene.id, &["another four", "another five", "six"]).await;
    // Ada's four and five are others, whatever the numbers say.
    let mut ada = scene.server.connect().await;
    ada.hello("ada").await;
    ada.send(scene.resume(5)).await;
    let (_, joined) = comes_again(&scene.server, ada, &scene.resume(5)).await;
    assert_ne!(joined["epoch"], scene.epoch);
    assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "six");
    assert_eq!(grace.closed().await, 4503, "who is there joins anew as well");
}

#[tokio::test]
async fn s7_a_client_that_only_says_so_gets_a_snapshot_and_disturbs_nobody() {
    let scene = Scene::new().await;
    let mut grace = scene.server.joined("grace", &scene.id).await;
    let long_ago = scene.tokens[1].clone();
    for (revision, token) in [
        (1_000, Value::Null),
        (1_000, long_ago.clone()),
        (3, json!("1795000000000.AAAAAAAAAAAAAAAAAAAAAA")),
        (1, long_ago),
        (4, json!({"not": "text"})),
    ] {
        let mut client = scene.server.connect().await;
        client.hello("mallory").await;
        let resume = json!({"epoch": scene.epoch, "revision": revision, "token": token});
        client.send(json!({"type": "join", "dashboard": scene.id, "resume": resume})).await;
        let Got::Frame(frame) = client.got().await else { panic!("an answer to {revision} {token}") };
        if token.is_object() {
            assert_eq!(frame["code"], "invalid", "{frame}");
            continue;
        }
        assert_eq!((&frame["type"], &frame["epoch"]), (&json!("joined"), &scene.epoch), "{frame}");
        assert_eq!(frame["snapshot"].is_object(), revision == 1_000, "{frame}");
    }
    assert_eq!(write(&mut grace, &scene.id, &["goes on"]).await.len(), 1);
}
