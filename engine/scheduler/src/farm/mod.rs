//! The farm: everything the scheduler knows, and `step`.
//!
//! A step runs in three parts: the event changes the books (`submit`, `jobs`, `racks`, `lease`, `rounds`, `timers`) and
//! marks the slots that it touched; `dispatch` looks at those slots again and starts what may start; at last the
//! touched jobs get their status (`jobs`). Nothing else is looked at, so a step costs what it changes.
//!
//! Before its actions leave, the step is looked at once more (`audit`, `invariants`), in release builds too. A broken
//! invariant is our own bug: see [`Farm::violation`] for what becomes of such a step.

mod audit;
mod books;
mod dispatch;
mod duts;
mod gang;
mod invariants;
mod jobs;
mod lease;
mod order;
mod order_again;
mod plans;
mod plugins;
mod queues;
mod racks;
mod reservations;
mod restore;
mod rounds;
mod schedules;
#[cfg(feature = "serde")]
mod serial;
mod skips;
mod state;
mod submit;
mod timers;
mod trials;
mod usage;
mod views;
mod wear;
mod why;
mod why_change;
mod why_inputs;
mod why_not;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headend_model::{
    DutId, Inventory, JobId, Lease, PolicyName, RackId, RunId, SlotId, Target, TestIx, Timestamp, UserName,
};

use crate::action::{Action, StartReason};
use crate::config::FarmConfig;
use crate::event::Event;
use crate::history::History;
use crate::view::SessionView;
use order::Order;
use queues::Queues;
use reservations::Reservations;
use schedules::Schedules;
use state::{
    AskBook, Away, Counters, DutBook, Held, Job, KeyBook, LostLease, PolicyBook, Rack, Recent, ReportBook, Round, Slot,
    Timer,
};
pub use trials::{CanaryView, JobOnTrial};
use usage::Usage;
use wear::Wear;
pub use why_change::{Change, SmallestChange};
pub use why_not::{WhyNot, WhyNotAnswer};

/// The state machine.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Farm {
    config: FarmConfig,
    inventory: Inventory,
    /// The latest time seen.
    now: Timestamp,
    next: Counters,
    racks: BTreeMap<RackId, Rack>,
    slots: BTreeMap<SlotId, Slot>,
    duts: BTreeMap<DutId, DutBook>,
    #[cfg_attr(feature = "serde", serde(with = "serial"))]
    away: BTreeMap<Target, Away>,
    jobs: BTreeMap<JobId, Job>,
    queues: Queues,
    #[cfg_attr(feature = "serde", serde(default))]
    order: Order,
    #[cfg_attr(feature = "serde", serde(default))]
    usage: Usage,
    #[cfg_attr(feature = "serde", serde(default))]
    wear: Wear,
    leases: BTreeMap<RunId, Held>,
    policies: BTreeMap<PolicyName, PolicyBook>,
    asks: BTreeMap<u64, AskBook>,
    #[cfg_attr(feature = "serde", serde(default))]
    reports: BTreeMap<u64, ReportBook>,
    #[cfg_attr(feature = "serde", serde(default))]
    history: History,
    keys: BTreeMap<UserName, BTreeMap<String, KeyBook>>,
    /// Keys in the order in which they are forgotten.
    key_ages: VecDeque<(Timestamp, UserName, String)>,
    recent: Recent,
    #[cfg_attr(feature = "serde", serde(default))]
    trials: trials::Trials,
    #[cfg_attr(feature = "serde", serde(default))]
    schedules: Schedules,
    #[cfg_attr(feature = "serde", serde(default))]
    reservations: Reservations,
    /// Digest of all starts so far.
    #[cfg_attr(feature = "serde", serde(default))]
    decided: u64,
    /// Leases that ran out without word, newest last.
    lost_leases: VecDeque<LostLease>,
    timers: BTreeSet<(Timestamp, Timer)>,
    /// Nothing is leased before: the farm's own past is missing.
    #[cfg_attr(feature = "serde", serde(default))]
    quiet_until: Option<Timestamp>,
    #[cfg_attr(feature = "serde", serde(skip))]
    round: Round,
    /// What was told, kept a second time.
    #[cfg_attr(feature = "serde", serde(skip))]
    audit: audit::Audit,
    /// The first broken invariant that a step has met.
    #[cfg_attr(feature = "serde", serde(skip))]
    broken: Option<Violation>,
    #[cfg(feature = "mutants")]
    #[cfg_attr(feature = "serde", serde(skip))]
    mutant: Option<crate::mutant::Mutant>,
}

/// A broken invariant: our own bug. The writer stops and says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {id} is broken: {what}")]
pub struct Violation {
    /// `S1` to `S13`, `O1` to `O6`.
    pub id: &'static str,
    /// What was seen.
    pub what: String,
}

