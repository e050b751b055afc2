//! Fields of a screen: its name, the dashboards that it shows, and for how long each.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::screens::{MAX_DASHBOARDS, MAX_ROTATE_S, MIN_ROTATE_S, ScreenDashboard};
use crate::app::{DashboardList, dom, format, requests};
use crate::dashboard::{DashboardId, MAX_TITLE_CHARS};

/// Characters in a name; the server takes no longer one.
const MAX_NAME_CHARS: usize = 40;
/// Dashboards that are offered at once; another letter narrows them.
const MAX_OFFERED: usize = 8;
/// Typing is searched for once it has rested this long.
const TYPING: Duration = Duration::from_millis(200);
/// For how long each of several dashboards shows, where nobody says.
pub const USUAL_ROTATE_S: u32 = 30;

/// What was filled in. `Copy`: all of it are handles.
#[derive(Clone, Copy)]
pub struct Fields {
    pub name: RwSignal<String>,
    /// The id of the team whose dashboards are offered.
    pub team: RwSignal<String>,
    /// In the order of their turns.
    pub dashboards: RwSignal<Vec<ScreenDashboard>>,
    /// Seconds, as they are typed.
    pub rotate: RwSignal<String>,
    pub wrong: RwSignal<Wrong>,
}

/// What is wrong with which field, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    pub name: Option<String>,
    pub dashboards: Option<String>,
    pub rotate: Option<String>,
}

/// The values of fields that are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    pub name: String,
    pub dashboards: Vec<DashboardId>,
    pub rotate_s: u32,
}

impl Fields {
    pub fn new(name: String, team: String, dashboards: Vec<ScreenDashboard>, rotate_s: u32) -> Self {
        Self {
            name: RwSignal::new(name),
            team: RwSignal::new(team),
            dashboards: RwSignal::new(dashboards),
            rotate: RwSignal::new(rotate_s.to_string()),
            wrong: RwSignal::new(Wrong::default()),
        }
    }

    /// The values, or `None` where a field is wrong, which then says so.
    pub fn filled(self) -> Option<Filled> {
        let dashboards = self.dashboards.get_untracked().into_iter().map(|one| one.id).collect();
        let checked = check(&self.name.get_untracked(), dashboards, &self.rotate.get_untracked());
        self.wrong.set(checked.as_ref().err().cloned().unwrap_or_default());
        checked.ok()
    }
}

/// Errors with what is wrong with each field. For how long is asked where there are several dashboards only.
fn check(name: &str, dashboards: Vec<DashboardId>, rotate: &str) -> Result<Filled, Wrong> {
    let name = name.trim();
    let rotate_s =
        rotate.trim().parse().ok().filter(|seconds| (MIN_ROTATE_S..=MAX_ROTATE_S).contains(seconds));
    let is_asked = dashboards.len() > 1;
    let wrong = Wrong {
        name: name.is_empty().then(|| "Give the screen a name, such as the place where it hangs.".to_owned()),
        dashboards: dashboards.is_empty().then(|| "Choose at least one dashboard.".to_owned()),
        rotate: (is_asked && rotate_s.is_none())
            .then(|| format!("{MIN_ROTATE_S} to {MAX_ROTATE_S} seconds.")),
    };
    if wrong != Wrong::default() {
        return Err(wrong);
    }
    Ok(Filled { name: name.to_owned(), dashboards, rotate_s: rotate_s.unwrap_or(USUAL_ROTATE_S) })
}

/// Words on what is wrong with a field, which names them in `aria-describedby`.
#[component]
pub fn FieldProblem(id: String, problem: Memo<Option<String>>) -> impl IntoView {
    view! {
        <span class="problem" role="alert" id=id class:hidden=attr(move || problem.read().is_none())>
            {live(move || problem.get())}
        </span>
    }
}

/// The value of `aria-invalid`.
pub fn invalid(problem: Memo<Option<String>>) -> impl Fn() -> Option<&'static str> + Send + Sync + 'static {
    move || problem.read().is_some().then_some("true")
}

