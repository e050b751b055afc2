//! Databases as sources: charts have what the tables have, and nobody gets further than reading.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::asked::{Asked, FROM};
use crate::postgres::Postgres;
use crate::program::{Program, now_ms};

/// A dashboard that asks the database at an address.
async fn start(dir: &Path, url: &str) -> Asked {
    Asked::new(Program::start(dir, &[("LOCKSTEP_SQL", &format!("shop={url}"))]), "shop").await
}

/// The names of the series, and all points of the first.
async fn points(asked: &mut Asked, query: &str) -> (Vec<String>, Vec<(u64, Option<f64>)>) {
    let series = asked.series(query).await;
    let series = series.as_array().expect("series");
    let names = series.iter().map(|one| one[0].as_str().expect("a name").to_owned()).collect();
    let point = |point: &Value| (point[0].as_u64().expect("a time"), point[1].as_f64());
    let points = series.first().and_then(|one| one[1].as_array());
    (names, points.map(|all| all.iter().map(point).collect()).unwrap_or_default())
}

/// Orders of two hosts each 30 s; of `a` the third is NULL.
const ORDERS: &str = "
    CREATE TYPE state AS ENUM ('open', 'sent');
    CREATE TABLE orders (at timestamptz, day date, plain timestamp, unix bigint, ms bigint, host text, state state,
        n int, total numeric(12,2), ratio real, ok boolean, note json);
    INSERT INTO orders SELECT t, t::date, t AT TIME ZONE 'UTC', extract(epoch FROM t), extract(epoch FROM t) * 1000,
        h, 'open', CASE WHEN i = 2 AND h = 'a' THEN NULL ELSE i END, i * 1.1, 0.1, i % 2 = 0, '{}'
    FROM generate_series(0, 19) AS i, LATERAL (SELECT to_timestamp(1760000040) + i * interval '30 s' AS t) AS times,
        (VALUES ('a'), ('it''s \"b\"')) AS hosts(h);";

fn every_30_s(value: impl Fn(u64) -> Option<f64>) -> Vec<(u64, Option<f64>)> {
    (0..20).map(|n| (FROM + n * 30_000, value(n))).collect()
}

