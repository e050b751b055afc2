//! Access over HTTP and sockets: who gets in, what each may do, and what ends it.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod audit;
mod links;
mod matrix;
mod people;
mod rooms;
mod scene;
mod shell;
mod sign_in;
mod tokens;
