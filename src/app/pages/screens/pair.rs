//! Form that pairs a screen by the code that it shows.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::fields::{
    DashboardsField, FieldProblem, Fields, Filled, NameField, RotateField, USUAL_ROTATE_S, invalid,
};
use super::{SCREENS, Screens};
use crate::app::access::TeamCard;
use crate::app::components::Problem;
use crate::app::dynamic::{attr, live, memo};
use crate::app::requests;
use crate::app::screen_page::code_in;
use crate::app::screens::{CODE_CHARS, NewScreen};
use crate::dashboard::Id;

/// What the ids of the fields begin with.
const ID: &str = "pair";
/// Characters of a code as it may be typed, with blanks and dashes between.
const MAX_TYPED: usize = 2 * CODE_CHARS;

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
    let code = RwSignal::new(code);
    let code_wrong = RwSignal::new(None::<String>);
    let fields = Fields::new(String::new(), first, Vec::new(), USUAL_ROTATE_S);
    let problem = RwSignal::new(None::<String>);
    let paired = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
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
    let code_problem = memo(move || code_wrong.get());
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
                            code_wrong.set(None);
                        }
                    />
                    <FieldProblem id="pair-code-problem".to_owned() problem=code_problem/>
                </label>
                <NameField fields id=ID.to_owned() testid="pair-name"/>
                <TeamField fields teams/>
            </div>
            <DashboardsField fields id=ID.to_owned() testid="pair-dashboards"/>
            <div class="line-form">
                <RotateField fields id=ID.to_owned() testid="pair-rotate"/>
                <button type="submit" class="button primary" data-testid="pair-submit" disabled=screens.asleep>
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
