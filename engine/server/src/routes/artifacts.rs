//! What runs leave behind: put by the rack that ran it, read by whoever may see the job.

use std::fmt::Write as _;
use std::io;
use std::path::{Path as FsPath, PathBuf};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use headend_model::{JobId, RackId, RunId, TreePath, UserName};
use headend_scheduler::Farm;
use headend_wire::api::{ArtifactItem, ArtifactList};
use headend_wire::{Problem, codes};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::blobs::{announced, body_reader, require_size};
use crate::app::Shared;
use crate::auth::{Person, Rack};
use crate::http::{ApiError, ApiResult};

/// A run under way, as far as rights go.
pub(crate) struct LiveRun {
    pub(crate) job: JobId,
    pub(crate) owner: UserName,
    pub(crate) rack: RackId,
}

/// A run under way.
pub(crate) fn live_run(farm: &Farm, run: u64) -> Option<LiveRun> {
    let racks: Vec<RackId> = farm.inventory().racks.keys().copied().collect();
    for rack in racks {
        if let Some(granted) = farm.leases_on(rack).into_iter().find(|granted| granted.run.0 == run) {
            let job = granted.lease.job;
            return farm.job(job).map(|view| LiveRun { job, owner: view.spec.owner.clone(), rack });
        }
    }
    None
}

/// Keeps a file of a run. Putting it again replaces it.
#[utoipa::path(put, path = "/runs/{run}/files/{*path}", operation_id = "put_artifact", tag = "runs",
    params(("run" = u64, Path,), ("path" = String, Path, description = "Path with `/`")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ArtifactItem), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn put(
    State(app): State<Shared>,
    rack: Rack,
    Path((run, path)): Path<(u64, String)>,
    request: Request,
) -> ApiResult<axum::Json<ArtifactItem>> {
    let path = parse_path(&path)?;
    require_own(&app, &rack, run).await?;
    let size = announced(&request)?;
    let limits = app.options.limits;
    require_size(size, limits.artifact_bytes, "a file")?;
    let folder = folder_of(&app, run);
    let used = list_files(folder.clone()).await?;
    let others: u64 = used.iter().filter(|file| file.path != path.as_str()).map(|file| file.size).sum();
    let room = limits.run_bytes.saturating_sub(others).min(limits.artifact_bytes);
    require_size(size, room, "a file of this run")?;
    if used.len() >= limits.run_files && !used.iter().any(|file| file.path == path.as_str()) {
        let detail = format!("run {run} has left {} files already; no more are taken", used.len());
        return Err(ApiError::new(&codes::TOO_LARGE, detail));
    }
    let body = body_reader(request.into_body(), limits.body_timeout);
    let size = keep(&folder, &path, body, room).await?;
    Ok(axum::Json(ArtifactItem { path: path.to_string(), size }))
}

fn parse_path(text: &str) -> ApiResult<TreePath> {
    TreePath::parse(text).map_err(|error| ApiError::new(&codes::BAD_PATH, error.to_string()))
}

fn folder_of(app: &Shared, run: u64) -> PathBuf {
    app.options.run_folder().join(run.to_string())
}

/// Only the rack that runs it, or ran it, may write to a run.
async fn require_own(app: &Shared, rack: &Rack, run: u64) -> ApiResult<()> {
    let live = app.farm.read(move |view| live_run(view.farm, run)).await?;
    let own = match live {
        Some(live) => live.rack == rack.rack,
        None => app.store.run(RunId(run)).await?.is_some_and(|row| row.rack.as_ref() == Some(&rack.name)),
    };
    if own { Ok(()) } else { Err(ApiError::not_found(format!("run {run} of rack {}", rack.name))) }
}

/// Written beside its place and moved there: a reader sees the old file or the new one, whole.
async fn keep(folder: &FsPath, path: &TreePath, body: impl tokio::io::AsyncRead + Unpin, room: u64) -> ApiResult<u64> {
    let target = folder.join(path.as_str());
    let parent = target.parent().unwrap_or(folder);
    tokio::fs::create_dir_all(parent).await.map_err(|error| io_error(&error))?;
    let temporary = folder.join(format!(".part-{:016x}", rand::random::<u64>()));
    let written = write(&temporary, body, room).await;
    let kept = match written {
        Ok(size) => tokio::fs::rename(&temporary, &target).await.map(|()| size).map_err(|error| io_error(&error)),
        Err(error) => Err(error),
    };
    if kept.is_err() {
        // Whatever there is of it is of no use.
        let _ = tokio::fs::remove_file(&temporary).await;
    }
    kept
}

