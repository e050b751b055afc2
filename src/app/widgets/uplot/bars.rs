//! Bars over time: one series in the middle of its times, several side by side around them.

use js_sys::{Array, Float64Array, Function};
use leptos::prelude::window;
use wasm_bindgen::prelude::*;

use super::{get, list, object};

/// How much of the room between two times their bars take.
const FILLED: f64 = 0.8;
/// CSS pixels of the widest bar.
const WIDEST_PX: f64 = 60.0;

/// Where the bars of one time stand, in pixels of the canvas from that time to the right.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slots {
    /// The left edge of the first.
    first: f64,
    /// From one to the next.
    step: f64,
    wide: f64,
}

impl Slots {
    /// The places of `count` bars, none wider than `widest`, where it is `room` from time to time.
    fn of(room: f64, count: usize, widest: f64) -> Self {
        let step = (room * FILLED / count as f64).min(widest);
        // In whole pixels no two bars share one, and where there is room, a line is left between them.
        let step = if step >= 2.0 { step.floor() } else { step };
        let wide = if step >= 8.0 { step - 1.0 } else { step };
        Self { first: -step * count as f64 / 2.0, step, wide }
    }
}

/// What draws bars, `count` of them side by side at each time, each series at its place among them; `None` where
/// there are none, or uPlot has no such thing.
///
/// What it calls is put to the callbacks, and has to live as long as the chart.
pub fn paths(
    (at, count): (Vec<usize>, usize),
    callbacks: &mut Vec<Box<dyn std::any::Any>>,
) -> Option<JsValue> {
    if count == 0 {
        return None;
    }
    let make: Function = get(&get(&get(&window(), "uPlot")?, "paths")?, "bars")?.dyn_into().ok()?;
    if count < 2 {
        let size = list(&[FILLED.into(), WIDEST_PX.into()]);
        return make.call1(&JsValue::NULL, &object(&[("size", size.into())])).ok();
    }
    // uPlot asks for the left edges of a series' bars, and for their width, as times.
    let edges =
        Closure::<dyn Fn(JsValue, usize) -> Float64Array>::new(move |plot: JsValue, series: usize| {
            let Some((mut times, pixel_s)) = times(&plot) else { return Float64Array::new_with_length(0) };
            let slots = slots(&times, pixel_s, count);
            // The times are the first of uPlot's series.
            let place = series.checked_sub(1).and_then(|series| at.get(series)).copied().unwrap_or(0);
            let left = (slots.first + slots.step * place as f64) * pixel_s;
            times.iter_mut().for_each(|at| *at += left);
            times.as_slice().into()
        });
    let width = Closure::<dyn Fn(JsValue) -> Array>::new(move |plot: JsValue| {
        let wide = times(&plot).map(|(times, pixel_s)| slots(&times, pixel_s, count).wide * pixel_s);
        list(&[wide.unwrap_or_default().into()])
    });
    let asks = |values: &JsValue| object(&[("unit", 1.into()), ("values", values.clone())]);
    let places = object(&[("x0", asks(edges.as_ref())), ("size", asks(width.as_ref()))]);
    callbacks.push(Box::new((edges, width)));
    make.call1(&JsValue::NULL, &object(&[("disp", places)])).ok()
}

fn slots(times: &[f64], pixel_s: f64, count: usize) -> Slots {
    let room = times.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::min);
    let room = room.map_or(f64::INFINITY, |room| room / pixel_s);
    Slots::of(room, count, WIDEST_PX * window().device_pixel_ratio())
}

/// The times of a chart, in Unix seconds, and how many of these a pixel of its canvas is wide.
fn times(plot: &JsValue) -> Option<(Vec<f64>, f64)> {
    let times: Float64Array = get(&get(plot, "data")?, "0")?.dyn_into().ok()?;
    let scale = get(&get(plot, "scales")?, "x")?;
    let edge = |name: &str| get(&scale, name)?.as_f64();
    let wide = get(&get(plot, "bbox")?, "width")?.as_f64()?;
    let pixel_s = (edge("max")? - edge("min")?) / wide;
    (pixel_s > 0.0).then(|| (times.to_vec(), pixel_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_one_time_stand_side_by_side_around_it() {
        assert_eq!(Slots::of(100.0, 2, 60.0), Slots { first: -40.0, step: 40.0, wide: 39.0 });
        assert_eq!(Slots::of(f64::INFINITY, 3, 60.0), Slots { first: -90.0, step: 60.0, wide: 59.0 });
        for (room, count) in [(37.0, 3), (11.0, 4), (300.0, 20), (1.5, 3)] {
            let Slots { first, step, wide } = Slots::of(room, count, 60.0);
            let end = first + step * (count - 1) as f64 + wide;
            assert!(wide > 0.0 && wide <= step, "none covers the next: {room} {count}");
            assert!(end - first <= room * FILLED + 1e-9, "the next time's have their own: {room} {count}");
            assert!((first + end).abs() <= 1.0, "the time is in their middle: {room} {count}");
        }
    }
}
