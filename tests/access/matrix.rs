//! Matrix of all routes and socket messages, and of everybody who may send them.

use lockstep::app::access::Role;
use lockstep::server::access::policy::{Needs, RULES, Rule};
use lockstep::sync::protocol::{ClientMessage, PROTOCOL};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::{Person, Scene, comparable};
use crate::support::Got;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nobody,
    /// With a cookie that was never given out.
    Forged,
    /// Whose session an admin ended.
    Revoked,
    /// Without any right on the dashboard, and in no team.
    Outsider,
    Viewer,
    Editor,
    Owner,
    /// Of the server, without a role on the dashboard.
    Admin,
    /// Came by a share link to look.
    ViewLink,
    /// Came by a share link to edit.
    EditLink,
    /// Without an account, let in by guest mode to look.
    ViewGuest,
    /// The same to edit.
    EditGuest,
    /// A television that shows the dashboard.
    Screen,
}

const KINDS: [Kind; 11] = [
    Kind::Nobody,
    Kind::Forged,
    Kind::Revoked,
    Kind::Outsider,
    Kind::Viewer,
    Kind::Editor,
    Kind::Owner,
    Kind::Admin,
    Kind::ViewLink,
    Kind::EditLink,
    Kind::Screen,
];

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The handler answered, whatever it said.
    Taken,
    /// Led to the sign-in page, a screen to its own, or 401.
    SignIn,
    Forbidden,
    /// As a dashboard that is not there.
    Hidden,
}

impl Kind {
    fn is_signed_in(self) -> bool {
        let is_unknown = matches!(self, Self::Nobody | Self::Forged | Self::Revoked);
        !is_unknown && !self.is_visitor() && !self.is_public() && self != Self::Screen
    }

    fn is_let_in(self, rule: &Rule) -> bool {
        let without_account = self.is_visitor() && rule.visitors
            || self.is_public() && rule.guests
            || self == Self::Screen && rule.screens;
        self.is_signed_in() || without_account
    }

    fn is_visitor(self) -> bool {
        matches!(self, Self::ViewLink | Self::EditLink)
    }

    fn is_public(self) -> bool {
        matches!(self, Self::ViewGuest | Self::EditGuest)
    }

    fn role(self) -> Option<Role> {
        match self {
            Self::Viewer | Self::ViewLink | Self::ViewGuest | Self::Screen => Some(Role::Viewer),
            Self::Editor | Self::EditLink | Self::EditGuest => Some(Role::Editor),
            Self::Owner => Some(Role::Owner),
            _ => None,
        }
    }

    /// What the rules of access say.
    fn expects(self, rule: &Rule) -> Answer {
        match rule.needs {
            Needs::Nothing => Answer::Taken,
            // A session is no token.
            Needs::PushToken => Answer::SignIn,
            Needs::Screen if self == Self::Screen => Answer::Taken,
            Needs::Screen => Answer::Forbidden,
            _ if !self.is_let_in(rule) => Answer::SignIn,
            Needs::Person | Needs::Account => Answer::Taken,
            Needs::Admin | Needs::Operator if self == Self::Admin => Answer::Taken,
            Needs::Admin | Needs::Operator => Answer::Forbidden,
            Needs::Query if self.role() >= Some(Role::Editor) || self == Self::Admin => Answer::Taken,
            Needs::Query => Answer::Forbidden,
            Needs::Create if [Self::Owner, Self::Admin].contains(&self) => Answer::Taken,
            Needs::Create => Answer::Forbidden,
            Needs::Role(least) => match self.role() {
                None => Answer::Hidden,
                Some(role) if role >= least => Answer::Taken,
                Some(_) => Answer::Forbidden,
            },
        }
    }
}

struct Cast {
    scene: Scene,
    dashboard: String,
    people: Vec<(Kind, Person)>,
}

impl Cast {
    async fn gather() -> Self {
        Self::gather_with(&[]).await
    }

