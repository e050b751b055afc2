//! Client of the OpenID Connect provider: discovery, the way there, and what its answer is worth.
//!
//! The code flow with PKCE. What the provider says of itself is asked for at first use and kept for a while; its keys are
//! asked for anew where a token is signed with one that is not known.

mod http;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreIdTokenVerifier, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AdditionalProviderMetadata, AuthType, AuthenticationFlow,
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndUserEmail, EndUserName, EndUserUsername, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken,
    IdTokenClaims, IdTokenFields, IssuerUrl, JsonWebKeySet, LocalizedClaim, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier,
    TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

use self::http::{Http, HttpError, is_safe};
use crate::app::access::ProviderState;
use crate::server::access::accounts::checked_email;
use crate::server::access::identities::fits;
use crate::server::access::oidc::pending::Handshake;
use crate::server::access::oidc::{Answer, Claims, Email, ProviderError, unknown_state};
use crate::server::clock::now_ms;
use crate::server::config;
use crate::server::data::in_one_line;

/// Whether this build speaks OpenID Connect.
pub const IS_BUILT_IN: bool = true;

/// How long it counts what the provider says of itself.
const METADATA_LASTS: Duration = Duration::from_secs(60 * 60);
/// How soon a provider is asked again that did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How soon keys are asked for again for a key that is not known: anybody can name one.
const KEYS_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Codes that are redeemed at once.
const MAX_AT_ONCE: usize = 8;
/// How far the clocks of the provider and of this server may be apart.
const SLACK: TimeDelta = TimeDelta::seconds(60);
/// Groups of one person that are looked at.
const MAX_GROUPS: usize = 10_000;
/// Characters of what the provider says that stand in the log.
const MAX_SAID_CHARS: usize = 300;

/// What else a provider says of itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct OtherMetadata {
    /// RFC 9207: each answer names its issuer.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for OtherMetadata {}

/// Claims beside the standard ones, as groups are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
struct OtherClaims {
    #[serde(flatten)]
    all: BTreeMap<String, Value>,
}

impl AdditionalClaims for OtherClaims {}

type Metadata = ProviderMetadata<
    OtherMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Token =
    IdToken<OtherClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type TokenClaims = IdTokenClaims<OtherClaims, CoreGenderClaim>;
type Client = openidconnect::Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider of the settings.
pub struct Provider {
    settings: config::Oidc,
    http: Http,
    /// Held while it is asked for: whoever comes meanwhile waits for the same answer.
    discovery: Mutex<Discovery>,
    at_once: Semaphore,
    health: StdMutex<Health>,
}

#[derive(Default)]
struct Discovery {
    known: Option<(Arc<Metadata>, Instant)>,
    failed: Option<(ProviderError, Instant)>,
    /// When keys were asked for again.
    keys_asked: Option<Instant>,
}

/// How the last asking went. Times are Unix milliseconds.
#[derive(Default)]
struct Health {
    reachable_since: Option<u64>,
    failed_since: Option<u64>,
    failure: Option<String>,
}

impl Provider {
    pub fn new(settings: &config::Oidc) -> Self {
        Self {
            settings: settings.clone(),
            http: Http::new(),
            discovery: Mutex::default(),
            at_once: Semaphore::new(MAX_AT_ONCE),
            health: StdMutex::default(),
        }
    }

