//! A program with the page inside, as `cargo xtask dist` makes it.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use lockstep::server::embedded::COMMENT;
use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE,
};
use reqwest::{Response, StatusCode};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::program::{Program, command_of};

const FILES: [(&str, &str); 5] = [
    ("pkg/lockstep.js", "export default 'inside'"),
    ("pkg/lockstep.js.br", "packed with brotli"),
    ("pkg/lockstep.js.gz", "packed with gzip"),
    ("pkg/lockstep.wasm", "\0asm"),
    ("favicon.svg", "<svg/>"),
];

/// A copy of the program, with the files inside. A directory beside it has others.
fn packed(dir: &Path) -> PathBuf {
    let program = dir.join("lockstep");
    fs::copy(env!("CARGO_BIN_EXE_lockstep"), &program).expect("copied");
    let mut file = File::options().read(true).write(true).open(&program).expect("opens");
    file.seek(SeekFrom::End(0)).expect("seeks");
    let mut archive = ZipWriter::new(file);
    for (name, text) in FILES {
        archive.start_file(name, SimpleFileOptions::default()).expect("begins");
        archive.write_all(text.as_bytes()).expect("written");
    }
    archive.set_comment(COMMENT).expect("it fits");
    archive.finish().expect("ends");
    program
}

fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output().expect("runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> String {
    response.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_inside_is_served_as_from_a_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = packed(dir.path());
    let server = Program::of(command_of(&program, dir.path()).env_remove("LOCKSTEP_SITE_ROOT"), dir.path());
    // Shows what came as it came.
    let http = reqwest::Client::builder().no_gzip().build().expect("a client");
    let get = async |path: &str, set: &[(reqwest::header::HeaderName, &str)]| {
        let mut request =
            http.get(format!("http://{}{path}", server.addr)).header(ACCEPT_ENCODING, "identity");
        for (name, value) in set {
            let headers = std::iter::once((name.clone(), value.parse().expect("a header"))).collect();
            request = request.headers(headers);
        }
        request.send().await.expect("an answer")
    };
    let script = "/pkg/lockstep.js";
    for (accepted, encoding, text) in [
        ("identity", "", "export default 'inside'"),
        ("gzip, br", "br", "packed with brotli"),
        ("gzip", "gzip", "packed with gzip"),
        ("br;q=0, gzip;q=0", "", "export default 'inside'"),
    ] {
        let answer = get(script, &[(ACCEPT_ENCODING, accepted)]).await;
        assert_eq!(header(&answer, CONTENT_ENCODING), encoding, "{accepted}");
        assert_eq!(header(&answer, CONTENT_TYPE), "text/javascript");
        assert_eq!(header(&answer, CACHE_CONTROL), "no-cache");
        assert_eq!(answer.text().await.expect("text"), text);
    }

    let tag = header(&get(script, &[]).await, ETAG);
    let again = get(script, &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!((again.status(), header(&again, ETAG)), (StatusCode::NOT_MODIFIED, tag.clone()));
    let wasm = get("/pkg/lockstep.wasm", &[]).await;
    assert_eq!(header(&wasm, CONTENT_TYPE), "application/wasm");
    assert_ne!(header(&wasm, ETAG), tag);
    let part = get(script, &[(RANGE, "bytes=16-21")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.text().await.expect("text"), "inside");

    let html = get("/", &[]).await.text().await.expect("text");
    let folder =
        html.split("\"/pkg/").skip(1).find_map(|rest| rest.split_once("/lockstep.js")).expect("the script").0;
    let hashed = get(&format!("/pkg/{folder}/lockstep.js"), &[]).await;
    assert!(header(&hashed, CACHE_CONTROL).contains("immutable"), "{hashed:?}");
    for path in ["/pkg/none.js", "/pkg/", "/pkg/..%2ffavicon.svg", "/pkg/%00", "/vendor/none.css"] {
        assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let head =
        server.http.head(format!("http://{}/favicon.svg", server.addr)).send().await.expect("an answer");
    assert_eq!(
        (head.status(), header(&head, reqwest::header::CONTENT_LENGTH)),
        (StatusCode::OK, "6".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_named_goes_before_the_page_inside() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = packed(dir.path());
    let mut command = command_of(&program, dir.path());
    fs::write(dir.path().join("site/pkg/lockstep.js"), "named").expect("written");
    let server = Program::of(&mut command, dir.path());
    assert_eq!(server.get("/pkg/lockstep.js").await.text().await.expect("text"), "named");
}

#[test]
fn the_version_says_what_the_program_was_built_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let plain = version(Path::new(env!("CARGO_BIN_EXE_lockstep")));
    let name = format!("lockstep {}\n", env!("CARGO_PKG_VERSION"));
    assert!(plain.starts_with(&name) && plain.contains("\npage: in a directory\n"), "{plain}");
    for line in ["commit: ", "protocol: 1", "platform: "] {
        assert!(plain.lines().any(|one| one.starts_with(line)), "{line} in {plain}");
    }
    let packed = version(&packed(dir.path()));
    assert!(packed.contains("\npage: built in\n"), "{packed}");
}