    async fn gather_with(set: &[(&str, &str)]) -> Self {
        let scene = Scene::start_with(set).await;
        let empty = scene.make_team("Nothing of its own").await;
        let mut people = Vec::new();
        for (kind, name) in [
            (Kind::Outsider, "outsider"),
            (Kind::Viewer, "viewer"),
            (Kind::Editor, "editor"),
            (Kind::Owner, "owner"),
            (Kind::Revoked, "revoked"),
        ] {
            // Whoever edits in a team may make dashboards.
            let role = if kind == Kind::Owner { "editor" } else { "viewer" };
            people.push((kind, scene.invite(name, &empty, role).await));
        }
        let forged = Person { cookie: format!("lockstep_session={}", "A".repeat(43)), ..scene.admin.clone() };
        people.push((Kind::Forged, forged));
        people.push((Kind::Admin, scene.admin.clone()));
        let of = |kind: Kind| people.iter().find(|(one, _)| *one == kind).expect("is there").1.clone();
        let dashboard = scene.make_dashboard(&of(Kind::Owner), "Of the owner").await;
        let grants: Vec<Value> = [(Kind::Viewer, "viewer"), (Kind::Editor, "editor")]
            .map(|(kind, role)| json!({"to": {"account": of(kind).id}, "role": role}))
            .into();
        let owner = of(Kind::Owner);
        scene.share(&owner, &dashboard, json!({ "grants": grants })).await;
        let sessions = format!("/api/v1/admin/people/{}/sessions", of(Kind::Revoked).id);
        scene.admin(Method::DELETE, &sessions, Value::Null).await;
        for (kind, role) in [(Kind::ViewLink, "viewer"), (Kind::EditLink, "editor")] {
            people.push((kind, scene.visit(&owner, &dashboard, json!({"role": role})).await));
        }
        let of_screens = scene.make_team("Of screens").await;
        let member = format!("/api/v1/admin/teams/{of_screens}/members/{}", owner.id);
        scene.admin(Method::PUT, &member, json!({"role": "editor"})).await;
        scene.share(&owner, &dashboard, json!({"team": {"team": of_screens}})).await;
        people.push((Kind::Screen, scene.screen(&owner, &of_screens, &[&dashboard]).await.1));
        Self { scene, dashboard, people }
    }

    fn person(&self, kind: Kind) -> Option<&Person> {
        self.people.iter().find(|(one, _)| *one == kind).map(|(_, person)| person)
    }

