//! Limits on the memory and the number of processes of a whole run, by cgroup: version 2 in the run's own folder, else
//! version 1 in a folder for each controller (reliability G5).

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup::Cgroup;

/// Where limits can be set on this machine.
#[derive(Clone, Debug, Default)]
pub struct Controllers {
    /// The rack's own folders of version 1.
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    /// Version 2 does it, in the runs' folders.
    unified: bool,
}

/// Limits of one run. Dropped, the folders are removed; nothing may be in them any more.
#[derive(Debug, Default)]
pub struct Bounds {
    /// Folders of version 1 that the run has to enter.
    folders: Vec<PathBuf>,
    memory: Option<PathBuf>,
}

impl Controllers {
    /// Looks what there is for the rack whose data lies at `root`.
    pub fn for_rack(root: &Path, cgroup: Option<&Cgroup>) -> Self {
        if cgroup.is_some_and(|cgroup| cgroup.limits(&["memory", "pids"])) {
            return Self { unified: true, ..Self::default() };
        }
        let name = super::cgroup::name_of(root);
        let made = |controller| Some(own_folder(controller)?.join(&name)).filter(|path| make(path));
        Self { memory: made("memory"), pids: made("pids"), unified: false }
    }

    /// Memory is limited for a run as a whole.
    pub fn memory(&self) -> bool {
        self.unified || self.memory.is_some()
    }

    /// So is the number of processes.
    pub fn processes(&self) -> bool {
        self.unified || self.pids.is_some()
    }

    /// Sets the limits of a run; 0: none. What cannot be set is left out: the limits of each process hold all the same.
    pub fn bound(&self, run: &str, cgroup: Option<&Cgroup>, memory_bytes: u64, processes: u64) -> Bounds {
        if let Some(cgroup) = cgroup.filter(|_| self.unified) {
            set(cgroup.path(), "memory.max", memory_bytes);
            set(cgroup.path(), "pids.max", processes);
            return Bounds { folders: Vec::new(), memory: Some(cgroup.path().join("memory.events")) };
        }
        let mut bounds = Bounds::default();
        let mut add = |root: &Option<PathBuf>, file, most| {
            let folder = root.as_ref().filter(|_| most > 0)?.join(run);
            (make(&folder) && set(&folder, file, most)).then(|| bounds.folders.push(folder.clone()))?;
            Some(folder)
        };
        let memory = add(&self.memory, "memory.limit_in_bytes", memory_bytes);
        add(&self.pids, "pids.max", processes);
        bounds.memory = memory.map(|folder| folder.join("memory.oom_control"));
        bounds
    }

    /// Removes the rack's folders, with those of runs that a former life left; they must be empty of processes.
    pub fn clear(&self) {
        for root in [&self.memory, &self.pids].into_iter().flatten() {
            for path in fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
                let _ = fs::remove_dir(path);
            }
            let _ = fs::remove_dir(root);
        }
    }
}

impl Bounds {
    /// Folders that the run has to enter.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    /// Did the kernel kill something of the run for want of memory?
    pub fn ran_out_of_memory(&self) -> bool {
        let told = self.memory.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        told.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }
}

impl Drop for Bounds {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = fs::remove_dir(folder) {
                tracing::debug!(%error, folder = %folder.display(), "a cgroup stays until the next start");
            }
        }
    }
}

fn make(path: &Path) -> bool {
    match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::AlreadyExists,
    }
}

fn set(folder: &Path, file: &str, most: u64) -> bool {
    most > 0 && fs::write(folder.join(file), most.to_string()).is_ok()
}

/// The folder of version 1 that this process is in for a controller.
fn own_folder(controller: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    folder_of(controller, &mounts, &own)
}

fn folder_of(controller: &str, mounts: &str, own: &str) -> Option<PathBuf> {
    let named = |list: &str| list.split(',').any(|one| one == controller);
    let (root, mount) = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut kind = after.split_whitespace();
        let fits = kind.next()? == "cgroup" && named(kind.nth(1)?);
        let mut fields = before.split_whitespace().skip(3);
        fits.then(|| Some((fields.next()?, fields.next()?)))?
    })?;
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        fields.next().filter(|list| named(list)).and(fields.next())
    })?;
    // In a container the mount may show only the part of the tree that begins at its root.
    let inside = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path));
    Some(Path::new(mount).join(inside.strip_prefix("/").unwrap_or(inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "30 24 0:26 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
        31 24 0:27 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn version_1_is_found_by_controller() {
        let own = "8:pids:/\n4:memory:/docker/x/y\n2:cpu,cpuacct:/z\n0::/\n";
        assert_eq!(folder_of("pids", MOUNTS, own), Some("/sys/fs/cgroup/pids".into()));
        assert_eq!(folder_of("memory", MOUNTS, own), Some("/sys/fs/cgroup/memory/y".into()));
        assert_eq!(folder_of("cpu", MOUNTS, own), None);
    }

    #[test]
    fn bounds_are_set_and_go_with_the_run() {
        let temp = tempfile::tempdir().unwrap();
        let controllers = Controllers::for_rack(temp.path(), None);
        // Not on every machine: without the right to make folders there is nothing to test here.
        if let Some(pids) = &controllers.pids {
            let bounds = controllers.bound("run-1", None, 64 << 20, 10);
            assert_eq!(fs::read_to_string(pids.join("run-1/pids.max")).unwrap(), "10\n");
            assert!(!bounds.ran_out_of_memory());
            drop(bounds);
            assert!(!pids.join("run-1").exists());
        }
        controllers.clear();
        assert!(controllers.pids.is_none_or(|pids| !pids.exists()));
    }
}
