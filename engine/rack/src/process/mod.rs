//! Child processes: how they are started, found again, and ended for sure.

pub mod cgroup;
pub mod controllers;
pub mod isolation;
pub mod leftovers;
mod nursery;
pub mod proc;
pub mod quota;

pub use nursery::{Nursery, Spec, Stdio3};
