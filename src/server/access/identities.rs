//! Identities: the names under which other services know people, such as an OpenID provider or a proxy that signs them in.
//!
//! Whose account one is follows from the issuer and its subject alone. A mail address, which somebody else may have
//! registered there, never leads to an account by itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::accounts::{checked_email, everyone, missing_everyone, random_account_id};
use super::directory::{Account, Change, ChangeError, Directory, Role};
use super::{Access, AccessError, Requester};
use crate::app::access::IdentityCard;
use crate::app::audit::Action;
use crate::dashboard::UserId;
use crate::server::auth::{MAX_NAME_CHARS, cleaned_name};
use crate::server::clock::now_ms;
use crate::server::config::Config;

/// Issuer of the identities of those whom the proxy in front names.
pub const PROXY: &str = "proxy";
/// Bytes of what an issuer is called: an address.
pub const MAX_ISSUER_BYTES: usize = 2_000;
/// Bytes of what an issuer calls a person, as OpenID Connect bounds it.
pub const MAX_SUBJECT_BYTES: usize = 255;
/// Identities of one account.
pub const MAX_IDENTITIES_OF_ACCOUNT: usize = 10;
/// Identities of one deployment.
pub const MAX_IDENTITIES: usize = 40_000;
/// Name of somebody of whom nobody says one that shows.
const UNNAMED: &str = "Somebody";

/// A name under which an issuer knows the person of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    pub account: UserId,
    /// Unix milliseconds.
    pub made_at: u64,
    /// When somebody signed in by it last.
    pub used_at: u64,
}

impl Identity {
    /// One that is used now for the first time.
    pub fn new(issuer: &str, subject: &str, account: &UserId, now: u64) -> Self {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        Self { issuer, subject, account: account.clone(), made_at: now, used_at: now }
    }

    /// Its name in an address, however long its issuer and its subject are.
    pub fn id(&self) -> String {
        // Neither of the two has a line break in it.
        URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{}\n{}", self.issuer, self.subject)))
    }
}

/// A service that signs people in: the provider, or the proxy in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub issuer: String,
    /// For people.
    pub name: String,
    /// True where whoever comes by it for the first time gets an account.
    pub signs_up: bool,
}

impl Service {
    /// Those that the settings name.
    pub fn all(config: &Config) -> Vec<Self> {
        let provider = config.oidc.as_ref().map(|provider| Self {
            issuer: provider.issuer.clone(),
            name: provider.name.clone(),
            signs_up: provider.sign_up,
        });
        let proxy = config.proxy.as_ref().map(|_| Self {
            issuer: PROXY.to_owned(),
            name: "the proxy".to_owned(),
            signs_up: true,
        });
        provider.into_iter().chain(proxy).collect()
    }
}

/// An identity that was removed, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedIdentity {
    /// Name of the service that signed the person in by it.
    pub service: String,
    /// What that service calls the person.
    pub subject: String,
}

/// What an issuer says of a person who is to have an account.
#[derive(Clone, Copy, Debug)]
pub struct NewPerson<'a> {
    /// As they wish to be called. It is made to fit.
    pub name: &'a str,
    pub email: Option<&'a str>,
    /// Their role in the team of everyone; `None` keeps them out of it.
    pub role: Option<Role>,
}

/// Whether an issuer and a subject can be those of an identity.
pub fn fits(issuer: &str, subject: &str) -> bool {
    let within = |text: &str, most| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
    within(issuer, MAX_ISSUER_BYTES) && within(subject, MAX_SUBJECT_BYTES)
}

impl Directory {
    /// The issuer and the account of the identity that a change removes.
    pub(super) fn unlinked_by(&self, change: &Change) -> Option<(String, UserId)> {
        let Change::RemoveIdentity { issuer, subject } = change else { return None };
        Some((issuer.clone(), self.identity(issuer, subject)?.account.clone()))
    }
}

impl Access {
    /// The same with services that sign people in. Sessions that the word of any other opened do not count.
    pub fn with_services(self, services: Vec<Service>) -> Self {
        Self { services, ..self }
    }

