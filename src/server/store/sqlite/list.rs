//! The list of dashboards and the bin, read from SQLite.

use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite};

use super::super::{
    BinPage, Binned, Cursor, Deletion, ListPage, ListQuery, Listed, Listing, MAX_COUNTED_TAGS, Order, Reader,
    StoreError,
};
use super::connection::LeftLog;
use super::{failed, give_back, signed, spoilt, unsigned};
use crate::app::access::Role;
use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, User};

/// Titles that are folded at once when a file of an older version is opened.
const FOLDED_AT_ONCE: i64 = 500;

/// What a row of the list has; without the outline, which is most of it, there is an alternative below.
const COLUMNS: &str = "d.id, d.revision, d.title, d.widgets, d.changed_at, d.changed_by, d.tags";

/// All that is listed, without outlines.
pub(super) async fn all(readers: &SqlitePool) -> Result<Vec<Listed>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(COLUMNS).push(
        ", NULL AS outline, 0 AS favourite FROM dashboards d WHERE d.deleted_at IS NULL
         ORDER BY d.changed_at DESC, d.id",
    );
    let rows = query.build().fetch_all(readers).await.map_err(failed)?;
    // Row by row out of the first copy, which goes with it.
    rows.into_iter().map(|row| listed(&row)).collect()
}

/// A part of the list, with the counts as of the same moment.
pub(super) async fn page(readers: &SqlitePool, asked: &ListQuery) -> Result<ListPage, StoreError> {
    let mut reader = readers.acquire().await.map_err(failed)?;
    let page = page_of(&mut reader, asked).await;
    give_back(reader, page).await
}

async fn page_of(reader: &mut SqliteConnection, asked: &ListQuery) -> Result<ListPage, StoreError> {
    let mut moment = reader.begin().await.map_err(failed)?;
    let mut dashboards = rows_of(&mut moment, asked).await?;
    let total = if asked.after.is_none() && dashboards.len() <= asked.limit {
        dashboards.len()
    } else {
        count(&mut moment, asked).await?
    };
    let mut query = QueryBuilder::<Sqlite>::new("SELECT tag, COUNT(*) AS dashboards FROM tags");
    if asked.reader != Reader::Anyone {
        // Their numbers come from an index; a look-up of each tag's dashboard would read its row.
        query.push(" WHERE dashboard IN (SELECT d.n FROM dashboards d WHERE d.deleted_at IS NULL");
        push_reader(&mut query, &asked.reader, Role::Viewer);
        query.push(")");
    }
    query.push(" GROUP BY tag ORDER BY dashboards DESC, tag LIMIT ");
    query.push_bind(signed(MAX_COUNTED_TAGS as u64));
    let tags = query.build().fetch_all(&mut *moment).await.map_err(failed)?;
    let tags = tags
        .iter()
        .map(|row| Ok((row.try_get("tag").map_err(failed)?, unsigned(row, "dashboards")? as usize)));
    let next = cut(&mut dashboards, asked.limit, |last| match asked.order {
        Order::Changed => Cursor::Changed(last.listing.changed_at, last.id.clone()),
        Order::Title => Cursor::Title(fold(&last.listing.title), last.id.clone()),
    });
    Ok(ListPage { dashboards, next, total, tags: tags.collect::<Result<_, StoreError>>()? })
}

/// How many match in all.
async fn count(moment: &mut SqliteConnection, asked: &ListQuery) -> Result<usize, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM ");
    match &asked.tag {
        // Those of the list alone have rows there.
        Some(tag) if is_of_all(asked) => {
            query.push("tags WHERE tag = ").push_bind(tag.as_str());
        }
        _ => {
            query.push("dashboards d");
            push_filter(&mut query, asked);
        }
    }
    let total: i64 = query.build_query_scalar().fetch_one(moment).await.map_err(failed)?;
    usize::try_from(total).map_err(spoilt)
}

/// The rows that were asked for, and one more where there is one.
async fn rows_of(moment: &mut SqliteConnection, asked: &ListQuery) -> Result<Vec<Listed>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(COLUMNS);
    query.push(", d.outline, EXISTS (SELECT 1 FROM favourites f WHERE f.dashboard = d.n AND f.person = ");
    query.push_bind(person(asked)).push(") AS favourite FROM dashboards d");
    push_filter(&mut query, asked);
    // The first half of each condition is what the index is entered by.
    match &asked.after {
        Some(Cursor::Changed(at, id)) => {
            query.push(" AND d.changed_at <= ").push_bind(signed(*at));
            query.push(" AND (d.changed_at < ").push_bind(signed(*at));
            query.push(" OR d.id > ").push_bind(id.as_str()).push(")");
        }
        Some(Cursor::Title(title, id)) => {
            query.push(" AND d.folded >= ").push_bind(title.as_str());
            query.push(" AND (d.folded > ").push_bind(title.as_str());
            query.push(" OR d.id > ").push_bind(id.as_str()).push(")");
        }
        Some(Cursor::Deleted(..)) | None => {}
    }
    query.push(match asked.order {
        Order::Changed => " ORDER BY d.changed_at DESC, d.id LIMIT ",
        Order::Title => " ORDER BY d.folded, d.id LIMIT ",
    });
    query.push_bind(one_more(asked.limit));
    let rows = query.build().fetch_all(moment).await.map_err(failed)?;
    rows.iter().map(listed).collect()
}

