//! A farm with racks that answer by themselves, so that a case is a few lines.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{
    DutId, Epoch, JobId, JobSpec, JobStatus, Mode, Outcome, PolicyName, Priority, RackId, RackName, RunId, SlotId,
    SlotNo, Span, Target, TestResult, TestSpec, Timestamp, TreePath, UserName,
};

use crate::action::{Ask, RunRecord, Warning};
use crate::event::{Claim, Heartbeat, IdempotencyKey, Placement, RackReady, Submission};
use crate::view::{SlotState, WaitReason};
use crate::{Action, Event, Farm, FarmConfig};

/// A test of a job under construction.
pub(super) fn test(mode: Mode, slots_needed: u32) -> TestSpec {
    let script = TreePath::parse("samples/test1/script_one.py").unwrap();
    TestSpec { script, public: true, slots_needed, mode, args: Vec::new(), time_limit: None }
}

/// A job under construction: owner `anna`, priority 5.
pub(super) fn job(targets: impl IntoIterator<Item = Target>, tests: impl IntoIterator<Item = TestSpec>) -> JobSpec {
    JobSpec {
        name: "My 1st job".to_owned(),
        owner: UserName::new("anna").unwrap(),
        priority: Priority::default(),
        targets: targets.into_iter().collect(),
        tests: tests.into_iter().collect(),
        policy_parameters: BTreeMap::new(),
    }
}

#[derive(Clone)]
pub(super) struct Lab {
    pub farm: Farm,
    pub now: Timestamp,
    pub log: Vec<Action>,
    pub silent: BTreeSet<RackId>,
    pub cpu: u8,
    pub lives: BTreeMap<RackId, u64>,
    last_beat: Timestamp,
}

/// A lab with one rack of `slots` slots, DUT 100 + n in slot n.
pub(super) fn lab(slots: u16) -> Lab {
    Lab::with(FarmConfig { ageing_step: None, ..FarmConfig::default() }, &[slots])
}

impl Lab {
    pub(super) fn with(config: FarmConfig, racks: &[u16]) -> Self {
        let mut lab = Self {
            farm: Farm::new(config),
            now: Timestamp::EPOCH,
            log: Vec::new(),
            silent: BTreeSet::new(),
            cpu: 10,
            lives: BTreeMap::new(),
            last_beat: Timestamp::EPOCH,
        };
        for (at, slots) in racks.iter().enumerate() {
            lab.step(Event::EnrolRack { name: RackName::new(format!("rack{}", at + 1)).unwrap() });
            lab.ready(RackId(at as u32 + 1), *slots);
        }
        for slot in lab.farm.inventory().slots.keys().copied().collect::<Vec<_>>() {
            lab.step(Event::PlaceDut { dut: DutId(u64::from(100 + slot.0)), slot: Some(slot) });
        }
        lab.log.clear();
        lab
    }

    #[allow(clippy::needless_pass_by_value, reason = "a case reads better without a reference at each step")]
    pub(super) fn step(&mut self, event: Event) -> Vec<Action> {
        let actions = self.farm.step(self.now, &event);
        self.farm.check_invariants().unwrap();
        assert_eq!(self.farm.violation(), None);
        self.log.extend(actions.iter().cloned());
        actions
    }

    /// A new life of a rack's daemon, which knows all epochs.
    pub(super) fn ready(&mut self, rack: RackId, slots: u16) -> Vec<Action> {
        let life = self.lives.entry(rack).or_default();
        *life += 1;
        let incarnation = *life;
        let epochs: BTreeMap<SlotNo, Epoch> = self
            .farm
            .racks()
            .iter()
            .filter(|view| view.rack == rack)
            .flat_map(|view| view.slots.iter().map(|slot| (slot.no, slot.epoch)))
            .collect();
        let slots = (1..=slots).map(SlotNo).map(|no| (no, epochs.get(&no).copied().unwrap_or_default())).collect();
        self.step(Event::RackReady(RackReady {
            rack,
            incarnation,
            slots,
            dut_epochs: Vec::new(),
            not_taking: None,
            out: Vec::new(),
        }))
    }

    pub(super) fn submit(&mut self, spec: JobSpec) -> JobId {
        let actions = self.hand_in(spec, None, false);
        actions
            .iter()
            .find_map(|action| if let Action::Accepted { job, .. } = action { Some(*job) } else { None })
            .expect("accepted")
    }

    pub(super) fn hand_in(&mut self, spec: JobSpec, key: Option<(&str, u64)>, fail_on_warning: bool) -> Vec<Action> {
        let key = key.map(|(key, digest)| IdempotencyKey { key: key.to_owned(), digest });
        self.step(Event::Submit(Box::new(Submission { spec, missing_scripts: BTreeSet::new(), fail_on_warning, key })))
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.log
            .iter()
            .rev()
            .find_map(
                |action| if let Action::Accepted { warnings, .. } = action { Some(warnings.clone()) } else { None },
            )
            .unwrap_or_default()
    }

    /// Time passes; racks that are not silent send a heartbeat each second that names all they should hold.
    pub(super) fn pass(&mut self, span: Span) {
        let end = self.now + span;
        loop {
            let beat = self.last_beat + Span::seconds(1);
            let due = self.farm.next_deadline().unwrap_or(beat).min(beat).max(self.now);
            if due > end {
                break;
            }
            self.now = due;
            if due >= beat {
                self.last_beat = due;
                self.beat_all();
            }
            if self.farm.next_deadline().is_some_and(|at| at <= self.now) {
                self.step(Event::Tick);
            }
        }
        self.now = end;
    }

