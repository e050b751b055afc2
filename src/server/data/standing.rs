//! One query that stands while somebody looks at its answer: asked once for all of them, however many.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::{
    Answer, Ask, Curve, MOST_ROWS, MOST_SERIES, Point, Source, SourceError, WANTED_POINTS, round_step,
};
use crate::dashboard::range::TimeRange;
use crate::server::clock::now_ms;

/// News kept for those who did not look yet; who is further behind gets everything.
const NEWS: usize = 32;
/// Points of a curve above which it is asked for whole again: thinner, and with the same course.
const TOO_MANY: usize = WANTED_POINTS as usize * 3 / 2;
/// The shortest time between two whole answers because points were changed.
const WHOLE_AGAIN: Duration = Duration::from_secs(5);
/// The shortest time between two tellings of what came: far shorter than the time between points that people
/// push, or each would wait for the one before.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// The shortest time between two looks for what a source has told of.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What makes two queries the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub source: String,
    pub text: String,
    pub range: TimeRange,
    /// Milliseconds from one asking to the next; 0 for a source that tells of its news.
    pub every_ms: u64,
    pub latest: bool,
}

/// A standing query.
pub struct Standing {
    key: Key,
    step: u64,
    state: Mutex<State>,
    followers: Mutex<Vec<Weak<Follower>>>,
    /// Told when somebody begins or ends to follow.
    changed: Notify,
}

/// Somebody who is told of news.
struct Follower {
    notify: Arc<Notify>,
    standing: Weak<Standing>,
}

#[derive(Default)]
struct State {
    /// Counts the whole answers; 0 before the first answer.
    generation: u64,
    /// Counts what came, over all generations.
    seq: u64,
    curves: Vec<Curve>,
    count: usize,
    stamp: u64,
    error: Option<String>,
    news: VecDeque<(u64, Arc<Vec<Fresh>>)>,
    snapshot: Option<Arc<Snapshot>>,
    /// Points that were told have changed, or are too many; or a curve without its beginning has a place now.
    stale: bool,
    /// There were more curves than places.
    crowded: bool,
    whole_at: Option<Instant>,
    /// When there was something to tell last.
    told_at: Option<Instant>,
}

/// New points of the curve at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Fresh {
    pub curve: usize,
    pub points: Vec<Point>,
}

/// All that is known of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub curves: Vec<Curve>,
    /// Why there is nothing newer.
    pub error: Option<String>,
    /// A word about what is not here.
    pub note: Option<String>,
    pub every_ms: Option<u64>,
}

/// What changed since somebody looked last.
#[derive(Clone, Debug)]
pub enum Change {
    Nothing,
    /// Everything is anew.
    Whole,
    /// Points after those before, or another error.
    News(Vec<Arc<Vec<Fresh>>>),
}

/// A follower's place: what it has been told.
pub struct Following {
    standing: Arc<Standing>,
    _follower: Arc<Follower>,
    generation: u64,
    seq: u64,
    error: Option<String>,
}

impl Key {
    /// The step of its points, in milliseconds.
    fn step(&self, source: &dyn Source) -> u64 {
        let least = match self.every_ms {
            0 => source.every_ms(),
            every => every.min(source.every_ms()),
        };
        round_step((self.range.length() / WANTED_POINTS).max(least))
    }
}

impl Standing {
    pub(super) fn new(key: Key, source: &dyn Source) -> Arc<Self> {
        let step = key.step(source);
        let (state, followers) = (Mutex::default(), Mutex::default());
        Arc::new(Self { key, step, state, followers, changed: Notify::new() })
    }

    pub(super) fn follow(self: &Arc<Self>, notify: &Arc<Notify>) -> Following {
        let follower = Arc::new(Follower { notify: notify.clone(), standing: Arc::downgrade(self) });
        self.followers().push(Arc::downgrade(&follower));
        self.changed.notify_one();
        Following { standing: self.clone(), _follower: follower, generation: 0, seq: 0, error: None }
    }

    pub(super) fn is_followed(&self) -> bool {
        let mut followers = self.followers();
        followers.retain(|follower| follower.strong_count() > 0);
        !followers.is_empty()
    }

