//! A day of trouble in a few milliseconds, from a seed: real replicas, links, rooms and store over a
//! network, disks and people that are made up. See `docs/reliability.md`.
//!
//! `LOCKSTEP_SEEDS` says how many seeds are tried, `LOCKSTEP_FIRST_SEED` from where on, and `SEED` runs
//! that one alone and tells what happens in it.

mod check;
mod disk;
mod model;
mod network;
mod node;
mod person;
mod random;
mod roles;
mod spread;
mod tab;
mod trouble;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use check::Report;
use world::{Fault, World};

/// Seeds of one run of the tests.
const SEEDS: u64 = 10_000;

/// Runs one seed. A panic in the code under test is a failure like others.
fn run(seed: u64, fault: Option<Fault>, trace: bool) -> Result<Report, String> {
    catch_unwind(AssertUnwindSafe(|| World::new(seed, fault, trace).run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// What came of many seeds.
#[derive(Default)]
struct Outcome {
    report: Report,
    /// Seeds that broke a rule, and which.
    failures: BTreeMap<u64, String>,
}

/// Runs seeds on all cores, until so many have failed or all are done.
fn run_all(seeds: std::ops::Range<u64>, fault: Option<Fault>, failures: usize) -> Outcome {
    let next = AtomicU64::new(seeds.start);
    let outcome = Mutex::new(Outcome::default());
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let ended = outcome.lock().expect("no panic under it").failures.len() >= failures;
                    if ended || seed >= seeds.end {
                        return;
                    }
                    let one = run(seed, fault, false);
                    let mut outcome = outcome.lock().expect("no panic under it");
                    match one {
                        Ok(report) => outcome.report.add(&report),
                        Err(why) => drop(outcome.failures.insert(seed, why)),
                    }
                }
            });
        }
    });
    outcome.into_inner().expect("no panic under it")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn s1_to_s11_hold_whatever_happens() {
    if let Some(seed) = number("SEED") {
        let outcome = run(seed, None, true);
        println!("seed {seed}: {outcome:#?}");
        assert!(outcome.is_ok(), "seed {seed} fails");
        return;
    }
    let seeds = number("LOCKSTEP_SEEDS").unwrap_or(SEEDS);
    let first = number("LOCKSTEP_FIRST_SEED").unwrap_or(0);
    let started = std::time::Instant::now();
    let most = number("LOCKSTEP_FAILURES").unwrap_or(1) as usize;
    let Outcome { report, failures } = run_all(first..first + seeds, None, most);
    for (seed, why) in &failures {
        println!("seed {seed}: {why}");
    }
    println!("{seeds} seeds in {:.1?}: {report}", started.elapsed());
    let seed = failures.keys().next();
    assert_eq!(seed, None, "SEED={} runs it again and tells what happens", seed.unwrap_or(&0));
}

/// Seeds that a broken rule is looked for in.
const FAULT_SEEDS: u64 = 300;

/// Seeds that notice it: more say nothing new.
const ENOUGH: usize = 5;

/// Breaks a rule in the wiring and asserts that it is noticed, and as what.
fn bites(fault: Fault, rules: &[&str]) {
    let enough = number("LOCKSTEP_FAILURES").map_or(ENOUGH, |failures| failures as usize);
    let failures = run_all(0..FAULT_SEEDS, Some(fault), enough).failures;
    let first = failures.iter().next();
    println!("{fault:?}: found in {} of {FAULT_SEEDS} seeds, first {first:?}", failures.len());
    let named = failures.values().filter(|why| rules.iter().any(|rule| why.starts_with(rule))).count();
    assert!(named > 0, "{fault:?} is not found as {rules:?}");
}

#[test]
fn s2_it_is_noticed_when_the_room_forgets_what_it_has() {
    bites(Fault::ForgetsSeqs, &["S2"]);
}

#[test]
fn s2_it_is_noticed_when_what_comes_again_is_not_answered() {
    bites(Fault::SaysNothingAgain, &["it never becomes quiet"]);
}

#[test]
fn s2_it_is_noticed_when_numbers_are_used_before_the_device_has_them() {
    bites(Fault::PushesBeforeNumbersAreKept, &["S2", "S4"]);
}

#[test]
fn s3_it_is_noticed_when_commits_are_told_before_the_disk_has_them() {
    bites(Fault::AcksBeforeAppend, &["S3"]);
}

#[test]
fn s3_it_is_noticed_when_the_store_goes_on_with_a_connection_whose_sync_failed() {
    bites(Fault::GoesOnAfterFailedSync, &["S3"]);
}

#[test]
fn s2_it_is_noticed_when_numbers_are_free_while_a_failed_write_may_come_back() {
    bites(Fault::TellsWhileInDoubt, &["S2", "S4"]);
}

#[test]
fn s3_it_is_noticed_when_the_store_keeps_a_connection_whose_transaction_was_rolled_back() {
    bites(Fault::KeepsConnection, &["it never becomes quiet"]);
}

#[test]
fn s6_it_is_noticed_when_a_tombstone_is_forgotten() {
    bites(Fault::ForgetsTombstones, &["S1"]);
}

