//! The audit log in memory.

use std::collections::VecDeque;

use super::super::accounts::{AuditOrder, AuditQuery, MAX_AUDIT, MAX_AUDIT_FAILURES, MAX_FORGOTTEN};
use crate::app::audit::{AuditEntry, AuditFilter, TargetKind, Weight};
use crate::dashboard::fold::fold;

/// Entries, the oldest first.
#[derive(Default)]
pub(super) struct AuditLog {
    entries: VecDeque<AuditEntry>,
    failures: usize,
    last: u64,
}

fn is_failure(entry: &AuditEntry) -> bool {
    entry.what.weight() == Weight::Failure
}

impl AuditLog {
    /// `title` is that of the dashboard with an id.
    pub(super) fn append(&mut self, mut entry: AuditEntry, title: impl Fn(&str) -> Option<String>) {
        self.last += 1;
        entry.n = self.last;
        if let Some(about) = entry.about.as_mut().filter(|about| about.kind == TargetKind::Dashboard)
            && about.name.is_empty()
        {
            about.name = title(&about.id).unwrap_or_default();
        }
        self.failures += usize::from(is_failure(&entry));
        self.entries.push_back(entry);
        if self.failures > MAX_AUDIT_FAILURES
            && let Some(at) = self.entries.iter().position(is_failure)
        {
            self.remove(at);
        }
        if self.entries.len() > MAX_AUDIT {
            let of_use = self.entries.iter().position(|one| one.what.weight() == Weight::Use);
            self.remove(of_use.unwrap_or(0));
        }
    }

    fn remove(&mut self, at: usize) {
        let removed = self.entries.remove(at);
        self.failures -= usize::from(removed.as_ref().is_some_and(is_failure));
    }

    pub(super) fn read(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        let AuditQuery { filter, order, after, limit } = query;
        let who = fold(&filter.who);
        let fits = |entry: &&AuditEntry| matches(filter, &who, entry);
        let found: Box<dyn Iterator<Item = &AuditEntry>> = match order {
            AuditOrder::Newest => {
                Box::new(self.entries.iter().rev().filter(|one| after.is_none_or(|after| one.n < after)))
            }
            AuditOrder::Oldest => {
                Box::new(self.entries.iter().filter(|one| after.is_none_or(|after| one.n > after)))
            }
        };
        found.filter(fits).take(*limit).cloned().collect()
    }

    pub(super) fn forget(&mut self, before: u64) -> usize {
        let mut forgotten = 0;
        while forgotten < MAX_FORGOTTEN
            && let Some(at) = self.entries.iter().position(|one| one.at < before)
        {
            self.remove(at);
            forgotten += 1;
        }
        forgotten
    }
}

/// `who` is the filter's, folded.
fn matches(filter: &AuditFilter, who: &str, entry: &AuditEntry) -> bool {
    let is_who = || {
        entry.who.id.as_deref() == Some(filter.who.as_str())
            || fold(&entry.who.name).contains(who)
            || entry
                .detail
                .email
                .as_deref()
                .is_some_and(|email| is_failure(entry) && fold(email).contains(who))
    };
    let is_about = |id: &str| {
        entry.about.as_ref().is_some_and(|about| about.kind == TargetKind::Dashboard && about.id == id)
    };
    (who.is_empty() || is_who())
        && filter.what.is_none_or(|what| entry.what == what)
        && filter.dashboard.as_ref().is_none_or(|id| is_about(id.as_str()))
        && filter.from.is_none_or(|from| entry.at >= from)
        && filter.to.is_none_or(|to| entry.at < to)
}
