//! A text that is shown once, to be copied.

use leptos::html::Input;
use leptos::prelude::*;

use super::{Glyph, Icon};
use crate::app::dom;
use crate::app::dynamic::{effect, live};

#[component]
pub fn Once(
    /// What it is for.
    #[prop(into)]
    label: String,
    text: String,
    /// What to do with it.
    says: &'static str,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let outcome = RwSignal::new(None::<&'static str>);
    effect(move || {
        if let Some(input) = input.get() {
            dom::focus_and_select(&input);
        }
    });
    let copy = {
        let text = text.clone();
        move |_| {
            dom::copy(&text, move |done| {
                if !done && let Some(input) = input.try_get_untracked().flatten() {
                    dom::focus_and_select(&input);
                }
                let words =
                    if done { "Copied." } else { "This browser lets no button copy here: press Ctrl+C." };
                // What was shown once may be gone by then.
                let _ = outcome.try_set(Some(words));
            });
        }
    };
    view! {
        <div class="once" data-testid="once">
            <div class="line-form">
                <label class="field">
                    <span class="label">{label}</span>
                    <input type="text" readonly node_ref=input data-testid="once-address" value=text/>
                </label>
                <button type="button" class="button primary" data-testid="once-copy" on:click=copy>
                    <Glyph icon=Icon::Copy/>
                    "Copy"
                </button>
            </div>
            <p class="quiet">{says} " It is shown only now. " <span role="status">{live(move || outcome.get())}</span></p>
        </div>
    }
}
