//! Between a rack's supervisor and a warm Python interpreter: one JSON object per line, orders on the zygote's standard
//! input, news on its standard output. One zygote per interpreter; it never runs foreign code itself.
//!
//! For each [`Order::Fork`] it forks a *keeper*, which makes a new PID namespace where the system lets it, forks the
//! script inside, waits for it, kills what it left behind, and reports. The script's process has its own session,
//! the given environment and nothing else, no descriptor but 0 (null), 1 and 2 (the console file).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Supervisor to zygote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Run a script.
    Fork(Box<Fork>),
    /// End it: SIGTERM, after `grace_ms` SIGKILL, for everything that it started. `Exited` follows.
    Kill {
        /// Which run.
        run: u64,
        /// Time to clean up, in milliseconds.
        grace_ms: u64,
    },
}

/// What to fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The run; echoed in news.
    pub run: u64,
    /// The script, absolute.
    pub script: String,
    /// `sys.argv[1:]`.
    pub args: Vec<String>,
    /// Working folder: the script's own, writable.
    pub cwd: String,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// File that takes standard output and error, appended.
    pub console: String,
    /// Most bytes of console kept; the rest is cut with a note.
    pub console_bytes: u64,
    /// Limit on address space, in bytes; 0: none.
    pub memory_bytes: u64,
    /// Limit on the number of processes; 0: none.
    pub processes: u64,
    /// Limit on CPU time, in seconds; 0: none.
    pub cpu_seconds: u64,
    /// cgroup v2 folder to enter before the script is run, if there is one.
    pub cgroup: Option<String>,
    /// Further cgroup folders to enter: those of version 1 that limit memory and processes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limit_groups: Vec<String>,
    /// Limit on the length of any one file written, in bytes; 0: none.
    #[serde(default)]
    pub file_bytes: u64,
    /// What it may reach of the file system; `None`: whatever its user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
}

/// What a run may reach besides the system and its interpreter, which all may read. As far as the kernel can do it.
/// A run with a sandbox has no capabilities either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Folders to read from.
    pub read: Vec<String>,
    /// Folders to write to.
    pub write: Vec<String>,
    /// The folder that it sees as `/tmp`, where the system lets it mount; one of `write`, or in one.
    pub tmp: String,
}

/// Zygote to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// Warm: may be asked to fork.
    Ready {
        /// `sys.version_info[:3]` as text, such as `3.11.7`.
        version: String,
        /// PID namespaces can be made.
        namespaces: bool,
        /// They are made by way of user namespaces, as a user without rights does.
        #[serde(default)]
        users: bool,
        /// A run can have mounts of its own: `/proc`, `/tmp`, `/dev/shm`.
        #[serde(default)]
        mounts: bool,
        /// Version of Landlock that the kernel offers; 0: none that is of use.
        #[serde(default)]
        landlock: u32,
    },
    /// The keeper lives.
    Forked {
        /// Which run.
        run: u64,
        /// The keeper's pid (it leads a process group of its own).
        pid: u32,
    },
    /// The script has ended and nothing of it is left.
    Exited {
        /// Which run.
        run: u64,
        /// Exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal.
        signal: Option<i32>,
        /// How many processes it left behind, which were killed.
        leaked: u32,
        /// Something of it could not be killed.
        unkillable: bool,
    },
    /// The fork itself failed.
    Failed {
        /// Which run.
        run: u64,
        /// Why.
        reason: String,
    },
}
