//! Lists of the sessions, API tokens and share links of all people, for admins, a part at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::Access;
use super::directory::Account;
use super::links::{Link, LinkId, card_of};
use super::sessions::{Session, SessionHash};
use super::sharing::person;
use super::tokens::TokenId;
use crate::app::access::{SessionCard, TokenCard};
use crate::app::admin::{AdminLink, AdminList, AdminSession};
use crate::dashboard::fold::fold;
use crate::dashboard::{DashboardId, UserId};
use crate::server::clock::now_ms;

/// Entries of one part.
const PAGE: usize = 50;

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// A part of a name, a mail address or the like, folded; empty for all.
    search: String,
    /// What the part before gave as `next`.
    after: Option<String>,
}

/// An `after` that no part gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAfter;

/// Place in a list: the newest first, and of the same moment by id.
type Place<I> = (Reverse<u64>, I);

impl ListRequest {
    pub fn new(search: &str, after: Option<String>) -> Self {
        Self { search: fold(search.trim()), after }
    }

    fn finds<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        self.search.is_empty() || texts.into_iter().any(|text| fold(text).contains(&self.search))
    }

    /// The place of the entry before the part.
    fn place<I>(&self, read: impl FnOnce(&str) -> Option<I>) -> Result<Option<Place<I>>, InvalidAfter> {
        let Some(after) = &self.after else { return Ok(None) };
        let (made_at, id) = after.split_once('.').ok_or(InvalidAfter)?;
        let made_at = made_at.parse().map_err(|_| InvalidAfter)?;
        Ok(Some((Reverse(made_at), read(id).ok_or(InvalidAfter)?)))
    }
}

/// The part of what was found that follows a place. It holds no more than that, however much was found.
fn part<I: Ord, T>(
    found: impl Iterator<Item = (Place<I>, T)>,
    after: Option<&Place<I>>,
    text: impl Fn(&I) -> String,
) -> AdminList<T> {
    let (mut first, mut total) = (BTreeMap::new(), 0);
    for (place, entry) in found {
        total += 1;
        if after.is_none_or(|after| place > *after) {
            first.insert(place, entry);
        }
        // One more tells whether there are more.
        if first.len() > PAGE + 1 {
            first.pop_last();
        }
    }
    let is_more = first.len() > PAGE;
    if is_more {
        first.pop_last();
    }
    let last = first.last_key_value().filter(|_| is_more);
    let next = last.map(|((Reverse(made_at), id), _)| format!("{made_at}.{}", text(id)));
    AdminList { entries: first.into_values().collect(), next, total }
}

impl<T> AdminList<T> {
    fn map<U>(self, each: impl FnMut(T) -> U) -> AdminList<U> {
        let Self { entries, next, total } = self;
        AdminList { entries: entries.into_iter().map(each).collect(), next, total }
    }
}

impl Access {
    /// The sessions that are open. `this` is the one that asks.
    pub fn all_sessions(
        &self,
        request: &ListRequest,
        this: &SessionHash,
    ) -> Result<AdminList<AdminSession>, InvalidAfter> {
        let after = request.place(SessionHash::from_text)?;
        let directory = self.directory();
        let is_meant = |account: &&Account| request.finds([account.name.as_str(), &account.email]);
        let meant: HashSet<&UserId> = directory.accounts().filter(is_meant).map(|one| &one.id).collect();
        let sessions = self.sessions();
        let fits = |session: &&Session| {
            meant.contains(&session.account) || session.address.contains(&request.search)
        };
        let found = sessions.all(now_ms()).filter(fits);
        let found = found.map(|session| ((Reverse(session.made_at), session.hash), session));
        let card = |session: &Session| AdminSession {
            session: SessionCard {
                id: session.hash.to_text(),
                made_at: session.made_at,
                used_at: session.used_at,
                address: session.address.clone(),
                agent: session.agent.clone(),
                is_this: session.hash == *this,
            },
            person: directory.account(&session.account).map(person).unwrap_or_default(),
        };
        Ok(part(found, after.as_ref(), |hash| hash.to_text()).map(card))
    }

