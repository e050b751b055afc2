//! Access: who somebody is, and what they may do.
//!
//! [`Access`] is the only place that answers either. What it knows is in memory and written through: a change counts when it
//! is on the disk, and from then on for everybody.

pub mod accounts;
pub mod audit;
pub mod command;
pub mod directory;
mod error;
pub mod guests;
pub mod identities;
pub mod invitations;
pub mod links;
pub mod listing;
pub mod oidc;
pub mod password;
pub mod policy;
pub mod proxy;
mod removals;
pub mod screens;
pub mod second_factor;
pub mod secret_hash;
pub mod sessions;
pub mod setup;
pub mod sharing;
pub mod summary;
pub mod throttle;
pub mod tokens;
pub mod visits;
pub mod who;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use self::accounts::MAX_EMAIL_BYTES;
use self::audit::repeats::Repeats;
use self::directory::{Account, Change, ChangeError, Directory, Role, TeamId, folded};
pub use self::error::AccessError;
use self::identities::Service;
use self::password::{Checked, Hasher, check_strength};
use self::removals::Removals;
use self::screens::live::LiveScreens;
use self::screens::pairing::Pairings;
use self::second_factor::{Admission, SecondFactors};
use self::sessions::{Ended, Session, SessionHash, Sessions};
use self::setup::Setup;
use self::throttle::{GuessTarget, Throttle};
use self::tokens::LiveTokens;
use self::visits::Visits;
use self::who::{Principal, Who};
use super::clock::now_ms;
use super::store::accounts::Accounts;
use super::store::memory::MemoryStore;
use super::store::{Reader, StoreError};
use crate::app::audit::{Action, Detail};
use crate::dashboard::{DashboardId, UserId};

/// Sessions of one account that the word of an issuer opens in a minute.
const MAX_OPENED_A_MINUTE: usize = 20;

/// Whether people sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whoever reaches the server may do everything.
    Open,
    /// People have accounts, and roles on dashboards.
    Accounts,
}

/// Where a request comes from: the address under which tries count, and what is shown of it.
#[derive(Clone, Debug)]
pub struct Requester {
    pub network: IpAddr,
    pub address: IpAddr,
    pub agent: String,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub account: Account,
    pub session: Session,
    /// Turns true when the session ends.
    pub ended: Ended,
}

/// Accounts, roles and sessions of this deployment.
pub struct Access {
    mode: Mode,
    /// The token of the first account.
    pub setup: Setup,
    /// The role of people without an account, where guest mode lets them in.
    guests: Option<Role>,
    /// Those that sign people in besides with a password.
    services: Vec<Service>,
    store: Arc<dyn Accounts>,
    directory: RwLock<Directory>,
    sessions: Mutex<Sessions>,
    live_tokens: Mutex<LiveTokens>,
    visits: Mutex<Visits>,
    removals: Removals,
    live_screens: Mutex<LiveScreens>,
    pairings: Mutex<Pairings>,
    second_factors: Mutex<SecondFactors>,
    hasher: Hasher,
    throttle: Mutex<Throttle>,
    /// Entries of the audit log that may come again.
    repeats: Mutex<Repeats>,
    /// Held from the check of a change until it is made: the next one is checked against it.
    changing: tokio::sync::Mutex<()>,
    /// Counts up after each change of the directory.
    changes: watch::Sender<u64>,
    begun: Instant,
}

impl Access {
    /// Reads what is stored. Whether people sign in may depend on whether there are accounts.
    pub async fn open(store: Arc<dyn Accounts>, mode: impl FnOnce(bool) -> Mode) -> Result<Self, StoreError> {
        let directory = store.directory().await?;
        let sessions = Sessions::restore(store.sessions().await?, now_ms());
        let visits = Visits::restore(store.visits().await?, now_ms());
        let second_factors = SecondFactors::restore(store.second_factors().await?);
        let access = Self::new(mode(!directory.is_empty()), store, directory, sessions);
        Ok(Self { visits: Mutex::new(visits), second_factors: Mutex::new(second_factors), ..access })
    }

    /// Of a server on which nobody signs in, and that keeps no accounts.
    pub fn open_to_all() -> Self {
        Self::new(Mode::Open, Arc::<MemoryStore>::default(), Directory::default(), Sessions::default())
    }

