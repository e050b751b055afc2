//! Units of values: bytes and bits in their steps, durations, percent, dates, quantities with prefixes, rates
//! of what is counted, and any other word.

/// Units that are offered, with what they do. Any other word is a unit too.
pub const UNITS: [(&str, &str); 22] = [
    ("%", "percent, 0 to 100"),
    ("0-1", "percent, 0 to 1"),
    ("none", "all digits, without k and M"),
    ("bytes", "KiB, MiB, GiB"),
    ("decbytes", "kB, MB, GB"),
    ("bits", "kbit, Mbit, Gbit"),
    ("binbits", "Kibit, Mibit, Gibit"),
    ("bytes/s", "KiB/s, MiB/s"),
    ("decbytes/s", "kB/s, MB/s"),
    ("bits/s", "kbit/s, Mbit/s"),
    ("MiB", "given in MiB, shown in GiB where that reads well; so are kB, GB, Mbit/s"),
    ("ns", "a duration, in nanoseconds"),
    ("us", "a duration, in microseconds"),
    ("ms", "a duration, in milliseconds"),
    ("s", "a duration, in seconds"),
    ("min", "a duration, in minutes"),
    ("h", "a duration, in hours"),
    ("date", "a moment, in Unix milliseconds"),
    ("/s", "a rate"),
    ("req/s", "requests per second"),
    ("W", "with prefixes: mW, kW, MW"),
    ("Hz", "with prefixes: kHz, MHz"),
];

/// Names of steps, each a base larger than the one before.
type Names = &'static [&'static str];

const IEC: Names = &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
const DECIMAL: Names = &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BITS: Names = &["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit", "Ebit", "Zbit", "Ybit"];
const IEC_BITS: Names = &["bit", "Kibit", "Mibit", "Gibit", "Tibit", "Pibit", "Eibit", "Zibit", "Yibit"];
const PREFIXES: Names = &["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"];
/// The place of no prefix.
const NO_PREFIX: usize = 5;
/// The prefixes of what is counted, which has no fractions.
const LARGE: Names = &["", "k", "M", "G", "T", "P", "E"];
/// From here on what is counted has a prefix.
const MANY: f64 = 10_000.0;
/// Quantities that take prefixes in both directions, tight at their front.
const SI: [&str; 30] = [
    "V", "A", "W", "Wh", "J", "Hz", "Pa", "g", "m", "L", "Ah", "VA", "VAr", "N", "Nm", "F", "H", "Ω", "cd",
    "lm", "eV", "Bq", "C", "Ci", "Gy", "Sv", "R", "rem", "bar", "FLOPS",
];
/// Quantities that are usually written without other prefixes where they stand before a stroke, as `km/h`.
const PLAIN_IN_RATES: [&str; 3] = ["m", "g", "L"];
/// What is counted by the second or minute.
const COUNTED: [&str; 17] = [
    "", "req", "ops", "reads", "writes", "io", "events", "messages", "records", "rows", "packets", "c",
    "evt", "msg", "rec", "rd", "wr",
];
/// Signs of money, which is counted too.
const MONEY: [&str; 12] = ["$", "€", "£", "¥", "₽", "₹", "₩", "₴", "₺", "kr", "CHF", "zł"];
/// Steps of durations, in milliseconds.
pub const MS: f64 = 1.0;
pub const SECOND: f64 = 1000.0;
pub const MINUTE: f64 = 60.0 * SECOND;
pub const HOUR: f64 = 60.0 * MINUTE;
pub const DAY: f64 = 24.0 * HOUR;

