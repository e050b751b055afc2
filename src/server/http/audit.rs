//! The audit log over HTTP: all of it for admins, that of a dashboard for its owners.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use serde::Deserialize;

use super::sharing::check_accounts;
use crate::app::audit::{Action, AuditFilter, AuditPage};
use crate::dashboard::DashboardId;
use crate::server::errors::ApiError;
use crate::server::rooms::frames;
use crate::server::state::AppState;
use crate::server::store::StoreError;
use crate::server::store::accounts::{AuditOrder, AuditQuery};
use crate::sync::protocol::Code;

/// Entries of one answer, where nobody says how many.
const PAGE: usize = 50;
/// The most of one answer: some 100 KB.
const MAX_PAGE: usize = 200;
/// Entries that are read at once for a stream, which holds no more of them.
const STREAMED: usize = 200;
/// Characters of what is searched for.
const MAX_WHO_CHARS: usize = 254;

/// What of the log is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    after: Option<u64>,
    limit: Option<usize>,
    who: String,
    what: Option<Action>,
    dashboard: Option<DashboardId>,
    from: Option<u64>,
    to: Option<u64>,
}

impl Asked {
    pub fn filter(&self) -> AuditFilter {
        let Self { who, what, dashboard, from, to, .. } = self.clone();
        AuditFilter { who: who.trim().to_owned(), what, dashboard, from, to }
    }

    /// The same of one dashboard.
    pub fn about(self, dashboard: DashboardId) -> Self {
        Self { dashboard: Some(dashboard), ..self }
    }

    fn query(&self, order: AuditOrder) -> Result<AuditQuery, ApiError> {
        if self.who.chars().count() > MAX_WHO_CHARS {
            return Err(ApiError::new(
                Code::Invalid,
                format!("`who` has at most {MAX_WHO_CHARS} characters."),
            ));
        }
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::new(Code::Invalid, format!("`limit` takes 1 to {MAX_PAGE}.")));
        }
        Ok(AuditQuery { filter: self.filter(), order, after: self.after, limit })
    }
}

/// `GET /api/v1/audit?after=&limit=&who=&what=&dashboard=&from=&to=`: an [`AuditPage`].
pub async fn all(
    State(state): State<AppState>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<AuditPage>, ApiError> {
    Ok(Json(page_for(&state, &asked?.0).await?))
}

/// `GET /api/v1/dashboards/{id}/audit` with the same query: what was done to this dashboard.
pub async fn of_dashboard(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<AuditPage>, ApiError> {
    let (id, Query(asked)) = (id?.0, asked?);
    check_accounts(&state)?;
    Ok(Json(page_for(&state, &asked.about(id)).await?))
}

/// The part of the log that is asked for, the newest first.
pub async fn page_for(state: &AppState, asked: &Asked) -> Result<AuditPage, ApiError> {
    let mut query = asked.query(AuditOrder::Newest)?;
    let limit = query.limit;
    // One more tells whether there are more.
    query.limit += 1;
    let mut entries = state.access().audit(&query).await?;
    let is_more = entries.len() > limit;
    entries.truncate(limit);
    let next = if is_more { entries.last().map(|entry| entry.n) } else { None };
    Ok(AuditPage { entries, next })
}

/// `GET /api/v1/audit.ndjson` with the same query but for `limit`: an entry a line, the newest last.
pub async fn ndjson(
    State(state): State<AppState>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    stream(state, asked?.0).await
}

/// `GET /api/v1/dashboards/{id}/audit.ndjson` with the same query: what was done to this dashboard.
pub async fn ndjson_of_dashboard(
    State(state): State<AppState>,
    id: Result<Path<DashboardId>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let (id, Query(asked)) = (id?.0, asked?);
    check_accounts(&state)?;
    stream(state, asked.about(id)).await
}

async fn stream(state: AppState, asked: Asked) -> Result<Response, ApiError> {
    let query = AuditQuery { limit: STREAMED, ..asked.query(AuditOrder::Oldest)? };
    // What fails at once is an answer of its own; later the body ends in the middle.
    let first = lines(&state, query).await?;
    let rest = futures::stream::try_unfold((state, first), |(state, (text, next))| async move {
        let Some(text) = text else { return Ok(None) };
        let then = match next {
            Some(query) => lines(&state, query).await?,
            None => (None, None),
        };
        Ok::<_, StoreError>(Some((text, (state, then))))
    });
    let mut response = Response::new(Body::from_stream(rest));
    for (name, value) in [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Some lines, and how to go on; `None` at the end.
async fn lines(
    state: &AppState,
    query: AuditQuery,
) -> Result<(Option<Bytes>, Option<AuditQuery>), StoreError> {
    let entries = state.access().audit(&query).await?;
    let Some(last) = entries.last().map(|entry| entry.n) else { return Ok((None, None)) };
    let mut text = String::new();
    for entry in &entries {
        text.push_str(&frames::json(entry));
        text.push('\n');
    }
    let is_full = entries.len() == query.limit;
    Ok((Some(text.into()), is_full.then_some(AuditQuery { after: Some(last), ..query })))
}
