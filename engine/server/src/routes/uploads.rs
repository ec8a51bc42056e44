//! Large files in parts, which stay when the connection is cut (`engine/design/0012`).

use axum::extract::{Path, Query, Request, State};
use headend_files::{Digest, PartKey, Progress};
use headend_wire::files::UploadAnswer;
use headend_wire::{Problem, codes};
use http::header::TRANSFER_ENCODING;

use super::blobs::{announced, body_reader};
use crate::app::Shared;
use crate::auth::Person;
use crate::crash::crash_point;
use crate::http::{ApiError, ApiResult};

/// Which upload.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WholeQuery {
    /// Bytes of the whole.
    size: u64,
}

/// How far an upload is. One that was never begun has received nothing.
#[utoipa::path(get, path = "/uploads/{digest}", operation_id = "upload_progress", tag = "files",
    params(("digest" = String, Path, description = "`sha256:` and 64 hex digits, or BLAKE3"), WholeQuery),
    responses((status = 200, body = UploadAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn progress(
    State(app): State<Shared>,
    person: Person,
    Path(digest): Path<String>,
    Query(WholeQuery { size }): Query<WholeQuery>,
) -> ApiResult<axum::Json<UploadAnswer>> {
    let digest: Digest = digest.parse()?;
    let there = app.areas.there(&person.user, &[digest].into()).await?;
    if there.get(&digest).is_some_and(|(_, found)| *found == size) {
        return Ok(axum::Json(UploadAnswer { received: size, complete: true }));
    }
    let received = app.areas.parts.progress(&PartKey::new(person.user.as_str(), digest, size)).await?;
    Ok(axum::Json(UploadAnswer { received, complete: false }))
}

/// Which part of an upload.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PartQuery {
    /// Bytes of the whole.
    size: u64,
    /// Where this part begins: what has been received so far.
    offset: u64,
}

/// Appends a part. What has arrived stays when the connection is cut.
#[utoipa::path(put, path = "/uploads/{digest}", operation_id = "append_upload", tag = "files",
    params(("digest" = String, Path, description = "`sha256:` and 64 hex digits, or BLAKE3"), PartQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadAnswer), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn append(
    State(app): State<Shared>,
    person: Person,
    Path(digest): Path<String>,
    Query(PartQuery { size, offset }): Query<PartQuery>,
    request: Request,
) -> ApiResult<axum::Json<UploadAnswer>> {
    let key = PartKey::new(person.user.as_str(), digest.parse()?, size);
    let length = match announced(&request)? {
        Some(length) => length,
        None if request.headers().contains_key(TRANSFER_ENCODING) => {
            return Err(ApiError::new(&codes::BAD_REQUEST, "a part needs a Content-Length; send one"));
        }
        // A request that names neither has no body.
        None => 0,
    };
    // At the first part the whole counts, so that one that is too large is refused before anything of it is sent.
    app.areas.admit(&person.user, if offset == 0 { size } else { length }).await?;
    let body = body_reader(request.into_body(), app.options.limits.body_timeout);
    let answer = match app.areas.parts.append(&key, offset, length, body).await? {
        Progress::Partial(received) => UploadAnswer { received, complete: false },
        Progress::Complete(stored) => {
            app.areas.note(&person.user, &[stored]).await?;
            UploadAnswer { received: size, complete: true }
        }
    };
    crash_point("files.after_part");
    Ok(axum::Json(answer))
}
