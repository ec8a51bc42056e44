//! One ffmpeg, with its pipes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{ChildStderr, Command};

use super::arguments::arguments;
use super::options::Options;
use crate::DriverError;
use crate::nursery::{self, Offspring};

/// Room for pictures on the way, in bytes: fewer awakenings. The kernel may give less.
const PIPE_BYTES: usize = 1 << 20;
/// What `ffmpeg -version` may take.
const VERSION_TIME: Duration = Duration::from_secs(10);

/// Running, and killed with its group when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    process: Offspring,
}

/// What comes from it.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) pictures: Receiver,
    pub(super) sound: Option<Receiver>,
    pub(super) words: ChildStderr,
}

impl Running {
    pub(super) async fn start(options: &Options, sound: bool) -> io::Result<(Self, Pipes)> {
        let program = options.program_path().map_err(io::Error::other)?;
        let (pictures, write_pictures) = pipe()?;
        let sound_pipe = if sound { Some(pipe()?) } else { None };
        let (sound_read, sound_write) = sound_pipe.unzip();
        let mut command = Command::new(program);
        command.args(arguments(options, sound));
        command.stdin(Stdio::null()).stdout(write_pictures).stderr(Stdio::piped());
        let mut process = nursery::spawn(command, sound_write).await?;
        let words = process.0.stderr.take().ok_or_else(|| io::Error::other("it has no standard error"))?;
        let sound = sound_read.map(Receiver::from_owned_fd).transpose()?;
        let pipes = Pipes { pictures: Receiver::from_owned_fd(pictures)?, sound, words };
        Ok((Self { process }, pipes))
    }

    /// Its number, until it has been waited for.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.0.id()
    }

    pub(super) async fn end(&mut self) -> io::Result<ExitStatus> {
        self.process.0.wait().await
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // Limited per user: a smaller pipe does, too.
    let _ = fcntl_setpipe_size(&read, PIPE_BYTES);
    Ok((read, write))
}

/// Such as `ffmpeg 5.1.9-0+deb12u1`.
pub(super) async fn version(options: &Options) -> Result<String, DriverError> {
    let program = options.program_path()?;
    let mut command = Command::new(&program);
    command.arg("-version").kill_on_drop(true).stdin(Stdio::null()).stderr(Stdio::null());
    let said = tokio::time::timeout(VERSION_TIME, command.output()).await;
    let trouble = |what: String| DriverError(format!("{} -version: {what}; is it ffmpeg?", program.display()));
    let output = match said {
        Err(_) => return Err(trouble(format!("no answer within {} s", VERSION_TIME.as_secs()))),
        Ok(Err(error)) => return Err(trouble(error.to_string())),
        Ok(Ok(output)) => output,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("ffmpeg"), Some("version"), Some(version)) => Ok(format!("ffmpeg {version}")),
        _ => Err(trouble(format!("{}, and it names no version", output.status))),
    }
}
