//! The rack's data folder: one daemon at a time, and the places in it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use headend_model::{SlotId, SlotNo};
use rustix::fs::{FlockOperation, flock};

use crate::error::RackError;

/// Leaves room for `/RUN-ATTEMPT/s` behind it, in bytes.
const LONGEST_SOCKET_FOLDER: usize = 75;

/// The folder, locked until this is dropped.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if need be and locks it.
    ///
    /// # Errors
    /// [`RackError::FolderInUse`] with the other daemon's process id.
    pub fn open(root: &Path) -> Result<Self, RackError> {
        make_private(root)?;
        let root = root.canonicalize().map_err(RackError::io("find", root))?;
        let path = root.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let mut lock = opened.map_err(RackError::io("open the lock file", &path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
            return Err(RackError::FolderInUse { folder: root, pid });
        }
        let write =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        write.map_err(RackError::io("write the lock file", &path))?;
        let folder = Self { root, _lock: lock };
        // Of persons whose line broke with the former life; nobody can fetch them any more.
        if let Err(error) = fs::remove_dir_all(folder.sessions())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(RackError::io("clear the folder", folder.sessions())(error));
        }
        for sub in [folder.runs(), folder.pids(), folder.sockets()] {
            make_private(&sub)?;
        }
        Ok(folder)
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Names this folder: a copy of it has another name.
    ///
    /// # Errors
    /// [`RackError::Io`] if it cannot be looked at.
    pub fn home(&self) -> Result<u64, RackError> {
        let about = fs::metadata(&self.root).map_err(RackError::io("look at", &self.root))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.root.as_os_str().as_encoded_bytes());
        hasher.update(&about.dev().to_le_bytes()).update(&about.ino().to_le_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Ok(u64::from_le_bytes(first))
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Evidence, a folder per run.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// What sessions of persons leave until it is with them, a folder per session.
    pub fn sessions(&self) -> PathBuf {
        self.root.join("sessions")
    }

    /// A file per child process.
    pub fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    /// Session sockets and temporary files of Python scripts. A socket's path has at most 107 bytes: below a deep data
    /// folder they lie in the system's temporary folder instead, under a name made from this one's.
    pub fn sockets(&self) -> PathBuf {
        let inside = self.root.join("sockets");
        if inside.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
            return inside;
        }
        let name = blake3::hash(self.root.as_os_str().as_encoded_bytes()).to_hex();
        std::env::temp_dir().join(format!("headend-{}", &name[..16]))
    }

    /// Blobs and working copies.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Compiled scripts, for guests: what lies there is executed, so it belongs to this user alone.
    pub fn cache(&self) -> Result<PathBuf, RackError> {
        let path = self.root.join("cache");
        make_private(&path)?;
        Ok(path)
    }

    /// Which slot of the farm is which of ours, as the server said last: the journal knows slots by the farm's numbers.
    pub fn slots(&self) -> BTreeMap<SlotId, SlotNo> {
        let text = fs::read(self.root.join("slots")).unwrap_or_default();
        serde_json::from_slice::<Vec<(SlotId, SlotNo)>>(&text).unwrap_or_default().into_iter().collect()
    }

    /// Keeps that for the next life. Without it the next life tells no epochs of slots, and the journal still refuses
    /// old ones.
    pub fn save_slots(&self, slots: &BTreeMap<SlotId, SlotNo>) {
        let pairs: Vec<_> = slots.iter().collect();
        let beside = self.root.join("slots.new");
        let text = serde_json::to_vec(&pairs).unwrap_or_default();
        if let Err(error) = fs::write(&beside, text).and_then(|()| fs::rename(&beside, self.root.join("slots"))) {
            tracing::warn!(%error, "cannot keep the numbers of slots");
        }
    }

    fn token_path(&self) -> PathBuf {
        self.root.join("token")
    }

    /// The rack's own token, if it has been enrolled.
    pub fn token(&self) -> Result<Option<String>, RackError> {
        let path = self.token_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RackError::io("read the token file", path)(error)),
        };
        let mode = fs::metadata(&path).map_err(RackError::io("look at", &path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(RackError::TokenMode { path, mode });
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// Keeps the rack's own token, readable by its owner alone; whole or not at all.
    pub fn save_token(&self, token: &str) -> Result<(), RackError> {
        let path = self.token_path();
        let beside = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
            writeln!(file, "{token}")?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(RackError::io("write the token file", &path))
    }
}

/// Makes a folder (and those above it) that only its owner can enter.
fn make_private(path: &Path) -> Result<(), RackError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(RackError::io("make the folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_by_process_id() {
        let temp = tempfile::tempdir().unwrap();
        let first = DataFolder::open(temp.path()).unwrap();
        let error = DataFolder::open(temp.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process id {}", std::process::id())), "{error}");
        drop(first);
        DataFolder::open(temp.path()).unwrap();
    }

    #[test]
    fn the_token_is_kept_for_its_owner_alone() {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temp.path()).unwrap();
        assert_eq!(folder.token().unwrap(), None);
        folder.save_token("secret").unwrap();
        assert_eq!(folder.token().unwrap().as_deref(), Some("secret"));
        let path = temp.path().join("token");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(folder.token(), Err(RackError::TokenMode { mode: 0o644, .. })));
    }
}
