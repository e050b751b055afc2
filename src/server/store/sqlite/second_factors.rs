//! Second factors in the file.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Acquire as _, Row as _};

use super::super::StoreError;
use super::accounts::user;
use super::writer::Undone;
use super::{failed, signed, spoilt, unsigned};
use crate::dashboard::UserId;
use crate::server::access::second_factor::{RecoveryHash, SecondFactor, TotpSecret};

/// What there is to write of second factors.
pub(super) enum SecondFactorWrite {
    Put(SecondFactor),
    Remove(UserId),
}

/// All second factors, as of one moment.
pub(super) async fn second_factors(readers: &SqlitePool) -> Result<Vec<SecondFactor>, StoreError> {
    let mut reader = readers.acquire().await.map_err(failed)?;
    let mut moment = reader.begin().await.map_err(failed)?;
    let query = sqlx::query("SELECT account, hash FROM recovery_codes");
    let mut left: BTreeMap<UserId, BTreeSet<RecoveryHash>> = BTreeMap::new();
    for row in query.fetch_all(&mut *moment).await.map_err(failed)? {
        let hash: &[u8] = row.try_get("hash").map_err(failed)?;
        let hash = RecoveryHash(hash.try_into().map_err(spoilt)?);
        left.entry(user(&row, "account")?).or_default().insert(hash);
    }
    let query = sqlx::query("SELECT * FROM second_factors ORDER BY account");
    let mut factors = Vec::new();
    for row in query.fetch_all(&mut *moment).await.map_err(failed)? {
        let account = user(&row, "account")?;
        let secret: &[u8] = row.try_get("secret").map_err(failed)?;
        factors.push(SecondFactor {
            secret: TotpSecret(secret.try_into().map_err(spoilt)?),
            confirmed_at: unsigned(&row, "confirmed_at")?,
            last_step: unsigned(&row, "last_step")?,
            recovery: left.remove(&account).unwrap_or_default(),
            account,
        });
    }
    moment.commit().await.map_err(failed)?;
    Ok(factors)
}

pub(super) async fn write(to: &mut SqliteConnection, write: &SecondFactorWrite) -> Result<(), Undone> {
    match write {
        SecondFactorWrite::Put(factor) => put(to, factor).await,
        SecondFactorWrite::Remove(account) => {
            let query = sqlx::query("DELETE FROM second_factors WHERE account = $1").bind(account.as_str());
            query.execute(to).await?;
            Ok(())
        }
    }
}

async fn put(to: &mut SqliteConnection, factor: &SecondFactor) -> Result<(), Undone> {
    sqlx::query(
        "INSERT INTO second_factors (account, secret, confirmed_at, last_step) VALUES ($1, $2, $3, $4)
         ON CONFLICT (account) DO UPDATE SET secret = excluded.secret, confirmed_at = excluded.confirmed_at,
            last_step = excluded.last_step",
    )
    .bind(factor.account.as_str())
    .bind(&factor.secret.0[..])
    .bind(signed(factor.confirmed_at))
    .bind(signed(factor.last_step))
    .execute(&mut *to)
    .await?;
    let query = sqlx::query("DELETE FROM recovery_codes WHERE account = $1").bind(factor.account.as_str());
    query.execute(&mut *to).await?;
    for hash in &factor.recovery {
        let query = sqlx::query("INSERT INTO recovery_codes (account, hash) VALUES ($1, $2)");
        query.bind(factor.account.as_str()).bind(&hash.0[..]).execute(&mut *to).await?;
    }
    Ok(())
}
