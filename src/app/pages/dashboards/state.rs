//! The list of dashboards as its page has it: what is asked for, the windows that came, and news of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::windows::{Held, Window};
use crate::app::requests::{self, Fresh, RequestError};
use crate::app::{DashboardCard, DashboardList, ListFilter, ListOrder, TagCount, dom};
use crate::dashboard::DashboardId;
use crate::dashboard::order::sorted;

/// How often what is on the screen is asked for again.
const NEWS: Duration = Duration::from_secs(3);
/// Typing is searched for once it has rested this long.
const TYPING: Duration = Duration::from_millis(150);
/// A pointer that has rested this long aims at nothing.
const REST_MS: u64 = 3_000;
/// Who has scrolled further than this reads what is there.
const AT_TOP_PX: f64 = 240.0;

/// What is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Loading {
    #[default]
    Idle,
    /// All of the list, for another filter.
    All,
    More,
    /// Why what follows could not be had.
    Failed(String),
}

/// The state of the list. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct ListState {
    /// What is asked for.
    pub filter: RwSignal<ListFilter>,
    /// What the dashboards that show were asked for with.
    pub shown: RwSignal<ListFilter>,
    /// The dashboards that show.
    pub order: RwSignal<Vec<DashboardId>>,
    pub next: RwSignal<Option<String>>,
    pub total: RwSignal<usize>,
    pub tags: RwSignal<Vec<TagCount>>,
    pub loading: RwSignal<Loading>,
    /// Changes of the order that wait for a press.
    pub news: RwSignal<usize>,
    /// Why the last thing that was asked for did not happen.
    pub problem: RwSignal<Option<String>>,
    /// True while the list is what this device keeps, because the server could not be had.
    pub kept: RwSignal<bool>,
    cards: StoredValue<BTreeMap<DashboardId, RwSignal<DashboardCard>>>,
    device: StoredValue<Vec<DashboardCard>>,
    windows: StoredValue<Vec<Window>>,
    held: StoredValue<Held>,
    /// Counts what people ask for: only the last counts.
    asked: StoredValue<u32>,
    /// Counts what makes an answer that is on its way too old.
    turn: StoredValue<u32>,
    asking: StoredValue<bool>,
    /// When the pointer moved over the list last, Unix milliseconds.
    pointed_at: StoredValue<u64>,
    /// What this page moves to the bin right now.
    leaving: StoredValue<BTreeSet<DashboardId>>,
    owner: StoredValue<Owner>,
}

impl ListState {
    /// `kept` says that the list is all that this device keeps.
    pub fn new(list: DashboardList, filter: ListFilter, kept: bool) -> Self {
        let device = if kept { list.dashboards.clone() } else { Vec::new() };
        let state = Self {
            filter: RwSignal::new(filter.clone()),
            shown: RwSignal::new(filter),
            order: RwSignal::new(Vec::new()),
            next: RwSignal::new(None),
            total: RwSignal::new(0),
            tags: RwSignal::new(Vec::new()),
            loading: RwSignal::new(Loading::Idle),
            news: RwSignal::new(0),
            problem: RwSignal::new(None),
            kept: RwSignal::new(kept),
            cards: StoredValue::new(BTreeMap::new()),
            device: StoredValue::new(device),
            windows: StoredValue::new(Vec::new()),
            held: StoredValue::new(Held::default()),
            asked: StoredValue::new(0),
            turn: StoredValue::new(0),
            asking: StoredValue::new(false),
            pointed_at: StoredValue::new(0),
            leaving: StoredValue::new(BTreeSet::new()),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
        };
        match kept {
            true => state.show_kept(),
            false => state.replace(Fresh { value: list, etag: None }, state.filter.get_untracked()),
        }
        dom::every(NEWS, move || state.ask_anew());
        state
    }

    /// The card of a dashboard that shows.
    pub fn card(self, id: &DashboardId) -> Option<RwSignal<DashboardCard>> {
        self.cards.with_value(|cards| cards.get(id).copied())
    }

    /// True where the filter leaves nothing out, tracked.
    pub fn is_unfiltered(self) -> bool {
        let ListFilter { search, tag, favourites, .. } = &*self.shown.read();
        search.trim().is_empty() && tag.is_empty() && !favourites
    }

