//! The child process, as its owner sees it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{self, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cores::{PATIENCE, give_way};
use crate::guest::GuestProgram;
use crate::wasm::CompileError;

/// Longest line of its own in bytes.
const MAX_LINE: usize = 1 << 20;

/// A running child. Killed and waited for when dropped.
pub(crate) struct Child {
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
pub(crate) enum ChildFault {
    Start(io::Error),
    Silent,
    Died(ExitStatus),
    TooMuch(usize),
    Garbled(String),
}

impl ChildFault {
    /// As an error of the step "compile".
    pub(crate) fn into_compile_error(self, guest: &GuestProgram, deadline: Duration) -> CompileError {
        let start = |source| CompileError::Start { program: guest.program.clone(), source };
        match self {
            Self::Start(source) => start(source),
            Self::Silent => CompileError::Deadline(deadline),
            Self::Died(status) => CompileError::Died { status, said: String::new() },
            Self::TooMuch(most) => start(io::Error::other(format!("it answered with more than {most} bytes"))),
            Self::Garbled(what) => start(io::Error::other(what)),
        }
    }

    /// For people. `memory_mib`: what its manifest lets it use.
    pub(crate) fn text(&self, guest: &GuestProgram, memory_mib: u32) -> String {
        match self {
            Self::Start(error) => format!("cannot start {}: {error}", guest.program.display()),
            Self::Silent => "its process said nothing".into(),
            Self::Died(status) => format!("its process ended with {status}; it may use {memory_mib} MiB"),
            Self::TooMuch(most) => format!("its process said more than {most} bytes at once"),
            Self::Garbled(what) => format!("its process talks nonsense: {what}"),
        }
    }
}

impl Child {
    /// `role`: the subcommand of the guest program that hosts its kind.
    pub(crate) fn start(guest: &GuestProgram, role: &str) -> Result<Self, ChildFault> {
        let mut process = guest
            .command(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ChildFault::Start)?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take();
        let (tell, lines) = mpsc::sync_channel(1);
        let mut child = Self { process, stdin, lines, reader: None };
        let reader = thread::Builder::new().name(format!("guest-{role}")).spawn(move || {
            if let Some(stdout) = stdout {
                read_lines(stdout, &tell);
            }
        });
        child.reader = Some(reader.map_err(ChildFault::Start)?);
        Ok(child)
    }

    /// Tells one child from the next.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// One line to it. It is always reading then: it runs scripts only between a request and what it says to that.
    pub(crate) fn say(&mut self, what: &impl Serialize) -> Result<(), ChildFault> {
        let mut line = serde_json::to_vec(what).map_err(|error| ChildFault::Garbled(error.to_string()))?;
        line.push(b'\n');
        if self.stdin.as_mut().is_none_or(|stdin| stdin.write_all(&line).is_err()) {
            return Err(self.died());
        }
        Ok(())
    }

    /// What it says next. After a fault the child is to be dropped.
    pub(crate) fn hear<Said: DeserializeOwned>(&mut self, within: Duration) -> Result<Said, ChildFault> {
        match self.next_line(within) {
            Ok(Line::Text(text)) => {
                serde_json::from_slice(&text).map_err(|error| ChildFault::Garbled(error.to_string()))
            }
            Ok(Line::TooLong) => Err(ChildFault::TooMuch(MAX_LINE)),
            Err(RecvTimeoutError::Timeout) => Err(ChildFault::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    /// Waits in two goes: a child that takes long gives way in the second.
    fn next_line(&self, within: Duration) -> Result<Line, RecvTimeoutError> {
        let first = within.min(PATIENCE);
        match self.lines.recv_timeout(first) {
            Err(RecvTimeoutError::Timeout) => {
                // It computes on its main thread, whose number is the process's.
                let _given = i32::try_from(self.id()).ok().and_then(Pid::from_raw).and_then(give_way);
                self.lines.recv_timeout(within.saturating_sub(first))
            }
            said => said,
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
