//! Service provider: owns all sync services of a tab, its socket, room, presence and data. It runs the pure link
//! and replica with real time and a real socket, and keeps the store's signals true.

mod keeping;
mod sending;
mod settling;
mod taking;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::VisibilityState;

use crate::app::access::Rights;
use crate::app::dashboard_store::DashboardStore;
use crate::app::{ThisTab, address};
use crate::dashboard::{ClientId, ConflictId, DashboardId, Op, SessionId, User, WidgetId};
use crate::sync::link::{Do, Ended, Link, State};
use crate::sync::protocol::{ClientMessage, PROTOCOL, Peer, Resume, ServerMessage};
use crate::sync::replica::{Changes, EditError, Landed, Replica, StoredDashboard, Undone};

use super::account;
use super::clock::{monotonic_ms, random, random_id, wall_ms};
use super::device::OnDevice;
use super::live::NAME_KEY;
use super::outgoing::Outgoing;
use super::requests;
use super::services::{Seen, close_reason};
use super::socket::{Happened, Socket};
use super::told;
use keeping::Keeping;

const PATH: &str = "/api/v1/ws";
/// How often the state machines are asked what time it is.
const TICK: Duration = Duration::from_millis(250);
/// What the server answers who is not signed in.
const NOT_SIGNED_IN: u16 = 401;
/// A connection on which the room has not answered a join for this long is given up.
const JOIN_ANSWER_MS: u64 = 10_000;
/// Handle to the services of one dashboard page.
#[derive(Clone)]
pub struct ServiceProvider(pub(super) Rc<RefCell<Services>>);

pub(super) struct Services {
    pub(super) store: DashboardStore,
    tab: Option<ThisTab>,
    dashboard: DashboardId,
    /// The build that this page is of.
    build: String,
    /// The client's secret: on the device with its queue, where this device keeps anything.
    secret: String,
    keeping: Keeping,
    /// Says that the edits that wait are another person's: nothing is sent until somebody decides.
    held: Option<String>,
    /// Who moved the dashboard to the bin, in words, while it is there.
    in_bin: Option<String>,
    /// True where others' content was taken from this page: its person may see no more of the dashboard.
    withdrawn: bool,
    /// When it is looked for next, in the bin or back from it.
    look_in_bin_at: u64,
    pub(super) link: Link,
    pub(super) replica: Replica,
    socket: Option<Socket>,
    /// True where the socket opened, which it does for who is signed in.
    was_open: bool,
    rights: Rights,
    client: Option<ClientId>,
    session: Option<SessionId>,
    user: User,
    peers: BTreeMap<SessionId, Peer>,
    outgoing: Outgoing,
    joined: bool,
    ever_joined: bool,
    cut_at: Option<u64>,
    /// When to join again if the room has not answered by then.
    join_by: Option<u64>,
    push_planned: bool,
    presence_planned: bool,
    /// Not before this moment is anything pushed: the server asked for it.
    push_after: u64,
    last_data_at: Option<u64>,
    socket_error: Option<String>,
    room_error: Option<String>,
    resyncs: u32,
    coming_back: Option<ComingBack>,
}

/// Own edits that waited while this tab was cut off, on their way into the log.
#[derive(Default)]
struct ComingBack {
    edits: usize,
    landed: Landed,
    /// The conflicts about own values that came up meanwhile.
    met: Vec<ConflictId>,
}

impl Services {
    /// The replica, which is told the time.
    pub(super) fn replica_now(&mut self) -> &mut Replica {
        self.replica.set_time(monotonic_ms());
        &mut self.replica
    }
}

impl ServiceProvider {
    /// Starts the services of a dashboard page and mounts them on its store, with what this device has of
    /// it. The newer of the two copies counts.
    pub fn start(
        store: DashboardStore,
        shown: StoredDashboard,
        (user, rights): (&User, Rights),
        found: OnDevice,
        build: String,
    ) {
        let now = monotonic_ms();
        let (link, first) = Link::new(now);
        let author = random() >> 11;
        let OnDevice { storage, copy, own } = found;
        let copy = copy.map(|(_, copy)| copy);
        let kept = copy.as_ref().map(|copy| Resume {
            epoch: copy.epoch.clone(),
            revision: copy.revision,
            token: copy.token.clone(),
        });
        let newer = |copy: &StoredDashboard| copy.epoch == shown.epoch && copy.revision > shown.revision;
        let StoredDashboard { epoch, revision, token, dashboard } = copy.filter(newer).unwrap_or(shown);
        let mut replica = Replica::new(author, dashboard, user.clone()).at(epoch, revision, token);
        replica.set_time(now);
        let (keeping, queue) = Keeping::new(storage, own, kept, user);
        let (secret, replica, unsaved) = match queue {
            Some((secret, record)) => (secret, replica.with_queue(record.queue), record.unsaved),
            None => (random_id(), replica, Vec::new()),
        };
        store.show_all(replica.view());
        store.list_unsaved(unsaved);
        let coming_back = (replica.pending() > 0).then(ComingBack::default);
        let services = Services {
            store,
            tab: use_context(),
            dashboard: store.id.get_value(),
            build,
            secret,
            keeping,
            held: None,
            in_bin: None,
            withdrawn: false,
            look_in_bin_at: 0,
            link,
            replica,
            socket: None,
            was_open: false,
            rights,
            client: None,
            session: None,
            user: user.clone(),
            peers: BTreeMap::new(),
            outgoing: Outgoing::default(),
            joined: false,
            ever_joined: false,
            cut_at: Some(now),
            join_by: None,
            push_planned: false,
            presence_planned: false,
            push_after: 0,
            last_data_at: None,
            socket_error: None,
            room_error: None,
            resyncs: 0,
            coming_back,
        };
        let provider = Self(Rc::new(RefCell::new(services)));
        store.mount(Rc::new(provider.clone()));
        provider.listen();
        provider.perform(first);
        let ticking = provider.clone();
        set_interval(move || ticking.tick(), TICK);
        provider.show_status();
    }

