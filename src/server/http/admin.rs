//! People, teams and invitations over HTTP, for admins.

pub mod lists;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::account::{account_of, record_ended, record_removed_identity};
use crate::app::access::{People, Role};
use crate::app::audit::{Action, AuditEntry, Detail, Target, TargetKind};
use crate::dashboard::{DashboardId, Id, UserId};
use crate::server::access::AccessError;
use crate::server::access::accounts::checked_email;
use crate::server::access::audit::dashboard_target;
use crate::server::access::directory::{Change, ChangeError, Team, TeamId};
use crate::server::access::invitations::{InvitationHash, Purpose};
use crate::server::access::sharing::account_id;
use crate::server::access::who::Who;
use crate::server::audit::Sender;
use crate::server::auth::clean_name;
use crate::server::clock::now_ms;
use crate::server::errors::ApiError;
use crate::server::rooms::random_id;
use crate::server::state::AppState;

/// `GET /api/v1/admin/people`: [`People`].
pub async fn people(State(state): State<AppState>, who: Who) -> Result<Json<People>, ApiError> {
    Ok(Json(state.access().people(Some(&account_of(&who)?.account.id))))
}

/// What changes of an account; what is absent stays.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct AccountChange {
    is_admin: Option<bool>,
    disabled: Option<bool>,
}

