//! Tests of sealing on a real file.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::super::key::Key;
use super::super::super::key::selectors;
use super::super::super::{Bounds, Run};
use super::super::{Waiting, oneshot};
use super::*;
use crate::server::clock::now_ms;

const KEPT_MS: u64 = 3_600_000;

struct File {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
}

impl File {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("series.db");
        Self { _dir: dir, path }
    }

    async fn open(&self) -> Writer {
        let bounds = Bounds { series: 100, points_per_series: 100_000, points: usize::MAX, kept_ms: KEPT_MS };
        let memory = std::sync::Arc::new(Memory::new(bounds));
        Writer::open(&self.path, memory, std::sync::Arc::default()).await.expect("opens")
    }
}

async fn push(writer: &mut Writer, name: &str, points: &[Point]) {
    let run = Run { key: Key::read(name).expect("a key"), points: points.to_vec(), place: 1 };
    let (done, outcome) = oneshot::channel();
    writer.take(vec![Waiting { runs: vec![run].into(), done }]).await;
    assert_eq!(outcome.await.expect("an answer").expect("taken").points, points.len() as u64);
}

/// Seals what there is.
async fn seal_all(writer: &mut Writer, before: Option<u64>) {
    writer.seal(true, before).await.expect("begins");
    if writer.sealing.is_some() {
        let made = sealed(&mut writer.sealing).await;
        writer.sealing = None;
        writer.put(made).await.expect("put");
    }
}

/// The points of a series, with their bits.
fn points(writer: &Writer, name: &str) -> Vec<(u64, u64)> {
    let mut points = Vec::new();
    let (found, _) = writer.memory.find(&selectors(name)[0], 1, |_| 0, u64::MAX);
    found.iter().for_each(|one| one.view.each(|(at, value)| points.push((at, value.to_bits()))));
    points
}

/// Each row of batches: whether it is sealed, and its points.
async fn rows(writer: &mut Writer) -> Vec<(bool, i64)> {
    let rows = sqlx::query_as("SELECT sealed, points FROM batches ORDER BY n");
    rows.fetch_all(writer.connection.get().await.expect("opens")).await.expect("rows")
}

fn figures(begin: u64, count: u64) -> Vec<Point> {
    (0..count).map(|n| (begin + n * 1_000, (n % 70) as f64 / 10.0)).collect()
}

#[tokio::test]
async fn many_batches_become_one_row_and_read_the_same() {
    let file = File::new();
    let mut writer = file.open().await;
    let begin = now_ms() - 3_000_000;
    for (n, part) in figures(begin, 2_000).chunks(100).enumerate() {
        push(&mut writer, ["a", "b{host=x}"][n % 2], part).await;
    }
    let (a, b) = (points(&writer, "a"), points(&writer, "b"));
    writer.seal(false, None).await.expect("begins");
    let made = sealed(&mut writer.sealing).await;
    writer.sealing = None;
    // What comes meanwhile is not touched.
    push(&mut writer, "a", &[(begin, 77.0)]).await;
    writer.put(made).await.expect("put");
    assert_eq!(rows(&mut writer).await, [(true, 2_000), (false, 1)]);
    assert_eq!((writer.points, writer.open_points), (2_001, 1));
    writer.connection.close().await;
    let writer = file.open().await;
    assert_eq!((writer.points, writer.open_points), (2_001, 1));
    assert_eq!(points(&writer, "b"), b);
    assert_eq!(points(&writer, "a")[0], (begin, 77_f64.to_bits()), "a correction of what is sealed counts");
    assert_eq!(points(&writer, "a")[1..], a[1..]);
    writer.connection.close().await;
}

#[tokio::test]
async fn a_small_sealed_row_is_sealed_anew_with_what_comes_behind_it() {
    let file = File::new();
    let mut writer = file.open().await;
    let begin = now_ms() - 3_000_000;
    for part in figures(begin, 600).chunks(100) {
        push(&mut writer, "a", part).await;
        seal_all(&mut writer, None).await;
    }
    assert_eq!(rows(&mut writer).await, [(true, 600)]);
    for part in figures(begin + 600_000, 800).chunks(100) {
        push(&mut writer, "a", part).await;
        seal_all(&mut writer, None).await;
    }
    assert_eq!(rows(&mut writer).await, [(true, 1_000), (true, 400)], "one that is large enough stays");
    assert_eq!(points(&writer, "a").len(), 1_400);
    writer.connection.close().await;
}

#[tokio::test]
async fn what_is_too_old_or_nobodys_stays_behind() {
    let file = File::new();
    let mut writer = file.open().await;
    let begin = now_ms() - 3_000_000;
    push(&mut writer, "a", &figures(begin, 500)).await;
    push(&mut writer, "gone", &figures(begin, 500)).await;
    let (done, deleted) = oneshot::channel();
    let wanted = super::super::super::matching::Match::read("gone").expect("a name");
    let deletion = super::super::Deletion { wanted, done };
    deletion.run(&mut writer.connection, &writer.memory).await;
    assert_eq!(deleted.await.expect("an answer"), Ok(1));
    seal_all(&mut writer, Some(begin + 200_000)).await;
    assert_eq!(rows(&mut writer).await, [(true, 300)]);
    // And the row goes when all that is in it is too old.
    writer.sweep(Some(begin + 600_000)).await.expect("swept");
    assert_eq!(rows(&mut writer).await, []);
    assert_eq!((writer.points, writer.open_points), (0, 0));
    writer.connection.close().await;
}

