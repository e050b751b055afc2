//! The pages, rendered on the server with their data in them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use leptos::prelude::*;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::access::Mode;
use super::access::who::Who;
use super::auth::someone;
use super::errors::ApiError;
use super::health::server_status;
use super::http::account::account_of;
use super::http::audit::{Asked as AskedOfAudit, page_for as audit_for};
use super::http::dashboards::{Asked, AskedOfBin, bin_entry, bin_for, list_for};
use super::http::sharing::check_accounts;
use super::http::sign_in::go_to;
use super::http::{is_secure, screens};
use super::large_body::large_body;
use super::qr;
use super::rooms::RoomError;
use super::rooms::input::Read;
use super::state::AppState;
use crate::app::access::Rights;
use crate::app::address::{BasePath, with_base};
use crate::app::audit::{AuditFilter, AuditPage};
use crate::app::screen_page::{self, PairingPage, code_in};
use crate::app::unread::Unread;
use crate::app::{AuditedDashboard, Page, PageData, Theme, shell, sign_in};
use crate::dashboard::{Dashboard, DashboardId, User};

/// The cookie with `light` or `dark`, which the page itself sets.
const THEME_COOKIE: &str = "lockstep_theme";

/// Bytes of a dashboard up to which its page has it in itself, rendered and as data. The page of a larger one
/// fetches it: rendered on the server it would be three times as large, for every visitor.
const MAX_IN_PAGE: usize = 512 * 1024;
/// Bytes of a page for each byte of its dashboard, about: the data, and what is rendered from it.
const PAGE_PARTS: usize = 3;
/// Bytes of a page without a dashboard.
const EMPTY_PAGE: usize = 32 * 1024;

/// Who asks, and how: what every page is rendered for.
#[derive(Clone, Debug)]
pub struct Visit {
    pub who: Who,
    pub headers: HeaderMap,
}

/// `GET /?search=&order=&tag=&favourites=&after=`: the first dashboards of the list that is asked for.
pub async fn dashboards(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    // What cannot be asked for is an old or mistyped address: the list is there all the same.
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let found = list_for(&state, &who, &asked).await;
    let visit = Visit { who, headers };
    match found {
        Ok(list) => page(
            &state,
            visit,
            StatusCode::OK,
            Page::Dashboards { list: Unread::of(&list), filter: Unread::of(&asked.filter()) },
        ),
        Err(error) => failed(&state, visit, error),
    }
}

/// `GET /bin?after=`
pub async fn bin(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<AskedOfBin>, QueryRejection>,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let found = bin_for(&state, &who, &asked).await;
    let visit = Visit { who, headers };
    match found {
        Ok(bin) => page(&state, visit, StatusCode::OK, Page::Bin { bin: Unread::of(&bin) }),
        Err(error) => failed(&state, visit, error),
    }
}

/// `GET /d/{id}`
pub async fn dashboard(
    State(state): State<AppState>,
    Path(id): Path<String>,
    who: Who,
    headers: HeaderMap,
) -> Response {
    let visit = Visit { who, headers };
    let Ok(id) = DashboardId::new(&id) else { return failed(&state, visit, ApiError::no_such_dashboard()) };
    match state.rooms.snapshot(&id).await {
        Ok(Read { dashboard, bytes, .. }) if bytes > MAX_IN_PAGE => {
            let title = dashboard.title.clone();
            page(&state, visit, StatusCode::OK, Page::LargeDashboard { id, title })
        }
        Ok(Read { epoch, revision, token, dashboard, bytes }) => {
            let turn = match state.renders.begin(EMPTY_PAGE + PAGE_PARTS * bytes).await {
                Ok(turn) => turn,
                Err(error) => return failed(&state, visit, error),
            };
            let dashboard = Dashboard::clone(&dashboard);
            let page_of = Page::Dashboard { id, epoch, revision, token, dashboard };
            page_in_turn(&state, visit, StatusCode::OK, page_of, Some(turn))
        }
        // It looks for what else it shows.
        Err(RoomError::InBin(_)) if visit.who.showing().is_some() => go_to(screens::PAGE),
        Err(error @ RoomError::InBin(_)) => match state.store.binned(&id).await {
            Ok(Some(binned)) => {
                let entry = bin_entry(binned, state.bin_days);
                let (title, entry) = (entry.card.title.clone(), Unread::of(&Some(entry)));
                page(&state, visit, StatusCode::NOT_FOUND, Page::InBin { title, entry })
            }
            // It was restored or removed at this very moment.
            Ok(None) => failed(&state, visit, error.into()),
            Err(error) => failed(&state, visit, error.into()),
        },
        Err(error) => failed(&state, visit, error.into()),
    }
}

