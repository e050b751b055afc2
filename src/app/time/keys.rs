//! The moment under the keyboard: arrows move it from point to point of a chart that has the focus. It shows
//! as that under a pointer does, here and to the others, and is read out with the values there.

use leptos::ev::KeyboardEvent;
use leptos::html::Div;
use leptos::prelude::*;
use web_sys::Element;

use super::{ChartPlace, HiddenSeries, OwnSeries, Pointed, mark, value_at};
use crate::app::components::element_id;
use crate::app::dashboard_store::DashboardStore;
use crate::app::dynamic::{attr, live};
use crate::app::widgets::{MAX_CHART_SERIES, decimals, told_apart, unit_of};
use crate::app::{dom, format};
use crate::dashboard::WidgetId;
use crate::sync::protocol::{Cursor, Series};

/// Points that an arrow moves by with Shift.
const FAR: usize = 10;
/// Series whose values are read out; who wants all of them has the table.
const MAX_SAID: usize = 8;

/// Where a key moves the moment to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Back(usize),
    Forth(usize),
    First,
    Last,
}

impl Step {
    fn of(event: &KeyboardEvent) -> Option<Self> {
        let far = if event.shift_key() { FAR } else { 1 };
        match event.key().as_str() {
            "ArrowLeft" => Some(Self::Back(far)),
            "ArrowRight" => Some(Self::Forth(far)),
            "Home" => Some(Self::First),
            "End" => Some(Self::Last),
            _ => None,
        }
    }

    /// The moment after this step from another: that of a point between `from` and `to`. Without a moment, or
    /// from one that does not show, it begins at the latest. `None` where no point shows.
    fn from(self, at: Option<u64>, all: &[&Series], (from, to): (u64, u64)) -> Option<u64> {
        let has = |(_, value): &&(u64, Option<f64>)| value.is_some();
        let after = |at: u64| {
            let next = |one: &&Series| {
                let begins = one.points.partition_point(|(time, _)| *time < at);
                Some(one.points[begins..].iter().find(has)?.0)
            };
            all.iter().filter_map(next).min().filter(|time| *time <= to)
        };
        let before = |at: u64| {
            let last = |one: &&Series| {
                let ends = one.points.partition_point(|(time, _)| *time <= at);
                Some(one.points[..ends].iter().rev().find(has)?.0)
            };
            all.iter().filter_map(last).max().filter(|time| *time >= from)
        };
        let at = at.filter(|at| (from..=to).contains(at));
        match (self, at) {
            (Self::First, _) => after(from),
            (Self::Last, _) | (_, None) => before(to),
            (Self::Back(count), Some(at)) => {
                let step = |at: u64| before(at.checked_sub(1)?);
                std::iter::successors(step(at), |at| step(*at)).take(count).last().or(Some(at))
            }
            (Self::Forth(count), Some(at)) => {
                let step = |at: u64| after(at + 1);
                std::iter::successors(step(at), |at| step(*at)).take(count).last().or(Some(at))
            }
        }
    }
}

