//! The data of a widget as a table, in a dialog, for whoever wants to read or copy the numbers.

use std::sync::Arc;

use crate::app::dynamic::{effect, live, memo};
use leptos::html::Dialog;
use leptos::prelude::*;

use super::sheet::{Sheet, Sort};
use super::table::{SheetView, sheet_of};
use super::values;
use crate::app::components::{Glyph, Icon};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::pasted;
use crate::app::{dom, format};
use crate::dashboard::Kind;
use crate::dashboard::table::Table;
use crate::sync::protocol::Series;

/// What a widget shows, as a sheet: the table that was pasted, a course by its moments, else a row for each
/// series.
fn sheet(kind: Kind, signals: WidgetSignals) -> Sheet {
    signals.shown.with(|widget| match (kind, pasted::text(widget)) {
        (Kind::Table, _) => sheet_of(signals),
        (_, Some((text, _))) => {
            Table::read(&text).map_or_else(|_| Sheet::default(), |table| Sheet::of_table(&table, widget))
        }
        (Kind::Stat | Kind::Timeseries, None) => signals.series(|series| Sheet::of_points(series, widget)),
        (_, None) => {
            let shows = widget.text_option("shows");
            let down = |one: &Series| Series {
                points: vec![(0, values::value(&one.points, shows))],
                name: one.name.clone(),
                tags: one.tags.clone(),
                ..Series::default()
            };
            signals.series(|series| Sheet::of_series(&series.iter().map(down).collect::<Vec<_>>(), widget))
        }
    })
}

/// The dialog, while a widget is chosen for it.
#[component]
pub fn DataDialog(store: DashboardStore) -> impl IntoView {
    let chosen = store.tabled;
    let signals = chosen.get_untracked().and_then(|id| store.widget(&id))?;
    let kind = signals.widget.with_untracked(|widget| widget.kind);
    let dialog = NodeRef::<Dialog>::new();
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        }
    });
    let close = move || match dialog.get_untracked().filter(|dialog| dialog.open()) {
        Some(dialog) => dialog.close(),
        None => chosen.set(None),
    };
    let all = memo(move || Arc::new(sheet(kind, signals)));
    let sorted = memo(|| None::<Sort>);
    let title = memo(move || signals.widget.with(|widget| widget.title.clone()));
    let copy = move |_| {
        let csv = all.with_untracked(|sheet| sheet.csv(None));
        dom::copy(&csv, move |done| {
            store.toast(
                if done { "Copied as CSV." } else { "This browser does not let the page copy." },
                None,
            );
        });
    };
    Some(view! {
        <dialog
            class="data-dialog"
            node_ref=dialog
            data-testid="data-dialog"
            aria-labelledby="data-dialog-title"
            // What is pressed here is no key of the page. Esc is the dialog's own.
            on:keydown=|event| event.stop_propagation()
            on:close=move |_| chosen.set(None)
        >
            <header>
                <h2 id="data-dialog-title">{live(move || format::plain_title(&title.read()))}</h2>
                <span class="grow"></span>
                <button type="button" class="button line" data-testid="data-copy" on:click=copy>
                    <Glyph icon=Icon::Copy/>
                    "Copy as CSV"
                </button>
                <button type="button" class="button icon" aria-label="Close the table" on:click=move |_| close()>
                    <Glyph icon=Icon::Close/>
                </button>
            </header>
            <SheetView sheet=all shared=sorted label="Data"/>
        </dialog>
    })
}
