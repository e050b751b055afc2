//! Backups of the real program: made while it is written to, checked, put back, and killed at any moment.

#![cfg(feature = "ssr")]

mod program;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use lockstep::server::backup;
use program::{
    Program, Random, Writers, back_up, backups, check, command, data, edit, names, open, revision, run, said,
    some_data,
};
use serde_json::Value;
use support::PATIENCE;

/// Rounds where `LOCKSTEP_BACKUP_ROUNDS` sets no other number.
const ROUNDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_writers_has_all_that_was_acknowledged_before_it() {
    let dir = Arc::new(tempfile::tempdir().expect("a directory"));
    let program = Program::start(&dir, &[]);
    let id = program.dashboard().await;
    let writers = Writers::start(&program, &id);
    writers.until(300).await;
    let (mut newest, mut made) = (0, Vec::new());
    for _ in 0..3 {
        let (acked, points) = (writers.acked.load(SeqCst), writers.points.load(SeqCst));
        let (of_this, beside) = (dir.clone(), tokio::task::spawn_blocking);
        let path = beside(move || back_up(&of_this)).await.expect("made");
        let mut log = open(&path.join("lockstep.db")).await;
        let kept: i64 =
            sqlx::query_scalar("SELECT MAX(revision) FROM commits").fetch_one(&mut log).await.expect("reads");
        assert!(kept.unsigned_abs() >= acked, "{kept} of {acked}");
        assert!(kept > newest, "it is of its own time");
        newest = kept;
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(path.join("manifest.json")).expect("there")).expect("JSON");
        assert!(manifest["points"].as_u64().expect("a number") >= points, "{manifest} of {points}");
        made.push(path);
    }
    let live = check(&dir, &data(&dir));
    assert_eq!(live.0, 0, "the live data while it is written: {}", live.1);
    writers.until(newest.unsigned_abs() + 50).await;
    writers.stop().await;
    for path in &made {
        let (code, said) = check(&dir, path);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("whole: nothing is wrong"), "{said}");
        let files: BTreeSet<String> = names(path);
        assert_eq!(files, ["lockstep.db", "manifest.json", "series.db"].map(str::to_owned).into());
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(path), mode(&path.join("lockstep.db"))), (0o700, 0o600));
    }
    assert_eq!(backup::list(&backups(&dir)).expect("reads").len(), 3);
}

#[tokio::test]
async fn a_byte_that_changed_in_a_backup_is_found() {
    let (dir, _) = some_data(50).await;
    let backup = back_up(&dir);
    for name in ["lockstep.db", "series.db"] {
        let file = std::fs::File::options().read(true).write(true).open(backup.join(name)).expect("opens");
        let (at, mut byte) = (file.metadata().expect("there").len() / 2, [0]);
        file.read_exact_at(&mut byte, at).expect("reads");
        file.write_all_at(&[byte[0] ^ 1], at).expect("writes");
        let (code, said) = check(&dir, &backup);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains(&format!("problem: {name}: its SHA-256 is not that of the manifest")),
            "{said}"
        );
        let databases =
            || names(&data(&dir)).into_iter().filter(|name| name.contains(".db")).collect::<Vec<_>>();
        let before = databases();
        let (code, said) = run(&dir, &["restore", backup.to_str().expect("a path")]);
        assert!(code == 1 && said.contains("is not whole. Nothing was changed."), "{code} {said}");
        assert_eq!(databases(), before);
        file.write_all_at(&byte, at).expect("writes");
        assert_eq!(check(&dir, &backup).0, 0);
    }
}

