//! Button for what cannot be taken back: it asks first.

use leptos::prelude::*;

use crate::app::dom;
use crate::app::dynamic::attr;

#[component]
pub fn Confirmed(
    /// Unique on the page: the `id` attribute of the button.
    id: String,
    label: &'static str,
    /// What it is done to.
    #[prop(into)]
    about: Signal<String>,
    /// What becomes of it.
    #[prop(into)]
    warns: String,
    /// The test id of the button; the one that it asks with has `-sure` behind it.
    testid: &'static str,
    #[prop(into)] disabled: Signal<bool>,
    then: Callback<()>,
) -> impl IntoView {
    let asking = RwSignal::new(false);
    let (keep, back) = (format!("{id}-keep"), id.clone());
    let ask = {
        let keep = keep.clone();
        move |_| {
            asking.set(true);
            dom::focus_soon(&keep);
        }
    };
    let end = move || {
        asking.set(false);
        dom::focus_soon(&back);
    };
    let stop = end.clone();
    let label_of = move || format!("{label}: {}", about.read());
    view! {
        <button
            type="button"
            class="button danger"
            id=id
            class:hidden=asking
            data-testid=testid
            aria-label=attr(label_of)
            disabled=disabled
            on:click=ask
        >
            {label}
        </button>
        <span class="bin-sure" role="group" aria-label=attr(label_of) class:hidden=attr(move || !asking.get())>
            <span class="quiet">{warns}</span>
            <button
                type="button"
                class="button danger line"
                data-testid=format!("{testid}-sure")
                disabled=disabled
                on:click=move |_| { end(); then.run(()); }
            >
                {label}
            </button>
            <button type="button" class="button line" id=keep on:click=move |_| stop()>"Keep"</button>
        </span>
    }
}
