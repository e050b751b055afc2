//! Thresholds of Grafana's panels: their coloured steps as the thresholds that widgets have here.

use serde_json::Value;

use super::Lost;

/// How bad a colour says that things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Fine,
    Warn,
    Alert,
}

/// The values for which a widget warns and alerts: from a value on, below one, or between the two where the
/// first is the smaller. What alerts does not warn as well.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    pub warn_at: Option<f64>,
    pub alert_at: Option<f64>,
    pub warn_below: Option<f64>,
    pub alert_below: Option<f64>,
}

/// Values from one on, and up to another, that have one level.
type Stretch = (f64, f64, Level);

/// Reads `{"mode", "steps": [{"value", "color"}]}`. Steps in percent count between `min` and `max`.
pub fn read(thresholds: &Value, min: Option<f64>, max: Option<f64>, lost: &mut Lost) -> Thresholds {
    let steps = thresholds.get("steps").and_then(Value::as_array);
    let percent = thresholds.get("mode").and_then(Value::as_str) == Some("percentage");
    let (min, max) = (min.unwrap_or(0.0), max.unwrap_or(100.0));
    let value = |step: &Value| {
        let value = step.get("value").and_then(Value::as_f64)?;
        Some(if percent { min + (max - min) * value / 100.0 } else { value })
    };
    let step =
        |step: &Value| (value(step), level(step.get("color").and_then(Value::as_str).unwrap_or_default()));
    pick(steps.into_iter().flatten().map(step).collect(), lost)
}

/// Reads the two values of an old number, as `70,90`, and its three colours.
pub fn read_pair(values: &str, colors: Option<&Value>, lost: &mut Lost) -> Thresholds {
    let usual = [Level::Fine, Level::Warn, Level::Alert];
    let color = |n: usize| match colors.and_then(|colors| colors.get(n)?.as_str()) {
        Some(color) => level(color),
        None => usual[n.min(2)],
    };
    let values = values.split(',').filter_map(|value| value.trim().parse::<f64>().ok());
    let values = values.enumerate().map(|(n, value)| (Some(value), color(n + 1)));
    pick(std::iter::once((None, color(0))).chain(values).collect(), lost)
}

/// The thresholds that colour as these steps do. The first holds for all values below the second, whatever
/// number it has.
fn pick(steps: Vec<(Option<f64>, Level)>, lost: &mut Lost) -> Thresholds {
    let Some((_, base)) = steps.first().copied() else { return Thresholds::default() };
    let mut rising: Vec<(f64, Level)> = steps[1..]
        .iter()
        .filter_map(|(value, level)| Some((value.filter(|v| v.is_finite())?, *level)))
        .collect();
    rising.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut stretches: Vec<Stretch> = vec![(f64::NEG_INFINITY, f64::INFINITY, base)];
    for (from, level) in rising {
        let last = stretches.last_mut().filter(|last| last.2 != level);
        if let Some(last) = last {
            last.1 = from;
            stretches.push((from, f64::INFINITY, level));
        }
    }
    // One colour for everything says nothing of any value.
    if stretches.len() == 1 {
        return Thresholds::default();
    }
    let alert = bounds(&stretches, |level| level == Level::Alert);
    // What alerts may warn too, since the alert is what shows.
    let warn = match stretches.iter().any(|stretch| stretch.2 == Level::Warn) {
        true => bounds(&stretches, |level| level >= Level::Warn)
            .or(bounds(&stretches, |level| level == Level::Warn)),
        false => Some((None, None)),
    };
    match (warn, alert) {
        (Some((warn_at, warn_below)), Some((alert_at, alert_below))) => {
            Thresholds { warn_at, alert_at, warn_below, alert_below }
        }
        _ => {
            lost.say("its thresholds, which change more often than warnings can here");
            Thresholds::default()
        }
    }
}

/// The values of some levels, as “from” and “below”; `None` where two such bounds cannot tell them.
fn bounds(stretches: &[Stretch], of: impl Fn(Level) -> bool) -> Option<(Option<f64>, Option<f64>)> {
    let mut parts: Vec<(f64, f64)> = Vec::new();
    for (from, to, level) in stretches {
        match parts.last_mut() {
            _ if !of(*level) || from >= to => {}
            Some(last) if last.1 == *from => last.1 = *to,
            _ => parts.push((*from, *to)),
        }
    }
    let end = |value: f64| value.is_finite().then_some(value);
    match parts[..] {
        [] => Some((None, None)),
        [(from, to)] => Some((end(from), end(to))),
        [(f64::NEG_INFINITY, below), (from, f64::INFINITY)] => Some((Some(from), Some(below))),
        _ => None,
    }
}

/// What a colour means: reds alert, yellows and oranges warn, all others are for the eye.
pub fn level(color: &str) -> Level {
    let color = color.to_lowercase();
    if color.contains("red") {
        return Level::Alert;
    }
    if color.contains("yellow") || color.contains("orange") {
        return Level::Warn;
    }
    match rgb(&color) {
        Some([r, g, b]) if r > 150 && g < r / 2 && b < r / 2 + 30 => Level::Alert,
        Some([r, g, b]) if r > 150 && g >= r / 3 && b < g => Level::Warn,
        _ => Level::Fine,
    }
}

