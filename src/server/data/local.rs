//! The source of series by name: what is pushed, and this server's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use tokio::sync::watch;

use super::reduced::Reduce;
use super::series::key::{Selector, selectors};
use super::series::memory::{Found, Memory};
use super::series::points::View;
use super::series::variables;
use super::thinning::thin_stretch;
use super::{Answer, Ask, Curve, MAX_VALUES, Point, Source, SourceError, SourceState, WANTED_POINTS};
use crate::dashboard::settings::Chosen;
use crate::server::clock::now_ms;

/// Names of one query: each is looked for among all series of its name.
const MAX_NAMES: usize = 50;
/// Points of an answer from which on it is worked out beside the tasks of the server, which would wait.
const MANY: usize = 50_000;

/// Series by name, with commas or line breaks between them.
pub struct SeriesByName(Arc<Memory>);

impl SeriesByName {
    pub fn new(memory: Arc<Memory>) -> Self {
        Self(memory)
    }
}

#[async_trait]
impl Source for SeriesByName {
    fn name(&self) -> &str {
        ""
    }

    fn kind(&self) -> &'static str {
        "series"
    }

    fn is_here(&self) -> bool {
        true
    }

    fn news(&self) -> Option<watch::Receiver<u64>> {
        Some(self.0.subscribe())
    }

    fn every_ms(&self) -> u64 {
        250
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let (found, mut answer) = gather(&self.0, ask)?;
        let (step, fresh, latest, reduce) = (ask.step, !ask.known.is_empty(), ask.latest, ask.reduce);
        let many = !latest && found.iter().map(|(_, one)| one.view.at_most()).sum::<usize>() > MANY;
        let work = move || {
            for (at, one) in &found {
                answer.curves[*at].points = match reduce {
                    _ if latest => one.view.last().map(shown).into_iter().collect(),
                    Some(reduce) => reduced(&one.view, reduce),
                    None => thinned(&one.view, step, fresh),
                };
            }
            answer
        };
        if !many {
            return Ok(work());
        }
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| SourceError("The points could not be read.".to_owned()))
    }

    async fn values(
        &self,
        label: &str,
        of: &str,
        chosen: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError> {
        let of = variables::fill(of, chosen).map_err(SourceError)?;
        let of: Vec<Selector> = names(&of)?.into_iter().map(|(_, selector)| selector).collect();
        Ok(self.0.values(label, &of, MAX_VALUES))
    }

    fn state(&self) -> SourceState {
        let size = self.0.size();
        let last = self.0.last_push.load(Relaxed);
        let early = self.0.early.load(Relaxed);
        let mut says = match (size.series, last) {
            (0, _) => "Nobody has pushed anything yet.".to_owned(),
            (series, 0) => {
                format!("{} series with {} points. Nothing came since the start.", series, size.points)
            }
            (series, last) => format!(
                "{series} series with {} points. The last came {} s ago.",
                size.points,
                now_ms().saturating_sub(last) / 1000
            ),
        };
        if early > 0 {
            says.push_str(" There are more than fit: the oldest go before their time.");
        }
        SourceState { state: "ok", says, ..SourceState::default() }
    }
}

/// The series that are asked for: each with its place in the answer, whose curves have no points yet.
fn gather(memory: &Memory, ask: &Ask) -> Result<(Vec<(usize, Found)>, Answer), SourceError> {
    let most = ask.most();
    let (mut all, mut answer) = (Vec::new(), Answer::default());
    let mut seen = BTreeSet::new();
    let text = variables::fill(&ask.text, &ask.variables).map_err(SourceError)?;
    for (line, selector) in names(&text)? {
        let from = |name: &str| ask.known.get(name).map_or(ask.from, |last| ask.from.max(last + 1));
        let (found, count) = memory.find(&selector, most, from, ask.to);
        if found.is_empty() && seen.insert((line, selector.text.clone())) && answer.curves.len() < most {
            // A name that nobody has pushed yet is on the chart, without points.
            let (name, base) = (selector.text, selector.name);
            answer.curves.push(Curve { name, base, line, ..Curve::default() });
            answer.count += 1;
        }
        // One that another selector has meant already is counted again, which only matters where
        // there are too many.
        answer.count += count;
        for one in found {
            if !seen.insert((line, one.key.whole().to_owned())) {
                answer.count -= 1;
            } else if answer.curves.len() < most {
                let (name, base) = (one.key.whole().to_owned(), one.key.name().to_owned());
                let tags = one.key.tags().to_vec();
                answer.curves.push(Curve { name, base, tags, line, points: Vec::new() });
                answer.stamp += one.late;
                all.push((answer.curves.len() - 1, one));
            }
        }
    }
    answer.living = answer.count;
    Ok((all, answer))
}

/// The selectors of a query with their lines, each once. Errors where there are too many to look for.
fn names(text: &str) -> Result<Vec<(usize, Selector)>, SourceError> {
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    for (line, text) in text.lines().enumerate() {
        for selector in selectors(text) {
            if let Some(problem) = selector.problem {
                return Err(SourceError(problem));
            }
            if !seen.insert((line, selector.clone())) {
                continue;
            }
            if all.len() == MAX_NAMES {
                return Err(SourceError(format!("A query names at most {MAX_NAMES} series.")));
            }
            all.push((line, selector));
        }
    }
    Ok(all)
}

