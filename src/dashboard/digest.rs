//! Digests of a dashboard, so that two copies can be compared by a few bytes (S11).

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Cell, ClientId, Conflict, ConflictId, Dashboard, Settled, Side, User, Widget};

/// FNV-1a, 64 bits: no secret to keep, only a difference to find.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn part(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        // 0xff is in no UTF-8 text, so parts cannot run into each other.
        self.byte(0xff);
    }

    fn number(&mut self, number: u64) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    fn widget(&mut self, widget: &Widget) {
        self.part(widget.kind.name());
        self.part(&widget.title);
        let frame = widget.frame;
        for unit in [frame.x, frame.y, frame.w, frame.h] {
            self.number(u64::from(unit));
        }
        for (name, value) in &widget.options {
            self.part(name);
            self.part(&value.to_string());
        }
        self.part(widget.text.as_ref().map_or("", |text| text.plain()));
    }

    fn json(&mut self, value: &impl Serialize) {
        // A value that cannot be written cannot be sent either; what was hashed until there stands.
        let _ = serde_json::to_writer(&mut *self, value);
        self.byte(0xff);
    }

    fn digits(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// A record as the digest has it: without the times at which its sides were written. A replica of an older build
/// drops what it does not know, and would take a snapshot at each digest.
#[derive(Serialize)]
struct Record<'a> {
    id: &'a ConflictId,
    cell: &'a Cell,
    base: &'a Value,
    kept: RecordSide<'a>,
    other: RecordSide<'a>,
    settled: &'a Option<Settled>,
}

#[derive(Serialize)]
struct RecordSide<'a> {
    value: &'a Value,
    by: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: &'a Option<ClientId>,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

impl<'a> From<&'a Conflict> for Record<'a> {
    fn from(conflict: &'a Conflict) -> Self {
        let Conflict { id, cell, base, kept, other, settled } = conflict;
        Self { id, cell, base, kept: kept.into(), other: other.into(), settled }
    }
}

impl<'a> From<&'a Side> for RecordSide<'a> {
    fn from(Side { value, by, client, at, written_at: _, revision }: &'a Side) -> Self {
        Self { value, by, client, at: *at, revision: *revision }
    }
}

