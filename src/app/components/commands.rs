//! Every command of a dashboard page in one list: what it is called, its keys, and what it does.

use leptos::prelude::*;

use super::dashboard_container::element_id;
use super::dashboard_settings::{SETTINGS, duplicate, export};
use super::icon::Icon;
use super::inspector::{Panel, Panels};
use super::people::People;
use super::popup::Popups;
use super::theming::Theming;
use super::widget_container;
use super::widget_title::UNTITLED;
use super::{add_widget, clipboard};
use crate::app::access::Rights;
use crate::app::dashboard_store::{DashboardStore, SyncState};
use crate::app::time::{self, words};
use crate::app::{Theme, dom};
use crate::dashboard::range::TimeRange;
use crate::dashboard::{Kind, UserId, WidgetId};

/// Something that can be done on a dashboard page.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub label: String,
    /// The keys that do it without the palette; empty where there are none.
    pub keys: &'static str,
    pub icon: Icon,
    /// False for what is offered only to those who ask for it by name.
    pub offered: bool,
    act: Act,
}

#[derive(Clone, Debug, PartialEq)]
enum Act {
    Add(Kind),
    Undo,
    Redo,
    Look(WidgetId),
    Rename(WidgetId),
    Options(WidgetId),
    Duplicate(WidgetId),
    Copy(WidgetId),
    Remove(WidgetId),
    RenameDashboard,
    Open(Panel),
    Settings,
    Variables,
    DuplicateDashboard,
    Share,
    Screen,
    Export,
    Follow(Option<UserId>),
    Theme(Option<Theme>),
    Connect,
    Go(&'static str),
    Time(TimeRange),
    OwnTime(Option<TimeRange>),
    Mark,
}

/// What can be done now, the likeliest first. Read once, so that nothing moves under a finger.
pub fn all(store: DashboardStore, people: People, theming: Theming) -> Vec<Command> {
    let mut all = Vec::new();
    let mut add = |label: String, keys: &'static str, icon: Icon, offered: bool, act: Act| {
        all.push(Command { label, keys, icon, offered, act });
    };
    let title = |id: &WidgetId| {
        let title = store.widget(id).map(|signals| signals.widget.with_untracked(|w| w.title.clone()));
        let title = title.filter(|title| !title.trim().is_empty());
        title.unwrap_or_else(|| UNTITLED.to_owned())
    };
    let selected = store.selected.get_untracked();
    let order = store.order.get_untracked();
    let on_widget = |id: &WidgetId| {
        let title = title(id);
        [
            (format!("Rename “{title}”"), "F2", Icon::Pencil, Act::Rename(id.clone())),
            (format!("Options of “{title}”"), "", Icon::Sliders, Act::Options(id.clone())),
            (format!("Duplicate “{title}”"), "", Icon::Copy, Act::Duplicate(id.clone())),
            (format!("Copy “{title}”"), "Ctrl C", Icon::Copy, Act::Copy(id.clone())),
            (format!("Remove “{title}”"), "Delete", Icon::Trash, Act::Remove(id.clone())),
        ]
    };
    let read_only = !store.may_edit.get_untracked();
    if let Some(id) = selected.as_ref().filter(|id| !read_only && order.contains(id)) {
        for (label, keys, icon, act) in on_widget(id) {
            add(label, keys, icon, true, act);
        }
    }
    if !read_only {
        for kind in Kind::ALL {
            let label = format!("Add: {}", kind.label().to_ascii_lowercase());
            add(label, "", Icon::of(kind), true, Act::Add(kind));
        }
        if store.can_undo.get_untracked() {
            add("Undo my last step".to_owned(), "Ctrl Z", Icon::Undo, true, Act::Undo);
        }
        if store.can_redo.get_untracked() {
            add("Redo my last step".to_owned(), "Ctrl Shift Z", Icon::Redo, true, Act::Redo);
        }
        add("Rename this dashboard".to_owned(), "", Icon::Pencil, true, Act::RenameDashboard);
    }
    let waits = matches!(*store.sync.read_untracked(), SyncState::Reconnecting { .. } | SyncState::Offline);
    if waits {
        add("Connect now".to_owned(), "", Icon::Redo, true, Act::Connect);
    }
    if store.time.own.read_untracked().is_some() {
        let label = "Back to the time that everybody sees".to_owned();
        add(label, "T", Icon::Clock, true, Act::OwnTime(None));
    }
    if !read_only {
        add("Mark this moment on every chart".to_owned(), "M", Icon::Flag, true, Act::Mark);
    }
    let conflicts = match store.conflicts.with_untracked(Vec::len) {
        0 => "Show conflicts".to_owned(),
        n => format!("Show conflicts ({n})"),
    };
    add(conflicts, "", Icon::Fork, true, Act::Open(Panel::Conflicts));
    if !read_only {
        add("Settings of this dashboard".to_owned(), "", Icon::Sliders, true, Act::Settings);
        add("Variables of this dashboard".to_owned(), "", Icon::Dollar, true, Act::Variables);
    }
    let rights = Rights::here();
    if rights.has_account {
        let label = "Share: who may see and change this".to_owned();
        add(label, "", Icon::Share, true, Act::Share);
        if !read_only {
            add("Show on a screen…".to_owned(), "", Icon::Screen, true, Act::Screen);
        }
    }
    if !rights.is_visitor {
        add("Duplicate this dashboard".to_owned(), "", Icon::Copy, true, Act::DuplicateDashboard);
        add("Export this dashboard as a file".to_owned(), "", Icon::Download, true, Act::Export);
    }
    add("Show activity: who changed what".to_owned(), "", Icon::Clock, true, Act::Open(Panel::Activity));
    add("Show the marked moments".to_owned(), "", Icon::Flag, true, Act::Open(Panel::Marks));
    if store.following.read_untracked().is_some() {
        add("Stop following".to_owned(), "Esc", Icon::Eye, true, Act::Follow(None));
    }
    for person in people.persons.get_untracked() {
        let label = format!("Follow {}", person.user.name);
        add(label, "", Icon::Eye, true, Act::Follow(Some(person.user.id)));
    }
    let themes = [("light", Some(Theme::Light)), ("dark", Some(Theme::Dark)), ("as the system says", None)];
    for (name, theme) in themes {
        if theme != theming.chosen_untracked() {
            add(format!("Theme: {name}"), "", Icon::of_theme(theme), true, Act::Theme(theme));
        }
    }
    if !rights.is_visitor || rights.may_sign_in {
        add("Go to all dashboards".to_owned(), "", Icon::Tiles, true, Act::Go("/"));
    }
    if rights.may_sign_in {
        add("Sign in".to_owned(), "", Icon::Person, true, Act::Go("/sign-in"));
    }
    if !rights.is_visitor {
        add("Go to the status of all services".to_owned(), "", Icon::Chart, true, Act::Go("/status"));
    }
    if rights.has_account {
        add("Go to your account".to_owned(), "", Icon::Person, true, Act::Go("/account"));
        add("Go to the screens of your teams".to_owned(), "", Icon::Screen, true, Act::Go("/screens"));
    }
    if rights.is_admin {
        add("Go to the people and teams of this server".to_owned(), "", Icon::Team, true, Act::Go("/admin"));
    }
    for range in words::OFFERED {
        let of = words::of(range, 0);
        if !read_only {
            add(format!("Time for everybody: {of}"), "", Icon::Clock, false, Act::Time(range));
        }
        add(format!("Time only for me: {of}"), "", Icon::Clock, false, Act::OwnTime(Some(range)));
    }
    for id in &order {
        add(format!("Go to “{}”", title(id)), "", Icon::Search, false, Act::Look(id.clone()));
        if !read_only && selected.as_ref() != Some(id) {
            for (label, _, icon, act) in on_widget(id) {
                add(label, "", icon, false, act);
            }
        }
    }
    all
}

