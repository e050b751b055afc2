//! One room under load: clients that listen, writers that write, and what arrives how late.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::Result;
use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{interval, sleep, timeout};

use crate::client::{Reader, Writer, open};
use crate::process::Process;

/// How a frame of commits begins.
pub const COMMITS_HEAD: &str = r#"{"type":"commits","dashboard":"d1","commits":["#;
/// How a push to the plain broadcast begins; commits as they are to go out follow.
pub const MARK: &str = "#";
/// What stands between two commits of such a push: JSON's comma, with a mark that no commit holds.
pub const BETWEEN: &str = ",\n";

/// Changes in one push: well within a frame's 256 KiB.
const MAX_IN_A_PUSH: u64 = 256;
/// Frames up to this size are read in full; of larger ones the first and the last commit.
const READ_IN_FULL: usize = 8 * 1024;

/// What the clients talk to.
#[derive(Clone, Debug)]
pub enum Target {
    /// A dashboard of Lockstep, with the ids of widgets that are there.
    Dashboard { id: String, widgets: usize },
    /// The broadcast without any logic.
    Broadcast,
}

/// How fast the writers write.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Edits per second of all writers together, evenly spread.
    Rate(u32),
    /// As fast as it goes with so many edits under way.
    Window(u64),
}

/// What a run brought.
#[derive(Debug)]
pub struct Outcome {
    /// Commits that arrived, each counted for each client.
    pub deliveries: u64,
    pub seconds: f64,
    /// From the writing to the arrival, microseconds, sorted.
    latencies: Vec<u32>,
    /// Seconds of the server's CPU.
    pub cpu: Option<f64>,
}

impl Outcome {
    pub fn new(deliveries: u64, seconds: f64, mut latencies: Vec<u32>, cpu: Option<f64>) -> Self {
        latencies.sort_unstable();
        Self { deliveries, seconds, latencies, cpu }
    }

    /// Both runs as one.
    pub fn with(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        let cpu = self.cpu.zip(other.cpu).map(|(one, other)| one + other);
        Self::new(self.deliveries + other.deliveries, self.seconds + other.seconds, self.latencies, cpu)
    }

    /// A quantile of the latency in milliseconds; infinite where nothing arrived.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * quantile).round() as usize;
        self.latencies.get(at).map_or(f64::INFINITY, |us| f64::from(*us) / 1000.0)
    }

    pub fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.seconds
    }

    /// Seconds of the server's CPU for 1,000 deliveries.
    pub fn cpu_per_thousand(&self) -> Option<f64> {
        Some(self.cpu? * 1000.0 / self.deliveries as f64)
    }
}

struct State {
    began: Instant,
    measuring: Cell<bool>,
    stopped: Cell<bool>,
    pushed: Cell<u64>,
    /// The last revision that a writer saw, and the one before the first edit.
    revision: Cell<u64>,
    first_revision: Cell<u64>,
    deliveries: Cell<u64>,
    latencies: RefCell<Vec<u32>>,
    progress: Notify,
}

impl State {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn under_way(&self) -> u64 {
        self.pushed.get().saturating_sub(self.revision.get().saturating_sub(self.first_revision.get()))
    }
}