/// `GET /account`
pub async fn account(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Response {
    match account_of(&who) {
        Ok(signed_in) => {
            let account = Unread::of(&state.access().own_account(signed_in));
            page(&state, Visit { who, headers }, StatusCode::OK, Page::Account { account })
        }
        Err(error) => failed(&state, Visit { who, headers }, error),
    }
}

/// What the page of screens is opened with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct AskedOfScreens {
    code: String,
}

/// `GET /screens?code=`: the page reads the list of screens by itself.
pub async fn screens(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<AskedOfScreens>, QueryRejection>,
) -> Response {
    let code = asked.map(|Query(asked)| code_in(&asked.code)).unwrap_or_default();
    match account_of(&who) {
        Ok(signed_in) => {
            let teams = Unread::of(&state.access().edited_teams(&signed_in.account.id));
            page(&state, Visit { who, headers }, StatusCode::OK, Page::Screens { teams, code })
        }
        Err(error) => failed(&state, Visit { who, headers }, error),
    }
}

/// `GET /admin`
pub async fn admin(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Response {
    let admin = who.signed_in().map(|signed_in| &signed_in.account.id);
    let people = Unread::of(&state.access().people(admin));
    page(&state, Visit { who, headers }, StatusCode::OK, Page::Admin { people })
}

/// `GET /admin/audit?who=&what=&dashboard=&from=&to=&after=`
pub async fn audit(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<AskedOfAudit>, QueryRejection>,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let found = audit_for(&state, &asked).await;
    let visit = Visit { who, headers };
    match found {
        Ok(log) => {
            let (log, filter) = (Unread::of(&log), Unread::of(&asked.filter()));
            page(&state, visit, StatusCode::OK, Page::Audit { log, filter, audited: Unread::of(&None) })
        }
        Err(error) => failed(&state, visit, error),
    }
}

/// `GET /d/{id}/audit?who=&what=&from=&to=&after=`: what was done to a dashboard.
pub async fn dashboard_audit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<AskedOfAudit>, QueryRejection>,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let found = audited(&state, &id, &asked).await;
    let visit = Visit { who, headers };
    match found {
        Ok((dashboard, log)) => {
            let filter = AuditFilter { dashboard: None, ..asked.filter() };
            let (log, filter) = (Unread::of(&log), Unread::of(&filter));
            let audited = Unread::of(&Some(dashboard));
            page(&state, visit, StatusCode::OK, Page::Audit { log, filter, audited })
        }
        Err(error) => failed(&state, visit, error),
    }
}

/// A dashboard, also one in the bin, with the part of its audit log that is asked for.
async fn audited(
    state: &AppState,
    id: &str,
    asked: &AskedOfAudit,
) -> Result<(AuditedDashboard, AuditPage), ApiError> {
    check_accounts(state)?;
    let id = DashboardId::new(id).map_err(|_| ApiError::no_such_dashboard())?;
    let title = match state.rooms.snapshot(&id).await {
        Ok(read) => read.dashboard.title.clone(),
        Err(error @ RoomError::InBin(_)) => {
            state.store.binned(&id).await?.ok_or_else(|| ApiError::from(error))?.listing.title
        }
        Err(error) => return Err(error.into()),
    };
    let log = audit_for(state, &asked.clone().about(id.clone())).await?;
    Ok((AuditedDashboard { id, title }, log))
}

/// `GET /status`
pub async fn status(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Response {
    let server = Unread::of(&server_status(&state).await);
    page(&state, Visit { who, headers }, StatusCode::OK, Page::Status { server })
}

/// `GET /offline`: the page that the service worker keeps. It is nobody's, and names its build.
pub async fn shell_of_the_build(State(state): State<AppState>, headers: HeaderMap) -> Response {
    render(&state, &headers, StatusCode::OK, Page::Offline, None, Rights::default(), None)
}

/// `GET /service-worker.js`. It may ask this server for what a page needs, and run nothing else.
pub async fn service_worker(State(state): State<AppState>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; connect-src 'self'"),
    ];
    (headers, state.site.worker(&state.base)).into_response()
}

/// Any other address.
pub fn not_found(state: &AppState, visit: Visit) -> Response {
    let what = "There is no page at this address.".to_owned();
    page(state, visit, StatusCode::NOT_FOUND, Page::NotFound { what })
}

