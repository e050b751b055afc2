//! Share links: addresses by which somebody without an account sees one dashboard, or edits it.
//!
//! Only the hash of a link's code is kept. One that is over, revoked or made up is not known, and nothing tells which.

use super::directory::{Change, ChangeError, Role};
use super::password::{Checked, check_strength};
use super::secret_hash::{SecretHash, SecretKind};
use super::throttle::GuessTarget;
use super::visits::{Visit, VisitHash, Visiting};
use super::who::{Principal, Who};
use super::{Access, AccessError, Requester};
use crate::app::access::LinkCard;
use crate::dashboard::{DashboardId, UserId};
use crate::server::auth::{clean_name, someone};
use crate::server::clock::now_ms;
use crate::server::store::StoreError;

/// Days that a link counts where nobody says how many, and at most.
pub const DAYS: u64 = 30;
pub const MAX_DAYS: u64 = 365;
/// Characters of what a link is called among its owners.
pub const MAX_LABEL_CHARS: usize = 80;
const DAY_MS: u64 = 86_400_000;
/// What stands behind the name of whoever came by a link. Only the server writes it.
const GUEST: &str = " (guest)";

/// Secret of a share link: the code in its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkSecret {}

impl SecretKind for LinkSecret {
    // A multiple of three: base64 of it has no padding.
    const BYTES: usize = 18;
}

/// SHA-256 of a link's code: the name under which it is kept.
pub type LinkId = SecretHash<LinkSecret>;

/// A link that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: LinkId,
    pub dashboard: DashboardId,
    /// Viewer or editor.
    pub role: Role,
    /// True where an editor by it also changes what is asked of which source.
    pub may_query: bool,
    /// The hash in PHC form; `None` where it asks for no password.
    pub password: Option<String>,
    /// True where whoever comes without an account has to say a name.
    pub name_required: bool,
    pub label: String,
    /// The name of the owner who made it.
    pub made_by: String,
    /// Unix milliseconds.
    pub made_at: u64,
    pub expires_at: u64,
}

/// What an owner wishes of a new link.
#[derive(Clone, Debug)]
pub struct NewLink {
    pub role: Role,
    pub may_query: bool,
    pub password: Option<String>,
    pub name_required: bool,
    pub label: String,
    pub days: u64,
}

/// What a link asks of whoever opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asks {
    pub password: bool,
    pub name: bool,
}

impl Asks {
    pub fn is_anything(self) -> bool {
        self.password || self.name
    }
}

/// The name of somebody who came by a link, as others see it.
pub fn guest_name(name: &str) -> String {
    format!("{name}{GUEST}")
}

/// A link as people see it, with how many browsers are here by it.
pub(super) fn card_of(link: &Link, here: usize) -> LinkCard {
    LinkCard {
        id: link.id.to_text(),
        role: link.role,
        query: link.may_query,
        label: link.label.clone(),
        has_password: link.password.is_some(),
        name_required: link.name_required,
        made_by: link.made_by.clone(),
        made_at: link.made_at,
        expires_at: link.expires_at,
        here,
    }
}

/// A name as a guest wished it, without the mark that the server puts behind it.
pub fn wished_name(wish: &str) -> Option<String> {
    let wish = wish.trim();
    clean_name(wish.strip_suffix(GUEST.trim_start()).unwrap_or(wish))
}

impl Access {
    /// Makes a link. Its code is for the address alone.
    pub async fn make_link(
        &self,
        dashboard: DashboardId,
        wish: NewLink,
        made_by: String,
    ) -> Result<(LinkId, String), AccessError> {
        let NewLink { role, may_query, password, name_required, label, days } = wish;
        let label = label.trim().to_owned();
        let shows = label.chars().count() <= MAX_LABEL_CHARS && !label.chars().any(char::is_control);
        let role_fits = role == Role::Editor || role == Role::Viewer && !may_query;
        if !shows || !role_fits || !(1..=MAX_DAYS).contains(&days) {
            return Err(AccessError::BadLink);
        }
        let password = match password.filter(|password| !password.is_empty()) {
            Some(password) => {
                check_strength(&password, &[])?;
                Some(self.hasher.hash(password).await?)
            }
            None => None,
        };
        let (made_at, (code, id)) = (now_ms(), LinkId::generate());
        let expires_at = made_at + days * DAY_MS;
        let link = Link {
            id,
            dashboard,
            role,
            may_query,
            password,
            name_required,
            label,
            made_by,
            made_at,
            expires_at,
        };
        self.change(vec![Change::PutLink(link)]).await?;
        Ok((id, code))
    }

