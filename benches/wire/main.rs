//! What the wire costs: deliveries, cursors, idle sessions, joins, each beside its limit.
//!
//! Start it with `make bench`, which pins the generator too. `LOCKSTEP_BENCH_ONLY=edits,saturation,
//! cursors,idle,idle-connections,unread-joins,join,log,resume,ingest,fanout,upstream,corrections,list,notes,backup,access,revoke,flood,timing,people` picks scenes. The figures hold for the machine that they were taken on; ratios
//! within one run are what can be compared.

mod access;
mod backup;
mod beside;
mod broadcast;
mod client;
mod connections;
mod corrections;
mod figures;
mod fleet;
mod list;
mod load;
mod notes;
mod process;
mod resume;
mod scenes;
mod unread;

use std::env;

use load::{Outcome, Pace, Target};
use process::Process;

const CLIENTS: usize = 100;
const WRITERS: usize = 10;
const WIDGETS: usize = 100;
/// The latency up to which a rate counts as held.
const SATURATED_MS: f64 = 250.0;
/// Edits under way while the most is looked for.
const WINDOWS: [u64; 5] = [100, 500, 2_000, 5_000, 10_000];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.iter().any(|argument| argument.starts_with("--broadcast")) {
        broadcast::serve(arguments.iter().any(|argument| argument == "--broadcast-batched"));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, measure());
}

async fn measure() {
    let only = env::var("LOCKSTEP_BENCH_ONLY").unwrap_or_default();
    let wanted = |scene: &str| only.is_empty() || only.split(',').any(|one| one == scene);
    println!("{:<58} {:>12} {:>14} {:>7}", "figure", "measured", "wanted", "ratio");
    if wanted("edits") {
        edits().await;
    }
    if wanted("saturation") {
        saturation().await;
    }
    if wanted("cursors") {
        let server = Process::lockstep();
        let outcome = scenes::cursors(&server, 50, 20, 10.0).await.expect("cursors");
        println!("\n50 cursors, 20 moves/s each ({:.0} deliveries/s)", outcome.per_second());
        at_most("p50, ms", outcome.quantile_ms(0.5), None);
        at_most("p99, ms", outcome.quantile_ms(0.99), Some(45.0));
        cpu_row(&outcome, Some(0.004));
    }
    if wanted("idle") {
        let server = Process::lockstep();
        println!("\n2,000 sessions that do nothing but their heartbeats");
        match scenes::idle(&server, 2_000, 20.0).await.expect("idle sessions") {
            Some(idle) => {
                at_most("memory each, KiB", idle.kib_each, Some(12.0));
                at_most("CPU, % of a core", idle.cpu_percent, None);
            }
            None => println!("not measured: this machine has no /proc"),
        }
    }
    if wanted("idle-connections") {
        connections::idle().await.expect("idle connections");
    }
    if wanted("unread-joins") {
        // A little less than a dashboard may have; more for a build that takes more.
        const USUAL_BYTES: usize = 8_000_000;
        let bytes = env::var("LOCKSTEP_BENCH_BYTES").ok().and_then(|bytes| bytes.parse().ok());
        let bytes = bytes.unwrap_or(USUAL_BYTES);
        let server = Process::lockstep();
        println!("\n160 joins of a dashboard of {bytes} bytes, in 8 sessions that read nothing");
        match unread::unread(&server, bytes).await.expect("unread joins") {
            Some(unread) => {
                at_most("memory before, MiB", unread.start, None);
                at_most("above that at most, MiB", unread.above, Some(64.0));
                at_most(
                    "above that ten seconds after they went, MiB",
                    unread.left,
                    Some(unread.start / 10.0),
                );
            }
            None => println!("not measured: this machine has no /proc"),
        }
    }
    if wanted("join") {
        let server = Process::lockstep();
        let joins = scenes::joins(&server, 10_000, 200).await.expect("joins");
        println!("\na fresh join of 200 widgets with ten fields after 10,000 edits");
        at_most("p50, ms", joins.ms, Some(2.0));
        if let Some(cpu_ms) = joins.cpu_ms {
            at_most("server CPU, ms", cpu_ms, Some(0.5));
        }
        at_most("size, KiB", joins.kib, Some(60.0));
    }
    if wanted("log") {
        println!("\nthe same after so many edits: the log's length does not matter");
        for edits in [100, 1_000, 10_000, 100_000] {
            let server = Process::lockstep();
            let joins = scenes::joins(&server, edits, 100).await.expect("joins");
            at_most(&format!("{edits} edits: p50, ms"), joins.ms, None);
        }
    }
    if wanted("ingest") {
        figures::ingest().await.expect("ingest");
        beside::ingest().await.expect("ingest beside VictoriaMetrics");
    }
    if wanted("fanout") {
        figures::fanout().await.expect("fan-out");
    }
    if wanted("upstream") {
        figures::upstream().await.expect("upstream queries");
    }
    if wanted("corrections") {
        corrections::corrections().await.expect("corrections");
    }
    if wanted("list") {
        list::list(10_000).await.expect("the list");
    }
    if wanted("notes") {
        notes::notes().await.expect("notes");
    }
    if wanted("backup") {
        backup::backup().await.expect("a backup");
    }
    if wanted("access") {
        access::edits().await.expect("edits of people");
    }
    if wanted("revoke") {
        access::revoke().await.expect("sessions that end");
    }
    if wanted("flood") {
        access::sign_in_flood().await.expect("wrong sign-ins");
    }
    if wanted("timing") {
        access::timing().await.expect("wrong sign-ins, timed");
    }
    if wanted("people") {
        access::people(10_000, 1_000, 10_000).await.expect("the list of one of many");
    }
    if wanted("resume") {
        const RETURNING: usize = 1_000;
        println!(
            "\n{RETURNING} clients who all come back at once to a server that was killed, 500 edits behind"
        );
        let resumed = resume::resume(RETURNING).await.expect("they come back");
        at_most("half of them live, ms", resumed.half_ms, None);
        at_most("the last of them live, ms", resumed.all_ms, None);
        if let Some(cpu_ms) = resumed.cpu_ms {
            at_most("server CPU with its start, ms", cpu_ms, None);
        }
    }
}

