//! Authorization of requests: who sends one, and whether they may.

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::policy::{self, Needs, Rule};
use super::access::proxy::{NamedPerson, Word};
use super::access::tokens::{Token, in_header};
use super::access::who::Who;
use super::access::{AccessError, Mode, Requester, SignedIn};
use super::auth::someone;
use super::errors::ApiError;
use super::http::is_secure;
use super::http::links;
use super::http::screens;
use super::http::sign_in::{end_session_of, go_to, session_cookie, token};
use super::pages::{self, Visit};
use super::peer::PeerAddr;
use super::router::MAX_BODY_BYTES;
use super::state::AppState;
use crate::app::access::{Role, Scope};
use crate::app::audit::Action;
use crate::dashboard::DashboardId;
use crate::sync::protocol::Code;

/// Why a request is not answered with what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// There is no account yet.
    NotSetUp,
    /// Nobody who is known.
    NotSignedIn,
    /// They have to set a second factor up before anything else.
    NoSecondFactor,
    /// The dashboard is not there, or not for them.
    NoDashboard,
    /// Their role on the dashboard is lower than what is needed.
    Role(Role),
    NoEditor,
    /// They edit in no team.
    NoTeamEditor,
    NoAdmin,
    /// The token in the request is not known, or not any more.
    NoToken,
    /// No token may do this.
    Program,
    /// The token has not the scope, or its owner may not do any more what that says.
    Scope(Scope),
    /// It is no screen, or none any more.
    NoScreen,
    /// The token's owner does not edit in its team.
    NoTeam,
    /// The server has no accounts, and nothing at this address.
    NoAccounts,
    /// The address does not take the method.
    Method,
    /// The proxy in front signs people in, and named nobody.
    NotNamed,
}

