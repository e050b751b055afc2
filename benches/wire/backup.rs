//! What a backup of a gigabyte costs those who edit meanwhile, with points coming in all the time.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{Error, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use lockstep::server::data::series::key::Key;
use lockstep::server::data::series::points::{encode, write_number};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

use crate::at_most;
use crate::figures::{FIELDS, Http, LINES, batch, now_ms};
use crate::load::{self, Outcome, Pace, Target};
use crate::process::{Process, data_dir, program};
use crate::scenes::dashboard;

/// Dashboards that nobody opens, the commits that each log has, and the bytes of each of these.
const DASHBOARDS: i64 = 70;
const COMMITS: i64 = 5_000;
const BODY: usize = 2_000;
/// Series that nobody looks at, and the points of each.
const SERIES: u64 = 300;
const POINTS: u64 = 90_000;
/// Points that come in, a second.
const POINTS_PER_S: u32 = 100_000;
const EDITS_PER_S: u32 = 100;
const CLIENTS: usize = 20;
const WRITERS: usize = 10;
/// Seconds of each part; the two kinds take turns, so that a busy minute of the machine meets both.
const SECONDS: f64 = 15.0;
const TURNS: usize = 3;

pub async fn backup() -> Result<()> {
    let server = Process::lockstep();
    let target = dashboard(&server, 100, false).await?;
    let data = server.stopped();
    fill(data.path()).await.map_err(Error::other)?;
    let bytes: u64 = ["lockstep.db", "series.db"].iter().map(|name| size(data.path(), name)).sum();
    println!(
        "\n{EDITS_PER_S} edits/s and {POINTS_PER_S} points/s, without and with a backup of {:.2} GB under way",
        bytes as f64 / 1e9
    );
    let server = Process::with_data(data, &[]);
    let going = Rc::new(Cell::new(true));
    let points = spawn_local(push_points(server.address.clone(), going.clone()));
    let backups = data_dir();
    let (mut without, mut with): (Option<Outcome>, Option<Outcome>) = (None, None);
    let (mut took, mut logs) = (Vec::new(), [0; 2]);
    for _ in 0..TURNS {
        without = Some(joined(without, edits(&server, &target).await?));
        let beside = Rc::new(RefCell::new(Backups::begin(server.data(), backups.path())?));
        let watching = spawn_local(watch(beside.clone()));
        with = Some(joined(with, edits(&server, &target).await?));
        watching.abort();
        let mut beside = beside.borrow_mut();
        beside.end()?;
        took.append(&mut beside.took);
        logs = [logs[0].max(beside.logs[0]), logs[1].max(beside.logs[1])];
    }
    going.set(false);
    let pushed = points.await.expect("the collector does not panic")?;
    let (without, with) = (without.expect("there are turns"), with.expect("there are turns"));
    println!("{:<58} {pushed:>12.0}", "points/s taken, all the time");
    for (name, outcome) in [("without", &without), ("with a backup under way", &with)] {
        at_most(&format!("{name}: p50 of an edit, ms"), outcome.quantile_ms(0.5), None);
        at_most(&format!("{name}: p99 of an edit, ms"), outcome.quantile_ms(0.99), None);
    }
    at_most("p99 with to p99 without", with.quantile_ms(0.99) / without.quantile_ms(0.99), Some(2.0));
    at_most("one backup with its verification, s", took.iter().sum::<f64>() / took.len() as f64, None);
    at_most("largest log of lockstep.db meanwhile, MB", logs[0] as f64 / 1e6, None);
    at_most("largest log of series.db meanwhile, MB", logs[1] as f64 / 1e6, None);
    Ok(())
}

async fn edits(server: &Process, target: &Target) -> Result<Outcome> {
    load::run(server, target, CLIENTS, WRITERS, Pace::Rate(EDITS_PER_S), SECONDS).await
}

fn joined(so_far: Option<Outcome>, more: Outcome) -> Outcome {
    match so_far {
        Some(so_far) => so_far.with(more),
        None => more,
    }
}

fn size(dir: &Path, name: &str) -> u64 {
    fs::metadata(dir.join(name)).map_or(0, |there| there.len())
}

/// Backups one after the other.
struct Backups {
    data: std::path::PathBuf,
    into: std::path::PathBuf,
    child: Child,
    began: Instant,
    /// Seconds of each that ended.
    took: Vec<f64>,
    /// The largest logs seen meanwhile, of each database.
    logs: [u64; 2],
}

impl Backups {
    fn begin(data: &Path, into: &Path) -> Result<Self> {
        let (child, began) = (start(data, into)?, Instant::now());
        Ok(Self {
            data: data.to_owned(),
            into: into.to_owned(),
            child,
            began,
            took: Vec::new(),
            logs: [0; 2],
        })
    }

    /// Notes how it goes, and begins the next where one has ended.
    fn look(&mut self) -> Result<()> {
        for (log, name) in self.logs.iter_mut().zip(["lockstep.db-wal", "series.db-wal"]) {
            *log = (*log).max(size(&self.data, name));
        }
        if let Some(ended) = self.child.try_wait()? {
            assert!(ended.success(), "a backup failed: {ended}");
            self.took.push(self.began.elapsed().as_secs_f64());
            (self.child, self.began) = (start(&self.data, &self.into)?, Instant::now());
        }
        Ok(())
    }

