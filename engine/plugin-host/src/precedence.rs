//! Who goes first where threads compete for a processor: whoever answers others, before foreign code.
//!
//! Linux (6.12 and newer) lets a thread say how long it wants to compute at a time. Who asks for less than the one that is computing
//! gets the processor at once when it wakes, instead of at the next tick, and gets no more of it in all. So servers and racks ask
//! for the least there is, scripts have what everybody has, and a policy that computes for long loses what it had (`cores`). Older
//! kernels do as they always did.
//!
//! Not more than what everybody has is taken from it: who asks for 100 ms at a time waits that long beside others, and a policy that was
//! slow because the machine is busy would hold up its jobs.

use std::time::Duration;

use rustix::process::Pid;

/// The least that Linux gives.
const SHORT: Duration = Duration::from_micros(100);
/// What everybody has.
const USUAL: Duration = Duration::ZERO;

/// For this thread and all that it starts, processes too. To be called before the first thread starts.
pub fn come_first() {
    let _ = ask_for(None, SHORT);
}

/// For this thread and all that it starts: no sooner than others.
pub fn come_as_others() {
    let _ = ask_for(None, USUAL);
}

/// A thread has lost its precedence as long as this lives.
#[derive(Debug)]
pub(crate) struct Lost {
    thread: Pid,
    before: Duration,
}

/// `None`: the kernel does not allow it, and nothing has changed.
pub(crate) fn lose(thread: Pid) -> Option<Lost> {
    ask_for(Some(thread), USUAL).map(|before| Lost { thread, before })
}

impl Drop for Lost {
    fn drop(&mut self) {
        // A thread that has ended has no need of it.
        let _ = ask_for(Some(self.thread), self.before);
    }
}

/// Tells what it was before. `None`: the kernel does not allow it, and nothing has changed.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "these system calls have no safe form")]
fn ask_for(thread: Option<Pid>, slice: Duration) -> Option<Duration> {
    const SIZE: libc::c_uint = size_of::<Attributes>() as libc::c_uint;
    const NO_FLAGS: libc::c_uint = 0;
    let thread = Pid::as_raw(thread);
    let mut own = Attributes::default();
    // SAFETY: the kernel writes at most `SIZE` bytes to a structure of that size, which outlives the call.
    if unsafe { libc::syscall(libc::SYS_sched_getattr, thread, &raw mut own, SIZE, NO_FLAGS) } != 0 {
        return None;
    }
    let before = Duration::from_nanos(own.runtime);
    own.runtime = u64::try_from(slice.as_nanos()).unwrap_or(0);
    // SAFETY: the kernel reads the structure, whose first field tells its size.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const own, NO_FLAGS) };
    (done == 0).then_some(before)
}

#[cfg(not(target_os = "linux"))]
fn ask_for(_thread: Option<Pid>, _slice: Duration) -> Option<Duration> {
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

    /// On a thread of its own, whose slice is nobody else's.
    #[test]
    fn precedence_is_lost_for_a_while_and_inherited() {
        let thread = std::thread::spawn(|| {
            let nice = rustix::process::getpriority_process(None).unwrap();
            if ask_for(None, SHORT).is_none() || ask_for(None, SHORT) != Some(SHORT) {
                eprintln!("NOT TRIED: this kernel has no slices of threads");
                return;
            }
            let lost = lose(gettid()).unwrap();
            assert_ne!(ask_for(None, USUAL), Some(SHORT));
            drop(lost);
            let heir = std::thread::spawn(|| ask_for(None, USUAL)).join().unwrap();
            assert_eq!(heir, Some(SHORT));
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), nice);
        });
        thread.join().unwrap();
    }
}
