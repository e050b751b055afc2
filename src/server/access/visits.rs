//! Visits of those who came by share links: known by a random token in a cookie, of which only the hash is kept, each
//! bound to its link and dashboard.
//!
//! All of them are in memory, as [`sessions`](super::sessions) are, and whoever holds a socket hears when one ends. It
//! reads no clock: times come in, Unix milliseconds.

use std::collections::{HashMap, HashSet};

use tokio::sync::watch;

use super::links::{Link, LinkId, guest_name};
use super::secret_hash::{SecretHash, SecretKind};
use super::sessions::Ended;
use crate::dashboard::{DashboardId, User, UserId};
use crate::server::auth::person;
use crate::server::rooms::random_id;

/// A visit without an account ends so long after it was used last, and any so long after it was made.
const IDLE_MS: u64 = 12 * 3_600_000;
const MAX_AGE_MS: u64 = 30 * 24 * 3_600_000;
/// Visits by one link: of more, the one ends that was used longest ago.
pub const MAX_OF_LINK: usize = 1_000;
/// How much later a use has to be to be noted: each note is written.
const NOTED_AFTER_MS: u64 = 60_000;

/// Secret of a visit: the token in its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VisitSecret {}

impl SecretKind for VisitSecret {
    const BYTES: usize = 32;
}

/// SHA-256 of a visit's token: the name under which it is kept.
pub type VisitHash = SecretHash<VisitSecret>;

/// One browser, or one account, that came by a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub hash: VisitHash,
    pub link: LinkId,
    pub dashboard: DashboardId,
    /// Who it is to others.
    pub user: UserId,
    /// Without the mark of a guest.
    pub name: String,
    /// Whose role it adds to; `None` for somebody who is not signed in.
    pub account: Option<UserId>,
    pub made_at: u64,
    pub used_at: u64,
}

impl Visit {
    /// The visitor as others see them.
    pub fn person(&self) -> User {
        person(self.user.clone(), guest_name(&self.name))
    }

    fn is_over(&self, now: u64) -> bool {
        // No cookie says that an account is still here by it.
        let is_idle = self.account.is_none() && now >= self.used_at.saturating_add(IDLE_MS);
        is_idle || now >= self.made_at.saturating_add(MAX_AGE_MS)
    }
}

/// Somebody who is here by a link.
#[derive(Clone, Debug)]
pub struct Visiting {
    pub visit: Visit,
    /// Turns true when the visit ends.
    pub ended: Ended,
}

/// How a link is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkUse {
    /// Browsers that hold a socket.
    pub here: usize,
    /// Unix milliseconds.
    pub used_at: u64,
}

struct Entry {
    visit: Visit,
    /// The time of use that the store has.
    noted_at: u64,
    ended: watch::Sender<bool>,
}

/// All that are open.
#[derive(Default)]
pub struct Visits {
    by_hash: HashMap<VisitHash, Entry>,
    /// Those of accounts, which are asked for at each question about a role.
    by_account: HashMap<UserId, HashSet<VisitHash>>,
}

impl Visits {
    /// Takes what the store has. What is over by now stays out.
    pub fn restore(visits: impl IntoIterator<Item = Visit>, now: u64) -> Self {
        let mut all = Self::default();
        for visit in visits {
            if !visit.is_over(now) {
                all.insert(visit);
            }
        }
        all
    }

    /// Opens one by a link. The token is for the cookie alone; the visit is to be stored, and those that end for it are
    /// to be removed from the store. An account has one by each link.
    pub fn open(
        &mut self,
        link: &Link,
        name: String,
        account: Option<UserId>,
        now: u64,
    ) -> (String, Visit, Vec<VisitHash>) {
        let (token, hash) = VisitHash::generate();
        let visit = Visit {
            hash,
            link: link.id,
            dashboard: link.dashboard.clone(),
            user: UserId::new(random_id()).expect("base64 without padding is an id"),
            name,
            account,
            made_at: now,
            used_at: now,
        };
        let mut ended = match &visit.account {
            Some(_) => self.end_where(|one| one.link == link.id && one.account == visit.account),
            None => Vec::new(),
        };
        let of_link = self.by_hash.values().filter(|entry| entry.visit.link == link.id);
        // Those that nobody has a page of go first.
        let turn = |entry: &Entry| (entry.ended.receiver_count() > 0, entry.visit.used_at, entry.visit.hash);
        let mut of_link: Vec<(bool, u64, VisitHash)> = of_link.map(turn).collect();
        of_link.sort_unstable();
        for (_, _, hash) in of_link.iter().take((of_link.len() + 1).saturating_sub(MAX_OF_LINK)) {
            self.end(hash);
            ended.push(*hash);
        }
        self.insert(visit.clone());
        (token, visit, ended)
    }

