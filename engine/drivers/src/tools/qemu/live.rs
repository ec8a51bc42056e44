//! A machine that runs: its process, its monitor, its screen and its serial port.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::{ChildStderr, Command};

use super::options::{Options, socket_of};
use super::ppm;
use super::qmp::{self, Qmp};
use crate::nursery::{self, Offspring};
use crate::tools::serial::lines::{Lines, listen};
use crate::tools::serial::task::Task;
use crate::{DriverError, Place, Shot, now_us};

/// Longest path of a socket.
const LONGEST_SOCKET: usize = 107;
/// From its start until its monitor answers.
const START: Duration = Duration::from_secs(20);
/// Between two looks whether a socket is there.
const LOOK: Duration = Duration::from_millis(20);
/// For QEMU to carry out a command.
pub(super) const COMMAND: Duration = Duration::from_secs(5);
/// For a picture.
const PICTURE: Duration = Duration::from_secs(3);
/// For QEMU to end after it was told to.
const QUIT: Duration = Duration::from_secs(5);
/// Bytes kept of what QEMU complains about, from the end.
const COMPLAINTS: usize = 2 << 10;

/// What the tool's faces use while the machine runs.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) qmp: Qmp,
    /// One sender at a time.
    serial: tokio::sync::Mutex<OwnedWriteHalf>,
    /// The newest picture. Held while one is asked for, so that two who look share it.
    shot: Mutex<Option<(Instant, Shot)>>,
    dump: PathBuf,
    every: Duration,
}

/// The process. The machine ends with it, and it with this.
#[derive(Debug)]
pub(super) struct Process {
    group: Offspring,
    /// Ends when QEMU closes its serial port.
    _serial: Task,
    complaints: Complaints,
}

#[derive(Debug)]
struct Complaints {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Task,
}

/// Starts a machine and lets it run.
pub(super) async fn launch(
    options: &Options,
    place: &Place,
    lines: &Arc<Lines>,
) -> Result<(Process, Live), DriverError> {
    let sockets = ["qmp", "serial"].map(|name| socket_of(place, name));
    for socket in &sockets {
        make_room(socket)?;
    }
    let (mut group, mut complaints) = start(options, place).await?;
    let opened = tokio::time::timeout(START, open(&sockets[0], &sockets[1], &mut group));
    let (qmp, serial) = match opened.await {
        Ok(Ok(opened)) => opened,
        Ok(Err(why)) => return Err(failed(&why, &complaints.ended().await)),
        Err(_) => {
            return Err(failed(
                &format!("its monitor did not answer within {} s", START.as_secs()),
                &complaints.so_far(),
            ));
        }
    };
    let (mut from, to) = serial.into_split();
    let (lines, quiet) = (Arc::clone(lines), Duration::from_millis(options.quiet_ms.into()));
    let serial = Task::start(async move { drop(listen(&mut from, &lines, quiet).await) });
    let live = Live {
        qmp,
        serial: tokio::sync::Mutex::new(to),
        shot: Mutex::default(),
        dump: place.scratch.join("screen.ppm"),
        every: Duration::from_micros(options.frame_us()),
    };
    for command in ["qmp_capabilities", "cont"] {
        live.ask(command, json!({})).await?;
    }
    Ok((Process { group, _serial: serial, complaints }, live))
}

/// A machine that was killed leaves its sockets behind.
fn make_room(socket: &Path) -> Result<(), DriverError> {
    if socket.as_os_str().len() > LONGEST_SOCKET {
        return Err(DriverError(format!(
            "the path of the socket {} is longer than {LONGEST_SOCKET} bytes; give the rack a folder with a shorter path",
            socket.display()
        )));
    }
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DriverError(format!("the old socket {} cannot be removed: {error}", socket.display())))
        }
        _ => Ok(()),
    }
}

async fn start(options: &Options, place: &Place) -> Result<(Offspring, Complaints), DriverError> {
    let program = options.found()?;
    let mut command = Command::new(&program);
    command.args(options.arguments(place)).env_clear().env("LC_ALL", "C.UTF-8");
    // For what a disk's snapshot holds.
    command.env("TMPDIR", &place.scratch);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = nursery::spawn(command, None).await;
    let mut group =
        child.map_err(|error| DriverError(format!("`program` {} did not start: {error}", program.display())))?;
    let complaints = Complaints::of(group.0.stderr.take());
    Ok((group, complaints))
}

