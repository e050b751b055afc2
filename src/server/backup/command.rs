//! `lockstep backup`, `check` and `restore`: what they say, and the codes that they end with.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::BackupError;
use super::check::check;
use super::copy::Interrupt;
use super::make::{Made, make};
use super::manifest::{Manifest, dashboards_in_words, series_in_words};
use super::restore::{Restored, restore};
use crate::server::health;

/// Something to do instead of serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Backup {
        into: PathBuf,
        /// Backups that stay, with the new one; `None` for all.
        keep: Option<usize>,
    },
    Check {
        /// `None` for the data directory.
        dir: Option<PathBuf>,
    },
    Restore {
        backup: PathBuf,
    },
    /// Shows the licences of what the program is made of.
    Notices,
}

/// Done, and all is well.
const DONE: u8 = 0;
/// It failed, or what was checked is not whole.
const FAILED: u8 = 1;
/// What was asked for does not fit.
const USAGE: u8 = 2;
/// As shells say it of what Ctrl+C ended.
const INTERRUPTED: u8 = 130;
/// From a signal until the work is left as it is, which counts as nothing.
const ENDING: Duration = Duration::from_secs(2);
/// Threads: one that waits for signals, and one that works.
const THREADS: usize = 2;
/// A low priority: whoever else wants the processor or the disk goes first. Linux derives the priority of
/// input and output from it too. Not the lowest, at which a busy machine would never come to it.
const NICE: i32 = 10;

/// Does it. What came of it is on standard output, and what went wrong on standard error.
pub fn run(command: Command, data: &Path) -> ExitCode {
    if !matches!(command, Command::Restore { .. }) {
        // Before there are other threads, which take it over. Where it may not be had, it goes without.
        let _ = rustix::process::setpriority_process(None, NICE);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(perform(command, data)),
        Err(error) => fail(&BackupError::Io { what: "this machine has no threads left".to_owned(), error }),
    };
    ExitCode::from(code)
}

async fn perform(command: Command, data: &Path) -> u8 {
    let interrupt = Interrupt::default();
    match command {
        Command::Backup { into, keep } => {
            match until_told(&interrupt, make(data, &into, keep, &interrupt)).await {
                Ok(made) => say(&backed_up(&made), DONE),
                Err(error) => fail(&error),
            }
        }
        Command::Check { dir } => {
            let dir = dir.unwrap_or_else(|| data.to_owned());
            match until_told(&interrupt, check(&dir, &interrupt)).await {
                Ok(report) => say(&report.to_string(), if report.is_whole() { DONE } else { FAILED }),
                Err(error) => fail(&error),
            }
        }
        Command::Restore { backup } => match until_told(&interrupt, restore(&backup, data, &interrupt)).await
        {
            Ok(restored) => say(&put_back(&restored, &backup, data), DONE),
            Err(error) => fail(&error),
        },
        Command::Notices => say(crate::server::notices::NOTICES.trim_end(), DONE),
    }
}

/// Waits for the work, or for a signal, after which it is given a moment to end in good order.
async fn until_told<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = Result<T, BackupError>>,
) -> Result<T, BackupError> {
    let told = async {
        let (Ok(mut terminate), Ok(mut stop)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = stop.recv() => {}
        }
    };
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => return outcome,
        () = told => interrupt.store(true, Relaxed),
    }
    tokio::time::timeout(ENDING, work).await.unwrap_or(Err(BackupError::Interrupted))
}

fn backed_up(made: &Made) -> String {
    let Made { path, manifest, removed } = made;
    let gone = match removed {
        0 => String::new(),
        1 => "\n1 older backup was removed.".to_owned(),
        count => format!("\n{count} older backups were removed."),
    };
    format!("{}\nverified: {}.{gone}", path.display(), holds(manifest))
}

fn holds(manifest: &Manifest) -> String {
    let Manifest { dashboards, commits, series, points, .. } = manifest;
    let size = health::bytes(manifest.bytes());
    format!("{size}, {}, {}", dashboards_in_words(*dashboards, *commits), series_in_words(*series, *points))
}

fn put_back(restored: &Restored, backup: &Path, data: &Path) -> String {
    let Restored { manifest, aside } = restored;
    let (backup, data) = (backup.display(), data.display());
    let mut says = format!(
        "{data} is now as {backup} has it, made at {} by {}: {}.\n",
        manifest.made_at,
        manifest.program,
        holds(manifest)
    );
    says += &match aside {
        None => "There was nothing in its place.".to_owned(),
        Some(aside) => {
            let aside = aside.display();
            format!(
                "What was there is in {aside}; nothing was deleted. To go back: stop the server, move lockstep.db \
                 and series.db out of {data}, and all files of {aside} into it."
            )
        }
    };
    says + "\nStart the server now. Pages that are open join anew; what their authors had saved after the \
            backup was made is handed back to them."
}

fn say(text: &str, code: u8) -> u8 {
    use std::io::Write as _;
    // Whoever reads may have read enough.
    let _ = writeln!(std::io::stdout(), "{text}");
    code
}

fn fail(error: &BackupError) -> u8 {
    eprintln!("lockstep: {error}");
    match error {
        BackupError::Usage(_) => USAGE,
        BackupError::Interrupted => INTERRUPTED,
        _ => FAILED,
    }
}