#[tokio::test]
async fn a_batch_that_does_not_read_stays_as_it_is_and_spares_the_others() {
    let file = File::new();
    let mut writer = file.open().await;
    let begin = now_ms() - 3_000_000;
    for n in 0..4 {
        push(&mut writer, "a", &figures(begin + n * 100_000, 100)).await;
    }
    let spoil = "UPDATE batches SET body = x'0102' WHERE n IN (2, 4)";
    sqlx::raw_sql(spoil).execute(writer.connection.get().await.expect("opens")).await.expect("spoilt");
    seal_all(&mut writer, None).await;
    assert_eq!(rows(&mut writer).await, [(false, 100), (true, 200), (false, 100)]);
    writer.connection.close().await;
    let mut writer = file.open().await;
    assert_eq!(points(&writer, "a").len(), 200);
    // A sealed one loses what is damaged of it, and no more.
    push(&mut writer, "b", &figures(begin, 1_000)).await;
    push(&mut writer, "c", &figures(begin, 1_000)).await;
    seal_all(&mut writer, None).await;
    let damage = "UPDATE batches SET body = CAST(substr(body, 1, length(body) - 1) || x'5a' AS BLOB) WHERE sealed = 1 AND points > 1000";
    sqlx::raw_sql(damage).execute(writer.connection.get().await.expect("opens")).await.expect("damaged");
    writer.connection.close().await;
    let writer = file.open().await;
    assert_eq!((points(&writer, "b").len(), points(&writer, "c").len()), (1_000, 0));
    writer.connection.close().await;
}

#[tokio::test]
async fn a_file_of_before_opens_and_is_sealed_and_a_new_one_gives_back_what_is_free() {
    let file = File::new();
    let mut writer = file.open().await;
    let begin = now_ms() - 3_000_000;
    let noise = |n: u64| (begin + n, (n * 7_919 % 1_000) as f64 / 10.0);
    for part in 0..40 {
        let points: Vec<Point> = (part * 2_500..(part + 1) * 2_500).map(noise).collect();
        push(&mut writer, "a", &points).await;
    }
    let before = points(&writer, "a");
    let of_before = "ALTER TABLE batches DROP COLUMN sealed; DELETE FROM _sqlx_migrations WHERE version = 3";
    sqlx::raw_sql(of_before).execute(writer.connection.get().await.expect("opens")).await.expect("altered");
    writer.connection.close().await;
    let large = std::fs::metadata(&file.path).expect("there").len();
    let mut writer = file.open().await;
    assert_eq!(writer.open_points, 100_000);
    seal_all(&mut writer, None).await;
    assert_eq!(rows(&mut writer).await, [(true, 100_000)]);
    writer.looks = super::super::QUIET;
    writer.rest().await.expect("given back");
    writer.connection.close().await;
    let small = std::fs::metadata(&file.path).expect("there").len();
    assert!(small < large - 150_000, "{large} bytes before, {small} now");
    let writer = file.open().await;
    assert_eq!(points(&writer, "a"), before);
    writer.connection.close().await;
}

/// What may happen to a store, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Push(u8, Vec<(u16, i8)>),
    Seal,
    Anew,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pushes = (0..3_u8, prop::collection::vec((0..400_u16, any::<i8>()), 1..120));
    let step = prop_oneof![
        6 => pushes.prop_map(|(series, points)| Step::Push(series, points)),
        2 => Just(Step::Seal),
        1 => Just(Step::Anew),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..25)
}

#[test]
fn however_it_is_sealed_the_point_that_came_last_counts() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // Each case is a database on a disk.
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let outcome = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            let (file, begin) = (File::new(), now_ms() - 3_000_000);
            let mut writer = file.open().await;
            let mut model: BTreeMap<(u8, u64), u64> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Push(series, points) => {
                        let mut points: Vec<Point> = points
                            .iter()
                            .map(|(at, value)| (begin + u64::from(*at), f64::from(*value)))
                            .collect();
                        in_time_order(&mut points);
                        push(&mut writer, &format!("s{series}"), &points).await;
                        model.extend(points.iter().map(|(at, value)| ((series, *at), value.to_bits())));
                    }
                    Step::Seal => seal_all(&mut writer, None).await,
                    Step::Anew => {
                        writer.anew = Some(writer.begin_anew().await.expect("begins"));
                        while writer.anew.is_some() {
                            writer.write_anew().await.expect("written");
                        }
                    }
                    Step::Reopen => {
                        writer.connection.close().await;
                        writer = file.open().await;
                    }
                }
            }
            writer.connection.close().await;
            let writer = file.open().await;
            for series in 0..3 {
                let expected: Vec<(u64, u64)> = model
                    .range((series, 0)..=(series, u64::MAX))
                    .map(|((_, at), bits)| (*at, *bits))
                    .collect();
                prop_assert_eq!(points(&writer, &format!("s{series}")), expected);
            }
            writer.connection.close().await;
            Ok(())
        })
    });
    outcome.expect("the last counts");
}
