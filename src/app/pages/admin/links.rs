//! Section of the share links of all dashboards, each of which can be revoked.

use leptos::prelude::*;

use super::Admin;
use super::confirmed::Confirmed;
use super::listing::{Listing, Words};
use crate::app::admin::AdminLink;
use crate::app::components::link_words;
use crate::app::dynamic::live;
use crate::app::format;

const WORDS: Words = Words {
    id: "admin-links",
    title: "Share links",
    says: "Addresses by which anybody opens one dashboard without an account. Its owners make them.",
    search: "Search dashboards, labels or makers",
    none: "No link matches.",
};

#[component]
pub fn Links(admin: Admin) -> impl IntoView {
    let list = Listing::<AdminLink>::new(WORDS, "/api/v1/admin/links", |one| &one.link.id);
    list.show(admin, move |one| row(one, list, admin))
}

fn row(one: AdminLink, list: Listing<AdminLink>, admin: Admin) -> AnyView {
    let (id, revoke) = (one.link.id.clone(), list.revoke(&one));
    let title = if one.title.is_empty() { "A dashboard in the bin".to_owned() } else { one.title.clone() };
    let made = match one.link.label.as_str() {
        "" => format!("made by {}", one.link.made_by),
        label => format!("“{label}”, made by {}", one.link.made_by),
    };
    let (about, says, here) = (format!("the link to {title}, {made}"), link_words(&one.link), one.link.here);
    let dashboard = one.dashboard.to_string();
    view! {
        <li data-testid="admin-link" data-link=id.clone() data-dashboard=dashboard>
            <div class="row-words">
                <b>
                    {title}
                    {(here > 0).then(|| view! { <span class="here-now">{format!("{here} here now")}</span> })}
                </b>
                <small>{made}" · "{says}</small>
                <small>{live(move || times_in_words(&one, admin.now.get()))}</small>
            </div>
            <Confirmed
                id=format!("revoke-link-{id}")
                label="Revoke"
                about=Signal::stored(about)
                warns="Guests who came by it are out at once."
                testid="admin-link-revoke"
                disabled=admin.asleep
                then=revoke
            />
        </li>
    }
    .into_any()
}

/// When somebody was there by it, and when it ends. Before the page is awake it is not known how long ago that is.
fn times_in_words(one: &AdminLink, now: u64) -> String {
    match (one.used_at, now) {
        (_, 0) => String::new(),
        (None, now) => format!("no open visits · ends {}", format::in_time(one.link.expires_at, now)),
        (Some(at), now) => {
            format!(
                "last visit {} · ends {}",
                format::ago(at, now),
                format::in_time(one.link.expires_at, now)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::access::{LinkCard, Role};
    use crate::dashboard::DashboardId;

    #[test]
    fn a_link_tells_when_it_was_used_and_when_it_ends() {
        let link = LinkCard {
            id: "a".to_owned(),
            role: Role::Viewer,
            query: false,
            label: String::new(),
            has_password: false,
            name_required: false,
            made_by: "Ada".to_owned(),
            made_at: 0,
            expires_at: 1_600_000,
            here: 0,
        };
        let dashboard = DashboardId::new("d").expect("an id");
        let one = AdminLink { link, dashboard, title: String::new(), used_at: None };
        assert_eq!(times_in_words(&one, 0), "");
        assert_eq!(times_in_words(&one, 1_000_000), "no open visits · ends in 10 min");
        let used = AdminLink { used_at: Some(970_000), ..one };
        assert_eq!(times_in_words(&used, 1_000_000), "last visit 30 s ago · ends in 10 min");
    }
}
