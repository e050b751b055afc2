//! The server's half: IO around `sync::Room`.

pub mod audit;
pub mod auth;
pub mod clock;
pub mod config;
pub mod data;
pub mod drain;
pub mod errors;
pub mod health;
pub mod housekeeping;
pub mod http;
pub mod ingest;
pub mod large_body;
pub mod limits;
pub mod memory;
pub mod metrics;
pub mod origin;
pub mod pages;
pub mod renders;
pub mod rooms;
pub mod router;
pub mod sample;
pub mod socket;
pub mod state;
pub mod static_files;
pub mod store;
pub mod unsent;
