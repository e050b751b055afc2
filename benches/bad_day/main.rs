//! Bad day of a real server, in some minutes: two people edit and a collector pushes while the disk fills
//! and empties, the clock jumps, a second server starts on the same data, strangers flood it, and it is
//! killed again and again, also in the middle of a backup. At its end everything that was acknowledged is
//! there, and what was refused was told. `make bad-day` runs it.

mod floods;
mod people;
mod place;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use people::Town;
use place::{Place, Server};
use serde_json::Value;
use table::Table;

/// Within which the first edit and the first points are taken after trouble. The server is built without
/// optimisation, and other things may run.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same after a disk has room again.
const ROOM: Duration = Duration::from_secs(2);
/// Kills under load, and in the middle of a backup.
const KILLS: u64 = 12;
const BACKUP_KILLS: u64 = 12;
/// Two days.
const DAYS: i64 = 2 * 24 * 3_600;

fn main() -> ExitCode {
    // As every program of a test, it is asked for a list of what it has.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let mut table = runtime.expect("a runtime").block_on(day());
    table.print();
    if table.held() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The day, hour by hour.
struct Day {
    // Before the place, which cannot be left while it runs.
    server: Option<Server>,
    place: Place,
    town: Town,
    table: Table,
}

async fn day() -> Table {
    let place = Place::new();
    let town = Town::new(place.addr);
    let server = Some(place.start());
    let mut day = Day { place, town, table: Table::default(), server };
    day.next_dashboard().await;
    let people = [
        tokio::spawn(day.town.clone().write(1)),
        tokio::spawn(day.town.clone().write(2)),
        tokio::spawn(day.town.clone().collect()),
    ];
    day.calm().await;
    day.full_disk().await;
    day.clock().await;
    day.second_server().await;
    day.floods().await;
    day.kills().await;
    day.backups().await;
    day.bin().await;
    day.calm().await;
    people.iter().for_each(tokio::task::JoinHandle::abort);
    for one in people {
        // It was ended just now.
        let _ = one.await;
    }
    day.end().await;
    day.table
}

impl Day {
    async fn next_dashboard(&mut self) {
        let begun = Instant::now();
        while self.town.move_on().await.is_none() {
            if begun.elapsed() > PATIENCE {
                return self.table.broken("no dashboard can be made any more");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Both go on: edits and points are taken.
    async fn goes_on(&mut self, after: &str) {
        if self.town.edited(6, PATIENCE).await.is_none() {
            self.table.broken(&format!("{after}: no edit is taken; {}", self.place.end_of_log()));
        }
        if self.town.pushed(5, PATIENCE).await.is_none() {
            self.table.broken(&format!("{after}: no points are taken; {}", self.place.end_of_log()));
        }
    }

    async fn calm(&mut self) {
        let (edits, points) = (*self.town.edits.borrow(), *self.town.points.borrow());
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.goes_on("on a calm hour").await;
        let edits = *self.town.edits.borrow() - edits;
        let points = *self.town.points.borrow() - points;
        self.table.row("a calm hour", format!("{edits} edits, {points} points acknowledged"));
    }

    /// The disk fills and empties.
    async fn full_disk(&mut self) {
        if let Some(why) = self.place.no_disk.clone() {
            return self.table.skipped("a full disk", &why);
        }
        let mut slowest = Duration::ZERO;
        let mut told = 0;
        for round in 0..3 {
            let rejected = self.rejected();
            self.place.fill();
            let mut is_told = false;
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                let refused = self.town.ledger().refused.get(&507).copied().unwrap_or(0) > 0;
                if self.rejected() > rejected && refused {
                    is_told = true;
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if !is_told {
                self.table.broken("nobody was told that the disk is full");
            }
            told += self.rejected() - rejected;
            if !self.says_full().await {
                self.table.broken("/readyz is 200 or /status says nothing while the disk is full");
            }
            self.place.make_room();
            match self.town.edited(1, PATIENCE).await {
                Some(took) => slowest = slowest.max(took),
                None => self
                    .table
                    .broken(&format!("round {round}: no edit is taken although there is room again")),
            }
            self.goes_on("once there is room").await;
        }
        if slowest > ROOM {
            self.table.broken(&format!("the first edit took {slowest:.1?} once there was room"));
        }
        let refused = self.town.ledger().refused.get(&507).copied().unwrap_or(0);
        self.table.row(
            "the disk full, three times",
            format!("{told} edits rejected and {refused} requests of points answered with 507; the first edit {slowest:.2?} after there was room"),
        );
    }

    fn rejected(&self) -> u64 {
        self.town.ledger().rejected.values().sum()
    }

    /// Whether an operator hears that the disk is full.
    async fn says_full(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let ready = self.town.http.get(self.town.url("/readyz")).send().await;
            let status = self.town.http.get(self.town.url("/status")).send().await;
            if let (Ok(ready), Ok(status)) = (ready, status)
                && !ready.status().is_success()
                && status.text().await.is_ok_and(|text| text.contains("disk is full"))
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        false
    }

    /// The clock jumps, while the server runs and while it is down.
    async fn clock(&mut self) {
        if let Some(why) = self.place.no_clock.clone() {
            return self.table.skipped("a clock that jumps", &why);
        }
        self.next_dashboard().await;
        for (days, restart) in [(DAYS, false), (-DAYS, false), (DAYS, true), (0, true)] {
            self.place.set_clock(days);
            if restart {
                self.restart();
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
            if self.town.edited(6, PATIENCE).await.is_none() {
                self.table.broken("no edit is taken while the clock is wrong");
            }
            self.place.set_clock(0);
            if restart && days != 0 {
                self.restart();
            }
            self.goes_on("once the clock is right again").await;
        }
        self.table
            .row("a clock off by two days, forward and back, running and at a start", "4 times".to_owned());
    }

    fn restart(&mut self) {
        drop(self.server.take());
        self.server = Some(self.place.start());
    }

    async fn second_server(&mut self) {
        self.next_dashboard().await;
        let arguments: [&str; 0] = [];
        let mut second = self.place.program(arguments);
        second.env("LOCKSTEP_ADDR", "127.0.0.1:0").stderr(std::process::Stdio::piped());
        let mut second = second.spawn().expect("the program starts");
        let ended = tokio::task::spawn_blocking(move || {
            let ended = place::wait(&mut second, PATIENCE);
            let _ = second.kill();
            (ended, second.wait_with_output())
        });
        let (ended, output) = ended.await.expect("it only waits");
        let said =
            output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
        let last = said.lines().last().unwrap_or_default().to_owned();
        match ended {
            Some(status) if !status.success() && last.starts_with("lockstep: ") => {}
            _ => self.table.broken(&format!("a second server starts on the same data: {ended:?} {last}")),
        }
        self.goes_on("beside a second server").await;
        self.table.row("a second server on the same data", format!("it ends with {last:?}"));
    }

    async fn floods(&mut self) {
        self.next_dashboard().await;
        let addr = self.town.addr;
        let (mut idle, told) = floods::connect(addr, 1_500, b"").await;
        let (mut half, half_told) =
            floods::connect(addr, 300, b"GET /api/v1/dashboards HTTP/1.1\r\nHost: 127").await;
        self.goes_on("beside idle connections and half requests").await;
        let closed_half = floods::closed(&mut half, Duration::from_secs(30)).await;
        let closed_idle = floods::closed(&mut idle, Duration::from_secs(30)).await;
        if closed_half < half_told.open || closed_idle < told.open {
            self.table.broken(&format!(
                "{closed_idle} of {} idle connections and {closed_half} of {} half requests were closed",
                told.open, half_told.open
            ));
        }
        self.table.row(
            "idle connections, half requests",
            format!(
                "{} and {} opened, {} and {} turned away, {closed_idle} and {closed_half} closed by the server",
                told.open, half_told.open, told.turned_away, half_told.turned_away
            ),
        );
        drop((idle, half));
        self.goes_on("after the flood of connections").await;

        match floods::large_dashboard(&self.town).await {
            Err(why) => self.table.broken(&format!("a large dashboard cannot be made: {why}")),
            Ok(large) => {
                let before = self.memory();
                let deaf = floods::join_unread(&self.town, &large, 8, 20).await;
                self.goes_on("beside joins that nobody reads").await;
                let during = self.memory();
                drop(deaf);
                self.goes_on("after them").await;
                self.table.row(
                    "160 joins of 2 MB that nobody reads",
                    format!(
                        "{before} MB of memory before, {during} MB with them, {} MB after",
                        self.memory()
                    ),
                );
            }
        }

        let (made, refused) = floods::make_dashboards(&self.town, 2_000).await;
        self.goes_on("after dashboards made in a loop").await;
        self.table.row("2,000 dashboards asked for in a loop", format!("{made} made, {refused} refused"));
        if refused == 0 {
            self.table.broken("one client may make as many dashboards as it likes");
        }
        // Its budget comes back.
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    /// Megabytes that the server has.
    fn memory(&self) -> u64 {
        self.server.as_ref().and_then(Server::memory).unwrap_or(0) / 1_000_000
    }

    async fn kills(&mut self) {
        for round in 0..KILLS {
            if round % 4 == 0 {
                self.next_dashboard().await;
            }
            self.goes_on("after kill -9").await;
            tokio::time::sleep(Duration::from_millis(round * 37 % 200)).await;
            self.restart();
        }
        self.goes_on("after kill -9").await;
        self.table.row("kill -9 under load", format!("{KILLS} times"));
    }

    /// Backups that are killed, the server or the backup; one that is whole holds what was acknowledged.
    async fn backups(&mut self) {
        self.next_dashboard().await;
        self.goes_on("before backups").await;
        let folder = self.place.path("backups");
        let mut whole = 0;
        for round in 0..BACKUP_KILLS {
            let to = folder.join(format!("{round}"));
            let mut backup =
                self.place.program(["backup".as_ref(), to.as_os_str()]).spawn().expect("it starts");
            tokio::time::sleep(Duration::from_millis(round * 61 % 400)).await;
            if round % 2 == 0 {
                place::signal(backup.id(), "-KILL");
            } else {
                self.restart();
            }
            let ended = tokio::task::spawn_blocking(move || place::wait(&mut backup, PATIENCE)).await;
            if ended.expect("it only waits").is_some_and(|status| status.success()) {
                whole += 1;
                self.check(&to);
            }
            self.goes_on("after a killed backup").await;
        }
        let promised = self.town.ledger().until_now();
        let to = folder.join("whole");
        let done = self.run(["backup".as_ref(), to.as_os_str()]);
        if !done.0 {
            return self.table.broken(&format!("a backup fails: {}", done.1));
        }
        self.check(&to);
        let restored = self.place.path("restored");
        let newest = newest_in(&to);
        let mut command = self.place.program(["restore".as_ref(), newest.as_os_str()]);
        command.env("LOCKSTEP_DATA_DIR", &restored);
        let output = command.stderr(std::process::Stdio::piped()).output().expect("it runs");
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return self.table.broken(&format!("a backup is not restored: {why}"));
        }
        let found = promised.compare(&restored).await;
        found.broken.iter().for_each(|why| self.table.broken(&format!("in the restored backup: {why}")));
        self.table.row(
            "backups killed, or the server beneath them",
            format!(
                "{BACKUP_KILLS} times, of them {whole} whole; one restored: {} edits, {} points",
                found.edits, found.points
            ),
        );
    }

    fn check(&mut self, backup: &std::path::Path) {
        let newest = newest_in(backup);
        let (held, said) = self.run(["check".as_ref(), newest.as_os_str()]);
        if !held {
            self.table.broken(&format!("a backup that was done does not check: {said}"));
        }
    }

    /// Runs the program to its end; whether it ended well, and the end of what it said.
    fn run<const N: usize>(&self, arguments: [&std::ffi::OsStr; N]) -> (bool, String) {
        let mut command = self.place.program(arguments);
        let output = command.stderr(std::process::Stdio::piped()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        (output.status.success(), said)
    }

    /// The dashboard that is edited goes to the bin and comes back.
    async fn bin(&mut self) {
        self.next_dashboard().await;
        let mut times = 0;
        for _ in 0..5 {
            self.goes_on("before the bin").await;
            let id = self.town.dashboard.borrow().clone();
            let gone = self.town.http.delete(self.town.url(&format!("/api/v1/dashboards/{id}"))).send().await;
            let bin = self.town.http.get(self.town.url("/api/v1/bin")).send().await;
            let listed = match bin {
                Ok(bin) => bin.json::<Value>().await.ok(),
                Err(_) => None,
            };
            let listed = listed.and_then(|bin| bin["dashboards"].as_array().cloned()).unwrap_or_default();
            if !listed.iter().any(|card| card["id"] == id.as_str()) {
                self.table.broken("a dashboard that was deleted is not in the bin");
            }
            if times % 2 == 1 {
                self.restart();
            }
            let url = self.town.url(&format!("/api/v1/bin/{id}/restore"));
            let back = self.town.http.post(url).send().await;
            match (gone, back) {
                (Ok(gone), Ok(back)) if gone.status() == 204 && back.status() == 200 => times += 1,
                (gone, back) => {
                    let (gone, back) = (gone.map(|a| a.status()), back.map(|a| a.status()));
                    self.table
                        .broken(&format!("a dashboard was not deleted and restored: {gone:?}, {back:?}"));
                    return self.next_dashboard().await;
                }
            }
            self.goes_on("after the bin").await;
        }
        self.table.row("a dashboard that is edited deleted and restored", format!("{times} times"));
    }

    /// The server ends in good order, and its files have all that was promised.
    async fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            if !server.is_running() {
                self.table.broken("the server has ended by itself");
            }
            let ended = tokio::task::spawn_blocking(move || server.terminate()).await.expect("it only waits");
            if !ended.is_some_and(|status| status.success()) {
                self.table.broken(&format!("SIGTERM ends it with {ended:?}"));
            }
        }
        let promised = self.town.ledger().until_now();
        let found = promised.compare(&self.place.data()).await;
        found.broken.iter().for_each(|why| self.table.broken(why));
        let ledger = self.town.ledger();
        ledger.broken.iter().for_each(|why| self.table.broken(why));
        self.table.row(
            "at the end",
            format!(
                "{} of {} acknowledged edits that the logs go back to ({} more in snapshots), and {} of {} points \
                 are there",
                found.edits,
                ledger.edits() - found.folded,
                found.folded,
                found.points,
                ledger.points()
            ),
        );
        self.table.row(
            "what was refused was told",
            format!(
                "edits {:?}; points {:?}, and {} requests without an answer; {} connections of two writers",
                ledger.rejected, ledger.refused, ledger.unanswered, ledger.connections
            ),
        );
    }
}

/// The backup in a folder: the folder itself, or the last in it.
fn newest_in(folder: &std::path::Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.pop().unwrap_or_else(|| folder.to_owned())
}
