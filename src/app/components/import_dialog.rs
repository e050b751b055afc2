//! Import dialog: a file, a drop or a paste becomes a dashboard, and what could not be taken over
//! is listed.

use leptos::html::{Dialog, Textarea};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DragEvent, File, HtmlInputElement};

use super::icon::{Glyph, Icon};
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::{address, format, requests};
use crate::dashboard::DashboardId;
use crate::dashboard::export::Remark;

/// What the server made of a document.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
struct Made {
    id: DashboardId,
    title: String,
    widgets: usize,
    report: Vec<Remark>,
}

/// The button and, while it is open, its dialog.
#[component]
pub fn ImportButton() -> impl IntoView {
    let open = RwSignal::new(false);
    // Until the page is awake a press would be lost.
    let asleep = RwSignal::new(true);
    effect(move || asleep.set(false));
    view! {
        <button
            class="button line"
            type="button"
            data-testid="import"
            aria-haspopup="dialog"
            disabled=asleep
            on:click=move |_| open.set(true)
        >
            <Glyph icon=Icon::Upload/>
            "Import"
        </button>
        {live(move || open.get().then(|| view! { <ImportDialog open/> }))}
    }
}

#[component]
fn ImportDialog(open: RwSignal<bool>) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let made = RwSignal::new(None::<Made>);
    let sources = RwSignal::new(Vec::<String>::new());
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        }
    });
    spawn_local(async move {
        let known = requests::request::<Value>("GET", "/api/v1/sources", None).await.unwrap_or_default();
        let is_prometheus = |one: &&Value| one["kind"] == "prometheus";
        let names = known.as_array().into_iter().flatten().filter(is_prometheus);
        let names = names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect();
        // The dialog may be gone by then.
        let _ = sources.try_set(names);
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <dialog
            class="import-dialog"
            node_ref=dialog
            data-testid="import-dialog"
            aria-label="Import a dashboard"
            on:close=move |_| open.set(false)
        >
            <div class="dialog-head">
                <h2>{live(move || if made.read().is_some() { "Imported" } else { "Import a dashboard" })}</h2>
                <span class="grow"></span>
                <button type="button" class="button icon" aria-label="Close" on:click=move |_| close()>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
            {live(move || match made.get() {
                None => view! { <Choice made sources/> }.into_any(),
                Some(made) => view! { <Outcome made/> }.into_any(),
            })}
        </dialog>
    }
}

/// Where the document comes from.
#[component]
fn Choice(made: RwSignal<Option<Made>>, sources: RwSignal<Vec<String>>) -> impl IntoView {
    let text = NodeRef::<Textarea>::new();
    let source = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let over = RwSignal::new(false);
    let empty = RwSignal::new(true);
    let send = move |document: String| {
        busy.set(true);
        problem.set(None);
        let source = source.get_untracked();
        spawn_local(async move {
            let path = match source.is_empty() {
                true => "/api/v1/dashboards/import".to_owned(),
                false => format!("/api/v1/dashboards/import?source={}", requests::in_address(&source)),
            };
            let answer = requests::send_text("POST", &path, Some(document)).await;
            let read = answer.map_err(|error| error.to_string()).and_then(|answer| {
                serde_json::from_str::<Made>(&answer)
                    .map_err(|_| "The server answered something else.".to_owned())
            });
            // The dialog may be closed by then; the list shows what was made.
            let _ = busy.try_set(false);
            match read {
                Ok(new) => {
                    let _ = made.try_set(Some(new));
                }
                Err(error) => {
                    let _ = problem.try_set(Some(format!("Nothing was imported. {error}")));
                }
            }
        });
    };
    let take = move |file: Option<File>| {
        let Some(file) = file else { return };
        spawn_local(async move {
            match JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string()) {
                Some(text) => send(text),
                None => {
                    let _ = problem.try_set(Some("The file could not be read.".to_owned()));
                }
            }
        });
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        over.set(false);
        take(event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0)));
    };
    let chosen = move |event: leptos::ev::Event| {
        let input: Option<HtmlInputElement> = event.target().and_then(|target| target.dyn_into().ok());
        let Some(input) = input else { return };
        take(input.files().and_then(|files| files.get(0)));
        // The same file can be chosen again.
        input.set_value("");
    };
    let several = memo(move || sources.read().len() > 1);
    view! {
        <p class="quiet">"A document that Lockstep or Grafana exported, as JSON. It becomes a dashboard of its own."</p>
        <label
            class="drop"
            class:over=over
            on:dragover=move |event| { event.prevent_default(); over.set(true); }
            on:dragleave=move |_| over.set(false)
            on:drop=dropped
        >
            <Glyph icon=Icon::Upload/>
            <span><b>"Choose a file"</b>" or drop it here"</span>
            <input
                type="file"
                class="sr-only"
                accept=".json,application/json"
                data-testid="import-file"
                disabled=busy
                on:change=chosen
            />
        </label>
        <label class="field">
            <span class="label">"Or paste it"</span>
            <textarea
                node_ref=text
                rows="5"
                spellcheck="false"
                data-testid="import-text"
                placeholder="{ \"title\": …"
                on:input:target=move |event| empty.set(event.target().value().trim().is_empty())
            ></textarea>
        </label>
        {live(move || several.get().then(|| view! {
            <label class="field">
                <span class="label">"Charts of a Prometheus ask"</span>
                <select data-testid="import-source" on:change:target=move |event| source.set(event.target().value())>
                    {sources.get().into_iter().map(|name| view! { <option value=name.clone()>{name.clone()}</option> }).collect_view()}
                </select>
            </label>
        }))}
        <p class="problem" role="alert" data-testid="import-problem" class:hidden=attr(move || problem.read().is_none())>
            {live(move || problem.get())}
        </p>
        <div class="dialog-foot">
            <span class="quiet" role="status">{live(move || busy.get().then_some("Reading it …"))}</span>
            <span class="grow"></span>
            <button
                type="button"
                class="button primary"
                data-testid="import-submit"
                disabled=attr(move || busy.get() || empty.get())
                on:click=move |_| {
                    if let Some(text) = text.get_untracked() {
                        send(text.value());
                    }
                }
            >
                "Import"
            </button>
        </div>
    }
}

/// What came over, and what did not.
#[component]
fn Outcome(made: Made) -> impl IntoView {
    let Made { id, title, widgets, report } = made;
    let left = report.len();
    let says = match left {
        0 => "Everything came over.".to_owned(),
        1 => "One thing is not as it was:".to_owned(),
        n => format!("{n} things are not as they were:"),
    };
    let line = |Remark { what, why }: Remark| view! { <li><b>{what}</b>" "<span>{why}</span></li> };
    view! {
        <p role="status">
            {format!("“{title}” has {}. ", format::count(widgets, "widget", "widgets"))}
            {says}
        </p>
        {(left > 0).then(|| view! {
            <ul class="report" data-testid="import-report" tabindex="0" aria-label="What is not as it was">
                {report.into_iter().map(line).collect_view()}
            </ul>
        })}
        <div class="dialog-foot">
            <span class="grow"></span>
            <a class="button primary" href=address::to(&format!("/d/{id}")) data-testid="import-open" autofocus>
                {format!("Open “{title}”")}
            </a>
        </div>
    }
}
