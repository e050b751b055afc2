//! All routes, and what holds for every one of them.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use tower_http::trace::TraceLayer;

use super::access::Mode;
use super::access::tokens::in_header;
use super::authorize::authorize;
use super::errors::ApiError;
use super::http::{
    account, admin, audit, dashboards, documents, links, oidc, screens, second_factor, sharing, sign_in,
    tokens,
};
use super::pages::Visit;
use super::state::AppState;
use super::static_files::SHELL;
use super::{
    base_path, health, http, ingest, logging, pages, peer, proxy, rates, socket, to_the_end, unread_body,
};
use crate::sync::protocol::Code;

/// Bytes of a request's body: the longest title, many times over.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024;

/// The whole server as one service.
pub fn router(state: AppState) -> Router {
    let base = state.base.clone();
    let routes = Router::new()
        .route("/", get(pages::dashboards))
        .route("/d/{id}", get(pages::dashboard))
        .route("/d/{id}/audit", get(pages::dashboard_audit))
        .route("/bin", get(pages::bin))
        .route("/status", get(pages::status))
        .route("/account", get(pages::account))
        .route("/screens", get(pages::screens))
        .route("/account/second-factor", get(second_factor::page))
        .route("/account/second-factor/set-up", get(second_factor::set_up_page).post(second_factor::set_up))
        .route("/account/second-factor/recovery-codes", post(second_factor::renew_recovery_codes))
        .route("/account/second-factor/remove", post(second_factor::turn_off))
        .route("/admin", get(pages::admin))
        .route("/admin/audit", get(pages::audit))
        .route("/sign-in", get(sign_in::sign_in_page).post(sign_in::sign_in))
        .route("/sign-in/code", get(second_factor::code_page).post(second_factor::enter_code))
        .route("/oidc/sign-in", get(oidc::sign_in))
        .route("/oidc/callback", get(oidc::callback))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/setup", get(sign_in::setup_page).post(sign_in::setup))
        .route("/invitation/{code}", get(sign_in::invitation_page).post(sign_in::accept_invitation))
        .route("/reset/{code}", get(sign_in::reset_page).post(sign_in::reset))
        .route("/s/{code}", get(links::open_page).post(links::open))
        .route("/screen", get(screens::page))
        .route(SHELL, get(pages::shell_of_the_build))
        .route("/service-worker.js", get(pages::service_worker))
        .route("/api/v1/ws", get(socket::upgrade))
        .route("/api/v1/dashboards", get(dashboards::all).post(dashboards::create))
        .route("/api/v1/dashboards/list", get(dashboards::list))
        .route("/api/v1/dashboards/{id}", get(dashboards::read).delete(dashboards::delete))
        .route("/api/v1/dashboards/{id}/export", get(documents::export))
        .route(
            "/api/v1/dashboards/{id}/document",
            put(documents::replace).layer(DefaultBodyLimit::max(state.rooms.limits().import_bytes)),
        )
        .route(
            "/api/v1/dashboards/import",
            post(documents::import).layer(DefaultBodyLimit::max(state.rooms.limits().import_bytes)),
        )
        .route("/api/v1/bin", get(dashboards::bin))
        .route("/api/v1/bin/{id}", delete(dashboards::purge))
        .route("/api/v1/bin/{id}/restore", post(dashboards::restore))
        .route("/api/v1/screens", get(screens::all).post(screens::pair))
        .route("/api/v1/screens/{screen}", put(screens::change).delete(screens::revoke))
        .route("/api/v1/pairings/find", post(screens::find_pairing))
        .route("/api/v1/screen", get(screens::state))
        .route("/api/v1/me", get(account::me).put(http::rename))
        .route("/api/v1/me/password", put(account::change_password))
        .route("/api/v1/me/sessions", delete(account::end_other_sessions))
        .route("/api/v1/me/sessions/{session}", delete(account::end_session))
        .route("/api/v1/me/identities/{identity}", delete(account::remove_identity))
        .route("/api/v1/me/tokens", get(tokens::own).post(tokens::create))
        .route("/api/v1/me/tokens/{token}", delete(tokens::revoke))
        .route(
            "/api/v1/me/favourites/{id}",
            put(dashboards::add_favourite).delete(dashboards::remove_favourite),
        )
        .route("/api/v1/dashboards/{id}/data", get(http::data::data))
        .route("/api/v1/dashboards/{id}/access", get(sharing::sharing).put(sharing::share))
        .route("/api/v1/dashboards/{id}/links", post(links::make))
        .route("/api/v1/dashboards/{id}/links/{link}", delete(links::revoke))
        .route("/api/v1/admin/people", get(admin::people))
        .route("/api/v1/admin/people/{account}", put(admin::change_account).delete(admin::remove_account))
        .route("/api/v1/admin/people/{account}/sessions", delete(admin::end_sessions))
        .route("/api/v1/admin/people/{account}/identities/{identity}", delete(admin::remove_identity))
        .route("/api/v1/admin/people/{account}/reset", post(admin::reset))
        .route("/api/v1/admin/people/{account}/second-factor", delete(admin::remove_second_factor))
        .route("/api/v1/admin/teams", post(admin::create_team))
        .route("/api/v1/admin/teams/{team}", put(admin::rename_team).delete(admin::remove_team))
        .route("/api/v1/admin/teams/{team}/members/{account}", put(admin::set_member))
        .route("/api/v1/admin/invitations", post(admin::invite))
        .route("/api/v1/admin/invitations/{invitation}", delete(admin::revoke_invitation))
        .route("/api/v1/admin/sign-in", get(oidc::admin_state))
        .route("/api/v1/admin/sessions", get(admin::lists::sessions))
        .route("/api/v1/admin/sessions/{session}", delete(admin::lists::end_session))
        .route("/api/v1/admin/links", get(admin::lists::links))
        .route("/api/v1/admin/links/{link}", delete(admin::lists::revoke_link))
        .route("/api/v1/admin/tokens", get(admin::lists::tokens))
        .route("/api/v1/admin/tokens/{token}", delete(tokens::revoke_any))
        .route("/api/v1/audit", get(audit::all))
        .route("/api/v1/audit.ndjson", get(audit::ndjson))
        .route("/api/v1/dashboards/{id}/audit", get(audit::of_dashboard))
        .route("/api/v1/dashboards/{id}/audit.ndjson", get(audit::ndjson_of_dashboard))
        .route("/api/v1/sources", get(http::data::sources))
        .route("/api/v1/sources/{name}/values", get(http::data::values))
        // The source of series by name has none.
        .route("/api/v1/sources//values", get(http::data::values))
        .route(
            "/api/v1/series",
            get(http::data::series).post(ingest::json::write).delete(ingest::json::delete),
        )
        .route("/write", post(ingest::influx_v1::write))
        .route("/query", get(ingest::influx_v1::query).post(ingest::influx_v1::query_form))
        .route("/api/v2/write", post(ingest::influx::write))
        .route("/api/v2/buckets", get(ingest::influx::buckets).post(ingest::influx::create_bucket))
        .route("/api/v2/orgs", get(ingest::influx::orgs))
        .route("/api/v3/write_lp", post(ingest::influx_v3::write))
        .route("/api/v1/write", post(ingest::remote_write::write))
        .route("/v1/metrics", post(ingest::otlp::metrics))
        .route("/api/v1/collectd", post(ingest::collectd::write))
        .route("/ready", get(ingest::influx::ready))
        .route("/health", get(ingest::influx::health))
        .route("/ping", get(ingest::influx::ping))
        .route("/api/v1/status", get(health::status))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(http::metrics))
        .fallback(fallback)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(to_the_end::to_the_end))
        .layer(from_fn_with_state(state.clone(), authorize))
        .layer(from_fn_with_state(state.clone(), rates::limit_rates))
        .layer(from_fn_with_state(state.clone(), check_origin))
        .layer(from_fn_with_state(state.clone(), proxy::read_word))
        .layer(from_fn_with_state(state.proxies.clone(), peer::load_peer))
        // Knows paths as the routes do: what is a secret in one is told by its place.
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(logging::request_span)
                .on_failure(logging::FailureLog::default()),
        )
        .with_state(state.clone());
    let whole = match base.is_empty() {
        true => routes,
        false => Router::new().fallback_service(routes).layer(from_fn_with_state(base, base_path::enter)),
    };
    whole
        .layer(from_fn_with_state(state, check_host))
        .layer(from_fn(security_headers))
        .layer(from_fn(unread_body::read_rest))
}

