//! What strangers send: any bytes as frames, and well-formed frames that mean harm. Nothing panics, and
//! what holds for good changes holds for these.
//!
//! `LOCKSTEP_FUZZ_SECONDS=600 cargo test --features ssr --test fuzz -- --nocapture` goes on for so long with
//! each of the three; `LOCKSTEP_FUZZ_SEED` repeats a run.

#![cfg(feature = "ssr")]

mod hostile;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use lockstep::dashboard::layout::settle;
use lockstep::dashboard::{
    ClientId, Dashboard, Edit, Frame, Kind, MAX_TITLE_CHARS, MAX_WIDGETS, NoteText, Op, Stamp, User, UserId,
    Widget,
};
use lockstep::server::rooms::input::DecodedChange;
use lockstep::server::socket::decode::{Decoded, decode};
use lockstep::sync::protocol::{Change, Commit, MAX_OP_BYTES, Role};
use lockstep::sync::room::{Author, Room, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use hostile::{Hostile, frame_text, hostile_op, widget_id};

/// Cases of each where nobody sets a time.
const CASES: u32 = 400;

/// Tries cases until the time that is set is over, a batch at least.
fn fuzz<S>(name: &str, cases: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S: Strategy,
    S::Value: Debug,
{
    let setting = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let until = Instant::now() + Duration::from_secs(setting("LOCKSTEP_FUZZ_SECONDS").unwrap_or(0));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = setting("LOCKSTEP_FUZZ_SEED").unwrap_or(clock.map_or(1, |now| now.as_secs()));
    let mut tried = 0u64;
    for seed in first.. {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        if let Err(error) = TestRunner::new_with_rng(config, rng).run(cases, &test) {
            panic!("{name}, LOCKSTEP_FUZZ_SEED={seed}: {error}");
        }
        tried += u64::from(CASES);
        if Instant::now() >= until {
            break;
        }
    }
    println!("{name}: {tried} cases from LOCKSTEP_FUZZ_SEED={first} on");
}

/// A dashboard with a widget of each kind.
fn dashboard() -> Dashboard {
    let mut dashboard = Dashboard::new("Start");
    let mut edit = Edit::new(&mut dashboard, Stamp::default());
    for (n, kind) in (0u8..).zip(Kind::ALL) {
        let mut widget = Widget::new(kind, "Orders", Frame::new(0, 0, 6, 4));
        widget.text = (kind == Kind::Note).then(|| NoteText::from_plain("To be or not 😀", 5));
        edit.perform(&widget.add_op(widget_id(n))).expect("a widget");
    }
    edit.finish();
    dashboard
}

fn as_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// What holds for every dashboard, whoever edited it.
fn holds(dashboard: &Dashboard) -> Result<(), TestCaseError> {
    prop_assert!(dashboard.widgets.len() <= MAX_WIDGETS);
    prop_assert!(dashboard.title.chars().count() <= MAX_TITLE_CHARS);
    let frames: Vec<Frame> = dashboard.widgets.values().map(|widget| widget.frame).collect();
    for (n, frame) in frames.iter().enumerate() {
        prop_assert_eq!(frame.clamped(), *frame);
        prop_assert!(frames[..n].iter().all(|other| !frame.overlaps(*other)), "{:?}", frames);
    }
    prop_assert_eq!(settle(&dashboard.frames(), &Default::default()), dashboard.frames(), "S9");
    let again: Dashboard = serde_json::from_str(&as_json(dashboard)).expect("what is kept reads");
    prop_assert_eq!(again.digest(), dashboard.digest(), "S11: as it travels");
    Ok(())
}

#[test]
fn any_frame_is_read_or_has_a_reason() {
    fuzz("frames", &frame_text(), |text| {
        match decode(&text, 2_000) {
            Ok(Decoded::Push { changes, .. }) => {
                for pushed in changes {
                    let DecodedChange::Change(change) = pushed else { continue };
                    let again: Result<Change, _> = serde_json::from_str(&as_json(&change));
                    prop_assert_eq!(again.ok(), Some(change), "what was read is written as it is");
                }
            }
            Ok(_) => {}
            Err(error) => prop_assert!(error.to_string().len() < 1_000, "{error}"),
        }
        Ok(())
    });
}

#[test]
fn any_op_is_performed_or_changes_nothing() {
    let ops = prop::collection::vec(hostile_op(), 1..12);
    fuzz("ops", &ops, |ops: Vec<Hostile>| {
        let mut edited = dashboard();
        let start = edited.clone();
        let mut edit = Edit::new(&mut edited, Stamp::default());
        for hostile in &ops {
            let Some(op) = hostile.op(edit.dashboard()) else { continue };
            let before = edit.dashboard().clone();
            if edit.perform(&op).is_err() {
                prop_assert_eq!(edit.dashboard(), &before, "{:?}", op);
            }
        }
        let effect = edit.finish();
        holds(&edited)?;
        let mut elsewhere = start.clone();
        for op in &effect.ops {
            let op: Op = serde_json::from_str(&as_json(op)).expect("an effective op travels");
            elsewhere.apply(&op, &Stamp::default());
        }
        prop_assert_eq!(elsewhere.digest(), edited.digest(), "S1: what took effect repeats");
        Ok(())
    });
}

/// A change as a stranger may push it.
#[derive(Clone, Debug)]
struct Push {
    author: u8,
    /// Added to the number that comes next.
    ahead: i8,
    base: Option<u64>,
    ops: Vec<Hostile>,
    age_ms: Option<u64>,
}

fn push() -> impl Strategy<Value = Push> {
    let ahead = prop_oneof![12 => Just(0), 1 => Just(-1), 1 => any::<i8>()];
    let base = prop_oneof![6 => Just(None), 6 => (0u64..12).prop_map(Some), 1 => any::<u64>().prop_map(Some)];
    let ops = prop::collection::vec(hostile_op(), 0..5);
    let age = prop_oneof![6 => Just(None), 6 => any::<u64>().prop_map(Some)];
    let push = (0u8..3, ahead, base, ops, age);
    push.prop_map(|(author, ahead, base, ops, age_ms)| Push { author, ahead, base, ops, age_ms })
}

fn author(n: u8) -> Author {
    let id = format!("c{n}");
    let by = User { id: UserId::new(&id).expect("an id"), name: id.clone(), color: "#123456".to_owned() };
    Author { client: ClientId::new(&id).expect("an id"), by, role: Role::Editor, may_query: true }
}

#[test]
fn any_change_is_judged_and_its_commit_repeats() {
    fuzz("changes", &prop::collection::vec(push(), 1..25), |pushes: Vec<Push>| {
        let mut room = Room::new("e1".to_owned(), dashboard());
        let mut again = Room::from_state(room.state());
        let mut copy = room.dashboard().clone();
        for Push { author: n, ahead, base, ops, age_ms } in pushes {
            let author = author(n);
            let (before, last) = (room.revision(), room.last_seq(&author.client));
            let seq = (last + 1).saturating_add_signed(i64::from(ahead));
            let ops = ops.iter().filter_map(|hostile| hostile.op(room.dashboard())).collect();
            let change = Change { seq, base: base.unwrap_or(before), ops, age_ms };
            let digest = room.digest();
            match room.judge(&author, &change, before) {
                Verdict::Committed(commit) => {
                    prop_assert_eq!((commit.revision, commit.seq), (before + 1, last + 1));
                    prop_assert!(commit.written_at.is_none_or(|written| written <= commit.at));
                    let ends =
                        |index: &usize| commit.refused.iter().filter(|one| one.index == *index).count();
                    prop_assert!((0..change.ops.len()).all(|index| ends(&index) <= 1), "S4: one end");
                    prop_assert!(matches!(room.judge(&author, &change, before), Verdict::Again), "S2");
                    let body = as_json(&*commit);
                    let most = 16 * (as_json(&change).len() + MAX_OP_BYTES);
                    prop_assert!(body.len() <= most, "S10: {} of {}", body.len(), as_json(&change).len());
                    let commit: Commit = serde_json::from_str(&body).expect("a commit travels");
                    again.replay(&commit);
                    let stamp = commit.stamp();
                    commit.ops.iter().for_each(|op| copy.apply(op, &stamp));
                    for conflict in &commit.conflicts {
                        copy.conflicts.insert(conflict.id.clone(), conflict.clone());
                    }
                }
                Verdict::Again => prop_assert!(seq <= last),
                Verdict::Rejected { expected, .. } => {
                    prop_assert_eq!((expected, room.revision()), (last + 1, before));
                    prop_assert_eq!(room.digest(), digest.clone(), "what is rejected changes nothing");
                }
            }
            let (counted, real) = (room.bytes(), as_json(room.dashboard()).len());
            // Commas, and digits of frames.
            let drift = 16 * (8 + room.dashboard().widgets.len() + room.dashboard().removed.len());
            prop_assert!(counted.abs_diff(real) <= drift, "S10: counted {} of {}", counted, real);
            prop_assert_eq!(room.digest(), again.digest(), "S1: the log gives the same room");
            prop_assert_eq!(room.digest(), copy.digest(), "S11: and the same copy");
        }
        holds(room.dashboard())?;
        let state = as_json(&room.state());
        let opened = Room::from_state(serde_json::from_str(&state).expect("a state is read back"));
        prop_assert_eq!(as_json(&opened.state()), state);
        Ok(())
    });
}
