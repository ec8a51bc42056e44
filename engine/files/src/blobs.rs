//! Blobs on a local disk, each named by the hash of its bytes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes};
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::digest::{Digest, Hashes, Sha256Hash};
use crate::error::FilesError;
use crate::hash::BlobHash;

/// Largest blob unless [`BlobOptions::limit`] says otherwise: 4 GiB.
pub const MAX_BLOB_BYTES: u64 = 4 << 30;

/// How a store of blobs behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobOptions {
    /// Flush each blob to the disk before it counts as stored. A cache that can fetch again may leave this off.
    pub durable: bool,
    /// Largest blob, in bytes.
    pub limit: u64,
}

impl Default for BlobOptions {
    fn default() -> Self {
        Self { durable: true, limit: MAX_BLOB_BYTES }
    }
}

/// What an uploader says about bytes before they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Their hash.
    pub hash: Option<BlobHash>,
    /// How many.
    pub size: Option<u64>,
}

/// A blob that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Hash of its bytes.
    pub hash: BlobHash,
    /// How many.
    pub size: u64,
}

/// A blob that was stored for somebody who may know it by another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The blob.
    pub blob: Blob,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Hash,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs that stay.
    pub kept: u64,
    /// Blobs removed,
    pub removed: u64,
    /// and their bytes.
    pub bytes: u64,
}

/// Blobs in a folder: `ab/cdef…`, private to this user. Cheap to clone. One process at a time may use a folder.
#[derive(Clone, Debug)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    options: BlobOptions,
    /// Held for writing only around the removal of one blob.
    sweeping: RwLock<()>,
}

const TEMPORARY: &str = "tmp";
/// What is read before it is handed to the disk; most scripts fit in one.
pub(crate) const CHUNK: usize = 256 << 10;
/// Threads that wait for the disk at once, for many small blobs.
const FLUSHES_AT_ONCE: usize = 8;

impl BlobStore {
    /// Opens a folder, makes it if there is none, and removes what broken-off uploads left behind.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn open(root: impl Into<PathBuf>, options: BlobOptions) -> Result<Self, FilesError> {
        let root = root.into();
        let temporary = root.join(TEMPORARY);
        private_folder(&root)?;
        // The folder has one user, so whatever is in here belongs to an upload that nobody sends any more.
        if temporary.exists() {
            std::fs::remove_dir_all(&temporary).map_err(FilesError::io("clear", &temporary))?;
        }
        private_folder(&temporary)?;
        let inner = Inner { root, options, sweeping: RwLock::new(()) };
        inner.make_shards()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Stores what a stream brings: whole and checked, or not at all. A blob that is there already is kept as it is.
    ///
    /// # Errors
    /// [`FilesError::CutOff`], [`FilesError::WrongHash`], [`FilesError::WrongSize`], [`FilesError::TooLarge`],
    /// [`FilesError::Full`], [`FilesError::Io`]; nothing is kept then, nor when the future is dropped.
    pub async fn put(&self, claim: Claim, stream: impl AsyncRead + Unpin) -> Result<Blob, FilesError> {
        let spool = Spool::new(self.inner.clone(), claim.hash.map(Digest::from), claim.size, Hashes::blake3());
        spool_in(spool, stream).await.map(|(blob, _)| blob)
    }

    /// The same for bytes of which a client may say either hash.
    ///
    /// # Errors
    /// As [`BlobStore::put`].
    pub async fn take(
        &self,
        digest: Option<Digest>,
        size: Option<u64>,
        stream: impl AsyncRead + Unpin,
    ) -> Result<Stored, FilesError> {
        let spool = Spool::new(self.inner.clone(), digest, size, Hashes::both());
        let (blob, sha256) = spool_in(spool, stream).await?;
        let sha256 = sha256.ok_or(FilesError::NoBlob { hash: blob.hash })?;
        Ok(Stored { blob, sha256 })
    }

    /// Stores many small blobs with as few waits for the disk as can be. Gives those that are stored, in order, and
    /// what is wrong with the one after them: its bytes do not have its digest. Later ones are not looked at.
    ///
    /// # Errors
    /// [`FilesError::TooLarge`], [`FilesError::Full`], [`FilesError::Io`]; some may be stored then.
    pub async fn take_many(
        &self,
        records: Vec<(Digest, Bytes)>,
    ) -> Result<(Vec<Stored>, Option<FilesError>), FilesError> {
        let inner = self.inner.clone();
        blocking(move || inner.take_many(&records)).await
    }

