//! One WebSocket: opens, hands over what comes, and ends once.

use std::cell::Cell;
use std::rc::Rc;

use leptos::prelude::window;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

use crate::app::address;

/// Bytes that wait in the browser before nothing more is pushed: a line this slow has enough to do.
const MAX_BUFFERED_BYTES: u32 = 1024 * 1024;

/// What a socket reports.
#[derive(Debug)]
pub enum Happened {
    Opened,
    Frame(String),
    /// Once, and the last; with the close code, 1006 where there was none.
    Closed(u16),
}

/// A socket that is opening or open. Dropping it closes it without a report.
pub struct Socket {
    socket: WebSocket,
    /// Reports come through while this is true.
    alive: Rc<Cell<bool>>,
    _closures: [Closure<dyn FnMut(Event)>; 3],
}

impl Socket {
    /// Opens a socket to a path of this page's server. Reports go to `report`; an address that the
    /// browser does not take is `None`.
    pub fn open(path: &str, report: impl Fn(Happened) + Clone + 'static) -> Option<Self> {
        let location = window().location();
        let scheme = if location.protocol().ok()? == "https:" { "wss:" } else { "ws:" };
        let socket =
            WebSocket::new(&format!("{scheme}//{}{}", location.host().ok()?, address::to(path))).ok()?;
        let alive = Rc::new(Cell::new(true));
        let on = |take: fn(Event) -> Option<Happened>, last: bool| {
            let (report, alive) = (report.clone(), alive.clone());
            Closure::<dyn FnMut(Event)>::new(move |event: Event| {
                if alive.get()
                    && let Some(happened) = take(event)
                {
                    alive.set(!last);
                    report(happened);
                }
            })
        };
        let opened = on(|_| Some(Happened::Opened), false);
        let frame = on(
            |event| {
                let message: MessageEvent = event.unchecked_into();
                message.data().as_string().map(Happened::Frame)
            },
            false,
        );
        let closed = on(
            |event| {
                let close: CloseEvent = event.unchecked_into();
                Some(Happened::Closed(close.code()))
            },
            true,
        );
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(frame.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Some(Self { socket, alive, _closures: [opened, frame, closed] })
    }

    /// Sends a frame; false where the socket cannot take it.
    pub fn send(&self, text: &str) -> bool {
        self.socket.ready_state() == WebSocket::OPEN && self.socket.send_with_str(text).is_ok()
    }

    /// Whether more may be pushed.
    pub fn has_room(&self) -> bool {
        self.socket.buffered_amount() < MAX_BUFFERED_BYTES
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.alive.set(false);
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Closing a socket that is closed already does nothing.
        let _ = self.socket.close();
    }
}
