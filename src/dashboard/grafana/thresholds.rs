//! Where a Grafana panel warns: its coloured steps as the two thresholds that widgets have here.

use serde_json::Value;

use super::Lost;

/// How bad a colour says that things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Fine,
    Warn,
    Alert,
}

/// From which values a widget warns and alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    pub warn_at: Option<f64>,
    pub alert_at: Option<f64>,
}

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

/// The first step that warns and the first that alerts, of steps that grow worse with the value.
fn pick(steps: Vec<(Option<f64>, Level)>, lost: &mut Lost) -> Thresholds {
    let base = steps.iter().find(|(value, _)| value.is_none()).map_or(Level::Fine, |(_, level)| *level);
    let mut rising: Vec<(f64, Level)> =
        steps.iter().filter_map(|(value, level)| Some((value.filter(|v| v.is_finite())?, *level))).collect();
    rising.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    if rising.is_empty() {
        return Thresholds::default();
    }
    if rising.iter().any(|(_, level)| *level < base) {
        lost.say("thresholds below which it warns");
        return Thresholds::default();
    }
    let first = |wanted: Level| rising.iter().find(|(_, level)| *level == wanted).map(|(at, _)| *at);
    let found = Thresholds { warn_at: first(Level::Warn), alert_at: first(Level::Alert) };
    let taken = usize::from(found.warn_at.is_some()) + usize::from(found.alert_at.is_some());
    if taken < rising.len() {
        let left = rising.len() - taken;
        lost.count(left, "threshold", "thresholds");
    }
    found
}

/// What a colour means: reds alert, yellows and oranges warn, all others are for the eye.
fn level(color: &str) -> Level {
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

    fn of(steps: &[(Option<f64>, &str)], mode: &str, max: Option<f64>) -> (Option<f64>, Option<f64>, String) {
        let steps: Vec<Value> =
            steps.iter().map(|(value, color)| json!({ "value": value, "color": color })).collect();
        let mut lost = Lost::default();
        let found = read(&json!({ "mode": mode, "steps": steps }), None, max, &mut lost);
        (found.warn_at, found.alert_at, lost.words())
    }

    #[test]
    fn steps_become_warn_and_alert_where_they_fit() {
        let none = String::new;
        let rising = [(None, "green"), (Some(70.0), "#EAB839"), (Some(90.0), "red")];
        assert_eq!(of(&rising, "absolute", None), (Some(70.0), Some(90.0), none()));
        let rgba = [(None, "rgba(50, 172, 45, 0.97)"), (Some(0.5), "rgba(245, 54, 54, 0.9)")];
        assert_eq!(of(&rgba, "absolute", None), (None, Some(0.5), none()));
        assert_eq!(of(&rising, "percentage", Some(10.0)), (Some(7.0), Some(9.0), none()));
        assert_eq!(of(&[(None, "green")], "absolute", None), (None, None, none()));
        let below = [(None, "red"), (Some(20.0), "green")];
        assert!(of(&below, "absolute", None).2.contains("below which"));
        let more = [(None, "green"), (Some(1.0), "blue"), (Some(2.0), "orange"), (Some(3.0), "orange")];
        assert_eq!(of(&more, "absolute", None), (Some(2.0), None, "2 thresholds".to_owned()));
    }

    #[test]
    fn an_old_pair_reads_with_its_colours() {
        let mut lost = Lost::default();
        let found = read_pair("80, 90", None, &mut lost);
        assert_eq!(found, Thresholds { warn_at: Some(80.0), alert_at: Some(90.0) });
        let reversed = json!(["#d44a3a", "rgba(237, 129, 40, 0.89)", "#299c46"]);
        assert_eq!(read_pair("10,20", Some(&reversed), &mut lost), Thresholds::default());
        assert_eq!(read_pair("", None, &mut lost), Thresholds::default());
    }
}
