//! Model of the store of dashboards: the states that each dashboard can be in, by the answers so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep::dashboard::DashboardId;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{
    Appended, Deletion, Listing, Most, NewDashboard, Store as _, StoreError, Stored,
};

/// All that a script writes stays in its log.
const KEEP: Most = Most { commits: usize::MAX, bytes: usize::MAX };

/// A dashboard with its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dash {
    pub epoch: String,
    pub listing: Listing,
    /// The snapshot, and its revision.
    pub state: (u64, Arc<str>),
    pub log: Vec<(u64, Arc<str>)>,
    pub binned: bool,
}

/// What was read of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// In the bin, where its log is not read.
    Binned(Listing),
    Whole(Dash),
}

impl Dash {
    pub fn revision(&self) -> u64 {
        self.log.last().map_or(0, |(revision, _)| *revision)
    }

    fn in_short(&self) -> String {
        let bin = if self.binned { ", in the bin" } else { "" };
        format!("{} at {} with a snapshot at {}{bin}", self.epoch, self.revision(), self.state.0)
    }
}

/// A write.
pub enum Op {
    Create(NewDashboard),
    Append { id: DashboardId, commits: Vec<Appended>, listing: Listing },
    Snapshot { id: DashboardId, revision: u64, state: Arc<str> },
    Renew { id: DashboardId, epoch: String },
    Delete { id: DashboardId },
    Restore { id: DashboardId },
    Purge { id: DashboardId },
}

impl Op {
    pub fn id(&self) -> &DashboardId {
        match self {
            Self::Create(new) => &new.id,
            Self::Append { id, .. }
            | Self::Snapshot { id, .. }
            | Self::Renew { id, .. }
            | Self::Delete { id }
            | Self::Restore { id }
            | Self::Purge { id } => id,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "creating",
            Self::Append { .. } => "appending",
            Self::Snapshot { .. } => "saving a snapshot",
            Self::Renew { .. } => "renewing",
            Self::Delete { .. } => "deleting",
            Self::Restore { .. } => "restoring",
            Self::Purge { .. } => "deleting for good",
        }
    }

    pub async fn perform(&self, store: &SqliteStore) -> Result<(), StoreError> {
        match self {
            Self::Create(new) => store.create(new.clone()).await,
            Self::Append { id, commits, listing } => store.append(id, commits.clone(), listing.clone()).await,
            Self::Snapshot { id, revision, state } => {
                store.save_snapshot(id, *revision, state.clone(), KEEP).await
            }
            Self::Renew { id, epoch } => store.renew(id, epoch).await,
            Self::Delete { id } => {
                let deletion = Deletion { at: 1, by: None };
                store.delete(id, &deletion, usize::MAX).await.and_then(was_there)
            }
            Self::Restore { id } => store.restore(id, usize::MAX).await.and_then(was_there),
            Self::Purge { id } => store.purge(id, u64::MAX).await.and_then(was_there),
        }
    }

    /// Whether a reader has seen some of it.
    pub fn is_in(&self, tail: &[Stored]) -> bool {
        let Self::Append { commits, .. } = self else { return false };
        tail.iter().any(|stored| commits.iter().any(|commit| commit.body == stored.body))
    }

    /// What it makes of a dashboard; `None` where it does not fit.
    fn apply(&self, to: Option<&Dash>) -> Option<Option<Dash>> {
        match (self, to) {
            (Self::Create(new), None) => Some(Some(Dash {
                epoch: new.epoch.clone(),
                listing: new.listing.clone(),
                state: (0, new.state.clone()),
                log: Vec::new(),
                binned: false,
            })),
            (Self::Append { commits, listing, .. }, Some(dash)) if !dash.binned => {
                let follows = commits.first().is_some_and(|first| first.revision == dash.revision() + 1);
                follows.then(|| {
                    let mut dash = dash.clone();
                    dash.listing = listing.clone();
                    dash.log.extend(commits.iter().map(|commit| (commit.revision, commit.body.clone())));
                    Some(dash)
                })
            }
            (Self::Snapshot { revision, state, .. }, Some(dash)) => {
                let newer = *revision > dash.state.0 && *revision <= dash.revision();
                let state = if newer { (*revision, state.clone()) } else { dash.state.clone() };
                Some(Some(Dash { state, ..dash.clone() }))
            }
            (Self::Renew { epoch, .. }, Some(dash)) if !dash.binned => {
                Some(Some(Dash { epoch: epoch.clone(), ..dash.clone() }))
            }
            (Self::Delete { .. }, Some(dash)) if !dash.binned => {
                Some(Some(Dash { binned: true, ..dash.clone() }))
            }
            (Self::Restore { .. }, Some(dash)) if dash.binned => {
                Some(Some(Dash { binned: false, ..dash.clone() }))
            }
            (Self::Purge { .. }, Some(dash)) if dash.binned => Some(None),
            _ => None,
        }
    }
}

