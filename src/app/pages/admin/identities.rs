//! List of the names under which services sign a person in, for an admin to remove.

use leptos::prelude::*;

use super::super::account::{IdentityWords, identity_named};
use super::confirmed::Confirmed;
use super::{Admin, Operation};
use crate::app::access::IdentityCard;
use crate::app::dom;
use crate::app::dynamic::{derived, each, live, memo};
use crate::dashboard::UserId;

/// `heading` is the `id` attribute of what is left when a line goes.
#[component]
pub fn PersonIdentities(
    id: UserId,
    identities: Memo<Vec<IdentityCard>>,
    operation: Operation,
    admin: Admin,
    heading: &'static str,
) -> impl IntoView {
    let person = StoredValue::new(id);
    let row = move |id: String| {
        let key = StoredValue::new(id.clone());
        let card =
            memo(move || key.with_value(|id| identities.read().iter().find(|one| one.id == *id).cloned()));
        let may_remove = memo(move || card.read().as_ref().is_some_and(|card| card.may_remove));
        let remove = Callback::new(move |()| {
            let address =
                format!("/api/v1/admin/people/{}/identities/{}", person.get_value(), key.get_value());
            admin.change(operation, "DELETE", address, None, move |answer| {
                if answer.is_some() {
                    // The line goes, and what was pressed with it.
                    dom::focus_soon(heading);
                }
            });
        });
        let button = move || {
            may_remove.get().then(|| {
                view! {
                    <Confirmed
                        id=format!("identity-remove-{}", key.get_value())
                        label="Remove"
                        about=derived(move || card.read().as_ref().map(identity_named).unwrap_or_default())
                        warns="It is no way in to the account any more, and sessions that it opened end."
                        testid="person-identity-remove"
                        disabled=admin.asleep
                        then=remove
                    />
                }
            })
        };
        view! {
            <li data-testid="person-identity" data-identity=id>
                <IdentityWords card now=admin.now/>
                {live(button)}
            </li>
        }
    };
    let has_some = memo(move || !identities.read().is_empty());
    view! {
        {live(move || has_some.get().then(|| view! {
            <ul class="rows" aria-label="Services that sign them in">
                {each(
                    move || identities.read().iter().map(|one| one.id.clone()).collect(),
                    String::clone,
                    row,
                )}
            </ul>
        }))}
    }
}