    /// Waits for the last one.
    fn end(&mut self) -> Result<()> {
        let ended = self.child.wait()?;
        assert!(ended.success(), "a backup failed: {ended}");
        self.took.push(self.began.elapsed().as_secs_f64());
        Ok(())
    }
}

async fn watch(backups: Rc<RefCell<Backups>>) {
    let mut looks = interval(Duration::from_millis(50));
    loop {
        looks.tick().await;
        backups.borrow_mut().look().expect("the backup can be looked at");
    }
}

/// On any core: the system says where it is in nobody's way.
fn start(data: &Path, into: &Path) -> Result<Child> {
    let mut command = Command::new("taskset");
    command.args(["-c", "0,1"]).arg(program()).arg("backup").arg(into).arg("--data-dir").arg(data);
    command.args(["--keep", "1"]).stdout(Stdio::null()).spawn()
}

/// Pushes so many points a second until it is told to stop; how many a second were taken.
async fn push_points(address: String, going: Rc<Cell<bool>>) -> Result<f64> {
    let mut http = Http::open(&address).await?;
    let each = (LINES * FIELDS) as u32;
    let mut ticks = interval(Duration::from_secs(1) * each / POINTS_PER_S);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    // However long it takes, none is of a time to come: that the server would refuse.
    let (began, begin) = (Instant::now(), now_ms() - 12 * 3_600_000);
    let mut number = 0;
    while going.get() {
        ticks.tick().await;
        http.post("/api/v2/write?precision=ms", batch(number, begin, 100).as_bytes()).await?;
        number += 1;
    }
    Ok(f64::from(each) * number as f64 / began.elapsed().as_secs_f64())
}

async fn open(file: &Path) -> std::result::Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).synchronous(SqliteSynchronous::Off);
    options.disable_statement_logging().connect().await
}

/// Fills both files of a stopped server, straight: what it would have after months.
async fn fill(data: &Path) -> std::result::Result<(), sqlx::Error> {
    let mut log = open(&data.join("lockstep.db")).await?;
    let state: String = sqlx::query_scalar("SELECT state FROM snapshots ORDER BY dashboard DESC LIMIT 1")
        .fetch_one(&mut log)
        .await?;
    let mut state: serde_json::Value = serde_json::from_str(&state).expect("a state");
    state["revision"] = COMMITS.into();
    sqlx::raw_sql("BEGIN; CREATE TEMP TABLE one AS SELECT * FROM dashboards LIMIT 1")
        .execute(&mut log)
        .await?;
    let body = format!(
        r##"{{"revision":%d,"client":"filler","seq":%d,"by":{{"id":"filler","name":"Filler","color":"#3b82f6"}},"at":1795000000000,"ops":[{{"op":"set","id":"w1","field":"title","value":"{}"}}],"refused":[],"conflicts":[]}}"##,
        "title ".repeat(BODY / 6)
    );
    for n in 1_000..1_000 + DASHBOARDS {
        sqlx::query("UPDATE one SET n = $1, id = 'filler-' || $1, revision = $2")
            .bind(n)
            .bind(COMMITS)
            .execute(&mut log)
            .await?;
        sqlx::query("INSERT INTO dashboards SELECT * FROM one").execute(&mut log).await?;
        sqlx::query("INSERT INTO snapshots (dashboard, revision, state) VALUES ($1, $2, $3)")
            .bind(n)
            .bind(COMMITS)
            .bind(state.to_string())
            .execute(&mut log)
            .await?;
        sqlx::query(
            "WITH RECURSIVE t(r) AS (SELECT 1 UNION ALL SELECT r + 1 FROM t WHERE r < $2)
             INSERT INTO commits (dashboard, revision, client, seq, body)
             SELECT $1, r, 'filler', r, printf($3, r, r) FROM t",
        )
        .bind(n)
        .bind(COMMITS)
        .bind(&body)
        .execute(&mut log)
        .await?;
    }
    sqlx::raw_sql("COMMIT").execute(&mut log).await?;
    log.close().await?;

    let mut series = open(&data.join("series.db")).await?;
    let begin = now_ms() - 3 * 3_600_000;
    let mut random = 1_u64;
    for n in 0..SERIES {
        let id = 1_000 + n;
        let key = Key::read(&format!("filler{{n={n}}}")).expect("a name");
        sqlx::query("INSERT INTO series (id, name) VALUES ($1, $2)")
            .bind(id as i64)
            .bind(key.whole())
            .execute(&mut series)
            .await?;
        let points: Vec<(u64, f64)> = (0..POINTS)
            .map(|at| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (begin + at * 100, (random >> 11) as f64)
            })
            .collect();
        let mut bytes = Vec::new();
        encode(&points, &mut bytes);
        let mut body = Vec::new();
        for number in [id, POINTS, bytes.len() as u64] {
            write_number(number, &mut body);
        }
        body.extend(bytes);
        let newest = points.last().map_or(begin, |(at, _)| *at);
        sqlx::query("INSERT INTO batches (newest, points, body) VALUES ($1, $2, $3)")
            .bind(newest as i64)
            .bind(POINTS as i64)
            .bind(body)
            .execute(&mut series)
            .await?;
    }
    series.close().await
}
