//! The points that come for the widgets, which they draw when their turn comes.

use crate::app::dashboard_store::DashboardStore;
use crate::app::drawing::draw_soon;
use crate::sync::protocol::DataFrame;

/// Gives each widget its points. A widget that is not here is passed over: it gets a whole window when it
/// comes.
pub fn show(store: &DashboardStore, frames: Vec<DataFrame>, now_ms: u64) {
    for frame in frames {
        let Some(signals) = store.widget(&frame.widget) else { continue };
        if store.time.take(signals, frame, now_ms) {
            draw_soon(signals);
        }
    }
}
