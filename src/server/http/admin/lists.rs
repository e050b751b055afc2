//! Sessions, API tokens and share links of all people over HTTP, for admins.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::super::account::{account_of, record_ended};
use super::super::links::revoke_known;
use crate::app::access::TokenCard;
use crate::app::admin::{AdminLink, AdminList, AdminSession};
use crate::dashboard::DashboardId;
use crate::server::access::AccessError;
use crate::server::access::directory::ChangeError;
use crate::server::access::links::LinkId;
use crate::server::access::listing::ListRequest;
use crate::server::access::sessions::SessionHash;
use crate::server::access::who::Who;
use crate::server::audit::Sender;
use crate::server::errors::ApiError;
use crate::server::state::AppState;
use crate::sync::protocol::Code;

/// Characters of what is searched for.
const MAX_SEARCH_CHARS: usize = 254;

/// Which part of a list is asked for.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Asked {
    search: String,
    after: Option<String>,
}

type Part = Result<Query<Asked>, QueryRejection>;

fn request(asked: Part) -> Result<ListRequest, ApiError> {
    let Query(Asked { search, after }) = asked?;
    if search.chars().count() > MAX_SEARCH_CHARS {
        let reason = format!("`search` has at most {MAX_SEARCH_CHARS} characters.");
        return Err(ApiError::new(Code::Invalid, reason));
    }
    Ok(ListRequest::new(&search, after))
}

/// `GET /api/v1/admin/sessions?search=&after=`: an [`AdminList`] of [`AdminSession`]s.
pub async fn sessions(
    State(state): State<AppState>,
    who: Who,
    asked: Part,
) -> Result<Json<AdminList<AdminSession>>, ApiError> {
    let this = account_of(&who)?.session.hash;
    Ok(Json(state.access().all_sessions(&request(asked)?, &this)?))
}

/// `DELETE /api/v1/admin/sessions/{session}`: 204; it is over.
pub async fn end_session(
    State(state): State<AppState>,
    sender: Sender,
    Path(session): Path<String>,
) -> Result<StatusCode, ApiError> {
    let known = SessionHash::from_text(&session).and_then(|hash| state.access().session(&hash));
    let session = known.ok_or(AccessError::NoSession)?;
    let about = state.access().account_target(&session.account);
    state.access().end_session(session.hash).await?;
    record_ended(&state, &sender, about, 1).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/admin/tokens?search=&after=`: an [`AdminList`] of [`TokenCard`]s.
pub async fn tokens(
    State(state): State<AppState>,
    asked: Part,
) -> Result<Json<AdminList<TokenCard>>, ApiError> {
    Ok(Json(state.access().all_tokens(&request(asked)?)?))
}

/// `GET /api/v1/admin/links?search=&after=`: an [`AdminList`] of [`AdminLink`]s.
pub async fn links(
    State(state): State<AppState>,
    asked: Part,
) -> Result<Json<AdminList<AdminLink>>, ApiError> {
    let request = request(asked)?;
    let listed = state.store.list().await?.into_iter();
    let titles: HashMap<DashboardId, String> = listed.map(|one| (one.id, one.listing.title)).collect();
    Ok(Json(state.access().all_links(&request, &titles)?))
}

/// `DELETE /api/v1/admin/links/{link}`: 204; whoever came by it is out.
pub async fn revoke_link(
    State(state): State<AppState>,
    sender: Sender,
    Path(link): Path<String>,
) -> Result<StatusCode, ApiError> {
    let known = LinkId::from_text(&link).and_then(|id| state.access().known_link(&id));
    revoke_known(&state, &sender, known.ok_or(AccessError::from(ChangeError::NoLink))?).await
}