/// True where nothing but a tag narrows the list.
fn is_of_all(asked: &ListQuery) -> bool {
    asked.search.is_empty() && asked.team.is_none() && !asked.favourites && asked.reader == Reader::Anyone
}

fn push_filter<'a>(query: &mut QueryBuilder<'a, Sqlite>, asked: &'a ListQuery) {
    query.push(" WHERE d.deleted_at IS NULL");
    push_reader(query, &asked.reader, Role::Viewer);
    if !asked.search.is_empty() {
        query.push(" AND instr(d.folded, ").push_bind(asked.search.as_str()).push(") > 0");
    }
    if let Some(tag) = &asked.tag {
        // The plus keeps the index of the order in use: its entries are checked against the few that match,
        // where a look-up of each of these would read their rows.
        query.push(" AND +d.n IN (SELECT dashboard FROM tags WHERE tag = ").push_bind(tag.as_str()).push(")");
    }
    if let Some(team) = &asked.team {
        query.push(" AND +d.team = ").push_bind(team.0.as_str());
    }
    if asked.favourites {
        query.push(" AND +d.n IN (SELECT dashboard FROM favourites WHERE person = ");
        query.push_bind(person(asked)).push(")");
    }
}

/// Keeps the dashboards on which somebody has a role, or owns them where that is the least.
fn push_reader<'a>(query: &mut QueryBuilder<'a, Sqlite>, reader: &'a Reader, least: Role) {
    let account = match reader {
        Reader::Anyone => return,
        Reader::Nobody => {
            query.push(" AND FALSE");
            return;
        }
        Reader::Team(team) if least == Role::Viewer => {
            query.push(" AND +d.team = ").push_bind(team.0.as_str());
            return;
        }
        Reader::Team(_) => {
            query.push(" AND FALSE");
            return;
        }
        Reader::Account(account) => account.as_str(),
        Reader::Token { .. } if least == Role::Owner => {
            query.push(" AND FALSE");
            return;
        }
        Reader::Token { account, team } => {
            query.push(" AND (+d.team = ").push_bind(team.0.as_str());
            query.push(" OR +d.n IN (SELECT dashboard FROM grants WHERE team = ");
            query.push_bind(team.0.as_str()).push("))");
            account.as_str()
        }
    };
    let is_owner = |table: &str| match least {
        Role::Owner => format!(" AND {table}.role = 'owner'"),
        Role::Viewer | Role::Editor => String::new(),
    };
    let (member, grant) = (is_owner("m"), is_owner("g"));
    // The plus keeps the index of the order in use, as below.
    query.push(" AND (+d.team IN (SELECT m.team FROM memberships m WHERE m.account = ").push_bind(account);
    query.push(member).push(") OR +d.n IN (SELECT g.dashboard FROM grants g WHERE g.account = ");
    query.push_bind(account).push(&grant);
    query.push(" UNION ALL SELECT g.dashboard FROM grants g JOIN memberships m ON m.team = g.team");
    query.push(" WHERE m.account = ").push_bind(account).push(grant).push("))");
}

/// Who asks; nobody has an empty id.
fn person(asked: &ListQuery) -> &str {
    asked.user.as_ref().map_or("", |user| user.as_str())
}