    fn insert(&mut self, visit: Visit) {
        let (hash, noted_at) = (visit.hash, visit.used_at);
        if let Some(account) = &visit.account {
            self.by_account.entry(account.clone()).or_default().insert(hash);
        }
        self.by_hash.insert(hash, Entry { visit, noted_at, ended: watch::Sender::new(false) });
    }

    /// The visit of a token, which is used by that. `None` where it is not known, over, or of an account.
    pub fn find(&mut self, token: &str, now: u64) -> Option<(Visit, Ended)> {
        let hash = VisitHash::of(token)?;
        let entry = self.by_hash.get_mut(&hash).filter(|entry| entry.visit.account.is_none())?;
        if entry.visit.is_over(now) {
            self.end(&hash);
            return None;
        }
        entry.visit.used_at = entry.visit.used_at.max(now);
        Some((entry.visit.clone(), entry.ended.subscribe()))
    }

    /// Gives a visitor another name.
    pub fn rename(&mut self, hash: &VisitHash, name: String) -> Option<Visit> {
        let visit = &mut self.by_hash.get_mut(hash)?.visit;
        visit.name = name;
        Some(visit.clone())
    }

    /// The links by which an account came to a dashboard.
    pub fn links_of(&self, account: &UserId, dashboard: &DashboardId) -> Vec<LinkId> {
        let hashes = self.by_account.get(account).into_iter().flatten();
        let visits = hashes.filter_map(|hash| self.by_hash.get(hash)).map(|entry| &entry.visit);
        let own = visits.filter(|one| one.dashboard == *dashboard);
        own.map(|one| one.link).collect()
    }

    /// How many browsers hold a socket that came by a link.
    pub fn here(&self, link: &LinkId) -> usize {
        let is_here = |entry: &&Entry| entry.visit.link == *link && entry.ended.receiver_count() > 0;
        self.by_hash.values().filter(is_here).count()
    }

    /// How links are used, those by which nobody has a visit left out.
    pub fn uses_of(&self, links: &HashSet<LinkId>) -> HashMap<LinkId, LinkUse> {
        let mut uses: HashMap<LinkId, LinkUse> = HashMap::new();
        for entry in self.by_hash.values().filter(|entry| links.contains(&entry.visit.link)) {
            let one = uses.entry(entry.visit.link).or_default();
            one.here += usize::from(entry.ended.receiver_count() > 0);
            one.used_at = one.used_at.max(entry.visit.used_at);
        }
        uses
    }

    /// Ends one; whoever holds it hears of it.
    pub fn end(&mut self, hash: &VisitHash) {
        let Some(entry) = self.by_hash.remove(hash) else { return };
        if let Some(account) = &entry.visit.account
            && let Some(all) = self.by_account.get_mut(account)
        {
            all.remove(hash);
            if all.is_empty() {
                self.by_account.remove(account);
            }
        }
        entry.ended.send_replace(true);
    }

    /// Ends those that are meant. They are to be removed from the store.
    pub fn end_where(&mut self, is_meant: impl Fn(&Visit) -> bool) -> Vec<VisitHash> {
        let meant = self.by_hash.values().map(|entry| &entry.visit).filter(|visit| is_meant(visit));
        let meant: Vec<VisitHash> = meant.map(|visit| visit.hash).collect();
        for hash in &meant {
            self.end(hash);
        }
        meant
    }

