//! Cookies that let somebody in: bound to this host over TLS, and read by no script.

use axum::http::{HeaderMap, HeaderValue};

use super::is_secure;
use crate::server::auth::cookies;

/// A cookie that carries a token.
pub struct HostCookie {
    /// The name where the page came over TLS, which begins with `__Host-`: no other host, and no page without TLS, can
    /// set it then.
    pub secure: &'static str,
    /// The name without TLS.
    pub plain: &'static str,
    /// Seconds that a browser keeps it.
    pub max_age_s: u32,
}

impl HostCookie {
    /// The token that a request carries.
    pub fn read<'h>(&'h self, headers: &'h HeaderMap) -> Option<&'h str> {
        let name = if is_secure(headers) { self.secure } else { self.plain };
        cookies(headers, name).next()
    }

    /// The `Set-Cookie` header of a token, for who sent these headers; without a token it takes the cookie away.
    pub fn set(&self, token: Option<&str>, headers: &HeaderMap) -> HeaderValue {
        let (name, secure) = if is_secure(headers) { (self.secure, "; Secure") } else { (self.plain, "") };
        let (token, age) = token.map_or(("", 0), |token| (token, self.max_age_s));
        let cookie = format!("{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(cookie).expect("base64 and words are header text")
    }
}
