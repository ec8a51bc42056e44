//! One guest process: its socket, its last words, its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use headend_wire::PROTOCOL;
use headend_wire::session::{MAX_LINE_BYTES, ToHost, ToScript};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio_util::codec::{Framed, LinesCodec};

use crate::options::GuestProgram;
use crate::process::cgroup::Cgroup;
use crate::process::leftovers::{PidFile, kill_hard};
use crate::process::{Nursery, Spec, Stdio3};

/// How long a guest may take to say that it is warm.
const WARM_UP: Duration = Duration::from_secs(20);
/// How long a killed guest may take to go.
const DEATH: Duration = Duration::from_secs(5);
/// Last words kept of a guest's standard error.
const LAST_WORDS: usize = 2 << 10;

/// What is needed to start guests.
#[derive(Clone, Debug)]
pub(super) struct Kennel {
    pub(super) nursery: Nursery,
    pub(super) program: GuestProgram,
    pub(super) cache: std::path::PathBuf,
    pub(super) pids: std::path::PathBuf,
    pub(super) cgroup: Option<Cgroup>,
}

/// A warm process.
#[derive(Debug)]
pub(super) struct Guest {
    child: Child,
    pid: u32,
    line: Framed<UnixStream, LinesCodec>,
    words: Arc<Mutex<Vec<u8>>>,
    /// Runs that it has served.
    pub(super) runs: u32,
    _note: PidFile,
}

impl Guest {
    /// Starts a process and waits until it is warm.
    pub(super) async fn start(kennel: &Kennel) -> Result<Self, String> {
        let program = kennel.program.program.display();
        let failed = |error: std::io::Error| format!("cannot start the guest {program}: {error}");
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let spec = Spec {
            program: kennel.program.program.clone(),
            args: kennel.program.args.iter().map(OsString::from).collect(),
            env: environment(&kennel.cache),
            stdio: Stdio3::Session(theirs.into()),
        };
        let mut child = kennel.nursery.spawn(spec).await.map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        let note = PidFile::write(&kennel.pids, pid);
        if let Some(cgroup) = &kennel.cgroup
            && let Err(error) = cgroup.adopt(pid)
        {
            tracing::warn!(%error, "cannot put a guest into the rack's cgroup");
        }
        let words = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            // Ends by itself when the guest does: the pipe closes.
            tokio::spawn(listen(stderr, Arc::clone(&words)));
        }
        let stream = UnixStream::from_std(ours).map_err(failed)?;
        let line = Framed::new(stream, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
        let mut guest = Self { child, pid, line, words, runs: 0, _note: note };
        guest.greet().await.map_err(|problem| format!("the guest {program} {problem}{}", guest.last_words()))?;
        Ok(guest)
    }

    async fn greet(&mut self) -> Result<(), String> {
        match tokio::time::timeout(WARM_UP, self.receive()).await {
            Ok(Ok(ToHost::Ready { protocol: PROTOCOL })) => Ok(()),
            Ok(Ok(ToHost::Ready { protocol })) => {
                Err(format!("speaks protocol {protocol}, this rack {PROTOCOL}; use the same release for both"))
            }
            Ok(Ok(other)) => Err(format!("said {other:?} before it was ready")),
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err(format!("was not ready within {} s", WARM_UP.as_secs())),
        }
    }

    /// Sends one line.
    pub(super) async fn send(&mut self, message: &ToScript) -> Result<(), String> {
        let line = serde_json::to_string(message).map_err(|error| error.to_string())?;
        self.line.send(line).await.map_err(|error| format!("hung up: {error}"))
    }

    /// Waits for the next line. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Result<ToHost, String> {
        match self.line.next().await {
            None => Err("hung up".to_owned()),
            Some(Err(error)) => Err(format!("sent a line that cannot be read: {error}")),
            Some(Ok(line)) => {
                serde_json::from_str(&line).map_err(|error| format!("sent a line that is no message: {error}"))
            }
        }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Has it ended by itself?
    pub(super) fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it said on standard error, for the end of a sentence.
    pub(super) fn last_words(&self) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&words);
        let text = text.trim();
        if text.is_empty() { String::new() } else { format!("; its last words: {text}") }
    }

    /// Waits a moment for its end and says how it ended.
    pub(super) async fn how_it_ended(&mut self) -> String {
        match tokio::time::timeout(Duration::from_secs(1), self.child.wait()).await {
            Ok(Ok(status)) => format!("the guest ended with {status}{}", self.last_words()),
            Ok(Err(error)) => format!("the guest was lost: {error}"),
            Err(_) => format!("the guest closed its session{}", self.last_words()),
        }
    }

    /// Kills it. `false`: it could not be killed in time.
    pub(super) async fn kill(mut self) -> bool {
        kill_hard(self.pid);
        matches!(tokio::time::timeout(DEATH, self.child.wait()).await, Ok(Ok(_)))
    }
}

/// The whole environment of a guest: nothing of ours leaks into it.
fn environment(cache: &Path) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
    env.insert("LC_ALL".into(), "C.UTF-8".into());
    env.insert("HEADEND_CACHE".into(), cache.into());
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        env.insert("LD_LIBRARY_PATH".into(), libraries);
    }
    env
}

/// Keeps the end of what comes.
async fn listen(mut stream: impl AsyncRead + Unpin, words: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend_from_slice(&buffer[..read]);
        let surplus = words.len().saturating_sub(LAST_WORDS);
        words.drain(..surplus);
    }
}
