//! Files of the public area and of the caller's own.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, State};
use headend_files::{Digest, FileEntry, clashes, folder};
use headend_model::{TreePath, UserName};
use headend_store::FileHistoryRow;
use headend_wire::files::{
    CommitAnswer, CommitRequest, ConvertAnswer, ConvertRequest, FileChangeItem, FileHistory, FileItem, FileList,
    FileUsage, MissingAnswer, MissingRequest, RefusedPath,
};
use headend_wire::{Problem, codes};

use crate::app::Shared;
use crate::auth::Person;
use crate::clock::rfc3339;
use crate::files::{AreaKey, Commit, Maker, bad_path, deletable, edited_of};
use crate::http::{ApiError, ApiResult, Json, LongJson};

/// Most hashes and names of one question.
const ASKED: usize = 10_000;
/// Most files of one commit.
const COMMITTED: usize = 100_000;
/// Changes of a page, unless the client says otherwise, and at most.
const CHANGES: u32 = 100;
const MOST_CHANGES: u32 = 1_000;

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

fn digest(text: &str, pointer: impl FnOnce() -> String) -> ApiResult<Digest> {
    text.parse().map_err(|error| ApiError::from(error).at(pointer()))
}

/// Part of an area.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only this file, or what is in this folder; all unless given.
    #[serde(default)]
    path: String,
}

