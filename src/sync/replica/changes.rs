//! Changes that a step of a replica makes, for those who show it and tell people of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dashboard::{Conflict, Dashboard, Op, WidgetId};

use crate::sync::protocol::{Change, Code, Commit};

/// What a step changed, for the signals that show it.
#[derive(Debug, Default)]
pub struct Changes {
    /// Widgets whose view is another now, came, or went.
    pub widgets: BTreeSet<WidgetId>,
    /// Title, settings, tombstones or conflicts are others now.
    pub rest: bool,
    /// Commits of others, in order.
    pub foreign: Vec<Commit>,
    /// What the person at this tab is to be told.
    pub notices: Vec<Notice>,
    /// Own changes that the log has now.
    pub landed: Landed,
    /// Own changes of which nothing was left to save: others have removed the same. They count as saved.
    pub void: Vec<Change>,
}

/// How many own changes came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landed {
    /// In effect, all of it.
    pub saved: usize,
    /// In a conflict record, some of it.
    pub met: usize,
    /// Back in their author's hands, some of it or all.
    pub returned: usize,
}

impl Landed {
    pub fn all(self) -> usize {
        self.saved + self.met + self.returned
    }
}

impl std::ops::AddAssign for Landed {
    fn add_assign(&mut self, more: Self) {
        self.saved += more.saved;
        self.met += more.met;
        self.returned += more.returned;
    }
}

/// Something that became of an own edit, other than that it was applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An op had no effect; here it is.
    Refused { op: Op, reason: String },
    /// A change never reached the log; here it is.
    SetAside { change: Change, code: Code, reason: String },
    /// A change reached the log, which no longer tells what became of it; here it is.
    Unknown { change: Change },
    /// The server was restored to an earlier state. So many changes of mine that were saved are not in it;
    /// here are the last of them.
    Restored { missing: u64, changes: Vec<Change> },
    /// Another value met mine; both are kept.
    Conflict { conflict: Arc<Conflict>, mine_shows: bool },
}

/// Notes what differs between two views. Widgets that the copies share are equal without a look.
pub(super) fn differences(old: &Dashboard, new: &Dashboard, changes: &mut Changes) {
    for (id, widget) in &new.widgets {
        match old.widgets.get(id) {
            Some(before) if Arc::ptr_eq(before, widget) || before == widget => {}
            _ => {
                changes.widgets.insert(id.clone());
            }
        }
    }
    changes.widgets.extend(old.widgets.keys().filter(|id| !new.widgets.contains_key(*id)).cloned());
    changes.rest |= old.title != new.title
        || old.settings != new.settings
        || !same(&old.conflicts, &new.conflicts)
        || !old.removed.keys().eq(new.removed.keys());
}

fn same<K: Ord, V: PartialEq>(
    old: &std::collections::BTreeMap<K, Arc<V>>,
    new: &std::collections::BTreeMap<K, Arc<V>>,
) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|((a, x), (b, y))| a == b && (Arc::ptr_eq(x, y) || x == y))
}
