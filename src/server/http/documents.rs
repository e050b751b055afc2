//! Dashboards as documents: export, and import of own exports and of Grafana's.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::access::audit::dashboard_target;
use super::super::access::who::Who;
use super::super::audit::{self, Event, Sender};
use super::super::data::pick::pick;
use super::super::errors::ApiError;
use super::super::large_body::large_body;
use super::super::rooms::input::{Counts, Merged, NotMerged, Read};
use super::super::state::AppState;
use crate::app::audit::Action;
use crate::dashboard::export::{Choices, Imported, Remark};
use crate::dashboard::settings::{CHOSEN, MAX_CHOICE_CHARS, Variable, chosen_in, variables_in_turn};
use crate::dashboard::widget::MAX_SOURCE_CHARS;
use crate::dashboard::{DashboardId, Settings, User, export};
use crate::sync::protocol::Code;

/// Characters of a title that a file's name takes.
const MAX_NAME_CHARS: usize = 60;
/// Bytes of a document's making for each byte of its dashboard, about: as values, and as text with its
/// indents.
const DOCUMENT_PARTS: usize = 3;
/// The longest that an import waits for the values of variables.
const CHOOSE_WAIT: Duration = Duration::from_secs(5);
/// Remarks on a document that an error names.
const NAMED_REMARKS: usize = 5;
/// The colour of a change that no person known here made.
const NOBODYS_COLOR: &str = "#6b7280";
/// The revision at which a document was made.
const REVISION: HeaderName = HeaderName::from_static("lockstep-revision");
/// What charts of a Prometheus ask where nothing says which.
const USUAL_SOURCE: &str = "prometheus";

/// `GET /api/v1/dashboards/{id}/export`: the dashboard as a file, as `docs/export.md` says.
pub async fn export(
    State(state): State<AppState>,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = id?.0;
    let Read { dashboard, bytes, revision, .. } = state.rooms.snapshot(&id).await?;
    let turn = state.renders.begin(DOCUMENT_PARTS * bytes).await?;
    let disposition = disposition(&dashboard.title);
    // Megabytes of JSON take a moment that others need not wait for.
    let write = tokio::task::spawn_blocking(move || {
        let document = export::export(&dashboard);
        serde_json::to_string_pretty(&document).unwrap_or_else(|_| document.to_string())
    });
    let text = write.await.map_err(|_| ApiError::new(Code::Internal, "The document could not be made."))?;
    state.access().record(vec![sender.did(Action::DashboardExported, dashboard_target(&id))]).await;
    let mut response = large_body([text.into()], turn);
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    response.headers_mut().insert(REVISION, revision.into());
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
    who: Who,
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
    let body = whole(&state, body)?;
    let choices = Choices { source, max_widgets: limits.widgets };
    // Megabytes of JSON take a moment that others need not wait for.
    let read = tokio::task::spawn_blocking(move || {
        let document = json(&body)?;
        export::import(&document, &choices).map_err(|error| error.to_string())
    });
    let failed = |_| ApiError::new(Code::Internal, "The document could not be read. Nothing was made.");
    let Imported { mut dashboard, report, .. } = read.await.map_err(failed)?.map_err(invalid)?;
    choose_first(&state, &mut dashboard.settings).await;
    let (title, widgets) = (dashboard.title.clone(), dashboard.widgets.len());
    let id = state.rooms.create_with(dashboard).await?;
    state.access().give_new(&who, &id).await?;
    audit::note(state.access(), Event::Imported, &id, &title, Some(&sender)).await;
    Ok((StatusCode::CREATED, Json(Answer { id, title, widgets, report })))
}

/// The revision that a document builds on, where the address says so.
#[derive(Deserialize)]
pub struct BuildsOn {
    base: Option<u64>,
}

/// `PUT /api/v1/dashboards/{id}/document?base=12` with a document of Lockstep: 200
/// `{"revision","changed":{...},"conflicts","left":[{"what","why"}]}`. The dashboard becomes what the document
/// says, as one change; with a base, what others changed since is theirs. 409 for a base that is not in the
/// log or too long ago, 422 for a document that does not fit. Then nothing was changed.
pub async fn replace(
    State(state): State<AppState>,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
    asked: Result<Query<BuildsOn>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Merged>, ApiError> {
    let (id, Query(BuildsOn { base })) = (id?.0, asked?);
    let body = whole(&state, body)?;
    let choices = Choices { source: String::new(), max_widgets: state.rooms.limits().widgets };
    let unfit = |reason: String| {
        let reason = format!("{reason} Nothing was changed.");
        ApiError::new(Code::Invalid, reason).status(StatusCode::UNPROCESSABLE_ENTITY)
    };
    let read = tokio::task::spawn_blocking(move || {
        json(&body).map(|document| export::import_own(&document, &choices).map_err(|error| error.to_string()))
    });
    let failed = |_| ApiError::new(Code::Internal, "The document could not be read. Nothing was changed.");
    let read = read.await.map_err(failed)?.map_err(|reason| ApiError::new(Code::Invalid, reason))?;
    let mut document = read.map_err(unfit)?;
    if !document.report.is_empty() {
        return Err(unfit(in_words(&document.report)));
    }
    document.base = base.or(document.base);
    let by = sender.user().cloned().unwrap_or_else(|| User {
        name: "A document".to_owned(),
        color: NOBODYS_COLOR.to_owned(),
        ..User::default()
    });
    let merged = state.rooms.merge(&id, Arc::new(document), by).await?.map_err(|error| {
        let reason = error.to_string();
        match error {
            NotMerged::Ahead { .. } | NotMerged::TooOld(_) => {
                ApiError::new(Code::OutOfOrder, format!("{reason} Nothing was changed."))
            }
            NotMerged::TooMany(_) => ApiError::new(Code::TooLarge, format!("{reason} Nothing was changed.")),
            NotMerged::Text(_) | NotMerged::Refused(_) => unfit(reason),
            NotMerged::Failed => ApiError::new(Code::Internal, format!("{reason} Try again.")),
        }
    })?;
    if merged.changed != Counts::default() || merged.conflicts > 0 {
        audit::note(state.access(), Event::Replaced, &id, "", Some(&sender)).await;
    }
    Ok(Json(merged))
}

/// The first remarks, and how many more there are.
fn in_words(remarks: &[Remark]) -> String {
    let said: Vec<String> =
        remarks.iter().take(NAMED_REMARKS).map(|Remark { what, why }| format!("{what}: {why}")).collect();
    match remarks.len().saturating_sub(NAMED_REMARKS) {
        0 => said.join(" "),
        more => format!("{} And {more} more.", said.join(" ")),
    }
}

/// The whole body, within what an import takes.
fn whole(state: &AppState, body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let most = state.rooms.limits().import_bytes;
            let reason = format!("A document that is imported has at most {most} bytes.");
            ApiError::new(Code::TooLarge, reason)
        }
        status => ApiError::new(Code::Invalid, rejection.body_text()).status(status),
    })
}

/// Reads JSON; errors are for people.
fn json(body: &[u8]) -> Result<Value, String> {
    // Some editors put a mark at a file's begin that is no part of it.
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(text).map_err(|error| format!("This is not JSON: {error}."))
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
            let chosen = chosen_in(settings, &asks.of);
            let values =
                sources.values(&asks.source, &asks.label, &asks.of, chosen).await.unwrap_or_default();
            let values = pick(&values, &asks.regex).unwrap_or_default();
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
