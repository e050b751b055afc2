//! Live data: what is pushed, what is asked for, and how often a source is asked.

#![cfg(feature = "ssr")]

mod clients;
#[cfg(target_os = "linux")]
mod daemons;
mod fake;
mod influx;
mod ingest;
mod program;
#[cfg(target_os = "linux")]
mod real;
mod remote_write;
mod senders;
mod sources;
#[path = "../support/mod.rs"]
mod support;
