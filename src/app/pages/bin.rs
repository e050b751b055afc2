//! `/bin`: the dashboards that were deleted, until they go for good.

use std::collections::BTreeMap;
use std::time::Duration;

use leptos::html::Div;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::dashboards::named;
use crate::app::access::Role;
use crate::app::clock::Clock;
use crate::app::components::{Glyph, Icon, Preview, SiteHeader};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::requests::{self, Fresh};
use crate::app::{BinEntry, BinList, address, dom, format};
use crate::dashboard::{DashboardId, User};

/// How often the bin is asked for again.
const NEWS: Duration = Duration::from_secs(3);
/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;
/// The `id` attribute of the heading.
const HEADING: &str = "bin";

/// Where an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stands {
    #[default]
    InBin,
    /// Somebody is asked whether it is to go for good.
    Asking,
    /// It is on its way.
    Busy,
    /// It was restored here.
    Back,
}

/// The state of the page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Bin {
    entries: RwSignal<Vec<BinEntry>>,
    /// What this page did, or is about to do, to entries.
    stands: RwSignal<BTreeMap<DashboardId, Stands>>,
    next: RwSignal<Option<String>>,
    total: RwSignal<usize>,
    loading: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
    etag: StoredValue<Option<String>>,
    /// Counts what makes an answer that is on its way too old.
    turn: StoredValue<u32>,
}

#[component]
pub fn BinPage(bin: BinList, user: Option<User>) -> impl IntoView {
    let BinList { dashboards, next, total, days } = bin;
    let bin = Bin {
        entries: RwSignal::new(dashboards),
        stands: RwSignal::new(BTreeMap::new()),
        next: RwSignal::new(next),
        total: RwSignal::new(total),
        loading: RwSignal::new(false),
        problem: RwSignal::new(None),
        etag: StoredValue::new(None),
        turn: StoredValue::new(0),
    };
    dom::every(NEWS, move || bin.ask_anew());
    let clock = Clock::here();
    let now = memo(move || clock.now() / AGES * AGES);
    let none = memo(move || bin.entries.read().is_empty());
    let row = move |entry: BinEntry| view! { <Entry entry bin now/> };
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="sheet-head">
                <h1 id=HEADING tabindex="-1">"Bin"</h1>
                <span class="grow"></span>
                <a class="button line" href=address::to("/")>"All dashboards"</a>
            </div>
            <p class="quiet lead">
                {format!(
                    "What is moved here can be restored for {}, with all that was in it, at the address that it had.",
                    format::count(usize::try_from(days).unwrap_or(usize::MAX), "day", "days"),
                )}
            </p>
            <p class="problem" role="alert" class:hidden=attr(move || bin.problem.read().is_none())>
                {live(move || bin.problem.get())}
            </p>
            <div class="bin" class:hidden=none>
                {each(move || bin.entries.get(), |entry| format!("{}:{}", entry.card.id, entry.deleted_at), row)}
            </div>
            <More bin/>
            <div class="empty" class:hidden=attr(move || !none.get())>
                <h2>"The bin is empty"</h2>
                <p>"A dashboard that somebody moves to the bin waits here, in case it was a mistake."</p>
            </div>
        </main>
    }
}

