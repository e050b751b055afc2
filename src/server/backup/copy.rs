//! A consistent copy of one SQLite file that is being written to.
//!
//! `VACUUM INTO` and SQLite's backup interface hold one read transaction for as long as the copy takes to
//! be written. While it is held the write-ahead log cannot begin at its front again: it grows with every
//! edit, and the server's checkpoints would keep the writer waiting in the end. So the time that a reader
//! is in the way must not be that of writing, which has to be slow for the fsyncs of edits to stay fast:
//!
//! 1. The file is copied without any transaction, a piece at a time, each made durable before the next,
//!    with a rest after it. The disk's queue is never longer than a piece. What is copied may be of
//!    different moments. This is repeated while much changes.
//! 2. In one read transaction the file is compared with the copy, what differs is copied again, and the
//!    write-ahead log is copied beside it. That takes as long as reading takes.
//! 3. SQLite brings the copied log back into the copy, as it would after a crash.
//!
//! Why that is whole: while the transaction is open, a checkpoint changes no page that the copied log does
//! not have in a version as late or later (<https://www.sqlite.org/walformat.html>, the read marks). So
//! pages that were caught in the middle of such a change are replaced in step 3.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::BackupError;

/// Bytes read, written and made durable at once: a disk takes hardly longer for them than for the fsync
/// alone, and nobody's own fsync waits for more than that.
const PIECE: usize = 256 * 1024;
/// Bytes compared at once: a page of the memory, and of a database.
const BLOCK: usize = 4096;
/// The rest after a piece, as a multiple of the time that the disk took for it: three quarters of its time
/// stay the server's.
const REST: u32 = 3;
const SHORTEST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_millis(250);
/// Passes without a transaction, at most ...
const PASSES: usize = 4;
/// ... and the bytes that may still differ when the last pass begins.
const FEW: u64 = 32 * 1024 * 1024;
/// Bytes of the last pass made durable at once.
const LAST_PIECE: u64 = 1024 * 1024;
/// How often a log that is begun anew while it is copied is copied again.
const TRIES: usize = 100;
/// How long to wait for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(10);

/// What tells a copy that is under way to stop.
pub type Interrupt = Arc<AtomicBool>;

/// Makes `to` a copy of the database `from` as of one moment, durable, in one file.
pub(super) async fn copy(
    from: &Path,
    to: &Path,
    interrupt: &Interrupt,
) -> std::result::Result<(), BackupError> {
    let failed = || BackupError::io(format!("{} could not be copied", from.display()));
    let unread = || BackupError::database(format!("{} cannot be read", from.display()));
    // Held until the connection has closed: to close it lets go of the locks that SQLite has on the same
    // file in this process.
    let source =
        Arc::new(File::open(from).map_err(BackupError::io(format!("{} cannot be read", from.display())))?);
    let ours = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(to);
    let ours = Arc::new(ours.map_err(BackupError::io(to.display()))?);
    let mut connection = reading(from).connect().await.map_err(unread())?;

    for _ in 0..PASSES {
        let (source, ours, interrupt) = (source.clone(), ours.clone(), interrupt.clone());
        let written =
            beside(move || Pass { source: &source, ours: &ours, rests: true, interrupt: &interrupt }.run());
        if written.await.map_err(failed())? <= FEW {
            break;
        }
    }

    sqlx::query("BEGIN").execute(&mut connection).await.map_err(unread())?;
    // The transaction begins with its first read.
    sqlx::query("SELECT COUNT(*) FROM sqlite_schema").execute(&mut connection).await.map_err(unread())?;
    let (logs, last, copied, stop) = (log_of(from), source.clone(), ours.clone(), interrupt.clone());
    let log = log_of(to);
    let done = beside(move || {
        Pass { source: &last, ours: &copied, rests: false, interrupt: &stop }.run()?;
        copy_log(&logs, &log)
    });
    let done = done.await;
    let ended = sqlx::query("ROLLBACK").execute(&mut connection).await;
    done.map_err(failed())?;
    ended.map_err(unread())?;
    connection.close().await.map_err(unread())?;
    drop(source);

    let file = ours.clone();
    beside(move || file.sync_all()).await.map_err(failed())?;
    into_one_file(to).await
}

/// Options for reading a database that may be in use, changing nothing.
pub(super) fn reading(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY).disable_statement_logging()
}

