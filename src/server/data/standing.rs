//! One query that stands while somebody looks at its answer: asked once for all of them, however many.

mod window;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use self::window::Window;
use super::reduced::Reduce;
use super::{
    Answer, Ask, Curve, MAX_ROWS, MAX_SERIES, Source, SourceError, Times, WANTED_POINTS, round_step,
};
use crate::dashboard::range::TimeRange;
use crate::dashboard::settings::Chosen;
use crate::server::clock::now_ms;

pub use self::window::{Delta, count_note, join_notes};

/// The shortest time between two whole answers because points were changed.
const WHOLE_AGAIN: Duration = Duration::from_secs(5);
/// From one whole answer to the next of a source that may correct what it told: what it corrects later than
/// within its overlap shows by then.
const WHOLE_EVERY: Duration = Duration::from_secs(5 * 60);
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
    /// What is chosen of the variables in the text, by name.
    pub variables: BTreeMap<String, Chosen>,
    pub range: TimeRange,
    /// Milliseconds from one asking to the next; 0 for a source that tells of its news.
    pub every_ms: u64,
    /// How often what is asked about has a new value, in milliseconds; 0 where the query does not say.
    pub min_step: u64,
    pub latest: bool,
    /// What each series is brought down to instead, with `latest`.
    pub reduce: Option<Reduce>,
}

/// A standing query.
pub struct Standing {
    key: Key,
    step: u64,
    /// The source answers out of memory.
    is_here: bool,
    window: Mutex<Window>,
    followers: Mutex<Vec<Weak<Follower>>>,
    /// Told when somebody begins or ends to follow.
    changed: Notify,
}

/// Somebody who is told of news.
struct Follower {
    notify: Arc<Notify>,
    standing: Weak<Standing>,
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
    /// Points after those before or in their place, another error or another note.
    News(Vec<Arc<Vec<Delta>>>),
}

/// A follower's place: what it has been told.
pub struct Following {
    standing: Arc<Standing>,
    _follower: Arc<Follower>,
    generation: u64,
    seq: u64,
    error: Option<String>,
    note: Option<String>,
    /// True where the last look found another note than the one before.
    has_new_note: bool,
}

impl Key {
    /// The step of its points, in milliseconds.
    fn step(&self, source: &dyn Source) -> u64 {
        let least = match self.every_ms {
            0 => source.every_ms(),
            every => every.min(source.every_ms()),
        };
        round_step((self.range.length() / WANTED_POINTS).max(least).max(self.min_step))
    }
}

impl Standing {
    pub(super) fn new(key: Key, source: &dyn Source) -> Arc<Self> {
        let step = key.step(source);
        let (window, followers) = (Mutex::default(), Mutex::default());
        let is_here = source.is_here();
        Arc::new(Self { key, step, is_here, window, followers, changed: Notify::new() })
    }

