//! Screens over HTTP: pairing one, what it shows, and for people changing and revoking them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{REFRESH, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::account::account_of;
use super::cookie::HostCookie;
use super::sign_in::go_to;
use crate::app::audit::{Action, Detail};
use crate::app::screens::{
    AskingDevice, MAX_DASHBOARDS, NewScreen, PairingCode, ScreenCard, ScreenChange, ScreenDashboard,
    ScreenState,
};
use crate::dashboard::DashboardId;
use crate::server::access::directory::ChangeError;
use crate::server::access::screens::pairing::{COUNTS_FOR_MS, Pairing};
use crate::server::access::screens::{KnownScreen, Screen, ScreenId};
use crate::server::access::who::Who;
use crate::server::access::{AccessError, Mode, Requester};
use crate::server::audit::Sender;
use crate::server::errors::ApiError;
use crate::server::pages::{self, Visit};
use crate::server::peer::PeerAddr;
use crate::server::rooms::frames;
use crate::server::state::AppState;
use crate::sync::protocol::Code;

/// Where a screen shows its code, and goes on to what it shows.
pub const PAGE: &str = "/screen";

const SECURE: &str = "__Host-lockstep-screen";
const PLAIN: &str = "lockstep_screen";
/// The cookie of a screen, which each use renews: as long as browsers keep one.
const COOKIE: HostCookie = HostCookie { secure: SECURE, plain: PLAIN, max_age_s: 400 * 24 * 60 * 60 };
/// The same as long as its code counts: of who only looked what is at the address nothing stays.
const PAIRING: HostCookie =
    HostCookie { secure: SECURE, plain: PLAIN, max_age_s: (COUNTS_FOR_MS / 1_000) as u32 };

/// When a screen that has nothing to show, or no code, looks again.
const LOOK_AGAIN: HeaderValue = HeaderValue::from_static("10");
/// The longest that a screen waits for news: less than what proxies cut off.
const MAX_WAIT: Duration = Duration::from_secs(25);
/// Bits of a revision: as many as numbers of JavaScript keep.
const REVISION_BITS: u32 = 53;

/// The screen's token that a request carries.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    COOKIE.read(headers)
}

/// The cookie of a screen that uses it.
pub fn renewed(who: &Who, headers: &HeaderMap) -> Option<HeaderValue> {
    who.showing()?;
    Some(COOKIE.set(Some(token(headers)?), headers))
}

/// `GET /screen`: 303 to what the screen shows, or the page with the code of one that waits to be paired.
pub async fn page(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let access = state.access();
    if access.mode() == Mode::Open || access.is_empty() {
        return Ok(go_to("/"));
    }
    let known = token(&headers);
    if let Some(showing) = known.and_then(|token| access.find_screen(token, Some(from.address))) {
        let shown = shown(&state, &showing.screen.id).await?;
        let Some(first) = shown.as_ref().and_then(|screen| screen.dashboards.first()) else {
            let reason = "This screen has nothing to show. Choose dashboards for it at /screens.";
            return Ok(look_again(pages::failed(
                &state,
                Visit { who, headers },
                ApiError::new(Code::NotFound, reason),
            )));
        };
        let mut response = go_to(&format!("/d/{first}"));
        response.headers_mut().insert(SET_COOKIE, COOKIE.set(known, &headers));
        return Ok(response);
    }
    if let Some(pairing) = known.and_then(|token| access.pairing(token)) {
        return Ok(waiting(&state, &headers, pairing));
    }
    if let Err(wait) = state.rates.pairings.take(PeerAddr(from.address)) {
        let reason = "Too many screens ask for a code from your address. This one asks again by itself.";
        let error = ApiError::new(Code::RateLimited, reason);
        let mut response = look_again(pages::failed(&state, Visit { who, headers }, error));
        response.headers_mut().insert(RETRY_AFTER, (wait.as_secs_f64().ceil() as u64).into());
        return Ok(response);
    }
    let (token, pairing) = access.begin_pairing(&from);
    let mut response = waiting(&state, &headers, pairing);
    response.headers_mut().insert(SET_COOKIE, PAIRING.set(Some(&token), &headers));
    Ok(response)
}

fn waiting(state: &AppState, headers: &HeaderMap, pairing: Pairing) -> Response {
    let Pairing { code, expires_in_ms } = pairing;
    let link = state.origins.address(&format!("/screens?code={code}"), headers);
    pages::pairing(state, headers, code, link, expires_in_ms / 1_000)
}

fn look_again(mut response: Response) -> Response {
    response.headers_mut().insert(REFRESH, LOOK_AGAIN);
    response
}

