//! A server below a base path: every address that it writes stands below it, and nothing else is there.

use reqwest::redirect::Policy;

use super::*;

const BASE: (&str, &str) = ("LOCKSTEP_BASE_PATH", "/dash");
const PASSWORD: &str = "ochre-window-47-lantern";

/// A server with accounts below `/dash`, with an OpenID provider that is never asked, and a browser with its cookies.
struct Scene {
    server: Server,
    origin: String,
    http: Client,
    cookies: Vec<(String, String)>,
}

impl Scene {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = std::fs::File::create(dir.path().join("log")).expect("a file");
        let mut command = command(dir.path());
        command.envs([
            BASE,
            ("LOCKSTEP_ACCESS", "accounts"),
            ("LOCKSTEP_PUBLIC_URL", "http://127.0.0.1"),
            ("LOCKSTEP_OIDC_ISSUER", "http://127.0.0.1:9"),
            ("LOCKSTEP_OIDC_CLIENT_ID", "lockstep"),
            ("LOCKSTEP_OIDC_CLIENT_SECRET", "secret"),
        ]);
        let mut child = command.stderr(log).spawn().expect("the program runs");
        let url = address_of(&mut child);
        let origin = url.strip_suffix("/dash/").expect("it names its base path").to_owned();
        let server = Server { child, url, dir, http: Client::new() };
        let http = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { server, origin, http, cookies: Vec::new() }
    }

    /// The address for the first account, out of the log.
    fn setup(&self) -> (String, String) {
        let log = std::fs::read_to_string(self.server.dir.path().join("log")).expect("a log");
        let (before, token) = log.rsplit_once('#').expect("an address");
        let address = before.rsplit_once(' ').expect("words before it").1;
        (address.to_owned(), token.split_whitespace().next().expect("a token").to_owned())
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.expect("an answer");
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().expect("text");
            assert!(set.contains("; Path=/dash;"), "{set}");
            let (name, value) = set.split(';').next().expect("a pair").split_once('=').expect("a pair");
            assert!(name.ends_with("~dash") && !name.starts_with("__Host-"), "{set}");
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        if let Some(to) = answer.headers().get("location") {
            assert!(to.to_str().expect("text").starts_with("/dash/"), "{to:?}");
        }
        answer
    }

    async fn get(&mut self, address: &str) -> Response {
        let request = self.http.get(format!("{}{address}", self.origin));
        self.send(request).await
    }

    async fn form(&mut self, address: &str, form: &[(&str, &str)]) -> Response {
        let request = self.http.post(format!("{}{address}", self.origin)).form(form);
        self.send(request).await
    }

    async fn json(&mut self, method: Method, address: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}{address}", self.origin)).json(&body);
        let answer = self.send(request).await;
        assert!(answer.status().is_success(), "{address}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// A page whose addresses all stand below the base path.
    async fn page(&mut self, address: &str, status: u16) -> String {
        let answer = self.get(address).await;
        assert_eq!(answer.status().as_u16(), status, "{address}");
        let html = answer.text().await.expect("a page");
        assert!(html.contains("<html"), "{address}: {html}");
        let outside = outside_of_base(&html);
        assert!(outside.is_empty(), "{address}: {outside:?}");
        html
    }
}

/// The addresses in attributes that are of this host and not below the base path.
fn outside_of_base(html: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for attribute in ["href", "src", "action", "formaction"] {
        let begin = format!(" {attribute}=\"");
        let values = html.match_indices(&*begin).map(|(at, _)| &html[at + begin.len()..]);
        let values = values.filter_map(|rest| rest.split('"').next());
        found.extend(values.filter(|value| value.starts_with('/') && !value.starts_with("/dash/")));
    }
    found
}

#[test]
fn an_address_outside_of_the_base_path_is_found_on_a_page() {
    let html = r#"<a href="/dash/d/x"><a href="/d/x"><form action="/dashboards"><a href=""><a href="/x">"#;
    assert_eq!(outside_of_base(html), ["/d/x", "/x", "/dashboards"]);
}

