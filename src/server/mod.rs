//! The server's half: IO around `sync::Room`.

pub mod data;
