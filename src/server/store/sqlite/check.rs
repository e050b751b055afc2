//! Check of the file after the start, beside everything else: whether its pages read, and which dashboards
//! are hit where some do not.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::task::JoinHandle;

use super::super::StoreError;
use super::failed;

/// From the start to the check: those who come back to a server that starts go first.
const AFTER: Duration = Duration::from_secs(1);
/// Steps of the check between two pauses, and how long each is: most of a core stays free.
const STEPS: i32 = 1_000;
const PAUSE: Duration = Duration::from_millis(1);
/// Damaged dashboards that are named; of more the number.
const NAMED: usize = 10;

/// The check of one file.
pub(super) struct Check {
    found: Arc<Mutex<Option<Vec<String>>>>,
    stopped: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Check {
    /// Begins it.
    pub(super) fn start(readers: SqlitePool) -> Self {
        let found = Arc::new(Mutex::new(None));
        let stopped = Arc::new(AtomicBool::new(false));
        let (result, stop) = (found.clone(), stopped.clone());
        let task = tokio::spawn(async move {
            tokio::time::sleep(AFTER).await;
            match check(&readers, stop).await {
                Ok(damage) => {
                    damage.iter().for_each(|words| tracing::error!("{words}"));
                    *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(damage);
                }
                Err(StoreError::Closed) => {}
                Err(error) => tracing::warn!(%error, "the database could not be checked"),
            }
        });
        Self { found, stopped, task }
    }

    /// The damage in words, and whether the check has ended.
    pub(super) fn found(&self) -> (Vec<String>, bool) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_checked = found.is_some();
        (found.unwrap_or_default(), is_checked)
    }

    /// Ends it where it is.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.task.abort();
    }
}

async fn check(readers: &SqlitePool, stop: Arc<AtomicBool>) -> Result<Vec<String>, StoreError> {
    let mut reader = readers.acquire().await.map_err(failed)?;
    reader.lock_handle().await.map_err(failed)?.set_progress_handler(STEPS, move || {
        std::thread::sleep(PAUSE);
        !stop.load(Relaxed)
    });
    let damage = damage(&mut reader).await;
    // With what it was told for the check it goes to nobody else.
    let _ = reader.close().await;
    damage
}

/// What is damaged in a file, in words; empty where all of it reads.
pub(in crate::server) async fn damage(reader: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let first = match sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut *reader).await {
        Ok(words) if words == "ok" => return Ok(Vec::new()),
        Ok(words) => words,
        Err(error) => match failed(error) {
            StoreError::Damaged(words) => words,
            error => return Err(error),
        },
    };
    let dashboards =
        sqlx::query("SELECT n, id, title FROM dashboards ORDER BY n").fetch_all(&mut *reader).await;
    let dashboards = match dashboards.map_err(failed) {
        Ok(rows) => rows,
        Err(StoreError::Damaged(_)) => return Ok(vec![whole_file(&first)]),
        Err(error) => return Err(error),
    };
    let (mut damage, mut more) = (Vec::new(), 0);
    for row in dashboards {
        let n: i64 = row.try_get(0).map_err(failed)?;
        let Some(why) = damage_of(reader, n).await? else { continue };
        if damage.len() == NAMED {
            more += 1;
            continue;
        }
        let (id, title): (&str, &str) = (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
        damage.push(format!(
            "The dashboard \"{title}\" ({id}) is damaged in the database: {why}. The others go on. A backup \
             from before has it whole."
        ));
    }
    if more > 0 {
        damage.push(format!("{more} more dashboards are damaged."));
    }
    if damage.is_empty() {
        damage.push(whole_file(&first));
    }
    Ok(damage)
}

fn whole_file(why: &str) -> String {
    format!(
        "The database lockstep.db is damaged: {why}. Copy the data directory before anything else, and put back \
         a backup that is whole."
    )
}

/// Reads all of one dashboard; why where that does not succeed.
async fn damage_of(reader: &mut SqliteConnection, n: i64) -> Result<Option<String>, StoreError> {
    match read_all(reader, n).await {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some("its edits and their index differ".to_owned())),
        Err(StoreError::Damaged(why)) => Ok(Some(why)),
        Err(error) => Err(error),
    }
}

/// True where its rows and the index of its edits agree.
async fn read_all(reader: &mut SqliteConnection, n: i64) -> Result<bool, StoreError> {
    let snapshot = sqlx::query("SELECT revision, state FROM snapshots WHERE dashboard = $1").bind(n);
    let snapshot = snapshot.fetch_optional(&mut *reader).await.map_err(failed)?;
    let mut rows = sqlx::query("SELECT revision, client, seq, body FROM commits WHERE dashboard = $1")
        .bind(n)
        .fetch(&mut *reader);
    let mut count = 0;
    while rows.try_next().await.map_err(failed)?.is_some() {
        count += 1;
    }
    drop(rows);
    let indexed: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM commits INDEXED BY commits_client WHERE dashboard = $1")
            .bind(n)
            .fetch_one(reader)
            .await
            .map_err(failed)?;
    Ok(snapshot.is_some() && indexed == count)
}
