//! `/status`: how every service of the server is, in words, two seconds old at most.

use std::time::Duration;

use crate::app::dynamic::{derived, each, effect, live, memo};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::components::SiteHeader;
use crate::app::dashboard_store::ServiceStatus;
use crate::app::{ServerService, ServerStatus, ThisTab, dom, format, requests};
use crate::dashboard::User;

/// How this tab's last request went.
#[derive(Clone, Debug, PartialEq)]
enum Connection {
    Unknown,
    Up { latency_ms: u64 },
    Down { reason: String },
}

/// The services of a tab that only a dashboard needs, and what people call them.
const IDLE: [(&str, &str); 3] = [("room", "Edits"), ("presence", "Presence"), ("data", "Data")];

/// What people call a service of the server.
fn label(name: &str) -> String {
    match name {
        "store" => "Store".to_owned(),
        "points" => "Points".to_owned(),
        "disk" => "Disk".to_owned(),
        "clock" => "Clock".to_owned(),
        "rooms" => "Rooms".to_owned(),
        "bus" => "Message bus".to_owned(),
        "capacity" => "Capacity".to_owned(),
        "backup" => "Backup".to_owned(),
        _ => match name.strip_prefix("source-") {
            Some(source) => format!("Data: {}", source.replace('-', " ")),
            None => name.to_owned(),
        },
    }
}

#[component]
pub fn Status(server: ServerStatus, user: Option<User>) -> impl IntoView {
    let status = RwSignal::new(server);
    let connection = RwSignal::new(Connection::Unknown);
    effect(move || look(status, connection));
    dom::every(Duration::from_secs(2), move || look(status, connection));
    let services = move || status.read().services.clone();
    let row = move |service: ServerService| {
        let name = service.name.clone();
        let now = {
            let shown = service.clone();
            memo(move || {
                let found = status.read().services.iter().find(|one| one.name == name).cloned();
                found.unwrap_or_else(|| shown.clone())
            })
        };
        view! { <ServerRow service=now/> }
    };
    // Known to the browser alone, and after the page is hydrated: the first render has none.
    let tab = RwSignal::new(None::<ThisTab>);
    let here = use_context::<ThisTab>();
    effect(move || tab.set(here));
    let of_this_tab = move || tab.get().map(|tab| tab.services.get()).unwrap_or_default();
    let own_row = move |first: ServiceStatus| {
        let name = first.name;
        let now = memo(move || {
            of_this_tab().into_iter().find(|one| one.name == name).unwrap_or_else(|| first.clone())
        });
        view! {
            <Row
                name=name.to_owned()
                label=now.get_untracked().label.to_owned()
                state=derived(move || now.read().state.name().to_owned())
                says=derived(move || now.read().in_words())
                figures=Signal::stored(Vec::new())
            />
        }
    };
    view! {
        <SiteHeader user/>
        <main class="sheet">
            <h1>"Status"</h1>
            <section class="services" aria-label="This tab">
                <h2>"This tab"</h2>
                <Row
                    name="socket".to_owned()
                    state=derived(move || match connection.get() {
                        Connection::Unknown => "waiting".to_owned(),
                        Connection::Up { .. } => "ok".to_owned(),
                        Connection::Down { .. } => "down".to_owned(),
                    })
                    label="Connection".to_owned()
                    says=derived(move || match connection.get() {
                        Connection::Unknown => "Asking the server.".to_owned(),
                        Connection::Up { .. } => {
                            "The server answers. This page asks it every two seconds.".to_owned()
                        }
                        Connection::Down { reason } => {
                            format!("{reason} What you see below may be old; asking again.")
                        }
                    })
                    figures=derived(move || match connection.get() {
                        Connection::Up { latency_ms } => vec![format!("{latency_ms} ms")],
                        _ => Vec::new(),
                    })
                />
                {IDLE.map(|(name, label)| view! {
                    <Row
                        name=name.to_owned()
                        label=label.to_owned()
                        state=Signal::stored("waiting".to_owned())
                        says=Signal::stored("No dashboard is open in this tab.".to_owned())
                        figures=Signal::stored(Vec::new())
                    />
                }).collect_view()}
                {each(of_this_tab, |service| service.name, own_row)}
            </section>
            <section class="services" aria-label="The server">
                <h2>
                    "The server"
                    <small>
                        {live(move || {
                            let status = status.read();
                            // None is known where this device shows the page and nobody answered yet.
                            (!status.build.is_empty())
                                .then(|| format!("build {}, up {}", status.build, format::span(status.uptime_ms)))
                        })}
                    </small>
                </h2>
                {each(services, |service| service.name.clone(), row)}
            </section>
        </main>
    }
}

#[component]
fn ServerRow(service: Memo<ServerService>) -> impl IntoView {
    let name = service.get_untracked().name;
    view! {
        <Row
            label=label(&name)
            name
            state=derived(move || service.read().state.clone())
            says=derived(move || {
                let service = service.read();
                match &service.last_error {
                    Some(error) => format!("{} Last error: {error}", service.says),
                    None => service.says.clone(),
                }
            })
            figures=derived(move || {
                let service = service.read();
                let latency = service.latency_ms.map(|ms| format::in_words(Some(ms), "ms", None));
                let queue = service.queue.map(|n| format!("{n} waiting"));
                latency.into_iter().chain(queue).collect()
            })
        />
    }
}

#[component]
fn Row(
    name: String,
    label: String,
    state: Signal<String>,
    says: Signal<String>,
    figures: Signal<Vec<String>>,
) -> impl IntoView {
    view! {
        <div class="service" data-testid="service" data-service=name data-state=state>
            <span class="state" aria-hidden="true"></span>
            <div>
                <strong>{label}</strong>
                <span class="sr-only">{live(move || format!(": {}", state.get()))}</span>
                <p>{says}</p>
            </div>
            <span class="figures">{live(move || figures.get().join(" · "))}</span>
        </div>
    }
}

fn look(status: RwSignal<ServerStatus>, connection: RwSignal<Connection>) {
    spawn_local(async move {
        let began = dom::now_ms();
        match requests::request::<ServerStatus>("GET", "/api/v1/status", None).await {
            Ok(fresh) => {
                connection.set(Connection::Up { latency_ms: dom::now_ms().saturating_sub(began) });
                status.set(fresh);
            }
            Err(error) => connection.set(Connection::Down { reason: error.to_string() }),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_names_that_people_read() {
        assert_eq!(label("bus"), "Message bus");
        assert_eq!(label("source-this-server"), "Data: this server");
        assert_eq!(label("other"), "other");
    }
}
