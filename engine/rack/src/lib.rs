//! The rack's supervisor.
pub mod clock;
pub mod cpu;
pub mod crash;
pub mod driver;
pub mod error;
pub mod folder;
pub mod journal;
pub mod options;
pub mod session;
pub mod witness;