impl Refusal {
    fn error(self) -> ApiError {
        let forbidden = |reason| ApiError::new(Code::Forbidden, reason);
        match self {
            Self::NotSetUp => {
                let reason = "This server is not set up yet. Whoever started it makes the first account at the \
                              address that its log shows.";
                forbidden(reason).status(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::NotSignedIn => ApiError::not_signed_in(),
            Self::NoSecondFactor => forbidden(
                "This server requires two-step sign-in. Set it up on the page “Your account” first.",
            ),
            Self::NoDashboard => ApiError::no_such_dashboard(),
            Self::Role(Role::Viewer) => {
                forbidden("You are a viewer of this dashboard and cannot change it. Ask an owner.")
            }
            Self::Role(_) => forbidden("Only owners of this dashboard may do this. Ask one of them."),
            Self::NoEditor => forbidden("Only people who can edit a dashboard can query sources."),
            Self::NoTeamEditor => forbidden(
                "To make dashboards you have to be an editor in a team. Ask an admin of this server.",
            ),
            Self::NoAdmin => forbidden("Only admins of this server may do this."),
            Self::NoToken => {
                let reason = "This token is not valid, or not any more. Its owner makes a new one on the page “Your account”.";
                forbidden(reason).status(StatusCode::UNAUTHORIZED)
            }
            Self::Program => forbidden("Tokens cannot do this. Sign in as a person."),
            Self::Scope(scope) => {
                let reason =
                    format!("This needs a token with the scope {}, whose owner may do that.", scope.name());
                ApiError::new(Code::Forbidden, reason)
            }
            Self::NoScreen => ApiError::no_screen(),
            Self::NoTeam => forbidden("The owner of this token has to be an editor of its team for this."),
            Self::NoAccounts => ApiError::no_accounts(),
            Self::Method => ApiError::method_not_allowed(),
            Self::NotNamed => forbidden(
                "The proxy in front of this server signs people in, and did not say who you are. Sign in there, then \
                 open this page again.",
            ),
        }
    }
}

/// Puts [`Who`] into a request, and lets it through where they may.
pub async fn authorize(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut who = identify(&state, request.headers(), request.extensions());
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let rule = matched.as_deref().map(|path| policy::find(request.method().as_str(), path));
    let known_by = match introduce(&state, &who, rule.flatten(), &request) {
        None => Ok(None),
        Some(introduction) => introduction.make(&state, &mut who).await,
    };
    let known_by = match known_by {
        Ok(cookie) => cookie,
        Err(error) => {
            let headers = request.headers().clone();
            return pages::failed(&state, Visit { who, headers }, error.into());
        }
    };
    let mut response = answer(state, who, rule, request, next).await;
    if let Some(cookie) = known_by {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Lets a request through where whoever sends it may, and says why not where they may not.
async fn answer(
    state: AppState,
    who: Who,
    rule: Option<Option<&'static Rule>>,
    mut request: Request,
    next: Next,
) -> Response {
    let checked = match rule {
        Some(Some(rule)) if is_unnamed(&request) && rule.signs_in() => Err(Refusal::NotNamed),
        Some(Some(rule)) => check(&state, &who, rule, request.uri().path()),
        Some(None) => Err(Refusal::Method),
        // A file, or nothing.
        None => check_unmatched(&state, &who, request.uri().path()),
    };
    let Err(refusal) = checked else {
        request.extensions_mut().insert(who);
        return match rule {
            Some(Some(rule)) if is_asked_again(&state, rule, &request) => {
                run_with_body(state, rule, request, next).await
            }
            _ => next.run(request).await,
        };
    };
    if in_header(request.headers()).is_some() && state.access().mode() == Mode::Accounts {
        let refusal = if refusal == Refusal::NotSignedIn { Refusal::NoToken } else { refusal };
        return refusal.error().into_response();
    }
    let is_page = refusal == Refusal::NotNamed || rule.is_none_or(|rule| rule.is_some_and(Rule::is_page));
    // A screen that may not be there looks for what it shows, or for somebody who pairs it.
    let is_screens = match refusal {
        Refusal::NotSignedIn => screens::token(request.headers()).is_some(),
        Refusal::NoDashboard => who.showing().is_some(),
        _ => false,
    };
    if is_page && is_screens {
        return go_to(screens::PAGE);
    }
    if is_page && refusal == Refusal::NotSignedIn {
        return to_sign_in(&request);
    }
    let is_looked_at = [Method::GET, Method::HEAD].contains(request.method());
    if refusal == Refusal::NoSecondFactor && is_looked_at && !request.uri().path().starts_with("/api/") {
        return go_to(policy::SECOND_FACTOR);
    }
    if is_page {
        let headers = request.headers().clone();
        return pages::failed(&state, Visit { who, headers }, refusal.error());
    }
    refusal.error().into_response()
}

/// True where rights may be gone by the time at which the body is there. Of points the handler asks again.
fn is_asked_again(state: &AppState, rule: &Rule, request: &Request) -> bool {
    let is_change = ![Method::GET, Method::HEAD].contains(request.method());
    state.access().mode() == Mode::Accounts && is_change && rule.needs != Needs::PushToken
}

/// Reads the whole body, asks once more whether whoever sends it may, and lets it through.
async fn run_with_body(state: AppState, rule: &Rule, request: Request, next: Next) -> Response {
    let is_document = ["/api/v1/dashboards/import", "/api/v1/dashboards/{id}/document"].contains(&rule.path);
    let most = if is_document { state.rooms.limits().import_bytes } else { MAX_BODY_BYTES };
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, most).await else {
        let reason =
            format!("The body could not be read, or has more than {most} bytes. Nothing was changed.");
        return ApiError::new(Code::TooLarge, reason).into_response();
    };
    let who = identify(&state, &parts.headers, &parts.extensions);
    if let Err(refusal) = check(&state, &who, rule, parts.uri.path()) {
        return refusal.error().into_response();
    }
    parts.extensions.insert(who);
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// What makes somebody known from now on.
struct Introduction {
    headers: HeaderMap,
    from: Requester,
    kind: IntroductionKind,
}

enum IntroductionKind {
    /// Of whom the proxy names: their session is opened, or only that of somebody else ended.
    Named { person: NamedPerson, opens: bool },
    /// Of somebody whom guest mode lets in.
    Public,
}

/// The introduction of whoever sends a request; `None` where they are known already, or stay nobody.
fn introduce(state: &AppState, who: &Who, rule: Option<&Rule>, request: &Request) -> Option<Introduction> {
    let access = state.access();
    if access.mode() == Mode::Open || access.is_empty() || in_header(request.headers()).is_some() {
        return None;
    }
    let headers = request.headers();
    let kind = match request.extensions().get().unwrap_or(&Word::None) {
        Word::Person(person) if who.signed_in().is_none() => {
            let opens = rule.is_some_and(Rule::opens_session);
            if !opens && token(headers).is_none() {
                return None;
            }
            IntroductionKind::Named { person: person.clone(), opens }
        }
        _ if matches!(who, Who::Public(_)) => {
            let is_shown = rule.is_some_and(|rule| rule.guests && rule.is_page());
            if !is_shown || state.guests.read(headers).is_some() {
                return None;
            }
            IntroductionKind::Public
        }
        _ => return None,
    };
    let from = Requester::of(headers, request.extensions());
    Some(Introduction { headers: headers.clone(), from, kind })
}

impl Introduction {
    /// Makes it; the cookie by which they are known from then on.
    async fn make(self, state: &AppState, who: &mut Who) -> Result<Option<HeaderValue>, AccessError> {
        let Self { headers, from, kind } = self;
        match kind {
            IntroductionKind::Public => {
                let guest = someone();
                let cookie = state.guests.cookie(&guest, is_secure(&headers));
                *who = Who::Public(state.access().guest(guest));
                Ok(Some(cookie))
            }
            IntroductionKind::Named { person, opens } => {
                // It is of somebody else, or it would count. Where the disk fails it is tried again.
                let _ = end_session_of(state.access(), &headers, &from, Action::SessionEnded).await;
                let Some(settings) = state.proxy.sign_in.as_ref().filter(|_| opens) else { return Ok(None) };
                let (token, signed_in) = state.access().sign_in_by_proxy(&person, settings, &from).await?;
                *who = Who::Person(Box::new(signed_in));
                Ok(Some(session_cookie(&token, &headers)))
            }
        }
    }
}

/// True where a request came through the proxy that signs people in, which named nobody.
fn is_unnamed(request: &Request) -> bool {
    request.extensions().get() == Some(&Word::Nobody)
}

fn identify(state: &AppState, headers: &HeaderMap, extensions: &Extensions) -> Who {
    let word = extensions.get().unwrap_or(&Word::None);
    match state.access().mode() {
        Mode::Open => state.guests.read(headers).map_or(Who::Nobody, Who::Guest),
        Mode::Accounts => {
            if let Some(text) = in_header(headers) {
                let found = state.access().find_token(text);
                return found.map_or(Who::Nobody, |holder| Who::Token(Box::new(holder)));
            }
            let access = state.access();
            let signed_in = token(headers).and_then(|token| access.find(token));
            if let Some(signed_in) = signed_in.filter(|one| access.counts_with(&one.session, word)) {
                return Who::Person(Box::new(signed_in));
            }
            if matches!(word, Word::Person(_)) {
                // They have an account, and no guest's rights beside it.
                return Who::Nobody;
            }
            // What was let show dashboards does so, whatever link it followed before.
            let address = extensions.get::<PeerAddr>().map(|peer| peer.0);
            let shows = screens::token(headers).and_then(|token| access.find_screen(token, address));
            if let Some(showing) = shows {
                return Who::Screen(Box::new(showing));
            }
            if let Some(visiting) = links::token(headers).and_then(|token| access.find_visit(token)) {
                return Who::Visitor(Box::new(visiting));
            }
            if !access.lets_guests_in() {
                return Who::Nobody;
            }
            Who::Public(access.guest(state.guests.read(headers).unwrap_or_else(someone)))
        }
    }
}

fn check(state: &AppState, who: &Who, rule: &Rule, path: &str) -> Result<(), Refusal> {
    let access = state.access();
    if access.mode() == Mode::Open {
        return match rule.needs {
            Needs::Account | Needs::Admin | Needs::Screen => Err(Refusal::NoAccounts),
            _ => Ok(()),
        };
    }
    let has_to_set_up = |person: &SignedIn| access.must_set_up(person);
    if !rule.is_before_second_factor() && who.signed_in().is_some_and(has_to_set_up) {
        return Err(Refusal::NoSecondFactor);
    }
    if rule.needs == Needs::Nothing {
        return Ok(());
    }
    if access.is_empty() {
        return Err(Refusal::NotSetUp);
    }
    if rule.needs == Needs::PushToken {
        return Ok(());
    }
    if let Some(holder) = who.token() {
        return check_token(state, &holder.token, who, rule, path);
    }
    if rule.needs == Needs::Screen {
        return who.showing().map(|_| ()).ok_or(Refusal::NoScreen);
    }
    let is_let_in = rule.visitors && who.visiting().is_some()
        || rule.guests && who.is_guest() && access.lets_guests_in()
        || rule.screens && who.showing().is_some();
    if let Needs::Role(needed) = rule.needs
        && (who.signed_in().is_some() || is_let_in)
    {
        return check_role(state, who, (rule, needed), path);
    }
    if is_let_in {
        return Ok(());
    }
    let person = who.signed_in().ok_or(Refusal::NotSignedIn)?;
    match rule.needs {
        Needs::Nothing
        | Needs::PushToken
        | Needs::Screen
        | Needs::Person
        | Needs::Account
        | Needs::Role(_) => Ok(()),
        Needs::Admin | Needs::Operator if person.account.is_admin => Ok(()),
        Needs::Admin | Needs::Operator => Err(Refusal::NoAdmin),
        Needs::Query if access.may_query(&person.account.id) => Ok(()),
        Needs::Query => Err(Refusal::NoEditor),
        Needs::Create if access.may_create(&person.account) => Ok(()),
        Needs::Create => Err(Refusal::NoTeamEditor),
    }
}

/// The role on the dashboard in the path. What is not for visitors is not for the role that a link gives somebody with
/// an account, either.
fn check_role(state: &AppState, who: &Who, (rule, needed): (&Rule, Role), path: &str) -> Result<(), Refusal> {
    let id = policy::parameter(rule.path, path, "id").and_then(|id| DashboardId::new(id).ok());
    let id = id.ok_or(Refusal::NoDashboard)?;
    let (access, principal) = (state.access(), who.principal());
    let role = if rule.visitors { access.role(&principal, &id) } else { access.own_role(&principal, &id) };
    let role = role.ok_or(Refusal::NoDashboard)?;
    if role >= needed { Ok(()) } else { Err(Refusal::Role(role)) }
}

fn check_token(state: &AppState, token: &Token, who: &Who, rule: &Rule, path: &str) -> Result<(), Refusal> {
    let access = state.access();
    let scope = rule.token_scope().ok_or(Refusal::Program)?;
    if !access.token_may(token, scope) {
        return Err(Refusal::Scope(scope));
    }
    match rule.needs {
        Needs::Role(needed) => check_role(state, who, (rule, needed), path),
        // What it makes is its team's.
        Needs::Create if !access.token_may_create(token) => Err(Refusal::NoTeam),
        _ => Ok(()),
    }
}

/// Files are for all; that there is no page at an address is for those who signed in.
fn check_unmatched(state: &AppState, who: &Who, path: &str) -> Result<(), Refusal> {
    let is_page = !path.starts_with("/api") && !path.contains('.') && !path.starts_with("/pkg/");
    if state.access().mode() == Mode::Open || !is_page {
        return Ok(());
    }
    if let Some(person) = who.signed_in() {
        let has_to_set_up = state.access().must_set_up(person);
        return if has_to_set_up { Err(Refusal::NoSecondFactor) } else { Ok(()) };
    }
    Err(if state.access().is_empty() { Refusal::NotSetUp } else { Refusal::NotSignedIn })
}

/// Leads to the sign-in page, and from there to where the request wanted to go.
fn to_sign_in(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", wanted).finish();
    let location =
        HeaderValue::try_from(format!("/sign-in?{query}")).expect("what is encoded is header text");
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}
