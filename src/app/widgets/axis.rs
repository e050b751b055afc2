//! Ranges and ticks of a chart's axes: whatever data and limits say, a range that floating-point numbers
//! resolve and a bounded number of ticks, so that drawing a chart always ends.

use crate::dashboard::number;

/// Values beyond this are drawn as this: their differences would overflow.
const MOST: f64 = 1e300;
/// Values closer to zero than this are zero on a chart: their quotients would overflow.
const LEAST: f64 = 1e-200;
/// A range is at least this fraction of its larger end. Numbers have about 16 digits; positions and ticks
/// within the range need the rest.
const RESOLUTION: f64 = 1e-10;
/// The free space above and below values, as a fraction of what they span.
const PADDING: f64 = 0.1;
/// Ticks of one axis: more have no room on the widest screen.
const MAX_TICKS: usize = 100;
/// The seconds of a range of time without a length.
const SHORTEST_S: f64 = 1.0;

/// The steps of a time axis, in seconds; larger ones are years.
const TIME_STEPS: [f64; 19] = [
    1.0,
    5.0,
    10.0,
    30.0,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
    30.0 * DAY,
    90.0 * DAY,
    YEAR,
];
const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;
const YEAR: f64 = 365.0 * DAY;
/// Unix seconds of the last moment that a time axis shows: the end of the year 9999.
const LAST_S: f64 = 253_402_300_799.0;

/// The ticks of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ticks {
    /// From one to the next.
    pub step: f64,
    pub at: Vec<f64>,
}

/// The room for ticks, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Of the whole axis.
    pub length: f64,
    /// From one tick to the next, at least.
    pub spacing: f64,
}

impl Room {
    /// The smallest step of a range that leaves enough space between ticks; `None` where none fits.
    fn least_step(self, from: f64, to: f64) -> Option<f64> {
        let fits = self.spacing > 0.0 && self.length >= self.spacing && resolves(from, to);
        fits.then(|| (to - from) * (self.spacing / self.length).max(1.0 / MAX_TICKS as f64))
    }
}

/// The range of a value axis: the limits that a person set, else one that holds the data with some space, and
/// zero where the data is `grounded` or nearly reaches it.
///
/// An upper limit that is not above the lower one gives way.
pub fn value_range(
    data: Option<(f64, f64)>,
    min: Option<f64>,
    max: Option<f64>,
    grounded: bool,
) -> (f64, f64) {
    let min = min.and_then(bounded);
    let max = max.and_then(bounded).filter(|max| min.is_none_or(|min| resolves(min, *max)));
    let data = data.and_then(|(least, most)| Some((bounded(least)?, bounded(most)?)));
    let (low, high) = padded(data, grounded);
    // As far from a limit as that is from zero, where the data lies beyond it.
    let reach = |from: f64| if from == 0.0 { 1.0 } else { from.abs() };
    match (min, max) {
        (None, None) => (low, high),
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, if resolves(min, high) { high } else { min + reach(min) }),
        (None, Some(max)) => (if resolves(low, max) { low } else { max - reach(max) }, max),
    }
}

/// The range of a time axis, in Unix seconds.
pub fn time_range(from: f64, to: f64) -> (f64, f64) {
    let fit = |at: f64| if at.is_finite() { at.clamp(0.0, LAST_S) } else { 0.0 };
    let (from, to) = (fit(from), fit(to));
    if resolves(from, to) { (from, to) } else { (from, from + SHORTEST_S.max(from * RESOLUTION * 2.0)) }
}

/// Ticks at round values: multiples of the first of the unit's own steps that has room, else of 1, 2, 2.5 or 5
/// at some power of ten.
pub fn value_ticks(from: f64, to: f64, room: Room, own_steps: Option<&[f64]>) -> Ticks {
    let Some(least) = room.least_step(from, to) else { return Ticks::default() };
    let own = own_steps.and_then(|steps| steps.iter().copied().find(|step| *step >= least));
    let (step, multiple): (f64, Box<dyn Fn(f64) -> f64>) = match own {
        Some(step) => (step, Box::new(move |n| n * step)),
        None => {
            let (digits, exponent) = round_up(least);
            let step = decimal(digits, exponent);
            // A quotient by a power of ten is the number that the digits stand for; a product is next to it.
            let divisor = decimal(1.0, -exponent);
            let exact = exponent < 0 && divisor.is_finite();
            (step, Box::new(move |n| if exact { n * digits / divisor } else { n * step }))
        }
    };
    let first = (from / step).ceil();
    let at = (0..MAX_TICKS).map(|n| multiple(first + n as f64));
    let at = at.skip_while(|at| *at < from).take_while(|at| *at <= to).map(|at| at + 0.0).collect();
    Ticks { step, at }
}