#[component]
fn Entry(entry: BinEntry, bin: Bin, now: Memo<u64>) -> impl IntoView {
    let BinEntry { card, deleted_at, deleted_by, gone_at } = entry;
    let id = StoredValue::new(card.id.clone());
    let title = named(&card.title);
    let stands = memo(move || id.with_value(|id| bin.stands.read().get(id).copied().unwrap_or_default()));
    let set = move |now: Stands| {
        bin.stands.update(|all| {
            all.insert(id.get_value(), now);
        });
    };
    let by = deleted_by.map_or_else(|| "Somebody".to_owned(), |user| user.name);
    let when = move || match now.get() {
        0 => format!("{by} moved it here"),
        now => format!("{by} moved it here {}", format::ago(deleted_at, now)),
    };
    let left = move || match now.get() {
        0 => String::new(),
        now => format!(" · gone for good {}", format::in_time(gone_at, now)),
    };
    let restore = move |_| {
        set(Stands::Busy);
        spawn_local(async move {
            let id = id.get_value();
            match requests::send("POST", &format!("/api/v1/bin/{id}/restore"), None).await {
                Ok(_) => {
                    bin.turned();
                    bin.total.update(|total| *total = total.saturating_sub(1));
                    bin.problem.set(None);
                    set(Stands::Back);
                    dom::focus_soon(&element_id(&id));
                }
                Err(error) => {
                    set(Stands::InBin);
                    bin.problem.set(Some(format!("It was not restored. {error}")));
                }
            }
        });
    };
    let purge = move |_| {
        set(Stands::Busy);
        spawn_local(async move {
            let id = id.get_value();
            match requests::send("DELETE", &format!("/api/v1/bin/{id}"), None).await {
                Ok(_) => {
                    bin.problem.set(None);
                    bin.take_out(&id);
                }
                Err(error) => {
                    set(Stands::InBin);
                    bin.problem.set(Some(format!("It is still here. {error}")));
                }
            }
        });
    };
    let (sure, unsure) =
        (format!("{}-sure", element_id(&card.id)), format!("{}-purge", element_id(&card.id)));
    let ask = {
        let sure = sure.clone();
        move |_| {
            set(Stands::Asking);
            dom::focus_soon(&sure);
        }
    };
    let keep = {
        let unsure = unsure.clone();
        move |_| {
            set(Stands::InBin);
            dom::focus_soon(&unsure);
        }
    };
    let address = address::to(&format!("/d/{}", card.id));
    // Who does not own it sees that it is here, and what becomes of it.
    let owned = card.role == Role::Owner;
    let is = move |wanted: &'static [Stands]| attr(move || !wanted.contains(&stands.get()));
    let may = move |wanted: &'static [Stands]| attr(move || !owned || !wanted.contains(&stands.get()));
    let busy = attr(move || stands.get() == Stands::Busy);
    view! {
        <article
            class="bin-entry"
            class:back=attr(move || stands.get() == Stands::Back)
            data-testid="bin-entry"
            data-dashboard=card.id.to_string()
        >
            <Preview outline=card.outline.unwrap_or_default()/>
            <div class="bin-words">
                <h2>{title.clone()}</h2>
                <p class="quiet" class:hidden=attr(move || stands.get() == Stands::Back)>
                    {format::count(card.widgets, "widget", "widgets")} " · " {live(when)} {live(left)}
                </p>
                <p class="quiet" role="status">
                    {live(move || (stands.get() == Stands::Back).then_some("It is back, as it was."))}
                </p>
            </div>
            <div class="bin-does">
                <span class="quiet" class:hidden=owned>"An owner can restore it."</span>
                <a
                    class="button primary"
                    id=element_id(&card.id)
                    href=address
                    data-testid="bin-open"
                    class:hidden=is(&[Stands::Back])
                >
                    "Open"
                </a>
                <button
                    type="button"
                    class="button line"
                    data-testid="bin-restore"
                    aria-label=format!("Restore: {title}")
                    class:hidden=may(&[Stands::InBin, Stands::Busy])
                    disabled=busy.clone()
                    on:click=restore
                >
                    <Glyph icon=Icon::Undo/>
                    "Restore"
                </button>
                <button
                    type="button"
                    class="button danger"
                    id=unsure
                    data-testid="bin-purge"
                    aria-label=format!("Delete for good: {title}")
                    class:hidden=may(&[Stands::InBin, Stands::Busy])
                    disabled=busy
                    on:click=ask
                >
                    "Delete for good"
                </button>
                <span class="bin-sure" role="group" aria-label="Delete for good?" class:hidden=is(&[Stands::Asking])>
                    <span class="quiet">"Nobody can bring it back then."</span>
                    <button type="button" class="button danger line" data-testid="bin-purge-sure" on:click=purge>
                        "Delete for good"
                    </button>
                    <button type="button" class="button line" id=sure on:click=keep>"Keep it"</button>
                </span>
            </div>
        </article>
    }
}

/// Loads what follows: by itself as the end comes near, and with a button for the keyboard.
#[component]
fn More(bin: Bin) -> impl IntoView {
    let end = NodeRef::<Div>::new();
    let near = RwSignal::new(false);
    dom::watch_screen(end, near);
    effect(move || {
        if near.get() && !bin.loading.get() && bin.problem.read().is_none() && bin.next.read().is_some() {
            bin.load_more();
        }
    });
    view! {
        <div class="list-end" node_ref=end class:hidden=attr(move || bin.next.read().is_none())>
            <button
                type="button"
                class="button line"
                data-testid="list-more"
                aria-busy=attr(move || bin.loading.get().to_string())
                on:click=move |_| bin.load_more()
            >
                {live(move || if bin.loading.get() { "Loading more" } else { "More" })}
            </button>
        </div>
    }
}

impl Bin {
    fn turned(self) {
        self.turn.update_value(|turn| *turn = turn.wrapping_add(1));
    }

    fn take_out(self, id: &DashboardId) {
        self.turned();
        self.entries.update(|all| all.retain(|entry| entry.card.id != *id));
        self.total.update(|total| *total = total.saturating_sub(1));
        dom::focus_soon(HEADING);
    }

