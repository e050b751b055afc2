//! The network: each connection delivers in order or not at all, as TCP does. It is slow, it is cut with
//! both ends told, one, or none, and what was sent before a cut may still arrive after it.

use lockstep::sync::protocol::{Change, Resume, ServerMessage};

use super::check::MadeId;
use super::world::{Event, World};

pub type ConnId = u64;

/// What a tab sends.
#[derive(Clone)]
pub enum Up {
    Hello,
    Join(Option<Resume>),
    /// Changes, with what the ledger calls them, which no real frame has.
    Push(Vec<(Change, MadeId)>),
    Ping(u64),
}

/// What the server sends.
pub enum Down {
    Says(Box<ServerMessage>),
    Close(u16),
}

/// Who hears of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Both,
    Tab,
    Server,
    /// A half-open connection: found by ping, and by silence.
    Nobody,
}

/// What a browser calls a connection that broke.
pub const BROKEN: u16 = 1006;

pub struct Conn {
    pub tab: usize,
    pub life: u64,
    /// When the last message arrives, in each direction: the next one comes after it.
    up_last: u64,
    down_last: u64,
    /// From this moment on nothing arrives any more.
    up_dead: u64,
    down_dead: u64,
}

impl World {
    /// A tab asks for a connection.
    pub fn connect(&mut self, tab: usize, life: u64) -> ConnId {
        let id = self.conns.len() as ConnId;
        let conn = Conn { tab, life, up_last: 0, down_last: 0, up_dead: u64::MAX, down_dead: u64::MAX };
        self.conns.push(conn);
        let latency = self.latency();
        if self.tabs[tab].unreachable_until > self.now {
            // Nothing comes back, not even a refusal: the link gives up by its own clock.
            self.conns[id as usize].up_dead = 0;
        } else if self.node.is_up() {
            self.after(latency, Event::Opened(id));
        } else {
            self.after(latency, Event::Down(id, Down::Close(BROKEN)));
        }
        id
    }

    pub fn send_up(&mut self, id: ConnId, message: Up) {
        let at = self.now + self.latency();
        let conn = &mut self.conns[id as usize];
        conn.up_last = conn.up_last.max(at);
        let at = conn.up_last;
        self.at(at, Event::Up(id, message));
    }

    pub fn send_down(&mut self, id: ConnId, message: Down) {
        let at = self.now + self.latency();
        let conn = &mut self.conns[id as usize];
        conn.down_last = conn.down_last.max(at);
        let at = conn.down_last;
        self.at(at, Event::Down(id, message));
    }

    /// Whether something that arrives now arrives.
    pub fn arrives_up(&self, id: ConnId) -> bool {
        self.now < self.conns[id as usize].up_dead
    }

    pub fn arrives_down(&self, id: ConnId) -> bool {
        self.now < self.conns[id as usize].down_dead
    }

    /// Whether all that the server sent has arrived by now, and more would.
    pub fn has_arrived(&self, id: ConnId) -> bool {
        self.conns[id as usize].down_last < self.now && self.arrives_down(id)
    }

    /// Cuts a connection. What is on its way may still arrive for a moment.
    pub fn cut(&mut self, id: ConnId, told: Told) {
        let (up, down) = (self.random.below(300), self.random.below(300));
        let conn = &mut self.conns[id as usize];
        conn.up_dead = conn.up_dead.min(self.now + up);
        conn.down_dead = conn.down_dead.min(self.now + down);
        let (up, down) = (conn.up_dead.max(self.now), conn.down_dead.max(self.now));
        if matches!(told, Told::Both | Told::Server) {
            self.at(up + 1, Event::Lost(id));
        }
        if matches!(told, Told::Both | Told::Tab) {
            self.at(down + 1, Event::Broken(id, BROKEN));
        }
    }

    /// The tab drops its end. The server hears of it after all that was sent, if it hears at all.
    pub fn hang_up(&mut self, id: ConnId) {
        let arrives = self.now + self.latency();
        let conn = &mut self.conns[id as usize];
        conn.down_dead = conn.down_dead.min(self.now);
        let at = conn.up_last.max(arrives) + 1;
        if at < conn.up_dead {
            self.at(at, Event::Lost(id));
        }
    }

    /// The network between a tab and the server stands still until a moment: what is on its way
    /// waits, or the connection is dead and nobody knows.
    pub fn partition(&mut self, tab: usize, until: u64) {
        self.tabs[tab].unreachable_until = until;
        let Some(id) = self.tabs[tab].conn() else { return };
        if self.random.percent(50) {
            self.cut(id, Told::Nobody);
        } else {
            let conn = &mut self.conns[id as usize];
            conn.up_last = conn.up_last.max(until);
            conn.down_last = conn.down_last.max(until);
        }
    }

    /// The server's machine is gone, and with it its end of every connection.
    pub fn cut_all(&mut self, told: Told) {
        for id in self.node.sessions() {
            let down = self.now + self.random.below(100);
            let conn = &mut self.conns[id as usize];
            conn.up_dead = conn.up_dead.min(self.now);
            conn.down_dead = conn.down_dead.min(down);
            let at = conn.down_dead.max(self.now) + 1;
            if told == Told::Both {
                self.at(at, Event::Broken(id, BROKEN));
            }
        }
    }

    fn latency(&mut self) -> u64 {
        let (least, most) = self.climate.latency;
        let spike = self.random.percent(2);
        let latency = self.random.between(least, most);
        if spike { latency * 20 } else { latency }
    }
}
