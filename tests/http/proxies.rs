//! Behind nginx and Caddy below a path, with the configurations in `packaging/` and only their addresses filled in.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::redirect::Policy;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

const PASSWORD: &str = "ochre-window-47-lantern";
/// Where the client is: not where the proxy is, which the server trusts.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Where it says that it is.
const MADE_UP: &str = "203.0.113.9";

/// A proxy in front of a server with accounts. Dropping it ends both.
struct Front {
    server: Server,
    proxy: Child,
    /// The proxy, as `localhost:port`.
    host: String,
    cert: Vec<u8>,
    http: Client,
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

fn packaging(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name);
    std::fs::read_to_string(path).expect("a configuration")
}

/// The configuration with other values; each has to stand in it.
fn fill(mut text: String, values: &[(&str, String)]) -> String {
    for (from, to) in values {
        assert!(text.contains(from), "{from} stands in the configuration");
        text = text.replace(from, to);
    }
    text
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// nginx with everything in a directory of the test.
fn nginx(dir: &Path, upstream: &str, port: u16) -> Command {
    let text = |path: PathBuf| path.to_str().expect("text").to_owned();
    let site = fill(
        packaging("nginx.conf"),
        &[
            ("127.0.0.1:3000", upstream.to_owned()),
            ("443 ssl", format!("127.0.0.1:{port} ssl")),
            ("server_name wall.example.com", "server_name localhost".to_owned()),
            ("/etc/ssl/wall.example.com.pem", text(dir.join("cert.pem"))),
            ("/etc/ssl/wall.example.com.key", text(dir.join("key.pem"))),
            ("/var/log/nginx/access.log", text(dir.join("access.log"))),
        ],
    );
    let at = dir.display();
    let mut main = format!(
        "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        main.push_str(&format!("{kind}_temp_path {at}/{kind};\n"));
    }
    std::fs::write(dir.join("nginx.conf"), format!("{main}{site}}}\n")).expect("a file");
    let is_there = Path::new("/usr/sbin/nginx").exists();
    let mut command = Command::new(if is_there { "/usr/sbin/nginx" } else { "nginx" });
    command.arg("-p").arg(dir).arg("-e").arg("stderr").arg("-c").arg(dir.join("nginx.conf"));
    command
}

/// Caddy, with the certificate of the test in place of one that it would get.
fn caddy(dir: &Path, upstream: &str, port: u16) -> Command {
    let tls = format!("tls {0}/cert.pem {0}/key.pem", dir.display());
    let site = fill(
        packaging("Caddyfile"),
        &[
            ("127.0.0.1:3000", upstream.to_owned()),
            ("wall.example.com {", format!("https://localhost:{port} {{\n\tbind 127.0.0.1\n\t{tls}")),
        ],
    );
    let global = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n";
    std::fs::write(dir.join("Caddyfile"), format!("{global}{site}")).expect("a file");
    let mut command = Command::new("caddy");
    command.env("HOME", dir).env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.join("Caddyfile"));
    command
}

