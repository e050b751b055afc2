//! Turns of a screen's dashboards: what the server says that it shows, and when it goes to the next.
//!
//! A page is left only for one that can be had: the server has just answered. While it does not, the page stays, and
//! with it what was on the screen.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::dom;
use crate::app::requests::{self, PollError, poll};
use crate::app::screens::ScreenState;
use crate::dashboard::DashboardId;

/// Where the server says what a screen is to show.
const STATE: &str = "/api/v1/screen";
/// Where a screen begins.
const BEGIN: &str = "/screen";
/// The server waits 25 s at most before it answers; a line that is slow has a little more.
const PATIENCE: Duration = Duration::from_secs(40);
/// For how long it is looked whether the server can be had, before the page is left.
const LOOK: Duration = Duration::from_secs(10);
/// The shortest time from an answer to the next question.
const PAUSE_MS: u64 = 1_000;
/// After failures it is asked again within this, the first time and at the most.
const MIN_RETRY_MS: u64 = 2_000;
const MAX_RETRY_MS: u64 = 30_000;
/// How often a page without a dashboard looks whether there is one again.
const RECOVERY: Duration = Duration::from_secs(15);
/// A page is not loaded anew before it is this old, whatever is wrong with it.
const MIN_AGE_MS: u64 = 60_000;

/// What is to become of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Stay,
    Go(DashboardId),
}

/// What the page is to do about a list of dashboards.
fn step(here: &DashboardId, list: &[DashboardId], is_over: bool) -> Step {
    match list.iter().position(|id| id == here) {
        // With an empty list there is nowhere to go.
        None => list.first().cloned().map_or(Step::Stay, Step::Go),
        Some(at) if is_over && list.len() > 1 => Step::Go(list[(at + 1) % list.len()].clone()),
        Some(_) => Step::Stay,
    }
}

/// How long to wait after failures in a row: longer each time, and never together with all other screens. `random` is
/// from 0 to 1.
fn retry_ms(failures: u32, random: f64) -> u64 {
    let most = MIN_RETRY_MS.saturating_mul(2 << failures.min(10)).min(MAX_RETRY_MS);
    MIN_RETRY_MS + ((most - MIN_RETRY_MS) as f64 * random.clamp(0.0, 1.0)) as u64
}

/// Has a screen begin again once the server can be had: from a page on which a person would press a button.
pub fn begin_again() {
    dom::every(RECOVERY, || {
        spawn_local(async {
            if requests::send("GET", "/readyz", None).await.is_ok() {
                dom::go_instead(BEGIN);
            }
        });
    });
}

/// The turns of one page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct Turns {
    here: StoredValue<DashboardId>,
    /// The build of the page.
    build: StoredValue<String>,
    /// `None` until the server has said.
    pub state: RwSignal<Option<ScreenState>>,
    /// True where the page is of no more use as it is, for what the page knows by itself.
    pub is_broken: RwSignal<bool>,
    failures: StoredValue<u32>,
    /// True while the page is being left, or it is looked whether it can be.
    leaving: StoredValue<bool>,
    /// Not before this time of the page is it tried again to leave it.
    leave_after: StoredValue<u64>,
}

impl Turns {
    pub fn new(here: DashboardId, build: String) -> Self {
        Self {
            here: StoredValue::new(here),
            build: StoredValue::new(build),
            state: RwSignal::new(None),
            is_broken: RwSignal::new(false),
            failures: StoredValue::new(0),
            leaving: StoredValue::new(false),
            leave_after: StoredValue::new(0),
        }
    }

    /// Asks what to show, and again after each answer, for the life of the page.
    pub fn follow(self) {
        spawn_local(async move {
            let known = self.state.with_untracked(|state| state.as_ref().map(|state| state.revision));
            let url = known.map_or(STATE.to_owned(), |revision| format!("{STATE}?after={revision}"));
            let answer = poll::<ScreenState>(&url, PATIENCE).await;
            // The page may be gone by then.
            if self.state.is_disposed() {
                return;
            }
            if let Some(wait) = self.take(answer) {
                set_timeout(move || self.follow(), Duration::from_millis(wait));
            }
        });
    }

    /// Takes an answer, and says after how many milliseconds to ask again; `None` for never.
    fn take(self, answer: Result<ScreenState, PollError>) -> Option<u64> {
        match answer {
            Ok(state) => {
                self.failures.set_value(0);
                self.show(state, false);
                Some(PAUSE_MS)
            }
            Err(PollError::Forbidden) => {
                self.leave(BEGIN);
                None
            }
            Err(PollError::Failed) => {
                let failures = self.failures.get_value();
                self.failures.set_value(failures.saturating_add(1));
                Some(retry_ms(failures, js_sys::Math::random()))
            }
        }
    }

