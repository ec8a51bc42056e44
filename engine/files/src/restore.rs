//! Makes a folder hold exactly a tree: builds it, restores it after a run, or brings it to another tree.
//!
//! A file counts as untouched when inode, size, change time and mode are those that were noted when it was written. A run
//! can set a modification time but not a change time. A stamp that was noted within a few ticks of the change could hide
//! a later write in the same tick; such files are read again the next time. Links are never followed: whatever is not a plain
//! file or folder of the tree is removed by name.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headend_model::TreePath;

use crate::blobs::BlobStore;
use crate::error::FilesError;
use crate::hash::BlobHash;
use crate::tree::{FileEntry, Tree};

/// Several ticks of the clock that stamps files (1 to 10 ms).
const TICKS: Duration = Duration::from_millis(50);
/// Files that are copied through memory, where they are checked on the way.
const SMALL: u64 = 1 << 20;

/// A folder and what was put in it.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    tree: Arc<Tree>,
    stamps: HashMap<TreePath, Noted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    hash: BlobHash,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    mode: u32,
}

/// A stamp, and whether any later change would have another one.
#[derive(Clone, Copy, Debug)]
struct Noted {
    stamp: Stamp,
    settled: bool,
}

impl Noted {
    fn now(hash: BlobHash, about: &Metadata) -> Self {
        Self { stamp: Stamp::of(hash, about), settled: settled(about) }
    }
}

impl Stamp {
    fn of(hash: BlobHash, about: &Metadata) -> Self {
        let changed = (about.ctime(), about.ctime_nsec());
        Self { hash, inode: about.ino(), size: about.size(), changed, mode: about.mode() }
    }
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, tree: Arc::default(), stamps: HashMap::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    pub(crate) fn path_of(&self, path: &TreePath) -> PathBuf {
        path.components().fold(self.root.clone(), |folder, name| folder.join(name))
    }
}

/// Makes the folder hold exactly the tree. Nothing else may be at work in it.
pub(crate) fn restore(folder: &mut Folder, tree: &Arc<Tree>, blobs: &BlobStore) -> Result<(), FilesError> {
    let folders = folders_of(tree);
    let mut stale = Stale { tree, folders: &folders, stamps: &folder.stamps, good: HashMap::new() };
    if own_folder(&folder.root)? {
        stale.clear(&folder.root, "")?;
    }
    let mut stamps = stale.good;
    for name in &folders {
        own_folder(&folder.root.join(name))?;
    }
    for (path, entry) in tree.iter() {
        if !stamps.contains_key(path) {
            let about = write(&folder.path_of(path), entry, blobs)?;
            stamps.insert(path.clone(), Noted::now(entry.hash, &about));
        }
    }
    folder.stamps = stamps;
    folder.tree = tree.clone();
    Ok(())
}

/// All folders of a tree, outer ones first.
fn folders_of(tree: &Tree) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for (path, _) in tree.iter() {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            parent = folder.parent();
            if !folders.insert(folder.as_str().to_owned()) {
                break;
            }
        }
    }
    folders
}

/// Finds what is still good in a folder and removes the rest.
struct Stale<'a> {
    tree: &'a Tree,
    folders: &'a BTreeSet<String>,
    stamps: &'a HashMap<TreePath, Noted>,
    good: HashMap<TreePath, Noted>,
}

impl Stale<'_> {
    fn clear(&mut self, folder: &Path, prefix: &str) -> Result<(), FilesError> {
        for found in list(folder)? {
            let about = found.metadata().map_err(FilesError::io("look at", found.path()))?;
            let name = found.file_name().to_str().map(|name| format!("{prefix}{name}"));
            if about.is_dir() && name.as_ref().is_some_and(|name| self.folders.contains(name)) {
                own_folder(&found.path())?;
                self.clear(&found.path(), &format!("{}/", name.unwrap_or_default()))?;
            } else if !self.is_good(name, &found.path(), &about) {
                remove(&found.path())?;
            }
        }
        Ok(())
    }

    fn is_good(&mut self, name: Option<String>, at: &Path, about: &Metadata) -> bool {
        let Some(path) = name.and_then(|name| TreePath::parse(&name).ok()) else { return false };
        let (Some(entry), Some(noted)) = (self.tree.get(&path), self.stamps.get(&path)) else { return false };
        let now = Noted::now(entry.hash, about);
        let good = about.is_file() && now.stamp == noted.stamp && (noted.settled || reads_as(at, entry.hash));
        if good {
            self.good.insert(path, now);
        }
        good
    }
}

