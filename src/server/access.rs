//! Access: who somebody is, and what they may do.
//!
//! [`Access`] is the only place that answers either. What it knows is in memory and written through: a change counts when it
//! is on the disk, and from then on for everybody.

pub mod directory;
pub mod password;
pub mod sessions;
pub mod setup;
pub mod summary;
pub mod throttle;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use self::directory::{Account, Change, ChangeError, Directory, Role, folded};
use self::password::{Checked, Hasher, Weak, check_strength};
use self::sessions::{Ended, Session, SessionHash, Sessions};
use self::throttle::{Guessed, Throttle};
use super::auth::{MAX_NAME_CHARS, clean_name};
use super::clock::now_ms;
use super::rooms::random_id;
use super::store::StoreError;
use super::store::accounts::Accounts;
use crate::dashboard::{DashboardId, UserId};

/// Bytes of a mail address.
const MAX_EMAIL_BYTES: usize = 254;

/// Why somebody is not let in, or a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The same for an unknown account, a wrong password and an account that was ended.
    #[error("The mail address or the password is not right.")]
    Wrong,
    #[error("There were too many wrong tries. Try again in {} s.", .0.as_secs_f64().ceil())]
    Wait(Duration),
    #[error("Too many people sign in at this moment. Try again in a few seconds.")]
    Busy,
    #[error("This is no mail address.")]
    NoEmail,
    #[error("A name has 1 to {MAX_NAME_CHARS} characters that show, on one line.")]
    NoName,
    #[error(transparent)]
    Weak(#[from] Weak),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<password::Busy> for AccessError {
    fn from(password::Busy: password::Busy) -> Self {
        Self::Busy
    }
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
    store: Arc<dyn Accounts>,
    directory: RwLock<Directory>,
    sessions: Mutex<Sessions>,
    hasher: Hasher,
    throttle: Mutex<Throttle>,
    /// Held from the check of a change until it is made: the next one is checked against it.
    changing: tokio::sync::Mutex<()>,
    /// Counts up after each change of the directory.
    changes: watch::Sender<u64>,
    begun: Instant,
}

impl Access {
    /// Reads what is stored.
    pub async fn open(store: Arc<dyn Accounts>) -> Result<Self, StoreError> {
        let directory = store.directory().await?;
        let sessions = Sessions::restore(store.sessions().await?, now_ms());
        Ok(Self {
            store,
            directory: RwLock::new(directory),
            sessions: Mutex::new(sessions),
            hasher: Hasher::default(),
            throttle: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::new(0),
            begun: Instant::now(),
        })
    }

    /// True where nobody has an account.
    pub fn is_empty(&self) -> bool {
        self.directory().is_empty()
    }

    /// What an account may do on a dashboard; `None` where it may not even know of it.
    pub fn role(&self, account: &UserId, dashboard: &DashboardId) -> Option<Role> {
        self.directory().role(account, dashboard)
    }

