//! One version of a plugin, and instances of it in either language.

use std::sync::Arc;
use std::time::Duration;

use headend_model::{TargetIx, Timestamp};
use headend_scheduler::action::Noted;
use headend_scheduler::event::Placement;
use headend_scheduler::view::PlanView;
use serde_json::Value;

use super::fault::PolicyFault;
use super::scripted::RhaiPolicy;
use super::wasm::WasmPolicy;
use super::{Answer, PolicyInstance, Reasons, Serves};
use crate::lifecycle::Origin;
use crate::manifest::{Kind, Manifest, ParameterError};
use crate::trust::SignatureInfo;

/// One version of a plugin. Lives as long as it is current or has an instance at work.
pub(crate) struct Version {
    pub(crate) manifest: Manifest,
    pub(crate) code: Code,
    pub(crate) hash: String,
    pub(crate) origin: Origin,
    /// Name, version and hash, for the record.
    pub(crate) label: String,
    pub(crate) signature: SignatureInfo,
    /// Parameters as they were set.
    pub(crate) set: Value,
    /// What the plugin gets, unless a job asks for something else.
    pub(crate) parameters: Value,
    /// Something that it cannot do without is not among them: it comes with each job.
    pub(crate) wants_more: bool,
}

impl Version {
    /// JSON text of what the plugin gets for a plan whose owner asks for this: his members over those that are set. `asked`: an object as
    /// JSON text; empty for nothing.
    ///
    /// # Errors
    /// [`ParameterError`] when that does not fit the manifest's schema.
    pub(crate) fn parameters_for(&self, asked: &str) -> Result<String, ParameterError> {
        if asked.is_empty() && !self.wants_more {
            return Ok(self.parameters.to_string());
        }
        let asked = serde_json::from_str(if asked.is_empty() { "{}" } else { asked })
            .map_err(|error| ParameterError { pointer: String::new(), what: format!("is no JSON: {error}") })?;
        self.manifest.parameters.effective(&self.set, &asked).map(|all| all.to_string())
    }
}

impl Version {
    /// JSON text of what it can be tried with, when what is set does not do or the manifest has an example.
    pub(crate) fn example(&self) -> Option<String> {
        self.manifest.parameters.example(&self.set).map(|example| example.to_string())
    }

    /// An instance for one plan.
    pub(crate) fn coverage(&self, plan: &PlanView) -> Result<Box<dyn Serves>, PolicyFault> {
        let declined = |error: ParameterError| PolicyFault::Declined {
            plugin: crate::lifecycle::label(&self.manifest),
            what: error.to_string(),
        };
        let parameters = self.parameters_for(&plan.parameters).map_err(declined)?;
        self.code.coverage(plan, parameters)
    }
}

/// The two ways a policy can run, and what is none.
pub(crate) enum Code {
    Wasm(WasmPolicy),
    Rhai(RhaiPolicy),
    /// No policy: checked and kept here, and run by whoever asks for it.
    Analyser,
}

impl Code {
    /// Nobody asks it for now.
    pub(super) fn rest(&self) {
        match self {
            // It has nothing but its instances, or runs elsewhere.
            Self::Wasm(_) | Self::Analyser => {}
            Self::Rhai(policy) => policy.rest(),
        }
    }

    fn coverage(&self, plan: &PlanView, parameters: String) -> Result<Box<dyn Serves>, PolicyFault> {
        match self {
            Self::Wasm(policy) => policy.coverage(plan, parameters),
            Self::Rhai(policy) => policy.coverage(plan, parameters),
            Self::Analyser => Err(no_policy()),
        }
    }
}

/// Instances are only built of what is of the right kind; this is for those who forget it.
pub(super) fn no_policy() -> PolicyFault {
    let (is, wanted) = (Kind::Analyser.as_str(), "policy");
    PolicyFault::WrongKind { name: String::new(), is, wanted }
}

/// What the server holds: an instance, and the version that it must outlive.
pub(super) struct Counted<T> {
    pub(super) inner: T,
    pub(super) version: Arc<Version>,
}

impl PolicyInstance for Counted<Box<dyn Serves>> {
    fn apply(&mut self, news: &Noted) {
        self.inner.apply(news);
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, PolicyFault> {
        self.inner.propose(now, free)
    }

    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault> {
        self.inner.reason(of)
    }

    fn reasons(&mut self, of: &[Placement], left: Duration) -> Reasons {
        self.inner.reasons(of, left)
    }

    fn report(&mut self) -> Result<String, PolicyFault> {
        let report = self.inner.report()?;
        if !report.is_empty()
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&report)
        {
            let (plugin, what) = (self.version.label.clone(), format!("its report is no JSON: {error}"));
            return Err(PolicyFault::Failed { plugin, call: "report", what });
        }
        Ok(report)
    }

    fn plugin_version(&self) -> &str {
        &self.version.label
    }

    fn content(&self) -> &str {
        &self.version.hash
    }
}
