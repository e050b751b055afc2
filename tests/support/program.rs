//! The real program with its data in a directory of the test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::Response;
use serde_json::{Value, json};

use super::PATIENCE;

/// A running server; dropping it is `kill -9`.
pub struct Program {
    pub child: Child,
    pub addr: SocketAddr,
    pub http: reqwest::Client,
    log: PathBuf,
}

/// What starts it, with settings for every test: its data is in `data` of the directory, its log in `log`.
pub fn command(dir: &Path) -> Command {
    command_of(Path::new(env!("CARGO_BIN_EXE_lockstep")), dir)
}

/// The same of another program, such as a copy.
pub fn command_of(program: &Path, dir: &Path) -> Command {
    let site = dir.join("site");
    std::fs::create_dir_all(site.join("pkg")).expect("a directory");
    std::fs::write(site.join("pkg/lockstep.js"), "").expect("a file");
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env("LOCKSTEP_ADDR", "127.0.0.1:0")
        // All tests come from one address.
        .env("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "1000000")
        .env("LOCKSTEP_DATA_DIR", dir.join("data"))
        .env("LOCKSTEP_SITE_ROOT", &site)
        .env("LOCKSTEP_LOG", "info,tower_http=warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log(dir));
    // SAFETY: between fork and exec a signal's disposition may be set, and nothing else happens here.
    #[cfg(unix)]
    unsafe {
        use std::os::unix::process::CommandExt as _;
        // Whoever runs the tests may have put hangups aside, as nohup does, and the server would inherit that.
        command.pre_exec(|| match libc::signal(libc::SIGHUP, libc::SIG_DFL) {
            libc::SIG_ERR => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    command
}

fn log(dir: &Path) -> std::fs::File {
    std::fs::File::options().create(true).append(true).open(dir.join("log")).expect("a file")
}

impl Program {
    pub fn start(dir: &Path, set: &[(&str, &str)]) -> Self {
        Self::of(command(dir).envs(set.iter().copied()), dir)
    }

    /// Starts what a command says, and waits until it serves.
    pub fn of(command: &mut Command, dir: &Path) -> Self {
        Self::served(command.spawn().expect("starts"), dir)
    }

    /// Waits until what was started serves.
    pub fn served(mut child: Child, dir: &Path) -> Self {
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is ours");
        BufReader::new(out).read_line(&mut line).expect("says where it is");
        let log = dir.join("log");
        let addr = line.trim().strip_prefix("Lockstep is at http://");
        let addr = addr.unwrap_or_else(|| panic!("it did not start: {}", read(&log)));
        Self { addr: addr.parse().expect("an address"), child, http: reqwest::Client::new(), log }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http.get(format!("http://{}{path}", self.addr)).send().await.expect("an answer")
    }

    /// The status of an answer and its body; `Null` where that is no JSON.
    pub async fn get_json(&self, path: &str) -> (u16, Value) {
        whole(self.get(path).await).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("http://{}{path}", self.addr)).json(&body);
        whole(request.send().await.expect("an answer")).await
    }

    /// A service as `/api/v1/status` tells it.
    pub async fn service(&self, name: &str) -> Value {
        let (_, status) = self.get_json("/api/v1/status").await;
        let services = status["services"].as_array().expect("services");
        services
            .iter()
            .find(|one| one["name"] == name)
            .unwrap_or_else(|| panic!("{name} in {status}"))
            .clone()
    }

    /// A service once it is in a state.
    pub async fn service_once(&self, name: &str, state: &str) -> Value {
        let waiting = async {
            loop {
                let service = self.service(name).await;
                if service["state"] == state {
                    return service;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let Ok(service) = tokio::time::timeout(PATIENCE, waiting).await else {
            panic!("{name} is not {state}: {}", self.service(name).await)
        };
        service
    }

    pub async fn make_dashboard(&self, title: &str) -> String {
        let (status, made) = self.post("/api/v1/dashboards", json!({"title": title})).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().expect("an id").to_owned()
    }

    /// All that it said to standard error so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Sends a signal, as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> ExitStatus {
        let waits = tokio::task::spawn_blocking(move || self.child.wait().expect("ends"));
        tokio::time::timeout(PATIENCE, waits).await.expect("it ends").expect("waits")
    }
}

/// What a program that does not start says, and with which code it ends.
pub fn refused(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("ends").code(), said)
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

async fn whole(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