impl Farm {
    /// An empty farm.
    pub fn new(config: FarmConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes one event and says what to do. Same state, time and event: same actions.
    ///
    /// `now` never decreases between calls; an earlier one counts as the latest seen. Only [`Event::Tick`] makes
    /// deadlines count: a server that was held up hands in what has arrived meanwhile first.
    pub fn step(&mut self, now: Timestamp, event: &Event) -> Vec<Action> {
        self.now = self.now.max(now);
        self.open_audit();
        self.count_usage();
        self.forget_old();
        self.handle(event);
        self.judge_canaries();
        self.dispatch();
        self.settle();
        self.go_on_asking();
        let told = std::mem::take(&mut self.round).out;
        self.audit_step(event, &told);
        told
    }

    fn handle(&mut self, event: &Event) {
        match event {
            Event::ServerStarted { config } => self.server_started(config),
            Event::Tick => self.fire_timers(),
            Event::Submit(submission) => self.submit(submission),
            Event::Schedule { by, command } => self.schedule_command(by, command),
            Event::Reservation { by, command } => self.reservation_command(by, command),
            Event::ZoneRules { zone, rules } => self.zone_rules(zone, rules),
            Event::Kill { job, by } => self.kill(*job, by),
            Event::EnrolRack { name } => self.enrol(name),
            Event::RackReady(ready) => self.rack_ready(ready),
            Event::RackContinues { rack, incarnation, former } => self.take_over(*rack, *incarnation, former),
            Event::Heartbeat(beat) => self.heartbeat(beat),
            Event::Drain { rack, on } => self.drain(*rack, *on),
            Event::PlaceDut { dut, slot } => self.place_dut(*dut, *slot),
            Event::RemoveDuts { duts } => self.remove_duts(duts),
            Event::ClearQuarantine { slot } => self.clear_quarantine(*slot),
            Event::RunStarted { rack, claim } => self.run_started(*rack, claim),
            Event::NotStarted { rack, claim, reason } => self.not_started(*rack, claim, reason),
            Event::RunEnded { rack, claim, outcome, unkillable } => self.run_ended(*rack, claim, outcome, *unkillable),
            Event::PolicyFound { policy, kind, hash, contract } => self.policy_found(policy, *kind, hash, *contract),
            Event::PolicyLoaded { policy } => self.policy_loaded(policy),
            Event::PolicyRemoved { policy } => self.policy_removed(policy),
            Event::Proposed { ask, placements, skips, said } => self.proposed(*ask, placements, skips, said),
            Event::PolicyDeclined { ask, reason } => self.policy_declined(*ask, reason),
            Event::Reported { ask, report } => self.reported(*ask, report),
            Event::Ranked { ask, ranks, slots } => self.ranked(*ask, ranks, slots),
            Event::PolicyFailed { ask, reason } => self.policy_failed(*ask, reason),
            Event::UseQueuePolicy { policy, by } => self.use_queue_policy(policy.as_ref(), by),
            Event::BeginCanary(request) => self.begin_canary(request),
            Event::StopCanary { policy, by } => self.stop_canary(policy, by),
            Event::PromoteCanary { policy, force, by } => self.promote_canary(policy, *force, by),
        }
    }

    fn emit(&mut self, action: Action) {
        self.round.out.push(action);
    }

    fn arm(&mut self, at: Timestamp, timer: Timer) {
        self.timers.insert((at, timer));
    }

    /// The first broken invariant that a step has met, in release builds too: S1, S3, S4, S8 and S9 of what the step
    /// touched. `step` does not panic on one, and its actions are not to be trusted: whoever writes them looks here
    /// first, makes nothing of the step durable, answers those who wait for it that it was refused, and stops. What was
    /// durable before the step is sound, so a restart goes on from there.
    pub fn violation(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    /// When the next `Tick` is due, if anything waits for time to pass.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Settings in force.
    pub fn config(&self) -> &FarmConfig {
        &self.config
    }

    /// Racks, slots and DUTs.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The life of a rack's daemon that the farm talks to: what another one says does not count, it must report ready.
    pub fn incarnation(&self, rack: RackId) -> Option<u64> {
        self.racks.get(&rack)?.incarnation
    }

    /// Makes the farm break one of its rules, to show that the tests notice.
    #[cfg(feature = "mutants")]
    pub fn mutate(&mut self, mutant: crate::mutant::Mutant) {
        self.mutant = Some(mutant);
    }

    #[cfg(feature = "mutants")]
    fn is_mutant(&self, mutant: crate::mutant::Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// A lease with what its rack needs to start the run.
#[derive(Clone, Debug)]
pub struct Granted<'a> {
    /// The lease.
    pub lease: &'a Lease,
    /// Which test of the job.
    pub test: TestIx,
    /// The run is to be stopped.
    pub stopping: bool,
    /// The rack has said that it took it.
    pub confirmed: bool,
    /// Why it was started.
    pub why: &'a StartReason,
    /// The run.
    pub run: RunId,
    /// It is the session of this reservation, and there is no job.
    pub session: Option<SessionView<'a>>,
}
