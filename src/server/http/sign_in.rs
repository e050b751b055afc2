//! Signing in and out, the first account, invitations and new passwords: plain forms, answered with plain pages.

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::cookie::HostCookie;
use super::second_factor::ask_for_code;
use crate::app::audit::Action;
use crate::app::sign_in::{FirstForm, Form as Document, JoinForm, ProviderLink, ResetForm, SignInForm};
use crate::server::access::invitations::Purpose;
use crate::server::access::proxy::Word;
use crate::server::access::second_factor::Admission;
use crate::server::access::who::Who;
use crate::server::access::{Access, AccessError, Mode, Requester, SignedIn};
use crate::server::errors::ApiError;
use crate::server::pages::{self, Visit};
use crate::server::peer::PeerAddr;
use crate::server::state::AppState;

/// The cookie of a session, as long as one lasts at most.
const COOKIE: HostCookie =
    HostCookie { secure: "__Host-lockstep", plain: "lockstep_session", max_age_s: 90 * 24 * 60 * 60 };
/// Bytes of a path to go on to.
const MAX_PATH_BYTES: usize = 2_000;

/// The session's token that a request carries.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    COOKIE.read(headers)
}

/// The `Set-Cookie` header of a session's token, for who sent these headers.
pub fn session_cookie(token: &str, headers: &HeaderMap) -> HeaderValue {
    COOKIE.set(Some(token), headers)
}

/// A path of this server to go on to; the list of dashboards in place of anything else.
pub(super) fn own_path(to: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let is_own = to.starts_with('/') && !to.starts_with("//") && to.chars().all(is_plain);
    if is_own && to.len() <= MAX_PATH_BYTES { to } else { "/" }
}

/// Leads on to another page.
pub(in crate::server) fn go_to(path: &str) -> Response {
    let location = HeaderValue::try_from(path).expect("it was checked to be ASCII that shows");
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

impl Requester {
    /// Who sends a request.
    pub fn of(headers: &HeaderMap, extensions: &Extensions) -> Self {
        let unknown = PeerAddr(std::net::Ipv6Addr::LOCALHOST.into());
        let peer: PeerAddr = extensions.get().copied().unwrap_or(unknown);
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Self { network: peer.network(), address: peer.0, agent: agent.to_owned() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers, &parts.extensions))
    }
}

/// What a form that was sent came to: the way on as somebody who is signed in.
pub(super) fn signed_in(headers: &HeaderMap, (token, _): (String, SignedIn), to: &str) -> Response {
    let mut response = go_to(own_path(to));
    response.headers_mut().append(SET_COOKIE, session_cookie(&token, headers));
    response
}

/// The form again, with why it was not taken.
pub(super) fn again(
    state: &AppState,
    headers: &HeaderMap,
    error: AccessError,
    form: impl FnOnce(String) -> Document,
) -> Response {
    let wait = match &error {
        AccessError::Wait(wait) => Some(wait.as_secs_f64().ceil() as u64),
        _ => None,
    };
    // Whoever typed something wrong is not forbidden to be here.
    let status = match &error {
        AccessError::Wrong
        | AccessError::WrongPassword
        | AccessError::WrongCode
        | AccessError::LinkPassword => StatusCode::UNAUTHORIZED,
        _ => ApiError::from(error.clone()).status,
    };
    let mut response = pages::form(state, headers, status, form(error.to_string()));
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, wait.into());
    }
    response
}

/// Nothing is here on a server without accounts.
pub(super) fn no_accounts(state: &AppState, who: Who, headers: HeaderMap) -> Response {
    pages::not_found(state, Visit { who, headers })
}

/// What a form that cannot be read is answered with.
pub(super) fn unreadable(rejection: &FormRejection) -> ApiError {
    ApiError::new(crate::sync::protocol::Code::Invalid, rejection.body_text()).status(rejection.status())
}

/// Where to go on to.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct GoOn {
    pub(super) to: String,
}

/// Leads on whoever has nothing to sign in for: they did already, or nobody does on this server, or nobody can yet.
pub(super) fn lead_elsewhere(state: &AppState, who: &Who, to: &str) -> Option<Response> {
    if state.access().mode() == Mode::Open || who.signed_in().is_some() {
        return Some(go_to(own_path(to)));
    }
    state.access().is_empty().then(|| go_to("/"))
}

/// `GET /sign-in?to=/d/...`
pub async fn sign_in_page(
    State(state): State<AppState>,
    who: Who,
    headers: HeaderMap,
    asked: Result<Query<GoOn>, QueryRejection>,
) -> Response {
    let GoOn { to } = asked.map(|Query(asked)| asked).unwrap_or_default();
    if let Some(elsewhere) = lead_elsewhere(&state, &who, &to) {
        return elsewhere;
    }
    pages::form(&state, &headers, StatusCode::OK, Document::SignIn(sign_in_form(&state, &to)))
}