/// Files, and what is nowhere: JSON under `/api`, plain text for files, a page for everything else.
async fn fallback(State(state): State<AppState>, request: Request) -> Response {
    let path = request.uri().path();
    let name = path.rsplit('/').next().unwrap_or_default();
    if path == "/api" || path.starts_with("/api/") {
        return ApiError::new(Code::NotFound, "There is nothing at this address.").into_response();
    }
    if path.starts_with("/pkg/") || path.starts_with("/vendor/") || name.contains('.') {
        return state.site.serve(request).await;
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return other_method().await.into_response();
    }
    let who = request.extensions().get().cloned().unwrap_or_default();
    pages::not_found(&state, Visit { who, headers: request.headers().clone() })
}

async fn other_method() -> ApiError {
    ApiError::method_not_allowed()
}

/// Turns down what came here by a name that is not this server's.
async fn check_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.origins.is_own_host(request.headers()) {
        let reason = "This server does not know the host name in the address of this request as its own. If it is, \
                      name it in LOCKSTEP_PUBLIC_URL, such as LOCKSTEP_PUBLIC_URL=https://wall.example.com, and \
                      start the server again.";
        return ApiError::new(Code::Forbidden, reason)
            .status(StatusCode::MISDIRECTED_REQUEST)
            .into_response();
    }
    next.run(request).await
}

/// Turns down what a page of somebody else sends through a visitor's browser.
async fn check_origin(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if state.access().mode() == Mode::Accounts && in_header(request.headers()).is_some() {
        // No page of somebody else knows a token, and the cookies that a browser sends along are let go of.
        request.headers_mut().remove(COOKIE);
        return next.run(request).await;
    }
    let (method, headers) = (request.method(), request.headers());
    if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method) && !state.origins.may_change(headers) {
        let reason = "This change came from a page of another origin. Nothing was changed.";
        return ApiError::new(Code::Forbidden, reason).into_response();
    }
    if !state.origins.may_read(method, headers) {
        let reason = "This request came from a page of another site, which may only lead here with a link.";
        return ApiError::new(Code::Forbidden, reason).into_response();
    }
    next.run(request).await
}

/// Headers of every answer; a page has written its own policy by then.
async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    let resources = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (opener, "same-origin"),
        (resources, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // An address that is a secret has written its own.
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
