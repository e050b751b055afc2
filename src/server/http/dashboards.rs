//! Dashboards over HTTP: their list, the bin, and each as a whole.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::super::access::directory::TeamId;
use super::super::access::who::Who;
use super::super::audit::{self, Event, Sender};
use super::super::errors::ApiError;
use super::super::large_body::large_body;
use super::super::rooms::input::EncodedRead;
use super::super::rooms::{Rooms, frames, random_id};
use super::super::state::AppState;
use super::super::store::{Binned, Cursor, ListQuery, Listed, Listing, Order, Reader};
use super::etag;
use crate::app::access::Role;
use crate::app::{BinEntry, BinList, DashboardCard, DashboardList, ListFilter, ListOrder, TagCount};
use crate::dashboard::fold::fold;
use crate::dashboard::settings::MAX_TAG_CHARS;
use crate::dashboard::{DashboardId, Id, MAX_TITLE_CHARS, User};
use crate::sync::protocol::Code;

/// Dashboards of one page of the list, where nobody says how many.
const PAGE: usize = 50;
/// The most of one page: what a screen scrolls through, and some 100 KB.
const MAX_PAGE: usize = 100;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The whole list encoded, for those who ask for all of it: kept until something of it changes, and encoded
/// by one request at a time, so that however many ask it is held once.
pub struct WholeList {
    /// Names this run of the server: its generations count from 0.
    run: String,
    encoded: Mutex<Option<(u64, Bytes)>>,
    turn: Semaphore,
}

impl Default for WholeList {
    fn default() -> Self {
        Self { run: random_id(), encoded: Mutex::default(), turn: Semaphore::new(1) }
    }
}

impl WholeList {
    /// The tag of the list as it is now.
    fn tag(&self, rooms: &Rooms) -> String {
        format!("\"{}.{}\"", self.run, rooms.listing_generation())
    }

    async fn get(&self, rooms: &Rooms) -> Result<(String, Bytes), ApiError> {
        // The semaphore is never closed; without a permit there would be more than one copy, no harm else.
        let _turn = self.turn.acquire().await;
        let (generation, tag) = (rooms.listing_generation(), self.tag(rooms));
        let known = self.encoded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, bytes)) = known.filter(|(of, _)| *of == generation) {
            return Ok((tag, bytes));
        }
        let listed = rooms.list().await?;
        let mut here = rooms.here();
        // Each goes as it is written, so that there are never two whole copies.
        let mut json = String::with_capacity(listed.len() * 256 + 2);
        for one in listed {
            json.push(if json.is_empty() { '[' } else { ',' });
            json.push_str(&frames::json(&card(one, &mut here)));
        }
        json.push_str(if json.is_empty() { "[]" } else { "]" });
        let bytes = Bytes::from(json);
        *self.encoded.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, bytes.clone()));
        Ok((tag, bytes))
    }
}

