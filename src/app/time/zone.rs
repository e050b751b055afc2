//! The zone by whose clock the page reads and writes moments: that of whoever looks, universal time, or one that
//! the dashboard names. What zones there are, and when their clocks change, the browser knows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Reflect};
use leptos::prelude::*;
use leptos::reactive::graph::Observer;
use wasm_bindgen::{JsCast, JsValue};

use crate::dashboard::settings::TimeZone;

const DAY_S: i64 = 86_400;
/// Clocks change at whole quarters of an hour.
const QUARTER_MS: u64 = 900_000;
/// Quarters of an hour whose clock is remembered: what a page shows at a time.
const MAX_KNOWN: usize = 512;

/// A moment as a calendar and a clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub year: u32,
    /// 0 for January.
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

/// The moments at which a clock shows some time, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moments {
    One(u64),
    /// The clock was put back: the first and the second time.
    Two(u64, u64),
    /// The clock was put forward past it.
    None,
}

/// Seconds by which a clock is ahead of universal time at a moment, in Unix milliseconds.
type Ahead = Rc<dyn Fn(u64) -> i64>;

#[derive(Default)]
struct Reading {
    /// `None` for universal time.
    ahead: Option<Ahead>,
    /// What people read of the zone.
    name: Option<String>,
    known: BTreeMap<u64, i64>,
    /// Wakes what has read moments by another clock; `None` on the server.
    changed: Option<ArcTrigger>,
}

thread_local! {
    /// Universal time until the page is hydrated, so that the first render is the same everywhere.
    static READING: RefCell<Reading> = RefCell::default();
}

/// Prepares for [`follow`]. Called in a browser before the page is made.
pub fn begin() {
    READING.with_borrow_mut(|reading| reading.changed = Some(ArcTrigger::new()));
}

/// Reads moments by the clock of a zone from now on. A zone that this browser does not know is read as its own.
pub fn follow(zone: &TimeZone) {
    let (ahead, name) = match zone {
        TimeZone::Utc => (None, None),
        TimeZone::Browser => (Some(own()), own_name()),
        TimeZone::Named(name) => match named(name) {
            Some(ahead) => (Some(ahead), Some(name.clone())),
            None => (Some(own()), own_name()),
        },
    };
    read_by(ahead, name);
}

fn read_by(ahead: Option<Ahead>, name: Option<String>) {
    let changed = READING.with_borrow_mut(|reading| {
        reading.ahead = ahead;
        reading.name = name;
        reading.known.clear();
        reading.changed.clone()
    });
    if let Some(changed) = changed {
        changed.notify();
    }
}

/// The zone's name: `Europe/Berlin`, `UTC`.
pub fn name() -> String {
    track();
    READING.with_borrow(|reading| reading.name.clone()).unwrap_or_else(|| "UTC".to_owned())
}

/// True for a zone that this browser knows.
pub fn is_known(zone: &str) -> bool {
    named(zone).is_some()
}

/// The zones that this browser knows, in order.
pub fn all() -> Vec<String> {
    let intl = intl();
    let list = Reflect::get(&intl, &"supportedValuesOf".into()).ok();
    let list = list.and_then(|list| list.dyn_into::<Function>().ok());
    let list = list.and_then(|list| list.call1(&intl, &"timeZone".into()).ok());
    let list = list.and_then(|list| list.dyn_into::<Array>().ok()).unwrap_or_default();
    list.iter().filter_map(|name| name.as_string()).collect()
}

fn track() {
    let changed = READING.with_borrow(|reading| reading.changed.clone());
    if let Some(changed) = changed.filter(|_| Observer::get().is_some()) {
        changed.track();
    }
}

/// Seconds by which the clock is ahead of universal time at a moment.
pub fn ahead(at_ms: u64) -> i64 {
    track();
    READING.with_borrow_mut(|reading| {
        let Some(ahead) = reading.ahead.clone() else { return 0 };
        if reading.known.len() >= MAX_KNOWN {
            reading.known.clear();
        }
        *reading.known.entry(at_ms / QUARTER_MS).or_insert_with(|| ahead(at_ms))
    })
}

/// A moment by the clock.
pub fn shown(at_ms: u64) -> Shown {
    greenwich(at_ms.saturating_add_signed(ahead(at_ms) * 1000))
}

