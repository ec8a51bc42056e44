//! A plan as people write it becomes a plan that can be played.

use std::collections::BTreeMap;

use headend_model::{DutId, Mode, PolicyName, Priority, RackName, SlotNo, Span, Timestamp, TreePath, UserName};
use headend_whatif::{JobPlan, Lasts, Place, Plan, RackPlan, SlotPlan, TestPlan};
use headend_wire::api::ModeRef;
use headend_wire::whatif::{JobDoc, LastsDoc, PlanDoc, RackDoc, TestDoc};

use crate::failure::{Failure, Result};

/// DUTs that a plan does not name get numbers from here on, so many per rack.
const OWN_DUTS: u64 = 1_000_000_000;
const DUTS_PER_RACK: u64 = 100_000;
/// Most jobs of a plan, counted out.
const MOST_JOBS: usize = 1_000_000;
/// What a run takes of which nothing is known, in seconds.
const OTHERWISE: f64 = 60.0;
/// Longest time that is taken, in seconds: ten years.
const LONGEST: f64 = 315_360_000.0;

/// Reads a plan.
///
/// # Errors
/// What is wrong, where, and what would help.
pub(super) fn read(doc: &PlanDoc) -> Result<Plan> {
    let racks: Vec<RackPlan> = doc.racks.iter().enumerate().map(rack).collect::<Result<_>>()?;
    let start = start(doc)?;
    let mut plan =
        Plan { seed: doc.seed, otherwise: span(doc.otherwise.unwrap_or(OTHERWISE), "otherwise")?, ..Plan::default() };
    if let Some(step) = doc.ageing_step {
        plan.config.ageing_step = Some(span(step, "ageing_step")?).filter(|step| *step > Span::ZERO);
    }
    for (script, past) in &doc.history {
        plan.history.insert(script.clone(), spans(past, &format!("history of {script}"))?);
    }
    for (at, job) in doc.jobs.iter().enumerate() {
        let place = format!("job {} ({:?})", at + 1, job.name);
        jobs(&place, job, &racks, start, &mut plan.jobs)?;
    }
    plan.jobs.sort_by_key(|job| job.arrives);
    plan.racks = racks;
    Ok(plan)
}

fn fault(place: &str, what: &str) -> Failure {
    Failure::usage(format!("{place}: {what}")).help("see `headend simulate --help` for what a plan looks like")
}

fn start(doc: &PlanDoc) -> Result<Timestamp> {
    let Some(text) = &doc.start else { return Ok(Timestamp::EPOCH) };
    let at = text.parse::<jiff::Timestamp>();
    at.map(|at| Timestamp::from_micros(at.as_microsecond()))
        .map_err(|_| fault("start", "write it like 2026-03-01T18:00:00Z"))
}

fn span(seconds: f64, place: &str) -> Result<Span> {
    if (0.0..=LONGEST).contains(&seconds) {
        return Ok(Span::micros((seconds * 1e6).round() as i64));
    }
    Err(fault(place, &format!("{seconds} is no number of seconds from 0 to ten years")))
}

fn spans(seconds: &[f64], place: &str) -> Result<Vec<Span>> {
    seconds.iter().map(|seconds| span(*seconds, place)).collect()
}

fn rack((at, doc): (usize, &RackDoc)) -> Result<RackPlan> {
    let place = format!("rack {} ({:?})", at + 1, doc.name);
    let name = RackName::new(doc.name.clone()).map_err(|error| fault(&place, &error.to_string()))?;
    let own = |no: u16| DutId(OWN_DUTS + at as u64 * DUTS_PER_RACK + u64::from(no));
    let counted = (1..=doc.slots.unwrap_or(0)).map(|no| SlotPlan { no: SlotNo(no), dut: Some(own(no)) });
    let listed = doc.list.iter().map(|slot| SlotPlan { no: SlotNo(slot.no), dut: slot.dut.map(DutId) });
    let slots: Vec<SlotPlan> = counted.chain(listed).collect();
    if slots.is_empty() {
        return Err(fault(&place, "it has no slots; give slots = 4, or a [[rack.slot]] each"));
    }
    Ok(RackPlan { name, slots })
}

fn jobs(place: &str, doc: &JobDoc, racks: &[RackPlan], start: Timestamp, to: &mut Vec<JobPlan>) -> Result<()> {
    let priority = doc.priority.unwrap_or(Priority::default().0);
    if !(1..=9).contains(&priority) {
        return Err(fault(place, &format!("priority {priority}; 1 is first, 9 is last")));
    }
    let first = JobPlan {
        name: doc.name.clone(),
        owner: UserName::new(doc.owner.clone()).map_err(|error| fault(place, &error.to_string()))?,
        priority: Priority(priority),
        arrives: start + span(doc.at, place)?,
        targets: targets(place, doc, racks)?,
        tests: doc.tests.iter().map(|doc| test(place, doc)).collect::<Result<_>>()?,
        parameters: parameters(place, doc)?,
    };
    let (count, every) = (doc.count.unwrap_or(1), span(doc.every.unwrap_or(0.0), place)?);
    if to.len() + count as usize > MOST_JOBS {
        return Err(fault(place, &format!("more than {MOST_JOBS} jobs")));
    }
    to.extend((0..count).map(|at| JobPlan { arrives: first.arrives + every.times(i64::from(at)), ..first.clone() }));
    Ok(())
}

fn parameters(place: &str, doc: &JobDoc) -> Result<BTreeMap<PolicyName, String>> {
    let read = |(name, text): (&String, &String)| {
        let name = PolicyName::new(name.clone()).map_err(|error| fault(place, &error.to_string()))?;
        Ok((name, text.clone()))
    };
    doc.policy_parameters.iter().map(read).collect()
}