/// Runs clients against a server for some seconds, after a second in which they all get going.
pub async fn run(
    server: &Process,
    target: &Target,
    clients: usize,
    writers: usize,
    pace: Pace,
    seconds: f64,
) -> Result<Outcome> {
    let state = Rc::new(State {
        began: Instant::now(),
        measuring: Cell::new(false),
        stopped: Cell::new(false),
        pushed: Cell::new(0),
        revision: Cell::new(0),
        first_revision: Cell::new(0),
        deliveries: Cell::new(0),
        latencies: RefCell::default(),
        progress: Notify::new(),
    });
    let mut connections = Vec::new();
    for _ in 0..clients {
        let (reader, writer, revision) = join(server, target).await?;
        state.revision.set(revision);
        state.first_revision.set(revision);
        connections.push((reader, writer));
    }
    let mut tasks: Vec<JoinHandle<Result<()>>> = Vec::new();
    for (number, (reader, writer)) in connections.into_iter().enumerate() {
        tasks.push(spawn_local(listen(reader, state.clone())));
        let edits = Edits { target: target.clone(), number, writers, seq: 0 };
        let pace = (number < writers).then_some(pace);
        tasks.push(spawn_local(write(writer, edits, pace, state.clone())));
    }
    sleep(Duration::from_secs(1)).await;
    let (cpu, started) = (server.cpu(), Instant::now());
    state.measuring.set(true);
    sleep(Duration::from_secs_f64(seconds)).await;
    state.measuring.set(false);
    let (cpu_after, took) = (server.cpu(), started.elapsed().as_secs_f64());
    state.stopped.set(true);
    state.progress.notify_waiters();
    for task in tasks {
        if task.is_finished() {
            task.await.expect("a client does not panic")?;
        } else {
            task.abort();
        }
    }
    let cpu = cpu.zip(cpu_after).map(|(before, after)| after - before);
    Ok(Outcome::new(state.deliveries.get(), took, state.latencies.take(), cpu))
}

/// Connects, says hello and joins; the revision that the room is at.
pub async fn join(server: &Process, target: &Target) -> Result<(Reader, Writer, u64)> {
    let (mut reader, mut writer) = hello(server).await?;
    let dashboard = match target {
        Target::Dashboard { id, .. } => id,
        Target::Broadcast => "d1",
    };
    writer.text(join_frame(dashboard).as_bytes()).await?;
    let joined = reader.text_with("\"type\":\"joined\"").await?;
    let revision = number_after(joined, memmem::find(joined, b"\"revision\":"));
    Ok((reader, writer, revision.unwrap_or(0)))
}

