//! What this machine offers to keep runs apart, told in one line at the start. None of it is a condition: a machine that
//! offers less runs the same scripts.

use std::fmt;

/// How PID namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidNamespaces {
    /// By right.
    Root,
    /// Each in a user namespace, as a user without rights does.
    User,
    /// Not at all: process groups, and orphans that come to their run's keeper, which kills them.
    None,
}

/// The means at hand for Python runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about a machine, each there or not")]
pub struct Isolation {
    /// Everything that a run starts ends with it.
    pub pids: PidNamespaces,
    /// A run has a `/proc`, a `/tmp` and a `/dev/shm` of its own.
    pub mounts: bool,
    /// cgroup of version 2 per run.
    pub cgroup: bool,
    /// Memory of a run as a whole has a limit.
    pub memory: bool,
    /// The number of processes of a run has a limit of its own.
    pub processes: bool,
    /// Version of Landlock; 0: none.
    pub landlock: u32,
    /// The daemon is root, whom `RLIMIT_NPROC` does not bind.
    pub root: bool,
    /// Switched off by the rack's options.
    pub open: bool,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.pids {
            PidNamespaces::Root => "PID namespaces",
            PidNamespaces::User => "PID namespaces within user namespaces",
            PidNamespaces::None => "process groups and adopted orphans, no PID namespaces",
        })?;
        f.write_str(if self.cgroup { ", cgroup v2" } else { ", no cgroup v2" })?;
        f.write_str(match (self.memory, self.processes, self.root) {
            (true, true, _) => ", memory and processes limited per run",
            (true, false, _) => ", memory limited per run",
            (false, true, _) => ", processes limited per run, memory per process",
            (false, false, false) => ", memory limited per process, processes per user",
            (false, false, true) => ", memory limited per process, processes not limited (root)",
        })?;
        if self.open {
            return f.write_str(", files and capabilities open (isolation is switched off)");
        }
        f.write_str(if self.mounts { ", own /tmp and /proc" } else { ", shared /tmp and /proc" })?;
        match self.landlock {
            0 => f.write_str(", no Landlock: a script can read what this user can"),
            version => write!(f, ", files by Landlock {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_there_is() {
        let all = Isolation {
            pids: PidNamespaces::Root,
            mounts: true,
            cgroup: true,
            memory: true,
            processes: true,
            landlock: 7,
            root: true,
            open: false,
        };
        assert_eq!(
            all.to_string(),
            "PID namespaces, cgroup v2, memory and processes limited per run, own /tmp and /proc, files by Landlock 7"
        );
        let none = Isolation {
            pids: PidNamespaces::None,
            mounts: false,
            cgroup: false,
            memory: false,
            processes: false,
            landlock: 0,
            root: false,
            open: false,
        };
        assert_eq!(
            none.to_string(),
            "process groups and adopted orphans, no PID namespaces, no cgroup v2, memory limited per process, processes \
             per user, shared /tmp and /proc, no Landlock: a script can read what this user can"
        );
    }
}
