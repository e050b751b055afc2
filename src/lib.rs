//! Lockstep: dashboards that a whole team edits and watches at the same moment.
//!
//! In reading order: what a dashboard is, how copies of it stay in agreement, what people see, and
//! the IO around it on either side.

// A page is one type, as deep as its elements are nested.
#![recursion_limit = "512"]

pub mod dashboard;
pub mod sync;

pub mod app;

#[cfg(all(feature = "split", target_family = "wasm"))]
#[path = "app/chunks/apart.rs"]
mod fetched;
#[cfg(not(all(feature = "split", target_family = "wasm")))]
#[path = "app/chunks/whole.rs"]
mod fetched;

#[cfg(all(feature = "ssr", feature = "oidc"))]
#[path = "server/access/oidc/provider.rs"]
mod openid;
#[cfg(all(feature = "ssr", not(feature = "oidc")))]
#[path = "server/access/oidc/absent.rs"]
mod openid;

#[cfg(feature = "hydrate")]
pub mod browser;
#[cfg(feature = "ssr")]
pub mod server;
