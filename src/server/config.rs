//! All settings, read once at the start: flags, then environment, then `Leptos.toml`, then defaults.
//!
//! A setting has one name in three spellings: `--data-dir`, `LOCKSTEP_DATA_DIR`, and `data_dir` in the
//! table `[lockstep]`. A value that does not fit stops the start and says which setting and what fits.

mod commands;
mod prometheus;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::http::Uri;
use clap::{Arg, ArgMatches, Command};
use tracing_subscriber::EnvFilter;

pub use self::prometheus::{Access, Prometheus, Secret};
use super::backup::command::Command as Task;
use super::backup::schedule::Plan;
use super::limits::Limits;

/// What the server was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Where the database is.
    pub data_dir: PathBuf,
    /// Whether a database has to be there already: a disk that is not mounted then stops the start.
    pub data_must_exist: bool,
    /// Where the page's files are; `None` looks beside the executable.
    pub site_root: Option<PathBuf>,
    /// What is logged, as a `tracing` filter.
    pub log: String,
    pub log_format: LogFormat,
    /// Origins other than its own from which pages may use this server, as `https://host[:port]`.
    pub allowed_origins: Vec<String>,
    /// Whether everyone who can reach an address beyond this machine may read and edit.
    pub allow_open_access_on_network: bool,
    /// What whoever brings points has to know; `None` lets everybody who reaches the server.
    pub ingest_token: Option<Secret>,
    /// How long pushed points are kept.
    pub series_hours: u64,
    /// For how many days the bin keeps dashboards.
    pub bin_days: u64,
    /// The Prometheus servers that may be asked.
    pub prometheus: Vec<Prometheus>,
    /// Backups that the server makes by itself; `None` for none.
    pub backups: Option<Plan>,
    pub limits: Limits,
    /// What is to be done instead of serving.
    pub task: Option<Task>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not an error of a setting: an unknown flag, or `--help` and `--version`.
    #[error("{0}")]
    Usage(#[from] clap::Error),
    #[error("{place}: {value:?} does not fit. It takes {wants}.")]
    Value { place: Place, value: String, wants: String },
    #[error("{name} is not a setting{}.", near.map(|near| format!("; did you mean {near}")).unwrap_or_default())]
    Unknown { name: String, near: Option<&'static str> },
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error(
        "addr: {0} can be reached from other machines, and Lockstep has no sign-in yet: everyone who can \
         reach it may read and edit every dashboard. Where that is what you want, say so with \
         --allow-open-access-on-network; otherwise use 127.0.0.1."
    )]
    Open(SocketAddr),
}

/// Where a value was found, in the spelling of that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Flag(&'static str),
    Env(String),
    File { name: &'static str, path: PathBuf },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{}", kebab(name)),
            Self::Env(name) => f.write_str(name),
            Self::File { name, path } => write!(f, "{name} in {}", path.display()),
        }
    }
}

/// One setting as `--help` shows it.
struct Setting {
    name: &'static str,
    value: &'static str,
    help: &'static str,
    /// In words; limits take theirs from [`Limits::default`].
    default: &'static str,
}

