//! A coverage policy as native code against the same policy as a plugin. A whole job of 100 tests on 16 targets, in rounds of 16
//! questions with all that has happened told in between; one question in the middle of that job; and one question about 1,000 tests on
//! 1,000 free targets, there also in Rhai. Needs the guests: `cargo xtask plugins`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a bench may stop at the first surprise")]

#[allow(dead_code, unreachable_pub, reason = "each bench takes what it needs")]
mod support;

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use headend_model::{PolicyName, TargetIx, TestIx, Timestamp};
use headend_plugin_host::{PolicyHost, PolicyInstance};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::{CoveragePolicy, native};
use support::{CoreBooks, Size, TWINS, host, stage};
use tempfile::TempDir;

const USUAL: Size = Size { tests: 100, targets: 16 };
const LARGE: Size = Size { tests: 1_000, targets: 1_000 };

/// `dut-coverage` in Rhai: on each free target the first test of the list that has not been there.
const FIRST_FIT: &str = r"
fn propose(plan, free) {
    let seen = #{};
    for target in plan.targets { seen[`${target.ix}`] = target.seen; }
    let answer = [];
    for target in free {
        let been = seen[`${target}`];
        for at in 0..plan.tests.len() {
            let test = plan.tests[at];
            if test.left > 0 && !been.contains(test.ix) {
                answer.push([test.ix, target]);
                plan.tests[at].left -= 1;
                break;
            }
        }
    }
    answer
}
";
const FIRST_FIT_MANIFEST: &str = "name = \"first-fit\"\nversion = \"1.0.0\"\nkind = \"coverage-policy\"\nworld = \"2.0.0\"\n\
                                  file = \"first-fit.rhai\"\n\n[limits]\nmemory_mib = 64\ndeadline_ms = 10000\n";

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

/// One question, as a plugin answers it: each choice sees those before it, and nothing is changed afterwards.
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

fn whole_job(group: &mut BenchmarkGroup<'_, WallTime>, host: &PolicyHost, policy: &str) {
    let (rule, free, plan) = (native(policy).unwrap(), USUAL.free(), USUAL.plan());
    let name = PolicyName::new(policy).unwrap();
    let build = || host.instance(&name, &plan).unwrap();
    assert_eq!(native_job(CoreBooks::new(USUAL), rule, &free), plugin_job(build(), &free), "the twins differ");
    group.bench_function(format!("{policy}/native"), |b| {
        let books = || CoreBooks::new(USUAL);
        b.iter_batched(books, |books| black_box(native_job(books, rule, &free)), BatchSize::SmallInput);
    });
    group.bench_function(format!("{policy}/wasm"), |b| {
        b.iter_batched(build, |instance| black_box(plugin_job(instance, &free)), BatchSize::SmallInput);
    });
}

/// One question with 16 free targets, in the middle of the job.
fn question(group: &mut BenchmarkGroup<'_, WallTime>, host: &PolicyHost, policy: &str) {
    let (rule, free, mut plan, mut books) =
        (native(policy).unwrap(), USUAL.free(), USUAL.plan(), CoreBooks::new(USUAL));
    for round in 0..USUAL.tests / 2 {
        for &target in &free {
            let test = TestIx((round + target.0) % USUAL.tests);
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

/// One question about 1,000 tests on 1,000 free targets.
fn large_question(group: &mut BenchmarkGroup<'_, WallTime>, host: &PolicyHost) {
    group.sample_size(10);
    let (free, plan, mut books) = (LARGE.free(), LARGE.plan(), CoreBooks::new(LARGE));
    for policy in TWINS {
        let rule = native(policy).unwrap();
        group.bench_function(format!("{policy}/native"), |b| {
            b.iter(|| black_box(native_question(&mut books, rule, &free)));
        });
        let expected = native_question(&mut books, rule, &free);
        let plugins: &[(&str, &str)] =
            if policy == "dut-coverage" { &[("wasm", policy), ("rhai", "first-fit")] } else { &[("wasm", policy)] };
        for (language, plugin) in plugins {
            let mut instance = host.instance(&PolicyName::new(*plugin).unwrap(), &plan).unwrap();
            let proposed = instance.propose(Timestamp::EPOCH, &free).unwrap().start;
            assert_eq!(expected, proposed, "{plugin} in {language} differs");
            group.bench_function(format!("{policy}/{language}"), |b| {
                b.iter(|| black_box(instance.propose(Timestamp::EPOCH, &free).unwrap().start));
            });
        }
    }
}

fn first_fit(home: &TempDir) -> PathBuf {
    let folder = home.path().join("first-fit");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("first-fit.rhai"), FIRST_FIT).unwrap();
    fs::write(folder.join("headend-plugin.toml"), FIRST_FIT_MANIFEST).unwrap();
    folder
}

fn benches(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let host = host(&home.path().join("cache"));
    for policy in TWINS {
        host.load(&stage(&home, policy)).unwrap();
    }
    host.load(&first_fit(&home)).unwrap();
    for policy in TWINS {
        whole_job(&mut criterion.benchmark_group("job_100x16"), &host, policy);
        question(&mut criterion.benchmark_group("question_16_free"), &host, policy);
    }
    large_question(&mut criterion.benchmark_group("question_1000x1000"), &host);
}

criterion_group!(propose, benches);
criterion_main!(propose);
