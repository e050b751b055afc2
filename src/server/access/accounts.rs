//! Accounts: how they are made, changed and removed, and whose dashboards are.

use std::sync::PoisonError;

use super::directory::{Account, Change, ChangeError, Directory, Role, Team, TeamId};
use super::identities::{Identity, PROXY};
use super::password::check_strength;
use super::proxy::NamedPerson;
use super::throttle::GuessTarget;
use super::who::Who;
use super::{Access, AccessError, Requester, SignedIn};
use crate::app::audit::{Action, Detail};
use crate::dashboard::{DashboardId, Id, UserId};
use crate::server::auth::clean_name;
use crate::server::clock::now_ms;
use crate::server::rooms::random_id;

/// Bytes of a mail address.
pub const MAX_EMAIL_BYTES: usize = 254;
/// The team that dashboards of before the first account are given to.
const EVERYONE: &str = "everyone";

impl Access {
    /// Makes an account with a password, in the team of everyone. Nobody is signed in by that.
    pub async fn add_account(
        &self,
        email: &str,
        name: &str,
        password: String,
        is_admin: bool,
    ) -> Result<Account, AccessError> {
        let account = self.new_account(email, name, password, is_admin).await?;
        self.keep_new(account.clone(), None).await?;
        Ok(account)
    }

    /// Keeps a new account, in the team of everyone, with its first identity.
    async fn keep_new(&self, account: Account, identity: Option<Identity>) -> Result<(), AccessError> {
        let role = if account.is_admin { Role::Owner } else { Role::Editor };
        let member = Change::SetMember { team: everyone(), account: account.id.clone(), role: Some(role) };
        let team = missing_everyone(&self.directory());
        let account_is_made = Change::PutAccount(account);
        let joined = identity.map(Change::PutIdentity);
        self.change(team.into_iter().chain([account_is_made, member]).chain(joined).collect()).await
    }

    /// What an account is to be, with its password checked and hashed.
    pub(super) async fn new_account(
        &self,
        email: &str,
        name: &str,
        password: String,
        is_admin: bool,
    ) -> Result<Account, AccessError> {
        let email = checked_email(email).ok_or(AccessError::NoEmail)?;
        let name = clean_name(name).ok_or(AccessError::NoName)?;
        check_strength(&password, &[&name, &email])?;
        Ok(Account {
            id: random_account_id(),
            email,
            name,
            password: Some(self.hasher.hash(password).await?),
            is_admin,
            made_at: now_ms(),
            disabled_at: None,
        })
    }

    /// The first account, an admin, by the token of the log. Whom the proxy in front names comes again as that admin, and
    /// their session counts as any that it opened. Errors with `SetupCode` where the token is not valid.
    pub async fn set_up(
        &self,
        token: &str,
        (email, name, password): (&str, &str, String),
        named: Option<&NamedPerson>,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        self.begin_try(&GuessTarget::Setup, from.network)?;
        if !self.is_empty() || !self.setup.check(token) {
            self.record(vec![from.failed_code(Action::SetUpFailed)]).await;
            return Err(AccessError::SetupCode);
        }
        let account = self.new_account(email, name, password, true).await?;
        // Of two who have it at the same moment one is first.
        if !self.setup.take(token) {
            return Err(AccessError::SetupCode);
        }
        self.throttle().succeeded(&GuessTarget::Setup, from.network);
        let identity =
            named.map(|person| Identity::new(PROXY, &person.subject, &account.id, account.made_at));
        let issuer = identity.as_ref().map(|_| PROXY);
        self.keep_new(account.clone(), identity).await?;
        let by_proxy = Detail::default().by_provider(PROXY, None, None);
        let joined = issuer.map(|_| from.did(Action::AccountChanged, &account).with(by_proxy));
        self.record([from.did(Action::SetUp, &account)].into_iter().chain(joined).collect()).await;
        self.open_session_by(account, issuer, from).await
    }

    /// Changes something of an account.
    pub async fn change_account(
        &self,
        id: &UserId,
        change: impl FnOnce(&mut Account) + Send,
    ) -> Result<Account, AccessError> {
        let mut changed = None;
        self.change_with(|directory| {
            let mut account = directory.account(id).cloned().ok_or(ChangeError::NoAccount)?;
            change(&mut account);
            changed = Some(account.clone());
            Ok(vec![Change::PutAccount(account)])
        })
        .await?;
        Ok(changed.ok_or(ChangeError::NoAccount)?)
    }

