//! Form in which one changes one's password.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::Account;
use crate::app::components::Problem;
use crate::app::dynamic::{attr, live};
use crate::app::requests;

#[component]
pub fn Password(account: Account) -> impl IntoView {
    let before = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let shows = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let done = RwSignal::new(false);
    let change = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        done.set(false);
        let body = json!({ "before": before.get_untracked(), "password": password.get_untracked() });
        spawn_local(async move {
            let answer = requests::send("PUT", "/api/v1/me/password", Some(&body)).await;
            // The page may be gone by then.
            if busy.try_set(false).is_some() {
                return;
            }
            done.set(answer.is_ok());
            problem.set(answer.as_ref().err().map(|error| format!("Your password is as it was. {error}")));
            if answer.is_ok() {
                before.set(String::new());
                password.set(String::new());
                account.refresh().await;
            }
        });
    };
    let field = move |label: &'static str,
                      testid: &'static str,
                      autocomplete: &'static str,
                      value: RwSignal<String>| {
        view! {
            <label class="field">
                <span class="label">{label}</span>
                <input
                    type=attr(move || if shows.get() { "text" } else { "password" })
                    data-testid=testid
                    required
                    autocomplete=autocomplete
                    autocapitalize="off"
                    spellcheck="false"
                    prop:value=attr(move || value.get())
                    on:input:target=move |event| {
                        value.set(event.target().value());
                        done.set(false);
                    }
                />
            </label>
        }
    };
    let email = account.own.with_untracked(|own| own.person.email.clone());
    view! {
        <section class="block" aria-labelledby="password">
            <h2 id="password">"Password"</h2>
            <p class="quiet">"10 characters or more. A new password signs you out everywhere else."</p>
            <form class="password-form" on:submit=change>
                // By this a password manager knows whose password it is.
                <input type="text" class="hidden" autocomplete="username" readonly value=email/>
                {field("Current password", "password-before", "current-password", before)}
                {field("New password", "password-new", "new-password", password)}
                <div class="ends">
                    <label class="tick">
                        <input type="checkbox" prop:checked=shows on:change:target=move |event| shows.set(event.target().checked())/>
                        "Show what I type"
                    </label>
                    <span class="grow"></span>
                    <button
                        type="submit"
                        class="button primary"
                        data-testid="password-save"
                        disabled=account.asleep
                    >
                        "Change the password"
                    </button>
                </div>
            </form>
            <p class="quiet" role="status" data-testid="password-done">
                {live(move || done.get().then_some("Your password is another one now. Your other sessions have ended."))}
            </p>
            <Problem problem/>
        </section>
    }
}
