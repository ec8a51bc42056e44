//! Named points at which the process kills itself when a test asks for it.
//!
//! `HEADEND_CRASH_AT=submit.after_commit` ends the process there the first time, `submit.after_commit:7` the seventh.
//! As with `kill -9`, nothing is flushed and no destructor runs. Absent from release builds without the feature
//! `crash-points`.

/// Ends the process if `HEADEND_CRASH_AT` names this point.
#[cfg(any(debug_assertions, feature = "crash-points"))]
pub(crate) fn crash_point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("HEADEND_CRASH_AT").ok()?;
        let (point, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some((point.to_owned(), AtomicU64::new(count.parse().unwrap_or(1).max(1))))
    });
    let Some((point, left)) = wanted else { return };
    if point == name && left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

/// Does nothing in this build.
#[cfg(not(any(debug_assertions, feature = "crash-points")))]
pub(crate) fn crash_point(_name: &str) {}
