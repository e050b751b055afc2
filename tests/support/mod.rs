//! A server to test and plain WebSocket clients that know only the protocol.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod program;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use lockstep::app::address::BasePath;
use lockstep::dashboard::settings::Chosen;
use lockstep::server::access::Access;
use lockstep::server::clock::now_ms;
use lockstep::server::config::{Config, LogFormat};
use lockstep::server::data::sources::Sources;
use lockstep::server::data::{Answer, Ask, Curve, Source, SourceError, SourceState};
use lockstep::server::limits::Limits;
use lockstep::server::metrics::Metrics;
use lockstep::server::origin::Origins;
use lockstep::server::peer::{self, TrustedProxies};
use lockstep::server::rooms::Rooms;
use lockstep::server::socket::{self, Sockets};
use lockstep::server::store::Store;
use lockstep::server::store::sqlite::SqliteStore;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server within the test: rooms, socket and store as in the program.
pub struct Server {
    pub rooms: Rooms,
    pub metrics: Arc<Metrics>,
    pub points: Arc<Points>,
    pub addr: SocketAddr,
    pub dir: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(limits: Limits) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), limits).await
    }

    pub async fn start_in(dir: tempfile::TempDir, limits: Limits) -> Self {
        let store = SqliteStore::open(&dir.path().join("lockstep.db")).await.expect("a store");
        Self::start_with(Arc::new(store), dir, limits).await
    }

    pub async fn start_with(store: Arc<dyn Store>, dir: tempfile::TempDir, limits: Limits) -> Self {
        let access = Arc::new(Access::open_to_all());
        let (metrics, points) = (Arc::new(Metrics::default()), Arc::new(Points::default()));
        let config = config(dir.path(), limits.clone());
        let limits = Arc::new(limits);
        let sources = Sources::new([points.clone() as Arc<dyn Source>], limits.clone());
        let rooms = Rooms::new(store, access, limits, metrics.clone(), sources);
        let origins = Arc::new(Origins::new(&config));
        let sockets = Sockets::new(rooms.clone(), origins, "of the test").await.expect("a secret");
        let proxies = TrustedProxies::new(&config.trusted_proxies);
        let router = Router::new()
            .route("/api/v1/ws", get(socket::upgrade))
            .layer(from_fn_with_state(proxies, peer::load_peer))
            .with_state(sockets)
            .into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind(config.addr).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { rooms, metrics, points, addr, dir, task }
    }

    /// A dashboard with one widget, `w1`.
    pub async fn dashboard(&self) -> String {
        let dashboard = json!({"title": "Test", "widgets": {"w1": stat("Orders")}});
        let dashboard = serde_json::from_value(dashboard).expect("a dashboard");
        self.rooms.create_with(dashboard).await.expect("made").to_string()
    }

    /// A dashboard of so many bytes as JSON, about.
    pub async fn large_dashboard(&self, bytes: usize) -> String {
        const EACH: usize = 25_000;
        let table = |n: usize| {
            let mut table = stat("Large");
            table["kind"] = json!("table");
            table["options"] = json!({"data": "x".repeat(EACH)});
            (format!("w{n}"), table)
        };
        let widgets: serde_json::Map<String, Value> = (10..10 + bytes / EACH).map(table).collect();
        let dashboard = serde_json::from_value(json!({"title": "Large", "widgets": widgets}));
        self.rooms.create_with(dashboard.expect("a dashboard")).await.expect("made").to_string()
    }

    /// Ends in good order; the directory can be served again.
    pub async fn stop(self) -> tempfile::TempDir {
        self.rooms.drain(100).await;
        self.task.abort();
        self.rooms.store().close().await;
        self.dir
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// A client that said hello and joined.
    pub async fn joined(&self, secret: &str, dashboard: &str) -> Client {
        let mut client = self.connect().await;
        client.hello(secret).await;
        client.join(dashboard).await;
        client
    }
}

