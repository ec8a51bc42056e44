//! Our queue policies at work on a farm, in virtual time: a question is answered by the plugin itself, a moment later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use headend_model::{
    DutId, Epoch, JobSpec, Lease, Mode, Outcome, PolicyName, Priority, RackId, RackName, RunId, SlotId, SlotNo, Span,
    Target, TestResult, TestSpec, Timestamp, TreePath, UserName,
};
use headend_plugin_host::policy::QueueInstance;
use headend_scheduler::action::AskRanks;
use headend_scheduler::event::{Claim, Heartbeat, PolicyKind, RackReady, Submission};
use headend_scheduler::{Action, Event, Farm, FarmConfig};

/// The time that a question takes.
const THOUGHT: Span = Span::millis(40);
const BEAT: Span = Span::seconds(1);

pub(crate) struct Bench {
    pub(crate) farm: Farm,
    pub(crate) now: Timestamp,
    policy: Option<Box<dyn QueueInstance>>,
    question: Option<(Timestamp, AskRanks)>,
    /// Runs under way, by their end.
    ends: BTreeSet<(Timestamp, RunId)>,
    leases: Vec<Lease>,
    next_beat: Timestamp,
    length: Box<dyn FnMut() -> Span>,
    /// What was started: owner and first slot.
    pub(crate) starts: Vec<(UserName, SlotId)>,
    pub(crate) failures: String,
}

impl Bench {
    /// One rack with so many slots, a DUT in each; `length` says how long the next run lasts. Without a plugin the built-in rule orders.
    pub(crate) fn new(
        slots: u16,
        config: FarmConfig,
        policy: Option<Box<dyn QueueInstance>>,
        length: impl FnMut() -> Span + 'static,
    ) -> Self {
        let ordered = policy.is_some();
        let mut bench = Self {
            farm: Farm::new(config),
            now: Timestamp::from_micros(1_800_000_000_000_000),
            policy,
            question: None,
            ends: BTreeSet::new(),
            leases: Vec::new(),
            next_beat: Timestamp::EPOCH,
            length: Box::new(length),
            starts: Vec::new(),
            failures: String::new(),
        };
        bench.step(&Event::EnrolRack { name: RackName::new("rack1").unwrap() });
        let slots: Vec<_> = (1..=slots).map(|no| (SlotNo(no), Epoch(0))).collect();
        let ready = RackReady {
            rack: RackId(1),
            incarnation: 1,
            slots,
            dut_epochs: Vec::new(),
            not_taking: None,
            out: Vec::new(),
        };
        bench.step(&Event::RackReady(ready));
        for slot in bench.farm.inventory().slots.keys().copied().collect::<Vec<_>>() {
            bench.step(&Event::PlaceDut { dut: DutId(slot.0.into()), slot: Some(slot) });
        }
        if ordered {
            let policy = PolicyName::new("mine").unwrap();
            let (kind, hash) = (PolicyKind::Queue, String::new());
            bench.step(&Event::PolicyFound { policy: policy.clone(), kind, hash, contract: 2 });
            bench.step(&Event::UseQueuePolicy { policy: Some(policy), by: user("anna") });
        }
        bench
    }

    /// So many tests of one run each, on any slot.
    pub(crate) fn submit(&mut self, owner: &str, priority: u8, tests: usize) {
        let targets = self.farm.inventory().slots.keys().map(|slot| Target::Slot(*slot)).collect();
        let script = TreePath::parse("a/b.py").unwrap();
        let test = TestSpec {
            script,
            public: true,
            slots_needed: 1,
            mode: Mode::DutCoverage,
            args: Vec::new(),
            time_limit: None,
        };
        let spec = JobSpec {
            name: String::new(),
            owner: user(owner),
            priority: Priority(priority),
            targets,
            tests: vec![test; tests],
            policy_parameters: BTreeMap::default(),
        };
        let missing_scripts = BTreeSet::new();
        self.step(&Event::Submit(Box::new(Submission { spec, missing_scripts, fail_on_warning: false, key: None })));
    }

    fn step(&mut self, event: &Event) {
        for action in self.farm.step(self.now, event) {
            match action {
                Action::Start { lease, .. } => {
                    let owner = self.farm.job(lease.job).unwrap().spec.owner.clone();
                    self.starts.push((owner, lease.targets[0].slot));
                    self.ends.insert((self.now + (self.length)(), lease.run));
                    self.leases.push(lease);
                }
                Action::AskRanks(ask) => self.question = Some((self.now + THOUGHT, ask)),
                Action::PolicyStruck { reason, .. } => writeln!(self.failures, "{reason}").unwrap(),
                _ => {}
            }
        }
        self.farm.check_invariants().unwrap();
    }

    fn end(&mut self, run: RunId) {
        let at = self.leases.iter().position(|lease| lease.run == run).unwrap();
        let lease = self.leases.swap_remove(at);
        let outcome = Outcome::Done { result: TestResult::Pass, comment: String::new() };
        self.step(&Event::RunEnded { rack: lease.rack, claim: claim(&lease), outcome, unkillable: false });
    }

    fn answer(&mut self, AskRanks { ask, jobs, slots, .. }: AskRanks) {
        let policy = self.policy.as_mut().unwrap();
        let ranks = jobs.iter().map(|job| job.job).zip(policy.rank(&jobs).unwrap()).collect();
        let slots = if slots.is_empty() {
            Vec::new()
        } else {
            slots.iter().map(|slot| slot.slot).zip(policy.rank_slots(&slots).unwrap()).collect()
        };
        self.step(&Event::Ranked { ask, ranks, slots });
    }

    /// Lets time pass; `look` sees the farm after everything that happens.
    pub(crate) fn pass(&mut self, span: Span, mut look: impl FnMut(&Farm)) {
        let end = self.now + span;
        loop {
            let answer = self.question.as_ref().map(|(at, _)| *at);
            let run = self.ends.first().map(|(at, _)| *at);
            let due = [answer, run, self.farm.next_deadline(), Some(self.next_beat)];
            let at = due.into_iter().flatten().min().unwrap_or(end).max(self.now);
            if at > end {
                break;
            }
            self.now = at;
            if answer.is_some_and(|answer| answer <= at) {
                let (_, ask) = self.question.take().unwrap();
                self.answer(ask);
            } else if run.is_some_and(|run| run <= at) {
                let (_, run) = self.ends.pop_first().unwrap();
                self.end(run);
            } else if self.next_beat <= at {
                self.next_beat = at + BEAT;
                let holds = self.leases.iter().map(claim).collect();
                let beat = Heartbeat {
                    rack: RackId(1),
                    incarnation: 1,
                    cpu_percent: 1,
                    holds,
                    not_taking: None,
                    out: Vec::new(),
                };
                self.step(&Event::Heartbeat(beat));
            } else {
                self.step(&Event::Tick);
            }
            look(&self.farm);
        }
        self.now = end;
    }
}

fn claim(lease: &Lease) -> Claim {
    Claim { run: lease.run, attempt: lease.attempt, epoch: lease.targets[0].slot_epoch }
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

/// Numbers that look random and are the same each time.
pub(crate) fn numbers(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    }
}
