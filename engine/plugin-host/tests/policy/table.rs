//! A farm at a table: one job under one coverage policy, in virtual time. Whatever the policy says, the job comes to its end, no test is
//! started twice on a device or more often than was asked for, and no invariant breaks. Also read by the fuzz targets.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{
    DutId, Epoch, JobId, JobSpec, Lease, Mode, Outcome, PolicyName, Priority, RackId, RackName, SlotNo, Span, Target,
    TargetIx, TestIx, TestResult, TestSpec, Timestamp, TreePath, UserName,
};
use headend_scheduler::action::{Ask, AskReport, Noted};
use headend_scheduler::event::{Claim, Heartbeat, Placement, PolicyKind, RackReady, Skip, Submission};
use headend_scheduler::view::PlanView;
use headend_scheduler::{Action, Event, Farm, FarmConfig};

/// A run lasts so long.
const RUN: Span = Span::seconds(2);
const BEAT: Span = Span::seconds(1);
/// Far more than any job of the table needs.
const MOST_STEPS: usize = 2_000;

/// A question to the policy.
pub struct Question {
    /// What an instance is built from, should there be none. Its past has the changes already.
    pub plan: PlanView,
    pub changes: Vec<Noted>,
    /// Free targets; none: what came of the plan?
    pub free: Option<Vec<TargetIx>>,
}

/// What the policy says.
pub enum Said {
    Answer(Vec<Placement>, Vec<Skip>),
    Report(String),
    Failed(String),
    Declined(String),
    /// Not a word before the farm's deadline.
    #[allow(dead_code, reason = "said by a fuzz target")]
    Nothing,
}

pub struct Table {
    farm: Farm,
    now: Timestamp,
    next_beat: Timestamp,
    job: JobId,
    asked: Vec<(u64, Question)>,
    leases: Vec<(Timestamp, Lease)>,
    started: BTreeSet<(TestIx, TargetIx)>,
    starts: BTreeMap<TestIx, u32>,
    runs: Vec<u32>,
    /// Why it was struck, each time.
    pub strikes: Vec<String>,
    pub quarantined: bool,
    pub reports: Vec<Result<String, String>>,
}

impl Table {
    /// `targets` slots, and a test for each number of runs, all under the policy `hostile`.
    pub fn new(targets: u16, runs: &[u32]) -> Self {
        let mut table = Self {
            farm: Farm::new(FarmConfig { policy_strikes: 2, ..FarmConfig::default() }),
            now: Timestamp::from_micros(1_800_000_000_000_000),
            next_beat: Timestamp::EPOCH,
            job: JobId(0),
            asked: Vec::new(),
            leases: Vec::new(),
            started: BTreeSet::new(),
            starts: BTreeMap::new(),
            runs: runs.to_vec(),
            strikes: Vec::new(),
            quarantined: false,
            reports: Vec::new(),
        };
        let name = PolicyName::new("hostile").unwrap();
        table.step(&Event::EnrolRack { name: RackName::new("rack1").unwrap() });
        let slots = (1..=targets).map(|no| (SlotNo(no), Epoch(0))).collect();
        let ready = RackReady {
            rack: RackId(1),
            incarnation: 1,
            slots,
            dut_epochs: Vec::new(),
            not_taking: None,
            out: Vec::new(),
        };
        table.step(&Event::RackReady(ready));
        for slot in table.farm.inventory().slots.keys().copied().collect::<Vec<_>>() {
            table.step(&Event::PlaceDut { dut: DutId(slot.0.into()), slot: Some(slot) });
        }
        let (kind, hash) = (PolicyKind::Coverage, String::new());
        table.step(&Event::PolicyFound { policy: name.clone(), kind, hash, contract: 2 });
        table.submit(&name);
        table
    }

    fn submit(&mut self, name: &PolicyName) {
        let test = |(ix, runs): (usize, &u32)| TestSpec {
            script: TreePath::parse(&format!("tests/{ix}.rhai")).unwrap(),
            public: true,
            slots_needed: *runs,
            mode: Mode::Policy(name.clone()),
            args: Vec::new(),
            time_limit: None,
        };
        let spec = JobSpec {
            name: String::new(),
            owner: UserName::new("anna").unwrap(),
            priority: Priority::default(),
            targets: self.farm.inventory().slots.keys().map(|slot| Target::Slot(*slot)).collect(),
            tests: self.runs.iter().enumerate().map(test).collect(),
            policy_parameters: BTreeMap::default(),
        };
        let missing_scripts = BTreeSet::new();
        self.step(&Event::Submit(Box::new(Submission { spec, missing_scripts, fail_on_warning: false, key: None })));
    }

