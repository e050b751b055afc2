//! Button that signs out, and the dialog that asks first where edits are not saved.

use leptos::html::Dialog;
use leptos::prelude::*;

use crate::app::components::Problem;
use crate::app::dynamic::{attr, effect, live, memo};
use crate::app::sign_out::{Decision, SignOut};
use crate::app::{ThisTab, Waiting, address, format};

#[component]
pub fn SignOutButton() -> impl IntoView {
    let sign_out = use_context::<ThisTab>().map_or_else(SignOut::new, |tab| tab.sign_out);
    let is_asked = memo(move || sign_out.unsaved.read().is_some());
    view! {
        // Until the page is awake the browser sends it by itself.
        <form method="post" action=address::to("/sign-out")>
            <button type="submit" class="button line" data-testid="sign-out">"Sign out"</button>
        </form>
        {live(move || is_asked.get().then(|| view! { <SignOutDialog sign_out/> }))}
    }
}

#[component]
fn SignOutDialog(sign_out: SignOut) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    effect(move || {
        if let Some(dialog) = dialog.get() {
            // Fails only for a dialog that is not in the document.
            let _ = dialog.show_modal();
        }
    });
    let decide = move |decision: Decision| move |_| sign_out.decision.set(Some(decision));
    // The keyboard goes back to the button.
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let title = move || sign_out.unsaved.read().as_deref().map(title_of);
    let lines = move || {
        let unsaved = sign_out.unsaved.read();
        let line = |one: &Waiting| {
            let says = format!("{}: {}", one.title, format::count(one.edits, "edit", "edits"));
            view! { <li>{says}</li> }
        };
        unsaved.iter().flatten().map(line).collect_view()
    };
    let sending = sign_out.sending;
    view! {
        <dialog
            class="import-dialog"
            node_ref=dialog
            data-testid="sign-out-dialog"
            aria-labelledby="sign-out-title"
            // Escape closes it, and keeps everything as it is.
            on:close=move |_| sign_out.decision.set(Some(Decision::Stay))
        >
            <div class="dialog-head"><h2 id="sign-out-title">{live(title)}</h2></div>
            <p>"They are on this device only. Signing out leaves nothing of yours here."</p>
            <ul class="report" data-testid="sign-out-edits">{live(lines)}</ul>
            <p class="quiet" role="status">
                {live(move || sending.get().then_some("They are being saved. You are signed out as soon as they are."))}
            </p>
            <Problem problem=sign_out.problem/>
            <div class="dialog-foot wraps">
                <button type="button" class="button line" data-testid="sign-out-stay" on:click=close>
                    "Stay signed in"
                </button>
                <span class="grow"></span>
                <button
                    type="button"
                    class="button danger"
                    data-testid="sign-out-discard"
                    title="Throw the edits away, and sign out"
                    on:click=decide(Decision::Discard)
                >
                    "Discard"
                </button>
                <button
                    type="button"
                    class="button line"
                    data-testid="sign-out-export"
                    title="Download the edits as a JSON file, and sign out"
                    on:click=decide(Decision::Export)
                >
                    "Export"
                </button>
                <button
                    type="button"
                    class="button primary"
                    data-testid="sign-out-wait"
                    title="Wait until the edits are saved, then sign out"
                    autofocus
                    aria-busy=attr(move || sending.get().to_string())
                    on:click=decide(Decision::Wait)
                >
                    {live(move || if sending.get() { "Saving" } else { "Save and sign out" })}
                </button>
            </div>
        </dialog>
    }
}

/// `3 edits are not saved`.
fn title_of(unsaved: &[Waiting]) -> String {
    let edits: usize = unsaved.iter().map(|one| one.edits).sum();
    let are = if edits == 1 { "is" } else { "are" };
    format!("{} {are} not saved", format::count(edits, "edit", "edits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::DashboardId;

    #[test]
    fn the_title_counts_the_edits_of_all_dashboards() {
        let of =
            |edits| Waiting { id: DashboardId::new("d").expect("an id"), title: "Orders".to_owned(), edits };
        assert_eq!(title_of(&[of(1), of(2)]), "3 edits are not saved");
        assert_eq!(title_of(&[of(1)]), "1 edit is not saved");
    }
}