    /// Asks until `may_end` says that it is over: it is asked where nobody has followed for so long.
    pub(super) async fn run(
        self: Arc<Self>,
        source: Arc<dyn Source>,
        idle: Duration,
        mut may_end: impl FnMut() -> bool,
    ) {
        let mut news = source.news();
        // Where they fall within an interval, so that not all are asked at the same moment.
        let jitter = rand::random::<f64>() / 10.0;
        let (mut failures, mut unfollowed) = (0_u32, None);
        loop {
            if let Some(news) = &mut news {
                news.mark_unchanged();
            }
            match AssertUnwindSafe(self.refresh(&*source)).catch_unwind().await {
                Ok(true) => failures = 0,
                Ok(false) => failures += 1,
                Err(_) => {
                    tracing::error!(source = source.name(), "a query panicked");
                    failures += 1;
                    self.accept_error(SourceError("The query could not be worked out.".to_owned()));
                }
            }
            let next = self.next(failures, jitter, news.is_some());
            loop {
                let followed = self.is_followed();
                unfollowed = if followed { None } else { unfollowed.or(Some(Instant::now())) };
                let end = unfollowed.map(|since| since + idle);
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = at(end) => {
                        if may_end() {
                            return;
                        }
                        unfollowed = None;
                    }
                    () = at(next.after), if next.told => {
                        told(&mut news).await;
                        break;
                    }
                    () = at(next.at) => break,
                }
            }
        }
    }

    /// When it is asked next.
    fn next(&self, failures: u32, jitter: f64, tells: bool) -> Next {
        let now = Instant::now();
        let over = !self.key.range.moves() && self.key.range.at(0).1 <= now_ms();
        if failures > 0 {
            let every = Duration::from_millis(self.key.every_ms.max(1_000));
            let wait = (every * 2_u32.saturating_pow(failures.min(6) - 1)).min(LONGEST_WAIT.max(every));
            return Next { at: Some(now + wait.mul_f64(1.0 + jitter)), after: None, told: false };
        }
        if over {
            return Next { at: None, after: None, told: false };
        }
        if tells {
            let state = self.state();
            let whole = state.whole_at.filter(|_| state.stale).map(|at| at + WHOLE_AGAIN);
            // A source tells of every point of every series. What is news to those who look here goes out at
            // once, and then not again too soon.
            let after = state.told_at.map_or(now, |told| told + TELL_EVERY).max(now + LOOK_EVERY);
            return Next { at: whole, after: Some(after), told: true };
        }
        // Just after the moment at which there is a new point, and never before it.
        let every = self.every_ms();
        let wait = every - now_ms() % every + (every as f64 * jitter) as u64;
        Next { at: Some(now + Duration::from_millis(wait)), after: None, told: false }
    }

    /// Milliseconds from one asking to the next.
    fn every_ms(&self) -> u64 {
        self.key.every_ms.max(self.step).max(1)
    }

    /// Asks once; false where there was no answer.
    pub(super) async fn refresh(&self, source: &dyn Source) -> bool {
        let now = now_ms();
        let (from, to) = self.key.range.at(now);
        let mut ask = Ask {
            text: self.key.text.clone(),
            from,
            to: to.min(now),
            step: self.step,
            latest: self.key.latest,
            single: false,
            known: BTreeMap::new(),
        };
        let mut whole = {
            let state = self.state();
            let again = state.stale && state.whole_at.is_none_or(|at| at.elapsed() >= WHOLE_AGAIN);
            let whole = state.generation == 0 || self.key.latest || again;
            if !whole {
                let last = |curve: &Curve| Some((curve.name.clone(), curve.points.last()?.0));
                ask.known = state.curves.iter().filter_map(last).collect();
            }
            whole
        };
        let mut answer = source.ask(&ask).await;
        // The list of series is another one: where asking costs nothing, all of it in its order.
        if let Ok(news) = &answer
            && !whole
            && source.is_here()
            && !self.has_all(news)
        {
            ask.known.clear();
            whole = true;
            answer = source.ask(&ask).await;
        }
        match answer {
            Ok(answer) => {
                self.accept(answer, whole, from);
                true
            }
            Err(error) => {
                self.accept_error(error);
                false
            }
        }
    }

    fn has_all(&self, answer: &Answer) -> bool {
        let state = self.state();
        let same = |(old, new): (&Curve, &Curve)| (old.line, &old.name) == (new.line, &new.name);
        state.curves.len() == answer.curves.len() && state.curves.iter().zip(&answer.curves).all(same)
    }

    fn accept(&self, mut answer: Answer, whole: bool, from: u64) {
        let most = if self.key.latest { MOST_ROWS } else { MOST_SERIES };
        let mut state = self.state();
        if whole || self.key.latest {
            state.crowded = answer.curves.len().max(answer.count) > most;
            answer.curves.truncate(most);
        }
        let had_error = state.error.take().is_some();
        let same = state.generation > 0
            && state.curves.len() == answer.curves.len()
            && state
                .curves
                .iter()
                .zip(&answer.curves)
                .all(|(old, new)| (old.line, &old.name) == (new.line, &new.name));
        let changed = if whole && !(self.key.latest && same) {
            state.whole(answer)
        } else if self.key.latest {
            state.latest(answer)
        } else {
            state.append(answer, from)
        };
        if changed || had_error {
            state.snapshot = None;
            state.told_at = Some(Instant::now());
            drop(state);
            self.tell();
        }
    }

    fn accept_error(&self, error: SourceError) {
        let mut state = self.state();
        if state.error.as_ref() == Some(&error.0) {
            return;
        }
        state.error = Some(error.0);
        state.snapshot = None;
        // Who waits for the first answer gets the error in its place.
        state.generation = state.generation.max(1);
        drop(state);
        self.tell();
    }

    fn tell(&self) {
        for follower in self.followers().iter().filter_map(Weak::upgrade) {
            follower.notify.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followers(&self) -> MutexGuard<'_, Vec<Weak<Follower>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a query is asked next.
struct Next {
    /// At this moment, whatever comes.
    at: Option<Instant>,
    /// From this moment on, when the source tells of news; where it does.
    after: Option<Instant>,
    told: bool,
}

/// Returns at a moment; never, where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn told(news: &mut Option<watch::Receiver<u64>>) {
    let ended = match news {
        Some(news) => news.changed().await.is_err(),
        None => true,
    };
    if ended {
        std::future::pending::<()>().await;
    }
}

impl State {
    /// Everything anew.
    fn whole(&mut self, answer: Answer) -> bool {
        self.generation += 1;
        self.seq += 1;
        self.news.clear();
        (self.curves, self.count, self.stamp) = (answer.curves, answer.count, answer.stamp);
        self.stale = false;
        self.whole_at = Some(Instant::now());
        true
    }

    /// The same series with their latest points.
    fn latest(&mut self, answer: Answer) -> bool {
        let mut fresh = Vec::new();
        for (at, (old, new)) in self.curves.iter_mut().zip(answer.curves).enumerate() {
            if old.points != new.points {
                old.points.clone_from(&new.points);
                fresh.push(Fresh { curve: at, points: new.points });
            }
        }
        self.count = answer.count;
        self.push(fresh)
    }

    /// Points after those that are known; true where there is something to tell.
    fn append(&mut self, answer: Answer, from: u64) -> bool {
        let (mut fresh, mut anew) = (Vec::new(), self.let_go(&answer, from));
        for mut new in answer.curves {
            let same = |old: &Curve| (old.line, &old.name) == (new.line, &new.name);
            match self.curves.iter().position(same) {
                Some(at) => {
                    let old = &mut self.curves[at];
                    let last = old.points.last().map_or(0, |(at, _)| *at);
                    new.points.retain(|(at, _)| *at > last);
                    if !new.points.is_empty() {
                        old.points.extend(&new.points);
                        fresh.push(Fresh { curve: at, points: new.points });
                    }
                }
                None if self.curves.len() < MOST_SERIES => {
                    self.curves.push(new);
                    anew = true;
                }
                None => self.crowded = true,
            }
        }
        for curve in &mut self.curves {
            let old = curve.points.partition_point(|(at, _)| *at < from);
            // Not at each point: moving the others up costs more than the few that are too old.
            if old > curve.points.len() / 8 {
                curve.points.drain(..old);
            }
            self.stale |= curve.points.len() > TOO_MANY;
        }
        self.count = self.count.max(answer.count);
        self.stale |= self.stamp != answer.stamp;
        if anew {
            self.generation += 1;
            self.seq += 1;
            self.news.clear();
            return true;
        }
        self.push(fresh)
    }

    /// Lets go of curves that have ended: their places are for others. True where there were any.
    fn let_go(&mut self, answer: &Answer, from: u64) -> bool {
        let before = self.curves.len();
        self.curves.retain(|old| {
            // One without points is a name that is waited for.
            let ended = old.points.last().is_some_and(|(last, _)| *last < from);
            !ended || answer.curves.iter().any(|new| (old.line, &old.name) == (new.line, &new.name))
        });
        let ended = before - self.curves.len();
        self.count = self.count.saturating_sub(ended);
        // Whoever had no place is asked for whole: what came by itself would begin in the middle.
        self.stale |= ended > 0 && std::mem::take(&mut self.crowded);
        ended > 0
    }

    fn push(&mut self, fresh: Vec<Fresh>) -> bool {
        if fresh.is_empty() {
            return false;
        }
        self.seq += 1;
        self.news.push_back((self.seq, Arc::new(fresh)));
        if self.news.len() > NEWS {
            self.news.pop_front();
        }
        true
    }
}

impl Following {
    pub fn key(&self) -> &Key {
        &self.standing.key
    }

    /// What came since the last look, and all that there is as of the same moment where that is wanted or
    /// everything changed. `None` before there is an answer.
    pub fn look(&mut self, wanted: bool) -> Option<(Change, Option<Arc<Snapshot>>)> {
        let mut state = self.standing.state();
        if state.generation == 0 {
            return None;
        }
        let behind = state.seq - self.seq;
        let missed = state.news.iter().filter(|(seq, _)| *seq > self.seq);
        let change = if self.generation != state.generation || behind > missed.clone().count() as u64 {
            Change::Whole
        } else if behind > 0 || self.error != state.error {
            Change::News(missed.map(|(_, fresh)| fresh.clone()).collect())
        } else {
            Change::Nothing
        };
        (self.generation, self.seq) = (state.generation, state.seq);
        self.error.clone_from(&state.error);
        let wanted = wanted || matches!(change, Change::Whole);
        let snapshot = wanted.then(|| self.standing.snapshot(&mut state));
        Some((change, snapshot))
    }

    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Milliseconds between points, where the source is asked for them.
    pub fn every_ms(&self) -> Option<u64> {
        self.standing.shown_every()
    }
}

impl Standing {
    fn shown_every(&self) -> Option<u64> {
        (self.key.every_ms > 0).then(|| self.every_ms())
    }

    fn snapshot(&self, state: &mut State) -> Arc<Snapshot> {
        if let Some(snapshot) = &state.snapshot {
            return snapshot.clone();
        }
        let snapshot = Arc::new(Snapshot {
            curves: state.curves.clone(),
            error: state.error.clone(),
            note: note(state.curves.len(), state.count),
            every_ms: self.shown_every(),
        });
        state.snapshot = Some(snapshot.clone());
        snapshot
    }
}

/// A word where there are more series than are shown.
pub fn note(shown: usize, count: usize) -> Option<String> {
    (count > shown).then(|| format!("Only the first {shown} of {count} series are shown."))
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(standing) = self.standing.upgrade() {
            standing.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(names: impl IntoIterator<Item = usize>, at: u64) -> Answer {
        let curve = |n| Curve { name: format!("s{n}"), points: vec![(at, Some(1.0))], ..Curve::default() };
        let curves: Vec<Curve> = names.into_iter().map(curve).collect();
        Answer { count: curves.len(), curves, stamp: 0 }
    }

    #[test]
    fn a_series_that_ended_gives_its_place_to_another() {
        let mut state = State::default();
        state.whole(answer(0..MOST_SERIES, 1_000));
        assert!(!state.append(answer([MOST_SERIES], 2_000), 1_000), "there is no place yet");
        assert!(state.crowded && !state.stale && state.curves.len() == MOST_SERIES);
        assert!(!state.append(answer([], 0), 1_000), "the first moment is still shown");
        let before = state.generation;
        assert!(state.append(answer(5..=MOST_SERIES, 3_000), 2_000), "those are told anew");
        let names: Vec<&str> = state.curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[15]), (16, "s5", "s20"));
        assert!(state.generation > before && state.count == 16, "{}", state.count);
        assert!(state.stale && !state.crowded, "the new one is asked for from its beginning");
    }

    #[test]
    fn a_name_that_is_waited_for_stays() {
        let mut state = State::default();
        let waited = Curve { name: "nobody".to_owned(), ..Curve::default() };
        state.whole(Answer { curves: vec![waited.clone()], count: 1, stamp: 0 });
        assert!(!state.append(Answer { curves: vec![waited], count: 1, stamp: 0 }, 9_000));
        assert_eq!((state.curves.len(), state.count), (1, 1));
    }
}