/// The commands that have every word of a query, those first in which the words stand foremost.
pub fn found(all: &[Command], query: &str) -> Vec<Command> {
    /// More than this nobody reads: another letter narrows it.
    const MOST: usize = 50;
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let rank = |command: &Command| -> Option<usize> {
        if words.is_empty() {
            return command.offered.then_some(0);
        }
        let label = command.label.to_lowercase();
        words.iter().try_fold(0, |rank, word| {
            let at = label.find(word)?;
            let begins = label[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
            Some(
                rank + if at == 0 {
                    0
                } else if begins {
                    1
                } else {
                    3
                },
            )
        })
    };
    let ranked: Vec<(usize, &Command)> =
        all.iter().filter_map(|command| Some((rank(command)?, command))).collect();
    let worst = ranked.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
    let mut found = Vec::new();
    for rank in 0..=worst {
        found.extend(
            ranked.iter().filter(|(own, _)| *own == rank).map(|(_, command)| Command::clone(command)),
        );
        if found.len() >= MOST {
            break;
        }
    }
    found.truncate(MOST);
    found
}

impl Command {
    /// Does it.
    pub fn run(self, store: DashboardStore, panels: Panels, popups: Popups, theming: Theming) {
        match self.act {
            Act::Add(kind) => add_widget::add(store, panels, kind),
            Act::Undo => store.live(|live| live.undo()),
            Act::Redo => store.live(|live| live.redo()),
            Act::Look(id) => look_at(store, id),
            Act::Rename(id) => {
                if let Some(signals) = store.widget(&id) {
                    dom::bring_into_view(&element_id(id.as_str()));
                    signals.renaming.set(true);
                }
            }
            Act::Options(id) => {
                store.selected.set(Some(id));
                panels.inspect();
            }
            Act::Duplicate(id) => add_widget::duplicate(store, &id),
            Act::Copy(id) => clipboard::copy(store, &id),
            Act::Variables => store.editing_variables.set(true),
            Act::DuplicateDashboard => duplicate(store),
            Act::Share => store.sharing.set(true),
            Act::Screen => store.choosing_screen.set(true),
            Act::Export => export(store),
            Act::Remove(id) => widget_container::remove(store, &id),
            Act::RenameDashboard => store.renaming.set(true),
            Act::Open(panel) => panels.show(panel),
            Act::Settings => popups.open(SETTINGS),
            Act::Follow(who) => store.following.set(who),
            Act::Theme(theme) => theming.choose(theme),
            Act::Connect => store.live(|live| live.retry()),
            Act::Go(url) => dom::go(url),
            Act::Time(range) => store.edit(vec![store.time.share(range)]),
            Act::OwnTime(range) => store.time.own.set(range),
            Act::Mark => time::begin_mark(store, None),
        }
    }
}

/// Selects a widget, brings it into view and gives it the keyboard.
pub fn look_at(store: DashboardStore, id: WidgetId) {
    store.selected.set(Some(id.clone()));
    // Once for what just came to be drawn, and once for it to have its place.
    dom::soon(move || {
        dom::soon(move || {
            dom::bring_into_view(&element_id(id.as_str()));
            if let Some(title) = dom::by_id(&format!("t-{id}")) {
                dom::focus_quietly(&title);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_counts_and_the_foremost_wins() {
        let command = |label: &str, offered| Command {
            label: label.to_owned(),
            keys: "",
            icon: Icon::Plus,
            offered,
            act: Act::Undo,
        };
        let all = [
            command("Go to “Disorder”", false),
            command("Rename “Orders”", false),
            command("Orders first", false),
            command("Add: note", true),
        ];
        let labels = |query: &str| found(&all, query).into_iter().map(|c| c.label).collect::<Vec<_>>();
        assert_eq!(labels("order"), ["Orders first", "Rename “Orders”", "Go to “Disorder”"]);
        assert_eq!(labels("ORDERS ren"), ["Rename “Orders”"]);
        assert_eq!(labels("  "), ["Add: note"]);
        assert!(labels("zebra").is_empty());
    }
}
