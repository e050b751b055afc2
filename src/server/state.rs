//! What every handler can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::auth::Guests;
use super::config::Config;
use super::data::this_server::ThisServer;
use super::metrics::Metrics;
use super::origin::Origins;
use super::rooms::Rooms;
use super::static_files::Site;
use super::store::Store;

/// The running server's parts; a copy shares them.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub rooms: Rooms,
    pub metrics: Arc<Metrics>,
    pub source: Arc<ThisServer>,
    pub guests: Guests,
    pub origins: Arc<Origins>,
    pub site: Site,
    pub started: Instant,
    draining: Arc<AtomicBool>,
}

impl AppState {
    /// Puts the parts together; the time it runs counts from here.
    pub fn new(
        config: Arc<Config>,
        store: Arc<dyn Store>,
        rooms: Rooms,
        metrics: Arc<Metrics>,
        source: Arc<ThisServer>,
        guests: Guests,
        site: Site,
    ) -> Self {
        let origins = Arc::new(Origins::new(&config));
        let (started, draining) = (Instant::now(), Arc::default());
        Self { config, store, rooms, metrics, source, guests, origins, site, started, draining }
    }

    /// Says that the server stops: from now on it is not ready.
    pub fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
