//! Large files on their way in, in parts: what has arrived stays when the connection is cut.
//!
//! ```text
//!  append(offset 0) ─► parts/<user>/<upload> grows ─► cut ─► progress() ─► append(offset) ─► … ─► digest right? ─► a blob
//! ```
//!
//! An upload is known by who sends it, its digest and its size. No name of a user or client is ever a path.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::OwnedMutexGuard;

use crate::blobs::{Blob, BlobStore, CHUNK, Stored, blocking, entries, fill, private_folder};
use crate::digest::{Digest, Hashes};
use crate::error::FilesError;

/// Most uploads of one user that are begun and not ended.
pub const MAX_UNFINISHED: usize = 16;
/// Where they lie, in the folder of the blobs: the last step is a rename.
pub(crate) const FOLDER: &str = "parts";

/// Which upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartKey {
    sender: String,
    digest: Digest,
    size: u64,
}

impl PartKey {
    /// The upload of so many bytes with this digest by this sender.
    pub fn new(sender: &str, digest: Digest, size: u64) -> Self {
        Self { sender: folder_name(sender), digest, size }
    }

    /// Its bytes, when all are there.
    pub const fn size(&self) -> u64 {
        self.size
    }

    fn file_name(&self) -> String {
        let name = format!("{} {}", self.digest, self.size);
        blake3::hash(name.as_bytes()).to_hex().to_string()
    }
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes are there.
    Partial(u64),
    /// All are, and they are a blob now.
    Complete(Stored),
}

/// Uploads without an end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    blobs: BlobStore,
    root: PathBuf,
    /// One lock for each upload that was touched since the start: one request at a time.
    open: Mutex<HashMap<PartKey, Arc<tokio::sync::Mutex<State>>>>,
}

/// What is known of an upload besides its file.
#[derive(Debug)]
struct State {
    path: PathBuf,
    /// Bytes in the file and their hashes; `None`: the file was not read since the start.
    have: Option<(u64, Hashes)>,
    /// It has ended; whoever waited for the lock has to begin anew.
    over: bool,
}

type Held = OwnedMutexGuard<State>;

impl Parts {
    /// The uploads beside these blobs. Those of an earlier life go on.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn open(blobs: BlobStore) -> Result<Self, FilesError> {
        let root = blobs.root().join(FOLDER);
        private_folder(&root)?;
        Ok(Self { inner: Arc::new(Inner { blobs, root, open: Mutex::default() }) })
    }

    /// How many bytes of an upload are there; 0 for one that was never begun.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn progress(&self, key: &PartKey) -> Result<u64, FilesError> {
        let path = self.inner.path_of(key);
        blocking(move || length(&path)).await
    }

    /// Appends `length` bytes that a stream brings, as they come. When all bytes are there they are checked and stored.
    ///
    /// # Errors
    /// [`FilesError::WrongOffset`], [`FilesError::UnderWay`], [`FilesError::TooManyUploads`], [`FilesError::TooLarge`]:
    /// nothing was taken. [`FilesError::CutOff`], [`FilesError::Full`], [`FilesError::Io`]: what had arrived stays.
    /// [`FilesError::WrongHash`]: all parts are dropped.
    pub async fn append(
        &self,
        key: &PartKey,
        offset: u64,
        length: u64,
        stream: impl AsyncRead + Unpin,
    ) -> Result<Progress, FilesError> {
        let limit = self.inner.blobs.limit();
        if key.size > limit || offset.checked_add(length).is_none_or(|end| end > key.size) {
            return Err(FilesError::TooLarge { limit: limit.min(key.size) });
        }
        let held = self.inner.slot(key).try_lock_owned().map_err(|_| FilesError::UnderWay)?;
        if held.over {
            return Err(FilesError::UnderWay);
        }
        let (inner, of) = (self.inner.clone(), key.clone());
        let (held, file) = blocking(move || inner.begin(&of, held, offset)).await?;
        let held = take_in(held, file, length, stream).await?;
        let (inner, of) = (self.inner.clone(), key.clone());
        blocking(move || inner.settle(&of, held)).await
    }

    /// Bytes that a sender's unfinished uploads take.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn unfinished(&self, sender: &str) -> Result<u64, FilesError> {
        let folder = self.inner.root.join(folder_name(sender));
        blocking(move || bytes_in(&folder)).await
    }

    /// Drops uploads to which nothing has come for so long; how many.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn sweep(&self, idle: Duration) -> Result<usize, FilesError> {
        let inner = self.inner.clone();
        blocking(move || inner.sweep(idle)).await
    }
}

impl Inner {
    fn path_of(&self, key: &PartKey) -> PathBuf {
        self.root.join(&key.sender).join(key.file_name())
    }

