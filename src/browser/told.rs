//! Notifications of others' changes for the person at this tab: glows, toasts, one line instead of many, and
//! what became of own edits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;

use super::clock::wall_ms;
use crate::app::activity::{self, Deed};
use crate::app::dashboard_store::{DashboardStore, Review, SyncState, Toast, ToastAction};
use crate::app::{conflicts, format, time};
use crate::dashboard::settings::RANGE;
use crate::dashboard::{Choice, Conflict, ConflictId, Op, Strategy, User, Widget, WidgetId};
use crate::sync::protocol::Change;
use crate::sync::replica::{Changes, Landed, Notice, TakenBack};
use crate::sync::undo::Steps;

/// More widgets than this at once become one line.
const MAX_GLOWS: usize = 10;
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
        store.list(&commit.by, at, Some(commit.revision), deeds);
    }
    for commit in &changes.foreign {
        for op in &commit.ops {
            match op {
                Op::SettleConflict { conflict, choose } => settled(store, &commit.by, conflict, choose),
                // All charts are about to show something else.
                Op::SetDashboard { field, value } if live && field == RANGE => {
                    store.toast(time::told(&commit.by.name, value, store), None);
                }
                _ => {}
            }
        }
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

/// Says what somebody chose to those who wrote one of the two values.
fn settled(store: &DashboardStore, by: &User, id: &ConflictId, choose: &Choice) {
    let me = store.me.with_untracked(|me| me.id.clone());
    let Some(conflict) = store.conflict(id) else { return };
    if by.id != me && (conflict.kept.by.id == me || conflict.other.by.id == me) {
        let chosen = conflicts::chosen(&conflict, choose, widget_of(store, &conflict).as_deref());
        store.toast(format!("{} {chosen}.", by.name), Some(ToastAction::Conflicts { label: "Show" }));
    }
}

fn widget_of(store: &DashboardStore, conflict: &Conflict) -> Option<Arc<Widget>> {
    store.known(conflict.cell.id.as_ref()?)
}

/// Says that widgets are others than they were, where the log does not go back far enough to tell why, or
/// goes back to less: since the cut, in Unix milliseconds.
pub fn taken_anew(store: &DashboardStore, changes: &Changes, cut_ms: u64) {
    let widgets = changes.widgets.len();
    if widgets > 0 {
        let restored = changes.notices.iter().any(|notice| matches!(notice, Notice::Restored { .. }));
        let widgets = format::count(widgets, "widget", "widgets");
        let (name, words) = match restored {
            true => ("The server", format!("was restored to an earlier state, with {widgets} as they were")),
            false => ("Others", format!("changed {widgets}, and nobody can say any more who it was")),
        };
        let by = User { name: name.to_owned(), color: "var(--text-3)".to_owned(), ..User::default() };
        store.list(&by, cut_ms, None, vec![Deed::new(None, words)]);
    }
}

/// Lists an own edit that is about to show.
pub fn mine(store: &DashboardStore, ops: &[Op], now_ms: u64) {
    for deeds in store.deeds(&[ops]) {
        store.list(&store.me.read_untracked(), now_ms, None, deeds);
    }
}

/// Lists an own step back or forth, which leads to its widget where it is about one.
pub fn stepped(store: &DashboardStore, changes: &Changes, did: &str, now_ms: u64) {
    let widget = changes.widgets.first().filter(|_| changes.widgets.len() == 1).cloned();
    store.list(&store.me.read_untracked(), now_ms, None, vec![Deed::new(widget, did.to_owned())]);
}

/// Lists that steps of somebody are about to be taken back, and says what stays.
pub fn took_back(store: &DashboardStore, by: &User, steps: &Steps, taken: &TakenBack) {
    let any = taken.steps > 0;
    if any {
        let count = format::count(taken.steps, "step", "steps");
        stepped(store, &taken.changes, &format!("took back {count} of {}", by.name), wall_ms());
        store.forget_steps(Some((&by.id, steps)));
    }
    store.toast(activity::taken_back(taken, &by.name), any.then_some(ToastAction::Undo));
}

/// Lets what others changed glow, and says what became of own edits that are not simply saved.
pub fn after(store: &DashboardStore, changes: &Changes) {
    let mut touched: BTreeMap<&WidgetId, &User> = BTreeMap::new();
    for commit in &changes.foreign {
        for op in &commit.ops {
            let made_room = matches!(op, Op::Place { settled: true, .. });
            if let Op::SetDashboard { field, .. } = op {
                store.changed_setting.set(Some((field.clone(), commit.by.clone())));
            }
            if let Some(id) = op.widget_id().filter(|_| !made_room) {
                touched.insert(id, &commit.by);
            }
        }
    }
    if touched.len() > MAX_GLOWS {
        summarize(store, &touched);
    } else {
        for (id, by) in touched {
            store.glow(id, by);
        }
    }
    for notice in &changes.notices {
        tell(store, notice);
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

fn tell(store: &DashboardStore, notice: &Notice) {
    const NOBODY_KNOWS: &str = "It reached the server so long ago that nobody can say what became of it.";
    let (ops, reason, ending) = match notice {
        Notice::Refused { op, reason } => (std::slice::from_ref(op), &**reason, NOT_SAVED),
        Notice::SetAside { change, reason, .. } => (&*change.ops, &**reason, NOT_SAVED),
        Notice::Unknown { change } => (&*change.ops, NOBODY_KNOWS, "and nobody can say what became of it"),
        Notice::Restored { missing, changes } => return restored(store, *missing, changes),
        // These are told together.
        Notice::Conflict { .. } => return,
    };
    store.list_lost(ops, ending, wall_ms());
    store.not_saved(ops, reason);
}

/// How the line of an edit ends that was refused.
const NOT_SAVED: &str = "which was not saved";

/// The conflicts of a step about own values that the store does not show yet.
pub fn newly_met(store: &DashboardStore, changes: &Changes) -> Vec<ConflictId> {
    let mut met: Vec<ConflictId> = Vec::new();
    for notice in &changes.notices {
        if let Notice::Conflict { conflict, .. } = notice
            && !met.contains(&conflict.id)
            && store.conflict(&conflict.id).is_none()
        {
            met.push(conflict.id.clone());
        }
    }
    met
}

/// Says that own values met others as it happens. Under `ask`, who came later is asked which it shall be.
pub fn met(store: &DashboardStore, met: Vec<ConflictId>, me: &User) {
    let open = |id: &ConflictId| store.conflict(id).filter(|conflict| conflict.settled.is_none());
    let [only] = &met[..] else {
        let open: Vec<ConflictId> = met.into_iter().filter(|id| open(id).is_some()).collect();
        if !open.is_empty() {
            review(store, conflicts::met_at_once(open.len()), open);
        }
        return;
    };
    if let Some(conflict) = open(only) {
        store.show_toast(both(store, &conflict, me));
    }
}

/// Asks anew where others wrote on while a question stood open: it names what there is to choose from now.
pub fn ask_anew(store: &DashboardStore, me: &User) {
    let asked = store.toasts.with_untracked(|toasts| {
        let questions =
            toasts.iter().filter(|toast| matches!(toast.actions[..], [ToastAction::Edit { .. }, ..]));
        let questions = questions.filter(|toast| toast.stays).cloned();
        questions.collect::<Vec<_>>()
    });
    for old in asked {
        let [about] = &old.about[..] else { continue };
        let open = store.conflict(about).filter(|conflict| conflict.settled.is_none());
        let Some(new) = open.map(|conflict| both(store, &conflict, me)) else { continue };
        if (&new.text, &new.actions) != (&old.text, &old.actions) {
            store.dismiss(old.id);
            store.show_toast(new);
        }
    }
}

/// What is said of an own value and another that met.
fn both(store: &DashboardStore, conflict: &Arc<Conflict>, me: &User) -> Toast {
    let (mine, theirs, mine_shows) = conflicts::sides(conflict, &me.id);
    let asks = !mine_shows && store.strategy() == Strategy::Ask;
    let choose = |side, choose| {
        let ops = vec![Op::SettleConflict { conflict: conflict.id.clone(), choose }];
        ToastAction::Edit { label: conflicts::choice(conflict, side, &me.id), ops }
    };
    let mut actions = Vec::new();
    if !mine_shows {
        actions.push(choose(mine, Choice::Other));
    }
    actions.push(match asks {
        true => choose(theirs, Choice::Kept),
        false => ToastAction::Conflicts { label: "Show" },
    });
    let text = conflicts::met(conflict, widget_of(store, conflict).as_deref(), &me.id, asks);
    Toast { text, actions, about: vec![conflict.id.clone()], stays: asks, ..Toast::default() }
}

/// Says what became of the edits that waited while this tab was cut off: all of it at once.
pub fn came_back(store: &DashboardStore, landed: Landed, met: Vec<ConflictId>) {
    let says = conflicts::came_back(landed);
    // What somebody has settled by now needs no review.
    let open = |id: &ConflictId| store.conflict(id).is_some_and(|conflict| conflict.settled.is_none());
    let met: Vec<ConflictId> = met.into_iter().filter(open).collect();
    match (landed.saved + landed.met, met.is_empty()) {
        (0, true) => {}
        (_, true) => store.toast(says, None),
        (_, false) => review(store, says, met),
    }
}

fn review(store: &DashboardStore, says: String, about: Vec<ConflictId>) {
    let actions = vec![ToastAction::Conflicts { label: "Review" }];
    store.review.set(Some(Review { says: says.clone(), about: about.clone() }));
    store.show_toast(Toast { text: says, actions, about, stays: true, ..Toast::default() });
}

/// Says what a restored server does not have any more, and puts it back into its author's hands.
fn restored(store: &DashboardStore, missing: u64, changes: &[Change]) {
    const REASON: &str = "The server was restored to an earlier state, which does not have this.";
    // They are about records of the log that is no more.
    store.toasts.update(|toasts| toasts.retain(|toast| toast.about.is_empty()));
    store.review.set(None);
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
    let actions = kept.then_some(ToastAction::Unsaved).into_iter().collect();
    store.show_toast(Toast { text: line, actions, stays: true, ..Toast::default() });
}