    /// A session that is open.
    pub fn session(&self, hash: &SessionHash) -> Option<Session> {
        self.sessions().get(hash).cloned()
    }

    /// The tokens of all people.
    pub fn all_tokens(&self, request: &ListRequest) -> Result<AdminList<TokenCard>, InvalidAfter> {
        let after = request.place(TokenId::from_text)?;
        let fits = |card: &TokenCard| {
            request.finds([card.name.as_str(), &card.owner, card.prefix.as_deref().unwrap_or_default()])
        };
        let cards = self.tokens(None).into_iter().filter(fits);
        let found =
            cards.filter_map(|card| Some(((Reverse(card.made_at), TokenId::from_text(&card.id)?), card)));
        Ok(part(found, after.as_ref(), |id| id.0.to_string()))
    }

    /// The share links of all dashboards, whose titles are given.
    pub fn all_links(
        &self,
        request: &ListRequest,
        titles: &HashMap<DashboardId, String>,
    ) -> Result<AdminList<AdminLink>, InvalidAfter> {
        let (after, now) = (request.place(LinkId::from_text)?, now_ms());
        let title = |link: &Link| titles.get(&link.dashboard).map_or("", String::as_str);
        let directory = self.directory();
        let valid = directory.all_links().filter(|link| now < link.expires_at);
        let found = valid.filter(|link| request.finds([link.label.as_str(), &link.made_by, title(link)]));
        let found = found.map(|link| ((Reverse(link.made_at), link.id), link));
        let links = part(found, after.as_ref(), |id| id.to_text());
        let shown: HashSet<LinkId> = links.entries.iter().map(|link| link.id).collect();
        let uses = self.visits().uses_of(&shown);
        Ok(links.map(|link| {
            let (here, used_at) = uses.get(&link.id).map_or((0, None), |one| (one.here, Some(one.used_at)));
            let (dashboard, title) = (link.dashboard.clone(), title(link).to_owned());
            AdminLink { link: card_of(link, here), dashboard, title, used_at }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All parts of a list of so many entries, some of which were made in the same moment.
    fn parts(count: u64) -> Vec<AdminList<u64>> {
        let mut after = None;
        let mut parts = Vec::new();
        loop {
            let request = ListRequest::new("", after);
            let place = request.place(|id| id.parse::<u64>().ok()).expect("a part gave it");
            let found = (0..count).map(|n| ((Reverse(n / 7), n), n));
            let one = part(found, place.as_ref(), ToString::to_string);
            after = one.next.clone();
            parts.push(one);
            if after.is_none() {
                return parts;
            }
        }
    }

    #[test]
    fn parts_have_each_entry_once_and_the_newest_first() {
        for (count, expected) in [(0, 1), (50, 1), (51, 2), (1_234, 25)] {
            let parts = parts(count);
            assert_eq!(parts.len(), expected);
            assert!(parts.iter().all(|part| part.total == usize::try_from(count).expect("small")));
            assert!(parts.iter().all(|part| part.entries.len() <= PAGE));
            let all: Vec<u64> = parts.into_iter().flat_map(|part| part.entries).collect();
            let mut sorted: Vec<u64> = (0..count).collect();
            sorted.sort_by_key(|n| (Reverse(n / 7), *n));
            assert_eq!(all, sorted);
        }
    }

    #[test]
    fn a_search_is_without_regard_to_case_and_a_place_is_one_that_was_given() {
        let request = ListRequest::new(" GRÜ ", None);
        assert!(request.finds(["nobody", "Ada Grün"]) && !request.finds(["Grace"]));
        for wrong in ["", "5", ".a", "x.a", "5.", "-1.a"] {
            let request = ListRequest::new("", Some(wrong.to_owned()));
            let read = |id: &str| (!id.is_empty()).then(|| id.to_owned());
            assert_eq!(request.place(read), Err(InvalidAfter), "{wrong}");
        }
    }
}
