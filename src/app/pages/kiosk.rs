//! Pages as a screen shows them: of a dashboard its widgets, as large as there is room for, and nothing to press.

use leptos::prelude::*;

use crate::app::access::Rights;
use crate::app::chunks::{Contents, Part, Parts};
use crate::app::components::arranging::Arranging;
use crate::app::components::people::People;
use crate::app::components::{DashboardContainer, Panels, Popups};
use crate::app::dashboard_store::DashboardStore;
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::time;
use crate::dashboard::{Dashboard, DashboardId, User};

/// `/d/{id}`.
#[component]
pub fn KioskPage(id: DashboardId, dashboard: Dashboard, user: User) -> impl IntoView {
    let store = use_context::<DashboardStore>()
        .unwrap_or_else(|| DashboardStore::new(id, &dashboard, user).with_role(Rights::here().role));
    let (parts, contents) = (Parts::new(), Contents::new());
    provide_context(store);
    provide_context(parts);
    provide_context(contents);
    // The widgets ask for all of these; nothing here opens any.
    provide_context(Panels::new(store, parts));
    provide_context(Popups::new());
    provide_context(People::new(store));
    provide_context(Arranging::new(store));
    effect(move || document().set_title(&format!("{} · Lockstep", store.title.read())));
    effect(move || {
        parts.when_there(|| ());
        contents.fetch();
    });
    time::keep(store);
    let empty = memo(move || store.order.read().is_empty());
    view! {
        <main class="kiosk" data-testid="kiosk">
            <h1 class="sr-only">{live(move || store.title.get())}</h1>
            <p class="kiosk-empty" class:hidden=attr(move || !empty.get())>"There is nothing on this dashboard yet."</p>
            <DashboardContainer store/>
        </main>
        {parts.show_later(Part::Kiosk)}
    }
}

/// What a screen shows where there are no widgets, or none yet: nothing that leads anywhere.
#[component]
pub fn KioskMessage(title: String, says: String, is_busy: bool) -> impl IntoView {
    view! {
        <main class="kiosk" data-testid="kiosk" aria-busy=is_busy.to_string()>
            <div class="kiosk-empty" role="status">
                <div>
                    <h1>{title}</h1>
                    <p>{says}</p>
                </div>
            </div>
        </main>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::access::Role;
    use crate::app::{Assets, Page, PageData, shell};
    use crate::dashboard::{Frame, Kind, Widget, WidgetId};

    fn orders() -> Dashboard {
        let mut dashboard = Dashboard::new("Orders");
        let widget = Widget::new(Kind::Stat, "Orders per day", Frame { x: 0, y: 0, w: 6, h: 4 });
        dashboard.widgets.insert(WidgetId::new("w1").expect("an id"), widget.into());
        dashboard
    }

    fn html(page: Page, is_screen: bool) -> String {
        let data = PageData {
            page,
            user: None,
            theme: None,
            build: "b1".to_owned(),
            rights: Rights { role: Role::Viewer, is_screen, ..Rights::default() },
        };
        Owner::new_root(None).with(|| shell(&data, &Assets::default()).to_html())
    }

    #[test]
    fn a_screen_shows_the_widgets_alone() {
        let page = || {
            let id = DashboardId::new("d1").expect("an id");
            Page::Dashboard { id, epoch: String::new(), revision: 0, token: None, dashboard: orders() }
        };
        let (screen, desk) = (html(page(), true), html(page(), false));
        for both in ["Orders per day", r#"data-testid="grid""#] {
            assert!(screen.contains(both) && desk.contains(both), "{both}");
        }
        for around in [r#"<header class="top""#, "sync-status", "commands-open", r#"class="toasts""#] {
            assert!(desk.contains(around) && !screen.contains(around), "{around}");
        }
        assert!(screen.contains(r#"data-testid="kiosk""#) && !desk.contains(r#"data-testid="kiosk""#));
    }

    #[test]
    fn a_screen_shows_nothing_to_press_while_or_where_there_are_no_widgets() {
        let id = || DashboardId::new("d1").expect("an id");
        let why = || "The server is busy.".to_owned();
        for page in [
            Page::LargeDashboard { id: id(), title: "Orders".to_owned() },
            Page::Failed { why: why() },
            Page::Refused { why: why() },
            Page::NotFound { what: why() },
        ] {
            let (screen, desk) = (html(page.clone(), true), html(page.clone(), false));
            assert!(desk.contains(r#"<header class="top""#), "{page:?}");
            assert!(screen.contains(r#"data-testid="kiosk""#), "{page:?}");
            for pressed in ["<header", "<a ", "<button"] {
                assert!(!screen.contains(pressed), "{pressed} in {page:?}");
            }
        }
    }
}
