//! What can go wrong with files.

use std::path::PathBuf;
use std::sync::Arc;

use headend_model::TreePath;

use crate::digest::Digest;
use crate::hash::BlobHash;
use crate::select::{area_hint, clash_text};

/// Why a file was not stored, not found or not believed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FilesError {
    /// The operating system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The disk is full. Nothing of the blob or tree is kept.
    #[error("the disk of {} is full; nothing of this was stored: free space and try again", path.display())]
    Full {
        /// A file on that disk.
        path: PathBuf,
    },
    /// The sender went away or its stream broke. Nothing is kept.
    #[error("the upload broke off after {received} bytes; nothing was stored: send it again")]
    CutOff {
        /// Bytes that came.
        received: u64,
        /// How it broke.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The bytes are not those that were announced.
    #[error("the bytes have the hash {found}, not {claimed} as announced; nothing was stored: send them again")]
    WrongHash {
        /// Announced.
        claimed: Digest,
        /// Received.
        found: Digest,
    },
    /// More or fewer bytes than announced.
    #[error("{found} bytes came, {claimed} were announced; nothing was stored: send it again")]
    WrongSize {
        /// Announced.
        claimed: u64,
        /// Received; when too many came, as far as they were read.
        found: u64,
    },
    /// A part of an upload does not begin where the former one ended.
    #[error(
        "{received} bytes of this upload are here, and this part begins at {offset}; ask how far it is, go on there"
    )]
    WrongOffset {
        /// Where the part begins.
        offset: u64,
        /// What is here.
        received: u64,
    },
    /// Another request of the same upload is under way.
    #[error("another part of this upload is coming in; wait for it, then ask how far it is")]
    UnderWay,
    /// Too many uploads without an end.
    #[error("{unfinished} uploads are unfinished, and {limit} are allowed; finish one, or wait until they are dropped")]
    TooManyUploads {
        /// How many there are.
        unfinished: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A blob over the limit.
    #[error("the blob is larger than {limit} bytes; nothing was stored: send a smaller one or raise the limit")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// There is no such blob.
    #[error("there is no blob {hash}; upload it first")]
    NoBlob {
        /// Which.
        hash: BlobHash,
    },
    /// The bytes on the disk are not those that were stored.
    #[error("blob {hash} is damaged on the disk: its bytes hash to {found}; upload it again, and check the disk")]
    DamagedBlob {
        /// Which.
        hash: BlobHash,
        /// What its bytes hash to now.
        found: BlobHash,
    },
    /// Two names that a rack's file system may not tell apart, or a file and a folder of one name.
    #[error("{}", clash_text(new, old))]
    Collision {
        /// What was to be added.
        new: TreePath,
        /// What is there.
        old: String,
    },
    /// Too many files.
    #[error("the area would have {files} files; at most {limit} are taken: delete some first")]
    TooManyFiles {
        /// How many there would be.
        files: usize,
        /// The limit.
        limit: usize,
    },
    /// What should be a serialised tree is none.
    #[error("line {line} of the tree is not valid: {problem}")]
    BadTree {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A text that is no hash.
    #[error("{text:?} is not a hash; give 64 lower-case hex digits")]
    BadHash {
        /// What was given, cut after 80 characters.
        text: String,
    },
    /// The file is not in the tree.
    #[error("there is no file or folder {path} in the area{}", area_hint(path.as_str()))]
    NoFile {
        /// Which.
        path: TreePath,
    },
    /// A blob cannot be had from where it should come.
    #[error("cannot fetch blob {hash}")]
    Fetch {
        /// Which.
        hash: BlobHash,
        /// Why not.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl FilesError {
    /// From an I/O error, with what was tried on what.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { doing, path, source: Arc::new(source) },
        }
    }
}