async fn write(path: &FsPath, body: impl tokio::io::AsyncRead + Unpin, room: u64) -> ApiResult<u64> {
    let mut file = tokio::fs::File::create(path).await.map_err(|error| io_error(&error))?;
    let mut body = body.take(room + 1);
    let size = tokio::io::copy(&mut body, &mut file).await.map_err(|error| io_error(&error))?;
    if size > room {
        return Err(ApiError::new(&codes::TOO_LARGE, format!("the file is over {room} bytes, all that is left here")));
    }
    file.flush().await.map_err(|error| io_error(&error))?;
    Ok(size)
}

fn io_error(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ApiError::new(&codes::STORAGE_FULL, "the disk of the server is full; nothing of this file was kept")
        }
        io::ErrorKind::TimedOut => ApiError::new(&codes::TOO_SLOW, error.to_string()),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
            ApiError::new(&codes::CONFLICT, "a file and a folder of one name; choose another name")
        }
        _ => ApiError::internal("a file of a run could not be read or written", error),
    }
}

/// What a run has left so far.
#[utoipa::path(get, path = "/runs/{run}/files", operation_id = "list_artifacts", tag = "runs", params(("run" = u64, Path,)),
    responses((status = 200, body = ArtifactList), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    person: Person,
    Path(run): Path<u64>,
) -> ApiResult<axum::Json<ArtifactList>> {
    require_visible(&app, &person, run).await?;
    let files = list_files(folder_of(&app, run)).await?;
    Ok(axum::Json(ArtifactList { run, files }))
}

async fn require_visible(app: &Shared, person: &Person, run: u64) -> ApiResult<()> {
    let missing = || ApiError::not_found(format!("run {run}"));
    if let Some(live) = app.farm.read(move |view| live_run(view.farm, run)).await? {
        return if person.may_see(&live.owner) { Ok(()) } else { Err(missing()) };
    }
    let row = app.store.run(RunId(run)).await?.ok_or_else(missing)?;
    super::jobs::visible(app, person, row.job).await.map(|_| ()).map_err(|_| missing())
}

async fn list_files(folder: PathBuf) -> ApiResult<Vec<ArtifactItem>> {
    let listed = tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        walk(&folder, "", &mut files).map(|()| files)
    });
    let mut files = listed.await.map_err(io::Error::other).and_then(|files| files).map_err(|error| io_error(&error))?;
    files.sort();
    Ok(files)
}

fn walk(folder: &FsPath, prefix: &str, files: &mut Vec<ArtifactItem>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() && !name.starts_with(".part-") {
            files.push(ArtifactItem { path: format!("{prefix}{name}"), size: entry.metadata()?.len() });
        }
    }
    Ok(())
}

/// A file that a run has left. Whatever a browser might run comes as a download.
#[utoipa::path(get, path = "/runs/{run}/files/{*path}", operation_id = "get_artifact", tag = "runs",
    params(("run" = u64, Path,), ("path" = String, Path, description = "Path with `/`")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    person: Person,
    Path((run, path)): Path<(u64, String)>,
) -> ApiResult<Response> {
    require_visible(&app, &person, run).await?;
    let missing = || ApiError::not_found(format!("file of run {run}"));
    let path = TreePath::parse(&path).map_err(|_| missing())?;
    let file = tokio::fs::File::open(folder_of(&app, run).join(path.as_str())).await.map_err(|_| missing())?;
    let about = file.metadata().await.map_err(|error| io_error(&error))?;
    if !about.is_file() {
        return Err(missing());
    }
    let (media, inline) = media_of(&path);
    let disposition = if inline { "inline" } else { "attachment" };
    let headers = [
        (CONTENT_TYPE, media.to_owned()),
        (CONTENT_LENGTH, about.len().to_string()),
        (CONTENT_DISPOSITION, format!("{disposition}; filename*=UTF-8''{}", encoded(path.file_name()))),
    ];
    Ok((StatusCode::OK, headers, Body::from_stream(ReaderStream::with_capacity(file, 64 << 10))).into_response())
}

/// Content type, and whether a browser may show it.
fn media_of(path: &TreePath) -> (&'static str, bool) {
    match path.extension().as_deref() {
        Some("png") => ("image/png", true),
        Some("jpg" | "jpeg") => ("image/jpeg", true),
        Some("txt" | "log") => ("text/plain; charset=utf-8", true),
        Some("json" | "jsonl" | "ndjson") => ("application/json", true),
        Some("html" | "htm") => ("text/html; charset=utf-8", false),
        _ => ("application/octet-stream", false),
    }
}

/// A file name as RFC 5987 wants it.
fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
