//! API tokens over HTTP: one's own, and all of them for admins.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::account::account_of;
use crate::app::access::{Scope, TokenCard};
use crate::app::audit::Action;
use crate::dashboard::Id;
use crate::dashboard::UserId;
use crate::server::access::AccessError;
use crate::server::access::directory::TeamId;
use crate::server::access::tokens::{Lasts, NewToken, TokenId};
use crate::server::access::who::Who;
use crate::server::audit::Sender;
use crate::server::errors::ApiError;
use crate::server::state::AppState;

/// `GET /api/v1/me/tokens`: an array of [`TokenCard`], the newest first.
pub async fn own(State(state): State<AppState>, who: Who) -> Result<Json<Vec<TokenCard>>, ApiError> {
    Ok(Json(state.access().tokens(Some(&account_of(&who)?.account.id))))
}

#[derive(Deserialize)]
pub struct Wanted {
    name: String,
    scopes: BTreeSet<Scope>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    team: Option<Id>,
    #[serde(default)]
    days: Option<Days>,
}

/// A number, or `"never"` for one that never ends by itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Days {
    Number(u32),
    Word(Never),
}

#[derive(Deserialize)]
enum Never {
    #[serde(rename = "never")]
    Never,
}

#[derive(Serialize)]
pub struct Made {
    id: String,
    /// The whole of it, which is not shown again.
    token: String,
}

/// `POST /api/v1/me/tokens` `{"name","scopes":[..],"prefix"?,"team"?,"days"?}`: 201 `{"id","token"}`. Without `days` it
/// counts for 90.
pub async fn create(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let Json(Wanted { name, scopes, prefix, team, days }) = body?;
    let lasts = days.map_or_else(Lasts::default, |days| match days {
        Days::Number(days) => Lasts::Days(days),
        Days::Word(Never::Never) => Lasts::Always,
    });
    let new = NewToken { name, scopes, prefix, team: team.map(TeamId), lasts };
    let (id, token) = state.access().make_token(&account_of(&who)?.account.id, new).await?;
    let about = state.access().token_target(&id);
    state.access().record(vec![sender.did(Action::TokenMade, about)]).await;
    Ok((StatusCode::CREATED, Json(Made { id: id.0.to_string(), token })))
}

/// `DELETE /api/v1/me/tokens/{token}`: 204; what is connected by it is cut off.
pub async fn revoke(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(token): Path<String>,
) -> Result<StatusCode, ApiError> {
    let owner = &account_of(&who)?.account.id;
    revoke_of(&state, &sender, &token, Some(owner)).await
}

/// `DELETE /api/v1/admin/tokens/{token}`: 204.
pub async fn revoke_any(
    State(state): State<AppState>,
    sender: Sender,
    Path(token): Path<String>,
) -> Result<StatusCode, ApiError> {
    revoke_of(&state, &sender, &token, None).await
}

/// Revokes a token, with an owner only where it is theirs.
async fn revoke_of(
    state: &AppState,
    sender: &Sender,
    token: &str,
    owner: Option<&UserId>,
) -> Result<StatusCode, ApiError> {
    let id = token_id(token)?;
    let about = state.access().token_target(&id);
    state.access().revoke_token(&id, owner).await?;
    state.access().record(vec![sender.did(Action::TokenRevoked, about)]).await;
    Ok(StatusCode::NO_CONTENT)
}

fn token_id(text: &str) -> Result<TokenId, AccessError> {
    TokenId::from_text(text).ok_or(AccessError::NoToken)
}
