//! Canaries: a share of the new jobs of a coverage policy goes to another one, or to another version of it, within bounds.
//!
//! ```text
//!  BeginCanary ─► each new job of the live policy: by its handle to the canary or to the others ─► starts, ends, faults counted
//!  a bound breaks, somebody stops it ─► its jobs go on under the live policy, at once and visibly
//!  its time is over ─► passed (or unproven): no new jobs; PromoteCanary by a person
//! ```
//!
//! To the rest of the farm a group of tests on a canary is a group of another policy: asked, struck and put into quarantine
//! under the canary's own name. What a shadow is asked never comes here: it decides nothing.

mod count;
mod views;

pub use views::{CanaryView, JobOnTrial};

use std::collections::BTreeMap;

use headend_model::{JobId, PolicyName, Timestamp, UserName};

use super::Farm;
use super::books::{Rule, Turn};
use super::state::Timer;
use crate::action::Action;
use crate::event::PolicyKind;
use crate::trials::{Arm, Breach, CanaryRefusal, CanaryRequest, CanaryState};

/// Canaries that are over and still shown.
const MOST_OVER: usize = 32;

/// All canaries, by the name under which the farm asks them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub(super) struct Trials {
    /// The number of the last one.
    last: u64,
    all: BTreeMap<PolicyName, Canary>,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Canary {
    number: u64,
    request: CanaryRequest,
    began: Timestamp,
    /// When its time is over, or when it was.
    until: Timestamp,
    state: CanaryState,
    /// When the state began.
    since: Timestamp,
    own: Arm,
    others: Arm,
    /// Something was counted that has not been judged. Part of the state: a replay from a snapshot judges at the same step.
    to_judge: bool,
}

impl Canary {
    fn is_running(&self) -> bool {
        self.state == CanaryState::Running
    }

    /// Another version of the same plugin.
    fn is_version(&self) -> bool {
        self.request.plugin == self.request.beside
    }

    /// It gets all new jobs that name the live policy.
    fn stands_in(&self) -> bool {
        matches!(self.state, CanaryState::Promoted { .. }) && !self.is_version()
    }

    fn arm_mut(&mut self, side: Side) -> &mut Arm {
        match side {
            Side::Canary => &mut self.own,
            Side::Others => &mut self.others,
        }
    }
}

/// On which side of a canary a group of tests is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub(super) enum Side {
    Canary,
    Others,
}

/// What a group of tests has to do with a canary.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct OnTrial {
    /// Number of the canary.
    pub number: u64,
    /// Its name.
    pub policy: PolicyName,
    /// The policy that the job names.
    pub beside: PolicyName,
    pub side: Side,
    /// It was taken off the canary then, for this reason.
    pub left: Option<(Timestamp, String)>,
}

impl Farm {
    pub(super) fn begin_canary(&mut self, request: &CanaryRequest) {
        if let Err(refusal) = self.check_canary(request) {
            return self.emit(Action::CanaryRefused(refusal));
        }
        let CanaryRequest { policy, plugin, hash, contract, terms, .. } = request.clone();
        if policy != plugin {
            // Another version has books of its own: its failures are not those of the version in force.
            self.policy_found(&policy, PolicyKind::Coverage, &hash, contract);
            self.policy_loaded(&policy);
        }
        self.forget_old_canaries();
        self.trials.last += 1;
        let (now, until) = (self.now, self.now + terms.length);
        let number = self.trials.last;
        self.arm(until, Timer::Canary(number));
        let canary = Canary {
            number,
            request: request.clone(),
            began: now,
            until,
            state: CanaryState::Running,
            since: now,
            own: Arm::default(),
            others: Arm::default(),
            to_judge: false,
        };
        self.trials.all.insert(policy.clone(), canary);
        self.emit(Action::CanaryChanged { policy });
    }

    fn check_canary(&self, request: &CanaryRequest) -> Result<(), CanaryRefusal> {
        let CanaryRequest { policy, plugin, beside, .. } = request;
        if policy == beside {
            return Err(CanaryRefusal::Itself(policy.clone()));
        }
        let busy = |canary: &&Canary| canary.is_running() || canary.stands_in();
        let mut at_work = self.trials.all.values().filter(busy);
        let clash = |canary: &&Canary| canary.request.beside == *beside || canary.request.policy == *policy;
        if let Some(canary) = at_work.find(|canary| clash(canary)) {
            let CanaryRequest { policy, beside, .. } = canary.request.clone();
            return Err(CanaryRefusal::Busy { policy, beside });
        }
        let not_asked = |policy: &PolicyName, reason: &str| {
            Err(CanaryRefusal::NotAsked { policy: policy.clone(), reason: reason.to_owned() })
        };
        if policy == plugin && !self.may_be_asked(policy, PolicyKind::Coverage) {
            return not_asked(policy, "it is no coverage policy that is live");
        }
        if !self.may_be_asked(beside, PolicyKind::Coverage) {
            return not_asked(beside, "it is no coverage policy that is live, so there is nothing to compare with");
        }
        Ok(())
    }

