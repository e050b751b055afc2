//! Identities of accounts in the file.

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::super::StoreError;
use super::accounts::user;
use super::writer::Undone;
use super::{failed, signed, unsigned};
use crate::server::access::directory::Change;
use crate::server::access::identities::Identity;

/// The changes that make all identities.
pub(super) async fn identities(from: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
    let rows = sqlx::query("SELECT issuer, subject, account, made_at, used_at FROM identities");
    let rows = rows.fetch_all(from).await.map_err(failed)?;
    let identity = |row| {
        Ok(Change::PutIdentity(Identity {
            account: user(row, "account")?,
            issuer: row.try_get("issuer").map_err(failed)?,
            subject: row.try_get("subject").map_err(failed)?,
            made_at: unsigned(row, "made_at")?,
            used_at: unsigned(row, "used_at")?,
        }))
    };
    rows.iter().map(identity).collect()
}

/// Keeps a new identity, or notes when it was used.
pub(super) async fn put(to: &mut SqliteConnection, identity: &Identity) -> Result<(), Undone> {
    sqlx::query(
        "INSERT INTO identities (issuer, subject, account, made_at, used_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (issuer, subject) DO UPDATE SET used_at = excluded.used_at",
    )
    .bind(identity.issuer.as_str())
    .bind(identity.subject.as_str())
    .bind(identity.account.as_str())
    .bind(signed(identity.made_at))
    .bind(signed(identity.used_at))
    .execute(to)
    .await?;
    Ok(())
}

pub(super) async fn remove(to: &mut SqliteConnection, issuer: &str, subject: &str) -> Result<(), Undone> {
    let query = sqlx::query("DELETE FROM identities WHERE issuer = $1 AND subject = $2");
    query.bind(issuer).bind(subject).execute(to).await?;
    Ok(())
}
