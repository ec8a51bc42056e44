//! Why a run started, and why another one waits, in words.

use headend_model::{JobId, JobSpec, Target, TargetIx, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::view::{WaitReason, Waiting};
use headend_store::RunRow;
use headend_wire::api::{WhyAt, WhyStarted, WhyWaiting};

use super::{chosen_by, jobs, rack_text, slot_text};
use crate::clock::rfc3339;

/// What waits, with the reason that binds it at each target.
pub(crate) fn waiting(farm: &Farm, (job, spec): (JobId, &JobSpec), waiting: &[Waiting]) -> Vec<WhyWaiting> {
    waiting.iter().map(|of| one_waiting(farm, (job, spec), of)).collect()
}

fn one_waiting(farm: &Farm, (job, spec): (JobId, &JobSpec), waiting: &Waiting) -> WhyWaiting {
    let at = waiting.at.iter().map(|(target, reason)| {
        let (code, reason) = words(farm, spec, reason);
        WhyAt { target: target_text(farm, spec, *target), code: code.to_owned(), reason }
    });
    WhyWaiting {
        script: spec.tests.get(waiting.test.0 as usize).map(jobs::script_of).unwrap_or_default(),
        runs: waiting.runs,
        next_run: farm.next_run(job, waiting.test).map_or(0, |run| run.0),
        at: at.collect(),
        targets: waiting.targets,
    }
}

fn target_text(farm: &Farm, spec: &JobSpec, target: TargetIx) -> String {
    match spec.targets.get(target.0 as usize) {
        Some(Target::Slot(slot)) => slot_text(farm, *slot),
        Some(Target::Dut(dut)) => format!("DUT {dut}"),
        None => format!("target {}", target.0),
    }
}

/// A start that is over.
pub(crate) fn ended(spec: &JobSpec, run: &RunRow) -> Option<WhyStarted> {
    let why = run.why.as_ref()?;
    let rack = run.rack.as_ref().map(ToString::to_string).unwrap_or_default();
    let places = run.places.iter().map(|place| format!("{rack}/{} (DUT {})", place.slot, place.dut));
    Some(WhyStarted {
        run: run.run.0,
        script: spec.tests.get(run.test.0 as usize).map(jobs::script_of).unwrap_or_default(),
        place: places.collect::<Vec<_>>().join(", "),
        chosen_by: chosen_by(&why.chosen_by),
        reason: reason(&why.test, &why.queue),
        inputs: inputs(why.inputs),
    })
}

/// A start that is under way.
pub(crate) fn running(farm: &Farm, spec: &JobSpec, run: &headend_scheduler::view::RunningView<'_>) -> WhyStarted {
    WhyStarted {
        run: run.lease.run.0,
        script: spec.tests.get(run.test.0 as usize).map(jobs::script_of).unwrap_or_default(),
        place: super::places_text(farm, run.lease),
        chosen_by: chosen_by(&run.why.chosen_by),
        reason: format!("{}{}", reason(&run.why.test, &run.why.queue), not_yet(farm, run)),
        inputs: inputs(run.why.inputs),
    }
}

/// As hex, empty if none was kept.
fn inputs(digest: u64) -> String {
    if digest == 0 { String::new() } else { format!("{digest:016x}") }
}

/// The rack has not taken it, and says why.
fn not_yet(farm: &Farm, run: &headend_scheduler::view::RunningView<'_>) -> String {
    let racks = farm.racks();
    let rack = racks.iter().find(|rack| rack.rack == run.lease.rack && !run.confirmed);
    let refusal = rack.and_then(|rack| Some((rack.name, rack.not_taking?.1)));
    refusal.map(|(name, reason)| format!("; not taken by {name} yet: {reason}")).unwrap_or_default()
}

fn reason(test: &str, queue: &str) -> String {
    [test, queue].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn until(at: Timestamp) -> String {
    rfc3339(at)
}

pub(crate) fn words(farm: &Farm, spec: &JobSpec, reason: &WaitReason) -> (&'static str, String) {
    match reason {
        WaitReason::WindowClosed { schedule, next: Some(next) } => {
            ("window_closed", format!("the window of schedule {schedule} is closed until {}", until(*next)))
        }
        WaitReason::WindowClosed { schedule, next: None } => {
            ("window_closed", format!("the window of schedule {schedule} is closed"))
        }
        WaitReason::NoRack { rack, gives_up } => {
            let rack = rack.map_or_else(|| "its rack".to_owned(), |rack| rack_text(farm, rack));
            ("no_rack", format!("{rack} is not heard of; ends incomplete at {}", until(*gives_up)))
        }
        WaitReason::NoDut { gives_up } => {
            ("no_dut", format!("there is no DUT; ends incomplete at {}", until(*gives_up)))
        }
        WaitReason::SlotHeld { run, job } => ("slot_held", format!("the slot is driven by run {run} of job {job}")),
        WaitReason::DutHeld { run, job } => ("dut_held", format!("the DUT is driven by run {run} of job {job}")),
        WaitReason::Behind { job } => ("behind", format!("job {job} comes first here")),
        WaitReason::GangHold { job, until: at } => {
            ("gang_hold", format!("held for the single-process test of job {job} until {}", until(*at)))
        }
        WaitReason::GangWaits { free, needed } => {
            ("gang_waits", format!("a single-process test starts on all slots at once: {free} of {needed} are free"))
        }
        WaitReason::CpuGate { rack, cpu_percent, since, next_try } => (
            "cpu_gate",
            format!(
                "{} is busy ({cpu_percent} % CPU since {}); next try at {}",
                rack_text(farm, *rack),
                until(*since),
                until(*next_try)
            ),
        ),
        WaitReason::Draining { rack } => ("draining", format!("{} takes no new runs", rack_text(farm, *rack))),
        WaitReason::NotTaking { rack, since, reason } => (
            "rack_not_taking",
            format!("{} takes no new runs since {}: {reason}", rack_text(farm, *rack), until(*since)),
        ),
        WaitReason::Cooling { until: at } => {
            ("cooling", format!("the slot was lost with its rack and is free at {} at the latest", until(*at)))
        }
        WaitReason::Reserved(view) => ("reserved", super::reservations::who(view)),
        WaitReason::Quarantined => {
            ("quarantined", "the slot is in quarantine; an operator has to look at it and clear it".to_owned())
        }
        WaitReason::SlotOut { since, reason } => {
            ("slot_out", format!("the slot is out since {}: {reason}", until(*since)))
        }
        WaitReason::PolicyThinks { policy } => ("policy_thinks", format!("policy {policy} is being asked")),
        WaitReason::CoverageOrder { first } => {
            let script = spec.tests.get(first.0 as usize).map(jobs::script_of).unwrap_or_default();
            ("coverage_order", format!("{script} comes first here by the coverage rule"))
        }
        WaitReason::PolicyDeferred { policy } => {
            ("policy_deferred", format!("policy {policy} wanted nothing here in the last round"))
        }
        WaitReason::AboutToStart => ("about_to_start", "it starts within moments".to_owned()),
    }
}
