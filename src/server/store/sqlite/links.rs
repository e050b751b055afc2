//! Share links, and the visits of those who came by them, in the file.

use futures::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::super::StoreError;
use super::accounts::{dashboard, role, role_text, user};
use super::writer::Undone;
use super::{failed, signed, spoilt, unsigned};
use crate::server::access::directory::Change;
use crate::server::access::links::{Link, LinkId};
use crate::server::access::visits::{Visit, VisitHash};

/// What there is to write of visits.
pub(super) enum VisitWrite {
    Put { visit: Visit, removed: Vec<VisitHash> },
    Uses(Vec<(VisitHash, u64)>),
    Remove(Vec<VisitHash>),
}

/// The changes that make all links.
pub(super) async fn links(moment: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
    let mut rows =
        sqlx::query("SELECT d.id, l.* FROM links l JOIN dashboards d ON d.n = l.dashboard").fetch(moment);
    let mut links = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let hash: &[u8] = row.try_get("hash").map_err(failed)?;
        links.push(Change::PutLink(Link {
            id: LinkId::new(hash.try_into().map_err(spoilt)?),
            dashboard: dashboard(&row)?,
            role: role(&row)?,
            may_query: row.try_get("may_query").map_err(failed)?,
            password: row.try_get("password").map_err(failed)?,
            name_required: row.try_get("name_required").map_err(failed)?,
            label: row.try_get("label").map_err(failed)?,
            made_by: row.try_get("made_by").map_err(failed)?,
            made_at: unsigned(&row, "made_at")?,
            expires_at: unsigned(&row, "expires_at")?,
        }));
    }
    Ok(links)
}

pub(super) async fn put_link(to: &mut SqliteConnection, link: &Link) -> Result<(), Undone> {
    let query = sqlx::query(
        "INSERT INTO links
            (hash, dashboard, role, may_query, password, name_required, label, made_by, made_at, expires_at)
         SELECT $1, n, $3, $4, $5, $6, $7, $8, $9, $10 FROM dashboards WHERE id = $2",
    );
    let done = query
        .bind(link.id.as_bytes())
        .bind(link.dashboard.as_str())
        .bind(role_text(link.role))
        .bind(link.may_query)
        .bind(link.password.as_deref())
        .bind(link.name_required)
        .bind(link.label.as_str())
        .bind(link.made_by.as_str())
        .bind(signed(link.made_at))
        .bind(signed(link.expires_at))
        .execute(to)
        .await?;
    if done.rows_affected() == 0 { Err(Undone::Half(StoreError::Gone)) } else { Ok(()) }
}

pub(super) async fn remove_link(to: &mut SqliteConnection, id: &LinkId) -> Result<(), Undone> {
    sqlx::query("DELETE FROM links WHERE hash = $1").bind(id.as_bytes()).execute(to).await?;
    Ok(())
}

/// All visits.
pub(super) async fn visits(readers: &SqlitePool) -> Result<Vec<Visit>, StoreError> {
    let mut rows = sqlx::query(
        "SELECT d.id, v.* FROM visits v JOIN links l ON l.hash = v.link JOIN dashboards d ON d.n = l.dashboard
         ORDER BY v.hash",
    )
    .fetch(readers);
    let mut visits = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let hash: &[u8] = row.try_get("hash").map_err(failed)?;
        let link: &[u8] = row.try_get("link").map_err(failed)?;
        let has_account = row.try_get::<Option<&str>, _>("account").map_err(failed)?.is_some();
        visits.push(Visit {
            hash: VisitHash::new(hash.try_into().map_err(spoilt)?),
            link: LinkId::new(link.try_into().map_err(spoilt)?),
            dashboard: dashboard(&row)?,
            user: user(&row, "user_id")?,
            name: row.try_get("name").map_err(failed)?,
            account: if has_account { Some(user(&row, "account")?) } else { None },
            made_at: unsigned(&row, "made_at")?,
            used_at: unsigned(&row, "used_at")?,
        });
    }
    Ok(visits)
}

pub(super) async fn write_visits(to: &mut SqliteConnection, write: &VisitWrite) -> Result<(), Undone> {
    match write {
        VisitWrite::Put { visit, removed } => {
            remove(to, removed).await?;
            sqlx::query(
                "INSERT INTO visits (hash, link, user_id, name, account, made_at, used_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (hash) DO UPDATE SET name = excluded.name, used_at = excluded.used_at",
            )
            .bind(visit.hash.as_bytes())
            .bind(visit.link.as_bytes())
            .bind(visit.user.as_str())
            .bind(visit.name.as_str())
            .bind(visit.account.as_ref().map(|account| account.as_str()))
            .bind(signed(visit.made_at))
            .bind(signed(visit.used_at))
            .execute(to)
            .await?;
        }
        VisitWrite::Uses(used) => {
            for (hash, at) in used {
                let query = sqlx::query("UPDATE visits SET used_at = MAX(used_at, $1) WHERE hash = $2");
                query.bind(signed(*at)).bind(hash.as_bytes()).execute(&mut *to).await?;
            }
        }
        VisitWrite::Remove(hashes) => remove(to, hashes).await?,
    }
    Ok(())
}

async fn remove(to: &mut SqliteConnection, hashes: &[VisitHash]) -> Result<(), Undone> {
    for hash in hashes {
        sqlx::query("DELETE FROM visits WHERE hash = $1").bind(hash.as_bytes()).execute(&mut *to).await?;
    }
    Ok(())
}
