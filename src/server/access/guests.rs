//! Guest mode: people without an account see, or edit, the dashboards of the team of everyone.
//!
//! They are known by the cookie that names people on a server without accounts, and ask no source anything of their own.

use super::accounts::everyone;
use super::directory::{Directory, Role};
use super::links::{guest_name, wished_name};
use super::throttle::GuessTarget;
use super::who::Principal;
use super::{Access, AccessError, Mode, Requester};
use crate::dashboard::{DashboardId, User, UserId};
use crate::server::auth::person;
use crate::server::store::Reader;

impl Access {
    /// The same with guest mode, in which people without an account have a role.
    pub fn with_guests(self, role: Option<Role>) -> Self {
        let role = role.map(|role| role.min(Role::Editor));
        Self { guests: role.filter(|_| self.mode == Mode::Accounts), ..self }
    }

    /// True where people without an account are let in.
    pub fn lets_guests_in(&self) -> bool {
        self.guests.is_some()
    }

    /// The role that guest mode gives on a dashboard.
    pub(super) fn by_guest_mode(&self, principal: &Principal, dashboard: &DashboardId) -> Option<Role> {
        let role = self.guests.filter(|_| matches!(principal, Principal::Public | Principal::Link(_)))?;
        (self.directory().owner(dashboard) == Some(&everyone())).then_some(role)
    }

    /// Whose dashboards people without an account list.
    pub(super) fn reader_of_guests(&self) -> Reader {
        if self.lets_guests_in() { Reader::Team(everyone()) } else { Reader::Nobody }
    }

    /// A guest under the name of their cookie, as others see them. Where that is an account's by now, it is a number.
    pub fn guest(&self, cookie: User) -> User {
        let User { id, name, .. } = cookie;
        let name = match wished_name(&name).filter(|name| !self.directory().has_name(name)) {
            Some(name) => name,
            None => format!("Guest {}", number(&id)),
        };
        person(id, guest_name(&name))
    }

    /// A name that a guest may have, without the mark behind it. Errors with `NameTaken` where it is an account's, which
    /// counts as a guess.
    pub fn guests_wish(&self, wish: &str, from: &Requester) -> Result<String, AccessError> {
        let name = wished_name(wish).ok_or(AccessError::NoName)?;
        self.check_unknown(from, AccessError::NameTaken, |directory| directory.has_name(&name))?;
        Ok(name)
    }

    /// Checks that no account has what somebody wishes to be called; `error` where one has. Who learns that has guessed, and may not go on for long.
    pub(super) fn check_unknown(
        &self,
        from: &Requester,
        error: AccessError,
        is_known: impl FnOnce(&Directory) -> bool,
    ) -> Result<(), AccessError> {
        self.begin_try(&GuessTarget::NameOrEmail, from.network)?;
        if is_known(&self.directory()) {
            return Err(error);
        }
        self.throttle().succeeded(&GuessTarget::NameOrEmail, from.network);
        Ok(())
    }
}

/// A number for somebody without a name of their own: always the same one, 100 to 999.
fn number(id: &UserId) -> u32 {
    let sum = id.as_str().bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    100 + sum % 900
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use crate::server::access::directory::{Change, ChangeError};
    use crate::server::access::invitations::Purpose;
    use crate::server::store::memory::MemoryStore;
    use crate::server::store::{Listing, NewDashboard, Store as _};

    fn from(n: u32) -> Requester {
        let address = IpAddr::V4(Ipv4Addr::from_bits(n));
        Requester { network: address, address, agent: String::new() }
    }

    async fn access(mode: Mode, dashboards: &[&str]) -> Access {
        let store = Arc::new(MemoryStore::default());
        for name in dashboards {
            let id = DashboardId::new(*name).expect("an id");
            let new =
                NewDashboard { id, epoch: "e".to_owned(), state: "{}".into(), listing: Listing::default() };
            store.create(new).await.expect("made");
        }
        let access = Access::open(store, |_| mode).await.expect("opens");
        access.with_guests(Some(Role::Owner))
    }

    #[tokio::test]
    async fn a12_guests_edit_what_everyone_owns_and_ask_nothing() {
        let access = access(Mode::Accounts, &["shared", "private"]).await;
        access.adopt().await.expect("adopted");
        let [shared, private] = ["shared", "private"].map(|name| DashboardId::new(name).expect("an id"));
        access.change(vec![Change::SetTeam { dashboard: private.clone(), team: None }]).await.expect("made");
        let public = Principal::Public;
        assert_eq!(access.role(&public, &shared), Some(Role::Editor), "never more than an editor");
        assert_eq!(access.own_role(&public, &shared), None, "not for what is for people with an account");
        assert!(!access.may_query_on(&public, &shared));
        assert_eq!(access.role(&public, &private), None);
        assert_eq!(access.role(&Principal::Anyone, &shared), None, "nobody is no guest");
        let off = access.with_guests(None);
        assert_eq!(off.role(&public, &shared), None);
    }

    #[tokio::test]
    async fn a12_a_guest_has_no_name_of_an_account() {
        let access = access(Mode::Accounts, &[]).await;
        let password = "brass otter lamp 41".to_owned();
        access.add_account("ada@example.com", "Ada", password, true).await.expect("made");
        let cookie = |name: &str| person(UserId::new("g1").expect("an id"), name.to_owned());
        assert_eq!(access.guest(cookie("Zoë")).name, "Zoë (guest)");
        let posed = access.guest(cookie("ADA")).name;
        assert!(posed.starts_with("Guest ") && posed.ends_with(" (guest)"), "{posed}");
        assert_eq!(access.guests_wish(" ada ", &from(1)), Err(AccessError::NameTaken));
        assert_eq!(access.guests_wish("Zoë (guest)", &from(1)), Ok("Zoë".to_owned()));
        assert_eq!(access.guests_wish("(guest)", &from(1)), Err(AccessError::NoName));
    }

    #[tokio::test]
    async fn a14_who_asks_for_names_of_accounts_waits() {
        let access = access(Mode::Accounts, &[]).await;
        let password = "brass otter lamp 41".to_owned();
        access.add_account("ada@example.com", "Ada", password.clone(), true).await.expect("made");
        for _ in 0..50 {
            access.guests_wish("Zoë", &from(1)).expect("a room full of people behind one address");
        }
        for _ in 0..19 {
            assert_eq!(access.guests_wish("Ada", &from(1)), Err(AccessError::NameTaken));
        }
        let to = Purpose::Join { team: everyone(), role: Role::Viewer, email: None };
        let code = access.invite(to, 9, "Ada".to_owned()).await.expect("made");
        let joins = ("ADA@example.com", "Eve", password);
        let taken = access.accept(&code, joins, &from(1)).await.map(drop);
        assert_eq!(taken, Err(ChangeError::EmailTaken.into()));
        for name in ["Ada", "Zoë"] {
            let waits = access.guests_wish(name, &from(1));
            assert!(matches!(waits, Err(AccessError::Wait(_))), "{name}: {waits:?}");
        }
        access.guests_wish("Zoë", &from(2)).expect("another address");
    }

    #[tokio::test]
    async fn without_accounts_there_is_no_guest_mode() {
        assert!(!access(Mode::Open, &[]).await.lets_guests_in());
    }
}
