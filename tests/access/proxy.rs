//! Sign-in by the word of a proxy in front: one at 127.0.0.2 is trusted, and whoever else asks comes from 127.0.0.1.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::scene::{PASSWORD, Scene, client, cookie_of, setup_token};
use crate::support::Client as Socket;
use crate::support::program::{Program, command};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const USER: &str = "X-Forwarded-User";
const SET: [(&str, &str); 5] = [
    ("LOCKSTEP_ACCESS", "accounts"),
    ("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.2"),
    ("LOCKSTEP_PROXY_USER_HEADER", USER),
    ("LOCKSTEP_PROXY_NAME_HEADER", "X-Forwarded-Name"),
    ("LOCKSTEP_PROXY_EMAIL_HEADER", "X-Forwarded-Email"),
];

/// What comes through the proxy.
struct Proxied {
    http: Client,
    addr: SocketAddr,
}

impl Proxied {
    fn to(program: &Program) -> Self {
        let http = Client::builder().redirect(Policy::none()).local_address(Some(PROXY.into())).build();
        Self { http: http.expect("a client"), addr: program.addr }
    }

    fn request(&self, method: Method, path: &str, user: &str, cookie: &str) -> RequestBuilder {
        let request =
            self.http.request(method, format!("http://{}{path}", self.addr)).header("cookie", cookie);
        if user.is_empty() { request } else { request.header(USER, user) }
    }

    async fn get(&self, path: &str, user: &str, cookie: &str) -> Response {
        self.request(Method::GET, path, user, cookie).send().await.expect("an answer")
    }

    async fn status(&self, path: &str, user: &str, cookie: &str) -> u16 {
        self.get(path, user, cookie).await.status().as_u16()
    }

    async fn me(&self, user: &str, cookie: &str) -> Value {
        let answer = self.get("/api/v1/me", user, cookie).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.expect("JSON")
    }

    /// The cookie of the first page that somebody opens.
    async fn open(&self, user: &str) -> String {
        let page = self.get("/", user, "").await;
        assert_eq!(page.status(), StatusCode::OK);
        cookie_of(&page)
    }

