//! Schedules: create, look at, change, delete; what comes and what was.

use axum::extract::{Path, Query, State};
use headend_model::{ScheduleId, ScheduledTestId};
use headend_wire::Problem;
use headend_wire::api::SlotRef;
use headend_wire::schedules::{
    ComingList, PastList, ScheduleChange, ScheduleDetail, ScheduleItem, ScheduleList, ScheduleNoted, ScheduleRequest,
    ScheduleTiming, ScheduledTestChange, ScheduledTestRequest,
};
use http::StatusCode;

use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiResult, Json};
use crate::schedules::{self as deeds, Named, Noted, past as past_of, show, tests_on};

/// Most windows or records that are listed.
const MOST: u32 = 1_000;
/// Windows and records that are listed unless the client says otherwise.
const USUAL: u32 = 20;

type Answer = ApiResult<axum::Json<ScheduleNoted>>;

fn noted(noted: &Noted) -> axum::Json<ScheduleNoted> {
    axum::Json(noted.answer())
}

/// Which schedules to list.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Those of this user (administrators); one's own unless given.
    owner: Option<String>,
    /// Only the one of this name.
    name: Option<String>,
}

/// Lists the schedules of a user, in the order of their ids.
#[utoipa::path(get, path = "/schedules", operation_id = "list_schedules", tag = "schedules", params(ListQuery),
    responses((status = 200, body = ScheduleList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    person: Person,
    Query(query): Query<ListQuery>,
) -> ApiResult<axum::Json<ScheduleList>> {
    let owner = deeds::owner(&person, query.owner.as_deref().unwrap_or_default())?;
    let schedules = app.farm.read(move |view| {
        let farm = view.farm;
        let named = |name: &String| farm.schedule_named(&owner, name).and_then(|id| farm.schedule(id));
        match &query.name {
            Some(name) => named(name).map(|found| show::item(farm, &found)).into_iter().collect(),
            None => farm.schedules_of(&owner).iter().map(|found| show::item(farm, found)).collect(),
        }
    });
    Ok(axum::Json(ScheduleList { schedules: schedules.await? }))
}

/// Creates a schedule. Its slots, DUTs and tests are added afterwards.
#[utoipa::path(post, path = "/schedules", operation_id = "create_schedule", tag = "schedules", request_body = ScheduleRequest,
    responses((status = 201, body = ScheduleItem), (status = "4XX", body = Problem)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<ScheduleRequest>,
) -> ApiResult<(StatusCode, axum::Json<ScheduleItem>)> {
    let made = deeds::create(&app, &person, &request).await?;
    let item = deeds::look(&app, &person, made.schedule, |view, found| show::item(view.farm, found)).await?;
    Ok((StatusCode::CREATED, axum::Json(item)))
}

/// A schedule with its slots, DUTs and tests.
#[utoipa::path(get, path = "/schedules/{schedule}", operation_id = "get_schedule", tag = "schedules",
    params(("schedule" = u64, Path,)), responses((status = 200, body = ScheduleDetail), (status = "4XX", body = Problem)))]
pub(crate) async fn detail(
    State(app): State<Shared>,
    person: Person,
    Path(schedule): Path<u64>,
) -> ApiResult<axum::Json<ScheduleDetail>> {
    let detail = deeds::look(&app, &person, ScheduleId(schedule), |view, found| show::detail(view.farm, found));
    Ok(axum::Json(detail.await?))
}

/// Renames a schedule, or sets what happens at the edges of its windows. What is left out stays.
#[utoipa::path(patch, path = "/schedules/{schedule}", operation_id = "change_schedule", tag = "schedules",
    params(("schedule" = u64, Path,)), request_body = ScheduleChange,
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn change(
    State(app): State<Shared>,
    person: Person,
    Path(schedule): Path<u64>,
    Json(change): Json<ScheduleChange>,
) -> Answer {
    Ok(noted(&deeds::change(&app, &person, ScheduleId(schedule), &change).await?))
}

/// Sets anew when a schedule is due. What has begun goes on.
#[utoipa::path(put, path = "/schedules/{schedule}/timing", operation_id = "modify_schedule", tag = "schedules",
    params(("schedule" = u64, Path,)), request_body = ScheduleTiming,
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn modify(
    State(app): State<Shared>,
    person: Person,
    Path(schedule): Path<u64>,
    Json(timing): Json<ScheduleTiming>,
) -> Answer {
    Ok(noted(&deeds::modify(&app, &person, ScheduleId(schedule), &timing).await?))
}

/// Deletes a schedule. Running tests finish, waiting ones end incomplete.
#[utoipa::path(delete, path = "/schedules/{schedule}", operation_id = "delete_schedule", tag = "schedules",
    params(("schedule" = u64, Path,)), responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn delete(State(app): State<Shared>, person: Person, Path(schedule): Path<u64>) -> Answer {
    Ok(noted(&deeds::delete(&app, &person, ScheduleId(schedule)).await?))
}

fn slot((schedule, rack, slot): (u64, String, u16)) -> (ScheduleId, Named) {
    (ScheduleId(schedule), Named::Slot(SlotRef { rack, slot }))
}

/// Puts a slot on a schedule. It counts from the next occurrence on.
#[utoipa::path(put, path = "/schedules/{schedule}/slots/{rack}/{slot}", operation_id = "add_slot", tag = "schedules",
    params(("schedule" = u64, Path,), ("rack" = String, Path,), ("slot" = u16, Path,)),
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn add_slot(
    State(app): State<Shared>,
    person: Person,
    Path(path): Path<(u64, String, u16)>,
) -> Answer {
    let (schedule, named) = slot(path);
    Ok(noted(&deeds::add_target(&app, &person, schedule, named).await?))
}

