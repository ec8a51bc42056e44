//! What changed between the files of two runs.

use axum::extract::{Path, State};
use headend_model::{RunId, UserName};
use headend_store::FileDiffRow;
use headend_wire::files::{AreaDiff, DiffItem, RunFilesDiff};
use headend_wire::{Problem, codes};

use super::artifacts::live_run;
use super::jobs;
use crate::app::Shared;
use crate::auth::Person;
use crate::clock::rfc3339;
use crate::files::AreaKey;
use crate::http::{ApiError, ApiResult};

/// Most differences that are shown of an area.
const MOST: u32 = 10_000;

/// What a run was given.
struct Given {
    owner: UserName,
    public: String,
    private: Option<String>,
}

/// How the files that two runs were given differ.
#[utoipa::path(get, path = "/runs/{run}/files-diff/{other}", operation_id = "diff_run_files", tag = "files",
    params(("run" = u64, Path,), ("other" = u64, Path,)),
    responses((status = 200, body = RunFilesDiff), (status = "4XX", body = Problem)))]
pub(crate) async fn diff(
    State(app): State<Shared>,
    person: Person,
    Path((run, other)): Path<(u64, u64)>,
) -> ApiResult<axum::Json<RunFilesDiff>> {
    let (from, to) = (given(&app, &person, run).await?, given(&app, &person, other).await?);
    let public = area_diff(&app, &None, &from.public, &to.public).await?;
    let private = match (&from.private, &to.private) {
        (Some(old), Some(new)) if from.owner == to.owner => Some(area_diff(&app, &Some(from.owner), old, new).await?),
        _ => None,
    };
    Ok(axum::Json(RunFilesDiff { from: run, to: other, public, private }))
}

/// The snapshot of a run that this person may see.
async fn given(app: &Shared, person: &Person, run: u64) -> ApiResult<Given> {
    let none = || ApiError::not_found(format!("run {run}"));
    // The store's numbers are signed; what does not fit is no run.
    let id = i64::try_from(run).map(|_| RunId(run)).map_err(|_| none())?;
    // The farm first: what it no longer knows as running is in the store by then.
    let live = app.farm.read(move |view| live_run(view.farm, run)).await?;
    let (job, public, private) = if let Some(live) = live {
        let pin = app.store.pin(id).await?.ok_or_else(none)?;
        (live.job, Some(pin.public_tree), pin.private_tree)
    } else {
        let row = app.store.run(id).await?.ok_or_else(none)?;
        (row.job, row.public_tree, row.private_tree)
    };
    let job = jobs::visible(app, person, job)
        .await
        .map_err(|error| if error.problem().code == codes::NOT_FOUND.name { none() } else { error })?;
    let public = public.ok_or_else(|| {
        ApiError::new(&codes::CONFLICT, format!("run {run} was never started, so it was given no files"))
    })?;
    Ok(Given { owner: job.spec.owner, public, private })
}

async fn area_diff(app: &Shared, key: &AreaKey, from: &str, to: &str) -> ApiResult<AreaDiff> {
    let (from, to) = (app.areas.revision_of(key, from).await?, app.areas.revision_of(key, to).await?);
    let mut rows = app.areas.diff(key, (from.min(to), from.max(to)), MOST + 1).await?;
    let more = rows.len() > MOST as usize;
    rows.truncate(MOST as usize);
    let changes = rows.into_iter().map(|row| item(row, from > to)).collect();
    Ok(AreaDiff { from_revision: from, to_revision: to, changes, more })
}

/// `back`: the run that is asked from had the newer files.
fn item(row: FileDiffRow, back: bool) -> DiffItem {
    let (from, to) = if back { (row.new, row.old) } else { (row.old, row.new) };
    let change = match (&from, &to) {
        (None, _) => "added",
        (Some(_), Some(_)) => "changed",
        (Some(_), None) => "deleted",
    };
    DiffItem {
        path: row.path,
        change: change.to_owned(),
        from: from.map(|(hash, _)| hash),
        to: to.map(|(hash, _)| hash),
        revision: row.revision,
        by: row.by.to_string(),
        at: rfc3339(row.at),
    }
}
