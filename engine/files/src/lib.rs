//! Files of test authors: blobs by hash, trees of them, and working copies on racks.
//!
//! ```text
//!  upload ──► BlobStore (ab/cdef…) ──► Tree (path → hash, size) ──► its hash is the snapshot that a run is given
//!                                                                     │
//!  rack: WorkingCopies ◄── fetch what is missing, verify each hash ◄──┘   <copy>/public/…, <copy>/private/…
//! ```
//!
//! Meet [`BlobStore`] and [`Tree`] first (server), then [`WorkingCopies`] (rack). Which tree is the head of an area is
//! the store's knowledge, not ours. Names arrive as `headend_model::TreePath`, already checked.
//!
//! Absent on purpose: users, rights, HTTP.

mod blobs;
mod copies;
mod digest;
mod error;
mod hash;
mod pack;
mod parts;
mod restore;
mod select;
mod tree;

pub use blobs::{Blob, BlobOptions, BlobStore, Claim, MAX_BLOB_BYTES, Stored, Swept};
pub use copies::{Access, BlobStream, Fetch, SnapshotId, WorkingCopies, WorkingCopy};
pub use digest::{Digest, Hashes, Sha256Hash};
pub use error::FilesError;
pub use hash::BlobHash;
pub use pack::{MAX_PACK_BYTES, MAX_PACK_RECORDS, PackError, PackReader};
pub use parts::{MAX_UNFINISHED, PartKey, Parts, Progress};
pub use select::{Selection, area_hint, clash_text, clashes, folder, root_or_path};
pub use tree::{Change, FileEntry, Listed, MAX_FILES, Tree, TreeDiff};
