//! The load of a period, as a plan that can be played again: which jobs came when, and how long their runs took.

use std::collections::BTreeMap;

use headend_model::{JobSpec, Mode, Outcome, RunId, SlotId, Span, Target, TestIx, Timestamp};
use headend_scheduler::Farm;
use headend_store::{JobQuery, JobRow, RunRow, Store, StoreError};
use headend_wire::api::{ModeRef, SlotRef};
use headend_wire::whatif::{JobDoc, LastsDoc, PlanDoc, RackDoc, SlotDoc, TestDoc};

use crate::clock::rfc3339;

/// Most jobs of a period.
pub const MOST_JOBS: usize = 50_000;
/// Rows of one look into the store.
const PAGE: u32 = 1_000;
/// Past durations that are given per script.
const MOST_SAMPLES: usize = 200;

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store does not give it.
    #[error("the jobs of the period cannot be read")]
    Store(#[from] StoreError),
    /// Too much to be one plan.
    #[error("the period has more than {MOST_JOBS} jobs; take a shorter one")]
    TooMany,
}

/// The lab as it is now: a past one is not kept.
#[derive(Clone, Debug, Default)]
pub struct LabNow {
    racks: Vec<RackDoc>,
    places: BTreeMap<SlotId, SlotRef>,
    ageing_step: Option<Span>,
}

impl LabNow {
    /// As the farm knows it.
    pub fn of(farm: &Farm) -> Self {
        let inventory = farm.inventory();
        let name = |rack| inventory.racks.get(rack).map(ToString::to_string).unwrap_or_default();
        let places = inventory.slots.iter().map(|(slot, place)| {
            let named = SlotRef { rack: name(&place.rack), slot: place.no.0 };
            (*slot, named)
        });
        let racks = inventory.racks.iter().map(|(rack, name)| {
            let slots = inventory.slots.iter().filter(|(_, place)| place.rack == *rack);
            let slot = |(slot, place): (&SlotId, &headend_model::inventory::SlotPlace)| SlotDoc {
                no: place.no.0,
                dut: inventory.dut_in(*slot).map(|dut| dut.0),
            };
            RackDoc { name: name.to_string(), slots: None, list: slots.map(slot).collect() }
        });
        Self { racks: racks.collect(), places: places.collect(), ageing_step: farm.config().ageing_step }
    }
}

/// The jobs that were accepted in a period, on the lab as it is now.
///
/// # Errors
/// [`LoadError`].
pub async fn load_between(
    store: &Store,
    lab: LabNow,
    (from, to): (Timestamp, Timestamp),
) -> Result<PlanDoc, LoadError> {
    let mut rows = rows_between(store, from, to).await?;
    rows.reverse();
    let mut plan = PlanDoc {
        start: Some(rfc3339(from)),
        ageing_step: Some(lab.ageing_step.map_or(0.0, seconds)),
        ..PlanDoc::default()
    };
    for row in rows {
        let runs = runs_of(store, &row).await?;
        note_history(&mut plan.history, &row.spec, &runs);
        let job = job_doc(&lab.places, &row, &runs, from);
        if !(job.slots.is_empty() && job.duts.is_empty()) {
            plan.jobs.push(job);
        }
    }
    plan.racks = lab.racks;
    Ok(plan)
}

/// Newest first.
async fn rows_between(store: &Store, from: Timestamp, to: Timestamp) -> Result<Vec<JobRow>, LoadError> {
    let mut found = Vec::new();
    let mut query = JobQuery { owner: None, open: false, before: None, limit: PAGE };
    loop {
        let page = store.jobs(&query).await?;
        let Some(last) = page.last() else { return Ok(found) };
        query.before = Some(last.job);
        // Handles rise with the time of acceptance.
        let is_last = last.accepted < from || page.len() < PAGE as usize;
        found.extend(page.into_iter().filter(|row| (from..to).contains(&row.accepted)));
        if found.len() > MOST_JOBS {
            return Err(LoadError::TooMany);
        }
        if is_last {
            return Ok(found);
        }
    }
}

async fn runs_of(store: &Store, row: &JobRow) -> Result<Vec<RunRow>, StoreError> {
    let mut all: Vec<RunRow> = Vec::new();
    let mut after: Option<RunId> = None;
    loop {
        let page = store.runs_of(row.job, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|run| run.run);
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// What a run took, if it ran to a result of its own.
fn took(run: &RunRow) -> Option<f64> {
    let ran = matches!(run.outcome, Outcome::Done { .. });
    run.leased.filter(|_| ran).map(|leased| seconds(run.ended.since(leased)))
}

/// To the millisecond.
fn seconds(span: Span) -> f64 {
    span.as_millis() as f64 / 1e3
}

fn note_history(history: &mut BTreeMap<String, Vec<f64>>, spec: &JobSpec, runs: &[RunRow]) {
    for run in runs {
        let Some((test, took)) = spec.tests.get(run.test.0 as usize).zip(took(run)) else { continue };
        let past = history.entry(test.script.as_str().to_owned()).or_default();
        if past.len() < MOST_SAMPLES {
            past.push(took);
        }
    }
}

fn job_doc(places: &BTreeMap<SlotId, SlotRef>, row: &JobRow, runs: &[RunRow], from: Timestamp) -> JobDoc {
    let spec = &row.spec;
    let slot = |target: &Target| if let Target::Slot(slot) = target { places.get(slot).cloned() } else { None };
    let dut = |target: &Target| if let Target::Dut(dut) = target { Some(dut.0) } else { None };
    let tests = (0_u32..).map(TestIx).zip(&spec.tests);
    JobDoc {
        name: spec.name.clone(),
        owner: spec.owner.to_string(),
        priority: Some(spec.priority.0),
        at: seconds(row.accepted.since(from)),
        slots: spec.targets.iter().filter_map(slot).collect(),
        duts: spec.targets.iter().filter_map(dut).collect(),
        policy_parameters: spec.policy_parameters.iter().map(|(name, text)| (name.to_string(), text.clone())).collect(),
        tests: tests.map(|(at, test)| test_doc(test, runs.iter().filter(|run| run.test == at))).collect(),
        ..JobDoc::default()
    }
}

fn test_doc<'a>(test: &headend_model::TestSpec, runs: impl Iterator<Item = &'a RunRow>) -> TestDoc {
    let (mut samples, mut failed) = (Vec::new(), 0);
    for run in runs {
        if let Some(took) = took(run) {
            samples.push(took);
            failed += usize::from(!run.outcome.is_pass());
        }
    }
    let fails_percent = (failed * 100).checked_div(samples.len()).unwrap_or(0) as u8;
    TestDoc {
        script: test.script.as_str().to_owned(),
        mode: match &test.mode {
            Mode::SingleProcess => ModeRef::Number(0),
            Mode::DutCoverage => ModeRef::Number(1),
            Mode::TestCoverage => ModeRef::Number(2),
            Mode::Policy(name) => ModeRef::Name(name.to_string()),
        },
        slots_needed: Some(test.slots_needed),
        lasts: if samples.is_empty() { LastsDoc::default() } else { LastsDoc::Samples { samples } },
        fails_percent,
    }
}
