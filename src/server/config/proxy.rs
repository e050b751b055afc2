//! Settings of sign-in by the word of a proxy in front.

use axum::http::HeaderName;
use ipnet::IpNet;

use super::settings::{PROXY_EMAIL, PROXY_JOIN, PROXY_NAME, PROXY_ROLE, PROXY_USER};
use super::values::truth;
use super::{ConfigError, Found, misfit};
use crate::app::access::Role;
use crate::server::access::Mode;

/// Headers that mean something else, or that browsers send by themselves.
const TAKEN: [&str; 9] = [
    "authorization",
    "cookie",
    "host",
    "origin",
    "referer",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Sign-in by the word of a proxy in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySignIn {
    /// The header with what the proxy knows a person by.
    pub user: HeaderName,
    /// The header with their name.
    pub name: Option<HeaderName>,
    /// The header with their mail address.
    pub email: Option<HeaderName>,
    /// The role of new people in the team of everyone.
    pub role: Role,
    /// Whether somebody who comes for the first time gets the account that has their mail address.
    pub join_by_email: bool,
}

impl Found {
    pub(super) fn proxy(
        &self,
        access: Option<Mode>,
        trusted: &[IpNet],
    ) -> Result<Option<ProxySignIn>, ConfigError> {
        let header = |name| {
            let wants = "the name of a header of its own, such as X-Forwarded-User";
            self.parse(name, wants, |text| {
                text.parse::<HeaderName>().ok().filter(|header| !TAKEN.contains(&header.as_str()))
            })
        };
        let Some(user) = header(PROXY_USER)? else {
            let others = [PROXY_NAME, PROXY_EMAIL, PROXY_ROLE, PROXY_JOIN];
            return match others.into_iter().find_map(|name| self.get(name)) {
                Some((place, _)) => Err(ConfigError::ProxyWithoutUser(place)),
                None => Ok(None),
            };
        };
        // A network of all addresses trusts everybody.
        if trusted.is_empty() || trusted.iter().any(|network| network.prefix_len() == 0) {
            return Err(ConfigError::ProxyUntrusted);
        }
        if access == Some(Mode::Open) {
            return Err(ConfigError::ProxyOpen);
        }
        let (name, email) = (header(PROXY_NAME)?, header(PROXY_EMAIL)?);
        for (setting, header) in [(PROXY_NAME, &name), (PROXY_EMAIL, &email)] {
            let is_user = header.as_ref() == Some(&user);
            if let Some((place, text)) = self.get(setting).filter(|_| is_user) {
                return Err(misfit(setting, place, &text, "another header than the one that names people"));
            }
        }
        let role = self.parse(PROXY_ROLE, "`viewer` or `editor`", |text| match text {
            "viewer" => Some(Role::Viewer),
            "editor" => Some(Role::Editor),
            _ => None,
        })?;
        let join_by_email = self.parse(PROXY_JOIN, "true or false", truth)?.unwrap_or(false);
        Ok(Some(ProxySignIn { user, name, email, role: role.unwrap_or(Role::Viewer), join_by_email }))
    }
}
