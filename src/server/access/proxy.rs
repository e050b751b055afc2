//! Sign-in by the word of the proxy in front, which names the person of each request.
//!
//! A session that was opened so counts only together with that word: whoever has the cookie alone is nobody.

use super::directory::Account;
use super::identities::{NewPerson, PROXY};
use super::sessions::Session;
use super::{Access, AccessError, Requester, SignedIn};
use crate::app::audit::{Action, Detail};
use crate::dashboard::UserId;
use crate::server::config::ProxySignIn;

/// A person as the proxy names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPerson {
    /// What the proxy knows them by, always the same.
    pub subject: String,
    pub name: Option<String>,
    pub email: Option<String>,
}

/// Word of the proxy about who sends a request. In the extensions of every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Word {
    /// The request did not come through such a proxy.
    #[default]
    None,
    /// The proxy named nobody.
    Nobody,
    Person(NamedPerson),
}

impl Access {
    /// Whether a session counts in a request of which the proxy says this.
    pub fn counts_with(&self, session: &Session, word: &Word) -> bool {
        let is_of_other = |issuer: &str| issuer != PROXY && self.service(issuer).is_none();
        match word {
            // The settings do not name its issuer any more.
            _ if session.issuer.as_deref().is_some_and(is_of_other) => false,
            Word::None => session.issuer.as_deref() != Some(PROXY),
            Word::Nobody => false,
            Word::Person(person) => {
                let named = self.account_of_identity(PROXY, &person.subject);
                named.is_some_and(|account| account.id == session.account)
            }
        }
    }

    /// Opens a session of whom the proxy names; the first time it makes their account. Errors with `NotJoined` where
    /// somebody has their mail address already, unless the settings say to take the proxy's word for that.
    pub async fn sign_in_by_proxy(
        &self,
        person: &NamedPerson,
        settings: &ProxySignIn,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let subject = person.subject.as_str();
        let account = match self.account_of_identity(PROXY, subject) {
            Some(account) => {
                self.note_identity(PROXY, subject).await?;
                account
            }
            None => self.account_for(person, settings, from).await?,
        };
        if account.disabled_at.is_some() {
            return Err(AccessError::Disabled);
        }
        self.open_session_by(account, Some(PROXY), from).await
    }

    /// A new account of somebody who comes for the first time, or the one that has their mail address.
    async fn account_for(
        &self,
        person: &NamedPerson,
        settings: &ProxySignIn,
        from: &Requester,
    ) -> Result<Account, AccessError> {
        let (subject, email) = (person.subject.as_str(), person.email.as_deref());
        let name = person.name.as_deref().unwrap_or_else(|| subject.split('@').next().unwrap_or(subject));
        let new = NewPerson { name, email, role: Some(settings.role) };
        match self.sign_up_with(PROXY, subject, new, from).await {
            Err(AccessError::NotJoined) if settings.join_by_email => {
                let known = self.directory().account_of(email.unwrap_or_default()).cloned();
                let known = known.ok_or(AccessError::NotJoined)?;
                // The address may have been given to somebody new, and other letters may fold to the same ones.
                let is_taken = self.directory().identities_of(&known.id).any(|one| one.issuer == PROXY);
                let is_same = email.is_some_and(|email| email.eq_ignore_ascii_case(&known.email));
                if is_taken || !is_same {
                    return Err(AccessError::NotJoined);
                }
                let known =
                    Some(known).filter(|known| known.disabled_at.is_none()).ok_or(AccessError::Disabled)?;
                self.join_proxy(subject, &known.id, from).await
            }
            made => made,
        }
    }

