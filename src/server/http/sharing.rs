//! Sharing of a dashboard over HTTP.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};

use crate::app::access::{ShareChanges, Sharing};
use crate::dashboard::DashboardId;
use crate::server::access::Mode;
use crate::server::access::audit::dashboard_target;
use crate::server::access::who::Who;
use crate::server::audit::Sender;
use crate::server::errors::ApiError;
use crate::server::state::AppState;
use crate::sync::protocol::Code;

/// Grants that one request changes.
const MAX_CHANGES: usize = 200;

/// `GET /api/v1/dashboards/{id}/access`: a [`Sharing`].
pub async fn sharing(
    State(state): State<AppState>,
    who: Who,
    id: Result<Path<DashboardId>, PathRejection>,
) -> Result<Json<Sharing>, ApiError> {
    let id = id?.0;
    check_accounts(&state)?;
    Ok(Json(state.access().sharing(&who, &id)))
}

/// `PUT /api/v1/dashboards/{id}/access` with [`ShareChanges`], all or none: 200 with the [`Sharing`] after them.
pub async fn share(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
    body: Result<Json<ShareChanges>, JsonRejection>,
) -> Result<Json<Sharing>, ApiError> {
    let (id, Json(changes)) = (id?.0, body?);
    check_accounts(&state)?;
    if changes.grants.len() > MAX_CHANGES {
        let reason = format!("At most {MAX_CHANGES} grants are changed at once. Nothing was changed.");
        return Err(ApiError::new(Code::TooLarge, reason));
    }
    let made = state.access().changes_of_sharing(&id, &changes);
    state.access().share(&id, changes).await?;
    let entry = |(what, detail)| sender.did(what, dashboard_target(&id)).with(detail);
    state.access().record(made.into_iter().map(entry).collect()).await;
    Ok(Json(state.access().sharing(&who, &id)))
}

/// Errors on a server without accounts.
pub fn check_accounts(state: &AppState) -> Result<(), ApiError> {
    match state.access().mode() {
        Mode::Accounts => Ok(()),
        Mode::Open => Err(ApiError::no_accounts()),
    }
}
