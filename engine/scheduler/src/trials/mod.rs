//! Policies on trial, beside the one at work: what is compared, which jobs go where, and when a trial has failed. Plain
//! functions of plain data; the state of a canary is in the farm.

mod canary;
mod compare;
mod orders;

pub use canary::{Arm, Breach, CanaryRefusal, CanaryRequest, CanaryState, CanaryTerms, Permille, Waits};
pub use compare::{Aside, Comparison};
pub use orders::{OrderComparison, compare_orders, kendall_tau_b};
