//! Time budget: the runs that are worth most within so many seconds per device; the others are left out by name.

mod choose;
mod sets;

use std::collections::{BTreeMap, BTreeSet};

use choose::Item;
use headend_sdk::policy::{
    Answer, Books, CoveragePolicy, History, Instant, Millis, Placement, Plan, Skip, TargetIx, TestIx,
};
use serde::{Deserialize, Serialize};

/// More is not kept by the server.
const MOST_BYTES: usize = 256 * 1024;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    budget_s: u32,
    measure: Measure,
    unknown_s: u32,
    worth: Worth,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Measure {
    P50,
    P90,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Worth {
    Count,
    Failures,
}

impl Settings {
    fn item(&self, test: TestIx, history: Option<&History>) -> Item {
        let known = history.map(|history| match self.measure {
            Measure::P50 => history.p50_ms,
            Measure::P90 => history.p90_ms,
        });
        let (runs, failed) = history.map_or((0, 0), |past| (past.runs, past.runs.saturating_sub(past.passed)));
        let worth = match self.worth {
            Worth::Count => 1,
            // As if two more runs were known, one of which failed: a test without a past is worth 50.
            Worth::Failures => 1 + 99 * (u64::from(failed) + 1) / (u64::from(runs) + 2),
        };
        let ms = known.unwrap_or(u64::from(self.unknown_s) * 1_000).max(1);
        Item { test, ms, worth: u8::try_from(worth).unwrap_or(100) }
    }
}

/// Each device has a set of tests that is meant for it, chosen device by device from what is left.
pub struct TimeBudget {
    books: Books,
    budget_ms: Millis,
    items: BTreeMap<TestIx, Item>,
    /// Sets are the best there are.
    exact: bool,
    names: BTreeMap<TestIx, String>,
    devices: BTreeMap<TargetIx, Device>,
    /// In how many sets a test is.
    meant: BTreeMap<TestIx, u32>,
    /// Something has ended or is lost since runs were last looked at that may not fit any more.
    look: bool,
    left_out: Vec<LeftOut>,
    /// Why the last proposal leaves runs out.
    said: BTreeMap<TestIx, String>,
}

#[derive(Default)]
pub(crate) struct Device {
    /// What its runs have taken that have ended.
    spent_ms: Millis,
    runs: u32,
    running: Option<(TestIx, Instant)>,
    set: BTreeSet<TestIx>,
    /// The set is to be chosen again.
    stale: bool,
    lost: bool,
}

#[derive(Serialize)]
struct LeftOut {
    test: TestIx,
    name: String,
    runs: u32,
    why: String,
}

fn elapsed_ms(from: Instant, to: Instant) -> Millis {
    u64::try_from(to.saturating_sub(from)).unwrap_or_default().div_ceil(1_000)
}

fn seconds(ms: Millis) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

impl TimeBudget {
    fn length(&self, test: TestIx) -> Millis {
        self.items.get(&test).map_or(Millis::MAX, |item| item.ms)
    }

    /// Devices that the test has not been on and that may still have the time for it, whatever comes of the run there.
    fn room(&self, test: TestIx, now: Instant) -> Vec<TargetIx> {
        let fits = |device: &Device| {
            let running = device.running.map_or(0, |(_, since)| elapsed_ms(since, now));
            device.spent_ms.saturating_add(running).saturating_add(self.length(test)) <= self.budget_ms
        };
        let open = self.devices.iter().filter(|(_, device)| !device.lost && fits(device)).map(|(target, _)| *target);
        open.filter(|target| !self.books.was_on(test, *target)).collect()
    }

    /// Runs that fit nowhere any more.
    fn skips(&mut self, now: Instant) -> Vec<Skip> {
        if !self.look {
            return Vec::new();
        }
        let tests: Vec<TestIx> = self.items.keys().copied().filter(|test| self.books.runs_left(*test) > 0).collect();
        let mut skips = Vec::new();
        for test in tests {
            let room = self.room(test, now).len();
            let runs = self.books.runs_left(test).saturating_sub(u32::try_from(room).unwrap_or(u32::MAX));
            if runs > 0 {
                let (takes, budget) = (seconds(self.length(test)), self.budget_ms / 1_000);
                let who = match room {
                    0 => "no device that it has not run on has".to_owned(),
                    room => format!("only {room} devices that it has not run on have"),
                };
                let reason = format!("it takes {takes}, and {who} so much left of {budget} s");
                skips.push(Skip { test, runs, reason });
            }
        }
        // What is left out stays to be looked at until that has come true.
        self.look = !skips.is_empty();
        skips
    }

    /// Nothing runs, nothing fits on what is free: to wait is against the contract, and to start something against the budget.
    fn give_up(&self, now: Instant) -> Vec<Skip> {
        let left = self.items.keys().filter(|test| self.books.runs_left(**test) > 0);
        let give_up = |test: &TestIx| Skip {
            test: *test,
            runs: self.books.runs_left(*test),
            reason: format!(
                "nothing else of the job runs, and the devices that have {} left for it are not free ({})",
                seconds(self.length(*test)),
                names(&self.room(*test, now)),
            ),
        };
        left.map(give_up).collect()
    }

    fn starts(&mut self, free: &[TargetIx]) -> Vec<Placement> {
        let mut start = Vec::new();
        for target in free {
            let next = self.next(*target).or_else(|| self.take_over(*target, &start));
            start.extend(next.map(|test| Placement { test, target: *target }));
        }
        start
    }
}

fn names(targets: &[TargetIx]) -> String {
    let mut names: Vec<String> = targets.iter().take(8).map(|target| format!("target {target}")).collect();
    if targets.len() > names.len() {
        names.push(format!("{} more", targets.len() - names.len()));
    }
    names.join(", ")
}

impl CoveragePolicy for TimeBudget {
    type Proposal = Answer;

    fn build(plan: &Plan) -> Result<Self, String> {
        let settings: Settings = plan.settings()?;
        if settings.budget_s == 0 {
            return Err(
                "the parameter `budget_s` gives no time: so many seconds each device has for this job".to_owned()
            );
        }
        let items: Vec<Item> = plan.tests.iter().map(|test| settings.item(test.ix, test.history.as_ref())).collect();
        let device = |_| Device { stale: true, ..Device::default() };
        Ok(Self {
            books: Books::new(plan),
            budget_ms: u64::from(settings.budget_s) * 1_000,
            exact: choose::is_exact(&items, plan.targets.len()),
            items: items.into_iter().map(|item| (item.test, item)).collect(),
            names: plan.tests.iter().map(|test| (test.ix, test.name.clone())).collect(),
            devices: plan.targets.iter().map(|target| (target.ix, device(target))).collect(),
            meant: BTreeMap::new(),
            look: true,
            left_out: Vec::new(),
            said: BTreeMap::new(),
        })
    }

    fn started(&mut self, placement: Placement, at: Instant) {
        let Placement { test, target } = placement;
        self.books.start(placement);
        self.release(target, test);
        if let Some(device) = self.devices.get_mut(&target) {
            device.running = Some((test, at));
            device.runs += 1;
        }
        self.trim(test);
    }

    fn ended(&mut self, placement: Placement, _code: u16, at: Instant) {
        self.look = true;
        let Some(device) = self.devices.get_mut(&placement.target) else { return };
        if let Some((_, since)) = device.running.take() {
            device.spent_ms = device.spent_ms.saturating_add(elapsed_ms(since, at));
        }
        device.stale = true;
    }

    fn target_lost(&mut self, target: TargetIx, _at: Instant) {
        self.look = true;
        let set = self.devices.get(&target).map(|device| device.set.clone()).unwrap_or_default();
        for test in set {
            self.release(target, test);
        }
        for (other, device) in &mut self.devices {
            device.lost |= *other == target;
            // Its tests may be for the others.
            device.stale = true;
        }
    }

    fn dropped(&mut self, test: TestIx, runs: u32, _at: Instant) {
        self.books.drop_runs(test, runs);
        self.trim(test);
        let name = self.names.get(&test).cloned().unwrap_or_default();
        // Dropped by the server, or left out before this instance was built.
        let why = self.said.remove(&test).unwrap_or_else(|| "no device was left for it, or no time".to_owned());
        self.left_out.push(LeftOut { test, name, runs, why });
    }

    fn propose(&mut self, now: Instant, free: &[TargetIx]) -> Answer {
        let mut skip = self.skips(now);
        let mut start = Vec::new();
        if skip.is_empty() {
            self.choose_again();
            start = self.starts(free);
            if start.is_empty() && self.devices.values().all(|device| device.running.is_none()) {
                skip = self.give_up(now);
            }
        }
        self.said = skip.iter().map(|skip| (skip.test, skip.reason.clone())).collect();
        Answer { start, skip }
    }

    fn reason(&self, of: Placement) -> String {
        let spent = self.devices.get(&of.target).map_or(0, |device| device.spent_ms);
        format!(
            "test {} takes {} and is worth most for its time in the set for target {}, which has used {} of {} s",
            of.test,
            seconds(self.length(of.test)),
            of.target,
            seconds(spent),
            self.budget_ms / 1_000
        )
    }

    fn report(&mut self) -> String {
        let device = |(target, device): (&TargetIx, &Device)| serde_json::json!({"target": target, "runs": device.runs, "spent_ms": device.spent_ms});
        let devices: Vec<_> = self.devices.iter().map(device).collect();
        let choice = if self.exact { "exact" } else { "greedy" };
        let report = |left_out: &[LeftOut]| {
            serde_json::json!({
                "budget_ms": self.budget_ms, "choice_per_device": choice, "devices": devices,
                "left_out_tests": self.left_out.len(), "left_out": left_out,
            })
            .to_string()
        };
        let whole = report(&self.left_out);
        if whole.len() <= MOST_BYTES { whole } else { report(&[]) }
    }
}

headend_sdk::export_policy!(TimeBudget);

#[cfg(test)]
mod tests;