#[tokio::test]
async fn what_is_wrong_with_data_is_told_by_dashboard_and_never_becomes_a_backup() {
    let (dir, id) = some_data(20).await;
    let backup = back_up(&dir);
    let damages = [
        (
            "lockstep.db",
            "UPDATE commits SET body = '{}' WHERE revision = 7",
            "revision 7 of its log does not read",
        ),
        ("lockstep.db", "DELETE FROM commits WHERE revision = 7", "its log has a gap: 7 to 7 are missing"),
        (
            "lockstep.db",
            "DELETE FROM commits WHERE revision > 15",
            "its log ends at revision 15, and should end at 21",
        ),
        (
            "lockstep.db",
            "UPDATE commits SET seq = 900 WHERE revision = 9",
            "is kept under another name than its own",
        ),
        ("lockstep.db", "UPDATE snapshots SET state = 'x'", "its snapshot does not read"),
        ("lockstep.db", "DELETE FROM snapshots", "it has no snapshot"),
        (
            "series.db",
            "INSERT INTO _sqlx_migrations VALUES (9000, 'later', CURRENT_TIMESTAMP, 1, x'00', 0)",
            "its tables are of version 9000",
        ),
        ("series.db", "UPDATE batches SET body = x'0102'", "batch 1 does not read; its 100 points are lost"),
        ("series.db", "UPDATE batches SET points = 7", "batch 1 has 100 points, and should have 7"),
        ("series.db", "UPDATE series SET name = 'a{'", "does not read; its points are passed over"),
    ];
    for (file, damage, says) in damages {
        for name in ["lockstep.db", "series.db"] {
            std::fs::copy(backup.join(name), data(&dir).join(name)).expect("copied");
        }
        let mut connection = open(&data(&dir).join(file)).await;
        sqlx::raw_sql(damage).execute(&mut connection).await.expect("damaged");
        drop(connection);
        let (code, said) = check(&dir, &data(&dir));
        assert_eq!(code, 1, "{damage}: {said}");
        assert!(said.contains(says), "{damage}: {said}");
        if file == "lockstep.db" {
            assert!(
                said.contains(&format!("dashboard {id} (\"Kept\")")) || says.starts_with("the"),
                "{damage}: {said}"
            );
        }
        let (code, said) = run(&dir, &["backup", "backups", "--keep", "1"]);
        assert!(code == 1 && said.contains("the copy is not whole"), "{damage}: {code} {said}");
        assert_eq!(
            backup::list(&backups(&dir)).expect("reads"),
            std::slice::from_ref(&backup),
            "the good one stays"
        );
        assert!(names(&backups(&dir)).iter().all(|name| !name.starts_with(".unfinished")));
    }
    std::fs::remove_file(data(&dir).join("series.db")).expect("there");
    let (code, said) = check(&dir, &data(&dir));
    assert!(code == 1 && said.contains("series.db: it is missing"), "{code} {said}");
    std::fs::write(data(&dir).join("series.db"), "no database at all, but long enough to be looked at")
        .expect("written");
    let (code, said) = check(&dir, &data(&dir));
    assert!(code == 1 && said.contains("problem: series.db: it does not read"), "{code} {said}");
}

#[tokio::test]
async fn a_backup_is_put_back_and_what_was_there_is_kept() {
    let (dir, id) = some_data(20).await;
    let backup = back_up(&dir);
    let program = Program::start(&dir, &[]);
    edit(&program, &id, "grace", 5).await;
    let (code, said) = run(&dir, &["restore", backup.to_str().expect("a path")]);
    assert!(code != 0 && said.contains("in use"), "refused while it runs: {code} {said}");
    assert_eq!(revision(&program, &id).await, 26);
    program.stop();

    let (code, said) = run(&dir, &["restore", backup.to_str().expect("a path")]);
    assert_eq!(code, 0, "{said}");
    let aside: Vec<String> =
        names(&data(&dir)).into_iter().filter(|name| name.starts_with("before-restore-")).collect();
    assert_eq!(aside.len(), 1);
    let aside = data(&dir).join(&aside[0]);
    assert!(said.contains(aside.to_str().expect("a path")) && said.contains("To go back:"), "{said}");
    let mode = std::fs::metadata(data(&dir).join("lockstep.db")).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let program = Program::start(&dir, &[]);
    assert_eq!(revision(&program, &id).await, 21);
    assert!(program.get("/metrics").await.contains("\nlockstep_series_points 100\n"));
    edit(&program, &id, "ada", 1).await;
    program.stop();

    // And back, as it says.
    for name in names(&data(&dir)) {
        if name.starts_with("lockstep.db") || name.starts_with("series.db") {
            std::fs::remove_file(data(&dir).join(name)).expect("there");
        }
    }
    for name in names(&aside) {
        std::fs::rename(aside.join(&name), data(&dir).join(&name)).expect("moved");
    }
    let program = Program::start(&dir, &[]);
    assert_eq!(revision(&program, &id).await, 26);
    program.stop();
}

