//! A note: read as Markdown, and typed as plain text by any number of people at once.
//!
//! What is typed goes out as splices. What others type comes in around the caret, which stays with the
//! character that it stands behind.
//!
//! Positions here are those of the field, which has LF for each CR LF and CR of a text.

use crate::app::dynamic::{attr, effect, memo};
use leptos::html::Textarea;
use leptos::prelude::*;
use web_sys::HtmlTextAreaElement;

use super::markdown;
use crate::app::components::people::People;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::format::count;
use crate::dashboard::line_ends::{from_normalized, normalized, splice_from_normalized, to_normalized};
use crate::dashboard::number::grouped;
use crate::dashboard::text::{Anchor, MAX_NOTE_CHARS, Side};
use crate::dashboard::{NoteText, User, WidgetId, op};
use crate::sync::protocol::Editing;

#[component]
pub fn Note(id: WidgetId, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let area = NodeRef::<Textarea>::new();
    let typing = RwSignal::new(false);
    // Characters of what was just put in and not taken, as there is no room for them.
    let unfit = RwSignal::new(None::<usize>);
    // The text that the field shows; between a remote edit and its effect the field is behind.
    let shown = StoredValue::new(NoteText::default());
    let composing = StoredValue::new(false);
    let text = memo(move || signals.widget.with(|widget| widget.text.clone().unwrap_or_default()));
    let carets = carets(&id, text);
    let key = StoredValue::new(id);

    effect(move || {
        let text = text.get();
        if let Some(area) = area.get()
            && !composing.get_value()
        {
            shown.update_value(|shown| bring(&area, shown, text));
        }
    });
    let announce = move || {
        let Some(area) = area.get_untracked() else { return };
        let at = area.selection_end().ok().flatten().unwrap_or(0);
        let caret = shown.with_value(|text| anchor(text, at, Side::Before)).map(|anchor| anchor.encode());
        let editing = Editing { id: Some(key.get_value()), field: op::TEXT.to_owned(), draft: None, caret };
        store.live(|live| live.editing(Some(editing)));
    };
    let typed = move || {
        let Some(area) = area.get_untracked() else { return };
        if composing.get_value() {
            return;
        }
        let value = area.value();
        let before = shown.get_value();
        let caret = area.selection_end().ok().flatten().unwrap_or(0);
        if let Some((at, remove, insert)) = difference(&normalized(before.plain()), &value, caret) {
            let now = text.get_untracked();
            let (at, remove) = carry_over(&before, &now, at, remove);
            let (from, gone, put) = splice_from_normalized(now.plain(), at, remove, &insert);
            store.live(|live| live.splice(&key.get_value(), from, gone, &put));
            let after = text.get_untracked();
            let units = insert.encode_utf16().count();
            unfit.set((after == now && units > 0).then_some(units));
            let reads = normalized(after.plain());
            if reads != value {
                area.set_value(&reads);
                // What does not fit is not taken at all: then the caret goes back to where it began.
                let taken = if after == now { remove } else { units as u32 };
                let caret = at + taken;
                // Fails only for fields that have no text selection.
                let _ = area.set_selection_range(caret, caret);
            }
            shown.set_value(after);
        }
        announce();
    };
    let keys = move |event: leptos::ev::KeyboardEvent| {
        event.stop_propagation();
        let with_control = event.ctrl_key() || event.meta_key();
        match event.key().as_str() {
            "z" | "Z" if with_control => {
                event.prevent_default();
                store.live(|live| if event.shift_key() { live.redo() } else { live.undo() });
            }
            "y" if with_control => {
                event.prevent_default();
                store.live(|live| live.redo());
            }
            "Escape" if !event.is_composing() => {
                if let Some(area) = area.get_untracked() {
                    // A field that has gone needs no blur.
                    let _ = area.blur();
                }
            }
            _ => {}
        }
    };
    // What is read is made anew when the typing ends: until then it is hidden behind the field, and a key need not
    // draw it.
    let last_read = StoredValue::new((NoteText::default(), Default::default()));
    let read = memo(move || (!typing.get()).then(|| (text.get(), carets.get())));
    let reading = move || {
        if let Some(now) = read.get() {
            last_read.set_value(now);
        }
        let (text, (places, users)) = last_read.get_value();
        if text.plain().is_empty() && users.is_empty() {
            let says = match store.may_edit.get() {
                true => "Write here. Everybody sees it as you type.",
                false => "Nothing is written here yet.",
            };
            return view! { <p class="placeholder">{says}</p> }.into_any();
        }
        let text = store.with_values(&markdown::with_carets(&normalized(text.plain()), &places));
        markdown::draw(markdown::read(&text), &users)
    };
    // The same text with the same metrics lies under the field: it gives the field its height, and the
    // others' carets their places.
    let mirror = move || {
        typing.get().then(|| {
            let (places, users) = carets.get();
            let text = markdown::with_carets(&normalized(text.read().plain()), &places);
            // A last empty line has no height without a character in it.
            markdown::draw_plain(&format!("{text}\u{200b}"), &users)
        })
    };
    let room = memo(move || typing.get().then(|| room_left(&text.read())).flatten());
    let room = move || match unfit.get() {
        Some(units) => {
            let left = MAX_NOTE_CHARS.saturating_sub(text.read().len_utf16());
            let says = format!(
                "Not taken: {}, and there is room for {}.",
                count(units, "character", "characters"),
                grouped(left.into())
            );
            Some(view! { <p class="room" role="alert" data-testid="note-unfit">{says}</p> }.into_any())
        }
        None => room.get().map(|left| {
            let says = count(left as usize, "character left", "characters left");
            view! { <p class="room" role="status" data-testid="note-room">{says}</p> }.into_any()
        }),
    };
    let label = move || signals.widget.with(|widget| format!("Text of {}", widget.title));
    view! {
        <div class="note" class:typing=typing data-note="">
            <div class="reading">{reading}</div>
            <div class="mirror" aria-hidden="true">{mirror}</div>
            <textarea
                node_ref=area
                aria-label=label
                readonly=attr(move || !store.may_edit.get())
                on:focus=move |_| { typing.set(true); announce(); }
                on:blur=move |_| { typing.set(false); unfit.set(None); store.live(|live| live.editing(None)); }
                on:input=move |_| typed()
                on:compositionstart=move |_| composing.set_value(true)
                on:compositionend=move |_| { composing.set_value(false); typed(); }
                on:keydown=keys
                on:keyup=move |_| announce()
                on:pointerup=move |_| announce()
            ></textarea>
            {room}
        </div>
    }
}

