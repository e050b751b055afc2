//! What one sender may take of what is there for all, and how a series is deleted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::program::{Program, answer};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A connection that announces so many bytes of points, and sends only so many.
fn announce(server: &Program, path: &str, bytes: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).expect("a connection");
    let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&vec![b'#'; sent]).expect("sent");
    stream
}

#[tokio::test]
async fn s10_who_announces_much_and_sends_nothing_holds_up_nobody() {
    let dir = dir();
    let server = Program::start(dir.path(), &[]);
    let most = 10 * 1024 * 1024;
    let mut announced: Vec<TcpStream> =
        (0..40).map(|_| announce(&server, "/api/v2/write", most, 0)).collect();
    announced.extend((0..40).map(|_| announce(&server, "/api/v1/series", most, 1_000)));
    assert_eq!(server.push("/api/v2/write", "a value=1").await.0, 204);
    for stream in &mut announced {
        stream.set_nonblocking(true).expect("set");
        let waits = stream.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(waits, "they were there all the time, and nobody waited for them");
    }
    let large = vec![b'#'; 9 * 1024 * 1024];
    assert_eq!(server.push("/api/v2/write", large).await.0, 204, "there is room for what really comes");
}

#[tokio::test]
async fn s10_new_series_of_one_sender_are_bounded_and_known_ones_go_on() {
    let dir = dir();
    let set = [
        ("LOCKSTEP_LIMIT_NEW_SERIES_PER_MINUTE", "3"),
        ("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.0/8"),
        ("LOCKSTEP_ACCESS", "open"),
    ];
    let server = Program::start(dir.path(), &set);
    let push = async |from: &'static str, body: &'static str| {
        answer(server.post("/api/v2/write").header("x-forwarded-for", from).body(body)).await
    };
    assert_eq!(push("192.0.2.1", "a value=1\nb value=1").await.0, 204);
    let (status, said) = push("192.0.2.1", "a value=2\nc value=1\nd value=1\ne value=1,f=2").await;
    let message = said["message"].as_str().expect("words");
    assert_eq!((status, &said["line"]), (400, &json!(3)), "{said}");
    assert!(
        message.starts_with("partial write: 2 points written; dropped 3: line 3: the series \"d\" is new")
    );
    assert!(message.contains("try again in "), "{message}");
    assert_eq!(push("192.0.2.1", "a value=3\nb value=3\nc value=3").await.0, 204, "known ones");
    assert_eq!(push("192.0.2.2", "d value=1").await.0, 204, "somebody else has a rate of their own");
    let body = json!({"series": "g", "value": 1}).to_string();
    let json = server.post("/api/v1/series").header("x-forwarded-for", "192.0.2.1").body(body);
    let (status, said) = answer(json).await;
    assert_eq!((status, &said["accepted"], &said["refused"][0]["item"]), (400, &json!(0), &json!(1)));
    assert_eq!(push("2001:db8:1:2::1", "h value=1\ni value=1\nj value=1").await.0, 204);
    assert_eq!(push("2001:db8:1:2:ffff::2", "k value=1").await.0, 400, "the same customer");
}

#[tokio::test]
async fn series_are_deleted_for_good_by_those_who_may_push() {
    let dir = dir();
    let set = [("LOCKSTEP_INGEST_TOKEN", "tell-nobody"), ("LOCKSTEP_LIMIT_SERIES", "4")];
    let server = Program::start(dir.path(), &set);
    let known = |request: reqwest::RequestBuilder| request.header("authorization", "Bearer tell-nobody");
    let push = async |server: &Program, lines: &'static str| {
        answer(known(server.post("/api/v2/write")).body(lines)).await.0
    };
    assert_eq!(push(&server, "cpu,host=a idle=1,user=1\ncpu,host=b idle=1\norders value=7").await, 204);
    assert_eq!(push(&server, "more value=1").await, 400, "there is no place for one more");
    let delete = async |server: &Program, wanted: &str, token: bool| {
        let request = reqwest::Client::new().delete(format!("http://{}/api/v1/series", server.addr));
        let request = request.query(&[("match", wanted)]);
        answer(if token { known(request) } else { request }).await
    };
    assert_eq!(delete(&server, "cpu*", false).await.0, 401);
    assert_eq!(delete(&server, "", true).await.0, 400);
    assert_eq!(delete(&server, "cpu.idle{host=a}", true).await, (200, json!({"deleted": 1})));
    assert_eq!(delete(&server, "cpu*", true).await, (200, json!({"deleted": 2})));
    assert_eq!(delete(&server, "server.*", true).await, (200, json!({"deleted": 0})), "its own stay");
    assert_eq!(
        server
            .json("/api/v1/series?part=")
            .await
            .as_array()
            .expect("names")
            .iter()
            .filter(|name| !name.as_str().expect("text").starts_with("server."))
            .count(),
        1
    );
    assert_eq!(push(&server, "more value=1").await, 204, "its place is free at once");
    drop(server);
    let server = Program::start(dir.path(), &set);
    assert_eq!(server.json("/api/v1/series?part=cpu.idle").await, json!([]));
    assert_eq!(server.json("/api/v1/series?part=ore").await, json!(["more"]));
}
