//! Connections that do nothing, or little: each ends at its deadline, and none keeps others out.

use std::io::ErrorKind;

use super::*;

/// Deadlines short enough to wait for, and no shorter than a busy machine needs for what is in time.
const HEAD: (&str, &str) = ("LOCKSTEP_LIMIT_HEAD_MS", "1500");
const BODY: (&str, &str) = ("LOCKSTEP_LIMIT_BODY_MS", "1500");
const KEEP_ALIVE: (&str, &str) = ("LOCKSTEP_LIMIT_KEEP_ALIVE_MS", "1500");

fn start(set: &[(&str, &str)]) -> Server {
    Server::start_with(tempfile::tempdir().expect("a directory"), set)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url.strip_prefix("http://").expect("an address"));
    let stream = stream.expect("a connection");
    // Longer than anything here takes: what ends is what is waited for.
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Everything up to the end of the connection.
fn to_the_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it does not end: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// One answer on a connection that is kept.
fn answer(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("sent");
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).expect("a line") > 0, "it ended after {head:?}");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().expect("a number");
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    head
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.raw("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

/// Asks until there is an answer: while many are on their way out at once, a new one may be turned away.
fn until_served(server: &Server) {
    let started = Instant::now();
    loop {
        let mut stream = connect(server);
        let request = HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        // One that is turned away may be gone before it is written to.
        let _ = stream.write_all(request.as_bytes());
        let said = to_the_end(stream);
        if said.starts_with("HTTP/1.1 200 ") {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{said}");
    }
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

#[test]
fn what_sends_no_whole_head_is_closed() {
    let server = start(&[HEAD]);
    let silent = connect(&server);
    let mut half = connect(&server);
    half.write_all(b"GET / HT").expect("sent");
    let mut slow = connect(&server);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n").expect("sent");
    let drip = slow.try_clone().expect("a clone");
    let dripping = std::thread::spawn(move || {
        let mut drip = drip;
        // Until it is closed: each line is some progress, and never a whole head.
        while drip.write_all(b"X-More: 1\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(to_the_end(silent), "");
    assert!(to_the_end(half).starts_with("HTTP/1.1 408 "));
    let said = to_the_end(slow);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    dripping.join().expect("it ended");
    assert_eq!(metric(&server, "lockstep_connections_late_total"), 3);
}

#[test]
fn what_was_kept_for_the_next_request_is_closed_in_the_end() {
    let server = start(&[KEEP_ALIVE]);
    let mut kept = connect(&server);
    for _ in 0..3 {
        assert!(answer(&mut kept, HEALTH).starts_with("HTTP/1.1 200 "));
    }
    let two = format!("{HEALTH}{HEALTH}");
    assert!(answer(&mut kept, &two).starts_with("HTTP/1.1 200 "));
    // The second of the two is there already, and may have been read with the first.
    let rest = to_the_end(kept);
    assert!(rest.is_empty() || rest.contains("ok"), "{rest}");
}

#[test]
fn requests_that_come_together_are_all_answered() {
    let server = start(&[]);
    let mut stream = connect(&server);
    let last = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    // In pieces that end within a head, so that a part of the next comes with one.
    let all = format!("{}{last}", HEALTH.repeat(5));
    for piece in all.as_bytes().chunks(HEALTH.len() + 7) {
        stream.write_all(piece).expect("sent");
        std::thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(to_the_end(stream).matches("HTTP/1.1 200 OK").count(), 6);
}

#[test]
fn a_body_that_nobody_read_is_no_request() {
    let server = start(&[HEAD, KEEP_ALIVE]);
    for body in [HEALTH.to_owned(), HEALTH.repeat(3_000)] {
        let length = body.len();
        let mut stream = connect(&server);
        let head = format!("POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        // It may be closed before all of it is there.
        let _ = stream.write_all(body.as_bytes());
        let said = to_the_end(stream);
        assert!(said.matches("HTTP/1.1 ").count() <= 1 && !said.contains("HTTP/1.1 200"), "{said}");
    }
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let server = start(&[BODY]);
    let post = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    // Senders of points take what begins with a 4 for "never send that again".
    let late = [("/api/v1/dashboards", 408), ("/api/v1/dashboards/import", 408), ("/api/v1/series", 503)];
    for (path, status) in late.into_iter().chain([("/api/v2/write", 503), ("/write", 503)]) {
        let mut stream = connect(&server);
        stream.write_all(post(path, 1_000).as_bytes()).expect("sent");
        stream.write_all(b"{").expect("sent");
        let said = to_the_end(stream);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {said}");
    }
    // A byte now and then is no progress.
    let mut stream = connect(&server);
    stream.write_all(post("/api/v1/dashboards", 10_000).as_bytes()).expect("sent");
    let mut drip = stream.try_clone().expect("a clone");
    let dripping = std::thread::spawn(move || {
        while drip.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let said = to_the_end(stream);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    dripping.join().expect("it ended");
}

#[test]
fn an_answer_that_nobody_reads_is_given_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_with(dir, &[BODY]);
    // Larger than what two kernels hold for a reader.
    let large = server.dir.path().join("site/pkg/large.js");
    std::fs::write(&large, vec![b' '; 64 * 1024 * 1024]).expect("a file");
    let mut stream = connect(&server);
    stream.write_all(b"GET /pkg/large.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("sent");
    let started = Instant::now();
    while metric(&server, "lockstep_connections_late_total") == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "it stays");
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = to_the_end(stream);
    assert!(said.starts_with("HTTP/1.1 200 ") && said.len() < 64 * 1024 * 1024);
}

#[test]
fn those_who_only_wait_make_room_and_everybody_is_served() {
    let server = start(&[("LOCKSTEP_LIMIT_CONNECTIONS", "20")]);
    let mut kept = connect(&server);
    assert!(answer(&mut kept, HEALTH).starts_with("HTTP/1.1 200 "));
    let idle: Vec<TcpStream> = (0..200).map(|_| connect(&server)).collect();
    // Each of them is asked to go for the next; whoever asks for something is heard.
    for _ in 0..3 {
        until_served(&server);
    }
    assert_eq!(to_the_end(kept), "", "it waited longest");
    assert!(metric(&server, "lockstep_connections") <= 20 + 48);
    assert_eq!(metric(&server, "lockstep_connections_limit"), 20);
    drop(idle);
}

#[test]
fn sockets_count_and_what_is_too_many_is_told_so() {
    let server =
        start(&[("LOCKSTEP_LIMIT_CONNECTIONS_PER_ADDRESS", "3"), ("LOCKSTEP_LIMIT_HELLO_MS", "60000")]);
    let upgrade = "GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // As many again are kept free for this machine.
    let many = 3 + 16;
    let socket = |_| {
        let mut socket = connect(&server);
        assert!(answer(&mut socket, upgrade).starts_with("HTTP/1.1 101 "));
        socket
    };
    let mut sockets: Vec<TcpStream> = (0..many).map(socket).collect();
    let said = to_the_end(connect(&server));
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 503 "), "{said}");
    drop(sockets.pop());
    // Its place is free once the server has noticed.
    let started = Instant::now();
    let text = loop {
        let mut stream = connect(&server);
        // One that is turned away may be gone before it is written to.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        let said = to_the_end(stream);
        if said.starts_with("HTTP/1.1 200 ") {
            break said;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{said}");
    };
    assert!(text.contains(&format!("\nlockstep_connections {many}\n")), "{text}");
    let refused = text.lines().find_map(|line| line.strip_prefix("lockstep_connections_refused_total "));
    assert!(refused.is_some_and(|refused| refused != "0"), "{text}");
}

#[test]
fn with_few_open_files_it_says_so_and_is_not_deaf() {
    let dir = tempfile::tempdir().expect("a directory");
    let set = command(dir.path());
    let log = dir.path().join("log");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 256; exec \"$0\""]).arg(set.get_program());
    limited.envs(set.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(dir.path()).stdout(Stdio::piped());
    let mut child = limited.stderr(std::fs::File::create(&log).expect("a file")).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("Lockstep is at ").expect("the address").to_owned();
    let server = Server { child, url, dir, http: Client::new() };
    let idle: Vec<TcpStream> = (0..600).map(|_| connect(&server)).collect();
    for _ in 0..3 {
        until_served(&server);
    }
    let said = std::fs::read_to_string(&log).expect("a log");
    assert!(said.contains("limit_connections: 16000 do not fit into the 256 files"), "{said}");
    assert!(!said.contains("could not be taken"), "it never ran out of files: {said}");
    drop(idle);
}

#[test]
fn a_stop_waits_for_nobody_who_asks_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let mut child =
        command(dir.path()).stderr(std::fs::File::create(&log).expect("a file")).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("Lockstep is at ").expect("the address").to_owned();
    let server = Server { child, url, dir, http: Client::new() };
    let mut kept = connect(&server);
    assert!(answer(&mut kept, HEALTH).starts_with("HTTP/1.1 200 "));
    let mut half = connect(&server);
    half.write_all(b"GET / HT").expect("sent");
    let (code, _, _dir) = server.stop();
    assert_eq!(code, Some(0));
    assert_eq!((to_the_end(kept), to_the_end(half)), (String::new(), String::new()));
    let said = std::fs::read_to_string(&log).expect("a log");
    assert!(said.contains("stopped; the log is complete") && !said.contains("did not end in time"), "{said}");
}
