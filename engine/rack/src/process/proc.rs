//! What `/proc` tells about a process.

use std::fs;

/// Clock ticks per second in `/proc`, the same on every Linux (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// Fields of `/proc/PID/stat` that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `D`, `Z`, ...
    pub state: char,
    /// Process group.
    pub group: u32,
    /// CPU time used, user and system, in milliseconds.
    pub cpu_ms: u64,
    /// Start, in ticks since boot: with the id it names one process for ever.
    pub started: u64,
}

fn parse(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may hold anything, parentheses too.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: number(2)? as u32,
        cpu_ms: (number(11)? + number(12)?) * 1_000 / TICKS_PER_SECOND,
        started: number(19)?,
    })
}

/// Looks a process up; `None`: it is gone.
pub fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Is the process that started then still there, and more than a zombie?
pub fn is_alive(pid: u32, started: u64) -> bool {
    stat(pid).is_some_and(|stat| stat.started == started && stat.state != 'Z')
}

/// All process ids.
pub fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_do_not_confuse() {
        let text = "42 (a) R (b c) S 1 40 40 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 98765 1 2 3";
        assert_eq!(parse(text), Some(Stat { state: 'S', group: 40, cpu_ms: 2_000, started: 98_765 }));
        let own = stat(std::process::id()).unwrap();
        assert!(is_alive(std::process::id(), own.started) && !is_alive(std::process::id(), own.started + 1));
    }
}
