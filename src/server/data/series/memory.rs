//! The series in memory: which there are, and their points.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use tokio::sync::watch;

use super::Bounds;
use super::in_sequence::find_in_sequence;
use super::key::{Key, NAME_LABEL, Selector};
use super::matching::Match;
use super::points::{Point, Points, View};
use super::retention::AHEAD_MS;
use super::runs::{Named, Runs};
use super::spelling::{Learned, Shared, Spellings};

/// A series' number in the file.
pub type Id = u32;

/// All series. Calls return at once; none waits for the disk.
pub struct Memory {
    bounds: Bounds,
    kept: RwLock<Kept>,
    /// Counts up whenever there are new points.
    tick: watch::Sender<u64>,
    /// When the last pushed points came, Unix milliseconds; 0 before the first.
    pub last_push: AtomicU64,
    /// The time of the newest pushed point, Unix milliseconds; 0 before the first.
    newest: AtomicU64,
    /// Points let go of before their time, because there were too many of all series.
    pub early: AtomicU64,
    points: AtomicUsize,
    pushed: AtomicUsize,
    spellings: Shared,
    /// How often series were removed.
    removals: AtomicU64,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<Arc<Key>, Id>,
    /// By name and then by whole name, which is the order in which they are shown.
    by_name: BTreeMap<String, BTreeMap<String, Id>>,
    all: IndexMap<Id, Series, FxBuildHasher>,
    next: Id,
    /// Pushed series whose names the file has not.
    unstored: HashSet<Id>,
    /// Names of those removed since the last sweep, and before that: requests that were read meanwhile know their
    /// numbers alone.
    removed: HashMap<Id, Arc<Key>>,
    removed_before: HashMap<Id, Arc<Key>>,
}

struct Series {
    key: Arc<Key>,
    points: Points,
    /// How often points came that were not later than all before.
    late: u64,
    /// This server's own: not for the file, and not counted.
    own: bool,
}

/// One series as of one moment.
#[derive(Debug)]
pub struct Found {
    pub key: Arc<Key>,
    pub view: View,
    pub last: Option<Point>,
    /// Counts up when what was there already has changed.
    pub late: u64,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub series: usize,
    pub points: usize,
    pub bytes: usize,
}

