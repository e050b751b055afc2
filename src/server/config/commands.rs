//! The command line of what the program does instead of serving.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::server::backup::command::Command as Task;

/// Settings that may also stand behind the name of a command.
pub(super) const ANYWHERE: [&str; 3] = ["data_dir", "log", "log_format"];
const NOTICES: &str = "notices";

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
}

/// A setting out of the command line: behind the command's name, or before it.
pub(super) fn flag(flags: &ArgMatches, name: &str) -> Option<String> {
    let behind = flags.subcommand().and_then(|(_, flags)| flags.try_get_one::<String>(name).ok().flatten());
    behind.or_else(|| flags.get_one::<String>(name)).cloned()
}

/// What the command line asks for; `None` for serving.
pub(super) fn read(flags: &ArgMatches, keep: Option<usize>) -> Option<Task> {
    if flags.get_flag(NOTICES) {
        return Some(Task::Notices);
    }
    let (name, flags) = flags.subcommand()?;
    let path = |name: &str| flags.get_one::<PathBuf>(name).cloned();
    match name {
        "backup" => {
            let asked = flags.get_one::<u32>("keep").map(|keep| *keep as usize);
            Some(Task::Backup { into: path("DIR")?, keep: asked.or(keep) })
        }
        "check" => Some(Task::Check { dir: path("DIR") }),
        "restore" => Some(Task::Restore { backup: path("BACKUP")? }),
        _ => None,
    }
}