/// A screen with those of its dashboards that can be shown; `None` where it was revoked.
async fn shown(state: &AppState, id: &ScreenId) -> Result<Option<Screen>, ApiError> {
    let Some(mut screen) = state.access().screen(id) else { return Ok(None) };
    let mut dashboards = Vec::with_capacity(screen.dashboards.len());
    for id in screen.dashboards {
        if state.store.binned(&id).await?.is_none() {
            dashboards.push(id);
        }
    }
    screen.dashboards = dashboards;
    Ok(Some(screen))
}

/// `GET /api/v1/screens`: an array of [`ScreenCard`], those of the teams in which whoever asks edits, by name.
pub async fn all(State(state): State<AppState>, who: Who) -> Result<Json<Vec<ScreenCard>>, ApiError> {
    let known = state.access().screens_for(&account_of(&who)?.account);
    Ok(Json(cards(&state, known).await?))
}

async fn cards(state: &AppState, known: Vec<KnownScreen>) -> Result<Vec<ScreenCard>, ApiError> {
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let listed = state.store.list().await?.into_iter();
    let titles: BTreeMap<DashboardId, String> = listed.map(|one| (one.id, one.listing.title)).collect();
    let card = |KnownScreen { screen, team_name, used_at, is_on }: KnownScreen| ScreenCard {
        id: screen.id.0,
        name: screen.name,
        team: screen.team.0,
        team_name,
        // Without those in the bin.
        dashboards: screen
            .dashboards
            .into_iter()
            .filter_map(|id| Some(ScreenDashboard { title: titles.get(&id)?.clone(), id }))
            .collect(),
        rotate_s: screen.rotate_s,
        used_at,
        is_on,
        made_by: screen.made_by,
        made_at: screen.made_at,
        address: screen.address,
    };
    Ok(known.into_iter().map(card).collect())
}

/// The card of a screen after a change.
async fn card_of(state: &AppState, who: &Who, id: &ScreenId) -> Result<Json<ScreenCard>, ApiError> {
    let mut known = state.access().screens_for(&account_of(who)?.account);
    known.retain(|one| one.screen.id == *id);
    // Somebody revoked it meanwhile.
    let card = cards(state, known).await?.pop().ok_or(AccessError::Change(ChangeError::NoScreen))?;
    Ok(Json(card))
}

/// `POST /api/v1/pairings/find` with a [`PairingCode`]: the [`AskingDevice`], for whoever edits in a team. 404 where no
/// screen shows the code.
pub async fn find_pairing(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    body: Result<Json<PairingCode>, JsonRejection>,
) -> Result<Json<AskingDevice>, ApiError> {
    let Json(PairingCode { code }) = body?;
    Ok(Json(state.access().asking_device(&account_of(&who)?.account, &code, &from)?))
}

/// `POST /api/v1/screens` with a [`NewScreen`]: 201 with a [`ScreenCard`]. 404 where no screen shows the code.
pub async fn pair(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    from: Requester,
    body: Result<Json<NewScreen>, JsonRejection>,
) -> Result<(StatusCode, Json<ScreenCard>), ApiError> {
    let Json(new) = body?;
    check_listed(&state, &who, &new.dashboards).await?;
    let screen = state.access().pair(&account_of(&who)?.account, new, &from).await?;
    let to = Some(state.access().team_target(&screen.team));
    let paired = sender.did(Action::ScreenPaired, screen.as_target());
    state.access().record(vec![paired.with(Detail { to, ..Detail::default() })]).await;
    Ok((StatusCode::CREATED, card_of(&state, &who, &screen.id).await?))
}

/// `PUT /api/v1/screens/{screen}` with a [`ScreenChange`]: 200 with the [`ScreenCard`] after it. The screen shows it at
/// once.
pub async fn change(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(screen): Path<String>,
    body: Result<Json<ScreenChange>, JsonRejection>,
) -> Result<Json<ScreenCard>, ApiError> {
    let Json(change) = body?;
    let id = screen_id(&screen)?;
    check_listed(&state, &who, change.dashboards.as_deref().unwrap_or_default()).await?;
    let (before, after) = state.access().change_screen(&account_of(&who)?.account, &id, change).await?;
    let entry = |detail| sender.did(Action::ScreenChanged, after.as_target()).with(detail);
    let mut entries = Vec::new();
    if before.name != after.name {
        entries.push(entry(Detail { renamed_from: Some(before.name), ..Detail::default() }));
    }
    if (&before.dashboards, before.rotate_s) != (&after.dashboards, after.rotate_s) {
        entries.push(entry(Detail::default()));
    }
    state.access().record(entries).await;
    card_of(&state, &who, &id).await
}

