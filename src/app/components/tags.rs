//! The tags of a dashboard as people set them: chips, and a field that adds one.

use leptos::ev::KeyboardEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icon::{Glyph, Icon};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dynamic::{attr, each, live, memo};
use crate::app::{DashboardList, dom, requests};
use crate::dashboard::Op;
use crate::dashboard::settings::{self, MAX_TAG_CHARS, MAX_TAGS, TAGS};

/// The `id` attribute of the list of tags that other dashboards have.
const KNOWN: &str = "known-tags";
/// Tags that are offered.
const MAX_OFFERED: usize = 100;

#[component]
pub fn Tags(store: DashboardStore) -> impl IntoView {
    let tags = memo(move || settings::tags(&store.settings.read()));
    let known = RwSignal::new(Vec::<String>::new());
    let full = memo(move || tags.read().len() >= MAX_TAGS);
    let read_only = memo(move || !store.may_edit.get());
    let input = NodeRef::<Input>::new();
    spawn_local(async move {
        // Nothing is offered where they cannot be had.
        let address = "/api/v1/dashboards/list?limit=1";
        if let Ok(list) = requests::request::<DashboardList>("GET", address, None).await {
            let offered = list.tags.into_iter().take(MAX_OFFERED).map(|one| one.tag).collect();
            // The popup may be closed by then.
            let _ = known.try_set(offered);
        }
    });
    let set = move |tags: Vec<String>| {
        store.edit(vec![Op::SetDashboard { field: TAGS.to_owned(), value: tags.into() }]);
    };
    let add = move || {
        let Some(input) = input.get_untracked() else { return };
        if let Some(with) = with_tag(&tags.read_untracked(), &input.value()) {
            set(with);
        }
        input.set_value("");
    };
    let keys = move |event: KeyboardEvent| match event.key().as_str() {
        "Enter" | "," => {
            event.prevent_default();
            add();
        }
        "Backspace" if input.get_untracked().is_some_and(|input| input.value().is_empty()) => {
            let mut all = tags.get_untracked();
            if all.pop().is_some() {
                event.prevent_default();
                set(all);
            }
        }
        _ => {}
    };
    let chip = move |tag: String| {
        let gone = tag.clone();
        let remove = move |_| {
            set(tags.read_untracked().iter().filter(|one| **one != gone).cloned().collect());
            dom::focus_soon("tag-input");
        };
        view! {
            <span class="chip" data-testid="tag" data-tag=tag.clone()>
                {tag.clone()}
                <button
                    type="button"
                    data-testid="tag-remove"
                    aria-label=format!("Remove the tag {tag}")
                    disabled=read_only
                    on:click=remove
                >
                    <Glyph icon=Icon::Close/>
                </button>
            </span>
        }
    };
    view! {
        <fieldset class="settings" data-testid="tags">
            <legend>"Tags"</legend>
            <div class="tags-field">
                {each(move || tags.get(), String::clone, chip)}
                <input
                    type="text"
                    id="tag-input"
                    node_ref=input
                    list=KNOWN
                    data-testid="tag-input"
                    aria-label="Add a tag"
                    placeholder=attr(move || if tags.read().is_empty() { "Add a tag" } else { "" })
                    maxlength=MAX_TAG_CHARS.to_string()
                    autocomplete="off"
                    disabled=attr(move || read_only.get() || full.get())
                    on:keydown=keys
                    // One that was chosen from the list, or left as it was typed.
                    on:change=move |_| add()
                />
            </div>
            <datalist id=KNOWN>
                {live(move || {
                    let has = |tag: &String| tags.read().contains(tag);
                    let offered = known.get().into_iter().filter(|tag| !has(tag));
                    offered.map(|tag| view! { <option value=tag></option> }).collect_view()
                })}
            </datalist>
            <p class="quiet">
                {live(move || if full.get() {
                    "These are as many as there can be."
                } else {
                    "The list of dashboards is filtered by them. Enter adds one, Backspace takes the last away."
                })}
            </p>
        </fieldset>
    }
}

/// The tags with one more; `None` where that is none, or is there already in whatever capitals.
fn with_tag(tags: &[String], typed: &str) -> Option<Vec<String>> {
    let tag: String = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_there = tags.iter().any(|one| one.to_lowercase() == tag.to_lowercase());
    if tag.is_empty() || is_there || tags.len() >= MAX_TAGS || tag.chars().count() > MAX_TAG_CHARS {
        return None;
    }
    Some(tags.iter().cloned().chain([tag]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_added_once_and_as_one_line() {
        let tags = ["prod".to_owned()];
        assert_eq!(with_tag(&tags, "  eu \n west "), Some(vec!["prod".to_owned(), "eu west".to_owned()]));
        assert_eq!(with_tag(&tags, "PROD"), None);
        assert_eq!(with_tag(&tags, "  "), None);
        let many: Vec<String> = (0..MAX_TAGS).map(|n| n.to_string()).collect();
        assert_eq!(with_tag(&many, "more"), None);
    }
}
