//! The server program: read the settings, open the store, serve, stop gracefully.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lockstep::app::address::BasePath;
use lockstep::server::access::identities::Service;
use lockstep::server::access::{Access, AccessError, Mode};
use lockstep::server::config::{Config, ConfigError, Task};
use lockstep::server::connections::Connections;
use lockstep::server::data::http::Http;
use lockstep::server::data::local::SeriesByName;
use lockstep::server::data::prometheus::Prometheus;
use lockstep::server::data::series::{Bounds, SeriesStore};
use lockstep::server::data::sources::Sources;
use lockstep::server::data::sql::Sql;
use lockstep::server::data::this_server::{Load, ThisServer};
use lockstep::server::data::{Source, SourceError};
use lockstep::server::data_dir::{DataDir, DataDirError};
use lockstep::server::limits::Limits;
use lockstep::server::metrics::Metrics;
use lockstep::server::rooms::{RoomError, Rooms};
use lockstep::server::state::AppState;
use lockstep::server::static_files::{Site, SiteError};
use lockstep::server::store::StoreError;
use lockstep::server::store::accounts::Accounts;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::tls::Tls;
use lockstep::server::{
    access, audit, backup, build_info, connections, drain, health, housekeeping, logging, memory, open_files,
    router, sample,
};

/// Bytes of each worker's stack: what strangers send is bounded in depth before it is followed, and
/// where a bound was missed this is room to fail in order instead of with the process.
const WORKER_STACK: usize = 8 * 1024 * 1024;

/// How often what is over of sessions is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Why the server did not start, or ended.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("data_dir: the database {} cannot be opened: {error}", path.display())]
    Store { path: PathBuf, error: StoreError },
    #[error(
        "data_dir: the points in {} cannot be opened: {error}. The dashboards are elsewhere: to start without \
         these points, move that file away, and those beside it whose names begin like it.",
        path.display()
    )]
    Series { path: PathBuf, error: StoreError },
    #[error("{0}")]
    Source(SourceError),
    #[error("the dashboards could not be given to a team: {0}")]
    Access(AccessError),
    #[error("the sample dashboard could not be made: {0}")]
    Sample(RoomError),
    #[error("addr: {addr} cannot be listened on: {error}")]
    Bind { addr: SocketAddr, error: std::io::Error },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn main() -> ExitCode {
    memory::configure();
    // Here and not in the library, which would be compiled anew with every commit.
    build_info::set_commit(option_env!("LOCKSTEP_COMMIT"));
    let dir = std::env::current_dir().unwrap_or_default();
    let mut config = match Config::read(std::env::args_os(), std::env::vars_os(), &dir) {
        Ok(config) => config,
        Err(ConfigError::Usage(usage)) => usage.exit(),
        Err(error) => return refuse(&error, 2),
    };
    if let Some(task) = config.task.take() {
        return match task {
            Task::Backup(command) => backup::command::run(command, &config.data_dir),
            Task::Admin(command) => access::command::run(command, &config.data_dir),
            Task::Healthcheck { ready } => health::check::run(&config, ready),
        };
    }
    logging::init(&config);
    let tls = match config.tls.clone().map(Tls::open).transpose() {
        Ok(tls) => tls.map(Arc::new),
        Err(error) => return refuse(&error, 1),
    };
    // Before anything else reads or writes there, and until the process has ended.
    let data = match DataDir::open(&config.data_dir, config.data_must_exist) {
        Ok(data) => data,
        Err(error) => return refuse(&error, 1),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(WORKER_STACK).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error, 1),
    };
    let ended = runtime.block_on(run(config, tls, &data));
    data.keep();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error, 1),
    }
}

fn refuse(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("lockstep: {error}");
    ExitCode::from(code)
}

