//! The contract of the store: one suite, which every backend passes.

#![cfg(feature = "ssr")]

use std::sync::Arc;

use lockstep::dashboard::{ClientId, DashboardId, User, UserId};
use lockstep::server::store::memory::MemoryStore;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Appended, KEEP_COMMITS, Listing, Most, NewDashboard, Store, StoreError};

/// What of the log stays behind a snapshot.
const KEEP: Most = Most { commits: KEEP_COMMITS as usize, bytes: usize::MAX };

/// A place that stores come from; opening it again finds what is in it.
trait Place {
    async fn open(&self) -> Arc<dyn Store>;
}

struct Memory(Arc<MemoryStore>);

impl Place for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        self.0.clone()
    }
}

struct File(tempfile::TempDir);

impl Place for File {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0.path().join("test.db")).await.expect("opens"))
    }
}

fn id(name: &str) -> DashboardId {
    DashboardId::new(name).expect("an id")
}

fn client(name: &str) -> ClientId {
    ClientId::new(name).expect("an id")
}

fn listing(title: &str, changed_at: u64) -> Listing {
    let by =
        User { id: UserId::new("u1").expect("an id"), name: "Zoë \"Z\"".into(), color: "#123456".into() };
    Listing { title: title.into(), widgets: 3, changed_at, changed_by: Some(by) }
}

fn new(name: &str) -> NewDashboard {
    let listing = Listing { title: name.into(), widgets: 0, changed_at: 5, changed_by: None };
    NewDashboard { id: id(name), epoch: format!("epoch-{name}"), state: "{\"at\":0}".into(), listing }
}

fn commit(by: &str, revision: u64, seq: u64) -> Appended {
    Appended { revision, client: client(by), seq, body: format!("{{\"r\":{revision},\"é\":\"'\"}}").into() }
}

/// Commits of one client whose `seq` is the revision.
fn run(by: &str, revisions: std::ops::RangeInclusive<u64>) -> Vec<Appended> {
    revisions.map(|revision| commit(by, revision, revision)).collect()
}

async fn revisions(store: &dyn Store, name: &str, after: u64, limit: usize) -> Vec<u64> {
    let tail = store.tail(&id(name), after, Most::commits(limit)).await.expect("a tail");
    tail.iter().map(|stored| stored.revision).collect()
}

