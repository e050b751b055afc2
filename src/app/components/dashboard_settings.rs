//! The settings of a dashboard, behind a button of its header: the same for everybody, at the same moment.

use crate::app::dynamic::{attr, live, memo};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use super::icon::{Glyph, Icon};
use super::popup::{Popup, Popups};
use super::tags::Tags;
use crate::app::access::Rights;
use crate::app::chunks::{Part, Parts};
use crate::app::conflicts::{STRATEGIES, label, promise};
use crate::app::dashboard_store::DashboardStore;
use crate::app::time::zone;
use crate::app::{dom, requests};
use crate::dashboard::settings::{TIME_ZONE, TimeZone};
use crate::dashboard::{MAX_TITLE_CHARS, Op};

/// The name of the popup.
pub const SETTINGS: &str = "settings";

#[component]
pub fn DashboardSettings() -> impl IntoView {
    let parts = Parts::here();
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
            {parts.show(Part::Settings)}
        </Popup>
    }
}

/// What the popup shows.
#[component]
pub fn Settings(store: DashboardStore) -> impl IntoView {
    view! {
        <ThisDashboard store/>
        <Tags store/>
        <ZoneChoice store/>
        <ConflictStrategies store/>
    }
}

/// What can be done with the dashboard as a whole.
#[component]
fn ThisDashboard(store: DashboardStore) -> impl IntoView {
    let popups = Popups::here();
    let button = move |icon: Icon, label: &'static str, testid: &'static str, act: fn(DashboardStore)| {
        let press = move |_| {
            popups.close();
            act(store);
        };
        view! {
            <button type="button" class="item" data-testid=testid on:click=press>
                <Glyph icon/>
                {label}
            </button>
        }
    };
    view! {
        <div class="whole">
            {button(Icon::Dollar, "Variables", "variables-open", |store| store.editing_variables.set(true))}
            {Rights::here().has_account.then(|| {
                button(Icon::Screen, "Show on a screen…", "show-on-screen", |store| store.choosing_screen.set(true))
            })}
            {button(Icon::Copy, "Duplicate this dashboard", "dashboard-duplicate", duplicate)}
            {button(Icon::Download, "Export as a file", "dashboard-export", export)}
        </div>
    }
}

/// Fetches the dashboard as a file.
pub fn export(store: DashboardStore) {
    dom::download(&format!("/api/v1/dashboards/{}/export", store.id.get_value()));
}

/// Makes a dashboard that begins as this one is on the server, and goes there.
pub fn duplicate(store: DashboardStore) {
    let title: String = format!("Copy of {}", store.title.read_untracked().trim());
    let title: String = title.chars().take(MAX_TITLE_CHARS).collect();
    let body = json!({ "title": title.trim(), "copy_of": store.id.get_value() });
    spawn_local(async move {
        match requests::request::<Value>("POST", "/api/v1/dashboards", Some(&body)).await {
            Ok(made) => dom::go(&format!("/d/{}", made["id"].as_str().unwrap_or_default())),
            Err(error) => store.toast(format!("No copy was made. {error}"), None),
        }
    });
}

/// The zone in which moments are read and written.
#[component]
fn ZoneChoice(store: DashboardStore) -> impl IntoView {
    let value = memo(move || match &*store.time.zone.read() {
        TimeZone::Browser => "browser".to_owned(),
        TimeZone::Utc => "utc".to_owned(),
        TimeZone::Named(name) => name.clone(),
    });
    let read_only = move || !store.may_edit.get();
    let known = zone::all();
    let options = move || {
        let now = value.get();
        let given = [("browser", "Everybody's own"), ("utc", "UTC")];
        let mut all = given.map(|(value, says)| (value.to_owned(), says.to_owned())).to_vec();
        all.extend(known.iter().filter(|name| *name != "UTC").map(|name| (name.clone(), name.clone())));
        if all.iter().all(|(value, _)| *value != now) {
            all.push((now.clone(), now.clone()));
        }
        let option = |(value, says): (String, String)| {
            let chosen = value == now;
            view! { <option value=value selected=chosen>{says}</option> }
        };
        all.into_iter().map(option).collect_view()
    };
    let choose = move |text: String| {
        let value = if text == "browser" { Value::Null } else { text.into() };
        store.edit(vec![Op::SetDashboard { field: TIME_ZONE.to_owned(), value }]);
    };
    view! {
        <label class="field zone-choice">
            <span class="label">"Time zone"</span>
            <select
                data-testid="timezone"
                disabled=attr(read_only)
                prop:value=attr(move || value.get())
                on:change:target=move |event| choose(event.target().value())
            >
                {live(options)}
            </select>
        </label>
    }
}

/// Which value shows while a conflict is open.
#[component]
fn ConflictStrategies(store: DashboardStore) -> impl IntoView {
    let now = memo(move || {
        store.settings.track();
        store.strategy()
    });
    let read_only = move || !store.may_edit.get();
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
