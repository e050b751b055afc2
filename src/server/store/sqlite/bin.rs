//! Writes to the bin, favourites and outlines, within the writer's transaction.

use sqlx::sqlite::SqliteConnection;

use super::super::{Deletion, Listing, MAX_ALL_FAVOURITES, MAX_FAVOURITES, StoreError};
use super::writer::Undone;
use super::{signed, spoilt};
use crate::dashboard::{DashboardId, User, UserId};

/// Moves a dashboard into the bin, where fewer than `most` are in it.
pub(super) async fn delete(
    to: &mut SqliteConnection,
    id: &DashboardId,
    deletion: &Deletion,
    most: usize,
) -> Result<(), Undone> {
    let moved = sqlx::query(
        "UPDATE dashboards SET deleted_at = $1, deleted_by = $2 WHERE id = $3 AND deleted_at IS NULL
         AND (SELECT COUNT(*) FROM dashboards WHERE deleted_at IS NOT NULL) < $4",
    )
    .bind(signed(deletion.at))
    .bind(json(deletion.by.as_ref())?)
    .bind(id.as_str())
    .bind(signed(most as u64))
    .execute(&mut *to)
    .await?;
    if moved.rows_affected() > 0 {
        return Ok(());
    }
    let there = sqlx::query("SELECT 1 FROM dashboards WHERE id = $1 AND deleted_at IS NULL")
        .bind(id.as_str())
        .fetch_optional(to)
        .await?;
    Err(Undone::Nothing(if there.is_some() { StoreError::TooMany } else { StoreError::Gone }))
}

/// Brings a dashboard back, where fewer than `most` are out of the bin.
pub(super) async fn restore(to: &mut SqliteConnection, id: &DashboardId, most: usize) -> Result<(), Undone> {
    let moved = sqlx::query(
        "UPDATE dashboards SET deleted_at = NULL, deleted_by = NULL WHERE id = $1 AND deleted_at IS NOT NULL
         AND (SELECT COUNT(*) FROM dashboards WHERE deleted_at IS NULL) < $2",
    )
    .bind(id.as_str())
    .bind(signed(most as u64))
    .execute(&mut *to)
    .await?;
    if moved.rows_affected() > 0 {
        return Ok(());
    }
    let there = sqlx::query("SELECT 1 FROM dashboards WHERE id = $1 AND deleted_at IS NOT NULL")
        .bind(id.as_str())
        .fetch_optional(to)
        .await?;
    Err(Undone::Nothing(if there.is_some() { StoreError::TooMany } else { StoreError::Gone }))
}

/// Removes one for good that came into the bin before a time.
pub(super) async fn purge(to: &mut SqliteConnection, id: &DashboardId, before: u64) -> Result<(), Undone> {
    let query = sqlx::query("DELETE FROM dashboards WHERE id = $1 AND deleted_at < $2");
    let gone = query.bind(id.as_str()).bind(signed(before)).execute(to).await?;
    if gone.rows_affected() > 0 { Ok(()) } else { Err(Undone::Nothing(StoreError::Gone)) }
}

/// Marks a favourite, or not any more.
pub(super) async fn set_favourite(
    to: &mut SqliteConnection,
    user: &UserId,
    id: &DashboardId,
    favourite: bool,
) -> Result<(), Undone> {
    if !favourite {
        let query = sqlx::query(
            "DELETE FROM favourites WHERE person = $1
             AND dashboard = (SELECT n FROM dashboards WHERE id = $2)",
        );
        query.bind(user.as_str()).bind(id.as_str()).execute(to).await?;
        return Ok(());
    }
    let there = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM favourites WHERE person = $1 AND dashboard = n) AS marked
         FROM dashboards WHERE id = $2 AND deleted_at IS NULL",
    )
    .bind(user.as_str())
    .bind(id.as_str())
    .fetch_optional(&mut *to)
    .await?;
    let Some(row) = there else { return Err(Undone::Nothing(StoreError::Gone)) };
    if sqlx::Row::try_get::<bool, _>(&row, "marked")? {
        return Ok(());
    }
    let marked = sqlx::query(
        "INSERT INTO favourites (person, dashboard) SELECT $1, n FROM dashboards WHERE id = $2
         AND (SELECT COUNT(*) FROM favourites WHERE person = $1) < $3
         AND (SELECT COUNT(*) FROM favourites) < $4",
    )
    .bind(user.as_str())
    .bind(id.as_str())
    .bind(signed(MAX_FAVOURITES as u64))
    .bind(signed(MAX_ALL_FAVOURITES as u64))
    .execute(to)
    .await?;
    if marked.rows_affected() > 0 { Ok(()) } else { Err(Undone::Nothing(StoreError::TooMany)) }
}

/// Keeps an outline where there is none.
pub(super) async fn set_outline(
    to: &mut SqliteConnection,
    id: &DashboardId,
    outline: &str,
) -> Result<(), Undone> {
    let query = sqlx::query("UPDATE dashboards SET outline = $1 WHERE id = $2 AND outline IS NULL");
    query.bind(outline).bind(id.as_str()).execute(to).await?;
    Ok(())
}

/// Tags as they are kept.
pub(super) fn tags(listing: &Listing) -> Result<String, Undone> {
    serde_json::to_string(&listing.tags).map_err(|error| Undone::Nothing(spoilt(error)))
}

/// A user as JSON.
pub(super) fn json(user: Option<&User>) -> Result<Option<String>, Undone> {
    user.map(serde_json::to_string).transpose().map_err(|error| Undone::Nothing(spoilt(error)))
}