/// `#rrggbb`, `rgb(r, g, b)` or `rgba(r, g, b, a)`.
fn rgb(color: &str) -> Option<[u32; 3]> {
    if let Some(hex) = color.strip_prefix('#').filter(|hex| hex.len() >= 6 && hex.is_ascii()) {
        let part = |at: usize| u32::from_str_radix(&hex[at..at + 2], 16).ok();
        return Some([part(0)?, part(2)?, part(4)?]);
    }
    let inner = color.strip_prefix("rgba(").or(color.strip_prefix("rgb("))?;
    let mut parts = inner.trim_end_matches(')').split(',').map(|part| part.trim().parse::<u32>().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Steps<'a> = &'a [(Option<f64>, &'a str)];

    fn of(steps: Steps<'_>, mode: &str, max: Option<f64>) -> (Thresholds, String) {
        let steps: Vec<Value> =
            steps.iter().map(|(value, color)| json!({ "value": value, "color": color })).collect();
        let mut lost = Lost::default();
        let found = read(&json!({ "mode": mode, "steps": steps }), None, max, &mut lost);
        (found, lost.words())
    }

    fn at(warn_at: Option<f64>, alert_at: Option<f64>) -> Thresholds {
        Thresholds { warn_at, alert_at, ..Thresholds::default() }
    }

    #[test]
    fn steps_become_warn_and_alert() {
        let rising = [(None, "green"), (Some(70.0), "#EAB839"), (Some(90.0), "red")];
        let rgba = [(None, "rgba(50, 172, 45, 0.97)"), (Some(0.5), "rgba(245, 54, 54, 0.9)")];
        let more = [(None, "green"), (Some(1.0), "blue"), (Some(2.0), "orange"), (Some(3.0), "yellow")];
        let written = [(Some(0.0), "green"), (Some(80.0), "red")];
        for (steps, mode, max, expected) in [
            (&rising[..], "absolute", None, at(Some(70.0), Some(90.0))),
            (&rgba[..], "absolute", None, at(None, Some(0.5))),
            (&rising[..], "percentage", Some(10.0), at(Some(7.0), Some(9.0))),
            (&[(None, "green")][..], "absolute", None, at(None, None)),
            (&[(None, "red"), (Some(3.0), "dark-red")][..], "absolute", None, at(None, None)),
            (&more[..], "absolute", None, at(Some(2.0), None)),
            (&written[..], "absolute", None, at(None, Some(80.0))),
        ] {
            assert_eq!(of(steps, mode, max), (expected, String::new()), "{steps:?}");
        }
    }

    #[test]
    fn what_is_bad_below_or_between_says_so() {
        let of = |steps: Steps<'_>| of(steps, "absolute", None);
        // The first step is the base, whatever number it has.
        let first = of(&[(Some(0.0), "red"), (Some(1.0), "green")]).0;
        assert_eq!(first, Thresholds { alert_below: Some(1.0), ..at(None, None) });
        let again = of(&[(None, "green"), (Some(0.0), "red"), (Some(1.0), "green")]).0;
        assert_eq!(again, Thresholds { alert_below: Some(1.0), ..at(None, Some(0.0)) });
        let below = of(&[(None, "red"), (Some(20.0), "yellow"), (Some(80.0), "green")]).0;
        assert_eq!(below, Thresholds { alert_below: Some(20.0), warn_below: Some(80.0), ..at(None, None) });
        let both = [
            (None, "red"),
            (Some(1.0), "orange"),
            (Some(2.0), "green"),
            (Some(8.0), "orange"),
            (Some(9.0), "red"),
        ];
        assert_eq!(
            of(&both).0,
            Thresholds { alert_below: Some(1.0), warn_below: Some(2.0), ..at(Some(8.0), Some(9.0)) }
        );
        let often = [(None, "green"), (Some(1.0), "red"), (Some(2.0), "green"), (Some(3.0), "red")];
        let (found, lost) = of(&often);
        assert_eq!(found, Thresholds::default());
        assert!(lost.contains("more often"), "{lost}");
    }

    #[test]
    fn an_old_pair_reads_with_its_colours() {
        let mut lost = Lost::default();
        assert_eq!(read_pair("80, 90", None, &mut lost), at(Some(80.0), Some(90.0)));
        let reversed = json!(["#d44a3a", "rgba(237, 129, 40, 0.89)", "#299c46"]);
        let found = read_pair("10,20", Some(&reversed), &mut lost);
        assert_eq!(found, Thresholds { alert_below: Some(10.0), warn_below: Some(20.0), ..at(None, None) });
        assert_eq!(read_pair("", None, &mut lost), Thresholds::default());
        assert_eq!(lost.words(), "");
    }
}