/// How values of a unit are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure<'a> {
    /// With a factor, and `%`.
    Percent(f64),
    /// In steps of a base with a name each, before a name. Values are given in the step at a place.
    Steps { base: f64, names: Names, at: usize, of: &'a str },
    /// So many milliseconds each.
    Duration(f64),
    /// Unix milliseconds.
    Date,
    /// Anything that is counted, with `k` and `M` from ten thousand on.
    Counted(&'a str),
    /// With all of its digits.
    Plain(&'a str),
}

impl<'a> Measure<'a> {
    /// What a unit means, and `/s` or the like where it is a rate.
    pub fn of(unit: &'a str) -> (Self, &'a str) {
        let unit = match unit {
            "percent" => "%",
            "percentunit" => "0-1",
            "Bps" => "decbytes/s",
            "bps" => "bits/s",
            "ops" => "ops/s",
            "rps" | "reqps" => "req/s",
            "hertz" => "Hz",
            "short" => "",
            unit => unit,
        };
        let (base, rate) = match unit.rfind('/') {
            Some(at) => unit.split_at(at),
            None => (unit, ""),
        };
        let measure = match base {
            "" if rate.is_empty() => Self::Counted(""),
            "none" if rate.is_empty() => Self::Plain(""),
            "date" if rate.is_empty() => Self::Date,
            "%" => Self::Percent(1.0),
            "0-1" => Self::Percent(100.0),
            "ns" => Self::Duration(MS / 1e6),
            "us" | "µs" => Self::Duration(MS / 1e3),
            "ms" => Self::Duration(MS),
            "cs" => Self::Duration(SECOND / 100.0),
            "s" => Self::Duration(SECOND),
            "min" => Self::Duration(MINUTE),
            "h" => Self::Duration(HOUR),
            "d" => Self::Duration(DAY),
            _ => match Self::in_steps(base).or_else(|| Self::with_prefix(base, rate)) {
                Some(measure) => measure,
                None if MONEY.contains(&unit) => return (Self::Counted(unit), ""),
                None if matches!(rate, "/s" | "/min") && COUNTED.contains(&base) => {
                    return (Self::Counted(unit), "");
                }
                None => return (Self::Plain(unit), ""),
            },
        };
        (measure, rate)
    }

    /// Bytes or bits, in one of their steps.
    fn in_steps(unit: &str) -> Option<Self> {
        let steps = |base, names, at| Some(Self::Steps { base, names, at, of: "" });
        match unit {
            "bytes" | "B" => return steps(1024.0, IEC, 0),
            "decbytes" => return steps(1000.0, DECIMAL, 0),
            "bits" | "bit" => return steps(1000.0, BITS, 0),
            "binbits" => return steps(1024.0, IEC_BITS, 0),
            _ => {}
        }
        [(1024.0, IEC), (1000.0, DECIMAL), (1000.0, BITS), (1024.0, IEC_BITS)].into_iter().find_map(
            |(base, names)| {
                let at = names.iter().position(|name| *name == unit)?;
                steps(base, names, at)
            },
        )
    }

    /// A quantity with the prefix that values are given in, or with none.
    fn with_prefix(unit: &'a str, rate: &str) -> Option<Self> {
        let known = |of: &str| SI.contains(&of) && (rate.is_empty() || !PLAIN_IN_RATES.contains(&of));
        let (at, of) = match known(unit) {
            true => (NO_PREFIX, unit),
            false => PREFIXES.iter().enumerate().filter(|(_, prefix)| !prefix.is_empty()).find_map(
                |(at, prefix)| {
                    let of = unit.strip_prefix(prefix)?;
                    known(of).then_some((at, of))
                },
            )?,
        };
        Some(Self::Steps { base: 1000.0, names: PREFIXES, at, of })
    }
}

/// What values of about one size are multiplied with and divided by, and what stands beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    factor: f64,
    divisor: f64,
    pub unit: String,
    /// What a figure does not round up to: the next unit begins there, or it is all that there can be.
    pub limit: f64,
}

impl Scale {
    /// The scale in which a value of this size reads well.
    pub fn of(size: f64, unit: &str) -> Self {
        let size = size.abs();
        let (measure, rate) = Measure::of(unit);
        let (factor, divisor, name, limit) = match measure {
            Measure::Percent(factor) => (factor, 1.0, "%".to_owned(), 100.0),
            Measure::Steps { base, names, at, of } => {
                let step = step(size, base, names, at);
                let (factor, divisor) = match step.checked_sub(at) {
                    Some(up) => (1.0, base.powi(up as i32)),
                    None => (base.powi((at - step) as i32), 1.0),
                };
                let last = step + 1 == names.len();
                (factor, divisor, format!("{}{of}", names[step]), if last { f64::INFINITY } else { base })
            }
            Measure::Duration(ms) => {
                let (of, name) = duration(size * ms, unit);
                let (factor, divisor) = if ms >= of { (ms / of, 1.0) } else { (1.0, of / ms) };
                (factor, divisor, name.to_owned(), f64::INFINITY)
            }
            Measure::Counted(name) if size >= MANY => {
                let step = step(size, 1000.0, LARGE, 0);
                let prefix = LARGE[step];
                let tight = name.is_empty() || name.starts_with('/');
                let name = if tight { format!("{prefix}{name}") } else { format!("{prefix} {name}") };
                let last = step + 1 == LARGE.len();
                (1.0, 1000f64.powi(step as i32), name, if last { f64::INFINITY } else { 1000.0 })
            }
            Measure::Counted(name) => (1.0, 1.0, name.to_owned(), MANY),
            Measure::Plain(name) => (1.0, 1.0, name.to_owned(), f64::INFINITY),
            Measure::Date => (1.0, 1.0, String::new(), f64::INFINITY),
        };
        Self { factor, divisor, unit: format!("{name}{rate}"), limit }
    }

    /// A value in this scale.
    pub fn scaled(&self, value: f64) -> f64 {
        value * self.factor / self.divisor
    }
}

/// The step in which a size that is given in the step `at` has one to a few digits before the point.
fn step(size: f64, base: f64, names: Names, at: usize) -> usize {
    let mut step = at;
    if !size.is_finite() || size == 0.0 {
        return step;
    }
    // By powers rather than step by step: what is a power itself stays one.
    let in_step = |step: usize| match step.checked_sub(at) {
        Some(up) => size / base.powi(up as i32),
        None => size * base.powi((at - step) as i32),
    };
    while step + 1 < names.len() && in_step(step) >= base {
        step += 1;
    }
    while step > 0 && in_step(step) < 1.0 {
        step -= 1;
    }
    step
}

/// The milliseconds of the unit in which a duration reads well, and its name. Nothing at all reads as it
/// was given.
fn duration(ms: f64, given: &str) -> (f64, &'static str) {
    if ms == 0.0 {
        return if matches!(given, "s" | "min" | "h" | "d") { (SECOND, "s") } else { (MS, "ms") };
    }
    match ms {
        ms if ms < MS / 1e3 => (MS / 1e6, "ns"),
        ms if ms < MS => (MS / 1e3, "µs"),
        ms if ms < SECOND => (MS, "ms"),
        ms if ms < 2.0 * MINUTE => (SECOND, "s"),
        ms if ms < 2.0 * HOUR => (MINUTE, "min"),
        ms if ms < 2.0 * DAY => (HOUR, "h"),
        _ => (DAY, "d"),
    }
}