    pub(super) fn beat_all(&mut self) {
        for (rack, incarnation) in self.lives.clone() {
            if !self.silent.contains(&rack) {
                let holds = self.farm.leases_on(rack).iter().map(|granted| claim(granted.lease)).collect();
                self.step(Event::Heartbeat(Heartbeat {
                    rack,
                    incarnation,
                    cpu_percent: self.cpu,
                    holds,
                    not_taking: None,
                    out: Vec::new(),
                }));
            }
        }
    }

    /// Ends a run with a pass.
    pub(super) fn pass_run(&mut self, run: RunId) -> Vec<Action> {
        self.end_run(run, Outcome::Done { result: TestResult::Pass, comment: String::new() }, false)
    }

    pub(super) fn end_run(&mut self, run: RunId, outcome: Outcome, unkillable: bool) -> Vec<Action> {
        let lease = self.lease(run);
        self.step(Event::RunEnded { rack: lease.rack, claim: claim(&lease), outcome, unkillable })
    }

    pub(super) fn lease(&self, run: RunId) -> headend_model::Lease {
        self.farm
            .open_jobs()
            .flat_map(|job| job.running)
            .find(|view| view.lease.run == run)
            .expect("the run is leased")
            .lease
            .clone()
    }

    /// Runs under a lease: (run, test, first slot).
    pub(super) fn running(&self) -> Vec<(u64, u32, u32)> {
        let views = self.farm.open_jobs().flat_map(|job| job.running);
        views.map(|view| (view.lease.run.0, view.test.0, view.lease.targets[0].slot.0)).collect()
    }

    pub(super) fn run_on(&self, slot: u32) -> Option<RunId> {
        self.running().into_iter().find(|(.., on)| *on == slot).map(|(run, ..)| RunId(run))
    }

    /// Tests in the order in which they were started: (test, slot).
    pub(super) fn starts(&self) -> Vec<(u32, u32)> {
        let starts = self.log.iter().filter_map(|action| {
            if let Action::Start { lease, test, .. } = action { Some((test, lease)) } else { None }
        });
        starts.map(|(test, lease)| (test.0, lease.targets[0].slot.0)).collect()
    }

    pub(super) fn ends(&self) -> Vec<RunRecord> {
        self.log
            .iter()
            .filter_map(|action| if let Action::RunEnded(record) = action { Some(record.clone()) } else { None })
            .collect()
    }

    pub(super) fn outcome(&self, run: u64) -> Option<Outcome> {
        let mut ends = self.ends().into_iter().filter(|record| record.run.0 == run);
        let outcome = ends.next().map(|record| record.outcome);
        assert!(ends.next().is_none(), "run {run} has ended twice");
        outcome
    }

    /// Runs everything to its end, always ending the run on the lowest slot first.
    pub(super) fn finish(&mut self) {
        while let Some((run, ..)) = self.running().into_iter().min_by_key(|(.., slot)| *slot) {
            self.now = self.now + Span::seconds(1);
            self.pass_run(RunId(run));
        }
    }

    pub(super) fn status(&self, job: JobId) -> JobStatus {
        self.farm.job(job).expect("the job is known").status
    }

    pub(super) fn slot(&self, slot: u32) -> SlotState {
        let racks = self.farm.racks();
        racks
            .iter()
            .flat_map(|rack| rack.slots.iter())
            .find(|view| view.slot == SlotId(slot))
            .expect("the slot is known")
            .state
            .clone()
    }

    /// The reasons why a job's test waits, one per target.
    pub(super) fn why(&self, job: JobId, test: usize) -> Vec<WaitReason> {
        let waiting = self.farm.why(self.now, job);
        waiting
            .into_iter()
            .filter(|waiting| waiting.test.0 as usize == test)
            .flat_map(|waiting| waiting.at.into_iter().map(|(_, why)| why))
            .collect()
    }

    pub(super) fn place(&mut self, dut: u64, slot: Option<u32>) -> Vec<Action> {
        self.step(Event::PlaceDut { dut: DutId(dut), slot: slot.map(SlotId) })
    }

    pub(super) fn kill(&mut self, job: JobId) -> Vec<Action> {
        self.step(Event::Kill { job, by: UserName::new("bert").unwrap() })
    }

    pub(super) fn load(&mut self, policy: &str) {
        self.step(Event::PolicyLoaded { policy: PolicyName::new(policy).unwrap() });
    }

    pub(super) fn last_ask(&self) -> Option<Ask> {
        self.log.iter().rev().find_map(|action| if let Action::Ask(ask) = action { Some(ask.clone()) } else { None })
    }

    pub(super) fn propose(&mut self, ask: u64, placements: &[(u32, u32)]) -> Vec<Action> {
        let wish = |(test, target): &(u32, u32)| Placement {
            test: headend_model::TestIx(*test),
            target: headend_model::TargetIx(*target),
        };
        let placements = placements.iter().map(wish).collect();
        self.step(Event::Proposed { ask, placements, skips: Vec::new(), said: crate::event::Said::default() })
    }
}

pub(super) fn claim(lease: &headend_model::Lease) -> Claim {
    Claim { run: lease.run, attempt: lease.attempt, epoch: lease.targets[0].slot_epoch }
}

/// Slots by number.
pub(super) fn slots(numbers: impl IntoIterator<Item = u32>) -> Vec<Target> {
    numbers.into_iter().map(|slot| Target::Slot(SlotId(slot))).collect()
}

/// DUTs by number.
pub(super) fn duts(numbers: impl IntoIterator<Item = u64>) -> Vec<Target> {
    numbers.into_iter().map(|dut| Target::Dut(DutId(dut))).collect()
}
