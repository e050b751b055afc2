//! Field that finds people and teams by name or mail address, and gives them a role.

use leptos::ev::KeyboardEvent;
use leptos::html::Input;
use leptos::prelude::*;

use super::avatar::Avatar;
use super::icon::{Glyph, Icon};
use super::roles::RoleSelect;
use super::share_dialog::{Share, Shown, id_of};
use crate::app::access::{Grantee, Role, Sharing};
use crate::app::dynamic::{attr, live, memo};
use crate::app::{dom, format};

/// Most that are offered at once; another letter narrows them.
const MOST: usize = 6;
/// The `id` attribute of the list of what was found.
const FOUND: &str = "share-found";
/// The `id` attribute of the field.
const SEARCH: &str = "share-search";

/// Somebody who can be given a role.
#[derive(Clone, Debug, PartialEq)]
struct Candidate {
    to: Grantee,
    shown: Shown,
    /// What is searched in, in small letters.
    words: String,
}

#[component]
pub fn ShareSearch(share: Share) -> impl IntoView {
    let query = RwSignal::new(String::new());
    let role = RwSignal::new(Role::Viewer);
    // Which of those found Enter takes.
    let at = RwSignal::new(0_usize);
    // True while what was found shows.
    let open = RwSignal::new(false);
    let input = NodeRef::<Input>::new();
    let candidates = memo(move || share.sharing.read().as_ref().map(candidates).unwrap_or_default());
    let found = memo(move || found(&candidates.read(), &dom::in_small_letters(query.read().trim())));
    let pick = move |to: Grantee| {
        open.set(false);
        share.grant(to, Some(role.get_untracked()), move |taken| {
            if taken {
                query.set(String::new());
                at.set(0);
            }
        });
    };
    let keys = move |event: KeyboardEvent| {
        let count = found.read_untracked().len();
        match event.key().as_str() {
            "ArrowDown" | "ArrowUp" => {
                event.prevent_default();
                let down = event.key() == "ArrowDown";
                match (open.get_untracked(), count) {
                    (false, _) => open.set(true),
                    (true, 0) => {}
                    (true, _) => at.update(|at| *at = (*at + if down { 1 } else { count - 1 }) % count),
                }
            }
            "Enter" if !event.is_composing() => {
                event.prevent_default();
                let chosen = found.read_untracked().get(at.get_untracked()).map(|one| one.to.clone());
                if let Some(to) = chosen.filter(|_| open.get_untracked()) {
                    pick(to);
                }
            }
            // Closes what was found first, and the dialog the next time.
            "Escape" if open.get_untracked() => {
                event.prevent_default();
                event.stop_propagation();
                open.set(false);
            }
            _ => {}
        }
    };
    let option = move |(nth, one): (usize, Candidate)| {
        let Candidate { to, shown, .. } = one;
        let (id, data) = (format!("{FOUND}-{nth}"), id_of(&to).to_owned());
        let face = match to {
            Grantee::Account(_) => view! { <Avatar user=Signal::stored(shown.user) small=true/> }.into_any(),
            Grantee::Team(_) => view! { <span class="face small"><Glyph icon=Icon::Team/></span> }.into_any(),
        };
        view! {
            <li
                id=id
                role="option"
                data-testid="share-option"
                data-to=data
                aria-selected=attr(move || (at.get() == nth).to_string())
                on:click=move |_| pick(to.clone())
            >
                {face}
                <span class="grant-words"><b>{shown.name}</b><small>{shown.says}</small></span>
            </li>
        }
    };
    let says = move || {
        if !open.get() || query.read().trim().is_empty() || share.sharing.read().is_none() {
            return String::new();
        }
        match found.read().len() {
            0 => "Nobody with that name or address can be added.".to_owned(),
            n => format::count(n, "found", "found"),
        }
    };
    view! {
        <div class="share-search">
            <label class="field">
                <span class="label">"Add people or teams"</span>
                <input
                    type="text"
                    id=SEARCH
                    node_ref=input
                    role="combobox"
                    data-testid="share-add"
                    placeholder="Name or mail address"
                    autocomplete="off"
                    spellcheck="false"
                    autofocus
                    aria-autocomplete="list"
                    aria-expanded=attr(move || open.get().to_string())
                    aria-controls=FOUND
                    aria-activedescendant=attr(move || {
                        (open.get() && !found.read().is_empty()).then(|| format!("{FOUND}-{}", at.get()))
                    })
                    prop:value=attr(move || query.get())
                    on:input:target=move |event| {
                        query.set(event.target().value());
                        at.set(0);
                        open.set(true);
                    }
                    on:keydown=keys
                    on:blur=move |_| { open.try_set(false); }
                />
            </label>
            <RoleSelect
                role
                label="Role that they get"
                testid="share-add-role"
                choose=Callback::new(move |(chosen, _)| role.set(chosen))
            />
            <ul
                id=FOUND
                class="share-found"
                role="listbox"
                aria-label="People and teams"
                class:hidden=attr(move || !open.get() || found.read().is_empty())
                // The field keeps the keyboard.
                on:mousedown=|event| event.prevent_default()
            >
                {live(move || found.get().into_iter().enumerate().map(option).collect_view())}
            </ul>
            <p class="quiet" role="status">{live(says)}</p>
        </div>
    }
}