const SETTINGS: [Setting; 15] = [
    Setting {
        name: "addr",
        value: "IP:PORT",
        help: "Where to listen; port 0 takes a free one",
        default: "127.0.0.1:3000",
    },
    Setting { name: "data_dir", value: "PATH", help: "Where the database is kept", default: "./data" },
    Setting {
        name: "data_must_exist",
        value: "BOOL",
        help: "Start only where a database is there already: a disk that is not mounted then stops the start",
        default: "false",
    },
    Setting {
        name: "site_root",
        value: "PATH",
        help: "Where the page's files are",
        default: "`site` beside the executable or its directory",
    },
    Setting {
        name: "log",
        value: "FILTER",
        help: "What is logged, as a tracing filter such as `info` or `lockstep=debug,warn`",
        default: "info",
    },
    Setting { name: "log_format", value: "FORMAT", help: "How: `text` or `json`", default: "text" },
    Setting {
        name: "allowed_origins",
        value: "ORIGINS",
        help: "Other origins whose pages may use this server, separated by commas",
        default: "none",
    },
    Setting {
        name: OPEN,
        value: "BOOL",
        help: "Everyone who can reach an address beyond this machine may read and edit every dashboard",
        default: "false",
    },
    Setting {
        name: INGEST_TOKEN,
        value: "TOKEN",
        help: "What whoever brings points has to send, as `Authorization: Bearer TOKEN`",
        default: "none: whoever reaches the server",
    },
    Setting { name: "series_hours", value: "HOURS", help: "How long pushed points are kept", default: "24" },
    Setting {
        name: "bin_days",
        value: "DAYS",
        help: "How long deleted dashboards can be restored",
        default: "30",
    },
    Setting {
        name: PROMETHEUS,
        value: "NAME=URL",
        help: "Prometheus servers that may be asked, separated by commas",
        default: "none",
    },
    Setting {
        name: "backup_dir",
        value: "PATH",
        help: "Where the server keeps backups that it makes by itself",
        default: "none: it makes none",
    },
    Setting { name: "backup_every", value: "HOURS", help: "How often it makes one", default: "24" },
    Setting {
        name: "backup_keep",
        value: "N",
        help: "Backups that stay; older ones are removed",
        default: "7",
    },
];

const OPEN: &str = "allow_open_access_on_network";
const INGEST_TOKEN: &str = "ingest_token";
const PROMETHEUS: &str = "prometheus";
/// Settings whose values are never shown.
const SECRET: [&str; 2] = [INGEST_TOKEN, PROMETHEUS];
/// Backups that stay where nothing else is said: a week of them.
const BACKUPS: usize = 7;
/// The file that is read where it is there.
const FILE: &str = "Leptos.toml";
const PREFIX: &str = "LOCKSTEP_";
const LIMIT_PREFIX: &str = "limit_";

macro_rules! limits {
    ($($field:ident, $name:literal, $help:literal;)*) => {
        const LIMITS: &[(&str, &str)] = &[$(($name, $help)),*];

        fn set_limit(limits: &mut Limits, name: &str, value: u64) {
            match name {
                $($name => limits.$field = at_most(value),)*
                _ => unreachable!("only names out of LIMITS come here"),
            }
        }

        fn limit(limits: &Limits, name: &str) -> u64 {
            // Every field, so that a new limit cannot be forgotten here.
            let Limits { $($field),* } = limits;
            match name {
                $($name => u64::try_from(*$field).unwrap_or(u64::MAX),)*
                _ => 0,
            }
        }
    };
}