/// One point for all, of every one that there is.
fn reduced(view: &View, reduce: Reduce) -> Vec<Point> {
    let mut reducing = reduce.start();
    view.each(|point| reducing.add(shown(point)));
    reducing.end().into_iter().collect()
}

fn shown((at, value): (u64, f64)) -> Point {
    (at, Some(value).filter(|value| value.is_finite()))
}

/// The points as they are where they are few; else of each stretch of time the least, the greatest and the
/// last, and a gap where there is one. Nothing is made up: every point is one that came.
pub fn thinned(view: &View, step: u64, fresh: bool) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::new();
    if !fresh && view.at_most() as u64 <= WANTED_POINTS {
        view.each(|point| out.push(shown(point)));
        return out;
    }
    // Three points for each; of what came just now, so many that nothing of a step is missed.
    let width = if fresh { step } else { 3 * step }.max(1);
    let mut stretch: Vec<Point> = Vec::new();
    view.each(|point| {
        if stretch.first().is_some_and(|(first, _)| first / width != point.0 / width) {
            thin_stretch(&mut stretch, &mut out);
        }
        stretch.push(shown(point));
    });
    thin_stretch(&mut stretch, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::super::series::Bounds;
    use super::super::series::points::Points;
    use super::*;
    use proptest::prelude::*;

    fn memory() -> Arc<Memory> {
        Arc::new(Memory::new(Bounds { series: 9, points_per_series: 100_000, points: 1_000_000, kept_ms: 1 }))
    }

    fn ask(text: &str) -> Ask {
        Ask { text: text.to_owned(), from: 0, to: u64::MAX, step: 1_000, ..Ask::default() }
    }

    #[tokio::test]
    async fn names_give_series_in_the_querys_order_and_each_once() {
        let memory = memory();
        memory.record(1_000, [("server.a", Some(1.0)), ("server.b", None)]);
        memory.record(2_000, [("server.a", Some(2.0)), ("server.b", Some(f64::NAN))]);
        let source = SeriesByName::new(memory);
        let answer =
            source.ask(&ask("server.b, server.a,server.b,, nobody\nserver.a")).await.expect("answers");
        let names: Vec<_> = answer.curves.iter().map(|curve| (curve.line, curve.name.as_str())).collect();
        assert_eq!(names, [(0, "server.b"), (0, "server.a"), (0, "nobody"), (1, "server.a")]);
        assert_eq!(answer.curves[0].points, [(1_000, None), (2_000, None)]);
        assert_eq!(answer.count, 4);
        let known = [("server.a".to_owned(), 1_000)].into();
        let answer = source.ask(&Ask { known, ..ask("server.a") }).await.expect("answers");
        assert_eq!(answer.curves[0].points, [(2_000, Some(2.0))]);
        let latest = async |from, to| {
            let ask = Ask { latest: true, from, to, ..ask("server.a") };
            source.ask(&ask).await.expect("answers").curves[0].points.clone()
        };
        assert_eq!(latest(0, 3_000).await, [(2_000, Some(2.0))]);
        assert_eq!(latest(0, 1_500).await, [(1_000, Some(1.0))], "the last one of the time that shows");
        assert_eq!(latest(2_500, 3_000).await, []);
    }

    #[tokio::test]
    async fn s10_a_query_names_so_many_series_and_no_more() {
        let source = SeriesByName::new(memory());
        let many = |count: usize| (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",");
        assert!(source.ask(&ask(&many(MAX_NAMES))).await.is_ok());
        assert!(source.ask(&ask(&"a, a{}\t,".repeat(1_000))).await.is_ok(), "each counts once");
        let refused = source.ask(&ask(&many(MAX_NAMES + 1))).await.expect_err("too many");
        assert_eq!(refused.0, "A query names at most 50 series.");
        assert!(source.values("host", &many(MAX_NAMES + 1), &BTreeMap::new()).await.is_err());
    }

    proptest! {
        #[test]
        fn thinning_invents_nothing_and_keeps_the_ends_of_every_stretch(values in prop::collection::vec(prop::option::weighted(0.9, -50_i8..50), 1_001..4_000), step in 100_u64..5_000) {
            let all: Vec<(u64, f64)> = values.iter().enumerate().map(|(n, value)| (n as u64 * 10, value.map_or(f64::NAN, f64::from))).collect();
            let mut points = Points::default();
            points.extend(&all);
            let thin = thinned(&points.view(0, u64::MAX), step, false);
            prop_assert!(thin.is_sorted_by(|a, b| a.0 < b.0));
            for (at, value) in &thin {
                prop_assert_eq!(*value, shown(all[*at as usize / 10]).1);
            }
            let ends = |points: &[Point], stretch: u64| {
                let values: Vec<f64> = points.iter().filter(|(at, _)| at / (3 * step) == stretch).filter_map(|(_, value)| *value).collect();
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                (least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max), values.last().copied())
            };
            let whole: Vec<Point> = all.iter().copied().map(shown).collect();
            for stretch in 0..=(whole.len() as u64 * 10 / (3 * step)) {
                prop_assert_eq!(ends(&thin, stretch), ends(&whole, stretch));
            }
            prop_assert!(thin.len() as u64 <= 4 * (whole.len() as u64 * 10 / (3 * step) + 1));
        }
    }
}