#[test]
fn s7_it_is_noticed_when_pending_changes_are_taken_up_in_reverse() {
    bites(Fault::RebasesInReverse, &["S4", "S7"]);
}

#[test]
fn s7_it_is_noticed_when_a_client_of_a_restored_log_is_not_told_apart() {
    bites(Fault::IgnoresTokens, &["S1", "S2", "S4", "S11"]);
}

#[test]
fn s7_it_is_noticed_when_another_log_is_resumed_from() {
    bites(Fault::ResumesFromStaleEpoch, &["S1", "S11"]);
}

#[test]
fn s2_it_is_noticed_when_a_change_is_taken_behind_a_gap() {
    bites(Fault::TakesGaps, &["S2", "S5", "S7"]);
}

#[test]
fn s2_it_is_noticed_when_an_op_takes_effect_twice() {
    bites(Fault::AppliesTwice, &["S2", "S4"]);
}

#[test]
fn s5_it_is_noticed_when_a_base_ahead_of_the_log_is_taken() {
    bites(Fault::TakesBasesAhead, &["S5"]);
}

#[test]
fn s5_it_is_noticed_when_a_value_is_written_over_unseen() {
    bites(Fault::OverlooksUnseenWrites, &["S5"]);
}

#[test]
fn s5_it_is_noticed_when_it_is_forgotten_who_wrote_what() {
    bites(Fault::ForgetsWriters, &["S5", "S6"]);
}

#[test]
fn s6_it_is_noticed_when_a_removal_over_unseen_edits_is_silent() {
    bites(Fault::RemovesSilently, &["S6"]);
}

#[test]
fn s6_it_is_noticed_when_typing_counts_for_nothing_when_its_note_is_removed() {
    bites(Fault::TakesTypingForNoEdit, &["S6"]);
}

#[test]
fn s4_it_is_noticed_when_a_value_is_written_over_where_no_record_has_room() {
    bites(Fault::WritesOverWhereFull, &["S5", "S4"]);
}

#[test]
fn s4_it_is_noticed_when_a_choice_is_half_done() {
    bites(Fault::ChoosesHalf, &["S4"]);
}

#[test]
fn s4_it_is_noticed_when_a_record_loses_the_value_that_waits() {
    bites(Fault::LosesOtherValues, &["S4", "S6"]);
}

#[test]
fn s4_it_is_noticed_when_undo_takes_back_what_others_did_before_a_snapshot() {
    bites(Fault::UndoForgetsOthers, &["S4"]);
}

#[test]
fn s6_it_is_noticed_when_a_widget_comes_back_without_the_edits_that_waited() {
    bites(Fault::RestoresWithoutEdits, &["S4", "S6"]);
}

#[test]
fn s6_it_is_noticed_when_a_tombstone_is_forgotten_that_a_conflict_needs() {
    bites(Fault::ForgetsNeededTombstones, &["S6"]);
}

#[test]
fn s1_it_is_noticed_when_two_commits_change_places() {
    bites(Fault::SwapsCommits, &["S1", "S2", "S3", "S7", "S11"]);
}

#[test]
fn s1_it_is_noticed_when_the_log_is_read_without_its_records() {
    bites(Fault::ReplaysWithoutRecords, &["S1"]);
}

#[test]
fn s1_it_is_noticed_when_the_log_is_read_with_other_tombstones() {
    bites(Fault::ReplaysOtherTombstones, &["S1"]);
}

#[test]
fn r1_it_is_noticed_when_the_role_is_asked_for_at_the_join_only() {
    bites(Fault::AsksRolesAtJoinOnly, &["R1"]);
}

#[test]
fn r2_it_is_noticed_when_an_edit_is_dropped_silently_with_the_role() {
    bites(Fault::DropsEditsOfViewers, &["R2"]);
}

#[test]
fn r3_it_is_noticed_when_those_without_a_role_are_told() {
    bites(Fault::TellsThoseWithoutRole, &["R3"]);
}

#[test]
fn r3_it_is_noticed_when_a_role_that_goes_while_the_disk_writes_counts_only_later() {
    bites(Fault::TellsBeforeRoles, &["R3"]);
}

#[test]
fn r3_it_is_noticed_when_a_copy_stays_with_those_without_a_role() {
    bites(Fault::KeepsCopies, &["R3"]);
}

#[test]
fn r4_it_is_noticed_when_a_role_is_lost_on_coming_back() {
    bites(Fault::LosesRoleOnReturn, &["R4"]);
}

#[test]
fn s11_it_is_noticed_when_the_digest_leaves_out_what_notes_say() {
    bites(Fault::DigestsWithoutTexts, &["S11"]);
}

#[test]
fn s8_it_is_noticed_when_the_presence_of_whoever_has_gone_stays() {
    bites(Fault::KeepsPresenceOfTheGone, &["S8"]);
}

#[test]
fn s4_it_is_noticed_when_nobody_is_told_that_an_append_failed() {
    bites(Fault::SaysNothingOfFailedAppends, &["it never becomes quiet"]);
}
