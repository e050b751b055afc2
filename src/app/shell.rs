//! The HTML document around the app: what a browser gets before any WebAssembly runs.

use leptos::prelude::*;

use super::type_ahead::EARLY_INPUT;
use super::widgets::CHARTS_LOADED;
use super::{App, PAGE_DATA, Page, PageData, Theme, chunks, pages};
use crate::app::address;
use crate::dashboard::Dashboard;

/// The addresses of what a page loads, and the nonce of its inline script.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    pub css: String,
    pub js: String,
    pub wasm: String,
    pub charts_js: String,
    pub charts_css: String,
    /// What fetches the parts of a page that was built in parts.
    pub loader: Option<String>,
    /// The files of the part that shows every page but that of a dashboard.
    pub pages: Vec<String>,
    /// The files of the part that shows what is in widgets of kinds that come apart.
    pub contents: Vec<String>,
    pub nonce: String,
}

/// The whole document. The caller owns a reactive `Owner` and renders this with `to_html`.
///
/// Scripts stand in the head, so that the body holds the app and nothing else: hydration walks it from
/// its first node.
pub fn shell(data: &PageData, assets: &Assets) -> impl IntoView + use<> {
    provide_context(data.clone());
    let title = escaped(&document_title(&data.page));
    let theme = data.theme.map(Theme::name);
    // `<` never stands in the text of a script element as itself, so no title can close it.
    let json = serde_json::to_string(data).expect("page data has string keys only").replace('<', "\\u003c");
    let charts = matches!(data.page, Page::Dashboard { .. } | Page::LargeDashboard { .. } | Page::Offline);
    let Assets { css, js, wasm, charts_js, charts_css, loader, pages, contents, nonce } = assets.clone();
    // The loader asks for the script by the name that it was built with.
    let names = serde_json::json!({ "imports": { "/pkg/lockstep.js": js } }).to_string();
    let first_parts = match &data.page {
        Page::Dashboard { dashboard, .. } if chunks::needs_contents(dashboard) => contents,
        Page::Dashboard { .. } => Vec::new(),
        Page::LargeDashboard { .. } => contents,
        _ => pages,
    };
    // A script that imports runs at once; browsers put off one that is a module until much has been painted.
    let mut start = format!(
        "import({}).then(async ({{ default: init, hydrate }}) => {{\n\
         await init({{ module_or_path: {} }});\n\
         if (document.readyState === 'loading') await new Promise((then) => addEventListener('DOMContentLoaded', then));\n\
         hydrate();\n}});\n",
        text(&js),
        text(&wasm),
    );
    if charts {
        start += &format!(
            "document.addEventListener('load', (event) => {{\n\
             if (event.target.id === 'charts') dispatchEvent(new Event({}));\n}}, true);\n",
            text(CHARTS_LOADED),
        );
    }
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme data-base=address::attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <meta
                    name="description"
                    content="Dashboards that a whole team edits and watches at the same moment."
                />
                // Text of its own would come with the marks by which hydration finds it, and a title shows them.
                <title inner_html=title></title>
                <script nonce=nonce.clone() inner_html=EARLY_INPUT></script>
                {loader.clone().map(|_| view! {
                    <script type="importmap" nonce=nonce.clone() inner_html=names></script>
                })}
                // Before the styles: a script after them waits for them.
                <script nonce=nonce.clone() inner_html=start></script>
                <link rel="icon" type="image/svg+xml" href=address::to("/favicon.svg")/>
                <link rel="manifest" href=address::to("/manifest.webmanifest")/>
                <link rel="stylesheet" href=css/>
                <link rel="modulepreload" href=js nonce=nonce.clone()/>
                {loader.map(|loader| view! { <link rel="modulepreload" href=loader nonce=nonce.clone()/> })}
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin=""/>
                {first_parts.into_iter().map(|part| view! {
                    <link rel="preload" href=part r#as="fetch" r#type="application/wasm" crossorigin=""/>
                }).collect_view()}
                {charts.then(|| view! {
                    <link rel="stylesheet" href=charts_css/>
                    // Nobody waits for it, and to read it takes long.
                    <script async id="charts" src=charts_js nonce=nonce.clone()></script>
                })}
                <script id=PAGE_DATA type="application/json" inner_html=json></script>
            </head>
            <body><App show=pages::any/></body>
        </html>
    }
}

/// What the browser's tab says.
fn document_title(page: &Page) -> String {
    match page {
        Page::Dashboards { .. } => "Dashboards · Lockstep".to_owned(),
        Page::Dashboard { dashboard: Dashboard { title, .. }, .. } | Page::LargeDashboard { title, .. } => {
            format!("{title} · Lockstep")
        }
        Page::Bin { .. } => "Bin · Lockstep".to_owned(),
        Page::InBin { title, .. } => format!("{title} · Lockstep"),
        Page::Status { .. } => "Status · Lockstep".to_owned(),
        Page::Account { .. } => "Your account · Lockstep".to_owned(),
        Page::Screens { .. } => "Screens · Lockstep".to_owned(),
        Page::Admin { .. } => "People · Lockstep".to_owned(),
        Page::Audit { .. } => "Audit log · Lockstep".to_owned(),
        Page::Offline => "Offline · Lockstep".to_owned(),
        Page::NotFound { .. } => "Not found · Lockstep".to_owned(),
        Page::Refused { .. } => "Not for you · Lockstep".to_owned(),
        Page::Failed { .. } => "Not now · Lockstep".to_owned(),
    }
}

/// A text as it stands in a script.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as it stands in the HTML of a `title`, where no element begins.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