    /// Plays the job to its end.
    pub fn play(&mut self, mut policy: impl FnMut(&Question) -> Said) {
        for _ in 0..MOST_STEPS {
            if let Some((ask, question)) = self.asked.pop() {
                let said = policy(&question);
                self.hear(ask, said);
                continue;
            }
            if self.leases.is_empty() && self.farm.job(self.job).is_none_or(|job| job.status.is_final()) {
                return;
            }
            self.wait();
        }
        panic!("the job does not come to its end: {:?}", self.farm.job(self.job).map(|job| job.status));
    }

    fn hear(&mut self, ask: u64, said: Said) {
        let event = match said {
            Said::Answer(placements, skips) => {
                Event::Proposed { ask, placements, skips, said: headend_scheduler::event::Said::default() }
            }
            Said::Report(report) => Event::Reported { ask, report },
            Said::Failed(reason) => Event::PolicyFailed { ask, reason },
            Said::Declined(reason) => Event::PolicyDeclined { ask, reason },
            Said::Nothing => return,
        };
        self.step(&event);
    }

    /// Until the next thing that happens by itself.
    fn wait(&mut self) {
        let end = self.leases.iter().map(|(end, _)| *end).min();
        let due = [end, self.farm.next_deadline(), Some(self.next_beat)].into_iter().flatten().min();
        self.now = due.unwrap_or(self.now).max(self.now);
        if end.is_some_and(|end| end <= self.now) {
            let at = self.leases.iter().position(|(due, _)| Some(*due) == end).unwrap();
            let (_, lease) = self.leases.swap_remove(at);
            let outcome = Outcome::Done { result: TestResult::Pass, comment: String::new() };
            self.step(&Event::RunEnded { rack: lease.rack, claim: claim(&lease), outcome, unkillable: false });
        } else if self.next_beat <= self.now {
            self.next_beat = self.now + BEAT;
            let holds = self.leases.iter().map(|(_, lease)| claim(lease)).collect();
            let beat =
                Heartbeat { rack: RackId(1), incarnation: 1, cpu_percent: 1, holds, not_taking: None, out: Vec::new() };
            self.step(&Event::Heartbeat(beat));
        } else {
            self.step(&Event::Tick);
        }
    }

    fn step(&mut self, event: &Event) {
        for action in self.farm.step(self.now, event) {
            match action {
                Action::Accepted { job, .. } => self.job = job,
                Action::Start { lease, test, .. } => self.start(lease, test),
                Action::Ask(Ask { ask, job, group, free, changes, .. }) => {
                    self.ask(ask, job, group, changes, Some(free));
                }
                Action::AskReport(AskReport { ask, job, group, changes, .. }) => {
                    self.ask(ask, job, group, changes, None);
                }
                Action::PolicyStruck { reason, quarantined, .. } => {
                    self.strikes.push(reason);
                    self.quarantined |= quarantined;
                }
                Action::PolicyReport(told) => self.reports.push(told.report),
                _ => {}
            }
        }
        self.farm.check_invariants().unwrap();
    }

    fn ask(&mut self, ask: u64, job: JobId, group: u32, changes: Vec<Noted>, free: Option<Vec<TargetIx>>) {
        assert!(!self.quarantined, "who is in quarantine is not asked");
        let plan = self.farm.plan(job, group).unwrap_or_default();
        self.asked.push((ask, Question { plan, changes, free }));
    }

    fn start(&mut self, lease: Lease, test: TestIx) {
        let slots: Vec<_> = self.farm.inventory().slots.keys().copied().collect();
        let target = slots.iter().position(|slot| *slot == lease.targets[0].slot).unwrap();
        assert!(self.started.insert((test, TargetIx(target as u32))), "{test:?} twice on target {target}");
        let starts = self.starts.entry(test).or_default();
        *starts += 1;
        assert!(*starts <= self.runs[test.0 as usize], "{test:?} more often than was asked for");
        let busy = self.leases.iter().any(|(_, other)| other.targets[0].slot == lease.targets[0].slot);
        assert!(!busy, "two runs on one slot");
        self.leases.push((self.now + RUN, lease));
    }
}

fn claim(lease: &Lease) -> Claim {
    Claim { run: lease.run, attempt: lease.attempt, epoch: lease.targets[0].slot_epoch }
}
