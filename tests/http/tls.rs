//! TLS of the server itself: what it serves over it, who is turned away, and a certificate that is replaced meanwhile.

use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

use super::*;

/// A self-signed certificate of this machine with its key, both in PEM.
struct Certificate {
    cert: rcgen::Certificate,
    key: String,
}

impl Certificate {
    fn new() -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Self { cert: made.cert, key: made.signing_key.serialize_pem() }
    }

    fn write(&self, dir: &Path) {
        std::fs::write(dir.join("cert.pem"), self.cert.pem()).expect("a file");
        std::fs::write(dir.join("key.pem"), &self.key).expect("a file");
    }

    fn client(&self) -> Client {
        let root = reqwest::Certificate::from_der(self.cert.der()).expect("a certificate");
        Client::builder().add_root_certificate(root).build().expect("a client")
    }

    /// A connection whose server has this certificate.
    async fn connect(&self, addr: &str) -> std::io::Result<TlsStream<tokio::net::TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.cert.der().to_vec())).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tcp = tokio::net::TcpStream::connect(addr).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }
}

fn start(certificate: &Certificate, set: &[(&str, &str)]) -> Server {
    let dir = tempfile::tempdir().expect("a directory");
    certificate.write(dir.path());
    let log = std::fs::File::create(dir.path().join("log")).expect("a file");
    let mut command = command(dir.path());
    command.envs([("LOCKSTEP_TLS_CERT", "cert.pem"), ("LOCKSTEP_TLS_KEY", "key.pem")]);
    command.envs(set.iter().copied()).stderr(log);
    let mut child = command.spawn().expect("the program runs");
    let url = address_of(&mut child);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    Server { child, url, dir, http: certificate.client() }
}

fn addr(server: &Server) -> &str {
    server.url.strip_prefix("https://").expect("an address")
}

/// Tries until something is there.
async fn until<T>(what: &str, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = find().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn pages_and_files_of_any_size_come_over_tls_with_cookies_for_it() {
    let certificate = Certificate::new();
    let server = start(&certificate, &[]);
    let answer = server.get("/").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let cookie = header(&answer, "set-cookie");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    // Larger than what TLS and the kernel hold: a reader who begins late gets all of it.
    let large = "x".repeat(24 * 1024 * 1024);
    std::fs::write(server.dir.path().join("site/large.txt"), &large).expect("a file");
    let mut answer = server.get("/large.txt").await;
    let mut length = 0;
    while let Some(chunk) = answer.chunk().await.expect("more of it") {
        length += chunk.len();
    }
    assert_eq!(length, large.len());
    // On one connection, one after the other: nothing is left behind between them.
    for _ in 0..20 {
        assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    }
    let stream = certificate.connect(addr(&server)).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn plain_http_is_told_to_use_tls() {
    let server = start(&Certificate::new(), &[]);
    let mut stream = TcpStream::connect(addr(&server)).expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    assert!(said.starts_with("HTTP/1.1 400 ") && said.ends_with("https://\n"), "{said}");
    let (head, body) = said.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{said}");
}

#[tokio::test]
async fn a_certificate_is_replaced_while_sockets_are_open() {
    let (old, new) = (Certificate::new(), Certificate::new());
    let server = start(&old, &[]);
    let stream = old.connect(addr(&server)).await.expect("a handshake");
    let request = format!("wss://{}/api/v1/ws", addr(&server));
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("a socket");
    let mut is_alive = async || {
        let hello = json!({"type": "hello", "protocol": 1, "client": "c".repeat(22)});
        socket.send(Message::text(hello.to_string())).await.expect("sent");
        matches!(socket.next().await, Some(Ok(Message::Text(_))))
    };
    assert!(is_alive().await);
    let log = || std::fs::read_to_string(server.dir.path().join("log")).expect("a log");
    // Half of it is there: the key is still the old one's.
    std::fs::write(server.dir.path().join("cert.pem"), new.cert.pem()).expect("a file");
    until("it says why", async || log().contains("is not that of the certificate").then_some(())).await;
    assert!(old.connect(addr(&server)).await.is_ok(), "the old one goes on");
    new.write(server.dir.path());
    until("the new one holds", async || new.connect(addr(&server)).await.ok()).await;
    assert!(old.connect(addr(&server)).await.is_err());
    std::fs::remove_file(server.dir.path().join("key.pem")).expect("removed");
    until("it says so", async || log().contains("tls_key: ").then_some(())).await;
    assert!(new.connect(addr(&server)).await.is_ok(), "it stays");
    assert!(is_alive().await, "the socket of before is still open");
}

#[tokio::test]
async fn slow_handshakes_end_and_hold_nobody_up() {
    let certificate = Certificate::new();
    let server = start(&certificate, &[("LOCKSTEP_LIMIT_HEAD_MS", "3000")]);
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut stream = tokio::net::TcpStream::connect(addr(&server)).await.expect("a connection");
        // The begin of a handshake whose rest does not come. Those over the bound may be gone already.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &[0x16, 3, 1, 2, 0]).await;
        slow.push(stream);
    }
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    for mut stream in slow {
        // It ends, in whichever way.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut Vec::new()))
            .await
            .expect("an end");
    }
}

#[test]
fn files_that_cannot_be_used_stop_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (Certificate::new(), Certificate::new());
    one.write(dir.path());
    std::fs::write(dir.path().join("other.pem"), &other.key).expect("a file");
    std::fs::write(dir.path().join("empty.pem"), "").expect("a file");
    for (cert, key, code, words) in [
        ("missing.pem", "key.pem", 1, "tls_cert: "),
        ("cert.pem", "missing.pem", 1, "tls_key: "),
        ("empty.pem", "key.pem", 1, "has no certificate in PEM"),
        ("key.pem", "key.pem", 1, "has no certificate in PEM"),
        ("cert.pem", "cert.pem", 1, "has no private key in PEM"),
        ("cert.pem", "other.pem", 1, "is not that of the certificate"),
        ("cert.pem", "", 2, "LOCKSTEP_TLS_CERT is set, and needs LOCKSTEP_TLS_KEY"),
        ("", "key.pem", 2, "LOCKSTEP_TLS_KEY is set, and needs LOCKSTEP_TLS_CERT"),
    ] {
        let mut command = command(dir.path());
        command.envs([("LOCKSTEP_TLS_CERT", cert), ("LOCKSTEP_TLS_KEY", key)]).stderr(Stdio::piped());
        let output = command.output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{words}: {said}");
        assert!(!dir.path().join("data").exists(), "before anything is written");
    }
}
