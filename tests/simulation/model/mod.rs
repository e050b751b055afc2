//! The rules of edits and conflicts (S4 to S6), from their words alone: what has to become of each op, given all
//! that was ever written, and what records, choices and undo may do. It looks at what a room was asked and what
//! it made of that, and knows nothing of how.

mod choices;
mod effects;
mod history;
mod judgement;
mod records;
mod undo;

pub use self::history::{History, Past};
pub use self::judgement::{End, Judgement, is_effect_of};
pub use self::undo::{Shown, letter_of};

/// What breaks a rule, with its number first.
pub type Broken = String;

/// Open conflicts of a dashboard at most (S10).
pub const MAX_OPEN: usize = lockstep::sync::conflict::MAX_OPEN_CONFLICTS;

/// Fails with a reason where something does not hold.
fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(why()) }
}
