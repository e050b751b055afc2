//! A dashboard whose widgets ask one source, and what they show of ten minutes that do not change.

use serde_json::{Value, json};

use crate::program::{Program, answer};
use crate::support::Client;

/// A whole minute, and ten minutes later.
pub const FROM: u64 = 1_760_000_040_000;
pub const TO: u64 = FROM + 600_000;

/// Somebody with a dashboard of their own.
pub struct Asked {
    pub server: Program,
    pub id: String,
    pub ada: Client,
    source: &'static str,
    seq: u64,
}

impl Asked {
    /// A new dashboard on a server whose settings name the source.
    pub async fn new(server: Program, source: &'static str) -> Self {
        let made = server.post("/api/v1/dashboards").json(&json!({"title": "Asked"}));
        let id = answer(made).await.1["id"].as_str().expect("an id").to_owned();
        let mut ada = Client::connect(server.addr).await;
        ada.hello("ada").await;
        ada.join(&id).await;
        Self { server, id, ada, source, seq: 0 }
    }

    async fn push(&mut self, ops: Value) {
        self.seq += 1;
        let id = self.id.clone();
        self.ada.push(&id, json!([{"seq": self.seq, "base": 0, "ops": ops}])).await;
    }

    pub async fn set(&mut self, field: &str, value: Value) {
        self.push(json!([{"op": "set_dashboard", "field": field, "value": value}])).await;
        self.ada.expect("commits").await;
    }

    /// Adds a widget with a query; what it is called.
    pub async fn add(&mut self, query: &str) -> String {
        let widget = format!("w{}", self.seq);
        let options = json!({"source": self.source, "query": query});
        let frame = json!({"x": 0, "y": 0, "w": 6, "h": 4});
        let made = json!({"kind": "timeseries", "frame": frame, "options": options});
        self.push(json!([{"op": "add_widget", "id": widget, "widget": made}])).await;
        widget
    }

    /// What a widget with a query shows of the ten minutes.
    pub async fn frame(&mut self, query: &str) -> Value {
        let widget = self.add(query).await;
        self.ada.expect("commits").await;
        let path = format!("/api/v1/dashboards/{}/data?widget={widget}&from={FROM}&to={TO}", self.id);
        let frame = self.server.json(&path).await;
        // A dashboard holds so many only.
        self.push(json!([{"op": "remove_widget", "id": widget}])).await;
        self.ada.expect("commits").await;
        frame
    }

    /// Why a query has no answer.
    pub async fn error(&mut self, query: &str) -> String {
        let frame = self.frame(query).await;
        frame["error"].as_str().unwrap_or_else(|| panic!("{query}: {frame}")).to_owned()
    }

    /// The series of a query, each as its name and its points.
    pub async fn series(&mut self, query: &str) -> Value {
        let frame = self.frame(query).await;
        assert!(frame["error"].is_null(), "{query}: {frame}");
        let all = frame["series"].as_array().expect("series").iter();
        all.map(|one| json!([one["name"], one["points"]])).collect()
    }
}
