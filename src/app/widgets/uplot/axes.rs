//! The axes of a chart as uPlot takes them. Their ranges and ticks are ours: uPlot steps through a range that
//! numbers do not resolve without an end.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{Colors, Look, Scale, Style, Window, list, object};
use crate::app::format;
use crate::app::time::words;
use crate::app::widgets::axis::{self, Room, Ticks};

/// The step that uPlot is told: as long as the axis, which it takes for any range. Its own ticks are not used.
const ONE_STEP: f64 = 5.0;

/// The names of the value scales.
pub const LEFT: &str = "y";
pub const RIGHT: &str = "right";
/// The side of the chart at which the right axis stands, as uPlot counts them.
const RIGHT_SIDE: u8 = 1;

/// Scales and axes, in uPlot's terms.
pub struct Axes {
    pub scales: JsValue,
    pub drawn: Array,
}

/// Asks for the steps of an axis: given the chart, the axis, its range, its length and the room for a tick.
type AskSteps = dyn Fn(JsValue, JsValue, f64, f64, f64, f64) -> Array;

/// What uPlot asks of an axis while it lays a chart out.
struct Asked {
    steps: Closure<AskSteps>,
    splits: Closure<dyn Fn() -> Array>,
    labels: Closure<dyn Fn() -> Array>,
}

impl Asked {
    /// Answers with ticks for a range and a room, and with their labels.
    fn new(
        ticks: impl Fn(f64, f64, Room) -> Ticks + 'static,
        labels: impl Fn(&Ticks) -> Vec<String> + 'static,
    ) -> Self {
        let now: Rc<RefCell<Ticks>> = Rc::default();
        let (found, shown) = (now.clone(), now.clone());
        Self {
            // uPlot asks for the steps to choose from just before it asks for the ticks.
            steps: Closure::new(move |_, _, from: f64, to: f64, length, spacing| {
                found.replace(ticks(from, to, Room { length, spacing }));
                list(&[(to - from).max(ONE_STEP).into()])
            }),
            splits: Closure::new(move || now.borrow().at.iter().map(|at| JsValue::from(*at)).collect()),
            labels: Closure::new(move || labels(&shown.borrow()).into_iter().map(JsValue::from).collect()),
        }
    }

    /// The options of the axis, beside some more.
    fn options(&self, colors: &Colors, more: &[(&str, JsValue)]) -> JsValue {
        let all = [
            ("stroke", colors.text.as_str().into()),
            // Whole pixels: uPlot enlarges the digits before "px" on a finer screen, and knows no fractions.
            ("font", "11px ui-sans-serif, system-ui, sans-serif".into()),
            ("grid", object(&[("stroke", colors.line.as_str().into()), ("width", 1.into())])),
            ("ticks", object(&[("show", false.into())])),
            ("incrs", self.steps.as_ref().clone()),
            ("splits", self.splits.as_ref().clone()),
            ("values", self.labels.as_ref().clone()),
            ("gap", 4.into()),
        ];
        object(&[&all, more].concat())
    }
}

