//! What a former life of the daemon left running: found and killed before this life says that it is ready
//! (reliability B1, B2).
//!
//! Three nets, because each has a hole: the rack's cgroup (not everywhere), a file per child with its start time (a
//! grandchild has none), and the session socket in a script's environment (a script can hide it).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::cgroup::Cgroup;
use super::proc;
use crate::error::RackError;

/// How long killed processes may take to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the keeper of a Python run may take to kill its run by itself, which it does when its interpreter is gone.
const KEEPERS: Duration = Duration::from_secs(6);

/// A file that names a child as long as it lives.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file. A child that cannot be noted is still found by the other nets.
    pub fn write(folder: &Path, pid: u32) -> Self {
        Self::note(folder, pid, "")
    }

    /// The same for the keeper of a Python run: it cleans up by itself, so it is given time before it is killed.
    pub fn keeper(folder: &Path, pid: u32) -> Self {
        Self::note(folder, pid, " keeper")
    }

    fn note(folder: &Path, pid: u32, kind: &str) -> Self {
        let path = folder.join(pid.to_string());
        if let Some(stat) = proc::stat(pid)
            && let Err(error) = fs::write(&path, format!("{}{kind}", stat.started))
        {
            tracing::warn!(%error, path = %path.display(), "cannot note a child process");
        }
        Self { path }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Kills all that a former life left.
///
/// # Errors
/// [`RackError::Leftovers`] when something is still there after ten seconds.
pub async fn sweep(pids: &Path, sockets: &Path, cgroup: Option<&Cgroup>) -> Result<(), RackError> {
    if let Some(cgroup) = cgroup {
        cgroup.kill(PATIENCE).await;
        cgroup.clear();
    }
    let began = Instant::now();
    loop {
        let left = find(pids, sockets);
        if left.is_empty() {
            break;
        }
        if began.elapsed() >= PATIENCE {
            return Err(RackError::Leftovers { pids: left.into_iter().map(|left| left.pid).collect() });
        }
        let due = left.iter().filter(|left| !left.keeper || began.elapsed() >= KEEPERS);
        due.for_each(|left| kill_hard(left.pid));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    forget(pids);
    forget(sockets);
    Ok(())
}

/// SIGKILL for a process and its group.
pub fn kill_hard(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = kill_process(pid, Signal::KILL);
}

struct Left {
    pid: u32,
    keeper: bool,
}

fn find(pids: &Path, sockets: &Path) -> Vec<Left> {
    let noted = entries(pids).into_iter().filter_map(|path| {
        let pid = path.file_name()?.to_str()?.parse().ok()?;
        let text = fs::read_to_string(&path).ok()?;
        let (started, kind) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        proc::is_alive(pid, started.parse().ok()?).then_some(Left { pid, keeper: kind == "keeper" })
    });
    let mark = [b"HEADEND_SESSION=", sockets.as_os_str().as_encoded_bytes(), b"/"].concat();
    let marked = proc::all().into_iter().filter(|pid| is_marked(*pid, &mark)).map(|pid| Left { pid, keeper: false });
    noted.chain(marked).collect()
}

fn is_marked(pid: u32, mark: &[u8]) -> bool {
    let marked = fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|line| line.starts_with(mark)));
    marked && pid != std::process::id() && proc::stat(pid).is_some_and(|stat| stat.state != 'Z')
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn forget(folder: &Path) {
    for path in entries(folder) {
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn noted_and_marked_processes_are_killed_and_strangers_are_not() {
        let temp = tempfile::tempdir().unwrap();
        let (pids, sockets) = (temp.path().join("pids"), temp.path().join("sockets"));
        fs::create_dir_all(&pids).unwrap();
        fs::create_dir_all(&sockets).unwrap();
        let sleeper = || {
            let mut command = std::process::Command::new("sleep");
            command.arg("600");
            command
        };
        let mut noted = sleeper().spawn().unwrap();
        let mut marked = sleeper().env("HEADEND_SESSION", sockets.join("7/socket")).spawn().unwrap();
        let mut stranger = sleeper().spawn().unwrap();
        std::mem::forget(PidFile::write(&pids, noted.id()));
        // A number that was given to another process since.
        fs::write(pids.join(stranger.id().to_string()), "1").unwrap();
        sweep(&pids, &sockets, None).await.unwrap();
        assert!(noted.try_wait().unwrap().is_some() && marked.try_wait().unwrap().is_some());
        assert!(stranger.try_wait().unwrap().is_none());
        assert!(entries(&pids).is_empty());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[tokio::test]
    async fn a_cgroup_kills_what_left_its_process_group() {
        let temp = tempfile::tempdir().unwrap();
        // Not on every machine: without the right to make folders there is nothing to test here.
        let Some(cgroup) = Cgroup::for_rack(temp.path()) else { return };
        let run = cgroup.inside("run-1").unwrap();
        let mut child = std::process::Command::new("setsid").args(["sleep", "600"]).spawn().unwrap();
        run.adopt(child.id()).unwrap();
        assert!(cgroup.kill(Duration::from_secs(10)).await);
        child.wait().unwrap();
        cgroup.remove();
        assert!(!cgroup.path().exists());
    }
}