impl Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        bytes.iter().for_each(|byte| self.byte(*byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Dashboard {
    /// 16 hex digits that agree where two copies show the same: titles, settings, widgets with their
    /// frames, options and text, which tombstones there are, and which conflicts are open.
    ///
    /// As every build computes it that is about; [`Dashboard::full_digest`] covers more.
    pub fn digest(&self) -> String {
        let mut hash = self.shown();
        for (id, removed) in &self.removed {
            hash.part(id.as_str());
            hash.number(removed.revision);
        }
        for (id, conflict) in &self.conflicts {
            hash.part(id.as_str());
            hash.number(u64::from(conflict.settled.is_some()));
        }
        hash.digits()
    }

    /// 16 hex digits that agree where two copies are the same in everything that a person can come to see:
    /// also the content of tombstones, whose they are and of when, and both sides of every conflict, other than
    /// when these were written.
    pub fn full_digest(&self) -> String {
        let mut hash = self.shown();
        hash.number(self.removed.len() as u64);
        for (id, removed) in &self.removed {
            hash.part(id.as_str());
            hash.widget(&removed.widget);
            hash.json(&removed.by);
            hash.number(removed.at);
            hash.number(removed.revision);
        }
        hash.number(self.conflicts.len() as u64);
        self.conflicts.values().for_each(|conflict| hash.json(&Record::from(&**conflict)));
        hash.digits()
    }

    /// The hash of what is on the grid and around it.
    fn shown(&self) -> Fnv {
        let mut hash = Fnv::new();
        hash.part(&self.title);
        for (name, value) in &self.settings {
            hash.part(name);
            hash.part(&value.to_string());
        }
        hash.number(self.widgets.len() as u64);
        for (id, widget) in &self.widgets {
            hash.part(id.as_str());
            hash.widget(widget);
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Choice, Frame, Kind, NoteText, Op, Stamp, WidgetId};
    use std::sync::Arc;

    fn id(name: &str) -> WidgetId {
        WidgetId::new(name).expect("an id")
    }

    /// A dashboard with something of everything.
    fn full() -> Dashboard {
        let mut dashboard = Dashboard::new("Title");
        dashboard.settings.insert("range".to_owned(), "6h".into());
        for name in ["n1", "n2"] {
            let mut note = Widget::new(Kind::Note, "Note", Frame::new(0, 0, 6, 4));
            note.text = Some(NoteText::from_plain("text", 1));
            dashboard.apply(&note.add_op(id(name)), &Stamp::default());
        }
        let mut stat = Widget::new(Kind::Stat, "Stat", Frame::new(6, 0, 6, 4));
        stat.options.insert("max".to_owned(), 100.into());
        dashboard.apply(&stat.add_op(id("s1")), &Stamp::default());
        let stamp = Stamp { at: 5, revision: 3, ..Stamp::default() };
        dashboard.apply(&Op::RemoveWidget { id: id("n2") }, &stamp);
        let side = |value: &str| Side {
            value: value.into(),
            by: User::default(),
            client: None,
            at: 1,
            written_at: None,
            revision: None,
        };
        let conflict = Conflict {
            id: ConflictId::new("k1").expect("an id"),
            cell: Cell::widget(&id("s1"), "title"),
            base: "Base".into(),
            kept: side("A"),
            other: side("B"),
            settled: Some(Settled { choose: Choice::Kept, by: User::default(), at: 2, agreed: false }),
        };
        dashboard.conflicts.insert(conflict.id.clone(), Arc::new(conflict));
        dashboard
    }

    #[test]
    fn s11_whatever_differs_for_a_person_is_in_the_digest() {
        type Change = (&'static str, bool, fn(&mut Dashboard));
        fn widget(dashboard: &mut Dashboard) -> &mut Widget {
            Arc::make_mut(dashboard.widgets.get_mut("s1").expect("a widget"))
        }
        fn removed(dashboard: &mut Dashboard) -> &mut crate::dashboard::Removed {
            Arc::make_mut(dashboard.removed.get_mut("n2").expect("a tombstone"))
        }
        fn conflict(dashboard: &mut Dashboard) -> &mut Conflict {
            Arc::make_mut(dashboard.conflicts.get_mut("k1").expect("a record"))
        }
        let changes: [Change; 19] = [
            ("the title", true, |d| d.title.push('x')),
            ("a setting", true, |d| drop(d.settings.insert("range".to_owned(), "7d".into()))),
            ("a setting that is gone", true, |d| drop(d.settings.remove("range"))),
            ("a widget's title", true, |d| widget(d).title.push('x')),
            ("its kind", true, |d| widget(d).kind = Kind::Gauge),
            ("its frame", true, |d| widget(d).frame.x += 1),
            ("an option", true, |d| drop(widget(d).options.insert("max".to_owned(), 101.into()))),
            ("a note's text", true, |d| {
                let note = Arc::make_mut(d.widgets.get_mut("n1").expect("a note"));
                note.text = Some(NoteText::from_plain("other", 1));
            }),
            ("a widget that is gone", true, |d| drop(d.widgets.remove("s1"))),
            ("a tombstone that is gone", true, |d| drop(d.removed.remove("n2"))),
            ("a record that is gone", true, |d| drop(d.conflicts.remove("k1"))),
            ("a record that is open", true, |d| conflict(d).settled = None),
            ("a removed note's text", false, |d| {
                let note = Arc::make_mut(&mut removed(d).widget);
                note.text = Some(NoteText::from_plain("other", 1));
            }),
            ("who removed it", false, |d| removed(d).by.name.push('x')),
            ("when it was removed", false, |d| removed(d).at += 1),
            ("a value that waits", false, |d| conflict(d).other.value = "C".into()),
            ("whose it is", false, |d| conflict(d).kept.by.name.push('x')),
            ("what both began with", false, |d| conflict(d).base = "x".into()),
            ("what was chosen", false, |d| {
                conflict(d).settled.as_mut().expect("settled").choose = Choice::Other;
            }),
        ];
        let was = full();
        for (what, of_all_builds, change) in changes {
            let mut other = was.clone();
            change(&mut other);
            assert_ne!(other.full_digest(), was.full_digest(), "{what}");
            assert_eq!(other.digest() != was.digest(), of_all_builds, "{what}");
        }
    }

    #[test]
    fn s11_a_replica_that_does_not_know_when_a_side_was_written_has_the_same_digests() {
        let mut told = full();
        let record = Arc::make_mut(told.conflicts.get_mut("k1").expect("a record"));
        (record.kept.written_at, record.other.written_at) = (None, Some(1));
        let old = full();
        assert_ne!(told, old);
        assert_eq!((told.digest(), told.full_digest()), (old.digest(), old.full_digest()));
    }

    #[test]
    fn s11_a_record_is_hashed_as_it_is_written() {
        let mut dashboard = full();
        let record = Arc::make_mut(dashboard.conflicts.get_mut("k1").expect("a record"));
        record.kept.client = ClientId::new("c1").ok();
        record.other.revision = Some(7);
        let written = serde_json::to_string(record).expect("JSON");
        assert_eq!(serde_json::to_string(&Record::from(&*record)).expect("JSON"), written);
        record.other.written_at = Some(1);
        assert_eq!(serde_json::to_string(&Record::from(&*record)).expect("JSON"), written);
    }

    #[test]
    fn s11_the_digest_of_all_builds_stays_what_it_is() {
        assert_eq!(full().digest(), "877645094588c6c4");
    }
}