    /// Counts up after each change of who may do what.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes changes in their order, all or none; when it returns they are stored, and count.
    pub async fn change(&self, changes: Vec<Change>) -> Result<(), AccessError> {
        let _alone = self.changing.lock().await;
        let mut changed = self.directory().clone();
        for change in &changes {
            changed.change(change.clone())?;
        }
        let gone = changes.iter().filter_map(|change| match change {
            Change::RemoveAccount(id) => Some(id.clone()),
            Change::PutAccount(account) if account.disabled_at.is_some() => Some(account.id.clone()),
            _ => None,
        });
        let gone: Vec<UserId> = gone.collect();
        self.store.change_directory(changes).await?;
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = changed;
        for account in gone {
            self.end_sessions(&account, None).await?;
        }
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Signs somebody in. The token is for the cookie alone.
    pub async fn sign_in(
        &self,
        email: &str,
        password: String,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let email: String = folded(email).chars().take(MAX_EMAIL_BYTES).collect();
        let guessed = Guessed::Password(email.clone());
        self.begin_try(&guessed, from.network)?;
        let account = self.directory().account_of(&email).cloned();
        let account = account.filter(|account| account.disabled_at.is_none());
        let known = account.as_ref().and_then(|account| account.password.clone());
        let checked = self.hasher.check(password.clone(), known).await?;
        let Some(mut account) = account.filter(|_| checked != Checked::Wrong) else {
            self.throttle().failed(&guessed, self.ticks());
            return Err(AccessError::Wrong);
        };
        self.throttle().succeeded(&guessed);
        if checked == Checked::RightAndOld {
            account.password = Some(self.hasher.hash(password).await?);
            self.change(vec![Change::PutAccount(account.clone())]).await?;
        }
        self.open_session(account, from).await
    }

    /// Opens a session of an account that was found to be who it says.
    pub async fn open_session(
        &self,
        account: Account,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let (token, session, ended) =
            self.sessions().open(account.id.clone(), now_ms(), from.address.to_string(), &from.agent);
        if let Err(error) = self.store.put_session(session.clone(), ended).await {
            self.sessions().end(&session.hash);
            return Err(error.into());
        }
        let found = self.sessions().find(&token, now_ms());
        let (session, ended) = found.ok_or(AccessError::Wrong)?;
        Ok((token, SignedIn { account, session, ended }))
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

    /// Ends a session: its sockets hear of it at once, and it stays ended.
    pub async fn end_session(&self, hash: SessionHash) -> Result<(), StoreError> {
        self.sessions().end(&hash);
        self.store.remove_sessions(vec![hash]).await
    }

    /// Ends all sessions of an account but for one that stays.
    pub async fn end_sessions(
        &self,
        account: &UserId,
        stays: Option<&SessionHash>,
    ) -> Result<(), StoreError> {
        let ended = self.sessions().end_all_of(account, stays);
        if ended.is_empty() { Ok(()) } else { self.store.remove_sessions(ended).await }
    }

    /// Gives an account another password, for which it has to know the one of before, and ends its other sessions.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        before: String,
        password: String,
        from: &Requester,
    ) -> Result<(), AccessError> {
        let guessed = Guessed::Password(folded(&who.account.email));
        self.begin_try(&guessed, from.network)?;
        let known = self.directory().account(&who.account.id).and_then(|account| account.password.clone());
        if self.hasher.check(before, known).await? == Checked::Wrong {
            self.throttle().failed(&guessed, self.ticks());
            return Err(AccessError::Wrong);
        }
        self.throttle().succeeded(&guessed);
        self.set_password(&who.account.id, password).await?;
        Ok(self.end_sessions(&who.account.id, Some(&who.session.hash)).await?)
    }

    async fn set_password(&self, id: &UserId, password: String) -> Result<(), AccessError> {
        let account = self.directory().account(id).cloned().ok_or(ChangeError::NoAccount)?;
        check_strength(&password, &[&account.name, &account.email])?;
        let password = Some(self.hasher.hash(password).await?);
        self.change(vec![Change::PutAccount(Account { password, ..account })]).await
    }

    /// Makes an account with a password. Nobody is signed in by that.
    pub async fn add_account(
        &self,
        email: &str,
        name: &str,
        password: String,
        is_admin: bool,
    ) -> Result<Account, AccessError> {
        let email = checked_email(email).ok_or(AccessError::NoEmail)?;
        let name = clean_name(name).ok_or(AccessError::NoName)?;
        check_strength(&password, &[&name, &email])?;
        let account = Account {
            id: UserId::new(random_id()).expect("base64 without padding is an id"),
            email,
            name,
            password: Some(self.hasher.hash(password).await?),
            is_admin,
            made_at: now_ms(),
            disabled_at: None,
        };
        self.change(vec![Change::PutAccount(account.clone())]).await?;
        Ok(account)
    }

    /// Counts a try of something that can be guessed.
    fn begin_try(&self, guessed: &Guessed, network: IpAddr) -> Result<(), AccessError> {
        let begun = self.throttle().begin(guessed, network, self.ticks());
        begun.map_err(|wait| AccessError::Wait(Duration::from_millis(wait)))
    }

    /// Now and then: ends what is over, and notes what was used.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        let (over, used) = self.sessions().tidy(now_ms());
        if !over.is_empty() {
            self.store.remove_sessions(over).await?;
        }
        if used.is_empty() { Ok(()) } else { self.store.note_uses(used).await }
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

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mail address, trimmed; `None` for what is none. Whether anybody reads there, nobody knows.
fn checked_email(email: &str) -> Option<String> {
    let email = email.trim();
    let (before, host) = email.rsplit_once('@')?;
    let shows = |c: char| !c.is_control() && !c.is_whitespace();
    let fits =
        !before.is_empty() && !host.is_empty() && email.len() <= MAX_EMAIL_BYTES && email.chars().all(shows);
    fits.then(|| email.to_owned())
}

#[cfg(test)]
mod tests;