#[tokio::test]
async fn a_backup_is_put_back_where_nothing_was() {
    let (dir, id) = some_data(3).await;
    let backup = back_up(&dir);
    std::fs::remove_dir_all(data(&dir)).expect("removed");
    let (code, said) = run(&dir, &["restore", backup.to_str().expect("a path")]);
    assert!(code == 0 && said.contains("There was nothing in its place."), "{code} {said}");
    let program = Program::start(&dir, &[]);
    assert_eq!(revision(&program, &id).await, 4);
    program.stop();
}

#[tokio::test]
async fn what_does_not_fit_is_said_and_leaves_nothing() {
    let (dir, _) = some_data(3).await;
    std::fs::write(dir.path().join("file"), "").expect("written");
    std::fs::create_dir(dir.path().join("empty")).expect("made");
    for (arguments, says) in [
        (&["backup", "data/backups"][..], "is inside the data directory"),
        (&["backup", "file"], "is not a directory"),
        (&["backup", "backups", "--data-dir", "empty"], "is no data directory"),
        (&["check", "empty"], "is neither a data directory nor a backup"),
        (&["restore", "data"], "is no backup that counts"),
        (&["backup"], "required arguments"),
        (&["backup", "backups", "--keep", "0"], "--keep"),
    ] {
        let (code, said) = run(&dir, arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    assert!(!data(&dir).join("backups").exists() && !backups(&dir).exists());
    assert!(said(command(&dir, &["--notices"]).output().expect("runs")).1.contains("\n- uplot "));
}

#[tokio::test]
async fn only_so_many_backups_stay() {
    let (dir, _) = some_data(3).await;
    let made: Vec<PathBuf> = (0..3)
        .map(|_| {
            let (code, said) = run(&dir, &["backup", "backups", "--keep", "2"]);
            assert_eq!(code, 0, "{said}");
            PathBuf::from(said.lines().next().expect("the path"))
        })
        .collect();
    assert_eq!(backup::list(&backups(&dir)).expect("reads"), made[1..]);
}

/// A target on a file system of its own, in a namespace that ends with the command.
fn on_a_small_disk(dir: &Arc<tempfile::TempDir>, options: &str) -> (i32, String) {
    let target = dir.path().join("small");
    std::fs::create_dir_all(&target).expect("made");
    let script = format!(
        "mount -t tmpfs -o {options} small {target} && {program} backup {target}; code=$?; ls -A {target}; exit $code",
        target = target.display(),
        program = env!("CARGO_BIN_EXE_lockstep")
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).env("LOCKSTEP_DATA_DIR", data(dir));
    said(command.current_dir(dir.path()).output().expect("unshare runs"))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_target_is_said_and_leaves_nothing_that_counts() {
    let (dir, _) = some_data(20).await;
    let (code, said) = on_a_small_disk(&dir, "size=64k");
    assert!(code == 1 && said.contains("free; the backup needs about"), "{code} {said}");
    // Full in the middle: of inodes, which nobody can reckon with before.
    for inodes in [3, 4, 5] {
        let (code, said) = on_a_small_disk(&dir, &format!("size=64m,nr_inodes={inodes}"));
        // SQLite, which brings the log back, only says that it could not make a file.
        let says = said.contains("no room left") || said.contains("does not open");
        assert!(code == 1 && says, "{inodes}: {code} {said}");
        assert!(!said.lines().any(|line| line.starts_with("lockstep-2")), "{inodes}: {said}");
    }
    let (code, said) = on_a_small_disk(&dir, "size=64m");
    assert!(code == 0 && said.contains("lockstep-2"), "{code} {said}");
}

/// `LOCKSTEP_BACKUP_ROUNDS=200 LOCKSTEP_BACKUP_SEED=1 cargo test --features ssr --test backup kill -- --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_at_any_moment_leaves_the_data_whole_and_nothing_half_that_counts() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let rounds: u64 = setting("LOCKSTEP_BACKUP_ROUNDS").unwrap_or(ROUNDS);
    let seed: u64 = setting("LOCKSTEP_BACKUP_SEED").unwrap_or_else(lockstep::server::clock::now_ms);
    println!("LOCKSTEP_BACKUP_SEED={seed} LOCKSTEP_BACKUP_ROUNDS={rounds}");
    let mut random = Random(seed);
    let dir = Arc::new(tempfile::tempdir().expect("a directory"));
    let program = Program::start(&dir, &[]);
    let id = program.dashboard().await;
    let writers = Writers::start(&program, &id);
    writers.until(1_000).await;
    let began = std::time::Instant::now();
    let of_this = dir.clone();
    tokio::task::spawn_blocking(move || back_up(&of_this)).await.expect("made");
    let whole_us = u64::try_from(began.elapsed().as_micros()).expect("a moment");
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    let (mut killed, mut finished) = (0, 0);
    for round in 0..rounds {
        let mut child = command(&dir, &["backup", "backups", "--keep", "3"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        tokio::time::sleep(Duration::from_micros(random.below(whole_us * 5 / 4))).await;
        let soft = random.below(4) == 0;
        let signal = if soft { "-INT" } else { "-KILL" };
        // It may have ended by then.
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status();
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("waits").expect("ends");
        if ended.success() {
            finished += 1;
        } else {
            killed += 1;
        }
        let all = backup::list(&backups(&dir)).expect("reads");
        for path in &all {
            if known.insert(path.clone()) {
                let (code, said) = check(&dir, path);
                assert_eq!(code, 0, "seed {seed}, round {round}: {said}");
            }
        }
        if soft {
            let left: Vec<String> =
                names(&backups(&dir)).into_iter().filter(|name| name.starts_with(".unfinished")).collect();
            assert!(left.is_empty(), "seed {seed}, round {round}: an interrupted one cleans up: {left:?}");
        }
    }
    let (code, said) = check(&dir, &data(&dir));
    assert_eq!(code, 0, "seed {seed}: {said}");
    let before = writers.acked.load(SeqCst);
    writers.until(before + 10).await;
    writers.stop().await;
    let last = back_up(&dir);
    assert_eq!(check(&dir, &last).0, 0);
    assert!(
        names(&backups(&dir)).iter().all(|name| !name.starts_with(".unfinished")),
        "what was left is removed"
    );
    let revisions = revision(&program, &id).await;
    program.stop();
    assert_eq!(check(&dir, &data(&dir)).0, 0);
    println!("{killed} killed or interrupted, {finished} had ended; {revisions} revisions, all there");
    assert!(killed > 0 || rounds < 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_makes_backups_by_itself_and_says_how_it_stands() {
    let dir = Arc::new(tempfile::tempdir().expect("a directory"));
    let program = Program::start(&dir, &[("LOCKSTEP_BACKUP_DIR", &backups(&dir))]);
    let text = until(&program, "/metrics", |text| {
        !text.contains("\nlockstep_backup_last_success_timestamp_seconds 0\n")
            && text.contains("\nlockstep_backup_last_success_timestamp_seconds ")
    });
    let text = text.await;
    assert!(text.contains("\nlockstep_backup_failed_total 0\n"), "{text}");
    let status: Value = serde_json::from_str(&program.get("/api/v1/status").await).expect("JSON");
    let says = service(&status)["says"].as_str().expect("words").to_owned();
    assert!(says.starts_with("Last verified backup ") && says.contains("; next at "), "{says}");
    program.stop();
    let made = backup::list(&backups(&dir)).expect("reads");
    assert_eq!(made.len(), 1);
    assert_eq!(check(&dir, &made[0]).0, 0);

    std::fs::write(dir.path().join("file"), "").expect("written");
    let program = Program::start(&dir, &[("LOCKSTEP_BACKUP_DIR", &dir.path().join("file"))]);
    until(&program, "/metrics", |text| text.contains("\nlockstep_backup_failed_total 1\n")).await;
    let status: Value = serde_json::from_str(&program.get("/api/v1/status").await).expect("JSON");
    let service = service(&status);
    assert!(service["says"].as_str().expect("words").contains("is not a directory"), "{service}");
    assert_ne!(service["state"], "ok");
    program.stop();
}

fn service(status: &Value) -> &Value {
    let services = status["services"].as_array().expect("services");
    services.iter().find(|service| service["name"] == "backup").expect("it is told")
}

async fn until(program: &Program, path: &str, is_so: impl Fn(&str) -> bool) -> String {
    let reached = async {
        loop {
            let text = program.get(path).await;
            if is_so(&text) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(3 * PATIENCE, reached).await.unwrap_or_else(|_| panic!("{path} never says it"))
}