/// Those who have no role of their own yet.
fn candidates(sharing: &Sharing) -> Vec<Candidate> {
    let has = |to: &Grantee| sharing.grants.iter().any(|grant| grant.to == *to);
    let people = sharing.people.iter().map(|one| (Grantee::Account(one.id.clone()), Shown::person(one)));
    let teams = sharing.teams.iter().filter(|one| sharing.team.as_ref() != Some(&one.id));
    let teams = teams.map(|one| {
        let says = format!("Team, {}", format::count(one.members, "person", "people"));
        (Grantee::Team(one.id.clone()), Shown { name: one.name.clone(), says, ..Shown::default() })
    });
    let candidate = |(to, shown): (Grantee, Shown)| {
        let words = match to {
            Grantee::Account(_) => dom::in_small_letters(&format!("{} {}", shown.name, shown.says)),
            Grantee::Team(_) => dom::in_small_letters(&shown.name),
        };
        Candidate { to, shown, words }
    };
    people.chain(teams).filter(|(to, _)| !has(to)).map(candidate).collect()
}

/// Those in whose name or address every word of a query begins a word, and then those who have it anywhere.
fn found(all: &[Candidate], query: &str) -> Vec<Candidate> {
    let begins = |one: &&Candidate| {
        query.split_whitespace().all(|word| {
            let places = one.words.match_indices(word);
            let mut before = places.map(|(at, _)| one.words[..at].chars().next_back());
            before.any(|before| before.is_none_or(|before| !before.is_alphanumeric()))
        })
    };
    let has = |one: &&Candidate| query.split_whitespace().all(|word| one.words.contains(word));
    let first = all.iter().filter(begins);
    let then = all.iter().filter(|one| !begins(one)).filter(has);
    first.chain(then).take(MOST).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::UserId;

    #[test]
    fn names_that_begin_with_it_come_first_and_every_word_counts() {
        let all = ["grace hopper grace@navy.mil", "ada lovelace ada@example.com", "ops", "adele ops@x.org"]
            .map(|words| Candidate {
                to: Grantee::Account(UserId::new(&words[..3]).expect("an id")),
                shown: Shown::default(),
                words: words.to_owned(),
            });
        let words = |query: &str| {
            found(&all, query).into_iter().map(|one| one.words[..3].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(words("ad"), ["ada", "ade"]);
        assert_eq!(words("hop"), ["gra"]);
        assert_eq!(words("ace"), ["gra", "ada"]);
        assert_eq!(words("ops"), ["ops", "ade"]);
        assert_eq!(words("ada example"), ["ada"]);
        assert_eq!(words("").len(), 4);
        assert!(words("nobody").is_empty());
    }
}
