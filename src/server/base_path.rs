//! The base path in requests and answers: taken off the addresses of the former, and put in front of those of the latter.
//!
//! Behind it routes, rules and cookies are those of a server that stands at `/`. A cookie is known to the browser by a name
//! with the base path and is sent below that only; `__Host-`, which demands `Path=/`, becomes `__Secure-` there.

use axum::extract::{Request, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::address::BasePath;

/// Begin of a cookie's name that holds for the whole host.
const HOST_PREFIX: &str = "__Host-";
/// The same for a part of it, over TLS all the same.
const SECURE_PREFIX: &str = "__Secure-";

/// Lets a request below the base path through as the routes know it, and its answer out as the browser does.
pub async fn enter(State(base): State<BasePath>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == base.as_str() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, base.to("/") + &query)]).into_response();
    }
    let Some(uri) = inner(&base, request.uri()) else {
        let reason = format!("There is nothing at this address. This server is at {}\n", base.to("/"));
        return (StatusCode::NOT_FOUND, reason).into_response();
    };
    *request.uri_mut() = uri;
    take_cookies(&base, request.headers_mut());
    let mut response = next.run(request).await;
    for_browser(&base, response.headers_mut());
    response
}

/// A request's address without the base path; `None` for one outside of it.
fn inner(base: &BasePath, uri: &Uri) -> Option<Uri> {
    let path = base.strip(uri.path_and_query()?.as_str())?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// Leaves of a request's cookies those of this server, by the names that the routes know.
fn take_cookies(base: &BasePath, headers: &mut HeaderMap) {
    let suffix = base.suffix();
    let own = |pair: &[u8]| {
        let (name, value) =
            std::str::from_utf8(pair).ok().filter(|pair| pair.is_ascii())?.trim().split_once('=')?;
        let name = name.strip_suffix(&*suffix)?;
        Some(match name.strip_prefix(SECURE_PREFIX) {
            Some(rest) => format!("{HOST_PREFIX}{rest}={value}"),
            None => format!("{name}={value}"),
        })
    };
    // Pair by pair: others at this host may have cookies that are no ASCII.
    let sent = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let kept: Vec<String> = sent.filter_map(own).collect();
    headers.remove(COOKIE);
    if let Some(kept) = HeaderValue::try_from(kept.join("; ")).ok().filter(|kept| !kept.is_empty()) {
        headers.insert(COOKIE, kept);
    }
}

/// Writes the base path into where an answer leads to, and into its cookies.
fn for_browser(base: &BasePath, headers: &mut HeaderMap) {
    let own = headers.get(LOCATION).and_then(|to| to.to_str().ok()).filter(|to| to.starts_with('/'));
    if let Some(location) = own.and_then(|to| HeaderValue::try_from(base.to(to)).ok()) {
        headers.insert(LOCATION, location);
    }
    let set: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in set {
        let below = cookie.to_str().ok().and_then(|text| below(base, text));
        headers.append(SET_COOKIE, below.unwrap_or(cookie));
    }
}

/// A cookie of the whole host as one of what is below the base path.
fn below(base: &BasePath, cookie: &str) -> Option<HeaderValue> {
    let (name, rest) = cookie.split_once('=')?;
    let name = match name.strip_prefix(HOST_PREFIX) {
        Some(rest) => format!("{SECURE_PREFIX}{rest}"),
        None => name.to_owned(),
    };
    let path = format!("; Path={};", base.as_str());
    HeaderValue::try_from(format!("{}={}", base.name(&name), rest.replacen("; Path=/;", &path, 1))).ok()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use tower::ServiceExt as _;

    use super::*;

    /// What an app below `/dash` that repeats its request answers: status, headers and body.
    async fn answer(address: &str, cookie: &str) -> (u16, HeaderMap, String) {
        let repeat = |request: Request| async move {
            let cookies = request.headers().get(COOKIE).map(|value| value.to_str().unwrap().to_owned());
            let seen = format!("{} {}", request.uri(), cookies.unwrap_or_default());
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_static("/sign-in?to=%2Fd%2Fx"));
            for cookie in
                ["__Host-lockstep=t; Path=/; Max-Age=1; Secure", "lockstep_session=; Path=/; Max-Age=0"]
            {
                headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
            }
            (headers, seen)
        };
        let base = BasePath::read("/dash").expect("a path");
        let app = Router::new().fallback(repeat).layer(from_fn_with_state(base, enter));
        let request = Request::get(address).header(COOKIE, cookie).body(Body::empty()).expect("a request");
        let answer = app.oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1_000).await.expect("a body");
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[test]
    fn a_cookie_of_others_that_is_no_ascii_hides_none() {
        let mut headers = HeaderMap::new();
        let sent =
            HeaderValue::from_bytes("name=Zoë; lockstep~dash=t; x~dash=ö".as_bytes()).expect("a header");
        headers.insert(COOKIE, sent);
        take_cookies(&BasePath::read("/dash").expect("a path"), &mut headers);
        assert_eq!(headers[COOKIE], "lockstep=t");
    }

    #[tokio::test]
    async fn routes_see_addresses_without_the_base_path() {
        for (address, seen) in [
            ("/dash/", "/ "),
            ("/dash/d/x?from=1", "/d/x?from=1 "),
            ("/dash/?search=a%20b", "/?search=a%20b "),
            ("/dash/dash", "/dash "),
            ("/dash//other.example", "//other.example "),
        ] {
            assert_eq!(answer(address, "").await.2, seen, "{address}");
        }
    }

    #[tokio::test]
    async fn what_is_outside_of_the_base_path_is_not_there() {
        for address in ["/", "/d/x", "/dashboards", "/Dash/", "/%64ash/", "/x/dash/"] {
            let (status, headers, body) = answer(address, "").await;
            assert_eq!((status, headers.get(LOCATION)), (404, None), "{address}");
            assert_eq!(body, "There is nothing at this address. This server is at /dash/\n");
        }
        let (status, headers, _) = answer("/dash?search=x", "").await;
        assert_eq!((status, headers[LOCATION].to_str().unwrap()), (308, "/dash/?search=x"));
    }

    #[tokio::test]
    async fn answers_lead_below_the_base_path_and_set_cookies_there() {
        let (_, headers, _) = answer("/dash/d/x", "").await;
        assert_eq!(headers[LOCATION], "/dash/sign-in?to=%2Fd%2Fx");
        let set: Vec<_> = headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            set,
            [
                "__Secure-lockstep~dash=t; Path=/dash; Max-Age=1; Secure",
                "lockstep_session~dash=; Path=/dash; Max-Age=0",
            ]
        );
    }

    #[tokio::test]
    async fn cookies_of_other_servers_at_the_same_origin_stay_outside() {
        let sent =
            "__Host-lockstep=root; __Secure-lockstep~dash=own; lockstep_theme~dash=dark; a~dash~b=x; b=y";
        assert_eq!(answer("/dash/", sent).await.2, "/ __Host-lockstep=own; lockstep_theme=dark");
        assert_eq!(answer("/dash/", "__Host-lockstep=root").await.2, "/ ");
    }
}