/// A page that says in words why there is not the one asked for.
pub fn failed(state: &AppState, visit: Visit, error: ApiError) -> Response {
    let page_of = match error.status {
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => Page::Refused { why: error.reason },
        status if status.is_server_error() => Page::Failed { why: error.reason },
        _ => Page::NotFound { what: error.reason },
    };
    page(state, visit, error.status, page_of)
}

/// Renders a page. Somebody new becomes a guest by it.
fn page(state: &AppState, visit: Visit, status: StatusCode, page: Page) -> Response {
    page_in_turn(state, visit, status, page, None)
}

/// The same for a page that had to wait for its turn, which lasts until it is read.
fn page_in_turn(
    state: &AppState,
    visit: Visit,
    status: StatusCode,
    page: Page,
    turn: Option<OwnedSemaphorePermit>,
) -> Response {
    let Visit { who, headers } = visit;
    let known = who.user();
    let new = if known.is_none() && state.access().mode() == Mode::Open { Some(someone()) } else { None };
    let cookie = new.as_ref().map(|user| state.guests.cookie(user, is_secure(&headers)));
    let rights = state.access().rights(&who, page.dashboard());
    let renewed = screens::renewed(&who, &headers);
    let mut response = render(state, &headers, status, page, known.or(new), rights, turn);
    if let Some(cookie) = cookie.or(renewed) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn render(
    state: &AppState,
    headers: &HeaderMap,
    status: StatusCode,
    page: Page,
    user: Option<User>,
    rights: Rights,
    turn: Option<OwnedSemaphorePermit>,
) -> Response {
    // A screen is as dark as its system says, whoever chose what on that browser.
    let theme = theme(headers).filter(|_| !rights.is_screen);
    let data = PageData { page, user, theme, build: state.site.build().to_owned(), rights };
    let nonce = nonce();
    let policy = policy(&nonce, headers);
    let assets = state.site.assets(&state.base, nonce);
    let html = to_html(&state.base, || shell(&data, &assets));
    let response = large_body([html.into()], turn);
    as_page(state, response, status, policy)
}

/// A form for somebody who is not signed in.
pub fn form(state: &AppState, headers: &HeaderMap, status: StatusCode, form: sign_in::Form) -> Response {
    let nonce = nonce();
    let policy = policy(&nonce, headers);
    let css = state.site.assets(&state.base, String::new()).css;
    let html = to_html(&state.base, || sign_in::document(form, theme(headers), css, nonce));
    as_page(state, html.into_response(), status, policy)
}

/// The page of a screen that waits to be paired. `link` is the address at which its code is typed.
pub fn pairing(
    state: &AppState,
    headers: &HeaderMap,
    code: String,
    link: String,
    expires_in_s: u64,
) -> Response {
    let policy = policy(&nonce(), headers);
    let css = state.site.assets(&state.base, String::new()).css;
    let qr = qr::svg(&link);
    let html = to_html(&state.base, || {
        let body = view! { <PairingPage code link expires_in_s qr/> };
        screen_page::document(body, css)
    });
    as_page(state, html.into_response(), StatusCode::OK, policy)
}

/// The mark of the scripts that one answer may run.
fn nonce() -> String {
    STANDARD_NO_PAD.encode(rand::random::<[u8; 16]>())
}

fn to_html<V: IntoView>(base: &BasePath, view: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(None);
    with_base(base, || owner.with(|| view().to_html()))
}

/// The headers of every page.
fn as_page(state: &AppState, mut response: Response, status: StatusCode, policy: HeaderValue) -> Response {
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, policy),
    ] {
        response.headers_mut().insert(name, value);
    }
    // By this the service worker tells a page of this server from one that something before it made.
    let build = HeaderValue::try_from(state.site.build()).expect("a hash in base64 is header text");
    response.headers_mut().insert(HeaderName::from_static("lockstep-build"), build);
    response
}

/// What the page may load and run: its own files, and the one script that carries this response's
/// nonce. Styles in attributes are how frames and people's colours get on the page.
fn policy(nonce: &str, headers: &HeaderMap) -> HeaderValue {
    // Not every browser counts the socket as 'self'.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let socket = host
        .filter(|host| host.parse::<Authority>().is_ok() && !host.contains([';', ',', '\'']))
        .map(|host| format!(" ws://{host} wss://{host}"))
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'{socket}; \
         manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 and an authority are header text")
}

fn theme(headers: &HeaderMap) -> Option<Theme> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    match pairs.find(|(name, _)| *name == THEME_COOKIE)?.1 {
        "light" => Some(Theme::Light),
        "dark" => Some(Theme::Dark),
        _ => None,
    }
}
