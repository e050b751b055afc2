//! Page of a screen that waits to be paired: a plain document that works without any script and asks again by itself.

use leptos::prelude::*;

use super::screens::CODE_CHARS;
use crate::app::address;

/// Seconds after which the page asks again whether the screen was paired.
const REFRESH_S: &str = "3";

/// The code to enter elsewhere, in letters that are read from afar.
#[component]
pub fn PairingPage(
    code: String,
    /// The address at which it is entered, with the code in it.
    link: String,
    /// Seconds for which the code counts.
    expires_in_s: u64,
    /// The link as a QR code: an SVG element.
    #[prop(optional_no_strip)]
    qr: Option<String>,
) -> impl IntoView {
    let address = link.split('?').next().unwrap_or_default().to_owned();
    let minutes = expires_in_s.div_ceil(60).max(1);
    let (first, second) = code.split_at_checked(CODE_CHARS / 2).unwrap_or((&code, ""));
    view! {
        <main class="pairing">
            <div>
                <h1>"Pair this screen"</h1>
                <p class="pairing-code" data-testid="screen-code">
                    <span>{first.to_owned()}</span>
                    <span>{second.to_owned()}</span>
                </p>
                <p>"Open "<b>{address}</b>" on your phone or computer and enter this code."</p>
                <p class="pairing-ends">
                    {format!("It counts for {minutes} min. After that another one shows here.")}
                </p>
            </div>
            {qr.map(|qr| view! {
                <div class="pairing-qr" role="img" aria-label="The same address as a QR code" inner_html=qr></div>
            })}
        </main>
    }
}

/// The whole document of it, in the colours of the system. `css` is the address of the styles.
pub fn document(body: impl IntoView, css: String) -> impl IntoView {
    let title = "Pair this screen · Lockstep".to_owned();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <meta http-equiv="refresh" content=REFRESH_S/>
                // As in the shell: a text of its own would come with marks that a title shows.
                <title inner_html=title></title>
                <link rel="icon" type="image/svg+xml" href=address::to("/favicon.svg")/>
                <link rel="stylesheet" href=css/>
            </head>
            <body>{body}</body>
        </html>
    }
}

/// The code in what somebody typed or an address brought: letters and digits, in capitals, no more than a code has.
pub fn code_in(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric).take(CODE_CHARS);
    kept.map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(qr: Option<String>) -> String {
        Owner::new().with(|| {
            let link = "https://wall.example.com/screens?code=K7M2QX".to_owned();
            let page = view! { <PairingPage code="K7M2QX".to_owned() link expires_in_s=541 qr/> };
            document(page, "/pkg/a.css".to_owned()).into_view().to_html().replace("<!>", "")
        })
    }

    #[test]
    fn a_screen_shows_its_code_and_where_it_goes_and_takes_no_keys() {
        let page = html(Some("<svg></svg>".to_owned()));
        for part in [
            "<title>Pair this screen",
            "<span>K7M</span>",
            "<span>2QX</span>",
            "wall.example.com/screens</b>",
            "10 min",
            "<svg>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(page.contains(r#"http-equiv="refresh""#));
        for takes_keys in ["<a ", "<button", "<input", "tabindex", "<script"] {
            assert!(!page.contains(takes_keys), "{takes_keys}");
        }
        assert!(!html(None).contains("pairing-qr"));
    }

    #[test]
    fn a_code_is_read_however_it_is_written() {
        for typed in ["K7M2QX", "k7m 2qx", " K7M-2QX ", "K7M2QXZZZ"] {
            assert_eq!(code_in(typed), "K7M2QX");
        }
        assert_eq!(code_in("<é>7"), "7");
    }
}
