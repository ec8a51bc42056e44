//! What it costs to begin: an instance and its first question beside the bare runtime with the same code, and a plugin from the cache
//! of compiled code beside one that is compiled. Needs the guests: `cargo xtask plugins`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a bench may stop at the first surprise")]

#[allow(dead_code, unreachable_pub, reason = "each bench takes what it needs")]
mod support;

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use headend_model::{PolicyName, Timestamp};
use headend_scheduler::view::PlanView;
use support::{Size, code, host, stage};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use bare::exports::headend::policy::coverage::Guest;
use bare::headend::policy::{plans, types};

const POLICY: &str = "test-coverage";
const SIZE: Size = Size { tests: 100, targets: 16 };

mod bare {
    wasmtime::component::bindgen!({ path: "../../sdk/wit/v2/policy", world: "coverage-policy" });
}

/// All that the runtime asks of its user: no limits, no deadline, no log.
struct Nothing;

impl types::Host for Nothing {}
impl plans::Host for Nothing {}
impl bare::headend::policy::log::Host for Nothing {
    fn line(&mut self, _: String) {}
}

/// The runtime as it comes, with the plugin's code linked.
struct Bare {
    engine: Engine,
    pre: bare::CoveragePolicyPre<Nothing>,
}

impl Bare {
    fn new() -> Self {
        let engine = Engine::default();
        let module = fs::read(code(POLICY)).unwrap();
        let component = wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
        let component = Component::new(&engine, component).unwrap();
        let mut linker = Linker::new(&engine);
        bare::CoveragePolicy::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).unwrap();
        let pre = bare::CoveragePolicyPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Self { engine, pre }
    }

    fn instance(&self, plan: &plans::Plan) -> (Store<Nothing>, bare::CoveragePolicy) {
        let mut store = Store::new(&self.engine, Nothing);
        let instance = self.pre.instantiate(&mut store).unwrap();
        coverage(&instance).call_build(&mut store, plan).unwrap().unwrap();
        (store, instance)
    }
}

fn coverage(instance: &bare::CoveragePolicy) -> &Guest {
    instance.headend_policy_coverage()
}

fn bare_plan(plan: &PlanView) -> plans::Plan {
    let place = |(rack, slot): &(headend_model::RackName, headend_model::SlotNo)| types::Place {
        rack: rack.to_string(),
        slot: slot.0,
    };
    let dut = |dut: headend_model::DutId| plans::Dut { id: dut.0, model: String::new(), fields: Vec::new() };
    plans::Plan {
        parameters: "{}".to_owned(),
        accepted: 0,
        tests: plan
            .tests
            .iter()
            .map(|test| plans::Test { ix: test.test.0, runs: test.runs, name: test.name.clone(), history: None })
            .collect(),
        targets: plan
            .targets
            .iter()
            .map(|target| plans::Target {
                ix: target.target.0,
                place: target.place.as_ref().map(place),
                dut: target.dut.map(dut),
            })
            .collect(),
        outcomes: Vec::new(),
        past: Vec::new(),
    }
}

/// An instance that knows its plan.
fn instances(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let (host, bare, plan) = (host(&home.path().join("cache")), Bare::new(), SIZE.plan());
    host.load(&stage(&home, POLICY)).unwrap();
    let (name, told) = (PolicyName::new(POLICY).unwrap(), bare_plan(&plan));
    let mut group = criterion.benchmark_group("instance_100x16");
    group.bench_function("bare wasmtime", |b| b.iter(|| black_box(bare.instance(&told))));
    group.bench_function("headend", |b| b.iter(|| black_box(host.instance(&name, &plan).unwrap())));
}

/// A question about 16 free targets, asked again and again.
fn questions(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let (host, bare, plan) = (host(&home.path().join("cache")), Bare::new(), SIZE.plan());
    host.load(&stage(&home, POLICY)).unwrap();
    let free = SIZE.free();
    let numbers: Vec<u32> = free.iter().map(|target| target.0).collect();
    let (mut store, instance) = bare.instance(&bare_plan(&plan));
    let mut ours = host.instance(&PolicyName::new(POLICY).unwrap(), &plan).unwrap();
    let mut group = criterion.benchmark_group("call_16_free");
    group.bench_function("bare wasmtime", |b| {
        b.iter(|| black_box(coverage(&instance).call_propose(&mut store, 0, &numbers).unwrap()));
    });
    group.bench_function("headend", |b| b.iter(|| black_box(ours.propose(Timestamp::EPOCH, &free).unwrap())));
}

/// From a folder to a plugin in force, all steps: read, compile in a child or take from the cache, link, self-check.
fn loads(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let folder = stage(&home, POLICY);
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("compiled", |b| {
        b.iter_custom(|times| (0..times).map(|_| load(&folder, tempfile::tempdir().unwrap().path())).sum());
    });
    let warm = home.path().join("warm");
    fs::create_dir_all(&warm).unwrap();
    load(&folder, &warm);
    group.bench_function("from the cache", |b| b.iter_custom(|times| (0..times).map(|_| load(&folder, &warm)).sum()));
}

fn load(folder: &std::path::Path, home: &std::path::Path) -> Duration {
    let host = host(&home.join("cache"));
    let begun = Instant::now();
    host.load(folder).unwrap();
    begun.elapsed()
}

criterion_group!(begin, instances, questions, loads);
criterion_main!(begin);
