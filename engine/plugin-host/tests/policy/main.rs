//! Policy plugins from their folder to their answers: our own, hostile ones, and those that change while in use.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod analysers;
#[allow(unreachable_pub, reason = "shared with targets outside of the workspace")]
mod assemble;
mod bundles;
#[path = "../shared/cases.rs"]
mod cases;
mod fixture;
mod folder;
mod hostile_corpus;
mod hostile_rhai;
mod hostile_wasm;
mod in_the_box;
mod lifecycle;
mod loading;
mod made;
mod queue;
mod queue_farm;
mod queue_own;
mod reasons;
mod released;
mod second;
mod signatures;
mod spread;
mod support;
#[allow(unreachable_pub, reason = "shared with targets outside of the workspace")]
mod table;
mod twins;
mod versions;
mod wants;
