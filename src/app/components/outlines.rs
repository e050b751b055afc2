//! A dashboard that opens from this device has all its widgets in place at once, those on the screen whole
//! and the others in outline: with frame and title. These become whole a few in each frame, the nearest
//! first, so that nobody waits for what nobody sees yet.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::arranging::ROW_PX;
use super::dashboard_container::{element_id, place};
use crate::app::ThisTab;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::app::{dom, drawing};
use crate::dashboard::WidgetId;

/// The widgets that stand in outline: where each begins, in pixels from the top, and what makes it whole.
#[derive(Clone, Copy)]
pub struct Outlines(StoredValue<Vec<(f64, RwSignal<bool>)>>);

impl Outlines {
    pub fn new() -> Self {
        Self(StoredValue::new(Vec::new()))
    }

    /// Whether a widget of a page that opens is whole, where it is not from the beginning.
    pub fn of(self, signals: WidgetSignals) -> Option<RwSignal<bool>> {
        use_context::<ThisTab>().filter(|tab| tab.from_device)?;
        let top = f64::from(signals.widget.with_untracked(|widget| widget.frame.y)) * ROW_PX;
        if top < dom::window_height() {
            return None;
        }
        let whole = RwSignal::new(false);
        self.0.update_value(|all| all.push((top, whole)));
        Some(whole)
    }

    /// Makes all whole, once what is on the screen shows.
    pub fn begin(self) {
        if self.0.with_value(Vec::is_empty) {
            return;
        }
        spawn_local(async move {
            drawing::next_frame().await;
            drawing::in_turns(Box::new(move || self.step())).await;
        });
    }

    /// Makes the nearest whole. False where there is none.
    fn step(self) -> bool {
        let seen = dom::scrolled();
        let next = self.0.try_update_value(|all| {
            let away = |(top, _): &(f64, _)| (top - seen).abs();
            let nearest = all.iter().enumerate().min_by(|(_, a), (_, b)| away(a).total_cmp(&away(b)))?.0;
            Some(all.remove(nearest).1)
        });
        let Some(whole) = next.flatten() else { return false };
        // It may have left the dashboard meanwhile.
        whole.try_set(true);
        true
    }
}

/// The outline of a widget.
#[component]
pub fn Outline(id: WidgetId, signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let widget = signals.widget.get_untracked();
    view! {
        <article
            class="widget"
            id=element_id(id.as_str())
            data-testid="widget"
            data-widget=id.to_string()
            data-h=widget.frame.h.to_string()
            style=place(widget.frame)
            aria-labelledby=format!("t-{id}")
            aria-busy="true"
        >
            <header>
                <h2><span class="title" id=format!("t-{id}")>{store.with_values(&widget.title)}</span></h2>
            </header>
        </article>
    }
}