    async fn socket(&self, user: &str, cookie: &str) -> Socket {
        let mut request = format!("ws://{}/api/v1/ws", self.addr).into_client_request().expect("a request");
        let origin = format!("http://{}", self.addr);
        for (name, value) in [(USER, user), ("cookie", cookie), ("origin", &origin)] {
            let name: reqwest::header::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        let tcp = tokio::net::TcpSocket::new_v4().expect("a socket");
        tcp.bind((PROXY, 0).into()).expect("an address of this machine");
        let stream = MaybeTlsStream::Plain(tcp.connect(self.addr).await.expect("a connection"));
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("a WebSocket");
        let mut socket = Socket { socket, seq: 0 };
        socket.hello(user).await;
        socket
    }
}

/// The server of a scene, started again after an admin let `root` of the proxy into the first account at the shell.
async fn join_at_shell(scene: Scene) -> (Program, tempfile::TempDir) {
    let Scene { program, dir, .. } = scene;
    program.signal("TERM");
    program.ended().await;
    let done = command(dir.path()).args(["admin", "join", "admin@example.com", "root"]).status();
    assert!(done.expect("runs").success());
    (Program::start(dir.path(), &SET), dir)
}

#[tokio::test]
async fn a8_whom_the_proxy_names_is_signed_in_and_nobody_else_by_that() {
    let scene = Scene::start_with(&SET).await;
    let proxied = Proxied::to(&scene.program);
    let first = proxied.request(Method::GET, "/", "bob", "").header("X-Forwarded-Name", "Bob Otter");
    let first = first.header("X-Forwarded-Email", "bob@example.com").send().await.expect("an answer");
    assert_eq!(first.status(), StatusCode::OK);
    let bob = cookie_of(&first);
    let me = proxied.me("bob", &bob).await;
    assert_eq!(
        (&me["person"]["name"], &me["person"]["email"]),
        (&json!("Bob Otter"), &json!("bob@example.com"))
    );
    assert_eq!((&me["has_password"], &me["is_admin"]), (&json!(false), &json!(false)));
    let again = proxied.get("/", "bob", &bob).await;
    assert_eq!(again.headers().get("set-cookie"), None, "one session");
    assert_eq!(proxied.status("/api/v1/me", "bob", "").await, 401, "a session begins with a page");

    // The cookie alone, and the header from elsewhere.
    assert_eq!(proxied.status("/api/v1/me", "", &bob).await, 401);
    assert_eq!(proxied.status("/sign-in", "", "").await, 403, "the proxy signs people in");
    let direct = |path: &str| scene.request(Method::GET, path, None);
    let cookie_alone = direct("/api/v1/me").header("cookie", &bob).send().await.expect("an answer");
    assert_eq!(cookie_alone.status(), StatusCode::UNAUTHORIZED);
    for path in ["/", "/api/v1/me", "/healthz", "/nowhere.css"] {
        let forged = direct(path).header(USER, "bob").header("cookie", &bob).send().await.expect("an answer");
        assert_eq!(forged.status(), StatusCode::BAD_REQUEST, "{path}");
        let says = forged.text().await.expect("a reason");
        assert!(says.contains("LOCKSTEP_TRUSTED_PROXIES"), "{says}");
    }
    assert_eq!(scene.program.log().matches("a request was turned down").count(), 1, "said once a minute");
    let twice = proxied.request(Method::GET, "/", "bob", &bob).header(USER, "carol");
    assert_eq!(twice.send().await.expect("an answer").status(), StatusCode::BAD_REQUEST);
    assert_eq!(proxied.status("/", "x".repeat(300).as_str(), "").await, 400);

    // Somebody else at the same browser.
    let mut socket = proxied.socket("bob", &bob).await;
    let page = proxied.get("/", "carol", &bob).await;
    let carol = cookie_of(&page);
    assert_eq!(proxied.me("carol", &carol).await["person"]["name"], "carol");
    assert_eq!(socket.closed().await, 4401, "the session of before is over");
    assert_eq!(proxied.status("/api/v1/me", "bob", &bob).await, 401);

    // Who signs in with a password goes on doing so beside the proxy.
    assert_eq!(scene.me(&scene.admin).await["person"]["name"], "Admin");
    let (_, audit) = scene.get("/api/v1/audit?what=sign_in", &scene.admin).await;
    let by_proxy = audit["entries"].as_array().expect("entries").iter();
    let by_proxy: Vec<_> = by_proxy.filter(|entry| entry["detail"]["provider"] == "proxy").collect();
    assert_eq!(by_proxy.len(), 2, "{audit}");
}

#[tokio::test]
async fn a8_sessions_by_the_proxy_end_as_others_do() {
    let scene = Scene::start_with(&SET).await;
    let proxied = Proxied::to(&scene.program);
    let bob = proxied.open("bob").await;
    let id = proxied.me("bob", &bob).await["person"]["id"].as_str().expect("an id").to_owned();
    let mut socket = proxied.socket("bob", &bob).await;
    scene.admin(Method::DELETE, &format!("/api/v1/admin/people/{id}/sessions"), Value::Null).await;
    assert_eq!(socket.closed().await, 4401);
    proxied.open("bob").await;
    scene.admin(Method::PUT, &format!("/api/v1/admin/people/{id}"), json!({"disabled": true})).await;
    let refused = proxied.get("/", "bob", "").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.expect("a page").contains("disabled"));
}

