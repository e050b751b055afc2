//! `/admin`: the people and teams of this server, and who is invited, for its admins.

mod confirmed;
mod invitations;
mod people;
mod sign_in;
mod teams;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use self::invitations::Invitations;
use self::people::PeopleList;
use self::sign_in::SignInProvider;
use self::teams::Teams;
use crate::app::access::People;
use crate::app::clock::Clock;
use crate::app::components::SiteHeader;
use crate::app::dynamic::{effect, memo};
use crate::app::requests;
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
}

/// How one thing goes that is done here: shown where it was done.
#[derive(Clone, Copy)]
struct Deed {
    busy: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
}

impl Deed {
    fn new() -> Self {
        Self { busy: RwSignal::new(false), problem: RwSignal::new(None) }
    }
}

impl Admin {
    /// Sends a change and reads everything again. At the end `then` gets the answer, or `None` where it was refused.
    fn change(
        self,
        deed: Deed,
        method: &'static str,
        address: String,
        body: Option<Value>,
        then: impl FnOnce(Option<String>) + 'static,
    ) {
        self.send(deed, method, address, body, Box::new(then));
    }

    fn send(
        self,
        deed: Deed,
        method: &'static str,
        address: String,
        body: Option<Value>,
        then: Box<dyn FnOnce(Option<String>)>,
    ) {
        // Nothing is disabled meanwhile: that would take the keyboard away.
        if deed.busy.get_untracked() {
            return then(None);
        }
        deed.busy.set(true);
        spawn_local(async move {
            let answer = requests::send(method, &address, body.as_ref()).await;
            let fresh = requests::request::<People>("GET", "/api/v1/admin/people", None).await;
            // What it was done on may be gone by then.
            let _ = deed.busy.try_set(false);
            let problem = match (&answer, &fresh) {
                (Err(error), _) => Some(format!("Nothing was changed. {error}")),
                (Ok(_), Err(error)) => Some(format!("It is done, but what you see may be old. {error}")),
                (Ok(_), Ok(_)) => None,
            };
            let _ = deed.problem.try_set(problem);
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
    };
    effect(move || admin.asleep.set(false));
    view! {
        <SiteHeader user/>
        <main class="sheet admin">
            <div class="sheet-head">
                <h1>"People"</h1>
                <span class="grow"></span>
                <a class="button line" href="/admin/audit" data-testid="audit-open">"Audit log"</a>
            </div>
            <Invitations admin/>
            <PeopleList admin/>
            <Teams admin/>
            <SignInProvider admin/>
        </main>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_shown_once_is_read() {
        let answer = r#"{"id":"a","address":"/invitation/x"}"#;
        assert_eq!(address_in(answer).as_deref(), Some("/invitation/x"));
        assert_eq!(address_in(r#"{"id":"a"}"#), None);
        assert_eq!(address_in(""), None);
    }
}
