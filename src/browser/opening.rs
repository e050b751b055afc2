//! Opening of a page: as the server rendered it, or from what this device keeps where the server cannot be
//! had or has no such dashboard any more.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::{Value, json};

use crate::app::access::Rights;
use crate::app::components::Theming;
use crate::app::dashboard_store::DashboardStore;
use crate::app::format::locale;
use crate::app::sign_out::SignOut;
use crate::app::time::zone;
use crate::app::unread::Unread;
use crate::app::{App, Page, PageData, Theme, ThisTab, address, chunks, json, pages};
use crate::dashboard::{DashboardId, User};
use crate::sync::replica::StoredDashboard;

use super::account;
use super::device::{self, Head, OnDevice};
use super::requests;
use super::service_provider::ServiceProvider;
use super::service_worker;
use super::sign_out;
use super::storage::{Storage, StorageError};

/// Opens the page with its data. On a dashboard it first reads what this device has of it, so that no
/// edit is made before those that wait are there.
pub async fn open(mut data: PageData) {
    account::begin(&data);
    let here = address::here();
    let id = match &data.page {
        Page::Dashboard { id, .. } | Page::LargeDashboard { id, .. } => Some(id.clone()),
        Page::Offline | Page::Failed { .. } | Page::NotFound { .. } | Page::InBin { .. } => {
            here.strip_prefix("/d/").and_then(|id| DashboardId::new(id).ok())
        }
        _ => None,
    };
    let Some(id) = id else {
        let from_device = matches!(data.page, Page::Offline) && show_kept(&mut data, &here).await;
        let made = if from_device { Made::OnDevice } else { Made::Rendered };
        return show(data, None, made).await;
    };
    let mut found = match data.rights.keeps_nothing() {
        true => OnDevice::nothing(StorageError::Guest),
        false => OnDevice::load(&id).await,
    };
    if matches!(data.page, Page::NotFound { .. }) && data.rights.has_account {
        // It was deleted, or is not theirs to see any more.
        found.forget_copy(&id).await;
    }
    let large = matches!(data.page, Page::LargeDashboard { .. });
    let fetched = if large { fetch(&id).await } else { None };
    if let Some(StoredDashboard { epoch, revision, token, dashboard }) = fetched {
        data.page = Page::Dashboard { id, epoch, revision, token, dashboard };
        return show(data, Some(found), Made::Fetched).await;
    }
    match data.page {
        Page::Dashboard { .. } => show(data, Some(found), Made::Rendered).await,
        // A dashboard that is gone, or in the bin, shows as long as edits of it wait here.
        Page::NotFound { .. } | Page::InBin { .. } if !found.has_edits() => {
            show(data, None, Made::Rendered).await
        }
        Page::LargeDashboard { .. } if found.copy.is_none() => {
            data.page =
                Page::Failed { why: "The dashboard could not be fetched from the server.".to_owned() };
            show(data, None, Made::Fetched).await;
        }
        _ if found.copy.is_none() && !found.has_edits() => show(data, None, Made::Rendered).await,
        _ => {
            let (head, copy) = match &found.copy {
                Some((head, copy)) => (Some(head), copy.clone()),
                None => (None, StoredDashboard::default()),
            };
            // The page that this device keeps is nobody's: it is for who was shown the copy, or made the edits.
            let known = head.map(|head| head.user.clone());
            let author = || found.own.as_ref().map(|own| own.record.user.clone());
            if let Some(head) = head {
                data.rights.role = head.role;
            }
            data.rights.has_account = account::current().is_some();
            data.user = data.user.or(known).or_else(author);
            let StoredDashboard { epoch, revision, token, dashboard } = copy;
            data.page = Page::Dashboard { id, epoch, revision, token, dashboard };
            show(data, Some(found), Made::OnDevice).await;
        }
    }
}

/// Where what a page shows comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// The server rendered it with its data.
    Rendered,
    /// The server gave the data, and this browser makes the page.
    Fetched,
    /// This device kept it.
    OnDevice,
}

/// A dashboard as the server has it now.
async fn fetch(id: &DashboardId) -> Option<StoredDashboard> {
    json::read(&requests::text(&format!("/api/v1/dashboards/{id}")).await?).ok()
}

