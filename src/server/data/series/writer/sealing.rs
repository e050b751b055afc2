//! Sealing: batches become one row, in which the points of each series stand together in few bytes.
//!
//! The oldest that are not sealed go first, in one transaction in which the sealed row takes the number of the last
//! of them: of two points of one time the later one still counts, and a crash leaves either. Reading is done by the
//! writer, the work on a thread of its own, while points go on coming in. What comes late is sealed later, and
//! memory merges it.

use futures::TryStreamExt as _;
use sqlx::{Connection as _, Row as _};
use tokio::task::JoinHandle;

use super::super::memory::{Id, Memory, in_time_order};
use super::super::points::Point;
use super::super::{points_of_batch, sealed};
use super::{Packed, Writer};
use crate::server::store::StoreError;
use crate::server::store::sqlite::failed;
use crate::server::store::sqlite::writer::in_doubt;

/// Points of a series that are worth sealing together: what is kept once of each is little beside them.
const WORTH: usize = 64;
/// Points below which nothing is sealed while more come.
const LEAST: u64 = 1_000;
/// Points sealed at once: in memory each run of them takes 12 bytes meanwhile, beside its row.
const MOST: u64 = 1_000_000;
/// Batches sealed at once.
const MAX_ROWS: i64 = 20_000;
/// Where nothing comes any more, a part of what is worth it otherwise is sealed.
const QUIET_PART: u64 = 16;
/// Pages given back to the file's system at once, 16 MiB, and how few are not worth it.
const MAX_PAGES: i64 = 4_096;
const FEW_PAGES: i64 = 64;

/// A row of batches.
struct Batch {
    n: i64,
    body: Vec<u8>,
    is_sealed: bool,
}

/// A step that is under way.
pub(super) type Task = JoinHandle<Sealed>;

/// What a step makes of batches.
pub(super) struct Sealed {
    /// The numbers of the first batch, of the last that reads, and of the last.
    first: i64,
    last: i64,
    through: i64,
    /// The number of a row among them that was sealed already.
    tail: i64,
    /// Batches that do not read, and stay as they are.
    damaged: Vec<i64>,
    joined: Joined,
}

/// The points of many rows as those of one.
#[derive(Default)]
struct Joined {
    newest: u64,
    points: u64,
    body: Vec<u8>,
}

/// Waits for a step, where one is under way; `None` where it panicked.
pub(super) async fn sealed(task: &mut Option<Task>) -> Option<Sealed> {
    let done = match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    };
    done.inspect_err(|error| tracing::error!(%error, "points were not sealed")).ok()
}

impl Writer {
    /// Points from which on it is time to seal.
    fn worth_sealing(&self) -> u64 {
        (WORTH * self.memory.pushed()).clamp(LEAST as usize, MOST as usize) as u64
    }

    /// Begins a step where it is time; `is_quiet` where nothing comes any more. `before` is from when on points are kept.
    pub(super) async fn seal(&mut self, is_quiet: bool, before: Option<u64>) -> Result<(), StoreError> {
        let part = if is_quiet { QUIET_PART } else { 1 };
        // What is to be written anew comes out sealed.
        let is_busy = self.sealing.is_some() || self.anew.is_some() || self.is_too_large() || self.holds_off;
        if is_busy || self.open_points < self.worth_sealing() / part || self.last.failing().is_some() {
            return Ok(());
        }
        let batches = self.batches_to_seal().await?;
        if batches.is_empty() {
            self.open_points = 0;
            return Ok(());
        }
        let memory = self.memory.clone();
        self.sealing =
            Some(tokio::task::spawn_blocking(move || seal(&batches, &memory, before.unwrap_or(0))));
        Ok(())
    }

