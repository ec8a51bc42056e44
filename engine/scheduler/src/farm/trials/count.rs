//! What is counted of a canary, and what ends it beside its bounds.

use headend_model::run::Incomplete;
use headend_model::{JobId, Outcome, PolicyName};

use super::super::Farm;
use super::super::books::Group;
use super::Canary;
use crate::trials::{Arm, Breach, CanaryState};

impl Farm {
    /// The figures that a group counts for; `None`: it is on no trial any more.
    fn arm_of(&mut self, id: JobId, number: u32) -> Option<(&mut bool, &mut Arm)> {
        let group: &Group = self.jobs.get(&id)?.groups.get(number as usize)?;
        let trial = group.trial.as_ref().filter(|trial| trial.left.is_none())?;
        let canary = self.trials.all.get_mut(&trial.policy)?;
        let counts = canary.number == trial.number && canary.is_running();
        let Canary { to_judge, own, others, .. } = canary;
        let arm = if trial.side == super::Side::Canary { own } else { others };
        counts.then_some((to_judge, arm))
    }

    /// A run of the group was leased.
    pub(in crate::farm) fn count_trial_start(&mut self, id: JobId, number: u32) {
        let Some(wait) = self.jobs.get(&id).map(|job| self.now.since(job.accepted)) else { return };
        let Some((to_judge, arm)) = self.arm_of(id, number) else { return };
        arm.started += 1;
        arm.waits.note(wait);
        *to_judge = true;
    }

    /// Runs of the group have ended.
    pub(in crate::farm) fn count_trial_end(&mut self, id: JobId, number: u32, outcome: &Outcome, runs: u32) {
        let incomplete = match outcome {
            // What is not there cannot be run by any policy.
            Outcome::Killed | Outcome::Incomplete(Incomplete::ScriptMissing | Incomplete::Surplus) => return,
            Outcome::Incomplete(_) => runs,
            Outcome::Done { .. } => 0,
        };
        let Some((to_judge, arm)) = self.arm_of(id, number) else { return };
        arm.ended = arm.ended.saturating_add(runs);
        arm.incomplete = arm.incomplete.saturating_add(incomplete);
        *to_judge = true;
    }

    /// A policy has failed, or broken a rule.
    pub(in crate::farm) fn count_trial_fault(&mut self, policy: &PolicyName, reason: &str, quarantined: bool) {
        for canary in self.trials.all.values_mut().filter(|canary| canary.is_running()) {
            let arm = if canary.request.policy == *policy {
                &mut canary.own
            } else if canary.request.beside == *policy {
                &mut canary.others
            } else {
                continue;
            };
            arm.faults = arm.faults.saturating_add(1);
            reason.clone_into(&mut arm.last_fault);
            canary.to_judge = true;
        }
        if quarantined {
            self.round.quarantined.insert(policy.clone());
        }
    }

    /// Those that were put into quarantine in this step, whatever their bounds say: their jobs go on under the live policy.
    pub(super) fn break_quarantined(&mut self) {
        for policy in std::mem::take(&mut self.round.quarantined) {
            let at_work =
                self.trials.all.get(&policy).is_some_and(|canary| {
                    !matches!(canary.state, CanaryState::Broken(_) | CanaryState::Stopped { .. })
                });
            if at_work {
                let last = self.policies.get(&policy).map(|book| book.reason.clone()).unwrap_or_default();
                self.break_canary(&policy, Breach::Quarantined(last));
            }
        }
    }

    /// A plugin was disabled or removed.
    pub(in crate::farm) fn trials_lose(&mut self, plugin: &PolicyName) {
        for (policy, is_live) in self.trials_with(plugin) {
            // Where another one stands in for it, the live one is not needed.
            let stands_in = self.trials.all.get(&policy).is_some_and(Canary::stands_in);
            if !(is_live && stands_in) {
                self.break_canary(&policy, Breach::Gone(plugin.clone()));
            }
        }
    }

    /// Another version of a plugin has come into force.
    pub(in crate::farm) fn trials_see_change(&mut self, plugin: &PolicyName) {
        for (policy, _) in self.trials_with(plugin) {
            if self.trials.all.get(&policy).is_some_and(Canary::is_running) {
                self.break_canary(&policy, Breach::Changed(plugin.clone()));
            }
        }
    }

    /// Canaries that are not over and have to do with a plugin, and whether it is their live one alone.
    fn trials_with(&self, plugin: &PolicyName) -> Vec<(PolicyName, bool)> {
        let at_work = self
            .trials
            .all
            .values()
            .filter(|canary| !matches!(canary.state, CanaryState::Broken(_) | CanaryState::Stopped { .. }));
        let with = at_work.filter_map(|canary| {
            let request = &canary.request;
            let is_own = request.policy == *plugin || request.plugin == *plugin;
            // A version that was promoted is in force as the plugin itself.
            let is_past = matches!(canary.state, CanaryState::Promoted { .. }) && canary.is_version();
            let concerned = (is_own || request.beside == *plugin) && !is_past;
            concerned.then(|| (request.policy.clone(), !is_own))
        });
        with.collect()
    }
}