limits! {
    changes_per_s, "limit_changes_per_s", "Changes a second of one session, in the long run";
    changes_burst, "limit_changes_burst", "Changes at once of one session";
    sessions_per_room, "limit_sessions_per_room", "Sessions on one dashboard";
    room_sessions_per_address, "limit_room_sessions_per_address", "Sessions on one dashboard from one address";
    sessions, "limit_sessions", "Sessions of this server";
    sessions_per_address, "limit_sessions_per_address", "Sessions of this server from one address";
    joins_per_session, "limit_joins_per_session", "Dashboards that one session is in at once";
    widgets, "limit_widgets", "Widgets on one dashboard";
    dashboard_bytes, "limit_dashboard_bytes", "Bytes of one dashboard as JSON";
    frame_bytes, "limit_frame_bytes", "Bytes of one frame from a client";
    op_bytes, "limit_op_bytes", "Bytes of one op";
    outbound_messages, "limit_outbound_messages", "Frames that wait for one reader";
    outbound_bytes, "limit_outbound_bytes", "Bytes that wait for one reader";
    unsent_bytes, "limit_unsent_bytes", "Bytes that wait to be sent on the whole server";
    page_bytes, "limit_page_bytes", "Bytes of pages and documents that are made or wait to be read";
    hello_ms, "limit_hello_ms", "Milliseconds until a connection must have said hello";
    hello_bytes, "limit_hello_bytes", "Bytes of the hello";
    silence_ms, "limit_silence_ms", "Milliseconds of silence until a session counts as gone";
    hidden_silence_ms, "limit_hidden_silence_ms", "The same for a tab that is hidden";
    rooms, "limit_rooms", "Dashboards that are open at once";
    dashboards, "limit_dashboards", "Dashboards that are kept, without those in the bin";
    bin, "limit_bin", "Dashboards in the bin";
    import_bytes, "limit_import_bytes", "Bytes of a document that is imported";
    presence_per_s, "limit_presence_per_s", "Presence frames a second of one session; more are merged";
    room_idle_ms, "limit_room_idle_ms", "Milliseconds that a dashboard stays open without sessions";
    room_inbox, "limit_room_inbox", "Inputs that wait for one dashboard";
    tail_commits, "limit_tail_commits", "Commits of a dashboard kept in memory for those who resume";
    tail_bytes, "limit_tail_bytes", "Bytes of the same";
    tails_bytes, "limit_tails_bytes", "Bytes of the same of all dashboards together";
    log_bytes, "limit_log_bytes", "Bytes of a dashboard's log that stay behind its newest snapshot";
    ingest_bytes, "limit_ingest_bytes", "Bytes of one request that brings points, also once unpacked";
    series, "limit_series", "Series that are pushed";
    points_per_series, "limit_points_per_series", "Points kept of one series";
    points, "limit_points", "Points kept of all series together";
    queries, "limit_queries", "Queries of sources that run at the same time";
    query_idle_ms, "limit_query_idle_ms", "Milliseconds that a query goes on for nobody";
    answer_bytes, "limit_answer_bytes", "Bytes of one answer of a source";
}

impl Config {
    /// Reads all settings.
    ///
    /// Takes the program's arguments with its name first, the environment, and the working directory,
    /// where `Leptos.toml` is looked for. Errors name the setting and say what fits.
    pub fn read(
        args: impl IntoIterator<Item = OsString>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        dir: &Path,
    ) -> Result<Self, ConfigError> {
        let flags = command().try_get_matches_from(args)?;
        let env = own_environment(env)?;
        let (path, file) = match commands::flag(&flags, "config") {
            Some(path) => (dir.join(&path), read_file(&dir.join(&path))?),
            None if dir.join(FILE).exists() => (dir.join(FILE), read_file(&dir.join(FILE))?),
            None => (dir.join(FILE), toml::Table::new()),
        };
        let found = Found { flags, env, path, file };
        found.check_file_names()?;
        found.config()
    }
}

/// All places in which a value may stand.
struct Found {
    flags: ArgMatches,
    env: BTreeMap<String, String>,
    path: PathBuf,
    file: toml::Table,
}