#[tokio::test]
async fn a_chart_has_the_rows_of_postgresql_value_by_value() {
    let dir = tempfile::tempdir().expect("a directory");
    let postgres = Postgres::start(dir.path()).await;
    postgres.run("shop", ORDERS).await;
    let mut asked = start(dir.path(), &postgres.url()).await;
    let n = every_30_s(|n| (n != 2).then_some(n as f64));
    for (time, between) in [
        ("at", "at BETWEEN $from AND $to"),
        ("plain", "plain BETWEEN $from AND $to"),
        ("unix", "unix BETWEEN $from AND $to"),
        ("ms", "ms BETWEEN $from_ms AND $to_ms"),
        ("at", "extract(epoch FROM at) >= $from"),
    ] {
        let query =
            format!("SELECT {time} AS time, n FROM orders\nWHERE {between} AND host = 'a' -- $from\n;");
        assert_eq!(points(&mut asked, &query).await, (vec!["n".to_owned()], n.clone()), "{query}");
    }
    type Value<'a> = &'a dyn Fn(u64) -> Option<f64>;
    let columns: [(&str, Value<'_>); 4] = [
        ("total", &|n| Some((n * 11) as f64 / 10.0)),
        ("ratio", &|_| Some(0.1)),
        ("ok", &|n| Some(if n % 2 == 0 { 1.0 } else { 0.0 })),
        ("total * -1.5", &|n| Some((n * 165) as f64 / -100.0)),
    ];
    for (column, value) in columns {
        let query = format!("SELECT at, {column} AS value FROM orders WHERE host = 'a' AND at < $to");
        let expected: Vec<_> =
            every_30_s(value).into_iter().map(|(at, v)| (at, v.map(|v| v + 0.0))).collect();
        assert_eq!(points(&mut asked, &query).await.1, expected, "{column}");
    }
    let (names, _) =
        points(&mut asked, "SELECT at, host, state, n, total FROM orders WHERE at < $to ORDER BY host, at")
            .await;
    assert_eq!(names[..2], ["n{host=a,state=open}", "total{host=a,state=open}"]);
    // By the step of a chart: ten seconds, and expressions that are the same for GROUP BY.
    let binned = "SELECT date_bin($interval, at, 'epoch') AS time, sum(n) AS value FROM orders
        WHERE at >= $from AND at < $to GROUP BY 1";
    assert_eq!(
        points(&mut asked, binned).await.1,
        every_30_s(|n| Some(if n == 2 { 2.0 } else { 2.0 * n as f64 }))
    );
    let same = "SELECT floor(extract(epoch FROM at) / $interval) * $interval AS time, host, max(n) AS value FROM orders
        WHERE host = 'a' GROUP BY floor(extract(epoch FROM at) / $interval) * $interval, host";
    assert_eq!(points(&mut asked, same).await, (vec!["a".to_owned()], n));
    let now = points(&mut asked, "SELECT count(*) AS orders FROM orders").await;
    assert_eq!((now.0, now.1.len(), now.1[0].1), (vec!["orders".to_owned()], 1, Some(40.0)));
}

#[tokio::test]
async fn values_of_variables_are_bound_whatever_is_in_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let postgres = Postgres::start(dir.path()).await;
    postgres.run("shop", ORDERS).await;
    let mut asked = start(dir.path(), &postgres.url()).await;
    let quoted = "it's \"b\"";
    asked
        .set("variable.host", json!({"choices": ["a", quoted, "'); DROP TABLE orders; --"], "multi": true}))
        .await;
    asked.set("variable.n", json!({"choices": ["7", "x"]})).await;
    let by = |text: &str| {
        format!(
            "SELECT at AS time, host, count(*) AS value FROM orders WHERE {text} GROUP BY at, host ORDER BY host"
        )
    };
    for (chosen, expected) in [
        (json!("a"), vec!["a"]),
        (json!(quoted.replace('"', "\\\"")), vec![]),
        (json!(format!("({})", quoted.replace('"', "\\\""))), vec![quoted]),
        (json!("'); DROP TABLE orders; --"), vec![]),
        (json!(r#"(a|it's \"b\")"#), vec!["a", quoted]),
    ] {
        asked.set("value.host", chosen.clone()).await;
        for text in ["host IN ($host)", "host = ANY($host)"] {
            assert_eq!(points(&mut asked, &by(text)).await.0, expected, "{chosen} {text}");
        }
    }
    let several = asked.error(&by("host = $host")).await;
    assert!(several.contains("$host has several values here; write IN ($name) or = ANY($name)"), "{several}");
    assert_eq!(points(&mut asked, &by("n = $n AND state = 'open'")).await.1, [(FROM + 210_000, Some(1.0))]);
    assert_eq!(points(&mut asked, &by("total = $n * 1.1")).await.1.len(), 1, "7 * 1.1 as decimal numbers");
    // All that there is to choose: out of a list, and of what a statement finds.
    let all = vec!["a", quoted];
    asked.set("value.host", json!(".*")).await;
    assert_eq!(points(&mut asked, &by("host IN ($host)")).await.0, all);
    let of = json!({"source": "shop", "label": "host", "of": "SELECT host FROM orders WHERE n < $n"});
    asked.set("variable.host", json!({"values_of": of, "multi": true})).await;
    assert_eq!(points(&mut asked, &by("host = ANY($host)")).await.0, all);
    let of = json!({"source": "main", "label": "host", "of": ""});
    asked.set("variable.host", json!({"values_of": of, "multi": true})).await;
    let said = asked.error(&by("host IN ($host) OR false")).await;
    assert!(said.contains("shop does not know all of $host, whose values are those of main"), "{said}");
    asked.set("value.n", json!("x")).await;
    assert!(asked.error(&by("n = $n")).await.contains("$n is \"x\", where a number is wanted"));
    assert_eq!(points(&mut asked, &by("host = 'a'")).await.1.len(), 20, "the table is there");
    // What there is to choose, and of which: as a statement with variables of its own.
    let of = "SELECT DISTINCT host FROM orders WHERE host <> $other";
    let path = "/api/v1/sources/shop/values";
    let url = |variables: &Value| {
        let mut url = reqwest::Url::parse(&format!("http://x{path}")).expect("an address");
        url.query_pairs_mut()
            .append_pair("label", "host")
            .append_pair("of", of)
            .append_pair("variables", &variables.to_string());
        format!("{}?{}", url.path(), url.query().unwrap_or_default())
    };
    let other = json!({"other": {"values": ["a"], "is_literal": true}});
    assert_eq!(asked.server.json(&url(&other)).await, json!([quoted]));
    let other = json!({"other": {"values": [quoted], "is_literal": true}});
    assert_eq!(asked.server.json(&url(&other)).await, json!(["a"]));
}

#[tokio::test]
async fn postgresql_is_only_read_and_never_for_long() {
    let dir = tempfile::tempdir().expect("a directory");
    let postgres = Postgres::start(dir.path()).await;
    postgres.run("shop", ORDERS).await;
    postgres
        .run("shop", "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1'")
        .await;
    let mut asked = start(dir.path(), &postgres.url()).await;
    let mut all_said = String::new();
    for (query, words) in [
        (
            "WITH gone AS (DELETE FROM orders RETURNING 1) SELECT count(*) FROM gone",
            "in a read-only transaction",
        ),
        ("SELECT sneak()", "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', false), sneak()", "read-write mode"),
        ("SELECT nextval('none')", "does not exist"),
        ("DELETE FROM orders", "and not with DELETE"),
        ("SELECT 1;\nDELETE FROM orders", "Line 2: a query is one statement"),
        ("SELECT at,\n  n\nFROM nowhere", "line 3: relation \"nowhere\" does not exist"),
        ("SELECT at,\n  n,\n  SUMM(n)\nFROM orders", "line 3: function summ(integer) does not exist"),
        ("SELECT\nFROM WHERE", "line 2: syntax error at or near \"WHERE\""),
        ("SELECT at, note, n FROM orders", "The column \"note\" has the type json"),
        ("SELECT at, host FROM orders", "No column has numbers"),
        ("SELECT 1 / 0 AS value", "division by zero"),
        (
            "SELECT pg_sleep(20)::text, 1 AS value",
            "gave the query up: canceling statement due to statement timeout",
        ),
        (
            "SELECT to_timestamp(1760000040) AS time, i AS value FROM generate_series(1, 1000000) AS i",
            "more than 100000 rows",
        ),
        (
            "SELECT repeat('x', 2000) AS a, 1 AS value",
            "The column \"a\" has a text of more than 1000 characters",
        ),
    ] {
        let said = asked.error(query).await;
        assert!(said.contains(words), "{query}: {said}");
        all_said += &said;
    }
    let still =
        points(&mut asked, "SELECT at AS time, n AS value FROM orders WHERE host = 'a' AND at < $to").await;
    assert_eq!(still.1.len(), 20, "nothing is gone, and it answers");
    all_said += &asked.server.json("/api/v1/status").await.to_string();
    let port = format!(":{}", postgres.port());
    drop(postgres);
    let said = asked.error("SELECT 2 AS value").await;
    assert!(said.contains("shop "), "{said}");
    all_said += &said;
    all_said += &asked.server.json("/api/v1/sources").await.to_string();
    assert!(!all_said.contains("s3cret") && !all_said.contains(&port), "{all_said}");
}

#[tokio::test]
async fn rows_that_come_are_on_the_chart_and_corrections_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let postgres = Postgres::start(dir.path()).await;
    postgres.run("shop", "CREATE TABLE orders (at timestamptz, n int)").await;
    let mut asked = start(dir.path(), &postgres.url()).await;
    let sources = asked.server.json("/api/v1/sources").await;
    assert_eq!((&sources[1]["name"], &sources[1]["kind"]), (&json!("shop"), &json!("postgresql")));
    asked.set("refresh", json!(1)).await;
    asked.set("range", json!("5m")).await;
    let second = now_ms() / 1_000 - 60;
    let insert = |at: u64, n: u64| format!("INSERT INTO orders VALUES (to_timestamp({at}), {n})");
    postgres.run("shop", &insert(second, 1)).await;
    let live = asked.add("SELECT at AS time, n FROM orders WHERE at >= $from ORDER BY at").await;
    let mut copy: Vec<Value> = Vec::new();
    for (at, n, expected) in [
        (second, 1, json!([[second * 1_000, 1.0]])),
        (second + 2, 2, json!([[second * 1_000, 1.0], [second * 1_000 + 2_000, 2.0]])),
        // One that comes late goes where it belongs.
        (
            second + 1,
            3,
            json!([[second * 1_000, 1.0], [second * 1_000 + 1_000, 3.0], [second * 1_000 + 2_000, 2.0]]),
        ),
    ] {
        if n > 1 {
            postgres.run("shop", &insert(at, n)).await;
        }
        while json!(copy) != expected {
            let data = asked.ada.expect_any("data").await;
            let frames = data["frames"].as_array().expect("frames").clone();
            for frame in frames.into_iter().filter(|frame| frame["widget"] == live.as_str()) {
                assert!(frame["error"].is_null(), "{frame}");
                let Some(series) = frame["series"].as_array().and_then(|all| all.first()).cloned() else {
                    continue;
                };
                if frame["reset"] == true {
                    copy.clear();
                }
                if let Some(from) = series["replaces_from"].as_u64() {
                    copy.retain(|point| point[0].as_u64() < Some(from));
                }
                copy.extend(series["points"].as_array().into_iter().flatten().cloned());
            }
        }
    }
}

#[tokio::test]
async fn a_sqlite_file_is_read_and_never_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("shop.db");
    let mut file =
        SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.expect("a file");
    file.execute("CREATE TABLE orders (at TEXT, unix INTEGER, host TEXT, n REAL, blob BLOB)")
        .await
        .expect("a table");
    file.execute(
        "WITH RECURSIVE i(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM i WHERE i < 19)
         INSERT INTO orders SELECT datetime(1760000040 + i * 30, 'unixepoch'), 1760000040 + i * 30, 'it''s', i / 2.0, x'00' FROM i",
    )
    .await
    .expect("rows");
    let mut asked = start(dir.path(), &format!("sqlite:{}", path.display())).await;
    asked.set("variable.host", json!({"choices": ["it's", "x"], "multi": true})).await;
    asked.set("value.host", json!("(it's|x)")).await;
    let halves = every_30_s(|n| Some(n as f64 / 2.0));
    for query in [
        "SELECT unix AS time, n FROM orders WHERE unix BETWEEN $from AND $to",
        "SELECT at AS time, n FROM orders WHERE at >= datetime($from, 'unixepoch')",
        "SELECT unix * 1000 AS time, n FROM orders WHERE host IN ($host)",
        "SELECT unix / $interval * $interval AS time, sum(n) AS n FROM orders GROUP BY unix / $interval",
    ] {
        assert_eq!(points(&mut asked, query).await, (vec!["n".to_owned()], halves.clone()), "{query}");
    }
    for (query, words) in [
        ("WITH a AS (SELECT 1) DELETE FROM orders", "readonly"),
        ("SELECT 1; DELETE FROM orders", "a query is one statement"),
        ("PRAGMA query_only = off", "and not with PRAGMA"),
        ("ATTACH 'other.db' AS other", "and not with ATTACH"),
        ("SELECT n\nFROM orders\nWHERE missing = 1", "line 3: no such column: missing"),
        ("SELECT n\nFORM orders", "syntax error"),
        ("SELECT blob, n FROM orders", "The column \"blob\" has a value of the type blob"),
        ("SELECT zeroblob(100000000) AS a, 1 AS value", "too big"),
        (
            "WITH RECURSIVE i(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM i) SELECT i AS value FROM i",
            "more than 100000 rows",
        ),
        (
            "WITH RECURSIVE i(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM i) SELECT max(i) AS value FROM i",
            "takes longer than 10 s",
        ),
    ] {
        let said = asked.error(query).await;
        assert!(said.contains(words), "{query}: {said}");
        assert!(!said.contains(&path.display().to_string()), "{said}");
    }
    assert_eq!(points(&mut asked, "SELECT unix AS time, n FROM orders").await.1, halves, "nothing is gone");
    assert!(!dir.path().join("other.db").exists());
}