#[component]
pub fn NameField(
    fields: Fields,
    /// Unique on the page: what the ids of the fields begin with.
    id: String,
    testid: &'static str,
) -> impl IntoView {
    let problem = memo(move || fields.wrong.read().name.clone());
    let says = format!("{id}-name-problem");
    view! {
        <label class="field">
            <span class="label">"Name of the screen"</span>
            <input
                type="text"
                data-testid=testid
                maxlength=MAX_NAME_CHARS.to_string()
                autocomplete="off"
                placeholder="Hall 2"
                aria-invalid=attr(invalid(problem))
                aria-describedby=says.clone()
                prop:value=attr(move || fields.name.get())
                on:input:target=move |event| {
                    fields.name.set(event.target().value());
                    fields.wrong.update(|wrong| wrong.name = None);
                }
            />
            <FieldProblem id=says problem/>
        </label>
    }
}

/// For how long each dashboard shows; nothing where there is one alone.
#[component]
pub fn RotateField(fields: Fields, id: String, testid: &'static str) -> impl IntoView {
    let problem = memo(move || fields.wrong.read().rotate.clone());
    let several = memo(move || fields.dashboards.read().len() > 1);
    let says = format!("{id}-rotate-problem");
    view! {
        <label class="field short" class:hidden=attr(move || !several.get())>
            <span class="label">"Seconds for each"</span>
            <input
                type="number"
                inputmode="numeric"
                data-testid=testid
                min=MIN_ROTATE_S.to_string()
                max=MAX_ROTATE_S.to_string()
                step="1"
                aria-invalid=attr(invalid(problem))
                aria-describedby=says.clone()
                prop:value=attr(move || fields.rotate.get())
                on:input:target=move |event| {
                    fields.rotate.set(event.target().value());
                    fields.wrong.update(|wrong| wrong.rotate = None);
                }
            />
            <FieldProblem id=says problem/>
        </label>
    }
}

/// The dashboards that a screen shows, in the order of their turns, and a search for others of the team.
#[component]
pub fn DashboardsField(fields: Fields, id: String, testid: &'static str) -> impl IntoView {
    let problem = memo(move || fields.wrong.read().dashboards.clone());
    let query = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Vec<ScreenDashboard>>);
    let failed = RwSignal::new(None::<String>);
    let turn = StoredValue::new(0_u32);
    effect(move || {
        let (team, text) = (fields.team.get(), query.get());
        turn.update_value(|turn| *turn += 1);
        let mine = turn.get_value();
        let look = move || {
            // Another letter was typed since, or the page is gone.
            if turn.try_get_value() != Some(mine) {
                return;
            }
            spawn_local(async move {
                let answer = offered(&team, text.trim()).await;
                if turn.try_get_value() == Some(mine) {
                    failed.set(answer.as_ref().err().map(ToString::to_string));
                    found.set(answer.ok());
                }
            });
        };
        set_timeout(look, if query.read_untracked().is_empty() { Duration::ZERO } else { TYPING });
    });
    let search = format!("{id}-search");
    let back = StoredValue::new(search.clone());
    let others = move || {
        let chosen = fields.dashboards.read();
        let is_other = |one: &ScreenDashboard| chosen.iter().all(|own| own.id != one.id);
        found.read().iter().flatten().filter(|one| is_other(one)).cloned().collect::<Vec<_>>()
    };
    let is_full = memo(move || fields.dashboards.read().len() >= MAX_DASHBOARDS);
    let says = move || match (&*found.read(), is_full.get()) {
        _ if failed.read().is_some() => failed.get(),
        (_, true) => Some(format!("A screen shows at most {MAX_DASHBOARDS}.")),
        (Some(found), false) if found.is_empty() => {
            Some("No dashboard of this team is called that.".to_owned())
        }
        _ => None,
    };
    let add = move |one: ScreenDashboard| {
        fields.wrong.update(|wrong| wrong.dashboards = None);
        fields.dashboards.update(|all| all.push(one));
        // What was ticked goes elsewhere.
        back.with_value(|id| dom::focus_soon(id));
    };
    let remove = move |id: &DashboardId| {
        fields.dashboards.update(|all| all.retain(|one| one.id != *id));
        back.with_value(|id| dom::focus_soon(id));
    };
    let offer = move |one: ScreenDashboard| {
        let (data, title) = (one.id.to_string(), format::plain_title(&one.title));
        view! {
            <li data-dashboard=data>
                <label class="tick">
                    <input
                        type="checkbox"
                        disabled=is_full
                        prop:checked=false
                        on:change=move |_| add(one.clone())
                    />
                    {title}
                </label>
            </li>
        }
    };
    let problem_id = format!("{id}-dashboards-problem");
    let described_by = problem_id.clone();
    view! {
        <fieldset class="picker" data-testid=testid aria-describedby=described_by>
            <legend class="label">"Dashboards"</legend>
            <ol class="picked" aria-label="Shown, in this order">
                {each(
                    move || fields.dashboards.get(),
                    |one| one.id.clone(),
                    move |one| view! { <Picked one fields remove=Callback::new(move |id| remove(&id))/> },
                )}
            </ol>
            <FieldProblem id=problem_id problem/>
            <label class="field">
                <span class="sr-only">"Search the dashboards of the team"</span>
                <input
                    type="search"
                    id=search
                    data-testid=format!("{testid}-search")
                    placeholder="Search dashboards"
                    autocomplete="off"
                    spellcheck="false"
                    maxlength=MAX_TITLE_CHARS.to_string()
                    on:input:target=move |event| query.set(event.target().value())
                    on:keydown=|event| {
                        // It searches as one types; the form is sent by its button.
                        if event.key() == "Enter" {
                            event.prevent_default();
                        }
                    }
                />
            </label>
            <ul class="offered" aria-label="Others of the team">
                {each(others, |one| one.id.clone(), offer)}
            </ul>
            <p class="quiet" role="status">{live(says)}</p>
        </fieldset>
    }
}

