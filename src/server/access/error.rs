//! Errors of access: why somebody is not let in, or a change is not made.

use std::time::Duration;

use super::directory::ChangeError;
use super::links;
use super::password::{self, Weak};
use crate::server::auth::MAX_NAME_CHARS;
use crate::server::store::StoreError;

/// Why somebody is not let in, or a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The same for an unknown account, a wrong password and an account that was ended.
    #[error("The mail address or the password is wrong.")]
    Wrong,
    #[error("The current password is wrong.")]
    WrongPassword,
    /// The same for one that was used.
    #[error(
        "This code is wrong, or was used already. Each code counts once: wait for the next one in your app."
    )]
    WrongCode,
    #[error("The code of the app that you set up is wrong. Look whether the clock of your phone is right.")]
    WrongNewCode,
    #[error("Signing in took too long, or the account has changed meanwhile. Sign in again.")]
    SignInOver,
    #[error(
        "The key that was shown before does not count any more. Set your app up with the one that is here now."
    )]
    SetUpOver,
    #[error("This account has no two-step sign-in.")]
    NoSecondFactor,
    #[error("Your own two-step sign-in is turned off on the page “Your account”, with a code.")]
    OwnSecondFactor,
    #[error(
        "This server requires two-step sign-in: it cannot be turned off. You can move it to another app."
    )]
    SecondFactorRequired,
    #[error("This set-up code is wrong, or has expired. Restart the server: its log shows a new one.")]
    SetupCode,
    /// The same for one that was never made, is used up, over, or revoked.
    #[error("This link is not valid: it was used, has expired or was revoked. Ask for a new one.")]
    NoInvitation,
    #[error("The password of this link is wrong.")]
    LinkPassword,
    #[error(
        "A link has a role, viewer or editor, 1 to {} days, and a label of at most {} characters. Only an \
         editor's can let change what is asked.",
        links::MAX_DAYS,
        links::MAX_LABEL_CHARS
    )]
    BadLink,
    #[error(
        "Somebody has an account with your mail address already, and nothing says that it is yours. Ask an admin of this \
         server to let you sign in to it this way."
    )]
    NotJoined,
    #[error(
        "You have no account on this server, and this sign-in makes you none. Ask an admin of this server."
    )]
    NotAdmitted,
    #[error("Your account is disabled. Ask an admin of this server.")]
    Disabled,
    #[error("Somebody with an account has this name. Choose another one.")]
    NameTaken,
    /// Ended in memory; the store has it still.
    #[error(
        "This is over now, but the server could not write it to its disk. It goes on trying; if the server restarts \
         before that, sessions that were ended are open again. Look at the list of sessions after a restart, or ask an \
         admin to look at the disk."
    )]
    NotRemoved,
    #[error(
        "This code is not valid. A code counts for 10 minutes, and once: type the one that the screen shows now."
    )]
    NoPairing,
    #[error("Only editors of this team may change its screens.")]
    NoScreenEditor,
    #[error("{0}")]
    BadScreen(&'static str),
    #[error(
        "A password alone does not sign you in here. Sign in as you usually do, and set two-step sign-in up at your account."
    )]
    NoFactorYet,
    #[error("There is no such session.")]
    NoSession,
    #[error("There is no such way to sign in.")]
    NoIdentity,
    #[error(
        "Nothing else signs you in to this account. Ask an admin for a link to choose a password with, and remove this then."
    )]
    LastWayIn,
    #[error("There is no such token.")]
    NoToken,
    #[error("You may not make a token with the scope {0}.")]
    NotYours(&'static str),
    #[error("{0}")]
    BadToken(&'static str),
    #[error("There were too many wrong tries. Try again in {} s.", .0.as_secs_f64().ceil())]
    Wait(Duration),
    #[error("Too many people sign in at this moment. Try again in a few seconds.")]
    Busy,
    #[error("This is not a mail address.")]
    NoEmail,
    #[error(
        "A name has 1 to {MAX_NAME_CHARS} characters that show, on one line, and does not end as a guest's."
    )]
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
