//! Version 1 of InfluxDB's API: `POST /write`, and `/query` as far as programs that write ask.
//!
//! This server has one place for all points. Whatever name a client has for a database, it is there.

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, Request, State};
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::json::with_headers_of_basic;
use super::line::{self, Precision};
use super::{Ingest, IngestError};

/// Statements of one query: programs send one, or a few at their start.
const MAX_STATEMENTS: usize = 100;
/// The name of the database where nobody says one.
const ANY_NAME: &str = "lockstep";
/// Where that API has the reason of an error, too.
const REASON: HeaderName = HeaderName::from_static("x-influxdb-error");
/// Characters of that header.
const MAX_REASON: usize = 200;

/// What the address may say.
#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    db: Option<String>,
    #[serde(default)]
    precision: Option<String>,
    #[serde(default)]
    q: Option<String>,
    /// The password, which stands for the token; of a user nothing is known.
    #[serde(default)]
    p: Option<String>,
}

/// `POST /write?db=&rp=&precision=&u=&p=` with line protocol, packed or not: 204 once it is on the disk.
/// Where lines do not fit, the others are written all the same: 400 with an error that names them.
pub async fn write(State(ingest): State<Ingest>, Query(asked): Query<Asked>, request: Request) -> Response {
    let Some(precision) = Precision::read_v1(asked.precision.as_deref()) else {
        let unknown = asked.precision.unwrap_or_default();
        let why = format!("invalid precision {unknown:?} (use n, u, ms, s, m or h)");
        return refused(StatusCode::BAD_REQUEST, &why);
    };
    let read = move |body: &[u8], batch| Ok(line::read(body, precision, batch));
    match ingest.take_with(request, asked.p.as_deref(), read).await {
        Ok(outcome) if outcome.refused.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(outcome) => {
            let (words, dropped) = (outcome.refused.words("line"), outcome.refused.count());
            refused(StatusCode::BAD_REQUEST, &format!("partial write: {words} dropped={dropped}"))
        }
        Err(error) => failed(&error),
    }
}

/// `GET /query?q=`.
pub async fn query(State(ingest): State<Ingest>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    answer(&ingest, &asked, &headers)
}

/// `POST /query`, with what is asked in the address or as a form.
pub async fn query_form(
    State(ingest): State<Ingest>,
    Query(mut asked): Query<Asked>,
    headers: HeaderMap,
    form: Result<Form<Asked>, FormRejection>,
) -> Response {
    if let Ok(Form(form)) = form {
        asked.q = asked.q.or(form.q);
        asked.db = asked.db.or(form.db);
        asked.p = asked.p.or(form.p);
    }
    answer(&ingest, &asked, &headers)
}

fn answer(ingest: &Ingest, asked: &Asked, headers: &HeaderMap) -> Response {
    if let Err(error) = ingest.check(headers, asked.p.as_deref()) {
        return failed(&error);
    }
    let Some(query) = &asked.q else {
        return refused(StatusCode::BAD_REQUEST, "missing required parameter \"q\"");
    };
    let statements = query.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    let hours = ingest.kept_ms() / 3_600_000;
    let result = |(id, statement)| execute(id, statement, asked.db.as_deref(), hours);
    let results: Vec<Value> = (0..).zip(statements.take(MAX_STATEMENTS)).map(result).collect();
    Json(json!({ "results": results })).into_response()
}

/// The result of one statement.
fn execute(id: usize, statement: &str, db: Option<&str>, hours: u64) -> Value {
    let words: Vec<String> = statement
        .split_whitespace()
        .take(3)
        .map(|word| word.trim_matches('"').to_ascii_uppercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let table = |name: Option<&str>, columns: &[&str], values: Value| {
        let mut series = json!({"columns": columns, "values": values});
        if let Some(name) = name {
            series["name"] = name.into();
        }
        json!({"statement_id": id, "series": [series]})
    };
    match words[..] {
        ["CREATE", "DATABASE", ..] | ["CREATE" | "ALTER", "RETENTION", "POLICY"] => {
            json!({"statement_id": id})
        }
        ["SHOW", "DATABASES", ..] => {
            let mut names = vec![[ANY_NAME]];
            names.extend(db.filter(|db| *db != ANY_NAME && !db.is_empty()).map(|db| [db]));
            table(Some("databases"), &["name"], json!(names))
        }
        ["SHOW", "RETENTION", "POLICIES"] => table(
            None,
            &["name", "duration", "shardGroupDuration", "replicaN", "default"],
            json!([["autogen", format!("{hours}h0m0s"), "1h0m0s", 1, true]]),
        ),
        ["SHOW", "USERS", ..] => table(None, &["user", "admin"], json!([])),
        _ => {
            let start: String = statement.chars().take(60).collect();
            json!({"statement_id": id, "error": format!(
                "{start:?} is not answered here: Lockstep takes points by this API and shows them on dashboards"
            )})
        }
    }
}

fn failed(error: &IngestError) -> Response {
    with_headers_of_basic(error, refused(error.status(), &error.to_string()))
}

/// An error as that API gives it.
fn refused(status: StatusCode, why: &str) -> Response {
    let short: String = why
        .chars()
        .take(MAX_REASON)
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .collect();
    let mut response = (status, Json(json!({ "error": why }))).into_response();
    response.headers_mut().extend(HeaderValue::from_str(&short).map(|reason| (REASON, reason)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_programs_that_write_are_answered_and_others_say_so() {
        let one = |statement| execute(3, statement, Some("home"), 24);
        assert_eq!(one("CREATE DATABASE \"home\""), json!({"statement_id": 3}));
        assert_eq!(
            one("create retention policy x on home duration 1h replication 1"),
            json!({"statement_id": 3})
        );
        assert_eq!(one("SHOW  DATABASES")["series"][0]["values"], json!([["lockstep"], ["home"]]));
        assert_eq!(one("SHOW RETENTION POLICIES ON home")["series"][0]["values"][0][1], "24h0m0s");
        for other in ["DROP DATABASE home", "SELECT * FROM x", "SHOW"] {
            assert!(one(other)["error"].as_str().is_some_and(|why| why.contains("not answered")), "{other}");
        }
    }
}
