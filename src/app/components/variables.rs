//! The row under the header in which everybody sees, and chooses, what the dashboard's variables stand for.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::icon::{Glyph, Icon};
use super::popup::Popup;
use crate::app::chunks::{Part, Parts};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dynamic::{attr, derived, each, effect, live, memo};
use crate::app::requests;
use crate::dashboard::Op;
use crate::dashboard::order::sorted;
use crate::dashboard::settings::{
    self, ALL, CHOSEN, MAX_CHOSEN_CHARS, Settings, VARIABLE, ValuesOf, Variable, variable_value,
};
use crate::dashboard::several::{any_of, is_pattern};

/// How long a variable shows that somebody else changed it.
const GLOW: Duration = Duration::from_secs(2);

/// A variable that there is something to choose of: its name, what people read, and what is chosen.
type Shown = (String, String, String);

fn choosable(settings: &Settings) -> Vec<Shown> {
    let all = settings::variables_in_turn(settings)
        .into_iter()
        .filter(|(_, one)| !one.hidden && (one.values_of.is_some() || one.choices.len() > 1));
    let shown = |(name, one): (&str, Variable)| {
        let value = variable_value(settings, name).unwrap_or_default();
        let reads = reads_chosen(&one.values(&value));
        let label = if one.label.is_empty() { name.to_owned() } else { one.label };
        (name.to_owned(), label, reads)
    };
    all.map(shown).collect()
}

/// What is chosen as people read it.
fn reads_chosen(values: &[String]) -> String {
    values.iter().map(|one| reads(one)).collect::<Vec<_>>().join(", ")
}

/// What is chosen of several after a value was ticked or its tick taken away: in the order in which they are
/// offered, and a pattern, as all of them, only by itself. `None` for nothing.
fn toggled(chosen: &[String], offered: &[String], value: &str) -> Option<String> {
    let mut all: Vec<String> = chosen.iter().filter(|one| !one.is_empty()).cloned().collect();
    let place = |value: &String| offered.iter().position(|other| other == value);
    match all.iter().position(|one| one == value) {
        Some(at) => drop(all.remove(at)),
        None if is_pattern(value) => all = vec![value.to_owned()],
        None => {
            all.retain(|one| !is_pattern(one));
            all.push(value.to_owned());
            all = sorted(all, |a, b| place(a).cmp(&place(b)));
        }
    }
    (!all.is_empty()).then(|| any_of(&all))
}

/// A value as people read it.
fn reads(value: &str) -> String {
    match value {
        "" => "choose …".to_owned(),
        ALL => "All".to_owned(),
        value => value.to_owned(),
    }
}

/// The row: in words until the code for choosing is there.
#[component]
pub fn VariableRow(store: DashboardStore) -> impl IntoView {
    let parts = Parts::here();
    let shown = memo(move || choosable(&store.settings.read()));
    let any = memo(move || !shown.read().is_empty());
    let choosing = memo(move || parts.is_there());
    let words = move |(_, label, value): Shown| {
        view! { <span class="variable"><span class="label">{label}</span><span class="value">{value}</span></span> }
    };
    live(move || {
        any.get().then(|| {
            view! {
                <section class="variables" aria-label="Variables" data-testid="variables">
                    {live(move || match choosing.get() {
                        true => parts.show(Part::Variables),
                        false => shown.get().into_iter().map(words).collect_view().into_any(),
                    })}
                </section>
            }
        })
    })
}

/// What there is to choose, and the way to the editor.
#[component]
pub fn VariableChoices(store: DashboardStore) -> impl IntoView {
    let names =
        memo(move || choosable(&store.settings.read()).into_iter().map(|one| one.0).collect::<Vec<_>>());
    let read_only = memo(move || !store.may_edit.get());
    view! {
        {each(move || names.get(), String::clone, move |name| view! { <VariableChoice name store/> })}
        <button
            type="button"
            class="button icon"
            class:hidden=read_only
            data-testid="variables-edit"
            aria-label="Edit the variables"
            title="Edit the variables"
            aria-haspopup="dialog"
            on:click=move |_| store.editing_variables.set(true)
        >
            <Glyph icon=Icon::Pencil/>
        </button>
    }
}

