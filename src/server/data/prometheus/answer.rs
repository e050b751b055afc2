//! What Prometheus' API answers, as curves.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::server::data::series::key::NAME_LABEL;
use crate::server::data::{Curve, Point};

/// The frame of every answer.
#[derive(Deserialize)]
pub(super) struct Reply<T> {
    pub(super) status: String,
    #[serde(default = "Option::default")]
    pub(super) data: Option<T>,
    #[serde(default)]
    pub(super) error: Option<String>,
}

/// Seconds, and the value as text.
type Sample = (f64, String);

#[derive(Deserialize)]
struct Run {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    /// Absent for series that are histograms alone, which no line shows.
    #[serde(default)]
    values: Vec<Sample>,
}

#[derive(Deserialize)]
pub(super) struct One {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<Sample>,
}

/// The answer of a range query.
#[derive(Deserialize)]
pub(super) struct Matrix {
    result: Vec<Run>,
}

/// The answer of an instant query: series with a value each, or a single value.
#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Latest {
    Vector(Vec<One>),
    Scalar(Sample),
    /// What cannot be shown: the query asks for a range or for a text.
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

impl Matrix {
    /// The curves of one line of a query. Where a step has no value there is a gap, also between what is
    /// known up to `known` and what came.
    pub(super) fn curves(self, line: usize, query: &str, step: u64, known: Option<u64>) -> Vec<Curve> {
        let curve = |run: Run| {
            let mut points: Vec<Point> = Vec::with_capacity(run.values.len());
            let mut before = known;
            for sample in run.values {
                let point = point(&sample);
                if before.is_some_and(|before| point.0 > before + step) {
                    points.push((before.unwrap_or(0) + step, None));
                }
                before = Some(point.0);
                points.push(point);
            }
            Curve { points, ..named(run.metric, line, query) }
        };
        self.result.into_iter().map(curve).collect()
    }
}

impl Latest {
    pub(super) fn curves(self, line: usize, query: &str) -> Vec<Curve> {
        let all = match self {
            Self::Vector(all) => all,
            Self::Scalar(sample) => vec![One { metric: BTreeMap::new(), value: Some(sample) }],
            Self::Matrix(_) | Self::String(_) => Vec::new(),
        };
        let curve = |one: One| {
            let points = one.value.iter().map(point).collect();
            Curve { points, ..named(one.metric, line, query) }
        };
        all.into_iter().map(curve).collect()
    }
}

fn point((at, value): &Sample) -> Point {
    // NaN and the infinities have no place on a chart.
    let value = value.parse().ok().filter(|value: &f64| value.is_finite());
    ((at * 1000.0).round().max(0.0) as u64, value)
}

/// A curve under the name that Prometheus shows, `up{job="a"}`; the query's text where it has none.
fn named(mut metric: BTreeMap<String, String>, line: usize, query: &str) -> Curve {
    let base = metric.remove(NAME_LABEL).unwrap_or_default();
    let mut name = base.clone();
    if !metric.is_empty() {
        let labels: Vec<String> = metric
            .iter()
            .map(|(label, value)| {
                let mut pair = String::new();
                let _ = write!(pair, "{label}={value:?}");
                pair
            })
            .collect();
        let _ = write!(name, "{{{}}}", labels.join(", "));
    }
    if name.is_empty() {
        query.clone_into(&mut name);
    }
    Curve { name, base, tags: metric.into_iter().collect(), line, points: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_gives_curves_with_gaps_where_steps_are_missing() {
        let text = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up","job":"a","b":"\"q\""},"values":[[20,"1"],[30,"NaN"],[60.000,"2.5"]]},
            {"metric":{},"values":[[20,"+Inf"]]}]}}"#;
        let reply: Reply<Matrix> = serde_json::from_str(text).expect("reads");
        let curves = reply.data.expect("data").curves(1, "sum(x)", 10_000, Some(10_000));
        assert_eq!(curves[0].name, "up{b=\"\\\"q\\\"\", job=\"a\"}");
        assert_eq!((curves[0].base.as_str(), curves[0].line, curves[0].tags.len()), ("up", 1, 2));
        assert_eq!(
            curves[0].points,
            [(20_000, Some(1.0)), (30_000, None), (40_000, None), (60_000, Some(2.5))]
        );
        assert_eq!((curves[1].name.as_str(), &curves[1].points), ("sum(x)", &vec![(20_000, None)]));
    }

    #[test]
    fn a_vector_gives_a_point_each_and_errors_have_words() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1.5,"7"]}]}}"#;
        let reply: Reply<Latest> = serde_json::from_str(text).expect("reads");
        assert_eq!(reply.data.expect("data").curves(0, "q")[0].points, [(1_500, Some(7.0))]);
        let text = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
        let reply: Reply<Latest> = serde_json::from_str(text).expect("reads");
        assert_eq!(reply.data.expect("data").curves(0, "1+1")[0].name, "1+1");
        let text = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        let reply: Reply<Latest> = serde_json::from_str(text).expect("reads");
        assert!(reply.data.is_none() && reply.error.as_deref() == Some("parse error"));
    }
}
