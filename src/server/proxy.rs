//! The header by which a proxy in front names the person of a request.
//!
//! Whoever reaches this server could send it. From any peer but a trusted proxy it is an error and not passed over: a
//! server that is reached around its proxy would not be noticed otherwise.

use std::convert::Infallible;
use std::str;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::access::accounts::{MAX_EMAIL_BYTES, checked_email};
use super::access::identities::MAX_SUBJECT_BYTES;
use super::access::proxy::{NamedPerson, Word};
use super::config::ProxySignIn;
use super::errors::ApiError;
use super::peer::FromProxy;
use super::state::AppState;
use crate::sync::protocol::Code;

/// Bytes of a person's name, of which the first characters are taken.
const MAX_NAME_BYTES: usize = 1_000;
/// Between two lines in the log about what is turned down.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// What Apache sends for a variable that is not set.
const UNSET: &str = "(null)";

/// Why a proxy's word is turned down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum WordError {
    #[error(
        "This request has the header {0}, by which a proxy says who somebody is, and comes from no proxy of \
         LOCKSTEP_TRUSTED_PROXIES."
    )]
    Untrusted(HeaderName),
    #[error("The header {0} is there twice.")]
    Twice(HeaderName),
    #[error("The header {0} is empty. A proxy that knows nobody leaves it out.")]
    Empty(HeaderName),
    #[error("The header {0} has more than {1} bytes.")]
    Long(HeaderName, usize),
    #[error("The header {0} is no text in UTF-8, or has control characters.")]
    Unreadable(HeaderName),
}

/// What the settings say of sign-in by the proxy's word.
#[derive(Default)]
pub struct Proxy {
    pub sign_in: Option<ProxySignIn>,
    /// When something was last said about a header that was turned down.
    said_at: Mutex<Option<Instant>>,
}

impl Proxy {
    pub fn new(sign_in: Option<ProxySignIn>) -> Self {
        Self { sign_in, said_at: Mutex::default() }
    }

    fn word(&self, headers: &HeaderMap, FromProxy(is_from_proxy): FromProxy) -> Result<Word, WordError> {
        let Some(ProxySignIn { user, name, email, .. }) = &self.sign_in else { return Ok(Word::None) };
        match (headers.contains_key(user), is_from_proxy) {
            (false, false) => return Ok(Word::None),
            (true, false) => return Err(WordError::Untrusted(user.clone())),
            (false, true) => return Ok(Word::Nobody),
            (true, true) => {}
        }
        let read = |header: &Option<HeaderName>, most| match header {
            Some(header) => text(headers, header, most),
            None => Ok(None),
        };
        let subject = text(headers, user, MAX_SUBJECT_BYTES)?.ok_or(WordError::Empty(user.clone()))?;
        let said = read(email, MAX_EMAIL_BYTES)?;
        let email = said.as_deref().and_then(checked_email).or_else(|| checked_email(&subject));
        Ok(Word::Person(NamedPerson { name: read(name, MAX_NAME_BYTES)?, email, subject }))
    }

    /// True where it is time for another line.
    fn may_say(&self) -> bool {
        let mut said_at = self.said_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY);
        if may {
            *said_at = Some(Instant::now());
        }
        may
    }
}

