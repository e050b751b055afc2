//! Limiter of connections: so many in all, so many of one address, and the longest waiting make room.
//!
//! A connection waits where no whole request has come over it: nothing yet, half a head, or nothing since the
//! last answer. Where there are too many, the one that waits longest is closed for the one that comes, so
//! that those who only hold connections keep nobody out.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::server::metrics::Metrics;
use crate::server::peer::{PeerAddr, TrustedProxies};

/// Connections beyond the bound that are kept free for this machine: health checks, and whoever looks why the
/// server is full.
pub const SPARE_LOCAL: usize = 16;
/// Connections beyond the bound that may be on their way out for others.
pub const SPARE_CLOSING: usize = 32;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub total: usize,
    /// Of one address; trusted proxies stand for many and have no such bound.
    pub per_address: usize,
}

pub struct Limiter {
    bounds: Bounds,
    proxies: TrustedProxies,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, Address>,
    /// Who waits, the longest first.
    waiting: BTreeMap<u64, (IpAddr, Arc<Notify>)>,
    next: u64,
}

#[derive(Default)]
struct Address {
    total: usize,
    waiting: BTreeMap<u64, ()>,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Total,
    Address,
}

/// Leave to be open; given back when it is dropped.
pub struct Permit {
    limiter: Arc<Limiter>,
    address: IpAddr,
    evicted: Arc<Notify>,
    /// Its place among those that wait.
    place: Mutex<Option<u64>>,
}

impl Limiter {
    pub fn new(bounds: Bounds, proxies: TrustedProxies, metrics: Arc<Metrics>) -> Arc<Self> {
        metrics.connections_limit.store(bounds.total as i64, Relaxed);
        Arc::new(Self { bounds, proxies, metrics, open: Mutex::default() })
    }

    /// Leave for one more connection. Where there are too many it asks one that waits to end.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, Refused> {
        let address = PeerAddr(ip).network();
        let mut open = self.open();
        let of_address = open.by_address.get(&address).map_or(0, |address| address.total);
        let spare = if ip.to_canonical().is_loopback() { SPARE_LOCAL } else { 0 };
        let Bounds { total, per_address } = self.bounds;
        let mut has_room = false;
        if of_address >= per_address && !self.proxies.contains(ip) {
            has_room = open.may_evict(total) && open.evict_of(address);
            if !has_room && of_address >= per_address + spare {
                return Err(Refused::Address);
            }
        }
        if !has_room && open.total >= total {
            has_room = open.may_evict(total) && open.evict();
            if !has_room && open.total >= total + spare {
                return Err(Refused::Total);
            }
        }
        open.total += 1;
        open.by_address.entry(address).or_default().total += 1;
        self.metrics.connections.store(open.total as i64, Relaxed);
        drop(open);
        Ok(Permit { limiter: self.clone(), address, evicted: Arc::default(), place: Mutex::default() })
    }

    /// Asks one that waits to end; false where none does.
    pub fn evict(&self) -> bool {
        self.open().evict()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // No code panics while it holds this.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Whether one more may be on its way out.
    fn may_evict(&self, total: usize) -> bool {
        self.total < total + SPARE_CLOSING
    }

    fn evict(&mut self) -> bool {
        self.waiting.first_key_value().map(|(place, _)| *place).is_some_and(|place| self.tell(place))
    }

    fn evict_of(&mut self, address: IpAddr) -> bool {
        let first = self.by_address.get(&address).and_then(|address| address.waiting.first_key_value());
        first.map(|(place, ())| *place).is_some_and(|place| self.tell(place))
    }

    fn tell(&mut self, place: u64) -> bool {
        self.remove(place).is_some_and(|evicted| {
            evicted.notify_one();
            true
        })
    }

    fn remove(&mut self, place: u64) -> Option<Arc<Notify>> {
        let (address, evicted) = self.waiting.remove(&place)?;
        if let Some(address) = self.by_address.get_mut(&address) {
            address.waiting.remove(&place);
        }
        Some(evicted)
    }
}

