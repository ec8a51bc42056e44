//! What can be done with schedules: one function per deed, used by REST and by the document's calls alike.
//!
//! ```text
//!  routes::schedules ─┐
//!  remote::schedules ─┴─► deed: whose is it? what zone? ─► Event::ZoneRules, Event::Schedule ─► Noted, or a refusal
//! ```
//!
//! A schedule is its owner's. Administrators may see and change all of them; for everybody else what is another's is not
//! there.

pub(crate) mod parameters;
pub(crate) mod past;
pub(crate) mod refusal;
pub(crate) mod show;
pub(crate) mod tests_on;
pub(crate) mod timing;
pub(crate) mod zones;

use headend_model::{
    NewSchedule, ScheduleId, ScheduleName, ScheduleSettings, ScheduledTestId, Target, UserName, ZoneName,
};
use headend_scheduler::schedule::{ScheduleRefusal, ScheduleView};
use headend_scheduler::{Action, Event, Farm, ScheduleAction, ScheduleCommand};
use headend_wire::api::SlotRef;
use headend_wire::codes;
use headend_wire::schedules::{ScheduleChange, ScheduleNoted, ScheduleRequest};

use crate::app::Shared;
use crate::auth::Person;
use crate::edge::names::{self, cut};
use crate::farm_loop::View;
use crate::http::{ApiError, ApiResult};
use timing::Checked;

/// What a command has done.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) schedule: ScheduleId,
    pub(crate) test: Option<ScheduledTestId>,
    pub(crate) revision: u64,
    /// It was so already: nothing was changed, and nothing is wrong.
    pub(crate) already: Option<ScheduleRefusal>,
}

impl Noted {
    pub(crate) fn answer(&self) -> ScheduleNoted {
        ScheduleNoted {
            schedule: self.schedule.0,
            test: self.test.map(|test| test.0),
            revision: self.revision,
            changed: self.already.is_none(),
        }
    }
}

/// A slot or DUT as clients name it.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    Slot(SlotRef),
    Dut(u64),
}

/// A schedule that this person may see and change.
///
/// # Errors
/// `not_found`, also when it is there and somebody else's.
pub(crate) fn visible<'a>(farm: &'a Farm, person: &Person, id: ScheduleId) -> ApiResult<ScheduleView<'a>> {
    let found = farm.schedule(id).filter(|found| person.may_see(found.owner));
    found.ok_or_else(|| ApiError::not_found(format!("schedule {id}")))
}

/// Looks at a schedule that this person may see.
///
/// # Errors
/// `not_found`.
pub(crate) async fn look<T: Send + 'static>(
    app: &Shared,
    person: &Person,
    id: ScheduleId,
    look: impl FnOnce(&View<'_>, &ScheduleView<'_>) -> T + Send + 'static,
) -> ApiResult<T> {
    let person = person.clone();
    app.farm.read(move |view| visible(view.farm, &person, id).map(|found| look(view, &found))).await?
}

/// Whose schedules are meant; nobody named: one's own.
///
/// # Errors
/// `forbidden` for another's, whether or not there is such a user; `invalid` for what is no name.
pub(crate) fn owner(person: &Person, named: &str) -> ApiResult<UserName> {
    if named.is_empty() || named == person.user.as_str() {
        return Ok(person.user.clone());
    }
    let owner = UserName::new(named).map_err(|error| ApiError::new(&codes::INVALID, error.to_string()))?;
    if person.may_see(&owner) || person.act_as {
        return Ok(owner);
    }
    let detail = format!("schedules of {owner} are for {owner} and for administrators, you are {}", person.user);
    Err(ApiError::new(&codes::FORBIDDEN, detail))
}

/// The schedule of a name.
///
/// # Errors
/// `not_found`, `forbidden`.
pub(crate) async fn named(app: &Shared, person: &Person, name: &str, user: &str) -> ApiResult<ScheduleId> {
    let (owner, name) = (owner(person, user)?, name.to_owned());
    let found = app.farm.read(move |view| {
        let found = view.farm.schedule_named(&owner, &name);
        found.ok_or_else(|| ApiError::not_found(format!("schedule {:?} of {owner}", cut(&name))))
    });
    found.await?
}

