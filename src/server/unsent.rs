//! Budget of bytes that wait to be sent, of the whole server: answers as large as a dashboard, frames, pages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::body::Bytes;
use tokio::time::Instant;

use super::rooms::outbound::Outbound;
use crate::dashboard::SessionId;

/// A reader that has not taken all for this long may be closed where the budget is used up: a phone on a
/// slow line has its answer by then, unless it is one of the largest.
const PATIENCE: Duration = Duration::from_secs(2);
/// The budget looks for slow readers this often at most: it asks every session.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Frames from here on are charged; those below are bounded by the queue of each reader well enough.
const CHARGED_BYTES: usize = 16 * 1024;
/// Encoded bytes that are kept for the next who asks though nobody waits for them; more of them are made
/// anew, so that a large dashboard does not lie in memory twice for as long as its room is open.
const KEPT_BYTES: usize = 256 * 1024;

/// There is no room for so many bytes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Too much waits to be sent on this server.")]
pub struct Busy;

/// The budget; a copy is the same one.
#[derive(Clone, Debug)]
pub struct Unsent(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    bytes: AtomicUsize,
    /// All that was ever given back: by it, it shows when memory can go back to the system.
    freed: AtomicUsize,
    max_bytes: usize,
    readers: Mutex<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    sessions: HashMap<SessionId, Weak<Outbound>>,
    looked_at: Option<Instant>,
}

/// Bytes that count until this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Unsent {
    pub fn new(max_bytes: usize) -> Self {
        let (bytes, freed, readers) = Default::default();
        Self(Arc::new(Budget { bytes, freed, max_bytes, readers }))
    }

    /// Bytes that wait now.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Relaxed)
    }

    /// Bytes that may wait.
    pub fn max_bytes(&self) -> usize {
        self.0.max_bytes
    }

    /// Bytes that were given back so far; wraps around.
    pub fn freed(&self) -> usize {
        self.0.freed.load(Relaxed)
    }

    /// Notes that much was freed elsewhere, such as by a room that closed.
    pub fn note_freed(&self, bytes: usize) {
        self.0.freed.fetch_add(bytes, Relaxed);
    }

    /// True where so many bytes more have room. One that is larger than the budget has it alone.
    pub fn has_room(&self, bytes: usize) -> bool {
        let now = self.bytes();
        now == 0 || now.saturating_add(bytes) <= self.0.max_bytes
    }

    /// Charges bytes where they have room. Where they don't, the slowest readers are closed, so that there
    /// is room a moment later.
    pub fn charge(&self, bytes: usize) -> Result<Charge, Busy> {
        let fits = |now: usize| {
            let then = now.saturating_add(bytes);
            (now == 0 || then <= self.0.max_bytes).then_some(then)
        };
        if self.0.bytes.fetch_update(Relaxed, Relaxed, fits).is_err() {
            self.close_slowest(bytes);
            return Err(Busy);
        }
        Ok(Charge { budget: self.0.clone(), bytes })
    }

    /// Charges bytes that cannot wait, such as news for everybody in a room. Over the budget the slowest
    /// readers are closed.
    pub fn charge_anyway(&self, bytes: usize) -> Charge {
        let now = self.0.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if now > self.0.max_bytes {
            self.close_slowest(now - self.0.max_bytes);
        }
        Charge { budget: self.0.clone(), bytes }
    }

    /// The charge of a frame for everybody; `None` for one that is too small to count.
    pub fn charge_frame(&self, bytes: usize) -> Option<Arc<Charge>> {
        (bytes >= CHARGED_BYTES).then(|| Arc::new(self.charge_anyway(bytes)))
    }

    /// A session whose reader may turn out slow.
    pub fn add_reader(&self, session: SessionId, outbound: &Arc<Outbound>) {
        self.readers().sessions.insert(session, Arc::downgrade(outbound));
    }

    pub fn remove_reader(&self, session: &SessionId) {
        self.readers().sessions.remove(session);
    }

    /// Closes the readers that are slow for longest, of so many bytes together.
    pub fn close_slowest(&self, bytes: usize) {
        let now = Instant::now();
        let slow: Vec<Weak<Outbound>> = {
            let mut readers = self.readers();
            if readers.looked_at.is_some_and(|at| now.duration_since(at) < LOOK_EVERY) {
                return;
            }
            readers.looked_at = Some(now);
            readers.sessions.values().cloned().collect()
        };
        let mut slow: Vec<(Instant, usize, Arc<Outbound>)> = slow
            .into_iter()
            .filter_map(|reader| {
                let reader = reader.upgrade()?;
                let (since, bytes) = reader.backlog()?;
                (now.duration_since(since) >= PATIENCE && bytes >= CHARGED_BYTES)
                    .then_some((since, bytes, reader))
            })
            .collect();
        slow.sort_by_key(|(since, ..)| *since);
        let mut closed = 0;
        for (_, size, reader) in slow {
            if closed >= bytes {
                break;
            }
            closed += size;
            reader.end_slow();
        }
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        // No code panics while it holds the lock; the map is whole in any case.
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Relaxed);
        self.budget.freed.fetch_add(self.bytes, Relaxed);
    }
}

/// Bytes that hold on to something, such as a charge, until the last copy of them is gone.
struct Held<T> {
    bytes: Bytes,
    _what: T,
}