/// Changed so long ago that a later change would have another time.
fn settled(about: &Metadata) -> bool {
    let Ok(seconds) = u64::try_from(about.ctime()) else { return false };
    let nanos = u32::try_from(about.ctime_nsec()).unwrap_or(0);
    let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
    SystemTime::now().duration_since(changed).is_ok_and(|age| age > TICKS)
}

fn reads_as(path: &Path, hash: BlobHash) -> bool {
    let mut hasher = blake3::Hasher::new();
    File::open(path).and_then(|file| hasher.update_reader(file).map(drop)).is_ok()
        && BlobHash::from(hasher.finalize()) == hash
}

/// A folder that is ours and writable; `true` if it was there. Anything else of that name is removed.
fn own_folder(path: &Path) -> Result<bool, FilesError> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => {
            if about.mode() & 0o777 != 0o700 {
                let open = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
                open.map_err(FilesError::io("open up", path))?;
            }
            return Ok(true);
        }
        Ok(_) => remove(path)?,
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(FilesError::io("look at", path)(e)),
    }
    fs::DirBuilder::new().mode(0o700).create(path).map_err(FilesError::io("make folder", path))?;
    Ok(false)
}

/// Writes a file that is not there, checking its bytes on the way.
fn write(path: &Path, entry: FileEntry, blobs: &BlobStore) -> Result<Metadata, FilesError> {
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(FilesError::io("make", path))?;
    if entry.size <= SMALL {
        let bytes = blobs.read_now(entry.hash)?;
        file.write_all(&bytes).map_err(FilesError::io("write to", path))?;
    } else {
        copy(&mut file, path, entry.hash, blobs)?;
    }
    file.metadata().map_err(FilesError::io("look at", path))
}

fn copy(file: &mut File, path: &Path, hash: BlobHash, blobs: &BlobStore) -> Result<(), FilesError> {
    let mut source = blobs.open_now(hash)?;
    if !reflink(&source, file) {
        std::io::copy(&mut source, file).map_err(FilesError::io("write to", path))?;
    }
    let mut hasher = blake3::Hasher::new();
    let read = File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
    read.map_err(FilesError::io("read", path))?;
    match BlobHash::from(hasher.finalize()) {
        found if found == hash => Ok(()),
        found => {
            let _ = fs::remove_file(path);
            Err(FilesError::DamagedBlob { hash, found })
        }
    }
}

#[cfg(target_os = "linux")]
fn reflink(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn reflink(_: &File, _: &File) -> bool {
    false
}

/// Removes everything in a folder but these names.
pub(crate) fn keep_only(folder: &Path, names: &[&str]) -> Result<(), FilesError> {
    own_folder(folder)?;
    for found in list(folder)? {
        if !names.iter().any(|name| found.file_name() == *name) {
            remove(&found.path())?;
        }
    }
    Ok(())
}

/// Removes a file, a link (not what it points to), or a folder with all that is in it. Gone already: no error.
pub(crate) fn remove(path: &Path) -> Result<(), FilesError> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(FilesError::io("look at", path)(e)),
    };
    if !about.is_dir() {
        return fs::remove_file(path).map_err(FilesError::io("remove", path));
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    // A run may have locked folders against itself; they are ours all the same.
    open_up(path)?;
    fs::remove_dir_all(path).map_err(FilesError::io("remove", path))
}

fn open_up(folder: &Path) -> Result<(), FilesError> {
    own_folder(folder)?;
    for found in list(folder)? {
        if found.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&found.path())?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, FilesError> {
    fs::read_dir(folder).and_then(Iterator::collect).map_err(FilesError::io("list", folder))
}