    pub(super) fn service(&self, issuer: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.issuer == issuer)
    }

    /// What people call the services that make an account for whoever comes for the first time.
    pub(super) fn sign_up_services(&self) -> Vec<String> {
        let all = self.services.iter().filter(|service| service.signs_up);
        all.map(|service| service.name.clone()).collect()
    }

    /// Identities of one account as pages show them, in the order in which they were made. `keeps_way_in`: the last way
    /// in is not to be removed.
    pub(super) fn identity_cards(
        &self,
        account: &Account,
        identities: &[&Identity],
        keeps_way_in: bool,
    ) -> Vec<IdentityCard> {
        let mut cards: Vec<IdentityCard> = identities
            .iter()
            .map(|identity| IdentityCard {
                id: identity.id(),
                service: self.service_name(&identity.issuer),
                subject: identity.subject.clone(),
                counts: self.service(&identity.issuer).is_some(),
                may_remove: !keeps_way_in || self.has_other_way_in(account, identities, identity),
                made_at: identity.made_at,
                used_at: identity.used_at,
            })
            .collect();
        cards.sort_by(|one, other| (one.made_at, &one.id).cmp(&(other.made_at, &other.id)));
        cards
    }

    fn service_name(&self, issuer: &str) -> String {
        self.service(issuer).map_or_else(|| issuer.to_owned(), |service| service.name.clone())
    }

    /// Whether somebody can sign in to an account without one of its identities.
    fn has_other_way_in(&self, account: &Account, identities: &[&Identity], without: &Identity) -> bool {
        let is_one = |other: &&Identity| *other != without && self.service(&other.issuer).is_some();
        account.password.is_some() || identities.iter().any(is_one)
    }

    /// Removes an identity of an account, and ends the sessions that its issuer opened. Returns what was removed.
    ///
    /// Errors with `NoIdentity` where it is not there, and with `LastWayIn` where a way in is to be kept and there is no
    /// other.
    pub async fn remove_identity(
        &self,
        account: &UserId,
        id: &str,
        keeps_way_in: bool,
    ) -> Result<RemovedIdentity, AccessError> {
        let mut gone = None;
        self.change_with(|directory| {
            let identities: Vec<&Identity> = directory.identities_of(account).collect();
            let removed = *identities.iter().find(|one| one.id() == id).ok_or(AccessError::NoIdentity)?;
            let account = directory.account(account).ok_or(ChangeError::NoAccount)?;
            if keeps_way_in && !self.has_other_way_in(account, &identities, removed) {
                return Err(AccessError::LastWayIn);
            }
            let (issuer, subject) = (removed.issuer.clone(), removed.subject.clone());
            gone = Some(RemovedIdentity { service: self.service_name(&issuer), subject: subject.clone() });
            Ok(vec![Change::RemoveIdentity { issuer, subject }])
        })
        .await?;
        gone.ok_or(AccessError::NoIdentity)
    }

    /// The account of an identity, also where it is disabled: [`Self::open_session`] refuses that one.
    pub fn account_of_identity(&self, issuer: &str, subject: &str) -> Option<Account> {
        let directory = self.directory();
        let identity = directory.identity(issuer, subject)?;
        directory.account(&identity.account).cloned()
    }

    /// What an issuer calls the person of an account.
    pub fn subject_of(&self, account: &UserId) -> Option<String> {
        let directory = self.directory();
        directory.identities_of(account).map(|identity| identity.subject.clone()).min()
    }

    /// Makes an account without a password for a person whom an issuer names, in the team of everyone. Where two do at the
    /// same moment, the second gets the account of the first.
    ///
    /// Errors with `NotJoined` where somebody has the mail address already, and with `Disabled` where the account may not
    /// sign in.
    pub async fn sign_up_with(
        &self,
        issuer: &str,
        subject: &str,
        new: NewPerson<'_>,
        from: &Requester,
    ) -> Result<Account, AccessError> {
        let email = new.email.map(|email| checked_email(email).ok_or(AccessError::NoEmail)).transpose()?;
        let email = email.unwrap_or_default();
        let mut account = None;
        let mut is_new = false;
        self.change_with(|directory| {
            if let Some(identity) = directory.identity(issuer, subject) {
                account = directory.account(&identity.account).cloned();
                return Ok(Vec::new());
            }
            if directory.account_of(&email).is_some() {
                return Err(AccessError::NotJoined);
            }
            let now = now_ms();
            let made = Account {
                id: random_account_id(),
                name: free_name(directory, new.name, &email),
                email,
                password: None,
                is_admin: false,
                made_at: now,
                disabled_at: None,
            };
            let (id, role) = (made.id.clone(), new.role);
            let identity = Identity::new(issuer, subject, &id, now);
            (account, is_new) = (Some(made.clone()), true);
            let mut changes: Vec<Change> = missing_everyone(directory).into_iter().collect();
            changes.extend([
                Change::PutAccount(made),
                Change::SetMember { team: everyone(), account: id, role },
                Change::PutIdentity(identity),
            ]);
            Ok(changes)
        })
        .await?;
        let account = account.ok_or(ChangeError::NoAccount)?;
        if account.disabled_at.is_some() {
            return Err(AccessError::Disabled);
        }
        if is_new {
            self.record(vec![from.did(Action::AccountMade, &account)]).await;
        }
        Ok(account)
    }

    /// Lets an identity sign in to an account that is there already. Whether it may was asked before.
    pub async fn join_identity(
        &self,
        issuer: &str,
        subject: &str,
        account: &UserId,
    ) -> Result<Account, AccessError> {
        let identity = Identity::new(issuer, subject, account, now_ms());
        self.change(vec![Change::PutIdentity(identity)]).await?;
        let joined = self.directory().account(account).cloned();
        joined.ok_or(AccessError::Change(ChangeError::NoAccount))
    }

    /// Notes that somebody signs in by an identity.
    pub async fn note_identity(&self, issuer: &str, subject: &str) -> Result<(), AccessError> {
        self.change_with(|directory| {
            let identity = directory.identity(issuer, subject).cloned();
            let used =
                identity.map(|identity| Change::PutIdentity(Identity { used_at: now_ms(), ..identity }));
            Ok(used.into_iter().collect())
        })
        .await
    }
}

