//! Serving until somebody says stop, and stopping so that nothing is lost.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::connections::Connections;
use super::state::AppState;

/// When browsers of a stopping server come back, in milliseconds: a restart takes about that long.
const COME_BACK_MS: u64 = 2_000;
/// From the signal to the end at most: a supervisor kills after ten seconds.
const AT_MOST: Duration = Duration::from_secs(9);

/// What tells the server to stop: SIGTERM, and from a terminal SIGINT, SIGQUIT, and SIGHUP where it closes.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    /// `None` where whoever started it said that it outlives the terminal, as `nohup` does.
    hangup: Option<Signal>,
}

impl Stop {
    /// Listens from here on; before, the same signals end the process at once.
    pub fn listen() -> std::io::Result<Self> {
        let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
            _ = hangup(&mut self.hangup) => {}
        }
    }
}

async fn hangup(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// True where the process was started with SIGHUP ignored. Known on Linux; elsewhere it counts as not ignored.
fn ignores_hangup() -> bool {
    const SIGHUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

/// Serves until it is told to stop. Then tells every session when to come back, finishes the log, and
/// returns; a second signal ends it at once.
pub async fn serve(
    listener: TcpListener,
    connections: Connections,
    router: Router,
    state: AppState,
    mut stop: Stop,
) {
    let (tell, told) = watch::channel(false);
    let serving = connections.serve(listener, router, told);
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return,
        () = stop.told() => {}
    }
    tracing::info!("stopping: browsers are told to come back");
    state.begin_draining();
    tell.send_replace(true);
    let ending = async {
        tokio::join!(&mut serving, state.rooms.drain(COME_BACK_MS));
        state.rooms.sources().close().await;
        state.access().finish_audit().await;
        state.series.close().await;
        state.store.close().await;
    };
    tokio::select! {
        () = ending => tracing::info!("stopped; the log is complete"),
        () = stop.told() => tracing::warn!("told twice to stop: stopping now"),
        () = tokio::time::sleep(AT_MOST) => {
            tracing::warn!("some requests did not end in time: stopping without them");
        }
    }
}
