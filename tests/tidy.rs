//! The walls of the house: who may import whom, what stays pure, and what a file looks like.

use std::fs;
use std::path::{Path, PathBuf};

/// Each part of the crate, with the parts that it may import beside itself.
const WALLS: [(&str, &[&str]); 5] = [
    ("dashboard", &[]),
    ("sync", &["dashboard"]),
    ("app", &["dashboard", "sync"]),
    ("browser", &["dashboard", "sync", "app"]),
    ("server", &["dashboard", "sync", "app"]),
];

/// Parts that know no IO, no async, no framework, no clock and no randomness (S12).
const PURE: [&str; 2] = ["dashboard", "sync"];

/// Files that have a word in spite of that: a document is kept behind a lock to save work, and what is read of it
/// is the same without.
const ALLOWED: [(&str, &str); 1] = [("src/dashboard/text/state.rs", "Mutex")];

/// Words that a pure part has no use for.
const IMPURE: [&str; 28] = [
    "async",
    "await",
    "tokio",
    "futures",
    "leptos",
    "axum",
    "sqlx",
    "tracing",
    "web_sys",
    "js_sys",
    "wasm_bindgen",
    "gloo_net",
    "gloo_timers",
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "rand",
    "getrandom",
    "RandomState",
    "thread",
    "Mutex",
    "RwLock",
    "static mut",
    "std::fs",
    "std::net",
    "std::env",
    "println",
    "eprintln",
];

/// Lines that a file may have before it tells more than one subject.
const MAX_LINES: usize = 600;

#[test]
fn parts_import_only_what_stands_below_them() {
    let mut found = Vec::new();
    for (part, below) in WALLS {
        for file in rust_files(&root().join("src").join(part)) {
            let code = code_of(&file);
            for (other, _) in WALLS {
                if other != part && !below.contains(&other) && imports(&code, &file, other) {
                    found.push(format!("{}: `{part}` must not import `{other}`", name(&file)));
                }
            }
        }
    }
    assert_none(&found);
}

#[test]
fn s12_the_core_is_pure() {
    let mut found = Vec::new();
    for part in PURE {
        for file in rust_files(&root().join("src").join(part)) {
            let code = without_tests(&code_of(&file));
            for word in IMPURE {
                if has_word(&code, word) && !ALLOWED.contains(&(name(&file).as_str(), word)) {
                    found.push(format!("{}: `{word}` has no place in a pure part", name(&file)));
                }
            }
        }
    }
    assert_none(&found);
}

#[test]
fn features_are_chosen_in_one_place() {
    let mut found = Vec::new();
    for file in rust_files(&root().join("src")) {
        let alone = matches!(name(&file).as_str(), "src/lib.rs" | "src/main.rs");
        let code: String = code_of(&file).split_whitespace().collect();
        if !alone && code.contains("feature=\"\"") {
            found.push(format!("{}: cfg(feature) stands in src/lib.rs and src/main.rs only", name(&file)));
        }
    }
    assert_none(&found);
}

