//! A coverage policy as native code against the same policy as a WebAssembly plugin: a whole job of 100 tests on 16 targets, in
//! rounds of 16 questions with all that has happened told in between. Needs the guests: `cargo xtask plugins`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a bench may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use headend_model::{DutId, PolicyName, RackName, SlotNo, TargetIx, TestIx, Timestamp};
use headend_plugin_host::{GuestProgram, PolicyHost, PolicyHostConfig, PolicyInstance};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::{CoveragePolicy, PlanBooks, native};
use headend_scheduler::view::{PlanView, TargetView, TestView};
use tempfile::TempDir;

const TESTS: u32 = 100;
const TARGETS: u32 = 16;

/// The books as the scheduler keeps them: every question costs O(log n).
#[derive(Clone)]
struct CoreBooks {
    order: Vec<TestIx>,
    left: BTreeMap<TestIx, (u32, u32)>,
    by_starts: BTreeSet<(u32, TestIx)>,
    was_on: BTreeSet<(TestIx, TargetIx)>,
}

impl CoreBooks {
    fn new() -> Self {
        let order: Vec<TestIx> = (0..TESTS).map(TestIx).collect();
        Self {
            left: order.iter().map(|test| (*test, (TARGETS, 0))).collect(),
            by_starts: order.iter().map(|test| (0, *test)).collect(),
            was_on: BTreeSet::new(),
            order,
        }
    }

    fn start(&mut self, test: TestIx, target: TargetIx) {
        let Some((left, starts)) = self.left.get_mut(&test) else { return };
        self.by_starts.remove(&(*starts, test));
        (*left, *starts) = (*left - 1, *starts + 1);
        self.was_on.insert((test, target));
        if *left > 0 {
            self.by_starts.insert((*starts, test));
        } else {
            self.left.remove(&test);
        }
    }

    /// Takes a start back.
    fn undo(&mut self, test: TestIx, target: TargetIx) {
        let (left, starts) = self.left.entry(test).or_insert((0, TARGETS));
        self.by_starts.remove(&(*starts, test));
        (*left, *starts) = (*left + 1, *starts - 1);
        self.by_starts.insert((*starts, test));
        self.was_on.remove(&(test, target));
    }
}

impl PlanBooks for CoreBooks {
    fn tests(&self) -> &[TestIx] {
        &self.order
    }

    fn runs_left(&self, test: TestIx) -> u32 {
        self.left.get(&test).map_or(0, |(left, _)| *left)
    }

    fn starts(&self, test: TestIx) -> u32 {
        self.left.get(&test).map_or(TARGETS, |(_, starts)| *starts)
    }

    fn was_on(&self, test: TestIx, target: TargetIx) -> bool {
        self.was_on.contains(&(test, target))
    }

    fn least_started(&self) -> Box<dyn Iterator<Item = TestIx> + '_> {
        Box::new(self.by_starts.iter().map(|(_, test)| *test))
    }

    fn in_order(&self) -> Box<dyn Iterator<Item = TestIx> + '_> {
        Box::new(self.left.keys().copied())
    }
}

fn targets() -> Vec<TargetIx> {
    (0..TARGETS).map(TargetIx).collect()
}

/// The whole job as the core does it.
fn native_job(mut books: CoreBooks, policy: &dyn CoveragePolicy, free: &[TargetIx]) -> u32 {
    let mut runs = 0;
    loop {
        let before = runs;
        for &target in free {
            if let Some(test) = policy.choose(&books, target) {
                books.start(test, target);
                runs += 1;
            }
        }
        if runs == before {
            return runs;
        }
    }
}

/// The whole job through a plugin.
fn plugin_job(mut instance: Box<dyn PolicyInstance>, free: &[TargetIx]) -> u32 {
    let mut runs = 0;
    loop {
        let answer = instance.propose(Timestamp::EPOCH, free).unwrap().start;
        if answer.is_empty() {
            return runs;
        }
        for placement in answer {
            runs += 1;
            instance.apply(&PlanChange::Started(placement).at(Timestamp::EPOCH));
        }
    }
}

/// One question with 16 free targets, in the middle of the job: as a plugin answers it, each choice seeing those before it, and
/// nothing changed afterwards.
fn native_question(books: &mut CoreBooks, policy: &dyn CoveragePolicy, free: &[TargetIx]) -> Vec<Placement> {
    let mut answer = Vec::with_capacity(free.len());
    for &target in free {
        if let Some(test) = policy.choose(books, target) {
            books.start(test, target);
            answer.push(Placement { test, target });
        }
    }
    answer.iter().rev().for_each(|placement| books.undo(placement.test, placement.target));
    answer
}

