//! Screens: televisions that show dashboards of a team, read-only, each known by a random token in a cookie.
//!
//! Only the hash of the token is kept. A screen belongs to its team, whoever paired it: it sees the dashboards in its
//! list, as long as the team owns them, and nothing else.

pub mod live;
pub mod pairing;

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::audit::entry;
use super::directory::{Account, Change, ChangeError, Directory, Role, TeamId};
use super::sessions::Ended;
use super::throttle::GuessTarget;
use super::who::Who;
use super::{Access, AccessError, Mode, Requester};
use crate::app::audit::{Action, Actor, AuditEntry};
use crate::app::screens::{
    AskingDevice, MAX_DASHBOARDS, MAX_ROTATE_S, MIN_ROTATE_S, NewScreen, ScreenChange,
};
use crate::dashboard::{DashboardId, Id, User, UserId};
use crate::server::auth::{clean_name, person};
use crate::server::clock::now_ms;
use crate::server::rooms::random_id;
use crate::server::store::StoreError;
use pairing::{Device, Pairing, ScreenHash};

/// Screens of one deployment.
pub const MAX_SCREENS: usize = 200;
/// A screen ends so long after it was there last.
const IDLE_MS: u64 = 365 * 86_400_000;

/// A screen's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScreenId(pub Id);

impl ScreenId {
    pub fn from_text(text: &str) -> Option<Self> {
        Id::new(text).ok().map(Self)
    }
}

/// A television that was paired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    pub id: ScreenId,
    pub hash: ScreenHash,
    pub name: String,
    pub team: TeamId,
    /// In the order of their turns. Those that the team does not own now are not shown.
    pub dashboards: Vec<DashboardId>,
    /// Seconds for which each of several is shown.
    pub rotate_s: u32,
    /// The name of whoever paired it.
    pub made_by: String,
    /// Unix milliseconds.
    pub made_at: u64,
    pub used_at: u64,
    /// Where it was used last.
    pub address: String,
}

impl Screen {
    /// The screen as its own page shows it. Others do not see it.
    pub fn user(&self) -> User {
        let id = UserId::new(self.id.0.as_str()).expect("ids are made of the same characters");
        person(id, self.name.clone())
    }

    /// Whether it was not there for so long that it does not count any more. `used_at` is its last use since the start.
    fn is_over(&self, used_at: Option<u64>, now: u64) -> bool {
        now >= used_at.unwrap_or(0).max(self.used_at).saturating_add(IDLE_MS)
    }
}

/// When and where a screen was used last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenUse {
    pub id: ScreenId,
    /// Unix milliseconds.
    pub at: u64,
    pub address: String,
}

/// A screen that sends a request.
#[derive(Clone, Debug)]
pub struct Showing {
    pub screen: Screen,
    /// Turns true when the screen is revoked.
    pub ended: Ended,
}

/// A screen with what is known of it while the server runs.
#[derive(Clone, Debug)]
pub struct KnownScreen {
    /// With those of its dashboards alone that its team owns, and the address where it was last.
    pub screen: Screen,
    pub team_name: String,
    pub used_at: u64,
    /// True while it is connected.
    pub is_on: bool,
}

impl Access {
    /// Begins a pairing. The token is for the cookie alone; it is the screen's from the approval on.
    pub fn begin_pairing(&self, from: &Requester) -> (String, Pairing) {
        let now = self.ticks();
        self.pairings().begin(Device::of(from), now)
    }

    /// The pairing of a token that waits to be approved.
    pub fn pairing(&self, token: &str) -> Option<Pairing> {
        let now = self.ticks();
        self.pairings().find(token, now)
    }

    /// The device that shows a code, for whoever may approve it. Errors with `NoPairing` where none does, which counts as a
    /// guess.
    pub fn asking_device(
        &self,
        account: &Account,
        code: &str,
        from: &Requester,
    ) -> Result<AskingDevice, AccessError> {
        if !self.may_create(account) {
            return Err(AccessError::NoScreenEditor);
        }
        let guessed = GuessTarget::Pairing(account.id.clone());
        self.begin_try(&guessed, from.network)?;
        let now = self.ticks();
        let (Device { address, agent }, begun) =
            self.pairings().device(code, now).ok_or(AccessError::NoPairing)?;
        // It uses nothing up, and pays for no guess.
        self.throttle().withdraw(&guessed, from.network);
        let asked_at = now_ms().saturating_sub(now.saturating_sub(begun));
        Ok(AskingDevice { address: address.to_string(), agent, asked_at })
    }