/// The characters that still fit into a note, where there are few.
fn room_left(text: &NoteText) -> Option<u32> {
    /// From this part of the most on it is said.
    const FEW: u32 = 10;
    // A note of an older version may have more than that.
    let left = MAX_NOTE_CHARS.saturating_sub(text.len_utf16());
    (left < MAX_NOTE_CHARS / FEW).then_some(left)
}

/// Where the others' carets are in the field, in UTF-16 units, and whose they are.
fn carets(id: &WidgetId, text: Memo<NoteText>) -> Memo<(Vec<u32>, Vec<User>)> {
    let editors = People::here().editors_of(id);
    memo(move || {
        let editors = editors.read();
        if editors.is_empty() {
            return Default::default();
        }
        let text = text.read();
        let place = |editor: &crate::app::components::people::Editor| {
            let anchor = Anchor::decode(editor.editing.caret.as_deref()?)?;
            Some((index_of(&text, &anchor)?, editor.user.clone()))
        };
        let typing = editors.iter().filter(|editor| editor.editing.field == op::TEXT);
        typing.filter_map(place).take(markdown::MAX_CARETS).unzip()
    })
}

/// Brings a field to a text. The caret and the selection stay with their characters.
fn bring(area: &HtmlTextAreaElement, shown: &mut NoteText, text: NoteText) {
    let reads = normalized(text.plain());
    if area.value() != reads {
        let from = area.selection_start().ok().flatten();
        let to = area.selection_end().ok().flatten();
        area.set_value(&reads);
        if let (Some(from), Some(to)) = (from, to) {
            let (from, to) = (carry(shown, &text, from, Side::Before), carry(shown, &text, to, Side::Before));
            // Fails only for fields that have no text selection.
            let _ = area.set_selection_range(from, to.max(from));
        }
    }
    *shown = text;
}

