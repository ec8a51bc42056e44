//! Runs foreign code: policies, analysers, scripts. Each is read, checked, compiled, linked and tried before anybody depends on
//! it; each call has a deadline, a memory cap, and one owner; a guest that failed is never used again.
//!
//! ```text
//!  folder, bundle, file ─► manifest ─► lifecycle (world, capabilities, trust, parameters, compile in a child, link, self-check, keep, switch)
//!                            │
//!                            ├─► wasm      one engine per process, no WASI; policies answer in the server's process
//!                            ├─► policy    PolicyHost: load, roll back, disable, instance(plan) ─► propose
//!                            │              └─ Rhai policies answer in a child process, never in the server's
//!                            └─► analyser  AnalyserHost: load, roll back, instance(references) ─► feed(frame) ─► verdicts
//! ```
//!
//! Meet [`policy::PolicyHost`] first. Absent on purpose: tokio, the store, and any decision on what is done with an answer. A policy
//! proposes; the scheduler disposes.

pub mod analyser;
mod cores;
pub mod excerpt;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod guest;
pub mod lifecycle;
pub mod manifest;
pub mod policy;
pub mod precedence;
mod pulse;
mod rhai_child;
pub mod script;
pub mod trust;
pub mod wasm;

pub use analyser::{AnalyserFault, AnalyserHost, AnalyserHostConfig, AnalyserInstance};
pub use guest::GuestProgram;
pub use lifecycle::LoadError;
pub use manifest::{Capability, Kind, Limits, Manifest};
pub use policy::{PolicyFault, PolicyHost, PolicyHostConfig, PolicyInstance};
