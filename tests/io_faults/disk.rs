//! Disk below real files: what of them survives the machine, and which of their calls fails.
//!
//! A write is in the kernel's cache until a sync of its file; a power cut keeps any of the pages that were
//! not synced, or none. After a sync that failed the kernel takes its pages for clean: it has let go of
//! them, or still shows them and never writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use libsqlite3_sys as ffi;

use crate::random::Random;

/// Bytes that the kernel keeps, writes and loses together.
const PAGE: usize = 4_096;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Write,
    Sync,
    Truncate,
    Delete,
    Read,
    Open,
    Map,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// There is no room, and nothing is written.
    Full,
    /// There is room for half of it.
    FullHalfway,
    /// What would make a file longer finds no room.
    FullBeyondTheEnd,
    WriteError,
    /// The kernel lets go of what the file has got since its last sync.
    SyncDropped,
    /// The kernel shows it, and never writes it.
    SyncForgotten,
    TruncateError,
    DeleteError,
    ReadError,
    OpenError,
    /// The memory that connections share is not to be had.
    MapError,
    /// The machine stops.
    PowerCut,
}

impl Failure {
    pub const ALL: [Self; 12] = [
        Self::Full,
        Self::FullHalfway,
        Self::FullBeyondTheEnd,
        Self::WriteError,
        Self::SyncDropped,
        Self::SyncForgotten,
        Self::TruncateError,
        Self::DeleteError,
        Self::ReadError,
        Self::OpenError,
        Self::MapError,
        Self::PowerCut,
    ];

    /// Whether it happens to such a call.
    pub fn strikes(self, call: Call) -> bool {
        match self {
            Self::Full | Self::FullHalfway | Self::FullBeyondTheEnd | Self::WriteError => call == Call::Write,
            Self::SyncDropped | Self::SyncForgotten => call == Call::Sync,
            Self::TruncateError => call == Call::Truncate,
            Self::DeleteError => call == Call::Delete,
            Self::ReadError => call == Call::Read,
            Self::OpenError => call == Call::Open,
            Self::MapError => call == Call::Map,
            Self::PowerCut => matches!(call, Call::Write | Call::Sync | Call::Truncate | Call::Delete),
        }
    }

    /// What SQLite's own layer over the kernel answers then.
    fn code(self) -> c_int {
        match self {
            Self::Full | Self::FullHalfway | Self::FullBeyondTheEnd => ffi::SQLITE_FULL,
            Self::WriteError => ffi::SQLITE_IOERR_WRITE,
            Self::SyncDropped | Self::SyncForgotten => ffi::SQLITE_IOERR_FSYNC,
            Self::TruncateError => ffi::SQLITE_IOERR_TRUNCATE,
            Self::DeleteError => ffi::SQLITE_IOERR_DELETE,
            Self::ReadError => ffi::SQLITE_IOERR_READ,
            Self::OpenError => ffi::SQLITE_CANTOPEN,
            Self::MapError => ffi::SQLITE_IOERR_SHMMAP,
            Self::PowerCut => ffi::SQLITE_IOERR,
        }
    }
}

/// Which call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub failure: Failure,
    /// Of the calls that it strikes, from 1.
    pub nth: u64,
    /// Whether those after it fail too, until somebody mends it.
    pub lasts: bool,
}

/// What is left of the machine when it starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The process was killed, and the kernel has it all.
    All,
    /// What was synced, and of the rest what a seed says.
    Synced(u64),
}

/// A file.
#[derive(Default)]
struct Content {
    /// As its readers see it.
    current: Vec<u8>,
    /// As the disk has it; `None` before the first sync.
    durable: Option<Vec<u8>>,
    /// Pages that differ, of which the kernel knows.
    dirty: BTreeSet<usize>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// Removed, and the folder was not synced since: a power cut may bring them back.
    removed: BTreeMap<String, Vec<u8>>,
    plan: Option<Plan>,
    /// Calls so far that the planned failure strikes, or of each kind where none is planned.
    calls: BTreeMap<Call, u64>,
    struck: u64,
    off: bool,
    open: usize,
    lies: bool,
}

/// The disk under one folder.
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

static DISKS: Mutex<Vec<Weak<Disk>>> = Mutex::new(Vec::new());

