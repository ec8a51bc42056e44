//! The plugin host as the policy threads see it.

use std::sync::Arc;
use std::time::Duration;

use headend_model::{PolicyName, TargetIx, Timestamp};
use headend_plugin_host::policy::{Answer, PolicyFault, QueueInstance, Reasons};
use headend_plugin_host::{AnalyserHostConfig, GuestProgram, PolicyHost, PolicyHostConfig, PolicyInstance};
use headend_scheduler::action::{Noted, RankedJob, RankedSlot};
use headend_scheduler::event::{Placement, Said};
use headend_scheduler::view::PlanView;
use headend_store::GrantRow;

use super::change::all_grants;
use super::{MakesPolicies, Policy, Ranks, Trouble};
use crate::http::problem::Chain;
use crate::options::ServeOptions;

/// Starts the plugin host.
///
/// # Errors
/// When the runtime cannot start, in words.
pub(crate) fn start_host(options: &ServeOptions, granted: &[GrantRow]) -> Result<Arc<PolicyHost>, String> {
    let program = match &options.guest {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|error| format!("cannot find out which program this is: {error}"))?,
    };
    let cache = options.data.join("cache").join("plugins");
    let guest = GuestProgram::headend(program);
    let mut analysers = AnalyserHostConfig::new(guest.clone(), &cache);
    let mut config = PolicyHostConfig::new(guest, cache);
    config.versions = options.data.join("plugin-versions");
    config.grants = all_grants(&options.plugin_grants, granted);
    config.trust = options.plugin_trust.clone();
    config.trust.folder.get_or_insert_with(|| options.data.join("trusted-keys"));
    analysers.trust = config.trust.clone();
    config.analysers = Some(analysers);
    PolicyHost::new(config).map(Arc::new).map_err(|error| Chain(&error).to_string())
}

/// The host as the policy threads see it.
pub(crate) struct HostMaker {
    pub(crate) host: Arc<PolicyHost>,
    /// What people know of the devices.
    pub(crate) devices: super::devices::Devices,
}

impl MakesPolicies for HostMaker {
    fn make(&self, policy: &PolicyName, plan: PlanView, content: Option<&str>) -> Result<Box<dyn Policy>, Trouble> {
        let plan = self.devices.described(plan)?;
        let instance = match content {
            Some(content) => self.host.instance_of(policy, &plan, content),
            None => self.host.instance(policy, &plan),
        };
        match instance {
            Ok(instance) => Ok(Box::new(Hosted(instance))),
            Err(PolicyFault::Declined { what, .. }) => Err(Trouble::Declined(what)),
            Err(fault) => Err(Trouble::Failed(fault.brief())),
        }
    }

    fn make_queue(&self, policy: &PolicyName) -> Result<Box<dyn Ranks>, String> {
        match self.host.queue(policy) {
            Ok(instance) => Ok(Box::new(HostedQueue(instance))),
            Err(PolicyFault::Declined { what, .. }) => Err(format!("it does not take its parameters: {what}")),
            Err(fault) => Err(fault.brief()),
        }
    }

    fn quarantine(&self, policy: &PolicyName) {
        // Removed meanwhile: nothing to quarantine.
        let _ = self.host.quarantine(policy);
    }
}

struct Hosted(Box<dyn PolicyInstance>);

impl Policy for Hosted {
    fn content(&self) -> &str {
        self.0.content()
    }

    fn apply(&mut self, news: &Noted) {
        self.0.apply(news);
    }

    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, String> {
        self.0.propose(now, free).map_err(|fault| fault.brief())
    }

    fn reasons(&mut self, of: &[Placement], left: Duration) -> Said {
        let Reasons { texts, fault } = self.0.reasons(of, left);
        let told = of.iter().map(|of| of.target).zip(texts).filter(|(_, text)| !text.is_empty());
        Said { reasons: told.collect(), fault: fault.map(|fault| fault.brief()) }
    }

    fn report(&mut self) -> Result<String, String> {
        self.0.report().map_err(|fault| fault.brief())
    }
}

struct HostedQueue(Box<dyn QueueInstance>);

impl Ranks for HostedQueue {
    fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, String> {
        self.0.rank(jobs).map_err(|fault| fault.brief())
    }

    fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, String> {
        self.0.rank_slots(slots).map_err(|fault| fault.brief())
    }
}