/// The text of a header; `None` where it is not there, or says nothing.
fn text(headers: &HeaderMap, header: &HeaderName, most: usize) -> Result<Option<String>, WordError> {
    let mut all = headers.get_all(header).iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(WordError::Twice(header.clone()));
    }
    if value.len() > most {
        return Err(WordError::Long(header.clone(), most));
    }
    let read = str::from_utf8(value.as_bytes()).ok().filter(|text| !text.chars().any(char::is_control));
    let text = read.ok_or(WordError::Unreadable(header.clone()))?.trim();
    Ok(Some(text).filter(|text| !text.is_empty() && *text != UNSET).map(str::to_owned))
}

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Puts the proxy's [`Word`] into a request, and turns down what is none.
pub async fn read_word(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get().copied().unwrap_or_default();
    match state.proxy.word(request.headers(), from) {
        Ok(word) => {
            request.extensions_mut().insert(word);
            next.run(request).await
        }
        Err(error) => {
            if state.proxy.may_say() {
                let peer = request.extensions().get().map(|super::peer::PeerAddr(peer)| peer);
                tracing::warn!(?peer, "a request was turned down: {error}");
            }
            ApiError::new(Code::Invalid, error.to_string()).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::app::access::Role;

    const USER: HeaderName = HeaderName::from_static("remote-user");
    const NAME: HeaderName = HeaderName::from_static("remote-name");
    const EMAIL: HeaderName = HeaderName::from_static("remote-email");

    fn word(said: &[(HeaderName, &[u8])], is_from_proxy: bool) -> Result<Word, WordError> {
        let sign_in = ProxySignIn {
            user: USER,
            name: Some(NAME),
            email: Some(EMAIL),
            role: Role::Viewer,
            join_by_email: false,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        Proxy::new(Some(sign_in)).word(&headers, FromProxy(is_from_proxy))
    }

    fn person(subject: &str, name: Option<&str>, email: Option<&str>) -> Result<Word, WordError> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Ok(Word::Person(NamedPerson { subject: subject.to_owned(), name: own(name), email: own(email) }))
    }

    #[test]
    fn a8_the_header_counts_from_trusted_proxies_and_is_an_error_from_others() {
        assert_eq!(word(&[(USER, b"ada")], true), person("ada", None, None));
        assert_eq!(word(&[(USER, b"ada")], false), Err(WordError::Untrusted(USER)));
        assert_eq!(word(&[], true), Ok(Word::Nobody));
        assert_eq!(word(&[(EMAIL, b"ada@example.com")], false), Ok(Word::None));
        let ada = HeaderMap::from_iter([(USER, HeaderValue::from_static("ada"))]);
        let none = Proxy::default().word(&ada, FromProxy(false));
        assert_eq!(none, Ok(Word::None), "a server without the setting takes no notice");
    }

    #[test]
    fn a8_what_names_nobody_for_certain_is_turned_down() {
        let long = [b'x'; MAX_SUBJECT_BYTES + 1];
        for (said, error) in [
            (&[(USER, &b"ada"[..]), (USER, &b"eve"[..])][..], WordError::Twice(USER)),
            (&[(USER, b"ada"), (USER, b"ada")], WordError::Twice(USER)),
            (&[(USER, b"")], WordError::Empty(USER)),
            (&[(USER, b"  ")], WordError::Empty(USER)),
            (&[(USER, b"(null)")], WordError::Empty(USER)),
            (&[(USER, &long)], WordError::Long(USER, MAX_SUBJECT_BYTES)),
            (&[(USER, b"a\xff")], WordError::Unreadable(USER)),
            (&[(USER, b"a\tb")], WordError::Unreadable(USER)),
            (&[(USER, b"ada"), (NAME, b"A"), (NAME, b"B")], WordError::Twice(NAME)),
            (&[(USER, b"ada"), (EMAIL, b"a\xffb@example.com")], WordError::Unreadable(EMAIL)),
        ] {
            assert_eq!(word(said, true), Err(error), "{said:?}");
        }
    }

    #[test]
    fn a_mail_address_comes_from_its_header_or_from_the_name() {
        let zoe = "Zoë".as_bytes();
        let said = [(USER, &b"zoe"[..]), (NAME, zoe), (EMAIL, b"zoe@example.com")];
        assert_eq!(word(&said, true), person("zoe", Some("Zoë"), Some("zoe@example.com")));
        let address = "zoe@example.com";
        assert_eq!(word(&[(USER, address.as_bytes())], true), person(address, None, Some(address)));
        assert_eq!(word(&[(USER, b"zoe"), (EMAIL, b"(null)")], true), person("zoe", None, None));
    }
}