#[component]
fn VariableChoice(name: String, store: DashboardStore) -> impl IntoView {
    let key = StoredValue::new(name.clone());
    let variable = memo(move || {
        let settings = store.settings.read();
        let found =
            key.with_value(|key| settings::variables(&settings).find(|(name, _)| *name == key.as_str()));
        found.map(|(_, variable)| variable).unwrap_or_default()
    });
    let value = memo(move || {
        let settings = store.settings.read();
        key.with_value(|key| variable_value(&settings, key)).unwrap_or_default()
    });
    let values = memo(move || variable.read().values(&value.read()));
    let label = memo(move || {
        let label = variable.read().label.clone();
        if label.is_empty() { key.get_value() } else { label }
    });
    let found = RwSignal::new(Vec::<String>::new());
    let problem = RwSignal::new(None::<String>);
    let asked = memo(move || {
        let values = variable.read().values_of.clone()?;
        // Its variables go along: the source writes their values as its language needs them.
        let chosen = settings::chosen_in(&store.settings.read(), &values.of);
        Some((values, serde_json::to_string(&chosen).unwrap_or_default()))
    });
    let ask = move || {
        let Some(asks) = asked.get_untracked() else { return };
        spawn_local(async move {
            let values = values_of(&asks).await;
            // The variable may be gone by then, or ask for something else.
            let current = asked.try_get_untracked().flatten() == Some(asks);
            if !current {
                return;
            }
            match values {
                Ok(values) => {
                    found.set(values);
                    problem.set(None);
                }
                Err(error) => problem.set(Some(format!("Its values cannot be read just now. {error}"))),
            }
        });
    };
    effect(move || {
        asked.track();
        ask();
    });
    let options = memo(move || {
        let mut all = variable.read().choices.clone();
        for one in found.read().iter().chain(&*values.read()) {
            if !all.contains(one) {
                all.push(one.clone());
            }
        }
        // Nothing is offered only where nothing is chosen.
        all.retain(|one| !one.is_empty() || (value.read().is_empty() && !variable.read().multi));
        all
    });
    let glow = passing_glow(store, &name);
    let wrong = RwSignal::new(None::<String>);
    let choose = move |chosen: Option<String>| {
        let long = chosen.as_ref().is_some_and(|chosen| chosen.chars().count() > MAX_CHOSEN_CHARS);
        wrong.set(long.then(|| "There is no room for more at once.".to_owned()));
        let field = format!("{CHOSEN}{}", key.get_value());
        let changes = match &chosen {
            Some(chosen) => *chosen != *value.read_untracked(),
            None => store.settings.read_untracked().contains_key(&field),
        };
        if !long && changes {
            store.edit(vec![Op::SetDashboard { field, value: Value::from(chosen) }]);
        }
    };
    let option = move |one: String| {
        let (text, own) = (reads(&one), one.clone());
        view! { <option value=one prop:selected=attr(move || *value.read() == own)>{text}</option> }
    };
    let read_only = memo(move || !store.may_edit.get());
    let select = {
        let testid = format!("variable-{name}");
        move || {
            view! {
                <select
                    data-testid=testid.clone()
                    aria-label=label
                    data-problem=attr(move || problem.read().is_some().then_some("true"))
                    disabled=read_only
                    on:focus=move |_| ask()
                    on:change:target=move |event| choose(Some(event.target().value()))
                >
                    {each(move || options.get(), String::clone, option)}
                </select>
            }
            .into_any()
        }
    };
    let tick = move |one: String| {
        let (text, own) = (reads(&one), StoredValue::new(one));
        let ticked = memo(move || own.with_value(|own| values.read().contains(own)));
        let toggle = move || {
            choose(own.with_value(|own| toggled(&values.read_untracked(), &options.read_untracked(), own)));
            ticked.get_untracked()
        };
        view! {
            <label class="item">
                <input
                    type="checkbox"
                    disabled=read_only
                    prop:checked=attr(move || ticked.get())
                    // The box has changed by itself, also where what is chosen stays as it was.
                    on:change:target=move |event| event.target().set_checked(toggle())
                />
                <span>{text}</span>
            </label>
        }
    };
    let several = {
        let name = name.clone();
        move || {
            view! {
                <Popup
                    name=format!("variable-{name}")
                    testid=format!("variable-{name}")
                    class="value"
                    role="dialog"
                    label=derived(move || format!("{}: {}", label.read(), reads_chosen(&values.read())))
                    face=ViewFn::from(move || live(move || reads_chosen(&values.read())))
                >
                    <div class="several">
                        {each(move || options.get(), String::clone, tick)}
                    </div>
                    <p class="wrong" role="alert">{live(move || wrong.get())}</p>
                </Popup>
            }
            .into_any()
        }
    };
    let multi = memo(move || variable.read().multi);
    view! {
        <div
            class="variable"
            class:glow=attr(move || glow.read().is_some())
            style:--who=attr(move || glow.get().map(|(_, color)| color).unwrap_or_default())
            title=attr(move || problem.get().unwrap_or_default())
        >
            <span class="label">{label}</span>
            {live(move || if multi.get() { several() } else { select() })}
            {live(move || glow.get().map(|(name, _)| view! { <span class="tag passing">{name}</span> }))}
        </div>
    }
}

