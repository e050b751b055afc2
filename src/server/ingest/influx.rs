//! `POST /api/v2/write` and what else clients of InfluxDB ask: its answers are as that API gives them, so
//! that Telegraf and the official clients feed a dashboard as they are.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
        IngestError::TooLarge(most) | IngestError::UnpacksTooLarge(most) => {
            ("request too large", Some(*most))
        }
        IngestError::Busy => ("too many requests", None),
        IngestError::Store(StoreError::Closed) => ("unavailable", None),
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
    let version = HeaderName::from_static("x-influxdb-version");
    (StatusCode::NO_CONTENT, [(version, concat!("lockstep-", env!("CARGO_PKG_VERSION")))]).into_response()
}