    /// Those of these that are not there. Unlike [`BlobStore::missing`] this is no use of the others.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn gone(&self, hashes: Vec<BlobHash>) -> Result<Vec<BlobHash>, FilesError> {
        let inner = self.inner.clone();
        blocking(move || Ok(hashes.into_iter().filter(|hash| !inner.path_of(*hash).exists()).collect())).await
    }

    /// Stores bytes that are at hand.
    ///
    /// # Errors
    /// As [`BlobStore::put`].
    pub async fn put_bytes(&self, bytes: impl AsRef<[u8]>) -> Result<Blob, FilesError> {
        self.put(Claim::default(), bytes.as_ref()).await
    }

    /// Whether a blob is there, by name; its bytes are not read.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn has(&self, hash: BlobHash) -> Result<bool, FilesError> {
        Ok(self.missing([hash]).await?.is_empty())
    }

    /// Which of these are not there. The others count as just used: a sweep with some grace spares them.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn missing(&self, hashes: impl IntoIterator<Item = BlobHash>) -> Result<Vec<BlobHash>, FilesError> {
        let (inner, hashes) = (self.inner.clone(), hashes.into_iter().collect::<Vec<_>>());
        blocking(move || {
            let _no_sweep = inner.sweeping.read().unwrap_or_else(PoisonError::into_inner);
            let mut missing = Vec::new();
            for hash in hashes {
                if !inner.touch(hash)? {
                    missing.push(hash);
                }
            }
            Ok(missing)
        })
        .await
    }

    /// All bytes of a blob, checked against its hash.
    ///
    /// # Errors
    /// [`FilesError::NoBlob`], [`FilesError::DamagedBlob`], [`FilesError::Io`].
    pub async fn read(&self, hash: BlobHash) -> Result<Vec<u8>, FilesError> {
        let inner = self.inner.clone();
        blocking(move || inner.read(hash)).await
    }

    /// A blob as an open file, at its start, for streaming. Its bytes are not checked; whoever receives them does.
    ///
    /// # Errors
    /// [`FilesError::NoBlob`], [`FilesError::Io`].
    pub async fn stream(&self, hash: BlobHash) -> Result<(tokio::fs::File, u64), FilesError> {
        let inner = self.inner.clone();
        let (file, size) = blocking(move || inner.open(hash)).await?;
        Ok((tokio::fs::File::from_std(file), size))
    }

    /// Reads a blob and checks its bytes, whatever its size.
    ///
    /// # Errors
    /// [`FilesError::NoBlob`], [`FilesError::DamagedBlob`], [`FilesError::Io`].
    pub async fn verify(&self, hash: BlobHash) -> Result<Blob, FilesError> {
        let inner = self.inner.clone();
        blocking(move || inner.verify(hash)).await
    }

    /// Takes a blob away, for a damaged one that can be fetched again. Gone already: no error.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub async fn remove(&self, hash: BlobHash) -> Result<(), FilesError> {
        let inner = self.inner.clone();
        blocking(move || inner.remove(hash)).await
    }

    /// Removes blobs that are not in `keep` and were neither stored nor asked for within `grace`.
    ///
    /// `keep` is everything reachable: all blobs of all live trees, and those trees themselves. The grace covers
    /// uploads whose revision is not committed yet; an hour is plenty.
    ///
    /// # Errors
    /// [`FilesError::Io`]; what was removed until then stays removed.
    pub async fn sweep(&self, keep: BTreeSet<BlobHash>, grace: Duration) -> Result<Swept, FilesError> {
        let inner = self.inner.clone();
        blocking(move || sweep(&inner, &keep, grace)).await
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Largest blob, in bytes.
    pub fn limit(&self) -> u64 {
        self.inner.options.limit
    }

    /// Makes a file of the same disk a blob. Its bytes have this hash.
    pub(crate) fn adopt_now(&self, path: &Path, hash: BlobHash) -> Result<(), FilesError> {
        self.inner.adopt(path, hash)
    }

    /// [`BlobStore::read`] for work that is on a blocking thread already.
    pub(crate) fn read_now(&self, hash: BlobHash) -> Result<Vec<u8>, FilesError> {
        self.inner.read(hash)
    }

    /// An open blob, unchecked, for work that is on a blocking thread already.
    pub(crate) fn open_now(&self, hash: BlobHash) -> Result<File, FilesError> {
        self.inner.open(hash).map(|(file, _)| file)
    }
}

