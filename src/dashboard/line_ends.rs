//! Line ends: a text may have CR LF and CR from outside, and the browser's text fields show both as LF. Here are
//! the positions of the one in the other, in UTF-16 units.

use std::borrow::Cow;

/// The text with LF for every CR LF and CR, as a text field has it.
pub fn normalized(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

/// A position in a text as one in its normalized form. Within CR LF it is the one before both.
pub fn to_normalized(text: &str, at: u32) -> u32 {
    at - pairs(text).take_while(|lf| *lf <= at).count() as u32
}

/// A position in the normalized form as one in the text, never within CR LF.
pub fn from_normalized(text: &str, at: u32) -> u32 {
    // Each CR LF that ends before the position moves it by one.
    pairs(text).fold(at, |at, lf| if lf <= at { at + 1 } else { at })
}

/// A replacement in the normalized form, `(at, remove, insert)`, as one in the text that has the same effect.
pub fn splice_from_normalized(text: &str, at: u32, remove: u32, insert: &str) -> (u32, u32, String) {
    if !text.contains('\r') {
        return (at, remove, insert.to_owned());
    }
    let (from, to) = (from_normalized(text, at), from_normalized(text, at + remove));
    let units: Vec<u16> = text.encode_utf16().collect();
    let next = insert.encode_utf16().next().or_else(|| units.get(to as usize).copied());
    if next != Some(LF) {
        return (from, to - from, insert.to_owned());
    }
    // A CR that gets a LF behind it would be one line end with it: it becomes a LF of its own, and so does each
    // CR before it.
    let before = units.iter().take(from as usize).rev();
    let crs = before.take_while(|unit| **unit == CR).count() as u32;
    (from - crs, to - from + crs, "\n".repeat(crs as usize) + insert)
}

const CR: u16 = b'\r' as u16;
const LF: u16 = b'\n' as u16;

/// The positions of the LF of each CR LF.
fn pairs(text: &str) -> impl Iterator<Item = u32> {
    let mut before = 0;
    let text = if text.contains('\r') { text } else { "" };
    text.encode_utf16().zip(0u32..).filter_map(move |(unit, at)| {
        let pair = before == CR && unit == LF;
        before = unit;
        pair.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::splice::{cut, units};
    use proptest::prelude::*;

    fn spliced(text: &str, at: u32, remove: u32, insert: &str) -> String {
        format!("{}{insert}{}", cut(text, 0, at), cut(text, at + remove, u32::MAX))
    }

    #[test]
    fn a_key_at_the_end_leaves_the_line_ends_before_it() {
        let text = "one\r\ntwo\rthree\r\n";
        assert_eq!(normalized(text), "one\ntwo\nthree\n");
        assert_eq!(splice_from_normalized(text, 14, 0, "x"), (16, 0, "x".to_owned()));
        assert_eq!(splice_from_normalized(text, 3, 1, ""), (3, 2, String::new()));
        let twice: Vec<u32> = (0..=5).map(|at| from_normalized("\r\n\r\na", at.min(3))).collect();
        assert_eq!(twice, [0, 2, 4, 5, 5, 5]);
    }

    #[test]
    fn enter_behind_a_lone_cr_is_a_line_of_its_own() {
        assert_eq!(splice_from_normalized("a\rb", 2, 0, "\n"), (1, 1, "\n\n".to_owned()));
        assert_eq!(splice_from_normalized("a\rx\nb", 2, 1, ""), (1, 2, "\n".to_owned()));
        assert_eq!(splice_from_normalized("\r\r", 2, 0, "\n"), (0, 2, "\n\n\n".to_owned()));
    }

    proptest! {
        #[test]
        fn a_splice_of_the_field_has_the_same_effect_on_the_text(
            text in "(a|\r|\n|\r\n|😀){0,12}", at in 0u32..14, remove in 0u32..6, insert in "(x|\n){0,3}",
        ) {
            let field = normalized(&text).into_owned();
            let chars: Vec<u32> = field.chars().scan(0, |at, c| {
                let here = *at;
                *at += c.len_utf16() as u32;
                Some(here)
            }).chain([units(&field)]).collect();
            let bound = |at: u32| chars[(at as usize).min(chars.len() - 1)];
            let (from, to) = (bound(at), bound(at + remove));
            let wanted = spliced(&field, from, to - from, &insert);
            let (at, remove, insert) = splice_from_normalized(&text, from, to - from, &insert);
            let done = spliced(&text, at, remove, &insert);
            prop_assert_eq!(normalized(&done), wanted);
        }

        #[test]
        fn positions_go_there_and_back(text in "(a|\r|\n|\r\n|😀){0,12}", at in 0u32..20) {
            let at = at.min(units(&normalized(&text)));
            let there = from_normalized(&text, at);
            prop_assert_eq!(to_normalized(&text, there), at);
            prop_assert!(pairs(&text).all(|lf| lf != there));
        }
    }
}
