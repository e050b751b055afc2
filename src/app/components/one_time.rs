//! An address that is shown once, to be handed on.

use leptos::prelude::*;

use super::once::Once;
use crate::app::address;

#[component]
pub fn OneTime(
    /// What it is for.
    #[prop(into)]
    label: String,
    /// The address without its origin.
    address: String,
    /// What whoever gets it can do, and for how long.
    says: &'static str,
) -> impl IntoView {
    let text = format!("{}{address}", address::origin());
    view! { <Once label text says/> }
}
