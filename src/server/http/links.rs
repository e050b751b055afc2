//! Share links over HTTP: opening one, and for owners making and revoking them.

use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;

use super::cookie::HostCookie;
use super::sharing::check_accounts;
use super::sign_in::{again, go_to, unreadable};
use crate::app::access::{LinkWish, MadeLink};
use crate::app::audit::{Action, Detail};
use crate::app::sign_in::{Form as Document, LinkForm};
use crate::dashboard::DashboardId;
use crate::server::access::audit::dashboard_target;
use crate::server::access::links::{Asks, DAYS, Link, LinkId, NewLink};
use crate::server::access::who::Who;
use crate::server::access::{AccessError, Mode, Requester};
use crate::server::audit::Sender;
use crate::server::errors::ApiError;
use crate::server::pages::{self, Visit};
use crate::server::state::AppState;

/// The cookie of a visit, as long as one lasts at most.
const COOKIE: HostCookie =
    HostCookie { secure: "__Host-lockstep_link", plain: "lockstep_link", max_age_s: 30 * 24 * 60 * 60 };

/// The visit's token that a request carries.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    COOKIE.read(headers)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Said {
    name: String,
    password: String,
}

/// `GET /s/{code}`: 303 to the dashboard with a cookie, or a form of what the link asks for. 404 where it does not
/// count.
pub async fn open_page(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Response {
    let link = match known(&state, &code) {
        Ok(link) => link,
        Err(error) => return unlisted(failed(&state, who, headers, error)),
    };
    match state.access().link_asks(&link, &who).filter(|asks| asks.is_anything()) {
        // A page that sends no referrer sends its form from no origin either, which is turned down: this one keeps to
        // what holds for all, by which no other server is told the address.
        Some(asks) => {
            let form = form(&code, &who, asks, String::new());
            not_indexed(pages::form(&state, &headers, StatusCode::OK, Document::Link(form)))
        }
        None => let_in(&state, who, headers, &link, Said::default(), &from)
            .await
            .unwrap_or_else(|(error, who, headers)| unlisted(failed(&state, who, headers, error))),
    }
}

/// `POST /s/{code}` with a form of `name`, `password`: as `GET`, or the form again with why not.
pub async fn open(
    State(state): State<AppState>,
    who: Who,
    from: Requester,
    headers: HeaderMap,
    Path(code): Path<String>,
    sent: Result<Form<Said>, FormRejection>,
) -> Response {
    let said = match sent {
        Ok(Form(said)) => said,
        Err(rejection) => return unreadable(&rejection).into_response(),
    };
    let link = match known(&state, &code) {
        Ok(link) => link,
        Err(error) => return unlisted(failed(&state, who, headers, error)),
    };
    let name = said.name.clone();
    match let_in(&state, who, headers, &link, said, &from).await {
        Ok(response) => response,
        Err((error @ AccessError::NoInvitation, who, headers)) => {
            unlisted(failed(&state, who, headers, error))
        }
        Err((error, who, headers)) => {
            let asks = Asks { password: link.password.is_some(), name: link.name_required };
            let form = form(&code, &who, asks, name);
            not_indexed(again(&state, &headers, error, |problem| {
                Document::Link(LinkForm { problem: Some(problem), ..form })
            }))
        }
    }
}

fn known(state: &AppState, code: &str) -> Result<Link, AccessError> {
    match state.access().mode() {
        Mode::Accounts => state.access().link(code),
        Mode::Open => Err(AccessError::NoInvitation),
    }
}

fn form(code: &str, who: &Who, asks: Asks, name: String) -> LinkForm {
    let takes_name = who.signed_in().is_none();
    LinkForm {
        code: code.to_owned(),
        name,
        takes_name,
        asks_name: asks.name && takes_name,
        asks_password: asks.password,
        problem: None,
    }
}

/// Leads on to the dashboard, known by a cookie from then on.
async fn let_in(
    state: &AppState,
    who: Who,
    headers: HeaderMap,
    link: &Link,
    said: Said,
    from: &Requester,
) -> Result<Response, (AccessError, Who, HeaderMap)> {
    match state.access().visit(link, &who, (&said.name, said.password), from).await {
        Ok(token) => {
            let mut response = go_to(&format!("/d/{}", link.dashboard));
            if let Some(token) = token {
                response.headers_mut().append(SET_COOKIE, COOKIE.set(Some(&token), &headers));
            }
            Ok(unlisted(response))
        }
        Err(error) => Err((error, who, headers)),
    }
}

fn failed(state: &AppState, who: Who, headers: HeaderMap, error: AccessError) -> Response {
    pages::failed(state, Visit { who, headers }, error.into())
}

/// An answer at an address that is a secret: nobody lists it, and nobody is told of it by what it leads to.
fn unlisted(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    not_indexed(response)
}

fn not_indexed(mut response: Response) -> Response {
    let robots = HeaderName::from_static("x-robots-tag");
    response.headers_mut().insert(robots, HeaderValue::from_static("noindex"));
    response
}

/// `POST /api/v1/dashboards/{id}/links` with a [`LinkWish`]: 201 with a [`MadeLink`]. Nobody is shown its address again.
pub async fn make(
    State(state): State<AppState>,
    who: Who,
    sender: Sender,
    id: Result<Path<DashboardId>, PathRejection>,
    body: Result<Json<LinkWish>, JsonRejection>,
) -> Result<(StatusCode, Json<MadeLink>), ApiError> {
    let (id, Json(wish)) = (id?.0, body?);
    check_accounts(&state)?;
    let LinkWish { role, label, days, password, name_required, query } = wish;
    let days = days.unwrap_or(DAYS);
    let wish = NewLink { role, may_query: query, password, name_required, label, days };
    let made_by = who.user().map(|user| user.name).unwrap_or_default();
    let made = sender.did(Action::LinkMade, dashboard_target(&id));
    let made = made.with(Detail { role: Some(role), ..Detail::link(wish.label.trim()) });
    let (id, code) = state.access().make_link(id, wish, made_by).await?;
    state.access().record(vec![made]).await;
    Ok((
        StatusCode::CREATED,
        Json(MadeLink { id: id.to_text(), address: state.base.to(&format!("/s/{code}")) }),
    ))
}

/// `DELETE /api/v1/dashboards/{id}/links/{link}`: 204; whoever came by it is out.
pub async fn revoke(
    State(state): State<AppState>,
    sender: Sender,
    path: Result<Path<(DashboardId, String)>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let Path((dashboard, link)) = path?;
    check_accounts(&state)?;
    let id = LinkId::from_text(&link).ok_or(AccessError::NoInvitation)?;
    let link = state.access().known_link(&id).filter(|link| link.dashboard == dashboard);
    revoke_known(&state, &sender, link.ok_or(AccessError::NoInvitation)?).await
}

/// Revokes a link, whose dashboard's audit log has it.
pub(super) async fn revoke_known(
    state: &AppState,
    sender: &Sender,
    link: Link,
) -> Result<StatusCode, ApiError> {
    let Link { id, dashboard, label, .. } = link;
    state.access().revoke_link(&dashboard, id).await?;
    let revoked = sender.did(Action::LinkRevoked, dashboard_target(&dashboard));
    state.access().record(vec![revoked.with(Detail::link(&label))]).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

    #[test]
    fn a_cookie_over_tls_is_bound_to_this_host() {
        let https = HeaderMap::from_iter([(FORWARDED_PROTO, HeaderValue::from_static("https"))]);
        let secure = COOKIE.set(Some("t"), &https);
        assert_eq!(
            secure.to_str().expect("text"),
            "__Host-lockstep_link=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(
            COOKIE
                .set(Some("t"), &HeaderMap::new())
                .to_str()
                .expect("text")
                .starts_with("lockstep_link=t; Path=/;")
        );
    }
}
