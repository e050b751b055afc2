//! All settings, read once at the start: flags, then environment, then `Leptos.toml`, then defaults.
//!
//! A setting has one name in three spellings: `--data-dir`, `LOCKSTEP_DATA_DIR`, and `data_dir` in the
//! table `[lockstep]`. A value that does not fit stops the start and says which setting and what fits.

mod commands;
mod environment;
mod http;
mod oidc;
mod prometheus;
mod proxy;
mod secret;
mod settings;
mod sql;
mod tables;
mod tls;
mod values;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use self::environment::Environment;
pub use self::http::Http;
pub use self::oidc::{GroupRoles, Oidc, TeamRole, is_loopback};
pub use self::prometheus::Prometheus;
pub use self::proxy::ProxySignIn;
pub use self::secret::Secret;
use self::settings::{
    GUESTS, HTTP, HTTP_FILE, INGEST_TOKEN, INGEST_TOKEN_FILE, LIMITS, OPEN, PROMETHEUS, PROMETHEUS_FILE,
    PROMETHEUS_OVERLAP, SECRET, SQL, SQL_FILE, command, kebab, names, nearest, set_limit, variable,
};
pub use self::sql::{Database, Login, Sql};
pub use self::tables::Access;
pub use self::tls::TlsFiles;
use self::values::{address, networks, origin, origins, plain, truth};
use super::access::Mode;
use super::access::command::Command as Admin;
use super::backup::command::Command as Backup;
use super::backup::schedule::Plan;
use super::limits::Limits;
use super::origin::Origin;
use crate::app::access::Role;
use crate::app::address::BasePath;

/// Backups that stay where nothing else is said: a week of them.
const BACKUPS: usize = 7;
/// The file that is read where it is there.
const FILE: &str = "Leptos.toml";

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
    /// The origin under which browsers reach this server, where a proxy or a name stands before it.
    pub public_url: Option<Origin>,
    /// The path below which all its addresses stand.
    pub base_path: BasePath,
    /// The files of the certificate with which it speaks TLS; `None` for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Origins other than its own from which pages may use this server.
    pub allowed_origins: Vec<Origin>,
    /// Proxies whose word counts about who made a request.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether people sign in; `None` decides by the address, and by whether there are accounts.
    pub access: Option<Mode>,
    /// Sign-in by the word of a proxy in front; `None` where that says nothing.
    pub proxy: Option<ProxySignIn>,
    /// The role of people without an account on the dashboards of everyone; `None` lets none in.
    pub guests: Option<Role>,
    /// Whether everybody who signs in with a password needs a second factor.
    pub second_factor_required: bool,
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
    /// The databases that may be asked.
    pub sql: Vec<Sql>,
    /// The servers that may be asked for JSON.
    pub http: Vec<Http>,
    /// The provider by which people sign in; `None` for passwords alone.
    pub oidc: Option<Oidc>,
    /// Backups that the server makes by itself; `None` for none.
    pub backups: Option<Plan>,
    pub limits: Limits,
    /// What is to be done instead of serving.
    pub task: Option<Task>,
    /// What the settings say that may not be meant so: for the log, once there is one.
    pub warnings: Vec<String>,
}

