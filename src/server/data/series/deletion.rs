//! Deletion of series: from the file, then from memory, by the one who writes both.

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::matching::Match;
use super::memory::{Id, Memory};
use crate::server::store::StoreError;
use crate::server::store::sqlite::connection::WriteConnection;
use crate::server::store::sqlite::failed;
use crate::server::store::sqlite::writer::in_doubt;

/// What there is to delete.
pub(super) struct Deletion {
    pub(super) wanted: Match,
    pub(super) done: oneshot::Sender<Result<usize, StoreError>>,
}

impl Deletion {
    /// Does it, and answers. Points go with the rows that they are in: without a name they are nobody's.
    pub(super) async fn run(self, connection: &mut WriteConnection, memory: &Memory) {
        let ids = memory.matching(&self.wanted);
        let deleted = match connection.get().await {
            Ok(connection) => delete_names(connection, &ids).await,
            Err(error) => Err(error),
        };
        let deleted = connection.outcome(deleted);
        if deleted.is_ok() {
            memory.remove(&ids);
        }
        // Whoever asked may be gone; what is deleted stays deleted.
        let _ = self.done.send(deleted.map(|()| ids.len()));
    }
}

async fn delete_names(connection: &mut SqliteConnection, ids: &[Id]) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    for id in ids {
        sqlx::query("DELETE FROM series WHERE id = $1")
            .bind(i64::from(*id))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(|error| in_doubt(failed(error)))
}

#[cfg(test)]
mod tests {
    use super::super::key::{Key, selectors};
    use super::super::{Bounds, Run, SeriesStore};
    use super::*;
    use crate::server::clock::now_ms;

    fn run(whole: &str, from: u64, count: u64) -> Run {
        let points = (from..from + count).map(|at| (at, 1.0)).collect();
        Run { key: Key::read(whole).expect("a key"), points, place: 1 }
    }

    fn count(store: &SeriesStore, query: &str) -> usize {
        let (found, _) = store.memory().find(&selectors(query)[0], 9, |_| 0, u64::MAX);
        found.iter().map(|one| one.view.at_most()).sum()
    }

    #[tokio::test]
    async fn what_was_deleted_frees_its_place_and_stays_deleted_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("series.db");
        let now = now_ms();
        let few = Bounds { series: 2, points_per_series: 1_000, points: usize::MAX, kept_ms: 3_600_000 };
        let store = SeriesStore::open(&file, few).await.expect("opens");
        store.push(vec![run("a{host=x}", now, 5), run("b", now, 7)]).await.expect("taken");
        let refused = store.push(vec![run("c", now, 1)]).await.expect("an answer").refused;
        assert_eq!(refused.len(), 1);
        let wanted = |text: &str| Match::read(text).expect("a match");
        assert_eq!(store.delete(wanted("none")).await, Ok(0));
        assert_eq!(store.delete(wanted("a")).await, Ok(1));
        assert_eq!((count(&store, "a"), store.memory().size().points), (0, 7));
        assert_eq!(store.push(vec![run("c", now, 3)]).await.expect("an answer").points, 3);
        store.close().await;
        assert_eq!(store.delete(wanted("b")).await, Err(StoreError::Closed));
        let store = SeriesStore::open(&file, few).await.expect("opens");
        assert_eq!((count(&store, "a"), count(&store, "b"), count(&store, "c")), (0, 7, 3));
        assert_eq!(store.delete(wanted("*")).await, Ok(2));
        let (points, series) = (store.memory().points(), store.memory().size().series);
        assert_eq!((points, series), (0, 0));
        store.push(vec![run("a{host=x}", now, 2)]).await.expect("taken");
        assert_eq!(count(&store, "a"), 2, "the name begins anew");
        store.close().await;
    }
}
