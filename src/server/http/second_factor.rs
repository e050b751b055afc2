//! The step of signing in at which a code is asked for, and one's own second factor: plain forms, answered with plain
//! pages.

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;

use super::account::account_of;
use super::cookie::HostCookie;
use super::sign_in::{
    GoOn, again, go_to, own_path, replace_session, session_cookie, sign_in_form, signed_in, unreadable,
};
use crate::app::second_factor::{CodeForm, Overview, RecoveryCodes, SecondFactorPage, SetUpForm};
use crate::app::sign_in::{Form as Document, SignInForm};
use crate::server::access::policy::SECOND_FACTOR;
use crate::server::access::second_factor::{Proof, SetUp};
use crate::server::access::who::Who;
use crate::server::access::{AccessError, Requester, SignedIn};
use crate::server::errors::ApiError;
use crate::server::pages::{self, Visit};
use crate::server::state::AppState;
use crate::sync::protocol::Code;

/// The cookie of a ticket, as long as one counts.
const TICKET: HostCookie =
    HostCookie { secure: "__Host-lockstep_ticket", plain: "lockstep_ticket", max_age_s: 5 * 60 };
/// Where a code is asked for.
const CODE_STEP: &str = "/sign-in/code";
/// Pixels of the picture's side, at least.
const PICTURE_PX: u32 = 208;

/// Leads to the step at which a code is asked for, and from there to a path of this server.
pub(super) fn ask_for_code(headers: &HeaderMap, ticket: &str, to: &str) -> Response {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    let mut response = go_to(&format!("{CODE_STEP}?{query}"));
    response.headers_mut().append(SET_COOKIE, TICKET.set(Some(ticket), headers));
    response
}

/// `GET /sign-in/code?to=/d/...`: the form, for whoever has just given the right password.
pub async fn code_page(
    State(state): State<AppState>,
    headers: HeaderMap,
    asked: Result<Query<GoOn>, QueryRejection>,
) -> Response {
    let GoOn { to } = asked.map(|Query(asked)| asked).unwrap_or_default();
    let ticket = TICKET.read(&headers).unwrap_or_default();
    if state.access().account_of_ticket(ticket).is_err() {
        return go_to("/sign-in");
    }
    let form = CodeForm { to: own_path(&to).to_owned(), problem: None };
    pages::form(&state, &headers, StatusCode::OK, Document::SecondFactor(SecondFactorPage::Code(form)))
}

#[derive(Deserialize)]
pub struct TypedCode {
    code: String,
    #[serde(default)]
    to: String,
}

/// `POST /sign-in/code` with a form of `code`, `to`: 303 to there with a session, or the form again with why not.
pub async fn enter_code(
    State(state): State<AppState>,
    from: Requester,
    headers: HeaderMap,
    sent: Result<Form<TypedCode>, FormRejection>,
) -> Response {
    let TypedCode { code, to } = match sent {
        Ok(Form(sent)) => sent,
        Err(rejection) => return unreadable(&rejection).into_response(),
    };
    let ticket = TICKET.read(&headers).unwrap_or_default();
    match state.access().sign_in_with_code(ticket, &code, &from).await {
        Ok(opened) => {
            replace_session(state.access(), &headers, &from).await;
            let mut response = signed_in(&headers, opened, &to);
            response.headers_mut().append(SET_COOKIE, TICKET.set(None, &headers));
            response
        }
        Err(error) => again(&state, &headers, error.clone(), |problem| {
            let problem = Some(problem);
            match error {
                AccessError::SignInOver | AccessError::Wrong | AccessError::NoSecondFactor => {
                    Document::SignIn(SignInForm { problem, ..sign_in_form(&state, &to) })
                }
                _ => {
                    let to = own_path(&to).to_owned();
                    Document::SecondFactor(SecondFactorPage::Code(CodeForm { to, problem }))
                }
            }
        }),
    }
}