/// `PUT /api/v1/admin/people/{account}` `{"is_admin"?,"disabled"?}`: 204.
pub async fn change_account(
    State(state): State<AppState>,
    sender: Sender,
    Path(account): Path<String>,
    body: Result<Json<AccountChange>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(AccountChange { is_admin, disabled }) = body?;
    let change = move |account: &mut crate::server::access::directory::Account| {
        account.is_admin = is_admin.unwrap_or(account.is_admin);
        match disabled {
            Some(true) => account.disabled_at = account.disabled_at.or(Some(now_ms())),
            Some(false) => account.disabled_at = None,
            None => {}
        }
    };
    let account = state.access().change_account(&account_id(&account)?, change).await?;
    let detail = Detail { is_admin, disabled, ..Detail::default() };
    state.access().record(vec![sender.did(Action::AccountChanged, account.as_target()).with(detail)]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/admin/people/{account}`: 204. What they wrote stays, under their name.
pub async fn remove_account(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(account): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = account_id(&account)?;
    let about = state.access().account_target(&id);
    let given = state.access().remove(Change::RemoveAccount(id), &account_of(&who)?.account.id).await?;
    let mut entries = vec![sender.did(Action::AccountRemoved, about)];
    entries.extend(given.into_iter().map(|given| inherited(&state, &sender, given)));
    state.access().record(entries).await;
    Ok(StatusCode::NO_CONTENT)
}

/// That a dashboard which nobody had any more is an admin's.
fn inherited(state: &AppState, sender: &Sender, (dashboard, owner): (DashboardId, UserId)) -> AuditEntry {
    let to = state.access().account_target(&owner);
    let detail = Detail::role_of(to, Some(Role::Owner));
    sender.did(Action::GrantChanged, dashboard_target(&dashboard)).with(detail)
}

/// `DELETE /api/v1/admin/people/{account}/sessions`: 204; all of them are over.
pub async fn end_sessions(
    State(state): State<AppState>,
    sender: Sender,
    Path(account): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = account_id(&account)?;
    let sessions = state.access().sessions_of(&id).len();
    state.access().end_sessions(&id, None).await?;
    record_ended(&state, &sender, state.access().account_target(&id), sessions).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/admin/people/{account}/second-factor`: 204; they sign in with the password alone then, and all of their
/// sessions are over. One's own is turned off on its page, which asks for a code.
pub async fn remove_second_factor(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(account): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = account_id(&account)?;
    if account_of(&who)?.account.id == id {
        return Err(AccessError::OwnSecondFactor.into());
    }
    state.access().remove_second_factor(&id).await?;
    let about = state.access().account_target(&id);
    state.access().record(vec![sender.did(Action::SecondFactorOff, about)]).await;
    state.access().end_sessions(&id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/admin/people/{account}/identities/{identity}`: 204; it signs them in no more, and the sessions that its
/// service opened are over. Of one's own, 409 where it is the last way in.
pub async fn remove_identity(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path((account, identity)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = account_id(&account)?;
    let is_own = account_of(&who)?.account.id == id;
    let removed = state.access().remove_identity(&id, &identity, is_own).await?;
    record_removed_identity(&state, &sender, state.access().account_target(&id), &removed).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A link that is shown once.
#[derive(Serialize)]
pub struct Link {
    /// A path of this server.
    address: String,
}

/// `POST /api/v1/admin/people/{account}/reset`: 201 `{"address":"/reset/..."}`, with which they choose a new password
/// within a day.
pub async fn reset(
    State(state): State<AppState>,
    sender: Sender,
    who: Who,
    Path(account): Path<String>,
) -> Result<(StatusCode, Json<Link>), ApiError> {
    let made_by = account_of(&who)?.account.name.clone();
    let id = account_id(&account)?;
    let about = state.access().account_target(&id);
    let code = state.access().invite(Purpose::Reset(id), 1, made_by).await?;
    state.access().record(vec![sender.did(Action::ResetLinkMade, about)]).await;
    Ok((StatusCode::CREATED, Json(Link { address: state.base.to(&format!("/reset/{code}")) })))
}

#[derive(Deserialize)]
pub struct NewInvitation {
    team: Id,
    role: Role,
    /// The only mail address that may use it.
    #[serde(default)]
    email: Option<String>,
    /// How often it can be used; once where nothing is said.
    #[serde(default)]
    uses: Option<u32>,
}

/// `POST /api/v1/admin/invitations` `{"team","role","email"?,"uses"?}`: 201 `{"address":"/invitation/..."}`, which counts
/// for a week.
pub async fn invite(
    State(state): State<AppState>,
    sender: Sender,
    who: Who,
    body: Result<Json<NewInvitation>, JsonRejection>,
) -> Result<(StatusCode, Json<Link>), ApiError> {
    let Json(NewInvitation { team, role, email, uses }) = body?;
    let made_by = account_of(&who)?.account.name.clone();
    let email = email.filter(|email| !email.trim().is_empty());
    let email = email.map(|email| checked_email(&email).ok_or(AccessError::NoEmail)).transpose()?;
    let uses = if email.is_some() { 1 } else { uses.unwrap_or(1) };
    let purpose = Purpose::Join { team: TeamId(team), role, email };
    let code = state.access().invite(purpose, uses, made_by).await?;
    let made = InvitationHash::of(&code).and_then(|hash| state.access().invitation_target(&hash));
    if let Some((about, detail)) = made {
        state.access().record(vec![sender.did(Action::InvitationMade, about).with(detail)]).await;
    }
    Ok((StatusCode::CREATED, Json(Link { address: state.base.to(&format!("/invitation/{code}")) })))
}

/// `DELETE /api/v1/admin/invitations/{invitation}`: 204, also where it was used up meanwhile.
pub async fn revoke_invitation(
    State(state): State<AppState>,
    sender: Sender,
    Path(invitation): Path<String>,
) -> Result<StatusCode, ApiError> {
    let hash = InvitationHash::from_text(&invitation).ok_or(AccessError::NoInvitation)?;
    let known = state.access().invitation_target(&hash);
    state.access().change(vec![Change::RemoveInvitation(hash)]).await?;
    if let Some((about, detail)) = known {
        state.access().record(vec![sender.did(Action::InvitationRevoked, about).with(detail)]).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub struct TeamName {
    name: String,
}

#[derive(Serialize)]
pub struct Made {
    id: Id,
}

/// `POST /api/v1/admin/teams` `{"name"}`: 201 `{"id"}`.
pub async fn create_team(
    State(state): State<AppState>,
    sender: Sender,
    body: Result<Json<TeamName>, JsonRejection>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let name = clean_name(&body?.name).ok_or(AccessError::NoName)?;
    let id = Id::new(random_id()).expect("base64 without padding is an id");
    let about = Target::new(TargetKind::Team, &id, &name);
    state.access().change(vec![Change::PutTeam(Team { id: TeamId(id.clone()), name })]).await?;
    state.access().record(vec![sender.did(Action::TeamMade, about)]).await;
    Ok((StatusCode::CREATED, Json(Made { id })))
}

fn team_id(text: &str) -> Result<TeamId, AccessError> {
    Id::new(text).map(TeamId).map_err(|_| ChangeError::NoTeam.into())
}

/// `PUT /api/v1/admin/teams/{team}` `{"name"}`: 204.
pub async fn rename_team(
    State(state): State<AppState>,
    sender: Sender,
    Path(team): Path<String>,
    body: Result<Json<TeamName>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let name = clean_name(&body?.name).ok_or(AccessError::NoName)?;
    let id = team_id(&team)?;
    if !state.access().has_team(&id) {
        return Err(AccessError::from(ChangeError::NoTeam).into());
    }
    let renamed_from = Some(state.access().team_name(&id));
    let about = Target::new(TargetKind::Team, &id.0, &name);
    state.access().change(vec![Change::PutTeam(Team { id, name })]).await?;
    let detail = Detail { renamed_from, ..Detail::default() };
    state.access().record(vec![sender.did(Action::TeamRenamed, about).with(detail)]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/admin/teams/{team}`: 204; 409 while it owns dashboards.
pub async fn remove_team(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    Path(team): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = team_id(&team)?;
    let about = state.access().team_target(&id);
    let given = state.access().remove(Change::RemoveTeam(id), &account_of(&who)?.account.id).await?;
    let mut entries = vec![sender.did(Action::TeamRemoved, about)];
    entries.extend(given.into_iter().map(|given| inherited(&state, &sender, given)));
    state.access().record(entries).await;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub struct MemberRole {
    /// `null` takes them out of the team.
    role: Option<Role>,
}

/// `PUT /api/v1/admin/teams/{team}/members/{account}` `{"role":"viewer|editor|owner"|null}`: 204.
pub async fn set_member(
    State(state): State<AppState>,
    sender: Sender,
    Path((team, account)): Path<(String, String)>,
    body: Result<Json<MemberRole>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(MemberRole { role }) = body?;
    let (team, account) = (team_id(&team)?, account_id(&account)?);
    let (about, to) = (state.access().team_target(&team), state.access().account_target(&account));
    state.access().change(vec![Change::SetMember { team, account, role }]).await?;
    let detail = Detail::role_of(to, role);
    state.access().record(vec![sender.did(Action::MemberChanged, about).with(detail)]).await;
    Ok(StatusCode::NO_CONTENT)
}
