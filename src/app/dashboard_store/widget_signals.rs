//! The signals of one widget: what is saved of it, what it shows while somebody still types, and its data.

use std::sync::Arc;

use leptos::prelude::*;
use serde_json::Value;

use crate::app::dynamic::memo;
use crate::app::pasted::{self, Pasted};
use crate::app::widgets::living;
use crate::dashboard::widget::check_value;
use crate::dashboard::{User, Widget};
use crate::sync::protocol::Series;

/// What somebody else did to a widget, for glow and glide; gone after its animation.
#[derive(Clone, Debug, PartialEq)]
pub struct Glow {
    pub by: User,
    /// Counts up, so that the same person's next change starts the animation anew.
    pub count: u32,
}

/// The points of a widget and when the last came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WidgetData {
    pub series: Vec<Series>,
    /// By this browser's clock, Unix milliseconds; 0 before the first.
    pub received_at: u64,
    /// Why there are no newer points, in the source's words.
    pub error: Option<String>,
    /// Milliseconds from one point to the next, where the source says.
    pub every_ms: Option<u64>,
    /// A word about what is not there, such as series beyond those that are shown.
    pub note: Option<String>,
}

/// An option that somebody is still writing, and what it would be.
pub type Draft = (String, Value);

/// What is being written in the options of a widget. The own draft shows before anybody else's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drafts {
    pub mine: Option<Draft>,
    pub theirs: Option<Draft>,
}

/// The signals of one widget.
#[derive(Clone, Copy)]
pub struct WidgetSignals {
    pub widget: RwSignal<Arc<Widget>>,
    /// The options that are being written.
    pub drafts: RwSignal<Drafts>,
    /// The widget as it looks: with the draft of an option in place of the option. What draws the content
    /// reads this one.
    pub shown: Memo<Arc<Widget>>,
    /// The data in the widget itself, where that is what it shows.
    pub pasted: Memo<Pasted>,
    /// The last change by somebody else that still shows.
    pub glow: RwSignal<Option<Glow>>,
    /// The data that came for it.
    pub data: RwSignal<WidgetData>,
    /// True while its content is on the screen or close to it.
    pub seen: RwSignal<bool>,
    /// True while its title is edited here; setting it begins.
    pub renaming: RwSignal<bool>,
    /// True once it has left the dashboard, for the moment in which it fades.
    pub gone: RwSignal<bool>,
    /// Tells these signals from those of the same widget before it went and came back.
    pub born: u32,
}

impl WidgetSignals {
    /// Signals that live as long as the present owner.
    pub fn new(widget: Arc<Widget>, born: u32) -> Self {
        let kind = widget.kind;
        let widget = RwSignal::new(widget);
        let drafts = RwSignal::new(Drafts::default());
        let shown = memo(move || {
            let widget = widget.get();
            match drafts.get() {
                Drafts { mine: Some(draft), .. } | Drafts { theirs: Some(draft), .. } => with(widget, draft),
                _ => widget,
            }
        });
        let own = memo(move || shown.with(|widget| pasted::text(widget)));
        let pasted = memo(move || own.with(|own| pasted::read(kind, own.as_ref())));
        Self {
            widget,
            drafts,
            shown,
            pasted,
            glow: RwSignal::new(None),
            data: RwSignal::new(WidgetData::default()),
            seen: RwSignal::new(false),
            renaming: RwSignal::new(false),
            gone: RwSignal::new(false),
            born,
        }
    }

    /// Reads the series that the widget shows, tracked: its own, or those that came for it.
    pub fn series<T>(self, read: impl FnOnce(&[Series]) -> T) -> T {
        match &*self.pasted.read() {
            Pasted::No => read(&self.data.read().series),
            Pasted::Series(series) => read(series),
            Pasted::Table(_) | Pasted::Broken(_) => read(&[]),
        }
    }

    /// True where it is known what there is, tracked: the source has answered and did not fail, or the data are
    /// the widget's own.
    pub fn answered(self) -> bool {
        let data = self.data.read();
        *self.pasted.read() != Pasted::No || (data.received_at > 0 && data.error.is_none())
    }

    /// As [`Self::series`], without those that have no value of now where that is what the widget shows.
    pub fn living<T>(self, widget: &Widget, read: impl FnOnce(&[&Series]) -> T) -> T {
        let every_ms = self.data.with(|data| data.every_ms);
        self.series(|series| read(&living(series, widget.text_option("shows"), every_ms)))
    }

    /// As [`Self::series`], without waking the reader when there are others.
    pub fn series_untracked<T>(self, read: impl FnOnce(&[Series]) -> T) -> T {
        untrack(|| self.series(read))
    }

    /// Shows or takes away what somebody is writing in an option.
    pub fn preview(self, change: impl FnOnce(&mut Drafts)) {
        let mut drafts = self.drafts.get_untracked();
        change(&mut drafts);
        if self.drafts.with_untracked(|old| *old != drafts) {
            self.drafts.set(drafts);
        }
    }
}

/// A widget with an option as it would be; as it is where that does not fit.
fn with(widget: Arc<Widget>, (field, value): Draft) -> Arc<Widget> {
    if field == "title" || check_value(widget.kind, &field, &value).is_err() {
        return widget;
    }
    let mut shown = Widget::clone(&widget);
    match value {
        Value::Null => shown.options.remove(&field),
        value => shown.options.insert(field, value),
    };
    Arc::new(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{Frame, Kind};

    #[test]
    fn a_draft_shows_and_goes_and_the_own_one_comes_first() {
        let owner = Owner::new();
        owner.set();
        let signals = WidgetSignals::new(Widget::new(Kind::Stat, "A", Frame::default()).into(), 0);
        let unit = || signals.shown.with_untracked(|widget| widget.text_option("unit").to_owned());
        let draft = |unit: &str| Some(("unit".to_owned(), Value::from(unit)));
        signals.preview(|drafts| drafts.theirs = draft("ms"));
        assert_eq!(unit(), "ms");
        signals.preview(|drafts| drafts.mine = draft("s"));
        assert_eq!(unit(), "s");
        signals.preview(|drafts| drafts.mine = Some(("decimals".to_owned(), Value::from("many"))));
        assert_eq!(unit(), "", "what does not fit does not show");
        signals.preview(|drafts| *drafts = Drafts::default());
        assert_eq!(unit(), "");
    }
}