impl Permit {
    /// From here on it waits and may be asked to end.
    pub fn begin_waiting(&self) {
        let mut place = self.place();
        if place.is_some() {
            return;
        }
        let mut open = self.limiter.open();
        let next = open.next;
        open.next += 1;
        open.waiting.insert(next, (self.address, self.evicted.clone()));
        open.by_address.entry(self.address).or_default().waiting.insert(next, ());
        *place = Some(next);
    }

    /// It does not wait any more. Where it was asked to end, that stays.
    pub fn end_waiting(&self) {
        if let Some(place) = self.place().take() {
            self.limiter.open().remove(place);
        }
    }

    /// Until it is asked to end.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn place(&self) -> MutexGuard<'_, Option<u64>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.end_waiting();
        let mut open = self.limiter.open();
        open.total -= 1;
        if let Some(address) = open.by_address.get_mut(&self.address) {
            address.total -= 1;
            if address.total == 0 {
                open.by_address.remove(&self.address);
            }
        }
        self.limiter.metrics.connections.store(open.total as i64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use std::net::Ipv4Addr;

    use super::*;

    fn limiter(total: usize, per_address: usize) -> Arc<Limiter> {
        let proxy = "192.0.2.99/32".parse().expect("a network");
        let bounds = Bounds { total, per_address };
        Limiter::new(bounds, TrustedProxies::new(&[proxy]), Arc::default())
    }

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn is_evicted(permit: &Permit) -> bool {
        permit.evicted().now_or_never().is_some()
    }

    #[test]
    fn s10_who_waits_longest_makes_room_and_who_works_stays() {
        let limiter = limiter(3, 3);
        let open: Vec<Permit> = (1..=3).map(|last| limiter.admit(ip(last)).expect("room")).collect();
        assert_eq!(limiter.admit(ip(4)).err(), Some(Refused::Total), "all three work");
        open[2].begin_waiting();
        open[0].begin_waiting();
        open[2].begin_waiting();
        let fourth = limiter.admit(ip(4)).expect("one made room");
        assert!(is_evicted(&open[2]) && !is_evicted(&open[0]) && !is_evicted(&open[1]));
        open[0].end_waiting();
        assert_eq!(limiter.admit(ip(5)).err(), Some(Refused::Total));
        drop(open);
        assert!(limiter.admit(ip(5)).is_ok());
        drop(fourth);
        assert_eq!(limiter.metrics.connections.load(Relaxed), 0);
    }

    #[test]
    fn s10_one_address_has_its_part_and_makes_room_for_itself_only() {
        let limiter = limiter(100, 2);
        let other = limiter.admit(ip(9)).expect("room");
        other.begin_waiting();
        let _own = [limiter.admit(ip(1)).expect("room"), limiter.admit(ip(1)).expect("room")];
        assert_eq!(limiter.admit(ip(1)).err(), Some(Refused::Address));
        assert!(!is_evicted(&other));
        _own[1].begin_waiting();
        assert!(limiter.admit(ip(1)).is_ok() && is_evicted(&_own[1]));
        let proxied: Vec<_> = (0..10).map(|_| limiter.admit(ip(99)).expect("it stands for many")).collect();
        assert_eq!(proxied.len(), 10);
    }

    #[test]
    fn s10_some_room_is_kept_for_this_machine() {
        let limiter = limiter(1, 100);
        let _open = limiter.admit(ip(1)).expect("room");
        assert!(limiter.admit(ip(2)).is_err());
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let local: Vec<_> = (0..SPARE_LOCAL).map(|_| limiter.admit(here).expect("kept free")).collect();
        assert_eq!(limiter.admit(here).err(), Some(Refused::Total));
        drop(local);
        let limiter = self::limiter(100, 1);
        let local: Vec<_> = (0..=SPARE_LOCAL).map(|_| limiter.admit(here).expect("kept free")).collect();
        assert_eq!((local.len(), limiter.admit(here).err()), (1 + SPARE_LOCAL, Some(Refused::Address)));
    }

    #[test]
    fn s10_those_on_their_way_out_are_bounded_too() {
        let limiter = limiter(1, 1_000);
        let mut open = Vec::new();
        while let Ok(permit) = limiter.admit(ip(1)) {
            permit.begin_waiting();
            open.push(permit);
        }
        assert_eq!(open.len(), 1 + SPARE_CLOSING);
    }
}
