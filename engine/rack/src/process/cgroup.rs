//! cgroup v2 folders, where this process may make them: the one way to kill everything that a run has started.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Inside the rack's folder, where its own helpers live: warm interpreters and guests.
const OWN: &str = "own";
/// A service manager that starts the daemon in a folder of this name (systemd: `Delegate=yes` and
/// `DelegateSubgroup=headend-daemon`) leaves the folder above free of processes, so that limits can be set there.
const DAEMON: &str = "headend-daemon";

/// A folder below which the rack's children live.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The folder of the rack whose data lies at `root`: the same at every start. `None` where folders cannot be made.
    pub fn for_rack(root: &Path) -> Option<Self> {
        let path = above(own_folder()?).join(name_of(root));
        let made = match fs::create_dir(&path) {
            Ok(()) => true,
            Err(error) => error.kind() == std::io::ErrorKind::AlreadyExists,
        };
        (made && path.join("cgroup.kill").exists()).then_some(Self { path })
    }

    /// A folder inside this one.
    pub fn inside(&self, name: &str) -> std::io::Result<Self> {
        let path = self.path.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Self { path }),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a process of our own into it: into a folder inside, for one with limits for others holds no process itself.
    pub fn adopt(&self, pid: u32) -> std::io::Result<()> {
        let inner = self.inside(OWN)?;
        fs::write(inner.path.join("cgroup.procs"), pid.to_string())
    }

    /// Lets folders inside have limits by these controllers. `false`: they cannot, because the controllers are not here
    /// or because processes live in the folder above.
    pub fn limits(&self, controllers: &[&str]) -> bool {
        let wanted: Vec<String> = controllers.iter().map(|name| format!("+{name}")).collect();
        let above = self.path.parent().unwrap_or(&self.path);
        [above, &self.path].iter().all(|path| fs::write(path.join("cgroup.subtree_control"), wanted.join(" ")).is_ok())
    }

    fn populated(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }

    /// Kills all in it and below, and waits until nothing is left. Returns whether it is empty.
    pub async fn kill(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.populated() {
            let _ = fs::write(self.path.join("cgroup.kill"), "1");
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        true
    }

    /// Removes the folders below it; they must be empty of processes.
    pub fn clear(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
            Self { path }.remove();
        }
    }

    /// Removes the folder and those below it; they must be empty of processes.
    pub fn remove(&self) {
        self.clear();
        let _ = fs::remove_dir(&self.path);
    }
}

/// What the folders of the rack whose data lies at `root` are called: the same at every start.
pub(super) fn name_of(root: &Path) -> String {
    format!("headend-{}", &blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex()[..16])
}

fn above(own: PathBuf) -> PathBuf {
    match own.parent() {
        Some(above) if own.ends_with(DAEMON) => above.to_owned(),
        _ => own,
    }
}

/// The cgroup v2 folder that this process is in.
fn own_folder() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split_whitespace().nth(4).map(PathBuf::from))?
    })?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(mount.join(path))
}
