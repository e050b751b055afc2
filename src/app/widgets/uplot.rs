//! Bindings to uPlot, which the page loads as a script of its own.

use js_sys::{Array, Function, Object, Reflect};
use leptos::prelude::window;
use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlElement, ResizeObserver};

use crate::app::format;
use crate::dashboard::widget::Widget;
use crate::sync::protocol::Series;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = uPlot)]
    #[derive(Clone)]
    type UPlot;
    #[wasm_bindgen(constructor, js_class = "uPlot", catch)]
    fn new(options: &JsValue, data: &JsValue, target: &HtmlElement) -> Result<UPlot, JsValue>;
    #[wasm_bindgen(method, js_name = setData)]
    fn set_data(this: &UPlot, data: &JsValue);
    #[wasm_bindgen(method, js_name = setSize)]
    fn set_size(this: &UPlot, size: &JsValue);
    #[wasm_bindgen(method)]
    fn destroy(this: &UPlot);
}

/// True once the script has run.
pub fn loaded() -> bool {
    Reflect::has(&window(), &"uPlot".into()).unwrap_or(false)
}

/// What a chart is drawn from, beside its points. A change of it draws the chart anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    pub names: Vec<String>,
    pub unit: String,
    pub decimals: Option<usize>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub warn_at: Option<f64>,
    pub alert_at: Option<f64>,
    pub filled: bool,
    pub dark: bool,
}

impl Look {
    /// What a widget asks for.
    pub fn of(widget: &Widget, names: Vec<String>, dark: bool) -> Self {
        Self {
            names,
            unit: widget.text_option("unit").to_owned(),
            decimals: super::stat::decimals(widget),
            min: widget.number_option("min"),
            max: widget.number_option("max"),
            warn_at: widget.number_option("warn_at"),
            alert_at: widget.number_option("alert_at"),
            filled: widget.text_option("style") != "line",
            dark,
        }
    }
}

/// The colours of a chart, as CSS has them now.
pub struct Colors {
    pub series: Vec<String>,
    pub text: String,
    pub line: String,
    pub warn: String,
    pub bad: String,
}

/// A chart on the page. Dropping it takes it away.
pub struct Chart {
    plot: UPlot,
    observer: Option<ResizeObserver>,
    /// What uPlot and the observer call, alive as long as they may.
    _callbacks: Vec<Box<dyn std::any::Any>>,
}

impl Drop for Chart {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
        self.plot.destroy();
    }
}

impl Chart {
    /// Draws a chart into an element and keeps it as large as that. `None` where uPlot refuses.
    pub fn new(target: &HtmlElement, look: &Look, colors: &Colors, data: &[Series]) -> Option<Self> {
        let mut callbacks: Vec<Box<dyn std::any::Any>> = Vec::new();
        let times = Closure::<dyn Fn(JsValue, Array, JsValue, JsValue, JsValue) -> Array>::new(
            |_, splits: Array, _, _, step: JsValue| time_labels(&splits, step.as_f64().unwrap_or(60.0)),
        );
        let (unit, decimals) = (look.unit.clone(), look.decimals);
        let values = Closure::<dyn Fn(JsValue, Array) -> Array>::new(move |_, splits: Array| {
            let label = |value: JsValue| JsValue::from(format::in_words(value.as_f64(), &unit, decimals));
            splits.iter().map(label).collect()
        });
        let lines = [(look.warn_at, colors.warn.clone()), (look.alert_at, colors.bad.clone())];
        let draw = Closure::<dyn Fn(JsValue)>::new(move |plot: JsValue| {
            for (at, color) in &lines {
                if let Some(at) = at {
                    threshold(&plot, *at, color);
                }
            }
        });
        let alone =
            Closure::<dyn Fn(JsValue, u32) -> Array>::new(|plot: JsValue, series| isolated(&plot, series));
        let calls = Calls {
            times: times.as_ref(),
            values: values.as_ref(),
            draw: draw.as_ref(),
            alone: alone.as_ref(),
        };
        let options = options(target, look, colors, &calls);
        let plot = UPlot::new(&options, &aligned(data), target).ok()?;
        callbacks.push(Box::new(times));
        callbacks.push(Box::new(values));
        callbacks.push(Box::new(draw));
        callbacks.push(Box::new(alone));
        let observer = observe(target, &plot, &mut callbacks);
        Some(Self { plot, observer, _callbacks: callbacks })
    }

