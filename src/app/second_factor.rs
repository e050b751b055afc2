//! Pages of the second factor, and the form that asks for a code: plain documents that work without any script.

use leptos::prelude::*;

use super::access::SecondFactorCard;
use super::format;
use super::sign_in::{password_field, problem_view};
use crate::app::address;

/// Characters of a code as it is typed: a recovery code with what separates its groups, and room for more of that.
const MAX_CODE_CHARS: usize = 40;

/// One of them, as it is filled in.
#[derive(Clone, Debug)]
pub enum SecondFactorPage {
    Code(CodeForm),
    SetUp(SetUpForm),
    Overview(Overview),
    RecoveryCodes(RecoveryCodes),
}

/// The form of `/sign-in/code`.
#[derive(Clone, Debug)]
pub struct CodeForm {
    /// The path of this server to go on to.
    pub to: String,
    /// Why it was not taken.
    pub problem: Option<String>,
}

/// The form in which an app is set up.
#[derive(Clone, Debug)]
pub struct SetUpForm {
    /// The address of a picture that the app reads.
    pub picture: String,
    /// The same, to be typed.
    pub secret: String,
    pub email: String,
    /// True where it takes the place of another app.
    pub replaces: bool,
    /// True where nothing else is possible before.
    pub comes_first: bool,
    pub problem: Option<String>,
}

/// What somebody can do who has a second factor.
#[derive(Clone, Debug)]
pub struct Overview {
    pub email: String,
    pub card: SecondFactorCard,
    pub problem: Option<String>,
}

/// Recovery codes, which are shown once.
#[derive(Clone, Debug)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
    /// The path to go on to.
    pub then: &'static str,
}

impl SecondFactorPage {
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::Code(_) => "Sign in",
            Self::SetUp(_) | Self::Overview(_) => "Two-step sign-in",
            Self::RecoveryCodes(_) => "Recovery codes",
        }
    }

    /// `nonce` is of the one script, which copies.
    pub(super) fn view(self, nonce: String) -> AnyView {
        match self {
            Self::Code(form) => code(form).into_any(),
            Self::SetUp(form) => set_up(form).into_any(),
            Self::Overview(page) => overview(page).into_any(),
            Self::RecoveryCodes(page) => recovery_codes(page, nonce).into_any(),
        }
    }
}

fn code(CodeForm { to, problem }: CodeForm) -> impl IntoView {
    view! {
        <h1>"Enter a code"</h1>
        {problem.map(problem_view)}
        <form method="post" action=address::to("/sign-in/code")>
            <input type="hidden" name="to" value=to/>
            {code_field("code", "Code", "Six digits of your authenticator app, or a recovery code.", true)}
            <button class="button primary" data-testid="code-send">"Sign in"</button>
        </form>
        <p class="hint">
            "No phone and no recovery codes? Ask an admin of this server to remove the second step. "
            <a href=address::to("/sign-in")>"Start again"</a>
        </p>
    }
}

fn set_up(form: SetUpForm) -> impl IntoView {
    let SetUpForm { picture, secret, email, replaces, comes_first, problem } = form;
    view! {
        <h1>{if replaces { "Move to another app" } else { "Set up two-step sign-in" }}</h1>
        <p>
            {if comes_first {
                "This server asks everybody for a second step. Set it up to go on."
            } else {
                "Signing in asks for a code of an app on your phone then, after the password."
            }}
        </p>
        {problem.map(problem_view)}
        <form method="post" action=address::to("/account/second-factor/set-up")>
            <p>"Scan this with an authenticator app, such as Aegis, 2FAS or Google Authenticator:"</p>
            <img class="qr" src=picture alt="QR code with the key that stands below" width="208" height="208"/>
            <p>
                "Or type this key into it: "
                <code class="secret" data-testid="second-factor-secret">{secret}</code>
            </p>
            {code_field("code", "Code that the app shows now", "Six digits.", true)}
            {replaces.then(|| code_field("before", "Code of the app until now", "Six digits, or a recovery code.", false))}
            {account_field(email)}
            {password_field("current-password", "Your password", false)}
            <button class="button primary" data-testid="second-factor-on">
                {if replaces { "Use this app" } else { "Turn on" }}
            </button>
        </form>
        {if comes_first {
            view! {
                <form class="plain" method="post" action=address::to("/sign-out")>
                    <button class="button line" data-testid="sign-out">"Sign out"</button>
                </form>
            }
            .into_any()
        } else {
            back_link().into_any()
        }}
    }
}

