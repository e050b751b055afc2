//! Age of points: which times may come, and from which on points are kept. It reads no clock: times come in.
//!
//! A clock may be wrong, and what was let go of by it does not come back. So the age of a point counts from
//! the newest point that is known where the clock is ahead of that, and nothing goes as long as the clock is
//! strange: far from what was known at the start, or somewhere else than where it was a moment ago.

/// How far ahead of this server's clock a point's time may be: clocks differ by less.
pub const AHEAD_MS: u64 = 3_600_000;
/// The same while the clock is strange: ten years. A mistaken precision is off by thousands.
const AHEAD_WHILE_STRANGE_MS: u64 = 3_652 * DAY_MS;
/// No clock is right that shows a time before this program: 1 January 2025.
const NEVER_SET_MS: u64 = 1_735_689_600_000;
/// How far a clock may be ahead of all that is known at the start: over a night nothing may have happened.
const FAR_AHEAD_MS: u64 = 12 * 3_600_000;
/// A clock that moved by so much in no time was set, or the machine slept.
const JUMP_MS: u64 = 60_000;
/// How long a strange clock stands until it counts as right after all.
pub const STANDS_MS: u64 = 600_000;

const DAY_MS: u64 = 86_400_000;

/// Why a clock is not relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strange {
    /// It shows a time before this program was written.
    NeverSet,
    /// At the start it was behind what is stored, by so many milliseconds.
    Behind(u64),
    /// At the start it was far ahead of all that is stored.
    Ahead(u64),
    /// It was set ahead.
    SetAhead(u64),
    /// It was set back.
    SetBack(u64),
}

/// Which times are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The server's clock.
    pub now: u64,
    pub oldest: u64,
    pub latest: u64,
    /// False where the clock was never set: a point without a time would get one that is no good.
    pub may_stamp: bool,
    /// How long points are kept, in milliseconds.
    pub kept_ms: u64,
}

impl Window {
    /// Around a clock that is right.
    pub fn around(now: u64, kept_ms: u64) -> Self {
        let (oldest, latest) = (now.saturating_sub(kept_ms), now.saturating_add(AHEAD_MS));
        Self { now, oldest, latest, may_stamp: true, kept_ms }
    }
}

/// What is known of the clock. Walls are Unix milliseconds; `ticks` are milliseconds of a clock that is never set.
#[derive(Clone, Debug)]
pub struct Retention {
    kept_ms: u64,
    wall: u64,
    ticks: u64,
    /// Since when, in ticks.
    strange: Option<(Strange, u64)>,
}

impl Retention {
    /// At the start. `known` is the latest time of anything that is stored.
    pub fn new(kept_ms: u64, known: Option<u64>, wall: u64, ticks: u64) -> Self {
        let strange = match known {
            _ if wall < NEVER_SET_MS => Some(Strange::NeverSet),
            // Points may be ahead of the clock by this much.
            Some(known) if wall.saturating_add(AHEAD_MS) < known => Some(Strange::Behind(known - wall)),
            Some(known) if wall > known.saturating_add(FAR_AHEAD_MS) => Some(Strange::Ahead(wall - known)),
            _ => None,
        };
        Self { kept_ms, wall, ticks, strange: strange.map(|strange| (strange, ticks)) }
    }

    /// Takes note of the clock. Returns why it is strange where it became so just now.
    pub fn observe(&mut self, wall: u64, ticks: u64) -> Option<Strange> {
        let expected = self.wall.saturating_add(ticks.saturating_sub(self.ticks));
        (self.wall, self.ticks) = (wall, ticks);
        let set = if wall > expected.saturating_add(JUMP_MS) {
            Some(Strange::SetAhead(wall - expected))
        } else if expected > wall.saturating_add(JUMP_MS) {
            Some(Strange::SetBack(expected - wall))
        } else {
            None
        };
        let never_set = (wall < NEVER_SET_MS).then_some(Strange::NeverSet);
        if let Some(strange) = never_set.or(set) {
            let before = self.strange.replace((strange, ticks));
            let is_new = set.is_some() || before.is_none_or(|(before, _)| before != strange);
            return is_new.then_some(strange);
        }
        if self.strange.is_some_and(|(_, since)| ticks.saturating_sub(since) >= STANDS_MS) {
            self.strange = None;
        }
        None
    }

    /// Why the clock is not relied on; `None` where it is.
    pub fn strange(&self) -> Option<Strange> {
        self.strange.map(|(strange, _)| strange)
    }

    /// Which times are taken. `newest` is the time of the newest point.
    pub fn window(&self, newest: Option<u64>) -> Window {
        let mut window = Window { oldest: self.oldest(newest), ..Window::around(self.wall, self.kept_ms) };
        if self.strange.is_some() {
            let known = newest.unwrap_or(0).max(self.wall).max(NEVER_SET_MS);
            window.latest = known.saturating_add(AHEAD_WHILE_STRANGE_MS);
            window.may_stamp = self.wall >= NEVER_SET_MS;
        }
        window
    }

    /// From which time on points are kept; `None` where nothing goes for now.
    pub fn sweep_before(&self, newest: Option<u64>) -> Option<u64> {
        self.strange.is_none().then(|| self.oldest(newest))
    }

    fn oldest(&self, newest: Option<u64>) -> u64 {
        newest.map_or(self.wall, |newest| newest.min(self.wall)).saturating_sub(self.kept_ms)
    }
}