#[tokio::test]
async fn a8_an_identity_is_removed_by_an_admin_and_by_its_person_where_another_way_in_is_left() {
    let scene = Scene::start_with(&SET).await;
    let proxied = Proxied::to(&scene.program);
    let bob = proxied.open("bob").await;
    let me = proxied.me("bob", &bob).await;
    let identity = &me["identities"][0];
    assert_eq!((&identity["service"], &identity["subject"]), (&json!("the proxy"), &json!("bob")), "{me}");
    assert_eq!((&identity["counts"], &identity["may_remove"]), (&json!(true), &json!(false)), "{me}");
    let id = identity["id"].as_str().expect("an id");
    let own = format!("/api/v1/me/identities/{id}");
    let origin = format!("http://{}", scene.program.addr);
    let last = proxied.request(Method::DELETE, &own, "bob", &bob).header("origin", &origin).send().await;
    let last = last.expect("an answer");
    assert_eq!(last.status(), StatusCode::CONFLICT, "{}", last.text().await.expect("a body"));

    let (_, people) = scene.get("/api/v1/admin/people", &scene.admin).await;
    assert_eq!(people["sign_up_services"], json!(["the proxy"]), "who is removed may come back");
    let of_bob = people["accounts"].as_array().expect("accounts").iter();
    let card = of_bob.clone().find(|card| card["person"]["id"] == me["person"]["id"]).expect("is there");
    assert_eq!(
        (&card["identities"][0]["id"], &card["identities"][0]["may_remove"]),
        (&json!(id), &json!(true))
    );
    let mut socket = proxied.socket("bob", &bob).await;
    let account = me["person"]["id"].as_str().expect("an id");
    let path = format!("/api/v1/admin/people/{account}/identities/{id}");
    scene.admin(Method::DELETE, &path, Value::Null).await;
    assert_eq!(socket.closed().await, 4401);
    assert_eq!(proxied.status("/api/v1/me", "bob", &bob).await, 401);
    assert_eq!(scene.send(Method::DELETE, &path, Some(&scene.admin), None).await.0, 404, "it is gone");
    let (_, log) = scene.get("/api/v1/audit?what=identity_removed", &scene.admin).await;
    let entry = &log["entries"][0];
    assert_eq!((&entry["about"]["id"], &entry["detail"]["provider"]), (&json!(account), &json!("the proxy")));
    assert_eq!(entry["detail"]["subject"], "bob");
    // Whom the proxy names so is somebody new to this server.
    let anew = proxied.open("bob").await;
    assert_ne!(proxied.me("bob", &anew).await["person"]["id"], account);

    let (program, _dir) = join_at_shell(scene).await;
    let proxied = Proxied::to(&program);
    let root = proxied.open("root").await;
    let me = proxied.me("root", &root).await;
    let own = format!("/api/v1/me/identities/{}", me["identities"][0]["id"].as_str().expect("an id"));
    let origin = format!("http://{}", program.addr);
    let removed = proxied.request(Method::DELETE, &own, "root", &root).header("origin", &origin).send().await;
    assert_eq!(removed.expect("an answer").status(), StatusCode::NO_CONTENT, "there is a password");
    assert_eq!(proxied.status("/api/v1/me", "root", &root).await, 401, "the session of the proxy ended");
}

#[tokio::test]
async fn a8_a_mail_address_joins_nobody_unless_somebody_said_so() {
    let scene = Scene::start_with(&SET).await;
    let proxied = Proxied::to(&scene.program);
    let refused = proxied.get("/", "admin@example.com", "").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.expect("a page").contains("Ask an admin"));
    // By an admin at the shell.
    let (program, dir) = join_at_shell(scene).await;
    let proxied = Proxied::to(&program);
    let cookie = proxied.open("root").await;
    assert_eq!(proxied.me("root", &cookie).await["is_admin"], true);
    program.signal("TERM");
    program.ended().await;

    // By the settings: not to somebody whom the proxy calls something else already.
    let set = [&SET[..], &[("LOCKSTEP_PROXY_JOIN_BY_EMAIL", "true")]].concat();
    let program = Program::start(dir.path(), &set);
    let successor = Proxied::to(&program).get("/", "admin@example.com", "").await;
    assert_eq!(successor.status(), StatusCode::FORBIDDEN);
    let scene = Scene::start_with(&set).await;
    let proxied = Proxied::to(&scene.program);
    let cookie = proxied.open("admin@example.com").await;
    assert_eq!(proxied.me("admin@example.com", &cookie).await["is_admin"], true);
}

#[tokio::test]
async fn a8_the_first_admin_comes_through_the_proxy_as_themself() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &SET);
    let proxied = Proxied::to(&program);
    assert_eq!(proxied.status("/", "ada", "").await, 503, "not set up");
    let token = setup_token(&program);
    let form = [("token", &*token), ("email", "ada@example.com"), ("name", "Ada"), ("password", PASSWORD)];
    let made =
        proxied.request(Method::POST, "/setup", "ada", "").form(&form).send().await.expect("an answer");
    assert_eq!(made.status(), StatusCode::SEE_OTHER);
    let cookie = cookie_of(&made);
    let me = proxied.me("ada", &cookie).await;
    assert_eq!((&me["is_admin"], &me["identities"][0]["subject"]), (&json!(true), &json!("ada")));
    // It counts as any session that the proxy opened.
    assert_eq!(proxied.status("/api/v1/me", "", &cookie).await, 401);
    let alone = client().get(format!("http://{}/api/v1/me", program.addr)).header("cookie", &cookie);
    assert_eq!(alone.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED, "beside the proxy");
    let anew = proxied.open("ada").await;
    assert_eq!(proxied.me("ada", &anew).await["is_admin"], true, "without the password");
}