impl Inner {
    fn path_of(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(&name[2..])
    }

    /// Makes the folders `00` to `ff` at once: one flush now instead of one at the first blob in each.
    fn make_shards(&self) -> Result<(), FilesError> {
        let last = self.root.join("ff");
        if !self.options.durable || last.exists() {
            return Ok(());
        }
        for shard in 0..=255 {
            private_folder(&self.root.join(format!("{shard:02x}")))?;
        }
        self.sync_folder(&self.root)
    }

    fn open(&self, hash: BlobHash) -> Result<(File, u64), FilesError> {
        let path = self.path_of(hash);
        let file = File::open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => FilesError::NoBlob { hash },
            _ => FilesError::io("open", &path)(e),
        })?;
        let size = file.metadata().map_err(FilesError::io("look at", &path))?.len();
        Ok((file, size))
    }

    fn read(&self, hash: BlobHash) -> Result<Vec<u8>, FilesError> {
        let (mut file, size) = self.open(hash)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(FilesError::io("read", self.path_of(hash)))?;
        match BlobHash::of(&bytes) {
            found if found == hash => Ok(bytes),
            found => Err(FilesError::DamagedBlob { hash, found }),
        }
    }

    fn verify(&self, hash: BlobHash) -> Result<Blob, FilesError> {
        let (file, size) = self.open(hash)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(FilesError::io("read", self.path_of(hash)))?;
        match BlobHash::from(hasher.finalize()) {
            found if found == hash => Ok(Blob { hash, size }),
            found => Err(FilesError::DamagedBlob { hash, found }),
        }
    }

    fn remove(&self, hash: BlobHash) -> Result<(), FilesError> {
        let path = self.path_of(hash);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(FilesError::io("remove", path)(e)),
            _ => Ok(()),
        }
    }

    /// Whether the blob is there; if so it counts as used now.
    fn touch(&self, hash: BlobHash) -> Result<bool, FilesError> {
        let path = self.path_of(hash);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(FilesError::io("open", path)(e)),
        };
        file.set_modified(SystemTime::now()).map_err(FilesError::io("touch", path))?;
        Ok(true)
    }

    fn take_many(&self, records: &[(Digest, Bytes)]) -> Result<(Vec<Stored>, Option<FilesError>), FilesError> {
        let (mut stored, mut bad) = (Vec::with_capacity(records.len()), None);
        for (digest, bytes) in records {
            let size = bytes.len() as u64;
            if size > self.options.limit {
                return Err(FilesError::TooLarge { limit: self.options.limit });
            }
            match Hashes::both().update(bytes).require(Some(*digest)) {
                Ok((hash, Some(sha256))) => stored.push(Stored { blob: Blob { hash, size }, sha256 }),
                Ok((hash, None)) => return Err(FilesError::NoBlob { hash }),
                Err(error) => {
                    bad = Some(error);
                    break;
                }
            }
        }
        let _no_sweep = self.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        let each: Vec<(BlobHash, &Bytes)> =
            stored.iter().zip(records).map(|(one, (_, bytes))| (one.blob.hash, bytes)).collect();
        in_threads(&each, |(hash, bytes)| self.store_one(*hash, bytes))?;
        let shards: BTreeSet<PathBuf> =
            each.iter().filter_map(|(hash, _)| self.path_of(*hash).parent().map(Path::to_owned)).collect();
        in_threads(&shards.into_iter().collect::<Vec<_>>(), |shard| self.sync_folder(shard))?;
        Ok((stored, bad))
    }

    /// Stores bytes that have this hash; its folder is not flushed yet.
    fn store_one(&self, hash: BlobHash, bytes: &[u8]) -> Result<(), FilesError> {
        if self.touch(hash)? && self.verify(hash).is_ok() {
            return Ok(());
        }
        let folder = self.root.join(TEMPORARY);
        let made = tempfile::Builder::new().prefix("").tempfile_in(&folder);
        let mut file = made.map_err(FilesError::io("make a file in", &folder))?;
        file.write_all(bytes).map_err(FilesError::io("write to", &folder))?;
        self.flush_file(file.as_file(), file.path())?;
        let path = self.path_of(hash);
        self.make_shard(&path)?;
        file.persist(&path).map(drop).map_err(|e| FilesError::io("rename a file to", &path)(e.error))
    }

    fn adopt(&self, from: &Path, hash: BlobHash) -> Result<(), FilesError> {
        let _no_sweep = self.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        let file = File::open(from).map_err(FilesError::io("open", from))?;
        self.flush_file(&file, from)?;
        let path = self.path_of(hash);
        let shard = self.make_shard(&path)?;
        std::fs::rename(from, &path).map_err(FilesError::io("rename a file to", &path))?;
        self.sync_folder(&shard)
    }

    fn flush_file(&self, file: &File, path: &Path) -> Result<(), FilesError> {
        if !self.options.durable {
            return Ok(());
        }
        file.sync_all().map_err(FilesError::io("flush", path))
    }

    /// The folder of a blob, made if it is missing.
    fn make_shard(&self, blob: &Path) -> Result<PathBuf, FilesError> {
        let shard = blob.parent().unwrap_or(&self.root);
        if !shard.exists() {
            private_folder(shard)?;
            self.sync_folder(&self.root)?;
        }
        Ok(shard.to_owned())
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), FilesError> {
        if !self.options.durable {
            return Ok(());
        }
        File::open(folder).and_then(|f| f.sync_all()).map_err(FilesError::io("flush", folder))
    }
}

