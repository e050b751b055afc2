//! The command line of what the program does instead of serving.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::Task;
use crate::server::access::command::Command as Admin;
use crate::server::backup::command::Command as Backup;

/// Settings that may also stand behind the name of a command.
pub(super) const ANYWHERE: [&str; 3] = ["data_dir", "log", "log_format"];
const NOTICES: &str = "notices";
const HEALTHCHECK: &str = "healthcheck";
const READY: &str = "ready";
const SECOND_FACTOR: &str = "second-factor";

/// Adds the commands to the program's own arguments.
pub(super) fn with_commands(program: Command) -> Command {
    let path = |name: &'static str| Arg::new(name).value_parser(value_parser!(PathBuf));
    let keep = Arg::new("keep")
        .long("keep")
        .value_name("N")
        .value_parser(value_parser!(u32).range(1..))
        .help("Backups that stay, with the new one; older ones are removed [default: LOCKSTEP_BACKUP_KEEP, or all]");
    program
        .arg(
            Arg::new(NOTICES)
                .long(NOTICES)
                .action(ArgAction::SetTrue)
                .help("Print the licences of what this program is made of"),
        )
        .subcommand(
            Command::new("backup")
                .about("Make a verified backup, also while the server runs")
                .arg(
                    path("DIR")
                        .required(true)
                        .help("Where backups are kept; each gets a directory of its own there"),
                )
                .arg(keep),
        )
        .subcommand(Command::new("check").about("Check that a data directory or a backup is whole").arg(
            path("DIR").help("A data directory, in use or not, or a backup [default: the data directory]"),
        ))
        .subcommand(
            Command::new("restore")
                .about("Put a backup into the data directory of a server that is stopped")
                .arg(path("BACKUP").required(true).help("The backup, as lockstep-20261128-031200Z")),
        )
        .subcommand(
            Command::new(HEALTHCHECK).about("Ask the server that has these settings whether it is well").arg(
                Arg::new(READY)
                    .long(READY)
                    .action(ArgAction::SetTrue)
                    .help("Ask whether edits and points can be written, too"),
            ),
        )
        .subcommand(admin())
}

/// What is done to accounts. Passwords come on standard input.
fn admin() -> Command {
    let email = || Arg::new("EMAIL").required(true).help("The mail address of the account");
    Command::new("admin")
        .about("Change accounts in the data directory of a server that is stopped")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("Say which accounts there are"))
        .subcommand(
            Command::new("add").about("Make an account that is an admin").arg(email()).arg(
                Arg::new("name").long("name").value_name("NAME").help("Its name [default: of the address]"),
            ),
        )
        .subcommand(
            Command::new("password").about("Give an account a new password, and sign it out").arg(email()),
        )
        .subcommand(Command::new("promote").about("Make an account an admin").arg(email()))
        .subcommand(
            Command::new("join")
                .about("Let whom the proxy in front names SUBJECT sign in to an account")
                .arg(email())
                .arg(Arg::new("SUBJECT").required(true).help("What the proxy says in its header")),
        )
        .subcommand(
            Command::new(SECOND_FACTOR)
                .about("Change the two-step sign-in of an account")
                .subcommand_required(true)
                .subcommand(
                    Command::new("remove")
                        .about("Let an account sign in with its password alone, and sign it out")
                        .arg(email()),
                ),
        )
}

/// A setting out of the command line: behind the command's name, or before it.
pub(super) fn flag(flags: &ArgMatches, name: &str) -> Option<String> {
    let behind = flags.subcommand().and_then(|(_, flags)| flags.try_get_one::<String>(name).ok().flatten());
    behind.or_else(|| flags.get_one::<String>(name)).cloned()
}

/// What the command line asks for; `None` for serving.
pub(super) fn read(flags: &ArgMatches, keep: Option<usize>) -> Option<Task> {
    if flags.get_flag(NOTICES) {
        return Some(Task::Backup(Backup::Notices));
    }
    let (name, flags) = flags.subcommand()?;
    let path = |name: &str| flags.get_one::<PathBuf>(name).cloned();
    Some(Task::Backup(match name {
        "backup" => {
            let asked = flags.get_one::<u32>("keep").map(|keep| *keep as usize);
            Backup::Backup { into: path("DIR")?, keep: asked.or(keep) }
        }
        "check" => Backup::Check { dir: path("DIR") },
        "restore" => Backup::Restore { backup: path("BACKUP")? },
        HEALTHCHECK => return Some(Task::Healthcheck { ready: flags.get_flag(READY) }),
        "admin" => return read_admin(flags).map(Task::Admin),
        _ => return None,
    }))
}

fn read_admin(flags: &ArgMatches) -> Option<Admin> {
    let (name, flags) = flags.subcommand()?;
    // The only thing that is done to one is to remove it.
    let flags = if name == SECOND_FACTOR { flags.subcommand()?.1 } else { flags };
    let email = || flags.get_one::<String>("EMAIL").cloned();
    Some(match name {
        SECOND_FACTOR => Admin::RemoveSecondFactor { email: email()? },
        "list" => Admin::List,
        "add" => Admin::Add { email: email()?, name: flags.get_one::<String>("name").cloned() },
        "password" => Admin::Password { email: email()? },
        "promote" => Admin::Promote { email: email()? },
        "join" => Admin::Join { email: email()?, subject: flags.get_one::<String>("SUBJECT").cloned()? },
        _ => return None,
    })
}