impl Found {
    fn config(&self) -> Result<Config, ConfigError> {
        let mut limits = Limits::default();
        for (name, _) in LIMITS {
            let wants = "a whole number from 1 on (a large one for no limit)";
            let value = self.parse(name, wants, |text| text.parse::<u64>().ok().filter(|n| *n > 0))?;
            if let Some(value) = value {
                set_limit(&mut limits, name, value);
            }
        }
        let path = |text: &str| Some(PathBuf::from(text));
        let addr = self.parse("addr", "an IP address and a port, such as 127.0.0.1:3000", address)?;
        let config = Config {
            addr: addr.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 3000))),
            data_dir: self.parse("data_dir", "a path", path)?.unwrap_or_else(|| "data".into()),
            data_must_exist: self.parse("data_must_exist", "true or false", truth)?.unwrap_or(false),
            site_root: self.parse("site_root", "a path", path)?,
            log: self
                .parse("log", "a tracing filter, such as `info` or `lockstep=debug,warn`", |text| {
                    EnvFilter::builder().parse(text).ok().map(|_| text.to_owned())
                })?
                .unwrap_or_else(|| "info".to_owned()),
            log_format: self
                .parse("log_format", "`text` or `json`", |text| match text {
                    "text" => Some(LogFormat::Text),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                })?
                .unwrap_or(LogFormat::Text),
            allowed_origins: self
                .parse(
                    "allowed_origins",
                    "origins such as https://wall.example.com, separated by commas",
                    origins,
                )?
                .unwrap_or_default(),
            allow_open_access_on_network: self.parse(OPEN, "true or false", truth)?.unwrap_or(false),
            ingest_token: self.parse(INGEST_TOKEN, "a token without spaces", |text| {
                (!text.contains(char::is_whitespace)).then(|| Secret::new(text))
            })?,
            series_hours: self
                .parse("series_hours", "a whole number of hours from 1 to 8760", |text| {
                    text.parse().ok().filter(|hours| (1..=8760).contains(hours))
                })?
                .unwrap_or(24),
            bin_days: self
                .parse("bin_days", "a whole number of days from 1 to 3650", |text| {
                    text.parse().ok().filter(|days| (1..=3650).contains(days))
                })?
                .unwrap_or(30),
            prometheus: self.prometheus()?,
            backups: self.backups()?,
            limits,
            task: commands::read(&self.flags, self.backup_keep()?),
        };
        // What only works on files opens nothing to anybody.
        if config.task.is_none() && !config.addr.ip().is_loopback() && !config.allow_open_access_on_network {
            return Err(ConfigError::Open(config.addr));
        }
        Ok(config)
    }

    fn backups(&self) -> Result<Option<Plan>, ConfigError> {
        let dir = self.parse("backup_dir", "a path", |text| Some(PathBuf::from(text)))?;
        let every = self.parse("backup_every", "a whole number of hours from 1 to 8760", |text| {
            text.parse().ok().filter(|hours: &u64| (1..=8760).contains(hours))
        })?;
        let keep = self.backup_keep()?.unwrap_or(BACKUPS);
        Ok(dir.map(|dir| Plan { dir, every_ms: every.unwrap_or(24) * 3_600_000, keep }))
    }

    fn backup_keep(&self) -> Result<Option<usize>, ConfigError> {
        self.parse("backup_keep", "a whole number from 1 on", |text| {
            text.parse().ok().filter(|keep| *keep > 0)
        })
    }

    /// The value of a setting where it is set. An empty one counts as not set.
    fn parse<T>(
        &self,
        name: &'static str,
        wants: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((place, text)) = self.get(name) else { return Ok(None) };
        let shown = if SECRET.contains(&name) { "what is set there".to_owned() } else { text.clone() };
        let bad =
            || ConfigError::Value { place: place.clone(), value: shown.clone(), wants: wants.to_owned() };
        read(text.trim()).ok_or_else(bad).map(Some)
    }

    /// The servers by name: out of the tables of the file where nothing else says so.
    fn prometheus(&self) -> Result<Vec<Prometheus>, ConfigError> {
        const WANTS: &str = "servers such as main=http://127.0.0.1:9090, separated by commas; a name has up to \
                             64 letters, digits, _ and -, and is not one of this server's own sources";
        let elsewhere = self.get(PROMETHEUS).filter(|(place, _)| !matches!(place, Place::File { .. }));
        match self.file.get(PROMETHEUS).filter(|_| elsewhere.is_none()) {
            Some(toml::Value::Table(servers)) => prometheus::read_tables(servers).map_err(|wants| {
                let place = Place::File { name: PROMETHEUS, path: self.path.clone() };
                ConfigError::Value { place, value: "what is set there".to_owned(), wants }
            }),
            _ => Ok(self.parse(PROMETHEUS, WANTS, prometheus::read_list)?.unwrap_or_default()),
        }
    }

    fn get(&self, name: &'static str) -> Option<(Place, String)> {
        let flag = || Some((Place::Flag(name), commands::flag(&self.flags, name)?));
        let env = || Some((Place::Env(variable(name)), self.env.get(&variable(name))?.clone()));
        let file = || Some((Place::File { name, path: self.path.clone() }, plain(self.file.get(name)?)));
        let set = |found: &(Place, String)| !found.1.trim().is_empty();
        flag().filter(set).or_else(|| env().filter(set)).or_else(|| file().filter(set))
    }

    fn check_file_names(&self) -> Result<(), ConfigError> {
        match self.file.keys().find(|key| !names().any(|name| name == *key)) {
            None => Ok(()),
            Some(key) => Err(ConfigError::Unknown {
                name: format!("{key} in {}", self.path.display()),
                near: nearest(key),
            }),
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name).chain(LIMITS.iter().map(|(name, _)| *name))
}

