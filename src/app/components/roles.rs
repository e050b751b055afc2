//! Roles as people read and choose them.

use leptos::prelude::*;
use web_sys::HtmlSelectElement;

use crate::app::access::Role;
use crate::app::dynamic::attr;

/// All roles, the lowest first.
pub const ROLES: [Role; 3] = [Role::Viewer, Role::Editor, Role::Owner];

/// The name of a role in requests, which is the value of its choice, too.
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Owner => "owner",
    }
}

/// The name that people read.
pub const fn role_label(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Editor => "Editor",
        Role::Owner => "Owner",
    }
}

fn role_of(name: &str) -> Option<Role> {
    ROLES.into_iter().find(|role| role_name(*role) == name)
}

/// A list of roles, of which one is chosen.
#[component]
pub fn RoleSelect(
    #[prop(into)] role: Signal<Role>,
    /// What the role is for.
    #[prop(into)]
    label: Signal<String>,
    testid: &'static str,
    #[prop(optional, into)] disabled: Signal<bool>,
    /// Takes what was chosen, and the list: whoever refuses gives it the old value back.
    choose: Callback<(Role, HtmlSelectElement)>,
) -> impl IntoView {
    let option = move |one: Role| {
        view! {
            <option value=role_name(one) selected=role.get_untracked() == one>{role_label(one)}</option>
        }
    };
    view! {
        <select
            class="role-select"
            data-testid=testid
            aria-label=label
            disabled=disabled
            prop:value=attr(move || role_name(role.get()).to_owned())
            on:change:target=move |event| {
                let list = event.target();
                if let Some(role) = role_of(&list.value()) {
                    choose.run((role, list));
                }
            }
        >
            {ROLES.map(option).collect_view()}
        </select>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_chosen_by_the_name_that_requests_have() {
        for role in ROLES {
            assert_eq!(role_of(role_name(role)), Some(role));
            assert_eq!(serde_json::json!(role), role_name(role));
        }
        assert_eq!(role_of("admin"), None);
    }
}