/// Takes a slot off a schedule. It counts from the next occurrence on.
#[utoipa::path(delete, path = "/schedules/{schedule}/slots/{rack}/{slot}", operation_id = "remove_slot", tag = "schedules",
    params(("schedule" = u64, Path,), ("rack" = String, Path,), ("slot" = u16, Path,)),
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn remove_slot(
    State(app): State<Shared>,
    person: Person,
    Path(path): Path<(u64, String, u16)>,
) -> Answer {
    let (schedule, named) = slot(path);
    Ok(noted(&deeds::remove_target(&app, &person, schedule, named).await?))
}

/// Puts a DUT on a schedule, wherever it sits. It counts from the next occurrence on.
#[utoipa::path(put, path = "/schedules/{schedule}/duts/{dut}", operation_id = "add_dut", tag = "schedules",
    params(("schedule" = u64, Path,), ("dut" = u64, Path,)),
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn add_dut(
    State(app): State<Shared>,
    person: Person,
    Path((schedule, dut)): Path<(u64, u64)>,
) -> Answer {
    Ok(noted(&deeds::add_target(&app, &person, ScheduleId(schedule), Named::Dut(dut)).await?))
}

/// Takes a DUT off a schedule. It counts from the next occurrence on.
#[utoipa::path(delete, path = "/schedules/{schedule}/duts/{dut}", operation_id = "remove_dut", tag = "schedules",
    params(("schedule" = u64, Path,), ("dut" = u64, Path,)),
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn remove_dut(
    State(app): State<Shared>,
    person: Person,
    Path((schedule, dut)): Path<(u64, u64)>,
) -> Answer {
    Ok(noted(&deeds::remove_target(&app, &person, ScheduleId(schedule), Named::Dut(dut)).await?))
}

/// Puts a test on a schedule, behind the others. It counts from the next occurrence on.
#[utoipa::path(post, path = "/schedules/{schedule}/tests", operation_id = "add_test", tag = "schedules",
    params(("schedule" = u64, Path,)), request_body = ScheduledTestRequest,
    responses((status = 201, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn add_test(
    State(app): State<Shared>,
    person: Person,
    Path(schedule): Path<u64>,
    Json(request): Json<ScheduledTestRequest>,
) -> ApiResult<(StatusCode, axum::Json<ScheduleNoted>)> {
    let added = tests_on::add(&app, &person, ScheduleId(schedule), &request).await?;
    Ok((StatusCode::CREATED, noted(&added)))
}

/// Changes a test on a schedule, but for its script. It counts from the next occurrence on; what is left out stays.
#[utoipa::path(patch, path = "/scheduled-tests/{test}", operation_id = "change_test", tag = "schedules",
    params(("test" = u64, Path,)), request_body = ScheduledTestChange,
    responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn change_test(
    State(app): State<Shared>,
    person: Person,
    Path(test): Path<u64>,
    Json(change): Json<ScheduledTestChange>,
) -> Answer {
    Ok(noted(&tests_on::change(&app, &person, ScheduledTestId(test), &change).await?))
}

/// Takes a test off its schedule. Its running runs finish, waiting ones end incomplete.
#[utoipa::path(delete, path = "/scheduled-tests/{test}", operation_id = "delete_test", tag = "schedules",
    params(("test" = u64, Path,)), responses((status = 200, body = ScheduleNoted), (status = "4XX", body = Problem)))]
pub(crate) async fn delete_test(State(app): State<Shared>, person: Person, Path(test): Path<u64>) -> Answer {
    Ok(noted(&tests_on::delete(&app, &person, ScheduledTestId(test)).await?))
}

/// How many to show.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MostQuery {
    /// At most so many, 1 to 1000; 20 unless given.
    most: Option<u32>,
}

impl MostQuery {
    fn most(&self) -> usize {
        self.most.unwrap_or(USUAL).clamp(1, MOST) as usize
    }
}

/// The windows that come, the next one first.
#[utoipa::path(get, path = "/schedules/{schedule}/coming", operation_id = "coming_occurrences", tag = "schedules",
    params(("schedule" = u64, Path,), MostQuery), responses((status = 200, body = ComingList), (status = "4XX", body = Problem)))]
pub(crate) async fn coming(
    State(app): State<Shared>,
    person: Person,
    Path(schedule): Path<u64>,
    Query(query): Query<MostQuery>,
) -> ApiResult<axum::Json<ComingList>> {
    let coming = deeds::look(&app, &person, ScheduleId(schedule), move |view, found| {
        show::coming(view.farm, found, query.most())
    });
    Ok(axum::Json(coming.await?))
}

/// Which records to show.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PastQuery {
    /// Only those with numbers below this one: the `next` of the page before.
    before: Option<u64>,
    /// At most so many, 1 to 1000; 20 unless given.
    most: Option<u32>,
}

/// What became of the occurrences, the highest number first, a page at a time. Records are kept for as long as the
/// server is told, those of a deleted schedule too.
#[utoipa::path(get, path = "/schedules/{schedule}/past", operation_id = "past_occurrences", tag = "schedules",
    params(("schedule" = u64, Path,), PastQuery), responses((status = 200, body = PastList), (status = "4XX", body = Problem)))]
pub(crate) async fn past(
    State(app): State<Shared>,
    person: Person,
    Path(schedule): Path<u64>,
    Query(query): Query<PastQuery>,
) -> ApiResult<axum::Json<PastList>> {
    let page = (query.before, query.most.unwrap_or(USUAL).clamp(1, MOST));
    Ok(axum::Json(past_of::list(&app, &person, ScheduleId(schedule), page).await?))
}
