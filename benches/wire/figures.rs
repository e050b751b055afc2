//! Live figures: points that come in, points that go out to many, and how often a source is asked for them.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::{Error, Result};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use lockstep::server::data::series::retention::Window;
use lockstep::server::ingest::batch::Batch;
use lockstep::server::ingest::line::{self, Precision};
use memchr::memmem;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{interval, sleep};

use crate::load::{Outcome, Target, join};
use crate::process::Process;
use crate::{at_least, at_most, scenes};

/// Lines of one batch, and fields of a line: what a busy collector sends at once.
pub const LINES: usize = 5_000;
pub const FIELDS: usize = 4;
/// Series of the batches.
const SERIES: usize = 400;
const DAY_MS: u64 = 86_400_000;

/// An HTTP connection that is kept.
pub struct Http {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
}

impl Http {
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address: address.to_owned(), buffer: vec![0; 16 * 1024] })
    }

    /// Posts and waits for an answer that says that all is well.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> Result<()> {
        self.post_as(path, "", body).await
    }

    /// The same with more headers, each with its line's end.
    pub async fn post_as(&mut self, path: &str, headers: &str, body: &[u8]) -> Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body).await?;
        let read = self.stream.read(&mut self.buffer).await?;
        let answer = &self.buffer[..read];
        // What answers well is short enough to come whole.
        let well = answer.starts_with(b"HTTP/1.1 20");
        if well { Ok(()) } else { Err(Error::other(String::from_utf8_lossy(answer).into_owned())) }
    }
}

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A batch as a collector would send it; each has times of its own, so far apart in each series.
pub fn batch(number: usize, begin: u64, step_ms: u64) -> String {
    let mut lines = String::new();
    for n in 0..LINES {
        let series = n % (SERIES / FIELDS);
        let at = begin + (number * LINES + n) as u64 / (SERIES / FIELDS) as u64 * step_ms;
        let value = (n as f64 * 0.37).sin() * 50.0 + 50.0;
        let _ = writeln!(
            lines,
            "cpu,host=web-{series:03},region=eu-west,cpu=cpu-total usage_user={value:.3},usage_system={:.3},\
             usage_idle={:.3},processes={}i {at}",
            value / 3.0,
            100.0 - value,
            n % 300,
        );
    }
    lines
}

/// Points per second of one core, beside merely reading the same bytes; and what points cost in memory.
pub async fn ingest() -> Result<()> {
    const BATCHES: usize = 200;
    println!("\nline protocol over HTTP: batches of {LINES} lines with {FIELDS} fields, {SERIES} series");
    let begin = now_ms() - DAY_MS / 2;
    let batches: Vec<String> = (0..BATCHES).map(|number| batch(number, begin, 1_000)).collect();
    let points = (BATCHES * LINES * FIELDS) as f64;

    let started = Instant::now();
    let mut read = 0;
    for lines in &batches {
        let parsed = line::read(
            lines.as_bytes(),
            Precision::Milliseconds,
            Batch::new(Window::around(now_ms(), DAY_MS)),
        );
        let (runs, refused, _) = parsed.finish();
        assert!(refused.is_empty(), "{}", refused.words("line"));
        read += runs.count();
    }
    assert_eq!(read as f64, points);
    let parsing = started.elapsed().as_secs_f64();
    let limit = points / parsing / 1e6;
    println!("{:<58} {limit:>12.3}", "million points/s, the same bytes merely read");

    // Each of the first four batches brings names that are new.
    let server = Process::lockstep_with(&[("LOCKSTEP_LIMIT_NEW_SERIES_PER_MINUTE", "100000")]);
    let (before, memory) = (server.cpu(), server.memory_kib());
    let started = Instant::now();
    // Four at a time: while the disk takes one, others are read.
    let batches = Rc::new(RefCell::new(batches));
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (address, batches) = (server.address.clone(), batches.clone());
        tasks.push(spawn_local(async move {
            let mut http = Http::open(&address).await?;
            loop {
                let next = batches.borrow_mut().pop();
                let Some(lines) = next else { return Ok::<(), Error>(()) };
                http.post("/api/v2/write?precision=ms", lines.as_bytes()).await?;
            }
        }));
    }
    for task in tasks {
        task.await.expect("a client does not panic")?;
    }
    let took = started.elapsed().as_secs_f64();
    at_least("million points/s, answered and durable", points / took / 1e6, 0.5);
    if let Some((before, after)) = before.zip(server.cpu()) {
        let each = points / (after - before) / 1e6;
        at_least("million points per second of CPU", each, 0.5);
        println!("{:<58} {:>12.2}", "of what merely reading them reaches", each / limit);
    }
    if let Some((before, after)) = memory.zip(server.memory_kib()) {
        let each = after.saturating_sub(before) as f64 / points * 100_000.0;
        at_most("memory per 100,000 points, KiB (with what the requests need)", each, None);
    }
    let text = reqwest::get(format!("http://{}/metrics", server.address)).await.map_err(Error::other)?;
    let text = text.text().await.map_err(Error::other)?;
    let gauge = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap_or(0.0)
    };
    let each = gauge("lockstep_series_bytes ") / gauge("lockstep_series_points ") * 100_000.0 / 1024.0;
    at_most("memory per 100,000 points, KiB (the points alone)", each, Some(1_000.0));
    Ok(())
}

