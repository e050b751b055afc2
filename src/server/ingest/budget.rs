//! Budget of the memory that requests with points take: by what has come of them, never by what they announce.
//!
//! Whoever needs more than there is waits. One who waits, of each address and of all, may go on without: so
//! that there is always somebody who comes to an end and gives back what the others wait for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT: usize = 1024;

/// How much may be worked on at once.
#[derive(Clone)]
pub(super) struct Budget(Arc<Shared>);

struct Shared {
    all: Arc<Pool>,
    /// Of one address at most.
    per_address: usize,
    by_address: Mutex<HashMap<IpAddr, Arc<Pool>>>,
}

struct Pool {
    room: Arc<Semaphore>,
    /// Of the one who goes on without room.
    over: Arc<Semaphore>,
}

impl Pool {
    fn new(bytes: usize) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { room, over: Arc::new(Semaphore::new(1)) })
    }
}

/// What one request takes; given back when it is dropped.
pub(super) struct Share {
    budget: Budget,
    address: IpAddr,
    units: usize,
    of_address: Part,
    of_all: Part,
}

/// A share's part of one pool.
struct Part {
    pool: Arc<Pool>,
    room: Option<OwnedSemaphorePermit>,
    over: Option<OwnedSemaphorePermit>,
}

/// There was no room for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

impl Budget {
    /// So many bytes for all together; one address has half of them, and one largest request in any case.
    pub(super) fn new(bytes: usize, largest: usize) -> Self {
        let all = Pool::new(bytes.max(largest));
        let per_address = (bytes / 2).max(largest);
        Self(Arc::new(Shared { all, per_address, by_address: Mutex::default() }))
    }

    /// A share of nothing, of one address.
    pub(super) fn share(&self, address: IpAddr) -> Share {
        let pool = self.addresses().entry(address).or_insert_with(|| Pool::new(self.0.per_address)).clone();
        let part = |pool| Part { pool, room: None, over: None };
        let (of_address, of_all) = (part(pool), part(self.0.all.clone()));
        Share { budget: self.clone(), address, units: 0, of_address, of_all }
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Pool>>> {
        // No code panics while it holds this.
        self.0.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Makes it so many bytes in all, where it is less. Waits for room up to `patience`.
    pub(super) async fn grow(&mut self, bytes: usize, patience: Duration) -> Result<(), Busy> {
        let units = bytes.div_ceil(UNIT);
        let Some(more) = units.checked_sub(self.units).filter(|more| *more > 0) else { return Ok(()) };
        let more = u32::try_from(more).map_err(|_| Busy)?;
        let grow = async {
            self.of_address.grow(more).await;
            self.of_all.grow(more).await;
        };
        tokio::time::timeout(patience, grow).await.map_err(|_| Busy)?;
        self.units = units;
        Ok(())
    }
}

impl Part {
    async fn grow(&mut self, units: u32) {
        if self.over.is_some() {
            return;
        }
        // Neither is closed: it lives as long as the pool.
        tokio::select! {
            biased;
            Ok(more) = self.pool.room.clone().acquire_many_owned(units) => match &mut self.room {
                Some(room) => room.merge(more),
                None => self.room = Some(more),
            },
            Ok(over) = self.pool.over.clone().acquire_owned() => self.over = Some(over),
            else => {}
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut addresses = self.budget.addresses();
        // This one and the map's.
        if Arc::strong_count(&self.of_address.pool) == 2 {
            addresses.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// Paused clocks move on by themselves when everybody waits.
    const PATIENCE: Duration = Duration::from_secs(10);
    const KIB: usize = 1024;

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[tokio::test(start_paused = true)]
    async fn s10_who_has_sent_nothing_takes_nothing() {
        let budget = Budget::new(8 * KIB, 4 * KIB);
        let _announced: Vec<Share> = (0..100).map(|last| budget.share(ip(last))).collect();
        let mut share = budget.share(ip(1));
        assert_eq!(share.grow(4 * KIB, PATIENCE).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn s10_one_address_leaves_room_for_others() {
        let budget = Budget::new(8 * KIB, 2 * KIB);
        let mut own: Vec<Share> = (0..4).map(|_| budget.share(ip(1))).collect();
        for share in &mut own[..2] {
            assert_eq!(share.grow(2 * KIB, PATIENCE).await, Ok(()));
        }
        assert_eq!(own[2].grow(2 * KIB, PATIENCE).await, Ok(()), "one goes on without room");
        assert_eq!(own[3].grow(2 * KIB, PATIENCE).await, Err(Busy));
        let mut other = budget.share(ip(2));
        assert_eq!(other.grow(2 * KIB, PATIENCE).await, Ok(()));
        own.truncate(1);
        let mut later = budget.share(ip(1));
        assert_eq!(later.grow(2 * KIB, PATIENCE).await, Ok(()), "what was given back is there");
        drop((own, other, later));
        assert!(budget.addresses().is_empty(), "nothing is kept of those who are gone");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_hold_a_part_and_wait_for_the_rest_come_to_an_end_one_by_one() {
        let budget = Budget::new(4 * KIB, 2 * KIB);
        let mut tasks = Vec::new();
        for last in 0..8 {
            let mut share = budget.share(ip(last));
            tasks.push(tokio::spawn(async move {
                for bytes in 1..=2 {
                    share.grow(bytes * KIB, PATIENCE).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok::<(), Busy>(())
            }));
        }
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), Ok(()));
        }
    }
}
