//! State of the provider by which people sign in, to read.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Admin;
use crate::app::access::{ProviderState, SignInState};
use crate::app::components::Problem;
use crate::app::dynamic::{effect, live};
use crate::app::{format, requests};

/// The `id` attribute of the heading.
const HEADING: &str = "sign-in-provider";

/// Fetched when the page is awake: the server may have to ask the provider first. Nothing where there is none.
#[component]
pub fn SignInProvider(admin: Admin) -> impl IntoView {
    let provider = RwSignal::new(None::<ProviderState>);
    let problem = RwSignal::new(None);
    effect(move || {
        if admin.asleep.get() {
            return;
        }
        spawn_local(async move {
            match requests::request::<SignInState>("GET", "/api/v1/admin/sign-in", None).await {
                Ok(state) => {
                    let _ = provider.try_set(state.provider);
                }
                Err(error) => {
                    let _ = problem.try_set(Some(error.to_string()));
                }
            }
        });
    });
    view! {
        {live(move || provider.get().map(|provider| view! { <Block provider admin/> }))}
        <Problem problem/>
    }
}

#[component]
fn Block(provider: ProviderState, admin: Admin) -> impl IntoView {
    let ProviderState { name, issuer, reachable_since, failed_since, failure } = provider;
    let state = if failed_since.is_some() { "error" } else { "ok" };
    let how = move || {
        let ago = |at: u64| format::ago(at, admin.now.get());
        match (failed_since, reachable_since) {
            (Some(at), _) => {
                format!("Not usable, first seen {}: {}.", ago(at), failure.clone().unwrap_or_default())
            }
            (None, Some(at)) => format!("Usable, first seen {}.", ago(at)),
            (None, None) => "Not asked yet.".to_owned(),
        }
    };
    view! {
        <section class="block" aria-labelledby=HEADING data-testid="sign-in-state" data-state=state>
            <h2 id=HEADING>{format!("Sign in with {name}")}</h2>
            <dl class="facts">
                <dt>"Issuer"</dt>
                <dd data-testid="sign-in-issuer">{issuer}</dd>
                <dt>"State"</dt>
                <dd role="status">{live(how)}</dd>
            </dl>
        </section>
    }
}
