//! `/admin/audit` and `/d/{id}/audit`: what was done to accounts, teams and whole dashboards, for admins, and to one
//! dashboard, for its owners.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::audit::{Action, AuditEntry, AuditFilter, AuditPage, words};
use crate::app::components::{Problem, SiteHeader};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::requests;
use crate::app::time::words::{for_input, from_input};
use crate::app::time::zone::{self, Moments};
use crate::app::{AuditedDashboard, address};
use crate::dashboard::User;
use crate::dashboard::settings::TimeZone;

/// Characters of a name that is looked for.
const MAX_WHO_CHARS: usize = 254;

/// The state of the page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Log {
    /// Where its parts are read; with `.ndjson` behind it all of it is streamed.
    address: StoredValue<String>,
    /// True where it is that of one dashboard.
    of_dashboard: bool,
    entries: RwSignal<Vec<AuditEntry>>,
    next: RwSignal<Option<u64>>,
    /// Those that show.
    filter: RwSignal<AuditFilter>,
    loading: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
    /// Counts what makes an answer that is on its way too old.
    turn: StoredValue<u32>,
    /// True until the page is awake: a form would be sent by the browser itself until then.
    asleep: RwSignal<bool>,
}

impl Log {
    /// Reads what a filter lets through, behind an entry or from the newest on.
    fn load(self, filter: AuditFilter, after: Option<u64>) {
        let turn = self.turn.get_value().wrapping_add(1);
        self.turn.set_value(turn);
        self.loading.set(true);
        let address = self.address.with_value(|log| filter.address(log, after));
        spawn_local(async move {
            let answer = requests::request::<AuditPage>("GET", &address, None).await;
            // The page may be gone by then, or ask for something else.
            if self.turn.try_get_value() != Some(turn) {
                return;
            }
            self.loading.set(false);
            self.problem.set(answer.as_ref().err().map(|error| format!("The log was not read. {error}")));
            let Ok(AuditPage { entries, next }) = answer else { return };
            self.next.set(next);
            self.filter.set(filter);
            match after {
                Some(_) => self.entries.update(|all| all.extend(entries)),
                None => self.entries.set(entries),
            }
        });
    }
}

#[component]
pub fn AuditLog(
    log: AuditPage,
    filter: AuditFilter,
    /// The one whose log it is; `None` for that of the server.
    dashboard: Option<AuditedDashboard>,
    user: Option<User>,
) -> impl IntoView {
    let address = match &dashboard {
        Some(AuditedDashboard { id, .. }) => format!("/api/v1/dashboards/{id}/audit"),
        None => "/api/v1/audit".to_owned(),
    };
    let log = Log {
        address: StoredValue::new(address),
        of_dashboard: dashboard.is_some(),
        entries: RwSignal::new(log.entries),
        next: RwSignal::new(log.next),
        filter: RwSignal::new(filter),
        loading: RwSignal::new(false),
        problem: RwSignal::new(None),
        turn: StoredValue::new(0),
        asleep: RwSignal::new(true),
    };
    effect(move || {
        // Until here moments read as the server wrote them.
        zone::follow(&TimeZone::Browser);
        log.asleep.set(false);
    });
    let none = memo(move || log.entries.read().is_empty());
    let more = move |_| {
        if let Some(after) = log.next.get_untracked().filter(|_| !log.loading.get_untracked()) {
            log.load(log.filter.get_untracked(), Some(after));
        }
    };
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <div class="sheet-head">
                {head(dashboard)}
            </div>
            <section class="block" aria-label="Entries">
                <Filters log/>
                <Problem problem=log.problem/>
                <table class="audit" class:hidden=none>
                    <thead>
                        <tr>
                            <th scope="col">{live(|| format!("Time ({})", zone::name()))}</th>
                            <th scope="col">"Who"</th>
                            <th scope="col">"What"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {each(move || log.entries.get(), |entry| entry.n, |entry| view! { <Row entry/> })}
                    </tbody>
                </table>
                <p class="quiet" role="status">
                    {live(move || none.get().then_some("There is nothing like that in the log."))}
                </p>
                <div class="list-end" class:hidden=attr(move || log.next.read().is_none())>
                    <button
                        type="button"
                        class="button line"
                        data-testid="audit-more"
                        aria-busy=attr(move || log.loading.get().to_string())
                        disabled=log.asleep
                        on:click=more
                    >
                        {live(move || if log.loading.get() { "Loading more" } else { "More" })}
                    </button>
                </div>
            </section>
        </main>
    }
}

