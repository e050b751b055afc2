//! Settings: which place goes before which, and what is refused at the start.

use std::ffi::OsString;
use std::path::Path;

use lockstep::server::config::{Config, ConfigError, LogFormat};
use lockstep::server::limits::Limits;

fn read(args: &[&str], env: &[(&str, &str)], file: Option<&str>) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().expect("a directory");
    if let Some(file) = file {
        std::fs::write(dir.path().join("Leptos.toml"), file).expect("a file");
    }
    read_in(args, env, dir.path())
}

fn read_in(args: &[&str], env: &[(&str, &str)], dir: &Path) -> Result<Config, ConfigError> {
    let args = std::iter::once("lockstep").chain(args.iter().copied()).map(OsString::from);
    Config::read(args, env.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))), dir)
}

fn refused(args: &[&str], env: &[(&str, &str)], file: Option<&str>) -> String {
    read(args, env, file).expect_err("it must be refused").to_string()
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = read(&[], &[], None).unwrap();
    assert_eq!(config.addr.to_string(), "127.0.0.1:3000");
    assert_eq!(config.data_dir, Path::new("data"));
    assert_eq!(config.log_format, LogFormat::Text);
    assert_eq!(config.limits, Limits::default());
    assert!(!config.second_factor_required);
    assert!(read(&["--second-factor", "required"], &[], None).unwrap().second_factor_required);
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let file = "[lockstep]\naddr = '127.0.0.1:1'\nlimit_widgets = 7\nlog_format = 'json'\n[other]\nx = 1";
    let env = [("LOCKSTEP_ADDR", "127.0.0.1:2"), ("LOCKSTEP_DATA_DIR", "/b"), ("LOCKSTEP_LOG_FORMAT", "")];
    let config = read(&["--addr", "127.0.0.1:3"], &env, Some(file)).unwrap();
    assert_eq!(config.addr.port(), 3);
    assert_eq!(config.data_dir, Path::new("/b"));
    assert_eq!(config.limits.widgets, 7);
    assert_eq!(config.log_format, LogFormat::Json, "an empty variable is one that is not set");
    assert_eq!(read(&[], &env, Some(file)).unwrap().addr.port(), 2);
    assert_eq!(read(&[], &[], Some(file)).unwrap().addr.port(), 1);
}

#[test]
fn a_file_can_be_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("other.toml"),
        "[lockstep]\nallowed_origins = ['https://A.example:8443', 'http://b']",
    )
    .unwrap();
    let config = read_in(&["--config", "other.toml"], &[], dir.path()).unwrap();
    let allowed: Vec<String> = config.allowed_origins.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["https://a.example:8443", "http://b"]);
    let missing = read_in(&["--config", "none.toml"], &[], dir.path()).unwrap_err().to_string();
    assert!(missing.contains("none.toml"), "{missing}");
}

#[test]
fn wrong_values_are_refused_with_the_name_of_the_setting() {
    for (args, env, file, name) in [
        (&["--addr", "nowhere"][..], &[][..], None, "--addr"),
        (&["--limit-widgets", "0"], &[], None, "--limit-widgets"),
        (&[], &[("LOCKSTEP_LIMIT_CHANGES_PER_S", "0")], None, "LOCKSTEP_LIMIT_CHANGES_PER_S"),
        (&[], &[("LOCKSTEP_LIMIT_SESSIONS", "-1")], None, "LOCKSTEP_LIMIT_SESSIONS"),
        (&[], &[("LOCKSTEP_LOG", "lockstep=loud=1")], None, "LOCKSTEP_LOG"),
        (&[], &[("LOCKSTEP_LOG_FORMAT", "xml")], None, "LOCKSTEP_LOG_FORMAT"),
        (&[], &[("LOCKSTEP_SECOND_FACTOR", "true")], None, "LOCKSTEP_SECOND_FACTOR"),
        (&[], &[("LOCKSTEP_ALLOWED_ORIGINS", "wall.example.com")], None, "LOCKSTEP_ALLOWED_ORIGINS"),
        (&[], &[("LOCKSTEP_ALLOWED_ORIGINS", "https://a/path")], None, "LOCKSTEP_ALLOWED_ORIGINS"),
        (&[], &[("LOCKSTEP_ALLOWED_ORIGINS", "https://u@a")], None, "LOCKSTEP_ALLOWED_ORIGINS"),
        (&[], &[("LOCKSTEP_PUBLIC_URL", "wall.example.com")], None, "LOCKSTEP_PUBLIC_URL"),
        (&[], &[("LOCKSTEP_PUBLIC_URL", "https://a/wall")], None, "LOCKSTEP_PUBLIC_URL"),
        (&[], &[], Some("[lockstep]\nlimit_rooms = 'many'"), "limit_rooms in"),
        (&[], &[], Some("[lockstep]\nlimit_rooms = 1.5"), "limit_rooms in"),
        (
            &[],
            &[],
            Some("[lockstep]\nallow_open_access_on_network = 'maybe'"),
            "allow_open_access_on_network in",
        ),
    ] {
        let said = refused(args, env, file);
        assert!(said.starts_with(name) || said.contains(&format!("{name} ")), "{said}");
        assert!(said.contains("It takes "), "{said}");
    }
}

