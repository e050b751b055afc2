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
    assert_eq!(config.allowed_origins, ["https://a.example:8443", "http://b"]);
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
        (&[], &[("LOCKSTEP_ALLOWED_ORIGINS", "wall.example.com")], None, "LOCKSTEP_ALLOWED_ORIGINS"),
        (&[], &[("LOCKSTEP_ALLOWED_ORIGINS", "https://a/path")], None, "LOCKSTEP_ALLOWED_ORIGINS"),
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
    // Container platforms make variables with this prefix.
    assert!(read(&[], &[("LOCKSTEP_PORT", "tcp://10.0.0.1:80")], None).is_ok());
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
    for addr in ["0.0.0.0:3000", "[::]:3000", "192.168.0.7:80"] {
        let said = refused(&["--addr", addr], &[], None);
        assert!(said.contains("--allow-open-access-on-network") && said.contains("read and edit"), "{said}");
        assert!(read(&["--addr", addr, "--allow-open-access-on-network"], &[], None).is_ok());
    }
    let env = [("LOCKSTEP_ADDR", "0.0.0.0:0"), ("LOCKSTEP_ALLOW_OPEN_ACCESS_ON_NETWORK", "true")];
    assert!(read(&[], &env, None).is_ok());
    assert!(read(&["--allow-open-access-on-network=false"], &env, None).is_err());
    assert!(read(&["--addr", "[::1]:3000"], &[], None).is_ok());
    assert!(read(&["--addr", "localhost:3000"], &[], None).is_ok());
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
