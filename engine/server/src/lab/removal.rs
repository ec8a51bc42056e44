//! DUTs that leave the lab: forgotten by the farm, and their rows with the same record of the journal; or kept, with what
//! keeps them.

use headend_model::{DutId, ScheduleId};
use headend_scheduler::action::DutUses;
use headend_scheduler::{Action, Event, Farm};
use headend_wire::codes;

use crate::app::App;
use crate::farm_loop::View;
use crate::http::{ApiError, ApiResult};

/// Whether all of these could be removed now.
///
/// # Errors
/// `conflict`, with what keeps the first that is in use.
pub(super) async fn check(app: &App, duts: Vec<DutId>) -> ApiResult<()> {
    let look = move |view: &View<'_>| {
        let used = duts.iter().map(|dut| (*dut, view.farm.dut_uses(*dut))).find(|(_, uses)| !uses.is_free());
        used.map_or(Ok(()), |(dut, uses)| Err(in_use(view.farm, dut, &uses)))
    };
    app.farm.read(look).await?
}

/// Removes all of them, or none.
///
/// # Errors
/// As [`check`].
pub(super) async fn remove(app: &App, duts: Vec<DutId>) -> ApiResult<()> {
    if duts.is_empty() {
        return Ok(());
    }
    let answer = |stepped: Vec<Vec<Action>>, view: &View<'_>| {
        let kept = stepped.iter().flatten().find_map(|action| match action {
            Action::DutInUse { dut, uses } => Some(in_use(view.farm, *dut, uses)),
            _ => None,
        });
        kept.map_or(Ok(()), Err)
    };
    app.farm.apply(vec![Event::RemoveDuts { duts }], answer).await?
}

fn in_use(farm: &Farm, dut: DutId, uses: &DutUses) -> ApiError {
    let run = uses.run.map(|(run, job)| match job.0 {
        0 => "a person drives it in a session".to_owned(),
        _ => format!("run {run} of job {job} drives it"),
    });
    let jobs = named("job", &uses.jobs.iter().map(ToString::to_string).collect::<Vec<_>>(), uses.all_jobs);
    let schedules: Vec<String> = uses.schedules.iter().map(|id| schedule(farm, *id)).collect();
    let schedules = named("schedule", &schedules, uses.all_schedules);
    let reasons: Vec<String> = run.into_iter().chain(jobs).chain(schedules).collect();
    let detail = format!(
        "DUT {dut} is in use: {}; let these end or stop them, take it off the schedules, and remove it then",
        reasons.join(", ")
    );
    ApiError::new(&codes::CONFLICT, detail)
}

/// `jobs 3, 4 and 7 more name it`.
fn named(what: &str, shown: &[String], all: u64) -> Option<String> {
    let more = all.saturating_sub(shown.len() as u64);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    match all {
        0 => None,
        1 => Some(format!("{what} {} names it", shown.join(", "))),
        _ => Some(format!("{what}s {}{more} name it", shown.join(", "))),
    }
}

fn schedule(farm: &Farm, id: ScheduleId) -> String {
    let found = farm.schedule(id);
    found.map_or_else(|| id.to_string(), |found| format!("{id} ({:?} of {})", found.name.as_str(), found.owner))
}