/// `GET /account/second-factor`: what one has, or the form to set it up.
pub async fn page(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Response {
    match person(&who) {
        Ok(person) => {
            let page_of = if state.access().has_second_factor(&person.account.id) {
                overview(&state, person, None)
            } else {
                set_up_form(&state, person, None)
            };
            pages::form(&state, &headers, StatusCode::OK, Document::SecondFactor(page_of))
        }
        Err(error) => pages::failed(&state, Visit { who, headers }, error),
    }
}

/// `GET /account/second-factor/set-up`: the form to set an app up, the first one or another.
pub async fn set_up_page(State(state): State<AppState>, who: Who, headers: HeaderMap) -> Response {
    match person(&who) {
        Ok(person) => {
            let page_of = set_up_form(&state, person, None);
            pages::form(&state, &headers, StatusCode::OK, Document::SecondFactor(page_of))
        }
        Err(error) => pages::failed(&state, Visit { who, headers }, error),
    }
}

#[derive(Deserialize)]
pub struct TypedSetUp {
    password: String,
    #[serde(default)]
    before: String,
    code: String,
}

/// `POST /account/second-factor/set-up` with a form of `password`, `code` of the new app, and `before`, a code of the one
/// that it replaces: the recovery codes, once, or the form again with why not.
pub async fn set_up(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    sent: Result<Form<TypedSetUp>, FormRejection>,
) -> Response {
    let (person, TypedSetUp { password, before, code }) = match person_with_form(&who, sent) {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    let set_up = SetUp { password, before, code };
    match state.access().turn_on_second_factor(person, set_up, &from).await {
        Ok((codes, opened)) => {
            // Whoever had to do this first was on the way to somewhere else.
            let then = if opened.is_some() { "/" } else { SECOND_FACTOR };
            let mut response = recovery_codes(&state, &headers, codes, then);
            if let Some((token, _)) = opened {
                response.headers_mut().append(SET_COOKIE, session_cookie(&token, &headers));
            }
            response
        }
        Err(error) => again(&state, &headers, error, |problem| {
            Document::SecondFactor(set_up_form(&state, person, Some(problem)))
        }),
    }
}

#[derive(Deserialize)]
pub struct TypedProof {
    password: String,
    code: String,
}

impl From<TypedProof> for Proof {
    fn from(TypedProof { password, code }: TypedProof) -> Self {
        Self { password, code }
    }
}

/// `POST /account/second-factor/recovery-codes` with a form of `password`, `code`: new ones, once, or the page again with
/// why not.
pub async fn renew_recovery_codes(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    sent: Result<Form<TypedProof>, FormRejection>,
) -> Response {
    let (person, proof) = match person_with_form(&who, sent) {
        Ok((person, sent)) => (person, Proof::from(sent)),
        Err(error) => return error.into_response(),
    };
    match state.access().renew_recovery_codes(person, proof, &from).await {
        Ok(codes) => recovery_codes(&state, &headers, codes, SECOND_FACTOR),
        Err(error) => overview_again(&state, &headers, person, error),
    }
}

/// `POST /account/second-factor/remove` with a form of `password`, `code`: 303 to the account's page, or the page again
/// with why not.
pub async fn turn_off(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    sent: Result<Form<TypedProof>, FormRejection>,
) -> Response {
    let (person, proof) = match person_with_form(&who, sent) {
        Ok((person, sent)) => (person, Proof::from(sent)),
        Err(error) => return error.into_response(),
    };
    match state.access().turn_off_second_factor(person, proof, &from).await {
        Ok(()) => go_to("/account"),
        Err(error) => overview_again(&state, &headers, person, error),
    }
}

/// The form that was sent, and who sent it.
fn person_with_form<T>(who: &Who, sent: Result<Form<T>, FormRejection>) -> Result<(&SignedIn, T), ApiError> {
    let Form(sent) = sent.map_err(|rejection| unreadable(&rejection))?;
    Ok((person(who)?, sent))
}

/// Somebody whose account has a password: all others sign in elsewhere.
fn person(who: &Who) -> Result<&SignedIn, ApiError> {
    let person = account_of(who)?;
    let reason = "Your account has no password here: where you sign in, a second step can be asked for.";
    let has_password = person.account.password.is_some();
    if has_password { Ok(person) } else { Err(ApiError::new(Code::Forbidden, reason)) }
}

fn overview(state: &AppState, person: &SignedIn, problem: Option<String>) -> SecondFactorPage {
    let card = state.access().second_factor_card(&person.account.id);
    SecondFactorPage::Overview(Overview { email: person.account.email.clone(), card, problem })
}

/// The page again with why something was not done; where the second factor is gone meanwhile, the form to set it up.
fn overview_again(state: &AppState, headers: &HeaderMap, person: &SignedIn, error: AccessError) -> Response {
    again(state, headers, error, |problem| {
        let is_on = state.access().has_second_factor(&person.account.id);
        let page_of = if is_on { overview } else { set_up_form };
        Document::SecondFactor(page_of(state, person, Some(problem)))
    })
}

fn set_up_form(state: &AppState, person: &SignedIn, problem: Option<String>) -> SecondFactorPage {
    let SignedIn { account, session, .. } = person;
    let secret = state.access().setup_secret(&session.hash);
    SecondFactorPage::SetUp(SetUpForm {
        picture: picture(&secret.address(&account.email)),
        secret: secret.in_groups(),
        email: account.email.clone(),
        replaces: state.access().has_second_factor(&account.id),
        comes_first: state.access().must_set_up(person),
        problem,
    })
}

fn recovery_codes(state: &AppState, headers: &HeaderMap, codes: Vec<String>, then: &'static str) -> Response {
    let page_of = SecondFactorPage::RecoveryCodes(RecoveryCodes { codes, then });
    pages::form(state, headers, StatusCode::OK, Document::SecondFactor(page_of))
}

/// An address as a picture that phones read, itself as an address.
fn picture(address: &str) -> String {
    let code = QrCode::with_error_correction_level(address, EcLevel::M)
        .expect("the longest mail address fits three times");
    let svg = code.render::<svg::Color<'_>>().min_dimensions(PICTURE_PX, PICTURE_PX).build();
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::access::accounts::MAX_EMAIL_BYTES;
    use crate::server::access::second_factor::TotpSecret;

    #[test]
    fn the_longest_mail_address_has_a_picture() {
        let email = format!("{}@example.com", ":%\u{fc}".repeat((MAX_EMAIL_BYTES - 12) / 4));
        let picture = picture(&TotpSecret([255; 20]).address(&email));
        let svg = picture.strip_prefix("data:image/svg+xml;base64,").expect("an address of a picture");
        let svg = String::from_utf8(STANDARD.decode(svg).expect("base64")).expect("text");
        assert!(svg.contains("<svg") && !svg.contains("example.com"), "{svg:.200}");
    }
}
