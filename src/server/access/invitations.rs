//! Invitations: links by which somebody makes an account, or chooses a new password.
//!
//! Only the hash of a link's code is kept. One that is used up, over, revoked or made up is not known, and nothing
//! tells which.

use super::directory::{Account, Change, ChangeError, Directory, Role, TeamId};
use super::password::check_strength;
use super::second_factor::Admission;
use super::secret_hash::{SecretHash, SecretKind};
use super::throttle::GuessTarget;
use super::{Access, AccessError, Requester, SignedIn};
use crate::app::audit::{Action, AuditEntry, Target, TargetKind};
use crate::dashboard::UserId;
use crate::server::clock::now_ms;

/// How long an invitation to a team counts, and one to choose a new password.
const JOIN_MS: u64 = 7 * 86_400_000;
const RESET_MS: u64 = 86_400_000;
/// The most often that one invitation is used.
pub const MAX_USES: u32 = 100;

/// Secret of an invitation: the code in its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvitationSecret {}

impl SecretKind for InvitationSecret {
    const BYTES: usize = 16;
}

/// SHA-256 of an invitation's code: the name under which it is kept.
pub type InvitationHash = SecretHash<InvitationSecret>;

/// What an invitation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new account in a team.
    Join {
        team: TeamId,
        role: Role,
        /// The only mail address that may use it.
        email: Option<String>,
    },
    /// A new password of an account.
    Reset(UserId),
}

/// A link that can be used still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub hash: InvitationHash,
    pub purpose: Purpose,
    pub uses_left: u32,
    /// Unix milliseconds.
    pub made_at: u64,
    pub expires_at: u64,
    /// The name of the admin who made it.
    pub made_by: String,
}

impl Access {
    /// Makes an invitation; its code is for the link alone.
    pub async fn invite(&self, purpose: Purpose, uses: u32, made_by: String) -> Result<String, AccessError> {
        let uses_left = uses.clamp(1, MAX_USES);
        let (now, (code, hash)) = (now_ms(), InvitationHash::generate());
        let lasts = match purpose {
            Purpose::Join { .. } => JOIN_MS,
            Purpose::Reset(_) => RESET_MS,
        };
        let invitation =
            Invitation { hash, purpose, uses_left, made_at: now, expires_at: now + lasts, made_by };
        self.change_with(|directory| {
            // Of the links for a new password only the newest is valid.
            let mut changes = match &invitation.purpose {
                Purpose::Join { .. } => Vec::new(),
                Purpose::Reset(account) => directory.end_of_resets(account),
            };
            changes.push(Change::PutInvitation(invitation));
            Ok(changes)
        })
        .await?;
        Ok(code)
    }

    /// What a code invites to. Errors where it is not known, also not any more.
    pub async fn invitation(&self, code: &str, from: &Requester) -> Result<Invitation, AccessError> {
        self.begin_try(&GuessTarget::Code, from.network)?;
        let known = InvitationHash::of(code).and_then(|hash| self.directory().invitation(&hash).cloned());
        let Some(known) = known.filter(|known| now_ms() < known.expires_at) else {
            self.record(vec![from.failed_code(Action::CodeFailed)]).await;
            return Err(AccessError::NoInvitation);
        };
        self.throttle().succeeded(&GuessTarget::Code, from.network);
        Ok(known)
    }

    /// The name of the team that an invitation is to.
    pub fn team_name(&self, team: &TeamId) -> String {
        self.directory().team(team).map(|team| team.name.clone()).unwrap_or_default()
    }

    /// Makes the account that an invitation is for, and signs it in.
    pub async fn accept(
        &self,
        code: &str,
        (email, name, password): (&str, &str, String),
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let invitation = self.invitation(code, from).await?;
        let Purpose::Join { team, role, email: bound } = invitation.purpose.clone() else {
            return Err(AccessError::NoInvitation);
        };
        let account = self.new_account(bound.as_deref().unwrap_or(email), name, password, false).await?;
        self.check_unknown(from, ChangeError::EmailTaken.into(), |directory| {
            directory.account_of(&account.email).is_some()
        })?;
        let member = Change::SetMember { team, account: account.id.clone(), role: Some(role) };
        let made = Change::PutAccount(account.clone());
        self.change_with(|directory| Ok(vec![use_of(directory, &invitation.hash)?, made, member])).await?;
        let made = from.did(Action::AccountMade, &account);
        self.record(vec![made, self.use_entry(&invitation, &account, from)]).await;
        self.open_session(account, from).await
    }

    /// Takes somebody who has an account already into the team that an invitation is to. Where they are in it, the
    /// higher role stays.
    pub async fn accept_as(&self, code: &str, who: &UserId, from: &Requester) -> Result<(), AccessError> {
        let invitation = self.invitation(code, from).await?;
        let Purpose::Join { team, role, email: bound } = invitation.purpose.clone() else {
            return Err(AccessError::NoInvitation);
        };
        let account = self.directory().account(who).cloned().ok_or(ChangeError::NoAccount)?;
        if bound.is_some_and(|bound| !bound.eq_ignore_ascii_case(&account.email)) {
            return Err(AccessError::NoInvitation);
        }
        self.change_with(|directory| {
            let role = directory.member_role(who, &team).map_or(role, |has| has.max(role));
            let member = Change::SetMember { team, account: who.clone(), role: Some(role) };
            Ok(vec![use_of(directory, &invitation.hash)?, member])
        })
        .await?;
        self.record(vec![self.use_entry(&invitation, &account, from)]).await;
        Ok(())
    }

    /// Chooses the new password that a link is for, ends all sessions of the account, and signs in as far as that goes.
    pub async fn reset_password(
        &self,
        code: &str,
        password: String,
        from: &Requester,
    ) -> Result<Admission, AccessError> {
        let invitation = self.invitation(code, from).await?;
        let Purpose::Reset(id) = &invitation.purpose else { return Err(AccessError::NoInvitation) };
        let account = self.directory().account(id).cloned().ok_or(AccessError::NoInvitation)?;
        check_strength(&password, &[&account.name, &account.email])?;
        let hash = Some(self.hasher.hash(password).await?);
        let mut changed = None;
        self.change_with(|directory| {
            directory.invitation(&invitation.hash).ok_or(AccessError::NoInvitation)?;
            let account = directory.account(id).cloned().ok_or(AccessError::NoInvitation)?;
            let account = Account { password: hash, ..account };
            changed = Some(account.clone());
            let mut changes = directory.end_of_resets(id);
            changes.push(Change::PutAccount(account));
            Ok(changes)
        })
        .await?;
        let account = changed.ok_or(AccessError::NoInvitation)?;
        self.end_sessions(id, None).await?;
        self.record(vec![from.did(Action::ResetLinkUsed, &account)]).await;
        self.admit(account, from).await
    }

    /// That somebody used an invitation.
    fn use_entry(&self, used: &Invitation, account: &Account, from: &Requester) -> AuditEntry {
        let about = Some(Target::new(TargetKind::Invitation, used.hash.to_text(), ""));
        let entry = from.did(Action::InvitationUsed, account);
        AuditEntry { about, ..entry }.with(self.invitation_detail(used))
    }
}

/// The change by which an invitation is used once.
fn use_of(directory: &Directory, hash: &InvitationHash) -> Result<Change, AccessError> {
    let known = directory.invitation(hash).cloned().ok_or(AccessError::NoInvitation)?;
    Ok(match known.uses_left {
        0 | 1 => Change::RemoveInvitation(*hash),
        left => Change::PutInvitation(Invitation { uses_left: left - 1, ..known }),
    })
}