/// An anchor at a position of the field.
fn anchor(text: &NoteText, at: u32, side: Side) -> Option<Anchor> {
    text.anchor(from_normalized(text.plain(), at), side)
}

/// Where an anchor is in the field.
fn index_of(text: &NoteText, anchor: &Anchor) -> Option<u32> {
    text.index_of(anchor).map(|at| to_normalized(text.plain(), at))
}

/// Where a place of the field is when it shows a later text, staying with the character on its `side`.
fn carry(before: &NoteText, after: &NoteText, at: u32, side: Side) -> u32 {
    if at == 0 && side == Side::Before {
        return 0;
    }
    let anchored = anchor(before, at, side).and_then(|anchor| index_of(after, &anchor));
    anchored.unwrap_or_else(|| at.min(to_normalized(after.plain(), after.len_utf16())))
}

/// A splice of the field as a splice of it when it shows a later text.
fn carry_over(before: &NoteText, after: &NoteText, at: u32, remove: u32) -> (u32, u32) {
    if before == after {
        return (at, remove);
    }
    if remove == 0 {
        return (carry(before, after, at, Side::Before), 0);
    }
    // What others wrote at the edges of what is removed stays.
    let start = carry(before, after, at, Side::After);
    let end = carry(before, after, at + remove, Side::Before);
    (start, end.saturating_sub(start))
}

