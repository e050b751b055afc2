//! Form that makes an API token, which is shown once.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::{Map, Value};

use super::tokens::in_words;
use super::{Account, MAX_NAME_CHARS};
use crate::app::access::{Scope, TeamCard};
use crate::app::components::{Once, Problem};
use crate::app::dynamic::{attr, live, memo};
use crate::app::requests;

/// For how many days a token may count, in words; the last one for admins only.
const LASTS: [(&str, &str); 5] =
    [("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("730", "Two years"), (NEVER, "Until revoked")];
/// What a new form has chosen of them.
const USUAL: &str = "90";
const NEVER: &str = "never";

/// What was filled in. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Form {
    name: RwSignal<String>,
    scopes: RwSignal<BTreeSet<Scope>>,
    prefix: RwSignal<String>,
    team: RwSignal<String>,
    days: RwSignal<String>,
}

#[component]
pub fn TokenForm(account: Account) -> impl IntoView {
    let form = Form {
        name: RwSignal::new(String::new()),
        scopes: RwSignal::default(),
        prefix: RwSignal::new(String::new()),
        team: RwSignal::new(String::new()),
        days: RwSignal::new(USUAL.to_owned()),
    };
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let made = RwSignal::new(None::<String>);
    // The first one until another is chosen, or where that has gone.
    let team = memo(move || {
        let (own, chosen) = (account.own.read(), form.team.read());
        let found = own.teams.iter().find(|team| team.id.as_str() == *chosen).or_else(|| own.teams.first());
        found.map(|team| team.id.to_string()).unwrap_or_default()
    });
    let make = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let body = body(
            &form.name.get_untracked(),
            &form.scopes.get_untracked(),
            &form.prefix.get_untracked(),
            &team.get_untracked(),
            &form.days.get_untracked(),
        );
        busy.set(true);
        made.set(None);
        spawn_local(async move {
            let answer = requests::send("POST", "/api/v1/me/tokens", Some(&body)).await;
            account.refresh().await;
            // The page may be gone by then.
            if busy.try_set(false).is_some() {
                return;
            }
            problem.set(answer.as_ref().err().map(|error| format!("No token was made. {error}")));
            if let Ok(answer) = answer {
                made.set(token_in(&answer));
                form.name.set(String::new());
            }
        });
    };
    view! {
        <form class="token-form" on:submit=make>
            <div class="line-form">
                <label class="field">
                    <span class="label">"Name of the program"</span>
                    <input
                        type="text"
                        data-testid="token-name"
                        required
                        maxlength=MAX_NAME_CHARS.to_string()
                        autocomplete="off"
                        prop:value=attr(move || form.name.get())
                        on:input:target=move |event| form.name.set(event.target().value())
                    />
                </label>
                <Lasts account days=form.days/>
                <button
                    type="submit"
                    class="button primary"
                    data-testid="token-make"
                    disabled=attr(move || account.asleep.get() || form.scopes.read().is_empty())
                >
                    "Make a token"
                </button>
            </div>
            <Scopes account scopes=form.scopes/>
            <div class="line-form">
                <Prefix form/>
                <Teams account form team/>
            </div>
        </form>
        {live(move || made.get().map(|text| view! {
            <Once label="The new token" text says="Give it to the program alone: whoever has it may do what it may."/>
        }))}
        <Problem problem/>
    }
}

/// How long it counts.
#[component]
fn Lasts(account: Account, days: RwSignal<String>) -> impl IntoView {
    let is_admin = memo(move || account.own.read().is_admin);
    let option = move |(value, words): (&'static str, &'static str)| {
        let is_shown = value != NEVER || is_admin.get();
        is_shown
            .then(|| view! { <option value=value selected=value == days.get_untracked()>{words}</option> })
    };
    view! {
        <label class="field short">
            <span class="label">"Counts for"</span>
            <select
                data-testid="token-days"
                prop:value=attr(move || days.get())
                on:change:target=move |event| days.set(event.target().value())
            >
                {live(move || LASTS.map(option).collect_view())}
            </select>
        </label>
    }
}

