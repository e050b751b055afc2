//! Notifications for the person at the page: toasts, the activity, and own edits that are not saved.

use leptos::prelude::*;

use super::DashboardStore;
use crate::app::access::Role;
use crate::app::activity::{self, Activity, Deed, Telling};
use crate::app::conflicts;
use crate::app::unsaved::{self, Unsaved};
use crate::dashboard::{Choice, ConflictId, Dashboard, DashboardId, Id, Op, User, UserId, WidgetId};
use crate::sync::undo::Steps;

/// A short word that passes by, with what can be done about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Toast {
    pub id: u32,
    pub text: String,
    pub actions: Vec<ToastAction>,
    /// The conflicts that it is about, if it is about any: it goes when none of them is open.
    pub about: Vec<ConflictId>,
    /// True for what waits until it was answered or put away.
    pub stays: bool,
}

/// Own edits and those of others that met, to be looked at together.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// How many were saved, and how many met.
    pub says: String,
    pub about: Vec<ConflictId>,
}

/// What a toast offers.
#[derive(Clone, Debug, PartialEq)]
pub enum ToastAction {
    /// Undoes the last own step.
    Undo,
    /// Performs these ops (restore what somebody removed).
    Edit { label: String, ops: Vec<Op> },
    /// Opens the conflict inbox.
    Conflicts { label: &'static str },
    /// Goes to the own edits that are not saved.
    Unsaved,
    /// Has a screen show again what it showed before.
    Screen { id: Id, dashboards: Vec<DashboardId> },
}

impl DashboardStore {
    /// Shows a word that passes by.
    pub fn toast(&self, text: impl Into<String>, action: Option<ToastAction>) {
        let actions = action.into_iter().collect();
        self.show_toast(Toast { text: text.into(), actions, ..Toast::default() });
    }

    /// Shows a toast. Of those before it two stay, questions rather than others; the page takes what does not
    /// stay away after a while.
    pub fn show_toast(&self, toast: Toast) {
        const MOST: usize = 3;
        let toast = Toast { id: self.new_id(), ..toast };
        self.toasts.update(|toasts| {
            toasts.push(toast);
            while toasts.len() > MOST {
                // The newest is what there is to say now; a question that gives way stands in the inbox still.
                let older = &toasts[..toasts.len() - 1];
                let first = older.iter().position(|toast| !toast.stays).unwrap_or(0);
                toasts.remove(first);
            }
        });
    }

    /// Chooses in a conflict, with a way back.
    pub fn settle(&self, id: &ConflictId, choose: Choice) {
        let Some(conflict) = self.conflict(id) else { return };
        let widget = conflict.cell.id.as_ref().and_then(|id| self.known(id));
        let text = format!("You {}.", conflicts::chosen(&conflict, &choose, widget.as_deref()));
        let op = |choose| Op::SettleConflict { conflict: id.clone(), choose };
        let open_again = choose != Choice::Reopen;
        self.edit(vec![op(choose)]);
        // What was not taken has said why by itself.
        let taken = self.conflict(id).is_some_and(|now| now.settled.is_some());
        if open_again && taken {
            let back = ToastAction::Edit { label: "Undo".to_owned(), ops: vec![op(Choice::Reopen)] };
            self.toast(text, Some(back));
        }
    }

    /// True while one of these conflicts is open, tracked.
    pub fn any_open(&self, about: &[ConflictId]) -> bool {
        self.conflicts.read().iter().any(|conflict| about.contains(&conflict.id))
    }

    /// Keeps an own op that came to nothing, with its content, in its author's hands. True if there is
    /// anything to keep.
    pub fn keep_unsaved(&self, op: &Op, reason: &str) -> bool {
        let wrote = unsaved::describe(op, |id| self.known(id));
        let Some((wrote, alone)) = wrote.zip(unsaved::describe_alone(op)) else { return false };
        let id = self.new_id();
        self.unsaved.update(|all| unsaved::list(all, id, wrote, alone, reason));
        true
    }

