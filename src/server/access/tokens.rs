//! API tokens, by which programs are known: `lsp_<id>_<secret>`, of which only the hash of the secret is kept.
//!
//! What a token may do follows from its scopes, and is never more than what its owner and its team may do.

mod live;

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::directory::{Change, ChangeError, Directory, Grantee, Role, TeamId, folded};
use super::policy::{self, Maker};
use super::secret_hash::{SecretHash, SecretKind};
use super::sessions::Ended;
use super::who::Who;
use super::{Access, AccessError, Mode};
use crate::app::access::{Scope, TokenCard};
use crate::dashboard::{DashboardId, Id, User, UserId};
use crate::server::auth::{clean_name, person};
use crate::server::clock::now_ms;
use crate::server::store::Reader;

pub(super) use self::live::LiveTokens;

/// Tokens of one deployment.
pub const MAX_TOKENS: usize = 10_000;
/// Tokens of one account: some for each program of a person who runs many.
pub const MAX_TOKENS_OF_ACCOUNT: usize = 100;
/// How long a token counts where nobody says, and at most: whoever forgets one leaves no door open for good.
pub const DEFAULT_DAYS: u32 = 90;
pub const MAX_DAYS: u32 = 730;
/// How long one that is over is still shown, so that its owner finds out why a program stopped.
const SHOWN_AFTER_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// Bytes of what the names of series begin with.
const MAX_PREFIX_BYTES: usize = 200;
/// What each token begins with: those who search for leaked secrets look for it.
const MARK: &str = "lsp_";
const ID_BYTES: usize = 8;

/// A token's id: hexadecimal digits. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub Id);

impl TokenId {
    fn random() -> Self {
        let text = format!("{:016x}", u64::from_be_bytes(rand::random::<[u8; ID_BYTES]>()));
        Self(Id::new(text).expect("hexadecimal digits are an id"))
    }

    /// The id in an address; `None` for what is none.
    pub fn from_text(text: &str) -> Option<Self> {
        Id::new(text).ok().map(Self)
    }
}

/// Secret of an API token: what stands in its text behind the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenSecret {}

impl SecretKind for TokenSecret {
    const BYTES: usize = 32;
}

/// SHA-256 of the secret in a token's text.
pub type TokenHash = SecretHash<TokenSecret>;

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub hash: TokenHash,
    pub name: String,
    pub owner: UserId,
    /// The team whose dashboards it may use.
    pub team: Option<TeamId>,
    pub scopes: BTreeSet<Scope>,
    /// What the names of series begin with that it may push; `None` for all.
    pub prefix: Option<String>,
    /// Unix milliseconds.
    pub made_at: u64,
    /// `None` where it never ends by itself.
    pub expires_at: Option<u64>,
    /// The last use that was noted.
    pub used_at: Option<u64>,
}

impl Token {
    /// The role on dashboards that its scopes say.
    pub fn role(&self) -> Option<Role> {
        if self.scopes.contains(&Scope::WriteDashboards) {
            return Some(Role::Editor);
        }
        self.scopes.contains(&Scope::ReadDashboards).then_some(Role::Viewer)
    }

    fn is_over(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }

    /// Whether it is over for so long that nobody asks for it.
    pub(super) fn is_forgotten(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| now >= at.saturating_add(SHOWN_AFTER_MS))
    }
}

/// A program that is known by its token.
#[derive(Clone, Debug)]
pub struct TokenHolder {
    pub token: Token,
    /// Turns true when the token is revoked, or over.
    pub ended: Ended,
}

impl TokenHolder {
    /// The program as a colleague, as others see it.
    pub fn user(&self) -> User {
        let id = UserId::of_program(&self.token.id.0).expect("an id with two characters more is an id");
        person(id, self.token.name.clone())
    }
}

/// What a new token is to be.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    pub name: String,
    pub scopes: BTreeSet<Scope>,
    pub prefix: Option<String>,
    pub team: Option<TeamId>,
    pub lasts: Lasts,
}

/// How long a new token counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    Days(u32),
    /// Until it is revoked.
    Always,
}

impl Default for Lasts {
    fn default() -> Self {
        Self::Days(DEFAULT_DAYS)
    }
}

/// Whether a text wants to be a token of this kind, good or not.
pub fn is_like_one(text: &str) -> bool {
    text.starts_with(MARK)
}

/// The text of `Authorization: Bearer` or `Token` that wants to be a token. With it a request is a program's: its
/// cookies say nothing.
pub fn in_header(headers: &HeaderMap) -> Option<&str> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let is_known = ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    Some(rest.trim()).filter(|rest| is_known && is_like_one(rest))
}

/// The id in a token's text, and the hash of its secret; `None` for what is none.
fn parse(text: &str) -> Option<(TokenId, TokenHash)> {
    let (id, secret) = text.strip_prefix(MARK)?.split_once('_')?;
    let hash = TokenHash::of(secret)?;
    Some((TokenId::from_text(id)?, hash))
}

