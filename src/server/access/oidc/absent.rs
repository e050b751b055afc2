//! OpenID Connect in a build without it: no settings name a provider there.

use crate::app::access::ProviderState;
use crate::server::access::oidc::pending::Handshake;
use crate::server::access::oidc::{Answer, Claims, ProviderError, unknown_state};
use crate::server::config;

/// Whether this build speaks OpenID Connect.
pub const IS_BUILT_IN: bool = false;

/// A provider that is never reached.
pub struct Provider(ProviderState);

impl Provider {
    pub fn new(settings: &config::Oidc) -> Self {
        Self(unknown_state(settings))
    }

    /// Always an error.
    pub async fn authorization_url(&self, _: &Handshake) -> Result<String, ProviderError> {
        Err(absent())
    }

    /// Always an error.
    pub async fn check_issuer(&self, _: Option<&str>) -> Result<(), ProviderError> {
        Err(absent())
    }

    /// Always an error.
    pub async fn redeem(&self, _: Answer<'_>, _: &Handshake) -> Result<Claims, ProviderError> {
        Err(absent())
    }

    /// Its name and issuer.
    pub async fn state(&self) -> ProviderState {
        self.0.clone()
    }
}

fn absent() -> ProviderError {
    ProviderError::Away("this build has no OpenID Connect".to_owned())
}
