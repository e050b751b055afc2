//! A server with accounts and people of every kind.

use lockstep::app::screens::CODE_CHARS;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::support::Client as Socket;
use crate::support::program::Program;

/// Passwords that the server takes.
pub const PASSWORD: &str = "ochre-window-47-lantern";

/// A server with accounts, and its first admin.
pub struct Scene {
    pub program: Program,
    pub dir: tempfile::TempDir,
    /// Follows no redirect.
    pub http: Client,
    pub admin: Person,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    /// The whole header.
    pub cookie: String,
}

/// A client that follows no redirect.
pub fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().expect("a client")
}

/// The set-up token that a server wrote to its log last.
pub fn setup_token(program: &Program) -> String {
    let log = program.log();
    let (_, rest) = log.rsplit_once("/setup#").unwrap_or_else(|| panic!("no token in {log}"));
    rest.split_whitespace().next().expect("a token").to_owned()
}

/// The session's cookie that an answer sets, as a request carries it.
pub fn cookie_of(response: &Response) -> String {
    let set = response.headers().get("set-cookie").expect("a cookie").to_str().expect("text");
    set.split(';').next().expect("a pair").to_owned()
}

/// The code on the page of a screen that waits, however it is grouped.
pub fn code_of(page: &str) -> String {
    let body = page.split_once("<body").expect("a body").1;
    let texts = body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
    let text: String = texts.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    let is_code = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let mut runs = text.split(|c: char| !is_code(c));
    runs.find(|run| run.len() >= CODE_CHARS).map(|run| run[..CODE_CHARS].to_owned()).expect("a code")
}

impl Scene {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(set: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let program = Program::start(dir.path(), &[&[("LOCKSTEP_ACCESS", "accounts")], set].concat());
        Self::set_up(program, dir).await
    }

    /// Makes the first account.
    pub async fn set_up(program: Program, dir: tempfile::TempDir) -> Self {
        let mut scene = Self::set_up_unasked(program, dir).await;
        scene.admin.id = scene.me(&scene.admin).await["person"]["id"].as_str().expect("an id").to_owned();
        scene
    }

    /// The same without asking who the admin is, which a server may not answer yet.
    pub async fn set_up_unasked(program: Program, dir: tempfile::TempDir) -> Self {
        let http = client();
        let form = [
            ("token", setup_token(&program)),
            ("email", "admin@example.com".to_owned()),
            ("name", "Admin".to_owned()),
            ("password", PASSWORD.to_owned()),
        ];
        let made =
            http.post(format!("http://{}/setup", program.addr)).form(&form).send().await.expect("an answer");
        assert_eq!(made.status(), StatusCode::SEE_OTHER, "{}", made.text().await.expect("a body"));
        let admin =
            Person { id: String::new(), email: "admin@example.com".to_owned(), cookie: cookie_of(&made) };
        Self { program, dir, http, admin }
    }

