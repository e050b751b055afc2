//! Following a person: what they look at comes into view here, until Esc.

use crate::app::dynamic::{effect, memo};
use leptos::prelude::*;

use super::dashboard_container::element_id;
use super::icon::{Glyph, Icon};
use super::people::People;
use crate::app::dashboard_store::DashboardStore;
use crate::app::dom;

#[component]
pub fn FollowBar(store: DashboardStore) -> impl IntoView {
    let people = People::here();
    let whom = memo(move || {
        let id = store.following.get()?;
        let persons = people.persons.read();
        persons.iter().find(|person| person.user.id == id).map(|person| person.user.clone())
    });
    effect(move || {
        if let Some(id) = people.followed.get() {
            dom::soon(move || dom::bring_into_view(&element_id(id.as_str())));
        }
    });
    // Who has left cannot be followed.
    effect(move || {
        if store.following.read().is_some() && whom.read().is_none() {
            store.following.set(None);
        }
    });
    move || {
        whom.get().map(|user| {
            view! {
                <div class="follow" style:--who=user.color role="status" data-testid="following">
                    <Glyph icon=Icon::Eye/>
                    <span>"Following " <b>{user.name}</b></span>
                    <button type="button" class="button" on:click=move |_| store.following.set(None)>
                        "Stop" <kbd>"Esc"</kbd>
                    </button>
                </div>
            }
        })
    }
}
