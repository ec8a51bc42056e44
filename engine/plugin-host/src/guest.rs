//! The program that runs foreign code outside of the server, and the limits it puts on itself.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Which program to start for work that must not happen in this process: `<program> <args...> compile` and
/// `<program> <args...> policy`. The `headend` binary itself with `["guest"]`, usually.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestProgram {
    /// The executable.
    pub program: PathBuf,
    /// What stands before the verb.
    pub args: Vec<OsString>,
}

impl GuestProgram {
    /// `program guest VERB`, as the `headend` binary understands it.
    pub fn headend(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: vec!["guest".into()] }
    }

    /// The command for a verb, with an empty environment: a guest learns nothing from the server's.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).arg(verb).env_clear().current_dir("/");
        command
    }
}

/// What a guest process may take. Set by itself, before it reads anything.
pub(crate) struct ProcessLimits {
    /// Address space in bytes.
    pub(crate) memory: u64,
    /// CPU time in seconds; `None`: the parent's wall-clock kill is the limit.
    pub(crate) cpu_s: Option<u64>,
}

impl ProcessLimits {
    /// Takes effect for this process and all it starts. No core files, no writing to files, few descriptors.
    pub(crate) fn apply(&self) -> io::Result<()> {
        let set = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
        set(Resource::As, self.memory)?;
        set(Resource::Core, 0)?;
        set(Resource::Fsize, 0)?;
        set(Resource::Nofile, 16)?;
        if let Some(seconds) = self.cpu_s {
            set(Resource::Cpu, seconds)?;
        }
        Ok(())
    }
}

/// Address space of this process now, in bytes.
pub(crate) fn own_address_space() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| io::Error::other("/proc/self/statm does not start with a number"))?;
    Ok(pages * rustix::param::page_size() as u64)
}