    /// Asks for something else, once it has rested where it is typed.
    pub fn ask_for(self, change: impl FnOnce(&mut ListFilter), typed: bool) {
        self.filter.update(change);
        let asked = next(self.asked);
        let load = move || {
            if self.asked.get_value() == asked {
                dom::replace_address(&address("/", &self.filter.read_untracked(), None));
                self.load();
            }
        };
        if typed { set_timeout(load, TYPING) } else { load() }
    }

    /// Loads the list from its begin.
    pub fn load(self) {
        if self.kept.get_untracked() {
            self.show_kept();
        }
        let (asked, turn) = (next(self.asked), next(self.turn));
        let filter = self.filter.get_untracked();
        self.loading.set(Loading::All);
        spawn_local(async move {
            let answer = read(&filter, None, None).await;
            if self.asked.get_value() != asked {
                return;
            }
            if self.turn.get_value() != turn {
                return self.load();
            }
            self.loading.set(Loading::Idle);
            match answer {
                Ok(Some(fresh)) => {
                    self.problem.set(None);
                    self.replace(fresh, filter);
                }
                Ok(None) => {}
                // What is kept was searched here.
                Err(_) if self.kept.get_untracked() => {}
                Err(error) => self.problem.set(Some(format!("The list is as it was. {error}"))),
            }
        });
    }

    /// Loads what follows, and then does something with the first of it.
    pub fn load_more(self, then: impl FnOnce(&DashboardId) + 'static) {
        let busy = matches!(*self.loading.read_untracked(), Loading::All | Loading::More);
        let Some(after) = self.next.get_untracked().filter(|_| !busy) else { return };
        self.loading.set(Loading::More);
        let turn = self.turn.get_value();
        let filter = self.shown.get_untracked();
        spawn_local(async move {
            let answer = read(&filter, Some(&after), None).await;
            if self.turn.get_value() != turn {
                // Another list has come, or is on its way; the place in this one is asked for again.
                self.has_more();
                return;
            }
            match answer {
                Ok(Some(Fresh { value, etag })) => {
                    let ids = self.take_cards(&value.dashboards);
                    self.windows.update_value(|all| {
                        all.push(Window { after: Some(after), etag, ids: ids.clone() });
                    });
                    let shown: BTreeSet<DashboardId> =
                        self.order.with_untracked(|order| order.iter().cloned().collect());
                    let new: Vec<DashboardId> = ids.into_iter().filter(|id| !shown.contains(id)).collect();
                    let first = new.first().cloned();
                    self.order.update(|order| order.extend(new));
                    self.next.set(value.next);
                    self.total.set(value.total);
                    if let Some(first) = first {
                        then(&first);
                    }
                    // Not before it is known where the end of the list is now.
                    dom::soon(move || dom::soon(move || self.has_more()));
                }
                Ok(None) => self.has_more(),
                Err(error) => self.loading.set(Loading::Failed(error.to_string())),
            }
        });
    }

    /// Says that what follows has come, or will have to be asked for again.
    fn has_more(self) {
        if *self.loading.read_untracked() == Loading::More {
            self.loading.set(Loading::Idle);
        }
    }

    /// Notes that the pointer moves over the list.
    pub fn pointed(self) {
        self.pointed_at.set_value(dom::now_ms());
    }

    /// Shows the changes that waited.
    pub fn show_news(self) {
        let held = self.held.try_update_value(std::mem::take).unwrap_or_default();
        let order = self.order.with_untracked(|order| held.order(order));
        self.set_order(order);
        self.news.set(0);
    }

    /// Takes a dashboard out of the list while it is on its way to the bin; the place where it stood.
    pub fn take_out(self, id: &DashboardId) -> Option<usize> {
        self.turned();
        let at = self.order.with_untracked(|order| order.iter().position(|one| one == id))?;
        self.leaving.update_value(|leaving| {
            leaving.insert(id.clone());
        });
        self.order.update(|order| {
            order.remove(at);
        });
        self.total.update(|total| *total = total.saturating_sub(1));
        Some(at)
    }

    /// Says that what was under way with a dashboard is done: what comes from now on knows of it.
    pub fn is_out(self, id: &DashboardId) {
        self.turned();
        self.leaving.update_value(|leaving| {
            leaving.remove(id);
        });
    }