/// What was typed: `(at, remove, insert)` in UTF-16 units; `None` where nothing was. The caret, which
/// stands at the end of what was typed, tells apart what equal characters would not.
fn difference(before: &str, after: &str, caret: u32) -> Option<(u32, u32, String)> {
    if before == after {
        return None;
    }
    let before: Vec<u16> = before.encode_utf16().collect();
    let after: Vec<u16> = after.encode_utf16().collect();
    let most_suffix = after.len().saturating_sub(caret as usize).min(before.len());
    let equal = |(a, b): &(&u16, &u16)| a == b;
    let mut suffix = before.iter().rev().zip(after.iter().rev()).take(most_suffix).take_while(equal).count();
    let most_prefix = before.len().min(after.len()) - suffix;
    let mut prefix = before.iter().zip(after.iter()).take(most_prefix).take_while(equal).count();
    // A character of two units is never cut in half.
    let low = |unit: Option<&u16>| unit.is_some_and(|unit| (0xDC00..0xE000).contains(unit));
    if prefix > 0 && (low(before.get(prefix)) || low(after.get(prefix))) {
        prefix -= 1;
    }
    if suffix > 0 && low(after.get(after.len() - suffix)) {
        suffix -= 1;
    }
    let insert = String::from_utf16_lossy(&after[prefix..after.len() - suffix]);
    Some((prefix as u32, (before.len() - suffix - prefix) as u32, insert))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_in_a_note_is_said_before_it_is_full() {
        let of = |chars: usize| room_left(&NoteText::from_long_plain(&"x".repeat(chars), 1).0);
        let most = MAX_NOTE_CHARS as usize;
        assert_eq!((of(0), of(most * 8 / 10)), (None, None));
        assert_eq!((of(most - 1_000), of(most)), (Some(1_000), Some(0)));
    }

    #[test]
    fn what_was_typed_is_found_at_the_caret() {
        assert_eq!(difference("abc", "abc", 3), None);
        assert_eq!(difference("ab", "aXb", 2), Some((1, 0, "X".to_owned())));
        assert_eq!(difference("aaa", "aaaa", 2), Some((1, 0, "a".to_owned())));
        assert_eq!(difference("aaa", "aa", 1), Some((1, 1, String::new())));
        assert_eq!(difference("one two", "one three", 9), Some((5, 2, "hree".to_owned())));
        assert_eq!(difference("😀", "😁", 2), Some((0, 2, "😁".to_owned())));
        assert_eq!(difference("", "x", 1), Some((0, 0, "x".to_owned())));
    }

    #[test]
    fn a_place_stays_with_its_character() {
        let before = NoteText::from_plain("first line", 1);
        let (update, _) = before.splice(2, 0, 0, "Oh. ");
        let after = before.apply(&update).expect("applies");
        assert_eq!(carry(&before, &after, 10, Side::Before), 14);
        assert_eq!(carry(&before, &after, 0, Side::Before), 0);
        assert_eq!(carry_over(&before, &after, 0, 5), (4, 5));
        assert_eq!(carry_over(&before, &after, 5, 5), (9, 5));
    }

    /// What one who sees `before` types into the field, as it is done to `now`.
    fn typed(before: &NoteText, now: &NoteText, value: &str, caret: u32) -> (u32, u32, String) {
        let typed = difference(&normalized(before.plain()), value, caret);
        let (at, remove, insert) = typed.expect("something was typed");
        let (at, remove) = carry_over(before, now, at, remove);
        splice_from_normalized(now.plain(), at, remove, &insert)
    }

    #[test]
    fn a_key_in_a_note_with_cr_lf_is_one_insertion() {
        let note = NoteText::from_plain("one\r\ntwo\rthree\r\n", 1);
        let at_the_end = typed(&note, &note, "one\ntwo\nthree\nx", 15);
        assert_eq!(at_the_end, (16, 0, "x".to_owned()));
        let between = typed(&note, &note, "one\ntwox\nthree\n", 8);
        assert_eq!(between, (8, 0, "x".to_owned()));
        // A backspace takes both characters of a line end.
        assert_eq!(typed(&note, &note, "onetwo\nthree\n", 3), (3, 2, String::new()));
    }

    #[test]
    fn a_place_in_a_note_with_cr_lf_stays_with_its_character() {
        let before = NoteText::from_plain("one\r\ntwo\r\nthree", 1);
        let (update, _) = before.splice(2, 5, 0, "and\r\n");
        let after = before.apply(&update).expect("applies");
        assert_eq!(after.plain(), "one\r\nand\r\ntwo\r\nthree");
        // Behind "two", behind the line end after it, and at the end.
        for at in [7, 8, 13] {
            assert_eq!(carry(&before, &after, at, Side::Before), at + 4);
        }
        assert_eq!(carry(&before, &after, 3, Side::Before), 3);
        assert_eq!(typed(&before, &after, "one\ntwo\nthree!", 14), (20, 0, "!".to_owned()));
        assert_eq!(typed(&before, &after, "one\nthree", 4), (10, 5, String::new()));
        // A place that nobody knows any more is within the field.
        assert_eq!(carry(&NoteText::from_plain(&"x".repeat(99), 3), &after, 99, Side::Before), 17);
    }

    #[test]
    fn carets_of_others_are_places_of_the_field() {
        let note = NoteText::from_plain("one\r\ntwo\r\n", 1);
        for at in 1..=8 {
            let caret = anchor(&note, at, Side::Before).expect("an anchor");
            assert_eq!(index_of(&note, &caret), Some(at));
        }
        // As a client sends it that counts CR and LF.
        let caret = note.anchor(10, Side::Before).expect("an anchor");
        assert_eq!(index_of(&note, &caret), Some(8));
    }
}
