//! Serving until somebody says stop, and stopping so that nothing is lost.

use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

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
    router: Router,
    state: AppState,
    mut stop: Stop,
) -> std::io::Result<()> {
    let (tell, mut told) = watch::channel(false);
    let graceful = async move {
        // An error means that the sender is gone, and with it the reason to go on.
        let _ = told.wait_for(|stop| *stop).await;
    };
    // Frames are whole messages: to hold a small one back until the last is acknowledged only delays it.
    let listener = listener.tap_io(|stream| {
        // A connection that is gone already says so when it is read.
        let _ = stream.set_nodelay(true);
    });
    let serving = async { axum::serve(listener, router).with_graceful_shutdown(graceful).await };
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = stop.told() => {}
    }
    tracing::info!("stopping: browsers are told to come back");
    state.begin_draining();
    tell.send_replace(true);
    let ending = async {
        let (served, ()) = tokio::join!(&mut serving, state.rooms.drain(COME_BACK_MS));
        state.rooms.sources().close().await;
        state.series.close().await;
        state.store.close().await;
        served
    };
    tokio::select! {
        ended = ending => {
            tracing::info!("stopped; the log is complete");
            ended
        }
        () = stop.told() => {
            tracing::warn!("told twice to stop: stopping now");
            Ok(())
        }
        () = tokio::time::sleep(AT_MOST) => {
            tracing::warn!("some requests did not end in time: stopping without them");
            Ok(())
        }
    }
}