    fn new(mode: Mode, store: Arc<dyn Accounts>, directory: Directory, sessions: Sessions) -> Self {
        Self {
            mode,
            setup: Setup::default(),
            guests: None,
            services: Vec::new(),
            store,
            directory: RwLock::new(directory),
            sessions: Mutex::new(sessions),
            live_tokens: Mutex::default(),
            visits: Mutex::default(),
            removals: Removals::default(),
            live_screens: Mutex::default(),
            pairings: Mutex::default(),
            second_factors: Mutex::default(),
            hasher: Hasher::default(),
            throttle: Mutex::default(),
            repeats: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::new(0),
            begun: Instant::now(),
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// True where nobody has an account.
    pub fn is_empty(&self) -> bool {
        self.directory().is_empty()
    }

    /// What somebody may do on a dashboard; `None` where they may not even know of it.
    pub fn role(&self, principal: &Principal, dashboard: &DashboardId) -> Option<Role> {
        let own = self.own_role(principal, dashboard);
        let by_links = self.by_links(principal, dashboard).map(|(role, _)| role);
        own.max(by_links).max(self.by_guest_mode(principal, dashboard))
    }

    /// The same without what share links and guest mode give: all that they open is the dashboard as it shows.
    pub fn own_role(&self, principal: &Principal, dashboard: &DashboardId) -> Option<Role> {
        match (self.mode, principal) {
            (Mode::Open, _) => Some(Role::Owner),
            (Mode::Accounts, Principal::Anyone | Principal::Public | Principal::Link(_)) => None,
            (Mode::Accounts, Principal::Account(account)) => self.role_of(account, dashboard),
            (Mode::Accounts, Principal::Token(id)) => self.role_of_token(id, dashboard),
            (Mode::Accounts, Principal::Screen(id)) => self.directory().role_of_screen(id, dashboard),
        }
    }

    /// Whether somebody who edits a dashboard may also change what is asked of which source.
    pub fn may_query_on(&self, principal: &Principal, dashboard: &DashboardId) -> bool {
        self.own_role(principal, dashboard) >= Some(Role::Editor)
            || self.by_links(principal, dashboard).is_some_and(|(_, may_query)| may_query)
    }

    /// The own role of an account.
    pub fn role_of(&self, account: &UserId, dashboard: &DashboardId) -> Option<Role> {
        self.directory().role(account, dashboard)
    }

    /// Whose dashboards somebody may list.
    pub fn reader(&self, who: &Who) -> Reader {
        match (self.mode, who.principal()) {
            (Mode::Open, _) => Reader::Anyone,
            (Mode::Accounts, Principal::Anyone | Principal::Screen(_)) => Reader::Nobody,
            (Mode::Accounts, Principal::Public | Principal::Link(_)) => self.reader_of_guests(),
            (Mode::Accounts, Principal::Account(account)) => Reader::Account(account),
            (Mode::Accounts, Principal::Token(_)) => self.reader_of_token(who),
        }
    }

    pub fn has_team(&self, id: &TeamId) -> bool {
        self.directory().team(id).is_some()
    }

    /// Whether an account may ask sources.
    pub fn may_query(&self, account: &UserId) -> bool {
        self.directory().may_query(account)
    }

    /// Whether an account may make dashboards: it edits those of a team.
    pub fn may_create(&self, account: &Account) -> bool {
        account.is_admin || self.directory().teams_of(&account.id).any(|(_, role)| role >= Role::Editor)
    }

    /// Counts up after each change of who may do what.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Counts a change that is not one of the directory: a dashboard went into the bin, or came back.
    pub fn note_change(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Makes changes in their order, all or none; when it returns they are stored, and count.
    pub async fn change(&self, changes: Vec<Change>) -> Result<(), AccessError> {
        self.change_with(|_| Ok(changes)).await
    }

    /// Makes the changes that follow from what is in the directory. Nobody else changes it meanwhile.
    async fn change_with(
        &self,
        follow: impl FnOnce(&Directory) -> Result<Vec<Change>, AccessError> + Send,
    ) -> Result<(), AccessError> {
        let _alone = self.changing.lock().await;
        let (changes, changed, unlinked) = {
            let directory = self.directory();
            let changes = follow(&directory)?;
            let changed = directory.after(&changes)?;
            let unlinked = changes.iter().filter_map(|change| directory.unlinked_by(change));
            let unlinked: Vec<(String, UserId)> = unlinked.collect();
            (changes, changed, unlinked)
        };
        let gone = changes.iter().filter_map(|change| match change {
            Change::RemoveAccount(id) => Some(id.clone()),
            Change::PutAccount(account) if account.disabled_at.is_some() => Some(account.id.clone()),
            _ => None,
        });
        let gone: Vec<UserId> = gone.collect();
        let removed = changes.iter().filter_map(|change| match change {
            Change::RemoveAccount(id) => Some(id.clone()),
            _ => None,
        });
        let removed: Vec<UserId> = removed.collect();
        self.store.change_directory(changes).await?;
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = changed;
        removed.iter().for_each(|id| self.second_factors().forget(id));
        self.end_tokens();
        self.end_strays();
        self.end_screens();
        self.note_change();
        for account in gone {
            self.end_visits_of(&account);
            self.end_sessions(&account, None).await?;
        }
        for (issuer, account) in unlinked {
            let ended = self.sessions().end_all_by(&issuer, &account);
            self.remove_ended(ended).await?;
        }
        Ok(())
    }

    /// Signs somebody in by their password, as far as that goes.
    pub async fn sign_in(
        &self,
        email: &str,
        password: String,
        from: &Requester,
    ) -> Result<Admission, AccessError> {
        let email: String = folded(email).chars().take(MAX_EMAIL_BYTES).collect();
        let guessed = GuessTarget::Password(email.clone());
        self.begin_try(&guessed, from.network)?;
        let account = self.directory().account_of(&email).cloned();
        let account = account.filter(|account| account.disabled_at.is_none());
        let known = account.as_ref().and_then(|account| account.password.clone());
        let checked = self.check_password(&guessed, password.clone(), known, from).await?;
        let failed = from.failed(&email, account.as_ref());
        let Some(mut account) = account.filter(|_| checked != Checked::Wrong) else {
            self.record(vec![failed]).await;
            return Err(AccessError::Wrong);
        };
        if checked == Checked::RightAndOld {
            let renewed = Some(self.hasher.hash(password).await?);
            self.replace_password(&account, renewed.clone()).await?;
            account.password = renewed;
        }
        self.admit(account, from).await
    }

    /// Checks a password of a try that was begun.
    async fn check_password(
        &self,
        guessed: &GuessTarget,
        password: String,
        known: Option<String>,
        from: &Requester,
    ) -> Result<Checked, AccessError> {
        let checked = self.hasher.check(password, known).await;
        match &checked {
            Ok(Checked::Wrong) => {}
            Ok(_) => self.throttle().succeeded(guessed, from.network),
            // Nothing was looked at.
            Err(_) => self.throttle().withdraw(guessed, from.network),
        }
        Ok(checked?)
    }

    /// Gives an account another hash, unless it has another one already than was read of it.
    async fn replace_password(&self, read: &Account, hash: Option<String>) -> Result<(), AccessError> {
        self.change_with(|directory| {
            let account = directory.account(&read.id).filter(|account| account.password == read.password);
            let account = account.cloned().ok_or(AccessError::Wrong)?;
            let mut changes = directory.end_of_resets(&read.id);
            changes.push(Change::PutAccount(Account { password: hash, ..account }));
            Ok(changes)
        })
        .await
    }

    /// Opens a session of an account that was found to be who it says, by the password that was read with it. Nothing
    /// more is asked for.
    pub async fn open_session(
        &self,
        account: Account,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        self.open_session_by(account, None, from).await
    }

    /// The same by the word of an issuer.
    pub async fn open_session_by(
        &self,
        account: Account,
        issuer: Option<&str>,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let detail =
            issuer.map_or_else(Detail::default, |issuer| Detail::default().by_provider(issuer, None, None));
        self.open_session_with(account, issuer, from, detail).await
    }

    /// The same with what there is to say of how they were found to be.
    pub(super) async fn open_session_with(
        &self,
        account: Account,
        issuer: Option<&str>,
        from: &Requester,
        detail: Detail,
    ) -> Result<(String, SignedIn), AccessError> {
        if issuer.is_some() {
            self.check_opened(&account.id)?;
        }
        let (token, session, ended) =
            self.sessions().open(account.id.clone(), issuer, now_ms(), from.address.to_string(), &from.agent);
        if let Err(error) = self.store.put_session(session.clone(), ended.clone()).await {
            self.sessions().end(&session.hash);
            // Those that ended for it stay ended, and nobody waits for it.
            let _ = self.remove_ended(ended).await;
            return Err(error.into());
        }
        // While it was checked the account may have been disabled, or have got another password, or have lost the identity.
        let is_same = |now: &Account| now.disabled_at.is_none() && now.password == account.password;
        let stands = {
            let directory = self.directory();
            let mut identities = directory.identities_of(&account.id);
            let is_known = issuer.is_none_or(|issuer| identities.any(|one| one.issuer == issuer));
            is_known && directory.account(&account.id).is_some_and(is_same)
        };
        let found = self.sessions().find(&token, now_ms()).filter(|_| stands);
        let Some((session, ended)) = found else {
            self.end_session(session.hash).await?;
            return Err(AccessError::Wrong);
        };
        self.record(vec![from.did(Action::SignIn, &account).with(detail)]).await;
        Ok((token, SignedIn { account, session, ended }))
    }

    /// Whether another session of an account may be opened by the word of an issuer: a program without cookies would open
    /// one at each request, and end those of its person's browsers.
    fn check_opened(&self, account: &UserId) -> Result<(), AccessError> {
        const MINUTE_MS: u64 = 60_000;
        let since = now_ms().saturating_sub(MINUTE_MS);
        let opened = self.sessions_of(account).iter().filter(|session| session.made_at > since).count();
        if opened < MAX_OPENED_A_MINUTE {
            Ok(())
        } else {
            Err(AccessError::Wait(Duration::from_millis(MINUTE_MS)))
        }
    }

    /// Who has a session's token; `None` where it is not known, or over.
    pub fn find(&self, token: &str) -> Option<SignedIn> {
        let (session, ended) = self.sessions().find(token, now_ms())?;
        // It may have been ended a moment ago, while somebody signed in to it.
        let account = self.directory().account(&session.account).cloned();
        let account = account.filter(|account| account.disabled_at.is_none())?;
        Some(SignedIn { account, session, ended })
    }

    /// The sessions of an account, the one that was used last first.
    pub fn sessions_of(&self, account: &UserId) -> Vec<Session> {
        self.sessions().of_account(account)
    }

    /// Ends a session: its sockets hear of it at once. Errors with `NotRemoved` where a restart before the next try
    /// would open it again.
    pub async fn end_session(&self, hash: SessionHash) -> Result<(), AccessError> {
        self.sessions().end(&hash);
        self.remove_ended(vec![hash]).await
    }

    /// Ends all sessions of an account but for one that stays. Errors as [`Self::end_session`].
    pub async fn end_sessions(
        &self,
        account: &UserId,
        stays: Option<&SessionHash>,
    ) -> Result<(), AccessError> {
        let ended = self.sessions().end_all_of(account, stays);
        self.remove_ended(ended).await
    }

    /// Gives an account another password, for which it has to know the one of before, and ends its other sessions.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        before: String,
        password: String,
        from: &Requester,
    ) -> Result<(), AccessError> {
        let account = self.confirm_password(who, before, from).await?;
        self.set_password(&account, password).await?;
        self.record(vec![from.did(Action::PasswordChanged, &who.account)]).await;
        self.end_sessions(&who.account.id, Some(&who.session.hash)).await
    }

    /// Asks somebody who is signed in for their password again. The account as it was read with that.
    async fn confirm_password(
        &self,
        who: &SignedIn,
        password: String,
        from: &Requester,
    ) -> Result<Account, AccessError> {
        let guessed = GuessTarget::Password(folded(&who.account.email));
        self.begin_try(&guessed, from.network)?;
        let account = self.directory().account(&who.account.id).cloned().ok_or(ChangeError::NoAccount)?;
        if self.check_password(&guessed, password, account.password.clone(), from).await? == Checked::Wrong {
            self.record(vec![from.did(Action::SignInFailed, &who.account)]).await;
            return Err(AccessError::WrongPassword);
        }
        Ok(account)
    }

    /// Gives an account another password, unless it got one since it was read.
    async fn set_password(&self, read: &Account, password: String) -> Result<(), AccessError> {
        check_strength(&password, &[&read.name, &read.email])?;
        let hash = Some(self.hasher.hash(password).await?);
        self.replace_password(read, hash).await
    }

    /// Counts a try of something that can be guessed.
    fn begin_try(&self, guessed: &GuessTarget, network: IpAddr) -> Result<(), AccessError> {
        let begun = self.throttle().begin(guessed, network, self.ticks());
        begun.map_err(|wait| AccessError::Wait(Duration::from_millis(wait)))
    }

    /// Now and then: ends what is over, and notes what was used.
    pub async fn tidy(&self) -> Result<(), AccessError> {
        let now = now_ms();
        self.store_repeats(now).await;
        let expired: Vec<Change> = {
            let directory = self.directory();
            let expired = directory.invitations().filter(|known| known.expires_at <= now);
            expired.map(|known| Change::RemoveInvitation(known.hash)).collect()
        };
        if !expired.is_empty() {
            self.change(expired).await?;
        }
        self.tidy_tokens(now).await?;
        self.tidy_screens().await?;
        let (over, used) = self.sessions().tidy(now);
        if !over.is_empty() {
            self.store.remove_sessions(over).await?;
        }
        if !used.is_empty() {
            self.store.note_uses(used).await?;
        }
        self.tidy_links().await
    }

    /// Milliseconds of a clock that is never set.
    fn ticks(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_tokens(&self) -> MutexGuard<'_, LiveTokens> {
        self.live_tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn visits(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_screens(&self) -> MutexGuard<'_, LiveScreens> {
        self.live_screens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pairings(&self) -> MutexGuard<'_, Pairings> {
        self.pairings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