/// Settings for a server on a port of its own.
pub fn config(data_dir: &Path, limits: Limits) -> Config {
    Config {
        addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: data_dir.to_owned(),
        data_must_exist: false,
        site_root: None,
        log: "warn".to_owned(),
        log_format: LogFormat::Text,
        public_url: None,
        base_path: BasePath::default(),
        tls: None,
        allowed_origins: Vec::new(),
        // A test says of itself where it comes from.
        trusted_proxies: vec!["127.0.0.1/32".parse().expect("a network")],
        access: None,
        proxy: None,
        guests: None,
        second_factor_required: false,
        allow_open_access_on_network: false,
        ingest_token: None,
        series_hours: 24,
        bin_days: 30,
        prometheus: Vec::new(),
        sql: Vec::new(),
        http: Vec::new(),
        oidc: None,
        backups: None,
        limits,
        task: None,
        warnings: Vec::new(),
    }
}

/// A stat as it stands in a snapshot.
pub fn stat(title: &str) -> Value {
    json!({"kind": "stat", "title": title, "frame": {"x": 0, "y": 0, "w": 6, "h": 4}, "options": {}})
}

/// A source of points that the test feeds.
pub struct Points {
    /// The time of the point before the first, Unix milliseconds.
    pub begin: u64,
    count: watch::Sender<u64>,
    poisoned: AtomicBool,
}

impl Default for Points {
    fn default() -> Self {
        Self { begin: now_ms(), count: watch::Sender::new(0), poisoned: AtomicBool::new(false) }
    }
}

impl Points {
    /// One more point of every query; its value is its number, its time so many milliseconds after `begin`.
    pub fn add(&self) {
        self.count.send_modify(|count| *count += 1);
    }

    /// Whoever asks for points from now on panics, or not any more.
    pub fn poison(&self, poisoned: bool) {
        self.poisoned.store(poisoned, SeqCst);
    }
}

#[async_trait::async_trait]
impl Source for Points {
    fn name(&self) -> &str {
        ""
    }

    fn kind(&self) -> &'static str {
        "test"
    }

    fn is_here(&self) -> bool {
        true
    }

    fn news(&self) -> Option<watch::Receiver<u64>> {
        Some(self.count.subscribe())
    }

    fn every_ms(&self) -> u64 {
        250
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        assert!(!self.poisoned.load(SeqCst), "poisoned by the test");
        let known = ask.known.get(&ask.text).map_or(0, |known| known - self.begin);
        let points = (known + 1..=*self.count.borrow()).map(|n| (self.begin + n, Some(n as f64))).collect();
        let curve = Curve { name: ask.text.clone(), points, ..Curve::default() };
        Ok(Answer { curves: vec![curve], count: 1, living: 1, ..Answer::default() })
    }

    async fn values(
        &self,
        _: &str,
        _: &str,
        _: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError> {
        Ok(Vec::new())
    }

    fn state(&self) -> SourceState {
        SourceState::default()
    }
}

/// A client that speaks JSON over a WebSocket and knows nothing else.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub seq: u64,
}

/// What comes next over the socket.
#[derive(Debug)]
pub enum Got {
    Frame(Value),
    Closed(u16),
    /// Without a close frame.
    Cut,
}

