//! Fault injection below the real stores: every kind of failure at every call of a scripted hour.
//! See `docs/reliability.md`.
//!
//! `LOCKSTEP_IO_FAULTS` says how many points are tried, or `all`; `LOCKSTEP_IO_FAULTS_SEED` from which seed
//! on. `CASE="dashboards 3 Full 17 lasts"` runs one of them alone.

#![cfg(all(feature = "ssr", unix))]

mod dashboards;
mod disk;
mod points;
#[path = "../simulation/random.rs"]
mod random;
mod scene;
mod vfs;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use disk::{Call, Failure, Plan};
use random::Random;
use scene::{Case, Plant, Told};

/// Points of one run of the tests: about half a minute of them.
const POINTS: usize = 300;
/// Scripts of each store when all is tried.
const SCRIPTS: u64 = 6;
/// Points in which something that was planted is looked for.
const PLANT_POINTS: usize = 40;

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Script {
    Dashboards,
    Points,
}

type Ended = Result<(Told, BTreeMap<Call, u64>), String>;

/// Plays a case. A panic is a failure like others.
fn play(script: Script, case: Case) -> Ended {
    vfs::register();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = catch_unwind(AssertUnwindSafe(|| match script {
        Script::Dashboards => runtime.block_on(dashboards::play(case)),
        Script::Points => runtime.block_on(points::play(case)),
    }));
    ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// All that may fail in a script.
fn points_of(script: Script, seed: u64) -> Vec<(Script, Case)> {
    let counted = play(script, Case { seed, plan: None, plant: None });
    let (_, calls) = counted.unwrap_or_else(|why| panic!("{script:?} {seed} without a failure: {why}"));
    let mut all = Vec::new();
    for failure in Failure::ALL {
        let most: u64 = calls.iter().filter(|(call, _)| failure.strikes(**call)).map(|(_, n)| n).sum();
        for lasts in [false, true] {
            if lasts && !lasting(failure) {
                continue;
            }
            let plans = (1..=most).map(|nth| Plan { failure, nth, lasts });
            all.extend(plans.map(|plan| (script, Case { seed, plan: Some(plan), plant: None })));
        }
    }
    all
}

/// What may be so for a while.
fn lasting(failure: Failure) -> bool {
    use Failure::{Full, FullBeyondTheEnd, OpenError, ReadError, SyncForgotten, WriteError};
    matches!(failure, Full | FullBeyondTheEnd | WriteError | SyncForgotten | ReadError | OpenError)
}

/// By what failed, and whether it lasted.
type Counts = BTreeMap<(Script, Failure, bool), Told>;

/// Plays many cases on all cores, until so many have failed.
fn play_all(cases: &[(Script, Case)], failures: usize) -> (Counts, BTreeMap<usize, String>) {
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new((Counts::new(), BTreeMap::new()));
    // They wait for threads of their own half of the time.
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..2 * cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let enough = outcome.lock().expect("no panic under it").1.len() >= failures;
                    let Some((script, case)) = cases.get(at).filter(|_| !enough) else { return };
                    let ended = play(*script, *case);
                    let (counts, failed) = &mut *outcome.lock().expect("no panic under it");
                    let plan = case.plan.expect("it was planned");
                    match ended {
                        Ok((told, _)) => {
                            counts.entry((*script, plan.failure, plan.lasts)).or_default().add(&told);
                        }
                        Err(why) => drop(failed.insert(at, why)),
                    }
                }
            });
        }
    });
    outcome.into_inner().expect("no panic under it")
}

/// How a case is run again.
fn name(script: Script, case: &Case) -> String {
    let Plan { failure, nth, lasts } = case.plan.expect("it was planned");
    let script = format!("{script:?}").to_lowercase();
    format!("CASE=\"{script} {} {failure:?} {nth}{}\"", case.seed, if lasts { " lasts" } else { "" })
}

fn read_case(text: &str) -> Option<(Script, Case)> {
    let mut words = text.split_whitespace();
    let script = if words.next()? == "points" { Script::Points } else { Script::Dashboards };
    let seed = words.next()?.parse().ok()?;
    let failure = words.next()?;
    let failure = Failure::ALL.into_iter().find(|known| format!("{known:?}") == failure)?;
    let plan = Plan { failure, nth: words.next()?.parse().ok()?, lasts: words.next() == Some("lasts") };
    Some((script, Case { seed, plan: Some(plan), plant: None }))
}

/// So many of them, chosen by a seed.
fn some(mut cases: Vec<(Script, Case)>, count: usize, seed: u64) -> Vec<(Script, Case)> {
    let mut random = Random::new(seed);
    for at in 0..cases.len().min(count) {
        let other = at + random.below((cases.len() - at) as u64) as usize;
        cases.swap(at, other);
    }
    cases.truncate(count);
    cases
}

