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
/// How often the page looks whether the list is to be read again.
const TICK: Duration = Duration::from_secs(2);
/// How often the list is read, in turns of that: by then a screen that went off shows so.
const REFRESH_TICKS: u32 = 5;
/// Turns after a change for which it is read in each of them, while a screen is off: one that was just paired is on soon.
const EAGER_TICKS: u32 = 30;
/// How often it is said anew how long ago something was.
const AGES: u64 = 10_000;

/// The state of the page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Screens {
    /// `None` until the server has told.
    all: RwSignal<Option<Vec<ScreenCard>>>,
    problem: RwSignal<Option<String>>,
    /// True while the list is being read.
    reading: StoredValue<bool>,
    /// Turns since the list was read last.
    ticks: StoredValue<u32>,
    /// Turns that are left of those after a change.
    eager: StoredValue<u32>,
    /// True until the page is awake: a form would be sent by the browser itself until then.
    asleep: RwSignal<bool>,
    /// The time of day, which moves on now and then; 0 until the page is awake.
    now: Memo<u64>,
}

impl Screens {
    /// Reads the list after a change here, and for a while more often.
    async fn changed(self) {
        let _ = self.eager.try_set_value(EAGER_TICKS);
        self.refresh().await;
    }

    /// Reads the list again where it is time to.
    fn tick(self) {
        let (ticks, eager) = (self.ticks.get_value() + 1, self.eager.get_value());
        let is_eager = eager > 0 && self.all.read_untracked().iter().flatten().any(|card| !card.is_on);
        self.ticks.set_value(ticks);
        self.eager.set_value(eager.saturating_sub(1));
        if !self.reading.get_value() && (is_eager || ticks >= REFRESH_TICKS) {
            spawn_local(self.refresh());
        }
    }

    /// Reads the list again. What cannot be read stays as it was.
    async fn refresh(self) {
        let _ = self.reading.try_set_value(true);
        let answer = requests::request::<Vec<ScreenCard>>("GET", SCREENS, None).await;
        let problem = answer.as_ref().err().map(|error| format!("The list of screens is as it was. {error}"));
        // The page may be gone by then.
        if self.problem.try_set(problem).is_some() {
            return;
        }
        self.reading.set_value(false);
        self.ticks.set_value(0);
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
        reading: StoredValue::new(false),
        ticks: StoredValue::new(0),
        eager: StoredValue::new(0),
        asleep: RwSignal::new(true),
        now: memo(move || clock.now() / AGES * AGES),
    };
    effect(move || {
        screens.asleep.set(false);
        spawn_local(screens.refresh());
    });
    dom::every(TICK, move || screens.tick());
    dom::when_visible(move || spawn_local(screens.refresh()));
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
