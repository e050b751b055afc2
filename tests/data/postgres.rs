//! A real PostgreSQL in a directory of its own, which ends with the test.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::clients::SET_UP;

/// Where Debian has the programs that are not for everybody.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// The user and the group `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;
/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server.
pub struct Postgres {
    child: Child,
    port: u16,
}

impl Postgres {
    /// Starts one with the database `shop`, in which `ada` may do everything.
    pub async fn start(dir: &Path) -> Self {
        let data = dir.join("postgres");
        std::fs::create_dir(&data).expect("a directory");
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711)).expect("permissions");
            chown(&data, Some(NOBODY), Some(NOBODY)).expect("another owner");
        }
        let program = |name: &str| {
            let path = format!("{PROGRAMS}/{name}");
            let mut command = if is_root {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", &path]);
                command
            } else {
                Command::new(path)
            };
            command.arg("-D").arg(data.join("db")).current_dir(&data);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let password = data.join("password");
        std::fs::write(&password, "s3cret").expect("a file");
        if is_root {
            chown(&password, Some(NOBODY), Some(NOBODY)).expect("another owner");
        }
        let made = program("initdb")
            .args(["-U", "ada", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C"])
            .arg(format!("--pwfile={}", password.display()))
            .status();
        let made = made.unwrap_or_else(|error| panic!("initdb: {error}; {SET_UP}"));
        assert!(made.success(), "initdb: {made}; {SET_UP}");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let child = program("postgres")
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .arg("-k")
            .arg(&data)
            .spawn()
            .expect("starts");
        let server = Self { child, port };
        server.run("postgres", "CREATE DATABASE shop").await;
        server
    }

    /// As the settings name the database.
    pub fn url(&self) -> String {
        self.url_of("shop")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://ada:s3cret@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements in a database, once the server takes connections.
    pub async fn run(&self, database: &str, statements: &str) {
        let connect = async {
            loop {
                if let Ok(connection) = PgConnection::connect(&self.url_of(database)).await {
                    break connection;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let mut connection = tokio::time::timeout(PATIENCE, connect).await.expect("it starts");
        connection.execute(sqlx::raw_sql(statements)).await.expect("runs");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // With its processes, at once.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = self.child.wait();
    }
}
