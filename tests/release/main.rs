//! What a release promises to operators: the real program with its page inside, what it says of itself, and that it
//! opens the data of the versions before.

#![cfg(feature = "ssr")]

mod page_inside;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod well;
