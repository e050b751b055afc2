//! Place of the day: a folder with a small disk of its own, a clock that can be set, and the real program.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Megabytes of the disk: enough for the day, little enough to be filled in a moment.
const DISK_MB: u64 = 96;
/// How long the program may take to start, built without optimisation on a busy machine.
const START: Duration = Duration::from_secs(60);

pub struct Place {
    root: tempfile::TempDir,
    /// Why the data is on no disk of its own.
    pub no_disk: Option<String>,
    /// Why the clock cannot be set.
    pub no_clock: Option<String>,
    pub addr: SocketAddr,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["data", "site/pkg", "backups"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        std::fs::write(root.path().join("site/pkg/lockstep.js"), "").expect("a file");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let no_disk = mount(&root.path().join("data")).err();
        let no_clock = build_clock(root.path()).err();
        Self { root, no_disk, no_clock, addr }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Sets the clock that the program sees, by seconds from the true one.
    pub fn set_clock(&self, seconds: i64) {
        // In its place: the program has it mapped, and a file that is cut for a moment would kill it.
        let mut file = File::options().write(true).open(self.path("clock")).expect("a file");
        file.write_all(&seconds.to_ne_bytes()).expect("there is room for a number");
    }

    /// The program with arguments, as everything here runs it.
    pub fn program<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let program = std::env::var_os("LOCKSTEP_BIN")
            .map_or_else(|| env!("CARGO_BIN_EXE_lockstep").into(), PathBuf::from);
        let log = File::options().create(true).append(true).open(self.path("log")).expect("a file");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.root.path())
            .env("LOCKSTEP_ADDR", self.addr.to_string())
            .env("LOCKSTEP_DATA_DIR", self.data())
            .env("LOCKSTEP_SITE_ROOT", self.path("site"))
            .env("LOCKSTEP_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(log);
        if self.no_clock.is_none() {
            command.env("LD_PRELOAD", self.path("clock.so")).env("BAD_DAY_CLOCK", self.path("clock"));
        }
        command
    }

    pub fn start(&self) -> Server {
        let arguments: [&str; 0] = [];
        let mut child = self.program(arguments).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("its output is ours"));
        let (said, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let here = out.lines().map_while(Result::ok).any(|line| line.contains("http://"));
            // Nobody may wait any more.
            let _ = said.send(here);
        });
        if heard.recv_timeout(START) != Ok(true) {
            let _ = child.kill();
            panic!("the program does not start; its log:\n{}", self.end_of_log());
        }
        Server { child }
    }

    /// The last lines of what the program has logged.
    pub fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Fills the disk to the last byte.
    pub fn fill(&self) {
        let mut file = File::create(self.data().join("filling")).expect("there is room for a name");
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![1; size]).is_err() {
                size /= 2;
            }
        }
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.data().join("filling")).expect("it was there");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.no_disk.is_none() {
            // Else it goes with the namespace of the script.
            let _ = Command::new("umount").arg(self.data()).status();
        }
    }
}

/// A running server. Dropping it is `kill -9`.
pub struct Server {
    child: Child,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory that it has.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it in good order.
    pub fn terminate(mut self) -> Option<ExitStatus> {
        signal(self.id(), "-TERM");
        wait(&mut self.child, Duration::from_secs(60))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(id: u32, signal: &str) {
    let _ = Command::new("kill").args([signal, &id.to_string()]).status();
}

/// Waits for a process to end; `None` where it goes on for longer.
pub fn wait(child: &mut Child, most: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < most {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// A disk of its own for the data.
fn mount(at: &Path) -> Result<(), String> {
    let size = format!("size={DISK_MB}m");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
    match mounted {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("mount: {error}")),
    }
}

/// A library that adds to the system's clock what a file says.
fn build_clock(root: &Path) -> Result<(), String> {
    const SOURCE: &str = include_str!("clock.c");
    std::fs::write(root.join("clock"), 0i64.to_ne_bytes()).map_err(|error| error.to_string())?;
    std::fs::write(root.join("clock.c"), SOURCE).map_err(|error| error.to_string())?;
    if !cfg!(target_os = "linux") {
        return Err("a library before others is Linux's".to_owned());
    }
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(root.join("clock.so"))
        .arg(root.join("clock.c"))
        .args(["-ldl"])
        .output();
    match built {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("cc: {error}")),
    }
}
