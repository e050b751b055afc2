//! `lockstep admin`: accounts from the shell.

use std::io::Write as _;
use std::process::Stdio;

use reqwest::StatusCode;

use crate::scene::{PASSWORD, client, cookie_of};
use crate::support::program::{Program, command};

/// What a command says to standard output and to standard error, and whether it went well.
fn admin(dir: &std::path::Path, args: &[&str], password: &str) -> (bool, String, String) {
    let mut command = command(dir);
    command.arg("admin").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    writeln!(child.stdin.take().expect("piped"), "{password}").expect("read");
    let output = child.wait_with_output().expect("ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a2_accounts_are_made_and_mended_from_the_shell() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = Program::start(dir.path(), &[]);
    let kept = open.make_dashboard("Of before").await;
    open.signal("TERM");
    open.ended().await;

    assert_eq!(admin(dir.path(), &["list"], "").1, "Nobody has an account.\n");
    let (done, _, said) = admin(dir.path(), &["add", "ada@example.com"], "password12");
    assert!(!done && said.contains("easy to guess") || said.contains("password"), "{said}");
    let (done, says, said) = admin(dir.path(), &["add", "ada@example.com", "--name", "Ada"], PASSWORD);
    assert!(done && says.contains("Ada (ada@example.com) is an admin now."), "{says}{said}");
    let (done, _, said) = admin(dir.path(), &["promote", "nobody@example.com"], "");
    assert!(!done && said.contains("no such account"), "{said}");
    let new = "another-lantern-53-ochre";
    let (done, _, said) = admin(dir.path(), &["password", "ADA@example.com"], new);
    assert!(done, "{said}");
    assert_eq!(admin(dir.path(), &["list"], "").1, "admin\tada@example.com\tAda\n");

    let program = Program::start(dir.path(), &[]);
    let (done, _, said) = admin(dir.path(), &["list"], "");
    assert!(!done && said.contains("in use by another Lockstep"), "{said}");
    let at = format!("http://{}", program.addr);
    let sign_in = async |password: &str| {
        let form = [("email", "ada@example.com"), ("password", password)];
        client().post(format!("{at}/sign-in")).form(&form).send().await.expect("an answer")
    };
    assert_eq!(sign_in(PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    let cookie = cookie_of(&sign_in(new).await);
    let asked = client().get(format!("{at}/api/v1/dashboards/{kept}/access")).header("cookie", &cookie);
    let sharing: serde_json::Value = asked.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(sharing["team"], "everyone", "what was there before anybody was let in is for everyone");
    let asked = client().get(format!("{at}/api/v1/audit")).header("cookie", cookie_of(&sign_in(new).await));
    let log: serde_json::Value = asked.send().await.expect("an answer").json().await.expect("JSON");
    let entries = log["entries"].as_array().expect("entries");
    let by_shell = entries.iter().filter(|one| one["who"]["kind"] == "shell");
    let whats: Vec<&str> = by_shell.rev().map(|one| one["what"].as_str().expect("text")).collect();
    assert_eq!(whats, ["account_made", "password_changed"], "what was done from the shell is in the log");
    assert!(!log.to_string().contains(new));
}
