//! Store of the dashboard page: signals to read, and [`Live`] to write.
//!
//! The store is filled from the page's data, on the server and at hydration alike. In the browser a
//! service provider then mounts its [`Live`] handle and keeps the signals true. Nothing here knows a
//! socket.

mod telling;
mod widget_signals;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use leptos::prelude::*;

use super::access::Role;
use super::activity::{Absence, Activity};
use super::dynamic::memo;
use super::time::ShownTime;
use super::unsaved::Unsaved;
use crate::dashboard::order::sorted;
use crate::dashboard::settings::in_words;
use crate::dashboard::{
    Conflict, ConflictId, Dashboard, DashboardId, Op, Removed, SessionId, Strategy, User, UserId, Widget,
    WidgetId,
};
use crate::sync::link::Ended;
use crate::sync::protocol::{Cursor, Dragging, Editing, Peer};
use crate::sync::replica::{Along, Seen};
use crate::sync::undo::Steps;

pub use telling::{Review, Toast, ToastAction};
pub use widget_signals::{Draft, Drafts, Glow, WidgetData, WidgetSignals};

/// What a browser does for the page: edits, typing, presence, undo. Mounted by `browser`.
///
/// Every call returns at once; its outcome shows in the store's signals.
pub trait Live {
    /// This moment, for what is written from now on without seeing what others write.
    fn seen(&self) -> Seen;
    /// Performs a group of ops as one change, on screen at once. What is not taken stays in its author's
    /// hands, with the reason.
    fn edit(&self, ops: Vec<Op>);
    /// As `edit`, for what was begun at an earlier moment.
    fn edit_begun(&self, ops: Vec<Op>, began: Seen);
    /// As [`Live::edit_begun`], and as one step with it what goes along with it.
    fn edit_along(&self, ops: Vec<Op>, began: Seen, along: Along);
    /// Replaces `remove` UTF-16 units from `at` on with `insert` in a note's text.
    fn splice(&self, id: &WidgetId, at: u32, remove: u32, insert: &str);
    /// Takes back the last own step, or says why not.
    fn undo(&self);
    fn redo(&self);
    /// Takes back steps of somebody else as an own step, and says what stays.
    fn take_back(&self, by: &User, steps: Steps);
    /// Says where the pointer is; `None` when it left.
    fn cursor(&self, cursor: Option<Cursor>);
    fn select(&self, widgets: Vec<WidgetId>);
    /// Says what field is being edited, with its draft; `None` at the end, however it ended.
    fn editing(&self, editing: Option<Editing>);
    fn dragging(&self, dragging: Option<Dragging>);
    /// Says which widget is at the top of the screen, for followers.
    fn looking_at(&self, widget: Option<WidgetId>);
    /// Connects now instead of after the wait.
    fn retry(&self);
    /// Takes another guest name, here and on the other tabs of this browser.
    fn rename_me(&self, name: &str);
    /// Decides about edits that cannot be sent as they are.
    fn settle(&self, what: Settle);
}

/// What is to become of edits that wait and cannot be sent as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// A file with all of them.
    Export,
    /// A new dashboard with what this one shows.
    Copy,
    /// They are sent in the name of whoever is here now.
    SendAsMe,
    /// They are gone for good.
    Discard,
}

/// The state of my work, for the one pill.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SyncState {
    /// Before the first connection.
    #[default]
    Connecting,
    Saved,
    Saving,
    /// Disconnected; `retry_in_ms` to the next try, `None` while one is under way.
    Reconnecting {
        retry_in_ms: Option<u64>,
    },
    /// The browser says that there is no network.
    Offline,
    Conflict,
    ReadOnly,
    /// Ended for good, with what happened and what to do.
    Error {
        reason: String,
    },
}

impl SyncState {
    /// The value of `data-state`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Saved => "saved",
            Self::Saving => "saving",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Offline => "offline",
            Self::Conflict => "conflict",
            Self::ReadOnly => "readonly",
            Self::Error { .. } => "error",
        }
    }
}

/// What would be lost with this tab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Safety {
    /// Own changes that wait for the server and are kept on this device.
    pub kept: usize,
    /// Why this device keeps none, in words.
    pub not_kept: Option<String>,
    /// How much of the room for changes that wait is taken, in percent. At 100 editing stops.
    pub fullness: usize,
    /// Why the connection has ended for good, where it has.
    pub ended: Option<Ended>,
    /// True where the changes that wait were made as somebody else.
    pub held: bool,
    /// True where the dashboard is in the bin, and can be restored.
    pub in_bin: bool,
    /// True where own edits alone are left here: whoever looks at them may see no more of the dashboard.
    pub withdrawn: bool,
}

