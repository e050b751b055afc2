//! Folded splices of a text: disjoint places of the text as it is now, with what stood there before.
//!
//! Keys that follow each other build on each other: the second backspace takes what stands before the first.
//! Taken back one by one, each would look for its place beside what is not there yet. Folded, every place
//! lies between characters that nobody touched, and all can be taken back at once.

/// One replacement in a text. Positions count UTF-16 units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    pub at: u32,
    pub removed: String,
    pub inserted: String,
}

impl Splice {
    /// The one replacement that makes a text of another; `None` where they read the same.
    pub fn between(before: &str, after: &str) -> Option<Self> {
        let common = |(one, other): &(char, char)| one == other;
        let bytes = |(one, _): (char, char)| one.len_utf8();
        let start: usize = before.chars().zip(after.chars()).take_while(common).map(bytes).sum();
        let (removed, inserted) = (&before[start..], &after[start..]);
        let backwards = removed.chars().rev().zip(inserted.chars().rev());
        let end: usize = backwards.take_while(common).map(bytes).sum();
        let middle = |text: &str| text[..text.len() - end].to_owned();
        let splice =
            Self { at: units(&before[..start]), removed: middle(removed), inserted: middle(inserted) };
        (splice.removed != splice.inserted).then_some(splice)
    }

    /// The end of what it inserted.
    pub fn end(&self) -> u32 {
        self.at + units(&self.inserted)
    }

    /// A part of what it inserted, between two positions of the text.
    fn part(&self, from: u32, to: u32) -> String {
        cut(&self.inserted, from - self.at, to - self.at)
    }
}

/// Splices of one text, folded: in the order of their places, with something untouched between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splices(Vec<Splice>);

impl Splices {
    /// All of them, each where it stands in the text after all.
    pub fn all(&self) -> &[Splice] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was done next to the text.
    pub fn fold(&mut self, next: &Splice) {
        let (from, to) = (next.at, next.at + units(&next.removed));
        let first = self.0.iter().take_while(|one| one.end() < from).count();
        let last = self.0.iter().take_while(|one| one.at <= to).count().max(first);
        let touched = &self.0[first..last];
        let start = touched.first().map_or(from, |one| one.at.min(from));
        let end = touched.last().map_or(to, |one| one.end().max(to));
        let (mut removed, mut inserted, mut at) = (String::new(), String::new(), start);
        for one in touched {
            // What was removed now and never touched before stood there from the beginning.
            if at < one.at {
                removed.push_str(&cut(&next.removed, at - from, one.at - from));
            }
            removed.push_str(&one.removed);
            at = one.end();
        }
        if at < to {
            removed.push_str(&cut(&next.removed, at - from, to - from));
        }
        if let Some(one) = touched.first().filter(|one| one.at < from) {
            inserted.push_str(&one.part(one.at, from));
        }
        inserted.push_str(&next.inserted);
        if let Some(one) = touched.last().filter(|one| one.end() > to) {
            inserted.push_str(&one.part(to, end));
        }
        let (gone, come) = (to - from, units(&next.inserted));
        for later in &mut self.0[last..] {
            later.at = later.at - gone + come;
        }
        let folded = Splice { at: start, removed, inserted };
        let changed = folded.removed != folded.inserted;
        self.0.splice(first..last, changed.then_some(folded));
    }
}

/// The length of a text in UTF-16 units.
pub fn units(text: &str) -> u32 {
    text.encode_utf16().count() as u32
}

/// The part of a text between two positions, which lie between characters.
pub fn cut(text: &str, from: u32, to: u32) -> String {
    let mut at = 0;
    let mut part = String::new();
    for c in text.chars() {
        if at >= to {
            break;
        }
        if at >= from {
            part.push(c);
        }
        at += c.len_utf16() as u32;
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A text after a splice, and what the splice did.
    fn done(text: &str, at: usize, remove: usize, insert: &str) -> (String, Splice) {
        let chars: Vec<char> = text.chars().collect();
        let at = at.min(chars.len());
        let end = (at + remove).min(chars.len());
        let string = |chars: &[char]| chars.iter().collect::<String>();
        let (before, removed, behind) =
            (string(&chars[..at]), string(&chars[at..end]), string(&chars[end..]));
        let splice = Splice { at: units(&before), removed, inserted: insert.to_owned() };
        (format!("{before}{insert}{behind}"), splice)
    }

    #[test]
    fn backspaces_are_one_removal() {
        let (mut text, mut splices) = ("Hello".to_owned(), Splices::default());
        for at in [4, 3, 2] {
            let (next, splice) = done(&text, at, 1, "");
            splices.fold(&splice);
            text = next;
        }
        let removed = Splice { at: 2, removed: "llo".to_owned(), inserted: String::new() };
        assert_eq!((&*text, splices.all()), ("He", &[removed][..]));
        // Typed again, nothing was done at all.
        splices.fold(&done(&text, 2, 0, "llo").1);
        assert!(splices.is_empty());
    }

    proptest! {
        #[test]
        fn a_splice_between_two_texts_makes_one_of_the_other(before in "[a-c😀é]{0,8}", after in "[a-c😀é]{0,8}") {
            let made = match Splice::between(&before, &after) {
                None => before.clone(),
                Some(Splice { at, removed, inserted }) => {
                    let end = at + units(&removed);
                    prop_assert_eq!(cut(&before, at, end), removed);
                    format!("{}{inserted}{}", cut(&before, 0, at), cut(&before, end, u32::MAX))
                }
            };
            prop_assert_eq!(made, after);
        }

        #[test]
        fn taken_back_all_at_once_the_text_is_as_it_was(
            start in "[a-c😀]{0,12}",
            steps in prop::collection::vec((0usize..16, 0usize..5, "[x-z😀]{0,4}"), 0..20),
        ) {
            let (mut text, mut splices) = (start.clone(), Splices::default());
            for (at, remove, insert) in &steps {
                let (next, splice) = done(&text, *at, *remove, insert);
                splices.fold(&splice);
                text = next;
            }
            let all = splices.all();
            prop_assert!(all.windows(2).all(|two| two[0].end() < two[1].at), "{:?}", all);
            for one in all.iter().rev() {
                prop_assert_eq!(cut(&text, one.at, one.end()), one.inserted.clone());
                let behind = cut(&text, one.end(), u32::MAX);
                text = format!("{}{}{behind}", cut(&text, 0, one.at), one.removed);
            }
            prop_assert_eq!(text, start);
        }
    }
}
