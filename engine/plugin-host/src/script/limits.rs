//! What the process may use up.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process itself needs beside the script, and what a script may overshoot before it is measured again.
const OWN_BYTES: u64 = 64 << 20;
/// What compiling may take, of the machine's memory.
const COMPILE_BYTES: u64 = 1 << 30;
/// A guest that has grown by this much since it said `Ready` is replaced.
const RETIRE_AFTER_BYTES: u64 = 96 << 20;

/// The process's memory, as the kernel counts it.
pub(super) struct Memory {
    statm: File,
    page: u64,
    resident_at_start: u64,
}

#[derive(Clone, Copy)]
struct Usage {
    resident: u64,
    /// What `RLIMIT_DATA` counts (and the main thread's stack).
    data: u64,
}

impl Memory {
    /// No core files from now on: they would hold other people's scripts. And the first measurement.
    pub(super) fn init() -> io::Result<Self> {
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
        let mut memory = Self {
            statm: File::open("/proc/self/statm")?,
            page: rustix::param::page_size() as u64,
            resident_at_start: 0,
        };
        memory.resident_at_start = memory.usage()?.resident;
        Ok(memory)
    }

    /// Bytes in use just now.
    pub(super) fn resident(&self) -> u64 {
        self.usage().map_or(0, |usage| usage.resident)
    }

    /// From now on the process may grow by `script_bytes` and its own needs. An allocation past that fails, and ends the process.
    pub(super) fn cap_run(&self, script_bytes: u64) -> io::Result<()> {
        self.cap(script_bytes.saturating_add(OWN_BYTES))
    }

    /// As [`Self::cap_run`], for the compiler.
    pub(super) fn cap_compile(&self) -> io::Result<()> {
        self.cap(COMPILE_BYTES)
    }

    /// Too much was left behind by earlier runs: better start afresh.
    pub(super) fn has_grown(&self) -> bool {
        self.resident() > self.resident_at_start + RETIRE_AFTER_BYTES
    }

    fn cap(&self, growth: u64) -> io::Result<()> {
        let maximum = getrlimit(Resource::Data).maximum;
        let wanted = self.usage()?.data.saturating_add(growth);
        let current = maximum.map_or(wanted, |maximum| maximum.min(wanted));
        Ok(setrlimit(Resource::Data, Rlimit { current: Some(current), maximum })?)
    }

    /// `/proc/self/statm`: size resident shared text lib data dt, in pages.
    fn usage(&self) -> io::Result<Usage> {
        let mut text = [0_u8; 128];
        let read = self.statm.read_at(&mut text, 0)?;
        let text = str::from_utf8(&text[..read]).map_err(io::Error::other)?;
        let field = |index| {
            let pages = text.split_ascii_whitespace().nth(index).and_then(|word| word.parse::<u64>().ok());
            pages.map(|pages| pages * self.page).ok_or_else(|| io::Error::other("/proc/self/statm is not as expected"))
        };
        Ok(Usage { resident: field(1)?, data: field(5)? })
    }
}