    /// Lets whom the proxy names sign in to an account.
    async fn join_proxy(
        &self,
        subject: &str,
        account: &UserId,
        from: &Requester,
    ) -> Result<Account, AccessError> {
        let account = self.join_identity(PROXY, subject, account).await?;
        let detail = Detail::default().by_provider(PROXY, None, None);
        self.record(vec![from.did(Action::AccountChanged, &account).with(detail)]).await;
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use axum::http::HeaderName;

    use super::*;
    use crate::app::access::Role;
    use crate::server::access::Mode;
    use crate::server::store::memory::MemoryStore;

    fn from() -> Requester {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        Requester { network: address, address, agent: "test".to_owned() }
    }

    fn person(subject: &str, email: Option<&str>) -> NamedPerson {
        NamedPerson { subject: subject.to_owned(), name: None, email: email.map(str::to_owned) }
    }

    #[tokio::test]
    async fn a8_a_session_by_the_proxys_word_counts_with_that_word_alone() {
        let access = Access::open(Arc::<MemoryStore>::default(), |_| Mode::Accounts).await.expect("opens");
        let password = "brass otter lamp 41".to_owned();
        let ada = access.add_account("ada@example.com", "Ada", password, true).await.expect("made");
        let user = HeaderName::from_static("remote-user");
        let mut settings =
            ProxySignIn { user, name: None, email: None, role: Role::Viewer, join_by_email: false };
        let bob = person("bob", None);
        let (_, by_proxy) = access.sign_in_by_proxy(&bob, &settings, &from()).await.expect("signed in");
        assert_eq!(by_proxy.account.name, "bob");
        let (_, by_password) = access.open_session(ada.clone(), &from()).await.expect("signed in");
        let named = |subject: &str| Word::Person(person(subject, None));
        for (word, counts) in [
            (Word::None, [false, true]),
            (Word::Nobody, [false, false]),
            (named("bob"), [true, false]),
            (named("BOB"), [false, false]),
        ] {
            let found = [&by_proxy, &by_password].map(|one| access.counts_with(&one.session, &word));
            assert_eq!(found, counts, "{word:?}");
        }
        let of_ada = person("a.lovelace", Some("Ada@example.com"));
        let refused = access.sign_in_by_proxy(&of_ada, &settings, &from()).await.map(drop);
        assert_eq!(refused, Err(AccessError::NotJoined));
        settings.join_by_email = true;
        let (_, joined) = access.sign_in_by_proxy(&of_ada, &settings, &from()).await.expect("signed in");
        assert_eq!(joined.account.id, ada.id);
        assert!(access.counts_with(&by_password.session, &named("a.lovelace")), "it is her account");

        let successor = person("another.ada", Some("ada@example.com"));
        let refused = access.sign_in_by_proxy(&successor, &settings, &from()).await.map(drop);
        assert_eq!(refused, Err(AccessError::NotJoined), "the address was given to somebody new");
        let password = "brass otter lamp 42".to_owned();
        access.add_account("kim@example.com", "Kim", password, false).await.expect("made");
        let kelvin = person("kelvin", Some("\u{212a}im@example.com"));
        let refused = access.sign_in_by_proxy(&kelvin, &settings, &from()).await.map(drop);
        assert_eq!(refused, Err(AccessError::NotJoined), "another letter that folds to the same");
    }

    #[tokio::test]
    async fn a8_a_program_without_cookies_opens_so_many_sessions_in_a_minute() {
        let access = Access::open(Arc::<MemoryStore>::default(), |_| Mode::Accounts).await.expect("opens");
        access
            .add_account("ada@example.com", "Ada", "brass otter lamp 41".to_owned(), true)
            .await
            .expect("made");
        let user = HeaderName::from_static("remote-user");
        let settings =
            ProxySignIn { user, name: None, email: None, role: Role::Viewer, join_by_email: false };
        let monitor = person("monitor", None);
        for _ in 0..20 {
            access.sign_in_by_proxy(&monitor, &settings, &from()).await.expect("signed in");
        }
        let more = access.sign_in_by_proxy(&monitor, &settings, &from()).await.map(drop);
        assert!(matches!(more, Err(AccessError::Wait(_))), "{more:?}");
        access.sign_in_by_proxy(&person("bob", None), &settings, &from()).await.expect("others go on");
    }
}
