//! The audit log in the file.

use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::super::StoreError;
use super::super::accounts::{AuditOrder, AuditQuery, MAX_AUDIT, MAX_AUDIT_FAILURES, MAX_FORGOTTEN};
use super::writer::Undone;
use super::{failed, signed, spoilt, unsigned};
use crate::app::audit::{Action, Actor, ActorKind, AuditEntry, Target, TargetKind, Weight};
use crate::dashboard::fold::fold;

/// How many entries come before it is looked whether there are too many: to count them takes a moment.
const COUNTED_EVERY: i64 = 1_000;

/// What there is to write of the audit log.
pub(super) enum AuditWrite {
    Append(Vec<AuditEntry>),
    /// Those from before a time, Unix milliseconds.
    Forget(u64),
}

pub(super) async fn write(to: &mut SqliteConnection, write: &AuditWrite) -> Result<(), Undone> {
    match write {
        AuditWrite::Append(entries) => {
            let mut is_counted = false;
            for entry in entries {
                is_counted |= append(to, entry).await? % COUNTED_EVERY == 0;
            }
            if is_counted { trim(to, MAX_AUDIT, MAX_AUDIT_FAILURES).await } else { Ok(()) }
        }
        AuditWrite::Forget(before) => {
            sqlx::query("DELETE FROM audit WHERE n IN (SELECT n FROM audit WHERE at < $1 LIMIT $2)")
                .bind(signed(*before))
                .bind(signed(MAX_FORGOTTEN as u64))
                .execute(to)
                .await?;
            Ok(())
        }
    }
}

/// The number that it got.
async fn append(to: &mut SqliteConnection, entry: &AuditEntry) -> Result<i64, Undone> {
    let AuditEntry { n: _, at, who, address, what, about, detail } = entry;
    let json = serde_json::to_string(detail).map_err(|error| Undone::Half(spoilt(error)))?;
    let mut folded = fold(&who.name);
    if let Some(email) = detail.email.as_deref().filter(|_| what.weight() == Weight::Failure) {
        folded.push('\n');
        folded.push_str(&fold(email));
    }
    let done = sqlx::query(
        "INSERT INTO audit
         (at, who_kind, who_id, who_name, folded, address, what, about_kind, about_id, about_name, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $8 = 'dashboard' AND $10 = ''
            THEN coalesce((SELECT title FROM dashboards WHERE id = $9), '') ELSE $10 END, $11)",
    )
    .bind(signed(*at))
    .bind(who.kind.name())
    .bind(who.id.as_deref())
    .bind(who.name.as_str())
    .bind(folded)
    .bind(address.as_deref())
    .bind(what.name())
    .bind(about.as_ref().map(|about| about.kind.name()))
    .bind(about.as_ref().map(|about| about.id.as_str()))
    .bind(about.as_ref().map(|about| about.name.as_str()))
    .bind(json)
    .execute(to)
    .await?;
    Ok(done.last_insert_rowid())
}

/// Removes entries where there are more than so many, or more than so many of what failed.
async fn trim(to: &mut SqliteConnection, most: usize, most_failures: usize) -> Result<(), Undone> {
    let mut failures = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM audit");
    push_weight(&mut failures, Weight::Failure);
    let failures: i64 = failures.build_query_scalar().fetch_one(&mut *to).await?;
    remove_oldest(to, Some(Weight::Failure), failures - signed(most_failures as u64)).await?;
    let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit").fetch_one(&mut *to).await?;
    let excess = all - signed(most as u64);
    let removed = remove_oldest(to, Some(Weight::Use), excess).await?;
    remove_oldest(to, None, excess - removed).await?;
    Ok(())
}

/// Removes so many entries, the oldest of a weight or of all. How many there were.
async fn remove_oldest(
    to: &mut SqliteConnection,
    weight: Option<Weight>,
    excess: i64,
) -> Result<i64, Undone> {
    if excess <= 0 {
        return Ok(0);
    }
    let mut query = QueryBuilder::<Sqlite>::new("DELETE FROM audit WHERE n IN (SELECT n FROM audit");
    if let Some(weight) = weight {
        push_weight(&mut query, weight);
    }
    query.push(" ORDER BY n LIMIT ").push_bind(excess).push(")");
    let done = query.build().execute(to).await?;
    Ok(signed(done.rows_affected()))
}

fn push_weight(query: &mut QueryBuilder<'_, Sqlite>, weight: Weight) {
    let mut names = query.push(" WHERE what IN (").separated(", ");
    for action in Action::ALL.iter().filter(|action| action.weight() == weight) {
        names.push_bind(action.name());
    }
    query.push(")");
}

/// How many would be forgotten, at most [`MAX_FORGOTTEN`].
pub(super) async fn count_before(readers: &SqlitePool, before: u64) -> Result<usize, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM (SELECT n FROM audit WHERE at < $1 LIMIT $2)")
        .bind(signed(before))
        .bind(signed(MAX_FORGOTTEN as u64))
        .fetch_one(readers)
        .await
        .map_err(failed)?;
    usize::try_from(count).map_err(spoilt)
}

