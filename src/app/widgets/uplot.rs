//! Bindings to uPlot, which the page loads as a script of its own.

mod axes;
mod bars;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Float64Array, Function, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlElement, ResizeObserver};

use super::columns::{Column, Columns, Together};
use super::values::SERIES_COLORS;
use crate::app::dom;
use crate::app::time::ChartPlace;
use crate::dashboard::lines::{self, Drawn};
use crate::dashboard::widget::Widget;

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
    #[wasm_bindgen(method, js_name = setSelect)]
    fn set_select(this: &UPlot, area: &JsValue, tell: bool);
    #[wasm_bindgen(method, js_name = posToVal)]
    fn pos_to_val(this: &UPlot, pos: f64, scale: &str) -> f64;
    #[wasm_bindgen(method)]
    fn destroy(this: &UPlot);
}

/// The event of the window that tells of it when the script has run.
pub const CHARTS_LOADED: &str = "charts-loaded";

/// True once the script has run, which may be after the page is awake.
pub fn loaded() -> Memo<bool> {
    let came = RwSignal::new(false);
    dom::on_window(leptos::ev::Custom::<web_sys::Event>::new(CHARTS_LOADED), move |_| came.set(true));
    let is_there = || Reflect::has(&window(), &"uPlot".into()).unwrap_or(false);
    Memo::new(move |was: Option<&bool>| was == Some(&true) || came.get() || is_there())
}

/// How the values of a chart are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Area,
    Line,
    Bars,
}

/// How one series is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineLook {
    pub name: String,
    /// Its place among all series of the widget.
    pub place: usize,
    /// The place of its colour among those of the chart.
    color: usize,
    /// On the right axis, and in no stack.
    pub right: bool,
    drawn: Option<Drawn>,
    dashed: bool,
}

/// The unit and the limits of a value axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    pub unit: String,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// What a chart is drawn from, beside its points. A change of it draws the chart anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The series that show.
    pub series: Vec<LineLook>,
    pub left: Scale,
    pub right: Scale,
    pub warn_at: Option<f64>,
    pub alert_at: Option<f64>,
    pub style: Style,
    pub stacked: bool,
    pub dark: bool,
    /// What stands beside the rows of a heat map, the lowest first; none for any other chart.
    pub rows: Vec<String>,
}

impl Look {
    /// What a widget asks for, of these series with their places.
    pub fn of(widget: &Widget, series: impl Iterator<Item = (String, usize)>, dark: bool) -> Self {
        let words = widget.text_option("lines");
        let line = |(name, place): (String, usize)| {
            let says = lines::of(words, &name);
            let color = says.color.unwrap_or(place % SERIES_COLORS.len());
            LineLook { place, color, right: says.right, drawn: says.drawn, dashed: says.dashed, name }
        };
        let scale = |unit: &str, min, max| Scale {
            unit: unit.to_owned(),
            min: widget.number_option(min),
            max: widget.number_option(max),
        };
        let unit = widget.text_option("unit");
        let right_unit = Some(widget.text_option("right_unit")).filter(|unit| !unit.is_empty());
        Self {
            series: series.map(line).collect(),
            left: scale(unit, "min", "max"),
            right: scale(right_unit.unwrap_or(unit), "right_min", "right_max"),
            warn_at: widget.number_option("warn_at"),
            alert_at: widget.number_option("alert_at"),
            style: match widget.text_option("style") {
                "line" => Style::Line,
                "bars" => Style::Bars,
                _ => Style::Area,
            },
            stacked: widget.value("stacked") == true,
            dark,
            rows: Vec::new(),
        }
    }

    /// A chart with rows instead of values, which somebody else draws.
    pub fn of_rows(rows: Vec<String>, dark: bool) -> Self {
        Self { rows, dark, series: vec![LineLook::default()], style: Style::Line, ..Self::default() }
    }

    /// For each series its place among the bars of one time, and how many stand side by side there; nothing where
    /// none is drawn as bars. What is stacked has one place together.
    fn bars(&self) -> (Vec<usize>, usize) {
        let (mut places, mut count, mut stack) = (Vec::new(), 0, None);
        for line in &self.series {
            let drawn = self.drawn(line) == Drawn::Bars;
            let place = match stack.filter(|_| self.stacked && !line.right) {
                Some(stack) => stack,
                None => count,
            };
            if drawn && place == count {
                count += 1;
                if self.stacked && !line.right {
                    stack = Some(place);
                }
            }
            places.push(place);
        }
        (places, count)
    }

