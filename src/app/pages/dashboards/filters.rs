//! Filters of the list of dashboards: search, order, tags and favourites.

use leptos::html::Input;
use leptos::prelude::*;

use super::SEARCH;
use super::state::ListState;
use crate::app::access::Rights;
use crate::app::components::{Glyph, Icon};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::{ListFilter, ListOrder, TagCount, dom, format};

/// Tags that show before somebody asks for all.
const MAX_TAGS: usize = 12;

/// The field that is searched with. `/` leads to it from anywhere on the page.
#[component]
pub fn Search(list: ListState) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let awake = StoredValue::new(false);
    effect(move || {
        let asked = list.filter.read().search.clone();
        let Some(input) = input.get() else { return };
        let typed = input.value();
        match awake.get_value() {
            _ if typed == asked => {}
            true => input.set_value(&asked),
            // What was typed before the page was awake counts.
            false => list.ask_for(|filter| filter.search = typed, true),
        }
        awake.set_value(true);
    });
    dom::on_window(leptos::ev::keydown, move |event| {
        let with_more = event.ctrl_key() || event.meta_key() || event.alt_key();
        if event.key() == "/" && !with_more && !dom::on_text(&event) && !dom::dialog_is_open() {
            event.prevent_default();
            if let Some(input) = input.get_untracked() {
                dom::focus_and_select(&input);
            }
        }
    });
    let first = list.filter.with_untracked(|filter| filter.search.clone());
    view! {
        <label class="search">
            <Glyph icon=Icon::Search/>
            <span class="sr-only">"Search dashboards by title"</span>
            <input
                type="search"
                id=SEARCH
                node_ref=input
                data-testid="list-search"
                placeholder="Search"
                autocomplete="off"
                aria-keyshortcuts="/"
                value=first
                on:input:target=move |event| {
                    let text = event.target().value();
                    list.ask_for(|filter| filter.search = text, true);
                }
            />
        </label>
    }
}

/// Order, favourites and tags.
#[component]
pub fn Filters(list: ListState) -> impl IntoView {
    let all = RwSignal::new(false);
    let asked = memo(move || list.filter.read().tag.clone());
    let tags = memo(move || shown_tags(&list.tags.read(), &asked.read(), all.get()));
    let more = memo(move || list.tags.read().len().saturating_sub(MAX_TAGS));
    let favourites = memo(move || list.filter.read().favourites);
    let by_title = memo(move || list.filter.read().order == ListOrder::Title);
    let order = move |event: leptos::ev::Event| {
        let order = if event_target_value(&event) == "title" { ListOrder::Title } else { ListOrder::Changed };
        list.ask_for(|filter| filter.order = order, false);
    };
    let chip = move |tag: String| {
        let key = StoredValue::new(tag.clone());
        let chosen = memo(move || *asked.read() == key.get_value());
        let count = memo(move || {
            key.with_value(|key| tags.read().iter().find(|one| one.tag == *key).map(|one| one.dashboards))
        });
        let press = move |_| {
            let tag = if chosen.get_untracked() { String::new() } else { key.get_value() };
            list.ask_for(|filter| filter.tag = tag, false);
        };
        view! {
            <button
                type="button"
                class="chip"
                data-testid="tag"
                data-tag=tag.clone()
                aria-pressed=attr(move || chosen.get().to_string())
                on:click=press
            >
                {tag.clone()}
                <span class="chip-count">{live(move || count.get().unwrap_or_default().to_string())}</span>
            </button>
        }
    };
    view! {
        <div class="filters" role="group" aria-label="Filter" class:hidden=list.kept>
            <select class="order" aria-label="Order" data-testid="list-order" on:change=order>
                <option value="changed" selected=attr(move || !by_title.get())>"Last changed first"</option>
                <option value="title" selected=by_title>"By title"</option>
            </select>
            <button
                type="button"
                class="chip"
                data-testid="favourites-only"
                class:hidden=Rights::here().is_visitor
                aria-pressed=attr(move || favourites.get().to_string())
                on:click=move |_| list.ask_for(|filter| filter.favourites = !filter.favourites, false)
            >
                <Glyph icon=Icon::Star/>
                "Favourites"
            </button>
            {each(move || tags.get().into_iter().map(|one| one.tag).collect(), String::clone, chip)}
            {live(move || (more.get() > 0).then(|| view! {
                <button
                    type="button"
                    class="chip more"
                    aria-expanded=attr(move || all.get().to_string())
                    on:click=move |_| all.update(|all| *all = !*all)
                >
                    {live(move || if all.get() { "Fewer tags".to_owned() } else { format!("{} more", more.get()) })}
                </button>
            }))}
        </div>
    }
}

/// The most used tags, and the one that is asked for, wherever it stands.
fn shown_tags(tags: &[TagCount], asked: &str, all: bool) -> Vec<TagCount> {
    let most = if all { tags.len() } else { MAX_TAGS };
    let mut shown: Vec<TagCount> = tags.iter().take(most).cloned().collect();
    if !asked.is_empty() && shown.iter().all(|one| one.tag != asked) {
        let known = tags.iter().find(|one| one.tag == asked).cloned();
        shown.push(known.unwrap_or_else(|| TagCount { tag: asked.to_owned(), dashboards: 0 }));
    }
    shown
}

/// What shows, in words: `12 dashboards with “ord” in the title, tagged ops`.
pub fn in_words(filter: &ListFilter, total: usize) -> String {
    let ListFilter { search, tag, favourites, .. } = filter;
    let (one, many) = if *favourites { ("favourite", "favourites") } else { ("dashboard", "dashboards") };
    let mut says = if total == 0 { format!("No {many}") } else { format::count(total, one, many) };
    let search = search.trim();
    if !search.is_empty() {
        says.push_str(&format!(" with “{search}” in the title"));
    }
    if !tag.is_empty() {
        says.push_str(&format!(" tagged “{tag}”"));
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_it_shows() {
        let of = |search: &str, tag: &str, favourites| ListFilter {
            search: search.to_owned(),
            tag: tag.to_owned(),
            favourites,
            ..ListFilter::default()
        };
        assert_eq!(in_words(&of("", "", false), 10_000), "10,000 dashboards");
        assert_eq!(in_words(&of(" ord ", "", false), 1), "1 dashboard with “ord” in the title");
        assert_eq!(in_words(&of("x", "ops", true), 0), "No favourites with “x” in the title tagged “ops”");
    }

    #[test]
    fn the_tag_that_is_asked_for_shows_always() {
        let tags: Vec<TagCount> =
            (0..20).map(|n| TagCount { tag: format!("t{n}"), dashboards: 40 - n }).collect();
        let shown = |asked: &str, all| {
            shown_tags(&tags, asked, all).into_iter().map(|one| one.tag).collect::<Vec<_>>()
        };
        assert_eq!(shown("", false).len(), MAX_TAGS);
        assert_eq!(shown("t3", false).len(), MAX_TAGS);
        assert_eq!(shown("t15", false).last().map(String::as_str), Some("t15"));
        assert_eq!(shown("gone", true).len(), 21);
    }
}