impl Disk {
    /// A disk under a folder that is empty.
    pub fn new(folder: &Path) -> Arc<Self> {
        let disk = Arc::new(Self { folder: folder.to_owned(), state: Mutex::default() });
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|other| other.strong_count() > 0);
        disks.push(Arc::downgrade(&disk));
        disk
    }

    /// The disk that a file is on.
    pub fn of(file: &Path) -> Option<Arc<Self>> {
        let folder = file.parent()?;
        let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.iter().filter_map(Weak::upgrade).find(|disk| disk.folder == folder)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans a failure; calls count from now on.
    pub fn plan(&self, plan: Plan) {
        let mut state = self.state();
        state.calls.clear();
        state.plan = Some(plan);
    }

    /// From now on syncs do nothing, and say that they did.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        self.state().plan = None;
    }

    /// How often a planned failure came about.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// Whether nothing fails now, nor will.
    pub fn is_well(&self) -> bool {
        let state = self.state();
        state.plan.is_none() && !state.off
    }

    /// Calls of each kind since the beginning.
    pub fn calls(&self) -> BTreeMap<Call, u64> {
        self.state().calls.clone()
    }

    /// Files that somebody has open.
    pub fn open_files(&self) -> usize {
        self.state().open
    }

    /// The machine stops: no call has an effect any more.
    pub fn cut_power(&self) {
        self.state().off = true;
    }

    /// The machine starts again. Nobody may have a file open.
    pub fn start(&self, left: Left) {
        let mut state = self.state();
        assert_eq!(state.open, 0, "files are open over a restart");
        let mut random = Random::new(if let Left::Synced(seed) = left { seed } else { 0 });
        let mut files = std::mem::take(&mut state.files);
        let removed = std::mem::take(&mut state.removed);
        if let Left::Synced(_) = left {
            let keeps_some = random.percent(50);
            files.retain(|_, content| {
                content.lose(keeps_some.then_some(&mut random));
                content.durable.is_some()
            });
            for (name, bytes) in removed {
                if !files.contains_key(&name) && random.percent(50) {
                    files.insert(name, Content::synced(bytes));
                }
            }
        }
        for entry in std::fs::read_dir(&self.folder).expect("the folder is there") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("it is ours");
        }
        for (name, content) in &files {
            std::fs::write(self.folder.join(name), &content.current).expect("there is room for the test");
        }
        state.files = files;
        state.off = false;
    }

    /// Counts a call, and says what becomes of it.
    fn judge(state: &mut State, call: Call, grows: bool) -> Result<(), Failure> {
        if state.off {
            return Err(Failure::PowerCut);
        }
        *state.calls.entry(call).or_default() += 1;
        let Some(plan) = state.plan.filter(|plan| plan.failure.strikes(call)) else { return Ok(()) };
        let count: u64 =
            state.calls.iter().filter(|(of, _)| plan.failure.strikes(**of)).map(|(_, n)| n).sum();
        if count < plan.nth || (plan.failure == Failure::FullBeyondTheEnd && !grows) {
            return Ok(());
        }
        state.struck += 1;
        if !plan.lasts {
            state.plan = None;
        }
        state.off = plan.failure == Failure::PowerCut;
        Err(plan.failure)
    }

    pub fn opens(&self, name: &str, open: impl FnOnce() -> c_int) -> c_int {
        let mut state = self.state();
        if let Err(failure) = Self::judge(&mut state, Call::Open, false) {
            return if failure == Failure::PowerCut { ffi::SQLITE_CANTOPEN } else { failure.code() };
        }
        let code = open();
        if code == ffi::SQLITE_OK {
            state.open += 1;
            state.files.entry(name.to_owned()).or_default();
        }
        code
    }

    pub fn closed(&self) {
        self.state().open -= 1;
    }

    /// Reads, or shares memory.
    pub fn passes(&self, call: Call, perform: impl FnOnce() -> c_int) -> c_int {
        match Self::judge(&mut self.state(), call, false) {
            Ok(()) => perform(),
            Err(failure) => failure.code(),
        }
    }

    pub fn writes(&self, name: &str, bytes: &[u8], at: usize, write: impl FnOnce(&[u8]) -> c_int) -> c_int {
        let mut state = self.state();
        let grows = state.files.get(name).is_none_or(|content| content.current.len() < at + bytes.len());
        let (part, outcome) = match Self::judge(&mut state, Call::Write, grows) {
            Ok(()) => (bytes, ffi::SQLITE_OK),
            Err(Failure::FullHalfway) => (&bytes[..bytes.len() / 2], ffi::SQLITE_FULL),
            Err(failure) => return failure.code(),
        };
        let code = if part.is_empty() { ffi::SQLITE_OK } else { write(part) };
        assert_eq!(code, ffi::SQLITE_OK, "the file below {name} can be written");
        state.files.entry(name.to_owned()).or_default().write(part, at);
        outcome
    }

    /// `put` writes to the file below.
    pub fn syncs(
        &self,
        name: &str,
        sync: impl FnOnce() -> c_int,
        mut put: impl FnMut(&[u8], usize) -> c_int,
    ) -> c_int {
        let mut state = self.state();
        let judged = Self::judge(&mut state, Call::Sync, false);
        let lies = state.lies;
        let content = state.files.entry(name.to_owned()).or_default();
        match judged {
            Ok(()) if lies => ffi::SQLITE_OK,
            Ok(()) => {
                let code = sync();
                let first = content.sync();
                // SQLite syncs the folder of a log or journal that it has made.
                if first && name.contains(".db-") {
                    state.removed.clear();
                }
                code
            }
            Err(failure) => {
                let dirty = if failure == Failure::PowerCut { BTreeSet::new() } else { content.forget() };
                if failure == Failure::SyncDropped {
                    for page in dirty {
                        let bytes = content.drop_page(page);
                        assert_eq!(put(&bytes, page * PAGE), ffi::SQLITE_OK, "the file below can be written");
                    }
                }
                failure.code()
            }
        }
    }

    pub fn truncates(&self, name: &str, length: usize, truncate: impl FnOnce() -> c_int) -> c_int {
        let mut state = self.state();
        if let Err(failure) = Self::judge(&mut state, Call::Truncate, false) {
            return failure.code();
        }
        let content = state.files.entry(name.to_owned()).or_default();
        content.current.resize(length, 0);
        content.dirty.retain(|page| page * PAGE < length);
        truncate()
    }

    /// `for_good` where the folder is synced too.
    pub fn deletes(&self, name: &str, for_good: bool, delete: impl FnOnce() -> c_int) -> c_int {
        let mut state = self.state();
        if let Err(failure) = Self::judge(&mut state, Call::Delete, false) {
            return failure.code();
        }
        let content = state.files.remove(name);
        if for_good {
            state.removed.clear();
        } else if let Some(durable) = content.and_then(|content| content.durable) {
            state.removed.insert(name.to_owned(), durable);
        }
        delete()
    }
}

