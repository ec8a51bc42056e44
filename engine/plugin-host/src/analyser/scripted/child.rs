//! The child process, as its owner sees it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{self, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::protocol::{FromChild, ToChild};
use crate::guest::GuestProgram;

/// Longest line in bytes.
const MAX_LINE: usize = 1 << 20;

/// A running child. Killed and waited for when dropped.
pub(super) struct Child {
    process: process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    reader: Option<JoinHandle<()>>,
}

/// One line, or how the talk ended.
enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// Why there is no answer. The child is of no use after any of these.
pub(super) enum ChildFault {
    Start(io::Error),
    Silent,
    Died(ExitStatus),
    TooMuch,
    Garbled(String),
}

impl Child {
    pub(super) fn start(guest: &GuestProgram) -> Result<Self, ChildFault> {
        let mut process = guest
            .command("analyser")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ChildFault::Start)?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take();
        let (tell, lines) = mpsc::sync_channel(1);
        let mut child = Self { process, stdin, lines, reader: None };
        let reader = thread::Builder::new().name("guest-analyser".into()).spawn(move || {
            if let Some(stdout) = stdout {
                read_lines(stdout, &tell);
            }
        });
        child.reader = Some(reader.map_err(ChildFault::Start)?);
        Ok(child)
    }

    /// The child is always reading when something is said to it: it asks, or waits for work.
    pub(super) fn say(&mut self, what: &ToChild) -> Result<(), ChildFault> {
        let mut line = serde_json::to_vec(what).map_err(|error| ChildFault::Garbled(error.to_string()))?;
        line.push(b'\n');
        if self.stdin.as_mut().is_none_or(|stdin| stdin.write_all(&line).is_err()) {
            return Err(self.died());
        }
        Ok(())
    }

    /// What it says next.
    pub(super) fn hear(&mut self, within: Duration) -> Result<FromChild, ChildFault> {
        match self.lines.recv_timeout(within) {
            Ok(Line::Text(text)) => {
                serde_json::from_slice(&text).map_err(|error| ChildFault::Garbled(error.to_string()))
            }
            Ok(Line::TooLong) => Err(ChildFault::TooMuch),
            Err(RecvTimeoutError::Timeout) => Err(ChildFault::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    /// Its output has ended, so it has ended or is about to.
    fn died(&mut self) -> ChildFault {
        match self.process.wait() {
            Ok(status) => ChildFault::Died(status),
            Err(error) => ChildFault::Garbled(error.to_string()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stdin = None;
        // Already dead is as good; a child that is waited for leaves no zombie.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // The reader may be holding a line that nobody has asked for.
        while self.lines.recv().is_ok() {}
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl ChildFault {
    /// For people.
    pub(super) fn text(&self, guest: &GuestProgram, memory_mib: u32) -> String {
        match self {
            Self::Start(error) => format!("cannot start {}: {error}", guest.program.display()),
            Self::Silent => "its process said nothing".into(),
            Self::Died(status) => format!("its process ended with {status}; it may use {memory_mib} MiB"),
            Self::TooMuch => format!("its process said more than {MAX_LINE} bytes at once"),
            Self::Garbled(what) => format!("its process talks nonsense: {what}"),
        }
    }
}

fn read_lines(stdout: ChildStdout, tell: &SyncSender<Line>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut text = Vec::new();
        let read = stdout.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut text);
        let line = match read {
            Ok(0) | Err(_) => return,
            Ok(_) if text.len() > MAX_LINE => Line::TooLong,
            Ok(_) => Line::Text(text),
        };
        let last = matches!(line, Line::TooLong);
        if tell.send(line).is_err() || last {
            return;
        }
    }
}