pub fn join_frame(dashboard: &str) -> String {
    format!(r#"{{"type":"join","dashboard":"{dashboard}"}}"#)
}

/// Connects as the next of the server's people and says hello as a client that nobody has seen before.
pub async fn hello(server: &Process) -> Result<(Reader, Writer)> {
    hello_as(&server.address, &server.next_headers()).await
}

/// The same as whoever has these header lines.
pub async fn hello_as(address: &str, headers: &str) -> Result<(Reader, Writer)> {
    let (reader, mut writer) = open(address, headers).await?;
    let client = format!("bench-{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
    let hello = format!(r#"{{"type":"hello","protocol":1,"client":"{client}","name":"Bench"}}"#);
    writer.text(hello.as_bytes()).await?;
    Ok((reader, writer))
}

async fn listen(mut reader: Reader, state: Rc<State>) -> Result<()> {
    let mut last = state.first_revision.get();
    let revisions = memmem::FinderRev::new("\"revision\":");
    loop {
        let frame = reader.text().await?;
        if !frame.starts_with(br#"{"type":"commits""#) {
            assert!(
                !frame.starts_with(br#"{"type":"rejected""#),
                "rejected: {}",
                String::from_utf8_lossy(frame)
            );
            continue;
        }
        let Some(revision) = number_after(frame, revisions.rfind(frame)) else { continue };
        if state.measuring.get() {
            state.deliveries.set(state.deliveries.get() + revision.saturating_sub(last));
            note_latencies(frame, &state);
        }
        last = last.max(revision);
        if last > state.revision.get() {
            state.revision.set(last);
            state.progress.notify_waiters();
        }
    }
}

fn note_latencies(frame: &[u8], state: &State) {
    const VALUE: &[u8] = b"\"value\":\"t";
    let now = state.now_us();
    let mut latencies = state.latencies.borrow_mut();
    let mut note = |at: usize| {
        if let Some(sent) = number_at(&frame[at + VALUE.len()..]) {
            latencies.push(now.saturating_sub(sent) as u32);
        }
    };
    if frame.len() <= READ_IN_FULL {
        memmem::find_iter(frame, VALUE).for_each(note);
    } else {
        memmem::find(frame, VALUE).into_iter().for_each(&mut note);
        memmem::rfind(frame, VALUE).into_iter().for_each(note);
    }
}

/// The edits of one writer: each a new title for one of its own widgets, so that no two conflict.
struct Edits {
    target: Target,
    number: usize,
    writers: usize,
    seq: u64,
}

impl Edits {
    fn push(&mut self, count: u64, state: &State) -> String {
        let mut frame = match &self.target {
            Target::Dashboard { id, .. } => {
                format!(r#"{{"type":"push","dashboard":"{id}","changes":["#)
            }
            Target::Broadcast => MARK.to_owned(),
        };
        let now = state.now_us();
        let base = state.revision.get();
        for index in 0..count {
            self.seq += 1;
            let seq = self.seq;
            let between = if index == 0 { "" } else { BETWEEN };
            let written = match &self.target {
                Target::Dashboard { widgets, .. } => {
                    let own = widgets / self.writers;
                    let widget = self.number * own + seq as usize % own;
                    write!(
                        frame,
                        r#"{between}{{"seq":{seq},"base":{base},"ops":[{{"op":"set","id":"w{widget}","field":"title","value":"t{now}"}}]}}"#
                    )
                }
                // As long as what Lockstep makes of it.
                Target::Broadcast => {
                    let revision = state.pushed.get() + index + 1;
                    write!(
                        frame,
                        r##"{between}{{"revision":{revision},"client":"k7QmSVX2ap0rT9cWzB4e1g","seq":{seq},"by":{{"id":"k7QmSVX2ap0rT9cWzB4e1g","name":"Bench","color":"#3b82f6"}},"at":1795000000000,"ops":[{{"op":"set","id":"w{}","field":"title","value":"t{now}"}}],"refused":[],"conflicts":[]}}"##,
                        self.number
                    )
                }
            };
            written.expect("a string takes what is written to it");
        }
        if let Target::Dashboard { .. } = &self.target {
            frame.push_str("]}");
        }
        state.pushed.set(state.pushed.get() + count);
        frame
    }
}

async fn write(mut writer: Writer, mut edits: Edits, pace: Option<Pace>, state: Rc<State>) -> Result<()> {
    match pace {
        // A listener sends what keeps its session alive.
        None => {
            let mut pings = interval(Duration::from_secs(10));
            loop {
                pings.tick().await;
                writer.text(br#"{"type":"ping","id":1}"#).await?;
            }
        }
        Some(Pace::Rate(rate)) => {
            let each = Duration::from_secs_f64(edits.writers as f64 / f64::from(rate));
            sleep(each.mul_f64(edits.number as f64 / edits.writers as f64)).await;
            let mut ticks = interval(each);
            while !state.stopped.get() {
                ticks.tick().await;
                let frame = edits.push(1, &state);
                writer.text(frame.as_bytes()).await?;
            }
        }
        Some(Pace::Window(window)) => {
            let share = (window / edits.writers as u64).clamp(1, MAX_IN_A_PUSH);
            while !state.stopped.get() {
                let room = window.saturating_sub(state.under_way());
                if room < share {
                    // A missed wake-up costs a moment, not the run.
                    let _ = timeout(Duration::from_millis(5), state.progress.notified()).await;
                    continue;
                }
                let frame = edits.push(share, &state);
                writer.text(frame.as_bytes()).await?;
            }
        }
    }
    std::future::pending().await
}

fn number_after(frame: &[u8], name: Option<usize>) -> Option<u64> {
    let colon = memchr::memchr(b':', &frame[name?..])?;
    number_at(&frame[name? + colon + 1..])
}

fn number_at(digits: &[u8]) -> Option<u64> {
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&digits[..count]).ok()?.parse().ok()
}