/// `createSchedule`.
///
/// # Errors
/// What is wrong with the request, `name_taken`, `schedule_full`.
pub(crate) async fn create(app: &Shared, person: &Person, request: &ScheduleRequest) -> ApiResult<Noted> {
    let name = schedule_name(&request.name)?;
    let Checked { timing, zone } = timing::check(&request.timing, "/timing")?;
    let (at_end, former) = (request.at_window_end.as_deref(), request.while_former_runs.as_deref());
    let settings = timing::settings(ScheduleSettings::default(), at_end, former)?;
    let policy_parameters = parameters::checked(app, &request.parameters)?;
    let (zone, rules) = in_zone(app, zone.unwrap_or_else(|| app.zone.name.clone()), "/timing").await?;
    load_areas(app, &person.user).await?;
    let owner = person.user.clone();
    let new = NewSchedule { owner, name, zone, timing, settings, policy_parameters };
    done(command(app, person, rules, ScheduleCommand::Create(new)).await?).map_err(|error| match error.problem().code {
        ref code if code == codes::NAME_TAKEN.name => error.at("/name"),
        _ => error,
    })
}

fn schedule_name(text: &str) -> ApiResult<ScheduleName> {
    ScheduleName::new(text).map_err(|error| ApiError::new(&codes::INVALID, error.to_string()).at("/name"))
}

async fn in_zone(app: &Shared, zone: ZoneName, at: &str) -> ApiResult<(ZoneName, Option<Event>)> {
    zones::ready(app, zone).await.map_err(|error| error.at(format!("{at}/time_zone")))
}

/// Runs are pinned from memory, also those that a schedule starts by itself.
async fn load_areas(app: &Shared, owner: &UserName) -> ApiResult<()> {
    app.areas.head(&None).await?;
    app.areas.head(&Some(owner.clone())).await?;
    Ok(())
}

/// `modifySchedule`.
///
/// # Errors
/// As [`create`], and `not_found`.
pub(crate) async fn modify(
    app: &Shared,
    person: &Person,
    schedule: ScheduleId,
    request: &headend_wire::schedules::ScheduleTiming,
) -> ApiResult<Noted> {
    // Strangers learn nothing, not even what is wrong with their request.
    look(app, person, schedule, |_, _| ()).await?;
    let Checked { timing, zone } = timing::check(request, "")?;
    let (zone, rules) = match zone {
        None => (None, None),
        Some(zone) => {
            let (zone, rules) = in_zone(app, zone, "").await?;
            (Some(zone), rules)
        }
    };
    done(command(app, person, rules, ScheduleCommand::Modify { schedule, timing, zone }).await?)
}

/// `renameSchedule`.
///
/// # Errors
/// `not_found`, `invalid`, `name_taken`.
pub(crate) async fn rename(app: &Shared, person: &Person, schedule: ScheduleId, name: &str) -> ApiResult<Noted> {
    look(app, person, schedule, |_, _| ()).await?;
    let name = schedule_name(name)?;
    done(command(app, person, None, ScheduleCommand::Rename { schedule, name }).await?)
}

/// Name, settings and parameters. All is checked first; of what is left, the name may be refused, so it comes first.
///
/// # Errors
/// As [`rename`].
pub(crate) async fn change(app: &Shared, person: &Person, id: ScheduleId, change: &ScheduleChange) -> ApiResult<Noted> {
    let (now, revision) = look(app, person, id, |_, found| (found.settings, found.revision)).await?;
    let settings = timing::settings(now, change.at_window_end.as_deref(), change.while_former_runs.as_deref())?;
    let parameters = match &change.parameters {
        Some(asked) => Some(parameters::merged(app, person, id, asked).await?),
        None => None,
    };
    let mut noted = Noted { schedule: id, test: None, revision, already: None };
    if let Some(name) = &change.name {
        noted = rename(app, person, id, name).await.map_err(|error| error.at("/name"))?;
    }
    if settings != now {
        let configure = ScheduleCommand::Configure { schedule: id, settings };
        noted = done(command(app, person, None, configure).await?)?;
    }
    if let Some(parameters) = parameters {
        let set = ScheduleCommand::SetParameters { schedule: id, parameters };
        noted = done(command(app, person, None, set).await?)?;
    }
    Ok(noted)
}

