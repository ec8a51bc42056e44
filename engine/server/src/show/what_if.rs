//! Why not there, what would help, and when: in words.

use headend_model::{JobId, JobSpec, RunId, SlotId, Span, TestIx, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::farm::{Change, SmallestChange, WhyNot, WhyNotAnswer};
use headend_scheduler::history::ScriptName;
use headend_scheduler::view::WaitReason;
use headend_whatif::{Estimate, Forecast, Unknown};
use headend_wire::whatif;

use super::{jobs, rack_text, slot_text, why};
use crate::clock::rfc3339;

/// Why a run does not run on a slot.
pub(crate) fn why_not(
    farm: &Farm,
    now: Timestamp,
    run: u64,
    slot: SlotId,
    found: &WhyNotAnswer,
) -> whatif::WhyNotAnswer {
    let view = farm.job(found.job);
    let spec = view.as_ref().map(|view| view.spec);
    let (code, reason) = words(farm, spec, &found.why);
    let (ahead, ahead_in_all) = match &found.why {
        WhyNot::Waits { ahead, ahead_in_all, .. } => (ahead.iter().map(|job| job.0).collect(), *ahead_in_all),
        _ => (Vec::new(), 0),
    };
    whatif::WhyNotAnswer {
        run,
        job: found.job.0,
        script: spec.map(|spec| script(spec, found.test)).unwrap_or_default(),
        slot: slot_text(farm, slot),
        code: code.to_owned(),
        reason,
        until: until(farm, now, &found.why).map(rfc3339),
        ahead,
        ahead_in_all,
    }
}

fn script(spec: &JobSpec, test: TestIx) -> String {
    spec.tests.get(test.0 as usize).map(jobs::script_of).unwrap_or_default()
}

fn words(farm: &Farm, spec: Option<&JobSpec>, why: &WhyNot) -> (&'static str, String) {
    match why {
        WhyNot::RunsHere { since } => ("runs_here", format!("it runs there since {}", rfc3339(*since))),
        WhyNot::RunsElsewhere { on, since } => {
            let on = on.iter().map(|slot| slot_text(farm, *slot)).collect::<Vec<_>>().join(", ");
            ("runs_elsewhere", format!("it runs on {on} since {}; a run runs once", rfc3339(*since)))
        }
        WhyNot::Over { job } => ("over", format!("it has ended; its job is {job}")),
        WhyNot::Stopping => ("stopping", "its job is being stopped: what has not started never will".to_owned()),
        WhyNot::NotATarget => ("not_a_target", "the job asked for other slots or DUTs".to_owned()),
        WhyNot::GivenUp => {
            ("given_up", "the job has given the slot up: its rack or DUT was away for longer than it waits".to_owned())
        }
        WhyNot::AlreadyThere { run: Some(run) } => {
            ("already_there", format!("run {run} of the same test runs there; each target gets a test once"))
        }
        WhyNot::AlreadyThere { run: None } => {
            ("already_there", "another run of the same test has run there; each target gets a test once".to_owned())
        }
        WhyNot::Waits { reason, .. } => spec.map_or(("waits", String::new()), |spec| why::words(farm, spec, reason)),
    }
}

/// When what stands in the way is over, as far as anybody can tell.
fn until(farm: &Farm, now: Timestamp, why: &WhyNot) -> Option<Timestamp> {
    let WhyNot::Waits { reason, .. } = why else { return None };
    match reason {
        WaitReason::SlotHeld { run, job } | WaitReason::DutHeld { run, job } => run_ends(farm, now, *job, *run),
        WaitReason::Reserved(view) => (!view.over).then_some(view.until),
        WaitReason::GangHold { until, .. } | WaitReason::Cooling { until } => Some(*until),
        WaitReason::CpuGate { next_try, .. } => Some(*next_try),
        WaitReason::WindowClosed { next, .. } => *next,
        _ => None,
    }
}

/// When a run ends, if it takes as long as its script did before.
pub(crate) fn run_ends(farm: &Farm, now: Timestamp, job: JobId, run: RunId) -> Option<Timestamp> {
    let view = farm.job(job)?;
    let held = view.running.iter().find(|held| held.lease.run == run)?;
    let test = view.spec.tests.get(held.test.0 as usize)?;
    let owner = (!test.public).then_some(&view.spec.owner);
    let past = farm.history().script(ScriptName { owner, path: &test.script })?;
    [past.p50, past.p90].into_iter().map(|took| held.leased + took).find(|at| *at > now)
}

/// The smallest change.
pub(crate) fn change(farm: &Farm, job: u64, found: &SmallestChange) -> whatif::ChangeAnswer {
    let answer = |code: &str, text: String, tried, left_out| whatif::ChangeAnswer {
        job,
        code: code.to_owned(),
        text,
        starts_on: Vec::new(),
        tried,
        left_out,
    };
    match found {
        SmallestChange::NothingWaits => answer("nothing_waits", "nothing of it waits".to_owned(), 0, 0),
        SmallestChange::NoneNeeded => {
            answer("none_needed", "none is needed: it starts within moments".to_owned(), 0, 0)
        }
        SmallestChange::Found { change, starts_on, tried } => {
            let (code, text) = change_words(farm, change);
            let starts_on = starts_on.iter().map(|slot| slot_text(farm, *slot)).collect();
            whatif::ChangeAnswer { starts_on, ..answer(code, text, *tried, 0) }
        }
        SmallestChange::NoSingleChange { tried, left_out } => {
            let text = match left_out {
                0 => format!("no single change would do ({tried} were tried)"),
                left_out => {
                    format!("no single change of the {tried} that were tried would do; {left_out} were left out")
                }
            };
            answer("no_single_change", text, *tried, *left_out)
        }
    }
}

fn change_words(farm: &Farm, change: &Change) -> (&'static str, String) {
    let slot = |slot: &SlotId| slot_text(farm, *slot);
    match change {
        Change::AllowSlot(on) => ("allow_slot", format!("allow slot {} too", slot(on))),
        Change::RaisePriority { from, to } => {
            ("raise_priority", format!("raise its priority from {} to {}", from.0, to.0))
        }
        Change::OpenWindow(schedule) => ("open_window", format!("open the window of schedule {schedule}")),
        Change::Undrain(rack) => ("undrain", format!("let {} take new runs again", rack_text(farm, *rack))),
        Change::ClearQuarantine(on) => {
            ("clear_quarantine", format!("look at slot {} and clear its quarantine", slot(on)))
        }
        Change::Relieve(rack) => {
            ("relieve_rack", format!("let {} be less busy, or mend what it refuses runs for", rack_text(farm, *rack)))
        }
        Change::Connect(rack) => ("connect_rack", format!("connect {}", rack_text(farm, *rack))),
        Change::PlaceDut { dut, slot: on } => ("place_dut", format!("put DUT {dut} into slot {}", slot(on))),
        Change::FreeSlot { slot: on, run, job } => {
            ("free_slot", format!("free slot {}: run {run} of job {job} drives it", slot(on)))
        }
    }
}

/// When a job will start and end.
pub(crate) fn eta(job: u64, status: String, now: Timestamp, found: &Forecast) -> whatif::EtaAnswer {
    let time = |at: &Estimate| whatif::EtaTime { p50: rfc3339(at.p50), p90: rfc3339(at.p90) };
    whatif::EtaAnswer {
        job,
        status_text: status,
        now: rfc3339(now),
        samples: found.samples,
        start: found.start.as_ref().map(time),
        end: found.end.as_ref().map(time),
        open: found.open,
        unknown: found.unknown.iter().map(unknown).collect(),
    }
}

fn unknown(what: &Unknown) -> String {
    let long = |span: &Span| span.to_string();
    match what {
        Unknown::NoHistory { script, taken } => {
            format!("{script} has no past runs; it was taken to need {}", long(taken))
        }
        Unknown::OthersWithoutHistory(tests) => {
            format!("{tests} tests of other users have no past runs; each run was taken to need 5 min")
        }
        Unknown::Overdue(run) => format!("run {run} has taken longer than its script ever did"),
        Unknown::RackAway(rack) => format!("{rack} is not heard of; it was taken to stay away"),
        Unknown::RackClosed(rack) => format!("{rack} takes no new runs; it was taken to stay so"),
        Unknown::PolicyNotAsked(policy) => format!("policy {policy} was not asked; DUT coverage stood in for it"),
        Unknown::QueueNotAsked(policy) => {
            format!(
                "queue policy {policy} was not asked; its ranks held until others were due, then priority-fifo stood in for it"
            )
        }
        Unknown::FutureJobs => "jobs that are handed in from now on are not known".to_owned(),
    }
}