/// What it may do.
#[component]
fn Scopes(account: Account, scopes: RwSignal<BTreeSet<Scope>>) -> impl IntoView {
    let offered = memo(move || account.own.read().scopes.clone());
    let tick = move |scope: Scope| {
        view! {
            <label class="tick">
                <input
                    type="checkbox"
                    data-testid="token-scope"
                    value=scope.name()
                    prop:checked=attr(move || scopes.read().contains(&scope))
                    on:change:target=move |event| scopes.update(|scopes| {
                        if event.target().checked() {
                            scopes.insert(scope);
                        } else {
                            scopes.remove(&scope);
                        }
                    })
                />
                {in_words(scope)}
            </label>
        }
    };
    view! {
        <div class="ticks" role="group" aria-label="What it may do">
            {live(move || offered.get().into_iter().map(tick).collect_view())}
        </div>
    }
}

/// What the names of series begin with that it may push.
#[component]
fn Prefix(form: Form) -> impl IntoView {
    view! {
        <label class="field" class:hidden=attr(move || !form.scopes.read().contains(&Scope::Push))>
            <span class="label">"Only series whose names begin with"</span>
            <input
                type="text"
                data-testid="token-prefix"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                placeholder="all series"
                prop:value=attr(move || form.prefix.get())
                on:input:target=move |event| form.prefix.set(event.target().value())
            />
        </label>
    }
}

/// Whose dashboards it may use.
#[component]
fn Teams(account: Account, form: Form, team: Memo<String>) -> impl IntoView {
    let options = move || {
        let now = team.get();
        let option = |card: TeamCard| {
            let id = card.id.to_string();
            let is_now = id == now;
            view! { <option value=id selected=is_now>{card.name}</option> }
        };
        account.own.read().teams.iter().cloned().map(option).collect_view()
    };
    view! {
        <label class="field" class:hidden=attr(move || !is_of_dashboards(&form.scopes.read()))>
            <span class="label">"Dashboards of the team"</span>
            <select
                data-testid="token-team"
                prop:value=attr(move || team.get())
                on:change:target=move |event| form.team.set(event.target().value())
            >
                {live(options)}
            </select>
        </label>
    }
}

fn is_of_dashboards(scopes: &BTreeSet<Scope>) -> bool {
    scopes.iter().any(|scope| scope.is_of_dashboards())
}

/// What is sent: a prefix and a team only where they say something.
fn body(name: &str, scopes: &BTreeSet<Scope>, prefix: &str, team: &str, days: &str) -> Value {
    let mut body = Map::new();
    body.insert("name".to_owned(), name.trim().into());
    body.insert("scopes".to_owned(), scopes.iter().map(|scope| scope.name()).collect());
    let days: Value = days.parse::<u32>().map_or_else(|_| days.into(), Value::from);
    body.insert("days".to_owned(), days);
    if scopes.contains(&Scope::Push) && !prefix.trim().is_empty() {
        body.insert("prefix".to_owned(), prefix.trim().into());
    }
    if is_of_dashboards(scopes) && !team.is_empty() {
        body.insert("team".to_owned(), team.into());
    }
    Value::Object(body)
}

/// The token in an answer.
fn token_in(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    Some(answer.get("token")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_prefix_and_a_team_are_sent_where_they_say_something() {
        let sent = |scopes: &[Scope], prefix, days| {
            body(" Robot ", &scopes.iter().copied().collect(), prefix, "shop", days)
        };
        let push = json!({"name": "Robot", "scopes": ["push"], "days": 90, "prefix": "app."});
        assert_eq!(sent(&[Scope::Push], " app. ", "90"), push);
        let reads = json!({"name": "Robot", "scopes": ["read:dashboards"], "days": "never", "team": "shop"});
        assert_eq!(sent(&[Scope::ReadDashboards], "app.", NEVER), reads);
        assert_eq!(token_in(r#"{"id":"1","token":"lsp_1_x"}"#), Some("lsp_1_x".to_owned()));
        assert_eq!(token_in("{}"), None);
    }
}
