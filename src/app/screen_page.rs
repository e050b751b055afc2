//! The page of a screen that waits to be paired: plain, without a script.

use leptos::prelude::*;

/// The whole document, which loads itself again. `css` is the address of the styles.
pub fn document(body: impl IntoView, css: String) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <meta http-equiv="refresh" content="3"/>
                <title>"Screen · Lockstep"</title>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <link rel="stylesheet" href=css/>
            </head>
            <body>{body}</body>
        </html>
    }
}

/// A code, and what to do with it.
#[component]
pub fn PairingPage(
    code: String,
    /// Where to type it, with the code.
    link: String,
    expires_in_s: u64,
) -> impl IntoView {
    view! {
        <main class="sign-in" data-testid="pairing">
            <h1>{code}</h1>
            <p>"Open /screens on your phone or computer and type this code, or open " {link}"."</p>
            <p class="hint">{format!("It counts for {} min.", expires_in_s.div_ceil(60))}</p>
        </main>
    }
}
