//! Code that the browser fetches apart from the rest of the page: what a visit may never show.
//!
//! Built with the feature `split`, the WebAssembly is cut at the functions of `chunks/apart.rs`: what
//! only they reach stands in files of its own. In any other build, and on the server, all is there at once.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::PageData;
use super::components::{
    ActivityList, Clipboard, CommandPalette, ConflictInbox, CursorTracker, FollowBar, Grid, Inspector,
    KeptEdits, Kinds, Kiosk, MenuOf, MoreNotices, NameForm, Palette, Popups, ScreenDialog, Settings,
    ShareDialog, SyncDetails, ToastCards, UnsavedList, VariableChoices, VariablesEditor, WidgetMenu,
};
use super::dashboard_store::{DashboardStore, WidgetSignals};
use super::dom;
use super::dynamic::{effect, live};
use super::time::{ChartMoments, MarkDialog, MarksList, Moments, OwnTime, RangePicker};
use super::type_ahead::{Dismiss, TypeAhead};
use super::widgets::DataDialog;
use crate::dashboard::{Dashboard, Kind, WidgetId};
use crate::fetched;

pub use crate::fetched::{contents, pages};

/// Shows a page, given its data.
pub type ShowPage = fn(PageData) -> AnyView;
/// Shows a part, given which.
pub type ShowPart = fn(Part) -> AnyView;

/// Shows the content of a widget whose kind [`comes_apart`].
pub type ShowContent = fn(WidgetId, Kind, WidgetSignals, DashboardStore) -> AnyView;

/// A part of the dashboard page that is not there when the page opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Inspector,
    Conflicts,
    Activity,
    Commands,
    Unsaved,
    /// A widget's data as a table.
    Data,
    /// The choice of the time that shows.
    TimeRange,
    OwnTime,
    /// What stands over the points of a chart: the [`ChartMoments`] in the context says which.
    Moments,
    Mark,
    Marks,
    /// What takes copies and pastes of widgets.
    Clipboard,
    /// The choices of the dashboard's variables.
    Variables,
    VariablesEditor,
    /// Who may do what on the dashboard.
    Share,
    /// The screens that can show the dashboard.
    Screens,
    /// What keeps a screen going that shows the dashboard.
    Kiosk,
    /// The others' cursors, over the grid that the context says.
    Cursors,
    /// Whom this page follows, and that it does.
    Follow,
    /// Lines above the grid that can wait: what tells that edits are not safe cannot.
    Notices,
    Toasts,
    /// What can be done with edits that wait.
    KeptEdits,
    // What popups show.
    AddWidget,
    Settings,
    SyncDetails,
    MyName,
    /// The menu of the widget that the context says.
    WidgetMenu,
}

impl Part {
    /// What closes a part that has the keyboard as soon as it shows. A side panel has it where it is entered only.
    fn dismiss(self) -> Option<Dismiss> {
        let store: DashboardStore = use_context().expect("the dashboard page provides its store");
        match self {
            Self::Commands => {
                let palette = Palette::here();
                Some(Rc::new(move || palette.toggle()))
            }
            Self::Data => Some(Rc::new(move || store.tabled.set(None))),
            Self::Mark => Some(Rc::new(move || store.time.marking.set(None))),
            Self::VariablesEditor => Some(Rc::new(move || store.editing_variables.set(false))),
            Self::Share => Some(Rc::new(move || store.sharing.set(false))),
            Self::Screens => Some(Rc::new(move || store.choosing_screen.set(false))),
            Self::TimeRange
            | Self::AddWidget
            | Self::Settings
            | Self::SyncDetails
            | Self::MyName
            | Self::WidgetMenu => {
                let popups = Popups::here();
                Some(Rc::new(move || popups.close()))
            }
            _ => None,
        }
    }
}

/// The code of all [`Part`]s.
#[derive(Clone, Copy)]
pub struct Parts {
    /// Keys that wait for a part.
    pub keys: TypeAhead,
    code: RwSignal<Option<ShowPart>>,
    failed: RwSignal<bool>,
    /// False in the first render, which is the same with the code and without.
    awake: RwSignal<bool>,
}

