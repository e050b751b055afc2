//! Table of all settings and limits: their names, the command line made of them, and which a typo means.

use clap::{Arg, Command};

use super::{commands, oidc};
use crate::server::build_info;
use crate::server::limits::Limits;

/// One setting as `--help` shows it.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) value: &'static str,
    pub(super) help: &'static str,
    /// In words; limits take theirs from [`Limits::default`].
    pub(super) default: &'static str,
}

const SETTINGS: [Setting; 35] = [
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
        name: "public_url",
        value: "URL",
        help: "The address under which browsers reach this server, such as https://wall.example.com",
        default: "none",
    },
    Setting {
        name: "base_path",
        value: "PATH",
        help: "The path below which all addresses of this server stand, such as /dash",
        default: "none",
    },
    Setting {
        name: "tls_cert",
        value: "PATH",
        help: "The certificate in PEM, with the chain behind it, with which this server speaks TLS; needs tls_key",
        default: "none: plain HTTP",
    },
    Setting { name: "tls_key", value: "PATH", help: "The private key of tls_cert in PEM", default: "none" },
    Setting {
        name: "allowed_origins",
        value: "ORIGINS",
        help: "Other origins whose pages may use this server, separated by commas",
        default: "none",
    },
    Setting {
        name: "trusted_proxies",
        value: "NETWORKS",
        help: "Proxies in front whose X-Forwarded-For counts, as addresses or networks, separated by commas",
        default: "none",
    },
    Setting {
        name: "access",
        value: "MODE",
        help: "Whether people sign in: `accounts`, or `open` for everyone who can reach the server",
        default: "`open` on this machine alone while nobody has an account, else `accounts`",
    },
    Setting {
        name: PROXY_USER,
        value: "HEADER",
        help: "The header in which a trusted proxy names the person of a request, who is signed in by that",
        default: "none",
    },
    Setting {
        name: PROXY_NAME,
        value: "HEADER",
        help: "The header in which it says their name",
        default: "none",
    },
    Setting {
        name: PROXY_EMAIL,
        value: "HEADER",
        help: "The header in which it says their mail address",
        default: "none",
    },
    Setting {
        name: PROXY_ROLE,
        value: "ROLE",
        help: "Role of people who come through it for the first time in the team Everyone: `viewer` or `editor`",
        default: "viewer",
    },
    Setting {
        name: PROXY_JOIN,
        value: "BOOL",
        help: "Whoever comes through it for the first time gets the account that has their mail address",
        default: "false",
    },
    Setting {
        name: GUESTS,
        value: "MODE",
        help: "What people without an account may do on the dashboards of the team Everyone: `off`, `view` or `edit`",
        default: "off",
    },
    Setting {
        name: "second_factor",
        value: "WHO",
        help: "Who signs in with a code after the password: `optional` for whoever wants, `required` for everybody",
        default: "optional",
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
    Setting {
        name: INGEST_TOKEN_FILE,
        value: "PATH",
        help: "The file with that token, where it is not in the settings themselves",
        default: "none",
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
        name: PROMETHEUS_FILE,
        value: "PATH",
        help: "The file with those servers, one a line, as passwords may stand in their addresses",
        default: "none",
    },
    Setting {
        name: PROMETHEUS_OVERLAP,
        value: "SECONDS",
        help: "How long such a server may still correct or complete what it answered; so much is asked for again",
        default: "120",
    },
    Setting {
        name: SQL,
        value: "NAME=URL",
        help: "PostgreSQL and SQLite databases that may be asked, separated by commas",
        default: "none",
    },
    Setting {
        name: SQL_FILE,
        value: "PATH",
        help: "The file with those databases, one a line, as passwords may stand in their addresses",
        default: "none",
    },
    Setting {
        name: HTTP,
        value: "NAME=URL",
        help: "Servers that may be asked for JSON, separated by commas",
        default: "none",
    },
    Setting {
        name: HTTP_FILE,
        value: "PATH",
        help: "The file with those servers, one a line, as passwords may stand in their addresses",
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

pub(super) const OPEN: &str = "allow_open_access_on_network";
pub(super) const PROXY_USER: &str = "proxy_user_header";
pub(super) const PROXY_NAME: &str = "proxy_name_header";
pub(super) const PROXY_EMAIL: &str = "proxy_email_header";
pub(super) const PROXY_ROLE: &str = "proxy_role";
pub(super) const PROXY_JOIN: &str = "proxy_join_by_email";
pub(super) const GUESTS: &str = "guests";
pub(super) const INGEST_TOKEN: &str = "ingest_token";
pub(super) const INGEST_TOKEN_FILE: &str = "ingest_token_file";
pub(super) const PROMETHEUS: &str = "prometheus";
pub(super) const PROMETHEUS_FILE: &str = "prometheus_file";
pub(super) const PROMETHEUS_OVERLAP: &str = "prometheus_overlap";
pub(super) const SQL: &str = "sql";
pub(super) const SQL_FILE: &str = "sql_file";
pub(super) const HTTP: &str = "http";
pub(super) const HTTP_FILE: &str = "http_file";
/// Settings whose values are never shown.
pub(super) const SECRET: [&str; 5] = [INGEST_TOKEN, PROMETHEUS, SQL, HTTP, oidc::CLIENT_SECRET];
/// What the environment's names of settings begin with.
pub(super) const PREFIX: &str = "LOCKSTEP_";
pub(super) const LIMIT_PREFIX: &str = "limit_";
/// Keystrokes in which a wrong name may differ from a setting's, for each so many of its characters.
const CHARS_PER_TYPO: usize = 4;

macro_rules! limits {
    ($($field:ident, $name:literal, $help:literal;)*) => {
        pub(super) const LIMITS: &[(&str, &str)] = &[$(($name, $help)),*];

        pub(super) fn set_limit(limits: &mut Limits, name: &str, value: u64) {
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
    sessions_per_person, "limit_sessions_per_person", "Sessions of one person with an account";
    guest_sessions_per_address, "limit_guest_sessions_per_address", "Sessions of guests from one address";
    connections, "limit_connections", "Connections of this server";
    connections_per_address, "limit_connections_per_address", "Connections of one address, at most half of all";
    head_ms, "limit_head_ms", "Milliseconds in which the head of a request has to come";
    body_ms, "limit_body_ms", "Milliseconds in which more of a body has to come, or more of an answer be read";
    keep_alive_ms, "limit_keep_alive_ms", "Milliseconds that a connection is kept between two requests";
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
    dashboard_requests_per_s, "limit_dashboard_requests_per_s", "Dashboards made or deleted a second from one address, in the long run";
    dashboard_requests_burst, "limit_dashboard_requests_burst", "Dashboards made or deleted at once from one address";
    session_starts_per_s, "limit_session_starts_per_s", "Sockets opened a second from one address, in the long run";
    session_starts_burst, "limit_session_starts_burst", "Sockets opened at once from one address";
    new_series_per_minute, "limit_new_series_per_minute", "Series that one address makes new in a minute";
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

/// All but the limits.
fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(&oidc::SETTINGS)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    settings().map(|setting| setting.name).chain(LIMITS.iter().map(|(name, _)| *name))
}

pub(super) fn command() -> Command {
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
    let settings = settings().map(|s| arg(s.name, s.value, s.help, s.default.to_owned()));
    let limits = LIMITS
        .iter()
        .map(|(name, help)| arg(name, "N", help, limit(&limits, name).to_string()).help_heading("Limits"));
    let program = Command::new("lockstep")
        .version(build_info::VERSION)
        .long_version(build_info::describe())
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

fn at_most<T: TryFrom<u64>>(value: u64) -> T {
    match T::try_from(value) {
        Ok(value) => value,
        Err(_) => T::try_from(u64::from(u32::MAX)).ok().expect("every limit holds 32 bits"),
    }
}

pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

pub(super) fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

/// The setting that a name is most likely a misspelling of; `None` where it is like none.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let typos = |known: &&str| strsim::damerau_levenshtein(known, name);
    names().min_by_key(typos).filter(|known| typos(known) <= (known.len() / CHARS_PER_TYPO).max(1))
}
