//! Forms of those who are not signed in: plain documents that work without any script.

use leptos::prelude::*;

use super::Theme;
use super::components::Logo;
use super::second_factor::SecondFactorPage;
use crate::app::address;

/// One of them, as it is filled in.
#[derive(Clone, Debug)]
pub enum Form {
    SignIn(SignInForm),
    First(FirstForm),
    Join(JoinForm),
    Reset(ResetForm),
    Link(LinkForm),
    SecondFactor(SecondFactorPage),
    Refused(RefusedForm),
}

/// The form of `/sign-in`.
#[derive(Clone, Debug, Default)]
pub struct SignInForm {
    pub email: String,
    /// The path of this server to go on to.
    pub to: String,
    /// Why it was not taken.
    pub problem: Option<String>,
    /// The provider by which people sign in as well.
    pub provider: Option<ProviderLink>,
}

/// The way to a provider.
#[derive(Clone, Debug)]
pub struct ProviderLink {
    pub name: String,
    /// On this server, which leads on.
    pub address: String,
}

/// What is there in place of a form where a provider's word was not enough.
#[derive(Clone, Debug)]
pub struct RefusedForm {
    pub reason: String,
    /// What an admin finds in the log.
    pub reference: String,
}

/// The form of `/setup`.
#[derive(Clone, Debug, Default)]
pub struct FirstForm {
    pub token: String,
    pub email: String,
    pub name: String,
    pub problem: Option<String>,
}

/// The form of an invitation.
#[derive(Clone, Debug)]
pub struct JoinForm {
    pub code: String,
    /// The team's name.
    pub team: String,
    pub email: String,
    /// True where the invitation is for this mail address alone.
    pub is_bound: bool,
    pub name: String,
    /// The name of somebody who has an account already.
    pub signed_in_as: Option<String>,
    pub problem: Option<String>,
}

/// The form of a link to choose a new password.
#[derive(Clone, Debug)]
pub struct ResetForm {
    pub code: String,
    pub problem: Option<String>,
}

/// The form of a share link.
#[derive(Clone, Debug)]
pub struct LinkForm {
    pub code: String,
    pub name: String,
    /// True where somebody without an account opens it, who may say a name.
    pub takes_name: bool,
    /// True where the name has to be said.
    pub asks_name: bool,
    pub asks_password: bool,
    pub problem: Option<String>,
}

/// The whole document of a form. `css` is the address of the styles, `nonce` of the one script, which takes what
/// stands behind `#` in the address into the form: no server is sent that.
pub fn document(form: Form, theme: Option<Theme>, css: String, nonce: String) -> impl IntoView {
    let (title, body) = match form {
        Form::SignIn(form) => ("Sign in", sign_in(form).into_any()),
        Form::First(form) => ("Set up", first(form, nonce).into_any()),
        Form::Join(form) => ("Invitation", join(form).into_any()),
        Form::Reset(form) => ("New password", reset(form).into_any()),
        Form::Link(form) => ("Shared dashboard", link(form).into_any()),
        Form::SecondFactor(page) => (page.title(), page.view(nonce)),
        Form::Refused(form) => ("Not signed in", refused(form).into_any()),
    };
    let title = format!("{title} · Lockstep");
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.map(Theme::name)>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                // As in the shell: a text of its own would come with marks that a title shows.
                <title inner_html=title></title>
                <link rel="icon" type="image/svg+xml" href=address::to("/favicon.svg")/>
                <link rel="stylesheet" href=css/>
            </head>
            <body>
                <main class="sign-in">
                    <p class="brand"><Logo/><span class="wordmark">"Lockstep"</span></p>
                    {body}
                </main>
            </body>
        </html>
    }
}

fn sign_in(SignInForm { email, to, problem, provider }: SignInForm) -> impl IntoView {
    // Whoever was not taken types the password again, and nothing else.
    let has_email = !email.is_empty();
    view! {
        <h1>"Sign in"</h1>
        {problem.map(problem_view)}
        {provider.map(provider_view)}
        <form method="post" action=address::to("/sign-in")>
            <input type="hidden" name="to" value=to/>
            {email_field(email, !has_email, false)}
            {password_field("current-password", "Password", has_email)}
            <button class="button primary" data-testid="sign-in">"Sign in"</button>
        </form>
        <p class="hint">"No account, or forgot your password? Ask an admin of this server for a link."</p>
    }
}

/// The way to a provider, above the form.
fn provider_view(ProviderLink { name, address }: ProviderLink) -> impl IntoView {
    view! {
        <a class="button primary" href=address::to(&address) data-testid="sign-in-provider">{format!("Sign in with {name}")}</a>
        <p class="or">"or with a password"</p>
    }
}

fn refused(RefusedForm { reason, reference }: RefusedForm) -> impl IntoView {
    view! {
        <h1>"You are not signed in"</h1>
        {problem_view(reason)}
        <a class="button primary" href=address::to("/sign-in") data-testid="sign-in-again">"Back to sign in"</a>
        <p class="hint">
            "An admin finds the cause in the audit log under "
            <code data-testid="sign-in-reference">{reference}</code>
            "."
        </p>
    }
}

