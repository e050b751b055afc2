//! A table: as many rows as there are, of which those on the screen are drawn, sorted by a click.

use std::sync::Arc;

use crate::app::dynamic::{attr, each, effect, live, memo};
use leptos::html::Div;
use leptos::prelude::*;

use super::empty::Empty;
use super::sheet::{ROW_PX, Sheet, Sort, window};
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::format;
use crate::app::pasted::Pasted;

/// The height that a table is taken to have until it is on a screen: the rows that the server draws.
const UNSEEN_PX: f64 = 600.0;

/// What a widget shows, as a sheet.
pub fn sheet_of(signals: WidgetSignals) -> Sheet {
    signals.shown.with(|widget| match &*signals.pasted.read() {
        Pasted::Table(table) => Sheet::of_table(table, widget),
        _ => signals.series(|series| Sheet::of_series(series, widget)),
    })
}

/// The columns of a table, and whether only numbers stand in them.
pub fn columns_of(signals: WidgetSignals) -> Vec<(String, bool)> {
    sheet_of(signals).columns.into_iter().map(|column| (column.name, column.numeric)).collect()
}

#[component]
pub fn Table(signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let sheet = memo(move || Arc::new(sheet_of(signals)));
    let shared = memo(move || signals.shown.with(|widget| Sort::of(widget.text_option("sort"))));
    view! {
        <Empty signals store/>
        <SheetView sheet shared label="Table"/>
    }
}

/// A sheet that scrolls, with its columns to sort by.
#[component]
pub fn SheetView(
    sheet: Memo<Arc<Sheet>>,
    /// How it is sorted for everybody; a click sorts it for this person.
    shared: Memo<Option<Sort>>,
    label: &'static str,
) -> impl IntoView {
    let own = RwSignal::new(None::<Sort>);
    let sort = memo(move || own.get().or_else(|| shared.get()));
    // Another order for everybody is one for me too.
    effect(move || {
        shared.track();
        own.set(None);
    });
    let order = memo(move || sheet.with(|sheet| sheet.order(sort.read().as_ref())));
    let scroller = NodeRef::<Div>::new();
    let scrolled = RwSignal::new((0.0, UNSEEN_PX));
    let look = move || {
        if let Some(element) = scroller.get_untracked() {
            scrolled.set((f64::from(element.scroll_top()), f64::from(element.client_height())));
        }
    };
    effect(move || {
        if scroller.get().is_some() {
            look();
        }
    });
    let drawn = memo(move || {
        let (top, height) = scrolled.get();
        window(order.read().len(), top, height)
    });
    let rows = move || {
        let ((from, to), order) = (drawn.get(), order.read());
        (from..to).map(|place| (place, order[place] as usize)).collect::<Vec<_>>()
    };
    let columns = memo(move || sheet.with(|sheet| sheet.columns.clone()));
    let shape = memo(move || {
        let shape = |column: &super::sheet::Column| (column.name.clone(), column.numeric, column.width);
        columns.read().iter().map(shape).collect::<Vec<_>>()
    });
    let head = move || {
        let heading = |(name, numeric, _): (String, bool, usize)| {
            let (column, mine) = (StoredValue::new(name.clone()), name.clone());
            let sorted = memo(move || {
                let sort = sort.read();
                let sort = sort.as_ref().filter(|sort| column.with_value(|column| *column == sort.column))?;
                Some(if sort.descending { "descending" } else { "ascending" })
            });
            let turn = move |event: leptos::ev::MouseEvent| {
                event.stop_propagation();
                own.set(match sorted.get_untracked() {
                    None => Some(Sort { column: mine.clone(), descending: numeric }),
                    Some("descending") if numeric => Some(Sort { column: mine.clone(), descending: false }),
                    Some("ascending") if !numeric => Some(Sort { column: mine.clone(), descending: true }),
                    Some(_) => None,
                });
            };
            view! {
                <th scope="col" class:number=numeric aria-sort=attr(move || sorted.get())>
                    <button type="button" title="Sort" data-testid="table-sort" on:click=turn>
                        {name}
                        <span class="arrow" aria-hidden="true">
                            {live(move || match sorted.get() { Some("ascending") => "▲", Some(_) => "▼", None => "" })}
                        </span>
                    </button>
                </th>
            }
        };
        shape.get().into_iter().map(heading).collect_view()
    };
    let widths = move || {
        let column = |(_, _, width): (String, bool, usize)| view! { <col style=format!("width:{width}ch")/> };
        shape.get().into_iter().map(column).collect_view()
    };
    let least =
        move || format!("min-width:{}ch", shape.read().iter().map(|(_, _, width)| width).sum::<usize>());
    let space = move |rows: usize| format!("height:{}px", rows * ROW_PX);
    let row = move |(place, n): (usize, usize)| {
        let cells = memo(move || sheet.with(|sheet| sheet.row(n)));
        let cell = move |column: usize| {
            let words = move || cells.read().get(column).cloned().unwrap_or_default();
            let numeric = shape.read_untracked().get(column).is_some_and(|(_, numeric, _)| *numeric);
            view! { <td class:number=numeric title=attr(words)>{live(words)}</td> }
        };
        let cells = (0..shape.read_untracked().len()).map(cell).collect_view();
        view! { <tr aria-rowindex=(place + 2).to_string()>{cells}</tr> }
    };
    // Rows are kept while they stay in sight; other columns make them anew.
    let key = move |(place, n): &(usize, usize)| {
        let columns = shape.read_untracked();
        let mark: usize =
            columns.iter().map(|(name, numeric, _)| name.len() * 2 + usize::from(*numeric)).sum();
        format!("{place} {n} {} {mark}", columns.len())
    };
    view! {
        <div
            class="sheet-view"
            node_ref=scroller
            tabindex="0"
            role="group"
            aria-label=attr(move || format!("{label}, {}", format::count(order.read().len(), "row", "rows")))
            on:scroll=move |_| look()
        >
            <table style=attr(least) aria-rowcount=attr(move || (order.read().len() + 1).to_string())>
                <colgroup>{live(widths)}</colgroup>
                <thead><tr aria-rowindex="1">{live(head)}</tr></thead>
                <tbody>
                    <tr class="space" aria-hidden="true" style=attr(move || space(drawn.get().0))></tr>
                    {each(rows, key, row)}
                    <tr class="space" aria-hidden="true" style=attr(move || space(order.read().len().saturating_sub(drawn.get().1)))></tr>
                </tbody>
            </table>
        </div>
    }
}
