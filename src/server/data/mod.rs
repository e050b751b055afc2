//! Where live figures come from: a source answers a widget's query with named series.

pub mod this_server;

use tokio::sync::watch;

use crate::sync::protocol::Series;

/// A source of live figures that rooms read from. All calls return at once.
pub trait RoomData: Send + Sync {
    /// Counts up whenever there are new points.
    fn subscribe(&self) -> watch::Receiver<u64>;

    /// Everything that is kept for a query, in the query's order. A name that the source does not
    /// know gives a series without points.
    fn window(&self, query: &str) -> Vec<Series> {
        self.since(query, 0)
    }

    /// As [`RoomData::window`], but only points later than `after_ms` (Unix milliseconds).
    fn since(&self, query: &str, after_ms: u64) -> Vec<Series>;
}