/// Sends the edits that a closed tab left of a dashboard, without a page of it. Those of an open tab are on their way.
/// False where the server does not have the dashboard for this person.
pub async fn send_waiting(id: DashboardId, owner: &Owner, user: &User, build: &str) -> bool {
    let found = OnDevice::load(&id).await;
    if !found.has_edits() {
        return true;
    }
    let Some(shown) = fetch(&id).await else { return false };
    owner.with(|| {
        let store = DashboardStore::new(id, &shown.dashboard, user.clone());
        let rights = Rights { has_account: true, ..Rights::default() };
        ServiceProvider::start(store, shown, (user, rights), found, build.to_owned());
    });
    true
}

/// Makes the page that was asked for of what this device keeps. False where there is nothing to show.
async fn show_kept(data: &mut PageData, here: &str) -> bool {
    let heads = match Storage::open().await {
        Ok(storage) => device::heads(&storage).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    // Nobody is known here before a first copy.
    data.user = heads.first().map(|newest| newest.user.clone());
    if here == "/status" {
        data.page = Page::Status { server: Unread::json(Value::Null) };
        return true;
    }
    if here != "/" || heads.is_empty() {
        return false;
    }
    // As the server writes its cards: what reads them is code of the list.
    let card = |head: Head| {
        json!({
            "id": head.id, "title": head.title, "widgets": head.widgets, "changed_at": head.at, "here": []
        })
    };
    let cards: Vec<Value> = heads.into_iter().map(card).collect();
    let list = Unread::json(json!({ "total": cards.len(), "dashboards": cards }));
    data.page = Page::Dashboards { list, filter: Unread::json(Value::Null) };
    true
}

/// Brings the page to life: wakes what the server rendered, or puts what this device has in its place.
async fn show(mut data: PageData, found: Option<OnDevice>, made: Made) {
    let from_device = made == Made::OnDevice;
    let show: chunks::ShowPage = match data.page {
        Page::Dashboard { .. } => pages::dashboard,
        _ => match chunks::pages().await {
            Some(show) => show,
            // It stays as it was rendered, and its links work.
            None => return leptos::logging::error!("The code of this page could not be fetched."),
        },
    };
    let needs = matches!(&data.page, Page::Dashboard { dashboard, .. } if chunks::needs_contents(dashboard));
    let contents = if needs { chunks::contents().await } else { None };
    // What cannot be woken as it was rendered is made anew.
    let anew = made != Made::Rendered || (needs && contents.is_none());
    if from_device {
        data.theme = Theming::remembered();
    }
    if anew {
        make_room(data.theme);
    }
    locale::begin();
    zone::begin();
    let app = move || {
        let tab = ThisTab {
            services: RwSignal::new(Vec::new()),
            waiting: RwSignal::new(Vec::new()),
            from_device,
            sign_out: SignOut::new(),
        };
        if let Some(user) = data.user.clone().filter(|_| data.rights.has_account) {
            sign_out::begin(tab.sign_out, user, data.build.clone());
        }
        service_worker::start(tab);
        provide_context(tab);
        provide_context(chunks::FetchedContents(contents));
        if let Page::Dashboards { .. } = &data.page {
            spawn_local(async move {
                // A store that cannot be read has nothing to tell here.
                if let Ok(storage) = Storage::open().await
                    && let Ok(found) = device::waiting(&storage).await
                {
                    tab.waiting.set(found);
                }
            });
        }
        if let (Page::Dashboard { id, epoch, revision, token, dashboard }, Some(found)) = (&data.page, found)
        {
            let user = data.user.clone().unwrap_or_default();
            let store = DashboardStore::new(id.clone(), dashboard, user.clone()).with_role(data.rights.role);
            provide_context(store);
            let shown = StoredDashboard {
                epoch: epoch.clone(),
                revision: *revision,
                token: token.clone(),
                dashboard: dashboard.clone(),
            };
            let (owner, build) = (Owner::current().unwrap_or_default(), data.build.clone());
            // Once the page stands as it was rendered: what waits here shows as a change.
            let rights = data.rights;
            queue_microtask(move || {
                owner.with(|| ServiceProvider::start(store, shown, (&user, rights), found, build))
            });
        }
        provide_context(data);
        view! { <App show/> }
    };
    if anew { leptos::mount::mount_to_body(app) } else { leptos::mount::hydrate_body(app) }
}

/// Takes away what the shell says of itself.
fn make_room(theme: Option<Theme>) {
    if let Some(body) = document().body() {
        body.set_inner_html("");
    }
    if let (Some(theme), Some(root)) = (theme, document().document_element()) {
        // The attribute's name is a constant that every browser takes.
        let _ = root.set_attribute("data-theme", theme.name());
    }
}

impl OnDevice {
    fn has_edits(&self) -> bool {
        self.own.as_ref().is_some_and(|own| !own.record.is_empty())
    }
}