    /// Revokes a link of a dashboard: whoever came by it is out at once.
    pub async fn revoke_link(&self, dashboard: &DashboardId, id: LinkId) -> Result<(), AccessError> {
        let is_there = self.directory().link(&id).is_some_and(|link| link.dashboard == *dashboard);
        if is_there {
            self.change(vec![Change::RemoveLink(id)]).await
        } else {
            Err(AccessError::NoInvitation)
        }
    }

    /// A link that can be revoked.
    pub fn known_link(&self, id: &LinkId) -> Option<Link> {
        self.directory().link(id).cloned()
    }

    /// The links of a dashboard, the newest first.
    pub fn link_cards(&self, dashboard: &DashboardId) -> Vec<LinkCard> {
        let now = now_ms();
        let (directory, visits) = (self.directory(), self.visits());
        let counts = directory.links(dashboard).filter(|link| now < link.expires_at);
        let mut cards: Vec<LinkCard> = counts.map(|link| card_of(link, visits.here(&link.id))).collect();
        cards.sort_by_key(|card| (std::cmp::Reverse(card.made_at), card.id.clone()));
        cards
    }

    /// The link of a code. A code of so many bits is not guessed, so looking one up costs nobody a try.
    pub fn link(&self, code: &str) -> Result<Link, AccessError> {
        let known = LinkId::of(code).and_then(|id| self.counting(&id));
        known.ok_or(AccessError::NoInvitation)
    }

    /// A link that counts by now.
    fn counting(&self, id: &LinkId) -> Option<Link> {
        self.directory().link(id).filter(|link| now_ms() < link.expires_at).cloned()
    }

    /// What a link asks of somebody before it opens the dashboard; `None` where they need it not, or came by it before.
    pub fn link_asks(&self, link: &Link, who: &Who) -> Option<Asks> {
        let is_known = match who {
            Who::Visitor(visiting) => visiting.visit.link == link.id,
            // It may give more than guest mode does.
            Who::Public(_) => false,
            who => self.role(&who.principal(), &link.dashboard) >= Some(link.role),
        };
        let name = link.name_required && who.signed_in().is_none();
        (!is_known).then_some(Asks { password: link.password.is_some(), name })
    }