    /// Ends what is over. Those that ended, and the times of use that the store is to have.
    pub fn tidy(&mut self, now: u64) -> (Vec<VisitHash>, Vec<(VisitHash, u64)>) {
        for entry in self.by_hash.values_mut() {
            // Whoever has a page open uses it.
            if entry.ended.receiver_count() > 0 {
                entry.visit.used_at = entry.visit.used_at.max(now);
            }
        }
        let over = self.end_where(|visit| visit.is_over(now));
        let mut used = Vec::new();
        for (hash, entry) in &mut self.by_hash {
            if entry.visit.used_at >= entry.noted_at + NOTED_AFTER_MS {
                entry.noted_at = entry.visit.used_at;
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
    use crate::server::access::directory::Role;

    const NOW: u64 = 1_795_000_000_000;

    fn link(n: u8) -> Link {
        Link {
            id: LinkId::new([n; 32]),
            dashboard: DashboardId::new("wall").expect("an id"),
            role: Role::Viewer,
            may_query: false,
            password: None,
            name_required: false,
            label: String::new(),
            made_by: "Ada".to_owned(),
            made_at: NOW,
            expires_at: u64::MAX,
        }
    }

    fn open(visits: &mut Visits, now: u64) -> (String, Visit) {
        let (token, visit, _) = visits.open(&link(1), "Bob".to_owned(), None, now);
        (token, visit)
    }

    #[test]
    fn a_visit_is_known_by_its_token_until_it_is_over() {
        let mut visits = Visits::default();
        let (token, visit) = open(&mut visits, NOW);
        assert_eq!(visit.person().name, "Bob (guest)");
        let (_, held) = visits.find(&token, NOW + IDLE_MS - 1).expect("known");
        assert_eq!(visits.here(&link(1).id), 1);
        // A page that is open is used.
        assert_eq!(visits.tidy(NOW + 3 * IDLE_MS).0, []);
        assert!(visits.find(&token, NOW + MAX_AGE_MS).is_none());
        assert!(*held.borrow(), "whoever holds it hears of it");
        let (token, _) = open(&mut visits, NOW);
        assert!(visits.find(&token, NOW + IDLE_MS).is_none(), "nobody used it");
    }

    #[test]
    fn an_account_has_one_visit_by_a_link_and_no_cookie_opens_it() {
        let mut visits = Visits::default();
        let ada = UserId::new("ada").expect("an id");
        let wall = DashboardId::new("wall").expect("an id");
        let (token, first, _) = visits.open(&link(1), String::new(), Some(ada.clone()), NOW);
        assert!(visits.find(&token, NOW).is_none());
        let (_, _, ended) = visits.open(&link(1), String::new(), Some(ada.clone()), NOW);
        assert_eq!(ended, [first.hash]);
        assert_eq!(visits.links_of(&ada, &wall), [link(1).id]);
        visits.end_where(|visit| visit.link == link(1).id);
        assert!(visits.links_of(&ada, &wall).is_empty());
    }

    #[test]
    fn s10_a_link_has_so_many_visits_and_the_one_ends_that_was_used_longest_ago() {
        let mut visits = Visits::default();
        let first = open(&mut visits, NOW).0;
        let second = open(&mut visits, NOW + 1).0;
        for n in 2..MAX_OF_LINK as u64 {
            open(&mut visits, NOW + n);
        }
        visits.find(&first, NOW + 5_000).expect("known");
        assert_eq!(visits.open(&link(2), String::new(), None, NOW).2, [], "others count for themselves");
        assert_eq!(visits.open(&link(1), String::new(), None, NOW + 6_000).2.len(), 1);
        assert!(visits.find(&first, NOW + 6_000).is_some() && visits.find(&second, NOW + 6_000).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        /// Neither what is like a token nor one with a bit of it turned is a visit.
        #[test]
        fn a10_forged_cookies_are_nobody(text in "[A-Za-z0-9_-]{43}", bit in 0_usize..256, junk in ".{0,60}") {
            let mut visits = Visits::default();
            let (token, _) = open(&mut visits, NOW);
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("a token");
            bytes[bit / 8] ^= 1 << (bit % 8);
            for forged in [text, URL_SAFE_NO_PAD.encode(bytes), junk, format!("{token}="), format!("{token}A")] {
                prop_assert!(visits.find(&forged, NOW).is_none());
            }
        }
    }
}