/// State of one sync service, for the status view.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceStatus {
    /// `socket`, `room`, `presence`, `data`, `offline store`, `service worker`.
    pub name: &'static str,
    pub label: &'static str,
    pub state: ServiceState,
    /// What it does now, in words.
    pub says: String,
    pub last_error: Option<String>,
    /// Round trip or lag in milliseconds.
    pub latency_ms: Option<u64>,
    /// Things that wait.
    pub queue: Option<usize>,
}

impl ServiceStatus {
    /// What it does now, and what went wrong last.
    pub fn in_words(&self) -> String {
        match &self.last_error {
            Some(error) => format!("{} Last error: {error}", self.says),
            None => self.says.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    Ok,
    Waiting,
    Down,
}

impl ServiceState {
    /// The value of `data-state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waiting => "waiting",
            Self::Down => "down",
        }
    }
}

/// Everything that a dashboard page shows. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct DashboardStore {
    pub id: StoredValue<DashboardId>,
    pub title: RwSignal<String>,
    pub settings: RwSignal<BTreeMap<String, serde_json::Value>>,
    /// Ids of the widgets in reading order (top to bottom, left to right). Changes only where a
    /// widget comes, goes, or changes its place in that order.
    pub order: RwSignal<Vec<WidgetId>>,
    /// Open conflicts.
    pub conflicts: RwSignal<Vec<Arc<Conflict>>>,
    /// Conflicts that somebody has settled, the last one first.
    pub settled: RwSignal<Vec<Arc<Conflict>>>,
    /// What a return brought together with edits of others, until that is settled.
    pub review: RwSignal<Option<Review>>,
    /// Who I am; the server's word once connected.
    pub me: RwSignal<User>,
    /// What I may do here. Another role takes hold of the page as it stands.
    pub role: RwSignal<Role>,
    /// False for who only reads: by their role, or by the word of the room.
    pub may_edit: Memo<bool>,
    /// My session, once connected: the one that `peers` must not show as somebody else.
    pub session: RwSignal<Option<SessionId>>,
    /// The sessions of the others.
    pub peers: RwSignal<BTreeMap<SessionId, Peer>>,
    pub sync: RwSignal<SyncState>,
    /// Own changes that are not durable yet.
    pub pending: RwSignal<usize>,
    pub safety: RwSignal<Safety>,
    pub can_undo: RwSignal<bool>,
    pub can_redo: RwSignal<bool>,
    pub services: RwSignal<Vec<ServiceStatus>>,
    pub toasts: RwSignal<Vec<Toast>>,
    /// Own edits that came to nothing, oldest first, until their author is done with them.
    pub unsaved: RwSignal<Vec<Unsaved>>,
    /// The widget that is selected here, whose options the side panel shows.
    pub selected: RwSignal<Option<WidgetId>>,
    /// The widget whose data is read as a table, in a dialog.
    pub tabled: RwSignal<Option<WidgetId>>,
    /// The person who is followed.
    pub following: RwSignal<Option<UserId>>,
    /// True where the server has another build of this page.
    pub outdated: RwSignal<bool>,
    /// "Ada changed 14 widgets": more than ten changes at once become one line.
    pub summary: RwSignal<Option<String>>,
    /// True while the dashboard's title is edited here; setting it begins.
    pub renaming: RwSignal<bool>,
    /// True while the dialog with the variables is open.
    pub editing_variables: RwSignal<bool>,
    /// True while the dialog is open that says who may do what here.
    pub sharing: RwSignal<bool>,
    /// True while the dialog is open that chooses a screen for the dashboard.
    pub choosing_screen: RwSignal<bool>,
    /// The setting that somebody else changed last, and who.
    pub changed_setting: RwSignal<Option<(String, User)>>,
    /// Who changed what since the page was opened, the newest last.
    pub activity: RwSignal<Vec<Activity>>,
    /// How many steps of whom can be taken back.
    pub others_steps: RwSignal<Vec<(UserId, usize)>>,
    /// The last time away from this page.
    pub absence: RwSignal<Option<Absence>>,
    /// How far the server's clock is ahead of this device's, in milliseconds, once it is known.
    pub server_ahead_ms: StoredValue<Option<i64>>,
    /// The time that the page shows.
    pub time: ShownTime,
    widgets: StoredValue<HashMap<WidgetId, WidgetSignals>>,
    /// The widgets that went, as they were.
    removed: StoredValue<BTreeMap<WidgetId, Arc<Removed>>>,
    live: StoredValue<Option<Rc<dyn Live>>, LocalStorage>,
    owner: StoredValue<Owner>,
    /// The last id of a toast or an unsaved edit.
    last_id: StoredValue<u32>,
}

