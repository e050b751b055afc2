//! The dialog in which the dashboard's variables are made, changed and removed.

use leptos::html::{Dialog, Input, Textarea};
use leptos::prelude::*;
use serde_json::Value;

use super::icon::{Glyph, Icon};
use super::variable_uses::Uses;
use crate::app::dashboard_store::{DashboardStore, ToastAction};
use crate::app::dynamic::{attr, each, effect, live, memo};
use crate::app::format;
use crate::dashboard::Op;
use crate::dashboard::settings::{
    self, CHOSEN, MAX_CHOICE_CHARS, MAX_CHOICES, MAX_CHOSEN_CHARS, MAX_REGEX_CHARS, MAX_VARIABLE_NAME,
    MAX_VARIABLES, Settings, VARIABLE, ValuesOf, Variable, is_variable_name,
};
use crate::sync::replica::Seen;

/// What series by name are called where a source has to be named.
const SERIES: &str = "series";

/// Which variable is edited: one by its name, or a new one.
#[derive(Clone, Debug, PartialEq)]
enum Edited {
    New,
    Old(String),
}

#[component]
pub fn VariablesEditor(store: DashboardStore) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let edited = RwSignal::new(None::<Edited>);
    let names = memo(move || {
        let settings = store.settings.read();
        settings::variables(&settings).map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    });
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
    view! {
        <dialog
            class="import-dialog variables-editor"
            node_ref=dialog
            data-testid="variables-editor"
            aria-label="Variables of this dashboard"
            // What is typed here is no key of the page. Esc is the dialog's own.
            on:keydown=|event| event.stop_propagation()
            on:close=move |_| store.editing_variables.set(false)
        >
            <div class="dialog-head">
                <h2>"Variables"</h2>
                <span class="grow"></span>
                <button type="button" class="button icon" aria-label="Close" on:click=close>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
            <p class="quiet">
                "A variable stands for a value in queries, titles and notes: " <code>"$name"</code>
                ". What is chosen holds for everybody."
            </p>
            <ul class="variables-list">
                {each(move || names.get(), String::clone, move |name| view! { <Row name store edited/> })}
            </ul>
            {live(move || (edited.get() == Some(Edited::New)).then(|| view! { <Form name=None store edited/> }))}
            <div class="dialog-foot" class:hidden=attr(move || edited.read().is_some())>
                <button
                    type="button"
                    class="button line"
                    data-testid="variable-add"
                    disabled=attr(move || names.read().len() >= MAX_VARIABLES)
                    on:click=move |_| edited.set(Some(Edited::New))
                >
                    <Glyph icon=Icon::Plus/>
                    "Add a variable"
                </button>
                <span class="grow"></span>
                <button type="button" class="button primary" on:click=close>"Done"</button>
            </div>
        </dialog>
    }
}

fn variable(settings: &Settings, name: &str) -> Variable {
    settings::variables(settings).find(|(known, _)| *known == name).map(|(_, one)| one).unwrap_or_default()
}

#[component]
fn Row(name: String, store: DashboardStore, edited: RwSignal<Option<Edited>>) -> impl IntoView {
    let key = StoredValue::new(name.clone());
    let says = memo(move || {
        let one = key.with_value(|key| variable(&store.settings.read(), key));
        let what = match (&one.values_of, one.choices.as_slice()) {
            (Some(of), _) if of.source == SERIES => format!("values of {} of series by name", of.label),
            (Some(of), _) => format!("values of {} in {}", of.label, of.source),
            (None, [only]) => format!("always “{only}”"),
            (None, choices) => format::count(choices.len(), "choice", "choices"),
        };
        if one.label.is_empty() { what } else { format!("{} · {what}", one.label) }
    });
    let open = memo(move || *edited.read() == Some(Edited::Old(key.get_value())));
    let remove = move |_| {
        let name = key.get_value();
        let before = store.settings.get_untracked();
        let fields = [format!("{VARIABLE}{name}"), format!("{CHOSEN}{name}")];
        let fields: Vec<String> = fields.into_iter().filter(|field| before.contains_key(field)).collect();
        let set = |field: &String, value: Value| Op::SetDashboard { field: field.clone(), value };
        let back = fields.iter().map(|field| set(field, before[field].clone())).collect();
        store.edit(fields.iter().map(|field| set(field, Value::Null)).collect());
        let action = ToastAction::Edit { label: "Undo".to_owned(), ops: back };
        store.toast(format!("Removed the variable ${name}."), Some(action));
    };
    let edit_name = name.clone();
    view! {
        <li>
            <div class="variables-row" class:hidden=open>
                <code>{format!("${name}")}</code>
                <span class="says">{says}</span>
                <button
                    type="button"
                    class="button icon"
                    data-testid=format!("variable-edit-{name}")
                    aria-label=format!("Edit ${name}")
                    on:click=move |_| edited.set(Some(Edited::Old(edit_name.clone())))
                >
                    <Glyph icon=Icon::Pencil/>
                </button>
                <button
                    type="button"
                    class="button icon"
                    data-testid=format!("variable-remove-{name}")
                    aria-label=format!("Remove ${name}")
                    on:click=remove
                >
                    <Glyph icon=Icon::Trash/>
                </button>
            </div>
            {live(move || open.get().then(|| view! { <Form name=Some(key.get_value()) store edited/> }))}
        </li>
    }
}

