//! Sessions of people who signed in: known by a random token in a cookie, of which only the hash is kept.
//!
//! All of them are in memory, so that each request looks its own up, and whoever holds a socket hears within a moment
//! that its session has ended. It reads no clock: times come in, Unix milliseconds.

use std::collections::{HashMap, HashSet};

use tokio::sync::watch;

use super::secret_hash::{SecretHash, SecretKind};
use crate::dashboard::UserId;

/// A session ends so long after it was used last, and so long after it was made.
const IDLE_MS: u64 = 14 * DAY_MS;
const MAX_AGE_MS: u64 = 90 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// Sessions of one account: of more, the one ends that was used longest ago.
pub const MAX_OF_ACCOUNT: usize = 50;
/// How much later a use has to be to be noted: each note is written.
const NOTED_AFTER_MS: u64 = 60_000;
/// Characters of what a browser calls itself that are kept.
const MAX_AGENT_CHARS: usize = 200;

/// Secret of a session: the token in its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionSecret {}

impl SecretKind for SessionSecret {
    const BYTES: usize = 32;
}

/// SHA-256 of a session's token: the name under which it is kept.
pub type SessionHash = SecretHash<SessionSecret>;

/// One sign-in on one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub hash: SessionHash,
    pub account: UserId,
    pub made_at: u64,
    pub used_at: u64,
    /// Where it was made from.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
    /// The issuer by whose word it was opened; `None` where its person gave a password.
    pub issuer: Option<String>,
}

impl Session {
    fn is_over(&self, now: u64) -> bool {
        now >= self.used_at.saturating_add(IDLE_MS) || now >= self.made_at.saturating_add(MAX_AGE_MS)
    }
}

/// What a browser calls itself, as far as it is kept.
pub(super) fn shown_agent(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT_CHARS).collect()
}

/// Who holds a session hears when it ends.
pub type Ended = watch::Receiver<bool>;

struct Entry {
    session: Session,
    /// The time of use that the store has.
    noted_at: u64,
    ended: watch::Sender<bool>,
}

/// All that are open.
#[derive(Default)]
pub struct Sessions {
    by_hash: HashMap<SessionHash, Entry>,
    by_account: HashMap<UserId, HashSet<SessionHash>>,
}

impl Sessions {
    /// Takes what the store has. What is over by now stays out.
    pub fn restore(sessions: impl IntoIterator<Item = Session>, now: u64) -> Self {
        let mut all = Self::default();
        for session in sessions {
            if !session.is_over(now) {
                all.insert(session);
            }
        }
        all
    }

    /// Opens one for an account. The token is for the cookie alone; the session is to be stored, and those that end for
    /// it are to be removed from the store.
    pub fn open(
        &mut self,
        account: UserId,
        issuer: Option<&str>,
        now: u64,
        address: String,
        agent: &str,
    ) -> (String, Session, Vec<SessionHash>) {
        let (token, hash) = SessionHash::generate();
        let session = Session {
            hash,
            account: account.clone(),
            made_at: now,
            used_at: now,
            address,
            agent: shown_agent(agent),
            issuer: issuer.map(str::to_owned),
        };
        let mut ended = Vec::new();
        while self.by_account.get(&account).is_some_and(|all| all.len() >= MAX_OF_ACCOUNT)
            && let Some(oldest) = self.of_account(&account).last().map(|session| session.hash)
        {
            self.end(&oldest);
            ended.push(oldest);
        }
        self.insert(session.clone());
        (token, session, ended)
    }

    fn insert(&mut self, session: Session) {
        self.by_account.entry(session.account.clone()).or_default().insert(session.hash);
        let (hash, noted_at) = (session.hash, session.used_at);
        self.by_hash.insert(hash, Entry { session, noted_at, ended: watch::Sender::new(false) });
    }

    /// The session of a token, which is used by that. `None` where it is not known, or over.
    pub fn find(&mut self, token: &str, now: u64) -> Option<(Session, Ended)> {
        let hash = SessionHash::of(token)?;
        let entry = self.by_hash.get_mut(&hash)?;
        if entry.session.is_over(now) {
            self.end(&hash);
            return None;
        }
        entry.session.used_at = entry.session.used_at.max(now);
        Some((entry.session.clone(), entry.ended.subscribe()))
    }

    /// Ends one; whoever holds it hears of it. False where there was none.
    pub fn end(&mut self, hash: &SessionHash) -> bool {
        let Some(entry) = self.by_hash.remove(hash) else { return false };
        if let Some(all) = self.by_account.get_mut(&entry.session.account) {
            all.remove(hash);
            if all.is_empty() {
                self.by_account.remove(&entry.session.account);
            }
        }
        entry.ended.send_replace(true);
        true
    }

    /// Ends all of an account but for one that stays. Those that ended.
    pub fn end_all_of(&mut self, account: &UserId, stays: Option<&SessionHash>) -> Vec<SessionHash> {
        self.end_where(account, |session| Some(&session.hash) != stays)
    }

    /// Ends those of an account that the word of an issuer opened. Those that ended.
    pub fn end_all_by(&mut self, issuer: &str, account: &UserId) -> Vec<SessionHash> {
        self.end_where(account, |session| session.issuer.as_deref() == Some(issuer))
    }

    fn end_where(&mut self, account: &UserId, is_meant: impl Fn(&Session) -> bool) -> Vec<SessionHash> {
        let meant = self.of_account(account).into_iter().filter(is_meant);
        let ended: Vec<SessionHash> = meant.map(|session| session.hash).collect();
        ended.iter().for_each(|hash| {
            self.end(hash);
        });
        ended
    }

    /// One that is known.
    pub fn get(&self, hash: &SessionHash) -> Option<&Session> {
        self.by_hash.get(hash).map(|entry| &entry.session)
    }