/// A name for a new account: what was wished, made to fit, and with a number behind it where somebody has it. Where
/// nothing of it shows, what stands before the `@` of the mail address.
fn free_name(directory: &Directory, wish: &str, email: &str) -> String {
    let of_email = || cleaned_name(email.split('@').next().unwrap_or_default());
    let name = cleaned_name(wish).or_else(of_email).unwrap_or_else(|| UNNAMED.to_owned());
    if !directory.has_name(&name) {
        return name;
    }
    let numbered = (2..=directory.accounts().count() + 2).map(|n| {
        let end = format!(" {n}");
        let begin: String = name.chars().take(MAX_NAME_CHARS - end.len()).collect();
        format!("{}{end}", begin.trim_end())
    });
    // Of one more than there are accounts, one is free.
    numbered.into_iter().find(|name| !directory.has_name(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::server::access::proxy::Word;

    fn from() -> Requester {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        Requester { network: address, address, agent: "test".to_owned() }
    }

    fn new<'a>(name: &'a str, email: Option<&'a str>) -> NewPerson<'a> {
        NewPerson { name, email, role: Some(Role::Viewer) }
    }

    async fn access() -> Access {
        let store = std::sync::Arc::<crate::server::store::memory::MemoryStore>::default();
        let access = Access::open(store, |_| super::super::Mode::Accounts).await.expect("opens");
        let password = "brass otter lamp 41".to_owned();
        access.add_account("ada@example.com", "Ada", password, true).await.expect("made");
        access
    }

    #[tokio::test]
    async fn a8_an_identity_has_one_account_and_a_mail_address_leads_to_none() {
        let access = access().await;
        let bob = new("Bob", Some("bob@example.com"));
        let made = access.sign_up_with(PROXY, "bob", bob, &from()).await.expect("made");
        assert_eq!((made.name.as_str(), made.password.as_deref()), ("Bob", None));
        assert_eq!(access.directory().member_role(&made.id, &everyone()), Some(Role::Viewer));
        let again = access.sign_up_with(PROXY, "bob", new("Robert", None), &from()).await;
        assert_eq!(again, Ok(made.clone()), "the account of the first time");
        assert_eq!(access.account_of_identity(PROXY, "bob"), Some(made.clone()));
        assert_eq!(access.account_of_identity("https://id.example.com", "bob"), None);
        let ada = new("Ada", Some("ADA@example.com"));
        assert_eq!(access.sign_up_with(PROXY, "ada", ada, &from()).await, Err(AccessError::NotJoined));
        let id = access.directory().account_of("ada@example.com").expect("there").id.clone();
        access.join_identity(PROXY, "ada", &id).await.expect("joined");
        assert_eq!(access.account_of_identity(PROXY, "ada").map(|account| account.id), Some(id));
        access.change_account(&made.id, |account| account.disabled_at = Some(1)).await.expect("changed");
        let disabled = access.sign_up_with(PROXY, "bob", bob, &from()).await;
        assert_eq!(disabled, Err(AccessError::Disabled));
        access.change(vec![Change::RemoveAccount(made.id)]).await.expect("removed");
        assert_eq!(access.account_of_identity(PROXY, "bob"), None);
    }

    #[tokio::test]
    async fn an_identity_is_removed_with_the_sessions_that_its_issuer_opened() {
        let service =
            |issuer: &str| Service { issuer: issuer.to_owned(), name: "Id".to_owned(), signs_up: true };
        let (new_id, old_id) = ("https://id.example.com", "https://old.example.com");
        let access = access().await.with_services(vec![service(PROXY), service(new_id)]);
        let bob = access.sign_up_with(PROXY, "bob", new("Bob", None), &from()).await.expect("made");
        let open = async |issuer| {
            access.open_session_by(bob.clone(), Some(issuer), &from()).await.map(|(_, signed_in)| signed_in)
        };
        assert_eq!(open(new_id).await.map(drop), Err(AccessError::Wrong), "nobody there knows him");
        access.join_identity(old_id, "b", &bob.id).await.expect("joined");
        let (by_proxy, by_old) = (open(PROXY).await.expect("open"), open(old_id).await.expect("open"));
        assert!(!access.counts_with(&by_old.session, &Word::None), "the settings do not name its issuer");
        let cards = access.own_account(&by_proxy).identities;
        let of = |service: &str| cards.iter().find(|card| card.service == service).expect("listed").clone();
        let (proxy, old) = (of("Id"), of(old_id));
        assert_eq!(
            [(proxy.counts, proxy.may_remove), (old.counts, old.may_remove)],
            [(true, false), (false, true)]
        );
        let (proxy, old) = (proxy.id, old.id);
        let last = access.remove_identity(&bob.id, &proxy, true).await;
        assert_eq!(last, Err(AccessError::LastWayIn), "by another nobody signs in");
        access.join_identity(new_id, "b", &bob.id).await.expect("joined");
        let by_new = open(new_id).await.expect("open");
        assert!(access.counts_with(&by_new.session, &Word::None));
        let removed = RemovedIdentity { service: "Id".to_owned(), subject: "bob".to_owned() };
        assert_eq!(access.remove_identity(&bob.id, &proxy, true).await, Ok(removed));
        assert!(*by_proxy.ended.borrow() && !*by_new.ended.borrow() && !*by_old.ended.borrow());
        assert_eq!(open(PROXY).await.map(drop), Err(AccessError::Wrong));
        assert_eq!(access.account_of_identity(PROXY, "bob"), None);
        let gone = access.remove_identity(&bob.id, &proxy, true).await;
        assert_eq!(gone, Err(AccessError::NoIdentity));
        let admin = access.directory().account_of("ada@example.com").expect("there").id.clone();
        assert_eq!(access.remove_identity(&admin, &old, false).await, Err(AccessError::NoIdentity), "Bob's");
        access.remove_identity(&bob.id, &old, true).await.expect("removed");
        assert!(*by_old.ended.borrow());
        let people = access.people(Some(&admin)).accounts;
        let [last] = &people.iter().find(|card| card.person.id == bob.id).expect("there").identities[..]
        else {
            panic!("{people:?}")
        };
        assert!(last.may_remove, "an admin may take the last way in away");
        access.remove_identity(&bob.id, &last.id, false).await.expect("removed");
        assert!(*by_new.ended.borrow() && access.sessions_of(&bob.id).is_empty());
    }

    #[tokio::test]
    async fn names_are_made_to_fit_and_mail_addresses_are_not_needed() {
        let access = access().await;
        let long = "x".repeat(MAX_NAME_CHARS + 5);
        let (first, second) = ("x".repeat(MAX_NAME_CHARS), format!("{} 2", "x".repeat(MAX_NAME_CHARS - 2)));
        for (subject, wish, email, name) in [
            ("1", "ada", None, "ada 2"),
            ("2", "Ada", None, "Ada 3"),
            ("3", "Zoë (guest)", None, "Zoë"),
            ("4", "\u{202e}", Some("carol@example.com"), "carol"),
            ("5", "(guest)", None, UNNAMED),
            ("6", &long, None, &first),
            ("7", &long, None, &second),
            ("8", "Li\nu", None, "Liu"),
        ] {
            let made = access.sign_up_with(PROXY, subject, new(wish, email), &from()).await.expect("made");
            assert_eq!(made.name, name, "{wish:?}");
            assert_eq!(made.email, email.unwrap_or_default());
        }
        assert_eq!(access.directory().account_of(""), None);
        for subject in ["", &"x".repeat(MAX_SUBJECT_BYTES + 1), "a\nb"] {
            let refused = access.sign_up_with(PROXY, subject, new("Eve", None), &from()).await;
            assert_eq!(refused, Err(AccessError::Change(ChangeError::BadIdentity)), "{subject:?}");
        }
    }
}