fn plan() -> PlanView {
    let test = |test| TestView { test: TestIx(test), runs: TARGETS, name: format!("tests/{test}.py"), history: None };
    let rack = RackName::new("rack1").unwrap();
    let target = |n: u32| TargetView {
        target: TargetIx(n),
        place: Some((rack.clone(), SlotNo(n as u16 + 1))),
        dut: Some(DutId(u64::from(n))),
    };
    PlanView {
        tests: (0..TESTS).map(test).collect(),
        targets: (0..TARGETS).map(target).collect(),
        ..PlanView::default()
    }
}

fn host(home: &TempDir) -> PolicyHost {
    let guest = GuestProgram { program: env!("CARGO_BIN_EXE_headend-guest").into(), args: vec![] };
    let host = PolicyHost::new(PolicyHostConfig::new(guest, home.path().join("cache"))).unwrap();
    for policy in ["dut-coverage", "test-coverage"] {
        host.load(&stage(home, policy)).unwrap();
    }
    host
}

fn stage(home: &TempDir, policy: &str) -> PathBuf {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let file = format!("{}.wasm", policy.replace('-', "_"));
    let built = match std::env::var_os("HEADEND_GUESTS") {
        Some(guests) => PathBuf::from(guests).join("plugins").join(policy).join(&file),
        None => plugins.join("target/wasm32-unknown-unknown/release").join(&file),
    };
    assert!(built.is_file(), "{} is missing; build the guests first: cargo xtask plugins", built.display());
    let folder = home.path().join(policy);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(built, folder.join(&file)).unwrap();
    let manifest = plugins.join("policies").join(policy).join("headend-plugin.toml");
    fs::copy(manifest, folder.join("headend-plugin.toml")).unwrap();
    folder
}

fn whole_job(group: &mut BenchmarkGroup<'_, WallTime>, host: &PolicyHost, policy: &str) {
    let (rule, free, plan) = (native(policy).unwrap(), targets(), plan());
    let name = PolicyName::new(policy).unwrap();
    let build = || host.instance(&name, &plan).unwrap();
    assert_eq!(native_job(CoreBooks::new(), rule, &free), plugin_job(build(), &free), "the twins differ");
    group.bench_function(format!("{policy}/native"), |b| {
        b.iter_batched(CoreBooks::new, |books| black_box(native_job(books, rule, &free)), BatchSize::SmallInput);
    });
    group.bench_function(format!("{policy}/wasm"), |b| {
        b.iter_batched(build, |instance| black_box(plugin_job(instance, &free)), BatchSize::SmallInput);
    });
}

fn question(group: &mut BenchmarkGroup<'_, WallTime>, host: &PolicyHost, policy: &str) {
    let (rule, free, mut plan, mut books) = (native(policy).unwrap(), targets(), plan(), CoreBooks::new());
    for round in 0..TESTS / 2 {
        for &target in &free {
            let test = TestIx((round + target.0) % TESTS);
            books.start(test, target);
            plan.past.push(PlanChange::Started(Placement { test, target }).at(Timestamp::EPOCH));
        }
    }
    let mut instance = host.instance(&PolicyName::new(policy).unwrap(), &plan).unwrap();
    let proposed = instance.propose(Timestamp::EPOCH, &free).unwrap().start;
    assert_eq!(native_question(&mut books, rule, &free), proposed, "the twins differ");
    group
        .bench_function(format!("{policy}/native"), |b| b.iter(|| black_box(native_question(&mut books, rule, &free))));
    group.bench_function(format!("{policy}/wasm"), |b| {
        b.iter(|| black_box(instance.propose(Timestamp::EPOCH, &free).unwrap().start));
    });
}

fn benches(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let host = host(&home);
    for policy in ["dut-coverage", "test-coverage"] {
        whole_job(&mut criterion.benchmark_group("job_100x16"), &host, policy);
        question(&mut criterion.benchmark_group("question_16_free"), &host, policy);
    }
    let name = PolicyName::new("test-coverage").unwrap();
    let plan = plan();
    criterion.bench_function("instance/wasm", |b| b.iter(|| black_box(host.instance(&name, &plan).unwrap())));
}

criterion_group!(propose, benches);
criterion_main!(propose);