    /// The address at the provider to lead a browser to.
    pub async fn authorization_url(&self, handshake: &Handshake) -> Result<String, ProviderError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let Handshake { state, nonce, verifier } = handshake.clone();
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce));
        let scopes = self.settings.scopes.iter().cloned().map(Scope::new);
        let (url, _, _) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Ok(url.to_string())
    }

    /// Checks the issuer that an answer names: ours, and there where the provider says that it always is.
    pub async fn check_issuer(&self, named: Option<&str>) -> Result<(), ProviderError> {
        let metadata = self.metadata().await?;
        match named {
            Some(named) if named == self.settings.issuer => Ok(()),
            Some(named) => refused(format!("the answer is of another issuer: {named:?}")),
            None if metadata.additional_metadata().authorization_response_iss_parameter_supported => {
                refused("the answer does not name its issuer")
            }
            None => Ok(()),
        }
    }

    /// Redeems the code of an answer whose state was checked, and reads who it is about.
    pub async fn redeem(&self, answer: Answer<'_>, handshake: &Handshake) -> Result<Claims, ProviderError> {
        self.check_issuer(answer.issuer).await?;
        let _turn = self.at_once.try_acquire().map_err(|_| ProviderError::Busy)?;
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let request = client.exchange_code(AuthorizationCode::new(answer.code.to_owned()));
        let request = request.map_err(|error| ProviderError::Away(error.to_string()))?;
        let verifier = PkceCodeVerifier::new(handshake.verifier.clone());
        let tokens = request.set_pkce_verifier(verifier).request_async(&self.http).await;
        let tokens = tokens.map_err(|error| match error {
            RequestTokenError::Request(error) => self.away(&error),
            RequestTokenError::ServerResponse(answer) => {
                let said = in_one_line(&answer.to_string(), MAX_SAID_CHARS);
                ProviderError::Refused(format!("the provider does not take the code: {said}"))
            }
            // Not the error's own words, which may hold the answer.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => ProviderError::Refused(
                "the provider answers the code with something else than tokens".to_owned(),
            ),
        })?;
        let Some(token) = tokens.id_token() else { return refused("there is no ID token in the answer") };
        let nonce = Nonce::new(handshake.nonce.clone());
        let (claims, keys) = self.verify(token, &nonce, &metadata).await?;
        self.check_access_token(token, claims, tokens.access_token(), keys)?;
        self.complete(&client, claims, tokens.access_token()).await
    }

    /// The claims of an ID token, and the keys that it was verified with: also with newer ones than were known.
    async fn verify<'t>(
        &self,
        token: &'t Token,
        nonce: &Nonce,
        metadata: &Metadata,
    ) -> Result<(&'t TokenClaims, CoreJsonWebKeySet), ProviderError> {
        let mut keys = metadata.jwks().clone();
        let mut checked = token.claims(&self.verifier(keys.clone())?, nonce);
        let unknown = SignatureVerificationError::NoMatchingKey;
        if checked == Err(ClaimsVerificationError::SignatureVerification(unknown))
            && let Some(newer) = self.newer_keys(metadata).await?
        {
            keys = newer;
            checked = token.claims(&self.verifier(keys.clone())?, nonce);
        }
        let claims = checked.map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            ProviderError::Refused(in_one_line(
                &format!("the ID token is not valid: {error}{cause}"),
                MAX_SAID_CHARS,
            ))
        })?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.settings.client_id) {
            return refused("the ID token was made for another client");
        }
        if !fits(&self.settings.issuer, claims.subject()) {
            return refused("the subject of the ID token is empty or too long");
        }
        Ok((claims, keys))
    }

    /// Without the client's secret: with it a token could be signed that only this server checks.
    fn verifier(&self, keys: CoreJsonWebKeySet) -> Result<CoreIdTokenVerifier<'static>, ProviderError> {
        let client = ClientId::new(self.settings.client_id.clone());
        let verifier = CoreIdTokenVerifier::new_public_client(client, self.issuer()?, keys);
        Ok(verifier
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            ])
            .set_time_fn(|| Utc::now() - SLACK)
            .set_issue_time_verifier_fn(|issued| {
                let is_past = issued <= Utc::now() + SLACK;
                if is_past { Ok(()) } else { Err("it was issued in the future".to_owned()) }
            }))
    }

    /// An access token that came with an ID token has to be the one that this names.
    fn check_access_token(
        &self,
        token: &Token,
        claims: &TokenClaims,
        access: &AccessToken,
        keys: CoreJsonWebKeySet,
    ) -> Result<(), ProviderError> {
        // It goes into a header.
        if !access.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused("the access token does not fit in a header");
        }
        let Some(expected) = claims.access_token_hash() else { return Ok(()) };
        let verifier = self.verifier(keys)?;
        let actual = token.signing_alg().and_then(|alg| Ok((alg, token.signing_key(&verifier)?)));
        let actual = actual.ok().and_then(|(alg, key)| AccessTokenHash::from_token(access, alg, key).ok());
        if actual.as_ref() == Some(expected) { Ok(()) } else { refused("the access token is another one") }
    }

    /// Who the claims are about. What the ID token leaves out, the provider is asked for.
    async fn complete(
        &self,
        client: &Client,
        claims: &TokenClaims,
        access: &AccessToken,
    ) -> Result<Claims, ProviderError> {
        let subject = claims.subject();
        let other = claims.additional_claims();
        let mut profile = self.profile(claims.name(), claims.preferred_username(), other);
        profile.email = email(claims.email(), claims.email_verified());
        let lacks = profile.name.is_none()
            || profile.email.is_none()
            || profile.groups.is_none() && !self.settings.groups.is_empty();
        if lacks && client.user_info_url().is_some() {
            let more = self.user_info(client, subject.clone(), access.clone()).await?;
            let told = self.profile(more.name(), more.preferred_username(), more.additional_claims());
            profile.name = profile.name.or(told.name);
            profile.email = profile.email.or_else(|| email(more.email(), more.email_verified()));
            profile.groups = profile.groups.or(told.groups);
        }
        Ok(Claims {
            issuer: self.settings.issuer.clone(),
            subject: subject.to_string(),
            name: profile.name.unwrap_or_default(),
            email: profile.email,
            groups: profile.groups.unwrap_or_default(),
        })
    }

    async fn user_info(
        &self,
        client: &Client,
        subject: SubjectIdentifier,
        access: AccessToken,
    ) -> Result<UserInfoClaims<OtherClaims, CoreGenderClaim>, ProviderError> {
        let request = client.user_info(access, Some(subject));
        let request = request.map_err(|error| ProviderError::Away(error.to_string()))?;
        request.request_async(&self.http).await.map_err(|error| match error {
            openidconnect::UserInfoError::Request(error) => self.away(&error),
            // Not the error's own words, which may hold the answer.
            _ => ProviderError::Refused("the provider does not tell who this is".to_owned()),
        })
    }

    fn profile(
        &self,
        name: Option<&LocalizedClaim<EndUserName>>,
        username: Option<&EndUserUsername>,
        other: &OtherClaims,
    ) -> Profile {
        let full = name.and_then(|name| name.get(None).or_else(|| name.iter().next().map(|(_, name)| name)));
        let full = full.map(|name| name.as_str().to_owned());
        Profile {
            name: full.or_else(|| username.map(|name| name.as_str().to_owned())),
            email: None,
            groups: other.all.get(&self.settings.groups_claim).and_then(groups),
        }
    }

    /// What the provider says of itself, asked for where it is not known or old.
    async fn metadata(&self) -> Result<Arc<Metadata>, ProviderError> {
        let mut discovery = self.discovery.lock().await;
        if let Some((known, _)) = discovery.known.as_ref().filter(|(_, at)| at.elapsed() < METADATA_LASTS) {
            return Ok(known.clone());
        }
        if let Some((error, _)) = discovery.failed.as_ref().filter(|(_, at)| at.elapsed() < RETRY_AFTER) {
            return Err(error.clone());
        }
        let asked = Metadata::discover_async(self.issuer()?, &self.http).await;
        let found = asked.map_err(|error| match error {
            openidconnect::DiscoveryError::Request(error) => error.to_string(),
            openidconnect::DiscoveryError::Response(status, ..) => format!("it answers with status {status}"),
            openidconnect::DiscoveryError::Parse(_) => "it does not describe itself as a provider".to_owned(),
            other => in_one_line(&other.to_string(), MAX_SAID_CHARS),
        });
        match found.and_then(|metadata| check_metadata(&metadata).map(|()| Arc::new(metadata))) {
            Ok(metadata) => {
                discovery.known = Some((metadata.clone(), Instant::now()));
                discovery.failed = None;
                self.note_reached();
                Ok(metadata)
            }
            Err(why) => {
                let error = self.note_failed(why);
                discovery.failed = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }

    /// The keys of now, where they can be newer than those of `seen`; `None` where they were asked for a moment ago.
    async fn newer_keys(&self, seen: &Metadata) -> Result<Option<CoreJsonWebKeySet>, ProviderError> {
        let mut discovery = self.discovery.lock().await;
        if let Some((known, _)) = &discovery.known
            && known.jwks() != seen.jwks()
        {
            return Ok(Some(known.jwks().clone()));
        }
        if discovery.keys_asked.is_some_and(|at| at.elapsed() < KEYS_AGAIN_AFTER) {
            return Ok(None);
        }
        discovery.keys_asked = Some(Instant::now());
        let keys = JsonWebKeySet::fetch_async(seen.jwks_uri(), &self.http).await;
        let keys = keys.map_err(|_| self.note_failed("it does not tell its keys".to_owned()))?;
        if let Some((known, at)) = &discovery.known {
            let newer = Metadata::clone(known).set_jwks(keys.clone());
            discovery.known = Some((Arc::new(newer), *at));
        }
        Ok(Some(keys))
    }

    /// Its state, after it was asked where that is not known or long ago.
    pub async fn state(&self) -> ProviderState {
        // Whether it went well stands in the state.
        let _ = self.metadata().await;
        let health = self.health();
        ProviderState {
            reachable_since: health.reachable_since,
            failed_since: health.failed_since,
            failure: health.failure.clone(),
            ..unknown_state(&self.settings)
        }
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, ProviderError> {
        let secret = ClientSecret::new(self.settings.client_secret.reveal().to_owned());
        let client = ClientId::new(self.settings.client_id.clone());
        let redirect = RedirectUrl::new(self.settings.redirect.clone());
        let redirect = redirect.map_err(|error| ProviderError::Away(error.to_string()))?;
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method: CoreClientAuthMethod| methods.is_none_or(|all| all.contains(&method));
        let by_basic = takes(CoreClientAuthMethod::ClientSecretBasic);
        let auth = match by_basic || !takes(CoreClientAuthMethod::ClientSecretPost) {
            true => AuthType::BasicAuth,
            false => AuthType::RequestBody,
        };
        let client = Client::from_provider_metadata(metadata.clone(), client, Some(secret));
        Ok(client.set_redirect_uri(redirect).set_auth_type(auth))
    }

    fn issuer(&self) -> Result<IssuerUrl, ProviderError> {
        IssuerUrl::new(self.settings.issuer.clone()).map_err(|error| ProviderError::Away(error.to_string()))
    }

    fn away(&self, error: &HttpError) -> ProviderError {
        self.note_failed(error.to_string())
    }

    fn note_reached(&self) {
        let mut health = self.health();
        let since = health.reachable_since.unwrap_or_else(now_ms);
        *health = Health { reachable_since: Some(since), ..Health::default() };
    }

    fn note_failed(&self, why: String) -> ProviderError {
        tracing::warn!(issuer = %self.settings.issuer, "the OpenID provider cannot be used: {why}");
        let mut health = self.health();
        let since = health.failed_since.unwrap_or_else(now_ms);
        *health = Health { reachable_since: None, failed_since: Some(since), failure: Some(why.clone()) };
        ProviderError::Away(why)
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a set of claims says of a person, as far as it does.
struct Profile {
    name: Option<String>,
    email: Option<Email>,
    groups: Option<Vec<String>>,
}

/// What is no mail address counts as none.
fn email(said: Option<&EndUserEmail>, is_verified: Option<bool>) -> Option<Email> {
    let address = checked_email(said?.as_str())?;
    Some(Email { address, is_verified: is_verified == Some(true) })
}

/// Groups out of a list of texts, or one text.
fn groups(claim: &Value) -> Option<Vec<String>> {
    match claim {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(all) => {
            let texts = all.iter().take(MAX_GROUPS).filter_map(Value::as_str);
            Some(texts.map(str::to_owned).collect())
        }
        _ => None,
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, ProviderError> {
    Err(ProviderError::Refused(in_one_line(&why.into(), MAX_SAID_CHARS)))
}

/// Checks what a provider has to have, and that nobody on the way can be it.
fn check_metadata(metadata: &Metadata) -> Result<(), String> {
    let token = metadata.token_endpoint().ok_or("it has no token endpoint")?;
    for url in [metadata.authorization_endpoint().url(), token.url()] {
        if !is_safe(url.scheme(), url.host_str()) {
            return Err("it names an address that is not https".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_are_texts() {
        assert_eq!(groups(&json!("ops")), Some(vec!["ops".to_owned()]));
        assert_eq!(
            groups(&json!(["ops", 1, null, "staff"])),
            Some(vec!["ops".to_owned(), "staff".to_owned()])
        );
        assert_eq!(groups(&json!({"ops": true})), None);
        let many: Vec<String> = (0..MAX_GROUPS + 5).map(|n| n.to_string()).collect();
        assert_eq!(groups(&json!(many)).map(|groups| groups.len()), Some(MAX_GROUPS));
    }
}