/// What it is the log of, and the way back there.
fn head(dashboard: Option<AuditedDashboard>) -> AnyView {
    let (of, to, label) = match dashboard {
        Some(AuditedDashboard { id, title }) => (format!(" of “{title}”"), format!("/d/{id}"), "Dashboard"),
        None => (String::new(), "/admin".to_owned(), "Administration"),
    };
    view! {
        <h1>{format!("Audit log{of}")}</h1>
        <span class="grow"></span>
        <a class="button line" href=address::to(&to) data-testid="audit-back">{label}</a>
    }
    .into_any()
}

#[component]
fn Row(entry: AuditEntry) -> impl IntoView {
    let at = entry.at;
    let says = words(&entry);
    let AuditEntry { who, address, what, .. } = entry;
    view! {
        <tr data-testid="audit-entry" data-what=what.name()>
            <td class="audit-time">{live(move || moment(at))}</td>
            <td>
                <b>{who.words().to_owned()}</b>
                <small>{address}</small>
            </td>
            <td>{says}</td>
        </tr>
    }
}

/// A moment to the second: `2026-11-22 10:02:33`.
fn moment(at: u64) -> String {
    for_input(at).replace('T', " ")
}

/// The form that says which entries show.
#[component]
fn Filters(log: Log) -> impl IntoView {
    let first = log.filter.get_untracked();
    let who = RwSignal::new(first.who);
    let what = RwSignal::new(first.what.map_or("", Action::name).to_owned());
    let dashboard = first.dashboard;
    let field = |at: Option<u64>| at.map(for_input).unwrap_or_default();
    let (from, to) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    effect(move || {
        // By the clock of whoever looks, which is known by now.
        from.set(field(first.from));
        to.set(field(first.to));
    });
    let show = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (Some(from), Some(to)) = (read(&from.read_untracked()), read(&to.read_untracked())) else {
            return log.problem.set(Some("Give a day and a time that exist, or none.".to_owned()));
        };
        let filter = AuditFilter {
            who: who.read_untracked().trim().to_owned(),
            what: Action::of_name(&what.read_untracked()),
            dashboard: dashboard.clone(),
            from,
            to,
        };
        log.load(filter, None);
    };
    let is_offered = move |action: &&Action| !log.of_dashboard || action.is_about_dashboard();
    let option = move |action: &Action| {
        let is_now = what.with_untracked(|now| now == action.name());
        view! { <option value=action.name() selected=is_now>{action.label()}</option> }
    };
    let moment_field = move |label: &'static str, testid: &'static str, text: RwSignal<String>| {
        view! {
            <label class="field">
                <span class="label">{label}</span>
                <input
                    type="datetime-local"
                    step="1"
                    data-testid=testid
                    prop:value=attr(move || text.get())
                    on:input:target=move |event| text.set(event.target().value())
                />
            </label>
        }
    };
    view! {
        <form class="line-form" on:submit=show>
            <label class="field">
                <span class="label">"Who"</span>
                <input
                    type="search"
                    data-testid="audit-who"
                    placeholder="anybody"
                    autocomplete="off"
                    maxlength=MAX_WHO_CHARS.to_string()
                    value=who.get_untracked()
                    prop:value=attr(move || who.get())
                    on:input:target=move |event| who.set(event.target().value())
                />
            </label>
            <label class="field">
                <span class="label">"What"</span>
                <select
                    data-testid="audit-what"
                    prop:value=attr(move || what.get())
                    on:change:target=move |event| what.set(event.target().value())
                >
                    <option value="">"Everything"</option>
                    {Action::ALL.iter().filter(is_offered).map(option).collect_view()}
                </select>
            </label>
            {moment_field("From", "audit-from", from)}
            {moment_field("Before", "audit-to", to)}
            <button type="submit" class="button primary" data-testid="audit-show" disabled=log.asleep>
                "Show"
            </button>
            <a
                class="button line"
                data-testid="audit-ndjson"
                download="audit.ndjson"
                href=attr(move || {
                    log.address.with_value(|log_at| log.filter.read().address(&address::to(&format!("{log_at}.ndjson")), None))
                })
                title="All entries that these filters let through, as NDJSON: one JSON object a line"
            >
                "Download"
            </a>
        </form>
    }
}

/// The moment in a field, or that there is none; `None` where it does not read. Of a time that comes twice it is the
/// first.
fn read(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    match from_input(text)? {
        Moments::One(at) | Moments::Two(at, _) => Some(Some(at)),
        Moments::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_or_left_out() {
        assert_eq!(read(""), Some(None));
        assert_eq!(read("2026-11-22T10:02:33"), Some(Some(1_795_341_753_000)));
        assert_eq!(read("soon"), None);
        assert_eq!(moment(1_795_341_753_000), "2026-11-22 10:02:33");
    }
}