/// Makes a dashboard whose widgets ask for something.
pub async fn dashboard(
    server: &Process,
    widgets: usize,
    ask: impl Fn(usize) -> serde_json::Value,
) -> Result<Target> {
    let target = scenes::dashboard(server, 1, false).await?;
    let Target::Dashboard { id, .. } = &target else { unreachable!("a dashboard was made") };
    let (mut reader, mut writer, base) = join(server, &target).await?;
    let mut ops: Vec<_> = (0..widgets)
        .map(|n| {
            let frame = json!({"x": (n % 6) * 4, "y": n / 6 * 4, "w": 4, "h": 4});
            let widget = json!({"kind": "stat", "title": "", "frame": frame, "options": ask(n)});
            json!({"op": "add_widget", "id": format!("f{n}"), "widget": widget})
        })
        .collect();
    ops.push(json!({"op": "set_dashboard", "field": "refresh", "value": 2}));
    let push = json!({"type": "push", "dashboard": id, "changes": [{"seq": 1, "base": base, "ops": ops}]});
    writer.text(push.to_string().as_bytes()).await?;
    reader.text_with("\"refresh\"").await?;
    Ok(target)
}

/// 200 viewers of 50 widgets, each with a point a second.
pub async fn fanout() -> Result<()> {
    const VIEWERS: usize = 200;
    const WIDGETS: usize = 50;
    const SECONDS: f64 = 20.0;
    println!("\n{VIEWERS} viewers of {WIDGETS} widgets, each widget with a point a second");
    let server = Process::lockstep();
    let target = dashboard(&server, WIDGETS, |n| json!({"query": format!("wall{{n={n}}}")})).await?;
    let began = Instant::now();
    let (measuring, latencies) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(Vec::new())));
    let deliveries = Rc::new(Cell::new(0_u64));
    let mut tasks = Vec::new();
    for _ in 0..VIEWERS {
        let (mut reader, writer, _) = join(&server, &target).await?;
        let (measuring, latencies, deliveries) = (measuring.clone(), latencies.clone(), deliveries.clone());
        tasks.push(spawn_local(async move {
            let _writer = writer;
            loop {
                let frame = reader.text().await?;
                if !frame.starts_with(br#"{"type":"data""#) || !measuring.get() {
                    continue;
                }
                let now = began.elapsed().as_micros() as u64;
                deliveries.set(deliveries.get() + memmem::find_iter(frame, b"\"widget\"").count() as u64);
                // The value of a point is when it was sent; the last of the frame is the newest.
                let Some(end) = memmem::rfind(frame, b"]]") else { continue };
                let begin = memmem::rfind(&frame[..end], b",").map_or(0, |at| at + 1);
                let sent =
                    std::str::from_utf8(&frame[begin..end]).ok().and_then(|text| text.parse::<f64>().ok());
                latencies.borrow_mut().extend(sent.map(|sent| now.saturating_sub(sent as u64) as u32));
            }
            #[allow(unreachable_code, reason = "says what the task's errors are")]
            Ok::<(), Error>(())
        }));
    }
    let mut http = Http::open(&server.address).await?;
    let mut seconds = interval(Duration::from_secs(1));
    let (mut cpu, mut started) = (None, Instant::now());
    for second in 0..SECONDS as u64 + 3 {
        seconds.tick().await;
        if second == 2 {
            (cpu, started) = (server.cpu(), Instant::now());
            measuring.set(true);
        }
        let sent = began.elapsed().as_micros();
        let lines: String = (0..WIDGETS).map(|n| format!("wall,n={n} value={sent}\n")).collect();
        http.post("/api/v2/write", lines.as_bytes()).await?;
    }
    sleep(Duration::from_millis(900)).await;
    measuring.set(false);
    let (cpu_after, took) = (server.cpu(), started.elapsed().as_secs_f64());
    assert!(tasks.iter().all(|task| !task.is_finished()), "viewers that the server closed");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let cpu = cpu.zip(cpu_after).map(|(before, after)| after - before);
    let outcome = Outcome::new(deliveries.get(), took, latencies.take(), cpu);
    println!("{:<58} {:>12.0}", "widgets' points delivered per second", outcome.per_second());
    at_most("from the pushing to the viewer: p50, ms", outcome.quantile_ms(0.5), None);
    at_most("from the pushing to the viewer: p99, ms", outcome.quantile_ms(0.99), Some(250.0));
    if let Some(cpu) = cpu {
        at_most("server CPU, % of a core", cpu / took * 100.0, Some(15.0));
    }
    Ok(())
}