/// Takes the keyboard for a chart, and tells what is at the moment that the keys have come to.
#[component]
pub fn Keys(
    key: StoredValue<WidgetId>,
    place: RwSignal<Option<ChartPlace>>,
    store: DashboardStore,
) -> impl IntoView {
    let time = store.time;
    let hidden = use_context::<HiddenSeries>();
    let own = use_context::<OwnSeries>();
    let area = NodeRef::<Div>::new();
    let said = RwSignal::new(String::new());
    // The moment that shows because of a key.
    let keyed = StoredValue::new(None::<Pointed>);
    let shows =
        move || keyed.get_value().filter(|keyed| time.pointed.read_untracked().as_ref() == Some(keyed));
    let hide = move || {
        if shows().is_some() {
            time.pointed.set(None);
            store.live(|live| live.cursor(None));
        }
        keyed.set_value(None);
        said.set(String::new());
    };
    let go = move |step: Step| -> Option<()> {
        let (signals, place) = (store.widget(&key.get_value())?, place.get_untracked()?);
        let window = (place.from.ceil().max(0.0) as u64, place.to.max(0.0) as u64);
        let at = time.pointed.get_untracked().map(|pointed| pointed.at);
        let say = |all: &[Series]| {
            let all = &all[..all.len().min(MAX_CHART_SERIES)];
            let names = told_apart(&all.iter().map(|one| &*one.name).collect::<Vec<_>>());
            let is_shown = |one: &Series| {
                hidden.is_none_or(|HiddenSeries(hidden)| !hidden.read_untracked().contains(&one.name))
            };
            let (names, all): (Vec<String>, Vec<&Series>) =
                names.into_iter().zip(all).filter(|(_, one)| is_shown(one)).unzip();
            let at = step.from(at, &all, window)?;
            let pointed = Pointed { at, on: key.get_value() };
            keyed.set_value(Some(pointed.clone()));
            time.pointed.set(Some(pointed));
            let cursor = area.get_untracked().and_then(|area| cursor(&key.get_value(), &area, place.x(at)?));
            store.live(|live| live.cursor(cursor.map(|cursor| Cursor { at: Some(at), ..cursor })));
            let mut says = vec![place.in_words(at, time.now())];
            signals.widget.with_untracked(|widget| {
                let value = |one: &Series| {
                    let value = value_at(&one.points, at, place.near_ms())?;
                    Some(format::in_words(Some(value), unit_of(&one.name, widget), decimals(widget)))
                };
                let told =
                    names.iter().zip(&all).take(MAX_SAID).map(|(name, one)| {
                        format!("{name}: {}", value(one).as_deref().unwrap_or("no value"))
                    });
                says.extend(told);
            });
            if all.len() > MAX_SAID {
                says.push(format!("and {} more", all.len() - MAX_SAID));
            }
            said.set(says.join(", "));
            Some(())
        };
        match own {
            Some(OwnSeries(rows)) => rows.with_untracked(|all| say(all)),
            None => signals.series_untracked(say),
        }
    };
    let pressed = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        match (event.key().as_str(), Step::of(&event)) {
            (_, Some(step)) => {
                // Without a point there is nowhere to go.
                let _ = go(step);
            }
            ("Enter", _) => mark::begin(store, shows().map(|pointed| pointed.at)),
            ("Escape", _) if shows().is_some() => hide(),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let left = move |_| {
        // A mark is written about the moment; the keyboard comes back to it.
        if !dom::dialog_is_open() {
            hide();
        }
    };
    let label = move || {
        let title = store.widget(&key.get_value()).map(|signals| signals.widget.read().title.clone());
        let title = title.filter(|title| !title.trim().is_empty()).unwrap_or_else(|| "Chart".to_owned());
        format!("{title}: arrow keys go from point to point, Enter marks a moment")
    };
    view! {
        <div
            class="keys"
            node_ref=area
            tabindex="0"
            role="application"
            aria-roledescription="chart"
            aria-label=attr(label)
            data-testid="chart-keys"
            on:keydown=pressed
            on:blur=left
        ></div>
        <p class="sr-only" role="status" data-testid="chart-says">{live(move || said.get())}</p>
    }
}

/// A cursor half way up a chart, that far right of its edge in CSS pixels.
fn cursor(id: &WidgetId, area: &Element, x: f64) -> Option<Cursor> {
    let (tile, area) = (dom::by_id(&element_id(id.as_str()))?, area.get_bounding_client_rect());
    let tile = tile.get_bounding_client_rect();
    let within = |at: f64, size: f64| (size >= 1.0).then(|| (at / size).clamp(0.0, 1.0) as f32);
    Some(Cursor {
        on: id.to_string(),
        x: within(area.left() + x - tile.left(), tile.width())?,
        y: within(area.top() + area.height() / 2.0 - tile.top(), tile.height())?,
        at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_from_point_to_point_within_the_time_that_shows() {
        let series = |points: &[(u64, Option<f64>)]| Series {
            name: String::new(),
            points: points.to_vec(),
            ..Series::default()
        };
        let a = series(&[(5, Some(1.0)), (10, Some(1.0)), (20, None), (30, Some(1.0)), (99, Some(1.0))]);
        let b = series(&[(15, Some(1.0)), (30, Some(1.0)), (40, Some(1.0))]);
        let from = |step: Step, at: u64| step.from(Some(at), &[&a, &b], (6, 50));
        for (step, at, expected) in [
            (Step::Forth(1), 10, 15),
            (Step::Forth(1), 15, 30),
            (Step::Forth(1), 31, 40),
            (Step::Forth(1), 40, 40),
            (Step::Forth(2), 10, 30),
            (Step::Forth(FAR), 10, 40),
            (Step::Back(1), 30, 15),
            (Step::Back(1), 12, 10),
            (Step::Back(1), 10, 10),
            (Step::Back(FAR), 40, 10),
            (Step::First, 30, 10),
            (Step::Last, 30, 40),
            (Step::Back(1), 5, 40),
            (Step::Forth(1), 99, 40),
        ] {
            assert_eq!(from(step, at), Some(expected), "{step:?} from {at}");
        }
        assert_eq!(Step::Forth(1).from(None, &[&a, &b], (6, 50)), Some(40), "it begins at the latest");
        for step in [Step::Back(1), Step::Forth(1), Step::First, Step::Last] {
            assert_eq!(step.from(None, &[&b], (50, 60)), None, "{step:?}");
            assert_eq!(step.from(None, &[], (0, 60)), None, "{step:?}");
        }
    }
}
