//! The server's half: IO around `sync::Room`.

pub mod auth;
pub mod clock;
pub mod config;
pub mod data;
pub mod limits;
pub mod metrics;
pub mod origin;
pub mod rooms;
pub mod socket;
pub mod store;
