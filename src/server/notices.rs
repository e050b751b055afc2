//! The licences of what the program is made of.

/// Written by `scripts/notices.mjs`; it travels inside the program, so that no copy is without it.
pub const NOTICES: &str = include_str!("../../THIRD-PARTY-NOTICES");
