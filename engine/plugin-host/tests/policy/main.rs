//! Policy plugins from their folder to their answers: our own, hostile ones, and those that change while in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bundles;
mod fixture;
mod folder;
mod hostile_rhai;
mod hostile_wasm;
mod in_the_box;
mod lifecycle;
mod loading;
mod queue;
mod queue_farm;
mod queue_own;
mod released;
mod second;
mod signatures;
mod spread;
mod support;
mod twins;
mod versions;