    /// Shows what the server says: here, or on the page that it is on.
    fn show(self, state: ScreenState, is_over: bool) {
        let had_nothing =
            self.state.with_untracked(|old| old.as_ref().is_some_and(|old| old.dashboards.is_empty()));
        let step = self.here.with_value(|here| step(here, &state.dashboards, is_over));
        let is_other_build = self.build.with_value(|build| *build != state.build);
        let first = state.dashboards.first().cloned();
        self.state.set(Some(state));
        match (step, first) {
            (Step::Go(next), _) => self.leave(&format!("/d/{next}")),
            // What was taken from this page meanwhile comes with a new one only.
            (Step::Stay, Some(first)) if had_nothing => self.leave(&format!("/d/{first}")),
            (Step::Stay, _) => {
                let is_old = dom::elapsed_ms().is_none_or(|age| age as u64 >= MIN_AGE_MS);
                if is_old && (is_other_build || self.is_broken.get_untracked()) {
                    dom::reload();
                }
            }
        }
    }

    fn leave(self, url: &str) {
        self.leaving.set_value(true);
        dom::go_instead(url);
    }

    /// For how long each dashboard shows, in milliseconds; `None` where there is one alone.
    pub fn rotate_ms(self) -> Option<u64> {
        let state = self.state.read_untracked();
        let state = state.as_ref().filter(|state| state.dashboards.len() > 1)?;
        Some(u64::from(state.rotate_s) * 1_000)
    }

    /// Goes to the next dashboard, once the server has answered. `elapsed_ms` is the time of the page.
    pub fn end_turn(self, elapsed_ms: u64) {
        if self.leaving.get_value() || elapsed_ms < self.leave_after.get_value() {
            return;
        }
        self.leaving.set_value(true);
        spawn_local(async move {
            let answer = poll::<ScreenState>(STATE, LOOK).await;
            // The page may be gone by then.
            if self.leaving.try_set_value(false).is_some() {
                return;
            }
            match answer {
                Ok(state) => self.show(state, true),
                Err(PollError::Forbidden) => self.leave(BEGIN),
                Err(PollError::Failed) => {
                    let wait = retry_ms(1, js_sys::Math::random());
                    self.leave_after.set_value(elapsed_ms.saturating_add(wait));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(all: &[&str]) -> Vec<DashboardId> {
        all.iter().map(|id| DashboardId::new(id).expect("an id")).collect()
    }

    #[test]
    fn each_has_its_turn_and_one_that_was_left_out_none() {
        let [a, b, c] = <[_; 3]>::try_from(ids(&["a", "b", "c"])).expect("three");
        let all = ids(&["a", "b", "c"]);
        assert_eq!(step(&a, &all, false), Step::Stay);
        assert_eq!(step(&a, &all, true), Step::Go(b.clone()));
        assert_eq!(step(&c, &all, true), Step::Go(a.clone()));
        assert_eq!(step(&b, &ids(&["a", "c"]), false), Step::Go(a.clone()), "at once");
        assert_eq!(step(&a, &ids(&["a"]), true), Step::Stay, "it is alone");
        assert_eq!(step(&a, &[], true), Step::Stay, "there is nowhere to go");
    }

    #[test]
    fn a_server_that_is_away_is_asked_less_and_less_and_by_no_two_at_once() {
        for failures in [0, 1, 2, 3, 10, u32::MAX] {
            let (soonest, latest) = (retry_ms(failures, 0.0), retry_ms(failures, 1.0));
            assert_eq!(soonest, MIN_RETRY_MS);
            assert!((MIN_RETRY_MS..=MAX_RETRY_MS).contains(&latest), "{failures}: {latest}");
        }
        assert_eq!([0, 1, 9].map(|failures| retry_ms(failures, 1.0)), [4_000, 8_000, MAX_RETRY_MS]);
        assert_ne!(retry_ms(3, 0.2), retry_ms(3, 0.8));
    }

    #[test]
    fn there_are_turns_where_there_are_several_dashboards() {
        let owner = Owner::new();
        owner.set();
        let turns = Turns::new(ids(&["a"]).remove(0), "b1".to_owned());
        assert_eq!(turns.rotate_ms(), None, "the server has not said");
        let state = ScreenState {
            revision: 7,
            name: "Hall".to_owned(),
            dashboards: ids(&["a", "b"]),
            rotate_s: 45,
            build: "b1".to_owned(),
        };
        turns.state.set(Some(state.clone()));
        assert_eq!(turns.rotate_ms(), Some(45_000));
        turns.state.set(Some(ScreenState { dashboards: ids(&["a"]), ..state }));
        assert_eq!(turns.rotate_ms(), None);
    }
}
