//! Foreign code that computes for long gives way: one processor stays free of it, for those who wait for short things.
//!
//! A lower priority alone does not do. A thread that is woken on a processor where another computes may have to wait for the kernel's
//! next tick, whatever both weigh, and so do the kernel's own threads that finish a write to disk: some milliseconds for each step
//! of an answer that takes one or two. Where a processor has nothing long to do there is nobody to wait for. So who computes for
//! longer than [`PATIENCE`] in one go goes on on the other processors until it is done; who answers quickly never notices. What wakes
//! on one of those nevertheless goes first (`precedence`), and soon (`pulse`).
//!
//! On a machine (or in a container) with one processor there is nothing to give.

use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::precedence::{Lost, lose};
use crate::pulse::{Beats, beat_beside};

/// How long foreign code may compute in one go before it gives way.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// A thread keeps off one processor, and has no precedence, as long as this lives. To be dropped before that thread's number can be another's.
#[derive(Debug)]
pub(crate) struct GivenWay {
    thread: Pid,
    before: CpuSet,
    _precedence: Option<Lost>,
    _beats: Beats,
}

/// Leaves the first of its processors to others. `None`: it has only one, or the kernel does not allow it; both are as well.
pub(crate) fn give_way(thread: Pid) -> Option<GivenWay> {
    let before = sched_getaffinity(Some(thread)).ok()?;
    let others = without_first(&before)?;
    sched_setaffinity(Some(thread), &others).ok()?;
    Some(GivenWay { thread, before, _precedence: lose(thread), _beats: beat_beside(thread) })
}

impl Drop for GivenWay {
    fn drop(&mut self) {
        // A thread that has ended has no need of it.
        let _ = sched_setaffinity(Some(self.thread), &self.before);
    }
}

fn without_first(all: &CpuSet) -> Option<CpuSet> {
    let first = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu))?;
    let mut others = *all;
    others.unset(first);
    (others.count() > 0).then_some(others)
}

#[cfg(test)]
mod tests {
    use rustix::thread::gettid;

    use super::*;

    fn set(cpus: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        for cpu in cpus {
            set.set(*cpu);
        }
        set
    }

    #[test]
    fn the_first_of_several_is_left_to_others() {
        assert_eq!(without_first(&set(&[0, 1, 2])), Some(set(&[1, 2])));
        assert_eq!(without_first(&set(&[4, 9])), Some(set(&[9])));
        assert_eq!(without_first(&set(&[3])), None);
        assert_eq!(without_first(&set(&[])), None);
    }

    #[test]
    fn who_has_given_way_gets_its_processors_back() {
        let before = sched_getaffinity(None).unwrap();
        let given = give_way(gettid());
        assert_eq!(given.is_some(), before.count() > 1);
        assert_eq!(sched_getaffinity(None).unwrap().count(), (before.count() - 1).max(1));
        drop(given);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
