//! Queue policies in Rhai: `fn rank(job)` or `fn rank(job, parameters)`, and the same with `slot_rank`, if slots are not all alike to it.
//! A script that defines `fn build(parameters)` may throw there, to turn parameters down.

use headend_model::Timestamp;
use headend_scheduler::action::{RankedJob, RankedSlot};
use rhai::{Dynamic, INT, Map};
use serde::{Deserialize, Serialize};

use super::protocol::{Answer, Entry, Request};
use super::{Inner, RhaiPolicy, lock, said};
use crate::manifest::Kind;
use crate::policy::PolicyFault;

/// A question to a queue policy.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Of {
    /// Just built: does it take the parameters?
    Nothing,
    Jobs(Vec<RankedJob>),
    Slots(Vec<RankedSlot>),
}

impl Of {
    const fn call(&self) -> &'static str {
        match self {
            Self::Nothing => "build",
            Self::Jobs(_) => "rank",
            Self::Slots(_) => "slot_rank",
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Jobs(jobs) => jobs.len(),
            Self::Slots(slots) => slots.len(),
        }
    }
}

/// A queue policy at work. The child keeps nothing of it.
pub(crate) struct RhaiQueue {
    policy: std::sync::Arc<Inner>,
    /// JSON text of an object.
    parameters: String,
}

impl RhaiPolicy {
    /// An instance for all jobs.
    pub(in crate::policy) fn queue(&self, parameters: String) -> Result<RhaiQueue, PolicyFault> {
        if self.0.entry != Entry::Queue {
            return Err(self.0.wrong_kind(Kind::CoveragePolicy, Kind::QueuePolicy));
        }
        self.0.resting.store(false, std::sync::atomic::Ordering::SeqCst);
        let queue = RhaiQueue { policy: std::sync::Arc::clone(&self.0), parameters };
        queue.ask(Of::Nothing)?;
        Ok(queue)
    }
}

impl RhaiQueue {
    pub(in crate::policy) fn rank(&self, jobs: &[RankedJob]) -> Result<Vec<i64>, PolicyFault> {
        self.ask(Of::Jobs(jobs.to_vec()))
    }

    pub(in crate::policy) fn rank_slots(&self, slots: &[RankedSlot]) -> Result<Vec<i64>, PolicyFault> {
        self.ask(Of::Slots(slots.to_vec()))
    }

    fn ask(&self, of: Of) -> Result<Vec<i64>, PolicyFault> {
        let (call, asked) = (of.call(), of.len());
        let inner = &self.policy;
        let request = Request::Rank { parameters: self.parameters.clone(), of };
        let mut child = lock(&inner.child);
        let answer = inner.ask(&mut child, request, call, 1);
        inner.settle(&mut child);
        drop(child);
        match answer? {
            Answer::Ranks(ranks) if ranks.len() == asked => Ok(ranks),
            other => Err(inner.failed(call, said(other))),
        }
    }
}

/// The child's side. `call` runs a function of the script; `defines` says whether it has one of this name and so many parameters.
pub(super) fn answer(
    parameters: &str,
    of: &Of,
    defines: impl Fn(&str, usize) -> bool,
    call: impl Fn(&str, Vec<Dynamic>) -> Result<Dynamic, String>,
) -> Result<Answer, String> {
    let name = of.call();
    let parameters = parameters_of(parameters)?;
    let with = defines(name, 2);
    let rank = |about: Map| {
        let about = Dynamic::from_map(about);
        let args = if with { vec![about, parameters.clone()] } else { vec![about] };
        let rank = call(name, args)?;
        rank.as_int().map_err(|is| format!("`{name}` answered with {is}, not with a whole number"))
    };
    let ranks: Result<Vec<INT>, String> = match of {
        Of::Nothing if defines(name, 1) => match call(name, vec![parameters.clone()]) {
            Ok(_answer) => Ok(Vec::new()),
            Err(what) => return Ok(Answer::Declined(what)),
        },
        Of::Nothing => Ok(Vec::new()),
        Of::Jobs(jobs) => jobs.iter().map(|job| rank(job_map(job))).collect(),
        Of::Slots(slots) if with || defines(name, 1) => slots.iter().map(|slot| rank(slot_map(slot))).collect(),
        Of::Slots(slots) => Ok(vec![0; slots.len()]),
    };
    ranks.map(Answer::Ranks)
}

fn parameters_of(text: &str) -> Result<Dynamic, String> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("its parameters are no JSON: {error}"))?;
    rhai::serde::to_dynamic(value).map_err(|error| error.to_string())
}

fn whole(number: u64) -> Dynamic {
    Dynamic::from_int(INT::try_from(number).unwrap_or(INT::MAX))
}

fn time(at: Timestamp) -> Dynamic {
    Dynamic::from_int(at.micros())
}

/// A job as a script sees it (told in `plugins/policies/fair-share/README.md`).
fn job_map(job: &RankedJob) -> Map {
    Map::from([
        ("id".into(), whole(job.job.0)),
        ("owner".into(), job.owner.to_string().into()),
        ("priority".into(), whole(job.priority.0.into())),
        ("accepted".into(), time(job.accepted)),
        ("running".into(), whole(job.usage.running.into())),
        ("device_ms".into(), whole(job.usage.device_ms)),
        ("open_jobs".into(), whole(job.usage.open_jobs.into())),
    ])
}

/// A slot as a script sees it (told in `plugins/policies/least-worn/README.md`).
fn slot_map(slot: &RankedSlot) -> Map {
    Map::from([
        ("slot".into(), whole(slot.slot.0.into())),
        ("rack".into(), slot.rack.to_string().into()),
        ("no".into(), whole(slot.no.0.into())),
        ("dut".into(), slot.dut.map_or(Dynamic::UNIT, |dut| whole(dut.0))),
        ("starts".into(), whole(slot.starts)),
        ("device_ms".into(), whole(slot.device_ms)),
        ("last_used".into(), slot.last_used.map_or(Dynamic::UNIT, time)),
    ])
}
