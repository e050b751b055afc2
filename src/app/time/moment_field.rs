//! A field for a moment, by the clock of the zone that the page reads moments in. Of a time that the clock shows
//! twice it asks which, and of one that it never shows it says so.

use leptos::html::Input;
use leptos::prelude::*;

use super::words;
use super::zone::{self, Moments};
use crate::app::dynamic::{attr, live, memo};

/// What a field holds.
#[derive(Clone, Copy)]
pub struct MomentField {
    pub input: NodeRef<Input>,
    /// What it holds as text.
    text: RwSignal<String>,
    /// What it held at first, and the moment of that: the text has whole seconds only.
    first: StoredValue<(String, u64)>,
    /// True where of two moments of the same time the second is meant.
    second: RwSignal<bool>,
}

impl MomentField {
    /// A field that holds a moment. For the browser only.
    pub fn new(at_ms: u64) -> Self {
        let text = words::for_input(at_ms);
        let of_second = |moments| matches!(moments, Moments::Two(_, second) if at_ms >= second);
        Self {
            input: NodeRef::new(),
            second: RwSignal::new(words::from_input(&text).is_some_and(of_second)),
            first: StoredValue::new((text.clone(), at_ms)),
            text: RwSignal::new(text),
        }
    }

    /// The moment that it holds, in Unix milliseconds; in words where it holds none.
    pub fn read(self) -> Result<u64, &'static str> {
        let text = self.text.read_untracked();
        let second = self.second.get_untracked();
        let (first, at) = self.first.get_value();
        let before = first == *text;
        match words::from_input(&text) {
            None => Err("Give a day and a time."),
            Some(Moments::None) => Err("That time does not exist: clocks were put forward past it."),
            Some(Moments::One(_)) if before => Ok(at),
            Some(Moments::One(at)) => Ok(at),
            // What nobody changed stays as fine as it was.
            Some(Moments::Two(one, two)) => {
                let chosen = if second { two } else { one };
                Ok(if before && at / 1000 == chosen / 1000 { at } else { chosen })
            }
        }
    }
}

#[component]
pub fn MomentInput(
    field: MomentField,
    label: &'static str,
    testid: &'static str,
    /// True while what it holds is not taken.
    #[prop(into)]
    wrong: Signal<bool>,
    #[prop(into)] changed: Callback<()>,
) -> impl IntoView {
    let moments = memo(move || words::from_input(&field.text.read()));
    let choice = move || {
        let Some(Moments::Two(first, second)) = moments.get() else { return None };
        let option = |at: u64, chosen: bool, value: &'static str| {
            view! { <option value=value selected=chosen>{zone::offset_name(zone::ahead(at))}</option> }
        };
        let of_second = field.second.get_untracked();
        Some(view! {
            <select
                data-testid=format!("{testid}-which")
                aria-label=format!("{label}: that time comes twice on this day. Which?")
                title="That time comes twice on this day."
                on:change:target=move |event| {
                    field.second.set(event.target().value() == "second");
                    changed.run(());
                }
            >
                {option(first, !of_second, "first")}
                {option(second, of_second, "second")}
            </select>
        })
    };
    let before = field.text.get_untracked();
    view! {
        <label class="field moment">
            <span class="label">{label}</span>
            <input
                type="datetime-local"
                step="1"
                node_ref=field.input
                data-testid=testid
                value=before
                aria-invalid=attr(move || wrong.get().then_some("true"))
                on:input:target=move |event| {
                    field.text.set(event.target().value());
                    changed.run(());
                }
            />
            {live(choice)}
        </label>
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::tests::{BACK_MS, berlin, read_as};
    use super::*;

    #[test]
    fn a_moment_that_nobody_changes_stays_as_it_was() {
        let owner = Owner::new();
        owner.set();
        let _there = read_as(berlin);
        const HALF_MS: u64 = 1_800_000;
        for at in [BACK_MS - HALF_MS + 250, BACK_MS + HALF_MS + 250, BACK_MS + 9 * HALF_MS + 250] {
            assert_eq!(MomentField::new(at).read(), Ok(at));
        }
        let field = MomentField::new(BACK_MS - HALF_MS);
        field.second.set(true);
        assert_eq!(field.read(), Ok(BACK_MS + HALF_MS));
        field.text.set("2026-03-29T02:30:00".to_owned());
        assert!(field.read().is_err_and(|says| says.contains("does not exist")));
        field.text.set(String::new());
        assert!(field.read().is_err());
    }
}