    /// Takes what the browser says of network, visibility and this browser's other tabs.
    fn listen(&self) {
        let on = |provider: &Self, then: fn(&mut Services)| {
            let provider = provider.clone();
            move || {
                then(&mut provider.0.borrow_mut());
                provider.tick();
            }
        };
        let online = on(self, |services| services.link.wake(monotonic_ms(), random()));
        window_event_listener(ev::online, move |_| online());
        let offline = on(self, |_| ());
        window_event_listener(ev::offline, move |_| offline());
        let shown = on(self, |services| {
            let visible = document().visibility_state() == VisibilityState::Visible;
            services.link.visible(visible);
            if visible {
                services.link.wake(monotonic_ms(), random());
            }
        });
        let provider = self.clone();
        window_event_listener_untyped("visibilitychange", move |_| {
            shown();
            // A hidden tab may be ended without another word.
            provider.keep(true);
        });
        let provider = self.clone();
        window_event_listener_untyped("pagehide", move |_| provider.keep(true));
        let provider = self.clone();
        window_event_listener(ev::storage, move |event| {
            if event.key() == Some(address::name(NAME_KEY)) {
                provider.reconnect();
            }
        });
        let provider = self.clone();
        window_event_listener(ev::beforeunload, move |event| {
            provider.keep(true);
            let services = provider.0.borrow();
            let pending = services.replica.pending();
            if services.keeping.kept(pending) < pending {
                // The browser asks whether to leave: these edits are in this tab only.
                event.prevent_default();
            }
        });
    }

    fn perform(&self, what: Do) {
        match what {
            Do::Connect => {
                let provider = self.clone();
                let socket = Socket::open(PATH, move |happened| provider.happened(happened));
                let failed = socket.is_none();
                self.0.borrow_mut().socket = socket;
                if failed {
                    self.closed(0);
                }
            }
            Do::Ping { id } => {
                let hidden = document().visibility_state() != VisibilityState::Visible;
                self.send(&ClientMessage::Ping { id, hidden });
            }
            Do::Drop => self.closed(0),
        }
    }

    fn happened(&self, happened: Happened) {
        match happened {
            Happened::Opened => {
                let mut services = self.0.borrow_mut();
                services.was_open = true;
                let hello = ClientMessage::Hello {
                    protocol: PROTOCOL,
                    client: services.secret.clone(),
                    name: Some(services.user.name.clone()),
                };
                drop(services);
                self.send(&hello);
            }
            Happened::Frame(text) => {
                self.0.borrow_mut().link.heard(monotonic_ms());
                match serde_json::from_str(&text) {
                    Ok(message) => self.message(message),
                    // A newer server may say what this page does not know yet.
                    Err(error) => leptos::logging::warn!("A frame that this page does not know: {error}"),
                }
            }
            Happened::Closed(code) => self.closed(code),
        }
    }

    fn message(&self, message: ServerMessage) {
        let is_presence = matches!(message, ServerMessage::Presence { .. });
        // The borrow ends before anything is sent: sending borrows again.
        let join = self.0.borrow_mut().take(message);
        if is_presence {
            // It comes thirty times a second. Whoever is new is told of this tab; the rest waits for the next tick.
            return self.plan_presence(0);
        }
        if join {
            self.join();
        }
        if self.0.borrow().is_gone() {
            self.forget_copy();
        }
        self.plan_push(Duration::ZERO);
        self.plan_presence(0);
        self.plan_keep(false);
        self.show_status();
    }

    /// Asks to join. False while an earlier join is unanswered.
    fn join(&self) -> bool {
        let mut services = self.0.borrow_mut();
        if !services.replica.begin_join() {
            return false;
        }
        services.joined = false;
        services.join_by = Some(monotonic_ms() + JOIN_ANSWER_MS);
        let (dashboard, resume) = (services.dashboard.clone(), services.replica.resume());
        drop(services);
        self.send(&ClientMessage::Join { dashboard, resume, compactions: true });
        true
    }

