//! Blobs and trees by hash.

use std::io;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use headend_files::{BlobHash, Tree};
use headend_wire::files::{BlobAnswer, PackAnswer};
use headend_wire::{Problem, codes};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::{ReaderStream, StreamReader};

use super::pack;
use crate::app::Shared;
use crate::auth::{Person, Principal};
use crate::crash::crash_point;
use crate::http::json::next_piece;
use crate::http::{ApiError, ApiResult};

/// How every tree begins.
const TREE: &[u8] = b"headend-tree 1\n";
/// No tree has more: a hash, a size and a path for each of its files.
const TREE_BYTES: u64 = 64 << 20;

/// Stores a blob. The bytes must have this digest.
#[utoipa::path(put, path = "/blobs/{hash}", operation_id = "put_blob", tag = "files",
    params(("hash" = String, Path, description = "Digest of the bytes: BLAKE3, or `sha256:` and SHA-256, in lower-case hex")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = BlobAnswer), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn put(
    State(app): State<Shared>,
    person: Person,
    Path(hash): Path<String>,
    request: Request,
) -> ApiResult<axum::Json<BlobAnswer>> {
    let (digest, size) = (hash.parse()?, announced(&request)?);
    require_size(size, app.options.limits.blob_bytes, "a blob")?;
    app.areas.admit(&person.user, size.unwrap_or(0)).await?;
    let body = body_reader(request.into_body(), app.options.limits.body_timeout);
    let stored = app.areas.blobs.take(Some(digest), size, body).await?;
    app.areas.note(&person.user, &[stored]).await?;
    crash_point("files.after_put");
    Ok(axum::Json(BlobAnswer { hash: stored.blob.hash.to_string(), size: stored.blob.size }))
}

/// Stores many small blobs: a row of records `DIGEST SPACE SIZE LF` and SIZE bytes, at most 1,000 and 8 MiB.
#[utoipa::path(post, path = "/blobs", operation_id = "put_blobs", tag = "files",
    request_body(content = Vec<u8>, content_type = "application/x-headend-pack"),
    responses((status = 200, body = PackAnswer), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn pack(
    State(app): State<Shared>,
    person: Person,
    request: Request,
) -> ApiResult<axum::Json<PackAnswer>> {
    pack::require_media(request.headers())?;
    let size = announced(&request)?;
    require_size(size, pack::BYTES, "a pack")?;
    app.areas.admit(&person.user, size.unwrap_or(0)).await?;
    // Each may take that much memory, so only some are read at once.
    let _permit = app.areas.packs.acquire().await.map_err(|error| ApiError::internal("no room for a pack", &error))?;
    let body = body_reader(request.into_body(), app.options.limits.body_timeout);
    let (records, fault) = pack::read(body).await;
    let (stored, wrong) = app.areas.blobs.take_many(records).await?;
    app.areas.note(&person.user, &stored).await?;
    crash_point("files.after_pack");
    if let Some(wrong) = wrong {
        return Err(ApiError::from(wrong).at(format!("/{}", stored.len())));
    }
    match fault {
        Some(fault) => Err(fault),
        None => Ok(axum::Json(PackAnswer { stored: stored.len() as u64 })),
    }
}

/// What the client says about the length of its body.
pub(crate) fn announced(request: &Request) -> ApiResult<Option<u64>> {
    let Some(value) = request.headers().get(CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| ApiError::new(&codes::BAD_REQUEST, "Content-Length is no number"))
}

/// Refuses what is announced as too large before any of it is read.
pub(crate) fn require_size(announced: Option<u64>, most: u64, what: &str) -> ApiResult<()> {
    match announced {
        Some(size) if size > most => {
            Err(ApiError::new(&codes::TOO_LARGE, format!("{what} of {size} bytes; at most {most} are taken")))
        }
        _ => Ok(()),
    }
}

/// A body as a reader that gives up when nothing comes.
pub(crate) fn body_reader(body: Body, pause: std::time::Duration) -> impl tokio::io::AsyncRead + Unpin {
    StreamReader::new(Box::pin(pieces(body, pause)))
}

fn pieces(body: Body, pause: std::time::Duration) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::try_unfold(body, move |mut body| async move {
        match next_piece(&mut body, pause).await {
            Ok(Some(bytes)) => Ok(Some((bytes, body))),
            Ok(None) => Ok(None),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the body broke off or came too slowly")),
        }
    })
}

