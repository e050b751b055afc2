//! The server's disk: a file of records of which only what was synced is sure to survive. A crash cuts
//! the rest anywhere, or leaves garbage behind the cut. Reading it stops at the first record that is not
//! whole, as SQLite does with its write-ahead log.
//!
//! A transaction that found no room is rolled back by the engine itself, and its connection takes no other.
//! After a sync that failed, nothing of what was written since the last good one is to be trusted: who goes
//! on with the connection writes behind what the disk will never have; who opens another writes over it,
//! and until then it may be there after a crash all the same.
//!
//! The rules of the log itself (consecutive revisions, each `(client, seq)` once, a batch whole or not at
//! all) are the real `MemoryStore`'s; this file only says what is left of its calls after a crash.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use futures::FutureExt;
use lockstep::dashboard::{ClientId, DashboardId};
use lockstep::server::store::memory::MemoryStore;
use lockstep::server::store::{
    Appended, KEEP_COMMITS, Listing, Most, NewDashboard, Opened, Store, StoreError, Stored,
};
use serde::{Deserialize, Serialize};

use super::random::Random;

/// What of the log stays behind a snapshot.
const KEEP: Most = Most { commits: KEEP_COMMITS as usize, bytes: 16 * 1024 * 1024 };

/// What a full disk says.
pub fn full() -> StoreError {
    StoreError::Full("no space left on device".to_owned())
}

#[derive(Serialize, Deserialize)]
enum Record {
    Create { epoch: String, state: String },
    Append(Vec<(u64, ClientId, u64, String)>),
    Snapshot { revision: u64, state: String },
}

pub struct Disk {
    id: DashboardId,
    file: Vec<u8>,
    /// So much of the file survives a crash.
    synced: usize,
    store: MemoryStore,
    /// While it is full nothing is appended.
    pub full: bool,
    /// While it is unreadable nothing is read.
    pub unreadable: bool,
    /// The connection has a transaction that the engine rolled back.
    stuck: bool,
    /// What the kernel shows, and the disk never gets.
    forgotten: Option<Range<usize>>,
    /// What a connection that was let go of had written in vain, until it is written over.
    doubtful: Vec<u8>,
}

impl Disk {
    /// A disk with one dashboard, whose room is in `state` at revision 0.
    pub fn new(id: DashboardId, epoch: &str, state: String) -> Self {
        let mut disk = Self {
            id,
            file: Vec::new(),
            synced: 0,
            store: MemoryStore::default(),
            full: false,
            unreadable: false,
            stuck: false,
            forgotten: None,
            doubtful: Vec::new(),
        };
        disk.write(&Record::Create { epoch: epoch.to_owned(), state });
        disk.sync();
        disk.restart();
        disk
    }

    /// Writes a batch, which is not durable before [`Disk::sync`]. After an error nothing of it is there.
    pub fn append(&mut self, commits: Vec<Appended>) -> Result<(), StoreError> {
        self.begin()?;
        now(self.store.append(&self.id, commits.clone(), listing()))?;
        let commits = commits.into_iter().map(|c| (c.revision, c.client, c.seq, c.body.to_string()));
        self.write(&Record::Append(commits.collect()));
        Ok(())
    }

    /// Keeps a room's state.
    pub fn save_snapshot(&mut self, revision: u64, state: String) -> Result<(), StoreError> {
        self.begin()?;
        now(self.store.save_snapshot(&self.id, revision, state.as_str().into(), KEEP))?;
        self.write(&Record::Snapshot { revision, state });
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if self.stuck {
            return Err(StoreError::Io("cannot start a transaction within a transaction".to_owned()));
        }
        // What begins to be written spoils what was there.
        self.doubtful.clear();
        self.stuck = self.full;
        if self.full { Err(full()) } else { Ok(()) }
    }

    /// Another connection takes the place of one whose transaction failed.
    pub fn reconnect(&mut self) {
        self.stuck = false;
        if let Some(forgotten) = self.forgotten.take() {
            self.doubtful = self.file.split_off(forgotten.start);
        }
        self.read_anew();
    }

    /// True where what could not be made durable may be there after a crash all the same.
    pub fn is_in_doubt(&self) -> bool {
        !self.doubtful.is_empty()
    }

    /// Makes something else durable in the place of what could not be.
    pub fn settle(&mut self) {
        self.doubtful.clear();
    }

    /// A sync that fails: the kernel takes for written what was not.
    pub fn fail_to_sync(&mut self) {
        self.forgotten = Some(self.synced..self.file.len());
    }

    /// What was written so far survives from now on.
    pub fn sync(&mut self) {
        self.synced = self.file.len();
    }