/// A part of the bin.
pub(super) async fn bin(
    readers: &SqlitePool,
    reader: &Reader,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<BinPage, StoreError> {
    let mut connection = readers.acquire().await.map_err(failed)?;
    let page = bin_of(&mut connection, reader, after, limit).await;
    give_back(connection, page).await
}

async fn bin_of(
    connection: &mut SqliteConnection,
    reader: &Reader,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<BinPage, StoreError> {
    let mut moment = connection.begin().await.map_err(failed)?;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(COLUMNS).push(", d.outline, d.deleted_at, d.deleted_by FROM dashboards d");
    query.push(" WHERE d.deleted_at IS NOT NULL");
    push_reader(&mut query, reader, Role::Owner);
    if let Some(Cursor::Deleted(at, id)) = after {
        query.push(" AND d.deleted_at <= ").push_bind(signed(*at));
        query.push(" AND (d.deleted_at < ").push_bind(signed(*at));
        query.push(" OR d.id > ").push_bind(id.as_str()).push(")");
    }
    query.push(" ORDER BY d.deleted_at DESC, d.id LIMIT ").push_bind(one_more(limit));
    let rows = query.build().fetch_all(&mut *moment).await.map_err(failed)?;
    let mut dashboards = rows.iter().map(binned_row).collect::<Result<Vec<_>, StoreError>>()?;
    let mut count =
        QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM dashboards d WHERE d.deleted_at IS NOT NULL");
    push_reader(&mut count, reader, Role::Owner);
    let total: i64 = count.build_query_scalar().fetch_one(&mut *moment).await.map_err(failed)?;
    let next = cut(&mut dashboards, limit, |last| Cursor::Deleted(last.deletion.at, last.id.clone()));
    Ok(BinPage { dashboards, next, total: usize::try_from(total).map_err(spoilt)? })
}

/// One dashboard in the bin.
pub(super) async fn binned(readers: &SqlitePool, id: &DashboardId) -> Result<Option<Binned>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(COLUMNS).push(", d.outline, d.deleted_at, d.deleted_by FROM dashboards d");
    query.push(" WHERE d.deleted_at IS NOT NULL AND d.id = ").push_bind(id.as_str());
    let row = query.build().fetch_optional(readers).await.map_err(failed)?;
    row.as_ref().map(binned_row).transpose()
}

/// Some that came into the bin before a time.
pub(super) async fn expired(
    readers: &SqlitePool,
    before: u64,
    limit: usize,
) -> Result<Vec<DashboardId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM dashboards WHERE deleted_at IS NOT NULL AND deleted_at < $1
         ORDER BY deleted_at LIMIT $2",
    )
    .bind(signed(before))
    .bind(signed(limit as u64))
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.iter().map(id_of).collect()
}

/// Some whose outline is not known.
pub(super) async fn without_outline(
    readers: &SqlitePool,
    after: Option<&DashboardId>,
    limit: usize,
) -> Result<Vec<DashboardId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM dashboards WHERE outline IS NULL AND deleted_at IS NULL AND id > $1
         ORDER BY id LIMIT $2",
    )
    .bind(after.map_or("", |id| id.as_str()))
    .bind(signed(limit as u64))
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.iter().map(id_of).collect()
}

/// Folds the titles of dashboards that were made before there was such a column.
pub(super) async fn fold_titles(connection: &mut SqliteConnection, log: &LeftLog) -> Result<(), StoreError> {
    loop {
        let mut moment = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let rows = sqlx::query("SELECT n, title FROM dashboards WHERE folded IS NULL LIMIT $1")
            .bind(FOLDED_AT_ONCE)
            .fetch_all(&mut *moment)
            .await
            .map_err(failed)?;
        if rows.is_empty() {
            return Ok(());
        }
        log.check_writable()?;
        for row in rows {
            let (n, title): (i64, String) =
                (row.try_get("n").map_err(failed)?, row.try_get("title").map_err(failed)?);
            let update = sqlx::query("UPDATE dashboards SET folded = $1 WHERE n = $2");
            update.bind(fold(&title)).bind(n).execute(&mut *moment).await.map_err(failed)?;
        }
        moment.commit().await.map_err(failed)?;
    }
}

/// How many rows tell whether there are more.
fn one_more(limit: usize) -> i64 {
    signed((limit as u64).saturating_add(1))
}

/// Takes away what is more than was asked for, and says where the rest begins.
fn cut<T>(rows: &mut Vec<T>, limit: usize, place: impl Fn(&T) -> Cursor) -> Option<Cursor> {
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().map(place)
}

fn listed(row: &SqliteRow) -> Result<Listed, StoreError> {
    Ok(Listed {
        id: id_of(row)?,
        revision: unsigned(row, "revision")?,
        listing: listing(row)?,
        favourite: row.try_get("favourite").map_err(failed)?,
    })
}

fn binned_row(row: &SqliteRow) -> Result<Binned, StoreError> {
    let deletion = Deletion { at: unsigned(row, "deleted_at")?, by: user(row, "deleted_by")? };
    Ok(Binned { id: id_of(row)?, listing: listing(row)?, deletion })
}

fn listing(row: &SqliteRow) -> Result<Listing, StoreError> {
    let tags: &str = row.try_get("tags").map_err(failed)?;
    let outline: Option<&str> = row.try_get("outline").map_err(failed)?;
    Ok(Listing {
        title: row.try_get("title").map_err(failed)?,
        widgets: unsigned(row, "widgets")? as usize,
        changed_at: unsigned(row, "changed_at")?,
        changed_by: user(row, "changed_by")?,
        outline: outline.map(Into::into),
        tags: serde_json::from_str(tags).map_err(spoilt)?,
    })
}

fn id_of(row: &SqliteRow) -> Result<DashboardId, StoreError> {
    DashboardId::new(row.try_get::<&str, _>("id").map_err(failed)?).map_err(spoilt)
}

fn user(row: &SqliteRow, column: &str) -> Result<Option<User>, StoreError> {
    let json: Option<&str> = row.try_get(column).map_err(failed)?;
    json.map(serde_json::from_str).transpose().map_err(spoilt)
}
