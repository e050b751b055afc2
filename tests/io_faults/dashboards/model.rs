//! Model of the store of dashboards: the states that each dashboard can be in, by the answers so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep::dashboard::DashboardId;
use lockstep::server::store::sqlite::SqliteStore;
use lockstep::server::store::{Appended, Listing, Most, NewDashboard, Store as _, StoreError, Stored};

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
}

impl Dash {
    pub fn revision(&self) -> u64 {
        self.log.last().map_or(0, |(revision, _)| *revision)
    }

    fn in_short(&self) -> String {
        format!("{} at {} with a snapshot at {}", self.epoch, self.revision(), self.state.0)
    }
}

/// A write.
pub enum Op {
    Create(NewDashboard),
    Append { id: DashboardId, commits: Vec<Appended>, listing: Listing },
    Snapshot { id: DashboardId, revision: u64, state: Arc<str> },
    Renew { id: DashboardId, epoch: String },
    Delete { id: DashboardId },
}

impl Op {
    pub fn id(&self) -> &DashboardId {
        match self {
            Self::Create(new) => &new.id,
            Self::Append { id, .. }
            | Self::Snapshot { id, .. }
            | Self::Renew { id, .. }
            | Self::Delete { id } => id,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "creating",
            Self::Append { .. } => "appending",
            Self::Snapshot { .. } => "saving a snapshot",
            Self::Renew { .. } => "renewing",
            Self::Delete { .. } => "deleting",
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
                store.delete(id).await.and_then(|was| if was { Ok(()) } else { Err(StoreError::Gone) })
            }
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
            })),
            (Self::Append { commits, listing, .. }, Some(dash)) => {
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
            (Self::Renew { epoch, .. }, Some(dash)) => {
                Some(Some(Dash { epoch: epoch.clone(), ..dash.clone() }))
            }
            (Self::Delete { .. }, Some(_)) => Some(None),
            _ => None,
        }
    }
}

/// All dashboards that were ever asked for. Of each, first as it was last known to be.
#[derive(Default)]
pub struct Model(BTreeMap<DashboardId, Vec<Option<Dash>>>);

impl Model {
    /// Those that are there, as far as is known.
    pub fn known(&self) -> Vec<DashboardId> {
        self.0.iter().filter(|(_, can)| can[0].is_some()).map(|(id, _)| id.clone()).collect()
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

    /// Which are worth reading: all where it settles them, else those that may be one thing or another.
    pub fn unclear(&self, settles: bool) -> Vec<DashboardId> {
        let unclear = self.0.iter().filter(|(_, can)| settles || can.len() > 1);
        unclear.map(|(id, _)| id.clone()).collect()
    }

    /// What was read of one. True where it is more than was last known.
    pub fn found(&mut self, id: &DashboardId, found: Option<Dash>, settles: bool) -> Result<bool, String> {
        let can = self.of(id);
        if !can.contains(&found) {
            let found = found.map_or("nothing".to_owned(), |dash| dash.in_short());
            let can: Vec<_> =
                can.iter().map(|dash| dash.as_ref().map_or("nothing".to_owned(), Dash::in_short)).collect();
            return Err(format!("lost: {id} has {found}, and should have {}", can.join(" or ")));
        }
        let more = can[0] != found;
        // What somebody has read stays. What nobody can read may come back, until it is written over.
        if settles || more {
            *can = vec![found];
        }
        Ok(more)
    }
}
