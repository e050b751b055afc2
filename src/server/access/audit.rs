//! Audit log: what was done to accounts, teams, roles and whole dashboards, by whom and from where.
//!
//! Each entry goes to the store and to the log, under the target `audit`. On a server without accounts there is none.

pub mod repeats;

use super::directory::{Account, Change, Grantee, Role, TeamId};
use super::invitations::{Invitation, InvitationHash, Purpose};
use super::links::Link;
use super::screens::Screen;
use super::tokens::TokenId;
use super::{Access, Mode, Requester};
use crate::app::access::{self as contract, ShareChanges};
use crate::app::audit::{Action, Actor, ActorKind, AuditEntry, Detail, Target, TargetKind, words};
use crate::dashboard::{DashboardId, UserId};
use crate::server::clock::now_ms;
use crate::server::store::StoreError;
use crate::server::store::accounts::{AuditQuery, MAX_FORGOTTEN};

/// How long entries are kept.
const KEPT_MS: u64 = 365 * 86_400_000;

/// What somebody did, now.
pub fn entry(who: Actor, address: Option<String>, what: Action, about: Option<Target>) -> AuditEntry {
    AuditEntry { n: 0, at: now_ms(), who, address, what, about, detail: Detail::default() }
}

/// A dashboard by the title that it has when the entry is stored.
pub fn dashboard_target(id: &DashboardId) -> Target {
    Target::new(TargetKind::Dashboard, id, "")
}

impl Account {
    fn as_actor(&self) -> Actor {
        Actor::new(ActorKind::Account, Some(self.id.to_string()), &self.name)
    }

    pub fn as_target(&self) -> Target {
        Target::new(TargetKind::Account, &self.id, &self.name)
    }
}

impl Screen {
    pub fn as_target(&self) -> Target {
        Target::new(TargetKind::Screen, &self.id.0, &self.name)
    }
}

impl Requester {
    /// What an account did to itself, now.
    pub fn did(&self, what: Action, account: &Account) -> AuditEntry {
        let address = Some(self.address.to_string());
        entry(account.as_actor(), address, what, Some(account.as_target()))
    }

    /// That somebody was wrong about the password of a mail address, which may be that of an account.
    pub(super) fn failed(&self, email: &str, account: Option<&Account>) -> AuditEntry {
        let (nobody, address) = (Actor::default(), Some(self.address.to_string()));
        entry(nobody, address, Action::SignInFailed, account.map(Account::as_target))
            .with(Detail::email(email))
    }

    /// That somebody gave a wrong code of the second factor of an account.
    pub(super) fn failed_second_factor(&self, account: &Account) -> AuditEntry {
        let address = Some(self.address.to_string());
        entry(Actor::default(), address, Action::SecondFactorFailed, Some(account.as_target()))
    }

    /// That somebody, who may be nobody who is known, was wrong about a code.
    pub(super) fn failed_code(&self, what: Action) -> AuditEntry {
        entry(Actor::default(), Some(self.address.to_string()), what, None)
    }

    /// That somebody was wrong about the password of a share link.
    pub(super) fn failed_link(&self, link: &Link, account: Option<&Account>) -> AuditEntry {
        let who = account.map(Account::as_actor).unwrap_or_default();
        let (address, about) = (Some(self.address.to_string()), Some(dashboard_target(&link.dashboard)));
        entry(who, address, Action::LinkPasswordFailed, about).with(Detail::link(&link.label))
    }
}

impl Access {
    /// Stores entries and writes them to the log. Where they cannot be stored, the log says so, and no request fails.
    pub async fn record(&self, entries: Vec<AuditEntry>) {
        if self.mode == Mode::Open || entries.is_empty() {
            return;
        }
        entries.iter().for_each(trace);
        let entries = self.repeats().admit(entries);
        self.store_audit(entries).await;
    }

    /// Stores the repeats whose minute is over.
    pub(super) async fn store_repeats(&self, now: u64) {
        let due = self.repeats().due(now);
        self.store_audit(due).await;
    }

    /// Stores all repeats: the server stops.
    pub async fn finish_audit(&self) {
        let all = self.repeats().take_all();
        self.store_audit(all).await;
    }

    async fn store_audit(&self, entries: Vec<AuditEntry>) {
        if entries.is_empty() {
            return;
        }
        if let Err(error) = self.store.append_audit(entries).await {
            tracing::error!(%error, "what was done could not be written to the audit log");
        }
    }

