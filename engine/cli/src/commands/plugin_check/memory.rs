//! How much memory a plugin took: the growth of this process, and of its children, which run Rhai.

use std::fs;

/// A measurement that has begun.
pub(super) struct Memory(Option<u64>);

impl Memory {
    /// From here on the peak counts.
    pub(super) fn begin() -> Self {
        // Resets the peak of this process. Where that is not allowed the peak of before counts, and the figure is too large.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self(status("self", "VmRSS:"))
    }

    /// KiB that were taken at most since then: upper bounds, for the host's own copies of plan and answers count too.
    pub(super) fn taken_kib(&self) -> Option<u64> {
        let own = status("self", "VmHWM:")?.saturating_sub(self.0?);
        Some(own + children().iter().filter_map(|pid| status(pid, "VmHWM:")).sum::<u64>())
    }
}

/// A value in KiB.
fn status(pid: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
