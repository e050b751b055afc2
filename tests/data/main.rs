//! Live data: what is pushed, what is asked for, and how often a source is asked.

#![cfg(feature = "ssr")]

mod asked;
mod clients;
#[cfg(target_os = "linux")]
mod daemons;
mod fake;
mod http;
mod influx;
mod ingest;
#[cfg(target_os = "linux")]
mod postgres;
mod program;
#[cfg(target_os = "linux")]
mod real;
mod remote_write;
mod senders;
mod sources;
#[cfg(target_os = "linux")]
mod sql;
#[path = "../support/mod.rs"]
mod support;
