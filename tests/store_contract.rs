//! The contract of the store: one suite, which every backend passes.

#![cfg(feature = "ssr")]

use std::sync::Arc;

use lockstep::dashboard::fold::fold;
use lockstep::dashboard::{ClientId, DashboardId, User, UserId};
use lockstep::server::store::memory::MemoryStore;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{
    Appended, BinPage, Deletion, KEEP_COMMITS, ListPage, ListQuery, Listing, Most, NewDashboard, Order,
    Reader, Store, StoreError,
};

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
    Listing { title: title.into(), widgets: 3, changed_at, changed_by: Some(by), ..Listing::default() }
}

fn tagged(title: &str, changed_at: u64, tags: &[&str]) -> Listing {
    Listing { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..listing(title, changed_at) }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("an id")
}

fn deletion(at: u64) -> Deletion {
    Deletion { at, by: listing("", 0).changed_by }
}

/// Everything that is listed.
fn all() -> ListQuery {
    ListQuery { limit: 100, ..ListQuery::default() }
}

fn names(page: &ListPage) -> Vec<&str> {
    page.dashboards.iter().map(|one| one.id.as_str()).collect()
}

fn new(name: &str) -> NewDashboard {
    let listing = Listing { title: name.into(), changed_at: 5, ..Listing::default() };
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

    what_is_deleted_is_in_the_bin_and_nowhere_else: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.create(new("d2")).await.expect("made");
        store.append(&id("d1"), run("c1", 1..=3), tagged("a", 1, &["x"])).await.expect("appended");
        assert_eq!(store.delete(&id("d1"), &deletion(7), 10).await, Ok(true));
        assert_eq!(store.delete(&id("d1"), &deletion(8), 10).await, Ok(false), "it is there already");
        assert_eq!(store.delete(&id("none"), &deletion(8), 10).await, Ok(false));
        assert_eq!(store.open(&id("d1")).await, Ok(None));
        assert_eq!(store.append(&id("d1"), run("c1", 4..=4), listing("a", 1)).await, Err(StoreError::Gone));
        assert_eq!(store.renew(&id("d1"), "epoch-2").await, Err(StoreError::Gone));
        assert_eq!(store.create(new("d1")).await, Err(StoreError::Exists), "its address stays its own");
        assert_eq!(store.count().await, Ok(1));
        let page = store.page(&all()).await.expect("a page");
        assert_eq!((names(&page), page.total, page.tags.len()), (vec!["d2"], 1, 0));
        assert_eq!(store.list().await.expect("a list").len(), 1);
        let bin = store.bin(&Reader::Anyone, None, 10).await.expect("the bin");
        assert_eq!((bin.total, bin.next), (1, None));
        let binned = store.binned(&id("d1")).await.expect("reads").expect("is in there");
        assert_eq!(bin.dashboards, std::slice::from_ref(&binned));
        assert_eq!((&binned.id, &binned.deletion), (&id("d1"), &deletion(7)));
        assert_eq!(binned.listing, tagged("a", 1, &["x"]));
        assert_eq!(store.binned(&id("d2")).await, Ok(None));
    };

    what_is_restored_is_as_it_was: |store: Arc<dyn Store>| async move {
        store.create(new("d1")).await.expect("made");
        store.append(&id("d1"), run("c1", 1..=3), tagged("a", 1, &["x"])).await.expect("appended");
        store.set_favourite(&user("u1"), &id("d1"), true).await.expect("marked");
        let (open, page) = (store.open(&id("d1")).await, store.page(&all()).await);
        assert_eq!(store.restore(&id("d1"), 10).await, Ok(false), "it is in no bin");
        store.delete(&id("d1"), &deletion(7), 10).await.expect("deleted");
        // A snapshot that was on its way.
        store.save_snapshot(&id("d1"), 2, "{\"at\":2}".into(), KEEP).await.expect("the log is there");
        assert_eq!(store.restore(&id("d1"), 10).await, Ok(true));
        assert_eq!(store.restore(&id("d1"), 10).await, Ok(false), "somebody was first");
        let again = store.open(&id("d1")).await.expect("reads").expect("is there");
        assert_eq!(again.epoch, open.expect("reads").expect("was there").epoch);
        assert_eq!(store.page(&all()).await, page);
        assert_eq!(revisions(&*store, "d1", 0, 9).await, [1, 2, 3]);
        assert_eq!(store.bin(&Reader::Anyone, None, 9).await.expect("the bin").total, 0);
        store.append(&id("d1"), run("c1", 4..=4), listing("a", 1)).await.expect("goes on");
    };

    what_is_removed_for_good_is_gone: |store: Arc<dyn Store>| async move {
        for name in ["d1", "d2", "d3"] {
            store.create(new(name)).await.expect("made");
        }
        store.append(&id("d1"), run("c1", 1..=3), tagged("a", 1, &["x"])).await.expect("appended");
        store.set_favourite(&user("u1"), &id("d1"), true).await.expect("marked");
        assert_eq!(store.purge(&id("d1"), u64::MAX).await, Ok(false), "only what is in the bin");
        store.delete(&id("d1"), &deletion(7), 10).await.expect("deleted");
        store.delete(&id("d2"), &deletion(5), 10).await.expect("deleted");
        assert_eq!(store.expired(7, 9).await, Ok(vec![id("d2")]));
        assert_eq!(store.expired(8, 9).await, Ok(vec![id("d2"), id("d1")]), "the first first");
        assert_eq!(store.expired(8, 1).await, Ok(vec![id("d2")]));
        assert_eq!(store.purge(&id("d1"), 7).await, Ok(false), "it came in later than that");
        assert_eq!(store.purge(&id("d1"), 8).await, Ok(true));
        assert_eq!(store.purge(&id("d1"), 8).await, Ok(false));
        assert_eq!(store.save_snapshot(&id("d1"), 3, "{}".into(), KEEP).await, Err(StoreError::Gone));
        assert_eq!(store.restore(&id("d1"), 10).await, Ok(false));
        // Somebody restores the other one as it is about to go.
        assert_eq!(store.restore(&id("d2"), 10).await, Ok(true));
        assert_eq!(store.purge(&id("d2"), u64::MAX).await, Ok(false));
        store.create(new("d1")).await.expect("the id is free again");
        assert_eq!(revisions(&*store, "d1", 0, 9).await, [0u64; 0], "nothing of the old log");
        let page = store.page(&ListQuery { user: Some(user("u1")), ..all() }).await.expect("a page");
        assert!(page.dashboards.iter().all(|one| !one.favourite) && page.tags.is_empty());
    };

    s10_the_bin_and_what_comes_out_of_it_are_bounded: |store: Arc<dyn Store>| async move {
        for name in ["d1", "d2", "d3"] {
            store.create(new(name)).await.expect("made");
        }
        assert_eq!(store.delete(&id("d1"), &deletion(1), 1).await, Ok(true));
        assert_eq!(store.delete(&id("d2"), &deletion(2), 1).await, Err(StoreError::TooMany));
        assert_eq!(store.delete(&id("none"), &deletion(2), 1).await, Ok(false));
        assert_eq!(store.delete(&id("d1"), &deletion(2), 1).await, Ok(false));
        assert_eq!(store.restore(&id("d1"), 2).await, Err(StoreError::TooMany));
        assert_eq!(store.restore(&id("d2"), 2).await, Ok(false));
        assert_eq!(store.binned(&id("d1")).await.expect("reads").expect("stays").deletion, deletion(1));
        assert_eq!(store.restore(&id("d1"), 3).await, Ok(true));
    };

    the_bin_is_read_in_parts: |store: Arc<dyn Store>| async move {
        for (name, at) in [("a", 3), ("b", 5), ("c", 5), ("d", 9)] {
            store.create(new(name)).await.expect("made");
            store.delete(&id(name), &deletion(at), 10).await.expect("deleted");
        }
        let first = store.bin(&Reader::Anyone, None, 2).await.expect("a part");
        let ids = |page: &BinPage| page.dashboards.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
        assert_eq!((ids(&first), first.total), (vec!["d".to_owned(), "b".to_owned()], 4));
        // What goes meanwhile moves nothing.
        store.purge(&id("b"), u64::MAX).await.expect("purged");
        let rest = store.bin(&Reader::Anyone, first.next.as_ref(), 2).await.expect("a part");
        assert_eq!((ids(&rest), rest.next), (vec!["c".to_owned(), "a".to_owned()], None));
    };

    the_list_is_read_in_parts_in_either_order: |store: Arc<dyn Store>| async move {
        let titles = [("d1", "beta", 3), ("d2", "Äpfel", 9), ("d3", "Alpha", 3), ("d4", "äpfel", 1), ("d5", "BETA", 3)];
        for (name, title, at) in titles {
            store.create(new(name)).await.expect("made");
            store.append(&id(name), run("c1", 1..=1), listing(title, at)).await.expect("appended");
        }
        for (order, expected) in [
            (Order::Changed, ["d2", "d1", "d3", "d5", "d4"]),
            (Order::Title, ["d3", "d1", "d5", "d2", "d4"]),
        ] {
            for limit in [1, 2, 4, 5, 9] {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let page = store.page(&ListQuery { order, after, limit, ..all() }).await.expect("a page");
                    assert_eq!(page.total, 5);
                    assert!(page.dashboards.len() <= limit);
                    found.extend(page.dashboards.iter().map(|one| one.id.to_string()));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(found, expected, "{order:?} by {limit}");
            }
        }
        // What changes meanwhile comes to the front, and moves nothing of what comes after a place.
        let first = store.page(&ListQuery { limit: 2, ..all() }).await.expect("a page");
        store.append(&id("d4"), run("c1", 2..=2), listing("äpfel", 20)).await.expect("appended");
        let rest = store.page(&ListQuery { after: first.next, ..all() }).await.expect("a page");
        assert_eq!(names(&rest), ["d3", "d5"]);
    };

    the_list_is_searched_without_regard_to_case: |store: Arc<dyn Store>| async move {
        for (name, title) in [("d1", "Größe je HOST"), ("d2", "Данные"), ("d3", "100 % _hosts"), ("d4", "")] {
            store.create(NewDashboard { listing: Listing { outline: None, ..listing(title, 1) }, ..new(name) }).await.expect("made");
        }
        for (search, expected) in [
            ("host", vec!["d1", "d3"]),
            ("GRÖSSE", vec!["d1"]),
            ("ДАННЫЕ", vec!["d2"]),
            ("%", vec!["d3"]),
            ("_", vec!["d3"]),
            ("'", vec![]),
            ("", vec!["d1", "d2", "d3", "d4"]),
        ] {
            let page = store.page(&ListQuery { search: fold(search), limit: 1, ..all() }).await.expect("a page");
            assert_eq!(page.total, expected.len(), "{search}");
            let page = store.page(&ListQuery { search: fold(search), ..all() }).await.expect("a page");
            assert_eq!(names(&page), expected, "{search}");
        }
        // Under the title that it has now.
        store.append(&id("d2"), run("c1", 1..=1), listing("Hosts", 1)).await.expect("appended");
        let page = |search: &str| ListQuery { search: fold(search), order: Order::Title, ..all() };
        assert_eq!(names(&store.page(&page("данные")).await.expect("a page")), [""; 0]);
        assert_eq!(names(&store.page(&page("host")).await.expect("a page")), ["d3", "d1", "d2"]);
    };

    tags_are_found_and_counted: |store: Arc<dyn Store>| async move {
        for (name, tags) in [("d1", &["x", "y"][..]), ("d2", &["x"]), ("d3", &[])] {
            store.create(NewDashboard { listing: tagged(name, 1, tags), ..new(name) }).await.expect("made");
        }
        let tag = |tag: &str| ListQuery { tag: Some(tag.to_owned()), ..all() };
        let page = store.page(&tag("x")).await.expect("a page");
        assert_eq!((names(&page), page.total), (vec!["d1", "d2"], 2));
        assert_eq!(page.tags, [("x".to_owned(), 2), ("y".to_owned(), 1)], "of all dashboards");
        assert_eq!(store.page(&tag("X")).await.expect("a page").total, 0);
        store.append(&id("d1"), run("c1", 1..=1), tagged("d1", 1, &["z", "y"])).await.expect("appended");
        store.append(&id("d1"), run("c1", 2..=2), tagged("d1", 1, &["z", "y"])).await.expect("appended");
        let page = store.page(&tag("z")).await.expect("a page");
        assert_eq!(names(&page), ["d1"]);
        assert_eq!(page.dashboards[0].listing.tags, ["z", "y"]);
        let counts = [("x".to_owned(), 1), ("y".to_owned(), 1), ("z".to_owned(), 1)];
        assert_eq!(page.tags, counts);
        store.delete(&id("d1"), &deletion(1), 9).await.expect("deleted");
        assert_eq!(store.page(&all()).await.expect("a page").tags, counts[..1]);
        store.restore(&id("d1"), 9).await.expect("restored");
        assert_eq!(store.page(&all()).await.expect("a page").tags, counts);
    };

    favourites_are_each_persons_own: |store: Arc<dyn Store>| async move {
        for name in ["d1", "d2"] {
            store.create(new(name)).await.expect("made");
        }
        let of = |name: &str, favourites| ListQuery { user: Some(user(name)), favourites, ..all() };
        for _ in 0..2 {
            store.set_favourite(&user("ada"), &id("d2"), true).await.expect("marked");
        }
        assert_eq!(names(&store.page(&of("ada", true)).await.expect("a page")), ["d2"]);
        let seen = store.page(&of("ada", false)).await.expect("a page");
        assert_eq!(seen.dashboards.iter().map(|one| one.favourite).collect::<Vec<_>>(), [false, true]);
        assert_eq!(store.page(&of("grace", true)).await.expect("a page").total, 0);
        let nobody = store.page(&ListQuery { favourites: true, ..all() }).await.expect("a page");
        assert_eq!(nobody.total, 0);
        assert_eq!(store.set_favourite(&user("ada"), &id("none"), true).await, Err(StoreError::Gone));
        store.delete(&id("d1"), &deletion(1), 9).await.expect("deleted");
        assert_eq!(store.set_favourite(&user("ada"), &id("d1"), true).await, Err(StoreError::Gone));
        for id in [id("d2"), id("d1"), id("none")] {
            store.set_favourite(&user("ada"), &id, false).await.expect("none of hers");
        }
        assert_eq!(store.page(&of("ada", true)).await.expect("a page").total, 0);
    };

    outlines_are_kept_until_there_are_newer_ones: |store: Arc<dyn Store>| async move {
        for name in ["d1", "d2", "d3"] {
            store.create(new(name)).await.expect("made");
        }
        assert_eq!(store.without_outline(None, 2).await, Ok(vec![id("d1"), id("d2")]));
        assert_eq!(store.without_outline(Some(&id("d1")), 9).await, Ok(vec![id("d2"), id("d3")]));
        store.set_outline(&id("d2"), "[1]".into()).await.expect("kept");
        store.set_outline(&id("d2"), "[2]".into()).await.expect("one is known");
        let with = |outline: Option<&str>| Listing { outline: outline.map(Into::into), ..listing("a", 9) };
        store.append(&id("d3"), run("c1", 1..=1), with(Some("[3]"))).await.expect("appended");
        store.append(&id("d3"), run("c1", 2..=2), with(None)).await.expect("appended");
        let page = store.page(&all()).await.expect("a page");
        let outlines: Vec<_> = page.dashboards.iter().map(|one| one.listing.outline.as_deref()).collect();
        assert_eq!(outlines, [Some("[3]"), None, Some("[1]")]);
        assert_eq!(store.without_outline(None, 9).await, Ok(vec![id("d1")]));
        assert!(store.list().await.expect("a list").iter().all(|one| one.listing.outline.is_none()));
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

#[tokio::test]
async fn a_file_of_before_there_was_a_bin_is_brought_up_to_date() {
    let place = File(tempfile::tempdir().expect("a directory"));
    let old = place.0.path().join("migrations");
    std::fs::create_dir(&old).expect("a directory");
    std::fs::copy("migrations/sqlite/0001_log.sql", old.join("0001_log.sql")).expect("copied");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(place.0.path().join("test.db"))
        .create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::migrate::Migrator::new(old.as_path())
        .await
        .expect("reads")
        .run(&mut connection)
        .await
        .expect("runs");
    for (name, title) in [("d1", "Größe"), ("d2", "Other")] {
        sqlx::query("INSERT INTO dashboards VALUES (NULL, $1, 'e', 0, $2, 1, 5, NULL)")
            .bind(name)
            .bind(title)
            .execute(&mut connection)
            .await
            .expect("inserted");
    }
    sqlx::Connection::close(connection).await.expect("closed");
    let store = place.open().await;
    let page = store.page(&ListQuery { search: fold("GRÖSSE"), ..all() }).await.expect("a page");
    assert_eq!((names(&page), page.total), (vec!["d1"], 1));
    assert_eq!(store.without_outline(None, 9).await, Ok(vec![id("d1"), id("d2")]));
    assert_eq!(store.delete(&id("d2"), &deletion(1), 9).await, Ok(true));
    assert_eq!(store.restore(&id("d2"), 9).await, Ok(true));
}