    /// Approves the pairing of a code: the screen is the team's from then on.
    pub async fn pair(
        &self,
        account: &Account,
        new: NewScreen,
        from: &Requester,
    ) -> Result<Screen, AccessError> {
        let NewScreen { code, name, team, dashboards, rotate_s } = new;
        let (name, team) = (clean_name(&name).ok_or(AccessError::NoName)?, TeamId(team));
        check_rotation(rotate_s)?;
        check_dashboards(&dashboards)?;
        {
            let directory = self.directory();
            directory.check_screen_maker(account, &team)?;
            directory.check_shown(account, &team, &dashboards)?;
        }
        let guessed = GuessTarget::Pairing(account.id.clone());
        self.begin_try(&guessed, from.network)?;
        let now = self.ticks();
        let (hash, device) = self.pairings().claim(&code, now).ok_or(AccessError::NoPairing)?;
        self.throttle().succeeded(&guessed, from.network);
        let made_at = now_ms();
        let screen = Screen {
            id: ScreenId(Id::new(random_id()).expect("base64 without padding is an id")),
            hash,
            name,
            team,
            dashboards,
            rotate_s,
            made_by: account.name.clone(),
            made_at,
            used_at: made_at,
            address: device.address.to_string(),
        };
        let kept = self
            .change_with(|directory| {
                // Roles may have changed since they were looked at.
                directory.check_screen_maker(account, &screen.team)?;
                directory.check_shown(account, &screen.team, &screen.dashboards)?;
                Ok(vec![Change::PutScreen(screen.clone())])
            })
            .await;
        match kept {
            Ok(()) => self.pairings().end(&hash),
            // The code on the screen counts still.
            Err(_) => self.pairings().give_back(&hash),
        }
        kept.map(|()| screen)
    }

    /// The screen that has a token, which is used by that. `None` where the token is not known, or not any more.
    pub fn find_screen(&self, token: &str, address: Option<IpAddr>) -> Option<Showing> {
        if self.mode != Mode::Accounts {
            return None;
        }
        let hash = ScreenHash::of(token)?;
        // Held from before the look-up: whoever removes a screen ends what is in here afterwards.
        let mut live = self.live_screens();
        let screen = self.directory().screens().find(|screen| screen.hash == hash).cloned()?;
        let now = now_ms();
        if screen.is_over(live.used_at(&screen.id), now) {
            return None;
        }
        let ended = live.begin_use(&screen.id, now, address);
        Some(Showing { screen, ended })
    }

    /// What a screen shows by now: those of its dashboards that its team owns. `None` where it was revoked.
    pub fn screen(&self, id: &ScreenId) -> Option<Screen> {
        let directory = self.directory();
        directory.screen(id).map(|screen| directory.as_shown(screen))
    }

    /// The screens of the teams in which an account edits, or all for an admin, by name.
    pub fn screens_for(&self, account: &Account) -> Vec<KnownScreen> {
        let live = self.live_screens();
        let directory = self.directory();
        let own = directory.screens().filter(|screen| directory.may_change_screens(account, &screen.team));
        let known = |screen: &Screen| KnownScreen {
            screen: Screen {
                address: live.address(&screen.id).unwrap_or_else(|| screen.address.clone()),
                ..directory.as_shown(screen)
            },
            team_name: directory.team(&screen.team).map(|team| team.name.clone()).unwrap_or_default(),
            used_at: live.used_at(&screen.id).unwrap_or(0).max(screen.used_at),
            is_on: live.is_on(&screen.id),
        };
        let mut all: Vec<KnownScreen> = own.map(known).collect();
        all.sort_by_cached_key(|one| (super::folded(&one.screen.name), one.screen.id.clone()));
        all
    }

    /// Changes what a screen is called and shows. The screen of before, and after it.
    pub async fn change_screen(
        &self,
        account: &Account,
        id: &ScreenId,
        change: ScreenChange,
    ) -> Result<(Screen, Screen), AccessError> {
        let ScreenChange { name, dashboards, rotate_s } = change;
        let name = name.map(|name| clean_name(&name).ok_or(AccessError::NoName)).transpose()?;
        rotate_s.map_or(Ok(()), check_rotation)?;
        dashboards.as_deref().map_or(Ok(()), check_dashboards)?;
        let mut done = None;
        self.change_with(|directory| {
            let before = directory.screen_of(account, id)?.clone();
            let mut screen = before.clone();
            if let Some(dashboards) = dashboards {
                // What it shows already may stay, whoever changes something else.
                let new: Vec<DashboardId> =
                    dashboards.iter().filter(|id| !before.dashboards.contains(id)).cloned().collect();
                directory.check_shown(account, &screen.team, &new)?;
                screen.dashboards = dashboards;
            }
            screen.name = name.unwrap_or(screen.name);
            screen.rotate_s = rotate_s.unwrap_or(screen.rotate_s);
            done = Some((before, screen.clone()));
            Ok(vec![Change::PutScreen(screen)])
        })
        .await?;
        Ok(done.ok_or(ChangeError::NoScreen)?)
    }