    fn slot(&self, key: &PartKey) -> Arc<tokio::sync::Mutex<State>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(tokio::sync::Mutex::new(State { path: self.path_of(key), have: None, over: false }));
        open.entry(key.clone()).or_insert_with(new).clone()
    }

    fn forget(&self, key: &PartKey, state: &mut State) {
        state.over = true;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Opens the file, reads what an earlier life has left in it, and checks where the new bytes go.
    fn begin(&self, key: &PartKey, mut held: Held, offset: u64) -> Result<(Held, File), FilesError> {
        let there = length(&held.path)?;
        if offset != there {
            if there == 0 {
                self.forget(key, &mut held);
            }
            return Err(FilesError::WrongOffset { offset, received: there });
        }
        if !held.path.exists() {
            let folder = self.root.join(&key.sender);
            private_folder(&folder)?;
            let unfinished = entries(&folder)?.len();
            if unfinished >= MAX_UNFINISHED {
                self.forget(key, &mut held);
                return Err(FilesError::TooManyUploads { unfinished, limit: MAX_UNFINISHED });
            }
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&held.path).map_err(FilesError::io("open", &held.path))?;
        if held.have.as_ref().is_none_or(|(size, _)| *size != there) {
            held.have = Some(read_back(&mut file, &held.path)?);
        }
        Ok((held, file))
    }

    /// All bytes there: a blob, or nothing.
    fn settle(&self, key: &PartKey, mut held: Held) -> Result<Progress, FilesError> {
        let Some((received, hashes)) = &held.have else { return Ok(Progress::Partial(0)) };
        if *received < key.size {
            return Ok(Progress::Partial(*received));
        }
        match hashes.require(Some(key.digest)) {
            Ok((hash, Some(sha256))) => {
                self.blobs.adopt_now(&held.path, hash)?;
                self.forget(key, &mut held);
                Ok(Progress::Complete(Stored { blob: Blob { hash, size: key.size }, sha256 }))
            }
            Ok((hash, None)) => Err(FilesError::NoBlob { hash }),
            Err(wrong) => {
                remove(&held.path)?;
                self.forget(key, &mut held);
                Err(wrong)
            }
        }
    }

    fn sweep(&self, idle: Duration) -> Result<usize, FilesError> {
        let mut dropped = 0;
        for sender in entries(&self.root)? {
            for file in entries(&sender.path())? {
                let used = file.metadata().and_then(|about| about.modified());
                // A time in the future (the clock was set back) counts as just used.
                let age = used.ok().and_then(|used| SystemTime::now().duration_since(used).ok()).unwrap_or_default();
                if age >= idle && self.drop_idle(&file.path())? {
                    dropped += 1;
                }
            }
        }
        Ok(dropped)
    }

    fn drop_idle(&self, path: &Path) -> Result<bool, FilesError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = open.keys().find(|key| self.path_of(key) == path).cloned();
        let slot = key.as_ref().and_then(|key| open.get(key).cloned());
        let held = slot.map(tokio::sync::Mutex::try_lock_owned).transpose();
        // One that is locked is being sent right now.
        let Ok(held) = held else { return Ok(false) };
        remove(path)?;
        if let (Some(mut held), Some(key)) = (held, key) {
            held.over = true;
            open.remove(&key);
        }
        Ok(true)
    }
}

/// Writes what comes, piece by piece; what came before a cut is written too.
async fn take_in(
    mut held: Held,
    mut file: File,
    length: u64,
    stream: impl AsyncRead + Unpin,
) -> Result<Held, FilesError> {
    let mut stream = stream.take(length);
    let mut left = length;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let came = fill(&mut stream, &mut chunk).await;
        left -= chunk.len() as u64;
        (held, file) = blocking(move || held.write(&mut file, &chunk).map(|()| (held, file))).await?;
        let received = held.have.as_ref().map_or(0, |(size, _)| *size);
        match came {
            Ok(_) if left == 0 => return Ok(held),
            Ok(false) => {}
            Ok(true) => return Err(cut_off(received, ErrorKind::UnexpectedEof.into())),
            Err(source) => return Err(cut_off(received, source)),
        }
    }
}

fn cut_off(received: u64, source: std::io::Error) -> FilesError {
    FilesError::CutOff { received, source: Arc::new(source) }
}

impl State {
    fn write(&mut self, file: &mut File, chunk: &[u8]) -> Result<(), FilesError> {
        let Some((size, hashes)) = &mut self.have else { return Ok(()) };
        if let Err(error) = file.write_all(chunk) {
            // Half a chunk is not counted, so it must not stay; if it does, the next request reads the file again.
            let _ = file.set_len(*size);
            return Err(FilesError::io("write to", &self.path)(error));
        }
        *size += chunk.len() as u64;
        hashes.update(chunk);
        Ok(())
    }
}

fn read_back(file: &mut File, path: &Path) -> Result<(u64, Hashes), FilesError> {
    let (mut size, mut hashes) = (0, Hashes::both());
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = file.read(&mut chunk).map_err(FilesError::io("read", path))?;
        if count == 0 {
            return Ok((size, hashes));
        }
        hashes.update(chunk.get(..count).unwrap_or_default());
        size += count as u64;
    }
}

/// Names of people are not names of folders.
fn folder_name(sender: &str) -> String {
    blake3::hash(sender.as_bytes()).to_hex().chars().take(32).collect()
}

fn bytes_in(folder: &Path) -> Result<u64, FilesError> {
    match std::fs::read_dir(folder) {
        // One that ends meanwhile takes nothing.
        Ok(files) => Ok(files.flatten().filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(FilesError::io("list", folder)(error)),
    }
}

fn length(path: &Path) -> Result<u64, FilesError> {
    match std::fs::metadata(path) {
        Ok(about) => Ok(about.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(FilesError::io("look at", path)(error)),
    }
}

fn remove(path: &Path) -> Result<(), FilesError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FilesError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
