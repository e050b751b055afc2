//! The others on the dashboard and their presence, derived from their sessions once for the whole page.
//!
//! Each view depends on its own part: a moving cursor wakes cursors only, never widgets.

use std::collections::BTreeMap;

use crate::app::dynamic::{effect, memo};
use leptos::prelude::*;

use crate::app::dashboard_store::{DashboardStore, Draft};
use crate::app::options::parse;
use crate::dashboard::order::sorted;
use crate::dashboard::{Frame, SessionId, User, UserId, WidgetId};
use crate::sync::protocol::{Cursor, Editing, Peer};

/// The sessions of the others.
type Peers = BTreeMap<SessionId, Peer>;

/// Something by what it is of. There are never so many that a search would be felt.
pub type Of<K, T> = Vec<(K, T)>;

/// What is listed for one key.
pub fn of<'a, K: PartialEq, T>(all: &'a Of<K, T>, key: &K) -> Option<&'a T> {
    all.iter().find(|(one, _)| one == key).map(|(_, what)| what)
}

fn of_mut<'a, K: PartialEq + Clone, T: Default>(all: &'a mut Of<K, T>, key: &K) -> &'a mut T {
    let at = all.iter().position(|(one, _)| one == key).unwrap_or_else(|| {
        all.push((key.clone(), T::default()));
        all.len() - 1
    });
    &mut all[at].1
}

/// A person, however many sessions they have.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub user: User,
    pub devices: usize,
    /// True when every session of theirs is.
    pub away: bool,
}

/// Somebody who edits a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Editor {
    pub session: SessionId,
    pub user: User,
    pub editing: Editing,
}

/// Views of the others, each awake only for what it shows.
///
/// What every widget looks at is a signal that is set when it is another, and no memo: presence comes
/// thirty times a second, and each time a memo would ask all that depend on it to look again.
#[derive(Clone, Copy)]
pub struct People {
    /// Everybody else, a person once, by name.
    pub persons: RwSignal<Vec<Person>>,
    /// Who edits which widget; `None` stands for the dashboard itself.
    pub editors: RwSignal<Of<Option<WidgetId>, Vec<Editor>>>,
    pub selections: RwSignal<Of<WidgetId, Vec<User>>>,
    pub drags: RwSignal<Of<WidgetId, (User, Frame)>>,
    pub cursors: Memo<Of<SessionId, (User, Cursor)>>,
    /// Where the followed person is: the widget to bring into view.
    pub followed: Memo<Option<WidgetId>>,
    /// My own other sessions.
    pub my_devices: Memo<usize>,
}

impl People {
    pub fn new(store: DashboardStore) -> Self {
        let peers = store.peers;
        let persons = RwSignal::new(Vec::new());
        let editors = RwSignal::new(Vec::new());
        let selections = RwSignal::new(Vec::new());
        let drags = RwSignal::new(Vec::new());
        effect(move || {
            let (peers, me) = (peers.read(), store.me.read());
            set_if_new(persons, persons_of(&peers, &me.id));
            set_if_new(editors, editors_of(&peers));
            set_if_new(selections, selections_of(&peers));
            set_if_new(drags, drags_of(&peers));
        });
        let previewed = StoredValue::new(Vec::<WidgetId>::new());
        effect(move || editors.with(|editors| preview(store, editors, previewed)));
        let cursors = memo(move || {
            let peers = peers.read();
            let cursor = |(session, peer): (&SessionId, &Peer)| {
                Some((session.clone(), (peer.user.clone(), peer.presence.cursor.clone()?)))
            };
            peers.iter().filter_map(cursor).collect()
        });
        let followed = memo(move || {
            let who = store.following.get()?;
            let peers = peers.read();
            // A person on two devices is followed where they are awake.
            let mut sessions = peers.values().filter(|peer| peer.user.id == who);
            let peer = sessions.clone().find(|peer| !peer.presence.away).or_else(|| sessions.next())?;
            let presence = &peer.presence;
            let on_widget =
                || WidgetId::new(&presence.cursor.as_ref()?.on).ok().filter(|id| id.as_str() != "canvas");
            presence.looking_at.clone().or_else(|| presence.selected.first().cloned()).or_else(on_widget)
        });
        let my_devices = memo(move || {
            let me = store.me.read().id.clone();
            1 + peers.read().values().filter(|peer| peer.user.id == me).count()
        });
        Self { persons, editors, selections, drags, cursors, followed, my_devices }
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides who is here")
    }