    fn closed(&self, code: u16) {
        let mut services = self.0.borrow_mut();
        let now = monotonic_ms();
        services.socket = None;
        services.link.closed(now, code, random());
        services.replica.disconnected();
        services.joined = false;
        services.cut_at = services.cut_at.or(Some(now));
        services.socket_error = close_reason(code).map(str::to_owned);
        services.wipe_peers();
        services.outgoing.forget_sent();
        let gone = services.is_gone();
        let is_signed_out = services.link.state() == State::Ended(Ended::NotSignedIn);
        // What turns a socket away before it opens says nothing to a page.
        let is_asked = services.rights.has_account && !services.was_open;
        services.was_open = false;
        drop(services);
        if gone {
            self.forget_copy()
        } else {
            self.keep(true)
        }
        self.show_status();
        if is_signed_out || is_asked {
            spawn_local(async move {
                if is_signed_out || requests::status("/api/v1/me").await == Some(NOT_SIGNED_IN) {
                    account::signed_out().await;
                }
            });
        }
    }

    /// Ends the connection and makes another at once, for a new identity.
    pub(super) fn reconnect(&self) {
        self.closed(1000);
        self.0.borrow_mut().link.retry(monotonic_ms());
        self.tick();
    }

    pub(super) fn tick(&self) {
        let now = monotonic_ms();
        let todo = {
            let mut services = self.0.borrow_mut();
            services.outgoing.tick(now);
            services.look_in_bin(now);
            services.link.tick(now)
        };
        if let Some(todo) = todo {
            self.perform(todo);
        }
        let unanswered = {
            let services = self.0.borrow();
            services.link.is_open() && !services.joined && services.join_by.is_some_and(|by| by <= now)
        };
        if unanswered && !self.join() {
            self.closed(0);
        }
        self.look_for_left();
        self.plan_push(Duration::ZERO);
        self.plan_presence(0);
        self.plan_keep(false);
        self.show_status();
    }

    /// Shows what an own step did, or says why it was not done and keeps what was written.
    pub(super) fn outcome(&self, outcome: Result<Changes, EditError>, written: &[Op], push_after: Duration) {
        let services = self.0.borrow();
        let edited = outcome.is_ok();
        match outcome {
            Ok(changes) => {
                told::mine(&services.store, written, wall_ms());
                services.show(changes);
            }
            Err(error) => services.store.not_taken(written, &error.to_string()),
        }
        drop(services);
        self.plan_push(push_after);
        self.plan_keep(edited);
        self.show_status();
    }

    pub(super) fn step_back(&self, outcome: Result<Undone, EditError>, did: &str, skipped: &str) {
        let outcome = match outcome {
            Ok(Undone::Done(changes)) => {
                told::stepped(&self.0.borrow().store, &changes, did, wall_ms());
                Ok(changes)
            }
            Ok(Undone::Skipped) => {
                self.0.borrow().store.toast(skipped, None);
                Ok(Changes::default())
            }
            Ok(Undone::Nothing) => Ok(Changes::default()),
            Err(error) => Err(error),
        };
        self.outcome(outcome, &[], Duration::ZERO);
    }

    fn show_status(&self) {
        let services = self.0.borrow();
        let store = services.store;
        let view = services.replica.view();
        let wants_data =
            |id: &WidgetId| view.widgets.get(id).is_some_and(|w| !w.text_option("query").is_empty());
        let seen = Seen {
            link: &services.link,
            joined: services.joined,
            ever_joined: services.ever_joined,
            role: services.replica.role(),
            pending: services.replica.pending(),
            conflicts: view.open_conflicts().count(),
            online: window().navigator().on_line(),
            cut_at: services.cut_at,
            now: monotonic_ms(),
            people: services.peers.len(),
            last_data_at: services.last_data_at,
            wants_data: view.widgets.keys().any(wants_data),
            socket_error: services.socket_error.as_deref(),
            room_error: services.room_error.as_deref(),
            resyncs: services.resyncs,
            held: services.held.as_deref(),
            in_bin: services.in_bin.as_deref(),
            withdrawn: services.withdrawn,
            kept: services.keeping.kept(services.replica.pending()),
            not_kept: services.keeping.error().map(ToString::to_string),
        };
        set_if_new(store.sync, seen.sync_state());
        set_if_new(store.pending, seen.pending);
        set_if_new(store.safety, seen.safety(services.replica.fullness()));
        let mut all = seen.services();
        all.extend(services.tab.into_iter().flat_map(|tab| tab.services.get_untracked()));
        set_if_new(store.services, all);
        set_if_new(store.can_undo, services.replica.can_undo());
        set_if_new(store.can_redo, services.replica.can_redo());
    }
}

fn set_if_new<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}
