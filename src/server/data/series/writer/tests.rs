//! Tests of the writer of series on a real file.

use super::super::key::selectors;
use super::super::{Bounds, Run, SeriesStore};
use super::*;

fn run(whole: &str, from: u64, count: u64) -> Run {
    let points = (from..from + count).map(|at| (at, (at % 1_000) as f64)).collect();
    Run { key: Key::read(whole).expect("a key"), points, place: 1 }
}

fn bounds(points_per_series: usize) -> Bounds {
    Bounds { series: 10, points_per_series, points: usize::MAX, kept_ms: 3_600_000 }
}

fn count(store: &SeriesStore, query: &str) -> usize {
    let (found, _) = store.memory().find(&selectors(query)[0], 9, |_| 0, u64::MAX);
    let mut count = 0;
    found.iter().for_each(|one| one.view.each(|_| count += 1));
    count
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("series.db");
    let now = now_ms();
    let store = SeriesStore::open(&file, bounds(100_000)).await.expect("opens");
    let old = run("old", now - 3_700_000, 5);
    let taken = store.push(vec![run("a{host=x}", now - 9_000, 600), old]).await.expect("taken");
    assert_eq!((taken.points, taken.refused.len()), (605, 0));
    store.push(vec![run("a{host=x}", now - 8_500, 200)]).await.expect("taken");
    store.close().await;
    assert_eq!(store.push(vec![run("a", now, 1)]).await, Err(StoreError::Closed));
    let store = SeriesStore::open(&file, bounds(100_000)).await.expect("opens");
    assert_eq!((count(&store, "a"), count(&store, "old")), (700, 0));
    store.close().await;
}

#[tokio::test]
async fn a_name_that_could_not_be_removed_does_not_cost_the_points_that_come_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("series.db");
    let now = now_ms();
    let open = || Writer::open(&file, Arc::new(Memory::new(bounds(1_000))), Arc::default());
    let old = Some(now - 3_600_000);
    async fn push(writer: &mut Writer, run: Run) -> u64 {
        let (done, outcome) = oneshot::channel();
        writer.take(vec![Waiting { runs: vec![run].into(), done }]).await;
        outcome.await.expect("an answer").expect("taken").points
    }
    let mut writer = open().await.expect("opens");
    let no = "CREATE TRIGGER no BEFORE DELETE ON series BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::raw_sql(no).execute(writer.connection.get().await.expect("opens")).await.expect("a trigger");
    assert_eq!(push(&mut writer, run("a", now - 3_700_000, 5)).await, 5);
    assert!(writer.sweep(old).await.is_err());
    assert_eq!(writer.gone.len(), 1, "it is tried again");
    assert_eq!(push(&mut writer, run("a", now, 3)).await, 3);
    writer.connection.close().await;
    let found = |writer: &Writer| writer.memory.find(&selectors("a")[0], 9, |_| 0, u64::MAX).0;
    let mut writer = open().await.expect("opens");
    assert_eq!(found(&writer)[0].view.at_most(), 3);
    sqlx::raw_sql("DROP TRIGGER no")
        .execute(writer.connection.get().await.expect("opens"))
        .await
        .expect("dropped");
    writer.gone.push(77);
    writer.sweep(old).await.expect("tidied up");
    assert!(writer.gone.is_empty() && found(&writer).len() == 1);
}

#[tokio::test]
async fn s10_the_file_stays_about_as_large_as_what_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("series.db");
    let now = now_ms() - 3_000_000;
    let store = SeriesStore::open(&file, bounds(1_000)).await.expect("opens");
    for part in 0..30 {
        store.push(vec![run("a", now + part * 100_000, 100_000)]).await.expect("taken");
    }
    store.push(vec![run("b", now, 1)]).await.expect("taken");
    assert!(count(&store, "a") >= 1_000);
    store.close().await;
    let mut writer =
        Writer::open(&file, Arc::new(Memory::new(bounds(1_000))), Arc::default()).await.expect("opens");
    writer.sweep(None).await.expect("swept");
    // A step of sealing that was under way when it closed may have put this off.
    writer.look_at_size().await;
    while writer.anew.is_some() {
        writer.write_anew().await.expect("written anew");
    }
    assert!(!writer.is_too_large(), "{} points in the file", writer.points);
    let points = writer.memory.size().points;
    assert!((1_001..1_600).contains(&points), "{points} points of the two series");
}