#[test]
fn unknown_names_are_refused_and_the_nearest_is_named() {
    let said = refused(&[], &[], Some("[lockstep]\nlimit_widget = 3"));
    assert!(said.contains("limit_widget in") && said.contains("did you mean limit_widgets"), "{said}");
    let said = refused(&[], &[("LOCKSTEP_LIMIT_SESSION", "3")], None);
    assert!(said.contains("LOCKSTEP_LIMIT_SESSION"), "{said}");
    assert!(refused(&["--colour", "red"], &[], None).contains("--colour"));
    assert!(refused(&[], &[], Some("lockstep = 3")).contains("[lockstep]"));
    assert!(refused(&[], &[], Some("[lockstep")).contains("Leptos.toml"));
}

#[test]
fn a_name_in_the_environment_that_is_nearly_a_setting_stops_the_start_and_others_are_said() {
    for (name, meant) in [
        ("LOCKSTEP_INGEST_TOKN", "LOCKSTEP_INGEST_TOKEN"),
        ("LOCKSTEP_INGESTTOKEN", "LOCKSTEP_INGEST_TOKEN"),
        ("LOCKSTEP_INGEST_TOKEN_FIEL", "LOCKSTEP_INGEST_TOKEN_FILE"),
        ("LOCKSTEP_ALLOW_ORIGINS", "LOCKSTEP_ALLOWED_ORIGINS"),
        ("LOCKSTEP_TRUSTED_PROXY", "LOCKSTEP_TRUSTED_PROXIES"),
        ("LOCKSTEP_PUBLIC_URI", "LOCKSTEP_PUBLIC_URL"),
        ("LOCKSTEP_DATADIR", "LOCKSTEP_DATA_DIR"),
    ] {
        let said = refused(&[], &[(name, "x")], None);
        assert!(said.contains(&format!("{name} is not a setting; did you mean {meant}?")), "{said}");
    }
    // Container platforms make variables with this prefix.
    let made = [
        ("LOCKSTEP_PORT", "tcp://10.0.0.1:80"),
        ("LOCKSTEP_PORT_3000_TCP_ADDR", "10.0.0.1"),
        ("LOCKSTEP_SERVICE_HOST", "10.0.0.1"),
    ];
    let config = read(&[], &made, None).expect("starts");
    assert_eq!(config.warnings.len(), 1);
    assert!(made.iter().all(|(name, _)| config.warnings[0].contains(name)), "{:?}", config.warnings);
}

#[test]
fn an_empty_ingest_token_opens_no_door() {
    for (args, env, file, place) in [
        (&[][..], &[("LOCKSTEP_INGEST_TOKEN", "")][..], None, "LOCKSTEP_INGEST_TOKEN"),
        (&[], &[("LOCKSTEP_INGEST_TOKEN", " ")], None, "LOCKSTEP_INGEST_TOKEN"),
        (&[], &[("LOCKSTEP_INGEST_TOKEN_FILE", "")], None, "LOCKSTEP_INGEST_TOKEN_FILE"),
        (&["--ingest-token", ""], &[], None, "--ingest-token"),
        (&[], &[], Some("[lockstep]\ningest_token = ''"), "ingest_token in"),
        (&["--ingest-token", "x"], &[("LOCKSTEP_INGEST_TOKEN", "")], None, "LOCKSTEP_INGEST_TOKEN"),
    ] {
        let said = refused(args, env, file);
        assert!(said.starts_with(place) && said.contains("set and empty"), "{said}");
    }
}

