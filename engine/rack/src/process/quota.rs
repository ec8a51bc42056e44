//! What a run writes, measured: its folders are looked through every now and then, and one that has grown too large ends
//! its run (reliability G4).
//!
//! Only what the run has made or changed counts, by the time of change that the kernel keeps and no script can set; so a
//! large area of files costs its runs nothing. The walk stops at the limit, and the pause between two walks is many times
//! a walk's length: a large folder makes the watch slower, not the rack. Between two looks a script can write
//! what the disk takes in that time; a file that is open and unlinked is not seen, `RLIMIT_FSIZE` bounds it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Shortest pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A look takes at most one part in so many of the time.
const SHARE: u32 = 10;
/// Bytes of a block of `st_blocks`.
const BLOCK: u64 = 512;
/// How all complaints about a run's disk use begin.
const DISK: &str = "disk: ";

/// This is why a run was ended: it wrote more than it may.
pub fn is_excess(why: &str) -> bool {
    why.starts_with(DISK)
}

/// What a run may write, and where.
#[derive(Clone, Debug)]
pub struct Quota {
    folders: Vec<PathBuf>,
    since: (i64, i64),
    bytes: u64,
    files: u64,
}

/// What a run has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written {
    bytes: u64,
    files: u64,
    /// A folder was so deep that no path leads there.
    too_deep: bool,
}

impl Quota {
    /// From now on, in these folders: `bytes` on the disk, in `files` files and folders; 0: no limit.
    pub fn new(folders: Vec<PathBuf>, bytes: u64, files: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { folders, since: (now.as_secs() as i64, i64::from(now.subsec_nanos())), bytes, files }
    }

    /// Of everything in a folder, whenever it was written.
    pub fn whole(folder: PathBuf, bytes: u64, files: u64) -> Self {
        Self { folders: vec![folder], since: (0, 0), bytes, files }
    }

    /// Waits until more was written than may be; gives the limit and the amount. Never without limits.
    pub async fn exceeded(&self) -> String {
        if self.bytes == 0 && self.files == 0 {
            return std::future::pending().await;
        }
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let (quota, began) = (self.clone(), Instant::now());
            if let Ok(Some(excess)) = tokio::task::spawn_blocking(move || quota.excess()).await {
                return excess;
            }
            pause = (began.elapsed() * SHARE).clamp(PAUSE, LONGEST_PAUSE);
        }
    }

    /// One look, now. `None`: all is well.
    pub fn excess(&self) -> Option<String> {
        let mut written = Written::default();
        let mut linked = HashSet::new();
        for folder in &self.folders {
            self.measure(folder, &mut written, &mut linked);
        }
        self.complaint(written)
    }

    fn complaint(&self, written: Written) -> Option<String> {
        if written.too_deep {
            return Some(format!("{DISK}folders deeper than a path can name"));
        }
        if self.bytes > 0 && written.bytes > self.bytes {
            return Some(format!("{DISK}{} written, {} allowed", size(written.bytes), size(self.bytes)));
        }
        let many = self.files > 0 && written.files > self.files;
        many.then(|| format!("{DISK}{} files and folders made, {} allowed", written.files, self.files))
    }

    fn measure(&self, root: &Path, written: &mut Written, linked: &mut HashSet<(u64, u64)>) {
        let mut ahead = vec![root.to_owned()];
        while let Some(folder) = ahead.pop() {
            for (path, entry) in list(&folder, written) {
                if entry.is_dir() {
                    ahead.push(path);
                }
                // A file with several names takes its room once.
                let again = !entry.is_dir() && entry.nlink() > 1 && !linked.insert((entry.dev(), entry.ino()));
                if (entry.ctime(), entry.ctime_nsec()) >= self.since && !again {
                    written.bytes += entry.blocks() * BLOCK;
                    written.files += 1;
                }
            }
            if self.complaint(*written).is_some() {
                return;
            }
        }
    }
}

/// What is in a folder. Entries come and go while we look.
fn list(folder: &Path, written: &mut Written) -> Vec<(PathBuf, fs::Metadata)> {
    let opened = fs::read_dir(folder).or_else(|error| match error.kind() {
        // Hidden from us, too, unless we are root; but it is ours.
        io::ErrorKind::PermissionDenied => open_up(folder).and_then(|()| fs::read_dir(folder)),
        _ => Err(error),
    });
    let entries = match opened {
        Ok(entries) => entries,
        Err(error) => {
            written.too_deep |= error.kind() == io::ErrorKind::InvalidFilename;
            return Vec::new();
        }
    };
    let looked = entries.flatten().map(|entry| entry.path());
    looked.filter_map(|path| fs::symlink_metadata(&path).ok().map(|entry| (path, entry))).collect()
}

/// Gives its owner all rights over a folder, and never over what a link put in its place leads to.
fn open_up(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::open(folder, flags, Mode::empty())?;
    let itself = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
    fs::set_permissions(itself, fs::Permissions::from_mode(0o700))
}

/// An amount for people.
fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{amount:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(folder: &Path, bytes: u64, files: u64) -> Quota {
        Quota::new(vec![folder.to_owned()], bytes, files)
    }

    /// The kernel's clock for files is coarser than ours.
    fn a_moment_later(folder: &Path) {
        let start = SystemTime::now();
        while fs::write(folder.join("clock"), "").is_ok() {
            let changed = fs::metadata(folder.join("clock")).and_then(|file| file.modified()).unwrap();
            if changed > start {
                return;
            }
        }
    }

    #[test]
    fn what_was_there_before_does_not_count() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("old"), vec![1; 1 << 20]).unwrap();
        a_moment_later(temp.path());
        let quota = quota(temp.path(), 512 << 10, 10);
        assert_eq!(quota.excess(), None);
        a_moment_later(temp.path());
        fs::write(temp.path().join("new"), vec![1; 600 << 10]).unwrap();
        let told = quota.excess().unwrap();
        assert!(told.starts_with("disk: 600.0 KiB written, 512.0 KiB allowed"), "{told}");
    }

    #[test]
    fn files_are_counted_and_links_are_not_counted_twice() {
        let temp = tempfile::tempdir().unwrap();
        let few = quota(temp.path(), 1 << 20, 3);
        a_moment_later(temp.path());
        fs::remove_file(temp.path().join("clock")).unwrap();
        fs::write(temp.path().join("one"), vec![1; 700 << 10]).unwrap();
        fs::hard_link(temp.path().join("one"), temp.path().join("two")).unwrap();
        std::os::unix::fs::symlink("/usr", temp.path().join("usr")).unwrap();
        assert_eq!(few.excess(), None);
        fs::create_dir_all(temp.path().join("a/b")).unwrap();
        assert_eq!(few.excess().unwrap(), "disk: 4 files and folders made, 3 allowed");
    }

    #[test]
    fn a_sparse_file_takes_what_it_takes() {
        let temp = tempfile::tempdir().unwrap();
        let quota = quota(temp.path(), 1 << 20, 0);
        fs::File::create(temp.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(quota.excess(), None);
    }

    #[test]
    fn amounts_are_readable() {
        assert_eq!(size(700), "700 bytes");
        assert_eq!(size(3 << 29), "1.5 GiB");
    }
}
