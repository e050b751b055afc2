//! Section of the sessions of all people, each of which can be ended.

use leptos::prelude::*;

use super::super::account::{browser_in_words, session_in_words};
use super::Admin;
use super::listing::{Listing, Words};
use crate::app::admin::AdminSession;
use crate::app::components::Avatar;
use crate::app::dynamic::live;
use crate::dashboard::User;

const WORDS: Words = Words {
    id: "admin-sessions",
    title: "Sessions",
    says: "Where people are signed in. Whose session ends is out within a second, and can sign in again.",
    search: "Search people or addresses",
    none: "No session matches.",
};

#[component]
pub fn Sessions(admin: Admin) -> impl IntoView {
    let list = Listing::<AdminSession>::new(WORDS, "/api/v1/admin/sessions", |one| &one.session.id);
    list.show(admin, move |one| row(one, list, admin))
}

fn row(one: AdminSession, list: Listing<AdminSession>, admin: Admin) -> AnyView {
    let end = list.revoke(&one);
    let AdminSession { session, person } = one;
    let is_me = admin.me.with_value(|me| *me == person.id);
    let user = User { id: person.id.clone(), name: person.name.clone(), color: person.color.clone() };
    let words = browser_in_words(&session.agent);
    let label = format!("End the session of {} with {words} from {}", person.name, session.address);
    let (id, agent, is_this) = (session.id.clone(), session.agent.clone(), session.is_this);
    let end_all = {
        let person = person.id.clone();
        move |_| {
            let gone = person.clone();
            let address = format!("/api/v1/admin/people/{person}/sessions");
            list.remove(address, move |one| one.person.id == gone);
        }
    };
    let all_label = format!("End all sessions of {}", person.name);
    view! {
        <li data-testid="admin-session" data-session=id data-user=person.id.to_string()>
            <Avatar user=Signal::stored(user)/>
            <div class="row-words">
                <b>{person.name}</b>
                {is_this.then(|| view! { <span class="badge">"This one"</span> })}
                <small>{person.email}</small>
                <small title=agent>{words}" · "{live(move || session_in_words(&session, admin.now.get()))}</small>
            </div>
            {(!is_me).then(|| view! {
                <button
                    type="button"
                    class="button line"
                    data-testid="admin-session-end-all"
                    aria-label=all_label
                    on:click=end_all
                >
                    "End all"
                </button>
            })}
            {(!is_this).then(|| view! {
                <button
                    type="button"
                    class="button line"
                    data-testid="admin-session-end"
                    aria-label=label
                    on:click=move |_| end.run(())
                >
                    "End"
                </button>
            })}
        </li>
    }
    .into_any()
}