impl DashboardStore {
    /// A store that shows a dashboard as it is, to somebody who may do everything, without a live handle.
    pub fn new(id: DashboardId, dashboard: &Dashboard, me: User) -> Self {
        let settings = RwSignal::new(dashboard.settings.clone());
        let server_ahead_ms = StoredValue::new(None);
        let (role, sync) = (RwSignal::new(Role::Owner), RwSignal::new(SyncState::default()));
        let store = Self {
            id: StoredValue::new(id),
            title: RwSignal::new(dashboard.title.clone()),
            settings,
            order: RwSignal::new(Vec::new()),
            conflicts: RwSignal::new(Vec::new()),
            settled: RwSignal::new(Vec::new()),
            review: RwSignal::new(None),
            me: RwSignal::new(me),
            role,
            may_edit: memo(move || role.get() >= Role::Editor && *sync.read() != SyncState::ReadOnly),
            session: RwSignal::new(None),
            peers: RwSignal::new(BTreeMap::new()),
            sync,
            pending: RwSignal::new(0),
            safety: RwSignal::new(Safety::default()),
            can_undo: RwSignal::new(false),
            can_redo: RwSignal::new(false),
            services: RwSignal::new(Vec::new()),
            toasts: RwSignal::new(Vec::new()),
            unsaved: RwSignal::new(Vec::new()),
            selected: RwSignal::new(None),
            tabled: RwSignal::new(None),
            following: RwSignal::new(None),
            outdated: RwSignal::new(false),
            summary: RwSignal::new(None),
            renaming: RwSignal::new(false),
            editing_variables: RwSignal::new(false),
            sharing: RwSignal::new(false),
            choosing_screen: RwSignal::new(false),
            changed_setting: RwSignal::new(None),
            activity: RwSignal::new(Vec::new()),
            others_steps: RwSignal::new(Vec::new()),
            absence: RwSignal::new(None),
            server_ahead_ms,
            time: ShownTime::new(settings, server_ahead_ms),
            widgets: StoredValue::new(HashMap::new()),
            removed: StoredValue::new(BTreeMap::new()),
            live: StoredValue::new_local(None),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
            last_id: StoredValue::new(0),
        };
        store.show_all(dashboard);
        store
    }