    /// Lists own ops as not saved, and takes from the page what others did and wrote: whoever looks at it may see no more
    /// of the dashboard.
    pub fn withdraw(&self, ops: &[Op], reason: &str) {
        self.unsaved.update(|all| {
            for one in all {
                // A new entry: the page draws it anew, and the device is to have it.
                one.id = self.new_id();
                one.reduce();
            }
        });
        for wrote in ops.iter().filter_map(unsaved::describe_alone) {
            let id = self.new_id();
            self.unsaved.update(|all| unsaved::list(all, id, wrote.clone(), wrote, reason));
        }
        self.show_all(&Dashboard::default());
        self.role.set(Role::Viewer);
        self.following.set(None);
        self.tabled.set(None);
        self.summary.set(None);
        self.absence.set(None);
        self.review.set(None);
        self.changed_setting.set(None);
        self.activity.update(Vec::clear);
        self.toasts.update(Vec::clear);
    }

    /// Lists own ops as not saved, and says so.
    pub fn not_saved(&self, ops: &[Op], reason: &str) {
        let mut any = false;
        for op in ops {
            any |= self.keep_unsaved(op, reason);
        }
        let (text, action) = if any {
            (format!("Not saved. {reason} What you wrote is kept."), Some(ToastAction::Unsaved))
        } else {
            (format!("Not saved. {reason}"), None)
        };
        if self.toasts.with_untracked(|toasts| toasts.iter().all(|toast| toast.text != text)) {
            self.toast(text, action);
        }
    }

    /// Says why an edit was not even begun, and keeps what was written in it. What was only moved, removed
    /// or chosen is as it was, and is done again with a press.
    pub fn not_taken(&self, ops: &[Op], reason: &str) {
        let written = |op: &&Op| matches!(op, Op::Set { .. } | Op::SetDashboard { .. } | Op::EditText { .. });
        let written: Vec<Op> = ops.iter().filter(written).cloned().collect();
        match written.is_empty() {
            true => self.toast(reason, None),
            false => self.not_saved(&written, reason),
        }
    }

    /// What these ops are going to do, in words. Asked before they show.
    pub fn deeds(&self, changes: &[&[Op]]) -> Vec<Vec<Deed>> {
        let known = |id: &WidgetId| self.known(id);
        let conflict = |id: &ConflictId| self.conflict(id);
        let mut telling = Telling::new(&known, &conflict).knowing(&self.settings.read_untracked());
        changes.iter().map(|ops| telling.deeds(ops)).collect()
    }

    /// Lists what somebody did. `at` is in Unix milliseconds; `revision` is that of somebody else's commit, which can
    /// be taken back.
    pub fn list(&self, by: &User, at: u64, revision: Option<u64>, deeds: Vec<Deed>) {
        if deeds.is_empty() {
            return;
        }
        self.activity.update(|all| {
            for mut deed in deeds {
                let cells = std::mem::take(&mut deed.cells);
                let steps = revision.map(|revision| Steps::of(revision, cells));
                activity::list(all, Activity { id: self.new_id(), by: by.clone(), at, deed, steps });
            }
        });
    }

    /// Notes that steps of somebody cannot be taken back, or not again; of everybody where none is named.
    pub fn forget_steps(&self, whose: Option<(&UserId, &Steps)>) {
        let are_meant = |one: &Activity| match whose {
            None => true,
            Some((by, steps)) => {
                one.by.id == *by && (*steps == Steps::ALL || one.steps.as_ref() == Some(steps))
            }
        };
        self.activity.update(|all| {
            all.iter_mut().filter(|one| are_meant(one)).for_each(|one| one.steps = None);
        });
    }

    /// Lists own edits that are listed already as ones that came to nothing: `ending` says how. `at` is in
    /// Unix milliseconds.
    pub fn list_lost(&self, ops: &[Op], ending: &str, at: u64) {
        let me = self.me.get_untracked();
        for Deed { widget, words, .. } in self.deeds(&[ops]).into_iter().flatten() {
            self.activity.update(|all| activity::forget(all, &me.id, widget.as_ref(), &words));
            self.list(&me, at, None, vec![Deed::new(widget, format!("{words}, {ending}"))]);
        }
    }

