//! The live figures of one room: what its widgets ask for, sent as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::dashboard::{Dashboard, Op, WidgetId};
use crate::server::data::RoomData;
use crate::sync::protocol::{DataFrame, Series};

/// Follows the source of points for one room.
pub struct Feed {
    source: Arc<dyn RoomData>,
    ticks: watch::Receiver<u64>,
    /// By query: the time of the last point that everybody in the room has.
    sent: BTreeMap<String, u64>,
}

impl Feed {
    pub fn new(source: Arc<dyn RoomData>) -> Self {
        let ticks = source.subscribe();
        Self { source, ticks, sent: BTreeMap::new() }
    }

    /// Returns when there are new points; never, where the source ended.
    pub async fn ticked(&mut self) {
        if self.ticks.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The points since the last call, for everybody in the room.
    pub fn news(&mut self, dashboard: &Dashboard) -> Vec<DataFrame> {
        let mut fresh: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        let mut frames = Vec::new();
        for (widget, query) in asking(dashboard) {
            if !fresh.contains_key(query) {
                let after = self.sent.get(query).copied();
                let series = self.source.since(query, after.unwrap_or(0));
                let last = newest(&series).max(after.unwrap_or(0));
                self.sent.insert(query.to_owned(), last);
                // What nobody was sent yet came with the window of those who are here.
                fresh.insert(query.to_owned(), if after.is_some() { series } else { Vec::new() });
            }
            let series: Vec<Series> =
                fresh[query].iter().filter(|series| !series.points.is_empty()).cloned().collect();
            if !series.is_empty() {
                frames.push(DataFrame {
                    widget: widget.clone(),
                    reset: false,
                    series,
                    error: None,
                    every_ms: None,
                });
            }
        }
        self.sent.retain(|query, _| fresh.contains_key(query));
        frames
    }

    /// Everything that is kept, for somebody who joins. Call [`Feed::news`] first and send what it
    /// gives to those who were here, so that all have the same points.
    pub fn windows(&mut self, dashboard: &Dashboard) -> Vec<DataFrame> {
        asking(dashboard).map(|(id, query)| self.window(id, query)).collect()
    }

    /// The windows of those widgets whose query these ops may have changed, for everybody.
    pub fn changed(&mut self, dashboard: &Dashboard, ops: &[Op]) -> Vec<DataFrame> {
        let mut frames: Vec<DataFrame> = Vec::new();
        for op in ops {
            let id = match op {
                Op::AddWidget { id, .. } | Op::RestoreWidget { id } => id,
                Op::Set { id, field, .. } if field == "query" => id,
                _ => continue,
            };
            if let Some(widget) = dashboard.widgets.get(id)
                && frames.iter().all(|frame| frame.widget != *id)
            {
                frames.push(self.window(id, widget.text_option("query")));
            }
        }
        frames
    }

    fn window(&mut self, widget: &WidgetId, query: &str) -> DataFrame {
        let mut series = if query.is_empty() { Vec::new() } else { self.source.window(query) };
        // A sample that came just now goes out with the next news, to everybody alike.
        let last = *self.sent.entry(query.to_owned()).or_insert_with(|| newest(&series));
        for series in &mut series {
            series.points.retain(|(at, _)| *at <= last);
        }
        DataFrame { widget: widget.clone(), reset: true, series, error: None, every_ms: None }
    }
}

/// The widgets that ask for points.
fn asking(dashboard: &Dashboard) -> impl Iterator<Item = (&WidgetId, &str)> {
    let all = dashboard.widgets.iter().map(|(id, widget)| (id, widget.text_option("query")));
    all.filter(|(_, query)| !query.is_empty())
}

fn newest(series: &[Series]) -> u64 {
    series.iter().filter_map(|series| series.points.last()).map(|(at, _)| *at).max().unwrap_or(0)
}