/// The moments at which the clock shows what a calendar does.
pub fn moments(shown: Shown) -> Moments {
    let wall = shown.seconds();
    let ahead_at = |at: i64| ahead(at.max(0) as u64 * 1000);
    // A day before and a day after, what changes there has changed once.
    let (before, after) = (ahead_at(wall - DAY_S), ahead_at(wall + DAY_S));
    let at = |offset: i64| {
        let at = wall - offset;
        (at >= 0 && ahead_at(at) == offset).then_some(at as u64 * 1000)
    };
    match (at(before), at(after)) {
        (Some(first), Some(second)) if first < second => Moments::Two(first, second),
        (Some(at), _) | (None, Some(at)) => Moments::One(at),
        (None, None) => Moments::None,
    }
}

/// How far the clock is ahead where it shows the time of a moment twice; else that is said by its time alone.
pub fn repeated(at_ms: u64) -> Option<i64> {
    matches!(moments(shown(at_ms)), Moments::Two(..)).then(|| ahead(at_ms))
}

/// An offset in words: `UTC+2`, `UTC+5:45`, `UTC`.
pub fn offset_name(ahead_s: i64) -> String {
    let sign = if ahead_s < 0 { '-' } else { '+' };
    match (ahead_s.abs() / 3600, ahead_s.abs() / 60 % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

impl Shown {
    /// What an input of the type `datetime-local` holds; `None` where that is no moment.
    pub fn read(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('T')?;
        let numbers = |text: &str, mark: char| -> Option<Vec<u32>> {
            text.split(mark).map(|part| part.split('.').next()?.parse().ok()).collect()
        };
        let (day, time) = (numbers(day, '-')?, numbers(time, ':')?);
        let &[year @ 1970..=9999, month @ 1..=12, day @ 1..=31] = day.as_slice() else { return None };
        let (hour, minute, second) = match *time.as_slice() {
            [hour, minute] => (hour, minute, 0),
            [hour, minute, second] => (hour, minute, second),
            _ => return None,
        };
        let fits = hour < 24 && minute < 60 && second < 60;
        fits.then_some(Self { year, month: month - 1, day, hour, minute, second })
    }

    /// Seconds from 1970 on by its own calendar and clock.
    fn seconds(self) -> i64 {
        let (year, month) = (i64::from(self.year), i64::from(self.month) + 1);
        // The reverse of `greenwich`, with years that begin in March.
        let year = year - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * DAY_S + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

/// A moment in universal time. The days are counted as in "chrono-Compatible Low-Level Date Algorithms"
/// (H. Hinnant).
fn greenwich(at_ms: u64) -> Shown {
    let second = at_ms / 1000;
    let days = second / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    Shown {
        year: (era * 400 + year_of_era + u64::from(month < 2)) as u32,
        month: month as u32,
        day: day as u32,
        hour: (second / 3600 % 24) as u32,
        minute: (second / 60 % 60) as u32,
        second: (second % 60) as u32,
    }
}

/// This browser's own clock.
fn own() -> Ahead {
    Rc::new(|at_ms| {
        let minutes = js_sys::Date::new(&(at_ms as f64).into()).get_timezone_offset();
        (-minutes * 60.0).round() as i64
    })
}

fn own_name() -> Option<String> {
    let options = call(&format_of(&Object::new())?, "resolvedOptions")?;
    Reflect::get(&options, &"timeZone".into()).ok()?.as_string()
}

/// The clock of a zone by its name in the IANA's database.
fn named(name: &str) -> Option<Ahead> {
    let options = Object::new();
    let mut all = vec![("timeZone", name), ("hourCycle", "h23")];
    all.extend(["year", "month", "day", "hour", "minute", "second"].map(|part| (part, "numeric")));
    for (option, value) in all {
        Reflect::set(&options, &option.into(), &value.into()).ok()?;
    }
    let format = Reflect::get(&format_of(&options)?, &"format".into()).ok()?.dyn_into::<Function>().ok()?;
    Some(Rc::new(move |at_ms| {
        let text =
            format.call1(&JsValue::NULL, &(at_ms as f64).into()).ok().and_then(|text| text.as_string());
        let wall = text.and_then(|text| american(&text)).map(Shown::seconds);
        wall.map_or(0, |wall| wall - (at_ms / 1000) as i64)
    }))
}

/// A format of times in the American way, whose numbers stand in a known order; `None` where the options name
/// what this browser does not know.
fn format_of(options: &Object) -> Option<JsValue> {
    let make = Reflect::get(&intl(), &"DateTimeFormat".into()).ok()?.dyn_into::<Function>().ok()?;
    Reflect::construct(&make, &Array::of2(&"en-US".into(), options)).ok()
}

/// What such a format writes: `11/22/2026, 10:02:33`.
fn american(text: &str) -> Option<Shown> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let mut next = || numbers.next();
    let (month, day, year) = (next()?.checked_sub(1)?, next()?, next()?);
    Some(Shown { year, month, day, hour: next()?, minute: next()?, second: next()? })
}

fn intl() -> JsValue {
    Reflect::get(&js_sys::global(), &"Intl".into()).unwrap_or_default()
}

fn call(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &name.into()).ok()?.dyn_into::<Function>().ok()?.call0(of).ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// While it lives, moments are read by another clock.
    pub struct Elsewhere;

    impl Drop for Elsewhere {
        fn drop(&mut self) {
            read_by(None, None);
        }
    }

    /// Reads moments by a clock that is so many seconds ahead.
    pub fn read_as(ahead: fn(u64) -> i64) -> Elsewhere {
        read_by(Some(Rc::new(ahead)), Some("Europe/Berlin".to_owned()));
        Elsewhere
    }

    /// 2026-10-25 01:00 in universal time, when clocks in Berlin go from 03:00 back to 02:00.
    pub const BACK_MS: u64 = 1_792_890_000_000;
    /// 2026-03-29 01:00 in universal time, when they go from 02:00 forward to 03:00.
    const FORTH_MS: u64 = 1_774_746_000_000;

    /// Berlin in 2026.
    pub fn berlin(at_ms: u64) -> i64 {
        if (FORTH_MS..BACK_MS).contains(&at_ms) { 7_200 } else { 3_600 }
    }

    #[test]
    fn a_calendar_leads_back_to_its_moment() {
        for at in [0, 951_782_399, 951_782_400, 1_709_251_200, 1_798_761_599, 253_402_300_799] {
            assert_eq!(greenwich(at * 1000).seconds(), at as i64);
        }
        assert_eq!(american("11/22/2026, 10:02:33"), Some(greenwich(1_795_341_753_000)));
        assert_eq!(american("Invalid Date"), None);
    }

    #[test]
    fn a_clock_that_is_put_back_or_forward_shows_a_time_twice_or_never() {
        let _there = read_as(berlin);
        let moments_at = |text: &str| moments(Shown::read(text).expect("a moment"));
        const HOUR_MS: u64 = 3_600_000;
        assert_eq!(
            moments_at("2026-10-25T02:30"),
            Moments::Two(BACK_MS - HOUR_MS / 2, BACK_MS + HOUR_MS / 2)
        );
        assert_eq!(moments_at("2026-10-25T02:00:00"), Moments::Two(BACK_MS - HOUR_MS, BACK_MS));
        assert_eq!(moments_at("2026-10-25T03:00"), Moments::One(BACK_MS + HOUR_MS));
        assert_eq!(moments_at("2026-10-25T01:59:59"), Moments::One(BACK_MS - HOUR_MS - 1_000));
        assert_eq!(moments_at("2026-03-29T02:30"), Moments::None);
        assert_eq!(moments_at("2026-03-29T03:00"), Moments::One(FORTH_MS));
        assert_eq!(repeated(BACK_MS - 1), Some(7_200));
        assert_eq!(repeated(BACK_MS), Some(3_600));
        assert_eq!(repeated(BACK_MS + HOUR_MS), None);
        assert_eq!(shown(BACK_MS).hour, 2);
    }

    #[test]
    fn what_an_input_holds_is_read_as_it_stands() {
        assert_eq!(Shown::read("2026-11-22T10:02:33.500"), Some(greenwich(1_795_341_753_000)));
        for text in ["", "2026-11-22", "2026-13-01T00:00", "2026-11-22T24:00", "2026-11-22T10", "T10:00"] {
            assert_eq!(Shown::read(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_read_short() {
        for (seconds, expected) in [(0, "UTC"), (7_200, "UTC+2"), (-12_600, "UTC-3:30"), (20_700, "UTC+5:45")]
        {
            assert_eq!(offset_name(seconds), expected);
        }
    }
}
