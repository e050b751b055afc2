//! Dialog that shows who may do what on a dashboard, in which its owners change that.

use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;
use web_sys::HtmlSelectElement;

use super::avatar::Avatar;
use super::icon::{Glyph, Icon};
use super::people::People;
use super::problem::Problem;
use super::roles::{RoleSelect, role_label, role_name};
use super::share_links::ShareLinks;
use super::share_search::ShareSearch;
use crate::app::access::{GrantChange, Grantee, OwnedBy, Person, Role, ShareChanges, Sharing};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dynamic::{attr, derived, each, effect, live, memo};
use crate::app::requests::{self, RequestError};
use crate::app::{address, dom, format};
use crate::dashboard::{Id, User};

/// The `id` attribute of the heading over those who have a role.
const WHO: &str = "share-who";

/// The state of the dialog. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct Share {
    pub store: DashboardStore,
    /// `None` until the server has told.
    pub sharing: RwSignal<Option<Sharing>>,
    pub problem: RwSignal<Option<String>>,
}

impl Share {
    fn address(self) -> String {
        format!("/api/v1/dashboards/{}/access", self.store.id.get_value())
    }

    /// Asks the server who has access.
    pub fn read(self) {
        spawn_local(async move {
            let answer = requests::request::<Sharing>("GET", &self.address(), None).await;
            self.take(answer, "It cannot be shown who has access.");
        });
    }

    /// Sends changes, and says at the end whether they were taken.
    pub fn change(self, changes: ShareChanges, then: impl FnOnce(bool) + 'static) {
        spawn_local(async move {
            let answer = requests::request::<Sharing>("PUT", &self.address(), Some(&json!(changes))).await;
            let taken = answer.is_ok();
            // The dialog may be closed by then.
            if self.take(answer, "Nothing was changed.") {
                then(taken);
            }
        });
    }

    /// Gives a role, or with `None` takes it back.
    pub fn grant(self, to: Grantee, role: Option<Role>, then: impl FnOnce(bool) + 'static) {
        self.change(ShareChanges { team: None, grants: vec![GrantChange { to, role }] }, then);
    }

    /// False where the dialog has gone.
    fn take(self, answer: Result<Sharing, RequestError>, failed: &str) -> bool {
        let problem = answer.as_ref().err().map(|error| format!("{failed} {error}"));
        if self.problem.try_set(problem).is_some() {
            return false;
        }
        if let Ok(sharing) = answer {
            self.sharing.set(Some(sharing));
        }
        true
    }

    /// True for who may change it, tracked.
    fn is_owner(self) -> bool {
        self.store.role.get() == Role::Owner
    }
}

/// The id of who has a role: `data-to`.
pub fn id_of(to: &Grantee) -> &str {
    match to {
        Grantee::Account(id) => id.as_str(),
        Grantee::Team(id) => id.as_str(),
    }
}

#[component]
pub fn ShareDialog(store: DashboardStore) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let share = Share { store, sharing: RwSignal::new(None), problem: RwSignal::new(None) };
    share.read();
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        }
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let owned = memo(move || share.is_owner());
    let there = memo(move || share.sharing.read().is_some());
    let grantees = move || {
        let sharing = share.sharing.read();
        let grants = sharing.iter().flat_map(|sharing| &sharing.grants);
        grants.map(|grant| grant.to.clone()).collect::<Vec<_>>()
    };
    view! {
        <dialog
            class="import-dialog share-dialog"
            node_ref=dialog
            data-testid="share-dialog"
            aria-label="Share this dashboard"
            // What is typed here is no key of the page. Esc is the dialog's own.
            on:keydown=|event| event.stop_propagation()
            on:close=move |_| store.sharing.set(false)
        >
            <div class="dialog-head">
                <h2>"Share"</h2>
                <span class="grow"></span>
                <button type="button" class="button icon" aria-label="Close" on:click=close>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
            {live(move || owned.get().then(|| view! { <ShareSearch share/> }))}
            <Problem problem=share.problem/>
            <section aria-labelledby=WHO aria-busy=attr(move || (!there.get()).to_string())>
                <h3 id=WHO tabindex="-1">"Who has access"</h3>
                <ul class="grants">
                    {live(move || there.get().then(|| view! { <TeamRow share owned/> }))}
                    {each(grantees, |to| id_of(to).to_owned(), move |to| view! { <GrantRow to share owned/> })}
                </ul>
                <p class="quiet" class:hidden=owned>"Ask an owner to change this."</p>
            </section>
            {live(move || owned.get().then(|| view! { <ShareLinks share/> }))}
            <div class="dialog-foot">
                <CopyAddress/>
                {live(move || owned.get().then(|| view! {
                    <a class="button line" data-testid="share-audit" href=address::to(&format!("/d/{}/audit", store.id.get_value()))>
                        "Audit log"
                    </a>
                }))}
                <span class="grow"></span>
                <button type="button" class="button primary" on:click=close>"Done"</button>
            </div>
        </dialog>
    }
}

