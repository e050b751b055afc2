#!/usr/bin/env bash
# prometheus-parse (Rust): samples that do not look as its pattern expects are left out, and the rest is a success.
#
# Expected: Scrape::parse() returns a Result: what is valid in the text format is in it, and a line that does not read is an error.
# Happens: a metric with a colon in its name (as recording rules have them and federation serves them), one with a `}` in a label's
#   value (a route such as /users/{id}), and one with a space between name and labels are not among the samples. Of a label
#   whose value has an `=` (a query string) the sample stays and the label goes, so that several series become one. Escapes
#   stay as they are written, and lose a quote at the end. None of it is an error.
# Who is hurt: agents that scrape with it: totals over routes are too low, and nothing says that anything is missing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init --quiet --name show .
cat >>Cargo.toml <<'EOF'
prometheus-parse = "=0.2.5"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let text = r#"job:errors:rate5m 1
hits{route="/users/{id}"} 2
hits {route="/"} 3
hits{route="/find?q=a"} 4
hits{route="/find?q=b"} 5
hits{route="say \"hi\""} 6
hits{route="/plain"} 7"#;
    let scrape = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned())));
    let mut seen: Vec<String> = scrape
        .expect("it says that all is well")
        .samples
        .iter()
        .map(|sample| format!("{} {:?} {:?}", sample.metric, sample.labels.get("route"), sample.value))
        .collect();
    seen.sort();
    println!("prometheus-parse 0.2.5: 7 lines, {} samples\n{}", seen.len(), seen.join("\n"));
    let expected = [
        "hits None Untyped(4.0)",
        "hits None Untyped(5.0)",
        r#"hits Some("/plain") Untyped(7.0)"#,
        // The backslashes are those of the text, and the last quote is gone.
        r#"hits Some("say \\\"hi\\") Untyped(6.0)"#,
    ];
    assert_eq!(seen, expected, "CHANGED");
}
EOF
CARGO_TARGET_DIR="$work/target" cargo run --quiet