/// Brings the log of a copy back into it, and leaves one file that needs no other beside it.
async fn into_one_file(copy: &Path) -> std::result::Result<(), BackupError> {
    let failed = || BackupError::database(format!("the copy {} does not open", copy.display()));
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(copy)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(failed())?;
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.map_err(failed())?;
    connection.close().await.map_err(failed())?;
    if mode == "delete" && !log_of(copy).exists() {
        Ok(())
    } else {
        Err(BackupError::Damaged(format!("the copy {} still has a log beside it", copy.display())))
    }
}

/// On a thread that may wait for the disk.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::other("a step of the copy panicked")))
}

/// The write-ahead log beside a database.
fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// One pass over the whole file, after which the copy has what the pass found.
struct Pass<'a> {
    source: &'a File,
    ours: &'a File,
    /// Whether to leave the disk to others in between.
    rests: bool,
    interrupt: &'a AtomicBool,
}

impl Pass<'_> {
    /// Returns how many bytes differed.
    fn run(self) -> Result<u64> {
        let (mut theirs, mut ours) = (vec![0; PIECE], vec![0; PIECE]);
        let (mut at, mut differed, mut unsynced) = (0, 0, 0);
        loop {
            if self.interrupt.load(Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            let count = read_at_most(self.source, &mut theirs, at)?;
            if count == 0 {
                break;
            }
            let there = read_at_most(self.ours, &mut ours[..count], at)?;
            let began = Instant::now();
            for range in differing(&theirs[..count], &ours[..there]) {
                self.ours.write_all_at(&theirs[range.clone()], at + range.start as u64)?;
                unsynced += range.len() as u64;
                differed += range.len() as u64;
            }
            if unsynced > 0 && (self.rests || unsynced >= LAST_PIECE) {
                self.ours.sync_data()?;
                unsynced = 0;
                if self.rests {
                    std::thread::sleep((began.elapsed() * REST).clamp(SHORTEST_REST, LONGEST_REST));
                }
            }
            at += count as u64;
        }
        // What is behind the end is of a file that was longer.
        if self.ours.metadata()?.len() > at {
            self.ours.set_len(at)?;
        }
        Ok(differed)
    }
}