/// Ticks at round times of the clock that is `ahead` seconds of universal time at a moment.
///
/// Steps of more than an hour follow the clock over its changes; of an hour that comes twice both are there.
pub fn time_ticks(from: f64, to: f64, room: Room, ahead: &dyn Fn(f64) -> f64) -> Ticks {
    let Some(least) = room.least_step(from, to) else { return Ticks::default() };
    let years = || {
        let (digits, exponent) = round_up(least / YEAR);
        decimal(digits, exponent).ceil() * YEAR
    };
    let step = TIME_STEPS.into_iter().find(|step| *step >= least).unwrap_or_else(years);
    let mut at = Vec::new();
    let mut next = on_clock(from, step, ahead, true);
    while next <= to && at.len() < MAX_TICKS {
        if next >= from {
            at.push(next);
        }
        next = on_clock(next, step, ahead, false);
    }
    Ticks { step, at }
}

/// The first moment from `from` on, or after it, at which the clock shows a multiple of a step.
fn on_clock(from: f64, step: f64, ahead: &dyn Fn(f64) -> f64, or_at: bool) -> f64 {
    let before = ahead(from);
    let steps = (from + before) / step;
    let local = if or_at { steps.ceil() } else { steps.floor() + 1.0 } * step;
    let plain = local - before;
    let after = ahead(plain);
    if after == before || step <= HOUR {
        return plain;
    }
    // The clock was changed on the way there. Where it never shows that time, the moment itself stands.
    let shifted = local - after;
    if ahead(shifted) == after && (shifted > from || or_at && shifted >= from) { shifted } else { plain }
}

/// A finite number as a chart can draw it.
fn bounded(value: f64) -> Option<f64> {
    let size = value.abs();
    value.is_finite().then(|| if size < LEAST { 0.0 } else { value.clamp(-MOST, MOST) })
}

/// True where numbers tell enough places between two ends apart.
fn resolves(from: f64, to: f64) -> bool {
    let span = to - from;
    span.is_finite() && span >= LEAST && span >= from.abs().max(to.abs()) * RESOLUTION
}

/// What holds the data, at round ends.
fn padded(data: Option<(f64, f64)>, grounded: bool) -> (f64, f64) {
    let Some((a, b)) = data else { return (0.0, 1.0) };
    let (mut least, mut most) = (a.min(b), a.max(b));
    if grounded {
        (least, most) = (least.min(0.0), most.max(0.0));
    }
    if !resolves(least, most) {
        return match most {
            0.0 => (0.0, 1.0),
            most if most > 0.0 => (0.0, 2.0 * most),
            _ => (2.0 * least, 0.0),
        };
    }
    let span = most - least;
    let step = 10f64.powf(span.log10().floor() - 1.0);
    let low = ((least - span * PADDING) / step).floor() * step;
    let high = ((most + span * PADDING) / step).ceil() * step;
    (if least >= 0.0 { low.max(0.0) } else { low }, if most <= 0.0 { high.min(0.0) } else { high })
}

/// The smallest of 1, 2, 2.5, 5 and 10 with a power of ten that is not below a positive value.
fn round_up(value: f64) -> (f64, i32) {
    let exponent = value.log10().floor() as i32;
    // The logarithm may round to the power above or below.
    for exponent in [exponent - 1, exponent, exponent + 1] {
        if let Some(digits) =
            [1.0, 2.0, 2.5, 5.0].into_iter().find(|digits| decimal(*digits, exponent) >= value)
        {
            return (digits, exponent);
        }
    }
    (1.0, exponent + 2)
}