fn overview(Overview { email, card, problem }: Overview) -> impl IntoView {
    let left = format::count(card.recovery_codes, "recovery code is left", "recovery codes are left");
    view! {
        <h1>"Two-step sign-in"</h1>
        <p data-testid="second-factor-state">{format!("It is on, and {left}.")}</p>
        {problem.map(problem_view)}
        <p><a class="button line" href=address::to("/account/second-factor/set-up") data-testid="second-factor-move">
            "Move to another app"
        </a></p>
        <form method="post" action=address::to("/account/second-factor/recovery-codes")>
            {account_field(email)}
            {password_field("current-password", "Your password", false)}
            {code_field("code", "Code", "Six digits of your authenticator app, or a recovery code.", false)}
            <button class="button primary" data-testid="recovery-codes-new">"Make new recovery codes"</button>
            <small>"Those of before do not count any more then."</small>
            {(!card.is_required).then(|| view! {
                <button
                    class="button danger"
                    formaction=address::to("/account/second-factor/remove")
                    data-testid="second-factor-off"
                >
                    "Turn two-step sign-in off"
                </button>
            })}
        </form>
        {back_link()}
    }
}

fn recovery_codes(RecoveryCodes { codes, then }: RecoveryCodes, nonce: String) -> impl IntoView {
    let text = codes.join("\n");
    // Letters, digits and hyphens, and what ends a line.
    let file = format!("data:text/plain,Recovery%20codes%20of%20Lockstep%0A{}%0A", codes.join("%0A"));
    let script = "const button = document.getElementById('copy');\n\
                  if (navigator.clipboard) {\n\
                  button.hidden = false;\n\
                  button.addEventListener('click', async () => {\n\
                  await navigator.clipboard.writeText(document.getElementById('codes').textContent);\n\
                  document.getElementById('copied').textContent = 'Copied.';\n\
                  });\n\
                  }\n";
    view! {
        <h1>"Keep these recovery codes"</h1>
        <p>
            "Two-step sign-in is on. Where you have not got your phone, each of these signs you in once, after the \
             password. They are shown only now: keep them where you keep passwords, or on paper."
        </p>
        <pre class="codes" id="codes" tabindex="0" aria-label="Recovery codes" data-testid="recovery-codes">{text}</pre>
        <p class="ends">
            <button type="button" class="button line" id="copy" hidden>"Copy"</button>
            <a class="button line" href=file download="lockstep-recovery-codes.txt">"Download"</a>
            <span id="copied" role="status"></span>
        </p>
        <p><a class="button primary" href=address::to(then) data-testid="recovery-codes-kept">"I have kept them"</a></p>
        <script nonce=nonce inner_html=script></script>
    }
}

fn back_link() -> impl IntoView {
    view! { <p class="hint"><a href=address::to("/account")>"Your account"</a></p> }
}

/// By this a password manager knows whose password it is.
fn account_field(email: String) -> impl IntoView {
    view! { <input type="text" class="hidden" autocomplete="username" readonly value=email/> }
}

fn code_field(name: &'static str, label: &'static str, says: &'static str, autofocus: bool) -> impl IntoView {
    view! {
        <label>
            {label}
            <input
                name=name
                autocomplete="one-time-code"
                autocapitalize="off"
                spellcheck="false"
                required
                maxlength=MAX_CODE_CHARS.to_string()
                autofocus=autofocus
                data-testid=name
            />
            <small>{says}</small>
        </label>
    }
}
