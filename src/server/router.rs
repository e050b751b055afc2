//! All routes, and what holds for every one of them.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use tower_http::trace::TraceLayer;

use super::errors::ApiError;
use super::http::{dashboards, documents};
use super::pages::Visit;
use super::state::AppState;
use super::static_files::SHELL;
use super::{health, http, ingest, logging, pages, peer, rates, socket, unread_body};
use crate::sync::protocol::Code;

/// Bytes of a request's body: the longest title, many times over.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The whole server as one service.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(pages::dashboards))
        .route("/d/{id}", get(pages::dashboard))
        .route("/bin", get(pages::bin))
        .route("/status", get(pages::status))
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
        .route("/api/v1/me", put(http::rename))
        .route(
            "/api/v1/me/favourites/{id}",
            put(dashboards::add_favourite).delete(dashboards::remove_favourite),
        )
        .route("/api/v1/dashboards/{id}/data", get(http::data::data))
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
        .fallback(anything_else)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(state.clone(), know_the_guest))
        .layer(from_fn_with_state(state.clone(), rates::limit_rates))
        .layer(from_fn_with_state(state.clone(), own_pages_only))
        .layer(from_fn_with_state(state.proxies.clone(), peer::load_peer))
        .layer(from_fn(security_headers))
        .layer(from_fn(unread_body::read_rest))
        .layer(TraceLayer::new_for_http().make_span_with(logging::request_span))
        .with_state(state)
}

/// Files, and what is nowhere: JSON under `/api`, plain text for files, a page for everything else.
async fn anything_else(State(state): State<AppState>, request: Request) -> Response {
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
    let guest = request.extensions().get().cloned().map(axum::Extension);
    pages::not_found(&state, Visit::new(guest, request.headers().clone()))
}

async fn other_method() -> ApiError {
    ApiError::new(Code::Invalid, "This address does not take this method.")
        .status(StatusCode::METHOD_NOT_ALLOWED)
}

/// Puts the guest whose cookie is true into the request.
async fn know_the_guest(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if let Some(guest) = state.guests.read(request.headers()) {
        request.extensions_mut().insert(guest);
    }
    next.run(request).await
}

/// Turns down what a page of somebody else sends through a visitor's browser.
async fn own_pages_only(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.origins.is_own_host(request.headers()) {
        let reason = "This server does not know the host name in the address of this request as its own. If it is, \
                      name it in LOCKSTEP_PUBLIC_URL, such as LOCKSTEP_PUBLIC_URL=https://wall.example.com, and \
                      start the server again.";
        return ApiError::new(Code::Forbidden, reason)
            .status(StatusCode::MISDIRECTED_REQUEST)
            .into_response();
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
        (REFERRER_POLICY, "same-origin"),
        (opener, "same-origin"),
        (resources, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