    pub fn show(&self, data: &[Series]) {
        self.plot.set_data(&aligned(data));
    }
}

fn observe(
    target: &HtmlElement,
    plot: &UPlot,
    callbacks: &mut Vec<Box<dyn std::any::Any>>,
) -> Option<ResizeObserver> {
    let (plot, element) = (plot.clone(), target.clone());
    let resized = Closure::<dyn Fn()>::new(move || plot.set_size(&size(&element)));
    let observer = ResizeObserver::new(resized.as_ref().unchecked_ref()).ok();
    if let Some(observer) = &observer {
        observer.observe(target);
    }
    callbacks.push(Box::new(resized));
    observer
}

/// Series of their own times as uPlot's columns: one of all times, then one of values for each series.
fn aligned(data: &[Series]) -> JsValue {
    let mut times: Vec<u64> =
        data.iter().flat_map(|series| series.points.iter().map(|(at, _)| *at)).collect();
    times.sort_unstable();
    times.dedup();
    let columns = Array::new();
    columns.push(&times.iter().map(|at| JsValue::from(*at as f64 / 1000.0)).collect::<Array>());
    for series in data {
        let mut points = series.points.iter().peekable();
        let value = |at: &u64| {
            while points.next_if(|(point, _)| point < at).is_some() {}
            match points.next_if(|(point, _)| point == at) {
                Some((_, Some(value))) => JsValue::from(*value),
                // A gap is drawn; a time that only another series has is passed over.
                Some((_, None)) => JsValue::NULL,
                None => JsValue::UNDEFINED,
            }
        };
        columns.push(&times.iter().map(value).collect::<Array>());
    }
    columns.into()
}

fn size(target: &HtmlElement) -> JsValue {
    object(&[
        ("width", f64::from(target.client_width().max(60)).into()),
        ("height", f64::from(target.client_height().max(40)).into()),
    ])
}

fn object(entries: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in entries {
        // A plain object takes every property.
        let _ = Reflect::set(&object, &JsValue::from_str(key), value);
    }
    object.into()
}

fn list(values: &[JsValue]) -> Array {
    values.iter().collect()
}

/// The indices of points with a gap on both sides, of which no line would tell.
fn isolated(plot: &JsValue, series: u32) -> Array {
    let found = Array::new();
    let column = Reflect::get(plot, &"data".into()).and_then(|data| Reflect::get_u32(&data, series));
    let Ok(column) = column.map(JsCast::unchecked_into::<Array>) else { return found };
    // What only another series has is `undefined` here, and no gap.
    let own: Vec<(u32, bool)> = (0..column.length())
        .map(|n| (n, column.get(n)))
        .filter(|(_, value)| !value.is_undefined())
        .map(|(n, value)| (n, !value.is_null()))
        .collect();
    for (n, (index, there)) in own.iter().enumerate() {
        let neighbour = |n: Option<usize>| n.and_then(|n| own.get(n)).is_some_and(|(_, there)| *there);
        if *there && !neighbour(n.checked_sub(1)) && !neighbour(Some(n + 1)) {
            found.push(&JsValue::from(*index));
        }
    }
    found
}

/// What uPlot calls while it draws.
struct Calls<'a> {
    times: &'a JsValue,
    values: &'a JsValue,
    draw: &'a JsValue,
    alone: &'a JsValue,
}