/// Who else changed a variable just now, and in which colour.
fn passing_glow(store: DashboardStore, name: &str) -> RwSignal<Option<(String, String)>> {
    let fields = [format!("{CHOSEN}{name}"), format!("{VARIABLE}{name}")];
    let glow = RwSignal::new(None);
    effect(move || {
        let Some((field, by)) = store.changed_setting.get() else { return };
        if fields.contains(&field) {
            glow.set(Some((by.name, by.color)));
            set_timeout(
                move || {
                    let _ = glow.try_set(None);
                },
                GLOW,
            );
        }
    });
    glow
}

/// The values that a label has in a source, or those that are picked, with what is chosen of the variables in what it is
/// asked.
async fn values_of(asks: &(ValuesOf, String)) -> Result<Vec<String>, requests::RequestError> {
    let (ValuesOf { source, label, of, regex }, variables) = asks;
    let [source, label, of, regex, variables] =
        [source, label, of, regex, variables].map(|text| requests::in_address(text));
    let path =
        format!("/api/v1/sources/{source}/values?label={label}&of={of}&regex={regex}&variables={variables}");
    let answer = requests::request::<Value>("GET", &path, None).await?;
    let values = answer.get("values").unwrap_or(&answer).as_array().cloned().unwrap_or_default();
    Ok(values.into_iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_there_is_to_choose_shows_and_neither_a_constant_nor_what_is_hidden_does() {
        let settings: Settings = [
            ("variable.env", json!({ "choices": ["prod"] })),
            ("variable.host", json!({ "label": "Host", "choices": ["a", "b"] })),
            ("value.host", json!("b")),
            ("variable.unseen", json!({ "choices": ["a", "b"], "hidden": true })),
            ("variable.job", json!({ "values_of": { "source": "main", "label": "job" } })),
        ]
        .map(|(field, value)| (field.to_owned(), value))
        .into();
        let shown =
            |name: &str, label: &str, value: &str| (name.to_owned(), label.to_owned(), value.to_owned());
        assert_eq!(choosable(&settings), [shown("host", "Host", "b"), shown("job", "job", "choose …")]);
        assert_eq!(
            (reads(".*"), reads(""), reads("a")),
            ("All".to_owned(), "choose …".to_owned(), "a".to_owned())
        );
    }

    #[test]
    fn several_values_are_ticked_one_by_one_in_the_order_in_which_they_are_offered() {
        let offered = [".*", "a", "b", "c"].map(str::to_owned);
        let several = Variable { multi: true, ..Variable::default() };
        let mut chosen = String::new();
        for (value, expected) in
            [("c", "c"), ("a", "(a|c)"), ("c", "a"), (".*", ".*"), ("b", "b"), ("a", "(a|b)"), ("a", "b")]
        {
            chosen = toggled(&several.values(&chosen), &offered, value).expect("something is chosen");
            assert_eq!(chosen, expected, "{value}");
        }
        assert_eq!(toggled(&several.values(&chosen), &offered, "b"), None);
        assert_eq!(reads_chosen(&several.values("(a|c)")), "a, c");
        let group = toggled(&[], &offered, "(a|b)").expect("it is chosen");
        assert_eq!(several.values(&group), ["(a|b)"], "a choice that reads as several is itself");
    }
}