    /// Those of all accounts that are not over.
    pub fn all(&self, now: u64) -> impl Iterator<Item = &Session> {
        self.by_hash.values().map(|entry| &entry.session).filter(move |session| !session.is_over(now))
    }

    /// Those of an account, the one that was used last first.
    pub fn of_account(&self, account: &UserId) -> Vec<Session> {
        let hashes = self.by_account.get(account).into_iter().flatten();
        let mut all: Vec<Session> =
            hashes.filter_map(|hash| Some(self.by_hash.get(hash)?.session.clone())).collect();
        all.sort_by_key(|session| (std::cmp::Reverse(session.used_at), session.hash));
        all
    }

    /// Ends what is over. Those that ended, and the times of use that the store is to have.
    pub fn tidy(&mut self, now: u64) -> (Vec<SessionHash>, Vec<(SessionHash, u64)>) {
        let over = self.by_hash.values().filter(|entry| entry.session.is_over(now));
        let over: Vec<SessionHash> = over.map(|entry| entry.session.hash).collect();
        over.iter().for_each(|hash| {
            self.end(hash);
        });
        let mut used = Vec::new();
        for (hash, entry) in &mut self.by_hash {
            if entry.session.used_at >= entry.noted_at + NOTED_AFTER_MS {
                entry.noted_at = entry.session.used_at;
                used.push((*hash, entry.noted_at));
            }
        }
        (over, used)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_000_000_000;

    fn ada() -> UserId {
        UserId::new("ada").expect("an id")
    }

    fn open(sessions: &mut Sessions, now: u64) -> (String, Session) {
        let (token, session, _) = sessions.open(ada(), None, now, "192.0.2.1".to_owned(), "Fire\nfox");
        (token, session)
    }

    #[test]
    fn a_session_is_known_by_its_token_until_it_is_over() {
        let mut sessions = Sessions::default();
        let (token, session) = open(&mut sessions, NOW);
        assert_eq!((session.agent.as_str(), token.len()), ("Firefox", 43));
        let (found, ended) = sessions.find(&token, NOW + 5).expect("known");
        assert_eq!((found.hash, found.used_at), (session.hash, NOW + 5));
        assert!(!*ended.borrow());
        // Used now and then, it lives for 90 days and no longer.
        for day in (13..90).step_by(13) {
            assert!(sessions.find(&token, NOW + day * DAY_MS).is_some(), "{day}");
        }
        assert!(sessions.find(&token, NOW + 90 * DAY_MS).is_none());
        assert!(*ended.borrow(), "whoever holds it hears of it");
        let (token, _) = open(&mut sessions, NOW);
        assert!(sessions.find(&token, NOW + IDLE_MS).is_none(), "nobody used it");
    }

    #[test]
    fn ending_others_leaves_ones_own() {
        let mut sessions = Sessions::default();
        let (own, session) = open(&mut sessions, NOW);
        let (other, _) = open(&mut sessions, NOW);
        let (_, held) = sessions.find(&other, NOW).expect("known");
        assert_eq!(sessions.end_all_of(&ada(), Some(&session.hash)).len(), 1);
        assert!(*held.borrow() && sessions.find(&other, NOW).is_none() && sessions.find(&own, NOW).is_some());
        assert_eq!(sessions.end_all_of(&ada(), None), [session.hash]);
        assert!(sessions.by_account.is_empty() && sessions.by_hash.is_empty());
    }

    #[test]
    fn s10_an_account_has_so_many_and_the_one_ends_that_was_used_longest_ago() {
        let mut sessions = Sessions::default();
        let first = open(&mut sessions, NOW).0;
        let second = open(&mut sessions, NOW + 1).0;
        for n in 2..MAX_OF_ACCOUNT as u64 {
            open(&mut sessions, NOW + n);
        }
        sessions.find(&first, NOW + 100).expect("known");
        let (_, _, ended) = sessions.open(ada(), None, NOW + 200, String::new(), "");
        assert_eq!(ended.len(), 1);
        assert!(sessions.find(&first, NOW + 200).is_some() && sessions.find(&second, NOW + 200).is_none());
    }

    #[test]
    fn uses_are_noted_now_and_then() {
        let mut sessions = Sessions::default();
        let (token, session) = open(&mut sessions, NOW);
        sessions.find(&token, NOW + NOTED_AFTER_MS - 1).expect("known");
        assert_eq!(sessions.tidy(NOW + NOTED_AFTER_MS), (vec![], vec![]));
        sessions.find(&token, NOW + NOTED_AFTER_MS).expect("known");
        assert_eq!(sessions.tidy(NOW + NOTED_AFTER_MS).1, [(session.hash, NOW + NOTED_AFTER_MS)]);
        assert_eq!(sessions.tidy(NOW + NOTED_AFTER_MS), (vec![], vec![]));
        let restored = Sessions::restore([session.clone()], NOW + IDLE_MS - 1);
        assert_eq!(restored.of_account(&ada()), std::slice::from_ref(&session));
        assert!(Sessions::restore([session], NOW + IDLE_MS).by_hash.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        /// Neither what is like a token nor one with a bit of it turned is a session.
        #[test]
        fn forged_tokens_are_nobody(text in "[A-Za-z0-9_-]{43}", bit in 0_usize..256, junk in ".{0,60}") {
            let mut sessions = Sessions::default();
            let (token, _) = open(&mut sessions, NOW);
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("a token");
            bytes[bit / 8] ^= 1 << (bit % 8);
            for forged in [text, URL_SAFE_NO_PAD.encode(bytes), junk, format!("{token}="), format!("{token}A")] {
                prop_assert!(sessions.find(&forged, NOW).is_none());
            }
        }
    }
}
