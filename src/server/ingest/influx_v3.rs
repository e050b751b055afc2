//! `POST /api/v3/write_lp`, as InfluxDB 3 has it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::json::with_headers;
use super::line::{self, Precision};
use super::{Ingest, IngestError, Outcome};

/// Characters of a line that is given back: the reason has its number, too.
const MAX_LINE: usize = 200;

/// What the address may say. Answers come once the points are on the disk, whatever `no_sync` says.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    precision: Option<String>,
    /// False where a batch with a line that does not read is to be refused whole.
    #[serde(default)]
    accept_partial: Option<bool>,
}

/// `POST /api/v3/write_lp?db=&precision=&accept_partial=` with line protocol, packed or not: 204 once it is on
/// the disk; 400 with the lines that do not fit.
pub async fn write(State(ingest): State<Ingest>, Query(asked): Query<Asked>, request: Request) -> Response {
    let Some(precision) = Precision::read_v3(asked.precision.as_deref()) else {
        let why = "invalid precision; use auto, nanosecond, microsecond, millisecond or second";
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    };
    let partial = asked.accept_partial.unwrap_or(true);
    // What stands in the lines that do not read: the body is gone when the answer is written.
    let lines = Arc::new(OnceLock::new());
    let originals = lines.clone();
    let read = move |body: &[u8], batch| {
        let mut batch = line::read(body, precision, batch);
        if !batch.refused.is_empty() {
            // The one who reads is asked once.
            let _ = originals.set(refused_lines(body, batch.refused.told()));
            if !partial {
                batch.clear();
            }
        }
        Ok(batch)
    };
    match ingest.take(request, read).await {
        Ok(outcome) if outcome.refused.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(outcome) => refused(&outcome, lines.get(), partial),
        Err(error) => failed(&error),
    }
}

fn refused_lines(body: &[u8], told: &[(usize, String)]) -> BTreeMap<usize, String> {
    let wanted: BTreeMap<usize, ()> = told.iter().map(|(line, _)| (*line, ())).collect();
    let last = told.last().map_or(0, |(line, _)| *line);
    let lines = (1..).zip(body.split(|byte| *byte == b'\n')).take(last);
    let text = |line: &[u8]| String::from_utf8_lossy(line).trim_end().chars().take(MAX_LINE).collect();
    lines
        .filter(|(number, _)| wanted.contains_key(number))
        .map(|(number, line)| (number, text(line)))
        .collect()
}

fn refused(outcome: &Outcome, lines: Option<&BTreeMap<usize, String>>, partial: bool) -> Response {
    let line = |(number, why): &(usize, String)| {
        let original = lines.and_then(|lines| lines.get(number)).map_or("", String::as_str);
        json!({"original_line": original, "line_number": number, "error_message": why})
    };
    let mut all = outcome.refused.told().iter().map(line);
    let body = if partial {
        json!({"error": "partial write of line protocol occurred", "data": all.collect::<Vec<Value>>()})
    } else {
        json!({"error": "parsing failed for write_lp endpoint", "data": all.next()})
    };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn failed(error: &IngestError) -> Response {
    with_headers(error, (error.status(), Json(json!({"error": error.to_string()}))).into_response())
}