    /// Removes an account or a team. The dashboards that nobody would have after it are an admin's from then on: they
    /// are not for everyone who happens to be there.
    ///
    /// Which dashboards these are, and whose they are now.
    pub async fn remove(
        &self,
        removed: Change,
        admin: &UserId,
    ) -> Result<Vec<(DashboardId, UserId)>, AccessError> {
        let mut given = Vec::new();
        self.change_with(|directory| {
            let after = directory.after(std::slice::from_ref(&removed))?;
            // Who removes their own account leaves them to another admin.
            let heir = after.admins().find(|one| *one == admin).or_else(|| after.admins().min()).cloned();
            let heir = heir.ok_or(ChangeError::LastAdmin)?;
            let lost = directory.dashboards().filter(|dashboard| !after.knows(dashboard));
            given = lost.map(|dashboard| (dashboard.clone(), heir.clone())).collect();
            let own = given.iter().map(|(dashboard, heir)| Change::own(dashboard, heir));
            Ok([removed].into_iter().chain(own).collect())
        })
        .await?;
        Ok(given)
    }

    /// Gives a new dashboard to whoever made it, and to the first of their teams in which they edit.
    pub async fn give_new(&self, who: &Who, dashboard: &DashboardId) -> Result<(), AccessError> {
        if let Some(holder) = who.token() {
            return self.give_new_of_token(&holder.token, dashboard).await;
        }
        let Some(signed_in) = who.signed_in() else { return Ok(()) };
        let account = signed_in.account.id.clone();
        let team = {
            let directory = self.directory();
            let edits = directory.teams_of(&account).filter(|(_, role)| *role >= Role::Editor);
            let name = |team: &TeamId| directory.team(team).map(|team| team.name.clone());
            edits.map(|(team, _)| team).min_by_key(|team| (**team != everyone(), name(team))).cloned()
        };
        let team = team.map(|team| Change::SetTeam { dashboard: dashboard.clone(), team: Some(team) });
        self.change(team.into_iter().chain([Change::own(dashboard, &account)]).collect()).await
    }

    /// Gives dashboards that nobody has to the team of everyone, or to an admin once there are accounts.
    pub async fn adopt(&self) -> Result<(), AccessError> {
        let orphans = self.store.orphans().await?.into_iter();
        let heir = self.directory().admins().min().cloned();
        let give = |dashboard| match &heir {
            // Nobody has been let in yet.
            None => Change::SetTeam { dashboard, team: Some(everyone()) },
            // Who made it may not have meant it for everyone.
            Some(heir) => Change::own(&dashboard, heir),
        };
        let orphans: Vec<Change> = orphans.map(give).collect();
        if orphans.is_empty() {
            return Ok(());
        }
        let team = if heir.is_none() { missing_everyone(&self.directory()) } else { None };
        let changes: Vec<Change> = team.into_iter().chain(orphans).collect();
        self.change(changes.clone()).await?;
        self.record(self.given_by_server(&changes)).await;
        Ok(())
    }

    /// Forgets who had a dashboard that is gone for good.
    ///
    /// The store has forgotten it with the dashboard.
    pub async fn forget(&self, dashboard: &DashboardId) {
        let _alone = self.changing.lock().await;
        let mut directory = self.directory.write().unwrap_or_else(PoisonError::into_inner);
        directory.forget(dashboard);
        drop(directory);
        self.end_strays();
    }
}

/// The team of everyone.
pub(super) fn everyone() -> TeamId {
    TeamId(Id::new(EVERYONE).expect("letters are an id"))
}

/// The change that makes the team of everyone; `None` where it is there.
pub(super) fn missing_everyone(directory: &Directory) -> Option<Change> {
    let is_missing = directory.team(&everyone()).is_none();
    is_missing.then(|| Change::PutTeam(Team { id: everyone(), name: "Everyone".to_owned() }))
}

/// An id for a new account.
pub(super) fn random_account_id() -> UserId {
    UserId::new(random_id()).expect("base64 without padding is an id")
}

/// A mail address, trimmed; `None` for what is none. Whether anybody reads there, nobody knows.
pub fn checked_email(email: &str) -> Option<String> {
    let email = email.trim();
    let (before, host) = email.rsplit_once('@')?;
    let shows = |c: char| !c.is_control() && !c.is_whitespace();
    let fits =
        !before.is_empty() && !host.is_empty() && email.len() <= MAX_EMAIL_BYTES && email.chars().all(shows);
    fits.then(|| email.to_owned())
}