/// The number that digits with a power of ten stand for.
fn decimal(digits: f64, exponent: i32) -> f64 {
    number::read(&format!("{digits}e{exponent}")).unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TALL: Room = Room { length: 340.0, spacing: 34.0 };
    const WIDE: Room = Room { length: 720.0, spacing: 72.0 };

    fn utc(_: f64) -> f64 {
        0.0
    }

    #[test]
    fn a_range_holds_the_data_and_keeps_to_the_limits() {
        for (data, min, max, grounded, expected) in [
            (Some((3.0, 8.0)), None, None, false, (2.5, 8.5)),
            (Some((0.2, 8.0)), None, None, false, (0.0, 8.8)),
            (Some((-8.0, -0.2)), None, None, false, (-8.8, 0.0)),
            (Some((3.0, 8.0)), None, None, true, (0.0, 8.8)),
            (Some((50.0, 50.0)), None, None, false, (0.0, 100.0)),
            (Some((-50.0, -50.0)), None, None, false, (-100.0, 0.0)),
            (Some((0.0, 0.0)), None, None, false, (0.0, 1.0)),
            (None, None, None, false, (0.0, 1.0)),
            (Some((f64::INFINITY, f64::NEG_INFINITY)), None, None, false, (0.0, 1.0)),
            (Some((3.0, 8.0)), Some(1.0), None, false, (1.0, 8.5)),
            (Some((3.0, 8.0)), None, Some(10.0), false, (2.5, 10.0)),
            (Some((3.0, 8.0)), Some(0.0), Some(100.0), false, (0.0, 100.0)),
            // Limits that leave nothing.
            (Some((3.0, 8.0)), Some(5.0), Some(5.0), false, (5.0, 8.5)),
            (Some((3.0, 8.0)), Some(9.0), Some(5.0), false, (9.0, 18.0)),
            (Some((3.0, 8.0)), Some(100.0), None, false, (100.0, 200.0)),
            (Some((3.0, 8.0)), None, Some(-2.0), false, (-4.0, -2.0)),
            (Some((3.0, 8.0)), Some(1e15), Some(1e15 + 1.0), false, (1e15, 2e15)),
            (Some((3.0, 8.0)), Some(f64::NAN), Some(f64::INFINITY), false, (2.5, 8.5)),
            // A series that is nearly constant.
            (Some((100.0, 100.0 + 1e-13)), None, None, false, (0.0, 2.0 * (100.0 + 1e-13))),
            (Some((5e-324, 1e-323)), None, None, false, (0.0, 1.0)),
        ] {
            let range = value_range(data, min, max, grounded);
            let near = |a: f64, b: f64| (a - b).abs() <= b.abs() * 1e-12;
            assert!(
                near(range.0, expected.0) && near(range.1, expected.1),
                "{data:?} {min:?} {max:?}: {range:?}"
            );
        }
    }

    #[test]
    fn ticks_are_round() {
        let at = |from, to, own: Option<&[f64]>| value_ticks(from, to, TALL, own).at;
        assert_eq!(at(0.0, 1.0, None), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
        assert_eq!(at(-2.0, 10.5, None), [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|n: f64| n * 1.0));
        assert_eq!(at(0.0, 4.1e-7, None)[3], 1.5e-7);
        assert_eq!(at(1.0, 3000.0, Some(&[256.0, 512.0, 1024.0]))[..2], [512.0, 1024.0]);
        assert_eq!(value_ticks(0.0, 1e9, TALL, Some(&[1.0])).step, 1e8, "beyond the steps of its own");
        assert_eq!(value_ticks(0.0, 1.0, Room { length: 20.0, spacing: 34.0 }, None), Ticks::default());
    }

    #[test]
    fn ticks_of_time_stand_at_round_times_of_the_clock() {
        let quarter = time_ticks(1_795_341_753.0, 1_795_342_653.0, WIDE, &utc);
        assert_eq!((quarter.step, quarter.at[0] % 120.0, quarter.at.len()), (120.0, 0.0, 7));
        let kathmandu = |_: f64| 5.75 * HOUR;
        let day = time_ticks(1_795_341_753.0, 1_795_341_753.0 + DAY, WIDE, &kathmandu);
        assert_eq!(day.step, 6.0 * HOUR);
        assert!(day.at.iter().all(|at| (at + 5.75 * HOUR) % (6.0 * HOUR) == 0.0), "{day:?}");
    }

    /// Berlin around 2026-10-25 01:00 UTC, when its clocks go from 03:00 back to 02:00.
    fn back(at: f64) -> f64 {
        if at < 1_792_890_000.0 { 2.0 * HOUR } else { HOUR }
    }

    /// Berlin around 2026-03-29 01:00 UTC, when its clocks go from 02:00 on to 03:00.
    fn on(at: f64) -> f64 {
        if at < 1_774_746_000.0 { HOUR } else { 2.0 * HOUR }
    }

    #[test]
    fn ticks_follow_the_clock_over_its_changes() {
        for (ahead, change) in [(back as fn(f64) -> f64, 1_792_890_000.0), (on, 1_774_746_000.0)] {
            let clock = |ticks: &Ticks| -> Vec<f64> {
                ticks.at.iter().map(|at| (at + ahead(*at)) % DAY / HOUR).collect()
            };
            let hours = time_ticks(change - 2.0 * HOUR, change + 2.0 * HOUR, WIDE, &ahead);
            assert_eq!(hours.step, 30.0 * MINUTE);
            let days = time_ticks(change - DAY, change + DAY, WIDE, &ahead);
            assert_eq!(days.step, 6.0 * HOUR);
            assert!(clock(&days).iter().all(|hour| hour % 6.0 == 0.0), "{:?}", clock(&days));
            assert!(days.at.len() >= 7);
        }
        let hour = time_ticks(1_792_890_000.0 - 2.0 * HOUR, 1_792_890_000.0 + 2.0 * HOUR, WIDE, &back);
        assert_eq!(hour.at.len(), 9, "of the hour that comes twice both show");
    }

    prop_compose! {
        /// Any number at all, and often one that is next to another, round, or at an end.
        fn anything()(kind in 0..6, bits in any::<u64>(), small in -9i32..9, ulps in 0u64..4) -> f64 {
            match kind {
                0 => f64::from_bits(bits),
                1 => f64::from(small),
                2 => f64::from_bits(100.0f64.to_bits() + ulps),
                3 => f64::from_bits(1e15f64.to_bits() + ulps),
                4 => 10f64.powi(small * 34),
                _ => f64::from_bits(ulps),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn any_range_can_be_drawn(
            data in prop::option::of((anything(), anything())),
            min in prop::option::of(anything()),
            max in prop::option::of(anything()),
            grounded: bool,
            length in 0.0..9_000.0f64,
        ) {
            let (low, high) = value_range(data, min, max, grounded);
            prop_assert!(resolves(low, high), "{low} {high}");
            if let Some(min) = min.and_then(bounded) {
                prop_assert_eq!(low, min, "the lower limit holds");
            }
            if let (None, None, Some((a, b))) = (min, max, data)
                && let (Some(a), Some(b)) = (bounded(a), bounded(b))
            {
                let slack = (high - low) * 1e-9;
                prop_assert!(low <= a.min(b) + slack && a.max(b) <= high + slack, "it holds the data");
            }
            for own in [None, Some(&[1.0, 2.0, 1e3][..])] {
                let ticks = value_ticks(low, high, Room { length, spacing: 34.0 }, own);
                let room = (length / 34.0).floor() as usize;
                prop_assert!(ticks.at.len() <= room + 1 && ticks.at.len() <= MAX_TICKS);
                prop_assert!(ticks.at.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
                prop_assert!(ticks.at.iter().all(|at| (low..=high).contains(at)), "{ticks:?}");
                prop_assert!(own.is_some() || room < 4 || !ticks.at.is_empty(), "{low} {high}");
            }
        }

        #[test]
        fn any_time_can_be_drawn(from in anything(), to in anything(), length in 0.0..9_000.0f64) {
            let (from, to) = time_range(from, to);
            prop_assert!(resolves(from, to) && from >= 0.0);
            for ahead in [&utc as &dyn Fn(f64) -> f64, &back, &on] {
                let ticks = time_ticks(from, to, Room { length, spacing: 72.0 }, ahead);
                prop_assert!(ticks.at.len() <= MAX_TICKS);
                prop_assert!(ticks.at.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
                prop_assert!(ticks.at.iter().all(|at| (from..=to).contains(at)), "{ticks:?}");
            }
        }
    }
}
