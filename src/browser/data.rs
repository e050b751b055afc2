//! The points that come for the widgets, kept for the window that a widget shows.

use leptos::prelude::*;

use crate::app::dashboard_store::{DashboardStore, WidgetData};
use crate::app::drawing::draw_soon;
use crate::sync::protocol::{DataFrame, Series};

/// How far back a widget looks, in milliseconds: as long as the server keeps its own figures.
const WINDOW_MS: u64 = 15 * 60 * 1000;
/// Points of one series: a point a second over the window, with room.
const MAX_POINTS: usize = 1_000;
/// Series of one widget.
const MAX_SERIES: usize = 20;

/// Gives each widget its points, which it draws when its turn comes. A widget that is not here is passed
/// over: it gets a whole window when it comes.
pub fn show(store: &DashboardStore, frames: Vec<DataFrame>, now_ms: u64) {
    for frame in frames {
        let Some(signals) = store.widget(&frame.widget) else { continue };
        signals.data.update_untracked(|data| {
            data.received_at = now_ms;
            if frame.reset {
                data.series = frame.series;
            } else {
                append(data, frame.series);
            }
            data.series.truncate(MAX_SERIES);
        });
        draw_soon(signals);
    }
}

fn append(data: &mut WidgetData, series: Vec<Series>) {
    for new in series {
        let Some(old) = data.series.iter_mut().find(|old| old.name == new.name) else {
            data.series.push(new);
            continue;
        };
        let last = old.points.last().map_or(0, |(at, _)| *at);
        old.points.extend(new.points.into_iter().filter(|(at, _)| *at > last));
        let newest = old.points.last().map_or(0, |(at, _)| *at);
        let stale = old.points.partition_point(|(at, _)| at + WINDOW_MS < newest);
        let excess = old.points.len().saturating_sub(MAX_POINTS);
        old.points.drain(..stale.max(excess));
    }
}