    /// The oldest that are over and have no job any more make room.
    fn forget_old_canaries(&mut self) {
        let over = self.trials.all.values().filter(|canary| !canary.is_running() && !canary.stands_in());
        let mut over: Vec<(u64, PolicyName)> =
            over.map(|canary| (canary.number, canary.request.policy.clone())).collect();
        over.sort_unstable();
        let surplus = over.len().saturating_sub(MOST_OVER - 1);
        for (_, policy) in over.into_iter().take(surplus) {
            if self.groups_on(&policy).is_empty() {
                let gone = self.trials.all.remove(&policy);
                if gone.is_some_and(|canary| canary.request.policy != canary.request.plugin) {
                    self.policies.remove(&policy);
                }
            }
        }
    }

    /// Groups of open jobs that a policy serves.
    fn groups_on(&self, policy: &PolicyName) -> Vec<(JobId, u32)> {
        let mine = |rule: &Rule| matches!(rule, Rule::Policy(name) if name == policy);
        let of = |(id, job): (&JobId, &super::state::Job)| {
            let groups = (0..).zip(&job.groups).filter(|(_, group)| mine(&group.rule));
            groups.map(|(number, _)| (*id, number)).collect::<Vec<(JobId, u32)>>()
        };
        self.jobs.iter().flat_map(of).collect()
    }

    /// A new job: which of its groups go to a canary.
    pub(super) fn assign_canaries(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        for group in &mut job.groups {
            let Rule::Policy(live) = group.rule.clone() else { continue };
            let of_live =
                |canary: &&mut Canary| canary.request.beside == live && (canary.is_running() || canary.stands_in());
            let Some(canary) = self.trials.all.values_mut().find(of_live) else { continue };
            let CanaryRequest { policy, beside, terms, .. } = canary.request.clone();
            let taken = canary.stands_in() || terms.takes(canary.number, id);
            let side = if taken { Side::Canary } else { Side::Others };
            if canary.is_running() {
                canary.arm_mut(side).jobs += 1;
            }
            group.trial = Some(OnTrial { number: canary.number, policy: policy.clone(), beside, side, left: None });
            if taken {
                group.rule = Rule::Policy(policy);
            }
        }
    }

    pub(super) fn stop_canary(&mut self, policy: &PolicyName, by: &UserName) {
        let Some(state) = self.trials.all.get(policy).map(|canary| &canary.state) else {
            return self.emit(Action::CanaryRefused(CanaryRefusal::Unknown(policy.clone())));
        };
        if matches!(state, CanaryState::Broken(_) | CanaryState::Stopped { .. }) {
            let (state, help) = (state.as_str().to_owned(), "there is nothing to stop".to_owned());
            return self.emit(Action::CanaryRefused(CanaryRefusal::State { policy: policy.clone(), state, help }));
        }
        self.end_canary(policy, CanaryState::Stopped { by: by.clone() }, &format!("{by} stopped the canary"));
    }

    /// `force`: although it has not passed.
    pub(super) fn promote_canary(&mut self, policy: &PolicyName, force: bool, by: &UserName) {
        if let Err(refusal) = self.may_promote(policy, force) {
            return self.emit(Action::CanaryRefused(refusal));
        }
        let now = self.now;
        if let Some(canary) = self.trials.all.get_mut(policy) {
            canary.state = CanaryState::Promoted { by: by.clone() };
            canary.since = now;
        }
        self.emit(Action::CanaryChanged { policy: policy.clone() });
    }

    /// Whether a canary may be promoted as it stands.
    ///
    /// # Errors
    /// [`CanaryRefusal`] with what helps.
    pub fn may_promote(&self, policy: &PolicyName, force: bool) -> Result<(), CanaryRefusal> {
        let Some(canary) = self.trials.all.get(policy) else { return Err(CanaryRefusal::Unknown(policy.clone())) };
        let refused = |help: &str| {
            let (state, help) = (canary.state.as_str().to_owned(), help.to_owned());
            Err(CanaryRefusal::State { policy: policy.clone(), state, help })
        };
        match &canary.state {
            CanaryState::Passed => Ok(()),
            CanaryState::Running | CanaryState::Unproven if force => Ok(()),
            CanaryState::Running => refused("wait until its time is over, or promote it all the same with --force"),
            CanaryState::Unproven => refused("let it run for longer, or promote it all the same with --force"),
            CanaryState::Promoted { .. } => refused("there is nothing to promote"),
            CanaryState::Broken(_) | CanaryState::Stopped { .. } => refused("begin it anew, and let it pass"),
        }
    }