impl Access {
    /// The program that has a token, which is used by that. `None` where the token is not known, or over.
    pub fn find_token(&self, text: &str) -> Option<TokenHolder> {
        if self.mode != Mode::Accounts {
            return None;
        }
        let ((id, hash), now) = (parse(text)?, now_ms());
        // Held from before the look-up: whoever removes a token ends what is in here afterwards.
        let mut live = self.live_tokens();
        let known = self.directory().token(&id).cloned();
        // Hashes are compared: how long that takes tells nothing of the secret.
        let token = known.filter(|token| token.hash == hash && !token.is_over(now))?;
        let ended = live.begin_use(&id, now);
        Some(TokenHolder { token, ended })
    }

    /// Whether a token has a scope, and its owner may still do what that says.
    pub fn token_may(&self, token: &Token, scope: Scope) -> bool {
        let reads = scope == Scope::ReadDashboards && token.role().is_some();
        let maker = self.maker(&token.owner);
        (reads || token.scopes.contains(&scope)) && maker.is_some_and(|maker| policy::may_make(maker, scope))
    }

    /// Whether a token may make dashboards: they belong to its team, in which its owner has to edit.
    pub fn token_may_create(&self, token: &Token) -> bool {
        let role = token.team.as_ref().and_then(|team| self.directory().member_role(&token.owner, team));
        self.token_may(token, Scope::WriteDashboards) && role >= Some(Role::Editor)
    }

    /// The role of a token on a dashboard.
    pub(super) fn role_of_token(&self, id: &TokenId, dashboard: &DashboardId) -> Option<Role> {
        let directory = self.directory();
        let token = directory.token(id).filter(|token| !token.is_over(now_ms()))?;
        directory.role_of_token(token, dashboard)
    }

    /// Whose dashboards a token lists: those of its team that its owner may see, too.
    pub(super) fn reader_of_token(&self, who: &Who) -> Reader {
        let token = who.token().map(|holder| &holder.token).filter(|token| token.role().is_some());
        let of_team = token.and_then(|token| Some((token.owner.clone(), token.team.clone()?)));
        of_team.map_or(Reader::Nobody, |(account, team)| Reader::Token { account, team })
    }

    /// Gives a dashboard that a token made to its team and its owner.
    pub(super) async fn give_new_of_token(
        &self,
        token: &Token,
        dashboard: &DashboardId,
    ) -> Result<(), AccessError> {
        let grant = Change::own(dashboard, &token.owner);
        let team = Change::SetTeam { dashboard: dashboard.clone(), team: token.team.clone() };
        self.change(vec![team, grant]).await
    }

    /// The scopes that an account may give a token.
    pub fn scopes_of(&self, account: &UserId) -> Vec<Scope> {
        let Some(maker) = self.maker(account) else { return Vec::new() };
        Scope::ALL.into_iter().filter(|scope| policy::may_make(maker, *scope)).collect()
    }

    /// What counts of an account where it makes a token; `None` where it is not there, or may not sign in.
    fn maker(&self, account: &UserId) -> Option<Maker> {
        let directory = self.directory();
        let account = directory.account(account).filter(|account| account.disabled_at.is_none())?;
        Some(Maker { is_admin: account.is_admin, edits: directory.may_query(&account.id) })
    }

    /// Makes a token of an account. Its id, and its text, which is shown once.
    pub async fn make_token(&self, owner: &UserId, new: NewToken) -> Result<(TokenId, String), AccessError> {
        let maker = self.maker(owner).ok_or(ChangeError::NoAccount)?;
        let NewToken { name, scopes, prefix, team, lasts } = new;
        let name = clean_name(&name).ok_or(AccessError::NoName)?;
        if scopes.is_empty() {
            return Err(AccessError::BadToken("A token has at least one scope."));
        }
        if let Some(scope) = scopes.iter().find(|scope| !policy::may_make(maker, **scope)) {
            return Err(AccessError::NotYours(scope.name()));
        }
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        if prefix.is_some() && !scopes.contains(&Scope::Push) {
            return Err(AccessError::BadToken("Only a token with the scope push has a prefix."));
        }
        if prefix
            .as_ref()
            .is_some_and(|text| text.len() > MAX_PREFIX_BYTES || text.chars().any(char::is_control))
        {
            return Err(AccessError::BadToken("A prefix has at most 200 bytes, and none that do not show."));
        }
        if team.is_none() && scopes.iter().any(|scope| scope.is_of_dashboards()) {
            return Err(AccessError::BadToken("A token for dashboards is for those of a team. Say which."));
        }
        // Of a team that one is not in one hears nothing.
        if team.as_ref().is_some_and(|team| self.directory().member_role(owner, team).is_none()) {
            return Err(ChangeError::NoTeam.into());
        }
        let made_at = now_ms();
        let expires_at = match lasts {
            Lasts::Days(days @ 1..=MAX_DAYS) => Some(made_at + u64::from(days) * DAY_MS),
            Lasts::Days(_) => return Err(AccessError::BadToken("A token is valid for 1 to 730 days.")),
            Lasts::Always if maker.is_admin => None,
            Lasts::Always => {
                return Err(AccessError::BadToken("Only tokens of admins may be valid without end."));
            }
        };
        let (id, (secret, hash)) = (TokenId::random(), TokenHash::generate());
        let text = format!("{MARK}{}_{secret}", id.0);
        let owner = owner.clone();
        let token = Token {
            id: id.clone(),
            hash,
            name,
            owner,
            team,
            scopes,
            prefix,
            made_at,
            expires_at,
            used_at: None,
        };
        self.change(vec![Change::PutToken(token)]).await?;
        Ok((id, text))
    }