#[tokio::test]
async fn every_address_of_every_page_stands_below_the_base_path() {
    let mut scene = Scene::start().await;
    let (address, token) = scene.setup();
    assert_eq!(address, "http://127.0.0.1/dash/setup");
    scene.page("/dash/setup", 200).await;
    let first = [("token", &*token), ("email", "ada@example.com"), ("name", "Ada"), ("password", PASSWORD)];
    let made = scene.form("/dash/setup", &first).await;
    assert_eq!((made.status().as_u16(), header(&made, "location")), (303, "/dash/"));
    let id =
        scene.json(Method::POST, "/dash/api/v1/dashboards", json!({"title": "Shared"})).await["id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    let gone =
        scene.json(Method::POST, "/dash/api/v1/dashboards", json!({"title": "Gone"})).await["id"].clone();
    let gone = format!("/d/{}", gone.as_str().expect("an id"));
    let deleted =
        scene.json(Method::DELETE, &format!("/dash/api/v1/dashboards{}", &gone[2..]), json!({})).await;
    assert_eq!(deleted, Value::Null);
    for (path, status, has) in [
        ("/", 200, "/dash/d/"),
        ("/?search=Shared", 200, "/dash/d/"),
        (&*format!("/d/{id}"), 200, "data-base=\"/dash\""),
        (&format!("/d/{id}/audit"), 200, "/dash/d/"),
        (&gone, 404, "/dash/bin"),
        ("/bin", 200, "/dash/"),
        ("/status", 200, "/dash/pkg/"),
        ("/account", 200, "action=\"/dash/sign-out\""),
        ("/account/second-factor", 200, "/dash/account"),
        ("/account/second-factor/set-up", 200, "/dash/account/second-factor/set-up"),
        ("/screens", 200, "/dash/manifest.webmanifest"),
        ("/admin", 200, "/dash/admin/audit"),
        ("/admin/audit", 200, "/dash/admin"),
        ("/offline", 200, "href=\"/dash/\""),
        ("/nowhere", 404, "href=\"/dash/\""),
        ("/d/nothing", 404, "href=\"/dash/\""),
    ] {
        let html = scene.page(&format!("/dash{path}"), status).await;
        assert!(html.contains(has), "{path}: {has} in {html}");
    }
    let invited = json!({"team": everyone(&mut scene).await, "role": "editor"});
    let invited = scene.json(Method::POST, "/dash/api/v1/admin/invitations", invited).await;
    let wish = json!({"role": "viewer", "password": PASSWORD, "days": 1});
    let link = scene.json(Method::POST, &format!("/dash/api/v1/dashboards/{id}/links"), wish).await;
    scene.cookies.clear();
    for (made, begin) in [(&invited, "/dash/invitation/"), (&link, "/dash/s/")] {
        let address = made["address"].as_str().expect("an address");
        assert!(address.starts_with(begin), "{address}");
        let html = scene.page(address, 200).await;
        assert!(html.contains(&format!("action=\"{address}\"")), "{html}");
    }
    let asked = scene.get(&format!("/dash/d/{id}?from=1")).await;
    assert_eq!(header(&asked, "location"), format!("/dash/sign-in?to=%2Fd%2F{id}%3Ffrom%3D1"));
    let html = scene.page(header(&asked, "location"), 200).await;
    assert!(html.contains("href=\"/dash/oidc/sign-in?"), "{html}");
    let to = format!("/d/{id}?from=1");
    let form = [("email", "ada@example.com"), ("password", PASSWORD), ("to", &*to)];
    let signed_in = scene.form("/dash/sign-in", &form).await;
    assert_eq!(header(&signed_in, "location"), format!("/dash{to}"));
    let link = link["address"].as_str().expect("an address").to_owned();
    scene.cookies.clear();
    let visited = scene.form(&link, &[("password", PASSWORD), ("name", "Eve")]).await;
    assert_eq!(header(&visited, "location"), format!("/dash/d/{id}"));
    scene.page(&format!("/dash/d/{id}"), 200).await;
    scene.cookies.clear();
    // A screen shows where its code goes.
    let html = scene.page("/dash/screen", 200).await;
    assert!(html.contains("127.0.0.1/dash/screens"), "{html}");
}

async fn everyone(scene: &mut Scene) -> Value {
    let people = scene.get("/dash/api/v1/admin/people").await.json::<Value>().await.expect("JSON");
    people["teams"][0]["id"].clone()
}

#[tokio::test]
async fn the_files_and_the_worker_of_a_page_are_below_the_base_path_too() {
    let server = Server::start_with(tempfile::tempdir().expect("a directory"), &[BASE]);
    let origin = server.url.strip_suffix("/dash/").expect("it names its base path");
    let get =
        async |address: &str| server.http.get(format!("{origin}{address}")).send().await.expect("an answer");
    let html = get("/dash/").await.text().await.expect("a page");
    let linked =
        html.split("=\"").filter_map(|rest| rest.split('"').next()).filter(|it| it.starts_with("/dash/pkg/"));
    let linked: Vec<&str> = linked.collect();
    assert!(linked.len() >= 3, "{linked:?}");
    for file in linked {
        assert_eq!(get(file).await.status(), StatusCode::OK, "{file}");
        assert_eq!(get(file.strip_prefix("/dash").expect("below it")).await.status(), StatusCode::NOT_FOUND);
    }
    // The names of scripts in the page are addresses as well.
    let map = html.split("\"imports\":").nth(1).expect("an import map").split('}').next().expect("its end");
    assert!(map.contains(":\"/dash/pkg/") && html.contains("import(\"/dash/pkg/"), "{html}");
    let worker = get("/dash/service-worker.js").await;
    assert_eq!(worker.status(), StatusCode::OK);
    let worker = worker.text().await.expect("a script");
    let build =
        worker.strip_prefix("const BUILD = ").and_then(|rest| rest.split(";\n").next()).expect("a build");
    let build: Value = serde_json::from_str(build).expect("JSON");
    assert_eq!(
        (&build["base"], &build["suffix"], &build["shell"]),
        (&json!("/dash"), &json!("~dash"), &json!("/dash/offline"))
    );
    let files = build["files"].as_object().expect("files");
    assert!(files.len() >= 4 && files.keys().all(|file| file.starts_with("/dash/")), "{files:?}");
}

#[tokio::test]
async fn routes_and_sockets_are_below_the_base_path_and_nowhere_else() {
    let server = Server::start_with(tempfile::tempdir().expect("a directory"), &[BASE]);
    let origin = server.url.strip_suffix("/dash/").expect("it names its base path");
    let http = Client::builder().redirect(Policy::none()).build().expect("a client");
    let get = async |address: &str| http.get(format!("{origin}{address}")).send().await.expect("an answer");
    for outside in ["/", "/healthz", "/api/v1/ws", "/dashboards", "/dash2/", "/service-worker.js"] {
        let answer = get(outside).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{outside}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        let said = answer.text().await.expect("words");
        assert_eq!(said, "There is nothing at this address. This server is at /dash/\n");
    }
    let elsewhere = http.get(origin).header("host", "evil.example").send().await.expect("an answer");
    assert_eq!(elsewhere.status(), StatusCode::MISDIRECTED_REQUEST, "no word of the base path to others");
    let answer = get("/dash?order=title").await;
    assert_eq!(
        (answer.status(), header(&answer, "location")),
        (StatusCode::PERMANENT_REDIRECT, "/dash/?order=title")
    );
    assert_eq!(get("/dash/healthz").await.status(), StatusCode::OK);
    let point = http.post(format!("{origin}/dash/api/v1/series")).body(r#"{"series":"orders","value":42}"#);
    assert!(point.send().await.expect("an answer").status().is_success());
    let address = format!("{}/dash/api/v1/ws", origin.replace("http:", "ws:"));
    let (socket, answer) = tokio_tungstenite::connect_async(address).await.expect("a socket");
    assert_eq!(answer.status().as_u16(), 101);
    drop(socket);
    let guest = header(&get("/dash/").await, "set-cookie").to_owned();
    assert!(guest.starts_with("lockstep_guest~dash=") && guest.contains("; Path=/dash;"), "{guest}");
    // The cookie of a server at the root is not this one's.
    let own = guest.split(';').next().expect("a pair");
    let with = async |cookie: &str| {
        let request = http.get(format!("{origin}/dash/")).header("cookie", cookie);
        header(&request.send().await.expect("an answer"), "set-cookie").to_owned()
    };
    assert_eq!(with(own).await, "", "known by it");
    assert_ne!(with(&own.replace("~dash", "")).await, "", "a stranger");
}

#[tokio::test]
async fn a_secret_in_an_address_below_the_base_path_is_in_no_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = std::fs::File::create(dir.path().join("log")).expect("a file");
    let mut child = command(dir.path())
        .envs([BASE, ("LOCKSTEP_LOG", "debug")])
        .stderr(log)
        .spawn()
        .expect("the program runs");
    let url = address_of(&mut child);
    let server = Server { child, url, dir, http: Client::new() };
    for secret in ["s", "invitation", "reset"] {
        server.get(&format!("{secret}/tell-nobody")).await;
    }
    let said = std::fs::read_to_string(server.dir.path().join("log")).expect("a log");
    assert!(said.contains("/invitation/{code}") && !said.contains("tell-nobody"), "{said}");
}

#[tokio::test]
async fn without_a_base_path_all_is_where_it_was() {
    let server = Server::start();
    let answer = server.get("/").await;
    assert!(guest_cookie(&answer).starts_with("lockstep_guest="));
    let html = answer.text().await.expect("a page");
    assert!(!html.contains("data-base") && html.contains("href=\"/favicon.svg\""), "{html}");
    let worker = server.get("/service-worker.js").await.text().await.expect("a script");
    assert!(worker.contains(r#""base":"""#) && worker.contains(r#""suffix":"""#), "{worker}");
}