async fn start(command_of: fn(&Path, &str, u16) -> Command) -> Front {
    let port = free_port();
    let host = format!("localhost:{port}");
    let dir = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).expect("a file");
    std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    let log = std::fs::File::create(dir.path().join("log")).expect("a file");
    let mut command = command(dir.path());
    command.stderr(log).envs([
        ("LOCKSTEP_BASE_PATH", "/dash"),
        ("LOCKSTEP_PUBLIC_URL", &*format!("https://{host}")),
        ("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.1"),
        ("LOCKSTEP_INGEST_TOKEN", "token-of-the-test"),
    ]);
    let mut child = command.spawn().expect("the program runs");
    let url = address_of(&mut child);
    let upstream =
        url.strip_prefix("http://").and_then(|url| url.strip_suffix("/dash/")).expect("an address");
    let said = std::fs::File::create(dir.path().join("proxy.log")).expect("a file");
    let mut command = command_of(dir.path(), upstream, port);
    let proxy = command
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("the proxy is installed: scripts/setup.sh --test");
    let root = reqwest::Certificate::from_der(made.cert.der()).expect("a certificate");
    let http = Client::builder()
        .add_root_certificate(root)
        .redirect(Policy::none())
        .local_address(CLIENT)
        .build()
        .expect("a client");
    let server = Server { child, url, dir, http: Client::new() };
    let mut front = Front { server, proxy, host, cert: made.cert.der().to_vec(), http };
    let started = Instant::now();
    while front.http.get(front.url("/dash/healthz")).send().await.is_err() {
        let ended = front.proxy.try_wait().expect("waits");
        let said = || std::fs::read_to_string(front.server.dir.path().join("proxy.log")).unwrap_or_default();
        assert!(ended.is_none() && started.elapsed() < Duration::from_secs(20), "{}", said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    front
}

impl Front {
    fn url(&self, address: &str) -> String {
        format!("https://{}{address}", self.host)
    }

    async fn send(&self, method: Method, address: &str, cookie: &str, body: Option<Value>) -> Response {
        let mut request = self.http.request(method, self.url(address)).header("cookie", cookie);
        request =
            request.header("x-forwarded-for", MADE_UP).header("origin", format!("https://{}", self.host));
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("an answer")
    }

    async fn form(&self, address: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(self.url(address)).form(form).send().await.expect("an answer")
    }

    /// What the server answers to a request for a socket.
    async fn socket(&self, cookie: &str) -> u16 {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.cert.clone())).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let addr = self.host.replace("localhost", "127.0.0.1");
        let tcp = tokio::net::TcpStream::connect(addr).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("a handshake");
        let address = format!("wss://{}/dash/api/v1/ws", self.host);
        let mut request =
            tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(address)
                .expect("a request");
        for (name, value) in [("cookie", cookie), ("origin", &self.url(""))] {
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        match tokio_tungstenite::client_async(request, tls).await {
            Ok((_, answer)) => answer.status().as_u16(),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn cookie_of(answer: &Response) -> String {
    let set = header(answer, "set-cookie");
    assert!(
        set.starts_with("__Secure-lockstep") && set.contains("; Path=/dash;") && set.ends_with("; Secure"),
        "{set}"
    );
    set.split(';').next().expect("a pair").to_owned()
}

/// Page, redirect, sign-in, socket, push and share link below a path through a proxy.
async fn everything_goes_through(front: &Front) {
    let redirect = front.http.get(front.url("/dash?order=title")).send().await.expect("an answer");
    assert!(
        redirect.status().is_redirection() && header(&redirect, "location").ends_with("/dash/?order=title"),
        "{redirect:?}"
    );
    let log = std::fs::read_to_string(front.server.dir.path().join("log")).expect("a log");
    let (_, token) = log.rsplit_once(&front.url("/dash/setup#")).expect("the address for the first account");
    let token = token.split_whitespace().next().expect("a token");
    let first = [("token", token), ("email", "ada@example.com"), ("name", "Ada"), ("password", PASSWORD)];
    assert_eq!(front.form("/dash/setup", &first).await.status(), StatusCode::SEE_OTHER);
    let signed_out = front.http.get(front.url("/dash/status")).send().await.expect("an answer");
    assert_eq!(header(&signed_out, "location"), "/dash/sign-in?to=%2Fstatus");
    let form = [("email", "ada@example.com"), ("password", PASSWORD), ("to", "/status")];
    let signed_in = front.form("/dash/sign-in", &form).await;
    assert_eq!(header(&signed_in, "location"), "/dash/status");
    let ada = cookie_of(&signed_in);
    let page = front.send(Method::GET, "/dash/", &ada, None).await;
    assert_eq!(page.status(), StatusCode::OK);
    let html = page.text().await.expect("a page");
    assert!(html.contains("data-base=\"/dash\""), "{html}");
    let me =
        front.send(Method::GET, "/dash/api/v1/me", &ada, None).await.json::<Value>().await.expect("JSON");
    assert_eq!(
        me["sessions"][0]["address"], "127.0.0.2",
        "what a client says of itself does not count: {me}"
    );
    assert_eq!((front.socket(&ada).await, front.socket("").await), (101, 401));
    let made =
        front.send(Method::POST, "/dash/api/v1/dashboards", &ada, Some(json!({"title": "Shared"}))).await;
    let id = made.json::<Value>().await.expect("JSON")["id"].as_str().expect("an id").to_owned();
    let wish = json!({"role": "viewer", "days": 1});
    let link =
        front.send(Method::POST, &format!("/dash/api/v1/dashboards/{id}/links"), &ada, Some(wish)).await;
    let link = link.json::<Value>().await.expect("JSON");
    let opened = front.http.get(front.url(link["address"].as_str().expect("an address"))).send().await;
    let opened = opened.expect("an answer");
    assert_eq!(header(&opened, "location"), format!("/dash/d/{id}"));
    let guest = cookie_of(&opened);
    assert_eq!(
        front.send(Method::GET, &format!("/dash/d/{id}"), &guest, None).await.status(),
        StatusCode::OK
    );
    assert_eq!(front.socket(&guest).await, 101);
    // As much as is taken at once: lines of 100 bytes, some MiB of them.
    let lines = format!("orders,note={} value=1\n", "x".repeat(80)).repeat(80_000);
    let push =
        front.http.post(front.url("/dash/api/v2/write")).header("authorization", "Token token-of-the-test");
    assert_eq!(push.body(lines).send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn everything_goes_through_nginx() {
    let front = start(nginx).await;
    everything_goes_through(&front).await;
    let log = std::fs::read_to_string(front.server.dir.path().join("access.log")).expect("a log");
    assert!(
        log.contains("/dash/status") && !log.contains("/dash/s/"),
        "the address of a link is a secret: {log}"
    );
}

#[tokio::test]
async fn everything_goes_through_caddy() {
    everything_goes_through(&start(caddy).await).await;
}
