//! Tests on schedules (the document also calls them jobs): add, change, delete.

use headend_model::schedule::TestChange;
use headend_model::{Priority, ScheduleId, ScheduledTest, ScheduledTestId, TestSpec};
use headend_scheduler::ScheduleCommand;
use headend_wire::codes;
use headend_wire::schedules::{ScheduledTestChange, ScheduledTestRequest};

use super::{Noted, command, done, load_areas, look, parameters};
use crate::app::Shared;
use crate::auth::Person;
use crate::edge::{args, submit};
use crate::http::{ApiError, ApiResult};

/// Most slots that one test may need.
const MOST_SLOTS: i64 = 100_000;

/// `addTestToSchedule`.
///
/// # Errors
/// `not_found`, `schedule_full`, and what is wrong with the request.
pub(crate) async fn add(
    app: &Shared,
    person: &Person,
    schedule: ScheduleId,
    request: &ScheduledTestRequest,
) -> ApiResult<Noted> {
    let (owner, targets) = look(app, person, schedule, |view, found| {
        (found.owner.clone(), view.farm.schedule_targets(found.schedule).unwrap_or_default().len())
    })
    .await?;
    let policies = app.plugins.coverage_policies();
    let needed = request.slots_needed.unwrap_or_else(|| i64::try_from(targets.max(1)).unwrap_or(MOST_SLOTS));
    let test = TestSpec {
        script: submit::script(&request.script).map_err(|error| error.at("/script"))?,
        public: request.public,
        slots_needed: slots_needed(needed)?,
        mode: submit::mode(&request.mode, &policies).map_err(|error| error.at("/mode"))?,
        args: arguments(&request.args)?,
        time_limit: submit::time_limit(request.time_limit_s).map_err(|error| error.at("/time_limit_s"))?,
    };
    parameters::check_test(app, person, schedule, &test.mode).await?;
    let test = ScheduledTest { test, priority: priority(request.priority.unwrap_or(1))? };
    load_areas(app, &owner).await?;
    done(command(app, person, None, ScheduleCommand::AddTest { schedule, test }).await?)
}

/// `updateJob`: what is left out stays.
///
/// # Errors
/// As [`add`].
pub(crate) async fn change(
    app: &Shared,
    person: &Person,
    test: ScheduledTestId,
    change: &ScheduledTestChange,
) -> ApiResult<Noted> {
    let (schedule, now) = spec(app, person, test).await?;
    let policies = app.plugins.coverage_policies();
    let change = TestChange {
        public: change.public.unwrap_or(now.test.public),
        slots_needed: change.slots_needed.map_or(Ok(now.test.slots_needed), slots_needed)?,
        priority: change.priority.map_or(Ok(now.priority), priority)?,
        mode: match &change.mode {
            Some(mode) => submit::mode(mode, &policies).map_err(|error| error.at("/mode"))?,
            None => now.test.mode,
        },
        args: change.args.as_deref().map_or(Ok(now.test.args), arguments)?,
    };
    parameters::check_test(app, person, schedule, &change.mode).await?;
    done(command(app, person, None, ScheduleCommand::UpdateTest { test, change }).await?)
}

/// `deleteJob`.
///
/// # Errors
/// `not_found`.
pub(crate) async fn delete(app: &Shared, person: &Person, test: ScheduledTestId) -> ApiResult<Noted> {
    spec(app, person, test).await?;
    done(command(app, person, None, ScheduleCommand::DeleteTest { test }).await?)
}

/// A test on a schedule that this person may see.
async fn spec(app: &Shared, person: &Person, test: ScheduledTestId) -> ApiResult<(ScheduleId, ScheduledTest)> {
    let person = person.clone();
    let found = app.farm.read(move |view| {
        let schedule = view.farm.schedule_of_test(test)?;
        view.farm.schedule(schedule).filter(|found| person.may_see(found.owner))?;
        let tests = view.farm.schedule_tests(schedule)?;
        tests.into_iter().find(|entry| entry.test == test).map(|entry| (schedule, entry.spec.clone()))
    });
    found.await?.ok_or_else(|| ApiError::not_found(format!("test {test} on a schedule")))
}

fn slots_needed(given: i64) -> ApiResult<u32> {
    let fits = u32::try_from(given).ok().filter(|_| (1..=MOST_SLOTS).contains(&given));
    fits.ok_or_else(|| {
        let detail = format!("slotsNeeded is {given}; use 1 to {MOST_SLOTS}");
        ApiError::new(&codes::BAD_SLOTS_NEEDED, detail).at("/slots_needed")
    })
}

fn priority(given: i64) -> ApiResult<Priority> {
    let fits = u8::try_from(given).ok().filter(|priority| (1..=9).contains(priority)).map(Priority);
    fits.ok_or_else(|| {
        let detail = format!("priority is {given}; use 1 (first) to 9 (last)");
        ApiError::new(&codes::INVALID, detail).at("/priority")
    })
}

fn arguments(line: &str) -> ApiResult<Vec<String>> {
    args::split(line).map_err(|error| ApiError::new(&codes::BAD_ARGUMENTS, error.to_string()).at("/args"))
}
