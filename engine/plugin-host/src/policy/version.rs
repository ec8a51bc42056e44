//! One version of a plugin, and instances of it in either language.

use std::path::PathBuf;
use std::sync::Arc;

use headend_model::{TargetIx, Timestamp};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::QueuedJob;
use headend_scheduler::view::PlanView;

use super::fault::PolicyFault;
use super::scripted::{RhaiCoverage, RhaiPolicy};
use super::wasm::{WasmCoverage, WasmPolicy, WasmQueue};
use super::{PolicyInstance, QueueInstance};
use crate::manifest::Manifest;

/// One version of a plugin. Lives as long as it is current or has an instance at work.
pub(super) struct Version {
    pub(super) manifest: Manifest,
    pub(super) code: Code,
    pub(super) hash: String,
    pub(super) folder: PathBuf,
    /// Name, version and hash, for the record.
    pub(super) label: String,
}

/// The two ways a policy can run.
pub(super) enum Code {
    Wasm(WasmPolicy),
    Rhai(RhaiPolicy),
}

impl Code {
    pub(super) fn coverage(&self, plan: &PlanView) -> Result<AnyInstance, PolicyFault> {
        Ok(match self {
            Self::Wasm(policy) => AnyInstance::Wasm(policy.coverage(plan)?),
            Self::Rhai(policy) => AnyInstance::Rhai(policy.coverage(plan)?),
        })
    }

    pub(super) fn queue(&self) -> Result<AnyQueue, PolicyFault> {
        Ok(match self {
            Self::Wasm(policy) => AnyQueue::Wasm(policy.queue()?),
            Self::Rhai(policy) => AnyQueue::Rhai(policy.clone()),
        })
    }
}

/// An instance in either language.
pub(super) enum AnyInstance {
    Wasm(WasmCoverage),
    Rhai(RhaiCoverage),
}

impl AnyInstance {
    pub(super) fn apply(&mut self, change: &PlanChange) {
        match self {
            Self::Wasm(instance) => instance.apply(change),
            Self::Rhai(instance) => instance.apply(change),
        }
    }

    pub(super) fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Vec<Placement>, PolicyFault> {
        match self {
            Self::Wasm(instance) => instance.propose(now, free),
            Self::Rhai(instance) => instance.propose(now, free),
        }
    }

    pub(super) fn reason(&mut self, of: Placement) -> Result<String, PolicyFault> {
        match self {
            Self::Wasm(instance) => instance.reason(of),
            Self::Rhai(instance) => instance.reason(of),
        }
    }
}

/// A queue policy in either language.
pub(super) enum AnyQueue {
    Wasm(WasmQueue),
    Rhai(RhaiPolicy),
}

impl AnyQueue {
    pub(super) fn rank(&mut self, job: &QueuedJob<'_>) -> Result<i64, PolicyFault> {
        match self {
            Self::Wasm(queue) => queue.rank(job),
            Self::Rhai(policy) => policy.rank(job),
        }
    }
}

/// What the server holds: an instance, and the version that it must outlive.
pub(super) struct Counted<T> {
    pub(super) inner: T,
    pub(super) version: Arc<Version>,
}

impl PolicyInstance for Counted<AnyInstance> {
    fn apply(&mut self, change: &PlanChange) {
        self.inner.apply(change);
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Vec<Placement>, PolicyFault> {
        self.inner.propose(now, free)
    }

    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault> {
        self.inner.reason(of)
    }

    fn plugin_version(&self) -> &str {
        &self.version.label
    }
}

impl QueueInstance for Counted<AnyQueue> {
    fn rank(&mut self, job: &QueuedJob<'_>) -> Result<i64, PolicyFault> {
        self.inner.rank(job)
    }

    fn plugin_version(&self) -> &str {
        &self.version.label
    }
}
