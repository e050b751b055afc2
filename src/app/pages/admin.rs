//! `/admin`: people and teams of this server, who is invited, and what is open to whom, for its admins.

pub mod confirmed;
mod identities;
mod invitations;
mod links;
mod listing;
mod people;
mod sessions;
mod sign_in;
mod teams;
mod tokens;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use self::invitations::Invitations;
use self::links::Links;
use self::people::PeopleList;
use self::sessions::Sessions;
use self::sign_in::SignInProvider;
use self::teams::Teams;
use self::tokens::Tokens;
use crate::app::access::People;
use crate::app::clock::Clock;
use crate::app::components::SiteHeader;
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::{address, dom, requests};
use crate::dashboard::{Id, User, UserId};

/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;

/// The state of the page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Admin {
    people: RwSignal<People>,
    /// Whose page it is.
    me: StoredValue<UserId>,
    /// True until the page is awake: a press would be lost, and a form sent by the browser itself.
    asleep: RwSignal<bool>,
    /// The time of day, which moves on now and then; 0 until the page is awake.
    now: Memo<u64>,
    /// The section that shows.
    section: RwSignal<Section>,
}

/// A section of the page: `/admin#sessions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    People,
    Teams,
    Sessions,
    Tokens,
    Links,
}

impl Section {
    const ALL: [Self; 5] = [Self::People, Self::Teams, Self::Sessions, Self::Tokens, Self::Links];

    /// As it stands in the address.
    const fn name(self) -> &'static str {
        match self {
            Self::People => "accounts",
            Self::Teams => "team-list",
            Self::Sessions => "sessions",
            Self::Tokens => "tokens",
            Self::Links => "links",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::People => "People",
            Self::Teams => "Teams",
            Self::Sessions => "Sessions",
            Self::Tokens => "API tokens",
            Self::Links => "Share links",
        }
    }

    /// The one in the fragment of an address; of anything else the first.
    fn of_fragment(fragment: &str) -> Self {
        let name = fragment.trim_start_matches('#');
        Self::ALL.into_iter().find(|section| section.name() == name).unwrap_or(Self::People)
    }
}

/// An operation of an admin under way, and why the last one failed: shown where it was begun.
#[derive(Clone, Copy)]
struct Operation {
    busy: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
}

impl Operation {
    fn new() -> Self {
        Self { busy: RwSignal::new(false), problem: RwSignal::new(None) }
    }
}

impl Admin {
    /// Sends a change and reads everything again. At the end `then` gets the answer, or `None` where it was refused.
    fn change(
        self,
        operation: Operation,
        method: &'static str,
        address: String,
        body: Option<Value>,
        then: impl FnOnce(Option<String>) + 'static,
    ) {
        self.send(operation, method, address, body, Box::new(then));
    }

    fn send(
        self,
        operation: Operation,
        method: &'static str,
        address: String,
        body: Option<Value>,
        then: Box<dyn FnOnce(Option<String>)>,
    ) {
        // Nothing is disabled meanwhile: that would take the keyboard away.
        if operation.busy.get_untracked() {
            return then(None);
        }
        operation.busy.set(true);
        spawn_local(async move {
            let answer = requests::send(method, &address, body.as_ref()).await;
            let fresh = requests::request::<People>("GET", "/api/v1/admin/people", None).await;
            // What it was done on may be gone by then.
            let _ = operation.busy.try_set(false);
            let problem = match (&answer, &fresh) {
                (Err(error), _) => Some(format!("Nothing was changed. {error}")),
                (Ok(_), Err(error)) => Some(format!("It is done, but what you see may be old. {error}")),
                (Ok(_), Ok(_)) => None,
            };
            let _ = operation.problem.try_set(problem);
            if let Ok(fresh) = fresh {
                let _ = self.people.try_set(fresh);
            }
            then(answer.ok());
        });
    }

    /// The name of a team, tracked.
    fn team_name(self, id: &Id) -> String {
        let people = self.people.read();
        let found = people.teams.iter().find(|team| team.id == *id);
        found.map_or_else(|| "a team that is no more".to_owned(), |team| team.name.clone())
    }
}

/// What an answer says of an address that is shown once.
fn address_in(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    Some(answer.get("address")?.as_str()?.to_owned())
}

#[component]
pub fn AdminPage(people: People, user: Option<User>) -> impl IntoView {
    let clock = Clock::here();
    let admin = Admin {
        people: RwSignal::new(people),
        me: StoredValue::new(user.as_ref().map(|user| user.id.clone()).unwrap_or_default()),
        asleep: RwSignal::new(true),
        now: memo(move || clock.now() / AGES * AGES),
        section: RwSignal::new(Section::People),
    };
    let follow_address = move || {
        let fragment = window().location().hash().unwrap_or_default();
        admin.section.set(Section::of_fragment(&fragment));
    };
    effect(move || {
        follow_address();
        admin.asleep.set(false);
    });
    dom::on_window(leptos::ev::hashchange, move |_| follow_address());
    let is_away = move |section: Section| attr(move || admin.section.get() != section);
    let tab = move |section: Section| {
        let is_current = move || if admin.section.get() == section { "page" } else { "false" };
        view! {
            <a
                href=format!("#{}", section.name())
                data-testid=format!("admin-section-{}", section.name())
                aria-current=attr(is_current)
            >
                {section.label()}
            </a>
        }
    };
    view! {
        <SiteHeader user/>
        <main class="sheet admin">
            <div class="sheet-head">
                <h1>"Administration"</h1>
                <span class="grow"></span>
                <a class="button line" href=address::to("/screens")>"Screens"</a>
                <a class="button line" href=address::to("/admin/audit") data-testid="audit-open">"Audit log"</a>
            </div>
            <nav class="sections" aria-label="Sections">{Section::ALL.map(tab).into_iter().collect_view()}</nav>
            <div class:hidden=is_away(Section::People)>
                <Invitations admin/>
                <PeopleList admin/>
                <SignInProvider admin/>
            </div>
            <div class:hidden=is_away(Section::Teams)>
                <Teams admin/>
            </div>
            {live(move || match admin.section.get() {
                Section::People | Section::Teams => ().into_any(),
                Section::Sessions => view! { <Sessions admin/> }.into_any(),
                Section::Tokens => view! { <Tokens admin/> }.into_any(),
                Section::Links => view! { <Links admin/> }.into_any(),
            })}
        </main>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_an_address() {
        for section in Section::ALL {
            assert_eq!(Section::of_fragment(&format!("#{}", section.name())), section);
        }
        assert_eq!(Section::of_fragment("#teams-or-so"), Section::People);
    }

    #[test]
    fn the_address_that_is_shown_once_is_read() {
        let answer = r#"{"id":"a","address":"/invitation/x"}"#;
        assert_eq!(address_in(answer).as_deref(), Some("/invitation/x"));
        assert_eq!(address_in(r#"{"id":"a"}"#), None);
        assert_eq!(address_in(""), None);
    }
}
