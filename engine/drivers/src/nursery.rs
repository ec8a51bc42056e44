//! The one thread that starts children which must not outlive this process.
//!
//! A child asks the kernel to die with its parent (`PR_SET_PDEATHSIG`), and to the kernel the parent is the *thread* that forked it.
//! Threads of a runtime come and go; this one stays as long as the process.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{OnceLock, mpsc};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Descriptor under which a child finds the pipe that is given to it.
pub(crate) const EXTRA_FD: RawFd = 3;

type Work = Box<dyn FnOnce() + Send>;

/// Leads a process group, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Offspring(pub(crate) Child);

impl Drop for Offspring {
    fn drop(&mut self) {
        // No id: it has been waited for, and the number may be somebody else's by now.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let _ = id.map(|id| kill_process_group(id, Signal::KILL));
    }
}

/// Starts a command in a process group of its own; `extra` is its descriptor 3.
pub(crate) async fn spawn(mut command: Command, extra: Option<OwnedFd>) -> io::Result<Offspring> {
    let (answer, child) = oneshot::channel();
    let runtime = Handle::current();
    let job: Work = Box::new(move || {
        let _inside = runtime.enter();
        command.process_group(0).kill_on_drop(true);
        before_exec(&mut command, extra);
        let _ = answer.send(command.spawn().map(Offspring));
    });
    thread()?.send(job).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts processes has ended")
}

/// The way to it. What waits there is bounded by the callers: each waits for its child before it asks for another.
fn thread() -> io::Result<mpsc::Sender<Work>> {
    static THREAD: OnceLock<mpsc::Sender<Work>> = OnceLock::new();
    if let Some(thread) = THREAD.get() {
        return Ok(thread.clone());
    }
    let (work, jobs) = mpsc::channel::<Work>();
    std::thread::Builder::new().name("nursery".into()).spawn(move || jobs.into_iter().for_each(|job| job()))?;
    // Two may come first at once: the second's thread ends with its unused sender.
    Ok(THREAD.get_or_init(|| work).clone())
}

/// What the child does between fork and exec.
#[allow(unsafe_code, reason = "there is no safe way to hand over a descriptor or to set PR_SET_PDEATHSIG")]
fn before_exec(command: &mut Command, extra: Option<OwnedFd>) {
    let hook = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        extra.as_ref().map_or(Ok(()), |pipe| hand_over(pipe.as_raw_fd()))
    };
    // SAFETY: the hook runs in the forked child of a threaded process and does nothing but system calls (prctl, dup2,
    // fcntl): no allocation, no lock.
    unsafe { command.pre_exec(hook) };
}

/// Makes the pipe descriptor 3, open across exec.
#[allow(unsafe_code, reason = "descriptors are numbers here")]
fn hand_over(pipe: RawFd) -> io::Result<()> {
    use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd};
    // SAFETY: the caller's `OwnedFd` keeps the descriptor open during the call.
    let pipe_fd = unsafe { BorrowedFd::borrow_raw(pipe) };
    if pipe == EXTRA_FD {
        rustix::io::fcntl_setfd(pipe_fd, rustix::io::FdFlags::empty())?;
        return Ok(());
    }
    // SAFETY: the number is only the target of dup2, which closes what was there; it is given up again at once.
    let mut target = unsafe { OwnedFd::from_raw_fd(EXTRA_FD) };
    let done = rustix::io::dup2(pipe_fd, &mut target);
    let _ = target.into_raw_fd();
    done.map_err(io::Error::from)
}
