//! The one that owns all sync services of a tab: socket, room, presence, data. It runs the pure link
//! and replica with real time and a real socket, and keeps the store's signals true.

mod sending;
mod taking;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;
use web_sys::VisibilityState;

use crate::app::PageData;
use crate::app::dashboard_store::DashboardStore;
use crate::dashboard::{ClientId, Dashboard, DashboardId, Op, SessionId, User, WidgetId};
use crate::sync::link::{Do, Link};
use crate::sync::protocol::{ClientMessage, PROTOCOL, Peer, ServerMessage};
use crate::sync::replica::{Changes, EditError, Replica, Undone};

use super::clock::{monotonic_ms, random, random_id, wall_ms};
use super::live::NAME_KEY;
use super::outgoing::Outgoing;
use super::services::{Seen, close_reason};
use super::socket::{Happened, Socket};
use super::told;

const PATH: &str = "/api/v1/ws";
/// How often the state machines are asked what time it is.
const TICK: Duration = Duration::from_millis(250);
/// A join that the room has not answered for this long is sent again.
const JOIN_ANSWER_MS: u64 = 10_000;
/// Handle to the services of one dashboard page.
#[derive(Clone)]
pub struct ServiceProvider(pub(super) Rc<RefCell<Services>>);

pub(super) struct Services {
    pub(super) store: DashboardStore,
    dashboard: DashboardId,
    /// The tab's secret; new with every load of the page, as its unsaved edits are.
    secret: String,
    pub(super) link: Link,
    pub(super) replica: Replica,
    socket: Option<Socket>,
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
}

impl ServiceProvider {
    /// Starts the services of a dashboard page and mounts them on its store.
    pub fn start(store: DashboardStore, dashboard: Dashboard, epoch: String, revision: u64, page: &PageData) {
        let now = monotonic_ms();
        let (link, first) = Link::new(now);
        let author = random() >> 11;
        let services = Services {
            store,
            dashboard: store.id.get_value(),
            secret: random_id(),
            link,
            replica: Replica::new(author, dashboard, page.user.clone()).at(epoch, revision),
            socket: None,
            client: None,
            session: None,
            user: page.user.clone(),
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
        window_event_listener_untyped("visibilitychange", move |_| shown());
        let provider = self.clone();
        window_event_listener(ev::storage, move |event| {
            if event.key().as_deref() == Some(NAME_KEY) {
                provider.reconnect();
            }
        });
        let provider = self.clone();
        window_event_listener(ev::beforeunload, move |event| {
            if provider.0.borrow().replica.pending() > 0 {
                // The browser asks whether to leave: unsaved edits live in this tab only.
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
                let services = self.0.borrow();
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
        // The borrow ends before anything is sent: sending borrows again.
        let join = self.0.borrow_mut().take(message);
        if join {
            self.join();
        }
        self.plan_push(Duration::ZERO);
        self.plan_presence(0);
        self.show_status();
    }

    fn join(&self) {
        let mut services = self.0.borrow_mut();
        services.joined = false;
        services.join_by = Some(monotonic_ms() + JOIN_ANSWER_MS);
        services.replica.disconnected();
        let (dashboard, resume) = (services.dashboard.clone(), services.replica.resume());
        drop(services);
        self.send(&ClientMessage::Join { dashboard, resume });
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
        drop(services);
        self.show_status();
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
            services.link.tick(now)
        };
        if let Some(todo) = todo {
            self.perform(todo);
        }
        let unanswered = {
            let services = self.0.borrow();
            services.link.is_open() && !services.joined && services.join_by.is_some_and(|by| by <= now)
        };
        if unanswered {
            self.join();
        }
        self.plan_push(Duration::ZERO);
        self.plan_presence(0);
        self.show_status();
    }

    /// Shows what an own step did, or says why it was not done and keeps what was written.
    pub(super) fn outcome(&self, outcome: Result<Changes, EditError>, written: &[Op], push_after: Duration) {
        let services = self.0.borrow();
        match outcome {
            Ok(changes) => {
                told::mine(&services.store, written, wall_ms());
                services.show(changes);
            }
            Err(error) => services.store.not_taken(written, &error.to_string()),
        }
        drop(services);
        self.plan_push(push_after);
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
        };
        set_if_new(store.sync, seen.sync_state());
        set_if_new(store.pending, seen.pending);
        set_if_new(store.services, seen.services());
        set_if_new(store.can_undo, services.replica.can_undo());
        set_if_new(store.can_redo, services.replica.can_redo());
    }
}

fn set_if_new<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}
