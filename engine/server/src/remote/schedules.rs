//! The calls of chapter 7 about schedules, with the document's arguments, defaults and shapes. Each does what a REST route
//! does, by the same function.
//!
//! ```text
//!  dates: text YYYY-MM-DD    times of day: text HH:MM:SS    both as they were given, in the schedule's zone
//!  instants (created, and date and time in one): dateTime.iso8601 in UTC
//!  no end: 2038-01-19, and 2038-01-19T03:14:07 for date and time in one, as the document shows it
//! ```
//!
//! The document does not name the zone of its instants; its examples do (design 0011): a window from 10:00 in Dublin's
//! summer has the combined start 09:00, and the end of all time is the last second of 31 bits in UTC.

use headend_model::{ScheduleId, ScheduledTestId, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::schedule::ScheduleView;
use headend_wire::api::{ModeRef, SlotRef};
use headend_wire::schedules::{ScheduleRequest, ScheduleTiming, ScheduledTestChange, ScheduledTestRequest};
use headend_wire::xmlrpc::Value;
use jiff::civil::{DateTime, date};

use super::Caller;
use super::answer::{Answer, int, list, text};
use super::args::{self, Args, bad};
use super::jobs::mode_of;
use crate::http::ApiResult;
use crate::lab::Book;
use crate::schedules::zones::utc;
use crate::schedules::{self as deeds, Named, Noted, refusal, show, tests_on};

/// The document's sign for a schedule without an end, when it is shown and when it comes back.
const NO_END_DATE: &str = "2038-01-19";
const NO_END: DateTime = date(2038, 1, 19).at(3, 14, 7, 0);

/// `createSchedule(name, scheduleType, startDate, endDate, startTime, endTime, repeatCount=0, repeatRate=1,
/// repeatDays=None)`: the id as text.
pub(super) async fn create(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let name = args.text("name")?;
    let timing = timing(&mut args)?;
    args.done("createSchedule", &[&["name"], TIMING].concat())?;
    let request = ScheduleRequest { name, timing, ..ScheduleRequest::default() };
    let made = deeds::create(caller.app, &caller.person, &request).await?;
    Ok(Answer::ok([text(made.schedule.to_string())]))
}

/// `modifySchedule(scheduleId, ...)`, the rest as `createSchedule`: the id as text.
pub(super) async fn modify(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let schedule = schedule(&mut args)?;
    let timing = timing(&mut args)?;
    args.done("modifySchedule", &[&["scheduleId"], TIMING].concat())?;
    let noted = deeds::modify(caller.app, &caller.person, schedule, &timing).await?;
    Ok(Answer::ok([text(noted.schedule.to_string())]))
}

const TIMING: &[&str] =
    &["scheduleType", "startDate", "endDate", "startTime", "endTime", "repeatCount", "repeatRate", "repeatDays"];

fn schedule(args: &mut Args) -> ApiResult<ScheduleId> {
    args.id("scheduleId").map(ScheduleId)
}

fn timing(args: &mut Args) -> ApiResult<ScheduleTiming> {
    let whole = |name, value: Option<Value>, other| value.map_or(Ok(other), |value| args::int(name, &value));
    Ok(ScheduleTiming {
        r#type: args.text("scheduleType")?,
        start_date: date_of("startDate", args.optional())?
            .ok_or_else(|| bad("startDate", "is missing; give a date"))?,
        end_date: date_of("endDate", args.optional())?.filter(|date| date != NO_END_DATE),
        start_time: time_of("startTime", args.optional())?,
        end_time: time_of("endTime", args.optional())?,
        repeat_count: whole("repeatCount", args.optional(), 0)?,
        repeat_rate: whole("repeatRate", args.optional(), 1)?,
        repeat_days: days(args)?,
        time_zone: None,
    })
}

/// A date as text or `dateTime.iso8601`. Clients that know no nil write nothing, or `NULL` as the document does.
fn date_of(name: &str, value: Option<Value>) -> ApiResult<Option<String>> {
    match value {
        None => Ok(None),
        Some(Value::DateTime(at)) => Ok(Some(at.date().to_string())),
        Some(Value::Text(text)) if text.is_empty() || text == "NULL" => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(bad(name, &format!("is of type {}; give a date", other.kind()))),
    }
}

/// A time of day as text, with a zone or without, or as `dateTime.iso8601`.
fn time_of(name: &str, value: Option<Value>) -> ApiResult<String> {
    match value {
        None => Err(bad(name, "is missing; give a time of day")),
        Some(Value::DateTime(at)) => Ok(at.time().strftime("%H:%M:%S").to_string()),
        Some(Value::Text(text)) => Ok(text),
        Some(other) => Err(bad(name, &format!("is of type {}; give a time of day", other.kind()))),
    }
}

fn days(args: &mut Args) -> ApiResult<Vec<String>> {
    let days = args.list("repeatDays")?.into_iter().enumerate();
    days.map(|(at, day)| args::text(&format!("repeatDays[{at}]"), day)).collect()
}

/// `renameSchedule(scheduleId, newName)`.
pub(super) async fn rename(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (schedule, name) = (schedule(&mut args)?, args.text("newName")?);
    args.done("renameSchedule", &["scheduleId", "newName"])?;
    deeds::rename(caller.app, &caller.person, schedule, &name).await?;
    Ok(Answer::ok([]))
}

/// `deleteSchedule(scheduleId)`.
pub(super) async fn delete(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let schedule = schedule(&mut args)?;
    args.done("deleteSchedule", &["scheduleId"])?;
    deeds::delete(caller.app, &caller.person, schedule).await?;
    Ok(Answer::ok([]))
}

/// `getScheduleIdFromName(name, userName="")`: the id as a number.
pub(super) async fn id_of_name(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (name, user) = (args.text("name")?, args.text_or("userName", "")?);
    args.done("getScheduleIdFromName", &["name", "userName"])?;
    let found = deeds::named(caller.app, &caller.person, &name, &user).await?;
    Ok(Answer::ok([int(found.0)]))
}

/// `addSlotToSchedule(scheduleId, serverName, slotId)`.
pub(super) async fn add_slot(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (schedule, slot) = place(&mut args)?;
    args.done("addSlotToSchedule", PLACE)?;
    Ok(done(&deeds::add_target(caller.app, &caller.person, schedule, slot).await?))
}

/// `removeSlotFromSchedule(scheduleId, serverName, slotId)`.
pub(super) async fn remove_slot(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (schedule, slot) = place(&mut args)?;
    args.done("removeSlotFromSchedule", PLACE)?;
    Ok(done(&deeds::remove_target(caller.app, &caller.person, schedule, slot).await?))
}

const PLACE: &[&str] = &["scheduleId", "serverName", "slotId"];

fn place(args: &mut Args) -> ApiResult<(ScheduleId, Named)> {
    let (schedule, rack, slot) = (schedule(args)?, args.text("serverName")?, args.int("slotId")?);
    let slot = u16::try_from(slot).map_err(|_| bad("slotId", &format!("is {slot}; slots are counted from 1")))?;
    Ok((schedule, Named::Slot(SlotRef { rack, slot })))
}

/// `addStbToSchedule(scheduleId, dutId)`.
pub(super) async fn add_dut(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (schedule, dut) = (schedule(&mut args)?, args.id("dutId")?);
    args.done("addStbToSchedule", &["scheduleId", "dutId"])?;
    Ok(done(&deeds::add_target(caller.app, &caller.person, schedule, Named::Dut(dut)).await?))
}

/// `removeStbFromSchedule(scheduleId, dutId)`.
pub(super) async fn remove_dut(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (schedule, dut) = (schedule(&mut args)?, args.id("dutId")?);
    args.done("removeStbFromSchedule", &["scheduleId", "dutId"])?;
    Ok(done(&deeds::remove_target(caller.app, &caller.person, schedule, Named::Dut(dut)).await?))
}

/// What was so already is a warning.
fn done(noted: &Noted) -> Answer {
    match &noted.already {
        None => Answer::ok([]),
        Some(already) => {
            let code = refusal::code(already);
            Answer::with(code, format!("{}: {already}", code.text), [])
        }
    }
}

/// `addTestToSchedule(scheduleId, testPath, publicJob, slotsNeeded, priority=1, schedulingMode=0, overrideArgs="")`: the id
/// of the test as text.
pub(super) async fn add_test(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let (schedule, script, public) = (schedule(&mut args)?, args.text("testPath")?, args.flag("publicJob")?);
    let slots_needed = Some(args.int("slotsNeeded")?);
    let priority = args.optional().map(|value| args::int("priority", &value)).transpose()?;
    let mode = args.optional().map_or(Ok(ModeRef::Number(0)), |mode| mode_of("schedulingMode", Some(mode)))?;
    let request = ScheduledTestRequest {
        script,
        public,
        slots_needed,
        priority,
        mode,
        args: args.text_or("overrideArgs", "")?,
        time_limit_s: None,
    };
    let names = ["scheduleId", "testPath", "publicJob", "slotsNeeded", "priority", "schedulingMode", "overrideArgs"];
    args.done("addTestToSchedule", &names)?;
    let noted = tests_on::add(caller.app, &caller.person, schedule, &request).await?;
    Ok(Answer::ok([test_id(&noted)]))
}

/// `updateJob(jobId, publicJob, slotsNeeded, priority, expectedDuration, schedulingMode, overrideArgs)`: the id of the test
/// as text. The expected duration is not used.
pub(super) async fn update_test(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let test = ScheduledTestId(args.id("jobId")?);
    let (public, slots_needed) = (args.flag("publicJob")?, args.int("slotsNeeded")?);
    let priority = args.int("priority")?;
    let _unused = args.optional();
    let mode = mode_of("schedulingMode", args.optional())?;
    let line = args.text("overrideArgs")?;
    let names = ["jobId", "publicJob", "slotsNeeded", "priority", "expectedDuration", "schedulingMode", "overrideArgs"];
    args.done("updateJob", &names)?;
    let change = ScheduledTestChange {
        public: Some(public),
        slots_needed: Some(slots_needed),
        priority: Some(priority),
        mode: Some(mode),
        args: Some(line),
    };
    // `PATCH` takes turns with it.
    let _turn = caller.app.scheduled_tests.lock().await;
    let noted = tests_on::change(caller.app, &caller.person, test, &change).await?;
    Ok(Answer::ok([test_id(&noted)]))
}

fn test_id(noted: &Noted) -> Value {
    text(noted.test.map(|test| test.to_string()).unwrap_or_default())
}

/// `deleteJob(jobId)`.
pub(super) async fn delete_test(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let test = ScheduledTestId(args.id("jobId")?);
    args.done("deleteJob", &["jobId"])?;
    tests_on::delete(caller.app, &caller.person, test).await?;
    Ok(Answer::ok([text("1 records deleted")]))
}

/// `showSchedules(userName="")`: rows of 13.
pub(super) async fn show_all(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let user = args.text_or("userName", "")?;
    args.done("showSchedules", &["userName"])?;
    let owner = deeds::owner(&caller.person, &user)?;
    let rows = caller.app.farm.read(move |view| {
        let schedules = view.farm.schedules_of(&owner);
        schedules.iter().map(|found| row(view.farm, found)).collect::<Vec<_>>()
    });
    Ok(Answer::ok([list(rows.await?)]))
}

fn row(farm: &Farm, view: &ScheduleView<'_>) -> Value {
    let spec = view.timing.spec();
    let end = show::end_date(farm, view).map_or_else(|| NO_END_DATE.to_owned(), |date| date.to_string());
    let instant = |at: Option<Timestamp>| Value::DateTime(at.map_or(NO_END, utc));
    list([
        int(view.schedule.0),
        text(view.name.as_str()),
        instant(Some(view.created)),
        text(spec.kind.name()),
        text(spec.start_date.to_string()),
        text(end),
        text(spec.start_time.to_string()),
        text(spec.end_time.to_string()),
        int(spec.repeat_count),
        view.repeat_rate().map_or_else(|| text("NULL"), int),
        list(view.repeat_days().iter().map(|day| text(day.name()))),
        instant(view.combined_start),
        instant(view.combined_end),
    ])
}

/// `showSlotsOnSchedule(scheduleId)`: pairs of server and slot.
pub(super) async fn show_slots(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let schedule = schedule(&mut args)?;
    args.done("showSlotsOnSchedule", &["scheduleId"])?;
    let slots =
        deeds::look(caller.app, &caller.person, schedule, |view, found| show::slots(view.farm, found.schedule)).await?;
    Ok(Answer::ok([list(slots.into_iter().map(|slot| list([text(slot.rack), int(slot.slot)])))]))
}

/// `showStbsOnSchedule(scheduleId)`: rows of id, name, description and model.
pub(super) async fn show_duts(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let schedule = schedule(&mut args)?;
    args.done("showStbsOnSchedule", &["scheduleId"])?;
    let found = deeds::look(caller.app, &caller.person, schedule, |view, found| show::detail(view.farm, found).duts);
    let duts = found.await?;
    let book = Book::read(caller.app).await?;
    let rows = duts.into_iter().map(|dut| {
        let fields = book.duts.get(&headend_model::DutId(dut)).map(|row| row.fields.clone()).unwrap_or_default();
        list([int(dut), text(fields.name), text(fields.description), text(fields.model_name)])
    });
    Ok(Answer::ok([list(rows)]))
}

/// `showJobsOnSchedule(scheduleId)`: rows of 15.
pub(super) async fn show_tests(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let schedule = schedule(&mut args)?;
    args.done("showJobsOnSchedule", &["scheduleId"])?;
    let tests = super::scheduled_tests::rows(caller, schedule).await?;
    Ok(Answer::ok([list(tests)]))
}
