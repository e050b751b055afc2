//! `/account`: one's own name, password, sessions and tokens.

mod browser;
mod identities;
mod password;
mod removal;
mod second_factor;
mod sessions;
mod sign_out;
mod token_form;
mod tokens;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

pub(super) use self::browser::in_words as browser_in_words;
use self::identities::Identities;
pub(super) use self::identities::{IdentityWords, named as identity_named};
use self::password::Password;
use self::second_factor::SecondFactor;
use self::sessions::Sessions;
pub(super) use self::sessions::in_words as session_in_words;
use self::sign_out::SignOutButton;
use self::tokens::Tokens;
pub(super) use self::tokens::{allowed_in_words, times_in_words};
use crate::app::access::OwnAccount;
use crate::app::components::{Problem, SiteHeader};
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::requests;
use crate::dashboard::User;

/// Characters in a name; the server takes no longer one.
const MAX_NAME_CHARS: usize = 40;

/// The state of the page. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
struct Account {
    own: RwSignal<OwnAccount>,
    /// True until the page is awake: a form would be sent by the browser itself until then.
    asleep: RwSignal<bool>,
}

impl Account {
    /// Reads it again. What cannot be read stays as it was: what was done has said how it went.
    async fn refresh(self) {
        if let Ok(fresh) = requests::request::<OwnAccount>("GET", "/api/v1/me", None).await {
            // The page may be gone by then.
            let _ = self.own.try_set(fresh);
        }
    }
}

#[component]
pub fn AccountPage(account: OwnAccount, user: Option<User>) -> impl IntoView {
    let account = Account { own: RwSignal::new(account), asleep: RwSignal::new(true) };
    effect(move || account.asleep.set(false));
    // The header has one's initials.
    let user = RwSignal::new(user);
    let has_password = memo(move || account.own.read().has_password);
    let has_identities = memo(move || !account.own.read().identities.is_empty());
    view! {
        {live(move || view! { <SiteHeader user=user.get()/> })}
        <main class="sheet narrow">
            <div class="sheet-head">
                <h1>"Your account"</h1>
                <span class="grow"></span>
                <SignOutButton/>
            </div>
            <Name account user/>
            {live(move || has_password.get().then(|| view! { <Password account/><SecondFactor account/> }))}
            {live(move || has_identities.get().then(|| view! { <Identities account/> }))}
            <Sessions account/>
            <Tokens account/>
        </main>
    }
}

/// Name and mail address.
#[component]
fn Name(account: Account, user: RwSignal<Option<User>>) -> impl IntoView {
    let name = RwSignal::new(account.own.with_untracked(|own| own.person.name.clone()));
    let email = move || account.own.read().person.email.clone();
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let saved = RwSignal::new(false);
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let wanted = name.get_untracked().trim().to_owned();
        busy.set(true);
        spawn_local(async move {
            let answer = requests::send("PUT", "/api/v1/me", Some(&json!({ "name": wanted }))).await;
            // The page may be gone by then.
            if busy.try_set(false).is_some() {
                return;
            }
            saved.set(answer.is_ok());
            problem.set(answer.as_ref().err().map(|error| format!("Your name is as it was. {error}")));
            if answer.is_ok() {
                name.set(wanted.clone());
                user.update(|user| {
                    if let Some(user) = user {
                        user.name.clone_from(&wanted);
                    }
                });
                account.own.update(|own| own.person.name = wanted);
            }
        });
    };
    view! {
        <section class="block" aria-labelledby="you">
            <h2 id="you">"You"</h2>
            <form class="line-form" on:submit=save>
                <label class="field">
                    <span class="label">"Your name, as others see it"</span>
                    <input
                        type="text"
                        data-testid="account-name"
                        required
                        maxlength=MAX_NAME_CHARS.to_string()
                        autocomplete="name"
                        value=name.get_untracked()
                        prop:value=attr(move || name.get())
                        on:input:target=move |event| {
                            name.set(event.target().value());
                            saved.set(false);
                        }
                    />
                </label>
                <button
                    type="submit"
                    class="button primary"
                    data-testid="account-name-save"
                    disabled=account.asleep
                >
                    "Save"
                </button>
            </form>
            <p class="quiet" role="status">{live(move || saved.get().then_some("Saved."))}</p>
            <Problem problem/>
            <dl class="facts">
                <dt>"Mail address"</dt>
                <dd data-testid="account-email">{live(email)}</dd>
                <dt>"On this server"</dt>
                <dd>
                    {live(move || if account.own.read().is_admin {
                        "You are an admin: you look after its people and teams."
                    } else {
                        "You are a member."
                    })}
                </dd>
            </dl>
        </section>
    }
}
