//! Error message beside what was tried.

use leptos::prelude::*;

use crate::app::dynamic::{attr, live};

/// Shows nothing while there is none.
#[component]
pub fn Problem(problem: RwSignal<Option<String>>) -> impl IntoView {
    view! {
        <p
            class="problem"
            role="alert"
            data-testid="problem"
            class:hidden=attr(move || problem.read().is_none())
        >
            {live(move || problem.get())}
        </p>
    }
}
