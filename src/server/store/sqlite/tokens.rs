//! API tokens in the file.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::super::StoreError;
use super::accounts::{id, user};
use super::writer::Undone;
use super::{failed, signed, spoilt, unsigned};
use crate::app::access::Scope;
use crate::dashboard::UserId;
use crate::server::access::directory::TeamId;
use crate::server::access::tokens::{Token, TokenHash, TokenId};

/// Reads a row of the table.
pub(super) fn token(row: &SqliteRow) -> Result<Token, StoreError> {
    let hash: &[u8] = row.try_get("hash").map_err(failed)?;
    let team = row.try_get::<Option<&str>, _>("team").map_err(failed)?.is_some();
    let scopes: &str = row.try_get("scopes").map_err(failed)?;
    let scope = |name| Scope::of_name(name).ok_or_else(|| spoilt(format!("{name:?} is no scope")));
    Ok(Token {
        id: TokenId(id(row, "id")?),
        hash: TokenHash::new(hash.try_into().map_err(spoilt)?),
        name: row.try_get("name").map_err(failed)?,
        owner: user(row, "account")?,
        team: if team { Some(TeamId(id(row, "team")?)) } else { None },
        scopes: scopes.split_whitespace().map(scope).collect::<Result<_, _>>()?,
        prefix: row.try_get("prefix").map_err(failed)?,
        made_at: unsigned(row, "made_at")?,
        expires_at: time(row, "expires_at")?,
        used_at: time(row, "used_at")?,
    })
}

fn time(row: &SqliteRow, column: &str) -> Result<Option<u64>, StoreError> {
    let at: Option<i64> = row.try_get(column).map_err(failed)?;
    at.map(|at| u64::try_from(at).map_err(spoilt)).transpose()
}

/// Keeps a new token, or notes when it was used.
pub(super) async fn put(to: &mut SqliteConnection, token: &Token) -> Result<(), Undone> {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
    sqlx::query(
        "INSERT INTO tokens (id, hash, name, account, team, scopes, prefix, made_at, expires_at, used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at",
    )
    .bind(token.id.0.as_str())
    .bind(token.hash.as_bytes())
    .bind(token.name.as_str())
    .bind(token.owner.as_str())
    .bind(token.team.as_ref().map(|team| team.0.as_str()))
    .bind(scopes.join(" "))
    .bind(token.prefix.as_deref())
    .bind(signed(token.made_at))
    .bind(token.expires_at.map(signed))
    .bind(token.used_at.map(signed))
    .execute(to)
    .await?;
    Ok(())
}

pub(super) async fn remove(to: &mut SqliteConnection, id: &TokenId) -> Result<(), Undone> {
    sqlx::query("DELETE FROM tokens WHERE id = $1").bind(id.0.as_str()).execute(to).await?;
    Ok(())
}

/// Removes the tokens of an account.
pub(super) async fn remove_all_of(to: &mut SqliteConnection, account: &UserId) -> Result<(), Undone> {
    sqlx::query("DELETE FROM tokens WHERE account = $1").bind(account.as_str()).execute(to).await?;
    Ok(())
}
