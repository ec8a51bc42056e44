//! What is kept, what goes, and which runs are pinned.

use axum::extract::{Path, Query, State};
use headend_model::{RunId, UserName};
use headend_store::{KeepRow, KeptClass, Projection, RetentionLogRow};
use headend_wire::api::{PinItem, PinList, PinRequest, RetentionClass, RetentionInfo, RetentionItem, RetentionPast};
use headend_wire::{Problem, codes};

use super::artifacts::owner_of_visible;
use crate::app::Shared;
use crate::auth::Person;
use crate::clock::{rfc3339, wall_now};
use crate::edge::ids;
use crate::http::{ApiError, ApiResult, Json};
use crate::retention::{self, Going};

/// Most pins of one owner.
const MOST_PINS: u64 = 1_000;
/// Longest note, in characters.
const LONGEST_NOTE: usize = 500;
/// Pins of a page, and runs that are told to go.
const PAGE: u32 = 1_000;
/// Lines of what has gone.
const PAST: u32 = 100;

/// Retention leaves a run alone from now on. Pinning it again changes the note.
#[utoipa::path(put, path = "/runs/{run}/pin", operation_id = "pin_run", tag = "results", params(("run" = u64, Path,)),
    request_body = PinRequest, responses((status = 200, body = PinItem), (status = "4XX", body = Problem)))]
pub(crate) async fn pin(
    State(app): State<Shared>,
    person: Person,
    Path(run): Path<u64>,
    Json(request): Json<PinRequest>,
) -> ApiResult<axum::Json<PinItem>> {
    let owner = owner_of_visible(&app, &person, run).await?;
    if request.note.chars().count() > LONGEST_NOTE {
        return Err(ApiError::new(&codes::INVALID, format!("a note has at most {LONGEST_NOTE} characters")).at("/note"));
    }
    let run = RunId(run);
    if app.store.keep_of(run).await?.is_none() && app.store.count_keeps(&owner).await? >= MOST_PINS {
        let detail = format!("{owner} has {MOST_PINS} pinned runs; unpin some first");
        return Err(ApiError::new(&codes::CONFLICT, detail));
    }
    let row = KeepRow { run, owner, by: person.user.clone(), at: wall_now(), note: request.note };
    app.store.write(vec![Projection::RunKept(row.clone())]).await?;
    Ok(axum::Json(item(row)))
}

/// Retention may take a run again. Not pinned: nothing changes.
#[utoipa::path(delete, path = "/runs/{run}/pin", operation_id = "unpin_run", tag = "results", params(("run" = u64, Path,)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn unpin(
    State(app): State<Shared>,
    person: Person,
    Path(run): Path<u64>,
) -> ApiResult<http::StatusCode> {
    owner_of_visible(&app, &person, run).await?;
    app.store.write(vec![Projection::RunNotKept(RunId(run))]).await?;
    Ok(http::StatusCode::NO_CONTENT)
}

/// Which pins.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PinQuery {
    /// Only of runs before this one: the `next` of the page before.
    before: Option<u64>,
    /// At most so many, 1 to 1000; 1000 unless given.
    limit: Option<u32>,
}

/// Pinned runs, the newest first. Users see those of their own jobs.
#[utoipa::path(get, path = "/pins", operation_id = "list_pins", tag = "results", params(PinQuery),
    responses((status = 200, body = PinList), (status = "4XX", body = Problem)))]
pub(crate) async fn pins(
    State(app): State<Shared>,
    person: Person,
    Query(query): Query<PinQuery>,
) -> ApiResult<axum::Json<PinList>> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let before = query.before.map(|run| RunId(run.min(ids::LARGEST)));
    let own: Option<&UserName> = (!person.admin).then_some(&person.user);
    let rows = app.store.keeps(own, before, limit).await?;
    let next = rows.last().filter(|_| rows.len() as u64 >= u64::from(limit)).map(|row| row.run.0);
    Ok(axum::Json(PinList { pins: rows.into_iter().map(item).collect(), next }))
}

fn item(row: KeepRow) -> PinItem {
    PinItem {
        run: row.run.0,
        owner: row.owner.to_string(),
        by: row.by.to_string(),
        at: rfc3339(row.at),
        note: row.note,
    }
}

/// What is kept of runs and for how long, what would go now, and what has gone.
#[utoipa::path(get, path = "/retention", operation_id = "retention", tag = "results",
    responses((status = 200, body = RetentionInfo), (status = "4XX", body = Problem)))]
pub(crate) async fn retention(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<RetentionInfo>> {
    let (limits, held) = (app.options.retention, app.store.held_in_all().await?);
    let plan = retention::would(&app, PAGE as usize).await?;
    let classes = KeptClass::ALL.into_iter().map(|class| RetentionClass {
        class: class.as_str().to_owned(),
        bytes: held.of(class),
        age_s: limits.age.of(class).map(|age| age.as_secs()),
        space: limits.space.of(class),
    });
    Ok(axum::Json(RetentionInfo {
        classes: classes.collect(),
        would: plan.going.into_iter().map(going).collect(),
        more: plan.more,
        next: rfc3339(app.results.next_retention()),
        went: app.store.retention_log(PAST).await?.into_iter().map(past).collect(),
    }))
}

fn going(going: Going) -> RetentionItem {
    let bytes = going.removal.bytes;
    let classes = KeptClass::ALL.into_iter().filter(|class| bytes.of(*class) > 0);
    RetentionItem {
        run: going.removal.run.0,
        ended: rfc3339(going.ended),
        classes: classes.clone().map(|class| class.as_str().to_owned()).collect(),
        bytes: classes.map(|class| bytes.of(class)).sum(),
        reason: going.reason.as_str().to_owned(),
    }
}

fn past(row: RetentionLogRow) -> RetentionPast {
    RetentionPast { at: rfc3339(row.at), class: row.class, runs: row.runs, bytes: row.bytes }
}
