//! Beats beside foreign code that computes for long, so that whoever waits for its processor is seen in time.
//!
//! Linux chooses anew who runs where a thread wakes, and at ticks (every 4 ms at 250 Hz). A thread that has just had a little more than
//! its share is passed over when it wakes, however little that was and however nice the other is, and nobody looks again before the
//! next tick: one wakeup in forty beside a busy script. A server that answers in two milliseconds does a dozen of them. A thread that wakes twice in a
//! millisecond on that processor makes the kernel look again.
//!
//! It costs some microseconds each time (measured: 3 % of a processor on a virtual machine in a virtual machine), and only as long as somebody has given way (`cores`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::precedence::come_first;

/// Between two beats.
const BEAT: Duration = Duration::from_micros(500);
/// Beats after which a heart looks where its thread computes now.
const STEPS: u32 = 16;
/// It does next to nothing.
const STACK: usize = 64 << 10;
/// Most hearts of a process.
const MOST: usize = 4;

/// There are beats beside a thread as long as this lives.
#[derive(Debug)]
pub(crate) struct Beats(Pid);

/// Who is beaten beside, and by whom: the heart of a place serves the thread that has this place at the moment.
struct Hearts {
    threads: Vec<Pid>,
    at_work: [bool; MOST],
}

static HEARTS: Mutex<Hearts> = Mutex::new(Hearts { threads: Vec::new(), at_work: [false; MOST] });

/// From now on.
pub(crate) fn beat_beside(thread: Pid) -> Beats {
    let mut hearts = hearts();
    hearts.threads.push(thread);
    for place in 0..hearts.threads.len().min(MOST) {
        if !hearts.at_work[place] {
            // Without it things are as they are without this module.
            let started = thread::Builder::new().name("pulse".into()).stack_size(STACK).spawn(move || beat(place));
            hearts.at_work[place] = started.is_ok();
        }
    }
    Beats(thread)
}

impl Drop for Beats {
    fn drop(&mut self) {
        let mut hearts = hearts();
        if let Some(place) = hearts.threads.iter().position(|thread| *thread == self.0) {
            hearts.threads.swap_remove(place);
        }
    }
}

/// A heart's life. It ends by itself when its place is empty.
fn beat(place: usize) {
    come_first();
    let mut beside = None;
    while let Some(thread) = at(place) {
        follow(thread, &mut beside);
        for _ in 0..STEPS {
            thread::sleep(BEAT);
        }
    }
}

/// Who has that place. `None`: nobody, and the heart is gone.
fn at(place: usize) -> Option<Pid> {
    let mut hearts = hearts();
    let thread = hearts.threads.get(place).copied();
    hearts.at_work[place] = thread.is_some();
    thread
}

/// Goes where that thread computes.
fn follow(thread: Pid, beside: &mut Option<CpuSet>) {
    let Some(there) = processor(thread).or_else(|| sched_getaffinity(Some(thread)).ok()) else { return };
    if *beside != Some(there) && sched_setaffinity(None, &there).is_ok() {
        *beside = Some(there);
    }
}

/// `None`: it has ended, or files of the kernel cannot be seen from here.
fn processor(thread: Pid) -> Option<CpuSet> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", thread.as_raw_nonzero())).ok()?;
    let mut only = CpuSet::new();
    only.set(processor_in(&stat).filter(|cpu| *cpu < CpuSet::MAX_CPU)?);
    Some(only)
}

/// Field 39 (`man 5 proc_pid_stat`). The second, the name, may have spaces and brackets of its own.
fn processor_in(stat: &str) -> Option<usize> {
    const AFTER_THE_NAME: usize = 39 - 3;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(AFTER_THE_NAME)?.parse().ok()
}

fn hearts() -> MutexGuard<'static, Hearts> {
    HEARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rustix::thread::gettid;

    use super::*;

    #[test]
    fn names_with_brackets_do_not_hide_the_processor() {
        let fields = (3..=39).map(|field| if field == 3 { "R".into() } else { field.to_string() });
        let stat = format!("17 (a ) b) {} 40 41", fields.collect::<Vec<_>>().join(" "));
        assert_eq!(processor_in(&stat), Some(39));
        assert_eq!(processor_in("17 (short) R 1"), None);
        assert_eq!(processor_in(""), None);
    }

    /// One test, since the hearts are the process's.
    #[test]
    fn there_are_hearts_while_somebody_computes_for_long_and_none_afterwards() {
        let beats: Vec<_> = (0..MOST + 2).map(|_| beat_beside(gettid())).collect();
        assert_eq!(hearts().at_work, [true; MOST]);
        drop(beats);
        let late = Instant::now() + Duration::from_secs(30);
        while hearts().at_work != [false; MOST] {
            assert!(Instant::now() < late, "hearts beat on beside nobody");
            thread::sleep(BEAT);
        }
    }
}