/// The axes of a chart that shows the time that `window` says. What uPlot calls for them is put to the
/// callbacks, and has to live as long as the chart.
pub fn of(
    look: &Look,
    colors: &Colors,
    window: Box<dyn Fn(Window) -> Window>,
    callbacks: &mut Vec<Box<dyn std::any::Any>>,
) -> Axes {
    let edge = |at: &JsValue| at.as_f64();
    let pair = |(from, to): (f64, f64)| list(&[from.into(), to.into()]);
    let time_range = Closure::<dyn Fn(JsValue, JsValue, JsValue) -> Array>::new(move |_, from, to| {
        let (from, to) = window((edge(&from).unwrap_or(0.0), edge(&to).unwrap_or(0.0)));
        pair(axis::time_range(from, to))
    });
    // What stands on zero shows zero.
    let grounded = look.stacked || look.style == Style::Bars;
    let times = Asked::new(|from, to, room| axis::time_ticks(from, to, room, &words::ahead_s), time_labels);
    let left = match look.rows.is_empty() {
        true => Values::new(&look.left, grounded),
        false => Values::of_rows(look.rows.clone()),
    };
    let wide = Closure::<dyn Fn(JsValue, JsValue) -> f64>::new(|_, labels| width_of(&labels));
    let scale = |range: &JsValue| object(&[("range", range.clone())]);
    let size = || [("size", wide.as_ref().clone()), ("space", 34.into())];
    let mut scales = vec![("x", scale(time_range.as_ref())), (LEFT, scale(left.range.as_ref()))];
    let drawn = list(&[
        times.options(colors, &[("size", 22.0.into()), ("space", 72.into())]),
        left.asked.options(colors, &[&size()[..], &[("scale", LEFT.into())]].concat()),
    ]);
    if look.has_right() {
        let right = Values::new(&look.right, grounded && !look.stacked);
        scales.push((RIGHT, scale(right.range.as_ref())));
        // One grid is enough to read by.
        let side = [
            ("scale", RIGHT.into()),
            ("side", RIGHT_SIDE.into()),
            ("grid", object(&[("show", false.into())])),
        ];
        drawn.push(&right.asked.options(colors, &[&size()[..], &side].concat()));
        callbacks.push(Box::new(right));
    }
    callbacks.push(Box::new((time_range, wide)));
    callbacks.push(Box::new((times, left)));
    Axes { scales: object(&scales), drawn }
}

/// What uPlot asks of a value axis.
struct Values {
    range: Closure<dyn Fn(JsValue, JsValue, JsValue) -> Array>,
    asked: Asked,
}

impl Values {
    /// An axis of rows, each as high as the others, with its label in its middle.
    fn of_rows(labels: Vec<String>) -> Self {
        let rows = labels.len() as f64;
        let range = Closure::new(move |_, _, _| list(&[0.0.into(), rows.into()]));
        let asked = Asked::new(
            move |_, _, room| {
                let step = (rows * room.spacing / room.length.max(1.0)).ceil().max(1.0);
                Ticks {
                    step,
                    at: (0..).map(|n| 0.5 + step * f64::from(n)).take_while(|at| *at < rows).collect(),
                }
            },
            move |ticks| ticks.at.iter().filter_map(|at| labels.get(*at as usize).cloned()).collect(),
        );
        Self { range, asked }
    }

    fn new(scale: &Scale, grounded: bool) -> Self {
        let (min, max) = (scale.min, scale.max);
        let range = Closure::new(move |_, least: JsValue, most: JsValue| {
            let (from, to) = axis::value_range(least.as_f64().zip(most.as_f64()), min, max, grounded);
            list(&[from.into(), to.into()])
        });
        let own_steps = format::axis_steps(&scale.unit);
        let unit = scale.unit.clone();
        let asked = Asked::new(
            move |from, to, room| axis::value_ticks(from, to, room, own_steps.as_deref()),
            move |ticks| format::axis(&ticks.at, &unit),
        );
        Self { range, asked }
    }
}

/// As wide as the longest label of an axis, in CSS pixels.
fn width_of(labels: &JsValue) -> f64 {
    /// A digit in the font of the axes.
    const CHARACTER: f64 = 6.4;
    // There are none before the scale is known.
    let labels = labels.dyn_ref::<Array>().cloned().unwrap_or_default();
    let longest = labels.iter().filter_map(|label| Some(label.as_string()?.chars().count())).max();
    (longest.unwrap_or(0) as f64 * CHARACTER + 10.0).max(30.0)
}

/// Clock times: with seconds where the steps are that small, and days where they are that large.
fn time_labels(ticks: &Ticks) -> Vec<String> {
    let label = |at: &f64| {
        let at = (at.max(0.0) * 1000.0) as u64;
        let time = words::tick(at);
        match ticks.step {
            step if step < 60.0 => words::clock_s(at),
            step if step >= 86_400.0 || (step >= 3_600.0 && time == "00:00") => words::day(at),
            _ => time,
        }
    };
    ticks.at.iter().map(label).collect()
}