fn was_there(was: bool) -> Result<(), StoreError> {
    if was { Ok(()) } else { Err(StoreError::Gone) }
}

/// All dashboards that were ever asked for. Of each, first as it was last known to be.
#[derive(Default)]
pub struct Model(BTreeMap<DashboardId, Vec<Option<Dash>>>);

impl Model {
    /// Those that are there, as far as is known.
    pub fn known(&self) -> Vec<DashboardId> {
        self.those(|dash| !dash.binned)
    }

    /// Those in the bin, as far as is known.
    pub fn binned(&self) -> Vec<DashboardId> {
        self.those(|dash| dash.binned)
    }

    fn those(&self, which: impl Fn(&Dash) -> bool) -> Vec<DashboardId> {
        let those = self.0.iter().filter(|(_, can)| can[0].as_ref().is_some_and(&which));
        those.map(|(id, _)| id.clone()).collect()
    }

    pub fn base(&self, id: &DashboardId) -> Option<&Dash> {
        self.0.get(id).and_then(|can| can[0].as_ref())
    }

    fn of(&mut self, id: &DashboardId) -> &mut Vec<Option<Dash>> {
        self.0.entry(id.clone()).or_insert_with(|| vec![None])
    }

    /// A write was acknowledged.
    pub fn done(&mut self, op: &Op) -> Result<(), String> {
        let can = self.of(op.id());
        let now: Vec<_> = can.iter().filter_map(|dash| op.apply(dash.as_ref())).collect();
        if now.is_empty() {
            return Err(format!("{}: {} was taken, and does not fit", op.id(), op.name()));
        }
        *can = now;
        Ok(())
    }

    /// A write was turned down: it does not fit.
    pub fn refused(&mut self, op: &Op) -> Result<(), String> {
        let can = self.of(op.id());
        let now: Vec<_> = can.iter().filter(|dash| op.apply(dash.as_ref()).is_none()).cloned().collect();
        if now.is_empty() {
            return Err(format!("{}: {} was turned down, and fits", op.id(), op.name()));
        }
        *can = now;
        Ok(())
    }

    /// A write was answered with an error: it is wholly there, or wholly not.
    pub fn unsure(&mut self, op: &Op) {
        let can = self.of(op.id());
        for dash in can.clone() {
            if let Some(dash) = op.apply(dash.as_ref())
                && !can.contains(&dash)
            {
                can.push(dash);
            }
        }
    }

    pub fn all(&self) -> Vec<DashboardId> {
        self.0.keys().cloned().collect()
    }

    /// Those that may be one thing or another.
    pub fn unclear(&self) -> Vec<DashboardId> {
        self.0.iter().filter(|(_, can)| can.len() > 1).map(|(id, _)| id.clone()).collect()
    }

    /// What was read of one. True where it is more than was last known.
    pub fn found(&mut self, id: &DashboardId, found: &Found) -> Result<bool, String> {
        let can = self.of(id);
        let fits = |dash: &Option<Dash>| match (found, dash) {
            (Found::Nothing, None) => true,
            (Found::Binned(listing), Some(dash)) => dash.binned && dash.listing == *listing,
            (Found::Whole(found), Some(dash)) => found == dash,
            _ => false,
        };
        if !can.iter().any(fits) {
            let found = match found {
                Found::Nothing => "nothing".to_owned(),
                Found::Binned(_) => "something in the bin".to_owned(),
                Found::Whole(dash) => dash.in_short(),
            };
            let can: Vec<_> =
                can.iter().map(|dash| dash.as_ref().map_or("nothing".to_owned(), Dash::in_short)).collect();
            return Err(format!("lost: {id} has {found}, and should have {}", can.join(" or ")));
        }
        let more = !fits(&can[0]);
        can.retain(fits);
        Ok(more)
    }
}