fn command() -> Command {
    let limits = Limits::default();
    let arg = |name: &'static str, value: &'static str, help: &str, default: String| {
        let help = format!("{help} [env: {}] [default: {default}]", variable(name));
        let arg = Arg::new(name).long(kebab(name)).value_name(value).help(help);
        let arg = arg.global(commands::ANYWHERE.contains(&name));
        if name == OPEN {
            arg.num_args(0..=1).default_missing_value("true").require_equals(true)
        } else {
            arg
        }
    };
    let settings = SETTINGS.iter().map(|s| arg(s.name, s.value, s.help, s.default.to_owned()));
    let limits = LIMITS
        .iter()
        .map(|(name, help)| arg(name, "N", help, limit(&limits, name).to_string()).help_heading("Limits"));
    let program = Command::new("lockstep")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help("The same names stand in the table [lockstep] of Leptos.toml, as in data_dir = \"/var/lib/lockstep\".\nA flag goes before the environment, the environment before the file.")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("PATH")
                .global(true)
                .help("The file to read settings from [default: Leptos.toml, where it is there]"),
        )
        .args(settings)
        .args(limits);
    commands::with_commands(program)
}

/// The variables that concern settings. A limit that does not exist is refused; other names with the
/// prefix are let be, as container platforms make such variables of their own.
fn own_environment(
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut own = BTreeMap::new();
    for (key, value) in env {
        let Some(key) = key.to_str().filter(|key| key.starts_with(PREFIX)) else { continue };
        let name = key[PREFIX.len()..].to_lowercase();
        if names().any(|known| known == name) {
            let Some(text) = value.to_str() else {
                let wants = "text in UTF-8".to_owned();
                let value = value.to_string_lossy().into_owned();
                return Err(ConfigError::Value { place: Place::Env(key.to_owned()), value, wants });
            };
            own.insert(key.to_owned(), text.to_owned());
        } else if name.starts_with(LIMIT_PREFIX) {
            return Err(ConfigError::Unknown { name: key.to_owned(), near: nearest(&name) });
        }
    }
    Ok(own)
}

fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let wrong = |reason: String| ConfigError::File { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut file: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    match file.remove("lockstep") {
        None => Ok(toml::Table::new()),
        Some(toml::Value::Table(table)) => Ok(table),
        Some(_) => Err(wrong("`lockstep` is a table: write [lockstep]".to_owned())),
    }
}

/// A value as it would stand in the environment.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

fn origins(text: &str) -> Option<Vec<String>> {
    text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(origin).collect()
}

/// An origin in the spelling that browsers send.
fn origin(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let bare = uri.path() == "/" && uri.query().is_none();
    bare.then(|| format!("{scheme}://{}", authority.as_str().to_lowercase()))
}

fn at_most<T: TryFrom<u64>>(value: u64) -> T {
    match T::try_from(value) {
        Ok(value) => value,
        Err(_) => T::try_from(u64::from(u32::MAX)).ok().expect("every limit holds 32 bits"),
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

/// The setting whose name is most like this one, where one is.
fn nearest(name: &str) -> Option<&'static str> {
    let shared = |known: &str| {
        let head = known.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let tail = known.bytes().rev().zip(name.bytes().rev()).take_while(|(a, b)| a == b).count();
        (head + tail).min(known.len())
    };
    names().max_by_key(|known| shared(known)).filter(|known| 3 * shared(known) >= 2 * known.len())
}
