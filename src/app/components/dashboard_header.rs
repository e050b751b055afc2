//! The header of a dashboard: what it is called, how my work does, who is here, and what one can do.

use leptos::prelude::*;

use super::add_widget::AddWidget;
use super::collaborative_indicators::CollaborativeIndicators;
use super::icon::{Glyph, Icon};
use super::inspector::{Panel, Panels};
use super::site_header::Logo;
use super::sync_status_indicator::SyncStatusIndicator;
use super::theming::ThemeToggle;
use super::widget_title::EditableTitle;
use crate::app::dashboard_store::DashboardStore;

#[component]
pub fn DashboardHeader(store: DashboardStore) -> impl IntoView {
    let panels = Panels::here();
    let renaming = RwSignal::new(false);
    let conflicts = Memo::new(move |_| store.conflicts.read().len());
    view! {
        <header class="top">
            <Logo/>
            <h1>
                <EditableTitle
                    store
                    id=None
                    title=store.title
                    editing=renaming
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
            <span class="steps" role="group" aria-label="Steps and theme">
                <button
                    type="button"
                    class="button icon"
                    data-testid="undo"
                    aria-label="Undo"
                    title="Undo (Ctrl+Z)"
                    disabled=move || !store.can_undo.get()
                    on:click=move |_| store.live(|live| live.undo())
                >
                    <Glyph icon=Icon::Undo/>
                </button>
                <button
                    type="button"
                    class="button icon"
                    data-testid="redo"
                    aria-label="Redo"
                    title="Redo (Ctrl+Shift+Z)"
                    disabled=move || !store.can_redo.get()
                    on:click=move |_| store.live(|live| live.redo())
                >
                    <Glyph icon=Icon::Redo/>
                </button>
                <ThemeToggle/>
            </span>
            <button
                type="button"
                class="button"
                class:hidden=move || conflicts.get() == 0
                data-testid="conflicts-open"
                aria-expanded=move || if panels.open.get() == Some(Panel::Conflicts) { "true" } else { "false" }
                on:click=move |_| panels.toggle_conflicts()
            >
                <span class="hide-narrow">"Conflicts"</span>
                <span class="count">{conflicts}</span>
                <span class="sr-only">"open"</span>
            </button>
            <AddWidget store/>
        </header>
    }
}
