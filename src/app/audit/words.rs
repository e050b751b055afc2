//! Entries of the audit log in words.

use super::{Action, AuditEntry, Detail, Target};
use crate::app::access::Role;
use crate::app::components::role_name;
use crate::app::format;

/// What was done, behind the name of who did it: `gave Grace Hopper the role editor on Orders`.
pub fn words(entry: &AuditEntry) -> String {
    let says = one_time(entry);
    match entry.detail.count {
        Some(count) => format!("{says} ({count} more within a minute)"),
        None => says,
    }
}

/// The same of a single time.
fn one_time(entry: &AuditEntry) -> String {
    let AuditEntry { who, what, about, detail, .. } = entry;
    let target =
        |target: &Option<Target>, none: &str| target.as_ref().map_or_else(|| none.to_owned(), Target::words);
    let (it, to) = (target(about, "something"), target(&detail.to, "somebody"));
    let is_own = about.as_ref().is_some_and(|about| who.id.as_deref() == Some(about.id.as_str()));
    match what {
        Action::SetUp => "set the server up".to_owned(),
        Action::SetUpFailed => "tried a set-up address that is not valid".to_owned(),
        Action::CodeFailed => "tried an invitation or password link that is not valid".to_owned(),
        Action::SignIn => format!("signed in{}", by_provider(detail)),
        Action::SignInFailed => sign_in_failed(detail, &it),
        Action::SignOut => "signed out".to_owned(),
        Action::SessionEnded => {
            let sessions = format::count(detail.sessions.unwrap_or(1), "session", "sessions");
            format!("ended {sessions} of {}", if is_own { "their own" } else { &it })
        }
        Action::PasswordChanged if is_own => "changed their password".to_owned(),
        Action::PasswordChanged => format!("changed the password of {it}"),
        Action::SecondFactorOn => "set an app up for two-step sign-in".to_owned(),
        Action::SecondFactorOff if is_own => "turned their two-step sign-in off".to_owned(),
        Action::SecondFactorOff => format!("removed the two-step sign-in of {it}"),
        Action::SecondFactorFailed => format!("gave a wrong code as {it}"),
        Action::RecoveryCodeUsed => "used a recovery code".to_owned(),
        Action::RecoveryCodesMade => "made new recovery codes".to_owned(),
        Action::ResetLinkMade => format!("made a link for a new password of {it}"),
        Action::ResetLinkUsed => "chose a new password by a link".to_owned(),
        Action::AccountMade if is_own => "made their account".to_owned(),
        Action::AccountMade if detail.is_admin == Some(true) => format!("made {it} an account as admin"),
        Action::AccountMade => format!("made the account of {it}"),
        Action::AccountChanged => account_changed(detail, &it),
        Action::IdentityRemoved if is_own => format!("removed their sign-in{}", by_identity(detail)),
        Action::IdentityRemoved => format!("removed the sign-in of {it}{}", by_identity(detail)),
        Action::AccountRemoved => format!("removed the account of {it}"),
        Action::TeamMade => format!("made {it}"),
        Action::TeamRenamed => {
            format!("renamed the team {} to {}", detail.renamed_from.as_deref().unwrap_or("?"), bare(about))
        }
        Action::TeamRemoved => format!("removed {it}"),
        Action::MemberChanged => match detail.role {
            Some(role) => format!("gave {to} the role {} in {it}", role_name(role)),
            None => format!("took {to} out of {it}"),
        },
        Action::InvitationMade => {
            let whom = detail.email.as_deref().unwrap_or("somebody");
            format!("invited {whom} to {to}{}", detail.role.map_or_else(String::new, as_role))
        }
        Action::InvitationUsed => {
            format!("came into {to} by an invitation{}", detail.role.map_or_else(String::new, as_role))
        }
        Action::InvitationRevoked => format!("revoked an invitation to {to}"),
        Action::GrantChanged => match detail.role {
            Some(role) => format!("gave {to} the role {} on {it}", role_name(role)),
            None => format!("took the role of {to} on {it} away"),
        },
        Action::OwnerTeamChanged => match &detail.to {
            Some(_) => format!("gave {it} to {to}"),
            None => format!("took {it} from its team"),
        },
        Action::TokenMade => format!("made {it}"),
        Action::TokenRevoked => format!("revoked {it}"),
        Action::LinkMade => {
            format!("made {} to {it}{}", share_link(detail), detail.role.map_or_else(String::new, as_role))
        }
        Action::LinkRevoked => format!("revoked {} to {it}", share_link(detail)),
        Action::LinkPasswordFailed => format!("gave a wrong password for {} to {it}", share_link(detail)),
        Action::ScreenPaired => format!("paired {it} for {to}"),
        Action::ScreenChanged => match &detail.renamed_from {
            Some(before) => format!("renamed the screen {before} to {}", bare(about)),
            None => format!("changed what {it} shows"),
        },
        Action::ScreenRevoked => format!("revoked {it}"),
        Action::DashboardMade => match &detail.from {
            Some(from) => format!("made {it} as a copy of {}", from.words()),
            None => format!("made {it}"),
        },
        Action::DashboardCopied => format!("copied {it}"),
        Action::DashboardImported => format!("imported {it}"),
        Action::DashboardExported => format!("exported {it}"),
        Action::DashboardReplaced => format!("changed {it} by a document"),
        Action::DashboardDeleted => format!("moved {it} to the bin"),
        Action::DashboardRestored => format!("restored {it} from the bin"),
        Action::DashboardPurged => format!("deleted {it} for good"),
        Action::DashboardExpired => format!("deleted {it} for good after its time in the bin"),
    }
}

fn by_provider(detail: &Detail) -> String {
    detail.provider.as_ref().map_or_else(String::new, |provider| format!(" by {provider}"))
}

/// A provider, with what it calls the person.
fn by_identity(detail: &Detail) -> String {
    let subject = detail.subject.as_ref().map_or_else(String::new, |subject| format!(" ({subject})"));
    format!("{}{subject}", by_provider(detail))
}

fn sign_in_failed(detail: &Detail, it: &str) -> String {
    let by = by_provider(detail);
    let whom = detail.email.as_deref().or(by.is_empty().then_some(it));
    let whom = whom.map_or_else(String::new, |whom| format!(" as {whom}"));
    let why = detail.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let reference = detail.reference.as_ref().map_or_else(String::new, |reference| format!(" ({reference})"));
    format!("failed to sign in{by}{whom}{why}{reference}")
}

fn as_role(role: Role) -> String {
    format!(" as {}", role_name(role))
}

/// A share link by what it is called.
fn share_link(detail: &Detail) -> String {
    detail
        .label
        .as_ref()
        .map_or_else(|| "a share link".to_owned(), |label| format!("the share link “{label}”"))
}

/// The name alone.
fn bare(target: &Option<Target>) -> &str {
    target.as_ref().map_or("?", |target| &target.name)
}

fn account_changed(detail: &Detail, it: &str) -> String {
    let admin = detail.is_admin.map(|is_admin| match is_admin {
        true => format!("made {it} an admin"),
        false => format!("took admin away from {it}"),
    });
    let disabled = detail.disabled.map(|disabled| match disabled {
        true => format!("disabled the account of {it}"),
        false => format!("enabled the account of {it}"),
    });
    let renamed = detail.renamed_from.as_ref().map(|before| format!("changed their name from {before}"));
    let joined = detail.provider.as_ref().map(|provider| format!("let {it} sign in by {provider}"));
    let said: Vec<String> = admin.into_iter().chain(disabled).chain(renamed).chain(joined).collect();
    if said.is_empty() { format!("changed the account of {it}") } else { said.join(" and ") }
}
