//! One's own account over HTTP: its data, password and sessions.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

use crate::app::access::OwnAccount;
use crate::app::audit::{Action, Detail, Target};
use crate::server::access::identities::RemovedIdentity;
use crate::server::access::sessions::SessionHash;
use crate::server::access::who::Who;
use crate::server::access::{AccessError, Requester, SignedIn};
use crate::server::audit::Sender;
use crate::server::errors::ApiError;
use crate::server::state::AppState;

/// The person of a request that needs an account.
pub fn account_of(who: &Who) -> Result<&SignedIn, ApiError> {
    who.signed_in().ok_or_else(ApiError::not_signed_in)
}

/// `GET /api/v1/me`: an [`OwnAccount`].
pub async fn me(State(state): State<AppState>, who: Who) -> Result<Json<OwnAccount>, ApiError> {
    Ok(Json(state.access().own_account(account_of(&who)?)))
}

#[derive(Deserialize)]
pub struct NewPassword {
    before: String,
    password: String,
}

/// `PUT /api/v1/me/password` `{"before","password"}`: 204; all other sessions are over.
pub async fn change_password(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(NewPassword { before, password }) = body?;
    state.access().change_password(account_of(&who)?, before, password, &from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/me/sessions`: 204; all but the one that asks are over.
pub async fn end_other_sessions(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
) -> Result<StatusCode, ApiError> {
    let SignedIn { account, session, .. } = account_of(&who)?;
    let others = state.access().sessions_of(&account.id).len().saturating_sub(1);
    state.access().end_sessions(&account.id, Some(&session.hash)).await?;
    record_ended(&state, &sender, account.as_target(), others).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/me/sessions/{session}`: 204; it is over.
pub async fn end_session(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(session): Path<String>,
) -> Result<StatusCode, ApiError> {
    let account = &account_of(&who)?.account;
    let own = state.access().sessions_of(&account.id);
    let hash = SessionHash::from_text(&session).filter(|hash| own.iter().any(|one| one.hash == *hash));
    state.access().end_session(hash.ok_or(AccessError::NoSession)?).await?;
    record_ended(&state, &sender, account.as_target(), 1).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/me/identities/{identity}`: 204; it signs one in no more, and the sessions that its service opened are
/// over. 409 where it is the last way in.
pub async fn remove_identity(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(identity): Path<String>,
) -> Result<StatusCode, ApiError> {
    let account = &account_of(&who)?.account;
    let removed = state.access().remove_identity(&account.id, &identity, true).await?;
    record_removed_identity(&state, &sender, account.as_target(), &removed).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Notes that a service signs nobody in to an account any more under one of its names.
pub async fn record_removed_identity(
    state: &AppState,
    sender: &Sender,
    of: Target,
    removed: &RemovedIdentity,
) {
    let detail = Detail::identity(&removed.service, &removed.subject);
    state.access().record(vec![sender.did(Action::IdentityRemoved, of).with(detail)]).await;
}

/// Notes that so many sessions of an account were ended.
pub async fn record_ended(state: &AppState, sender: &Sender, of: Target, sessions: usize) {
    if sessions > 0 {
        let detail = Detail { sessions: Some(sessions), ..Detail::default() };
        state.access().record(vec![sender.did(Action::SessionEnded, of).with(detail)]).await;
    }
}
