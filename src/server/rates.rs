//! Rates by address: what one sender may do in a minute, so that nobody uses up what is there for all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::errors::ApiError;
use super::limits::Limits;
use super::peer::PeerAddr;
use super::socket::bucket::Bucket;
use super::state::AppState;
use crate::sync::protocol::Code;

/// Addresses that are told apart. Those beyond share one bucket, until some have theirs full again.
const MAX_ADDRESSES: usize = 16_384;
/// Share links that one address opens, in the long run and at once: a room full of people behind one address does.
const VISITS_PER_S: u32 = 2;
const VISITS_BURST: u32 = 200;
/// Screens that one address lets wait for a code in the long run, a second, and at once.
const PAIRINGS_PER_S: f64 = 10.0 / 60.0;
const PAIRINGS_BURST: u32 = 10;
/// Answers of a provider that nobody began, of one address in the long run, a second, and at once.
const STRAY_ANSWERS_PER_S: f64 = 20.0 / 60.0;
const STRAY_ANSWERS_BURST: u32 = 20;
/// From one look for addresses that have all of theirs again to the next: each goes over all of them.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// A token bucket for each address.
pub struct AddressRate {
    per_s: f64,
    burst: f64,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    by_address: HashMap<IpAddr, Bucket>,
    tidied_at: Option<Instant>,
}

impl AddressRate {
    pub fn new(per_s: f64, burst: u32) -> Self {
        Self { per_s, burst: f64::from(burst), buckets: Mutex::default() }
    }

    /// Takes one token of an address; where there is none it says how long until there is.
    pub fn take(&self, peer: PeerAddr) -> Result<(), Duration> {
        self.take_at(peer, Instant::now())
    }

    fn take_at(&self, peer: PeerAddr, now: Instant) -> Result<(), Duration> {
        let mut address = peer.network();
        // No code panics while it holds this.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { by_address, tidied_at } = &mut *buckets;
        if !by_address.contains_key(&address) && by_address.len() >= MAX_ADDRESSES {
            if tidied_at.is_none_or(|at| now.saturating_duration_since(at) >= TIDY_EVERY) {
                by_address.retain(|_, bucket| !bucket.is_full(now));
                *tidied_at = Some(now);
            }
            if by_address.len() >= MAX_ADDRESSES {
                address = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        by_address.entry(address).or_insert_with(|| Bucket::new(self.per_s, self.burst, now)).take(1, now)
    }
}

/// The rates of requests.
pub struct Rates {
    /// Making, importing, copying, deleting and restoring dashboards.
    dashboards: AddressRate,
    /// Opening sockets.
    sessions: AddressRate,
    /// Opening share links, each of which is stored.
    visits: AddressRate,
    /// Screens that begin to wait for a code.
    pub pairings: AddressRate,
    /// Answers of a provider to sign-ins that were not begun, each of which is written down.
    pub stray_answers: AddressRate,
}

impl Rates {
    pub fn new(limits: &Limits) -> Self {
        let rate = |per_s: u32, burst| AddressRate::new(f64::from(per_s), burst);
        Self {
            dashboards: rate(limits.dashboard_requests_per_s, limits.dashboard_requests_burst),
            sessions: rate(limits.session_starts_per_s, limits.session_starts_burst),
            visits: rate(VISITS_PER_S, VISITS_BURST),
            pairings: AddressRate::new(PAIRINGS_PER_S, PAIRINGS_BURST),
            stray_answers: AddressRate::new(STRAY_ANSWERS_PER_S, STRAY_ANSWERS_BURST),
        }
    }
}

/// Turns down what comes too fast from one address, with 429 and when to come back.
pub async fn limit_rates(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let writes = [Method::POST, Method::PUT, Method::DELETE].contains(request.method());
    let of_dashboards = ["/api/v1/dashboards", "/api/v1/bin"].iter().any(|kind| path.starts_with(kind));
    let (rate, what) = if writes && of_dashboards {
        (
            &state.rates.dashboards,
            "Too many dashboards are made, imported, copied or deleted from your address",
        )
    } else if path.starts_with("/s/") {
        (&state.rates.visits, "Too many share links are opened from your address")
    } else if path == "/api/v1/ws" {
        (&state.rates.sessions, "Too many sockets are opened from your address")
    } else {
        return next.run(request).await;
    };
    let peer = request.extensions().get().copied().unwrap_or(PeerAddr(Ipv6Addr::LOCALHOST.into()));
    match rate.take(peer) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            state.metrics.rejected(Code::RateLimited);
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            let reason = format!("{what}. Nothing was changed. Come back in {seconds} s.");
            let mut response = ApiError::new(Code::RateLimited, reason).into_response();
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_each_address_has_its_own_rate_and_there_are_so_many() {
        let (rate, now) = (AddressRate::new(1.0, 2), Instant::now());
        let peer = |n: u32| PeerAddr(std::net::Ipv4Addr::from(0x0a00_0000 + n).into());
        assert!(rate.take_at(peer(1), now).is_ok() && rate.take_at(peer(1), now).is_ok());
        assert_eq!(rate.take_at(peer(1), now), Err(Duration::from_secs(1)));
        assert!(rate.take_at(peer(2), now).is_ok());
        assert!(rate.take_at(peer(1), now + Duration::from_secs(1)).is_ok());
        for n in 0..2 * MAX_ADDRESSES as u32 {
            // Those beyond have one bucket together, which is empty soon.
            let _ = rate.take_at(peer(n), now);
        }
        let known = |rate: &AddressRate| rate.buckets.lock().expect("whole").by_address.len();
        assert_eq!(known(&rate), MAX_ADDRESSES + 1);
        assert!(rate.take_at(peer(3 * MAX_ADDRESSES as u32), now).is_err());
        let later = now + Duration::from_secs(60);
        assert!(rate.take_at(peer(3 * MAX_ADDRESSES as u32), later).is_ok());
        assert_eq!(known(&rate), 1, "who has all of it again is not kept");
    }
}