/// One variable as a whole: it is one cell, so it is written at once.
#[component]
fn Form(name: Option<String>, store: DashboardStore, edited: RwSignal<Option<Edited>>) -> impl IntoView {
    let began: Seen = store.seen();
    let before =
        name.as_ref().map(|name| variable(&store.settings.read_untracked(), name)).unwrap_or_default();
    let key = StoredValue::new((name.clone(), began));
    let asks = RwSignal::new(before.values_of.is_some());
    let (multi, hidden) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let wrong = RwSignal::new(None::<String>);
    let (called, label) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let choices = NodeRef::<Textarea>::new();
    let (source, of_label, of) = (NodeRef::<Input>::new(), NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let regex = NodeRef::<Input>::new();
    effect(move || {
        if let Some(input) = called.get() {
            crate::app::dom::focus_and_select(&input);
        }
    });
    let read = |input: NodeRef<Input>| {
        input.get_untracked().map(|input| input.value().trim().to_owned()).unwrap_or_default()
    };
    let save = move || {
        let now = Written {
            name: read(called),
            label: read(label),
            choices: choices.get_untracked().map(|area| area.value()).unwrap_or_default(),
            multi: multi.get_untracked().is_some_and(|multi| multi.checked()),
            hidden: hidden.get_untracked().is_some_and(|hidden| hidden.checked()),
            values: asks.get_untracked().then(|| [read(source), read(of_label), read(of), read(regex)]),
        };
        let (old, began) = key.get_value();
        let settings = store.settings.get_untracked();
        let name = now.name().to_owned();
        match now.ops(old.as_deref(), &settings) {
            Ok(ops) => {
                match old.filter(|old| *old != name) {
                    Some(old) => {
                        let uses = Uses::in_store(store, &old, &name);
                        let told = uses.told(&old, &name);
                        store.live(|live| live.edit_along(ops, began, uses.along));
                        // What was not taken says so itself.
                        if store.settings.with_untracked(|all| all.contains_key(&format!("{VARIABLE}{name}")))
                        {
                            store.toast(told, None);
                        }
                    }
                    None if !ops.is_empty() => store.live(|live| live.edit_begun(ops, began)),
                    None => {}
                }
                edited.set(None);
            }
            Err(says) => wrong.set(Some(says)),
        }
    };
    let used = memo(move || {
        let old = key.with_value(|(old, _)| old.clone());
        store.settings.track();
        old.map_or(0, |old| Uses::in_store(store, &old, &old).places)
    });
    let values = before.values_of.clone();
    let part = move |of: fn(ValuesOf) -> String| values.clone().map(of).unwrap_or_default();
    view! {
        <form class="variable-form" on:submit=move |event| { event.prevent_default(); save(); } on:input=move |_| wrong.set(None)>
            <div class="two">
                <label class="field">
                    <span class="label">"Name"</span>
                    <input
                        type="text" node_ref=called data-testid="variable-name" value=name.unwrap_or_default()
                        placeholder="host" maxlength=MAX_VARIABLE_NAME.to_string() autocomplete="off" spellcheck="false"
                    />
                </label>
                <label class="field">
                    <span class="label">"Label"</span>
                    <input
                        type="text" node_ref=label data-testid="variable-label" value=before.label
                        placeholder="Host" maxlength=MAX_CHOICE_CHARS.to_string() autocomplete="off"
                    />
                </label>
            </div>
            <div class="kinds" role="group" aria-label="Where its values come from">
                <label><input type="radio" name="variable-kind" prop:checked=attr(move || !asks.get()) on:change=move |_| asks.set(false)/>"A list"</label>
                <label><input type="radio" name="variable-kind" data-testid="variable-asks" prop:checked=attr(move || asks.get()) on:change=move |_| asks.set(true)/>"Values of a label"</label>
            </div>
            <label class="field">
                <span class="label">{live(move || if asks.get() { "Before these, one on each line (.* is all of them)" } else { "Choices, one on each line" })}</span>
                <textarea node_ref=choices rows="3" data-testid="variable-choices" spellcheck="false" prop:value=before.choices.join("\n")></textarea>
            </label>
            <div class:hidden=attr(move || !asks.get())>
                <div class="two">
                    <label class="field">
                        <span class="label">"Source"</span>
                        <input type="text" node_ref=source data-testid="variable-source" value=part(|of| of.source) placeholder="series by name" autocomplete="off" spellcheck="false"/>
                    </label>
                    <label class="field">
                        <span class="label">"Label whose values can be chosen"</span>
                        <input type="text" node_ref=of_label data-testid="variable-of-label" value=part(|of| of.label) placeholder="instance" autocomplete="off" spellcheck="false"/>
                    </label>
                </div>
                <div class="two">
                    <label class="field">
                        <span class="label">"Of which series"</span>
                        <input type="text" node_ref=of data-testid="variable-of" value=part(|of| of.of) placeholder="all" autocomplete="off" spellcheck="false"/>
                    </label>
                    <label class="field">
                        <span class="label">"Picked by a regular expression"</span>
                        <input type="text" node_ref=regex data-testid="variable-regex" value=part(|of| of.regex) placeholder="/(.*):9100/" maxlength=MAX_REGEX_CHARS.to_string() autocomplete="off" spellcheck="false"/>
                    </label>
                </div>
            </div>
            <label class="check">
                <input type="checkbox" node_ref=multi data-testid="variable-multi" checked=before.multi/>
                <span>
                    "Several can be chosen at once. Queries name them as " <code>{"orders{host=$host}"}</code>
                    " for series by name, and as " <code>{"orders{host=~\"$host\"}"}</code> " in PromQL."
                </span>
            </label>
            <label class="check">
                <input type="checkbox" node_ref=hidden data-testid="variable-hidden" checked=before.hidden/>
                <span>"Not in the header"</span>
            </label>
            {live(move || {
                let used = used.get();
                let says = format!("Used in {}: another name is written there too.", format::count(used, "place", "places"));
                (used > 0).then(|| view! { <p class="quiet" data-testid="variable-used">{says}</p> })
            })}
            <p class="problem" role="alert" data-testid="variable-wrong" class:hidden=attr(move || wrong.read().is_none())>{live(move || wrong.get())}</p>
            <div class="dialog-foot">
                <span class="grow"></span>
                <button type="button" class="button" on:click=move |_| edited.set(None)>"Cancel"</button>
                <button type="submit" class="button primary" data-testid="variable-save">"Save"</button>
            </div>
        </form>
    }
}

/// What somebody wrote of a variable.
#[derive(Clone, Debug, Default)]
struct Written {
    name: String,
    label: String,
    choices: String,
    multi: bool,
    hidden: bool,
    /// Source, label, series and what picks from the values, where a source is asked.
    values: Option<[String; 4]>,
}

impl Written {
    fn name(&self) -> &str {
        self.name.trim_start_matches('$')
    }

    /// The ops that make it so; errors say what does not fit.
    fn ops(self, old: Option<&str>, settings: &Settings) -> Result<Vec<Op>, String> {
        let name = self.name().to_owned();
        if !is_variable_name(&name) {
            return Err(format!(
                "A name begins with a letter, has letters, digits and _, and at most {MAX_VARIABLE_NAME} of them."
            ));
        }
        let field = format!("{VARIABLE}{name}");
        if old != Some(&*name) && settings.contains_key(&field) {
            return Err(format!("There is a variable ${name} already."));
        }
        let mut choices: Vec<String> = Vec::new();
        for line in self.choices.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !choices.iter().any(|known| known == line) {
                choices.push(line.to_owned());
            }
        }
        if choices.len() > MAX_CHOICES || choices.iter().any(|one| one.chars().count() > MAX_CHOICE_CHARS) {
            return Err(format!(
                "There is room for {MAX_CHOICES} choices of {MAX_CHOICE_CHARS} characters each."
            ));
        }
        let values_of = match self.values {
            Some([_, label, ..]) if label.is_empty() => {
                return Err("Say for which label values are asked.".to_owned());
            }
            Some([source, label, of, regex]) => {
                let source = if source.is_empty() { SERIES.to_owned() } else { source };
                Some(ValuesOf { source, label, of, regex })
            }
            None if choices.is_empty() => return Err("Say at least one value.".to_owned()),
            None => None,
        };
        let variable =
            Variable { label: self.label, choices, values_of, multi: self.multi, hidden: self.hidden };
        let value = serde_json::to_value(&variable).map_err(|error| error.to_string())?;
        let set = |field: String, value: Value| Op::SetDashboard { field, value };
        let mut ops = Vec::new();
        let chosen = old.and_then(|old| settings.get(&format!("{CHOSEN}{old}"))?.as_str());
        let renamed = old.filter(|old| *old != name);
        if let Some(old) = renamed {
            ops.push(set(format!("{VARIABLE}{old}"), Value::Null));
            if chosen.is_some() {
                ops.push(set(format!("{CHOSEN}{old}"), Value::Null));
            }
        }
        if settings.get(&field) != Some(&value) {
            ops.push(set(field, value));
        }
        // What is chosen goes along, as it is chosen now, unless it can be chosen no more.
        let values = old.zip(chosen).map(|(old, chosen)| self::variable(settings, old).values(chosen));
        let still = values.and_then(|values| {
            let can =
                variable.values_of.is_some() || values.iter().all(|value| variable.choices.contains(value));
            variable.chosen(&values).filter(|now| can && now.chars().count() <= MAX_CHOSEN_CHARS)
        });
        let before = chosen.filter(|_| renamed.is_none());
        if still.as_deref() != before {
            ops.push(set(format!("{CHOSEN}{name}"), Value::from(still)));
        }
        Ok(ops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings() -> Settings {
        [("variable.host", json!({ "choices": ["a", "b"] })), ("value.host", json!("b"))]
            .map(|(field, value)| (field.to_owned(), value))
            .into()
    }

    fn fields(written: Written, old: Option<&str>) -> Vec<(String, Value)> {
        let ops = written.ops(old, &settings()).expect("it fits");
        let pair = |op| match op {
            Op::SetDashboard { field, value } => (field, value),
            other => panic!("{other:?}"),
        };
        ops.into_iter().map(pair).collect()
    }

    fn written(name: &str, choices: &str) -> Written {
        Written { name: name.to_owned(), choices: choices.to_owned(), ..Written::default() }
    }

    #[test]
    fn a_variable_is_made_changed_and_renamed_with_what_is_chosen() {
        let field = |field: &str, value: Value| (field.to_owned(), value);
        let made = fields(written("$env", "x\n\n y \nx"), None);
        assert_eq!(made, [field("variable.env", json!({ "choices": ["x", "y"] }))]);
        assert_eq!(fields(written("host", "a\nb"), Some("host")), []);
        let fewer = fields(written("host", "a"), Some("host"));
        assert_eq!(
            fewer,
            [field("variable.host", json!({ "choices": ["a"] })), field("value.host", Value::Null)]
        );
        let renamed = fields(written("node", "a\nb"), Some("host"));
        let expected = [
            field("variable.host", Value::Null),
            field("value.host", Value::Null),
            field("variable.node", json!({ "choices": ["a", "b"] })),
            field("value.node", json!("b")),
        ];
        assert_eq!(renamed, expected);
        let hidden = fields(Written { hidden: true, ..written("job", "a") }, None);
        assert_eq!(hidden[0].1, json!({ "choices": ["a"], "hidden": true }));
        let values = Some(["main".to_owned(), "job".to_owned(), String::new(), String::new()]);
        let asks = fields(Written { values, ..written("job", "") }, None);
        assert_eq!(asks[0].1, json!({ "values_of": { "source": "main", "label": "job" } }));
        let values = Some([String::new(), "host".to_owned(), "orders".to_owned(), "/a/".to_owned()]);
        let asks = fields(Written { values, ..written("env", "") }, None);
        let expected =
            json!({ "values_of": { "source": "series", "label": "host", "of": "orders", "regex": "/a/" } });
        assert_eq!(asks[0].1, expected, "series by name where no source is named");
    }

    #[test]
    fn what_is_chosen_stays_so_when_several_can_be_and_when_one_can() {
        let turned = |multi: bool, chosen: &str| {
            let settings: Settings = [
                ("variable.v", json!({ "choices": ["C++", "b"], "multi": !multi })),
                ("value.v", json!(chosen)),
            ]
            .map(|(field, value)| (field.to_owned(), value))
            .into();
            let ops = Written { multi, ..written("v", "C++\nb") }.ops(Some("v"), &settings);
            match ops.expect("it fits").pop() {
                Some(Op::SetDashboard { field, value }) if field == "value.v" => Some(value),
                _ => None,
            }
        };
        assert_eq!(turned(true, "C++"), Some(json!(r"(C\\+\\+)")));
        assert_eq!(turned(false, r"(C\\+\\+)"), Some(json!("C++")));
        assert_eq!(turned(false, r"(C\\+\\+|b)"), Some(Value::Null), "of several none is the one");
        assert_eq!(turned(true, "b"), None);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let says = |written: Written, old| written.ops(old, &settings()).expect_err("it does not fit");
        assert!(says(written("a b", "x"), None).contains("begins with a letter"));
        assert!(says(written("host", "x"), None).contains("already"));
        assert!(says(written("env", " \n"), None).contains("at least one"));
        assert!(says(written("env", &"x".repeat(201)), None).contains("200 characters"));
        let values = Some(["main", "", "", ""].map(str::to_owned));
        assert!(says(Written { values, ..written("env", "") }, None).contains("which label"));
    }
}
