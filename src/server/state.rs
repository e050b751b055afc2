//! State that all handlers share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::FromRef;

use super::access::Access;
use super::access::oidc::Oidc;
use super::auth::Guests;
use super::backup::schedule::Schedule;
use super::config::{Config, Secret};
use super::data::series::SeriesStore;
use super::data::this_server::ThisServer;
use super::http::dashboards::WholeList;
use super::ingest::Ingest;
use super::metrics::Metrics;
use super::origin::Origins;
use super::peer::TrustedProxies;
use super::proxy::Proxy;
use super::rates::Rates;
use super::renders::Renders;
use super::rooms::Rooms;
use super::socket::Sockets;
use super::static_files::Site;
use super::store::{Store, StoreError};
use crate::app::address::BasePath;

/// The running server's parts; a copy shares them.
#[derive(Clone)]
pub struct AppState {
    pub store: Arc<dyn Store>,
    pub rooms: Rooms,
    pub metrics: Arc<Metrics>,
    pub source: Arc<ThisServer>,
    pub series: Arc<SeriesStore>,
    pub ingest: Ingest,
    pub renders: Renders,
    pub guests: Guests,
    pub origins: Arc<Origins>,
    pub base: BasePath,
    pub proxies: TrustedProxies,
    pub proxy: Arc<Proxy>,
    pub rates: Arc<Rates>,
    pub site: Site,
    pub sockets: Sockets,
    pub whole_list: Arc<WholeList>,
    /// For how many days the bin keeps dashboards.
    pub bin_days: u64,
    /// Where the store's files are.
    pub data_dir: Arc<Path>,
    pub backups: Arc<Schedule>,
    /// The provider by which people sign in.
    pub oidc: Option<Arc<Oidc>>,
    pub started: Instant,
    draining: Arc<AtomicBool>,
}

impl AppState {
    /// Puts the parts together with the secrets that the store keeps; the time it runs counts from here.
    pub async fn new(
        config: &Config,
        rooms: Rooms,
        source: Arc<ThisServer>,
        series: Arc<SeriesStore>,
        site: Site,
    ) -> Result<Self, StoreError> {
        let store = rooms.store().clone();
        let guests = Guests::new(&store.secret("cookie").await?);
        let oidc = match &config.oidc {
            Some(settings) => Some(Arc::new(Oidc::new(settings, &store.secret("oidc").await?))),
            None => None,
        };
        let origins = Arc::new(Origins::new(config));
        let proxies = TrustedProxies::new(&config.trusted_proxies);
        let sockets = Sockets::new(rooms.clone(), origins.clone(), site.build()).await?;
        let metrics = rooms.metrics().clone();
        let token = config.ingest_token.as_ref().map(Secret::reveal);
        let access = rooms.access().clone();
        let ingest = Ingest::new(series.clone(), metrics.clone(), token, access, &config.limits);
        let backups = Arc::new(Schedule::new(config.backups.clone(), &config.data_dir));
        let (started, draining) = (Instant::now(), Arc::default());
        Ok(Self {
            store,
            rooms,
            metrics,
            source,
            series,
            ingest,
            renders: Renders::new(config.limits.page_bytes),
            guests,
            origins,
            base: config.base_path.clone(),
            proxies,
            proxy: Arc::new(Proxy::new(config.proxy.clone())),
            rates: Arc::new(Rates::new(&config.limits)),
            site,
            sockets,
            whole_list: Arc::default(),
            bin_days: config.bin_days,
            data_dir: config.data_dir.as_path().into(),
            backups,
            oidc,
            started,
            draining,
        })
    }

    /// Who may do what.
    pub fn access(&self) -> &Arc<Access> {
        self.rooms.access()
    }

    /// Says that the server stops: from now on it is not ready.
    pub fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl FromRef<AppState> for Sockets {
    fn from_ref(state: &AppState) -> Self {
        state.sockets.clone()
    }
}

impl FromRef<AppState> for Ingest {
    fn from_ref(state: &AppState) -> Self {
        state.ingest.clone()
    }
}