fn first(FirstForm { token, email, name, problem }: FirstForm, nonce: String) -> impl IntoView {
    let script = "const field = document.querySelector('[name=token]');\n\
                  if (location.hash.length > 1) {\n\
                  field.value = location.hash.slice(1);\n\
                  history.replaceState(null, '', location.pathname);\n\
                  }\n";
    view! {
        <h1>"Set up Lockstep"</h1>
        <p>"This makes the first account. It is an admin account: with it you invite others."</p>
        {problem.map(problem_view)}
        <form method="post" action=address::to("/setup")>
            <label>
                "Set-up code"
                <input name="token" value=token autocomplete="off" spellcheck="false" required data-testid="setup-token"/>
                <small>"In the server's log: the part of the address after #."</small>
            </label>
            {email_field(email, true, false)}
            {name_field(name)}
            {password_field("new-password", "Password", false)}
            <button class="button primary" data-testid="set-up">"Make the account"</button>
        </form>
        <script nonce=nonce inner_html=script></script>
    }
}

fn join(form: JoinForm) -> impl IntoView {
    let JoinForm { code, team, email, is_bound, name, signed_in_as, problem } = form;
    let action = address::to(&format!("/invitation/{code}"));
    let fields = match signed_in_as {
        Some(name) => view! {
            <p>"You are signed in as "<b>{name}</b>"."</p>
            <button class="button primary" data-testid="join">"Join the team"</button>
        }
        .into_any(),
        None => view! {
            {email_field(email, !is_bound, is_bound)}
            {name_field(name)}
            {password_field("new-password", "Password", false)}
            <button class="button primary" data-testid="join">"Make my account"</button>
            <p class="hint">
                "You have an account here already? "<a href=address::to("/sign-in")>"Sign in"</a>" first, then open the link again."
            </p>
        }
        .into_any(),
    };
    view! {
        <h1>{format!("Join {team}")}</h1>
        {problem.map(problem_view)}
        <form method="post" action=action>{fields}</form>
    }
}

fn reset(ResetForm { code, problem }: ResetForm) -> impl IntoView {
    view! {
        <h1>"Choose a new password"</h1>
        <p>"Wherever else you are signed in, you will be signed out."</p>
        {problem.map(problem_view)}
        <form method="post" action=address::to(&format!("/reset/{code}"))>
            {password_field("new-password", "New password", true)}
            <button class="button primary" data-testid="reset">"Use this password"</button>
        </form>
    }
}

fn link(form: LinkForm) -> impl IntoView {
    let LinkForm { code, name, takes_name, asks_name, asks_password, problem } = form;
    view! {
        <h1>"A dashboard was shared with you"</h1>
        {problem.map(problem_view)}
        <form method="post" action=address::to(&format!("/s/{code}"))>
            {takes_name.then(|| view! {
                <label>
                    {if asks_name { "Your name" } else { "Your name, if you like" }}
                    <input
                        name="name"
                        value=name
                        autocomplete="nickname"
                        required=asks_name
                        maxlength="40"
                        data-testid="link-name"
                    />
                    <small>"As others see it here, with (guest) behind it."</small>
                </label>
            })}
            {asks_password.then(|| password_field("off", "Password of the link", false))}
            <button class="button primary" data-testid="link-open">"Open the dashboard"</button>
        </form>
        <p class="hint">
            "You have an account here? "<a href=address::to("/sign-in")>"Sign in"</a>" first, then open the link again."
        </p>
    }
}

pub(super) fn problem_view(problem: String) -> impl IntoView {
    view! { <p class="problem" role="alert" data-testid="sign-in-problem">{problem}</p> }
}

fn email_field(email: String, autofocus: bool, readonly: bool) -> impl IntoView {
    view! {
        <label>
            "Mail address"
            <input
                type="email"
                name="email"
                value=email
                autocomplete="username"
                required
                readonly=readonly
                autofocus=autofocus
                data-testid="sign-in-email"
            />
        </label>
    }
}

fn name_field(name: String) -> impl IntoView {
    view! {
        <label>
            "Name"
            <input name="name" value=name autocomplete="name" required maxlength="40" data-testid="sign-in-name"/>
            <small>"As others see it beside what you do."</small>
        </label>
    }
}

pub(super) fn password_field(
    autocomplete: &'static str,
    label: &'static str,
    autofocus: bool,
) -> impl IntoView {
    let is_new = autocomplete == "new-password";
    view! {
        <label>
            {label}
            <input
                type="password"
                name="password"
                autocomplete=autocomplete
                required
                minlength=is_new.then_some("10")
                maxlength="200"
                autofocus=autofocus
                data-testid="sign-in-password"
            />
            {is_new.then(|| view! { <small>"10 characters or more, and none that are easy to guess."</small> })}
        </label>
    }
}
