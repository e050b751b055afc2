//! Screens in the file.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::super::StoreError;
use super::accounts::{dashboard, id};
use super::writer::Undone;
use super::{failed, signed, spoilt, unsigned};
use crate::dashboard::DashboardId;
use crate::server::access::directory::{Change, TeamId};
use crate::server::access::screens::pairing::ScreenHash;
use crate::server::access::screens::{Screen, ScreenId, ScreenUse};

/// The changes that make all screens.
pub(super) async fn screens(moment: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
    let shown = "SELECT s.screen, d.id FROM screen_dashboards s JOIN dashboards d ON d.n = s.dashboard
                 ORDER BY s.screen, s.position";
    let mut dashboards: BTreeMap<ScreenId, Vec<DashboardId>> = BTreeMap::new();
    for row in sqlx::query(shown).fetch_all(&mut *moment).await.map_err(failed)? {
        dashboards.entry(ScreenId(id(&row, "screen")?)).or_default().push(dashboard(&row)?);
    }
    let mut screens = Vec::new();
    for row in sqlx::query("SELECT * FROM screens").fetch_all(moment).await.map_err(failed)? {
        let (id, team) = (ScreenId(id(&row, "id")?), TeamId(id(&row, "team")?));
        let hash: &[u8] = row.try_get("hash").map_err(failed)?;
        screens.push(Change::PutScreen(Screen {
            hash: ScreenHash::new(hash.try_into().map_err(spoilt)?),
            name: row.try_get("name").map_err(failed)?,
            team,
            dashboards: dashboards.remove(&id).unwrap_or_default(),
            rotate_s: u32::try_from(unsigned(&row, "rotate_s")?).map_err(spoilt)?,
            made_by: row.try_get("made_by").map_err(failed)?,
            made_at: unsigned(&row, "made_at")?,
            used_at: unsigned(&row, "used_at")?,
            address: row.try_get("address").map_err(failed)?,
            id,
        }));
    }
    Ok(screens)
}

/// Keeps a new screen, or what it is called and shows from now on.
pub(super) async fn put(to: &mut SqliteConnection, screen: &Screen) -> Result<(), Undone> {
    sqlx::query(
        "INSERT INTO screens (id, hash, name, team, rotate_s, made_by, made_at, used_at, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, rotate_s = excluded.rotate_s",
    )
    .bind(screen.id.0.as_str())
    .bind(screen.hash.as_bytes())
    .bind(screen.name.as_str())
    .bind(screen.team.0.as_str())
    .bind(i64::from(screen.rotate_s))
    .bind(screen.made_by.as_str())
    .bind(signed(screen.made_at))
    .bind(signed(screen.used_at))
    .bind(screen.address.as_str())
    .execute(&mut *to)
    .await?;
    let query = sqlx::query("DELETE FROM screen_dashboards WHERE screen = $1");
    query.bind(screen.id.0.as_str()).execute(&mut *to).await?;
    for (position, dashboard) in (0_i64..).zip(&screen.dashboards) {
        let query = sqlx::query(
            "INSERT INTO screen_dashboards (screen, position, dashboard)
             SELECT $1, $2, n FROM dashboards WHERE id = $3",
        );
        let query = query.bind(screen.id.0.as_str()).bind(position).bind(dashboard.as_str());
        if query.execute(&mut *to).await?.rows_affected() == 0 {
            return Err(Undone::Half(StoreError::Gone));
        }
    }
    Ok(())
}

pub(super) async fn remove(to: &mut SqliteConnection, id: &ScreenId) -> Result<(), Undone> {
    sqlx::query("DELETE FROM screens WHERE id = $1").bind(id.0.as_str()).execute(to).await?;
    Ok(())
}

/// Notes when and where they were used last.
pub(super) async fn note(to: &mut SqliteConnection, used: &[ScreenUse]) -> Result<(), Undone> {
    for ScreenUse { id, at, address } in used {
        let query = sqlx::query("UPDATE screens SET used_at = MAX(used_at, $1), address = $2 WHERE id = $3");
        query.bind(signed(*at)).bind(address.as_str()).bind(id.0.as_str()).execute(&mut *to).await?;
    }
    Ok(())
}