fn targets(place: &str, doc: &JobDoc, racks: &[RackPlan]) -> Result<Vec<Place>> {
    let mut all = Vec::new();
    for text in &doc.on {
        named(place, text, racks, &mut all)?;
    }
    for slot in &doc.slots {
        let rack = RackName::new(slot.rack.clone()).map_err(|error| fault(place, &error.to_string()))?;
        all.push(Place::Slot(rack, SlotNo(slot.slot)));
    }
    all.extend(doc.duts.iter().map(|dut| Place::Dut(DutId(*dut))));
    if all.is_empty() {
        return Err(fault(place, "it has no slots and no DUTs; give on = [\"*\"], slots or duts"));
    }
    Ok(all)
}

fn named(place: &str, text: &str, racks: &[RackPlan], to: &mut Vec<Place>) -> Result<()> {
    let (rack, slot) = text.split_once('/').unwrap_or((text, "*"));
    let before = to.len();
    for known in racks.iter().filter(|known| rack == "*" || known.name.as_str() == rack) {
        let slots = known.slots.iter().filter(|known| slot == "*" || known.no.0.to_string() == slot);
        to.extend(slots.map(|slot| Place::Slot(known.name.clone(), slot.no)));
    }
    if to.len() > before { Ok(()) } else { Err(fault(place, &format!("no slot of the plan is {text:?}"))) }
}

fn test(place: &str, doc: &TestDoc) -> Result<TestPlan> {
    let place = format!("{place}, test {:?}", doc.script);
    let mode = match &doc.mode {
        ModeRef::Number(0) => Mode::SingleProcess,
        ModeRef::Number(1) => Mode::DutCoverage,
        ModeRef::Number(2) => Mode::TestCoverage,
        ModeRef::Number(other) => return Err(fault(&place, &format!("mode {other}; use 0, 1, 2 or a policy"))),
        ModeRef::Name(name) => {
            Mode::Policy(PolicyName::new(name.clone()).map_err(|error| fault(&place, &error.to_string()))?)
        }
    };
    if doc.fails_percent > 100 {
        return Err(fault(&place, "fails_percent is more than 100"));
    }
    Ok(TestPlan {
        script: TreePath::parse(&doc.script).map_err(|error| fault(&place, &error.to_string()))?,
        mode,
        slots_needed: doc.slots_needed.unwrap_or(1),
        lasts: lasts(&place, &doc.lasts)?,
        fails_percent: doc.fails_percent,
    })
}

fn lasts(place: &str, doc: &LastsDoc) -> Result<Lasts> {
    let ordered = |low: f64, high: f64| {
        let (low, high) = (span(low, place)?, span(high, place)?);
        if low <= high { Ok((low, high)) } else { Err(fault(place, "the first length is longer than the second")) }
    };
    Ok(match doc {
        LastsDoc::Fixed(seconds) => Lasts::Fixed(span(*seconds, place)?),
        LastsDoc::History(word) if word == "history" => Lasts::History,
        LastsDoc::History(word) => {
            return Err(fault(place, &format!("{word:?} is no length; \"history\" is the only word")));
        }
        LastsDoc::Uniform { uniform: (low, high) } => {
            let (low, high) = ordered(*low, *high)?;
            Lasts::Uniform(low, high)
        }
        LastsDoc::Quantiles { p50, p90 } => {
            let (p50, p90) = ordered(*p50, *p90)?;
            Lasts::Quantiles { p50, p90 }
        }
        LastsDoc::Samples { samples } if samples.is_empty() => return Err(fault(place, "no samples")),
        LastsDoc::Samples { samples } => Lasts::Samples(spans(samples, place)?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn plan(text: &str) -> std::result::Result<Plan, String> {
        read(&toml::from_str(text).map_err(|error| error.to_string())?).map_err(|failure| failure.to_string())
    }

    const LAB: &str =
        "[[rack]]\nname = \"rack1\"\nslots = 3\n[[rack]]\nname = \"rack2\"\nslot = [{ no = 7, dut = 9 }]\n";

    fn job(more: &str) -> String {
        format!("{LAB}[[job]]\nname = \"n\"\nowner = \"anna\"\n{more}\n[[job.test]]\nscript = \"a.rhai\"\n")
    }

    #[test]
    fn slots_by_name_and_jobs_in_a_row() {
        let plan = plan(&job("on = [\"rack1/*\", \"rack2/7\"]\ncount = 3\nevery = 10")).unwrap();
        assert_eq!((plan.slots(), plan.jobs.len()), (4, 3));
        assert_eq!(plan.jobs[2].arrives, Timestamp::EPOCH + Span::seconds(20));
        assert_eq!(plan.jobs[0].targets.len(), 4);
        assert_eq!(plan.racks[1].slots[0].dut, Some(DutId(9)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            (job("on = [\"rack3/1\"]"), "job 1 (\"n\"): no slot of the plan is \"rack3/1\""),
            (job("on = [\"*\"]\npriority = 12"), "job 1 (\"n\"): priority 12"),
            (job(""), "it has no slots and no DUTs"),
            (job("on = [\"*\"]") + "lasts = { p50 = 3, p90 = 2 }", "the first length is longer"),
            (job("on = [\"*\"]") + "lasts = -1", "no number of seconds"),
            (job("on = [\"*\"]") + "lasts = \"long\"", "\"history\" is the only word"),
            ("[[rack]]\nname = \"r\"".to_owned(), "it has no slots"),
            ("wrong = 1".to_owned(), "unknown field"),
        ] {
            let found = plan(&text).unwrap_err();
            assert!(found.contains(said), "{found}");
        }
    }
}
