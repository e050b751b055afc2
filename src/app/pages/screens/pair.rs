//! Form that pairs a screen by the code that it shows, after it has shown which device that is.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::fields::{
    DashboardsField, FieldProblem, Fields, Filled, NameField, RotateField, USUAL_ROTATE_S, invalid,
};
use super::{SCREENS, Screens};
use crate::app::access::TeamCard;
use crate::app::components::Problem;
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::pages::account::browser_in_words;
use crate::app::requests::RequestError;
use crate::app::screen_page::code_in;
use crate::app::screens::{AskingDevice, CODE_CHARS, NewScreen, PairingCode};
use crate::app::{dom, format, requests};
use crate::dashboard::Id;

/// Address of the look-up of the device that shows a code.
const FIND: &str = "/api/v1/pairings/find";

/// What the ids of the fields begin with.
const ID: &str = "pair";
/// The `id` attribute of the words on the device.
const DEVICE: &str = "pair-device";
/// Characters of a code as it may be typed, with blanks and dashes between.
const MAX_TYPED: usize = 2 * CODE_CHARS;

/// The device that shows the code, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
enum Asking {
    /// The code is not whole yet, or came with the address.
    NoCode,
    /// The server has not told yet.
    Looking,
    Known(AskingDevice),
    Unknown(RequestError),
}

#[component]
pub fn PairForm(screens: Screens, teams: Vec<TeamCard>, code: String) -> impl IntoView {
    let body = match teams.first().map(|team| team.id.to_string()) {
        Some(first) => view! { <Fill screens teams first code/> }.into_any(),
        None => view! {
            <p class="quiet">
                "Whoever edits the dashboards of a team pairs screens for it. You are in no such team: ask an admin."
            </p>
        }
        .into_any(),
    };
    view! {
        <section class="block" aria-labelledby="pair">
            <h2 id="pair">"Pair a screen"</h2>
            {body}
        </section>
    }
}