    /// The same for somebody with a role.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        self.role.set(role);
        self
    }

    /// Gives the store its live handle. Until then `live` does nothing.
    pub fn mount(&self, live: Rc<dyn Live>) {
        self.live.set_value(Some(live));
    }

    /// Does something with the live handle; nothing on the server and before hydration.
    pub fn live(&self, then: impl FnOnce(&dyn Live)) {
        if let Some(live) = self.live.get_value() {
            then(&*live);
        }
    }

    /// Performs ops as one change.
    pub fn edit(&self, ops: Vec<Op>) {
        self.live(|live| live.edit(ops));
    }

    /// The moment at which somebody begins to write in a field, which then shows only their draft.
    pub fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        self.live(|live| seen = live.seen());
        seen
    }

    /// Performs one op that was begun at an earlier moment.
    pub fn edit_begun(&self, op: Op, began: Seen) {
        self.live(|live| live.edit_begun(vec![op], began));
    }

    /// The signals of a widget that is there.
    pub fn widget(&self, id: &WidgetId) -> Option<WidgetSignals> {
        self.widgets.with_value(|widgets| widgets.get(id).copied())
    }

    /// Brings every signal to a dashboard; those that agree already are left alone.
    pub fn show_all(&self, dashboard: &Dashboard) {
        let gone: Vec<WidgetId> = self.widgets.with_value(|widgets| {
            widgets.keys().filter(|id| !dashboard.widgets.contains_key(*id)).cloned().collect()
        });
        let all: Vec<WidgetId> = dashboard.widgets.keys().cloned().chain(gone).collect();
        self.show(dashboard, &mut all.iter(), true);
    }

    /// Brings the signals of these widgets to a dashboard, and with `rest` title, settings and
    /// conflicts too.
    pub fn show(&self, dashboard: &Dashboard, widgets: &mut dyn Iterator<Item = &WidgetId>, rest: bool) {
        let mut reorder = false;
        for id in widgets {
            match (dashboard.widgets.get(id), self.widget(id)) {
                (Some(widget), Some(signals)) => {
                    let old = signals.widget.get_untracked();
                    if old.frame != widget.frame {
                        reorder = true;
                    }
                    if !Arc::ptr_eq(&old, widget) && old != *widget {
                        signals.widget.set(widget.clone());
                    }
                }
                (Some(widget), None) => {
                    let (owner, born) = (self.owner.get_value(), self.new_id());
                    let signals = owner.with(|| WidgetSignals::new(widget.clone(), born));
                    self.widgets.update_value(|all| {
                        all.insert(id.clone(), signals);
                    });
                    reorder = true;
                }
                (None, Some(signals)) => {
                    signals.gone.set(true);
                    self.widgets.update_value(|all| {
                        all.remove(id);
                    });
                    if self.selected.get_untracked().as_ref() == Some(id) {
                        self.selected.set(None);
                    }
                    reorder = true;
                }
                (None, None) => {}
            }
        }
        if reorder {
            let order = dashboard.widgets.iter().map(|(id, w)| (w.frame.y, w.frame.x, id)).collect();
            let order: Vec<WidgetId> =
                sorted(order, Ord::cmp).into_iter().map(|(_, _, id)| id.clone()).collect();
            if self.order.with_untracked(|old| *old != order) {
                self.order.set(order);
            }
        }
        if rest {
            if self.title.with_untracked(|old| *old != dashboard.title) {
                self.title.set(dashboard.title.clone());
            }
            if self.settings.with_untracked(|old| *old != dashboard.settings) {
                self.settings.set(dashboard.settings.clone());
            }
            self.removed.set_value(dashboard.removed.clone());
            let (settled, open): (Vec<_>, Vec<_>) =
                dashboard.conflicts.values().cloned().partition(|conflict| conflict.settled.is_some());
            let settled_at = |conflict: &Conflict| conflict.settled.as_ref().map(|one| one.at);
            let open = sorted(open, |a, b| met_at(b).cmp(&met_at(a)));
            let settled = sorted(settled, |a, b| settled_at(b).cmp(&settled_at(a)));
            for (signal, now) in [(self.conflicts, open), (self.settled, settled)] {
                if signal.with_untracked(|old| *old != now) {
                    signal.set(now);
                }
            }
        }
    }

    /// Lets a widget glow in somebody's colour for a moment.
    pub fn glow(&self, id: &WidgetId, by: &User) {
        let Some(signals) = self.widget(id) else { return };
        signals.glow.update(|glow| {
            let count = glow.as_ref().map_or(0, |glow| glow.count) + 1;
            *glow = Some(Glow { by: by.clone(), count });
        });
    }

    /// A text with the values of the dashboard's variables in it, tracked where it names any.
    pub fn with_values(&self, text: &str) -> String {
        match text.contains(['$', '[']) {
            true => in_words(&self.settings.read(), text),
            false => text.to_owned(),
        }
    }

    /// A widget as it is, or was when it went.
    pub fn known(&self, id: &WidgetId) -> Option<Arc<Widget>> {
        if let Some(signals) = self.widget(id) {
            return Some(signals.widget.get_untracked());
        }
        self.removed.with_value(|removed| removed.get(id).map(|removed| removed.widget.clone()))
    }

    /// A conflict, open or settled.
    pub fn conflict(&self, id: &ConflictId) -> Option<Arc<Conflict>> {
        let found = |all: &Vec<Arc<Conflict>>| all.iter().find(|conflict| conflict.id == *id).cloned();
        self.conflicts.with_untracked(found).or_else(|| self.settled.with_untracked(found))
    }

    /// Which value shows in a conflict.
    pub fn strategy(&self) -> Strategy {
        let settings = self.settings.read_untracked();
        settings.get("conflicts").and_then(|name| Strategy::parse(name.as_str()?)).unwrap_or_default()
    }

    fn new_id(&self) -> u32 {
        self.last_id.update_value(|id| *id += 1);
        self.last_id.get_value()
    }
}

/// When two values met: the later of their times.
fn met_at(conflict: &Conflict) -> u64 {
    conflict.kept.at.max(conflict.other.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_role_takes_hold_as_it_comes() {
        let owner = Owner::new();
        owner.with(|| {
            let id = DashboardId::new("d").expect("an id");
            let store = DashboardStore::new(id, &Dashboard::new("Orders"), User::default());
            let may_edit = || store.may_edit.get_untracked();
            assert!(may_edit(), "where nobody signs in everybody edits");
            let store = store.with_role(Role::Viewer);
            assert!(!may_edit());
            store.role.set(Role::Editor);
            assert!(may_edit());
            store.sync.set(SyncState::ReadOnly);
            assert!(!may_edit(), "the room has the last word");
        });
    }
}