    /// A part of the audit log.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit(query).await
    }

    /// Removes the entries that are older than they are kept. `now` is in Unix milliseconds.
    pub async fn forget_audit(&self, now: u64) -> Result<(), StoreError> {
        let before = now.saturating_sub(KEPT_MS);
        while self.store.forget_audit(before).await? == MAX_FORGOTTEN {}
        Ok(())
    }

    /// An account under the name that it has now.
    pub fn account_target(&self, id: &UserId) -> Target {
        let known = self.directory().account(id).map(Account::as_target);
        known.unwrap_or_else(|| Target::new(TargetKind::Account, id, ""))
    }

    /// A team under the name that it has now.
    pub fn team_target(&self, id: &TeamId) -> Target {
        Target::new(TargetKind::Team, &id.0, &self.team_name(id))
    }

    /// A token under the name that it has.
    pub fn token_target(&self, id: &TokenId) -> Target {
        let directory = self.directory();
        Target::new(TargetKind::Token, &id.0, directory.token(id).map_or("", |token| &token.name))
    }

    /// What there is to say of an invitation.
    pub(super) fn invitation_detail(&self, invitation: &Invitation) -> Detail {
        match &invitation.purpose {
            Purpose::Join { team, role, email } => {
                let to = Some(self.team_target(team));
                Detail { to, role: Some(*role), email: email.clone(), ..Detail::default() }
            }
            Purpose::Reset(account) => Detail { to: Some(self.account_target(account)), ..Detail::default() },
        }
    }

    /// An invitation that can still be used, and what there is to say of it.
    pub fn invitation_target(&self, hash: &InvitationHash) -> Option<(Target, Detail)> {
        let known = self.directory().invitation(hash).cloned()?;
        Some((Target::new(TargetKind::Invitation, hash.to_text(), ""), self.invitation_detail(&known)))
    }

    /// What an owner's changes come to, without those that change nothing: each with what there is to say of it.
    pub fn changes_of_sharing(
        &self,
        dashboard: &DashboardId,
        changes: &ShareChanges,
    ) -> Vec<(Action, Detail)> {
        let mut all = Vec::new();
        if let Some(team) = &changes.team {
            let team = team.team().cloned().map(TeamId);
            let is_new = self.directory().owner(dashboard) != team.as_ref();
            if is_new {
                let to = team.map(|team| self.team_target(&team));
                all.push((Action::OwnerTeamChanged, Detail { to, ..Detail::default() }));
            }
        }
        for contract::GrantChange { to, role } in &changes.grants {
            let to = Grantee::from(to);
            let target = match &to {
                Grantee::Account(id) => self.account_target(id),
                Grantee::Team(id) => self.team_target(id),
            };
            if self.granted(dashboard, &to) != *role {
                all.push((Action::GrantChanged, Detail::role_of(target, *role)));
            }
        }
        all
    }

    fn granted(&self, dashboard: &DashboardId, to: &Grantee) -> Option<Role> {
        let directory = self.directory();
        directory.grants(dashboard).find(|(grantee, _)| *grantee == to).map(|(_, role)| role)
    }

    /// That the server gave dashboards to teams.
    pub(super) fn given_by_server(&self, changes: &[Change]) -> Vec<AuditEntry> {
        let given = changes.iter().filter_map(|change| match change {
            Change::SetTeam { dashboard, team: Some(team) } => {
                let detail = Detail { to: Some(self.team_target(team)), ..Detail::default() };
                let about = Some(dashboard_target(dashboard));
                Some(entry(Actor::server(), None, Action::OwnerTeamChanged, about).with(detail))
            }
            Change::SetGrant { dashboard, to: Grantee::Account(to), role } => {
                let detail = Detail::role_of(self.account_target(to), *role);
                let about = Some(dashboard_target(dashboard));
                Some(entry(Actor::server(), None, Action::GrantChanged, about).with(detail))
            }
            _ => None,
        });
        given.collect()
    }
}

fn trace(entry: &AuditEntry) {
    let AuditEntry { who, address, what, about, detail, .. } = entry;
    tracing::info!(
        target: "audit",
        event = what.name(),
        who = who.kind.name(),
        user = who.id.as_deref(),
        name = who.name.as_str(),
        from = address.as_deref(),
        about = about.as_ref().map(|about| about.kind.name()),
        id = about.as_ref().map(|about| about.id.as_str()),
        detail = serde_json::to_string(detail).unwrap_or_default(),
        "{} {}",
        who.words(),
        words(entry),
    );
}