#[component]
fn Fill(screens: Screens, teams: Vec<TeamCard>, first: String, code: String) -> impl IntoView {
    // A link may carry any code: one of the address is looked up once somebody presses or types, and no sooner.
    let may_look = RwSignal::new(code.is_empty());
    let code = RwSignal::new(code);
    let code_wrong = RwSignal::new(None::<String>);
    let fields = Fields::new(String::new(), first, Vec::new(), USUAL_ROTATE_S);
    let problem = RwSignal::new(None::<String>);
    let paired = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let asking = RwSignal::new(Asking::NoCode);
    let look = move |typed: String| {
        asking.set(Asking::Looking);
        spawn_local(async move {
            let body = json!(PairingCode { code: typed.clone() });
            let answer = requests::request::<AskingDevice>("POST", FIND, Some(&body)).await;
            // The code may be another one by then, or the page gone.
            if code.try_with_untracked(|now| *now == typed) == Some(true) {
                asking.set(answer.map_or_else(Asking::Unknown, Asking::Known));
            }
        });
    };
    let typed = memo(move || code.get());
    effect(move || {
        let (typed, may_look) = (typed.get(), may_look.get());
        if screens.asleep.get() {
            return;
        }
        if may_look && typed.len() == CODE_CHARS { look(typed) } else { asking.set(Asking::NoCode) }
    });
    let waits = memo(move || !may_look.get() && code.read().len() == CODE_CHARS);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        paired.set(None);
        problem.set(None);
        let code_is_whole = code.with_untracked(|code| code.len() == CODE_CHARS);
        let says = || format!("The {CODE_CHARS} letters and digits that the screen shows.");
        code_wrong.set((!code_is_whole).then(says));
        let (filled, team) = (fields.filled(), Id::new(fields.team.get_untracked()));
        let (Some(Filled { name, dashboards, rotate_s }), Ok(team), true) = (filled, team, code_is_whole)
        else {
            return;
        };
        let new =
            json!(NewScreen { code: code.get_untracked(), name: name.clone(), team, dashboards, rotate_s });
        // Nobody approves a device that they were not shown.
        if !matches!(*asking.read_untracked(), Asking::Known(_)) {
            return may_look.set(true);
        }
        busy.set(true);
        spawn_local(async move {
            let answer = requests::send("POST", SCREENS, Some(&new)).await;
            if answer.is_ok() {
                screens.changed().await;
            }
            // The page may be gone by then.
            if busy.try_set(false).is_some() {
                return;
            }
            problem.set(answer.as_ref().err().map(|error| format!("The screen was not paired. {error}")));
            if answer.is_ok() {
                paired.set(Some(format!("{name} is paired. It shows its dashboards in a moment.")));
                code.set(String::new());
                fields.name.set(String::new());
                fields.dashboards.set(Vec::new());
            }
        });
    };
    let code_problem = memo(move || match &*asking.read() {
        Asking::Unknown(why) => Some(why.to_string()),
        Asking::NoCode | Asking::Looking | Asking::Known(_) => code_wrong.get(),
    });
    let is_looking = memo(move || *asking.read() == Asking::Looking);
    let device = move || match &*asking.read() {
        Asking::Known(device) => Some(device_in_words(device, screens.now.get())),
        Asking::NoCode | Asking::Looking | Asking::Unknown(_) => None,
    };
    view! {
        <p class="quiet">"Open this server's /screen on a TV, and enter the code that it shows."</p>
        <form class="screen-form" novalidate on:submit=submit>
            <div class="line-form">
                <label class="field short">
                    <span class="label">"Code"</span>
                    <input
                        type="text"
                        class="code"
                        data-testid="pair-code"
                        autocomplete="off"
                        autocapitalize="characters"
                        spellcheck="false"
                        maxlength=MAX_TYPED.to_string()
                        aria-invalid=attr(invalid(code_problem))
                        aria-describedby="pair-code-problem"
                        value=code.get_untracked()
                        prop:value=attr(move || code.get())
                        on:input:target=move |event| {
                            let field = event.target();
                            let kept = code_in(&field.value());
                            // Where the signal stays as it was, what was typed beside the code still goes.
                            field.set_value(&kept);
                            code.set(kept);
                            if !may_look.get_untracked() {
                                may_look.set(true);
                            }
                            code_wrong.set(None);
                        }
                    />
                    <FieldProblem id="pair-code-problem".to_owned() problem=code_problem/>
                </label>
                <NameField fields id=ID.to_owned() testid="pair-name"/>
                <TeamField fields teams/>
            </div>
            <p class="quiet" role="status" id=DEVICE tabindex="-1" data-testid="pair-device">
                {live(device)}
            </p>
            <div class="line-form" class:hidden=attr(move || !waits.get())>
                <button
                    type="button"
                    class="button"
                    data-testid="pair-show"
                    disabled=attr(move || screens.asleep.get())
                    on:click=move |_| {
                        may_look.set(true);
                        dom::focus_soon(DEVICE);
                    }
                >
                    "Show the device"
                </button>
            </div>
            <DashboardsField fields id=ID.to_owned() testid="pair-dashboards"/>
            <div class="line-form">
                <RotateField fields id=ID.to_owned() testid="pair-rotate"/>
                <button
                    type="submit"
                    class="button primary"
                    data-testid="pair-submit"
                    disabled=attr(move || screens.asleep.get() || is_looking.get())
                >
                    "Pair the screen"
                </button>
            </div>
        </form>
        <Problem problem/>
        <p class="quiet" role="status">{live(move || paired.get())}</p>
    }
}

/// The team whose screen it will be, and whose dashboards it shows.
#[component]
fn TeamField(fields: Fields, teams: Vec<TeamCard>) -> impl IntoView {
    let options: Vec<_> = teams
        .into_iter()
        .map(|team| {
            let id = team.id.to_string();
            let is_first = fields.team.with_untracked(|first| *first == id);
            view! { <option value=id selected=is_first>{team.name}</option> }
        })
        .collect();
    view! {
        <label class="field">
            <span class="label">"Team"</span>
            <select
                data-testid="pair-team"
                prop:value=attr(move || fields.team.get())
                on:change:target=move |event| {
                    fields.team.set(event.target().value());
                    // They are another team's.
                    fields.dashboards.set(Vec::new());
                }
            >
                {options}
            </select>
        </label>
    }
}

/// The device that shows a code, for whoever is to approve it.
fn device_in_words(device: &AskingDevice, now: u64) -> String {
    let AskingDevice { address, agent, asked_at } = device;
    let (browser, ago) = (browser_in_words(agent), format::ago(*asked_at, now));
    format!(
        "{browser} at {address} asked for this code {ago}. Pair it only if that is the screen in front of you."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_with_its_browser_its_address_and_when_it_asked() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0".to_owned();
        let device = AskingDevice { address: "192.0.2.7".to_owned(), agent, asked_at: 1_000 };
        let words = device_in_words(&device, 121_000);
        assert!(words.starts_with("Firefox on Linux at 192.0.2.7 asked for this code 2 min ago."), "{words}");
    }
}
