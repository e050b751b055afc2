//! An address that is shown once, to be handed on.

use leptos::prelude::*;

use super::once::Once;
use crate::app::dom;

#[component]
pub fn OneTime(
    /// What it is for.
    #[prop(into)]
    label: String,
    /// The path on this server.
    address: String,
    /// What whoever gets it can do, and for how long.
    says: &'static str,
) -> impl IntoView {
    let text = format!("{}{address}", dom::origin());
    view! { <Once label text says/> }
}