    /// Lists edits that an earlier load of the page left unsaved.
    pub fn list_unsaved(&self, left: Vec<Unsaved>) {
        for one in left {
            let id = self.new_id();
            self.unsaved.update(|all| all.push(Unsaved { id, ..one }));
        }
    }

    /// Takes a toast away.
    pub fn dismiss(&self, id: u32) {
        self.toasts.update(|toasts| toasts.retain(|toast| toast.id != id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind, NoteText, Widget};
    use crate::sync::replica::EditError;

    #[test]
    fn what_there_is_to_say_now_is_said_beside_any_number_of_questions() {
        let owner = Owner::new();
        owner.set();
        let id = DashboardId::new("d1").expect("an id");
        let store = DashboardStore::new(id, &Dashboard::new("Orders"), User::default());
        for question in ["a?", "b?", "c?", "d?"] {
            store.show_toast(Toast { text: question.to_owned(), stays: true, ..Toast::default() });
        }
        let shown = || store.toasts.get_untracked().into_iter().map(|toast| toast.text).collect::<Vec<_>>();
        store.toast("Not saved.", None);
        assert_eq!(shown(), ["c?", "d?", "Not saved."]);
        store.toast("You moved it.", None);
        assert_eq!(shown(), ["c?", "d?", "You moved it."]);
    }

    #[test]
    fn what_was_listed_before_the_access_went_names_no_widget_any_more() {
        let owner = Owner::new();
        owner.set();
        let id = DashboardId::new("d1").expect("an id");
        let widget = WidgetId::new("w1").expect("an id");
        let mut dashboard = Dashboard::new("Orders");
        let secret = Widget::new(Kind::Note, "Secret", Frame::default());
        dashboard.widgets.insert(widget.clone(), secret.into());
        let store = DashboardStore::new(id, &dashboard, User::default());
        let set = Op::Set { id: widget, field: "title".to_owned(), value: "Mine".into() };
        assert!(store.keep_unsaved(&set, "Gone."));
        let listed = || store.unsaved.get_untracked().remove(0);
        let before = listed();
        assert_eq!(before.what, "Title of “Secret”");
        store.withdraw(&[], "You no longer had access.");
        let after = listed();
        assert_eq!((&*after.what, &*after.content), ("Title of a widget", "Mine"));
        assert_ne!(after.id, before.id, "it is drawn and kept anew");
    }

    #[test]
    fn s4_what_the_copy_does_not_take_stays_with_its_author() {
        let owner = Owner::new();
        owner.set();
        let id = DashboardId::new("d1").expect("an id");
        let store = DashboardStore::new(id, &Dashboard::new("Orders"), User::default());
        let widget = WidgetId::new("w1").expect("an id");
        let reason = EditError::QueueFull.to_string();
        let place = Op::Place { id: widget.clone(), frame: Frame::default(), settled: false };
        store.not_taken(&[place], &reason);
        assert!(store.unsaved.get_untracked().is_empty(), "nothing was written");

        let title = Op::SetDashboard { field: "title".to_owned(), value: "Orders per day".into() };
        let typed = NoteText::default().splice(1, 0, 0, "a thought").0;
        store.not_taken(&[title], &reason);
        store.not_taken(&[Op::edit_text(&widget, typed)], &reason);
        let kept = store.unsaved.get_untracked();
        let kept: Vec<_> = kept.iter().map(|one| (&*one.content, &*one.reason)).collect();
        assert_eq!(kept, [("Orders per day", &*reason), ("a thought", &*reason)]);
        let toasts = store.toasts.get_untracked();
        assert!(toasts.iter().any(|toast| toast.text.contains(&reason)), "{toasts:?}");
    }
}
