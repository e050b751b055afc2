//! Legend: names of series on a chart, `{{host}}` out of their labels.

use std::collections::HashMap;

use super::Curve;
use super::series::key::NAME_LABEL;

/// A name for each curve. `legend` has a line for each line of the query, or one for all; an empty one means
/// the source's own names. Where two would have the same name, their own stands behind it.
pub fn names(curves: &[Curve], legend: &str) -> Vec<String> {
    let lines: Vec<&str> = legend.lines().collect();
    let template = |curve: &Curve| match lines[..] {
        [one] => one,
        _ => lines.get(curve.line).copied().unwrap_or_default(),
    };
    let mut names: Vec<String> = curves.iter().map(|curve| filled(template(curve).trim(), curve)).collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *times.entry(name).or_default() += 1;
    }
    let twice: Vec<usize> = (0..names.len()).filter(|at| times[names[*at].as_str()] > 1).collect();
    for (number, at) in twice.into_iter().enumerate() {
        let curve = &curves[at];
        let own = if curve.name == names[at] { format!("({})", number + 1) } else { curve.name.clone() };
        names[at] = format!("{} {own}", names[at]);
    }
    names
}

fn filled(template: &str, curve: &Curve) -> String {
    if template.is_empty() {
        return curve.name.clone();
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, inner)) = rest.split_once("{{") {
        let Some((label, after)) = inner.split_once("}}") else { break };
        out.push_str(before);
        let label = label.trim();
        let tag = curve.tags.iter().find(|(tag, _)| tag == label).map(|(_, value)| value.as_str());
        out.push_str(tag.unwrap_or(if label == NAME_LABEL { &curve.base } else { "" }));
        rest = after;
    }
    out.push_str(rest);
    if out.trim().is_empty() { curve.name.clone() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(line: usize, host: &str) -> Curve {
        let tags = vec![("host".to_owned(), host.to_owned())];
        Curve { name: format!("up{{host={host}}}"), base: "up".to_owned(), tags, line, points: Vec::new() }
    }

    #[test]
    fn labels_stand_in_names() {
        for (legend, expected) in [
            ("", ["up{host=a}", "up{host=b}"]),
            ("{{host}}", ["a", "b"]),
            ("{{ host }}: {{__name__}}{{none}}", ["a: up", "b: up"]),
            ("first\n{{host}}!", ["first", "b!"]),
            ("only\n", ["only up{host=a}", "only up{host=b}"]),
            ("same", ["same up{host=a}", "same up{host=b}"]),
            ("{{none}}", ["up{host=a}", "up{host=b}"]),
            ("{{host", ["{{host up{host=a}", "{{host up{host=b}"]),
        ] {
            assert_eq!(names(&[curve(0, "a"), curve(1, "b")], legend), expected, "{legend:?}");
        }
        assert_eq!(names(&[curve(0, "a"), curve(1, "a")], ""), ["up{host=a} (1)", "up{host=a} (2)"]);
    }
}
