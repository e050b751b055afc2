//! Entity tags: what did not change since somebody asked is not sent again (RFC 9110, 8.8.3 and 13.1.2).

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::rooms::frames::json;

/// Bytes of the digest that make a tag: two answers of one address never have the same.
const TAG_BYTES: usize = 16;

/// A value as JSON, or that it is what the browser has.
pub fn tagged(headers: &HeaderMap, value: &impl Serialize) -> Response {
    let body = Bytes::from(json(value));
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..TAG_BYTES]));
    if matches(headers, &tag) { not_modified(&tag) } else { answer(&tag, body) }
}

/// True where whoever asks has what this tag stands for.
pub fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let all = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = all.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// 304.
pub fn not_modified(tag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    with_tag(response, tag)
}

/// JSON with its tag.
pub fn answer(tag: &str, json: Bytes) -> Response {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_tag(response, tag)
}

/// The browser keeps it and asks each time whether it still holds, for this person alone.
fn with_tag(mut response: Response, tag: &str) -> Response {
    let headers = response.headers_mut();
    let tag = HeaderValue::from_str(tag).expect("letters, digits and quotes are header text");
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("cookie"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others() {
        for (sent, matched) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(sent))]);
            assert_eq!(matches(&headers, "\"a\""), matched, "{sent}");
        }
        assert!(!matches(&HeaderMap::new(), "\"a\""));
    }
}