#[test]
fn s2_s3_what_is_acknowledged_is_kept_whatever_call_fails() {
    if let Some((script, case)) = std::env::var("CASE").ok().as_deref().and_then(read_case) {
        let ended = play(script, case);
        println!("{ended:#?}");
        assert!(ended.is_ok());
        return;
    }
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = std::env::var("LOCKSTEP_IO_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let count = std::env::var("LOCKSTEP_IO_FAULTS").unwrap_or_default();
    let (seed, all) = (seed.unwrap_or(clock.map_or(1, |now| now.as_secs() % 100_000)), count == "all");
    let started = std::time::Instant::now();
    let scripts = if all { SCRIPTS } else { 1 };
    let seeds = (seed..seed + scripts).flat_map(|seed| [(Script::Dashboards, seed), (Script::Points, seed)]);
    let mut cases: Vec<_> = seeds.flat_map(|(script, seed)| points_of(script, seed)).collect();
    if !all {
        cases = some(cases, count.parse().unwrap_or(POINTS), seed);
    }
    println!("LOCKSTEP_IO_FAULTS_SEED={seed}: {} points", cases.len());
    let most = std::env::var("LOCKSTEP_FAILURES").ok().and_then(|most| most.parse().ok()).unwrap_or(1);
    let (counts, failed) = play_all(&cases, most);
    let mut total = Told::default();
    println!("store, failure: struck, acknowledged, failed, of them found later, attempts until it writes");
    for ((script, failure, lasts), told) in &counts {
        let lasts = if *lasts { " until mended" } else { "" };
        println!(
            "{script:?}, {failure:?}{lasts}: {}, {}, {}, {}, {}",
            told.struck, told.acked, told.failed, told.found, told.attempts
        );
        total.add(told);
    }
    for (at, why) in &failed {
        let (script, case) = &cases[*at];
        println!("{}: {why}", name(*script, case));
    }
    println!(
        "{} points in {:.0?}: {} writes acknowledged, {} failed, {} of them found later, at most {} attempts \
         until it writes; lost: {}",
        total.struck,
        started.elapsed(),
        total.acked,
        total.failed,
        total.found,
        total.attempts,
        failed.len()
    );
    let first = failed.keys().next().map(|at| name(cases[*at].0, &cases[*at].1));
    assert_eq!(first, None, "it runs that one again");
}

/// A log that could not be brought back at the start, because its sync failed: what was written behind it was
/// lost with it.
const FOUND: [&str; 5] = [
    "dashboards 52047 SyncForgotten 9 lasts",
    "dashboards 52049 SyncForgotten 9 lasts",
    "dashboards 52050 SyncForgotten 9 lasts",
    "points 52051 SyncForgotten 6 lasts",
    "points 52052 SyncForgotten 19 lasts",
];

#[test]
fn s3_what_was_lost_once_is_kept() {
    for case in FOUND {
        let (script, case) = read_case(case).expect("a case");
        let ended = play(script, case);
        assert!(ended.is_ok(), "{case:?}: {ended:?}");
    }
}

#[test]
fn s2_no_dashboard_opens_while_a_failed_write_may_come_back() {
    vfs::register();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert_eq!(runtime.block_on(dashboards::play_a_write_in_doubt()), Ok(()));
}

/// Asserts that something that is done wrong on purpose is found.
fn bites(plant: Plant, strikes: impl Fn(Failure) -> bool) {
    for script in [Script::Dashboards, Script::Points] {
        let mut cases = points_of(script, 1);
        cases.retain(|(_, case)| case.plan.is_some_and(|plan| strikes(plan.failure)));
        let mut cases = some(cases, PLANT_POINTS, 1);
        cases.iter_mut().for_each(|(_, case)| case.plant = Some(plant));
        let (_, failed) = play_all(&cases, usize::MAX);
        let lost = failed.values().filter(|why| why.contains("lost: ")).count();
        println!(
            "{plant:?}, {script:?}: lost in {lost} of {} points, first {:?}",
            cases.len(),
            failed.first_key_value()
        );
        assert!(lost > 0, "{plant:?} is not found in {script:?}");
    }
}

#[test]
fn s3_it_is_noticed_when_a_write_is_acknowledged_before_it_is_done() {
    bites(Plant::AcksEarly, |failure| failure == Failure::PowerCut);
}

#[test]
fn s3_it_is_noticed_when_a_failed_write_is_acknowledged() {
    bites(Plant::AcksFailures, |failure| failure != Failure::PowerCut);
}

#[test]
fn s3_it_is_noticed_when_nothing_waits_for_the_disk() {
    bites(Plant::NeverSyncs, |failure| failure == Failure::PowerCut);
}
