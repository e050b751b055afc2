//! Check of changes before they are made: what they name is there, fits, and leaves an admin.

use std::collections::BTreeMap;

use super::{
    Account, Change, ChangeError, Directory, Grantee, MAX_ACCOUNTS, MAX_DASHBOARD_LINKS, MAX_GRANTS,
    MAX_INVITATIONS, MAX_LINKS, MAX_TEAMS, UserId, folded,
};
use crate::server::access::identities::{self, Identity, MAX_IDENTITIES, MAX_IDENTITIES_OF_ACCOUNT};
use crate::server::access::invitations::Purpose;
use crate::server::access::screens::MAX_SCREENS;
use crate::server::access::tokens::{MAX_TOKENS, MAX_TOKENS_OF_ACCOUNT};

impl Directory {
    /// Whether a change may be made.
    pub(super) fn check(&self, change: &Change) -> Result<(), ChangeError> {
        let account_is_there =
            |id| self.accounts.contains_key(id).then_some(()).ok_or(ChangeError::NoAccount);
        let team_is_there = |id| self.teams.contains_key(id).then_some(()).ok_or(ChangeError::NoTeam);
        let has_room = |is_new: bool, count: usize, most| {
            if is_new && count >= most { Err(ChangeError::TooMany) } else { Ok(()) }
        };
        match change {
            Change::PutAccount(account) => {
                let is_new = !self.accounts.contains_key(&account.id);
                has_room(is_new, self.accounts.len(), MAX_ACCOUNTS)?;
                let holder = self.by_email.get(&folded(&account.email));
                if holder.is_some_and(|holder| *holder != account.id) {
                    return Err(ChangeError::EmailTaken);
                }
                let stays = account.is_admin && account.disabled_at.is_none();
                if stays { Ok(()) } else { self.check_not_last_admin(&account.id) }
            }
            Change::RemoveAccount(id) => {
                account_is_there(id)?;
                self.check_not_last_admin(id)
            }
            Change::PutTeam(team) => {
                has_room(!self.teams.contains_key(&team.id), self.teams.len(), MAX_TEAMS)
            }
            Change::RemoveTeam(id) => {
                team_is_there(id)?;
                let owns = self.owners.values().any(|owner| owner == id);
                if owns { Err(ChangeError::TeamOwns) } else { Ok(()) }
            }
            Change::SetMember { team, account, .. } | Change::SetGroupRole { team, account, .. } => {
                team_is_there(team)?;
                account_is_there(account)
            }
            Change::SetTeam { team: Some(team), .. } => team_is_there(team),
            Change::SetGrant { dashboard, to, role } => {
                match to {
                    Grantee::Account(account) => account_is_there(account)?,
                    Grantee::Team(team) => team_is_there(team)?,
                }
                let grants = self.grants.get(dashboard);
                let is_new = role.is_some() && !grants.is_some_and(|grants| grants.contains_key(to));
                has_room(is_new, grants.map_or(0, BTreeMap::len), MAX_GRANTS)
            }
            Change::PutInvitation(invitation) => {
                match &invitation.purpose {
                    Purpose::Join { team, .. } => team_is_there(team)?,
                    Purpose::Reset(account) => account_is_there(account)?,
                }
                let is_new = !self.invitations.contains_key(&invitation.hash);
                has_room(is_new, self.invitations.len(), MAX_INVITATIONS)
            }
            Change::PutToken(token) => {
                // Who may not sign in has no tokens.
                let owner = self.accounts.get(&token.owner).filter(|owner| owner.disabled_at.is_none());
                owner.ok_or(ChangeError::NoAccount)?;
                token.team.as_ref().map_or(Ok(()), team_is_there)?;
                let is_new = !self.tokens.contains_key(&token.id);
                let of_owner = self.tokens.values().filter(|known| known.owner == token.owner).count();
                has_room(is_new, of_owner, MAX_TOKENS_OF_ACCOUNT)?;
                has_room(is_new, self.tokens.len(), MAX_TOKENS)
            }
            Change::SetTeam { team: None, .. }
            | Change::Forget(_)
            | Change::RemoveInvitation(_)
            | Change::RemoveIdentity { .. }
            | Change::RemoveToken(_) => Ok(()),
            Change::PutIdentity(identity) => {
                let Identity { issuer, subject, account, .. } = identity;
                account_is_there(account)?;
                if !identities::fits(issuer, subject) {
                    return Err(ChangeError::BadIdentity);
                }
                let known = self.identity(issuer, subject);
                if known.is_some_and(|known| known.account != *account) {
                    return Err(ChangeError::IdentityTaken);
                }
                let is_new = known.is_none();
                has_room(is_new, self.identities_of(account).count(), MAX_IDENTITIES_OF_ACCOUNT)?;
                has_room(is_new, self.identities.len(), MAX_IDENTITIES)
            }
            Change::PutLink(link) => {
                let is_new = !self.links.contains_key(&link.id);
                has_room(is_new, self.links.len(), MAX_LINKS)?;
                has_room(is_new, self.links(&link.dashboard).count(), MAX_DASHBOARD_LINKS)
            }
            Change::RemoveLink(id) => self.links.contains_key(id).then_some(()).ok_or(ChangeError::NoLink),
            Change::PutScreen(screen) => {
                team_is_there(&screen.team)?;
                has_room(!self.screens.contains_key(&screen.id), self.screens.len(), MAX_SCREENS)
            }
            Change::RemoveScreen(id) => {
                self.screens.contains_key(id).then_some(()).ok_or(ChangeError::NoScreen)
            }
        }
    }

    /// An account that is, or would be, no admin any more: somebody else has to be one.
    fn check_not_last_admin(&self, id: &UserId) -> Result<(), ChangeError> {
        let is_one = |account: &Account| account.is_admin && account.disabled_at.is_none();
        let was_one = self.accounts.get(id).is_some_and(is_one);
        let others = self.accounts.values().any(|account| account.id != *id && is_one(account));
        if was_one && !others { Err(ChangeError::LastAdmin) } else { Ok(()) }
    }
}