/// Reads until the buffer is full or the file ends.
fn read_at_most(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], at + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// The parts of `new` that differ from `old`, which may be shorter; neighbours together.
fn differing(new: &[u8], old: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (number, block) in new.chunks(BLOCK).enumerate() {
        let range = number * BLOCK..number * BLOCK + block.len();
        if old.get(range.clone()) == Some(block) {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    ranges
}

/// Bytes of a log's head, and of what stands before each page in it; the two numbers that a page must have
/// in common with the head to be of this turn of the log, and where both have them.
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
const SALT: Range<usize> = 16..24;
const FRAME_SALT: Range<usize> = 8..16;

/// Copies what a write-ahead log has of its present turn. The rest of the file is of turns before.
fn copy_log(from: &Path, to: &Path) -> Result<()> {
    let source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for _ in 0..TRIES {
        let head = head_of(&source)?;
        match &head {
            Some(head) => {
                let copy = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
                copy_frames(&source, head, &copy)?;
                copy.sync_all()?;
            }
            // It has nothing that is not in the file.
            None if to.exists() => std::fs::remove_file(to)?,
            None => {}
        }
        // Begun at its front meanwhile, it has pages of two turns. All of the first are in the file by then.
        if head_of(&source)? == head {
            return Ok(());
        }
    }
    Err(Error::other("its write-ahead log was begun anew too often"))
}

/// The head of a log; `None` of one that has none yet.
fn head_of(log: &File) -> Result<Option<[u8; HEAD]>> {
    let mut head = [0; HEAD];
    Ok((read_at_most(log, &mut head, 0)? == HEAD).then_some(head))
}

fn copy_frames(source: &File, head: &[u8; HEAD], copy: &File) -> Result<()> {
    let page = u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize;
    if !(512..=65_536).contains(&page) {
        return Err(Error::other("its write-ahead log does not read"));
    }
    copy.write_all_at(head, 0)?;
    let (mut frame, mut at, mut unsynced) = (vec![0; FRAME_HEAD + page], HEAD as u64, 0);
    while read_at_most(source, &mut frame, at)? == frame.len() && frame[FRAME_SALT] == head[SALT] {
        copy.write_all_at(&frame, at)?;
        at += frame.len() as u64;
        unsynced += frame.len() as u64;
        if unsynced >= LAST_PIECE {
            copy.sync_data()?;
            unsynced = 0;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with its log, written to as the server does.
    async fn database(dir: &Path) -> SqliteConnection {
        let mut connection = SqliteConnectOptions::new()
            .filename(dir.join("a.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::ZERO)
            .connect()
            .await
            .expect("opens");
        sqlx::raw_sql(
            "CREATE TABLE t (n INTEGER PRIMARY KEY, body BLOB); CREATE TABLE total (count INTEGER);
                       INSERT INTO total VALUES (0);",
        )
        .execute(&mut connection)
        .await
        .expect("made");
        connection
    }

    async fn write(connection: &mut SqliteConnection) {
        sqlx::raw_sql("BEGIN; INSERT INTO t (body) VALUES (randomblob(3000)); UPDATE total SET count = count + 1; COMMIT")
            .execute(connection)
            .await
            .expect("written");
    }

    /// Rows of a copy, which are as many as it says itself.
    async fn rows(copy: &Path) -> i64 {
        let mut connection = reading(copy).connect().await.expect("opens");
        let whole: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.expect("checks");
        assert_eq!(whole, "ok");
        let count =
            sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(&mut connection).await.expect("counts");
        let total: i64 =
            sqlx::query_scalar("SELECT count FROM total").fetch_one(&mut connection).await.expect("a row");
        assert_eq!(total, count, "the copy is of one moment");
        count
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_is_whole_and_has_what_was_there_whatever_is_written_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = database(dir.path()).await;
        for _ in 0..300 {
            write(&mut connection).await;
        }
        let stop = AtomicBool::new(false);
        let writing = async {
            // Checkpoints of every kind, as many as there can be.
            let kinds = ["PASSIVE", "RESTART", "FULL", "TRUNCATE"];
            let mut written = 300;
            while !stop.load(Relaxed) {
                write(&mut connection).await;
                written += 1;
                if written % 7 == 0 {
                    let checkpoint =
                        format!("PRAGMA wal_checkpoint({})", kinds[written as usize / 7 % kinds.len()]);
                    // One that finds a reader in its way is as good as any other.
                    let _ = sqlx::raw_sql(&checkpoint).execute(&mut connection).await;
                }
            }
            written
        };
        let copying = async {
            let mut before = 300;
            for number in 0..20 {
                let to = dir.path().join(format!("copy-{number}.db"));
                copy(&dir.path().join("a.db"), &to, &Interrupt::default()).await.expect("copied");
                let found = rows(&to).await;
                assert!(found >= before, "{found} of {before}");
                before = found;
            }
            stop.store(true, Relaxed);
            before
        };
        let (written, copied) = tokio::join!(writing, copying);
        assert!(copied <= written, "{copied} of {written}");
    }

    #[tokio::test]
    async fn a_log_that_a_crash_left_is_part_of_the_copy() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = database(dir.path()).await;
        write(&mut connection).await;
        let left = tempfile::tempdir().expect("a directory");
        for name in ["a.db", "a.db-wal"] {
            std::fs::copy(dir.path().join(name), left.path().join(name)).expect("copied");
        }
        copy(&left.path().join("a.db"), &left.path().join("b.db"), &Interrupt::default())
            .await
            .expect("copied");
        assert_eq!(rows(&left.path().join("b.db")).await, 1);
    }

    #[tokio::test]
    async fn an_empty_log_is_no_part_of_the_copy() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = database(dir.path()).await;
        write(&mut connection).await;
        connection.close().await.expect("closes");
        into_one_file(&dir.path().join("a.db")).await.expect("one file");
        std::fs::write(dir.path().join("a.db-wal"), "").expect("written");
        copy(&dir.path().join("a.db"), &dir.path().join("b.db"), &Interrupt::default())
            .await
            .expect("copied");
        assert_eq!(rows(&dir.path().join("b.db")).await, 1);
        assert!(!log_of(&dir.path().join("b.db")).exists());
    }

    #[tokio::test]
    async fn an_interrupted_copy_says_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut connection = database(dir.path()).await;
        write(&mut connection).await;
        let interrupt = Arc::new(AtomicBool::new(true));
        let ended = copy(&dir.path().join("a.db"), &dir.path().join("b.db"), &interrupt).await;
        assert!(matches!(ended, Err(BackupError::Interrupted)), "{ended:?}");
    }

    #[test]
    fn only_what_differs_is_copied_again() {
        let old = vec![1; 5 * BLOCK];
        let mut new = old.clone();
        new.extend([1; 10]);
        (new[BLOCK], new[3 * BLOCK - 1]) = (2, 2);
        assert_eq!(differing(&new, &old), [BLOCK..3 * BLOCK, 5 * BLOCK..5 * BLOCK + 10]);
    }
}