fn options(target: &HtmlElement, look: &Look, colors: &Colors, calls: &Calls<'_>) -> JsValue {
    let off = || object(&[("show", false.into())]);
    let grid = || object(&[("stroke", colors.line.as_str().into()), ("width", 1.into())]);
    let axis = |labels: &JsValue, size: f64, more: &[(&str, JsValue)]| {
        let all = [
            ("stroke", colors.text.as_str().into()),
            ("font", "10.5px ui-sans-serif, system-ui, sans-serif".into()),
            ("grid", grid()),
            ("ticks", off()),
            ("values", labels.clone()),
            ("size", size.into()),
            ("gap", 4.into()),
        ];
        object(&[&all, more].concat())
    };
    // No label twice: they tell seconds, and are as wide as this.
    let seconds = [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
    let seconds: Array = seconds.into_iter().map(JsValue::from).collect();
    let times = axis(calls.times, 22.0, &[("incrs", seconds.into()), ("space", 72.into())]);
    let series = list(&[object(&[])]);
    for (n, name) in look.names.iter().enumerate() {
        let color = colors.series.get(n % colors.series.len().max(1)).cloned().unwrap_or_default();
        let fill = if look.filled { JsValue::from(format!("{color}1c")) } else { JsValue::UNDEFINED };
        series.push(&object(&[
            ("label", name.as_str().into()),
            ("stroke", color.into()),
            ("width", 1.6.into()),
            ("fill", fill),
            ("points", object(&[("show", true.into()), ("size", 4.into()), ("filter", calls.alone.clone())])),
            ("spanGaps", false.into()),
        ]));
    }
    let mut y = Vec::new();
    if look.min.is_some() || look.max.is_some() {
        let edge = |limit: Option<f64>| match limit {
            Some(at) => {
                object(&[("pad", 0.into()), ("hard", at.into()), ("soft", at.into()), ("mode", 1.into())])
            }
            None => object(&[("pad", 0.1.into()), ("soft", 0.into()), ("mode", 3.into())]),
        };
        y.push(("range", object(&[("min", edge(look.min)), ("max", edge(look.max))])));
    }
    let area = size(target);
    let side = |name: &str| Reflect::get(&area, &name.into()).unwrap_or(JsValue::UNDEFINED);
    object(&[
        ("width", side("width")),
        ("height", side("height")),
        ("padding", list(&[6.into(), 8.into(), 0.into(), 0.into()]).into()),
        ("legend", off()),
        (
            "cursor",
            object(&[("y", false.into()), ("drag", object(&[("x", false.into()), ("y", false.into())]))]),
        ),
        ("scales", object(&[("y", object(&y))])),
        ("axes", list(&[times, axis(calls.values, 54.0, &[])]).into()),
        ("series", series.into()),
        ("hooks", object(&[("draw", list(std::slice::from_ref(calls.draw)).into())])),
    ])
}

/// Clock times of this browser's place, with seconds where the steps are that small.
fn time_labels(splits: &Array, step_s: f64) -> Array {
    let label = |at: JsValue| {
        let date = js_sys::Date::new(&JsValue::from(at.as_f64().unwrap_or(0.0) * 1000.0));
        let (h, m, s) = (date.get_hours(), date.get_minutes(), date.get_seconds());
        let text = if step_s < 60.0 { format!("{h:02}:{m:02}:{s:02}") } else { format!("{h:02}:{m:02}") };
        JsValue::from(text)
    };
    splits.iter().map(label).collect()
}

/// Draws a dashed line at a value, where it lies within the chart.
fn threshold(plot: &JsValue, at: f64, color: &str) {
    let drawn = || -> Option<()> {
        let get = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
        let context: CanvasRenderingContext2d = get(plot, "ctx")?.dyn_into().ok()?;
        let area = get(plot, "bbox")?;
        let edge = |name: &str| get(&area, name)?.as_f64();
        let (left, top, width, height) = (edge("left")?, edge("top")?, edge("width")?, edge("height")?);
        let to_position: Function = get(plot, "valToPos")?.dyn_into().ok()?;
        let y = to_position.call3(plot, &at.into(), &"y".into(), &true.into()).ok()?.as_f64()?;
        if y < top || y > top + height {
            return None;
        }
        context.save();
        context.begin_path();
        context.set_stroke_style_str(color);
        context.set_line_width(window().device_pixel_ratio());
        context.set_line_dash(&list(&[5.into(), 4.into()])).ok()?;
        context.move_to(left, y);
        context.line_to(left + width, y);
        context.stroke();
        context.restore();
        Some(())
    };
    // A chart without the line is still true; there is nobody to tell from within its drawing.
    let _ = drawn();
}