impl Content {
    fn synced(bytes: Vec<u8>) -> Self {
        Self { current: bytes.clone(), durable: Some(bytes), dirty: BTreeSet::new() }
    }

    fn write(&mut self, bytes: &[u8], at: usize) {
        let end = at + bytes.len();
        if self.current.len() < end {
            self.current.resize(end, 0);
        }
        self.current[at..end].copy_from_slice(bytes);
        self.dirty.extend(at / PAGE..end.div_ceil(PAGE));
    }

    /// True for the first sync of the file.
    fn sync(&mut self) -> bool {
        let first = self.durable.is_none();
        let mut durable = self.durable.take().unwrap_or_default();
        durable.resize(self.current.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            copy_page(&self.current, &mut durable, page);
        }
        self.durable = Some(durable);
        first
    }

    /// The kernel takes its pages for clean.
    fn forget(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.dirty)
    }

    /// Shows of a page what the disk has.
    fn drop_page(&mut self, page: usize) -> Vec<u8> {
        let mut durable = self.durable.clone().unwrap_or_default();
        durable.resize(self.current.len(), 0);
        copy_page(&durable, &mut self.current, page);
        let end = durable.len().min((page + 1) * PAGE);
        durable[page * PAGE..end].to_vec()
    }

    /// The power is cut. Of the pages that were not synced those are kept that chance says.
    fn lose(&mut self, random: Option<&mut Random>) {
        if let (Some(random), Some(durable)) = (random, &mut self.durable) {
            if random.percent(50) {
                durable.resize(self.current.len(), 0);
            }
            for page in &self.dirty {
                if random.percent(50) {
                    let end = self.current.len().min((page + 1) * PAGE);
                    if durable.len() < end {
                        durable.resize(end, 0);
                    }
                    copy_page(&self.current, durable, *page);
                }
            }
        }
        self.current = self.durable.clone().unwrap_or_default();
        self.dirty.clear();
    }
}

/// Copies a page as far as both have it.
fn copy_page(from: &[u8], to: &mut [u8], page: usize) {
    let (start, end) = (page * PAGE, from.len().min(to.len()).min((page + 1) * PAGE));
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}
