//! Sign-in with an OpenID Connect provider: the way there, and the way back.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::cookie::HostCookie;
use super::sign_in::{
    GoOn, go_to, lead_elsewhere, no_accounts, own_path, replace_session, sign_in_form, signed_in,
};
use crate::app::access::SignInState;
use crate::app::audit::{Action, Actor, Detail};
use crate::app::sign_in::{Form as Document, RefusedForm, SignInForm};
use crate::server::access::audit::entry;
use crate::server::access::oidc::pending::LASTS_MS;
use crate::server::access::oidc::{Answer, Claims, Oidc, ProviderError, reference};
use crate::server::access::who::Who;
use crate::server::access::{AccessError, Mode, Requester, SignedIn};
use crate::server::clock::now_ms;
use crate::server::errors::ApiError;
use crate::server::pages;
use crate::server::peer::PeerAddr;
use crate::server::state::AppState;

/// The cookie of a sign-in that waits for the provider.
const COOKIE: HostCookie = HostCookie {
    secure: "__Host-lockstep_oidc",
    plain: "lockstep_oidc",
    max_age_s: (LASTS_MS / 1_000) as u32,
};
/// Seconds until it is worth to try a provider again that is away.
const AWAY_RETRY_S: u64 = 10;
/// Bytes of a code.
const MAX_CODE_BYTES: usize = 4_096;

/// `GET /oidc/sign-in?to=/d/...`: 303 to the provider, with a cookie; 503 with the form where that is away.
pub async fn sign_in(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<GoOn>, QueryRejection>,
) -> Response {
    let GoOn { to } = asked.map(|Query(asked)| asked).unwrap_or_default();
    let to = own_path(&to);
    let Some(oidc) = provider(&state) else { return no_accounts(&state, who, headers) };
    if let Some(elsewhere) = lead_elsewhere(&state, &who, to) {
        return elsewhere;
    }
    let (cookie, handshake) = oidc.pending.begin(to, now_ms());
    match oidc.provider.authorization_url(&handshake).await {
        Ok(url) => {
            let mut response = go_to(&url);
            response.headers_mut().append(SET_COOKIE, COOKIE.set(Some(&cookie), &headers));
            response
        }
        Err(_) => away(&state, &headers, to),
    }
}

/// What a provider brings a browser back with.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Returned {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Why nobody is signed in.
enum Failure {
    /// The person or the provider did not want it.
    Denied,
    /// This browser has begun no sign-in that waits.
    NotBegun(&'static str),
    Provider(ProviderError),
    Access(AccessError, Option<String>),
}

/// `GET /oidc/callback?code&state&iss`: 303 to where the sign-in was to lead, with a session; else a page that says why not.
pub async fn callback(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let Some(oidc) = provider(&state) else { return no_accounts(&state, who, headers) };
    let returned = returned.map(|Query(returned)| returned).unwrap_or_default();
    let mut response = match finish(&state, oidc, &headers, &returned, &from).await {
        Ok((opened, to)) => {
            replace_session(state.access(), &headers, &from).await;
            signed_in(&headers, opened, &to)
        }
        Err(failure) => refuse(&state, oidc, &headers, &from, bounded(&state, &from, failure)).await,
    };
    response.headers_mut().append(SET_COOKIE, COOKIE.set(None, &headers));
    response
}

/// Signs in whoever came back, and says where to go on to.
async fn finish(
    state: &AppState,
    oidc: &Oidc,
    headers: &HeaderMap,
    returned: &Returned,
    from: &Requester,
) -> Result<((String, SignedIn), String), Failure> {
    let access = state.access();
    let cookie = COOKIE.read(headers).ok_or(Failure::NotBegun("this browser has no cookie of a sign-in"))?;
    let waiting = oidc.pending.open(cookie, now_ms());
    let (pending, handshake) =
        waiting.ok_or(Failure::NotBegun("the cookie of the sign-in is not valid, or too old"))?;
    if !handshake.has_state(returned.state.as_deref().unwrap_or_default()) {
        return Err(Failure::NotBegun("the state is not that of this browser's sign-in"));
    }
    // Who began nothing uses up no try: any page can send a browser here.
    access.begin_provider_try(from).map_err(|error| Failure::Access(error, None))?;
    if !oidc.pending.take(&pending) {
        return Err(Failure::NotBegun("the sign-in was used before"));
    }
    let issuer = returned.iss.as_deref();
    if let Some(error) = &returned.error {
        oidc.provider.check_issuer(issuer).await.map_err(Failure::Provider)?;
        if error == "access_denied" {
            return Err(Failure::Denied);
        }
        let described = returned.error_description.as_deref().unwrap_or_default();
        let said: String =
            format!("{error} {described}").chars().filter(|c| !c.is_control()).take(300).collect();
        return Err(Failure::Provider(ProviderError::Refused(format!(
            "the provider answers with an error: {said}"
        ))));
    }
    let code = returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= MAX_CODE_BYTES);
    let code = code.ok_or_else(|| {
        Failure::Provider(ProviderError::Refused("there is no code in the answer".to_owned()))
    })?;
    let claims =
        oidc.provider.redeem(Answer { code, issuer }, &handshake).await.map_err(Failure::Provider)?;
    let opened = access.sign_in_by(oidc, &claims, from).await;
    let opened = opened.map_err(|error| Failure::Access(error, address_of(claims)))?;
    Ok((opened, pending.to))
}