impl Parts {
    pub fn new() -> Self {
        let awake = RwSignal::new(false);
        effect(move || awake.set(true));
        let code = RwSignal::new(fetched::at_once());
        Self { keys: TypeAhead::here(), code, failed: RwSignal::new(false), awake }
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides its parts")
    }

    /// Does something once the code is there: at once where it is, else after fetching it.
    pub fn when_there(self, then: impl FnOnce() + 'static) {
        self.fetch(|there| {
            if there {
                then();
            }
        });
    }

    /// As [`Self::when_there`], and says whether the code could be fetched.
    fn fetch(self, then: impl FnOnce(bool) + 'static) {
        if self.code.with_untracked(Option::is_some) {
            return then(true);
        }
        self.failed.set(false);
        spawn_local(async move {
            let code = fetched::parts().await;
            // The page may be gone by then.
            let there = code.is_some() && self.code.try_set(code).is_none();
            if !there {
                self.failed.try_set(true);
            }
            then(there);
        });
    }

    /// Keeps the keys that are pressed from now on for what takes the keyboard once the code is there; Escape closes
    /// it before. Answers the number of this turn. For the browser only.
    pub fn hold_keys(self, dismiss: Option<Dismiss>) -> u32 {
        let (keys, turn) = (self.keys, self.keys.hold(dismiss));
        self.fetch(move |there| if there { keys.expect(turn) } else { keys.give_up(turn) });
        turn
    }

    /// The part, as soon as its code is there.
    pub fn show(self, part: Part) -> AnyView {
        self.when_there(|| ());
        let dismiss = StoredValue::new_local(part.dismiss());
        // Counts the tries to fetch the code for this.
        let tries = RwSignal::new(0);
        effect(move || {
            tries.track();
            match dismiss.get_value() {
                Some(dismiss) => {
                    let turn = self.hold_keys(Some(dismiss));
                    on_cleanup(move || self.keys.give_up(turn));
                }
                None => self.when_there(|| ()),
            }
        });
        live(move || match (self.code.get(), self.failed.get()) {
            (Some(show), _) => show(part),
            (None, false) => view! { <div class="coming" aria-busy="true"></div> }.into_any(),
            (None, true) => {
                let close = move || dismiss.get_value().iter().for_each(|dismiss| dismiss());
                dom::on_window(leptos::ev::keydown, move |event| {
                    if event.key() == "Escape" {
                        close();
                    }
                });
                let closes = dismiss.with_value(Option::is_some).then(|| {
                    view! { <button type="button" class="button line" on:click=move |_| close()>"Close"</button> }
                });
                view! {
                    <div class="notice bad" role="alert" data-testid="not-fetched">
                        <span>"This part of the page could not be fetched. What was typed for it is not kept."</span>
                        <button
                            type="button"
                            class="button line"
                            on:click=move |_| tries.update(|tries| *tries += 1)
                        >
                            "Try again"
                        </button>
                        {closes}
                    </div>
                }
                .into_any()
            }
        })
    }

    /// The code once it is there, and never in the first render, tracked.
    fn later(self) -> Option<ShowPart> {
        self.code.get().filter(|_| self.awake.get())
    }

    /// True once the code is there, and never in the first render, tracked.
    pub fn is_there(self) -> bool {
        self.later().is_some()
    }

    /// The part, once its code is there for another reason, and never in the first render: nobody waits for
    /// this one.
    pub fn show_later(self, part: Part) -> AnyView {
        live(move || self.later().map(|show| show(part)))
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}

/// True for kinds whose contents are code of their own.
pub const fn comes_apart(kind: Kind) -> bool {
    !matches!(kind, Kind::Stat | Kind::Timeseries | Kind::Note)
}

/// True where a dashboard cannot be shown without that code.
pub fn needs_contents(dashboard: &Dashboard) -> bool {
    dashboard.widgets.values().any(|widget| comes_apart(widget.kind) || widget.is_heat_map())
}

/// The code of contents that was fetched before the page was made.
#[derive(Clone, Copy)]
pub struct FetchedContents(pub Option<ShowContent>);

/// The code of the contents of kinds that [`comes_apart`].
#[derive(Clone, Copy)]
pub struct Contents {
    code: RwSignal<Option<ShowContent>>,
    failed: RwSignal<bool>,
}

impl Contents {
    pub fn new() -> Self {
        let there = use_context::<FetchedContents>().and_then(|fetched| fetched.0);
        let code = RwSignal::new(there.or_else(fetched::contents_at_once));
        Self { code, failed: RwSignal::new(false) }
    }