    /// What a series is drawn as.
    fn drawn(&self, line: &LineLook) -> Drawn {
        line.drawn.unwrap_or(match self.style {
            Style::Area => Drawn::Area,
            Style::Line => Drawn::Line,
            Style::Bars => Drawn::Bars,
        })
    }

    /// True where a series stands on the right axis.
    pub fn has_right(&self) -> bool {
        self.series.iter().any(|line| line.right)
    }

    /// What the values of one time have to do with each other.
    pub fn together(&self) -> Together {
        match (self.stacked, self.style) {
            (true, _) if !self.has_right() => Together::Stacked,
            (true, _) => Together::InSteps,
            (false, Style::Bars) => Together::InSteps,
            _ => Together::No,
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

/// A time in Unix seconds, from one to another.
pub type Window = (f64, f64);

/// How a chart and the time of its page hear of each other.
pub struct OfTime {
    /// The time to show, asked for at each drawing, given that of the points.
    pub window: Box<dyn Fn(Window) -> Window>,
    /// Told at each drawing where the points stand in the chart, and what time they show.
    pub placed: Box<dyn Fn(ChartPlace)>,
    /// Told what somebody chose with a drag; `None` where they want to go back.
    pub chosen: Rc<dyn Fn(Option<Window>)>,
}

/// Where to draw on the canvas of a chart, in its own pixels, and the time that it shows.
pub struct Paint {
    pub context: CanvasRenderingContext2d,
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    window: Window,
}

impl Paint {
    /// The place of a time, in Unix seconds.
    pub fn x(&self, at: f64) -> f64 {
        let (from, to) = self.window;
        self.left + (at - from) / (to - from) * self.width
    }

    fn of(plot: &JsValue) -> Option<Self> {
        let context: CanvasRenderingContext2d = get(plot, "ctx")?.dyn_into().ok()?;
        let (area, scale) = (get(plot, "bbox")?, get(&get(plot, "scales")?, "x")?);
        let edge = |name: &str| get(&area, name)?.as_f64();
        let at = |name: &str| get(&scale, name)?.as_f64();
        let (left, top) = (edge("left")?, edge("top")?);
        let (width, height) = (edge("width")?, edge("height")?);
        let window = (at("min")?, at("max")?);
        Some(Self { context, left, top, width, height, window })
    }

    /// Lets somebody draw within the chart's area.
    fn within(&self, paint: &dyn Fn(&Self)) {
        let Self { context, left, top, width, height, .. } = self;
        context.save();
        context.begin_path();
        context.rect(*left, *top, *width, *height);
        context.clip();
        paint(self);
        context.restore();
    }
}

/// What draws into a chart after its axes.
pub type Painter = Box<dyn Fn(&Paint)>;

/// A chart on the page. Dropping it takes it away.
pub struct Chart {
    plot: UPlot,
    observer: Option<ResizeObserver>,
    /// For each series the places of values that stand alone.
    alone: Rc<RefCell<Vec<Array>>>,
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
    pub fn new(
        target: &HtmlElement,
        look: &Look,
        colors: &Colors,
        data: &Columns,
        of_time: OfTime,
        painter: Option<Painter>,
    ) -> Option<Self> {
        let OfTime { window, placed, chosen } = of_time;
        let mut callbacks: Vec<Box<dyn std::any::Any>> = Vec::new();
        let axes = axes::of(look, colors, window, &mut callbacks);
        let lines = [(look.warn_at, colors.warn.clone()), (look.alert_at, colors.bad.clone())];
        let draw = Closure::<dyn Fn(JsValue)>::new(move |plot: JsValue| {
            if let Some(place) = place_of(&plot) {
                placed(place);
            }
            if let Some(painter) = &painter
                && let Some(paint) = Paint::of(&plot)
            {
                paint.within(painter);
            }
            for (at, color) in &lines {
                if let Some(at) = at {
                    threshold(&plot, *at, color);
                }
            }
        });
        let alone: Rc<RefCell<Vec<Array>>> = Rc::default();
        let known = alone.clone();
        let lonely = Closure::<dyn Fn(JsValue, usize) -> Array>::new(move |_, series: usize| {
            known.borrow().get(series.wrapping_sub(1)).cloned().unwrap_or_default()
        });
        let choose = chosen.clone();
        let selected = Closure::<dyn Fn(UPlot)>::new(move |plot: UPlot| select(&plot, &choose));
        let pressed = Closure::<dyn Fn()>::new(move || chosen(None));
        let answer: JsValue = pressed.as_ref().clone();
        let reset = Closure::<dyn Fn() -> JsValue>::new(move || answer.clone());
        let calls = Calls {
            draw: draw.as_ref(),
            alone: lonely.as_ref(),
            selected: selected.as_ref(),
            reset: reset.as_ref(),
            bars: bars::paths(look.bars(), &mut callbacks),
        };
        let options = options(target, look, colors, &axes, &calls);
        alone.replace(places(data));
        let plot = UPlot::new(&options, &columns(data), target).ok()?;
        callbacks.push(Box::new((draw, lonely, selected)));
        callbacks.push(Box::new((pressed, reset)));
        let observer = observe(target, &plot, &mut callbacks);
        Some(Self { plot, observer, alone, _callbacks: callbacks })
    }

    /// Shows other points of the same series.
    pub fn show(&self, data: &Columns) {
        self.alone.replace(places(data));
        self.plot.set_data(&columns(data));
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

/// Takes a drag over the chart as a choice of time.
fn select(plot: &UPlot, chosen: &Rc<dyn Fn(Option<Window>)>) {
    let number = |name: &str| get(&get(plot, "select")?, name)?.as_f64();
    let (Some(left), Some(width)) = (number("left"), number("width")) else { return };
    if width < 1.0 {
        return;
    }
    let (from, to) = (plot.pos_to_val(left, "x"), plot.pos_to_val(left + width, "x"));
    let none = ["left", "top", "width", "height"].map(|side| (side, JsValue::from(0)));
    plot.set_select(&object(&none), false);
    chosen(Some((from, to)));
}

/// Where the points of a chart stand and what time they show; `None` before it has any place.
fn place_of(plot: &JsValue) -> Option<ChartPlace> {
    let (area, scale) = (get(plot, "bbox")?, get(&get(plot, "scales")?, "x")?);
    // The canvas counts the screen's own pixels.
    let ratio = window().device_pixel_ratio().max(0.1);
    let edge = |name: &str| Some(get(&area, name)?.as_f64()? / ratio);
    let at = |name: &str| Some(get(&scale, name)?.as_f64()? * 1000.0);
    Some(ChartPlace {
        left: edge("left")?,
        top: edge("top")?,
        width: edge("width")?,
        height: edge("height")?,
        from: at("min")?,
        to: at("max")?,
    })
}

/// Columns as uPlot takes them: memory of this program is copied in one piece, and single values only where
/// there are gaps.
fn columns(data: &Columns) -> JsValue {
    let all = Array::new();
    all.push(&Float64Array::from(data.times.as_slice()));
    for Column { values, gaps, absent, .. } in &data.series {
        let values = Float64Array::from(values.as_slice());
        if gaps.is_empty() && absent.is_empty() {
            all.push(&values);
            continue;
        }
        let values = Array::from(&values);
        for gap in gaps {
            values.set(*gap, JsValue::NULL);
        }
        // A gap is drawn; a time that only another series has is passed over.
        for (from, end) in absent {
            values.fill(&JsValue::UNDEFINED, *from, *end);
        }
        all.push(&values);
    }
    all.into()
}

fn places(data: &Columns) -> Vec<Array> {
    data.series.iter().map(|column| column.alone.iter().map(|n| JsValue::from(*n)).collect()).collect()
}

fn size(target: &HtmlElement) -> JsValue {
    object(&[
        ("width", f64::from(target.client_width().max(60)).into()),
        ("height", f64::from(target.client_height().max(40)).into()),
    ])
}

fn get(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &name.into()).ok()
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

/// What uPlot calls while it draws, and when somebody chooses a time.
struct Calls<'a> {
    draw: &'a JsValue,
    alone: &'a JsValue,
    selected: &'a JsValue,
    reset: &'a JsValue,
    /// What draws bars, where that is how values are drawn.
    bars: Option<JsValue>,
}

fn options(
    target: &HtmlElement,
    look: &Look,
    colors: &Colors,
    axes: &axes::Axes,
    calls: &Calls<'_>,
) -> JsValue {
    let off = || object(&[("show", false.into())]);
    let area = size(target);
    let side = |name: &str| get(&area, name).unwrap_or(JsValue::UNDEFINED);
    let drag =
        object(&[("x", true.into()), ("y", false.into()), ("setScale", false.into()), ("dist", 5.into())]);
    let cursor = [
        ("y", false.into()),
        ("drag", drag),
        ("bind", object(&[("dblclick", calls.reset.clone())])),
        ("points", off()),
    ];
    object(&[
        ("width", side("width")),
        ("height", side("height")),
        ("padding", list(&[6.into(), 8.into(), 0.into(), 0.into()]).into()),
        ("legend", off()),
        ("cursor", object(&cursor)),
        ("scales", axes.scales.clone()),
        ("axes", axes.drawn.clone().into()),
        ("series", lines(look, colors, calls).into()),
        ("bands", bands(look).into()),
        (
            "hooks",
            object(&[
                ("draw", list(std::slice::from_ref(calls.draw)).into()),
                ("setSelect", list(std::slice::from_ref(calls.selected)).into()),
            ]),
        ),
    ])
}

/// The series as uPlot draws them: the times first.
fn lines(look: &Look, colors: &Colors, calls: &Calls<'_>) -> Array {
    let series = list(&[object(&[])]);
    let several = look.bars().1 > 1;
    for one in &look.series {
        let color = colors.series.get(one.color).cloned().unwrap_or_default();
        let (drawn, stacked) = (look.drawn(one), look.stacked && !one.right);
        let fill = match (drawn, stacked) {
            (Drawn::Bars, stacked) => Some(if stacked || several { "" } else { "b0" }),
            (Drawn::Points, _) => None,
            (Drawn::Area, false) => Some("1c"),
            (_, true) => Some("60"),
            (Drawn::Line, false) => None,
        };
        let fill = fill.map_or(JsValue::UNDEFINED, |opacity| format!("{color}{opacity}").into());
        let without_stroke = matches!(drawn, Drawn::Bars | Drawn::Points);
        let mut line = vec![
            ("label", one.name.as_str().into()),
            ("stroke", color.into()),
            ("width", if without_stroke { 0.into() } else { 1.6.into() }),
            ("fill", fill),
            ("spanGaps", false.into()),
            ("scale", if one.right { axes::RIGHT } else { axes::LEFT }.into()),
        ];
        if one.dashed {
            line.push(("dash", list(&[6.into(), 4.into()]).into()));
        }
        match (drawn, &calls.bars) {
            (Drawn::Bars, Some(paths)) => {
                line.extend([("paths", paths.clone()), ("points", object(&[("show", false.into())]))])
            }
            (drawn, _) => {
                let mut points = vec![("show", true.into()), ("size", 4.into())];
                // Where lines are drawn, only what stands alone needs a point.
                if drawn != Drawn::Points {
                    points.push(("filter", calls.alone.clone()));
                }
                line.push(("points", object(&points)));
            }
        }
        series.push(&object(&line));
    }
    series
}

/// Fills between what is stacked; bars stand before those that reach higher.
fn bands(look: &Look) -> Array {
    let stacked = look.stacked && look.style != Style::Bars;
    let places: Vec<f64> =
        (1..).zip(&look.series).filter(|(_, one)| stacked && !one.right).map(|(n, _)| f64::from(n)).collect();
    let pairs = places.windows(2);
    pairs.map(|pair| object(&[("series", list(&[pair[0].into(), pair[1].into()]).into())])).collect()
}

/// Draws a dashed line at a value, where it lies within the chart.
fn threshold(plot: &JsValue, at: f64, color: &str) {
    let drawn = || -> Option<()> {
        let context: CanvasRenderingContext2d = get(plot, "ctx")?.dyn_into().ok()?;
        let area = get(plot, "bbox")?;
        let edge = |name: &str| get(&area, name)?.as_f64();
        let (left, top, width, height) = (edge("left")?, edge("top")?, edge("width")?, edge("height")?);
        let to_position: Function = get(plot, "valToPos")?.dyn_into().ok()?;
        let y = to_position.call3(plot, &at.into(), &axes::LEFT.into(), &true.into()).ok()?.as_f64()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn bars_stand_side_by_side_and_what_is_stacked_has_one_place() {
        for (style, lines, stacked, expected) in [
            ("bars", "", false, (vec![0, 1, 2], 3)),
            ("bars", "", true, (vec![0, 0, 0], 1)),
            ("bars", "b = line", false, (vec![0, 1, 1], 2)),
            ("bars", "b = right", true, (vec![0, 1, 0], 2)),
            ("line", "c = bars", false, (vec![0, 0, 0], 1)),
            ("area", "", false, (vec![0, 0, 0], 0)),
        ] {
            let mut widget = Widget::new(Kind::Timeseries, "", Frame::default());
            for (name, value) in
                [("style", style.into()), ("lines", lines.into()), ("stacked", stacked.into())]
            {
                widget.options.insert(name.to_owned(), value);
            }
            let series = ["a", "b", "c"].map(str::to_owned).into_iter().zip(0..);
            assert_eq!(Look::of(&widget, series, false).bars(), expected, "{style} {lines} {stacked}");
        }
    }
}
