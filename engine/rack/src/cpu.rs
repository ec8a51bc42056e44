//! CPU use of the host over the last seconds, from `/proc/stat`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Samples kept: with one per second, a window of five seconds.
const WINDOW: usize = 6;

/// Busy and total time of all processors since boot, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    total: u64,
}

/// Reads the first line of `/proc/stat`: user nice system idle iowait irq softirq steal.
fn parse(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().take(8).filter_map(|field| field.parse().ok()).collect();
    let total: u64 = fields.iter().sum();
    let idle = fields.get(3)? + fields.get(4).copied().unwrap_or(0);
    Some(Ticks { busy: total.saturating_sub(idle), total })
}

fn percent(old: Ticks, new: Ticks) -> Option<u8> {
    let total = new.total.checked_sub(old.total).filter(|total| *total > 0)?;
    Some((new.busy.saturating_sub(old.busy) * 100 / total).min(100) as u8)
}

/// The last figure.
#[derive(Debug, Default)]
pub struct CpuGauge {
    percent: AtomicU8,
}

impl CpuGauge {
    /// 0 to 100, over about five seconds; 0 until there are two samples.
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Samples once a second until it is dropped or cancelled by its owner.
    pub async fn sample(&self) {
        let mut window: VecDeque<Ticks> = VecDeque::with_capacity(WINDOW + 1);
        loop {
            // A read of /proc never waits for a disk.
            if let Some(ticks) = std::fs::read_to_string("/proc/stat").ok().as_deref().and_then(parse) {
                window.push_back(ticks);
                if window.len() > WINDOW {
                    window.pop_front();
                }
                if let Some(percent) = window.front().and_then(|oldest| percent(*oldest, ticks)) {
                    self.percent.store(percent, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_disk_is_not_busy() {
        let before = parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        let after = parse("cpu  130 10 110 730 120 0 0 0 0 0\n").unwrap();
        assert_eq!(percent(before, after), Some(50));
        assert_eq!(percent(after, after), None);
        assert_eq!(parse("intr 1 2 3"), None);
    }
}