    /// Revokes a screen: its sockets hear of it at once.
    pub async fn revoke_screen(&self, account: &Account, id: &ScreenId) -> Result<Screen, AccessError> {
        let mut revoked = None;
        self.change_with(|directory| {
            revoked = Some(directory.screen_of(account, id)?.clone());
            Ok(vec![Change::RemoveScreen(id.clone())])
        })
        .await?;
        Ok(revoked.ok_or(ChangeError::NoScreen)?)
    }

    /// Ends the sockets of screens that are not there any more.
    pub(super) fn end_screens(&self) {
        let mut live = self.live_screens();
        let directory = self.directory();
        live.retain(|id| directory.screen(id).is_some());
    }

    /// Now and then: notes what was used, and ends what was not for long.
    pub(super) async fn tidy_screens(&self) -> Result<(), AccessError> {
        let now = now_ms();
        let used = self.live_screens().uses(now);
        if !used.is_empty() {
            self.store.note_screens(used).await?;
        }
        let over: Vec<Screen> = {
            let live = self.live_screens();
            let directory = self.directory();
            directory.screens().filter(|one| one.is_over(live.used_at(&one.id), now)).cloned().collect()
        };
        if over.is_empty() {
            return Ok(());
        }
        self.change_with(|directory| {
            // Somebody may have revoked one meanwhile.
            let known = over.iter().filter(|one| directory.screen(&one.id).is_some());
            Ok(known.map(|one| Change::RemoveScreen(one.id.clone())).collect())
        })
        .await?;
        let ended = |one: &Screen| entry(Actor::server(), None, Action::ScreenRevoked, Some(one.as_target()));
        self.record(over.iter().map(ended).collect::<Vec<AuditEntry>>()).await;
        Ok(())
    }
}

fn check_rotation(rotate_s: u32) -> Result<(), AccessError> {
    let fits = (MIN_ROTATE_S..=MAX_ROTATE_S).contains(&rotate_s);
    fits.then_some(()).ok_or(AccessError::BadScreen("A screen shows each dashboard for 5 to 3600 seconds."))
}

fn check_dashboards(dashboards: &[DashboardId]) -> Result<(), AccessError> {
    let once: BTreeSet<&DashboardId> = dashboards.iter().collect();
    let fits = (1..=MAX_DASHBOARDS).contains(&dashboards.len()) && once.len() == dashboards.len();
    fits.then_some(()).ok_or(AccessError::BadScreen("A screen shows 1 to 20 dashboards, each once."))
}

impl Directory {
    /// The role of a screen on a dashboard: viewer of those in its list that its team owns.
    pub fn role_of_screen(&self, id: &ScreenId, dashboard: &DashboardId) -> Option<Role> {
        let screen = self.screen(id).filter(|screen| screen.dashboards.contains(dashboard))?;
        (self.owner(dashboard) == Some(&screen.team)).then_some(Role::Viewer)
    }

    /// A screen without the dashboards that its team does not own.
    fn as_shown(&self, screen: &Screen) -> Screen {
        let mut screen = screen.clone();
        screen.dashboards.retain(|id| self.owner(id) == Some(&screen.team));
        screen
    }

    /// Whether an account may change the screens of a team: it edits there, or is an admin.
    fn may_change_screens(&self, account: &Account, team: &TeamId) -> bool {
        let known = self.account(&account.id).filter(|account| account.disabled_at.is_none());
        known.is_some_and(|known| known.is_admin || self.member_role(&known.id, team) >= Some(Role::Editor))
    }

    /// A screen that an account may change. Of others it does not even hear that they are there.
    fn screen_of(&self, account: &Account, id: &ScreenId) -> Result<&Screen, ChangeError> {
        let known = self.screen(id).filter(|screen| self.may_change_screens(account, &screen.team));
        known.ok_or(ChangeError::NoScreen)
    }

    fn check_screen_maker(&self, account: &Account, team: &TeamId) -> Result<(), AccessError> {
        if self.team(team).is_some() && self.may_change_screens(account, team) {
            return Ok(());
        }
        // Of a team that one is not in one hears nothing.
        Err(match self.member_role(&account.id, team) {
            Some(_) => AccessError::NoScreenEditor,
            None => ChangeError::NoTeam.into(),
        })
    }

    /// Whether an account may let a screen of a team show dashboards: it sees them, and the team owns them.
    fn check_shown(
        &self,
        account: &Account,
        team: &TeamId,
        dashboards: &[DashboardId],
    ) -> Result<(), AccessError> {
        for id in dashboards {
            self.role(&account.id, id).ok_or(StoreError::Gone)?;
            if self.owner(id) != Some(team) {
                let reason = "A screen shows dashboards that its team owns. Share gives one to the team.";
                return Err(AccessError::BadScreen(reason));
            }
        }
        Ok(())
    }
}

impl Who {
    /// The screen of a request that comes from one.
    pub fn showing(&self) -> Option<&Showing> {
        if let Self::Screen(showing) = self { Some(showing) } else { None }
    }
}

#[cfg(test)]
mod tests;
