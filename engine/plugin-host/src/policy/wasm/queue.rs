//! Queue policies, of both versions of the contract. One of the first knows nothing of usage and slots: all slots are alike to it.

use headend_scheduler::action::{RankedJob, RankedSlot};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use super::super::fault::PolicyFault;
use super::BUILD_FACTOR;
use super::guest::{Guest, State};

mod v1 {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v1/policy",
        world: "queue-policy",
        imports: { default: trappable },
    });
}

mod v2 {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v2/policy",
        world: "queue-policy",
        imports: { default: trappable },
    });
}

use v1::exports::headend::policy::queue as first;
use v2::exports::headend::policy::queue as second;

impl v1::headend::policy::types::Host for State {}
impl v2::headend::policy::types::Host for State {}

impl v1::headend::policy::log::Host for State {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        self.log(&text);
        Ok(())
    }
}

impl v2::headend::policy::log::Host for State {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        self.log(&text);
        Ok(())
    }
}

/// A linked queue policy.
pub(super) enum QueuePre {
    V1(v1::QueuePolicyPre<State>),
    V2(v2::QueuePolicyPre<State>),
}

impl QueuePre {
    /// `version`: major version of the contract. `log`: it may write to the log.
    pub(super) fn link(component: &Component, version: u64, log: bool) -> wasmtime::Result<Self> {
        let mut linker = Linker::<State>::new(component.engine());
        if version < 2 {
            v1::headend::policy::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            if log {
                v1::headend::policy::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            }
            return Ok(Self::V1(v1::QueuePolicyPre::new(linker.instantiate_pre(component)?)?));
        }
        v2::headend::policy::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        if log {
            v2::headend::policy::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        }
        Ok(Self::V2(v2::QueuePolicyPre::new(linker.instantiate_pre(component)?)?))
    }

    pub(super) fn engine(&self) -> &Engine {
        match self {
            Self::V1(pre) => pre.engine(),
            Self::V2(pre) => pre.engine(),
        }
    }

    /// An instance for all jobs. `parameters`: JSON text of an object.
    pub(super) fn build(&self, mut guest: Guest, parameters: &str) -> Result<WasmQueue, PolicyFault> {
        let bindings = match self {
            Self::V1(pre) => Bindings::V1(guest.call("instantiate", BUILD_FACTOR, |store| pre.instantiate(store))?),
            Self::V2(pre) => {
                let bindings = guest.call("instantiate", BUILD_FACTOR, |store| pre.instantiate(store))?;
                let queue = bindings.headend_policy_queue();
                let built = guest.call("build", BUILD_FACTOR, |store| queue.call_build(store, parameters))?;
                built.map_err(|what| guest.declined(&what))?;
                Bindings::V2(bindings)
            }
        };
        Ok(WasmQueue { guest, bindings })
    }
}

/// A queue policy at work.
pub(crate) struct WasmQueue {
    guest: Guest,
    bindings: Bindings,
}

enum Bindings {
    V1(v1::QueuePolicy),
    V2(v2::QueuePolicy),
}

impl WasmQueue {
    pub(crate) fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, PolicyFault> {
        let Self { guest, bindings } = self;
        match bindings {
            Bindings::V1(bindings) => {
                let queue = bindings.headend_policy_queue();
                let rank = |job| {
                    let job = to_first(job);
                    guest.call("rank", 1, |store| queue.call_rank(store, &job))
                };
                jobs.iter().map(rank).collect()
            }
            Bindings::V2(bindings) => {
                let of: Vec<second::Job> = jobs.iter().map(to_second).collect();
                let queue = bindings.headend_policy_queue();
                let ranks = guest.call("rank", 1, |store| queue.call_rank(store, &of))?;
                guest.as_many("rank", ranks, of.len())
            }
        }
    }

    pub(crate) fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, PolicyFault> {
        let Self { guest, bindings } = self;
        match bindings {
            Bindings::V1(_) => Ok(vec![0; slots.len()]),
            Bindings::V2(bindings) => {
                let of: Vec<second::Device> = slots.iter().map(to_device).collect();
                let queue = bindings.headend_policy_queue();
                let ranks = guest.call("slot-rank", 1, |store| queue.call_slot_rank(store, &of))?;
                guest.as_many("slot-rank", ranks, of.len())
            }
        }
    }
}

impl Guest {
    fn as_many(&self, call: &'static str, ranks: Vec<i64>, asked: usize) -> Result<Vec<i64>, PolicyFault> {
        if ranks.len() == asked {
            return Ok(ranks);
        }
        Err(self.failed(call, &format!("it was asked for {asked} ranks and gave {}", ranks.len())))
    }
}

fn to_first(job: &RankedJob) -> first::Job {
    first::Job {
        id: job.job.0,
        owner: job.owner.as_str().to_owned(),
        priority: job.priority.0,
        accepted: job.accepted.micros(),
    }
}

fn to_second(job: &RankedJob) -> second::Job {
    let usage =
        second::Usage { running: job.usage.running, device_ms: job.usage.device_ms, open_jobs: job.usage.open_jobs };
    second::Job {
        id: job.job.0,
        owner: job.owner.as_str().to_owned(),
        priority: job.priority.0,
        accepted: job.accepted.micros(),
        usage,
    }
}

fn to_device(slot: &RankedSlot) -> second::Device {
    second::Device {
        slot: slot.slot.0,
        place: v2::headend::policy::types::Place { rack: slot.rack.as_str().to_owned(), slot: slot.no.0 },
        dut: slot.dut.map(|dut| dut.0),
        starts: slot.starts,
        device_ms: slot.device_ms,
        last_used: slot.last_used.map(headend_model::Timestamp::micros),
    }
}