impl Client {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::connect_with(addr, &[]).await.expect("a connection")
    }

    pub async fn connect_with(addr: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{addr}/api/v1/ws").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket, seq: 0 })
    }

    /// A client whose own buffer takes next to nothing of what it does not read.
    pub async fn connect_narrow(addr: SocketAddr) -> Self {
        let tcp = tokio::net::TcpSocket::new_v4().expect("a socket");
        tcp.set_recv_buffer_size(4 * 1024).expect("a size");
        let stream = MaybeTlsStream::Plain(tcp.connect(addr).await.expect("a connection"));
        let request = format!("ws://{addr}/api/v1/ws").into_client_request().expect("a request");
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("a WebSocket");
        Self { socket, seq: 0 }
    }

    pub async fn text(&mut self, text: impl Into<String>) {
        // A server that closes meanwhile is what the next read tells about.
        let _ = self.socket.send(Message::text(text.into())).await;
    }

    pub async fn bytes(&mut self, bytes: &'static [u8]) {
        let _ = self.socket.send(Message::Binary(Bytes::from_static(bytes))).await;
    }

    pub async fn send(&mut self, frame: Value) {
        self.text(frame.to_string()).await;
    }

    /// Whatever comes next.
    pub async fn got(&mut self) -> Got {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Got::Frame(serde_json::from_str(&text).expect("the server speaks JSON"));
                    }
                    Some(Ok(Message::Close(Some(frame)))) => return Got::Closed(frame.code.into()),
                    Some(Ok(Message::Close(None))) | Some(Err(_)) | None => return Got::Cut,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the server says something")
    }

    /// The next frame of a type; presence and data that come in between are passed over.
    pub async fn expect(&mut self, kind: &str) -> Value {
        loop {
            match self.got().await {
                Got::Frame(frame) if frame["type"] == kind => return frame,
                Got::Frame(frame) if frame["type"] == "presence" || frame["type"] == "data" => {}
                other => panic!("{kind} wanted, got {other:?}"),
            }
        }
    }

    /// The next frame of a type; whatever comes in between is passed over.
    pub async fn expect_any(&mut self, kind: &str) -> Value {
        loop {
            match self.got().await {
                Got::Frame(frame) if frame["type"] == kind => return frame,
                Got::Frame(_) => {}
                other => panic!("{kind} wanted, got {other:?}"),
            }
        }
    }

    /// The code that the server closes with; frames before it are passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.got().await {
                Got::Frame(_) => {}
                Got::Closed(code) => return code,
                Got::Cut => panic!("cut without a close code"),
            }
        }
    }

    /// Everything that was on its way here by now: a ping is answered behind it.
    pub async fn so_far(&mut self) -> Vec<Value> {
        self.send(json!({"type": "ping", "id": 99})).await;
        let mut frames = Vec::new();
        loop {
            match self.got().await {
                Got::Frame(frame) if frame["type"] == "pong" => return frames,
                Got::Frame(frame) => frames.push(frame),
                other => panic!("no pong but {other:?}"),
            }
        }
    }

    pub async fn hello(&mut self, secret: &str) -> Value {
        self.send(json!({"type": "hello", "protocol": 1, "client": secret, "name": secret})).await;
        self.expect("welcome").await
    }

    pub async fn join(&mut self, dashboard: &str) -> Value {
        self.send(json!({"type": "join", "dashboard": dashboard})).await;
        let joined = self.expect("joined").await;
        self.seq = joined["last_seq"].as_u64().expect("a number");
        joined
    }

    pub async fn resume(&mut self, dashboard: &str, epoch: &Value, revision: u64) -> Value {
        let resume = json!({"epoch": epoch, "revision": revision});
        self.send(json!({"type": "join", "dashboard": dashboard, "resume": resume})).await;
        self.expect("joined").await
    }

    /// Pushes one change that sets the title of `w1`; returns its `seq`.
    pub async fn push_title(&mut self, dashboard: &str, title: &str) -> u64 {
        self.seq += 1;
        let seq = self.seq;
        self.push(dashboard, json!([change(seq, title)])).await;
        seq
    }

    pub async fn push(&mut self, dashboard: &str, changes: Value) {
        self.send(json!({"type": "push", "dashboard": dashboard, "changes": changes})).await;
    }

    /// The commits of the next `commits` frame.
    pub async fn commits(&mut self) -> Vec<Value> {
        self.expect("commits").await["commits"].as_array().expect("commits").clone()
    }

    /// Still there: a ping is answered.
    pub async fn is_alive(&mut self) {
        self.so_far().await;
    }
}

/// A change that sets the title of `w1`.
pub fn change(seq: u64, title: &str) -> Value {
    let op = json!({"op": "set", "id": "w1", "field": "title", "value": title});
    json!({"seq": seq, "base": 0, "ops": [op]})
}
