//! Access over HTTP and sockets: who gets in, what each may do, and what ends it.

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod links;
mod matrix;
mod oidc;
mod people;
mod rooms;
mod scene;
mod shell;
mod sign_in;
mod tokens;