/// How often a source is asked in an interval, with 1, 10 and 200 viewers of 20 widgets.
pub async fn upstream() -> Result<()> {
    const INTERVALS: u64 = 5;
    println!("\nqueries that a source is asked in an interval of 2 s, 20 widgets that ask the same");
    let asked = Arc::new(AtomicU64::new(0));
    let router = Router::new().fallback(answer).with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let setting = format!("main=http://{}", listener.local_addr()?);
    let source = spawn_local(async move { axum::serve(listener, router).await });
    let server = Process::lockstep_with(&[("LOCKSTEP_PROMETHEUS", &setting)]);
    let target = dashboard(&server, 20, |_| json!({"source": "main", "query": "up"})).await?;
    let mut viewers = Vec::new();
    for count in [1, 10, 200] {
        while viewers.len() < count {
            let (mut reader, writer, _) = join(&server, &target).await?;
            viewers.push(spawn_local(async move {
                let _writer = writer;
                while reader.text().await.is_ok() {}
            }));
        }
        sleep(Duration::from_secs(3)).await;
        let before = asked.load(Relaxed);
        sleep(Duration::from_secs(2 * INTERVALS)).await;
        let each = (asked.load(Relaxed) - before) as f64 / INTERVALS as f64;
        at_most(&format!("{count} viewers"), each, Some(1.0));
    }
    viewers.iter().for_each(tokio::task::JoinHandle::abort);
    source.abort();
    Ok(())
}

/// A Prometheus whose every series is flat.
async fn answer(State(asked): State<Arc<AtomicU64>>, body: String) -> String {
    asked.fetch_add(1, Relaxed);
    matrix(&body, |_| "1".to_owned())
}

/// What a Prometheus answers to the form of a range, with a value for each time in seconds.
pub fn matrix(form: &str, value: impl Fn(f64) -> String) -> String {
    let number = |name: &str| {
        let value = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let (start, end, step) = (number("start"), number("end"), number("step").max(1.0));
    let steps = ((end - start) / step).max(0.0) as u64;
    let times = (0..=steps).map(|n| start + n as f64 * step);
    let values: Vec<String> = times.map(|at| format!("[{at},\"{}\"]", value(at))).collect();
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"up"}},"values":[{}]}}]}}}}"#,
        values.join(",")
    )
}