    fn load_more(self) {
        let Some(after) = self.next.get_untracked().filter(|_| !self.loading.get_untracked()) else { return };
        self.loading.set(true);
        spawn_local(async move {
            match requests::request::<BinList>("GET", &address(Some(&after)), None).await {
                Ok(more) => {
                    self.problem.set(None);
                    self.next.set(more.next);
                    self.entries.update(|all| {
                        let known: Vec<DashboardId> = all.iter().map(|entry| entry.card.id.clone()).collect();
                        all.extend(
                            more.dashboards.into_iter().filter(|entry| !known.contains(&entry.card.id)),
                        );
                    });
                }
                Err(error) => self.problem.set(Some(format!("The rest of the bin is not here. {error}"))),
            }
            // Not before it is known where the end of the bin is now.
            dom::soon(move || dom::soon(move || self.loading.set(false)));
        });
    }

    /// Asks for the bin's begin again. A failed try shows nothing: the next one is seconds away.
    fn ask_anew(self) {
        let (turn, etag) = (self.turn.get_value(), self.etag.get_value());
        let waits = self.loading.get_untracked()
            || self
                .stands
                .with_untracked(|all| all.values().any(|one| matches!(one, Stands::Busy | Stands::Asking)));
        if waits {
            return;
        }
        spawn_local(async move {
            let Ok(Some(Fresh { value, etag })) =
                requests::read_if_changed(&address(None), etag.as_deref()).await
            else {
                return;
            };
            if self.turn.get_value() == turn {
                self.etag.set_value(etag);
                self.take(value);
            }
        });
    }

    /// Shows what the bin's begin is now. What was restored here stays in view, with the way to it.
    fn take(self, BinList { dashboards, next, total, .. }: BinList) {
        let begin: Vec<DashboardId> = dashboards.iter().map(|entry| entry.card.id.clone()).collect();
        let stands = self.stands.get_untracked();
        let is_back = |id: &DashboardId| stands.get(id) == Some(&Stands::Back);
        let order = self.entries.with_untracked(|all| merged(all, dashboards, next.is_none(), is_back));
        if self.entries.with_untracked(|all| *all != order) {
            self.entries.set(order);
        }
        // What was moved here again is in the bin.
        self.stands.update(|all| all.retain(|id, _| !begin.contains(id)));
        self.total.set(total);
        if self.next.with_untracked(Option::is_none) || next.is_none() {
            self.next.set(next);
        }
    }
}

/// The entries that show, once the bin's begin is another one: new ones stand first; what is missing in it
/// although others that came before it are there has gone.
fn merged(
    shown: &[BinEntry],
    begin: Vec<BinEntry>,
    is_all: bool,
    is_back: impl Fn(&DashboardId) -> bool,
) -> Vec<BinEntry> {
    let oldest = begin.last().map_or(u64::MAX, |entry| entry.deleted_at);
    let is_in = |id: &DashboardId| begin.iter().any(|entry| entry.card.id == *id);
    let stays = |entry: &&BinEntry| {
        !is_in(&entry.card.id) && (is_back(&entry.card.id) || !is_all && entry.deleted_at < oldest)
    };
    let left: Vec<BinEntry> = shown.iter().filter(stays).cloned().collect();
    let mut all = begin;
    for entry in left {
        let at = all.iter().position(|one| one.deleted_at < entry.deleted_at).unwrap_or(all.len());
        all.insert(at, entry);
    }
    all
}

/// The `id` attribute of what leads to a dashboard that is back.
fn element_id(id: &DashboardId) -> String {
    format!("bin-{id}")
}

fn address(after: Option<&str>) -> String {
    match after {
        Some(after) => format!("/api/v1/bin?after={}", requests::in_address(after)),
        None => "/api/v1/bin".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::DashboardCard;

    fn entry(name: &str, deleted_at: u64) -> BinEntry {
        let card = DashboardCard {
            id: DashboardId::new(name).expect("a letter is an id"),
            title: name.to_owned(),
            widgets: 0,
            changed_at: 0,
            changed_by: None,
            here: Vec::new(),
            tags: Vec::new(),
            outline: None,
            favourite: false,
            role: Role::Owner,
        };
        BinEntry { card, deleted_at, deleted_by: None, gone_at: deleted_at + 1 }
    }

    #[test]
    fn the_bin_takes_news_and_keeps_what_was_restored_here() {
        let shown = [entry("e", 50), entry("d", 40), entry("c", 30), entry("b", 20)];
        let names = |all: Vec<BinEntry>| all.into_iter().map(|entry| entry.card.title).collect::<String>();
        let is_d = |id: &DashboardId| id.as_str() == "d";
        let merge = |begin: Vec<BinEntry>, is_all| names(merged(&shown, begin, is_all, is_d));
        assert_eq!(merge(vec![entry("f", 60), entry("e", 50)], false), "fedcb");
        assert_eq!(merge(vec![entry("e", 50), entry("c", 30)], false), "edcb");
        assert_eq!(merge(vec![entry("c", 30)], true), "dc");
        assert_eq!(merge(Vec::new(), true), "d");
        assert_eq!(names(merged(&shown, vec![entry("c", 30)], false, |_| false)), "cb");
    }
}
