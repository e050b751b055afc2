//! `lockstep admin`: accounts from the shell, for the first day and for the one on which nobody can sign in.
//!
//! It works on the data directory of a server that is stopped: a running one has its accounts in memory.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::audit::entry;
use super::directory::{Account, ChangeError};
use super::identities::PROXY;
use super::{Access, AccessError, Mode};
use crate::app::audit::{Action, Actor, AuditEntry, Detail};
use crate::server::data_dir::{DataDir, DataDirError};
use crate::server::store::sqlite::SqliteStore;
use crate::server::store::{Store as _, StoreError};

/// Bytes of a line that is read as a password.
const MAX_LINE_BYTES: u64 = 4096;

/// What is done to accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Says which there are.
    List,
    /// Makes one that is an admin.
    Add { email: String, name: Option<String> },
    /// Gives one a new password, and lets it sign in where it was disabled.
    Password { email: String },
    /// Makes one an admin.
    Promote { email: String },
    /// Lets whom the proxy in front names so sign in to one.
    Join { email: String, subject: String },
    /// Lets one sign in with the password alone, whose app and recovery codes are lost.
    RemoveSecondFactor { email: String },
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the database cannot be opened: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("the password could not be read: {0}")]
    Input(#[from] std::io::Error),
}

/// Does it. What came of it is on standard output, and what went wrong on standard error.
pub fn run(command: Command, data: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(perform(command, data)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(says) => {
            // Whoever reads may have read enough.
            let _ = write!(std::io::stdout(), "{says}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("lockstep: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(command: Command, data: &Path) -> Result<String, CommandError> {
    let data = DataDir::open(data, false)?;
    let store = Arc::new(SqliteStore::open(&data.database()).await?);
    data.mark()?;
    let access = Access::open(store.clone(), |_| Mode::Accounts).await?;
    let done = change(&access, command).await;
    store.close().await;
    data.keep();
    done
}

async fn change(access: &Access, command: Command) -> Result<String, CommandError> {
    match command {
        Command::List => Ok(list(access)),
        Command::Add { email, name } => {
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            if access.is_empty() {
                // As at a start before anybody is let in.
                access.adopt().await?;
            }
            let account = access.add_account(&email, &name, read_password()?, true).await?;
            let detail = Detail { is_admin: Some(true), ..Detail::default() };
            access.record(vec![did(Action::AccountMade, &account).with(detail)]).await;
            Ok(format!("{} ({}) is an admin now.\n", account.name, account.email))
        }
        Command::Password { email } => {
            let account = find(access, &email)?;
            access.set_password(&account, read_password()?).await?;
            access.change_account(&account.id, |account| account.disabled_at = None).await?;
            let sessions = access.sessions_of(&account.id).len();
            access.end_sessions(&account.id, None).await?;
            let mut done = vec![did(Action::PasswordChanged, &account)];
            if account.disabled_at.is_some() {
                let detail = Detail { disabled: Some(false), ..Detail::default() };
                done.push(did(Action::AccountChanged, &account).with(detail));
            }
            if sessions > 0 {
                let detail = Detail { sessions: Some(sessions), ..Detail::default() };
                done.push(did(Action::SessionEnded, &account).with(detail));
            }
            access.record(done).await;
            Ok(format!("{} has a new password, and is signed out everywhere.\n", account.email))
        }
        Command::Promote { email } => {
            let account = find(access, &email)?;
            let promote = |account: &mut Account| (account.is_admin, account.disabled_at) = (true, None);
            access.change_account(&account.id, promote).await?;
            let disabled = account.disabled_at.map(|_| false);
            let detail = Detail { is_admin: Some(true), disabled, ..Detail::default() };
            access.record(vec![did(Action::AccountChanged, &account).with(detail)]).await;
            Ok(format!("{} is an admin now.\n", account.name))
        }
        Command::Join { email, subject } => {
            let account = find(access, &email)?;
            let account = access.join_identity(PROXY, &subject, &account.id).await?;
            let detail = Detail::default().by_provider(PROXY, None, None);
            access.record(vec![did(Action::AccountChanged, &account).with(detail)]).await;
            Ok(format!("Whom the proxy names {subject} is {} ({}) now.\n", account.name, account.email))
        }
        Command::RemoveSecondFactor { email } => {
            let account = find(access, &email)?;
            access.remove_second_factor(&account.id).await?;
            access.end_sessions(&account.id, None).await?;
            access.record(vec![did(Action::SecondFactorOff, &account)]).await;
            Ok(format!("{} has no two-step sign-in any more, and is signed out everywhere.\n", account.email))
        }
    }
}

/// What was done to an account, now.
fn did(what: Action, account: &Account) -> AuditEntry {
    entry(Actor::shell(), None, what, Some(account.as_target()))
}

/// The account of a mail address, or of what the proxy in front calls somebody.
fn find(access: &Access, known_as: &str) -> Result<Account, AccessError> {
    let of_email = access.directory().account_of(known_as).cloned();
    let found = of_email.or_else(|| access.account_of_identity(PROXY, known_as));
    found.ok_or_else(|| ChangeError::NoAccount.into())
}

fn list(access: &Access) -> String {
    let mut lines: Vec<String> = access
        .people(None)
        .accounts
        .iter()
        .map(|card| {
            let is = match (card.disabled_at, card.is_admin) {
                (Some(_), _) => "disabled",
                (None, true) => "admin",
                (None, false) => "member",
            };
            let email = Some(card.person.email.clone()).filter(|email| !email.is_empty());
            let known_as = email.or_else(|| access.subject_of(&card.person.id)).unwrap_or_default();
            format!("{is}\t{known_as}\t{}\n", card.person.name)
        })
        .collect();
    if lines.is_empty() {
        lines.push("Nobody has an account.\n".to_owned());
    }
    lines.concat()
}

/// A line of standard input; typed by a person it does not show.
fn read_password() -> Result<String, std::io::Error> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ");
    }
    let mut line = String::new();
    std::io::Read::take(std::io::stdin().lock(), MAX_LINE_BYTES).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
