//! Edits that make one text of another: only what differs is touched, so typing elsewhere in it stands.

use super::super::edit::OpError;
use super::super::splice::{cut, units};
use super::rebase::in_common;
use super::{NoteText, Update};

/// Units of one piece of what is inserted: in any script an update of it is small enough.
const PIECE: u32 = 8 * 1024;

impl NoteText {
    /// The updates that, applied in order, make this text read `wanted`; none where it does. `author` is the
    /// Yjs client id (53 bits) that they are typed by, and nobody else's.
    pub fn edits_to(&self, wanted: &str, author: u64) -> Result<Vec<Update>, OpError> {
        let mut updates = Vec::new();
        if self.plain() == wanted {
            return Ok(updates);
        }
        let mut text = self.clone();
        // From the end on, so that the places before stay where they are.
        let (mut older, mut newer) = (units(self.plain()), units(wanted));
        let runs = in_common(self.plain(), wanted);
        let begin = Some((0, 0, 0));
        let runs = runs.iter().rev().map(|run| (run.older, run.newer, run.length));
        for (from, now, length) in runs.chain(begin) {
            let (at, written) = (from + length, now + length);
            let insert = cut(wanted, written, newer);
            let remove = older - at;
            (older, newer) = (from, now);
            if remove > 0 || !insert.is_empty() {
                text.replace(at, remove, &insert, author, &mut updates)?;
            }
        }
        Ok(updates)
    }

    fn replace(
        &mut self,
        at: u32,
        remove: u32,
        insert: &str,
        author: u64,
        updates: &mut Vec<Update>,
    ) -> Result<(), OpError> {
        let (mut at, mut remove, end) = (at, remove, units(insert));
        let mut done = 0;
        loop {
            let mut piece = cut(insert, done, (done + PIECE).min(end));
            let (update, _) = self.splice(author, at, remove, &piece);
            *self = self.apply(&update)?;
            updates.push(update);
            let length = units(&std::mem::take(&mut piece));
            (done, at, remove) = (done + length, at + length, 0);
            if done >= end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reads(from: &str, to: &str) -> (String, usize) {
        let mut text = NoteText::from_plain(from, 1);
        let updates = text.edits_to(to, 2).expect("fits");
        for update in &updates {
            text = text.apply(update).expect("applies");
        }
        (text.plain().to_owned(), updates.len())
    }

    #[test]
    fn a_long_insertion_comes_in_pieces() {
        let long = "Zeile – 😀\n".repeat(5_000);
        let (text, pieces) = reads("begin end", &format!("begin {long}end"));
        assert_eq!(text, format!("begin {long}end"));
        assert!(pieces > 3, "{pieces}");
    }

    #[test]
    fn what_others_type_elsewhere_stands() {
        let base = NoteText::from_plain("# Runbook\nCall Ada.\n", 1);
        let updates = base.edits_to("# Runbook\nCall Grace.\n", 2).expect("fits");
        let (theirs, _) = base.splice(3, 0, 0, "Read me: ");
        let mut text = base.apply(&theirs).expect("applies");
        for update in &updates {
            text = text.apply(update).expect("applies");
        }
        assert_eq!(text.plain(), "Read me: # Runbook\nCall Grace.\n");
    }

    proptest! {
        #[test]
        fn any_text_becomes_any_other(from in "[a-c \n😀é]{0,40}", to in "[a-c \n😀é]{0,40}") {
            let (text, edits) = reads(&from, &to);
            prop_assert_eq!(&text, &to);
            prop_assert_eq!(edits == 0, from == to);
        }
    }
}