/// Connects to both sockets as soon as they are there, unless QEMU ends first.
async fn open(monitor: &Path, serial: &Path, group: &mut Offspring) -> Result<(Qmp, UnixStream), String> {
    while !(monitor.exists() && serial.exists()) {
        if let Ok(Some(status)) = group.0.try_wait() {
            return Err(format!("QEMU ended with {status}"));
        }
        tokio::time::sleep(LOOK).await;
    }
    loop {
        let path = monitor.to_owned();
        // The greeting is waited for.
        let connected = tokio::task::spawn_blocking(move || qmp::connect(&path)).await;
        let error = match connected {
            Ok(Ok(qmp)) => {
                let serial = UnixStream::connect(serial).await;
                return serial.map(|serial| (qmp, serial)).map_err(|error| format!("its serial port: {error}"));
            }
            Ok(Err(error)) => error,
            Err(error) => return Err(error.to_string()),
        };
        if let Ok(Some(status)) = group.0.try_wait() {
            return Err(format!("QEMU ended with {status}"));
        }
        // Bound, but not yet listening.
        if error.kind() != std::io::ErrorKind::ConnectionRefused {
            return Err(format!("its monitor: {error}"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn failed(why: &str, said: &str) -> DriverError {
    let said = if said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {said}") };
    DriverError(format!("the machine did not start: {why}; {said}; check the options, `args` above all"))
}

impl Complaints {
    fn of(stderr: Option<ChildStderr>) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&text);
        let reader = Task::start(async move {
            let Some(mut stderr) = stderr else { return };
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&bytes[..count]);
                let surplus = kept.len().saturating_sub(COMPLAINTS);
                kept.drain(..surplus);
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).trim().to_owned()
    }

    /// All of them, once QEMU has ended.
    async fn ended(&mut self) -> String {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.reader.ended()).await;
        self.so_far()
    }
}

impl Process {
    /// Returns when it has ended by itself, with what it said.
    pub(super) async fn ended(&mut self) -> String {
        let status =
            self.group.0.wait().await.map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string());
        let said = self.complaints.ended().await;
        if said.is_empty() { status } else { format!("{status}: {said}") }
    }

    /// Ends it: asked first, so that images are closed, then by force.
    pub(super) async fn quit(mut self, live: &Live) {
        // It may hang up before it answers.
        let _ = live.qmp.ask("quit", json!({}), QUIT).await;
        let _ = tokio::time::timeout(QUIT, self.group.0.wait()).await;
        // What is still there is killed as this is dropped; that it is gone is waited for.
        let _ = self.group.0.kill().await;
    }
}

impl Live {
    /// Runs a command on the monitor.
    pub(super) async fn ask(&self, command: &str, arguments: Value) -> Result<Value, DriverError> {
        self.qmp.ask(command, arguments, COMMAND).await.map_err(|error| DriverError(format!("{command}: {error}")))
    }

    /// `running`, `paused`, `shutdown` and the like.
    pub(super) async fn status(&self) -> Result<String, DriverError> {
        let status = self.ask("query-status", json!({})).await?;
        Ok(status.get("status").and_then(Value::as_str).unwrap_or("in an unknown state").to_owned())
    }

    /// What the screen shows. Asked for at most once per picture; blocks until it is here.
    pub(super) fn shot(&self) -> Result<Shot, DriverError> {
        let mut shot = self.shot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((taken, shot)) = &*shot
            && taken.elapsed() < self.every
        {
            return Ok(shot.clone());
        }
        let new = self.taken()?;
        *shot = Some((Instant::now(), new.clone()));
        Ok(new)
    }

    fn taken(&self) -> Result<Shot, DriverError> {
        let arguments = json!({ "filename": self.dump });
        let wrong = |what: String| DriverError(format!("no picture of the machine: {what}"));
        self.qmp
            .ask_blocking("screendump", &arguments, PICTURE)
            .map_err(|error| wrong(format!("screendump: {error}")))?;
        let at_us = now_us();
        let read = read(&self.dump);
        // Nobody else looks at it, and the next picture takes its place.
        let _ = std::fs::remove_file(&self.dump);
        let bytes = read.map_err(|error| wrong(format!("{}: {error}", self.dump.display())))?;
        let picture =
            ppm::picture(&bytes).map_err(|odd| wrong(format!("screendump wrote what cannot be read: {odd}")))?;
        Ok(Shot { at_us, picture })
    }

    /// Sends bytes to the machine's serial port.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), DriverError> {
        let sent = tokio::time::timeout(COMMAND, async { self.serial.lock().await.write_all(bytes).await }).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(DriverError(format!("{} bytes were not sent to the machine's serial port: {error}", bytes.len())))
            }
            Err(_) => Err(DriverError(format!(
                "the machine did not take {} bytes from its serial port within {} s; what runs on it does not read",
                bytes.len(),
                COMMAND.as_secs()
            ))),
        }
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(file)?;
    if file.metadata()?.len() > ppm::MOST {
        return Err(std::io::Error::other("the picture is too large"));
    }
    let mut bytes = Vec::new();
    file.take(ppm::MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