/// `GET /api/v1/dashboards`: an array of all, the one that changed last first.
pub async fn all(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Result<Response, ApiError> {
    if state.access().reader(&who) != Reader::Anyone {
        // As of the whole list: however many ask, one is read at a time. The semaphore is never closed.
        let _turn = state.whole_list.turn.acquire().await;
        let principal = who.principal();
        let mut here = state.rooms.here();
        let all = state.rooms.list().await?.into_iter();
        let own = all.filter_map(|one| Some((state.access().role(&principal, &one.id)?, one)));
        let cards: Vec<DashboardCard> =
            own.map(|(role, one)| DashboardCard { role, ..card(one, &mut here) }).collect();
        return Ok(etag::tagged(&headers, &cards));
    }
    let tag = state.whole_list.tag(&state.rooms);
    if etag::matches(&headers, &tag) {
        return Ok(etag::not_modified(&tag));
    }
    let (tag, json) = state.whole_list.get(&state.rooms).await?;
    Ok(etag::answer(&tag, json))
}

/// What of the list is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    search: String,
    order: ListOrder,
    tag: String,
    favourites: bool,
    team: Option<Id>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Asked {
    pub fn filter(&self) -> ListFilter {
        let Self { search, order, tag, favourites, .. } = self.clone();
        ListFilter { search, order, tag, favourites }
    }
}

/// `GET /api/v1/dashboards/list?search=&order=&tag=&favourites=&team=&after=&limit=`: a part of the list.
pub async fn list(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let list = list_for(&state, &who, &asked?.0).await?;
    Ok(etag::tagged(&headers, &list))
}

/// The part of the list that somebody asks for.
pub async fn list_for(state: &AppState, who: &Who, asked: &Asked) -> Result<DashboardList, ApiError> {
    let order = match asked.order {
        ListOrder::Changed => Order::Changed,
        ListOrder::Title => Order::Title,
    };
    let search = asked.search.trim();
    if search.chars().count() > MAX_TITLE_CHARS || asked.tag.chars().count() > MAX_TAG_CHARS {
        let reason = format!("A search has at most {MAX_TITLE_CHARS} characters, a tag {MAX_TAG_CHARS}.");
        return Err(ApiError::new(Code::Invalid, reason));
    }
    let query = ListQuery {
        search: fold(search),
        order,
        tag: Some(asked.tag.clone()).filter(|tag| !tag.is_empty()),
        team: asked.team.clone().map(TeamId),
        user: who.user().map(|user| user.id),
        reader: state.access().reader(who),
        favourites: asked.favourites,
        after: cursor(asked.after.as_deref(), |cursor| cursor.is_of(order))?,
        limit: limit(asked.limit)?,
    };
    let page = state.store.page(&query).await?;
    let mut here = state.rooms.here();
    let principal = who.principal();
    let card = |one: Listed| {
        // What was listed a moment ago may be another's by now: without a role it can be opened no more.
        let role = state.access().role(&principal, &one.id).unwrap_or_default();
        DashboardCard { role, ..card(one, &mut here) }
    };
    let tags = page.tags.into_iter().map(|(tag, dashboards)| TagCount { tag, dashboards });
    Ok(DashboardList {
        dashboards: page.dashboards.into_iter().map(card).collect(),
        next: page.next.map(|next| next.encode()),
        total: page.total,
        tags: tags.collect(),
    })
}

fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(PAGE);
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::new(Code::Invalid, format!("`limit` takes 1 to {MAX_PAGE}.")))
}

fn cursor(text: Option<&str>, fits: impl Fn(&Cursor) -> bool) -> Result<Option<Cursor>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match Cursor::decode(text).filter(fits) {
        Some(cursor) => Ok(Some(cursor)),
        None => Err(ApiError::new(Code::Invalid, "`after` takes what `next` said of the same list.")),
    }
}

fn card(one: Listed, here: &mut BTreeMap<DashboardId, Vec<User>>) -> DashboardCard {
    let here = here.remove(&one.id).unwrap_or_default();
    DashboardCard { here, favourite: one.favourite, ..card_of(one.id, one.listing) }
}

fn card_of(id: DashboardId, listing: Listing) -> DashboardCard {
    let Listing { title, widgets, changed_at, changed_by, outline, tags } = listing;
    // One of another build, whose kinds this one does not know, is none.
    let outline = outline.and_then(|json| serde_json::from_str(&json).ok());
    DashboardCard {
        id,
        title,
        widgets,
        changed_at,
        changed_by,
        here: Vec::new(),
        tags,
        outline,
        favourite: false,
        role: Role::Owner,
    }
}

#[derive(Deserialize)]
pub struct Create {
    title: String,
    /// The dashboard that the new one begins as; `None` for an empty one.
    #[serde(default)]
    copy_of: Option<DashboardId>,
}

#[derive(Serialize)]
pub struct Created {
    id: DashboardId,
}

/// `POST /api/v1/dashboards` `{"title":"...","copy_of":"..."}`, 1 to 200 characters: 201 `{"id":"..."}`.
pub async fn create(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let Json(Create { title, copy_of }) = body?;
    let title = title.trim();
    let fits = (1..=MAX_TITLE_CHARS).contains(&title.chars().count()) && !title.chars().any(char::is_control);
    if !fits {
        let reason = format!("A title has 1 to {MAX_TITLE_CHARS} characters, on one line.");
        return Err(ApiError::new(Code::Invalid, reason));
    }
    let (id, event) = match &copy_of {
        None => (state.rooms.create(title).await?, Event::Made),
        Some(original) => {
            state.access().own_role(&who.principal(), original).ok_or_else(ApiError::no_such_dashboard)?;
            (state.rooms.copy(original, title).await?, Event::Copied(original))
        }
    };
    state.access().give_new(&who, &id).await?;
    audit::note(state.access(), event, &id, title, Some(&sender)).await;
    Ok((StatusCode::CREATED, Json(Created { id })))
}