    /// Puts a dashboard back where it stood.
    pub fn put_back(self, id: &DashboardId, at: usize) {
        self.is_out(id);
        self.order.update(|order| {
            if !order.contains(id) {
                order.insert(at.min(order.len()), id.clone());
            }
        });
        self.total.update(|total| *total += 1);
    }

    /// Says that answers on their way are older than what is here now.
    pub fn turned(self) {
        next(self.turn);
    }

    /// Asks again for what is on the screen. A failed try shows nothing: the next one is seconds away.
    fn ask_anew(self) {
        let busy = matches!(*self.loading.read_untracked(), Loading::All | Loading::More);
        if busy || self.asking.get_value() {
            return;
        }
        self.asking.set_value(true);
        let turn = self.turn.get_value();
        let filter = if self.kept.get_untracked() { self.filter } else { self.shown }.get_untracked();
        let windows = self.on_screen();
        spawn_local(async move {
            let mut answers = Vec::new();
            for (nth, after, etag) in windows {
                match read(&filter, after.as_deref(), etag.as_deref()).await {
                    Ok(Some(fresh)) => answers.push((nth, fresh)),
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
            self.asking.set_value(false);
            if self.turn.get_value() == turn {
                self.take_news(answers, filter);
            }
        });
    }

    fn take_news(self, mut answers: Vec<(usize, Fresh<DashboardList>)>, filter: ListFilter) {
        if self.kept.get_untracked() {
            if let Some((_, fresh)) = answers.drain(..).next() {
                self.replace(fresh, filter);
            }
            return;
        }
        for (nth, Fresh { value, etag }) in answers {
            let ids = self.take_cards(&value.dashboards);
            let more = value.next.is_some();
            let last = self.windows.with_value(|all| all.len() == nth + 1);
            self.windows.update_value(|all| {
                let Some(window) = all.get_mut(nth) else { return };
                self.order.with_untracked(|order| {
                    self.held.update_value(|held| held.take(nth, window, &ids, order, more));
                });
                window.ids = ids;
                window.etag = etag;
            });
            set_if_new(self.total, value.total);
            set_if_new(self.tags, value.tags);
            if last {
                set_if_new(self.next, value.next);
            }
        }
        if self.is_at_rest() {
            return self.show_news();
        }
        let order = self.order.get_untracked();
        let count =
            self.held.with_value(|held| Held::count(&order, &self.without_leaving(held.order(&order))));
        set_if_new(self.news, count);
    }

    /// True where nobody aims at anything in the list, has the keyboard in it, or reads further down.
    fn is_at_rest(self) -> bool {
        let aims = dom::now_ms().saturating_sub(self.pointed_at.get_value()) < REST_MS;
        !aims && dom::scrolled() < AT_TOP_PX && !dom::is_keyed_within(".cards")
    }

    /// The windows that are on the screen, and the first, in which what changed comes up.
    fn on_screen(self) -> Vec<(usize, Option<String>, Option<String>)> {
        let shows = |window: &Window| {
            let [Some(first), Some(last)] = [window.ids.first(), window.ids.last()] else { return false };
            dom::is_on_screen(&element_id(first), &element_id(last))
        };
        self.windows.with_value(|all| {
            if all.is_empty() {
                // Of what this device keeps there is none: the first is asked for.
                return vec![(0, None, None)];
            }
            let there = all.iter().enumerate().filter(|(nth, window)| *nth == 0 || shows(window));
            there.map(|(nth, window)| (nth, window.after.clone(), window.etag.clone())).collect()
        })
    }

    /// Shows another list.
    fn replace(self, Fresh { value, etag }: Fresh<DashboardList>, filter: ListFilter) {
        let ids = self.take_cards(&value.dashboards);
        self.windows.set_value(vec![Window { after: None, etag, ids: ids.clone() }]);
        self.held.set_value(Held::default());
        self.set_order(ids);
        set_if_new(self.news, 0);
        set_if_new(self.next, value.next);
        set_if_new(self.total, value.total);
        set_if_new(self.tags, value.tags);
        set_if_new(self.kept, false);
        set_if_new(self.shown, filter);
    }

    /// Shows what this device keeps and fits the filter: of a copy only the title is known.
    fn show_kept(self) {
        let filter = self.filter.get_untracked();
        let list = kept_list(self.device.get_value(), &filter);
        let ids = self.take_cards(&list.dashboards);
        self.set_order(ids);
        self.total.set(list.total);
        set_if_new(self.shown, filter);
    }

    fn set_order(self, order: Vec<DashboardId>) {
        let order = self.without_leaving(order);
        if self.order.with_untracked(|old| *old != order) {
            self.order.set(order);
        }
    }

    fn without_leaving(self, mut order: Vec<DashboardId>) -> Vec<DashboardId> {
        self.leaving.with_value(|leaving| order.retain(|id| !leaving.contains(id)));
        order
    }

    /// Brings the cards to what came, and says of which dashboards it is. There are never more of them than
    /// dashboards on the server.
    fn take_cards(self, came: &[DashboardCard]) -> Vec<DashboardId> {
        for card in came {
            match self.card(&card.id) {
                Some(known) => set_if_new(known, card.clone()),
                None => {
                    let signal = self.owner.with_value(|owner| owner.with(|| RwSignal::new(card.clone())));
                    self.cards.update_value(|cards| {
                        cards.insert(card.id.clone(), signal);
                    });
                }
            }
        }
        came.iter().map(|card| card.id.clone()).collect()
    }
}

/// The `id` attribute of a card's link.
pub fn element_id(id: &DashboardId) -> String {
    format!("card-{id}")
}

fn next(count: StoredValue<u32>) -> u32 {
    count.update_value(|count| *count = count.wrapping_add(1));
    count.get_value()
}

fn set_if_new<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

async fn read(
    filter: &ListFilter,
    after: Option<&str>,
    etag: Option<&str>,
) -> Result<Option<Fresh<DashboardList>>, RequestError> {
    requests::read_if_changed(&address("/api/v1/dashboards/list", filter, after), etag).await
}

/// An address with what it asks for as its query.
fn address(path: &str, filter: &ListFilter, after: Option<&str>) -> String {
    let order = if filter.order == ListOrder::Title { "title" } else { "" };
    let parts = [
        ("search", filter.search.trim()),
        ("order", order),
        ("tag", &filter.tag),
        ("favourites", if filter.favourites { "true" } else { "" }),
        ("after", after.unwrap_or_default()),
    ];
    let parts = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> =
        parts.map(|(name, value)| format!("{name}={}", requests::in_address(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// What the query of this page's address asks for, where no server has read it. Of dashboards that this
/// device keeps nobody knows the tags and who likes them.
pub fn asked_of_device() -> ListFilter {
    let mut filter = ListFilter::default();
    for (name, value) in requests::query() {
        match (&*name, &*value) {
            ("search", _) => filter.search = value,
            ("order", "title") => filter.order = ListOrder::Title,
            _ => {}
        }
    }
    filter
}

fn kept_list(all: Vec<DashboardCard>, filter: &ListFilter) -> DashboardList {
    let wanted = filter.search.trim().to_lowercase();
    let fits = |card: &DashboardCard| card.title.to_lowercase().contains(&wanted);
    let dashboards: Vec<DashboardCard> = all.into_iter().filter(fits).collect();
    let dashboards = match filter.order {
        ListOrder::Changed => dashboards,
        ListOrder::Title => sorted(dashboards, |a, b| a.title.to_lowercase().cmp(&b.title.to_lowercase())),
    };
    DashboardList { total: dashboards.len(), dashboards, ..DashboardList::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::access::Role;

    #[test]
    fn what_is_kept_here_is_searched_and_sorted_here() {
        let card = |title: &str| DashboardCard {
            id: DashboardId::new(title.replace(' ', "")).expect("an id"),
            title: title.to_owned(),
            widgets: 0,
            changed_at: 0,
            changed_by: None,
            here: Vec::new(),
            tags: Vec::new(),
            outline: None,
            favourite: false,
            role: Role::Owner,
        };
        let all = vec![card("Orders"), card("backorders"), card("Checkout")];
        let titles = |search: &str, order| {
            let filter = ListFilter { search: search.to_owned(), order, ..ListFilter::default() };
            let list = kept_list(all.clone(), &filter);
            assert_eq!(list.total, list.dashboards.len());
            list.dashboards.into_iter().map(|card| card.title).collect::<Vec<_>>()
        };
        assert_eq!(titles(" ORD ", ListOrder::Changed), ["Orders", "backorders"]);
        assert_eq!(titles("ord", ListOrder::Title), ["backorders", "Orders"]);
        assert_eq!(titles("", ListOrder::Changed).len(), 3);
    }
}
