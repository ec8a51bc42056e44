//! Files of the public area and of the caller's own.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use headend_files::{BlobHash, Change, FileEntry};
use headend_model::{TreePath, UserName};
use headend_wire::api::{CommitAnswer, CommitRequest, FileItem, FileList, MissingAnswer, MissingRequest};
use headend_wire::{Problem, codes};

use crate::app::Shared;
use crate::auth::Person;
use crate::files::AreaKey;
use crate::http::{ApiError, ApiResult, Json};

/// Most hashes of one question, and most files of one commit.
const MOST: usize = 10_000;

fn area(name: &str, user: &UserName) -> ApiResult<AreaKey> {
    match name {
        "public" => Ok(None),
        "private" => Ok(Some(user.clone())),
        other => {
            let name = crate::edge::names::cut(other);
            Err(ApiError::new(&codes::NOT_FOUND, format!("there is no area {name:?}; use `public` or `private`")))
        }
    }
}

fn hash(text: &str, pointer: impl FnOnce() -> String) -> ApiResult<BlobHash> {
    text.parse().map_err(|error| ApiError::from(error).at(pointer()))
}

fn path(text: &str, pointer: impl FnOnce() -> String) -> ApiResult<TreePath> {
    TreePath::parse(text).map_err(|error| ApiError::new(&codes::BAD_PATH, error.to_string()).at(pointer()))
}

/// The newest revision of an area.
#[utoipa::path(get, path = "/files/{area}", operation_id = "list_files", tag = "files", params(("area" = String, Path, description = "`public` or `private`")),
    responses((status = 200, body = FileList), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<FileList>> {
    let head = app.areas.head(&area(&name, &person.user)?).await?;
    let files = head.tree.iter().map(|(path, entry)| FileItem {
        path: path.to_string(),
        hash: entry.hash.to_string(),
        size: entry.size,
    });
    Ok(axum::Json(FileList { revision: head.revision, tree: head.hash.to_string(), files: files.collect() }))
}

/// Which of these blobs have to be uploaded?
#[utoipa::path(post, path = "/files/{area}/missing", operation_id = "missing_blobs", tag = "files",
    params(("area" = String, Path, description = "`public` or `private`")), request_body = MissingRequest,
    responses((status = 200, body = MissingAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn missing(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Json(request): Json<MissingRequest>,
) -> ApiResult<axum::Json<MissingAnswer>> {
    area(&name, &person.user)?;
    if request.hashes.len() > MOST {
        let detail = format!("{} hashes; at most {MOST} are taken at once", request.hashes.len());
        return Err(ApiError::new(&codes::INVALID, detail).at("/hashes"));
    }
    let hashes: BTreeSet<BlobHash> = (request.hashes.iter().enumerate())
        .map(|(at, text)| hash(text, || format!("/hashes/{at}")))
        .collect::<ApiResult<_>>()?;
    let missing = app.areas.blobs.missing(hashes).await?;
    Ok(axum::Json(MissingAnswer { missing: missing.iter().map(ToString::to_string).collect() }))
}

/// Makes one new revision of an area, whole or not at all.
#[utoipa::path(post, path = "/files/{area}/commit", operation_id = "commit_files", tag = "files",
    params(("area" = String, Path, description = "`public` or `private`")), request_body = CommitRequest,
    responses((status = 200, body = CommitAnswer), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn commit(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Json(request): Json<CommitRequest>,
) -> ApiResult<axum::Json<CommitAnswer>> {
    let key = area(&name, &person.user)?;
    let change = change(&request)?;
    let head = app.areas.commit(&key, change, &person.user, app.clock.now(), &app.tell.bus).await?;
    Ok(axum::Json(CommitAnswer { revision: head.revision, tree: head.hash.to_string() }))
}

fn change(request: &CommitRequest) -> ApiResult<Change> {
    if request.put.len() + request.delete.len() > MOST {
        return Err(ApiError::new(&codes::INVALID, format!("at most {MOST} files are taken in one commit")));
    }
    let mut put = BTreeMap::new();
    for (at, file) in request.put.iter().enumerate() {
        let name = path(&file.path, || format!("/put/{at}/path"))?;
        let hash = hash(&file.hash, || format!("/put/{at}/hash"))?;
        if put.insert(name, FileEntry { hash, size: file.size }).is_some() {
            let detail = format!("{} is given twice; name each file once", file.path);
            return Err(ApiError::new(&codes::INVALID, detail).at(format!("/put/{at}/path")));
        }
    }
    let delete = (request.delete.iter().enumerate()).map(|(at, text)| path(text, || format!("/delete/{at}")));
    Ok(Change { put, delete: delete.collect::<ApiResult<_>>()? })
}