    /// The oldest batches that are not sealed, and the sealed row before them where it is small.
    async fn batches_to_seal(&mut self) -> Result<Vec<Batch>, StoreError> {
        let (worth, after) = (self.worth_sealing(), self.sealed_to);
        let connection = self.connection.get().await?;
        let (mut first, mut last, mut points) = (None, 0, 0);
        let numbers = "SELECT n, points FROM batches WHERE n > $1 AND sealed = 0 ORDER BY n LIMIT $2";
        let mut rows = sqlx::query(numbers).bind(after).bind(MAX_ROWS).fetch(&mut *connection);
        while points < MOST
            && let Some(row) = rows.try_next().await.map_err(failed)?
        {
            last = row.try_get(0).map_err(failed)?;
            first.get_or_insert(last);
            points += row.try_get::<i64, _>(1).map_err(failed)?.unsigned_abs();
        }
        drop(rows);
        let Some(first) = first else { return Ok(Vec::new()) };
        let tail = "SELECT n, points FROM batches WHERE n < $1 AND sealed = 1 ORDER BY n DESC LIMIT 1";
        let tail: Option<(i64, i64)> =
            sqlx::query_as(tail).bind(first).fetch_optional(&mut *connection).await.map_err(failed)?;
        let tail = tail.filter(|(_, points)| points.unsigned_abs() < worth).map_or(first, |(n, _)| n);
        let bodies = "SELECT n, sealed, body FROM batches
                      WHERE n = $1 OR (n BETWEEN $2 AND $3 AND sealed = 0) ORDER BY n";
        let mut rows = sqlx::query(bodies).bind(tail).bind(first).bind(last).fetch(connection);
        let mut batches = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            batches.push(Batch {
                n: row.try_get(0).map_err(failed)?,
                is_sealed: row.try_get(1).map_err(failed)?,
                body: row.try_get(2).map_err(failed)?,
            });
        }
        Ok(batches)
    }

    /// Puts what a step made in the place of what it was made of.
    pub(super) async fn put(&mut self, sealed: Option<Sealed>) -> Result<(), StoreError> {
        let Some(sealed) = sealed else {
            self.holds_off = true;
            return Ok(());
        };
        match self.replace(&sealed).await {
            Ok(()) => {
                self.sealed_to = sealed.through;
                self.wrote = true;
                Ok(())
            }
            Err(error) => {
                self.holds_off = true;
                Err(error)
            }
        }
    }

    async fn replace(&mut self, sealed: &Sealed) -> Result<(), StoreError> {
        let Sealed { first, last, through, tail, damaged, joined } = sealed;
        let Joined { newest, points, body } = joined;
        let spared: Vec<String> = damaged.iter().map(i64::to_string).collect();
        let delete = format!(
            "DELETE FROM batches WHERE n BETWEEN $1 AND $2 AND (sealed = 0 OR n = $3) AND n NOT IN ({})
             RETURNING points, sealed",
            spared.join(",")
        );
        let mut transaction =
            self.connection.get().await?.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let rows = sqlx::query(&delete).bind(first).bind(through).bind(tail).fetch_all(&mut *transaction);
        let rows = rows.await.map_err(failed)?;
        if *points > 0 {
            sqlx::query("INSERT INTO batches (n, newest, points, body, sealed) VALUES ($1, $2, $3, $4, 1)")
                .bind(last)
                .bind(i64::try_from(*newest).unwrap_or(i64::MAX))
                .bind(i64::try_from(*points).unwrap_or(i64::MAX))
                .bind(body)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(|error| in_doubt(failed(error)))?;
        self.forget(&rows)?;
        self.points += points;
        Ok(())
    }

    /// Gives pages that nothing is in back, where the file was made so that it can.
    pub(super) async fn give_back(&mut self) -> Result<(), StoreError> {
        let connection = self.connection.get().await?;
        let free: i64 =
            sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await.map_err(failed)?;
        if free > FEW_PAGES {
            let give_back = format!("PRAGMA incremental_vacuum({})", free.min(MAX_PAGES));
            sqlx::query(&give_back).fetch_all(connection).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Takes batches together, the later ones over the earlier. Series that are gone and what is too old stay behind.
fn seal(batches: &[Batch], memory: &Memory, before: u64) -> Sealed {
    let all = Vec::from_iter(batches);
    let (joined, damaged) = match join(&all, memory, before) {
        Some(joined) => (joined, Vec::new()),
        None => {
            let (whole, damaged) = all.into_iter().partition::<Vec<_>, _>(|batch| batch.reads());
            (join(&whole, memory, before).unwrap_or_default(), damaged)
        }
    };
    let numbers = || batches.iter().map(|batch| batch.n);
    let damaged: Vec<i64> = damaged.into_iter().map(|batch| batch.n).collect();
    Sealed {
        first: numbers().min().unwrap_or(0),
        last: numbers().filter(|n| !damaged.contains(n)).max().unwrap_or(0),
        through: numbers().max().unwrap_or(0),
        tail: batches.iter().rfind(|batch| batch.is_sealed).map_or(0, |batch| batch.n),
        damaged,
        joined,
    }
}

/// Joins batches; `None` where any of them does not read.
fn join(batches: &[&Batch], memory: &Memory, before: u64) -> Option<Joined> {
    let rows: Vec<Row> = batches.iter().map(|batch| batch.row()).collect::<Option<_>>()?;
    let mut runs = Vec::new();
    for (n, row) in (0..).zip(&rows) {
        row.find_runs(n, &mut runs)?;
    }
    // Those of one series stay in the order in which they came. The batches of a collector are in order already.
    runs.sort_by_key(|run| run.id);
    let mut joined = Joined::default();
    let mut points = Vec::new();
    for runs in runs.chunk_by(|one, next| one.id == next.id) {
        let Some(Run { id, .. }) = runs.first().filter(|run| memory.is_known(run.id)) else { continue };
        points.clear();
        for run in runs {
            rows[run.row as usize].add(run.at as usize, &mut points)?;
        }
        in_time_order(&mut points);
        let kept = &points[points.partition_point(|(at, _)| *at < before)..];
        sealed::seal(*id, kept, &mut joined.body);
        joined.newest = joined.newest.max(kept.last().map_or(0, |(at, _)| *at));
        joined.points += kept.len() as u64;
    }
    Some(joined)
}

/// Where points of one series are: in which row, and there at which byte or as which run.
struct Run {
    id: Id,
    row: u32,
    at: u32,
}

/// A row that is read.
enum Row<'a> {
    Open(&'a [u8]),
    Sealed(Vec<(Id, Vec<Point>)>),
}

impl Row<'_> {
    /// Adds where its runs are; `None` where it is seen already that it does not read.
    fn find_runs(&self, row: u32, runs: &mut Vec<Run>) -> Option<()> {
        match self {
            Self::Open(body) => {
                let mut rest = *body;
                while !rest.is_empty() {
                    let at = u32::try_from(body.len() - rest.len()).ok()?;
                    runs.push(Run { id: Packed::read(&mut rest)?.id, row, at });
                }
            }
            Self::Sealed(all) => runs.extend((0..).zip(all).map(|(at, (id, _))| Run { id: *id, row, at })),
        }
        Some(())
    }

    /// Adds the points of a run; `None` where they do not read.
    fn add(&self, at: usize, points: &mut Vec<Point>) -> Option<()> {
        match self {
            Self::Open(body) => Packed::read(&mut body.get(at..)?)?.add_to(points),
            Self::Sealed(runs) => {
                points.extend(&runs.get(at)?.1);
                Some(())
            }
        }
    }
}

impl Batch {
    /// Itself as a row; `None` where it is sealed and damaged.
    fn row(&self) -> Option<Row<'_>> {
        if !self.is_sealed {
            return Some(Row::Open(&self.body));
        }
        let opened = sealed::open(&self.body);
        (!opened.damaged).then_some(Row::Sealed(opened.runs))
    }

    /// True where all of it reads.
    fn reads(&self) -> bool {
        points_of_batch(&self.body, self.is_sealed).1
    }
}

#[cfg(test)]
#[path = "sealing_tests.rs"]
mod tests;
