//! Lists that are read a part at a time and searched on the server: their state, and the section that shows one.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;

use super::Admin;
use crate::app::admin::AdminList;
use crate::app::components::{Glyph, Icon, Problem};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::{dom, requests};

/// Characters of what is searched for; the server takes no more.
const MAX_SEARCH_CHARS: usize = 254;

/// The words of a section.
#[derive(Clone, Copy)]
pub struct Words {
    /// The `id` attribute of its heading, and what its test ids begin with.
    pub id: &'static str,
    pub title: &'static str,
    pub says: &'static str,
    /// What the field searches.
    pub search: &'static str,
    /// Where nothing was found.
    pub none: &'static str,
}

/// The state of a list. `Copy`: all of it are handles.
pub struct Listing<T: 'static> {
    words: Words,
    /// Where it is read. What an entry stands for ends at this and its id.
    address: &'static str,
    id_of: fn(&T) -> &str,
    pub entries: RwSignal<Vec<T>>,
    next: RwSignal<Option<String>>,
    /// How many there are in all; `None` until it was read.
    total: RwSignal<Option<usize>>,
    search: RwSignal<String>,
    loading: RwSignal<bool>,
    busy: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
    /// Counts what makes an answer that is on its way too old.
    turn: StoredValue<u32>,
}

impl<T> Clone for Listing<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Listing<T> {}

impl<T: Clone + DeserializeOwned + Send + Sync> Listing<T> {
    pub fn new(words: Words, address: &'static str, id_of: fn(&T) -> &str) -> Self {
        Self {
            words,
            address,
            id_of,
            entries: RwSignal::new(Vec::new()),
            next: RwSignal::new(None),
            total: RwSignal::new(None),
            search: RwSignal::new(String::new()),
            loading: RwSignal::new(false),
            busy: RwSignal::new(false),
            problem: RwSignal::new(None),
            turn: StoredValue::new(0),
        }
    }

    /// Reads what the search finds, behind a place or from the newest on.
    fn load(self, after: Option<String>) {
        let turn = self.turn.get_value().wrapping_add(1);
        self.turn.set_value(turn);
        self.loading.set(true);
        let search = self.search.with_untracked(|text| requests::in_address(text.trim()));
        let mut address = format!("{}?search={search}", self.address);
        if let Some(after) = &after {
            address.push_str("&after=");
            address.push_str(&requests::in_address(after));
        }
        spawn_local(async move {
            let answer = requests::request::<AdminList<T>>("GET", &address, None).await;
            // The section may be gone by then, or search for something else.
            if self.turn.try_get_value() != Some(turn) {
                return;
            }
            self.loading.set(false);
            self.problem.set(answer.as_ref().err().map(|error| format!("This list was not read. {error}")));
            let Ok(AdminList { entries, next, total }) = answer else { return };
            self.next.set(next);
            self.total.set(Some(total));
            match after {
                Some(_) => self.entries.update(|all| all.extend(entries)),
                None => self.entries.set(entries),
            }
        });
    }

    /// Ends what an entry stands for, when it is run.
    pub fn revoke(self, entry: &T) -> Callback<()> {
        let id = (self.id_of)(entry).to_owned();
        let address = format!("{}/{}", self.address, requests::in_address(&id));
        Callback::new(move |()| {
            let gone = id.clone();
            self.remove(address.clone(), move |one| (self.id_of)(one) == gone);
        })
    }

    /// Ends what an address stands for. Where that went well, what has gone by it goes from the list, too.
    pub fn remove(self, address: String, has_gone: impl Fn(&T) -> bool + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let answer = requests::send("DELETE", &address, None).await;
            // The section may be gone by then.
            if self.busy.try_set(false).is_some() {
                return;
            }
            self.problem.set(answer.as_ref().err().map(|error| format!("Nothing was changed. {error}")));
            if answer.is_ok() {
                let before = self.entries.with_untracked(Vec::len);
                self.entries.update(|all| all.retain(|one| !has_gone(one)));
                let gone = before - self.entries.with_untracked(Vec::len);
                self.total.update(|total| *total = total.map(|total| total.saturating_sub(gone)));
                // What was pressed goes with its line.
                dom::focus_soon(self.words.id);
            }
        });
    }

    /// The section with its rows.
    pub fn show<V: IntoAny + 'static>(
        self,
        admin: Admin,
        row: impl Fn(T) -> V + Send + Sync + 'static,
    ) -> AnyView {
        effect(move || self.load(None));
        let rows = each(move || self.entries.get(), move |one| (self.id_of)(one).to_owned(), row);
        let more = move || {
            if let Some(after) = self.next.get_untracked().filter(|_| !self.loading.get_untracked()) {
                self.load(Some(after));
            }
        };
        let none = memo(move || self.total.get() == Some(0));
        let search = move |text: String| {
            self.search.set(text);
            self.load(None);
        };
        frame(Shown {
            words: self.words,
            total: self.total,
            next: self.next,
            loading: self.loading,
            problem: self.problem,
            none,
            asleep: admin.asleep,
            search: Callback::new(search),
            more: Callback::new(move |()| more()),
            rows,
        })
    }
}

/// What a section shows, whatever its rows are of.
struct Shown {
    words: Words,
    total: RwSignal<Option<usize>>,
    next: RwSignal<Option<String>>,
    loading: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
    none: Memo<bool>,
    asleep: RwSignal<bool>,
    search: Callback<String>,
    more: Callback<()>,
    rows: AnyView,
}

fn frame(shown: Shown) -> AnyView {
    let Shown { words, total, next, loading, problem, none, asleep, search, more, rows } = shown;
    let Words { id, title, says, search: search_label, none: none_says } = words;
    view! {
        <section class="block" aria-labelledby=id>
            <div class="block-head">
                <h2 id=id tabindex="-1">{title}</h2>
                <span class="count-of" data-testid=format!("{id}-total")>{live(move || total.get())}</span>
                <span class="grow"></span>
                <label class="search">
                    <Glyph icon=Icon::Search/>
                    <input
                        type="search"
                        data-testid=format!("{id}-search")
                        aria-label=search_label
                        placeholder=search_label
                        autocomplete="off"
                        maxlength=MAX_SEARCH_CHARS.to_string()
                        on:input:target=move |event| search.run(event.target().value())
                    />
                </label>
            </div>
            <p class="quiet">{says}</p>
            <Problem problem/>
            <ul class="rows" aria-label=title aria-busy=attr(move || loading.get().to_string())>{rows}</ul>
            <p class="quiet" role="status">{live(move || none.get().then_some(none_says))}</p>
            <div class="list-end" class:hidden=attr(move || next.read().is_none())>
                <button
                    type="button"
                    class="button line"
                    data-testid=format!("{id}-more")
                    disabled=asleep
                    on:click=move |_| more.run(())
                >
                    {live(move || if loading.get() { "Loading more" } else { "More" })}
                </button>
            </div>
        </section>
    }
    .into_any()
}
