//! The one thread that starts child processes.
//!
//! A child asks the kernel to die with its parent (`PR_SET_PDEATHSIG`), and to the kernel the parent is the *thread* that
//! forked it. Threads of a runtime come and go; this one stays as long as the rack.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;

use headend_plugin_host::precedence;
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// Descriptor under which a guest finds its socket.
const SESSION_FD: RawFd = 3;

/// What the child has as descriptors besides standard error, which is always a pipe.
#[derive(Debug)]
pub enum Stdio3 {
    /// This socket as descriptor 3; standard input and output are null.
    Session(OwnedFd),
    /// Pipes at standard input and output.
    Pipes,
}

/// What to start.
#[derive(Debug)]
pub struct Spec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Its descriptors.
    pub stdio: Stdio3,
}

type Work = Box<dyn FnOnce() + Send>;

/// Starts processes, each leading a process group of its own.
#[derive(Clone, Debug)]
pub struct Nursery {
    work: mpsc::Sender<Work>,
}

impl Nursery {
    /// Starts the thread. It ends, and every child with it, when the last clone is dropped.
    pub fn start() -> io::Result<Self> {
        // Bounded by its callers: each waits for its child before it asks for another.
        let (work, jobs) = mpsc::channel::<Work>();
        let run = move || {
            // And so does what it starts.
            precedence::come_second();
            for job in jobs {
                job();
            }
        };
        std::thread::Builder::new().name("nursery".into()).spawn(run)?;
        Ok(Self { work })
    }

    /// Starts a process.
    pub async fn spawn(&self, spec: Spec) -> io::Result<Child> {
        let (answer, child) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let job: Work = Box::new(move || {
            let _inside = runtime.enter();
            let _ = answer.send(start(spec));
        });
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.work.send(job).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

fn start(spec: Spec) -> io::Result<Child> {
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear().envs(&spec.env).process_group(0).kill_on_drop(true).stderr(Stdio::piped());
    let session = match spec.stdio {
        Stdio3::Session(socket) => {
            command.stdin(Stdio::null()).stdout(Stdio::null());
            Some(socket)
        }
        Stdio3::Pipes => {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            None
        }
    };
    before_exec(&mut command, session);
    command.spawn()
}

/// What the child does between fork and exec.
#[allow(unsafe_code, reason = "there is no safe way to hand over a descriptor or to set PR_SET_PDEATHSIG")]
fn before_exec(command: &mut Command, session: Option<OwnedFd>) {
    let hook = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if let Some(socket) = &session {
            hand_over(socket.as_raw_fd())?;
        }
        Ok(())
    };
    // SAFETY: the hook runs in the forked child of a threaded process and does nothing but system calls (prctl, dup2,
    // fcntl): no allocation, no lock.
    unsafe { command.pre_exec(hook) };
}

/// Makes the socket descriptor 3, open across exec.
#[allow(unsafe_code, reason = "descriptors are numbers here")]
fn hand_over(socket: RawFd) -> io::Result<()> {
    use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd};
    // SAFETY: the caller's `OwnedFd` keeps the descriptor open during the call.
    let socket_fd = unsafe { BorrowedFd::borrow_raw(socket) };
    if socket == SESSION_FD {
        rustix::io::fcntl_setfd(socket_fd, rustix::io::FdFlags::empty())?;
        return Ok(());
    }
    // SAFETY: the number is only the target of dup2, which closes what was there; it is given up again at once.
    let mut target = unsafe { OwnedFd::from_raw_fd(SESSION_FD) };
    let done = rustix::io::dup2(socket_fd, &mut target);
    let _ = target.into_raw_fd();
    done.map_err(io::Error::from)
}
