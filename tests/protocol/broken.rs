//! A room whose store fails it: what it tells, and what it must not store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use lockstep::dashboard::{ClientId, DashboardId, UserId};
use lockstep::server::access::Access;
use lockstep::server::data::series::{Bounds, SeriesStore};
use lockstep::server::data::sources::Sources;
use lockstep::server::data::this_server::ThisServer;
use lockstep::server::limits::Limits;
use lockstep::server::rooms::Rooms;
use lockstep::server::router;
use lockstep::server::state::AppState;
use lockstep::server::static_files::Site;
use lockstep::server::store::memory::MemoryStore;
use lockstep::server::store::{
    Appended, BinPage, Binned, Cursor, Deletion, ListPage, ListQuery, Listed, Listing, Most, NewDashboard,
    Opened, Reader, Store, StoreError, Stored,
};

use serde_json::json;

use super::support::{self, Server, change};

/// A store in memory whose disk breaks when it is told to.
#[derive(Default)]
struct Breaking {
    inner: MemoryStore,
    broken: AtomicBool,
    /// True where it keeps no commit that is older than the snapshot.
    forgets: AtomicBool,
    snapshots: AtomicUsize,
}

impl Breaking {
    fn works(&self) -> Result<(), StoreError> {
        if self.broken.load(SeqCst) { Err(StoreError::Io("broken".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Breaking {
    async fn create(&self, new: NewDashboard) -> Result<(), StoreError> {
        self.inner.create(new).await
    }

    async fn list(&self) -> Result<Vec<Listed>, StoreError> {
        self.works()?;
        self.inner.list().await
    }

    async fn count(&self) -> Result<usize, StoreError> {
        self.inner.count().await
    }

    async fn page(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.works()?;
        self.inner.page(query).await
    }

    async fn delete(&self, id: &DashboardId, deletion: &Deletion, most: usize) -> Result<bool, StoreError> {
        self.works()?;
        self.inner.delete(id, deletion, most).await
    }

    async fn restore(&self, id: &DashboardId, most: usize) -> Result<bool, StoreError> {
        self.works()?;
        self.inner.restore(id, most).await
    }

    async fn purge(&self, id: &DashboardId, before: u64) -> Result<bool, StoreError> {
        self.inner.purge(id, before).await
    }

    async fn bin(
        &self,
        reader: &Reader,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<BinPage, StoreError> {
        self.inner.bin(reader, after, limit).await
    }

    async fn binned(&self, id: &DashboardId) -> Result<Option<Binned>, StoreError> {
        self.works()?;
        self.inner.binned(id).await
    }

    async fn expired(&self, before: u64, limit: usize) -> Result<Vec<DashboardId>, StoreError> {
        self.inner.expired(before, limit).await
    }

    async fn set_favourite(
        &self,
        user: &UserId,
        id: &DashboardId,
        favourite: bool,
    ) -> Result<(), StoreError> {
        self.inner.set_favourite(user, id, favourite).await
    }

    async fn without_outline(
        &self,
        after: Option<&DashboardId>,
        limit: usize,
    ) -> Result<Vec<DashboardId>, StoreError> {
        self.inner.without_outline(after, limit).await
    }

    async fn set_outline(&self, id: &DashboardId, outline: Arc<str>) -> Result<(), StoreError> {
        self.inner.set_outline(id, outline).await
    }

    async fn open(&self, id: &DashboardId) -> Result<Option<Opened>, StoreError> {
        self.works()?;
        self.inner.open(id).await
    }

    async fn tail(&self, id: &DashboardId, after: u64, most: Most) -> Result<Vec<Stored>, StoreError> {
        self.works()?;
        self.inner.tail(id, after, most).await
    }

    async fn append(&self, id: &DashboardId, all: Vec<Appended>, listing: Listing) -> Result<(), StoreError> {
        self.works()?;
        self.inner.append(id, all, listing).await
    }

    async fn find(
        &self,
        id: &DashboardId,
        client: &ClientId,
        seq: u64,
    ) -> Result<Option<Arc<str>>, StoreError> {
        self.works()?;
        if self.forgets.load(SeqCst) { Ok(None) } else { self.inner.find(id, client, seq).await }
    }

    async fn save_snapshot(
        &self,
        id: &DashboardId,
        at: u64,
        state: Arc<str>,
        keep: Most,
    ) -> Result<(), StoreError> {
        self.snapshots.fetch_add(1, SeqCst);
        self.inner.save_snapshot(id, at, state, keep).await
    }

    async fn renew(&self, id: &DashboardId, epoch: &str) -> Result<(), StoreError> {
        self.inner.renew(id, epoch).await
    }

    async fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        self.inner.secret(name).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    fn queue(&self) -> usize {
        self.inner.queue()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[tokio::test]
async fn s3_a_room_that_failed_stores_no_last_snapshot() {
    let store = Arc::new(Breaking::default());
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_with(store.clone(), dir, Limits::default()).await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    ada.push_title(&id, "durable").await;
    ada.commits().await;
    store.broken.store(true, SeqCst);
    ada.push_title(&id, "never durable").await;
    assert_eq!(ada.closed().await, 4503);
    store.broken.store(false, SeqCst);
    let mut again = server.connect().await;
    again.hello("ada").await;
    let joined = again.join(&id).await;
    assert_eq!(joined["revision"], 1);
    assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "durable");
    assert_eq!(store.snapshots.load(SeqCst), 0, "what failed is not what is true");
}

#[tokio::test]
async fn s7_a_history_that_cannot_be_read_is_not_taken_for_this_one() {
    let store = Arc::new(Breaking::default());
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits { tail_commits: 1, ..Limits::default() };
    let server = Server::start_with(store.clone(), dir, limits).await;
    let id = server.dashboard().await;
    let mut ada = server.connect().await;
    ada.hello("ada").await;
    let epoch = ada.join(&id).await["epoch"].clone();
    ada.push_title(&id, "one").await;
    let token = ada.expect("commits").await["token"].clone();
    assert!(token.is_string());
    for title in ["two", "three"] {
        ada.push_title(&id, title).await;
        ada.commits().await;
    }
    let resume = json!({"epoch": epoch, "revision": 1, "token": token});
    let join = json!({"type": "join", "dashboard": id, "resume": resume});
    store.broken.store(true, SeqCst);
    let mut ben = server.connect().await;
    ben.hello("ben").await;
    ben.send(join.clone()).await;
    assert_eq!(ben.closed().await, 4503, "the log may be another by now");
    store.broken.store(false, SeqCst);
    let mut ben = server.connect().await;
    ben.hello("ben").await;
    ben.send(join).await;
    assert_eq!(ben.expect("joined").await["commits"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn s4_a_change_that_comes_again_is_answered_even_if_its_commit_is_gone() {
    let store = Arc::new(Breaking::default());
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits { tail_commits: 1, ..Limits::default() };
    let server = Server::start_with(store.clone(), dir, limits).await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    for title in ["one", "two"] {
        ada.push_title(&id, title).await;
        ada.commits().await;
    }
    store.forgets.store(true, SeqCst);
    ada.push(&id, json!([change(1, "one")])).await;
    let answer = ada.expect("commits").await;
    assert_eq!((&answer["commits"], &answer["forgotten"]), (&json!([]), &json!(1)));
    // A store that does not answer has forgotten nothing.
    store.broken.store(true, SeqCst);
    ada.push(&id, json!([change(1, "one")])).await;
    let answer = ada.expect("rejected").await;
    assert_eq!((&answer["code"], &answer["expected"]), (&json!("internal"), &json!(3)));
    assert!(answer["retry_after_ms"].is_u64(), "{answer}");
}

#[tokio::test]
async fn s3_a_room_in_which_something_panicked_is_opened_anew_with_all_that_was_acked() {
    let server = Server::start(Limits::default()).await;
    let id = server.dashboard().await;
    let mut ada = server.joined("ada", &id).await;
    let mut grace = server.joined("grace", &id).await;
    ada.push(&id, json!([change(1, "acked")])).await;
    ada.commits().await;
    server.points.poison(true);
    let query = json!({"op": "set", "id": "w1", "field": "query", "value": "poison"});
    ada.push(&id, json!([{"seq": 2, "base": 0, "ops": [query]}])).await;
    // Neither the one who did it nor the one who only watches stays in a room that is no more.
    assert_eq!((grace.closed().await, ada.closed().await), (4503, 4503));
    server.points.poison(false);
    let mut again = server.connect().await;
    again.hello("ada").await;
    let joined = again.join(&id).await;
    assert_eq!((&joined["revision"], &joined["last_seq"]), (&json!(2), &json!(2)));
    assert_eq!(joined["snapshot"]["widgets"]["w1"]["title"], "acked");
    assert_eq!(server.metrics.panics_caught.load(SeqCst), 1);
}

#[tokio::test]
async fn a_page_that_the_store_does_not_give_says_so_in_plain_words() {
    let store = Arc::new(Breaking::default());
    let dir = tempfile::tempdir().expect("a directory");
    let site = dir.path().join("site");
    std::fs::create_dir_all(site.join("pkg")).expect("a directory");
    std::fs::write(site.join("pkg/lockstep.js"), "").expect("a file");
    let config = support::config(dir.path(), Limits::default());
    let limits = Arc::new(Limits::default());
    let series = SeriesStore::open(&dir.path().join("series.db"), Bounds::new(&limits, 24)).await;
    let series = Arc::new(series.expect("opens"));
    let source = Arc::new(ThisServer::new(series.memory().clone()));
    let rooms = Rooms::new(
        store.clone(),
        Arc::new(Access::open_to_all()),
        limits.clone(),
        Arc::default(),
        Sources::new([], limits),
    );
    let id = rooms.create("Orders").await.expect("made");
    let site = Site::open(Some(&site), Path::new("")).expect("a site");
    let state = AppState::new(&config, rooms, source, series, site).await.expect("secrets");
    let listener = tokio::net::TcpListener::bind(config.addr).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, router::router(state)).await });
    for (broken, status) in [(true, 503), (false, 200)] {
        store.broken.store(broken, SeqCst);
        for path in ["/".to_owned(), format!("/d/{id}")] {
            let page = reqwest::get(format!("http://{addr}{path}")).await.expect("answers");
            assert_eq!(page.status(), status, "{path}");
            // Or the service worker would take it for the answer of something before this server.
            assert!(page.headers().contains_key("lockstep-build"), "{path}");
            let text = page.text().await.expect("text");
            assert_eq!(text.contains("This cannot be shown right now"), broken, "{text}");
            assert!(!text.contains("There is nothing here"), "{text}");
        }
    }
    serving.abort();
}