    /// The others who edit one widget, in the order of their sessions.
    pub fn editors_of(self, id: &WidgetId) -> Memo<Vec<Editor>> {
        let key = Some(id.clone());
        memo(move || of(&self.editors.read(), &key).cloned().unwrap_or_default())
    }

    /// Somebody's draft of a field, while it is typed.
    pub fn draft_of(editors: &[Editor], field: &str) -> Option<String> {
        editors.iter().find(|editor| editor.editing.field == field)?.editing.draft.clone()
    }
}

/// Lets widgets look as the others' drafts of their options would have them, and as they are again where
/// nobody writes any more.
fn preview(
    store: DashboardStore,
    editors: &Of<Option<WidgetId>, Vec<Editor>>,
    previewed: StoredValue<Vec<WidgetId>>,
) {
    let draft = |id: &WidgetId, editor: &Editor| -> Option<Draft> {
        let Editing { field, draft, .. } = &editor.editing;
        let kind = store.widget(id)?.widget.with_untracked(|widget| widget.kind);
        Some((field.clone(), parse(kind.field(field)?.takes, draft.as_deref()?).ok()?))
    };
    let drafts: Vec<(&WidgetId, Draft)> = editors
        .iter()
        .filter_map(|(id, editors)| {
            let id = id.as_ref()?;
            Some((id, editors.iter().find_map(|editor| draft(id, editor))?))
        })
        .collect();
    let now: Vec<WidgetId> = drafts.iter().map(|(id, _)| (*id).clone()).collect();
    let before = previewed.try_update_value(|ids| std::mem::replace(ids, now)).unwrap_or_default();
    let over = before.iter().filter(|id| drafts.iter().all(|(still, _)| still != id));
    for signals in over.filter_map(|id| store.widget(id)) {
        signals.preview(|drafts| drafts.theirs = None);
    }
    for (id, draft) in drafts {
        if let Some(signals) = store.widget(id) {
            signals.preview(|drafts| drafts.theirs = Some(draft));
        }
    }
}

fn set_if_new<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

fn persons_of(peers: &Peers, me: &UserId) -> Vec<Person> {
    let mut persons: Vec<Person> = Vec::new();
    for peer in peers.values().filter(|peer| peer.user.id != *me) {
        let away = peer.presence.away;
        match persons.iter_mut().find(|person| person.user.id == peer.user.id) {
            Some(person) => {
                person.devices += 1;
                person.away &= away;
            }
            None => persons.push(Person { user: peer.user.clone(), devices: 1, away }),
        }
    }
    sorted(persons, |a, b| (&a.user.name, &a.user.id).cmp(&(&b.user.name, &b.user.id)))
}

fn editors_of(peers: &Peers) -> Of<Option<WidgetId>, Vec<Editor>> {
    let mut editors: Of<Option<WidgetId>, Vec<Editor>> = Vec::new();
    for (session, peer) in peers {
        if let Some(editing) = &peer.presence.editing {
            of_mut(&mut editors, &editing.id).push(Editor {
                session: session.clone(),
                user: peer.user.clone(),
                editing: editing.clone(),
            });
        }
    }
    editors
}

/// What the others have selected. A frame says that somebody is at it: who is away leaves none.
fn selections_of(peers: &Peers) -> Of<WidgetId, Vec<User>> {
    let mut selections: Of<WidgetId, Vec<User>> = Vec::new();
    for peer in peers.values().filter(|peer| !peer.presence.away) {
        for id in &peer.presence.selected {
            of_mut(&mut selections, id).push(peer.user.clone());
        }
    }
    selections
}

fn drags_of(peers: &Peers) -> Of<WidgetId, (User, Frame)> {
    let drag = |peer: &Peer| {
        let dragging = peer.presence.dragging.as_ref()?;
        Some((dragging.id.clone(), (peer.user.clone(), dragging.frame)))
    };
    peers.values().filter_map(drag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::protocol::Presence;

    #[test]
    fn who_is_away_leaves_no_frame() {
        let widget = WidgetId::new("w").expect("an id");
        let peer = |name: &str, away: bool| {
            let user =
                User { id: UserId::new(name).expect("an id"), name: name.to_owned(), ..User::default() };
            let presence = Presence { selected: vec![widget.clone()], away, ..Presence::default() };
            (SessionId::new(name).expect("an id"), Peer { user, presence })
        };
        let peers: Peers = [peer("ada", true), peer("grace", false)].into();
        let selections = selections_of(&peers);
        let names: Vec<&str> =
            of(&selections, &widget).into_iter().flatten().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["grace"]);
        assert!(persons_of(&peers, &UserId::new("me").expect("an id"))[0].away, "they are still here");
    }
}