#[test]
fn secrets_come_out_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("token", "s3cret\n");
    write("servers", "main=http://127.0.0.1:9090\neu=https://u:p@metrics.example.com\n");
    write("spaces", "two words\n");
    write("empty", "\n");
    let env = [("LOCKSTEP_INGEST_TOKEN_FILE", "token"), ("LOCKSTEP_PROMETHEUS_FILE", "servers")];
    let config = read_in(&[], &env, dir.path()).expect("reads");
    assert_eq!(config.ingest_token.expect("a token").reveal(), "s3cret");
    let names: Vec<&str> = config.prometheus.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["main", "eu"]);
    // What is made with the usual mask may be read by everybody here.
    assert!(config.warnings.iter().all(|warning| warning.contains("permissions")), "{:?}", config.warnings);
    for (file, words) in [("none", "a file to read"), ("empty", "it is empty"), ("spaces", "without spaces")]
    {
        let env = [("LOCKSTEP_INGEST_TOKEN_FILE", file)];
        let said = read_in(&[], &env, dir.path()).expect_err("refused").to_string();
        assert!(said.starts_with("LOCKSTEP_INGEST_TOKEN_FILE") && said.contains(words), "{said}");
        assert!(!said.contains("two words"), "{said}");
    }
    let both = [("LOCKSTEP_INGEST_TOKEN_FILE", "token"), ("LOCKSTEP_INGEST_TOKEN", "x")];
    let said = read_in(&[], &both, dir.path()).expect_err("refused").to_string();
    assert!(said.contains("both set"), "{said}");
}

#[test]
fn what_is_wrong_in_the_file_is_said_without_its_line() {
    let said = refused(&[], &[], Some("[lockstep]\naddr = '127.0.0.1:1'\ningest_token = 's3cret"));
    assert!(said.contains("line 3") && !said.contains("s3cret"), "{said}");
}

#[test]
fn a_large_limit_is_no_limit() {
    let env = [
        ("LOCKSTEP_LIMIT_CHANGES_PER_S", "18446744073709551615"),
        ("LOCKSTEP_LIMIT_SILENCE_MS", "9999999999"),
    ];
    let limits = read(&[], &env, None).unwrap().limits;
    assert_eq!(limits.changes_per_s, u32::MAX);
    assert_eq!(limits.silence_ms, 9_999_999_999);
}

#[test]
fn an_open_address_needs_the_setting_that_says_so() {
    let open = [("LOCKSTEP_ACCESS", "open")];
    for addr in ["0.0.0.0:3000", "[::]:3000", "192.168.0.7:80"] {
        let said = refused(&["--addr", addr], &open, None);
        assert!(said.contains("--allow-open-access-on-network") && said.contains("read and edit"), "{said}");
        assert!(read(&["--addr", addr, "--allow-open-access-on-network"], &open, None).is_ok());
    }
    let env = [open[0], ("LOCKSTEP_ADDR", "0.0.0.0:0"), ("LOCKSTEP_ALLOW_OPEN_ACCESS_ON_NETWORK", "true")];
    assert!(read(&[], &env, None).is_ok());
    assert!(read(&["--allow-open-access-on-network=false"], &env, None).is_err());
    assert!(read(&["--addr", "[::1]:3000"], &open, None).is_ok());
    assert!(read(&["--addr", "localhost:3000"], &open, None).is_ok());
}

#[test]
fn a1_people_sign_in_unless_the_server_is_private_and_has_no_accounts() {
    use lockstep::server::access::Mode::{Accounts, Open};
    let everywhere = "0.0.0.0:3000";
    for (args, without, with) in [
        (&[][..], Open, Accounts),
        (&["--access", "open"], Open, Open),
        (&["--access", "accounts"], Accounts, Accounts),
        (&["--addr", everywhere], Accounts, Accounts),
        (&["--addr", everywhere, "--allow-open-access-on-network"], Open, Accounts),
        (&["--addr", everywhere, "--allow-open-access-on-network", "--access", "open"], Open, Open),
        // Somebody else stands before it.
        (&["--public-url", "https://wall.example.com"], Accounts, Accounts),
        (&["--trusted-proxies", "127.0.0.1"], Accounts, Accounts),
        (&["--public-url", "https://wall.example.com", "--access", "open"], Open, Open),
    ] {
        let config = read(args, &[], None).expect("reads");
        assert_eq!((config.access_mode(false), config.access_mode(true)), (without, with), "{args:?}");
    }
    for typo in ["acounts", "Open", "on", "closed"] {
        assert!(refused(&["--access", typo], &[], None).contains("`open` or `accounts`"), "{typo}");
    }
}

