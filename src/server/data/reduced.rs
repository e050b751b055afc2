//! A source whose series are brought down to one value each, for tables of averages and the like: what a table shows
//! of a thousand series are not their points.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Answer, Ask, Point, Source, SourceError, SourceState};
use crate::dashboard::settings::Chosen;

/// The shortest time from one asking to the next: all of a time is read each time.
const MIN_EVERY_MS: u64 = 5_000;

/// What the values of a series become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    Mean,
    Min,
    Max,
    Sum,
}

impl Reduce {
    /// As a widget's `shows` says it; `None` for the last value.
    pub fn read(shows: &str) -> Option<Self> {
        Some(match shows {
            "mean" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            _ => return None,
        })
    }

    /// The value at the time of the last point that has one; none without values.
    pub fn of(self, points: impl IntoIterator<Item = Point>) -> Option<Point> {
        let mut reducing = self.start();
        points.into_iter().for_each(|point| reducing.add(point));
        reducing.end()
    }

    pub fn start(self) -> Reducing {
        Reducing {
            reduce: self,
            sum: 0.0,
            count: 0,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            last: 0,
        }
    }
}

/// Values on their way to one.
pub struct Reducing {
    reduce: Reduce,
    sum: f64,
    count: u64,
    least: f64,
    greatest: f64,
    last: u64,
}

impl Reducing {
    /// Takes one more point; a gap counts for nothing.
    pub fn add(&mut self, (at, value): Point) {
        let Some(value) = value else { return };
        (self.sum, self.count, self.last) = (self.sum + value, self.count + 1, at);
        (self.least, self.greatest) = (self.least.min(value), self.greatest.max(value));
    }

    pub fn end(self) -> Option<Point> {
        let value = match self.reduce {
            Reduce::Mean => self.sum / self.count as f64,
            Reduce::Min => self.least,
            Reduce::Max => self.greatest,
            Reduce::Sum => self.sum,
        };
        (self.count > 0).then_some((self.last, Some(value)))
    }
}

/// A source, brought down.
pub struct Reduced {
    source: Arc<dyn Source>,
    reduce: Reduce,
}

impl Reduced {
    /// The source itself where nothing is to be done.
    pub fn wrap(source: Arc<dyn Source>, reduce: Option<Reduce>) -> Arc<dyn Source> {
        match reduce {
            Some(reduce) => Arc::new(Self { source, reduce }),
            None => source,
        }
    }
}

#[async_trait]
impl Source for Reduced {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn kind(&self) -> &'static str {
        self.source.kind()
    }

    fn is_here(&self) -> bool {
        self.source.is_here()
    }

    fn every_ms(&self) -> u64 {
        self.source.every_ms().max(MIN_EVERY_MS)
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let ask = Ask {
            latest: false,
            reduce: Some(self.reduce),
            known: BTreeMap::new(),
            since: None,
            ..ask.clone()
        };
        let mut answer = self.source.ask(&ask).await?;
        answer.complete_from = None;
        for curve in &mut answer.curves {
            curve.points = self.reduce.of(std::mem::take(&mut curve.points)).into_iter().collect();
        }
        Ok(answer)
    }

    async fn values(
        &self,
        label: &str,
        of: &str,
        variables: &BTreeMap<String, Chosen>,
    ) -> Result<Vec<String>, SourceError> {
        self.source.values(label, of, variables).await
    }

    fn state(&self) -> SourceState {
        self.source.state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_down_to_one_at_the_time_of_the_last() {
        let points = [(1, Some(1.0)), (2, Some(6.0)), (3, None), (4, Some(2.0)), (5, None)];
        for (shows, value) in [("mean", 3.0), ("min", 1.0), ("max", 6.0), ("sum", 9.0)] {
            let reduce = Reduce::read(shows).expect(shows);
            assert_eq!(reduce.of(points), Some((4, Some(value))), "{shows}");
            assert_eq!(reduce.of([(1, None)]), None);
            assert_eq!(reduce.of(reduce.of(points)), Some((4, Some(value))), "once more changes nothing");
        }
        assert_eq!(Reduce::read("last"), None);
    }
}