/// A dashboard that was chosen. Its place among them is the place of its turn.
#[component]
fn Picked(one: ScreenDashboard, fields: Fields, remove: Callback<DashboardId>) -> impl IntoView {
    let (data, title) = (one.id.to_string(), format::plain_title(&one.title));
    let label = format!("Show {title} earlier");
    let id = StoredValue::new(one.id);
    let is_first = memo(move || {
        let all = fields.dashboards.read();
        id.with_value(|id| all.first().is_none_or(|first| first.id == *id))
    });
    let earlier = move |_| {
        fields.dashboards.update(|all| {
            let at = id.with_value(|id| all.iter().position(|one| one.id == *id)).unwrap_or(0);
            if at > 0 {
                all.swap(at - 1, at);
            }
        });
    };
    view! {
        <li data-dashboard=data>
            <label class="tick">
                <input
                    type="checkbox"
                    checked
                    prop:checked=true
                    on:change=move |_| remove.run(id.get_value())
                />
                {title}
            </label>
            <button
                type="button"
                class="button"
                aria-label=label
                class:hidden=is_first
                on:click=earlier
            >
                "Earlier"
            </button>
        </li>
    }
}

/// The first dashboards of a team whose titles have a text in them.
async fn offered(team: &str, text: &str) -> Result<Vec<ScreenDashboard>, requests::RequestError> {
    let (team, text) = (requests::in_address(team), requests::in_address(text));
    let url = format!("/api/v1/dashboards/list?team={team}&search={text}&order=title&limit={MAX_OFFERED}");
    let list = requests::request::<DashboardList>("GET", &url, None).await?;
    Ok(list.dashboards.into_iter().map(|card| ScreenDashboard { id: card.id, title: card.title }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        let id = |id: &str| DashboardId::new(id).expect("an id");
        let both = vec![id("a"), id("b")];
        let filled = Filled { name: "Hall 2".to_owned(), dashboards: both.clone(), rotate_s: 45 };
        assert_eq!(check(" Hall 2 ", both.clone(), " 45 "), Ok(filled));
        assert_eq!(
            check("Hall", vec![id("a")], "x").map(|one| one.rotate_s),
            Ok(USUAL_ROTATE_S),
            "one has no turns"
        );
        for seconds in ["4", "3601", "", "ten", "-5", "5.5"] {
            let wrong = check("Hall", both.clone(), seconds).expect_err("no such time");
            assert_eq!(
                (wrong.rotate.is_some(), wrong.name, wrong.dashboards),
                (true, None, None),
                "{seconds}"
            );
        }
        let wrong = check("  ", Vec::new(), "30").expect_err("nothing is filled in");
        assert!(wrong.name.is_some() && wrong.dashboards.is_some() && wrong.rotate.is_none());
    }
}
