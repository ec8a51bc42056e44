//! What runs leave behind: put by the rack that ran it, read by whoever may see the job.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use headend_model::{JobId, RackId, RunId, TreePath, UserName};
use headend_scheduler::Farm;
use headend_store::RunRow;
use headend_wire::api::{ArtifactItem, ArtifactList};
use headend_wire::{Problem, codes};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use tokio_util::io::ReaderStream;

use super::blobs::{announced, body_reader, require_size};
use crate::app::Shared;
use crate::auth::{Person, Rack};
use crate::edge::ids;
use crate::http::{ApiError, ApiResult};
use crate::run_files::io_error;

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

/// Keeps a file of a run. Putting it again replaces it. The answer comes once the file is durable.
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
    let used = app.run_files.list(run).await?;
    let others: u64 = used.iter().filter(|file| file.path != path.as_str()).map(|file| file.size).sum();
    let room = limits.run_bytes.saturating_sub(others).min(limits.artifact_bytes);
    require_size(size, room, "a file of this run")?;
    if used.len() >= limits.run_files && !used.iter().any(|file| file.path == path.as_str()) {
        let detail = format!("run {run} has left {} files already; no more are taken", used.len());
        return Err(ApiError::new(&codes::TOO_LARGE, detail));
    }
    let body = body_reader(request.into_body(), limits.body_timeout);
    let size = app.run_files.keep(run, &path, body, room).await?;
    // Before it is acknowledged: what a rack does not send again is in the results, or will be.
    app.results.due.file_came(&app.store, RunId(run)).await?;
    Ok(axum::Json(ArtifactItem { path: path.to_string(), size }))
}

fn parse_path(text: &str) -> ApiResult<TreePath> {
    TreePath::parse(text).map_err(|error| ApiError::new(&codes::BAD_PATH, error.to_string()))
}

/// Only the rack that runs it, or ran it, may write to a run.
async fn require_own(app: &Shared, rack: &Rack, run: u64) -> ApiResult<()> {
    let live = app.farm.read(move |view| live_run(view.farm, run)).await?;
    let own = match live {
        Some(live) => live.rack == rack.rack,
        None => ended(app, run).await?.is_some_and(|row| row.rack.as_ref() == Some(&rack.name)),
    };
    if own { Ok(()) } else { Err(ApiError::not_found(format!("run {run} of rack {}", rack.name))) }
}

/// A run that has ended.
async fn ended(app: &Shared, run: u64) -> ApiResult<Option<RunRow>> {
    if run > ids::LARGEST {
        return Ok(None);
    }
    Ok(app.store.run(RunId(run)).await?)
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
    let files = app.run_files.list(run).await?;
    Ok(axum::Json(ArtifactList { run, files }))
}

async fn require_visible(app: &Shared, person: &Person, run: u64) -> ApiResult<()> {
    owner_of_visible(app, person, run).await.map(drop)
}

/// Whose run it is, under way or ended, if this person may see it.
///
/// # Errors
/// `not_found`, also when it is there and somebody else's.
pub(super) async fn owner_of_visible(app: &Shared, person: &Person, run: u64) -> ApiResult<UserName> {
    let missing = || ApiError::not_found(format!("run {run}"));
    if let Some(live) = app.farm.read(move |view| live_run(view.farm, run)).await? {
        return if person.may_see(&live.owner) { Ok(live.owner) } else { Err(missing()) };
    }
    let row = ended(app, run).await?.ok_or_else(missing)?;
    super::jobs::visible(app, person, row.job).await.map(|job| job.spec.owner).map_err(|_| missing())
}

/// A file that a run has left. Whatever a browser might run comes as a download.
#[utoipa::path(get, path = "/runs/{run}/files/{*path}", operation_id = "get_artifact", tag = "runs",
    params(("run" = u64, Path,), ("path" = String, Path, description = "Path with `/`")),
    responses((status = 200, description = "The bytes; the media type follows from the name.", content(
        (Vec<u8> = "application/octet-stream"), (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "video/mp4"), (String = "text/plain"),
        (String = "text/html"), (serde_json::Value = "application/json"))), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    person: Person,
    Path((run, path)): Path<(u64, String)>,
) -> ApiResult<Response> {
    require_visible(&app, &person, run).await?;
    let missing = || ApiError::not_found(format!("file of run {run}"));
    let path = TreePath::parse(&path).map_err(|_| missing())?;
    let file = tokio::fs::File::open(app.run_files.place(run, &path)).await.map_err(|_| missing())?;
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
        Some("mp4") => ("video/mp4", true),
        // One document per line is not JSON, and people read it.
        Some("txt" | "log" | "jsonl" | "ndjson") => ("text/plain; charset=utf-8", true),
        Some("json") => ("application/json", true),
        Some("html" | "htm") => ("text/html; charset=utf-8", false),
        _ => ("application/octet-stream", false),
    }
}

/// A file name as RFC 5987 wants it.
pub(super) fn encoded(name: &str) -> String {
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