    /// The machine stops. What was written and not synced may be there, in part, or be garbage. True where
    /// some of it is there whose connection was let go of.
    pub fn crash(&mut self, random: &mut Random) -> bool {
        self.stuck = false;
        if let Some(forgotten) = self.forgotten.take() {
            self.file[forgotten].fill(0);
        }
        let unsure = (self.file.len() - self.synced) as u64;
        if unsure > 0 {
            let left = random.between(0, unsure) as usize;
            self.file.truncate(self.synced + left);
            if left > 0 && random.percent(30) {
                let at = self.synced + random.below(left as u64) as usize;
                self.file[at] ^= 0x55;
            }
        }
        let doubtful = std::mem::take(&mut self.doubtful);
        let comes_back = unsure == 0 && !doubtful.is_empty() && random.percent(50);
        if comes_back {
            self.file.extend(doubtful);
        }
        self.restart();
        comes_back
    }

    /// A copy of what is durable.
    pub fn backup(&self) -> Vec<u8> {
        self.file[..self.synced].to_vec()
    }

    /// The log goes on under another name.
    pub fn renew(&mut self, epoch: &str) {
        self.restore(&self.backup(), epoch);
    }

    /// Puts an older copy in its place, under a name for the log.
    pub fn restore(&mut self, backup: &[u8], epoch: &str) {
        let (records, _) = read(backup);
        self.file.clear();
        self.doubtful.clear();
        (self.forgotten, self.stuck) = (None, false);
        for record in records {
            let record = match record {
                Record::Create { state, .. } => {
                    Record::Create { epoch: epoch.to_owned(), state: renamed(&state, epoch) }
                }
                Record::Snapshot { revision, state } => {
                    Record::Snapshot { revision, state: renamed(&state, epoch) }
                }
                append => append,
            };
            self.write(&record);
        }
        self.sync();
        self.restart();
    }

    pub fn open(&self) -> Opened {
        now(self.store.open(&self.id)).expect("memory opens").expect("it was created")
    }

    pub fn tail(&self, after: u64) -> Vec<Stored> {
        now(self.store.tail(&self.id, after, Most::commits(usize::MAX))).expect("memory reads")
    }

    pub fn find(&self, client: &ClientId, seq: u64) -> Option<Arc<str>> {
        now(self.store.find(&self.id, client, seq)).expect("memory reads")
    }

    /// Reads the file anew, as the store does when the server starts. What is there now is durable.
    fn restart(&mut self) {
        self.read_anew();
        self.synced = self.file.len();
    }

    fn read_anew(&mut self) {
        let (records, whole) = read(&self.file);
        self.file.truncate(whole);
        self.store = MemoryStore::default();
        for record in records {
            let (store, id) = (&self.store, self.id.clone());
            let repeated = match record {
                Record::Create { epoch, state } => {
                    now(store.create(NewDashboard { id, epoch, state: state.into(), listing: listing() }))
                }
                Record::Append(commits) => {
                    let commits = commits.into_iter().map(|(revision, client, seq, body)| Appended {
                        revision,
                        client,
                        seq,
                        body: body.into(),
                    });
                    now(store.append(&id, commits.collect(), listing()))
                }
                Record::Snapshot { revision, state } => {
                    now(store.save_snapshot(&id, revision, state.into(), KEEP))
                }
            };
            repeated.expect("what was taken once is taken again");
        }
    }

    fn write(&mut self, record: &Record) {
        let body = serde_json::to_vec(record).expect("JSON");
        self.file.extend((body.len() as u32).to_le_bytes());
        self.file.extend(checksum(&body).to_le_bytes());
        self.file.extend(body);
    }
}

/// The whole records at the beginning, and how many bytes they are.
fn read(file: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some((record, end)) = read_one(file, at) {
        records.push(record);
        at = end;
    }
    (records, at)
}

fn read_one(file: &[u8], at: usize) -> Option<(Record, usize)> {
    let length = u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?) as usize;
    let sum = u64::from_le_bytes(file.get(at + 4..at + 12)?.try_into().ok()?);
    let body = file.get(at + 12..at + 12 + length)?;
    let whole = checksum(body) == sum;
    Some((serde_json::from_slice(body).ok().filter(|_| whole)?, at + 12 + length))
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A room's state with another epoch.
fn renamed(state: &str, epoch: &str) -> String {
    let mut state: serde_json::Value = serde_json::from_str(state).expect("a state");
    state["epoch"] = epoch.into();
    state.to_string()
}

fn listing() -> Listing {
    Listing::default()
}

/// The answer of a store that never waits.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory does not wait")
}
