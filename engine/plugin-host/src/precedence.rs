//! Who goes first where threads compete for a processor: whoever answers others, before foreign code.
//!
//! Two things decide that on Linux. The *slice* (6.12 and newer) is how long a thread wants to compute at a time: who asks for less than
//! the one that is computing may have the processor at once when it wakes, instead of at the next tick, and gets no more of it in
//! all. But only while it has not had more than its share, which a busy server soon has; and the share is what *niceness* decides.
//! So servers and racks ask for the shortest slices there are; scripts have what everybody has, and are a little nicer; a policy or a
//! script that computes for long loses its slice and is much nicer until it is done (`cores`).
//!
//! Nobody without a right to it becomes less nice again (`CAP_SYS_NICE`, or `LimitNICE=` of a service), so a thread that must come back
//! is made nicer only where that was tried. Older kernels do as they always did.
//!
//! Not more than what everybody has is taken from anybody's slice: who asks for 100 ms at a time waits that long beside others, and a
//! policy that was slow because the machine is busy would hold up its jobs.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Pid;

/// The least that Linux gives.
const SHORT: Duration = Duration::from_micros(100);
/// What everybody has.
const USUAL: Duration = Duration::ZERO;
/// How nice scripts are: beside a busy server they have a quarter of a processor.
const SECOND: i32 = 5;
/// How nice is who has given way: beside a busy server it has a tenth. Not less, or a policy that was slow because the machine is busy would
/// never end in time.
const LAST: i32 = 10;

/// For this thread and all that it starts, processes too. To be called before the first thread starts.
pub fn come_first() {
    let _ = change(None, |own| own.slice = SHORT);
}

/// For this thread and all that it starts: after those who come first, for good.
pub fn come_second() {
    let _ = change(None, |own| *own = Standing { slice: USUAL, nice: own.nice.max(SECOND) });
}

/// A thread has lost its precedence as long as this lives.
#[derive(Debug)]
pub(crate) struct Lost {
    thread: Pid,
    before: Standing,
}

/// `None`: the kernel does not allow it, and nothing has changed.
pub(crate) fn lose(thread: Pid) -> Option<Lost> {
    let nice = may_return();
    let before = change(Some(thread), |own| {
        *own = Standing { slice: USUAL, nice: if nice { own.nice.max(LAST) } else { own.nice } }
    })?;
    Some(Lost { thread, before })
}

impl Drop for Lost {
    fn drop(&mut self) {
        // A thread that has ended has no need of it.
        let _ = change(Some(self.thread), |own| *own = self.before);
    }
}

/// Whether a thread of this process that was made nicer can be made as it was. Tried once, on a thread of its own.
fn may_return() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let there_and_back = || {
            let before = change(None, |own| own.nice += 1)?;
            change(None, |own| own.nice = before.nice)
        };
        let trial = std::thread::Builder::new().name("nice".into()).spawn(there_and_back);
        trial.is_ok_and(|trial| matches!(trial.join(), Ok(Some(_))))
    })
}

/// How a thread stands beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    slice: Duration,
    nice: i32,
}

/// Tells what it was before. `None`: the kernel does not allow it, and nothing has changed.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "these system calls have no safe form")]
fn change(thread: Option<Pid>, to: impl FnOnce(&mut Standing)) -> Option<Standing> {
    const SIZE: libc::c_uint = size_of::<Attributes>() as libc::c_uint;
    const NO_FLAGS: libc::c_uint = 0;
    let thread = Pid::as_raw(thread);
    let mut own = Attributes::default();
    // SAFETY: the kernel writes at most `SIZE` bytes to a structure of that size, which outlives the call.
    if unsafe { libc::syscall(libc::SYS_sched_getattr, thread, &raw mut own, SIZE, NO_FLAGS) } != 0 {
        return None;
    }
    let before = Standing { slice: Duration::from_nanos(own.runtime), nice: own.nice };
    let mut after = before;
    to(&mut after);
    own.runtime = u64::try_from(after.slice.as_nanos()).unwrap_or(0);
    own.nice = after.nice;
    // SAFETY: the kernel reads the structure, whose first field tells its size.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const own, NO_FLAGS) };
    (done == 0).then_some(before)
}

#[cfg(not(target_os = "linux"))]
fn change(_thread: Option<Pid>, _to: impl FnOnce(&mut Standing)) -> Option<Standing> {
    None
}

/// `struct sched_attr` in its first version (`man 2 sched_setattr`).
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

#[cfg(test)]
mod tests {
    use rustix::thread::gettid;

    use super::*;

    fn own() -> Option<Standing> {
        change(None, |_| ())
    }

    /// On a thread of its own, whose standing is nobody else's.
    #[test]
    fn precedence_is_lost_for_a_while_and_inherited() {
        let thread = std::thread::spawn(|| {
            come_first();
            let Some(first) = own().filter(|own| own.slice == SHORT) else {
                eprintln!("NOT TRIED: this kernel has no slices of threads");
                return;
            };
            let lost = lose(gettid()).unwrap();
            let now = own().unwrap();
            assert_ne!(now.slice, SHORT);
            assert_eq!(now.nice, if may_return() { first.nice.max(LAST) } else { first.nice });
            drop(lost);
            let heir = std::thread::spawn(own).join().unwrap();
            assert_eq!(heir, Some(first));
        });
        thread.join().unwrap();
    }

    #[test]
    fn who_comes_second_does_not_come_before_those_who_were_last() {
        let nices = std::thread::spawn(|| {
            let before = own()?.nice;
            come_second();
            let second = own()?.nice;
            change(None, |own| own.nice = own.nice.max(LAST))?;
            come_second();
            Some((before, second, own()?.nice))
        });
        let Some((before, second, last)) = nices.join().unwrap() else {
            eprintln!("NOT TRIED: this kernel does not tell how threads stand");
            return;
        };
        assert_eq!((second, last), (before.max(SECOND), LAST.max(SECOND)));
    }
}