/// A blob of the public area or of the caller's own; for racks: of a run that is theirs.
#[utoipa::path(get, path = "/blobs/{hash}", operation_id = "get_blob", tag = "files",
    params(("hash" = String, Path, description = "BLAKE3 of the bytes")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub(crate) async fn get(State(app): State<Shared>, who: Principal, Path(hash): Path<String>) -> ApiResult<Response> {
    let hash: BlobHash = hash.parse()?;
    if !visible(&app, &who, hash).await? {
        return Err(ApiError::not_found(format!("blob {hash}")));
    }
    let (file, size) = app.areas.blobs.stream(hash).await?;
    let body = Body::from_stream(ReaderStream::with_capacity(file, 64 << 10).map_err(io::Error::other));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, size.to_string()),
        (ETAG, format!("\"{hash}\"")),
        (CACHE_CONTROL, "private, immutable".to_owned()),
    ];
    Ok((StatusCode::OK, headers, body).into_response())
}

/// A tree in its canonical text: `headend-tree 1`, then `hash size path` per file.
#[utoipa::path(get, path = "/trees/{hash}", operation_id = "get_tree", tag = "files",
    params(("hash" = String, Path, description = "Hash of the tree")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = Problem)))]
pub(crate) async fn tree(State(app): State<Shared>, who: Principal, Path(hash): Path<String>) -> ApiResult<Response> {
    let hash: BlobHash = hash.parse()?;
    let trees = trees_of(&app, &who).await?;
    let all = matches!(&who, Principal::Person(person) if person.admin);
    let here = trees.contains(&hash) || (all && is_tree(&app, hash).await?);
    if !here {
        return Err(ApiError::not_found(format!("tree {hash}")));
    }
    let text = app.areas.tree(hash).await?.to_bytes();
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Whether a blob is a tree. Administrators may ask for any hash, that of a large file too: its beginning is looked at first.
async fn is_tree(app: &Shared, hash: BlobHash) -> ApiResult<bool> {
    let (file, size) = app.areas.blobs.stream(hash).await?;
    let mut start = Vec::with_capacity(TREE.len());
    let read = file.take(TREE.len() as u64).read_to_end(&mut start).await;
    read.map_err(|error| ApiError::internal("a blob cannot be read", &error))?;
    Ok(start == TREE && size <= TREE_BYTES && Tree::parse(&app.areas.blobs.read(hash).await?).is_ok())
}

async fn visible(app: &Shared, who: &Principal, hash: BlobHash) -> ApiResult<bool> {
    if matches!(who, Principal::Person(person) if person.admin) {
        return Ok(true);
    }
    for tree in trees_of(app, who).await? {
        if tree == hash || app.areas.tree(tree).await?.blobs().any(|blob| blob == hash) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The trees that one may read: a person's are the newest of the public and the own area, a rack's those of its runs.
async fn trees_of(app: &Shared, who: &Principal) -> ApiResult<Vec<BlobHash>> {
    match who {
        Principal::Person(person) => {
            let public = app.areas.head(&None).await?.hash;
            let own = app.areas.head(&Some(person.user.clone())).await?.hash;
            Ok(vec![public, own])
        }
        Principal::Rack(rack) => {
            let rack = rack.rack;
            let pinned = app.farm.read(move |view| super::exchange::pinned_trees(view, rack)).await?;
            Ok(pinned.iter().filter_map(|text| text.parse().ok()).collect())
        }
    }
}
