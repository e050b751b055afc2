//! `POST /api/v2/write` and what else clients of InfluxDB 2 ask: its answers are as that API gives them, so
//! that Telegraf and the official clients feed a dashboard as they are.
//!
//! This server has one place for all points. Whatever name a client has for an organisation or a bucket, it is there.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::with_headers;
use super::line::{self, Precision};
use super::{Ingest, IngestError, Outcome};
use crate::server::store::StoreError;

/// What the address may say. Of an organisation and a bucket this server has one.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    precision: Option<String>,
}

#[derive(Serialize)]
struct Failed {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(rename = "maxLength", skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
}

/// `POST /api/v2/write?org=&bucket=&precision=` with line protocol, packed or not: 204 once it is on the
/// disk. Where lines do not fit, the others are written all the same: 400 with a message that names them.
pub async fn write(State(ingest): State<Ingest>, Query(asked): Query<Asked>, request: Request) -> Response {
    let Some(precision) = Precision::read(asked.precision.as_deref()) else {
        let message = "invalid precision; valid precision units are ns, us, ms, and s".to_owned();
        let body = Failed { code: "invalid", message, line: None, max_length: None };
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    };
    match ingest.take(request, move |body, batch| Ok(line::read(body, precision, batch))).await {
        Ok(outcome) if outcome.refused.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(outcome) => partly(&outcome),
        Err(error) => failed(&error),
    }
}

fn partly(outcome: &Outcome) -> Response {
    let Outcome { accepted, refused } = outcome;
    let message = format!(
        "partial write: {accepted} points written; dropped {}: {}",
        refused.count(),
        refused.words("line")
    );
    let line = refused.told().first().map(|(line, _)| *line);
    let body = Failed { code: "invalid", message, line, max_length: None };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn failed(error: &IngestError) -> Response {
    let (code, max_length) = match error {
        IngestError::NoToken => ("unauthorized", None),
        IngestError::NoScope => ("forbidden", None),
        IngestError::TooLarge(most) | IngestError::UnpacksTooLarge(most) => {
            ("request too large", Some(*most))
        }
        IngestError::Busy => ("too many requests", None),
        IngestError::Cut | IngestError::Store(StoreError::Closed) => ("unavailable", None),
        IngestError::Store(_) => ("internal error", None),
        _ => ("invalid", None),
    };
    let body = Failed { code, message: error.to_string(), line: None, max_length };
    with_headers(error, (error.status(), Json(body)).into_response())
}

/// `GET /health`, as clients ask before they write.
pub async fn health() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({
        "name": "lockstep", "message": "ready for writes", "status": "pass", "checks": [], "version": version,
    });
    Json(body).into_response()
}

/// `GET /ping`: 204.
pub async fn ping() -> Response {
    let version = (VERSION, concat!("lockstep-", env!("CARGO_PKG_VERSION")));
    (StatusCode::NO_CONTENT, [version, (BUILD, "OSS")]).into_response()
}

const VERSION: HeaderName = HeaderName::from_static("x-influxdb-version");
const BUILD: HeaderName = HeaderName::from_static("x-influxdb-build");

/// `GET /ready`: whoever gets an answer may write.
pub async fn ready() -> Response {
    Json(json!({"status": "ready"})).into_response()
}

/// What questions for organisations and buckets may name.
#[derive(Deserialize)]
pub struct Named {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    org: Option<String>,
}

/// Names of what is there where nobody says one.
const ANY_NAME: &str = "lockstep";
/// Ids as that API has them.
const ORG_ID: &str = "0000000000000001";
const BUCKET_ID: &str = "0000000000000002";

/// `GET /api/v2/buckets?name=`: the one that is asked for.
pub async fn buckets(
    State(ingest): State<Ingest>,
    Query(named): Query<Named>,
    headers: HeaderMap,
) -> Response {
    if let Err(error) = ingest.check_token(&headers) {
        return failed(&error);
    }
    let bucket = bucket(named.name.as_deref().unwrap_or(ANY_NAME), &ingest);
    Json(json!({"links": {"self": "/api/v2/buckets"}, "buckets": [bucket]})).into_response()
}

/// `POST /api/v2/buckets` with `{"name"}`: 201, as it is there from then on.
pub async fn create_bucket(
    State(ingest): State<Ingest>,
    headers: HeaderMap,
    Json(wanted): Json<Named>,
) -> Response {
    if let Err(error) = ingest.check_token(&headers) {
        return failed(&error);
    }
    let bucket = bucket(wanted.name.as_deref().unwrap_or(ANY_NAME), &ingest);
    (StatusCode::CREATED, Json(bucket)).into_response()
}

fn bucket(name: &str, ingest: &Ingest) -> Value {
    let seconds = ingest.kept_ms() / 1_000;
    json!({
        "id": BUCKET_ID, "orgID": ORG_ID, "type": "user", "name": name,
        "retentionRules": [{"type": "expire", "everySeconds": seconds}], "labels": [],
    })
}

/// `GET /api/v2/orgs?org=`: the one that is asked for.
pub async fn orgs(State(ingest): State<Ingest>, Query(named): Query<Named>, headers: HeaderMap) -> Response {
    if let Err(error) = ingest.check_token(&headers) {
        return failed(&error);
    }
    let org = json!({"id": ORG_ID, "name": named.org.as_deref().unwrap_or(ANY_NAME), "status": "active"});
    Json(json!({"links": {"self": "/api/v2/orgs"}, "orgs": [org]})).into_response()
}