impl Memory {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            kept: RwLock::default(),
            tick: watch::Sender::new(0),
            last_push: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            early: AtomicU64::new(0),
            points: AtomicUsize::new(0),
            pushed: AtomicUsize::new(0),
            spellings: Shared::default(),
            removals: AtomicU64::new(0),
        }
    }

    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Counts up whenever there are new points.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.tick.subscribe()
    }

    /// Keeps one value for each name of this server's own; `None` for a gap.
    pub fn record<'a>(&self, at: u64, values: impl IntoIterator<Item = (&'a str, Option<f64>)>) {
        let mut kept = self.write();
        for (name, value) in values {
            let id = kept.id_of(Arc::new(Key::own(name, Vec::new())), true);
            let series = kept.all.get_mut(&id).expect("it was just found or made");
            if series.points.last().is_some_and(|(last, _)| last > at.saturating_add(AHEAD_MS)) {
                // The clock was far ahead and is set back: what it stamped would stand in the way for as long.
                self.points.fetch_sub(series.points.count(), Relaxed);
                series.points = Points::default();
                series.late += 1;
            }
            let before = series.points.count();
            // The system's clock may be set back a little; the points stay in time order.
            let at = series.points.last().map_or(at, |(last, _)| at.max(last + 1));
            series.points.extend(&[(at, value.filter(|value| value.is_finite()).unwrap_or(f64::NAN))]);
            self.points.fetch_add(series.points.count() - before, Relaxed);
        }
        drop(kept);
        self.tick.send_modify(|tick| *tick += 1);
    }

    /// A number for each series, made where there is room. `None` for one that is one too many.
    pub fn ids(&self, runs: &Runs) -> Vec<Option<Id>> {
        let kept = self.read();
        let are_all_there = runs.removals() == self.removals();
        let known = |named: &Named| match named {
            Named::Known(id) => Some(*id).filter(|id| are_all_there || kept.all.contains_key(id)),
            Named::Key(key) => kept.by_key.get(key).copied(),
        };
        let all: Option<Vec<_>> = runs.series().iter().map(|one| known(&one.named).map(Some)).collect();
        drop(kept);
        if let Some(all) = all {
            return all;
        }
        let mut kept = self.write();
        let mut id = |named: &Named| {
            let key = match named {
                Named::Known(id) if kept.all.contains_key(id) => return Some(*id),
                Named::Known(id) => kept.removed.get(id).or_else(|| kept.removed_before.get(id)).cloned()?,
                Named::Key(key) => key.clone(),
            };
            if let Some(id) = kept.by_key.get(&key) {
                return Some(*id);
            }
            (self.pushed.load(Relaxed) < self.bounds.series).then(|| {
                self.pushed.fetch_add(1, Relaxed);
                kept.id_of(key, false)
            })
        };
        runs.series().iter().map(|one| id(&one.named)).collect()
    }

    /// The numbers of those series that are there already.
    pub fn known<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Vec<Option<Id>> {
        let kept = self.read();
        keys.into_iter().map(|key| kept.by_key.get(key).copied()).collect()
    }

    /// How often series were removed: what was known before may be gone.
    pub fn removals(&self) -> u64 {
        self.removals.load(Relaxed)
    }

    /// How requests spell series that are there.
    pub fn spellings(&self) -> Option<RwLockReadGuard<'_, Spellings>> {
        self.spellings.read(self.removals())
    }

    /// Remembers spellings of series, whose numbers were found when series had been removed so often.
    pub fn learn(&self, learned: impl IntoIterator<Item = (Learned, Id)>, removals: u64) {
        self.spellings.learn(learned, removals);
    }

    /// Puts a series back that the file knows by a number.
    pub(super) fn restore(&self, id: Id, key: Key) {
        let mut kept = self.write();
        self.pushed.fetch_add(1, Relaxed);
        kept.insert(id, Arc::new(key), false);
        kept.unstored.remove(&id);
    }

    /// The next number is later than this one.
    pub(super) fn number_after(&self, id: Id) {
        let mut kept = self.write();
        kept.next = kept.next.max(id + 1);
    }

    /// Those of the series whose names the file has not.
    pub(super) fn not_stored(&self, ids: impl IntoIterator<Item = Id>) -> Vec<(Id, Arc<Key>)> {
        let kept = self.read();
        if kept.unstored.is_empty() {
            return Vec::new();
        }
        let new: BTreeSet<Id> = ids.into_iter().filter(|id| kept.unstored.contains(id)).collect();
        new.into_iter().filter_map(|id| Some((id, kept.all.get(&id)?.key.clone()))).collect()
    }

    /// Takes points that are on the disk, and the names that are with them.
    pub(super) fn apply<'a>(
        &self,
        runs: impl IntoIterator<Item = (Id, &'a [Point])>,
        names: impl IntoIterator<Item = Id>,
    ) {
        let mut kept = self.write();
        for id in names {
            kept.unstored.remove(&id);
        }
        let most = self.bounds.points_per_series.saturating_add(2 * super::points::BLOCK);
        let (mut newest, mut more, mut fewer, mut next) = (0, 0, 0, 0);
        for (id, points) in runs {
            let place = find_in_sequence(&kept.all, &id, &mut next);
            let series = place.and_then(|place| kept.all.get_index_mut(place));
            let Some((_, series)) = series else { continue };
            let before = series.points.count();
            newest = points.last().map_or(newest, |(at, _)| newest.max(*at));
            if series.points.extend(points) {
                series.late += 1;
            }
            let now = series.points.count();
            more += now - before;
            if now >= most {
                series.points.trim(0, self.bounds.points_per_series);
                fewer += now - series.points.count();
            }
        }
        self.newest.fetch_max(newest, Relaxed);
        self.points.fetch_add(more, Relaxed);
        self.points.fetch_sub(fewer, Relaxed);
        if self.points.load(Relaxed) > self.bounds.points {
            self.shed(&mut kept);
        }
        drop(kept);
        self.tick.send_modify(|tick| *tick += 1);
    }

    /// Lets the oldest of all go, until a sixteenth of the room is free again.
    fn shed(&self, kept: &mut Kept) {
        let enough = self.bounds.points - self.bounds.points / 16;
        let mut oldest: BTreeSet<(u64, Id)> =
            kept.all.iter().filter_map(|(id, series)| Some((series.points.oldest_block()?, *id))).collect();
        while self.points.load(Relaxed) > enough
            && let Some((_, id)) = oldest.pop_first()
        {
            let Some(series) = kept.all.get_mut(&id) else { continue };
            let dropped = series.points.drop_oldest_block();
            self.points.fetch_sub(dropped, Relaxed);
            self.early.fetch_add(dropped as u64, Relaxed);
            oldest.extend(series.points.oldest_block().map(|last| (last, id)));
        }
    }

    /// Lets go of points from before a time, and of series that have nothing left. The numbers of those.
    pub(super) fn sweep(&self, before: u64) -> Vec<Id> {
        let mut kept = self.write();
        kept.removed_before = std::mem::take(&mut kept.removed);
        let mut gone = Vec::new();
        for (id, series) in &mut kept.all {
            let count = series.points.count();
            series.points.trim(before, self.bounds.points_per_series);
            self.points.fetch_sub(count - series.points.count(), Relaxed);
            if series.points.count() == 0 {
                gone.push(*id);
            }
        }
        for id in &gone {
            kept.remove(*id);
        }
        if !gone.is_empty() {
            self.removals.fetch_add(1, Relaxed);
        }
        self.pushed.store(kept.all.values().filter(|series| !series.own).count(), Relaxed);
        gone
    }

    /// The pushed series that are meant.
    pub(super) fn matching(&self, wanted: &Match) -> Vec<Id> {
        let kept = self.read();
        let meant = kept.all.iter().filter(|(_, series)| !series.own && wanted.matches(&series.key));
        meant.map(|(id, _)| *id).collect()
    }

    /// Lets go of series with their points.
    pub(super) fn remove(&self, ids: &[Id]) {
        let mut kept = self.write();
        for id in ids {
            let points = kept.all.get(id).map_or(0, |series| series.points.count());
            self.points.fetch_sub(points, Relaxed);
            kept.remove(*id);
        }
        self.removals.fetch_add(1, Relaxed);
        self.pushed.store(kept.all.values().filter(|series| !series.own).count(), Relaxed);
        drop(kept);
        self.tick.send_modify(|tick| *tick += 1);
    }

    /// The pushed series from a number on, whole: up to so many points of them, and the number after them.
    pub(super) fn whole_from(&self, from: Id, points: usize) -> (Vec<(Id, View)>, Option<Id>) {
        let kept = self.read();
        let is_stored = |id: &Id, series: &Series| !series.own && !kept.unstored.contains(id);
        let ids = kept.all.iter().filter(|(id, series)| **id >= from && is_stored(id, series));
        let mut ids: Vec<Id> = ids.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let (mut all, mut count) = (Vec::new(), 0);
        for id in ids {
            if count >= points {
                return (all, Some(id));
            }
            let Some(series) = kept.all.get(&id) else { continue };
            count += series.points.count();
            all.push((id, series.points.view(0, u64::MAX)));
        }
        (all, None)
    }

    /// The series that a selector means, in the order of their names, up to so many; and how many there are.
    pub fn find(
        &self,
        selector: &Selector,
        most: usize,
        mut from: impl FnMut(&str) -> u64,
        to: u64,
    ) -> (Vec<Found>, usize) {
        let kept = self.read();
        let (mut found, mut count) = (Vec::new(), 0);
        for id in kept.by_name.get(&selector.name).into_iter().flat_map(|named| named.values()) {
            let Some(series) = kept.all.get(id).filter(|series| selector.matches(&series.key)) else {
                continue;
            };
            let Some(last) = series.points.last() else { continue };
            count += 1;
            if found.len() < most {
                let view = series.points.view(from(series.key.whole()), to);
                found.push(Found { key: series.key.clone(), view, last: Some(last), late: series.late });
            }
        }
        (found, count)
    }

    /// Whole names that contain a text, in order.
    pub fn names(&self, part: &str, most: usize) -> Vec<String> {
        let part = part.to_lowercase();
        let kept = self.read();
        let all = kept.by_name.values().flatten().filter(|(_, id)| kept.has_points(**id));
        let all = all.map(|(whole, _)| whole);
        all.filter(|whole| whole.to_lowercase().contains(&part)).take(most).cloned().collect()
    }

    /// The values that a tag has, in order. Without selectors all series count.
    pub fn values(&self, label: &str, of: &[Selector], most: usize) -> Vec<String> {
        let kept = self.read();
        let mut values = BTreeSet::new();
        for series in kept.all.values().filter(|series| series.points.last().is_some()) {
            if !of.is_empty() && !of.iter().any(|selector| selector.matches(&series.key)) {
                continue;
            }
            let value = if label == NAME_LABEL { Some(series.key.name()) } else { series.key.tag(label) };
            values.extend(value.map(str::to_owned));
        }
        values.into_iter().take(most).collect()
    }

    /// True where a series is there.
    pub(super) fn is_known(&self, id: Id) -> bool {
        self.read().all.contains_key(&id)
    }

    /// How many pushed series there are.
    pub(super) fn pushed(&self) -> usize {
        self.pushed.load(Relaxed)
    }

    /// Points of all series together.
    pub fn points(&self) -> usize {
        self.points.load(Relaxed)
    }

    /// Of the pushed series.
    pub fn size(&self) -> Size {
        let kept = self.read();
        let pushed = kept.all.values().filter(|series| !series.own);
        let add = |size: Size, series: &Series| Size {
            series: size.series + 1,
            points: size.points + series.points.count(),
            bytes: size.bytes + series.points.bytes() + 2 * series.key.whole().len() + 256,
        };
        pushed.fold(Size::default(), add)
    }

    /// The time of the newest pushed point, Unix milliseconds.
    pub fn newest(&self) -> Option<u64> {
        Some(self.newest.load(Relaxed)).filter(|newest| *newest > 0)
    }

    /// Notes when pushed points came.
    pub(super) fn pushed_at(&self, now: u64) {
        self.last_push.store(now, Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// False for a series that was named in a batch which the disk did not take.
    fn has_points(&self, id: Id) -> bool {
        self.all.get(&id).is_some_and(|series| series.points.last().is_some())
    }

    fn id_of(&mut self, key: Arc<Key>, own: bool) -> Id {
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        // From 1, as the file's numbers.
        let id = self.next.max(1);
        self.insert(id, key, own);
        id
    }

    fn insert(&mut self, id: Id, key: Arc<Key>, own: bool) {
        self.next = self.next.max(id + 1);
        self.by_key.insert(key.clone(), id);
        self.by_name.entry(key.name().to_owned()).or_default().insert(key.whole().to_owned(), id);
        self.all.insert(id, Series { key, points: Points::default(), late: 0, own });
        if !own {
            self.unstored.insert(id);
        }
    }

    fn remove(&mut self, id: Id) {
        let Some(series) = self.all.swap_remove(&id) else { return };
        self.by_key.remove(&series.key);
        self.unstored.remove(&id);
        if !series.own {
            self.removed.insert(id, series.key.clone());
        }
        if let Some(named) = self.by_name.get_mut(series.key.name()) {
            named.remove(series.key.whole());
            if named.is_empty() {
                self.by_name.remove(series.key.name());
            }
        }
    }
}

/// Puts points into time order, each time once; of two of one time the later one counts.
pub fn in_time_order(points: &mut Vec<Point>) {
    if points.is_sorted_by(|one, next| one.0 < next.0) {
        return;
    }
    points.reverse();
    points.sort_by_key(|(at, _)| *at);
    points.dedup_by_key(|(at, _)| *at);
}

#[cfg(test)]
mod tests {
    use super::super::Run;
    use super::super::key::selectors;
    use super::*;

    fn memory(series: usize, points_per_series: usize, points: usize) -> Memory {
        Memory::new(Bounds { series, points_per_series, points, kept_ms: 1_000_000 })
    }

    fn key(whole: &str) -> Key {
        Key::read(whole).expect("a key")
    }

    fn runs<const N: usize>(names: [&str; N]) -> Runs {
        names.map(|name| Run { key: key(name), points: vec![(1, 1.0)], place: 1 }).to_vec().into()
    }

    fn read(memory: &Memory, query: &str) -> Vec<(String, usize)> {
        let (found, _) = memory.find(&selectors(query)[0], 9, |_| 0, u64::MAX);
        found.into_iter().map(|one| (one.key.whole().to_owned(), one.view.at_most())).collect()
    }

    #[test]
    fn s10_a_series_too_many_is_refused_and_the_others_are_taken() {
        let memory = memory(2, 10, 100);
        let ids = memory.ids(&runs(["a", "b", "c", "a"]));
        assert!(ids[0].is_some() && ids[1].is_some() && ids[2].is_none() && ids[3] == ids[0]);
        let (a, b) = (ids[0].expect("made"), ids[1].expect("made"));
        memory.apply([(a, &[(1, 1.0)][..])], []);
        assert_eq!(memory.sweep(0), [b], "nothing came for it, and its place is free again");
        assert!(memory.ids(&runs(["c"]))[0].is_some_and(|c| c != b), "a number is never used twice");
    }

    #[test]
    fn a_number_of_a_series_that_was_removed_meanwhile_is_a_new_one_by_its_name() {
        let memory = memory(9, 10, 100);
        let a = memory.ids(&runs(["a"]))[0].expect("made");
        memory.apply([(a, &[(1, 1.0)][..])], [a]);
        let known = Runs::sorted(vec![(Named::Known(a), 1)], vec![(2, 1.0)], &[0], 0);
        assert_eq!(memory.ids(&known), [Some(a)]);
        memory.remove(&[a]);
        assert_eq!(memory.removals(), 1);
        let again = memory.ids(&known)[0].expect("made");
        assert!(again > a);
        assert_eq!(memory.not_stored([again])[0].1.whole(), "a");
        memory.sweep(0);
        memory.sweep(0);
        assert_eq!(memory.ids(&known), [None], "no request takes so long");
    }

    #[test]
    fn names_of_a_write_that_failed_are_in_no_list() {
        let memory = memory(9, 10, 100);
        let ids = memory.ids(&runs(["up{host=a}", "up{host=b}"]));
        memory.apply([(ids[0].expect("made"), &[(5, 1.0)][..])], []);
        assert_eq!(memory.names("", 9), ["up{host=a}"]);
        assert_eq!(memory.values("host", &[], 9), ["a"]);
    }

    #[test]
    fn a_name_stands_for_all_series_of_it_in_their_order() {
        let memory = memory(9, 10, 100);
        let ids = memory.ids(&runs(["up{host=b}", "up{host=a}", "upper"]));
        memory.apply(ids.into_iter().flatten().map(|id| (id, &[(5, 1.0)][..])), []);
        memory.record(7, [("server.cpu", None)]);
        assert_eq!(read(&memory, "up"), [("up{host=a}".to_owned(), 1), ("up{host=b}".to_owned(), 1)]);
        assert_eq!(read(&memory, "up{host=b}").len(), 1);
        assert_eq!(memory.names("UP{", 9), ["up{host=a}", "up{host=b}"]);
        assert_eq!(memory.values("host", &selectors("up"), 9), ["a", "b"]);
        assert_eq!(memory.values(NAME_LABEL, &[], 9), ["server.cpu", "up", "upper"]);
        assert_eq!((memory.size().series, memory.size().points), (3, 3));
    }

    #[test]
    fn s10_points_are_bounded_each_and_together() {
        let memory = memory(9, 1_000, 3_000);
        let ids: Vec<Id> = memory.ids(&runs(["a", "b", "c", "d"])).into_iter().flatten().collect();
        let run = |from: u64, count: u64| (from..from + count).map(|n| (n, 0.0)).collect::<Vec<Point>>();
        memory.apply([(ids[0], &run(0, 5_000)[..])], []);
        assert!((744..=1_256).contains(&memory.size().points), "{:?}", memory.size());
        for (n, id) in ids.iter().enumerate() {
            memory.apply([(*id, &run(10_000 * (n as u64 + 1), 1_000)[..])], []);
        }
        assert!(memory.size().points <= 3_000 && memory.early.load(Relaxed) > 0);
        assert_eq!(read(&memory, "d")[0].1, 1_000, "the oldest of all go first");
    }

    #[test]
    fn own_values_go_on_after_the_clock_was_far_ahead() {
        let memory = memory(9, 10, 100);
        memory.record(9 * AHEAD_MS, [("server.cpu", Some(1.0))]);
        memory.record(AHEAD_MS, [("server.cpu", Some(2.0))]);
        memory.record(AHEAD_MS - 5, [("server.cpu", Some(3.0))]);
        let (found, _) = memory.find(&selectors("server.cpu")[0], 9, |_| 0, u64::MAX);
        assert_eq!(found[0].last, Some((AHEAD_MS + 1, 3.0)));
        assert_eq!((found[0].view.at_most(), memory.points()), (2, 2));
        assert_eq!(memory.newest(), None, "own values say nothing of the clocks elsewhere");
    }

    #[test]
    fn of_two_values_of_one_time_the_later_one_counts() {
        let mut points = vec![(3, 1.0), (1, 1.0), (3, 2.0), (2, 1.0)];
        in_time_order(&mut points);
        assert_eq!(points, [(1, 1.0), (2, 1.0), (3, 2.0)]);
    }
}
