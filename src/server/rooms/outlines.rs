//! Outlines of dashboards that were made before there were any, one after the other.

use std::time::Duration;

use super::actor::host_limits;
use super::{Rooms, frames};
use crate::dashboard::DashboardId;
use crate::server::store::StoreError;
use crate::sync::host::{Tail, TailBudget, rebuild};

/// Dashboards that are looked up at once.
const AT_ONCE: usize = 50;
/// The rest between two, so that edits never wait for long: 10,000 take some minutes.
const REST: Duration = Duration::from_millis(10);

impl Rooms {
    /// Makes the outlines that are missing. Returns when there are none left that can be made.
    pub async fn make_outlines(&self) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let ids = self.store().without_outline(last.as_ref(), AT_ONCE).await?;
            let Some(end) = ids.last().cloned() else { return Ok(()) };
            for id in &ids {
                self.make_outline(id).await?;
                tokio::time::sleep(REST).await;
            }
            last = Some(end);
        }
    }

    async fn make_outline(&self, id: &DashboardId) -> Result<(), StoreError> {
        // One that was deleted meanwhile gets it from its room once it is restored and edited.
        let Some(opened) = self.store().open(id).await? else { return Ok(()) };
        let limits = host_limits(self.limits());
        let made = tokio::task::spawn_blocking(move || {
            // Nobody resumes from here, so the log is not kept.
            let room = rebuild(opened.into(), &limits, &mut Tail::new(0, 0, TailBudget::new(0)))?;
            Ok::<_, serde_json::Error>(frames::json(&room.dashboard().outline()))
        });
        match made.await {
            Ok(Ok(outline)) => {
                self.store().set_outline(id, outline.into()).await?;
                self.listing_changed();
            }
            Ok(Err(error)) => tracing::error!(dashboard = %id, %error, "a stored dashboard does not read"),
            Err(error) => tracing::error!(dashboard = %id, %error, "an outline could not be made"),
        }
        Ok(())
    }
}
