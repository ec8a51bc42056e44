//! Working copies on a rack: a snapshot as a folder that a script can run in.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::AsyncRead;

use crate::error::FilesError;
use crate::hash::BlobHash;

/// The bytes of a blob on their way in.
pub type BlobStream = Box<dyn AsyncRead + Send + Unpin>;

/// Where a rack gets blobs that it does not have. Called once per blob, as long as the cache keeps it.
pub trait Fetch: Send + Sync + 'static {
    /// Opens the stream of a blob's bytes. They are checked against the hash.
    fn fetch(&self, hash: BlobHash) -> Pin<Box<dyn Future<Output = std::io::Result<BlobStream>> + Send + '_>>;
}

/// The files a run was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// Tree of the public area.
    pub public: BlobHash,
    /// Tree of its owner's private area, for private scripts.
    pub private: Option<BlobHash>,
}

/// What the run may do with its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Only read, through a host that refuses writes (Rhai and WASM): any number of runs share one copy.
    Shared,
    /// Write: no other run sees this copy.
    Own,
}

/// The working copies of a rack.
#[derive(Clone, Debug)]
pub struct WorkingCopies {}

/// A copy in use by one run. Dropped or released, it goes back into the cache.
#[derive(Debug)]
pub struct WorkingCopy {}

#[allow(clippy::unused_async, unused_variables, reason = "signatures first")]
impl WorkingCopies {
    /// Opens a folder for copies and a cache of blobs. Copies of a former life are removed, its blobs are kept.
    ///
    /// `keep`: how many copies nobody uses are kept for the next runs (document 6.1.1: 4).
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn open(root: impl Into<PathBuf>, keep: usize, fetch: Arc<dyn Fetch>) -> Result<Self, FilesError> {
        Ok(Self {})
    }

    /// A copy of the snapshot: one that is there, one that is brought up to date, or a new one. Every byte in it has
    /// been checked against its hash. Never waits for another run to end.
    ///
    /// # Errors
    /// [`FilesError::Fetch`], [`FilesError::WrongHash`], [`FilesError::BadTree`], [`FilesError::Full`],
    /// [`FilesError::Io`].
    pub async fn acquire(&self, snapshot: SnapshotId, access: Access) -> Result<WorkingCopy, FilesError> {
        Ok(WorkingCopy {})
    }
}

#[allow(clippy::unused_async, unused_variables, reason = "signatures first")]
impl WorkingCopy {
    /// Folder `…/public`: what `STORMTEST_PUBLIC` is.
    pub fn public_root(&self) -> &Path {
        Path::new("")
    }

    /// Folder `…/private` if the snapshot has a private tree.
    pub fn private_root(&self) -> Option<&Path> {
        None
    }

    /// The snapshot in it.
    pub fn snapshot(&self) -> SnapshotId {
        SnapshotId { public: BlobHash::of(b""), private: None }
    }

    /// A script's file and its own folder, which is the working folder of the run.
    ///
    /// # Errors
    /// [`FilesError::NoFile`] when it is not in that area's tree.
    pub fn script(&self, public: bool, script: &headend_model::TreePath) -> Result<(PathBuf, PathBuf), FilesError> {
        Ok((PathBuf::new(), PathBuf::new()))
    }

    /// Gives the copy back and removes what the run left in it. Nothing of the run may be alive any more.
    ///
    /// # Errors
    /// [`FilesError::Io`]; the copy is not used again then.
    pub async fn release(self) -> Result<(), FilesError> {
        Ok(())
    }
}
