//! Dashboards as documents: export, and import of own exports and of Grafana's.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::audit::{self, Event, Sender};
use super::super::errors::ApiError;
use super::super::large_body::large_body;
use super::super::rooms::input::Read;
use super::super::state::AppState;
use crate::dashboard::export::{Choices, Imported, Remark};
use crate::dashboard::settings::{CHOSEN, MAX_CHOICE_CHARS, Variable, variables_in_turn, with_variables};
use crate::dashboard::widget::MAX_SOURCE_CHARS;
use crate::dashboard::{DashboardId, Settings, export};
use crate::sync::protocol::Code;

/// Characters of a title that a file's name takes.
const MAX_NAME_CHARS: usize = 60;
/// Bytes of a document's making for each byte of its dashboard, about: as values, and as text with its
/// indents.
const DOCUMENT_PARTS: usize = 3;
/// The longest that an import waits for the values of variables.
const CHOOSE_WAIT: Duration = Duration::from_secs(5);
/// What charts of a Prometheus ask where nothing says which.
const USUAL_SOURCE: &str = "prometheus";

/// `GET /api/v1/dashboards/{id}/export`: the dashboard as a file, as `docs/export.md` says.
pub async fn export(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Response, ApiError> {
    let Read { dashboard, bytes, .. } = state.rooms.snapshot(&id?.0).await?;
    let turn = state.renders.begin(DOCUMENT_PARTS * bytes).await?;
    let disposition = disposition(&dashboard.title);
    // Megabytes of JSON take a moment that others need not wait for.
    let write = tokio::task::spawn_blocking(move || {
        let document = export::export(&dashboard);
        serde_json::to_string_pretty(&document).unwrap_or_else(|_| document.to_string())
    });
    let text = write.await.map_err(|_| ApiError::new(Code::Internal, "The document could not be made."))?;
    let mut response = large_body([text.into()], turn);
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

#[derive(Deserialize)]
pub struct Asked {
    /// The source that charts of a Prometheus are to ask.
    source: Option<String>,
}

#[derive(Serialize)]
pub struct Answer {
    id: DashboardId,
    title: String,
    widgets: usize,
    /// What was not taken over as it was.
    report: Vec<Remark>,
}

/// `POST /api/v1/dashboards/import?source=main` with a document: 201
/// `{"id","title","widgets","report":[{"what","why"}]}`.
pub async fn import(
    State(state): State<AppState>,
    sender: Sender,
    asked: Result<Query<Asked>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Answer>), ApiError> {
    let invalid = |reason: String| ApiError::new(Code::Invalid, reason);
    let Query(Asked { source }) = asked.map_err(|rejection| invalid(rejection.body_text()))?;
    let source = source.filter(|source| !source.is_empty()).unwrap_or_else(|| usual_source(&state));
    if source.chars().count() > MAX_SOURCE_CHARS {
        return Err(invalid(format!("A source's name has at most {MAX_SOURCE_CHARS} characters.")));
    }
    let limits = state.rooms.limits();
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let reason = format!("A document that is imported has at most {} bytes.", limits.import_bytes);
            ApiError::new(Code::TooLarge, reason)
        }
        status => invalid(rejection.body_text()).status(status),
    })?;
    let choices = Choices { source, max_widgets: limits.widgets };
    // Megabytes of JSON take a moment that others need not wait for.
    let read = tokio::task::spawn_blocking(move || {
        // Some editors put a mark at a file's begin that is no part of it.
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
        let document: Value =
            serde_json::from_slice(text).map_err(|error| format!("This is not JSON: {error}."))?;
        export::import(&document, &choices).map_err(|error| error.to_string())
    });
    let failed = |_| ApiError::new(Code::Internal, "The document could not be read. Nothing was made.");
    let Imported { mut dashboard, report } = read.await.map_err(failed)?.map_err(invalid)?;
    choose_first(&state, &mut dashboard.settings).await;
    let (title, widgets) = (dashboard.title.clone(), dashboard.widgets.len());
    let id = state.rooms.create_with(dashboard).await?;
    audit::log(Event::Imported, &id, Some(&sender));
    Ok((StatusCode::CREATED, Json(Answer { id, title, widgets, report })))
}

/// The first Prometheus that the configuration names.
fn usual_source(state: &AppState) -> String {
    let first = state.rooms.sources().all().find(|source| source.kind() == "prometheus");
    first.map_or_else(|| USUAL_SOURCE.to_owned(), |source| source.name().to_owned())
}

/// Chooses the first value of each variable that a source knows the values of and nothing is chosen for, so
/// that the charts which name it show something. Where a source does not answer in time, people choose.
async fn choose_first(state: &AppState, settings: &mut Settings) {
    let sources = state.rooms.sources();
    let choose = async {
        let turn: Vec<(String, Variable)> =
            variables_in_turn(settings).into_iter().map(|(name, one)| (name.to_owned(), one)).collect();
        for (name, variable) in turn {
            let Some(asks) = variable.values_of.filter(|_| variable.choices.is_empty()) else { continue };
            let field = format!("{CHOSEN}{name}");
            if settings.contains_key(&field) {
                continue;
            }
            let of = with_variables(settings, &asks.of);
            let values = sources.values(&asks.source, &asks.label, &of).await.unwrap_or_default();
            let first = values.iter().find(|value| value.chars().count() <= MAX_CHOICE_CHARS);
            if let Some(first) = first {
                settings.insert(field, Value::from(first.as_str()));
            }
        }
    };
    // What was chosen until then stays.
    let _ = tokio::time::timeout(CHOOSE_WAIT, choose).await;
}

/// A file's name out of a title: letters and digits of any script, for browsers that know them, and ASCII.
fn disposition(title: &str) -> HeaderValue {
    let mut name = String::new();
    for c in title.to_lowercase().chars().take(MAX_NAME_CHARS) {
        match c {
            c if c.is_alphanumeric() => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let name = match name.trim_end_matches('-') {
        "" => "dashboard",
        name => name,
    };
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let byte = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || byte == b'-' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let encoded: String = name.bytes().map(byte).collect();
    let value = format!("attachment; filename=\"{ascii}.json\"; filename*=UTF-8''{encoded}.json");
    HeaderValue::from_str(&value).expect("letters, digits and signs of ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_as_its_dashboard() {
        for (title, ascii, encoded) in [
            ("Orders, live!", "orders-live", "orders-live"),
            ("../../etc/\"x\"\r\n", "etc-x", "etc-x"),
            ("Höhe", "h_he", "h%C3%B6he"),
            ("…", "dashboard", "dashboard"),
        ] {
            let expected = format!("attachment; filename=\"{ascii}.json\"; filename*=UTF-8''{encoded}.json");
            assert_eq!(disposition(title), expected, "{title}");
        }
    }
}
