//! Header of a dashboard: its title, the sync status, who is here, and the commands.

use crate::app::address;
use crate::app::dynamic::{attr, live, memo};
use leptos::prelude::*;

use super::add_widget::AddWidget;
use super::collaborative_indicators::CollaborativeIndicators;
use super::command_palette::Palette;
use super::dashboard_settings::DashboardSettings;
use super::icon::{Glyph, Icon};
use super::inspector::{Panel, Panels};
use super::site_header::Logo;
use super::sync_status_indicator::SyncStatusIndicator;
use super::theming::ThemeToggle;
use super::widget_title::EditableTitle;
use crate::app::access::Rights;
use crate::app::dashboard_store::{DashboardStore, Live};
use crate::app::time::RangeButton;

#[component]
pub fn DashboardHeader(store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    let palette = Palette::here();
    let is_open = move |panel: Panel| move || if panels.open.get() == Some(panel) { "true" } else { "false" };
    let may_edit = store.may_edit;
    let conflicts = memo(move || store.conflicts.read().len());
    view! {
        <header class="top">
            <Logo/>
            <h1>
                <EditableTitle
                    store
                    id=None
                    title=store.title
                    editing=store.renaming
                    testid="dashboard-title"
                    label="Title of the dashboard"
                    element_id="dashboard-title"
                    one_click=true
                />
            </h1>
            <SyncStatusIndicator store/>
            <span class="grow"></span>
            <CollaborativeIndicators store/>
            <span class="rule hide-narrow" aria-hidden="true"></span>
            <RangeButton store/>
            <span class="steps" role="group" aria-label="Steps and theme">
                <StepButton store icon=Icon::Undo label="Undo" keys="Ctrl+Z" can=store.can_undo step=|live| live.undo()/>
                <StepButton store icon=Icon::Redo label="Redo" keys="Ctrl+Shift+Z" can=store.can_redo step=|live| live.redo()/>
                <button
                    type="button"
                    class="button icon"
                    data-testid="activity-open"
                    aria-label="Activity"
                    title="Activity: who changed what"
                    aria-expanded=is_open(Panel::Activity)
                    on:click=move |_| panels.toggle(Panel::Activity)
                >
                    <Glyph icon=Icon::Clock/>
                </button>
                <button
                    type="button"
                    class="button icon"
                    data-testid="commands-open"
                    aria-label="Commands"
                    aria-haspopup="dialog"
                    title="Commands (Ctrl+K)"
                    on:click=move |_| palette.toggle()
                >
                    <Glyph icon=Icon::Search/>
                </button>
                {live(move || may_edit.get().then(|| view! { <DashboardSettings/> }))}
                <ThemeToggle/>
                {Rights::here().may_sign_in.then(|| view! {
                    <a class="button" href=address::to("/sign-in") data-testid="sign-in-link">"Sign in"</a>
                })}
                {Rights::here().has_account.then(|| view! {
                    <button
                        type="button"
                        class="button share"
                        data-testid="share-open"
                        aria-label="Share"
                        aria-haspopup="dialog"
                        title="Share: who may see and change this"
                        on:click=move |_| store.sharing.set(true)
                    >
                        <Glyph icon=Icon::Share/>
                        <span class="hide-narrow">"Share"</span>
                    </button>
                })}
            </span>
            <button
                type="button"
                class="button"
                class:hidden=attr(move || conflicts.get() == 0)
                data-testid="conflicts-open"
                aria-expanded=is_open(Panel::Conflicts)
                on:click=move |_| panels.toggle(Panel::Conflicts)
            >
                <span class="hide-narrow">"Conflicts"</span>
                <span class="count">{conflicts}</span>
                <span class="sr-only">"open"</span>
            </button>
            {live(move || may_edit.get().then(|| view! { <AddWidget/> }))}
        </header>
    }
}

/// Undo or redo.
#[component]
fn StepButton(
    store: DashboardStore,
    icon: Icon,
    label: &'static str,
    /// The keys that do the same.
    keys: &'static str,
    can: RwSignal<bool>,
    step: fn(&dyn Live),
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button icon"
            class:hidden=attr(move || !store.may_edit.get())
            data-testid=label.to_ascii_lowercase()
            aria-label=label
            title=format!("{label} ({keys})")
            disabled=attr(move || !can.get())
            on:click=move |_| store.live(step)
        >
            <Glyph icon/>
        </button>
    }
}