/// One room at 100 edits per second, and the same through the plain broadcast.
async fn edits() {
    println!("\none room, {CLIENTS} clients, {WRITERS} of them writing, {WIDGETS} widgets, 100 edits/s");
    let server = Process::lockstep();
    let target = scenes::dashboard(&server, WIDGETS, false).await.expect("a dashboard");
    let ours = load::run(&server, &target, CLIENTS, WRITERS, Pace::Rate(100), 20.0).await.expect("edits");
    drop(server);
    at_most("p50, ms, every edit durable", ours.quantile_ms(0.5), Some(2.0));
    at_most("p99, ms, every edit durable", ours.quantile_ms(0.99), Some(5.0));
    cpu_row(&ours, Some(0.015));

    let server = Process::broadcast(true);
    let plain = load::run(&server, &Target::Broadcast, CLIENTS, WRITERS, Pace::Rate(100), 20.0)
        .await
        .expect("the plain broadcast");
    at_most("plain axum broadcast: p50, ms", plain.quantile_ms(0.5), None);
    at_most("plain axum broadcast: p99, ms", plain.quantile_ms(0.99), None);
    cpu_row(&plain, None);
    if let (Some(ours), Some(plain)) = (ours.cpu_per_thousand(), plain.cpu_per_thousand()) {
        println!("{:<58} {:>12.2}", "CPU, Lockstep to the plain broadcast", ours / plain);
    }
}

/// The most that one room delivers, and the same through the plain broadcast.
async fn saturation() {
    println!("\nthe most with p99 under {SATURATED_MS} ms, same room");
    let mut ours = Vec::new();
    for window in WINDOWS {
        let server = Process::lockstep();
        let target = scenes::dashboard(&server, WIDGETS, false).await.expect("a dashboard");
        let pace = Pace::Window(window);
        match load::run(&server, &target, CLIENTS, WRITERS, pace, 5.0).await {
            Ok(outcome) => ours.push((window, outcome)),
            Err(error) => println!("{window} under way: {error}"),
        }
    }
    let ours = most("Lockstep, durable", &ours);
    at_least("million deliveries/s, durable", ours, 3.0);
    for (batched, name) in
        [(true, "plain axum broadcast, batched"), (false, "plain axum broadcast, a frame each")]
    {
        let mut plain = Vec::new();
        for window in WINDOWS {
            let server = Process::broadcast(batched);
            let pace = Pace::Window(window);
            match load::run(&server, &Target::Broadcast, CLIENTS, WRITERS, pace, 5.0).await {
                Ok(outcome) => plain.push((window, outcome)),
                Err(error) => println!("{window} under way: {error}"),
            }
        }
        let plain = most(name, &plain);
        println!("{:<58} {:>12.2}", format!("million deliveries/s, {name}"), plain);
        println!("{:<58} {:>12.2}", format!("Lockstep to {name}"), ours / plain);
    }
}

/// The best of some runs whose latency held, in million deliveries per second.
fn most(name: &str, runs: &[(u64, Outcome)]) -> f64 {
    for (window, run) in runs {
        println!(
            "  {name}, {window} under way: {:.2} million/s, p50 {:.1} ms, p99 {:.1} ms",
            run.per_second() / 1e6,
            run.quantile_ms(0.5),
            run.quantile_ms(0.99)
        );
    }
    let held = runs.iter().filter(|(_, run)| run.quantile_ms(0.99) < SATURATED_MS);
    held.map(|(_, run)| run.per_second() / 1e6).fold(0.0, f64::max)
}

fn cpu_row(outcome: &Outcome, limit: Option<f64>) {
    match outcome.cpu_per_thousand() {
        Some(cpu) => at_most("server CPU, s per 1,000 deliveries", cpu, limit),
        None => println!("server CPU: not measured, this machine has no /proc"),
    }
}

/// A figure that should stay below its limit; a ratio up to 1 holds it.
pub fn at_most(figure: &str, measured: f64, limit: Option<f64>) {
    match limit {
        Some(limit) => {
            println!("{figure:<58} {measured:>12.4} {:>14} {:>7.2}", format!("<= {limit}"), measured / limit)
        }
        None => println!("{figure:<58} {measured:>12.4}"),
    }
}

/// A figure that should reach its limit; a ratio from 1 on holds it.
pub fn at_least(figure: &str, measured: f64, limit: f64) {
    println!("{figure:<58} {measured:>12.4} {:>14} {:>7.2}", format!(">= {limit}"), measured / limit);
}