impl Strange {
    /// For people: what is odd, and what follows from it.
    pub fn in_words(self) -> String {
        let odd = match self {
            Self::NeverSet => "This machine's clock was never set.".to_owned(),
            Self::Behind(by) => format!("This machine's clock is {} behind what is stored.", long(by)),
            Self::Ahead(by) => {
                format!("This machine's clock is {} after the last edit and the last point.", long(by))
            }
            Self::SetAhead(by) => format!("This machine's clock was set ahead by {}, or slept.", long(by)),
            Self::SetBack(by) => format!("This machine's clock was set back by {}.", long(by)),
        };
        let until = match self {
            Self::NeverSet => "until it is set",
            _ => "until it has stood like this for 10 minutes",
        };
        format!("{odd} If it is wrong, set it. No point goes as too old {until}.")
    }
}

/// A time in words: the largest unit that it has two of.
pub fn long(ms: u64) -> String {
    let units = [(DAY_MS, "days"), (3_600_000, "hours"), (60_000, "minutes")];
    let fits = units.into_iter().find(|(unit, _)| ms >= 2 * unit);
    fits.map_or_else(|| format!("{} seconds", ms / 1000), |(unit, name)| format!("{} {name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some day in 2026.
    const NOON: u64 = 1_780_000_000_000;
    const HOUR: u64 = 3_600_000;
    const KEPT: u64 = 24 * HOUR;

    #[test]
    fn a_clock_that_agrees_with_what_is_stored_sweeps_at_once() {
        let retention = Retention::new(KEPT, Some(NOON - 8 * HOUR), NOON, 0);
        assert_eq!(retention.strange(), None);
        assert_eq!(retention.sweep_before(None), Some(NOON - KEPT));
        assert_eq!(retention.sweep_before(Some(NOON - 8 * HOUR)), Some(NOON - 8 * HOUR - KEPT));
        assert_eq!(Retention::new(KEPT, None, NOON, 0).strange(), None, "nothing is known yet");
    }

    #[test]
    fn a_clock_two_days_ahead_at_the_start_loses_nothing_and_refuses_nothing() {
        let newest = Some(NOON);
        let mut retention = Retention::new(KEPT, newest, NOON + 2 * DAY_MS, 0);
        assert_eq!(retention.strange(), Some(Strange::Ahead(2 * DAY_MS)));
        assert_eq!(retention.sweep_before(newest), None);
        let window = retention.window(newest);
        assert_eq!(window.oldest, NOON - KEPT, "what comes now by a right clock is taken");
        assert!(window.may_stamp && window.latest > NOON + 2 * DAY_MS);
        // Where it stands: still nothing goes that is young beside the newest point.
        assert_eq!(retention.observe(NOON + 2 * DAY_MS + STANDS_MS, STANDS_MS), None);
        assert_eq!(retention.strange(), None);
        assert_eq!(retention.sweep_before(newest), Some(NOON - KEPT));
        // And when it is set right.
        let ticks = STANDS_MS + 1_000;
        assert_eq!(retention.observe(NOON + ticks, ticks), Some(Strange::SetBack(2 * DAY_MS)));
        assert_eq!(retention.sweep_before(newest), None);
        assert!(retention.window(newest).oldest <= NOON - KEPT);
    }

    #[test]
    fn points_stamped_by_a_clock_that_was_ahead_let_nothing_of_before_go_once_it_is_right() {
        let stamped = Some(NOON + 2 * DAY_MS);
        let mut retention = Retention::new(KEPT, stamped, NOON, 0);
        assert_eq!(retention.strange(), Some(Strange::Behind(2 * DAY_MS)));
        for minute in 1..=20 {
            retention.observe(NOON + minute * 60_000, minute * 60_000);
        }
        assert_eq!(retention.sweep_before(stamped), Some(NOON + 20 * 60_000 - KEPT));
    }

    #[test]
    fn a_clock_that_was_never_set_sweeps_nothing_and_takes_points_that_bring_their_time() {
        let newest = Some(NOON);
        let mut retention = Retention::new(KEPT, newest, 5_000, 0);
        for minute in 1..=60 {
            assert_eq!(retention.observe(5_000 + minute * 60_000, minute * 60_000), None, "it was said once");
            assert_eq!(retention.sweep_before(newest), None);
        }
        let window = retention.window(newest);
        assert!(!window.may_stamp);
        assert!((window.oldest..=window.latest).contains(&(NOON + 3 * DAY_MS)));
        assert!(window.latest < NOON * 1_000, "microseconds are no milliseconds");
        assert!(
            Retention::new(KEPT, None, 5_000, 0).window(None).latest > NOON,
            "also where nothing is known"
        );
        // The network came, and with it the time.
        let ticks = 60 * 60_000;
        assert!(matches!(retention.observe(NOON, ticks), Some(Strange::SetAhead(_))));
        assert_eq!(retention.sweep_before(newest), None);
        retention.observe(NOON + STANDS_MS, ticks + STANDS_MS);
        assert_eq!(retention.sweep_before(newest), Some(NOON - KEPT));
    }

    #[test]
    fn a_clock_that_is_moved_again_and_again_never_stands() {
        let mut retention = Retention::new(KEPT, None, NOON, 0);
        for n in 1..100 {
            let wall = if n % 2 == 0 { NOON } else { NOON + DAY_MS } + n * 60_000;
            assert!(retention.observe(wall, n * 60_000).is_some());
            assert_eq!(retention.sweep_before(None), None);
        }
        // One that runs a little fast or slow is none.
        let mut retention = Retention::new(KEPT, None, NOON, 0);
        assert_eq!(retention.observe(NOON + 61_000, 60_000), None);
        assert_eq!(retention.sweep_before(None), Some(NOON + 61_000 - KEPT));
    }

    #[test]
    fn a_clock_that_is_right_takes_an_hour_ahead_and_no_more() {
        let window = Retention::new(KEPT, None, NOON, 0).window(None);
        assert_eq!((window.oldest, window.latest), (NOON - KEPT, NOON + AHEAD_MS));
    }
}
