//! What the benches of policies share: a plan of any size, the books as the scheduler keeps them, and a host with our own plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use headend_model::{DutId, RackName, SlotNo, TargetIx, TestIx};
use headend_plugin_host::manifest::Limits;
use headend_plugin_host::{GuestProgram, PolicyHost, PolicyHostConfig};
use headend_scheduler::policy::PlanBooks;
use headend_scheduler::view::{PlanView, TargetView, TestView};
use tempfile::TempDir;

/// The policies that have a native twin.
pub const TWINS: [&str; 2] = ["dut-coverage", "test-coverage"];

/// So many tests, each to run on each of so many targets.
#[derive(Clone, Copy)]
pub struct Size {
    pub tests: u32,
    pub targets: u32,
}

impl Size {
    pub fn free(self) -> Vec<TargetIx> {
        (0..self.targets).map(TargetIx).collect()
    }

    pub fn plan(self) -> PlanView {
        let test =
            |test| TestView { test: TestIx(test), runs: self.targets, name: format!("tests/{test}.py"), history: None };
        let rack = RackName::new("rack1").unwrap();
        let target = |n: u32| TargetView {
            target: TargetIx(n),
            place: Some((rack.clone(), SlotNo(n as u16 + 1))),
            dut: Some(DutId(u64::from(n))),
        };
        PlanView {
            tests: (0..self.tests).map(test).collect(),
            targets: (0..self.targets).map(target).collect(),
            ..PlanView::default()
        }
    }
}

/// The books as the scheduler keeps them: every question costs O(log n).
#[derive(Clone)]
pub struct CoreBooks {
    size: Size,
    order: Vec<TestIx>,
    left: BTreeMap<TestIx, (u32, u32)>,
    by_starts: BTreeSet<(u32, TestIx)>,
    was_on: BTreeSet<(TestIx, TargetIx)>,
}

impl CoreBooks {
    pub fn new(size: Size) -> Self {
        let order: Vec<TestIx> = (0..size.tests).map(TestIx).collect();
        Self {
            size,
            left: order.iter().map(|test| (*test, (size.targets, 0))).collect(),
            by_starts: order.iter().map(|test| (0, *test)).collect(),
            was_on: BTreeSet::new(),
            order,
        }
    }

    pub fn start(&mut self, test: TestIx, target: TargetIx) {
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
    pub fn undo(&mut self, test: TestIx, target: TargetIx) {
        let (left, starts) = self.left.entry(test).or_insert((0, self.size.targets));
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
        self.left.get(&test).map_or(self.size.targets, |(_, starts)| *starts)
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

/// A host without plugins, whose cache lies in `cache`. It grants what large plans need: 10 s a question.
pub fn host(cache: &Path) -> PolicyHost {
    let guest = GuestProgram { program: env!("CARGO_BIN_EXE_headend-guest").into(), args: vec![] };
    let config = PolicyHostConfig::new(guest, cache);
    let most = Limits { deadline_ms: 10_000, ..config.most };
    PolicyHost::new(PolicyHostConfig { most, ..config }).unwrap()
}

/// The code of a policy in the box, as the tool chain left it. Needs the guests: `cargo xtask plugins`.
pub fn code(policy: &str) -> PathBuf {
    let file = format!("{}.wasm", policy.replace('-', "_"));
    let built = match std::env::var_os("HEADEND_GUESTS") {
        Some(guests) => PathBuf::from(guests).join("plugins").join(policy).join(&file),
        None => plugins().join("target/wasm32-unknown-unknown/release").join(&file),
    };
    assert!(built.is_file(), "{} is missing; build the guests first: cargo xtask plugins", built.display());
    built
}

/// A folder with a policy in the box that may take its time.
pub fn stage(home: &TempDir, policy: &str) -> PathBuf {
    let folder = home.path().join(policy);
    fs::create_dir_all(&folder).unwrap();
    let built = code(policy);
    fs::copy(&built, folder.join(built.file_name().unwrap())).unwrap();
    let manifest = fs::read_to_string(plugins().join("policies").join(policy).join("headend-plugin.toml")).unwrap();
    fs::write(folder.join("headend-plugin.toml"), manifest.replace("deadline_ms = 50", "deadline_ms = 10000")).unwrap();
    folder
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}