/// `deleteSchedule`.
///
/// # Errors
/// `not_found`.
pub(crate) async fn delete(app: &Shared, person: &Person, schedule: ScheduleId) -> ApiResult<Noted> {
    look(app, person, schedule, |_, _| ()).await?;
    done(command(app, person, None, ScheduleCommand::Delete { schedule }).await?)
}

/// `addSlotToSchedule`, `addStbToSchedule`. One that is there already is no error.
///
/// # Errors
/// `not_found`, `unknown_rack`, `unknown_slot`, `unknown_dut`, `schedule_full`.
pub(crate) async fn add_target(app: &Shared, person: &Person, schedule: ScheduleId, named: Named) -> ApiResult<Noted> {
    let target = target(app, person, schedule, named).await?;
    with_target(app, person, schedule, ScheduleCommand::AddTarget { schedule, target }).await
}

/// `removeSlotFromSchedule`, `removeStbFromSchedule`. One that is not there is no error.
///
/// # Errors
/// As [`add_target`].
pub(crate) async fn remove_target(
    app: &Shared,
    person: &Person,
    schedule: ScheduleId,
    named: Named,
) -> ApiResult<Noted> {
    let target = target(app, person, schedule, named).await?;
    with_target(app, person, schedule, ScheduleCommand::RemoveTarget { schedule, target }).await
}

async fn target(app: &Shared, person: &Person, schedule: ScheduleId, named: Named) -> ApiResult<Target> {
    let found = look(app, person, schedule, move |view, found| match named {
        Named::Slot(slot) => names::slot(view.farm, &slot).map(Target::Slot),
        // A DUT that has left the lab may still be on the schedule, and can be taken off.
        Named::Dut(dut) => {
            let on_it = view.farm.schedule_targets(found.schedule).unwrap_or_default();
            let gone = Target::Dut(headend_model::DutId(dut));
            if on_it.contains(&gone) { Ok(gone) } else { names::dut(view.farm, dut).map(Target::Dut) }
        }
    });
    found.await?
}

async fn with_target(app: &Shared, person: &Person, id: ScheduleId, what: ScheduleCommand) -> ApiResult<Noted> {
    match command(app, person, None, what).await? {
        Err(already @ (ScheduleRefusal::AlreadyThere(_) | ScheduleRefusal::NotThere(_))) => {
            let revision = look(app, person, id, |_, found| found.revision).await?;
            Ok(Noted { schedule: id, test: None, revision, already: Some(already) })
        }
        other => done(other),
    }
}

/// Hands a command to the farm, after the rules of a zone that it needs.
async fn command(
    app: &Shared,
    person: &Person,
    rules: Option<Event>,
    command: ScheduleCommand,
) -> ApiResult<Result<Noted, ScheduleRefusal>> {
    let command = Event::Schedule { by: person.user.clone(), command: Box::new(command) };
    let events: Vec<Event> = rules.into_iter().chain([command]).collect();
    let answered = app.farm.apply(events, |stepped, _| answer(&stepped)).await?;
    answered.ok_or_else(|| ApiError::new(&codes::INTERNAL, "the scheduler gave no answer to the command"))
}

/// What the farm says to the last event.
fn answer(stepped: &[Vec<Action>]) -> Option<Result<Noted, ScheduleRefusal>> {
    stepped.last()?.iter().find_map(|action| {
        let Action::Schedule(said) = action else { return None };
        match &**said {
            ScheduleAction::Noted { schedule, test, revision } => {
                Some(Ok(Noted { schedule: *schedule, test: *test, revision: *revision, already: None }))
            }
            ScheduleAction::Refused(refusal) => Some(Err(refusal.clone())),
            _ => None,
        }
    })
}

fn done(said: Result<Noted, ScheduleRefusal>) -> ApiResult<Noted> {
    said.map_err(|refusal| refusal::error(&refusal))
}