#[test]
fn trusted_proxies_are_addresses_or_networks() {
    let config = read(&["--trusted-proxies", "127.0.0.1, 10.0.0.0/8,fd00::/8"], &[], None).unwrap();
    let networks: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
    for bad in ["10.0.0.0/33", "proxy.example", "10.0.0"] {
        let said = refused(&["--trusted-proxies", bad], &[], None);
        assert!(said.starts_with("--trusted-proxies") && said.contains("It takes "), "{said}");
    }
}

#[test]
fn help_lists_every_setting_with_its_variable() {
    let help = refused(&["--help"], &[], None);
    for name in [
        "ADDR",
        "DATA_DIR",
        "SITE_ROOT",
        "LOG",
        "LOG_FORMAT",
        "ALLOWED_ORIGINS",
        "LIMIT_WIDGETS",
        "LIMIT_TAIL_BYTES",
    ] {
        let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
        assert!(help.contains(&flag) && help.contains(&format!("LOCKSTEP_{name}]")), "{name}\n{help}");
    }
    assert!(help.contains("--allow-open-access-on-network"));
    assert!(help.contains("[default: 500]"));
}

#[test]
fn a8_a_proxy_names_people_only_where_the_proxy_is_named() {
    let user = ("LOCKSTEP_PROXY_USER_HEADER", "X-Forwarded-User");
    let trusted = ("LOCKSTEP_TRUSTED_PROXIES", "10.0.0.0/8");
    let config = read(&["--proxy-name-header", "Remote-Name"], &[user, trusted], None).unwrap();
    let proxy = config.proxy.as_ref().expect("is set");
    assert_eq!((proxy.user.as_str(), proxy.join_by_email), ("x-forwarded-user", false));
    assert_eq!(proxy.name.as_ref().map(|name| name.as_str()), Some("remote-name"));
    assert_eq!(config.access_mode(false), lockstep::server::access::Mode::Accounts);
    assert!(refused(&[], &[user], None).contains("--trusted-proxies"));
    for everybody in ["0.0.0.0/0", "10.0.0.1, ::/0"] {
        let env = [user, ("LOCKSTEP_TRUSTED_PROXIES", everybody)];
        assert!(refused(&[], &env, None).contains("all addresses"), "{everybody}");
    }
    assert!(refused(&[], &[user, trusted, ("LOCKSTEP_ACCESS", "open")], None).contains("`accounts`"));
    for (name, value) in [
        ("LOCKSTEP_PROXY_USER_HEADER", "Cookie"),
        ("LOCKSTEP_PROXY_USER_HEADER", "no header"),
        ("LOCKSTEP_PROXY_NAME_HEADER", "X-Forwarded-User"),
        ("LOCKSTEP_PROXY_ROLE", "owner"),
        ("LOCKSTEP_PROXY_JOIN_BY_EMAIL", "yes"),
    ] {
        let said = refused(&[], &[user, trusted, (name, value)], None);
        assert!(said.contains(name), "{said}");
    }
    let alone = [("LOCKSTEP_PROXY_EMAIL_HEADER", "Remote-Email"), trusted];
    assert!(refused(&[], &alone, None).contains("LOCKSTEP_PROXY_EMAIL_HEADER"));
}

#[test]
fn a12_guests_are_for_servers_with_accounts() {
    assert_eq!(read(&[], &[], None).unwrap().guests, None);
    assert_eq!(read(&[], &[("LOCKSTEP_GUESTS", "off")], None).unwrap().guests, None);
    let config = read(&["--guests", "edit"], &[], None).unwrap();
    assert_eq!(config.guests, Some(lockstep::app::access::Role::Editor));
    assert_eq!(config.access_mode(false), lockstep::server::access::Mode::Accounts);
    assert!(refused(&[], &[("LOCKSTEP_GUESTS", "yes")], None).contains("`view`"));
    let open = [("LOCKSTEP_GUESTS", "view"), ("LOCKSTEP_ACCESS", "open")];
    assert!(refused(&[], &open, None).contains("guests"));
}