/// The team that owns the dashboard, for owners a choice.
#[component]
fn TeamRow(share: Share, owned: Memo<bool>) -> impl IntoView {
    let team = memo(move || share.sharing.read().as_ref().and_then(|sharing| sharing.team.clone()));
    let teams = memo(move || share.sharing.read().as_ref().map(|all| all.teams.clone()).unwrap_or_default());
    let value = move || team.get().map(|id| id.to_string()).unwrap_or_default();
    let choose = move |list: HtmlSelectElement| {
        let team = match list.value() {
            none if none.is_empty() => OwnedBy::Nobody,
            id => match Id::new(id) {
                Ok(id) => OwnedBy::Team(id),
                Err(_) => return,
            },
        };
        share.change(ShareChanges { team: Some(team), grants: Vec::new() }, move |taken| {
            if !taken {
                list.set_value(&team_value(share));
            }
        });
    };
    let options = move || {
        let now = team.get();
        let one = |id: String, name: String, chosen: bool| {
            view! { <option value=id selected=chosen>{name}</option> }
        };
        let mut all = vec![one(String::new(), "No team".to_owned(), now.is_none())];
        for card in teams.get() {
            let chosen = now.as_ref() == Some(&card.id);
            all.push(one(card.id.to_string(), card.name, chosen));
        }
        all
    };
    let name = move || {
        let id = team.get()?;
        teams.read().iter().find(|card| card.id == id).map(|card| card.name.clone())
    };
    view! {
        <li class="grant" class:hidden=attr(move || !owned.get() && team.read().is_none())>
            <span class="face"><Glyph icon=Icon::Team/></span>
            <div class="grant-words">
                <b>{live(move || name().unwrap_or_else(|| "No team owns it".to_owned()))}</b>
                <small>
                    {live(move || if team.read().is_some() {
                        "Owns it: members have their team's role here."
                    } else {
                        "Only those below have access."
                    })}
                </small>
            </div>
            {live(move || owned.get().then(|| view! {
                <select
                    class="role-select"
                    data-testid="share-team"
                    aria-label="Team that owns this dashboard"
                    prop:value=attr(value)
                    on:change:target=move |event| choose(event.target())
                >
                    {live(options)}
                </select>
            }))}
        </li>
    }
}

fn team_value(share: Share) -> String {
    let team = |sharing: &Option<Sharing>| sharing.as_ref()?.team.as_ref().map(ToString::to_string);
    share.sharing.with_untracked(team).unwrap_or_default()
}