    pub(super) fn follow(self: &Arc<Self>, notify: &Arc<Notify>) -> Following {
        let follower = Arc::new(Follower { notify: notify.clone(), standing: Arc::downgrade(self) });
        self.followers().push(Arc::downgrade(&follower));
        self.changed.notify_one();
        Following {
            standing: self.clone(),
            _follower: follower,
            generation: 0,
            seq: 0,
            error: None,
            note: None,
            has_new_note: false,
        }
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
            let window = self.window();
            let whole = window.whole_at.filter(|_| window.stale).map(|at| at + WHOLE_AGAIN);
            // A source tells of every point of every series. What is news to those who look here goes out at
            // once, and then not again too soon.
            let after = window.told_at.map_or(now, |told| told + TELL_EVERY).max(now + LOOK_EVERY);
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
            variables: self.key.variables.clone(),
            from,
            to: to.min(now),
            step: self.step,
            min_step: self.key.min_step,
            latest: self.key.latest,
            ..Ask::default()
        };
        let mut whole = {
            let window = self.window();
            let since = window.whole_at.map_or(Duration::MAX, |at| at.elapsed());
            let corrects = source.overlap_ms().is_some();
            let again = (window.stale && since >= WHOLE_AGAIN) || (corrects && since >= WHOLE_EVERY);
            let whole = window.generation == 0 || self.key.latest || again;
            if !whole {
                ask.since = source.overlap_ms().map(|overlap| window.asked_to.saturating_sub(overlap));
                let last = |curve: &Curve| Some((curve.name.clone(), curve.points.last()?.0));
                ask.known = window.curves.iter().filter_map(last).collect();
            }
            whole
        };
        let mut answer = source.ask(&ask).await;
        // The list of series is another one: where asking costs nothing, all of it in its order.
        if let Ok(news) = &answer
            && !whole
            && source.is_here()
            && !self.window().has_all(news)
        {
            ask.known.clear();
            whole = true;
            answer = source.ask(&ask).await;
        }
        match answer {
            Ok(answer) => {
                self.accept(answer, &ask, whole);
                true
            }
            Err(error) => {
                self.accept_error(error);
                false
            }
        }
    }

    fn accept(&self, mut answer: Answer, ask: &Ask, whole: bool) {
        let most = if self.key.latest { MAX_ROWS } else { MAX_SERIES };
        let mut window = self.window();
        if whole {
            window.crowded = answer.curves.len().max(answer.count) > most;
            answer.keep(most, ask);
        }
        let had_error = window.error.take().is_some();
        let other_notes = window.notes != answer.notes;
        window.notes.clone_from(&answer.notes);
        window.asked_to = ask.to;
        let noted = (window.count, window.living);
        let is_now = answer.times == Times::Now && !self.key.latest;
        let step = if answer.times == Times::Steps { self.step } else { u64::MAX };
        let stays = window.generation > 0 && (is_now || window.has_all(&answer));
        let changed = if whole && !stays {
            window.reset(answer)
        } else if self.key.latest {
            window.update_latest(answer)
        } else if is_now {
            if whole {
                (window.stale, window.whole_at) = (false, Some(Instant::now()));
            }
            window.append(answer, ask.from)
        } else if let Some(complete_from) = answer.complete_from {
            if whole {
                (window.stale, window.whole_at) = (false, Some(Instant::now()));
                (window.count, window.living) = (answer.count, answer.living);
            }
            window.revise(answer, complete_from, step, ask.from)
        } else if whole {
            window.reset(answer)
        } else {
            window.append(answer, ask.from)
        };
        if changed || had_error || other_notes || noted != (window.count, window.living) {
            window.snapshot = None;
            window.told_at = Some(Instant::now());
            drop(window);
            self.tell();
        }
    }

    fn accept_error(&self, error: SourceError) {
        let mut window = self.window();
        if window.error.as_ref() == Some(&error.0) {
            return;
        }
        window.error = Some(error.0);
        window.snapshot = None;
        // Who waits for the first answer gets the error in its place.
        window.generation = window.generation.max(1);
        drop(window);
        self.tell();
    }

    fn tell(&self) {
        for follower in self.followers().iter().filter_map(Weak::upgrade) {
            follower.notify.notify_one();
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Following {
    pub fn key(&self) -> &Key {
        &self.standing.key
    }

    /// What came since the last look, and all that there is as of the same moment where that is wanted or
    /// everything changed. `None` before there is an answer.
    pub fn look(&mut self, wanted: bool) -> Option<(Change, Option<Arc<Snapshot>>)> {
        let mut window = self.standing.window();
        if window.generation == 0 {
            return None;
        }
        let note = window.note();
        self.has_new_note = self.note != note;
        let behind = window.seq - self.seq;
        let missed = window.deltas.iter().filter(|(seq, _)| *seq > self.seq);
        let change = if self.generation != window.generation || behind > missed.clone().count() as u64 {
            Change::Whole
        } else if behind > 0 || self.error != window.error || self.has_new_note {
            Change::News(missed.map(|(_, deltas)| deltas.clone()).collect())
        } else {
            Change::Nothing
        };
        (self.generation, self.seq) = (window.generation, window.seq);
        self.error.clone_from(&window.error);
        self.note = note;
        let wanted = wanted || matches!(change, Change::Whole);
        let snapshot = wanted.then(|| self.standing.snapshot(&mut window));
        Some((change, snapshot))
    }

    /// The note of the answer, where the last look found another one than before; empty where there is none
    /// any more.
    pub fn new_note(&self) -> Option<&str> {
        self.has_new_note.then(|| self.note.as_deref().unwrap_or_default())
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
        (self.key.every_ms > 0 && !self.is_here).then(|| self.every_ms())
    }

    fn snapshot(&self, window: &mut Window) -> Arc<Snapshot> {
        if let Some(snapshot) = &window.snapshot {
            return snapshot.clone();
        }
        let snapshot = Arc::new(Snapshot {
            curves: window.shown(self.key.range),
            error: window.error.clone(),
            note: window.note(),
            every_ms: self.shown_every(),
        });
        window.snapshot = Some(snapshot.clone());
        snapshot
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(standing) = self.standing.upgrade() {
            standing.changed.notify_one();
        }
    }
}