    /// Revokes a token: its sockets hear of it at once. With an owner only where it is theirs.
    pub async fn revoke_token(&self, id: &TokenId, owner: Option<&UserId>) -> Result<(), AccessError> {
        let known = self.directory().token(id).map(|token| token.owner.clone());
        known.filter(|known| owner.is_none_or(|owner| owner == known)).ok_or(AccessError::NoToken)?;
        self.change(vec![Change::RemoveToken(id.clone())]).await
    }

    /// The tokens of an account, or all, the newest first.
    pub fn tokens(&self, owner: Option<&UserId>) -> Vec<TokenCard> {
        let live = self.live_tokens();
        let directory = self.directory();
        let own = directory.tokens().filter(|token| owner.is_none_or(|owner| token.owner == *owner));
        let card = |token: &Token| TokenCard {
            id: token.id.0.to_string(),
            name: token.name.clone(),
            owner: directory.account(&token.owner).map(|owner| owner.name.clone()).unwrap_or_default(),
            scopes: token.scopes.iter().copied().collect(),
            prefix: token.prefix.clone(),
            team: token.team.as_ref().map(|team| team.0.clone()),
            made_at: token.made_at,
            expires_at: token.expires_at,
            used_at: live.used_at(&token.id).max(token.used_at),
        };
        let mut cards: Vec<TokenCard> = own.map(card).collect();
        cards.sort_by_cached_key(|card| {
            (std::cmp::Reverse(card.made_at), folded(&card.name), card.id.clone())
        });
        cards
    }

    /// Ends the sockets of tokens that are not there any more, or over.
    pub(super) fn end_tokens(&self) {
        let now = now_ms();
        let mut live = self.live_tokens();
        let directory = self.directory();
        live.retain(|id| directory.token(id).is_some_and(|token| !token.is_over(now)));
    }

    /// Now and then: removes what was over for long, and notes what was used.
    pub(super) async fn tidy_tokens(&self, now: u64) -> Result<(), AccessError> {
        self.end_tokens();
        let forgotten: Vec<Change> = {
            let directory = self.directory();
            let forgotten = directory.tokens().filter(|token| token.is_forgotten(now));
            forgotten.map(|token| Change::RemoveToken(token.id.clone())).collect()
        };
        if !forgotten.is_empty() {
            self.change(forgotten).await?;
        }
        // Until it is stored nobody changes or removes one of them.
        let _alone = self.changing.lock().await;
        let used = self.live_tokens().uses();
        let noted: Vec<Change> = {
            let directory = self.directory();
            let known = used.into_iter().filter_map(|(id, at)| Some((directory.token(&id)?.clone(), at)));
            known.map(|(token, at)| Change::PutToken(Token { used_at: Some(at), ..token })).collect()
        };
        if noted.is_empty() {
            return Ok(());
        }
        self.store.change_directory(noted.clone()).await?;
        let mut directory = self.directory.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for change in noted {
            directory.change(change)?;
        }
        Ok(())
    }
}

impl Directory {
    /// The role of a token on a dashboard: what its scopes say, and never more than its team and its owner have there.
    pub fn role_of_token(&self, token: &Token, dashboard: &DashboardId) -> Option<Role> {
        let of_team = self.role_of_team(token.team.as_ref()?, dashboard)?;
        Some(token.role()?.min(of_team).min(self.role(&token.owner, dashboard)?))
    }

    /// The most that a team is let do on a dashboard: on one that it owns everything, else what was granted to it.
    pub fn role_of_team(&self, team: &TeamId, dashboard: &DashboardId) -> Option<Role> {
        if self.owner(dashboard) == Some(team) {
            return Some(Role::Owner);
        }
        self.grants(dashboard)
            .find_map(|(to, role)| matches!(to, Grantee::Team(granted) if granted == team).then_some(role))
    }
}

impl Who {
    /// The program of a request that has a token.
    pub fn token(&self) -> Option<&TokenHolder> {
        if let Self::Token(holder) = self { Some(holder) } else { None }
    }

    /// What tells when whoever it is has to go; `None` where nothing does.
    pub fn ended(&self) -> Option<Ended> {
        match self {
            Self::Nobody | Self::Guest(_) | Self::Public(_) => None,
            Self::Person(signed_in) => Some(signed_in.ended.clone()),
            Self::Token(holder) => Some(holder.ended.clone()),
            Self::Visitor(visiting) => Some(visiting.ended.clone()),
            Self::Screen(showing) => Some(showing.ended.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