/// A part of the log.
pub(super) async fn read(readers: &SqlitePool, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
    let AuditQuery { filter, order, after, limit } = query;
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM audit WHERE TRUE");
    if let Some(after) = after {
        sql.push(match order {
            AuditOrder::Newest => " AND n < ",
            AuditOrder::Oldest => " AND n > ",
        });
        sql.push_bind(signed(*after));
    }
    if let Some(id) = &filter.dashboard {
        sql.push(" AND about_kind = 'dashboard' AND about_id = ").push_bind(id.as_str());
    }
    if let Some(what) = filter.what {
        sql.push(" AND what = ").push_bind(what.name());
    }
    if !filter.who.is_empty() {
        sql.push(" AND (who_id IS ").push_bind(filter.who.as_str());
        sql.push(" OR instr(folded, ").push_bind(fold(&filter.who)).push(") > 0)");
    }
    // Not by the index of times: each part would sort all that follow.
    if let Some(from) = filter.from {
        sql.push(" AND +at >= ").push_bind(signed(from));
    }
    if let Some(to) = filter.to {
        sql.push(" AND +at < ").push_bind(signed(to));
    }
    sql.push(match order {
        AuditOrder::Newest => " ORDER BY n DESC LIMIT ",
        AuditOrder::Oldest => " ORDER BY n LIMIT ",
    });
    sql.push_bind(i64::try_from(*limit).unwrap_or(i64::MAX));
    let mut rows = sql.build().fetch(readers);
    let mut entries = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        entries.push(entry(&row)?);
    }
    Ok(entries)
}

fn entry(row: &SqliteRow) -> Result<AuditEntry, StoreError> {
    let text = |column| row.try_get::<&str, _>(column).map_err(failed);
    let optional = |column| row.try_get::<Option<String>, _>(column).map_err(failed);
    let no_name = |name: &str| spoilt(format!("{name:?} is no name that the audit log has"));
    let kind = text("who_kind")?;
    let kind = ActorKind::ALL.into_iter().find(|one| one.name() == kind).ok_or_else(|| no_name(kind))?;
    let what = text("what")?;
    let about = match optional("about_kind")? {
        None => None,
        Some(kind) => {
            let kind = TargetKind::of_name(&kind).ok_or_else(|| no_name(&kind))?;
            let (id, name) = (text("about_id")?.to_owned(), text("about_name")?.to_owned());
            Some(Target { kind, id, name })
        }
    };
    Ok(AuditEntry {
        n: unsigned(row, "n")?,
        at: unsigned(row, "at")?,
        who: Actor { kind, id: optional("who_id")?, name: text("who_name")?.to_owned() },
        address: optional("address")?,
        what: Action::of_name(what).ok_or_else(|| no_name(what))?,
        about,
        detail: serde_json::from_str(text("detail")?).map_err(spoilt)?,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test]
    async fn s10_failures_push_out_failures_alone_and_changes_of_rights_go_last() {
        let mut to = SqliteConnection::connect(":memory:").await.expect("opens");
        let tables = concat!(
            "CREATE TABLE dashboards (id TEXT, title TEXT);",
            include_str!("../../../../migrations/sqlite/0008_audit.sql")
        );
        sqlx::raw_sql(tables).execute(&mut to).await.expect("made");
        let entry = |what| AuditEntry {
            n: 0,
            at: 5,
            who: Actor::server(),
            address: None,
            what,
            about: None,
            detail: Default::default(),
        };
        let whats = [Action::SignIn, Action::SignIn, Action::SignOut].into_iter();
        for what in whats.chain([Action::SignInFailed; 9]) {
            assert!(append(&mut to, &entry(what)).await.is_ok());
        }
        let left = async |to: &mut SqliteConnection| {
            let left = sqlx::query_scalar::<_, i64>("SELECT n FROM audit ORDER BY n").fetch_all(to);
            left.await.expect("reads")
        };
        assert!(trim(&mut to, 20, 2).await.is_ok());
        assert_eq!(left(&mut to).await, [1, 2, 3, 11, 12]);
        assert!(trim(&mut to, 4, 2).await.is_ok());
        assert_eq!(left(&mut to).await, [2, 3, 11, 12]);
        for what in [Action::GrantChanged, Action::SignIn, Action::CodeFailed, Action::GrantChanged] {
            assert!(append(&mut to, &entry(what)).await.is_ok());
        }
        assert!(trim(&mut to, 4, 2).await.is_ok());
        assert_eq!(left(&mut to).await, [12, 13, 15, 16], "daily use goes before changes of rights");
        assert!(trim(&mut to, 1, 2).await.is_ok());
        assert_eq!(left(&mut to).await, [16], "and then the oldest");
        let changed = sqlx::query("UPDATE audit SET who_name = 'Eve'").execute(&mut to).await;
        assert!(changed.is_err(), "entries are never changed");
    }
}
