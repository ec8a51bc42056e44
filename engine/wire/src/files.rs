//! Files of the public area and of the caller's own, and how they get there.
//!
//! A digest is `sha256:` and 64 lower-case hex digits, or the 64 hex digits of BLAKE3. Answers name bytes by BLAKE3 alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /files/{area}`, area `public` or `private` (the caller's own).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileList {
    /// Revision of the area.
    pub revision: u64,
    /// Hash of its tree.
    pub tree: String,
    /// The files, by path.
    pub files: Vec<FileItem>,
}

/// A file in an area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileItem {
    /// Path with `/`.
    pub path: String,
    /// BLAKE3 of its bytes, 64 hex digits.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// When it was last edited, as its uploader says; else when it was uploaded.
    pub edited: String,
    /// The revision that brought these bytes,
    pub revision: u64,
    /// and who made that.
    pub by: String,
}

/// `GET /files/usage`: how much room the areas take that the caller may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileUsage {
    /// The public area.
    pub public: AreaUsage,
    /// The caller's own.
    pub private: AreaUsage,
}

/// How much room an area takes. Its newest revision counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AreaUsage {
    /// Files.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Most bytes that it may have; none: no bound.
    pub quota: Option<u64>,
}

/// `POST /files/{area}/missing`: which of these blobs does the server lack, and which names does it refuse?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingRequest {
    /// Digests, at most 10,000.
    pub hashes: Vec<String>,
    /// Names that are to be committed, at most 10,000.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Bytes of each of `paths`, in their order, so that what is over the area's quota is refused before it is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<u64>,
}

/// Answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingAnswer {
    /// Digests as they were asked for, each once: upload these. One that the server has may be among them.
    pub missing: Vec<String>,
    /// Names that a commit would refuse.
    #[serde(default)]
    pub refused: Vec<RefusedPath>,
}

/// A name that a commit would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedPath {
    /// As it was given.
    pub path: String,
    /// `bad_path` or `case_clash`.
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
}

/// `POST /files/{area}/commit`: one new revision, whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitRequest {
    /// Files to add or replace, at most 100,000. Their blobs must have been sent, or be in the area or the public one.
    #[serde(default)]
    pub put: Vec<PutItem>,
    /// Files or folders to delete, without wildcards.
    #[serde(default)]
    pub delete: Vec<String>,
}

/// A file to add or replace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutItem {
    /// Path, with either slash.
    #[schema(min_length = 1, max_length = 200)]
    pub path: String,
    /// Digest of its bytes.
    #[schema(pattern = "^(sha256:)?[0-9a-f]{64}$")]
    pub hash: String,
    /// How many.
    pub size: u64,
    /// When it was last edited, RFC 3339; the time of the commit unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<String>,
}

/// Answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommitAnswer {
    /// The new revision; the former one if nothing changed.
    pub revision: u64,
    /// Hash of the tree.
    pub tree: String,
}

/// Answer to `PUT /blobs/{hash}`: the blob is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlobAnswer {
    /// BLAKE3 of its bytes, 64 hex digits.
    pub hash: String,
    /// Bytes.
    pub size: u64,
}

/// Answer to `POST /blobs`: all records are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackAnswer {
    /// How many records are stored now, whether or not they were before.
    pub stored: u64,
}

/// Answer to `GET` and `PUT /uploads/{digest}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadAnswer {
    /// Bytes that have arrived.
    pub received: u64,
    /// All have, and the blob is durable.
    pub complete: bool,
}

/// `POST /files/convert`: copies of private files become public, as one revision (document 4.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertRequest {
    /// A file or folder of the caller's own area; `*` in the last component stands for any text.
    #[schema(min_length = 1)]
    pub private: String,
    /// Folder of the public area to put them in.
    pub public: String,
    /// What lies in folders below too.
    #[serde(default)]
    pub include_sub_dirs: bool,
}

/// Answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConvertAnswer {
    /// Revision of the public area; the former one if nothing changed.
    pub revision: u64,
    /// The files by their public paths, changed or not.
    pub files: Vec<String>,
}

/// `GET /files/{area}/history`: what happened to files, newest revision first, in a revision by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileHistory {
    /// The changes.
    pub changes: Vec<FileChangeItem>,
    /// Give this as `after` for the next page.
    pub next: Option<String>,
}

/// What a revision did to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileChangeItem {
    /// The revision.
    pub revision: u64,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: String,
    /// The file.
    pub path: String,
    /// `added`, `changed` or `deleted`.
    pub change: String,
    /// BLAKE3 of its bytes since then; none: deleted.
    pub hash: Option<String>,
    /// Bytes.
    pub size: u64,
    /// When it was last edited, as its uploader says.
    pub edited: String,
}

/// `GET /runs/{run}/files-diff/{other}`: how the files that two runs were given differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunFilesDiff {
    /// One run,
    pub from: u64,
    /// and the other.
    pub to: u64,
    /// What is different in the public area.
    pub public: AreaDiff,
    /// In their owner's own area, if both are private tests of one owner.
    pub private: Option<AreaDiff>,
}

/// How two revisions of an area differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AreaDiff {
    /// Revision that the one run was given,
    pub from_revision: u64,
    /// and the other.
    pub to_revision: u64,
    /// Files that are not the same, by path, at most 10,000.
    pub changes: Vec<DiffItem>,
    /// There are more.
    pub more: bool,
}

/// A file that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiffItem {
    /// Which.
    pub path: String,
    /// `added`, `changed` or `deleted`, from the one run to the other.
    pub change: String,
    /// BLAKE3 of its bytes in the one,
    pub from: Option<String>,
    /// and in the other.
    pub to: Option<String>,
    /// The last revision that changed it up to the newer of the two,
    pub revision: u64,
    /// who made that,
    pub by: String,
    /// and when.
    pub at: String,
}
