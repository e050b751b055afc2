//! Kinds of what is in the audit log: their names for people, their weight, and what they are about.

use super::Action;

/// How dear an entry is where the log is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Anybody can cause it, and as often as they like.
    Failure,
    /// Daily use, by people who were let in.
    Use,
    /// It says who may do what, and goes last.
    Change,
}

impl Action {
    pub const fn weight(self) -> Weight {
        match self {
            Self::SetUpFailed
            | Self::SignInFailed
            | Self::SecondFactorFailed
            | Self::CodeFailed
            | Self::LinkPasswordFailed => Weight::Failure,
            Self::SignIn
            | Self::SignOut
            | Self::SessionEnded
            | Self::DashboardMade
            | Self::DashboardCopied
            | Self::DashboardImported
            | Self::DashboardExported
            | Self::DashboardReplaced
            | Self::DashboardDeleted
            | Self::DashboardRestored
            | Self::DashboardPurged
            | Self::DashboardExpired => Weight::Use,
            Self::SetUp
            | Self::PasswordChanged
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::RecoveryCodeUsed
            | Self::RecoveryCodesMade
            | Self::ResetLinkMade
            | Self::ResetLinkUsed
            | Self::AccountMade
            | Self::AccountChanged
            | Self::AccountRemoved
            | Self::IdentityRemoved
            | Self::TeamMade
            | Self::TeamRenamed
            | Self::TeamRemoved
            | Self::MemberChanged
            | Self::InvitationMade
            | Self::InvitationUsed
            | Self::InvitationRevoked
            | Self::GrantChanged
            | Self::OwnerTeamChanged
            | Self::TokenMade
            | Self::TokenRevoked
            | Self::LinkMade
            | Self::LinkRevoked
            | Self::ScreenPaired
            | Self::ScreenChanged
            | Self::ScreenRevoked => Weight::Change,
        }
    }

    /// True for what repeats without saying more: within a minute the log has it twice, with how often it was.
    pub fn is_repeatable(self) -> bool {
        self.weight() == Weight::Failure || matches!(self, Self::SignIn | Self::DashboardExported)
    }

    /// True for what is done to one dashboard, which its owners read of.
    pub fn is_about_dashboard(self) -> bool {
        let is_sharing = matches!(
            self,
            Self::GrantChanged
                | Self::OwnerTeamChanged
                | Self::LinkMade
                | Self::LinkRevoked
                | Self::LinkPasswordFailed
        );
        is_sharing || self.name().starts_with("dashboard_")
    }

    /// As a choice among others: `Sign-in failed`.
    pub fn label(self) -> String {
        let special = match self {
            Self::SetUp => "First account made",
            Self::SetUpFailed => "Set-up address not valid",
            Self::SignIn => "Signed in",
            Self::SignInFailed => "Sign-in failed",
            Self::SignOut => "Signed out",
            Self::SessionEnded => "Sessions ended",
            Self::IdentityRemoved => "Sign-in by a service removed",
            Self::ResetLinkMade => "Password link made",
            Self::ResetLinkUsed => "Password link used",
            Self::MemberChanged => "Team member changed",
            Self::CodeFailed => "Invitation or password link not valid",
            Self::GrantChanged => "Role on a dashboard changed",
            Self::OwnerTeamChanged => "Team of a dashboard changed",
            Self::TokenMade => "API token made",
            Self::TokenRevoked => "API token revoked",
            Self::LinkMade => "Share link made",
            Self::LinkRevoked => "Share link revoked",
            Self::LinkPasswordFailed => "Share link password wrong",
            Self::DashboardReplaced => "Dashboard changed by a document",
            Self::DashboardDeleted => "Dashboard moved to the bin",
            Self::DashboardPurged => "Dashboard deleted for good",
            Self::DashboardExpired => "Dashboard removed from the bin by age",
            _ => "",
        };
        if !special.is_empty() {
            return special.to_owned();
        }
        let words = self.name().replace('_', " ");
        let (first, rest) = words.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_label_of_its_own() {
        let mut labels: Vec<String> = Action::ALL.iter().map(|action| action.label()).collect();
        assert!(labels.iter().all(|label| label.starts_with(|c: char| c.is_ascii_uppercase())));
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), Action::ALL.len());
        assert_eq!(Action::SignInFailed.label(), "Sign-in failed");
        assert_eq!(Action::TeamRenamed.label(), "Team renamed");
    }

    #[test]
    fn owners_of_a_dashboard_read_of_it_and_of_nothing_else() {
        assert!(Action::GrantChanged.is_about_dashboard() && Action::DashboardExported.is_about_dashboard());
        assert!(!Action::SignIn.is_about_dashboard() && !Action::TeamMade.is_about_dashboard());
    }
}