/// What stands before the dashboard.
#[derive(Serialize)]
struct Position {
    epoch: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// `GET /api/v1/dashboards/{id}`: `{"epoch","revision","token","dashboard"}`.
pub async fn read(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Response, ApiError> {
    let EncodedRead { epoch, revision, token, dashboard } = state.rooms.encoded(&id?.0).await?;
    let mut head = frames::json(&Position { epoch, revision, token });
    // The dashboard is encoded already: it is one more field.
    head.truncate(head.len() - 1);
    head.push_str(",\"dashboard\":");
    let mut response = large_body([head.into(), dashboard.bytes, "}".into()], dashboard.charge);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// `DELETE /api/v1/dashboards/{id}`: 204, also for those who have it open. It is in the bin then.
pub async fn delete(
    State(state): State<AppState>,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let (id, by) = (id?.0, sender.user().cloned());
    state.rooms.delete(&id, by).await?;
    audit::note(state.access(), Event::Deleted, &id, "", Some(&sender)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of the bin is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AskedOfBin {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/v1/bin?after=&limit=`: what is in the bin, the one that was deleted last first.
pub async fn bin(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<AskedOfBin>, QueryRejection>,
) -> Result<Response, ApiError> {
    let list = bin_for(&state, &who, &asked?.0).await?;
    Ok(etag::tagged(&headers, &list))
}

/// The part of the bin that is asked for.
pub async fn bin_for(state: &AppState, who: &Who, asked: &AskedOfBin) -> Result<BinList, ApiError> {
    let after = cursor(asked.after.as_deref(), |cursor| matches!(cursor, Cursor::Deleted(..)))?;
    let page = state.store.bin(&state.access().reader(who), after.as_ref(), limit(asked.limit)?).await?;
    Ok(BinList {
        dashboards: page.dashboards.into_iter().map(|one| bin_entry(one, state.bin_days)).collect(),
        next: page.next.map(|next| next.encode()),
        total: page.total,
        days: state.bin_days,
    })
}

/// A dashboard of the bin as people see it.
pub fn bin_entry(binned: Binned, days: u64) -> BinEntry {
    let Binned { id, listing, deletion } = binned;
    BinEntry {
        card: card_of(id, listing),
        deleted_at: deletion.at,
        deleted_by: deletion.by,
        gone_at: deletion.at.saturating_add(days * DAY_MS),
    }
}

/// `POST /api/v1/bin/{id}/restore`: 200 `{"id":"..."}`, at the same address and with the same log.
pub async fn restore(
    State(state): State<AppState>,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Json<Created>, ApiError> {
    let Path(id) = id?;
    if state.rooms.restore(&id).await? {
        audit::note(state.access(), Event::Restored, &id, "", Some(&sender)).await;
    }
    Ok(Json(Created { id }))
}

/// `DELETE /api/v1/bin/{id}`: 204, gone for good.
pub async fn purge(
    State(state): State<AppState>,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id?;
    let title = state.store.binned(&id).await?.map(|one| one.listing.title).unwrap_or_default();
    if !state.rooms.purge(&id).await? {
        let reason = "This dashboard is not in the bin. It may have been restored. Nothing was deleted.";
        return Err(ApiError::new(Code::NotFound, reason));
    }
    audit::note(state.access(), Event::Purged, &id, &title, Some(&sender)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /api/v1/me/favourites/{id}`: 204.
pub async fn add_favourite(
    State(state): State<AppState>,
    who: Who,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    set_favourite(&state, &who, &id?.0, true).await
}

/// `DELETE /api/v1/me/favourites/{id}`: 204, also where it was none.
pub async fn remove_favourite(
    State(state): State<AppState>,
    who: Who,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    set_favourite(&state, &who, &id?.0, false).await
}

async fn set_favourite(
    state: &AppState,
    who: &Who,
    id: &DashboardId,
    favourite: bool,
) -> Result<StatusCode, ApiError> {
    let Some(user) = who.user() else {
        let reason =
            "Favourites are kept for each person. Open the page first, which makes you known by a cookie.";
        return Err(ApiError::new(Code::Forbidden, reason).status(StatusCode::UNAUTHORIZED));
    };
    state.store.set_favourite(&user.id, id, favourite).await?;
    Ok(StatusCode::NO_CONTENT)
}