/// Somebody, or a team, with the role that they have on this dashboard.
#[component]
fn GrantRow(to: Grantee, share: Share, owned: Memo<bool>) -> impl IntoView {
    let id = id_of(&to).to_owned();
    let is_team = matches!(to, Grantee::Team(_));
    let key = StoredValue::new(to.clone());
    let role = memo(move || {
        let sharing = share.sharing.read();
        let grants = sharing.iter().flat_map(|sharing| &sharing.grants);
        let mut grants = grants.filter(|grant| key.with_value(|to| grant.to == *to));
        grants.next().map(|grant| grant.role).unwrap_or_default()
    });
    let shown =
        memo(move || share.sharing.read().as_ref().map(|all| Shown::of(&to, all)).unwrap_or_default());
    let name = move || shown.read().name.clone();
    let me = share.store.me;
    let is_me = memo(move || key.with_value(|to| matches!(to, Grantee::Account(id) if *id == me.read().id)));
    let persons = People::here().persons;
    let is_here = memo(move || {
        let persons = persons.read();
        key.with_value(
            |to| matches!(to, Grantee::Account(id) if persons.iter().any(|one| one.user.id == *id)),
        )
    });
    let choose = Callback::new(move |(chosen, list): (Role, HtmlSelectElement)| {
        share.grant(key.get_value(), Some(chosen), move |taken| {
            if !taken {
                list.set_value(role_name(role.get_untracked()));
            }
        });
    });
    let remove = move |_| {
        share.grant(key.get_value(), None, |taken| {
            if taken {
                // What was pressed goes with its line.
                dom::focus_soon(WHO);
            }
        });
    };
    let user = derived(move || shown.read().user.clone());
    view! {
        <li class="grant" data-testid="share-grant" data-to=id>
            {if is_team {
                view! { <span class="face"><Glyph icon=Icon::Team/></span> }.into_any()
            } else {
                view! { <Avatar user/> }.into_any()
            }}
            <div class="grant-words">
                <b>
                    {live(name)}
                    {live(move || is_me.get().then_some(" (you)"))}
                    {live(move || is_here.get().then(|| view! { <span class="here-now">"here now"</span> }))}
                </b>
                <small>{live(move || shown.read().says.clone())}</small>
            </div>
            {live(move || if owned.get() {
                view! {
                    <RoleSelect
                        role
                        label=derived(move || format!("Role of {}", shown.read().name))
                        testid="share-role"
                        choose
                    />
                    <button
                        type="button"
                        class="button icon"
                        data-testid="share-remove"
                        aria-label=attr(move || format!("Remove {}", shown.read().name))
                        title="Remove"
                        on:click=remove
                    >
                        <Glyph icon=Icon::Close/>
                    </button>
                }
                .into_any()
            } else {
                view! { <span class="quiet">{live(move || role_label(role.get()))}</span> }.into_any()
            })}
        </li>
    }
}

/// Who has a role, as it reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    pub name: String,
    /// A mail address, or how many people it is.
    pub says: String,
    pub user: User,
}

impl Shown {
    fn of(to: &Grantee, all: &Sharing) -> Self {
        let found = match to {
            Grantee::Account(id) => all.people.iter().find(|one| one.id == *id).map(Self::person),
            Grantee::Team(id) => all.teams.iter().find(|one| one.id == *id).map(|one| Self {
                name: one.name.clone(),
                says: format::count(one.members, "person", "people"),
                user: User::default(),
            }),
        };
        found.unwrap_or_else(|| Self { name: "Somebody who is no more".to_owned(), ..Self::default() })
    }

    /// Somebody with a name and a mail address.
    pub fn person(person: &Person) -> Self {
        let Person { id, name, color, email } = person.clone();
        Self { user: User { id, name: name.clone(), color }, name, says: email }
    }
}

/// Puts the address of the dashboard on the clipboard.
#[component]
fn CopyAddress() -> impl IntoView {
    let says = RwSignal::new(None::<&'static str>);
    let copy = move |_| {
        let path = window().location().pathname().unwrap_or_default();
        dom::copy(&format!("{}{path}", address::origin()), move |done| {
            let words = if done { "Copied" } else { "This browser lets no button copy here." };
            // The dialog may be closed by then.
            let _ = says.try_set(Some(words));
        });
    };
    view! {
        <button type="button" class="button line" data-testid="share-copy" on:click=copy>
            <Glyph icon=Icon::Copy/>
            "Copy the address"
        </button>
        <span class="quiet" role="status">{live(move || says.get())}</span>
    }
}