macro_rules! contract {
    ($($(#[$doc:meta])* $name:ident: $body:expr;)*) => {
        mod memory {
            use super::*;
            $($(#[$doc])* #[tokio::test] async fn $name() {
                let place = Memory(Arc::default());
                let body: fn(_) -> _ = $body;
                body(place.open().await).await;
            })*
        }
        mod sqlite {
            use super::*;
            $($(#[$doc])* #[tokio::test] async fn $name() {
                let place = File(tempfile::tempdir().expect("a directory"));
                let body: fn(_) -> _ = $body;
                body(place.open().await).await;
            })*
        }
    };
}

contract! {
    what_is_made_is_listed_and_opens: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        assert_eq!(store.create(new("d1")).await, Err(StoreError::Exists));
        let opened = store.open(&id("d1")).await.expect("reads").expect("is there");
        assert_eq!((opened.epoch.as_str(), opened.state.as_str(), opened.revision), ("epoch-d1", "{\"at\":0}", 0));
        assert!(opened.commits.is_empty());
        assert_eq!(store.open(&id("d2")).await, Ok(None));
        store.create(new("d2")).await.expect("made");
        store.append(&id("d1"), run("c1", 1..=2), listing("New title", 9)).await.expect("appended");
        let list = store.list().await.expect("a list");
        let ids: Vec<_> = list.iter().map(|listed| (listed.id.as_str(), listed.revision)).collect();
        assert_eq!(ids, [("d1", 2), ("d2", 0)], "the last changed first");
        assert_eq!(store.count().await, Ok(2));
        assert_eq!(list[0].listing, listing("New title", 9));
    };

    a_log_is_read_back_as_it_was_written: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.create(new("d2")).await.expect("made");
        // More than any one statement takes, with a rest.
        let commits = run("c1", 1..=301);
        store.append(&id("d1"), commits.clone(), listing("a", 1)).await.expect("appended");
        store.append(&id("d2"), run("c1", 1..=1), listing("b", 1)).await.expect("appended");
        store.append(&id("d1"), Vec::new(), listing("a", 1)).await.expect("nothing is fine");
        let opened = store.open(&id("d1")).await.expect("reads").expect("is there");
        let read: Vec<_> = opened.commits.into_iter().map(|stored| (stored.revision, stored.body)).collect();
        let written: Vec<_> = commits.into_iter().map(|commit| (commit.revision, commit.body)).collect();
        assert_eq!(read, written);
        assert_eq!(revisions(&*store, "d1", 298, 10).await, [299, 300, 301]);
        assert_eq!(revisions(&*store, "d1", 10, 2).await, [11, 12]);
        // Their bodies have 18 bytes each.
        for (bytes, fit) in [(17, 0), (18, 1), (54, 3), (71, 3), (1_000, 5)] {
            let tail = store.tail(&id("d1"), 99, Most { commits: 5, bytes }).await.expect("a tail");
            assert_eq!(tail.len(), fit, "{bytes}");
        }
        assert_eq!(revisions(&*store, "d1", 301, 10).await, [0u64; 0]);
        assert_eq!(revisions(&*store, "none", 0, 10).await, [0u64; 0]);
        assert_eq!(revisions(&*store, "d1", u64::MAX, 10).await, [0u64; 0]);
    };

    s1_a_revision_is_taken_once: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.append(&id("d1"), run("c1", 1..=3), listing("a", 1)).await.expect("appended");
        for late in [run("c2", 3..=4), run("c2", 1..=1), run("c2", 5..=5)] {
            assert_eq!(store.append(&id("d1"), late, listing("b", 2)).await, Err(StoreError::Taken));
        }
        assert_eq!(revisions(&*store, "d1", 0, 10).await, [1, 2, 3]);
        assert_eq!(store.list().await.expect("a list")[0].listing.title, "a");
        store.append(&id("d1"), run("c2", 4..=4), listing("b", 2)).await.expect("appended");
    };

    s2_a_change_is_in_the_log_once: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.create(new("d2")).await.expect("made");
        store.append(&id("d1"), vec![commit("c1", 1, 7)], listing("a", 1)).await.expect("appended");
        let again = vec![commit("c2", 2, 1), commit("c1", 3, 7)];
        assert_eq!(store.append(&id("d1"), again, listing("b", 2)).await, Err(StoreError::Taken));
        assert_eq!(revisions(&*store, "d1", 0, 10).await, [1], "all or none");
        store.append(&id("d2"), vec![commit("c1", 1, 7)], listing("a", 1)).await.expect("another log");
        assert_eq!(store.find(&id("d1"), &client("c1"), 7).await, Ok(Some(commit("c1", 1, 7).body)));
        assert_eq!(store.find(&id("d1"), &client("c1"), 8).await, Ok(None));
        assert_eq!(store.find(&id("d1"), &client("c2"), 1).await, Ok(None));
    };

    appends_at_once_fail_alone: |store: Arc<dyn Store>| async move {
        let names: Vec<String> = (0..40).map(|n| format!("d{n}")).collect();
        for name in &names {
            store.create(new(name)).await.expect("made");
            store.append(&id(name), vec![commit("c1", 1, 1)], listing("a", 1)).await.expect("appended");
        }
        let all = names.iter().enumerate().map(|(n, name)| {
            let store = store.clone();
            async move {
                // Every third comes with a change that its log has, every fifth with a revision.
                let commits = match n {
                    n if n % 3 == 0 => vec![commit("c1", 2, 1)],
                    n if n % 5 == 0 => vec![commit("c1", 1, 2)],
                    _ => vec![commit("c1", 2, 2)],
                };
                store.append(&id(name), commits, listing("b", 2)).await
            }
        });
        let outcomes = futures::future::join_all(all).await;
        for (n, outcome) in outcomes.into_iter().enumerate() {
            let good = n % 3 != 0 && n % 5 != 0;
            assert_eq!(outcome, if good { Ok(()) } else { Err(StoreError::Taken) }, "d{n}");
            let expected: &[u64] = if good { &[1, 2] } else { &[1] };
            assert_eq!(revisions(&*store, &format!("d{n}"), 0, 9).await, expected);
        }
    };

    what_is_deleted_is_gone: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.append(&id("d1"), run("c1", 1..=3), listing("a", 1)).await.expect("appended");
        assert_eq!(store.delete(&id("d1")).await, Ok(true));
        assert_eq!(store.delete(&id("d1")).await, Ok(false));
        assert_eq!(store.open(&id("d1")).await, Ok(None));
        assert_eq!(store.append(&id("d1"), run("c1", 4..=4), listing("a", 1)).await, Err(StoreError::Gone));
        assert_eq!(store.save_snapshot(&id("d1"), 3, "{}".into(), KEEP).await, Err(StoreError::Gone));
        assert_eq!(store.renew(&id("d1"), "epoch-2").await, Err(StoreError::Gone));
        store.create(new("d1")).await.expect("the id is free again");
        assert_eq!(revisions(&*store, "d1", 0, 9).await, [0u64; 0], "nothing of the old log");
    };

    s7_a_snapshot_shortens_the_log_and_keeps_enough_of_it: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        let last = KEEP_COMMITS + 20;
        store.append(&id("d1"), run("c1", 1..=last), listing("a", 1)).await.expect("appended");
        store.save_snapshot(&id("d1"), 100, "{\"at\":100}".into(), KEEP).await.expect("saved");
        let opened = store.open(&id("d1")).await.expect("reads").expect("is there");
        assert_eq!((opened.state.as_str(), opened.revision), ("{\"at\":100}", 100));
        assert_eq!(opened.commits.first().map(|stored| stored.revision), Some(101));
        assert_eq!(revisions(&*store, "d1", 0, 1).await, [1], "what a client may resume from stays");
        store.save_snapshot(&id("d1"), 50, "{\"at\":50}".into(), KEEP).await.expect("an older one changes nothing");
        store.save_snapshot(&id("d1"), last + 1, "{}".into(), KEEP).await.expect("nor one of no revision");
        assert_eq!(store.open(&id("d1")).await.expect("reads").expect("is there").revision, 100);
        store.save_snapshot(&id("d1"), last, "{\"at\":9}".into(), KEEP).await.expect("saved");
        assert_eq!(revisions(&*store, "d1", 0, 1).await, [21]);
        let opened = store.open(&id("d1")).await.expect("reads").expect("is there");
        assert!(opened.commits.is_empty());
        store.append(&id("d1"), run("c1", last + 1..=last + 1), listing("a", 1)).await.expect("goes on");
    };

    s10_a_log_is_kept_by_bytes_too: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.create(new("d2")).await.expect("made");
        for name in ["d1", "d2"] {
            store.append(&id(name), run("c1", 1..=9), listing("a", 1)).await.expect("appended");
        }
        // Their bodies have 15 characters in 16 bytes each.
        let keep = |bytes| Most { commits: 5, bytes };
        store.save_snapshot(&id("d1"), 7, "{}".into(), keep(3 * 16)).await.expect("saved");
        assert_eq!(revisions(&*store, "d1", 0, 10).await, [5, 6, 7, 8, 9], "what came after the snapshot stays");
        assert_eq!(store.find(&id("d1"), &client("c1"), 4).await, Ok(None));
        assert!(store.find(&id("d1"), &client("c1"), 5).await.is_ok_and(|found| found.is_some()));
        store.save_snapshot(&id("d1"), 8, "{}".into(), keep(4 * 16 - 1)).await.expect("saved");
        assert_eq!(revisions(&*store, "d1", 0, 10).await, [6, 7, 8, 9]);
        store.save_snapshot(&id("d1"), 8, "{}".into(), keep(2 * 16)).await.expect("the same again");
        assert_eq!(revisions(&*store, "d1", 0, 10).await, [7, 8, 9], "shortens the log all the same");
        store.save_snapshot(&id("d1"), 9, "{}".into(), keep(15)).await.expect("saved");
        assert_eq!(revisions(&*store, "d1", 0, 10).await, [0u64; 0]);
        store.append(&id("d1"), run("c1", 10..=10), listing("a", 1)).await.expect("goes on");
        assert_eq!(store.append(&id("d1"), run("c1", 3..=3), listing("a", 1)).await, Err(StoreError::Taken));
        assert_eq!(revisions(&*store, "d2", 0, 10).await, [1, 2, 3, 4, 5, 6, 7, 8, 9], "another log");
        store.save_snapshot(&id("d2"), 9, "{}".into(), keep(1_000)).await.expect("saved");
        assert_eq!(revisions(&*store, "d2", 0, 10).await, [5, 6, 7, 8, 9], "the number holds as well");
    };

    s7_a_log_takes_another_name_and_stays_as_it_is: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.create(new("d2")).await.expect("made");
        store.append(&id("d1"), run("c1", 1..=3), listing("a", 1)).await.expect("appended");
        let before = store.open(&id("d1")).await.expect("reads").expect("is there");
        store.renew(&id("d1"), "epoch-2").await.expect("renewed");
        let after = store.open(&id("d1")).await.expect("reads").expect("is there");
        assert_eq!(after.epoch, "epoch-2");
        assert_eq!((&after.state, after.revision, &after.commits), (&before.state, before.revision, &before.commits));
        assert_eq!(store.open(&id("d2")).await.expect("reads").expect("is there").epoch, "epoch-d2");
        store.append(&id("d1"), run("c1", 4..=4), listing("a", 1)).await.expect("goes on");
    };

    a_secret_is_made_once: |store: Arc<dyn Store>| async move {
        let one = store.secret("one").await.expect("a secret");
        assert_eq!(store.secret("one").await, Ok(one));
        assert_ne!(store.secret("two").await, Ok(one));
        assert_ne!(one, [0; 32]);
    };

    a_closed_store_says_so: |store: Arc<dyn Store>| async move {
        store.ping().await.expect("answers");
        store.create(new("d1")).await.expect("made");
        store.close().await;
        assert_eq!(store.ping().await, Err(StoreError::Closed));
        assert_eq!(store.append(&id("d1"), run("c1", 1..=1), listing("a", 1)).await, Err(StoreError::Closed));
    };
}

