//! Requests to the OpenID Connect provider, within bounds.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;

use crate::server::config::is_loopback;

/// The longest that the provider's answer to one request may take.
const WAIT: Duration = Duration::from_secs(10);
/// Bytes of one answer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Whether nobody on the way can answer in place of the host.
pub(super) fn is_safe(scheme: &str, host: Option<&str>) -> bool {
    scheme == "https" || scheme == "http" && host.is_some_and(is_loopback)
}

/// Why a request has no answer, without the address that was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("there is no client: {0}")]
    NoClient(String),
    #[error("it names an address that is not https")]
    NotSafe,
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it did not answer within {} s", WAIT.as_secs())]
    Late,
    #[error("its answer was cut off")]
    Cut,
    #[error("its answer has more than {MAX_BODY_BYTES} bytes")]
    TooLarge,
}

/// Requests to the provider: over TLS or on this machine, within bounds, and only where they are sent.
pub(super) struct Http(Result<reqwest::Client, String>);

impl Http {
    pub(super) fn new() -> Self {
        let client = reqwest::Client::builder()
            .timeout(WAIT)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(client.map_err(|error| error.to_string()))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let client = self.0.as_ref().map_err(|error| HttpError::NoClient(error.clone()))?;
        let uri = request.uri();
        if !is_safe(uri.scheme_str().unwrap_or_default(), uri.host()) {
            return Err(HttpError::NotSafe);
        }
        let fails = |error: reqwest::Error| match error {
            error if error.is_timeout() => HttpError::Late,
            error if error.is_connect() => HttpError::Unreachable,
            _ => HttpError::Cut,
        };
        let request = reqwest::Request::try_from(request).map_err(fails)?;
        let mut answer = client.execute(request).await.map_err(fails)?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(fails)? {
            if body.len() + part.len() > MAX_BODY_BYTES {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        std::mem::swap(response.headers_mut(), answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a7_only_tls_or_this_machine_is_safe() {
        for (scheme, host, safe) in [
            ("https", "id.example.com", true),
            ("http", "127.0.0.1", true),
            ("http", "[::1]", true),
            ("http", "id.example.com", false),
            ("http", "127.0.0.1.example.com", false),
            ("ftp", "127.0.0.1", false),
        ] {
            assert_eq!(is_safe(scheme, Some(host)), safe, "{scheme} {host}");
        }
        assert!(!is_safe("http", None));
    }
}