impl<T> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Makes bytes hold on to something until the last copy of them is gone.
pub fn holding<T: Send + 'static>(bytes: Bytes, what: T) -> Bytes {
    Bytes::from_owner(Held { bytes, _what: what })
}

/// An encoded text that all share who wait for it: its bytes, and the one charge for all of them.
#[derive(Clone, Debug)]
pub struct Share {
    pub bytes: Bytes,
    pub charge: Arc<Charge>,
}

impl Share {
    /// The bytes, which hold on to the charge.
    pub fn charged(self) -> Bytes {
        holding(self.bytes, self.charge)
    }
}

/// A text that is encoded once for all who ask for it, and kept while somebody waits for it, or for as
/// long as it is small.
#[derive(Debug)]
pub struct Encoded {
    kept: Option<Arc<String>>,
    text: Weak<String>,
    charge: Weak<Charge>,
}

struct Text(Arc<String>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Encoded {
    /// Takes a text and gives out the first share of it.
    pub fn new(text: String, unsent: &Unsent) -> Result<(Self, Share), Busy> {
        let charge = Arc::new(unsent.charge(text.len())?);
        let text = Arc::new(text);
        let kept = (text.len() <= KEPT_BYTES).then(|| text.clone());
        let encoded = Self { kept, text: Arc::downgrade(&text), charge: Arc::downgrade(&charge) };
        Ok((encoded, Share { bytes: Bytes::from_owner(Text(text)), charge }))
    }

    /// One more share of it; `None` where it is gone and has to be encoded anew.
    pub fn share(&mut self, unsent: &Unsent) -> Option<Result<Share, Busy>> {
        let text = self.kept.clone().or_else(|| self.text.upgrade())?;
        let charge = match self.charge.upgrade() {
            Some(charge) => charge,
            None => match unsent.charge(text.len()) {
                Ok(charge) => {
                    let charge = Arc::new(charge);
                    self.charge = Arc::downgrade(&charge);
                    charge
                }
                Err(busy) => return Some(Err(busy)),
            },
        };
        Some(Ok(Share { bytes: Bytes::from_owner(Text(text)), charge }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::limits::Limits;
    use crate::server::rooms::frames::Frame;
    use crate::server::rooms::outbound::{End, Next};
    use crate::sync::protocol::close;

    #[test]
    fn s10_bytes_count_once_however_many_share_them_and_until_the_last_is_sent() {
        let unsent = Unsent::new(3 * KEPT_BYTES);
        let (mut encoded, first) = Encoded::new("x".repeat(2 * KEPT_BYTES), &unsent).expect("fits");
        let second = encoded.share(&unsent).expect("somebody waits for it").expect("fits");
        assert_eq!(unsent.bytes(), 2 * KEPT_BYTES);
        assert_eq!(first.bytes.as_ptr(), second.bytes.as_ptr(), "the same bytes");
        assert_eq!(unsent.charge(2 * KEPT_BYTES).err(), Some(Busy));
        assert!(unsent.charge(KEPT_BYTES).is_ok());
        let sent = first.charged();
        drop(second);
        let part = sent.slice(5..9);
        drop(sent);
        assert_eq!(unsent.bytes(), 2 * KEPT_BYTES, "a part of it waits");
        drop(part);
        assert_eq!((unsent.bytes(), unsent.freed()), (0, 3 * KEPT_BYTES));
        assert!(encoded.share(&unsent).is_none(), "a large one is not kept for nobody");

        let (mut small, share) = Encoded::new("small".to_owned(), &unsent).expect("fits");
        drop(share);
        assert_eq!(unsent.bytes(), 0, "what nobody waits for does not count");
        let again = small.share(&unsent).expect("it is kept").expect("fits");
        assert_eq!((&again.bytes[..], unsent.bytes()), (&b"small"[..], 5));
    }

    #[test]
    fn s10_what_is_larger_than_the_budget_has_it_alone() {
        let unsent = Unsent::new(10);
        let alone = unsent.charge(100).expect("nothing else waits");
        assert_eq!(unsent.charge(1).err(), Some(Busy));
        drop(alone);
        assert!(unsent.charge(1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn s10_over_the_budget_the_slowest_readers_are_closed() {
        let unsent = Unsent::new(100_000);
        let reader = |name: &str| {
            let outbound = Arc::new(Outbound::new(&Limits::default()));
            unsent.add_reader(SessionId::new(name).expect("an id"), &outbound);
            outbound
        };
        let (slowest, slow, quick) = (reader("s1"), reader("s2"), reader("s3"));
        let large = || {
            let frame = Frame::new(&"x".repeat(45_000));
            let charge = unsent.charge_frame(frame.size());
            frame.holding(charge)
        };
        assert!(slowest.answer(large()));
        tokio::time::advance(PATIENCE).await;
        assert!(slow.answer(large()));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(unsent.charge(30_000).err(), Some(Busy));
        let ended = |outbound: &Outbound| {
            let next = outbound.try_next();
            matches!(next, Some(Next::End(End { code: close::TOO_SLOW, .. })))
        };
        assert!(ended(&slowest), "the one that is slow for longest");
        assert!(unsent.charge(30_000).is_ok(), "there is room now");
        assert!(matches!(slow.try_next(), Some(Next::Send(_))), "one was enough");
        assert!(quick.try_next().is_none());
    }
}