/// Something to do instead of serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    Backup(Backup),
    Admin(Admin),
    /// Asks the server that runs with these settings whether it lives, or whether it is ready.
    Healthcheck {
        ready: bool,
    },
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
    #[error("{name} is not a setting{}", near.as_ref().map_or(".".to_owned(), |near| format!("; did you mean {near}?")))]
    Unknown { name: String, near: Option<String> },
    #[error(
        "{place} is set and empty: with it, everybody who reaches this server would have what it is to guard. \
         Set it, or take it away where that is what you want."
    )]
    EmptySecret { place: Place },
    #[error("{0} and {1} are both set. Keep one of them.")]
    Twice(Place, Place),
    #[error("{0:?} is the name of two sources. Give one of them another.")]
    SourceTwice(String),
    #[error(
        "proxy_user_header: whoever reaches this server could send that header. Name the proxies that do in \
         --trusted-proxies, each by its address or network, and no network of all addresses."
    )]
    ProxyUntrusted,
    #[error(
        "access: with `open` nobody signs in, and proxy_user_header has no effect. Use `accounts`, or take that header \
         away."
    )]
    ProxyOpen,
    #[error("{0} has an effect only with proxy_user_header, which is not set.")]
    ProxyWithoutUser(Place),
    #[error(
        "guests: on a server with `open` access everybody is let in, and nobody has an account. Use `accounts`, or \
         take the guests away."
    )]
    GuestsOpen,
    #[error("{place} is set, and needs {} beside it.", variable(needs))]
    Needs { place: Place, needs: &'static str },
    #[error("{place}: this build has no {feature}. Build it with that feature, or take the setting away.")]
    NotBuiltIn { place: Place, feature: &'static str },
    #[error("{place} cannot be set here: {reason}.")]
    Contradiction { place: Place, reason: &'static str },
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error(
        "access: with `open`, everyone who can reach {0} from any machine may read and edit every dashboard. Where \
         that is what you want, say so with --allow-open-access-on-network; otherwise use `accounts`, or 127.0.0.1."
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
        let env = Environment::read(env)?;
        let (path, file) = match commands::flag(&flags, "config") {
            Some(path) => (dir.join(&path), read_file(&dir.join(&path))?),
            None if dir.join(FILE).exists() => (dir.join(FILE), read_file(&dir.join(FILE))?),
            None => (dir.join(FILE), toml::Table::new()),
        };
        let found = Found { flags, env, path, file, dir: dir.to_owned(), warnings: Vec::new() };
        found.check_file_names()?;
        found.config()
    }

    /// Whether people sign in, on a server that has accounts or none. Where nothing is said they do as soon as there is
    /// an account, or other machines can reach the server: by itself, or through a proxy or a name that the settings tell.
    pub fn access_mode(&self, has_accounts: bool) -> Mode {
        let is_alone =
            self.addr.ip().is_loopback() && self.public_url.is_none() && self.trusted_proxies.is_empty();
        let signs_in = self.proxy.is_some() || self.oidc.is_some() || self.second_factor_required;
        if self.access.is_none() && (signs_in || self.guests.is_some()) {
            return Mode::Accounts;
        }
        let is_private = is_alone || self.allow_open_access_on_network;
        let usual = if is_private && !has_accounts { Mode::Open } else { Mode::Accounts };
        self.access.unwrap_or(usual)
    }
}

/// What holds for all sources that are named on one line.
const NAMED: &str = "separated by commas; a name has up to 64 letters, digits, _ and -, and is not one of this \
                     server's own sources";

/// All places in which a value may stand.
struct Found {
    flags: ArgMatches,
    env: Environment,
    path: PathBuf,
    file: toml::Table,
    /// What paths begin at.
    dir: PathBuf,
    warnings: Vec<String>,
}

impl Found {
    fn config(mut self) -> Result<Config, ConfigError> {
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
        if !self.env.unknown.is_empty() {
            let unknown = self.env.unknown.join(", ");
            self.warnings
                .push(format!("{unknown}: no setting of this version is called so; it has no effect"));
        }
        let ingest_token = self.ingest_token()?;
        let prometheus = self.prometheus()?;
        let sql = self.sql()?;
        let http = self.http()?;
        let trusted_proxies = self
            .parse(
                "trusted_proxies",
                "addresses or networks such as 127.0.0.1, 10.0.0.0/8, separated by commas",
                networks,
            )?
            .unwrap_or_default();
        let access = self.parse("access", "`open` or `accounts`", |text| match text {
            "open" => Some(Mode::Open),
            "accounts" => Some(Mode::Accounts),
            _ => None,
        })?;
        let guests = self.parse(GUESTS, "`off`, `view` or `edit`", |text| match text {
            "off" => Some(None),
            "view" => Some(Some(Role::Viewer)),
            "edit" => Some(Some(Role::Editor)),
            _ => None,
        })?;
        let guests = guests.flatten();
        if guests.is_some() && access == Some(Mode::Open) {
            return Err(ConfigError::GuestsOpen);
        }
        let mut names = BTreeSet::new();
        let all = prometheus.iter().map(|one| &one.name).chain(sql.iter().map(|one| &one.name));
        if let Some(twice) = all.chain(http.iter().map(|one| &one.name)).find(|name| !names.insert(*name)) {
            return Err(ConfigError::SourceTwice(twice.clone()));
        }
        let public_url = self.parse(
            "public_url",
            "an address such as https://wall.example.com; a path goes into base_path",
            origin,
        )?;
        let base_path = self
            .parse(
                "base_path",
                "a path such as /dash: a slash before each part and none at the end, parts of letters, digits, `-`, `_` \
                 and `.`, at most 100 characters in all",
                BasePath::read,
            )?
            .unwrap_or_default();
        let oidc = self.oidc(public_url.as_ref(), &base_path, access)?;
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
            public_url,
            base_path,
            tls: self.tls()?,
            allowed_origins: self
                .parse(
                    "allowed_origins",
                    "origins such as https://wall.example.com, separated by commas",
                    origins,
                )?
                .unwrap_or_default(),
            proxy: self.proxy(access, &trusted_proxies)?,
            trusted_proxies,
            access,
            guests,
            second_factor_required: self
                .parse("second_factor", "`optional` or `required`", |text| match text {
                    "optional" => Some(false),
                    "required" => Some(true),
                    _ => None,
                })?
                .unwrap_or(false),
            allow_open_access_on_network: self.parse(OPEN, "true or false", truth)?.unwrap_or(false),
            ingest_token,
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
            prometheus,
            sql,
            http,
            oidc,
            backups: self.backups()?,
            limits,
            task: commands::read(&self.flags, self.backup_keep()?),
            warnings: self.warnings,
        };
        // What only works on files opens nothing to anybody.
        if config.task.is_none()
            && config.access == Some(Mode::Open)
            && !config.addr.ip().is_loopback()
            && !config.allow_open_access_on_network
        {
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
        read(text.trim()).ok_or_else(|| misfit(name, place, &text, wants)).map(Some)
    }

    fn ingest_token(&mut self) -> Result<Option<Secret>, ConfigError> {
        let names = [INGEST_TOKEN, INGEST_TOKEN_FILE];
        if let Some((place, _)) = names.into_iter().flat_map(|name| self.places(name)).find(is_empty) {
            return Err(ConfigError::EmptySecret { place });
        }
        let Some((place, text)) = self.secret(INGEST_TOKEN, INGEST_TOKEN_FILE)? else { return Ok(None) };
        let token = text.trim();
        if token.contains(char::is_whitespace) {
            return Err(misfit(INGEST_TOKEN, place, token, "a token without spaces"));
        }
        Ok(Some(Secret::new(token)))
    }

    /// A secret out of its setting, or out of the file that another names.
    fn secret(
        &mut self,
        name: &'static str,
        file: &'static str,
    ) -> Result<Option<(Place, String)>, ConfigError> {
        match (self.get(name), self.get(file)) {
            (Some((place, _)), Some((file, _))) => Err(ConfigError::Twice(place, file)),
            (own, None) => Ok(own),
            (None, Some((place, path))) => {
                let (text, warning) = secret::read_file(&self.dir.join(path.trim())).map_err(|reason| {
                    misfit(file, place.clone(), &path, &format!("a file to read: {reason}"))
                })?;
                self.warnings.extend(warning);
                Ok(Some((place, text)))
            }
        }
    }

    /// Sources by name: out of the tables of the file where nothing else says so, else out of one line or the
    /// file that is named.
    fn named<T>(
        &mut self,
        (name, file): (&'static str, &'static str),
        wants: &str,
        read_tables: impl FnOnce(&toml::Table, &Path) -> Result<(Vec<T>, Vec<String>), String>,
        read_list: impl FnOnce(&str, &Path) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, ConfigError> {
        let elsewhere = self.get(name).filter(|(place, _)| !matches!(place, Place::File { .. }));
        if let Some(toml::Value::Table(tables)) = self.file.get(name).filter(|_| elsewhere.is_none())
            && self.get(file).is_none()
        {
            let (all, warnings) = read_tables(tables, &self.dir).map_err(|wants| {
                let place = Place::File { name, path: self.path.clone() };
                misfit(name, place, "", &wants)
            })?;
            self.warnings.extend(warnings);
            return Ok(all);
        }
        let Some((place, text)) = self.secret(name, file)? else { return Ok(Vec::new()) };
        let list = text.replace(['\n', '\r'], ",");
        read_list(&list, &self.dir).ok_or_else(|| misfit(name, place, &text, wants))
    }

    fn prometheus(&mut self) -> Result<Vec<Prometheus>, ConfigError> {
        let wants = format!("servers such as main=http://127.0.0.1:9090, {NAMED}");
        let overlap = self.parse(PROMETHEUS_OVERLAP, "seconds, up to 86400", prometheus::read_overlap)?;
        let tables = |tables: &toml::Table, dir: &Path| prometheus::read_tables(tables, dir, overlap);
        self.named((PROMETHEUS, PROMETHEUS_FILE), &wants, tables, |list, _| {
            let mut servers = prometheus::read_list(list)?;
            for server in &mut servers {
                server.overlap = overlap.unwrap_or(server.overlap);
            }
            Some(servers)
        })
    }

    fn sql(&mut self) -> Result<Vec<Sql>, ConfigError> {
        let wants = format!(
            "databases such as shop=postgres://reader@127.0.0.1/shop or lab=sqlite:/var/lib/lab.db, {NAMED}"
        );
        self.named((SQL, SQL_FILE), &wants, sql::read_tables, sql::read_list)
    }

    fn http(&mut self) -> Result<Vec<Http>, ConfigError> {
        let wants = format!("servers such as weather=https://api.open-meteo.com/v1, {NAMED}");
        self.named((HTTP, HTTP_FILE), &wants, http::read_tables, |list, _| http::read_list(list))
    }

    fn get(&self, name: &'static str) -> Option<(Place, String)> {
        self.places(name).into_iter().find(|found| !is_empty(found))
    }

    /// Where a setting stands, the place that counts first, also where it is empty.
    fn places(&self, name: &'static str) -> Vec<(Place, String)> {
        let flag = commands::flag(&self.flags, name).map(|text| (Place::Flag(name), text));
        let variable = variable(name);
        let env = self.env.set.get(&variable).map(|text| (Place::Env(variable), text.clone()));
        let place = Place::File { name, path: self.path.clone() };
        let file = self.file.get(name).map(|value| (place, plain(value)));
        [flag, env, file].into_iter().flatten().collect()
    }

    fn check_file_names(&self) -> Result<(), ConfigError> {
        match self.file.keys().find(|key| !names().any(|name| name == *key)) {
            None => Ok(()),
            Some(key) => Err(ConfigError::Unknown {
                name: format!("{key} in {}", self.path.display()),
                near: nearest(key).map(str::to_owned),
            }),
        }
    }
}

fn is_empty((_, text): &(Place, String)) -> bool {
    text.trim().is_empty()
}

/// A value that does not fit, shown where it is no secret.
fn misfit(name: &str, place: Place, text: &str, wants: &str) -> ConfigError {
    let value = if SECRET.contains(&name) { "what is set there".to_owned() } else { text.to_owned() };
    ConfigError::Value { place, value, wants: wants.to_owned() }
}

fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let wrong = |reason: String| ConfigError::File { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // Not the whole error, which shows the line: a secret may stand in it.
    let wrong_at = |error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        wrong(format!("line {line}: {}", error.message()))
    };
    let mut file: toml::Table = text.parse().map_err(wrong_at)?;
    match file.remove("lockstep") {
        None => Ok(toml::Table::new()),
        Some(toml::Value::Table(table)) => Ok(table),
        Some(_) => Err(wrong("`lockstep` is a table: write [lockstep]".to_owned())),
    }
}
