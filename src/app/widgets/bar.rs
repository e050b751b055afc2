//! One bar for each series, from the zero of their common scale, with a colour past its thresholds.

use crate::app::dynamic::{attr, each, live, memo};
use leptos::prelude::*;

use super::empty::Empty;
use super::values;
use crate::app::dashboard_store::{DashboardStore, WidgetSignals};
use crate::dashboard::Widget;
use crate::sync::protocol::Series;

/// One bar, as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
struct Bar {
    name: String,
    /// The name as it is told from the others.
    short: String,
    words: String,
    /// Where it begins and how long it is, in percent of the scale.
    from: f64,
    long: f64,
    level: &'static str,
}

fn bars(series: &[&Series], widget: &Widget) -> Vec<Bar> {
    let values: Vec<Option<f64>> =
        series.iter().map(|one| values::value(&one.points, widget.text_option("shows"))).collect();
    let (min, max) = values::scale(values.iter().flatten().copied(), widget);
    let at = |value: f64| ((value - min) / (max - min) * 100.0).clamp(0.0, 100.0);
    let short = values::told_apart(&series.iter().map(|one| &*one.name).collect::<Vec<_>>());
    let bar = |((one, value), short): ((&&Series, &Option<f64>), String)| {
        let (from, to) = value.map_or((0.0, 0.0), |value| (at(value.min(0.0)), at(value.max(0.0))));
        Bar {
            name: one.name.clone(),
            short,
            words: values::words(*value, &one.name, widget),
            from,
            long: to - from,
            level: values::level(*value, widget),
        }
    };
    series.iter().zip(&values).zip(short).map(bar).collect()
}

#[component]
pub fn Bars(signals: WidgetSignals, store: DashboardStore) -> impl IntoView {
    let all =
        memo(move || signals.shown.with(|widget| signals.living(widget, |series| bars(series, widget))));
    let names = memo(move || all.read().iter().map(|bar| bar.name.clone()).enumerate().collect::<Vec<_>>());
    let row = move |(n, name): (usize, String)| {
        let bar = memo(move || all.read().get(n).cloned().unwrap_or_default());
        let style = move || {
            let bar = bar.read();
            format!("left:{:.2}%;width:{:.2}%", bar.from, bar.long)
        };
        view! {
            <li data-level=attr(move || bar.read().level)>
                <span class="name" title=name>{live(move || bar.read().short.clone())}</span>
                <span class="track" aria-hidden="true"><i style=attr(style)></i></span>
                <b class="value">
                    {live(move || bar.read().words.clone())}
                    <span class="sr-only">{live(move || values::level_words(bar.read().level))}</span>
                </b>
            </li>
        }
    };
    view! {
        <div class="bars" tabindex="0" role="group" aria-label="Bars">
            <Empty signals store/>
            <ul>{each(move || names.get(), |(n, name)| format!("{n} {name}"), row)}</ul>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn bars_begin_at_zero_of_their_common_scale() {
        let series = |name: &str, value| Series {
            name: name.to_owned(),
            points: vec![(0, value)],
            ..Series::default()
        };
        let all = [series("a", Some(-25.0)), series("b", Some(75.0)), series("c", None)];
        let mut widget = Widget::new(Kind::Bar, "", Frame::default());
        widget.options.insert("warn_at".to_owned(), 50.into());
        let bars = bars(&all.each_ref(), &widget);
        assert_eq!((bars[0].from, bars[0].long, bars[0].level), (0.0, 25.0, "ok"));
        assert_eq!((bars[1].from, bars[1].long, bars[1].level), (25.0, 75.0, "warn"));
        assert_eq!((bars[2].long, &*bars[2].words), (0.0, "–"));
    }
}
