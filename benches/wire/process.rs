//! The measured server as a process of its own: started, pinned, weighed.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

/// A running server. It is killed and its data removed when this is dropped.
pub struct Process {
    child: Child,
    /// `host:port`
    pub address: String,
    data_dir: Option<tempfile::TempDir>,
    /// Session cookies of its people, as a request carries them; empty where nobody signs in.
    cookies: Vec<String>,
    /// Whose turn it is to connect.
    next: Cell<usize>,
}

impl Process {
    /// Starts Lockstep on a free port with an empty data directory and without limits on pace.
    pub fn lockstep() -> Self {
        Self::lockstep_with(&[])
    }

    /// The same with settings.
    pub fn lockstep_with(set: &[(&str, &str)]) -> Self {
        Self::with_data(data_dir(), set)
    }

    /// Starts it on a directory that has data already.
    pub fn lockstep_on(data_dir: tempfile::TempDir, set: &[(&str, &str)]) -> Self {
        Self::with_data(data_dir, set)
    }

    /// Kills it, and starts it again with its data, at another address.
    pub fn killed_and_started(mut self) -> Self {
        let data_dir = self.data_dir.take().expect("only Lockstep keeps any");
        drop(self);
        Self::with_data(data_dir, &[])
    }

    /// Ends it in good order; what it leaves is its data.
    pub fn stopped(mut self) -> tempfile::TempDir {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|told| told.success()), "it is told to stop");
        self.child.wait().expect("it ends");
        self.data_dir.take().expect("only Lockstep keeps any")
    }

    /// Where its data is.
    pub fn data(&self) -> &Path {
        self.data_dir.as_ref().expect("only Lockstep keeps any").path()
    }

    /// Starts Lockstep on data that is there.
    pub fn with_data(data_dir: tempfile::TempDir, set: &[(&str, &str)]) -> Self {
        let mut command = pinned(&program());
        command
            .env("LOCKSTEP_ADDR", "127.0.0.1:0")
            .env("LOCKSTEP_DATA_DIR", data_dir.path())
            .env("LOCKSTEP_LOG", "error")
            .env("LOCKSTEP_LIMIT_CHANGES_PER_S", "10000000")
            .env("LOCKSTEP_LIMIT_CHANGES_BURST", "10000000")
            .env("LOCKSTEP_LIMIT_SESSIONS_PER_ROOM", "10000")
            .env("LOCKSTEP_LIMIT_SESSIONS_PER_PERSON", "10000")
            .env("LOCKSTEP_LIMIT_ROOM_SESSIONS_PER_ADDRESS", "10000")
            .env("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "1000000")
            .env("LOCKSTEP_LIMIT_SESSION_STARTS_BURST", "1000000")
            .env("LOCKSTEP_LIMIT_OUTBOUND_BYTES", "268435456")
            .envs(set.iter().copied());
        Self::start(command, Some(data_dir))
    }

    /// Starts the broadcast without any logic, this same program.
    pub fn broadcast(batched: bool) -> Self {
        let mut command = pinned(&env::current_exe().expect("this program has a path"));
        command.arg(if batched { "--broadcast-batched" } else { "--broadcast" });
        Self::start(command, None)
    }

    /// Starts a VictoriaMetrics with an empty directory; `None` where this machine has none.
    pub fn victoria_metrics() -> Option<Self> {
        let data_dir = data_dir();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address").to_string();
        drop(listener);
        let name = Path::new("victoria-metrics");
        Command::new(name).arg("--version").output().ok()?;
        let mut command = pinned(name);
        command
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", data_dir.path().display()))
            .args(["-retentionPeriod=2d", "-loggerLevel=ERROR"])
            .stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        while TcpStream::connect(&address).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, address, data_dir: Some(data_dir), cookies: Vec::new(), next: Cell::new(0) })
    }

    /// Bytes of the files in which its points are.
    pub fn bytes(&self) -> u64 {
        fn of(folder: &Path) -> u64 {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let bytes = entries.filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                // Dashboards are no points.
                let is_other = entry.file_name().to_string_lossy().starts_with("lockstep.");
                Some(match () {
                    () if metadata.is_dir() => of(&entry.path()),
                    () if is_other => 0,
                    () => metadata.len(),
                })
            });
            bytes.sum()
        }
        of(self.data())
    }

    fn start(mut command: Command, data_dir: Option<tempfile::TempDir>) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let address = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("http://")?.1.trim_end_matches('/').to_owned()))
            .expect("the server says where it is");
        Self { child, address, data_dir, cookies: Vec::new(), next: Cell::new(0) }
    }

    /// The same with people who are signed in, by whom clients connect in turns.
    pub fn with_people(mut self, cookies: Vec<String>) -> Self {
        self.cookies = cookies;
        self
    }

    /// Header lines of somebody; none where nobody signs in.
    pub fn headers(&self, number: usize) -> String {
        let Some(cookie) = self.cookies.get(number) else { return String::new() };
        format!("Cookie: {cookie}\r\nOrigin: http://{}\r\n", self.address)
    }

    /// Header lines of whoever connects next.
    pub fn next_headers(&self) -> String {
        let number = self.next.get();
        self.next.set((number + 1) % self.cookies.len().max(1));
        self.headers(number)
    }

    /// A request by the first of its people.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let address = &self.address;
        let request = reqwest::Client::new().request(method, format!("http://{address}{path}"));
        match self.cookies.first() {
            Some(cookie) => request.header("cookie", cookie).header("origin", format!("http://{address}")),
            None => request,
        }
    }

    /// Seconds of CPU that it has used, to the nanosecond; `None` where there is no such clock.
    #[cfg(target_os = "linux")]
    pub fn cpu(&self) -> Option<f64> {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both write into the variables above, and into nothing else.
        let is_read = unsafe {
            libc::clock_getcpuclockid(self.child.id().cast_signed(), &raw mut clock) == 0
                && libc::clock_gettime(clock, &raw mut time) == 0
        };
        is_read.then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }

    #[cfg(not(target_os = "linux"))]
    pub fn cpu(&self) -> Option<f64> {
        None
    }

    /// KiB of memory that it has; `None` where there is no `/proc`.
    pub fn memory_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which the measurement has then said already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.data_dir.take());
    }
}

/// A directory for the data on a real disk: an append that is durable in memory only proves nothing.
pub fn data_dir() -> tempfile::TempDir {
    let parent = env::var_os("LOCKSTEP_BENCH_DIR").map_or_else(env::temp_dir, PathBuf::from);
    tempfile::TempDir::with_prefix_in("lockstep-bench-", parent).expect("a directory for the data")
}

/// The program that is measured: `$LOCKSTEP_BIN`, or the one that cargo built for this bench.
pub fn program() -> PathBuf {
    env::var_os("LOCKSTEP_BIN").map_or_else(|| env!("CARGO_BIN_EXE_lockstep").into(), PathBuf::from)
}

/// A command on the first core, where the machine can pin.
fn pinned(program: &Path) -> Command {
    let can_pin = Command::new("taskset").args(["-c", "0", "true"]).status().is_ok_and(|s| s.success());
    if can_pin {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}