    pub fn here() -> Self {
        use_context().expect("the dashboard page provides the contents")
    }

    /// Fetches the code, if it is not there.
    pub fn fetch(self) {
        if self.code.with_untracked(Option::is_some) {
            return;
        }
        self.failed.set(false);
        spawn_local(async move {
            let code = contents().await;
            // The page may be gone by then.
            match code {
                Some(_) => {
                    self.code.try_set(code);
                }
                None => {
                    self.failed.try_set(true);
                }
            }
        });
    }

    /// The content of a widget, as soon as its code is there.
    pub fn show(self, id: WidgetId, kind: Kind, signals: WidgetSignals, store: DashboardStore) -> AnyView {
        self.fetch();
        live(move || {
            match (self.code.get(), self.failed.get()) {
            (Some(show), _) => show(id.clone(), kind, signals, store),
            (None, false) => view! { <div class="coming" aria-busy="true"></div> }.into_any(),
            (None, true) => view! {
                <p class="hint-empty">
                    <span>"This content could not be fetched."</span>
                    <button type="button" class="button line" on:click=move |_| self.fetch()>"Try again"</button>
                </p>
            }
            .into_any(),
        }
        })
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self::new()
    }
}

/// What shows every part.
pub fn show_part(part: Part) -> AnyView {
    let store: DashboardStore = use_context().expect("the dashboard page provides its store");
    match part {
        Part::Inspector => view! { <Inspector store/> }.into_any(),
        Part::Conflicts => view! { <ConflictInbox store/> }.into_any(),
        Part::Activity => view! { <ActivityList store/> }.into_any(),
        Part::Commands => view! { <CommandPalette/> }.into_any(),
        Part::Unsaved => view! { <UnsavedList store/> }.into_any(),
        Part::Data => view! { <DataDialog store/> }.into_any(),
        Part::TimeRange => view! { <RangePicker store/> }.into_any(),
        Part::OwnTime => view! { <OwnTime store/> }.into_any(),
        Part::Moments => {
            let ChartMoments { id, place } = use_context().expect("the chart provides where it stands");
            view! { <Moments id place store/> }.into_any()
        }
        Part::Mark => view! { <MarkDialog store/> }.into_any(),
        Part::Clipboard => view! { <Clipboard store/> }.into_any(),
        Part::Variables => view! { <VariableChoices store/> }.into_any(),
        Part::VariablesEditor => view! { <VariablesEditor store/> }.into_any(),
        Part::Share => view! { <ShareDialog store/> }.into_any(),
        Part::Screens => view! { <ScreenDialog store/> }.into_any(),
        Part::Kiosk => view! { <Kiosk store/> }.into_any(),
        Part::Marks => view! { <MarksList store/> }.into_any(),
        Part::Cursors => {
            let Grid(grid) = use_context().expect("the grid provides itself");
            view! { <CursorTracker store grid/> }.into_any()
        }
        Part::Follow => view! { <FollowBar store/> }.into_any(),
        Part::Notices => view! { <MoreNotices store/> }.into_any(),
        Part::Toasts => view! { <ToastCards store/> }.into_any(),
        Part::KeptEdits => view! { <KeptEdits store/> }.into_any(),
        Part::AddWidget => view! { <Kinds store/> }.into_any(),
        Part::Settings => view! { <Settings store/> }.into_any(),
        Part::SyncDetails => view! { <SyncDetails store/> }.into_any(),
        Part::MyName => view! { <NameForm store/> }.into_any(),
        Part::WidgetMenu => {
            let MenuOf { id, kind, renaming } = use_context().expect("the widget provides itself");
            view! { <WidgetMenu id kind renaming store/> }.into_any()
        }
    }
}