#[tokio::test]
async fn s3_a_file_has_it_all_when_it_is_opened_again() {
    let place = File(tempfile::tempdir().expect("a directory"));
    let store = place.open().await;
    store.create(new("d1")).await.expect("made");
    store.append(&id("d1"), run("c1", 1..=5), listing("a", 7)).await.expect("appended");
    store.save_snapshot(&id("d1"), 2, "{\"at\":2}".into(), KEEP).await.expect("saved");
    let secret = store.secret("one").await.expect("a secret");
    let before = store.open(&id("d1")).await.expect("reads");
    let listed = store.list().await.expect("a list");
    // Not closed: as after a crash, what was acknowledged is there.
    std::mem::forget(store);
    let store = place.open().await;
    assert_eq!(store.open(&id("d1")).await.expect("reads"), before);
    assert_eq!(store.list().await.expect("a list"), listed);
    assert_eq!(store.secret("one").await, Ok(secret));
    assert_eq!(store.append(&id("d1"), run("c1", 5..=5), listing("a", 7)).await, Err(StoreError::Taken));
    store.append(&id("d1"), run("c1", 6..=6), listing("a", 7)).await.expect("goes on");
    store.close().await;
    assert_eq!(revisions(&*place.open().await, "d1", 0, 10).await, [1, 2, 3, 4, 5, 6]);
}