/// The form as it is empty, with the ways to sign in that there are.
pub(super) fn sign_in_form(state: &AppState, to: &str) -> SignInForm {
    let to = own_path(to);
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    let provider = state
        .oidc
        .as_ref()
        .map(|oidc| ProviderLink { name: oidc.name().to_owned(), address: format!("/oidc/sign-in?{query}") });
    SignInForm { to: to.to_owned(), provider, ..SignInForm::default() }
}

#[derive(Deserialize)]
pub struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    to: String,
}

/// `POST /sign-in` with a form of `email`, `password`, `to`: 303 to there with a cookie, or to `/sign-in/code` where a
/// code is needed, or the form again with why not.
pub async fn sign_in(
    State(state): State<AppState>,
    from: Requester,
    headers: HeaderMap,
    sent: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Credentials { email, password, to } = match sent {
        Ok(Form(sent)) => sent,
        Err(rejection) => return unreadable(&rejection).into_response(),
    };
    match state.access().sign_in(&email, password, &from).await {
        Ok(admission) => admitted(&state, &headers, admission, &from, &to).await,
        Err(error) => again(&state, &headers, error, |problem| {
            let problem = Some(problem);
            Document::SignIn(SignInForm { email, problem, ..sign_in_form(&state, &to) })
        }),
    }
}

/// What the right password leads to: the way on, or the step at which a code is asked for.
async fn admitted(
    state: &AppState,
    headers: &HeaderMap,
    admission: Admission,
    from: &Requester,
    to: &str,
) -> Response {
    match admission {
        Admission::Session(token, opened) => {
            replace_session(state.access(), headers, from).await;
            signed_in(headers, (token, *opened), to)
        }
        Admission::CodeNeeded(ticket) => ask_for_code(headers, &ticket, own_path(to)),
    }
}

/// Ends the session of before: one sign-in of a browser at a time.
pub(super) async fn replace_session(access: &Access, headers: &HeaderMap, from: &Requester) {
    // Where the disk fails it is tried again.
    let _ = end_session_of(access, headers, from, Action::SessionEnded).await;
}

/// Ends the session whose cookie a request carries. Errors with `NotRemoved` where a restart could open it again.
pub async fn end_session_of(
    access: &Access,
    headers: &HeaderMap,
    from: &Requester,
    what: Action,
) -> Result<(), AccessError> {
    let Some(signed_in) = token(headers).and_then(|token| access.find(token)) else { return Ok(()) };
    let ended = access.end_session(signed_in.session.hash).await;
    access.record(vec![from.did(what, &signed_in.account)]).await;
    ended
}

/// `POST /sign-out`: 303 to the sign-in page; the session is over. Where that is not on the disk yet, a page that says so.
pub async fn sign_out(State(state): State<AppState>, from: Requester, headers: HeaderMap) -> Response {
    let mut response = match end_session_of(state.access(), &headers, &from, Action::SignOut).await {
        Ok(()) => go_to("/sign-in"),
        Err(error) => {
            pages::failed(&state, Visit { who: Who::Nobody, headers: headers.clone() }, error.into())
        }
    };
    response.headers_mut().append(SET_COOKIE, COOKIE.set(None, &headers));
    response
}

