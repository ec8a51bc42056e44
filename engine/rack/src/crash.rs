//! Named places at which a test can make the daemon die as if by `kill -9`.
//!
//! `HEADEND_CRASH_AT=rack.after_journal` kills the process at the first pass, `rack.after_journal:7` at the seventh.
//! Unset, a point costs one comparison.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

struct Plan {
    name: String,
    at: u64,
    passed: AtomicU64,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

fn read_plan() -> Option<Plan> {
    let text = std::env::var("HEADEND_CRASH_AT").ok()?;
    let (name, at) = match text.rsplit_once(':') {
        Some((name, n)) => (name, n.parse().ok()?),
        None => (text.as_str(), 1),
    };
    name.starts_with("rack.").then(|| Plan { name: name.to_owned(), at, passed: AtomicU64::new(0) })
}

/// Dies here if the environment says so.
pub(crate) fn point(name: &str) {
    let Some(plan) = PLAN.get_or_init(read_plan) else { return };
    if plan.name == name && plan.passed.fetch_add(1, Ordering::SeqCst) + 1 == plan.at {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
