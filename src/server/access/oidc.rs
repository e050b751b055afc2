//! Sign-in with an OpenID Connect provider: whose account a person has whom it names.
//!
//! What is said on the way is in `oidc/provider.rs`. The key of an account is the issuer with its subject; a mail address,
//! which may be somebody else's there, never is.

pub mod groups;
pub mod pending;

use self::pending::PendingSignIns;
use super::directory::{Account, Role};
use super::identities::NewPerson;
use super::throttle::GuessTarget;
use super::{Access, AccessError, Requester, SignedIn};
use crate::app::access::ProviderState;
use crate::app::audit::{Action, Detail};
use crate::openid::Provider;
use crate::server::config;
use crate::server::rooms::random_id;

/// The provider of this deployment, and sign-ins that wait for its answer.
pub struct Oidc {
    pub provider: Provider,
    pub pending: PendingSignIns,
    settings: config::Oidc,
}

/// What a provider says of a person, after all that is to be checked of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub email: Option<Email>,
    pub groups: Vec<String>,
}

/// A mail address as the provider tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub address: String,
    /// Whether the provider knows that it is the person's.
    pub is_verified: bool,
}

/// What a browser brings back from the provider.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub code: &'a str,
    /// The issuer, where the provider says it here, too.
    pub issuer: Option<&'a str>,
}

/// Why a provider's word leads to nothing. The texts are for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be reached, or does not answer as a provider does.
    #[error("{0}")]
    Away(String),
    #[error("too many sign-ins wait for the provider")]
    Busy,
    /// What came is not to be believed.
    #[error("{0}")]
    Refused(String),
}

/// The state of a provider before anybody asked it.
pub fn unknown_state(settings: &config::Oidc) -> ProviderState {
    ProviderState { name: settings.name.clone(), issuer: settings.issuer.clone(), ..ProviderState::default() }
}

/// A short id by which an admin finds in the log what a person is told of.
pub fn reference() -> String {
    const CHARS: usize = 8;
    random_id().chars().filter(char::is_ascii_alphanumeric).take(CHARS).collect()
}

impl Oidc {
    /// Takes the secret that signs cookies.
    pub fn new(settings: &config::Oidc, secret: &[u8; 32]) -> Self {
        let provider = Provider::new(settings);
        Self { provider, pending: PendingSignIns::new(secret), settings: settings.clone() }
    }

    /// What people call the provider.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Whether somebody with this mail address may get an account, or be joined to one.
    fn allows(&self, email: Option<&Email>) -> bool {
        let domains = &self.settings.allowed_domains;
        // By ASCII alone: other letters that fold to these are other domains.
        let is_of = |email: &Email, domain: &String| {
            email.address.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain))
        };
        let is_one = |email: &Email| email.is_verified && domains.iter().any(|domain| is_of(email, domain));
        domains.is_empty() || email.is_some_and(is_one)
    }
}

impl Access {
    /// Counts an answer of a provider as a try that failed, until [`Self::sign_in_by`] goes well.
    pub fn begin_provider_try(&self, from: &Requester) -> Result<(), AccessError> {
        self.begin_try(&GuessTarget::Code, from.network)
    }

    /// Signs in whoever a provider names: their account, one that is joined by its mail address, or a new one.
    pub async fn sign_in_by(
        &self,
        oidc: &Oidc,
        claims: &Claims,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let Claims { issuer, subject, .. } = claims;
        let account = match self.account_of_identity(issuer, subject) {
            Some(account) => account,
            None => self.find_or_sign_up(oidc, claims, from).await?,
        };
        if account.disabled_at.is_some() {
            return Err(AccessError::Disabled);
        }
        self.note_identity(issuer, subject).await?;
        self.apply_groups(&account, &oidc.settings.groups, &claims.groups).await?;
        self.throttle().succeeded(&GuessTarget::Code, from.network);
        let detail = Detail::default().by_provider(oidc.name(), None, None);
        self.open_session_with(account, Some(issuer), from, detail).await
    }

    /// The account of somebody who is here for the first time.
    async fn find_or_sign_up(
        &self,
        oidc: &Oidc,
        claims: &Claims,
        from: &Requester,
    ) -> Result<Account, AccessError> {
        let Claims { issuer, subject, name, email, groups } = claims;
        let email = email.as_ref();
        if !oidc.allows(email) {
            return Err(AccessError::NotAdmitted);
        }
        let known = email.and_then(|email| self.directory().account_of(&email.address).cloned());
        if let Some(account) = known {
            // Another person of this provider had the mail address before: it was given to somebody new.
            let is_taken = self.directory().identities_of(&account.id).any(|known| known.issuer == *issuer);
            let is_theirs = email
                .is_some_and(|email| email.is_verified && email.address.eq_ignore_ascii_case(&account.email));
            if !oidc.settings.join_by_email || !is_theirs || is_taken {
                return Err(AccessError::NotJoined);
            }
            let account = self.join_identity(issuer, subject, &account.id).await?;
            let detail = Detail::default().by_provider(oidc.name(), None, None);
            self.record(vec![from.did(Action::AccountChanged, &account).with(detail)]).await;
            return Ok(account);
        }
        if !oidc.settings.sign_up {
            return Err(AccessError::NotAdmitted);
        }
        let gets_roles = !groups::roles_of(&oidc.settings.groups, groups, &self.directory()).0.is_empty();
        // An address that is not known to be theirs would keep out whose it is.
        let email = email.filter(|email| email.is_verified).map(|email| email.address.as_str());
        let role = (!gets_roles).then_some(Role::Viewer);
        self.sign_up_with(issuer, subject, NewPerson { name, email, role }, from).await
    }
}
