//! `/screens`: the screens of one's teams, and the form that pairs another.

mod fields;
mod pair;
mod row;

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use self::pair::PairForm;
use self::row::ScreenRow;
use crate::app::access::TeamCard;
use crate::app::clock::Clock;
use crate::app::components::{Problem, SiteHeader};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::screens::ScreenCard;
use crate::app::{dom, requests};
use crate::dashboard::{Id, User};

/// Where the server has the screens of one's teams.
const SCREENS: &str = "/api/v1/screens";
/// The `id` attribute of the heading over the list.
const HEADING: &str = "screens";
/// How often the list is read again: by then a screen that went off shows so.
const REFRESH: Duration = Duration::from_secs(10);
/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;

/// The state of the page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Screens {
    /// `None` until the server has told.
    all: RwSignal<Option<Vec<ScreenCard>>>,
    problem: RwSignal<Option<String>>,
    /// True until the page is awake: a form would be sent by the browser itself until then.
    asleep: RwSignal<bool>,
    /// The time of day, which moves on now and then; 0 until the page is awake.
    now: Memo<u64>,
}

impl Screens {
    /// Reads the list again. What cannot be read stays as it was.
    async fn refresh(self) {
        let answer = requests::request::<Vec<ScreenCard>>("GET", SCREENS, None).await;
        let problem = answer.as_ref().err().map(|error| format!("The list of screens is as it was. {error}"));
        // The page may be gone by then.
        if self.problem.try_set(problem).is_some() {
            return;
        }
        if let Ok(fresh) = answer {
            let is_new = self.all.with_untracked(|all| all.as_ref() != Some(&fresh));
            if is_new {
                self.all.set(Some(fresh));
            }
        }
    }

    /// A screen of the list, tracked.
    fn card(self, id: &Id) -> Option<ScreenCard> {
        self.all.read().iter().flatten().find(|card| card.id == *id).cloned()
    }

    /// The address of one screen.
    fn address(id: &Id) -> String {
        format!("{SCREENS}/{id}")
    }
}

#[component]
pub fn ScreensPage(teams: Vec<TeamCard>, code: String, user: Option<User>) -> impl IntoView {
    let clock = Clock::here();
    let screens = Screens {
        all: RwSignal::new(None),
        problem: RwSignal::new(None),
        asleep: RwSignal::new(true),
        now: memo(move || clock.now() / AGES * AGES),
    };
    effect(move || {
        screens.asleep.set(false);
        spawn_local(screens.refresh());
    });
    dom::every(REFRESH, move || spawn_local(screens.refresh()));
    let ids = move || screens.all.read().iter().flatten().map(|card| card.id.clone()).collect::<Vec<_>>();
    let count = memo(move || screens.all.read().as_ref().map(Vec::len));
    let says = move || match count.get() {
        None => Some("Looking for the screens of your teams."),
        Some(0) => Some(
            "There is none yet. Open this server's /screen on a TV: it shows the code for the form above.",
        ),
        Some(_) => None,
    };
    view! {
        <SiteHeader user/>
        <main class="sheet narrow">
            <div class="sheet-head"><h1>"Screens"</h1></div>
            <PairForm screens teams code/>
            <section class="block" aria-labelledby=HEADING>
                <h2 id=HEADING tabindex="-1">"Screens of your teams"</h2>
                <p class="quiet" role="status">{live(says)}</p>
                <Problem problem=screens.problem/>
                <ul
                    class="rows"
                    aria-label="Screens"
                    data-testid="screens"
                    aria-busy=attr(move || count.get().is_none().to_string())
                >
                    {each(ids, Id::clone, move |id| view! { <ScreenRow id screens/> })}
                </ul>
            </section>
        </main>
    }
}
