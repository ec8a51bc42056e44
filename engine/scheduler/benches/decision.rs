//! What one decision costs: a run ends, its slot is free, the next one starts, with so many jobs waiting for so many
//! slots. `HEADEND_BENCH_P99=1` prints the distribution of single decisions besides.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench: it prints, and measures time"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use headend_model::{
    DutId, Epoch, JobSpec, Lease, Mode, Outcome, Priority, RackId, RackName, SlotId, SlotNo, Target, TestResult,
    TestSpec, Timestamp, TreePath, UserName,
};
use headend_scheduler::event::{Claim, RackReady, Submission};
use headend_scheduler::{Action, Event, Farm, FarmConfig};

/// How the targets of the jobs lie.
#[derive(Clone, Copy)]
enum Shape {
    /// Every job may run anywhere: one list of targets.
    Anywhere,
    /// Every job has a list of its own: eight slots in a row.
    Own,
}

struct Lab {
    farm: Farm,
    now: i64,
    running: Vec<Lease>,
    decided: u64,
}

impl Lab {
    fn new(jobs: u64, slots: u32, shape: Shape) -> Self {
        let mut lab = Self { farm: Farm::new(FarmConfig::default()), now: 0, running: Vec::new(), decided: 0 };
        for rack in 0..slots.div_ceil(16) {
            lab.step(&Event::EnrolRack { name: RackName::new(format!("r{rack}")).unwrap() });
            let here = (slots - rack * 16).min(16) as u16;
            let slots = (1..=here).map(|no| (SlotNo(no), Epoch(0))).collect();
            lab.step(&Event::RackReady(RackReady {
                rack: RackId(rack + 1),
                incarnation: 1,
                slots,
                dut_epochs: Vec::new(),
                not_taking: None,
                out: Vec::new(),
            }));
        }
        for slot in 1..=slots {
            lab.step(&Event::PlaceDut { dut: DutId(slot.into()), slot: Some(SlotId(slot)) });
        }
        for job in 0..jobs {
            lab.submit(job, slots, shape);
        }
        lab
    }

    fn submit(&mut self, number: u64, slots: u32, shape: Shape) {
        let targets = match shape {
            Shape::Anywhere => (1..=slots).map(|slot| Target::Slot(SlotId(slot))).collect(),
            Shape::Own => {
                (0..8).map(|at| Target::Slot(SlotId(((number as u32).wrapping_mul(7) + at) % slots + 1))).collect()
            }
        };
        let mode = if number.is_multiple_of(2) { Mode::DutCoverage } else { Mode::TestCoverage };
        let script = TreePath::parse("a/b.py").unwrap();
        let test = TestSpec { script, public: true, slots_needed: 4, mode, args: Vec::new(), time_limit: None };
        let spec = JobSpec {
            name: String::new(),
            owner: UserName::new("anna").unwrap(),
            priority: Priority((number % 9) as u8 + 1),
            targets,
            tests: vec![test; 4],
            policy_parameters: BTreeMap::new(),
        };
        let submission = Submission { spec, missing_scripts: BTreeSet::new(), fail_on_warning: false, key: None };
        self.step(&Event::Submit(Box::new(submission)));
    }

    fn step(&mut self, event: &Event) {
        self.now += 1;
        let actions = self.farm.step(Timestamp::from_micros(self.now), event);
        self.running.extend(
            actions
                .into_iter()
                .filter_map(|action| if let Action::Start { lease, .. } = action { Some(lease) } else { None }),
        );
    }

    /// A run ends somewhere, and the next one starts there.
    fn decide(&mut self) -> Duration {
        let at = (self.now as usize).wrapping_mul(31) % self.running.len();
        let lease = self.running.swap_remove(at);
        let claim = Claim { run: lease.run, attempt: lease.attempt, epoch: lease.targets[0].slot_epoch };
        let outcome = Outcome::Done { result: TestResult::Pass, comment: String::new() };
        let event = Event::RunEnded { rack: lease.rack, claim, outcome, unkillable: false };
        let start = Instant::now();
        self.now += 1;
        let actions = black_box(self.farm.step(Timestamp::from_micros(self.now), black_box(&event)));
        let took = start.elapsed();
        self.running.extend(
            actions
                .into_iter()
                .filter_map(|action| if let Action::Start { lease, .. } = action { Some(lease) } else { None }),
        );
        took
    }
}

impl Lab {
    /// A bench may run for longer than the jobs last: as they go, others come, outside the time that is taken.
    fn decide_or_refill(&mut self, jobs: u64, slots: u32, shape: Shape) -> Duration {
        let took = self.decide();
        // A job has 16 runs.
        self.decided += 1;
        if self.decided.is_multiple_of(16) {
            self.submit(jobs + self.decided / 16, slots, shape);
        }
        took
    }
}

fn print_distribution(name: &str, lab: &mut Lab, refill: impl Fn(&mut Lab) -> Duration) {
    let mut times: Vec<Duration> = (0..10_000).map(|_| refill(lab)).collect();
    times.sort_unstable();
    println!("{name}: median {:?}, p99 {:?}, most {:?}", times[5_000], times[9_900], times[9_999]);
}

fn decision(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    group.sample_size(20);
    for (shape, label) in [(Shape::Anywhere, "anywhere"), (Shape::Own, "own")] {
        for (jobs, slots) in [(1_000, 16), (10_000, 256), (100_000, 1_000)] {
            let mut lab = Lab::new(jobs, slots, shape);
            let name = format!("{label} {jobs} jobs x {slots} slots");
            if std::env::var_os("HEADEND_BENCH_P99").is_some() {
                print_distribution(&name, &mut lab, |lab| lab.decide_or_refill(jobs, slots, shape));
            }
            group.bench_function(BenchmarkId::from_parameter(name), |bench| {
                bench.iter_custom(|times| (0..times).map(|_| lab.decide_or_refill(jobs, slots, shape)).sum());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decision);
criterion_main!(benches);