/// The same, or that there were too many from an address which nobody began: anybody can send these, and each is written
/// down.
fn bounded(state: &AppState, from: &Requester, failure: Failure) -> Failure {
    match failure {
        Failure::NotBegun(_) => match state.rates.stray_answers.take(PeerAddr(from.address)) {
            Ok(()) => failure,
            Err(wait) => Failure::Access(AccessError::Wait(wait), None),
        },
        failure => failure,
    }
}

fn address_of(claims: Claims) -> Option<String> {
    claims.email.map(|email| email.address)
}

/// The page of a sign-in that failed. What was wrong with it stands in the logs, under the reference that the page shows.
async fn refuse(
    state: &AppState,
    oidc: &Oidc,
    headers: &HeaderMap,
    from: &Requester,
    failure: Failure,
) -> Response {
    let name = oidc.name();
    let (status, said, reason, email) = match failure {
        Failure::Denied => (
            StatusCode::BAD_REQUEST,
            format!("{name} did not let you in, or you cancelled. Nothing was changed; you can try again."),
            "the person or the provider said no".to_owned(),
            None,
        ),
        Failure::NotBegun(reason) => (
            StatusCode::BAD_REQUEST,
            "This sign-in was not begun in this browser, took too long, or was used already. Try again."
                .to_owned(),
            reason.to_owned(),
            None,
        ),
        Failure::Provider(error @ (ProviderError::Away(_) | ProviderError::Busy)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{name} cannot be reached at this moment. Try again in a minute."),
            error.to_string(),
            None,
        ),
        Failure::Provider(ProviderError::Refused(reason)) => (
            StatusCode::BAD_REQUEST,
            format!(
                "What {name} answered is not valid, so you were not signed in. Try again; if it stays so, tell an admin."
            ),
            reason,
            None,
        ),
        Failure::Access(error, email) => {
            (ApiError::from(error.clone()).status, error.to_string(), error.to_string(), email)
        }
    };
    let reference = reference();
    // Who tries too often is not written down each time.
    if status != StatusCode::TOO_MANY_REQUESTS {
        let email = email.map(|email| Detail::email(&email)).unwrap_or_default();
        let detail = email.by_provider(name, Some(&reason), Some(&reference));
        let address = Some(from.address.to_string());
        let failed = entry(Actor::default(), address, Action::SignInFailed, None).with(detail);
        state.access().record(vec![failed]).await;
    }
    let form = Document::Refused(RefusedForm { reason: said, reference });
    let mut response = pages::form(state, headers, status, form);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, AWAY_RETRY_S.into());
    }
    response
}

/// The form of the sign-in page, which says that the provider is away. Passwords go on.
fn away(state: &AppState, headers: &HeaderMap, to: &str) -> Response {
    let name = state.oidc.as_ref().map_or("", |oidc| oidc.name());
    let problem =
        format!("{name} cannot be reached at this moment. Try again in a minute, or use your password.");
    let form = SignInForm { problem: Some(problem), ..sign_in_form(state, to) };
    let mut response = pages::form(state, headers, StatusCode::SERVICE_UNAVAILABLE, Document::SignIn(form));
    response.headers_mut().insert(RETRY_AFTER, AWAY_RETRY_S.into());
    response
}

/// The provider, on a server on which people sign in.
fn provider(state: &AppState) -> Option<&Oidc> {
    state.oidc.as_deref().filter(|_| state.access().mode() == Mode::Accounts)
}

/// `GET /api/v1/admin/sign-in`: [`SignInState`].
pub async fn admin_state(State(state): State<AppState>) -> Json<SignInState> {
    let provider = match provider(&state) {
        Some(oidc) => Some(oidc.provider.state().await),
        None => None,
    };
    Json(SignInState { provider })
}
