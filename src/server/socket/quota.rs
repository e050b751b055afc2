//! Quota of sockets: how many one person, or the guests of one address, hold at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dashboard::UserId;
use crate::server::access::screens::ScreenId;
use crate::server::access::tokens::TokenId;
use crate::server::access::who::Principal;
use crate::server::limits::Limits;

/// Whose sockets are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Person(UserId),
    /// All who came by a link, or by guest mode, from one address.
    Guests(IpAddr),
    Token(TokenId),
    Screen(ScreenId),
}

/// Sockets of a screen: more than one only while it moves from page to page.
const MAX_SOCKETS_OF_SCREEN: usize = 4;

/// A holder has as many sockets as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    #[error(
        "You have {0} sockets open, and may have no more. Close some tabs, then this one connects by itself."
    )]
    Person(usize),
    #[error(
        "Guests from your address have {0} sockets open, and may have no more. Come back when some have left."
    )]
    Guests(usize),
}

/// Sockets that are open, by holder. There are never more holders than sockets.
#[derive(Debug, Default)]
pub struct Quota(Mutex<HashMap<Holder, usize>>);

/// A socket that counts for as long as this lives.
#[derive(Debug)]
pub struct Permit {
    quota: Arc<Quota>,
    holder: Holder,
}

impl Quota {
    /// Counts one more socket; `None` where nobody's quota holds, as on a server without accounts.
    pub fn take(
        self: &Arc<Self>,
        principal: &Principal,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<Option<Permit>, QuotaError> {
        let (holder, most) = match (principal, address) {
            (Principal::Account(account), _) => (Holder::Person(account.clone()), limits.sessions_per_person),
            (Principal::Link(_) | Principal::Public, Some(address)) => {
                (Holder::Guests(address), limits.guest_sessions_per_address)
            }
            (Principal::Token(id), _) => (Holder::Token(id.clone()), limits.sessions_per_person),
            (Principal::Screen(id), _) => (Holder::Screen(id.clone()), MAX_SOCKETS_OF_SCREEN),
            (Principal::Anyone, _) | (Principal::Link(_) | Principal::Public, None) => return Ok(None),
        };
        let mut open = self.open();
        let count = open.entry(holder.clone()).or_default();
        if *count >= most {
            return Err(match holder {
                Holder::Person(_) | Holder::Token(_) | Holder::Screen(_) => QuotaError::Person(most),
                Holder::Guests(_) => QuotaError::Guests(most),
            });
        }
        *count += 1;
        drop(open);
        Ok(Some(Permit { quota: self.clone(), holder }))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.quota.open();
        if let Some(count) = open.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::dashboard::Id;
    use crate::server::access::links::LinkId;

    #[test]
    fn a14_people_and_guests_of_an_address_have_so_many_sockets() {
        let limits = Limits { sessions_per_person: 2, guest_sessions_per_address: 1, ..Limits::default() };
        let quota = Arc::new(Quota::default());
        let person = |name: &str| Principal::Account(UserId::new(name).expect("an id"));
        let here = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
        let take = |principal: &Principal| quota.take(principal, here, &limits);
        let held = [take(&person("ada")).expect("the first"), take(&person("ada")).expect("the second")];
        assert!(held.iter().all(Option::is_some));
        assert_eq!(take(&person("ada")).map(drop), Err(QuotaError::Person(2)));
        let bob = take(&person("bob"));
        let guest = take(&Principal::Public).expect("the first");
        let by_link = Principal::Link(LinkId::new([1; 32]));
        assert_eq!(take(&by_link).map(drop), Err(QuotaError::Guests(1)), "guests of an address count as one");
        assert!(take(&Principal::Anyone).is_ok_and(|permit| permit.is_none()));
        let screen = Principal::Screen(ScreenId(Id::new("s1").expect("an id")));
        let shown: Vec<_> = (0..MAX_SOCKETS_OF_SCREEN).map(|_| take(&screen).expect("one of few")).collect();
        assert!(take(&screen).is_err() && shown.iter().all(Option::is_some));
        drop((held, bob, guest, shown));
        assert!(quota.open().is_empty() && take(&by_link).is_ok());
    }
}
