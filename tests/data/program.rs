//! The real program with its data in a directory, and what it answers over HTTP.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

/// A running server; dropping it is `kill -9`.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
    http: Client,
}

impl Program {
    /// Starts it with settings beside those of every test.
    pub fn start(dir: &Path, set: &[(&str, &str)]) -> Self {
        let site = dir.join("site");
        std::fs::create_dir_all(site.join("pkg")).expect("a directory");
        std::fs::write(site.join("pkg/lockstep.js"), "").expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .current_dir(dir)
            .env("LOCKSTEP_ADDR", "127.0.0.1:0")
            // All tests come from one address.
            .env("LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST", "1000000")
            .env("LOCKSTEP_DATA_DIR", dir.join("data"))
            .env("LOCKSTEP_SITE_ROOT", &site)
            .env("LOCKSTEP_LOG", "warn")
            .envs(set.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is ours");
        BufReader::new(out).read_line(&mut line).expect("says where it is");
        let addr = line.trim().strip_prefix("Lockstep is at http://").expect("one line with the address");
        Self { addr: addr.parse().expect("an address"), child, http: Client::new() }
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("http://{}{path}", self.addr))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http.get(format!("http://{}{path}", self.addr)).send().await.expect("an answer")
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    /// Posts a body; the status and the answer, `Null` where it is none.
    pub async fn push(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.post(path).body(body)).await
    }

    /// The value of a line of `/metrics`.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("{name} in {text}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// Unix milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}
