//! Dialog in which somebody chooses the screen that is to show the dashboard.

use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::icon::{Glyph, Icon};
use super::problem::Problem;
use crate::app::access::Sharing;
use crate::app::dashboard_store::{DashboardStore, ToastAction};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::requests::{self, RequestError};
use crate::app::screens::{ScreenCard, ScreenChange};
use crate::app::{address, format};
use crate::dashboard::{DashboardId, Id};

#[component]
pub fn ScreenDialog(store: DashboardStore) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    // `None` until the server has told.
    let screens = RwSignal::new(None::<Vec<ScreenCard>>);
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        }
    });
    effect(move || {
        spawn_local(async move {
            let answer = of_team(&store.id.get_value()).await;
            // The dialog may be closed by then.
            if problem.try_set(answer.as_ref().err().map(ToString::to_string)).is_none() {
                screens.set(Some(answer.unwrap_or_default()));
            }
        });
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let choose = move |card: &ScreenCard| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let (id, name) = (card.id.clone(), card.name.clone());
        let before: Vec<DashboardId> = card.dashboards.iter().map(|one| one.id.clone()).collect();
        spawn_local(async move {
            let answer = point(&id, vec![store.id.get_value()]).await;
            // The dialog may be closed by then.
            let is_open = busy.try_set(false).is_none();
            match answer {
                Ok(()) => {
                    // One that showed nothing has nothing to go back to.
                    let undo = (!before.is_empty()).then_some(ToastAction::Screen { id, dashboards: before });
                    store.toast(format!("Shown on {name}."), undo);
                    if is_open {
                        close();
                    }
                }
                Err(error) if is_open => problem.set(Some(format!("{name} shows what it showed. {error}"))),
                Err(error) => store.toast(format!("{name} shows what it showed. {error}"), None),
            }
        });
    };
    let here = store.id.get_value();
    let row = move |card: ScreenCard| {
        let is_shown = matches!(card.dashboards.as_slice(), [one] if one.id == here);
        let says = in_words(&card, is_shown);
        let (id, name) = (card.id.to_string(), card.name.clone());
        view! {
            <li>
                <button
                    type="button"
                    class="item"
                    data-testid="screen-choice"
                    data-screen=id
                    disabled=is_shown
                    on:click=move |_| choose(&card)
                >
                    <Glyph icon=Icon::Screen/>
                    <span class="grant-words"><b>{name}</b><small>{says}</small></span>
                </button>
            </li>
        }
    };
    let says = memo(move || match &*screens.read() {
        None => Some("Looking for screens."),
        Some(found) if found.is_empty() => {
            Some("There is no screen of this dashboard's team that you may change.")
        }
        Some(_) => None,
    });
    view! {
        <dialog
            class="import-dialog screen-dialog"
            node_ref=dialog
            data-testid="screen-dialog"
            aria-label="Show on a screen"
            // What is typed here is no key of the page. Esc is the dialog's own.
            on:keydown=|event| event.stop_propagation()
            on:close=move |_| store.choosing_screen.set(false)
        >
            <div class="dialog-head">
                <h2>"Show on a screen"</h2>
                <span class="grow"></span>
                <button type="button" class="button icon" aria-label="Close" on:click=move |_| close()>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
            <Problem problem/>
            <ul class="screen-choices" aria-label="Screens" aria-busy=attr(move || screens.read().is_none().to_string())>
                {each(move || screens.get().unwrap_or_default(), |card| card.id.clone(), row)}
            </ul>
            <p class="quiet" role="status">{live(move || says.get())}</p>
            <div class="dialog-foot">
                <a class="button line" href=address::to("/screens")>"Pair or change screens"</a>
            </div>
        </dialog>
    }
}

/// The screens that can show a dashboard: those of the team that owns it, by name.
async fn of_team(dashboard: &DashboardId) -> Result<Vec<ScreenCard>, RequestError> {
    let all = requests::request::<Vec<ScreenCard>>("GET", "/api/v1/screens", None).await?;
    let sharing = format!("/api/v1/dashboards/{dashboard}/access");
    let team = requests::request::<Sharing>("GET", &sharing, None).await?.team;
    Ok(all.into_iter().filter(|card| Some(&card.team) == team.as_ref()).collect())
}

/// What a screen shows now.
fn in_words(card: &ScreenCard, is_shown: bool) -> String {
    let shows = match card.dashboards.as_slice() {
        _ if is_shown => "shows this already".to_owned(),
        [] => "shows nothing".to_owned(),
        [one] => format!("shows {}", format::plain_title(&one.title)),
        all => format!("shows {} in turns", format::count(all.len(), "dashboard", "dashboards")),
    };
    if card.is_on { shows } else { format!("{shows} · off") }
}

/// Has a screen show other dashboards.
async fn point(screen: &Id, dashboards: Vec<DashboardId>) -> Result<(), RequestError> {
    let change = ScreenChange { dashboards: Some(dashboards), ..ScreenChange::default() };
    requests::send("PUT", &format!("/api/v1/screens/{screen}"), Some(&json!(change))).await.map(|_| ())
}

/// Has a screen show again what it showed before.
pub fn point_back(store: DashboardStore, screen: Id, dashboards: Vec<DashboardId>) {
    spawn_local(async move {
        let says = match point(&screen, dashboards).await {
            Ok(()) => "The screen shows again what it showed before.".to_owned(),
            Err(error) => format!("The screen shows this dashboard still. {error}"),
        };
        store.toast(says, None);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screens::ScreenDashboard;

    #[test]
    fn a_screen_is_told_by_what_it_shows() {
        let dashboard = |id: &str| ScreenDashboard {
            id: DashboardId::new(id).expect("an id"),
            title: format!("Of {id}"),
        };
        let card = ScreenCard {
            id: Id::new("s").expect("an id"),
            name: "Hall".to_owned(),
            team: Id::new("t").expect("an id"),
            team_name: "Ops".to_owned(),
            dashboards: vec![dashboard("a")],
            rotate_s: 30,
            used_at: 0,
            is_on: true,
            made_by: String::new(),
            made_at: 0,
            address: String::new(),
        };
        assert_eq!(in_words(&card, false), "shows Of a");
        assert_eq!(in_words(&card, true), "shows this already");
        let card = ScreenCard { dashboards: vec![dashboard("a"), dashboard("b")], is_on: false, ..card };
        assert_eq!(in_words(&card, false), "shows 2 dashboards in turns · off");
        assert_eq!(in_words(&ScreenCard { dashboards: Vec::new(), ..card }, false), "shows nothing · off");
    }
}