    /// Its time is over.
    pub(super) fn canary_due(&mut self, number: u64) {
        let Some(canary) = self.trials.all.values_mut().find(|canary| canary.number == number) else { return };
        if !canary.is_running() {
            return;
        }
        if let Some(breach) = canary.request.terms.judge(&canary.own, &canary.others) {
            let policy = canary.request.policy.clone();
            return self.break_canary(&policy, breach);
        }
        let proven = canary.request.terms.is_proven(&canary.own);
        canary.state = if proven { CanaryState::Passed } else { CanaryState::Unproven };
        canary.since = self.now;
        let policy = canary.request.policy.clone();
        self.emit(Action::CanaryChanged { policy });
    }

    /// Looks at what was counted since the last time.
    pub(super) fn judge_canaries(&mut self) {
        let mut broken = Vec::new();
        for canary in self.trials.all.values_mut().filter(|canary| canary.to_judge) {
            canary.to_judge = false;
            let terms = &canary.request.terms;
            if let Some(breach) = terms.judge(&canary.own, &canary.others).filter(|_| canary.is_running()) {
                broken.push((canary.request.policy.clone(), breach));
            }
        }
        for (policy, breach) in broken {
            self.break_canary(&policy, breach);
        }
        self.break_quarantined();
    }

    fn break_canary(&mut self, policy: &PolicyName, breach: Breach) {
        let reason = format!("the canary was broken off: {breach}");
        self.end_canary(policy, CanaryState::Broken(breach), &reason);
    }

    fn end_canary(&mut self, policy: &PolicyName, state: CanaryState, reason: &str) {
        let now = self.now;
        let Some(canary) = self.trials.all.get_mut(policy) else { return };
        canary.state = state;
        canary.since = now;
        canary.to_judge = false;
        self.emit(Action::CanaryChanged { policy: policy.clone() });
        for (job, number) in self.groups_on(policy) {
            self.take_off_canary(job, number, reason);
        }
    }

    /// The group goes on under the policy that its job names. Whoever asks it builds it from plan and past.
    fn take_off_canary(&mut self, id: JobId, number: u32, reason: &str) {
        let serves = |trial: &OnTrial| trial.side == Side::Canary && trial.left.is_none();
        // A job may name the canary's policy itself: that is not the canary's.
        if !self.group(id, number).and_then(|group| group.trial.as_ref()).is_some_and(serves) {
            return;
        }
        let asks = self.asks.iter().filter(|(_, book)| (book.job, book.group) == (id, number));
        for ask in asks.map(|(ask, _)| *ask).collect::<Vec<_>>() {
            self.take_ask(ask);
        }
        let now = self.now;
        let Some(group) = self.jobs.get_mut(&id).and_then(|job| job.groups.get_mut(number as usize)) else { return };
        let Some(trial) = group.trial.as_mut() else { return };
        trial.left = Some((now, reason.to_owned()));
        let (from, to) = (trial.policy.clone(), trial.beside.clone());
        group.rule = Rule::Policy(to.clone());
        // An answer in hand is the canary's word.
        group.talk.turn = Turn::Idle;
        group.talk.declined = None;
        let over = group.is_done() && group.running == 0;
        self.round.answered.remove(&(id, number));
        self.forget_deferral(id, number);
        self.mark_targets(id);
        if !over {
            self.emit(Action::PolicyMoved { job: id, from, to, reason: reason.to_owned() });
        }
    }

    /// A plan that a canary declines goes on under the live policy. Says whether it was one.
    pub(super) fn declined_by_canary(&mut self, id: JobId, number: u32, reason: &str) -> bool {
        let trial = self.group(id, number).and_then(|group| group.trial.as_ref());
        let Some(trial) = trial.filter(|trial| trial.side == Side::Canary && trial.left.is_none()) else {
            return false;
        };
        let policy = trial.policy.clone();
        if let Some(canary) = self.trials.all.get_mut(&policy) {
            canary.own.declined += 1;
        }
        self.take_off_canary(id, number, &format!("{policy} declined the plan: {reason}"));
        true
    }
}