/// `GET /setup`: the form of the first account. The token stands behind `#` and so comes with the form only.
pub async fn setup_page(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Response {
    if state.access().mode() == Mode::Open || !state.access().is_empty() {
        return no_accounts(&state, who, headers);
    }
    pages::form(&state, &headers, StatusCode::OK, Document::First(FirstForm::default()))
}

#[derive(Deserialize)]
pub struct FirstAccount {
    token: String,
    email: String,
    name: String,
    password: String,
}

/// `POST /setup` with a form of `token`, `email`, `name`, `password`: as `POST /sign-in`.
pub async fn setup(
    State(state): State<AppState>,
    who: Who,
    word: Word,
    from: Requester,
    headers: HeaderMap,
    sent: Result<Form<FirstAccount>, FormRejection>,
) -> Response {
    if state.access().mode() == Mode::Open || !state.access().is_empty() {
        return no_accounts(&state, who, headers);
    }
    let FirstAccount { token, email, name, password } = match sent {
        Ok(Form(sent)) => sent,
        Err(rejection) => return unreadable(&rejection).into_response(),
    };
    let named = if let Word::Person(person) = &word { Some(person) } else { None };
    match state.access().set_up(token.trim(), (&email, &name, password), named, &from).await {
        Ok(opened) => signed_in(&headers, opened, "/"),
        Err(error) => again(&state, &headers, error, |problem| {
            Document::First(FirstForm { token, email, name, problem: Some(problem) })
        }),
    }
}

/// `GET /invitation/{code}`
pub async fn invitation_page(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Response {
    match join_form(&state, &who, &from, &code).await {
        Ok(form) => pages::form(&state, &headers, StatusCode::OK, Document::Join(form)),
        Err(error) => pages::failed(&state, Visit { who, headers }, error.into()),
    }
}

async fn join_form(
    state: &AppState,
    who: &Who,
    from: &Requester,
    code: &str,
) -> Result<JoinForm, AccessError> {
    let invitation = state.access().invitation(code, from).await?;
    let Purpose::Join { team, email, .. } = invitation.purpose else { return Err(AccessError::NoInvitation) };
    Ok(JoinForm {
        code: code.to_owned(),
        team: state.access().team_name(&team),
        is_bound: email.is_some(),
        email: email.unwrap_or_default(),
        name: String::new(),
        signed_in_as: who.signed_in().map(|signed_in| signed_in.account.name.clone()),
        problem: None,
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct NewAccount {
    email: String,
    name: String,
    password: String,
}

/// `POST /invitation/{code}` with a form of `email`, `name`, `password`, or with none of whoever is signed in: as
/// `POST /sign-in`.
pub async fn accept_invitation(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    Path(code): Path<String>,
    sent: Result<Form<NewAccount>, FormRejection>,
) -> Response {
    if let Some(signed_in) = who.signed_in() {
        return match state.access().accept_as(&code, &signed_in.account.id, &from).await {
            Ok(()) => go_to("/"),
            Err(error) => pages::failed(&state, Visit { who, headers }, error.into()),
        };
    }
    let NewAccount { email, name, password } = match sent {
        Ok(Form(sent)) => sent,
        Err(rejection) => return unreadable(&rejection).into_response(),
    };
    match state.access().accept(&code, (&email, &name, password), &from).await {
        Ok(opened) => signed_in(&headers, opened, "/"),
        Err(error @ AccessError::NoInvitation) => pages::failed(&state, Visit { who, headers }, error.into()),
        Err(error) => match join_form(&state, &who, &from, &code).await {
            Ok(form) => again(&state, &headers, error, |problem| {
                let email = if form.is_bound { form.email } else { email };
                Document::Join(JoinForm { email, name, problem: Some(problem), ..form })
            }),
            Err(error) => pages::failed(&state, Visit { who, headers }, error.into()),
        },
    }
}

/// `GET /reset/{code}`
pub async fn reset_page(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Response {
    match state.access().invitation(&code, &from).await {
        Ok(found) if matches!(found.purpose, Purpose::Reset(_)) => {
            let form = ResetForm { code, problem: None };
            pages::form(&state, &headers, StatusCode::OK, Document::Reset(form))
        }
        Ok(_) => pages::failed(&state, Visit { who, headers }, AccessError::NoInvitation.into()),
        Err(error) => pages::failed(&state, Visit { who, headers }, error.into()),
    }
}

#[derive(Deserialize)]
pub struct NewPassword {
    password: String,
}

/// `POST /reset/{code}` with a form of `password`: as `POST /sign-in`; all other sessions are over.
pub async fn reset(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    Path(code): Path<String>,
    sent: Result<Form<NewPassword>, FormRejection>,
) -> Response {
    let NewPassword { password } = match sent {
        Ok(Form(sent)) => sent,
        Err(rejection) => return unreadable(&rejection).into_response(),
    };
    match state.access().reset_password(&code, password, &from).await {
        Ok(admission) => admitted(&state, &headers, admission, &from, "/").await,
        Err(error @ AccessError::NoInvitation) => pages::failed(&state, Visit { who, headers }, error.into()),
        Err(error) => again(&state, &headers, error, |problem| {
            Document::Reset(ResetForm { code, problem: Some(problem) })
        }),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

    #[test]
    fn whoever_signed_in_goes_on_to_this_server_and_nowhere_else() {
        for own in ["/", "/d/abc", "/d/abc?from=1&to=2", "/?search=a%20b"] {
            assert_eq!(own_path(own), own);
        }
        for other in [
            "",
            "d/abc",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: x=y",
            "/a\tb",
            "/é",
            "javascript:alert(1)",
            "/ /evil",
            &format!("/{}", "x".repeat(MAX_PATH_BYTES)),
        ] {
            assert_eq!(own_path(other), "/", "{other:?}");
        }
    }

    #[test]
    fn a_cookie_over_tls_is_bound_to_this_host() {
        let https = HeaderMap::from_iter([(FORWARDED_PROTO, HeaderValue::from_static("https"))]);
        let secure = COOKIE.set(Some("t"), &https);
        assert_eq!(
            secure.to_str().expect("text"),
            "__Host-lockstep=t; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure"
        );
        let plain = COOKIE.set(None, &HeaderMap::new());
        assert_eq!(
            plain.to_str().expect("text"),
            "lockstep_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
