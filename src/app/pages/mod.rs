//! One file per page.

mod account;
mod admin;
mod audit;
mod bin;
mod dashboard;
mod dashboards;
mod failed;
mod in_bin;
mod kiosk;
mod large_dashboard;
mod not_found;
mod offline;
mod refused;
mod screens;
mod status;

use leptos::prelude::*;

use self::account::AccountPage;
use self::admin::AdminPage;
use self::audit::AuditLog;
use self::bin::BinPage;
use self::dashboard::DashboardPage;
use self::dashboards::Dashboards;
use self::failed::Failed;
use self::in_bin::InBin;
use self::kiosk::{KioskMessage, KioskPage};
use self::large_dashboard::LargeDashboard;
use self::not_found::NotFound;
use self::offline::Offline;
use self::refused::Refused;
use self::screens::ScreensPage;
use self::status::Status;
use super::access::Rights;
use super::components::begin_again;
use super::{Page, PageData, format};

/// The page that the data is of.
pub fn any(data: PageData) -> AnyView {
    let PageData { page, user, .. } = data;
    if Rights::here().is_screen {
        if page.dashboard().is_none() {
            begin_again();
        }
        let message = match &page {
            Page::LargeDashboard { title, .. } => {
                Some((format::plain_title(title), "It is on its way.".to_owned(), true))
            }
            Page::NotFound { what: why } | Page::Refused { why } | Page::Failed { why } => {
                let says = format!("{why} This screen tries again by itself.");
                Some(("Nothing can be shown right now".to_owned(), says, false))
            }
            _ => None,
        };
        if let Some((title, says, is_busy)) = message {
            return view! { <KioskMessage title says is_busy/> }.into_any();
        }
    }
    match page {
        Page::Dashboard { .. } => dashboard(PageData { page, user, ..data }),
        Page::LargeDashboard { title, .. } => view! { <LargeDashboard title user/> }.into_any(),
        Page::Dashboards { list, filter } => {
            view! { <Dashboards list=list.read() filter=filter.read() user/> }.into_any()
        }
        Page::Bin { bin } => view! { <BinPage bin=bin.read() user/> }.into_any(),
        Page::InBin { title, entry } => view! { <InBin title dashboard=entry.read() user/> }.into_any(),
        Page::Status { server } => view! { <Status server=server.read() user/> }.into_any(),
        Page::Account { account } => view! { <AccountPage account=account.read() user/> }.into_any(),
        Page::Screens { teams, code } => view! { <ScreensPage teams=teams.read() code user/> }.into_any(),
        Page::Admin { people } => view! { <AdminPage people=people.read() user/> }.into_any(),
        Page::Audit { log, filter, audited } => {
            view! { <AuditLog log=log.read() filter=filter.read() dashboard=audited.read() user/> }.into_any()
        }
        Page::Offline => view! { <Offline/> }.into_any(),
        Page::NotFound { what } => view! { <NotFound what user/> }.into_any(),
        Page::Refused { why } => view! { <Refused why user/> }.into_any(),
        Page::Failed { why } => view! { <Failed why user/> }.into_any(),
    }
}

/// The page of a dashboard; nothing for the data of another page.
pub fn dashboard(data: PageData) -> AnyView {
    let Page::Dashboard { id, dashboard, .. } = data.page else { return ().into_any() };
    let user = data.user.unwrap_or_default();
    if Rights::here().is_screen {
        return view! { <KioskPage id dashboard user/> }.into_any();
    }
    view! { <DashboardPage id dashboard user/> }.into_any()
}
