//! Queue policies: which job gets a free slot first, and which free slot a job gets first.

use headend_model::{DutId, JobId, Priority, RackName, SlotId, SlotNo, Timestamp, UserName};
use headend_scheduler::action::{OwnerUsage, RankedJob, RankedSlot};

use super::fault::PolicyFault;
use super::scripted::RhaiQueue;
use super::version::{Code, Counted, Version, no_policy};
use super::wasm::WasmQueue;

/// A queue policy at work. As [`PolicyInstance`](super::PolicyInstance), for all jobs and slots.
pub trait QueueInstance: Send {
    /// The rank of each job, in their order: smaller ones get slots first.
    ///
    /// # Errors
    /// As [`PolicyInstance::propose`](super::PolicyInstance::propose), and when it gives more or fewer ranks than asked for.
    fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, PolicyFault>;

    /// The rank of each slot, in their order: of several free ones a job gets those with smaller ranks first. All are alike to a
    /// policy of the first contract.
    ///
    /// # Errors
    /// As [`QueueInstance::rank`].
    fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, PolicyFault>;

    /// As [`PolicyInstance::plugin_version`](super::PolicyInstance::plugin_version).
    fn plugin_version(&self) -> &str;
}

/// A queue policy in either language.
pub(super) enum AnyQueue {
    Wasm(WasmQueue),
    Rhai(RhaiQueue),
}

impl Version {
    /// An instance for all jobs, with the parameters that are set.
    pub(super) fn queue(&self) -> Result<AnyQueue, PolicyFault> {
        let parameters = self.parameters.to_string();
        Ok(match &self.code {
            Code::Wasm(policy) => AnyQueue::Wasm(policy.queue(&parameters)?),
            Code::Rhai(policy) => AnyQueue::Rhai(policy.queue(parameters)?),
            Code::Analyser => return Err(no_policy()),
        })
    }
}

impl AnyQueue {
    fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, PolicyFault> {
        match self {
            Self::Wasm(queue) => queue.rank(jobs),
            Self::Rhai(queue) => queue.rank(jobs),
        }
    }

    fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, PolicyFault> {
        match self {
            Self::Wasm(queue) => queue.rank_slots(slots),
            Self::Rhai(queue) => queue.rank_slots(slots),
        }
    }
}

impl QueueInstance for Counted<AnyQueue> {
    fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, PolicyFault> {
        self.inner.rank(jobs)
    }

    fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, PolicyFault> {
        self.inner.rank_slots(slots)
    }

    fn plugin_version(&self) -> &str {
        &self.version.label
    }
}

/// The last look before a queue policy is let in: the same jobs and slots have the same ranks twice, whatever they are asked
/// about together with.
pub(super) fn self_check(version: &Version) -> Result<(), String> {
    let jobs = tiny_queue()?;
    let slots = tiny_rack()?;
    let ask = |jobs: &[RankedJob], slots: &[RankedSlot]| {
        let ranks = version.queue().and_then(|mut queue| Ok((queue.rank(jobs)?, queue.rank_slots(slots)?)));
        ranks.map_err(|fault| match fault {
            PolicyFault::Declined { what, .. } => format!("it does not take its parameters: {what}"),
            fault => fault.to_string(),
        })
    };
    let together = ask(&jobs, &slots)?;
    if together != ask(&jobs, &slots)? {
        return Err("it ranked the same jobs or slots differently twice".into());
    }
    let (mut alone_jobs, mut alone_slots) = (Vec::new(), Vec::new());
    for (job, slot) in jobs.into_iter().zip(slots) {
        let (job, slot) = ask(&[job], &[slot])?;
        alone_jobs.extend(job);
        alone_slots.extend(slot);
    }
    if together == (alone_jobs, alone_slots) {
        Ok(())
    } else {
        Err("the rank of a job or slot depended on what it was asked about together with".into())
    }
}

fn tiny_queue() -> Result<Vec<RankedJob>, String> {
    let job = |id: u64, owner: &str, usage: OwnerUsage| -> Result<RankedJob, String> {
        let owner = UserName::new(owner).map_err(|error| error.to_string())?;
        let accepted = Timestamp::from_micros(1_800_000_000_000_000 + id as i64);
        Ok(RankedJob { job: JobId(id), owner, priority: Priority::default(), accepted, usage })
    };
    let busy = OwnerUsage { running: 3, device_ms: 86_400_000, open_jobs: 7 };
    Ok(vec![job(1, "self-check", OwnerUsage::default())?, job(2, "self-check-too", busy)?])
}

fn tiny_rack() -> Result<Vec<RankedSlot>, String> {
    let rack = RackName::new("self-check").map_err(|error| error.to_string())?;
    let slot = |n: u32, last_used: Option<Timestamp>| RankedSlot {
        slot: SlotId(n),
        rack: rack.clone(),
        no: SlotNo(n as u16),
        dut: Some(DutId(n.into())),
        starts: u64::from(n - 1),
        device_ms: u64::from(n - 1) * 1_000,
        last_used,
    };
    Ok(vec![slot(1, None), slot(2, Some(Timestamp::from_micros(1_800_000_000_000_000)))])
}
