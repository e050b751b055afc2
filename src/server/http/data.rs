//! Figures over HTTP: which sources there are, what they know, and a widget's data at another time than the
//! dashboard's.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::dashboard::range::{MAX_RANGE_MS, MAX_TIME_MS, MIN_RANGE_MS};
use crate::dashboard::settings::MAX_REGEX_CHARS;
use crate::dashboard::{DashboardId, WidgetId};
use crate::server::data::pick::pick;
use crate::server::data::reduced::Reduce;
use crate::server::data::series::key::NAME_LABEL;
use crate::server::data::{MAX_VALUES, SourceError, legend};
use crate::server::errors::ApiError;
use crate::server::rooms::feed::data_frame;
use crate::server::state::AppState;
use crate::sync::protocol::{Code, DataFrame};

/// One source.
#[derive(Serialize)]
pub struct SourceCard {
    /// What a widget's `source` says; empty for series by name.
    name: String,
    kind: &'static str,
    /// `ok`, `waiting` or `down`.
    state: &'static str,
    says: String,
}

/// `GET /api/v1/sources`: an array, series by name first.
pub async fn sources(State(state): State<AppState>) -> Json<Vec<SourceCard>> {
    let card = |source: &std::sync::Arc<dyn crate::server::data::Source>| {
        let is = source.state();
        SourceCard { name: source.name().to_owned(), kind: source.kind(), state: is.state, says: is.says }
    };
    Json(state.rooms.sources().all().map(card).collect())
}

#[derive(Deserialize)]
pub struct OfLabel {
    /// Names of series where none is named.
    #[serde(default)]
    label: String,
    #[serde(default)]
    of: String,
    /// What picks from the values, or parts of them.
    #[serde(default)]
    regex: String,
    /// What is chosen of the variables in `of`, by name, as JSON.
    #[serde(default)]
    variables: String,
}

/// `GET /api/v1/sources/{name}/values?label=&of=&regex=&variables=`: an array of the values that a label has, or of
/// those that a regular expression picks. The source of series by name is called `series` here, or nothing at all.
pub async fn values(
    State(state): State<AppState>,
    name: Result<Path<String>, PathRejection>,
    asked: Query<OfLabel>,
) -> Result<Json<Vec<String>>, ApiError> {
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    let name = if name == "series" { "" } else { &name };
    let known = state.rooms.sources();
    known.get(name).map_err(|error| ApiError::new(Code::NotFound, error.to_string()))?;
    let label = if asked.label.is_empty() { NAME_LABEL } else { &asked.label };
    if asked.regex.chars().count() > MAX_REGEX_CHARS {
        let reason = format!("A regular expression has at most {MAX_REGEX_CHARS} characters.");
        return Err(ApiError::new(Code::Invalid, reason));
    }
    let variables = match asked.variables.as_str() {
        "" => BTreeMap::new(),
        text => serde_json::from_str(text).map_err(|_| {
            let reason = r#"`variables` is JSON such as {"host":{"values":["a"],"is_literal":true}}."#;
            ApiError::new(Code::Invalid, reason)
        })?,
    };
    let values = known.values(name, label, &asked.of, variables).await.map_err(failed)?;
    let picked = pick(&values, &asked.regex).map_err(|reason| ApiError::new(Code::Invalid, reason))?;
    Ok(Json(picked))
}

#[derive(Deserialize)]
pub struct Part {
    /// What the names contain, in any case.
    #[serde(default)]
    part: String,
}

/// `GET /api/v1/series?part=`: the whole names of series, in order.
pub async fn series(State(state): State<AppState>, asked: Query<Part>) -> Json<Vec<String>> {
    Json(state.series.memory().names(&asked.part, MAX_VALUES))
}

#[derive(Deserialize)]
pub struct Wanted {
    widget: WidgetId,
    /// Unix milliseconds.
    from: u64,
    to: u64,
}

/// `GET /api/v1/dashboards/{id}/data?widget=&from=&to=`: what a widget shows of another time than the
/// dashboard's, as a frame of the socket has it. Whoever asks the same at about the same time shares one
/// answer of the source. Where the source does not answer, the frame's `error` says why.
pub async fn data(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<DataFrame>, ApiError> {
    let Query(Wanted { widget, from, to }) =
        wanted.map_err(|error| ApiError::new(Code::Invalid, error.body_text()))?;
    let long = to.checked_sub(from).filter(|long| (MIN_RANGE_MS / 60..=MAX_RANGE_MS).contains(long));
    if long.is_none() || to > MAX_TIME_MS {
        let reason = "`from` and `to` are Unix milliseconds, a second to two years apart.";
        return Err(ApiError::new(Code::Invalid, reason));
    }
    let read = state.rooms.snapshot(&id?.0).await?;
    let Some(shown) = read.dashboard.widgets.get(&widget) else {
        return Err(ApiError::new(Code::NotFound, "There is no such widget on this dashboard."));
    };
    let mut frame = data_frame(&widget, &Default::default(), &[]);
    let Some(query) = read.dashboard.query(shown) else { return Ok(Json(frame)) };
    let (latest, reduce) = (shown.reduces_to().is_some(), shown.reduces_to().and_then(Reduce::read));
    match state.rooms.sources().once(&query, (from, to), latest, reduce).await {
        Ok(answer) => {
            let names = legend::names(&answer.curves, &query.legend);
            frame = data_frame(&widget, &answer, &names);
        }
        Err(error) => frame.error = Some(error.to_string()),
    }
    Ok(Json(frame))
}

fn failed(error: SourceError) -> ApiError {
    ApiError::new(Code::Internal, error.to_string()).status(StatusCode::BAD_GATEWAY)
}
