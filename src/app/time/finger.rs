//! A time chosen with a finger: a drag to the side over a chart, as with a mouse. Up and down scrolls the
//! page; `style/time.css` tells the browser so.

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Element, PointerEvent};

use super::{ChartPlace, ShownTime};
use crate::app::dynamic::effect;

/// A touch becomes a drag after this many pixels to the side: a tap is never that far.
const DRAG_PX: f64 = 10.0;

/// Follows fingers on the chart around what stands over its points, and shows the time that one has dragged
/// over. Answers what is chosen so far, in pixels of the chart from the left.
pub fn drags(
    area: NodeRef<Div>,
    place: RwSignal<Option<ChartPlace>>,
    time: ShownTime,
) -> RwSignal<Option<(f64, f64)>> {
    let chosen = RwSignal::new(None);
    effect(move || {
        let Some(area) = area.get() else { return };
        let Some(chart) = area.parent_element() else { return };
        // Which finger, and where it began.
        let began = StoredValue::new(None::<(i32, f64)>);
        let follow = Closure::<dyn Fn(PointerEvent)>::new(move |event: PointerEvent| {
            let x = f64::from(event.client_x()) - area.get_bounding_client_rect().left();
            let finger = event.pointer_id();
            if event.type_() == "pointerdown" {
                let on: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
                let on_points = on.is_some_and(|on| on.class_list().contains("u-over"));
                let first = event.pointer_type() == "touch" && event.is_primary() && on_points;
                began.set_value(first.then_some((finger, x)));
                chosen.set(None);
                return;
            }
            let Some((_, from)) = began.get_value().filter(|(one, _)| *one == finger) else { return };
            if event.type_() == "pointermove" {
                if chosen.read_untracked().is_some() || (x - from).abs() >= DRAG_PX {
                    let wide = place.get_untracked().map_or(0.0, |place| place.width);
                    chosen.set(Some((from.min(x).max(0.0), from.max(x).min(wide))));
                }
                return;
            }
            began.set_value(None);
            let dragged = chosen.get_untracked();
            chosen.set(None);
            let place = place.get_untracked().filter(|_| event.type_() == "pointerup");
            if let (Some(place), Some((from, to))) = (place, dragged)
                && let (Some(from), Some(to)) = (place.at(from), place.at(to))
            {
                time.zoom(Some((from as f64 / 1000.0, to as f64 / 1000.0)));
            }
        });
        // Every browser that runs WebAssembly has these events.
        const EVENTS: [&str; 4] = ["pointerdown", "pointermove", "pointerup", "pointercancel"];
        for event in EVENTS {
            let _ = chart.add_event_listener_with_callback(event, follow.as_ref().unchecked_ref());
        }
        let following = StoredValue::new_local((chart, follow));
        on_cleanup(move || {
            let _ = following.try_with_value(|(chart, follow)| {
                for event in EVENTS {
                    let _ = chart.remove_event_listener_with_callback(event, follow.as_ref().unchecked_ref());
                }
            });
        });
    });
    chosen
}