async fn run(config: Config, tls: Option<Arc<Tls>>, data: &DataDir) -> Result<(), StartError> {
    let files = open_files::raise();
    let site = Site::open(config.site_root.as_deref(), &std::env::current_exe()?)?;
    let (store, last_change) = open_store(data).await?;
    let fails = |error| StartError::Store { path: data.database(), error };
    let accounts: Arc<dyn Accounts> = store.clone();
    let access =
        Access::open(accounts, |has_accounts| config.access_mode(has_accounts)).await.map_err(fails)?;
    let access = access.with_guests(config.guests).with_second_factor_required(config.second_factor_required);
    let access = access.with_services(Service::all(&config));
    let access = Arc::new(access);
    let metrics = Arc::new(Metrics::default());
    let series = Arc::new(open_series(&config, data, last_change).await?);
    let source = Arc::new(ThisServer::new(series.memory().clone()));
    let limits = Arc::new(config.limits.clone());
    let sources = sources(&config, &series, &limits).map_err(StartError::Source)?;
    let rooms = Rooms::new(store, access.clone(), limits, metrics.clone(), sources);
    if data.is_new() {
        let id = rooms.create_with(sample::dashboard()).await.map_err(StartError::Sample)?;
        audit::note(&access, audit::Event::Made, &id, "", None).await;
    }
    let state = AppState::new(&config, rooms, source.clone(), series, site).await;
    let state = state.map_err(fails)?;
    if access.mode() == Mode::Accounts {
        access.adopt().await.map_err(StartError::Access)?;
    }
    let listener = tokio::net::TcpListener::bind(config.addr).await;
    let listener = listener.map_err(|error| StartError::Bind { addr: config.addr, error })?;
    let addr = listener.local_addr()?;
    access::summary::log(&config, access.mode(), addr, &state.origins);
    let bounds = connections::bounds(state.rooms.limits(), files);
    let open = Connections::new(bounds, state.rooms.limits(), state.proxies.clone(), metrics.clone())
        .with_tls(tls.clone(), state.proxies.clone());
    let load = load_of(metrics);
    let unsent = state.rooms.unsent().clone();
    let housekeeping = housekeeping::run(state.rooms.clone(), state.bin_days);
    let stop = drain::Stop::listen()?;
    let origin = format!("{}://{addr}", if config.tls.is_some() { "https" } else { "http" });
    announce(&origin, &config.base_path)?;
    if access.mode() == Mode::Accounts && access.is_empty() {
        let origin = config.public_url.as_ref().map_or(origin, ToString::to_string);
        let token = access.setup.begin();
        eprintln!(
            "Nobody has an account yet. Make the first one, an admin, within an hour at\n    {origin}{}#{token}",
            config.base_path.to("/setup")
        );
    }
    let backups = state.backups.clone();
    tokio::select! {
        () = drain::serve(listener, open, router::router(state.clone()), state, stop) => Ok(()),
        never = source.run(load) => match never {},
        never = memory::give_back(unsent) => match never {},
        never = housekeeping => match never {},
        never = backups.run() => match never {},
        never = keep_tidy(&access) => match never {},
        never = follow(tls) => match never {},
    }
}

/// Takes the certificate anew where its files are others.
async fn follow(tls: Option<Arc<Tls>>) -> Infallible {
    match tls {
        Some(tls) => tls.follow().await,
        None => std::future::pending().await,
    }
}

/// Ends sessions that are over, now and then.
async fn keep_tidy(access: &Access) -> Infallible {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        if let Err(error) = access.tidy().await {
            tracing::warn!(%error, "what is over of sessions and invitations could not be removed; it is tried again");
        }
    }
}

/// Opens the database, made where there is none yet. Also the time of its last change.
async fn open_store(data: &DataDir) -> Result<(Arc<SqliteStore>, Option<u64>), StartError> {
    let fails = |error| StartError::Store { path: data.database(), error };
    let store = SqliteStore::open(&data.database()).await.map_err(fails)?;
    let last_change = store.last_change().await.map_err(fails)?;
    data.mark()?;
    Ok((Arc::new(store), last_change))
}

/// Opens the file of pushed points, made where there is none yet.
async fn open_series(
    config: &Config,
    data: &DataDir,
    last_change: Option<u64>,
) -> Result<SeriesStore, StartError> {
    let bounds = Bounds::new(&config.limits, config.series_hours);
    let opened = SeriesStore::open_after(&data.series(), bounds, last_change).await;
    opened.map_err(|error| StartError::Series { path: data.series(), error })
}

/// All that a widget can ask: series by name, and what the settings name.
fn sources(config: &Config, series: &SeriesStore, limits: &Arc<Limits>) -> Result<Sources, SourceError> {
    let mut all: Vec<Arc<dyn Source>> = vec![Arc::new(SeriesByName::new(series.memory().clone()))];
    for server in &config.prometheus {
        all.push(Arc::new(Prometheus::new(server, limits.answer_bytes)?));
    }
    for server in &config.http {
        all.push(Arc::new(Http::new(server, limits.answer_bytes)?));
    }
    for database in &config.sql {
        all.push(Arc::new(Sql::new(database, limits.answer_bytes)?));
    }
    Ok(Sources::new(all, limits.clone()))
}

/// Says where the server is, on one line, for people and programs alike.
fn announce(origin: &str, base: &BasePath) -> std::io::Result<()> {
    let path = if base.is_empty() { String::new() } else { base.to("/") };
    let mut out = std::io::stdout();
    writeln!(out, "Lockstep is at {origin}{path}")?;
    out.flush()?;
    tracing::info!(%origin, build = build_info::VERSION, commit = build_info::commit(), "serving");
    Ok(())
}

/// What the metrics say at each sample of the built-in source.
fn load_of(metrics: Arc<Metrics>) -> impl FnMut() -> Load {
    let mut before = metrics.append_totals();
    move || {
        let now = metrics.append_totals();
        let (count, took_us) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
        before = now;
        Load {
            sessions: u64::try_from(metrics.sessions.load(Relaxed)).unwrap_or(0),
            commits: metrics.commits_total.load(Relaxed),
            commit_latency_ms: (count > 0).then(|| took_us as f64 / count as f64 / 1_000.0),
        }
    }
}
