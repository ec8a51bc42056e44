//! What the stories share: a lab of real processes ([`Lab`]), a client that speaks REST to it ([`Client`]), and the
//! witness's log ([`witness`]).
//!
//! Nothing here sleeps to wait: [`eventually`] polls a condition until a deadline that only a broken system reaches.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test support: a panic is a failed test"
)]

pub mod client;
pub mod disk;
pub mod gate;
pub mod hostile;
pub mod lab;
pub mod witness;

pub use client::Client;
pub use disk::SmallDisk;
pub use gate::Gate;
pub use lab::{Lab, Process};

use std::future::Future;
use std::time::{Duration, Instant};

/// Longest wait for anything in a story. Generous: reached only when something is broken.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Polls until the condition gives a value.
///
/// # Panics
/// After [`DEADLINE`], naming what was waited for.
pub async fn eventually<T, F, Fut>(what: &str, mut condition: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
