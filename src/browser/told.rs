//! What the person at this tab is told of others' doings: glows, toasts, and one line instead of many.

use std::collections::BTreeMap;
use std::time::Duration;

use leptos::prelude::*;

use super::clock::wall_ms;
use crate::app::activity::{self, Deed};
use crate::app::dashboard_store::{DashboardStore, SyncState, ToastAction};
use crate::app::format;
use crate::dashboard::{Op, User, WidgetId};
use crate::sync::protocol::Change;
use crate::sync::replica::{Changes, Notice};

/// More widgets than this at once become one line.
const MOST_GLOWS: usize = 10;
/// How long that line stays.
const SUMMARY: Duration = Duration::from_secs(6);

/// Lists what others did and says who removed what, while the store still has what was there before.
pub fn before(store: &DashboardStore, changes: &Changes) {
    let ops: Vec<&[Op]> = changes.foreign.iter().map(|commit| &*commit.ops).collect();
    // While the page follows, changes come as they are made; else they are what was missed.
    let live = matches!(
        *store.sync.read_untracked(),
        SyncState::Saved | SyncState::Saving | SyncState::Conflict | SyncState::ReadOnly
    );
    let now = wall_ms();
    for (commit, deeds) in changes.foreign.iter().zip(store.deeds(&ops)) {
        let ahead = store.server_ahead_ms.get_value();
        let (at, ahead) = activity::here_at(commit.at, now, ahead, live);
        store.server_ahead_ms.set_value(ahead);
        store.list(&commit.by, at, deeds);
    }
    for commit in &changes.foreign {
        let removed = commit.ops.iter().filter_map(|op| match op {
            Op::RemoveWidget { id } => Some(id),
            _ => None,
        });
        for id in removed {
            let Some(signals) = store.widget(id) else { continue };
            let title = signals.widget.with_untracked(|widget| widget.title.clone());
            let ops = vec![Op::RestoreWidget { id: id.clone() }];
            let action = ToastAction::Edit { label: "Restore".to_owned(), ops };
            store.toast(format!("{} removed “{title}”.", commit.by.name), Some(action));
        }
    }
}

/// Says that widgets are others than they were, where the log does not go back far enough to tell why, or
/// goes back to less.
pub fn taken_anew(store: &DashboardStore, changes: &Changes, now_ms: u64) {
    let widgets = changes.widgets.len();
    if widgets > 0 {
        let restored = changes.notices.iter().any(|notice| matches!(notice, Notice::Restored { .. }));
        let widgets = format::count(widgets, "widget", "widgets");
        let (name, words) = match restored {
            true => ("The server", format!("was restored to an earlier state, with {widgets} as they were")),
            false => ("Others", format!("changed {widgets}, and nobody can say any more who it was")),
        };
        let by = User { name: name.to_owned(), color: "var(--text-3)".to_owned(), ..User::default() };
        store.list(&by, now_ms.saturating_sub(1), vec![Deed { widget: None, words }]);
    }
}

/// Lists an own edit that is about to show.
pub fn mine(store: &DashboardStore, ops: &[Op], now_ms: u64) {
    for deeds in store.deeds(&[ops]) {
        store.list(&store.me.read_untracked(), now_ms, deeds);
    }
}

/// Lists an own step back or forth, which leads to its widget where it is about one.
pub fn stepped(store: &DashboardStore, changes: &Changes, did: &str, now_ms: u64) {
    let widget = changes.widgets.first().filter(|_| changes.widgets.len() == 1).cloned();
    store.list(&store.me.read_untracked(), now_ms, vec![Deed { widget, words: did.to_owned() }]);
}

/// Lets what others changed glow, and says what became of own edits that are not simply saved.
pub fn after(store: &DashboardStore, changes: &Changes, me: &User) {
    let mut touched: BTreeMap<&WidgetId, &User> = BTreeMap::new();
    for commit in &changes.foreign {
        for op in &commit.ops {
            let made_room = matches!(op, Op::Place { settled: true, .. });
            if let Some(id) = op.widget_id().filter(|_| !made_room) {
                touched.insert(id, &commit.by);
            }
        }
    }
    if touched.len() > MOST_GLOWS {
        summarize(store, &touched);
    } else {
        for (id, by) in touched {
            store.glow(id, by);
        }
    }
    for notice in &changes.notices {
        tell(store, notice, me);
    }
}

fn summarize(store: &DashboardStore, touched: &BTreeMap<&WidgetId, &User>) {
    let mut by_person: BTreeMap<&str, usize> = BTreeMap::new();
    for user in touched.values() {
        *by_person.entry(&user.name).or_default() += 1;
    }
    let lines: Vec<String> =
        by_person.iter().map(|(name, count)| format!("{name} changed {count} widgets")).collect();
    let line = lines.join(", ");
    let summary = store.summary;
    summary.set(Some(line.clone()));
    let fade = move || {
        if summary.get_untracked().as_ref() == Some(&line) {
            summary.set(None);
        }
    };
    set_timeout(fade, SUMMARY);
}

fn tell(store: &DashboardStore, notice: &Notice, me: &User) {
    match notice {
        Notice::Refused { op, reason } => {
            let op = std::slice::from_ref(op);
            store.list_refused(op, wall_ms());
            store.not_saved(op, reason);
        }
        Notice::SetAside { change, reason, .. } => {
            store.list_refused(&change.ops, wall_ms());
            store.not_saved(&change.ops, reason);
        }
        Notice::Unknown { change } => {
            store.not_saved(
                &change.ops,
                "It reached the server so long ago that nobody can say what became of it.",
            );
        }
        Notice::Restored { missing, changes } => restored(store, *missing, changes),
        Notice::Conflict { conflict, mine_shows } => {
            let theirs = if conflict.kept.by.id == me.id { &conflict.other.by } else { &conflict.kept.by };
            let field = &conflict.cell.field;
            let text = if *mine_shows {
                format!("{} wrote another {field} at the same time. Yours shows; both are kept.", theirs.name)
            } else {
                format!(
                    "{} wrote another {field} at the same time. Theirs shows; yours is kept.",
                    theirs.name
                )
            };
            store.toast(text, Some(ToastAction::Conflicts));
        }
    }
}

/// Says what a restored server does not have any more, and puts it back into its author's hands.
fn restored(store: &DashboardStore, missing: u64, changes: &[Change]) {
    const REASON: &str = "The server was restored to an earlier state, which does not have this.";
    let mut kept = false;
    for op in changes.iter().flat_map(|change| &change.ops) {
        kept |= store.keep_unsaved(op, REASON);
    }
    let mut line = "The server was restored to an earlier state.".to_owned();
    if missing > 0 {
        let missing = format::count(missing as usize, "saved edit", "saved edits");
        line.push_str(&format!(" Of yours, {missing} cannot be found in it."));
    }
    if kept {
        line.push_str(" What you wrote is kept here, under “Not saved”.");
    }
    store.summary.set(Some(line));
}
