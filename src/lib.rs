//! Lockstep: dashboards that a whole team edits and watches at the same moment.
//!
//! In reading order: what a dashboard is, how copies of it stay in agreement, what people see, and
//! the IO around it on either side.

// A page's type holds the types of all that is on it.
#![recursion_limit = "512"]

pub mod dashboard;
pub mod sync;

pub mod app;

#[cfg(feature = "hydrate")]
pub mod browser;
#[cfg(feature = "ssr")]
pub mod server;
