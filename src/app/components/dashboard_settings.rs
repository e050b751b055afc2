//! The settings of a dashboard, behind a button of its header: the same for everybody, at the same moment.

use crate::app::dynamic::{attr, memo};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use super::icon::{Glyph, Icon};
use super::popup::Popup;
use crate::app::conflicts::{STRATEGIES, label, promise};
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::dashboard::Op;

/// The name of the popup.
pub const SETTINGS: &str = "settings";

#[component]
pub fn DashboardSettings(store: DashboardStore) -> impl IntoView {
    view! {
        <Popup
            name=SETTINGS
            testid="settings-open"
            class="button icon"
            role="dialog"
            label="Settings of this dashboard"
            face=ViewFn::from(|| view! { <Glyph icon=Icon::Sliders/> })
            from_end=true
        >
            <ConflictStrategies store/>
        </Popup>
    }
}

/// Which value shows while a conflict is open.
#[component]
fn ConflictStrategies(store: DashboardStore) -> impl IntoView {
    let now = memo(move || {
        store.settings.track();
        store.strategy()
    });
    let read_only = move || matches!(*store.sync.read(), SyncState::ReadOnly);
    let option = move |(strategy, name): (_, &'static str)| {
        let choose = move |_| {
            let op = Op::SetDashboard { field: "conflicts".to_owned(), value: name.into() };
            store.edit(vec![op]);
            // What was not taken has said why by itself; what is pressed is what holds.
            let holds = store.strategy();
            if let Some((_, name)) = STRATEGIES.into_iter().find(|(known, _)| *known == holds)
                && let Ok(Some(input)) = document().query_selector(&format!("[data-testid=strategy-{name}]"))
                && let Ok(input) = input.dyn_into::<HtmlInputElement>()
            {
                input.set_checked(true);
            }
        };
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="conflicts"
                    value=name
                    data-testid=format!("strategy-{name}")
                    prop:checked=attr(move || now.get() == strategy)
                    disabled=attr(read_only)
                    on:change=choose
                />
                <span><b>{label(strategy)}</b><small>{promise(strategy)}</small></span>
            </label>
        }
    };
    view! {
        <fieldset class="settings" data-testid="settings">
            <legend>"When two people write the same thing at once"</legend>
            <p class="quiet">"Both values are kept until somebody chooses. Until then this shows:"</p>
            {STRATEGIES.map(option).collect_view()}
            <p class="quiet">"This holds for everybody on this dashboard, and can be undone."</p>
        </fieldset>
    }
}
