//! Points pushed over one connection, here and to VictoriaMetrics, in turns on the same core.

use std::io::Result;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::figures::{Http, now_ms};
use crate::fleet::{FIELDS, Fleet, Row, lines, otlp, remote_write};
use crate::process::Process;
use crate::{at_least, at_most};

/// Turns of each server.
const TURNS: usize = 4;
/// Bodies in one turn, of 10,000 points each.
const BODIES: usize = 150;
const POINTS: f64 = 10_000.0;
/// From one turn to the next: what the other does by itself is to be done.
const PAUSE: Duration = Duration::from_secs(4);
/// How long after the last turn bytes are counted: nothing comes any more, and each has tidied up.
const AT_REST: Duration = Duration::from_secs(135);
const HALF_A_DAY_MS: u64 = 43_200_000;

/// A way to push.
struct Way {
    name: &'static str,
    path: &'static str,
    headers: &'static str,
    write: fn(&[Row]) -> Vec<u8>,
}

const LINES: Way =
    Way { name: "line protocol", path: "/api/v2/write?precision=ms", headers: "", write: lines };
/// As VictoriaMetrics has it.
const LINES_THERE: Way = Way { path: "/write?precision=ms", ..LINES };
const REMOTE_WRITE: Way = Way {
    name: "remote write",
    path: "/api/v1/write",
    headers: "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n",
    write: remote_write,
};
const OTLP: Way = Way {
    name: "OTLP, protocol buffers",
    path: "/v1/metrics",
    headers: "Content-Type: application/x-protobuf\r\n",
    write: otlp,
};

/// What turns came to.
#[derive(Clone, Copy, Default)]
struct Sum {
    points: f64,
    seconds: f64,
    cpu: f64,
}

impl Sum {
    fn million_per_second(self) -> f64 {
        self.points / self.seconds / 1e6
    }

    fn cpu_per_million(self) -> f64 {
        self.cpu / self.points * 1e6
    }
}

/// A server under load, and its own fleet.
struct Side {
    name: &'static str,
    server: Process,
    way: &'static Way,
    fleet: Fleet,
    sum: Sum,
}

impl Side {
    fn new(name: &'static str, server: Process, way: &'static Way, hosts: usize) -> Self {
        let fleet = Fleet::new(hosts, now_ms() - HALF_A_DAY_MS);
        Self { name, server, way, fleet, sum: Sum::default() }
    }

    /// A turn: one body after the other, each when the one before is answered.
    async fn turn(&mut self) -> Result<()> {
        let bodies: Vec<Vec<u8>> = (0..BODIES).map(|_| (self.way.write)(&self.fleet.rows())).collect();
        let mut http = Http::open(&self.server.address).await?;
        let (cpu, started) = (self.server.cpu(), Instant::now());
        for body in &bodies {
            http.post_as(self.way.path, self.way.headers, body).await?;
        }
        self.sum.seconds += started.elapsed().as_secs_f64();
        self.sum.points += BODIES as f64 * POINTS;
        self.sum.cpu += cpu.zip(self.server.cpu()).map_or(f64::NAN, |(before, after)| after - before);
        Ok(())
    }

    fn print(&self) {
        println!(
            "{:<58} {:>12.3}",
            format!("{}: million points/s, answered", self.name),
            self.sum.million_per_second()
        );
        println!("{:<58} {:>12.3}", "  CPU, s per million points", self.sum.cpu_per_million());
    }
}

fn lockstep() -> Process {
    Process::lockstep_with(&[("LOCKSTEP_LIMIT_NEW_SERIES_PER_MINUTE", "100000")])
}

/// Points per second, CPU and bytes on disk of each, and the ratios.
pub async fn ingest() -> Result<()> {
    for (hosts, what) in
        [(100, "1,000 series, ten times in each body"), (1_000, "10,000 series, one time in each body")]
    {
        println!(
            "\none connection, bodies of 1,000 lines with {} fields: {what}; 4 counters, 4 slow gauges with up to\n\
             2 decimals, noise with 3 decimals, and noise of full precision",
            FIELDS.len()
        );
        let ours = Side::new("Lockstep, durable", lockstep(), &LINES, hosts);
        let theirs = Process::victoria_metrics();
        if theirs.is_none() {
            println!("VictoriaMetrics: not measured, this machine has no program victoria-metrics");
        }
        let theirs =
            theirs.map(|server| Side::new("VictoriaMetrics, from memory", server, &LINES_THERE, hosts));
        let mut sides: Vec<Side> = std::iter::once(ours).chain(theirs).collect();
        for turn in 0..=TURNS {
            for side in &mut sides {
                side.turn().await?;
                if turn == 0 {
                    // Names are new in the first, which counts for the bytes alone.
                    side.sum = Sum::default();
                }
                sleep(PAUSE).await;
            }
        }
        sleep(AT_REST).await;
        let points = POINTS * (BODIES * (TURNS + 1)) as f64;
        for (n, side) in sides.iter().enumerate() {
            side.print();
            let bytes = side.server.bytes() as f64 / points;
            at_most("  bytes a point on disk at rest", bytes, Some(3.0).filter(|_| n == 0));
        }
        if let [ours, theirs] = &sides[..] {
            let rate = ours.sum.million_per_second() / theirs.sum.million_per_second();
            at_least("points/s, Lockstep to VictoriaMetrics", rate, 1.3);
            let cpu = ours.sum.cpu_per_million() / theirs.sum.cpu_per_million();
            at_most("CPU a point, Lockstep to VictoriaMetrics", cpu, Some(0.6));
        }
        let rate = sides[0].sum.million_per_second();
        drop(sides);
        for way in [&REMOTE_WRITE, &OTLP] {
            let mut side = Side::new(way.name, lockstep(), way, hosts);
            side.turn().await?;
            side.sum = Sum::default();
            for _ in 0..TURNS / 2 {
                side.turn().await?;
            }
            side.print();
            let of_lines = side.sum.million_per_second() / rate;
            at_least("  of the rate of line protocol", of_lines, 0.5);
        }
    }
    Ok(())
}