/// The newest revision of an area.
#[utoipa::path(get, path = "/files/{area}", operation_id = "list_files", tag = "files",
    params(("area" = String, Path, description = "`public` or `private`"), ListQuery),
    responses((status = 200, body = FileList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Query(query): Query<ListQuery>,
) -> ApiResult<axum::Json<FileList>> {
    let key = area(&name, &person.user)?;
    let under = folder(&query.path).map_err(|bad| bad_path(&bad))?;
    let head = app.areas.head(&key).await?;
    let rows = app.areas.files_of(&key, under.as_ref()).await?;
    if let (Some(under), true) = (under, rows.is_empty()) {
        return Err(no_file(&under));
    }
    let files = rows.into_iter().map(item).collect();
    Ok(axum::Json(FileList { revision: head.revision, tree: head.hash.to_string(), files }))
}

fn no_file(path: &TreePath) -> ApiError {
    let detail = format!("there is no file or folder {path} in the area{}", headend_files::area_hint(path.as_str()));
    ApiError::new(&codes::NOT_FOUND, detail)
}

fn item(row: FileHistoryRow) -> FileItem {
    FileItem {
        path: row.file.path,
        hash: row.file.hash.unwrap_or_default(),
        size: row.file.size,
        edited: rfc3339(row.file.edited),
        revision: row.revision,
        by: row.by.to_string(),
    }
}

/// Which of these blobs have to be uploaded, and which of these names would be refused?
#[utoipa::path(post, path = "/files/{area}/missing", operation_id = "missing_blobs", tag = "files",
    params(("area" = String, Path, description = "`public` or `private`")), request_body = MissingRequest,
    responses((status = 200, body = MissingAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn missing(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    LongJson(request): LongJson<MissingRequest>,
) -> ApiResult<axum::Json<MissingAnswer>> {
    let key = area(&name, &person.user)?;
    if !request.sizes.is_empty() && request.sizes.len() != request.paths.len() {
        let detail =
            format!("{} sizes for {} paths; give one for each, or none", request.sizes.len(), request.paths.len());
        return Err(ApiError::new(&codes::INVALID, detail).at("/sizes"));
    }
    for (count, field) in [(request.hashes.len(), "/hashes"), (request.paths.len(), "/paths")] {
        if count > ASKED {
            let detail = format!("{count} are given; at most {ASKED} are taken at once");
            return Err(ApiError::new(&codes::INVALID, detail).at(field));
        }
    }
    let asked: Vec<Digest> = (request.hashes.iter().enumerate())
        .map(|(at, text)| digest(text, || format!("/hashes/{at}")))
        .collect::<ApiResult<_>>()?;
    let sized = request.paths.iter().zip(&request.sizes);
    // Names that are refused anyway take no room.
    let put = sized.filter_map(|(text, size)| Some((TreePath::parse(text).ok()?, *size))).collect();
    app.areas.require_room(&key, &put).await?;
    let there = app.areas.there(&person.user, &asked.iter().copied().collect()).await?;
    let mut told = BTreeSet::new();
    let missing = asked.into_iter().filter(|digest| !there.contains_key(digest) && told.insert(*digest));
    let missing = missing.map(|digest| digest.to_string()).collect();
    Ok(axum::Json(MissingAnswer { missing, refused: refused(&app, &key, &request.paths).await? }))
}

async fn refused(app: &Shared, key: &AreaKey, texts: &[String]) -> ApiResult<Vec<RefusedPath>> {
    let (mut refused, mut good, mut spelled) = (Vec::new(), Vec::new(), Vec::new());
    for text in texts {
        match TreePath::parse(text) {
            Ok(path) => {
                good.push(path);
                spelled.push(text);
            }
            Err(bad) => refused.push(RefusedPath {
                path: text.clone(),
                code: codes::BAD_PATH.name.to_owned(),
                detail: bad.to_string(),
            }),
        }
    }
    if good.is_empty() {
        return Ok(refused);
    }
    let head = app.areas.head(key).await?;
    let clashing = clashes(&head.tree, &headend_files::Change::default(), &good).into_iter();
    refused.extend(clashing.filter_map(|(at, old)| {
        Some(RefusedPath {
            path: (*spelled.get(at)?).clone(),
            code: codes::CASE_CLASH.name.to_owned(),
            detail: headend_files::clash_text(good.get(at)?, &old),
        })
    }));
    Ok(refused)
}

/// How much room the public area and the caller's own take, and may take.
#[utoipa::path(get, path = "/files/usage", operation_id = "file_usage", tag = "files",
    responses((status = 200, body = FileUsage), (status = "4XX", body = Problem)))]
pub(crate) async fn usage(State(app): State<Shared>, person: Person) -> ApiResult<axum::Json<FileUsage>> {
    let public = app.areas.usage(&None).await?;
    let private = app.areas.usage(&Some(person.user)).await?;
    Ok(axum::Json(FileUsage { public, private }))
}

/// Makes one new revision of an area, whole or not at all. A refusal names all entries at fault.
#[utoipa::path(post, path = "/files/{area}/commit", operation_id = "commit_files", tag = "files",
    params(("area" = String, Path, description = "`public` or `private`")), request_body = CommitRequest,
    responses((status = 200, body = CommitAnswer), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn commit(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    LongJson(request): LongJson<CommitRequest>,
) -> ApiResult<axum::Json<CommitAnswer>> {
    let key = area(&name, &person.user)?;
    let paths = paths(&request)?;
    let commit = commit_of(&app, &person.user, &request, &paths).await?;
    let change = commit.change.clone();
    let head = match app.areas.commit(&key, commit, Maker::now(&app, &person.user)).await {
        Err(error) if error.problem().code == codes::CASE_CLASH.name => {
            let head = app.areas.head(&key).await?;
            let places = clashes(&head.tree, &change, &paths).into_iter().map(|(at, _)| at);
            return Err(places.fold(error, |error, at| error.at(format!("/put/{at}/path"))));
        }
        done => done?,
    };
    Ok(axum::Json(CommitAnswer { revision: head.revision, tree: head.hash.to_string() }))
}

/// The names of the files to put, each once.
fn paths(request: &CommitRequest) -> ApiResult<Vec<TreePath>> {
    if request.put.len() + request.delete.len() > COMMITTED {
        let detail = format!("at most {COMMITTED} files are taken in one commit");
        return Err(ApiError::new(&codes::INVALID, detail));
    }
    let (mut paths, mut bad) = (Vec::with_capacity(request.put.len()), Refusals::default());
    let mut named = BTreeSet::new();
    for (at, file) in request.put.iter().enumerate() {
        match TreePath::parse(&file.path) {
            Ok(path) => {
                if !named.insert(path.clone()) {
                    let detail = format!("{path} is given twice; name each file once");
                    return Err(ApiError::new(&codes::INVALID, detail).at(format!("/put/{at}/path")));
                }
                paths.push(path);
            }
            Err(error) => bad.add(format!("/put/{at}/path"), || error.to_string()),
        }
    }
    bad.into_result(&codes::BAD_PATH)?;
    Ok(paths)
}

async fn commit_of(app: &Shared, user: &UserName, request: &CommitRequest, paths: &[TreePath]) -> ApiResult<Commit> {
    let digests: Vec<Digest> = (request.put.iter().enumerate())
        .map(|(at, file)| digest(&file.hash, || format!("/put/{at}/hash")))
        .collect::<ApiResult<_>>()?;
    let delete = request.delete.iter().enumerate();
    let delete = delete.map(|(at, text)| deletable(text).map_err(|error| error.at(format!("/delete/{at}"))));
    let delete = delete.collect::<ApiResult<_>>()?;
    let there = app.areas.there(user, &digests.iter().copied().collect()).await?;
    let (mut put, mut edited) = (BTreeMap::new(), BTreeMap::new());
    let (mut missing, mut wrong) = (Refusals::default(), Refusals::default());
    for (at, ((file, path), digest)) in request.put.iter().zip(paths).zip(&digests).enumerate() {
        let Some((hash, size)) = there.get(digest).copied() else {
            let what = || format!("{digest} ({path}) has not been uploaded; send it, then commit again");
            missing.add(format!("/put/{at}/hash"), what);
            continue;
        };
        if size != file.size {
            let what = || format!("{path} is said to have {} bytes, its blob has {size}", file.size);
            wrong.add(format!("/put/{at}/size"), what);
        }
        if let Some(text) = &file.edited {
            let time = edited_of(path, text)
                .map_err(|detail| ApiError::new(&codes::INVALID, detail).at(format!("/put/{at}/edited")))?;
            edited.insert(path.clone(), time);
        }
        put.insert(path.clone(), FileEntry { hash, size });
    }
    missing.into_result(&codes::MISSING_BLOBS)?;
    wrong.into_result(&codes::INVALID)?;
    Ok(Commit { change: headend_files::Change { put, delete }, edited })
}

/// All entries at fault, and what is wrong with the first.
#[derive(Default)]
struct Refusals {
    fields: Vec<String>,
    first: String,
}

impl Refusals {
    fn add(&mut self, field: String, what: impl FnOnce() -> String) {
        if self.fields.is_empty() {
            self.first = what();
        }
        self.fields.push(field);
    }

    fn into_result(self, code: &'static codes::Code) -> ApiResult<()> {
        let detail = match self.fields.len() {
            0 => return Ok(()),
            1 => self.first,
            count => format!("{}; {} more are at fault, see the fields", self.first, count - 1),
        };
        Err(self.fields.into_iter().fold(ApiError::new(code, detail), ApiError::at))
    }
}

/// Makes copies of the caller's private files public, as one revision. The private ones stay.
#[utoipa::path(post, path = "/files/convert", operation_id = "convert_files", tag = "files", request_body = ConvertRequest,
    responses((status = 200, body = ConvertAnswer), (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn convert(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<ConvertRequest>,
) -> ApiResult<axum::Json<ConvertAnswer>> {
    let (paths, deep) = ((request.private.as_str(), request.public.as_str()), request.include_sub_dirs);
    let maker = Maker::now(&app, &person.user);
    let (head, files) = app.areas.convert(&person.user, paths, deep, maker).await?;
    let files = files.iter().map(ToString::to_string).collect();
    Ok(axum::Json(ConvertAnswer { revision: head.revision, files }))
}

/// Which changes to show.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// Only of this file, or of what is in this folder; all unless given.
    #[serde(default)]
    path: String,
    /// Only what comes after this: the `next` of the page before.
    after: Option<String>,
    /// At most so many changes, 1 to 1000; 100 unless given.
    limit: Option<u32>,
}

/// Which revision changed what, by whom and when.
#[utoipa::path(get, path = "/files/{area}/history", operation_id = "file_history", tag = "files",
    params(("area" = String, Path, description = "`public` or `private`"), HistoryQuery),
    responses((status = 200, body = FileHistory), (status = "4XX", body = Problem)))]
pub(crate) async fn history(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> ApiResult<axum::Json<FileHistory>> {
    let key = area(&name, &person.user)?;
    let under = folder(&query.path).map_err(|bad| bad_path(&bad))?;
    let limit = query.limit.unwrap_or(CHANGES).clamp(1, MOST_CHANGES);
    let after = query.after.as_deref().map(cursor).transpose()?;
    let first = after.is_none();
    let rows = app.areas.history(&key, under.as_ref(), after, limit).await?;
    if let (Some(under), true, true) = (under, rows.is_empty(), first) {
        return Err(ApiError::not_found(format!("file or folder {under}, and there never was")));
    }
    let next =
        (rows.len() == limit as usize).then(|| rows.last().map(|row| format!("{}:{}", row.revision, row.file.path)));
    let changes = rows.into_iter().map(change_item).collect();
    Ok(axum::Json(FileHistory { changes, next: next.flatten() }))
}

fn cursor(text: &str) -> ApiResult<(u64, String)> {
    let parsed = text.split_once(':').and_then(|(revision, path)| Some((revision.parse().ok()?, path.to_owned())));
    parsed
        .filter(|(revision, _): &(u64, _)| i64::try_from(*revision).is_ok())
        .ok_or_else(|| ApiError::new(&codes::BAD_REQUEST, "after is not the `next` of a page"))
}

fn change_item(row: FileHistoryRow) -> FileChangeItem {
    FileChangeItem {
        revision: row.revision,
        by: row.by.to_string(),
        at: rfc3339(row.at),
        path: row.file.path,
        change: row.file.change.to_string(),
        hash: row.file.hash,
        size: row.file.size,
        edited: rfc3339(row.file.edited),
    }
}