/// Reads a stream to its end and keeps it.
async fn spool_in(
    mut spool: Spool,
    mut stream: impl AsyncRead + Unpin,
) -> Result<(Blob, Option<Sha256Hash>), FilesError> {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let ended = fill(&mut stream, &mut chunk)
            .await
            .map_err(|source| FilesError::CutOff { received: spool.size, source: Arc::new(source) })?;
        spool.admit(chunk.len() as u64)?;
        if ended {
            return blocking(move || spool.finish(&chunk)).await;
        }
        spool = blocking(move || spool.write(&chunk).map(|()| spool)).await?;
    }
}

/// Does the same to each, some at a time: a disk flushes several files in little more time than one.
fn in_threads<T: Sync>(each: &[T], work: impl Fn(&T) -> Result<(), FilesError> + Sync) -> Result<(), FilesError> {
    let size = each.len().div_ceil(FLUSHES_AT_ONCE).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let parts: Vec<_> = each.chunks(size).map(|part| scope.spawn(move || part.iter().try_for_each(work))).collect();
        let ends: Vec<_> = parts.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        ends.into_iter().try_for_each(|end| {
            end.unwrap_or_else(|_| Err(FilesError::io("finish the work on", "files")(std::io::Error::other("a panic"))))
        })
    })
}

/// Bytes on their way to the disk. Dropped before its end, it leaves nothing.
struct Spool {
    inner: Arc<Inner>,
    claimed: Option<Digest>,
    claimed_size: Option<u64>,
    hashes: Hashes,
    size: u64,
    file: Option<NamedTempFile>,
}

impl Spool {
    fn new(inner: Arc<Inner>, claimed: Option<Digest>, claimed_size: Option<u64>, hashes: Hashes) -> Self {
        Self { inner, claimed, claimed_size, hashes, size: 0, file: None }
    }