    async fn ask(&self, rule: &Rule, kind: Kind) -> (Answer, String) {
        let path = rule.path.replace("{id}", &self.dashboard).replace("{name}", "series");
        let path = path.replace(['{', '}'], "");
        let method: Method = rule.method.parse().expect("a method");
        let request = self.scene.request(method, &path, self.person(kind));
        // Without it no socket is opened for a cookie.
        let request = request.header("origin", format!("http://{}", self.scene.program.addr));
        let request = match (rule.method, rule.path) {
            ("GET", _) => request,
            // It looks at what a body is before anything else.
            (_, "/api/v1/write") => request.header("content-type", "application/x-protobuf").body(""),
            _ => request.json(&json!({})),
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let to = answer.headers().get("location").map(|to| to.to_str().expect("text").to_owned());
        let body = answer.text().await.expect("a body");
        let came_to = match status {
            StatusCode::UNAUTHORIZED => Answer::SignIn,
            StatusCode::SEE_OTHER
                if to.as_deref().is_some_and(|to| to.starts_with("/sign-in?to=") || to == "/screen") =>
            {
                Answer::SignIn
            }
            StatusCode::FORBIDDEN => Answer::Forbidden,
            StatusCode::NOT_FOUND if body.contains("There is no such dashboard.") => Answer::Hidden,
            _ => Answer::Taken,
        };
        (came_to, format!("{status} {body:.300}"))
    }
}

#[tokio::test]
async fn a16_every_route_answers_everybody_as_its_rule_says() {
    let cast = Cast::gather().await;
    for rule in RULES {
        for kind in KINDS {
            // It would end the session with which the next rules are asked.
            if rule.path == "/sign-out" && kind.is_signed_in() {
                continue;
            }
            let (answer, says) = cast.ask(rule, kind).await;
            assert_eq!(answer, kind.expects(rule), "{} {} as {kind:?}: {says}", rule.method, rule.path);
            if rule.method == "DELETE" && rule.path == "/api/v1/dashboards/{id}" && answer == Answer::Taken {
                let path = format!("/api/v1/bin/{}/restore", cast.dashboard);
                let owner = cast.person(Kind::Owner);
                assert_eq!(cast.scene.send(Method::POST, &path, owner, None).await.0, 200);
            }
        }
    }
}

#[tokio::test]
async fn a12_guest_mode_answers_people_without_an_account_as_the_rules_say() {
    for (mode, kind) in [("view", Kind::ViewGuest), ("edit", Kind::EditGuest)] {
        let cast = Cast::gather_with(&[("LOCKSTEP_GUESTS", mode)]).await;
        let page = RULES.iter().find(|rule| rule.path == "/d/{id}").expect("a rule");
        let (answer, says) = cast.ask(page, kind).await;
        assert_eq!(answer, Answer::Hidden, "it is not everyone's: {says}");
        let owner = cast.person(Kind::Owner).expect("is there");
        cast.scene.share(owner, &cast.dashboard, json!({"team": {"team": "everyone"}})).await;
        for rule in RULES {
            let (answer, says) = cast.ask(rule, kind).await;
            assert_eq!(answer, kind.expects(rule), "{} {} as {kind:?}: {says}", rule.method, rule.path);
        }
    }
}

#[tokio::test]
async fn a16_what_one_may_not_see_is_as_what_is_not_there() {
    let cast = Cast::gather().await;
    let outsider = cast.person(Kind::Outsider).expect("is there");
    let missing = "A".repeat(cast.dashboard.len());
    for path in
        ["/api/v1/dashboards/{}", "/api/v1/dashboards/{}/export", "/d/{}", "/api/v1/dashboards/{}/access"]
    {
        let mut answers = Vec::new();
        for id in [&cast.dashboard, &missing] {
            let asked = cast.scene.request(Method::GET, &path.replace("{}", id), Some(outsider));
            let answer = asked.send().await.expect("an answer");
            let (status, text) = (answer.status(), answer.text().await.expect("a body"));
            answers.push((status, comparable(&text, id)));
        }
        assert_eq!(answers[0], answers[1], "{path}");
        assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    }
    let copy = |id: &str| json!({"title": "Mine", "copy_of": id});
    let copied = |id: String| {
        let (scene, body) = (&cast.scene, copy(&id));
        async move { scene.send(Method::POST, "/api/v1/dashboards", Some(outsider), Some(body)).await }
    };
    assert_eq!(copied(cast.dashboard.clone()).await, copied(missing).await);
    for path in ["/api/v1/dashboards", "/api/v1/dashboards/list", "/api/v1/bin"] {
        let (status, listed) = cast.scene.get(path, outsider).await;
        assert_eq!(status, 200);
        assert!(!listed.to_string().contains(&cast.dashboard), "{path}: {listed}");
        let (_, listed) = cast.scene.get(path, cast.person(Kind::Admin).expect("is there")).await;
        assert!(!listed.to_string().contains(&cast.dashboard), "{path}: {listed}");
    }
    for (kind, role) in [(Kind::Viewer, "viewer"), (Kind::Editor, "editor"), (Kind::Owner, "owner")] {
        let who = cast.person(kind).expect("is there");
        let (_, list) = cast.scene.get("/api/v1/dashboards/list", who).await;
        assert_eq!(list["total"], 1);
        assert_eq!(list["dashboards"][0]["role"], role);
        let (_, all) = cast.scene.get("/api/v1/dashboards", who).await;
        assert_eq!(all[0]["id"], cast.dashboard.as_str());
    }
}

/// One message of each kind that there is.
fn messages(dashboard: &str) -> Vec<ClientMessage> {
    let read = |value: Value| serde_json::from_value(value).expect("a message");
    let change =
        json!({"seq": 1, "base": 0, "ops": [{"op": "set_dashboard", "field": "title", "value": "Mine"}]});
    let all = vec![
        read(json!({"type": "hello", "protocol": PROTOCOL, "client": "again"})),
        read(json!({"type": "join", "dashboard": dashboard})),
        read(json!({"type": "push", "dashboard": dashboard, "changes": [change]})),
        read(json!({"type": "presence", "dashboard": dashboard, "presence": {"away": true}})),
        read(json!({"type": "leave", "dashboard": dashboard})),
        read(json!({"type": "ping", "id": 99})),
    ];
    // A new kind of message does not compile until it has a row here, above, and below.
    let row = |message: &ClientMessage| match message {
        ClientMessage::Hello { .. } => 0,
        ClientMessage::Join { .. } => 1,
        ClientMessage::Push { .. } => 2,
        ClientMessage::Presence { .. } => 3,
        ClientMessage::Leave { .. } => 4,
        ClientMessage::Ping { .. } => 5,
    };
    assert_eq!(all.iter().map(row).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    all
}

/// What a message is answered with, by who sends it after a join: type, and code where there is one.
fn expected(message: &ClientMessage, role: Option<Role>) -> (&'static str, &'static str) {
    match (message, role) {
        (ClientMessage::Hello { .. }, _) => ("error", "invalid"),
        (ClientMessage::Ping { .. }, _) => ("pong", ""),
        (ClientMessage::Join { .. }, None) => ("error", "not_found"),
        (ClientMessage::Join { .. }, Some(_)) => ("joined", ""),
        (_, None) => ("error", "not_joined"),
        (ClientMessage::Push { .. }, Some(Role::Viewer)) => ("rejected", "forbidden"),
        (ClientMessage::Push { .. }, Some(_)) => ("commits", ""),
        (ClientMessage::Presence { .. }, Some(Role::Viewer)) => ("error", "forbidden"),
        // Nothing comes but what a ping behind it is answered with.
        (ClientMessage::Presence { .. } | ClientMessage::Leave { .. }, Some(_)) => ("pong", ""),
    }
}

#[tokio::test]
async fn every_message_of_a_socket_is_taken_by_the_role() {
    let cast = Cast::gather().await;
    for kind in [Kind::Nobody, Kind::Forged, Kind::Revoked] {
        let nobody = Person { id: String::new(), email: String::new(), cookie: "theme=dark".to_owned() };
        let who = cast.person(kind).unwrap_or(&nobody);
        assert!(cast.scene.connect(who).await.is_err(), "{kind:?} gets no socket");
    }
    for kind in KINDS.into_iter().filter(|kind| kind.is_signed_in() || kind.role().is_some()) {
        for message in messages(&cast.dashboard) {
            let who = cast.person(kind).expect("is there");
            // Each message on a socket of its own: a `seq` is used once.
            let secret = format!("{kind:?}-{}", serde_json::to_value(&message).expect("JSON")["type"]);
            let mut socket = cast.scene.socket(who, &secret.replace('"', "")).await;
            socket.send(json!({"type": "join", "dashboard": cast.dashboard})).await;
            let joined = socket.expect(if kind.role().is_some() { "joined" } else { "error" }).await;
            if let Some(role) = kind.role() {
                let wire = if role == Role::Viewer { "viewer" } else { "editor" };
                assert_eq!(joined["role"], wire);
                assert_eq!(joined["owner"] == true, role == Role::Owner, "{joined}");
            }
            socket.send(serde_json::to_value(&message).expect("JSON")).await;
            socket.send(json!({"type": "ping", "id": 7})).await;
            let expected = expected(&message, kind.role());
            let answer = loop {
                match socket.got().await {
                    Got::Frame(frame)
                        if ["presence", "data"].contains(&frame["type"].as_str().unwrap_or("")) => {}
                    // A session answers it at once, a room once the disk has what was pushed.
                    Got::Frame(frame) if frame["type"] == "pong" && expected.0 != "pong" => {}
                    Got::Frame(frame) => break frame,
                    other => panic!("{kind:?} {message:?}: {other:?}"),
                }
            };
            let came = (answer["type"].as_str().expect("a type"), answer["code"].as_str().unwrap_or(""));
            assert_eq!(came, expected, "{kind:?} {message:?}: {answer}");
        }
    }
}