#[test]
fn every_file_says_what_it_is_about_and_stays_short() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in rust_files(&root().join(folder)) {
            let text = read(&file);
            if !text.starts_with("//! ") {
                found.push(format!("{}: the first line is not `//! ` and a sentence", name(&file)));
            }
            let lines = text.lines().count();
            if lines > MAX_LINES {
                found.push(format!("{}: {lines} lines; more than {MAX_LINES} are two subjects", name(&file)));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn s10_no_channel_is_unbounded() {
    let mut found = Vec::new();
    for file in rust_files(&root().join("src")) {
        let code: String = without_tests(&code_of(&file)).split_whitespace().collect();
        if code.contains("unbounded") || code.contains("mpsc::channel()") {
            found.push(format!("{}: a channel without a bound", name(&file)));
        }
    }
    assert_none(&found);
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut found = Vec::new();
    for file in rust_files(&root().join("src")) {
        let code: String = without_tests(&code_of(&file)).split_whitespace().collect();
        if code.contains(".unwrap()") {
            found.push(format!("{}: `unwrap`; say with `expect` why it cannot fail", name(&file)));
        }
    }
    assert_none(&found);
}

/// Files of pages that hand addresses to the browser: each takes a path, and puts the base path in front of it.
const ADDRESS_USERS: [&str; 10] = [
    "src/app/address.rs",
    "src/app/dom.rs",
    "src/app/requests.rs",
    "src/app/components/share_dialog.rs",
    "src/browser/account.rs",
    "src/browser/download.rs",
    "src/browser/requests.rs",
    "src/browser/service_provider/settling.rs",
    "src/browser/service_worker.rs",
    "src/browser/socket.rs",
];

#[test]
fn addresses_of_pages_get_their_base_path_in_one_place() {
    const LITERAL: [&str; 6] =
        ["href=\"/", "action=\"/", "src=\"/", "href=format!(\"/", "action=format!(\"/", "src=format!(\"/"];
    const CALLS: [&str; 8] = [
        "fetch_with_",
        "Request::new_with",
        "WebSocket::new",
        ".register(",
        ".set_href(",
        ".pathname()",
        "location().assign(",
        "location().replace(",
    ];
    let mut found = Vec::new();
    for part in ["app", "browser"] {
        for file in rust_files(&root().join("src").join(part)) {
            let text: String = read(&file).split_whitespace().collect();
            let is_user = ADDRESS_USERS.contains(&name(&file).as_str());
            let outside = |words: &&&str| text.contains(**words);
            found.extend(LITERAL.iter().filter(outside).map(|words| format!("{}: {words}", name(&file))));
            let calls = CALLS.iter().filter(outside).filter(|_| !is_user);
            found.extend(calls.map(|words| format!("{}: {words} past app::address", name(&file))));
        }
    }
    assert_none(&found);
}

#[test]
fn the_rules_of_sync_stand_where_the_core_begins() {
    let rules = read(&root().join("src/sync/mod.rs"));
    let missing: Vec<String> = (1..=12)
        .filter(|number| !rules.contains(&format!("//! - **S{number} ")))
        .map(|number| format!("src/sync/mod.rs: rule S{number} is not there"))
        .collect();
    assert_none(&missing);
}

#[test]
fn the_reader_of_code_reads_code() {
    let read = strip(
        "let a = \"async // no\"; // async\n/* a /* b */ async */ let b = 'a'; let c: &'static str = r#\"async\"#;",
    );
    assert!(!has_word(&read, "async"), "{read}");
    assert!(has_word(&read, "static"), "{read}");
    assert!(has_word("use rand::Rng;", "rand") && !has_word("operand", "rand"));
    let tested = without_tests("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { x.unwrap() } }\nfn c() {}");
    assert!(!tested.contains("unwrap") && tested.contains("fn c()"), "{tested}");
    let deep = Path::new("src/app/pages/status.rs");
    assert!(imports("use crate::{dashboard::Op, server::Rooms};", deep, "server"));
    assert!(imports("use super::super::super::server::Rooms;", deep, "server"));
    assert!(!imports("use super::super::server::Rooms;", deep, "server"));
    assert!(imports("lockstep::server::run()", deep, "server"));
    assert!(!imports("use crate::app::server;", deep, "server"));
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file's path below the project's root.
fn name(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn code_of(file: &Path) -> String {
    strip(&read(file))
}

/// All Rust files below a folder, in order; none where there is no such folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether code names another part of this crate: `crate::part`, `lockstep::part`, a group of them,
/// or a chain of `super` that leads out of its own part.
fn imports(code: &str, file: &Path, part: &str) -> bool {
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ").replace(" :: ", "::");
    let below_src = file.components().skip_while(|c| c.as_os_str() != "src").count().saturating_sub(1);
    // `src/app/mod.rs` is one module deep, `src/app/shell.rs` two.
    let depth = if file.ends_with("mod.rs") { below_src - 1 } else { below_src };
    let ways = ["crate::".to_owned(), "lockstep::".to_owned(), "super::".repeat(depth)];
    ways.iter().any(|way| {
        code.match_indices(way.as_str()).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let begins = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            begins && heads(&code[at + way.len()..]).any(|head| head == part)
        })
    })
}

/// The first name of each path that follows: one, or those of a `{group}`.
fn heads(rest: &str) -> impl Iterator<Item = String> {
    let mut heads = Vec::new();
    if let Some(group) = rest.trim_start().strip_prefix('{') {
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => heads.push(std::mem::take(&mut item)),
                _ => {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    item.push(c);
                }
            }
        }
        heads.push(item);
    } else {
        heads.push(rest.to_owned());
    }
    heads.into_iter().map(|path| {
        path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    })
}

/// Whether a word stands in code on its own, not as a part of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

/// Code without what `#[cfg(test)]` guards.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        rest = skip_item(&rest[at + MARK.len()..]);
    }
    kept.push_str(rest);
    kept
}

/// What follows the next item: after its `;`, or after its block.
fn skip_item(code: &str) -> &str {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, '}' | ';') {
            return &code[at + 1..];
        }
    }
    ""
}

/// Rust without comments and without what stands in string and character literals; a string is left
/// as `""`.
fn strip(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::new();
    let mut i = 0;
    while i < chars.len() {
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    if at(i) == '/' && at(i + 1) == '*' {
                        depth += 1;
                        i += 2;
                    } else if at(i) == '*' && at(i + 1) == '/' {
                        depth -= 1;
                        i += 2;
                    } else {
                        i += 1;
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            'r' if matches!(at(i + 1), '"' | '#') => {
                let hashes = (i + 1..).take_while(|&j| at(j) == '#').count();
                if at(i + 1 + hashes) != '"' {
                    code.push('r');
                    i += 1;
                    continue;
                }
                let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                i += 2 + hashes;
                while i < chars.len() && !chars[i..].starts_with(&end) {
                    i += 1;
                }
                i += end.len();
                code.push_str("\"\"");
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
                code.push_str("\"\"");
            }
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
                code.push_str("' '");
            }
            c => {
                code.push(c);
                i += 1;
            }
        }
    }
    code
}