    /// Lets somebody in by a link, with what it asks for. The token is for the cookie alone; somebody with an account
    /// needs none.
    pub async fn visit(
        &self,
        link: &Link,
        who: &Who,
        (name, password): (&str, String),
        from: &Requester,
    ) -> Result<Option<String>, AccessError> {
        let Some(asks) = self.link_asks(link, who) else { return Ok(None) };
        let account = who.signed_in().map(|signed_in| signed_in.account.id.clone());
        let name = match name.trim() {
            "" if !asks.name => someone().name,
            name => self.guests_wish(name, from)?,
        };
        if let Some(known) = &link.password {
            let guessed = GuessTarget::Link(link.id.to_text());
            self.begin_try(&guessed, from.network)?;
            if self.check_password(&guessed, password, Some(known.clone()), from).await? == Checked::Wrong {
                let known = who.signed_in().map(|signed_in| &signed_in.account);
                self.record(vec![from.failed_link(link, known)]).await;
                return Err(AccessError::LinkPassword);
            }
        }
        let is_visitor = account.is_none();
        let (token, visit, ended) = self.visits().open(link, name, account, now_ms());
        let hash = visit.hash;
        if let Err(error) = self.store.put_visit(visit, ended).await {
            self.visits().end(&hash);
            return Err(match error {
                // It was revoked at this very moment.
                StoreError::Gone => AccessError::NoInvitation,
                error => error.into(),
            });
        }
        // The same, after the end of all others by it.
        if self.counting(&link.id).is_none() {
            self.end_visits(vec![hash]).await?;
            return Err(AccessError::NoInvitation);
        }
        if !is_visitor {
            // Whoever has an account may see more by it now.
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(is_visitor.then_some(token))
    }

    /// Who has a visit's token; `None` where it is not known, or over.
    pub fn find_visit(&self, token: &str) -> Option<Visiting> {
        let (visit, ended) = self.visits().find(token, now_ms())?;
        self.counting(&visit.link)?;
        Some(Visiting { visit, ended })
    }

    /// Gives somebody who came by a link another name.
    pub async fn rename_visitor(
        &self,
        visit: &VisitHash,
        name: &str,
        from: &Requester,
    ) -> Result<Visit, AccessError> {
        let name = self.guests_wish(name, from)?;
        let renamed = self.visits().rename(visit, name).ok_or(AccessError::NoSession)?;
        self.store.put_visit(renamed.clone(), Vec::new()).await?;
        Ok(renamed)
    }

    /// What links give somebody on a dashboard: a role, and whether they may change what is asked.
    pub(super) fn by_links(&self, principal: &Principal, dashboard: &DashboardId) -> Option<(Role, bool)> {
        let counts = |id: &LinkId| {
            let link = self.counting(id).filter(|link| link.dashboard == *dashboard)?;
            Some((link.role, link.may_query))
        };
        match principal {
            Principal::Anyone | Principal::Public | Principal::Token(_) | Principal::Screen(_) => None,
            Principal::Link(id) => counts(id),
            Principal::Account(account) => {
                let links = self.visits().links_of(account, dashboard);
                links.iter().filter_map(counts).max()
            }
        }
    }

    /// Ends visits: their sockets hear of it at once.
    pub(super) async fn end_visits(&self, hashes: Vec<VisitHash>) -> Result<(), StoreError> {
        for hash in &hashes {
            self.visits().end(hash);
        }
        if hashes.is_empty() { Ok(()) } else { self.store.remove_visits(hashes).await }
    }

    /// Ends the visits by links that are known no more.
    pub(super) fn end_strays(&self) {
        let directory = self.directory();
        // The store has removed them with their links.
        self.visits().end_where(|visit| directory.link(&visit.link).is_none());
    }

    /// Ends the visits of an account that is gone.
    pub(super) fn end_visits_of(&self, account: &UserId) {
        self.visits().end_where(|visit| visit.account.as_ref() == Some(account));
    }

    /// Now and then: revokes what is over, and notes what was used.
    pub(super) async fn tidy_links(&self) -> Result<(), AccessError> {
        let now = now_ms();
        let expired: Vec<Change> = {
            let directory = self.directory();
            let expired = directory.all_links().filter(|link| link.expires_at <= now);
            expired.map(|link| Change::RemoveLink(link.id)).collect()
        };
        for change in expired {
            match self.change(vec![change]).await {
                // Somebody revoked it meanwhile.
                Err(AccessError::Change(ChangeError::NoLink)) => {}
                done => done?,
            }
        }
        let (over, used) = self.visits().tidy(now);
        if !over.is_empty() {
            self.store.remove_visits(over).await?;
            // Accounts may see less without them.
            self.changes.send_modify(|count| *count += 1);
        }
        if !used.is_empty() {
            self.store.note_visits(used).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;
    use crate::server::auth::{MAX_NAME_CHARS, is_guests_name};

    #[test]
    fn a12_only_the_server_says_who_is_a_guest() {
        assert_eq!(guest_name("Ada"), "Ada (guest)");
        assert_eq!(wished_name("Ada (guest)"), Some("Ada".to_owned()), "as it came back out of a form");
        assert_eq!(wished_name(" (guest)"), None);
        assert!(is_guests_name(&guest_name(&"x".repeat(MAX_NAME_CHARS))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        /// Neither what is like a code nor one with a bit of it turned is the same link.
        #[test]
        fn a10_forged_codes_are_no_link(text in "[A-Za-z0-9_-]{24}", bit in 0_usize..144, junk in ".{0,40}") {
            let (code, id) = LinkId::generate();
            prop_assert_eq!(LinkId::of(&code), Some(id));
            let mut turned = URL_SAFE_NO_PAD.decode(&code).expect("a code");
            turned[bit / 8] ^= 1 << (bit % 8);
            for forged in [text, URL_SAFE_NO_PAD.encode(turned), junk, format!("{code}A"), format!("{code}="), id.to_text()] {
                prop_assert_ne!(LinkId::of(&forged), Some(id));
            }
        }
    }
}
