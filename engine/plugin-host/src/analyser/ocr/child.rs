//! One run of the program: started, fed, listened to, and ended whatever it does.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

/// Most bytes of a table of words: 2048 words take about 200 kB.
const MAX_SAID: u64 = 1 << 20;
/// Most bytes of complaints that are looked at.
const MAX_ASIDE: u64 = 16 << 10;
/// Address space. A picture of 4096 x 4096 pixels and two languages take about a quarter.
const MEMORY: u64 = 2 << 30;
/// From the end of its output to its own.
const GRACE: Duration = Duration::from_secs(1);

/// How it ended.
pub(super) enum Ended {
    Spoken(Spoken),
    /// Not in time; it is gone.
    Late,
}

/// What it said.
pub(super) struct Spoken {
    pub(super) success: bool,
    pub(super) said: String,
    pub(super) aside: String,
}

/// Killed and waited for, however this ends, with all that it may have started.
struct Owned(Child);

impl Owned {
    fn id(&self) -> Option<Pid> {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Already gone is as good. It is not waited for before, so the group is still its own.
        let _ = self.id().map(|id| kill_process_group(id, Signal::KILL));
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `input` to its standard input, all that it says back. Its environment is empty but for `data`.
pub(super) fn ask(
    program: &Path,
    arguments: &[String],
    data: Option<OsString>,
    input: &[u8],
    within: Duration,
) -> io::Result<Ended> {
    let mut command = Command::new(program);
    // A pool of threads for one small picture costs more than it gains, and the machine has other work.
    command.args(arguments).env_clear().env("OMP_THREAD_LIMIT", "1").env("LC_ALL", "C.UTF-8").current_dir("/");
    if let Some(data) = data {
        command.env(super::DATA_FOLDER, data);
    }
    let child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut child = Owned(child);
    limit(&child)?;
    let (stdin, stdout, stderr) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    // The threads end when the child's pipes do, at the latest when it is killed.
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program that wants no more has said so by closing it.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        let aside = scope.spawn(move || stderr.map(|stderr| heard(stderr, MAX_ASIDE)).unwrap_or_default());
        let (tell, told) = mpsc::sync_channel(1);
        scope.spawn(move || tell.send(stdout.map(|stdout| heard(stdout, MAX_SAID)).unwrap_or_default()));
        let said = told.recv_timeout(within);
        let Ok(said) = said else {
            drop(child);
            return Ok(Ended::Late);
        };
        if said.len() as u64 > MAX_SAID {
            drop(child);
            return Err(io::Error::other("it said too much"));
        }
        // Its output has ended: it ends now, or is ended.
        let success = ended(&mut child.0)?;
        drop(child);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let aside = text(aside.join().unwrap_or_default());
        Ok(Ended::Spoken(Spoken { success, said: text(said), aside }))
    })
}

/// One byte more than the most, so that it is seen to be too much.
fn heard(from: impl Read, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = from.take(most + 1);
    // What was heard before a fault is what there is.
    let _ = from.read_to_end(&mut bytes);
    bytes
}

/// Before it reads the picture: it waits for its input until then. One that has ended already needs no limits.
fn limit(child: &Owned) -> io::Result<()> {
    let set = |resource, most| match prlimit(child.id(), resource, Rlimit { current: Some(most), maximum: Some(most) })
    {
        Ok(_) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error),
    };
    set(Resource::As, MEMORY)?;
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    Ok(())
}

/// Whether it ended well. One that closes its output and stays has not.
fn ended(child: &mut Child) -> io::Result<bool> {
    let begin = Instant::now();
    while begin.elapsed() < GRACE {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(false)
}
