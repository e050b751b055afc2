//! Access over HTTP and sockets: who gets in, what each may do, and what ends it.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod audit;
mod guests;
mod links;
mod matrix;
mod oidc;
mod people;
mod proxy;
mod rooms;
mod scene;
mod screens;
mod second_factor;
mod shell;
mod sign_in;
mod tokens;