    /// Counts bytes that came, and refuses what is more than announced or allowed before it takes any room.
    fn admit(&mut self, more: u64) -> Result<(), FilesError> {
        self.size += more;
        if let Some(claimed) = self.claimed_size.filter(|claimed| self.size > *claimed) {
            return Err(FilesError::WrongSize { claimed, found: self.size });
        }
        match self.inner.options.limit {
            limit if self.size > limit => Err(FilesError::TooLarge { limit }),
            _ => Ok(()),
        }
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), FilesError> {
        self.hashes.update(chunk);
        self.append(chunk)
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), FilesError> {
        let folder = self.inner.root.join(TEMPORARY);
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let made = tempfile::Builder::new().prefix("").tempfile_in(&folder);
                none.insert(made.map_err(FilesError::io("make a file in", &folder))?)
            }
        };
        file.as_file_mut().write_all(chunk).map_err(FilesError::io("write to", &folder))
    }

    fn finish(mut self, last: &[u8]) -> Result<(Blob, Option<Sha256Hash>), FilesError> {
        if let Some(claimed) = self.claimed_size.filter(|claimed| self.size != *claimed) {
            return Err(FilesError::WrongSize { claimed, found: self.size });
        }
        let (hash, sha256) = self.hashes.update(last).require(self.claimed)?;
        let blob = Blob { hash, size: self.size };
        let inner = self.inner.clone();
        let _no_sweep = inner.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        if inner.touch(hash)? && inner.verify(hash).is_ok() {
            return Ok((blob, sha256));
        }
        self.append(last)?;
        self.keep(hash)?;
        Ok((blob, sha256))
    }

    /// File first, name second, folder third: a name never stands for bytes that are not on the disk.
    fn keep(self, hash: BlobHash) -> Result<(), FilesError> {
        let path = self.inner.path_of(hash);
        let Some(file) = self.file else { return Err(FilesError::NoBlob { hash }) };
        self.inner.flush_file(file.as_file(), file.path())?;
        let shard = self.inner.make_shard(&path)?;
        file.persist(&path).map_err(|e| FilesError::io("rename a file to", &path)(e.error))?;
        self.inner.sync_folder(&shard)
    }
}

fn sweep(inner: &Inner, keep: &BTreeSet<BlobHash>, grace: Duration) -> Result<Swept, FilesError> {
    let mut swept = Swept::default();
    for shard in entries(&inner.root)? {
        if !shard.path().is_dir() || [TEMPORARY, crate::parts::FOLDER].iter().any(|name| shard.file_name() == *name) {
            continue;
        }
        for file in entries(&shard.path())? {
            let name = [shard.file_name(), file.file_name()].map(|part| part.to_string_lossy().into_owned()).concat();
            // What is not named like a blob is not ours to remove.
            let Ok(hash) = name.parse::<BlobHash>() else { continue };
            if keep.contains(&hash) {
                swept.kept += 1;
                continue;
            }
            match remove_if_old(inner, hash, grace)? {
                None => swept.kept += 1,
                Some(bytes) => {
                    swept.removed += 1;
                    swept.bytes += bytes;
                }
            }
        }
    }
    Ok(swept)
}

/// Looks again under the lock: an uploader may have been told a moment ago that this blob need not be sent.
fn remove_if_old(inner: &Inner, hash: BlobHash, grace: Duration) -> Result<Option<u64>, FilesError> {
    let _alone = inner.sweeping.write().unwrap_or_else(PoisonError::into_inner);
    let path = inner.path_of(hash);
    let about = std::fs::symlink_metadata(&path).map_err(FilesError::io("look at", &path))?;
    let used = about.modified().map_err(FilesError::io("look at", &path))?;
    // A time in the future (the clock was set back) counts as just used.
    if SystemTime::now().duration_since(used).unwrap_or_default() < grace {
        return Ok(None);
    }
    std::fs::remove_file(&path).map_err(FilesError::io("remove", &path))?;
    Ok(Some(about.len()))
}

pub(crate) fn entries(folder: &Path) -> Result<Vec<std::fs::DirEntry>, FilesError> {
    std::fs::read_dir(folder).and_then(Iterator::collect).map_err(FilesError::io("list", folder))
}

/// Makes a folder that only this user can enter.
pub(crate) fn private_folder(path: &Path) -> Result<(), FilesError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(FilesError::io("make folder", path))
}

/// Reads until the chunk is full; `true` at the end of the stream.
pub(crate) async fn fill(stream: &mut (impl AsyncRead + Unpin), chunk: &mut Vec<u8>) -> std::io::Result<bool> {
    while chunk.len() < CHUNK {
        if stream.read_buf(&mut chunk.limit(CHUNK - chunk.len())).await? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs disk work where it may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(gone) => Err(FilesError::Io {
            doing: "finish the work on",
            path: PathBuf::from("files"),
            source: Arc::new(std::io::Error::other(gone)),
        }),
    }
}
