//! Presence: who is in a room and what they do right now (S8). Not in the log; it expires by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::dashboard::settings::ANNOTATION;
use crate::dashboard::widget::MAX_MEMBER_CHARS;
use crate::dashboard::{SessionId, User};

use super::protocol::{Peer, Peers, Presence};

/// How long presence holds without a sign of life, in milliseconds: three missed pings.
pub const TTL_MS: u64 = 30_000;
/// Widgets that one person has selected: more is not a selection that others can read.
const MAX_SELECTED: usize = 50;
/// Characters of a draft: as many as the longest option takes.
const MAX_DRAFT_CHARS: usize = 4096;
/// Characters of a field's name, which may be a family's with a member of it; and of what a cursor is on.
const MAX_NAME_CHARS: usize = MAX_MEMBER_CHARS + ANNOTATION.len();
/// Characters of a caret (`dashboard::text::Anchor`).
const MAX_CARET_CHARS: usize = 64;

/// The presence of one room's sessions.
#[derive(Debug, Default)]
pub struct PresenceSet {
    sessions: BTreeMap<SessionId, Entry>,
    changed: BTreeSet<SessionId>,
}

#[derive(Debug)]
struct Entry {
    peer: Peer,
    seen_at: u64,
}

impl PresenceSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what a session says of itself; `user` is the server's word.
    pub fn set(&mut self, session: &SessionId, user: &User, presence: Presence, now_ms: u64) {
        let peer = Peer { user: user.clone(), presence };
        match self.sessions.get_mut(session) {
            Some(entry) => {
                entry.seen_at = now_ms;
                if entry.peer == peer {
                    return;
                }
                entry.peer = peer;
            }
            None => {
                self.sessions.insert(session.clone(), Entry { peer, seen_at: now_ms });
            }
        }
        self.changed.insert(session.clone());
    }

    /// Any sign of life of a session.
    pub fn touch(&mut self, session: &SessionId, now_ms: u64) {
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.seen_at = now_ms;
        }
    }

    /// Wipes a session: it said so, left, or ended.
    pub fn withdraw(&mut self, session: &SessionId) {
        if self.sessions.remove(session).is_some() {
            self.changed.insert(session.clone());
        }
    }

    /// Wipes the sessions without a sign of life for [`TTL_MS`].
    pub fn expire(&mut self, now_ms: u64) {
        let silent = |entry: &Entry| now_ms.saturating_sub(entry.seen_at) > TTL_MS;
        let gone: Vec<_> =
            self.sessions.iter().filter(|(_, e)| silent(e)).map(|(id, _)| id.clone()).collect();
        for session in &gone {
            self.withdraw(session);
        }
    }

    /// What changed since it was last taken; `None` where nothing did.
    pub fn take_changed(&mut self) -> Option<Peers> {
        if self.changed.is_empty() {
            return None;
        }
        let changed = std::mem::take(&mut self.changed);
        Some(
            changed
                .into_iter()
                .map(|id| (id.clone(), self.sessions.get(&id).map(|e| e.peer.clone())))
                .collect(),
        )
    }

    /// Everybody, for one who joins.
    pub fn peers(&self) -> Peers {
        self.sessions.iter().map(|(id, entry)| (id.clone(), Some(entry.peer.clone()))).collect()
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// Checks presence as a client sent it. Errors say what does not fit.
pub fn check(presence: &Presence) -> Result<(), String> {
    if presence.selected.len() > MAX_SELECTED {
        return Err(format!("At most {MAX_SELECTED} widgets are selected at once."));
    }
    if let Some(cursor) = &presence.cursor {
        let unit = 0.0..=1.0;
        if !unit.contains(&cursor.x) || !unit.contains(&cursor.y) {
            return Err("A cursor lies in the unit square, 0 to 1.".to_owned());
        }
        if cursor.on.len() > MAX_NAME_CHARS {
            return Err("A cursor is on a widget's id or on canvas.".to_owned());
        }
    }
    if let Some(editing) = &presence.editing {
        let too_long =
            |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.chars().count() > most);
        if editing.field.len() > MAX_NAME_CHARS {
            return Err("There is no field with a name this long.".to_owned());
        }
        if too_long(&editing.draft, MAX_DRAFT_CHARS) {
            return Err(format!("A draft has at most {MAX_DRAFT_CHARS} characters."));
        }
        if too_long(&editing.caret, MAX_CARET_CHARS) {
            return Err(format!("A caret has at most {MAX_CARET_CHARS} characters."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::settings::{CHOSEN, VARIABLE};
    use crate::sync::protocol::{Cursor, Editing};

    fn session(name: &str) -> SessionId {
        SessionId::new(name).expect("an id")
    }

    fn at(x: f32) -> Presence {
        Presence { cursor: Some(Cursor { on: "canvas".into(), x, y: 0.5, at: None }), ..Presence::default() }
    }

    #[test]
    fn every_field_that_there_is_can_be_edited_before_others() {
        let editing = |field: String| Presence {
            editing: Some(Editing { id: None, field, draft: None, caret: None }),
            ..Presence::default()
        };
        let longest = "a".repeat(MAX_MEMBER_CHARS);
        for family in [ANNOTATION, VARIABLE, CHOSEN, "item.", "done.", "unit."] {
            assert_eq!(check(&editing(format!("{family}{longest}"))), Ok(()), "{family}");
        }
        assert!(check(&editing("a".repeat(MAX_NAME_CHARS + 1))).is_err());
    }

    #[test]
    fn s8_presence_expires_and_is_wiped() {
        let mut set = PresenceSet::new();
        set.set(&session("a"), &User::default(), at(0.1), 0);
        set.set(&session("b"), &User::default(), at(0.2), 0);
        assert_eq!(set.take_changed().map(|peers| peers.len()), Some(2));
        assert_eq!(set.take_changed(), None);
        set.touch(&session("b"), 20_000);
        set.expire(TTL_MS + 1);
        assert_eq!(set.take_changed(), Some(Peers::from([(session("a"), None)])));
        set.withdraw(&session("b"));
        assert_eq!(set.take_changed(), Some(Peers::from([(session("b"), None)])));
        assert!(set.is_empty());
    }

    #[test]
    fn the_same_presence_again_is_no_change() {
        let mut set = PresenceSet::new();
        set.set(&session("a"), &User::default(), at(0.1), 0);
        set.take_changed();
        set.set(&session("a"), &User::default(), at(0.1), 5);
        assert_eq!(set.take_changed(), None);
    }

    #[test]
    fn s10_presence_is_bounded() {
        assert!(check(&at(0.5)).is_ok());
        for bad in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            assert!(check(&at(bad)).is_err(), "{bad}");
        }
    }
}