/// `DELETE /api/v1/screens/{screen}`: 204; the screen shows a new code.
pub async fn revoke(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(screen): Path<String>,
) -> Result<StatusCode, ApiError> {
    let revoked = state.access().revoke_screen(&account_of(&who)?.account, &screen_id(&screen)?).await?;
    state.access().record(vec![sender.did(Action::ScreenRevoked, revoked.as_target())]).await;
    Ok(StatusCode::NO_CONTENT)
}

fn screen_id(text: &str) -> Result<ScreenId, AccessError> {
    ScreenId::from_text(text).ok_or(AccessError::Change(ChangeError::NoScreen))
}

/// Whether dashboards are out of the bin.
async fn check_listed(state: &AppState, who: &Who, dashboards: &[DashboardId]) -> Result<(), ApiError> {
    for id in dashboards.iter().take(MAX_DASHBOARDS) {
        // Of one that they may not see nobody is told anything: the change is refused by that.
        let is_seen = state.access().own_role(&who.principal(), id).is_some();
        if is_seen && state.store.binned(id).await?.is_some() {
            return Err(ApiError::no_such_dashboard());
        }
    }
    Ok(())
}

#[derive(Deserialize)]
pub struct AskedOfScreen {
    after: Option<u64>,
}

/// `GET /api/v1/screen?after=`: a [`ScreenState`], at once where its revision is not `after`, else when it changes, or
/// after 25 s as it is. 403 where the screen was revoked, also meanwhile.
pub async fn state(
    State(state): State<AppState>,
    who: Who,
    asked: Result<Query<AskedOfScreen>, QueryRejection>,
) -> Result<Json<ScreenState>, ApiError> {
    let after = asked?.0.after;
    let showing = who.showing().ok_or_else(ApiError::no_screen)?;
    let (mut changes, mut goodbye) = (state.access().changes(), state.rooms.goodbye());
    let mut ended = showing.ended.clone();
    let until = Instant::now() + MAX_WAIT;
    loop {
        // From before the look on, so that nothing is missed between the two.
        changes.mark_unchanged();
        let screen = shown(&state, &showing.screen.id).await?.ok_or_else(ApiError::no_screen)?;
        let now = state_of(screen, state.site.build());
        if after != Some(now.revision) {
            return Ok(Json(now));
        }
        tokio::select! {
            biased;
            () = until_true(&mut ended, |ended| *ended) => return Err(ApiError::no_screen()),
            () = until_true(&mut goodbye, Option::is_some) => return Ok(Json(now)),
            () = sleep_until(until) => return Ok(Json(now)),
            // It lives as long as the server.
            _ = changes.changed() => {}
        }
    }
}

/// Waits until a value is as it is meant, or nobody changes it any more.
async fn until_true<T>(value: &mut watch::Receiver<T>, is_meant: impl Fn(&T) -> bool) {
    drop(value.wait_for(|value| is_meant(value)).await);
}

fn state_of(screen: Screen, build: &str) -> ScreenState {
    let Screen { name, dashboards, rotate_s, .. } = screen;
    let state = ScreenState { revision: 0, name, dashboards, rotate_s, build: build.to_owned() };
    let hash = Sha256::digest(frames::json(&state));
    let bytes = hash.first_chunk().expect("a hash has 32 bytes");
    ScreenState { revision: u64::from_be_bytes(*bytes) >> (u64::BITS - REVISION_BITS), ..state }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::Id;
    use crate::server::access::directory::TeamId;
    use crate::server::access::screens::pairing::ScreenHash;

    #[test]
    fn a_revision_changes_with_what_is_shown_and_with_nothing_else() {
        let id = |text: &str| Id::new(text).expect("an id");
        let screen = Screen {
            id: ScreenId(id("s")),
            hash: ScreenHash::new([1; 32]),
            name: "Hall".to_owned(),
            team: TeamId(id("shop")),
            dashboards: ["a", "b"].map(|text| DashboardId::new(text).expect("an id")).into(),
            rotate_s: 60,
            made_by: "Ada".to_owned(),
            made_at: 1,
            used_at: 2,
            address: String::new(),
        };
        let revision = |screen: &Screen, build: &str| state_of(screen.clone(), build).revision;
        let first = revision(&screen, "b1");
        assert!(first < 1 << REVISION_BITS);
        assert_eq!(revision(&Screen { used_at: 9, made_by: String::new(), ..screen.clone() }, "b1"), first);
        let turned = screen.dashboards.iter().rev().cloned().collect();
        let others = [
            revision(&screen, "b2"),
            revision(&Screen { name: "Door".to_owned(), ..screen.clone() }, "b1"),
            revision(&Screen { rotate_s: 61, ..screen.clone() }, "b1"),
            revision(&Screen { dashboards: turned, ..screen.clone() }, "b1"),
            revision(&Screen { dashboards: Vec::new(), ..screen.clone() }, "b1"),
        ];
        assert!(!others.contains(&first));
    }
}