    pub fn request(&self, method: Method, path: &str, who: Option<&Person>) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.program.addr));
        match who {
            Some(person) => request.header("cookie", &person.cookie),
            None => request,
        }
    }

    /// The status of an answer and its body; `Null` where that is no JSON.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        who: Option<&Person>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let request = self.request(method, path, who);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    pub async fn get(&self, path: &str, who: &Person) -> (u16, Value) {
        self.send(Method::GET, path, Some(who), None).await
    }

    pub async fn me(&self, who: &Person) -> Value {
        let (status, me) = self.get("/api/v1/me", who).await;
        assert_eq!(status, 200, "{me}");
        me
    }

    /// Does something as an admin that goes well.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(method, path, Some(&self.admin), Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    pub async fn make_team(&self, name: &str) -> String {
        let made = self.admin(Method::POST, "/api/v1/admin/teams", json!({"name": name})).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Somebody who followed an invitation into a team.
    pub async fn invite(&self, name: &str, team: &str, role: &str) -> Person {
        let invitation = json!({"team": team, "role": role});
        let made = self.admin(Method::POST, "/api/v1/admin/invitations", invitation).await;
        let address = made["address"].as_str().expect("an address");
        let email = format!("{name}@example.com");
        let form = [("email", &*email), ("name", name), ("password", PASSWORD)];
        let joined = self.request(Method::POST, address, None).form(&form).send().await.expect("an answer");
        assert_eq!(joined.status(), StatusCode::SEE_OTHER, "{}", joined.text().await.expect("a body"));
        let mut person = Person { id: String::new(), email, cookie: cookie_of(&joined) };
        person.id = self.me(&person).await["person"]["id"].as_str().expect("an id").to_owned();
        person
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Response {
        let form = [("email", email), ("password", password), ("to", "/status")];
        self.request(Method::POST, "/sign-in", None).form(&form).send().await.expect("an answer")
    }

    /// A dashboard of somebody, which no team owns.
    pub async fn make_dashboard(&self, who: &Person, title: &str) -> String {
        let (status, made) =
            self.send(Method::POST, "/api/v1/dashboards", Some(who), Some(json!({"title": title}))).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().expect("an id").to_owned();
        self.share(who, &id, json!({"team": "nobody"})).await;
        id
    }

    /// Changes who may do what, as an owner; the sharing after it.
    pub async fn share(&self, who: &Person, dashboard: &str, changes: Value) -> Value {
        let path = format!("/api/v1/dashboards/{dashboard}/access");
        let (status, sharing) = self.send(Method::PUT, &path, Some(who), Some(changes)).await;
        assert_eq!(status, 200, "{sharing}");
        sharing
    }

    /// Gives somebody a role on a dashboard of the admin, or takes it back.
    pub async fn grant(&self, dashboard: &str, to: &Person, role: Option<&str>) {
        let change = json!({"grants": [{"to": {"account": to.id}, "role": role}]});
        self.share(&self.admin, dashboard, change).await;
    }

    /// Makes a share link; its id and address.
    pub async fn link(&self, who: &Person, dashboard: &str, wish: Value) -> (String, String) {
        let path = format!("/api/v1/dashboards/{dashboard}/links");
        let (status, made) = self.send(Method::POST, &path, Some(who), Some(wish)).await;
        assert_eq!(status, 201, "{made}");
        let text = |name: &str| made[name].as_str().expect("text").to_owned();
        (text("id"), text("address"))
    }

    /// Somebody who came by a new share link that asks for nothing.
    pub async fn visit(&self, who: &Person, dashboard: &str, wish: Value) -> Person {
        let (_, address) = self.link(who, dashboard, wish).await;
        let opened = self.request(Method::GET, &address, None).send().await.expect("an answer");
        assert_eq!(opened.status(), StatusCode::SEE_OTHER);
        Person { id: String::new(), email: String::new(), cookie: cookie_of(&opened) }
    }

    /// A new screen of a team; its id, and itself.
    pub async fn screen(&self, who: &Person, team: &str, dashboards: &[&String]) -> (String, Person) {
        let page = self.request(Method::GET, "/screen", None).send().await.expect("an answer");
        let screen = Person { id: String::new(), email: String::new(), cookie: cookie_of(&page) };
        let code = code_of(&page.text().await.expect("a page"));
        let new = json!({
            "code": code, "name": "Hall 2", "team": team, "dashboards": dashboards, "rotate_s": 60,
        });
        let (status, card) = self.send(Method::POST, "/api/v1/screens", Some(who), Some(new)).await;
        assert_eq!(status, 201, "{card}");
        (card["id"].as_str().expect("an id").to_owned(), screen)
    }

    pub async fn connect(&self, who: &Person) -> Result<Socket, Error> {
        let origin = format!("http://{}", self.program.addr);
        Socket::connect_with(self.program.addr, &[("cookie", &who.cookie), ("origin", &origin)]).await
    }

    /// A socket of somebody that said hello.
    pub async fn socket(&self, who: &Person, secret: &str) -> Socket {
        let mut socket = self.connect(who).await.expect("a socket");
        socket.hello(secret).await;
        socket
    }
}

/// A page without what may differ from one request to another: its nonce, and the address that was asked for.
pub fn comparable(page: &str, address: &str) -> String {
    let nonce = page.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
    let page = nonce.map_or_else(|| page.to_owned(), |nonce| page.replace(nonce, ""));
    page.replace(address, "")
}
