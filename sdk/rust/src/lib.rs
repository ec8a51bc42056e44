//! Write plugins and tests for Headend in Rust.
//!
//! * [`policy`]: which test next on a free device, which job first. Start at [`policy::CoveragePolicy`].
//! * [`script`]: tests that drive devices.
//! * [`analyser`]: what pictures and sound show. Start at [`analyser::Analyser`].
//!
//! A guest is a `cdylib` built for `wasm32-unknown-unknown`; the server makes a component of it when it loads it.

pub mod analyser;
pub mod policy;
pub mod script;
