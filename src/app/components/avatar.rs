//! A person as a small round mark in their colour, and a program as a square one.

use crate::app::dynamic::{attr, live, memo};
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::app::format::initials;
use crate::dashboard::User;

/// Initials on the person's colour; the name stands beside or in a label. A program has an icon, which says what it is.
#[component]
pub fn Avatar(#[prop(into)] user: Signal<User>, #[prop(optional)] small: bool) -> impl IntoView {
    let is_program = memo(move || user.read().id.is_program());
    view! {
        <span
            class="avatar"
            class:small=small
            class:program=is_program
            role=attr(move || is_program.get().then_some("img"))
            aria-label=attr(move || is_program.get().then_some("Program"))
            aria-hidden=attr(move || (!is_program.get()).then_some("true"))
            style:--who=attr(move || user.read().color.clone())
        >
            {live(move || match is_program.get() {
                true => view! { <Glyph icon=Icon::Program/> }.into_any(),
                false => initials(&user.read().name).into_any(),
            })}
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::UserId;

    fn html(id: &str) -> String {
        let user = User { id: UserId::new(id).expect("an id"), name: "Ada L".to_owned(), ..User::default() };
        Owner::new_root(None).with(|| view! { <Avatar user=Signal::stored(user)/> }.to_html())
    }

    #[test]
    fn a_program_looks_and_reads_as_one() {
        let (person, program) = (html("4fT9_aB2cD3eF5gH"), html("t-0123456789abcdef"));
        assert!(person.contains(">AL") && person.contains(r#"aria-hidden="true""#), "{person}");
        assert!(!person.contains("Program") && !person.contains("program"), "{person}");
        for part in [r#"aria-label="Program""#, r#"role="img""#, "program", "<svg"] {
            assert!(program.contains(part), "{part}: {program}");
        }
        assert!(!program.contains(">AL"), "{program}");
    }
}
