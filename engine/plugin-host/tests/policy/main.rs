//! Policy plugins from their folder to their answers: our own, hostile ones, and those that change while in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod fixture;
mod folder;
mod hostile_rhai;
mod hostile_wasm;
mod loading;
mod queue;
mod spread;
mod support;
mod twins;
mod versions;
