//! Pairwise over DUT fields: every test with every value, and every value with every other, in few runs, and a certificate of it.

mod certificate;
mod choice;
mod pairs;

use headend_sdk::policy::{Answer, CoveragePolicy, Instant, Placement, Plan, Skip, SparingBooks, TargetIx, TestIx};
use pairs::{Cover, Devices};
use serde::Deserialize;

/// Tests times kinds of devices that a question can be answered for in time.
const MOST_CHOICES: usize = 100_000;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    fields: Vec<String>,
}

/// A pair is covered when a run on a device that shows it has come to a result: pass, partial pass or fail.
pub struct Pairwise {
    books: SparingBooks,
    devices: Devices,
    cover: Cover,
    /// What the last proposal started only to win time.
    marks_time: Option<Placement>,
}

impl Pairwise {
    /// Runs that can bring nothing any more, whatever comes of those under way.
    fn skips(&mut self) -> Vec<Skip> {
        let Self { books, devices, cover, .. } = self;
        books.skips(|books, test| useful_runs(books, devices, cover, test), |_, test| why_skipped(devices, cover, test))
    }
}

/// Devices that the test has not been on and that show a pair which is not covered.
fn useful_runs(books: &SparingBooks, devices: &Devices, cover: &Cover, test: TestIx) -> usize {
    let useful: Vec<bool> = devices.kinds().map(|kind| cover.gain(devices, test, kind) > 0).collect();
    let is_useful =
        |(target, kind): &(TargetIx, usize)| useful.get(*kind) == Some(&true) && books.is_open(test, *target);
    devices.targets().filter(is_useful).count()
}

fn why_skipped(devices: &Devices, cover: &Cover, test: TestIx) -> String {
    let all = devices.values();
    let covered = cover.covered_of(test);
    let rest = if covered < all { "; too few devices are left that show what is missing" } else { "" };
    format!(
        "{covered} of {all} pairs of test {test} with values of the chosen fields are covered{rest}: another run adds nothing"
    )
}

impl CoveragePolicy for Pairwise {
    type Proposal = Answer;

    fn build(plan: &Plan) -> Result<Self, String> {
        let Settings { fields } = plan.settings()?;
        let devices = Devices::of_plan(plan, &fields)?;
        let choices = plan.tests.len().saturating_mul(devices.kinds().len());
        if choices > MOST_CHOICES {
            return Err(format!(
                "{} tests on {} kinds of devices are too many to choose from ({MOST_CHOICES} at most); name fewer fields, or such with fewer values",
                plan.tests.len(),
                devices.kinds().len()
            ));
        }
        Ok(Self { books: SparingBooks::new(plan), devices, cover: Cover::default(), marks_time: None })
    }

    fn started(&mut self, placement: Placement, _at: Instant) {
        self.books.start(placement);
    }

    fn ended(&mut self, placement: Placement, code: u16, _at: Instant) {
        self.books.end(placement);
        if !matches!(code, 100 | 110 | 111) {
            return;
        }
        if self.cover.add(&self.devices, placement) {
            // A pair of values is covered for all tests.
            self.books.suspect_all();
        } else {
            self.books.suspect(placement.test);
        }
    }

    fn target_lost(&mut self, target: TargetIx, _at: Instant) {
        self.books.lose(target);
    }

    fn dropped(&mut self, test: TestIx, runs: u32, _at: Instant) {
        self.books.drop_runs(test, runs);
    }

    fn propose(&mut self, _now: Instant, free: &[TargetIx]) -> Answer {
        self.marks_time = None;
        let skip = self.skips();
        if !skip.is_empty() {
            // The targets are offered again at once.
            return Answer { start: Vec::new(), skip };
        }
        let mut start = self.starts(free);
        if start.is_empty() && self.books.is_idle() {
            self.marks_time = self.mark_time(free);
            start.extend(self.marks_time);
        }
        Answer { start, skip }
    }

    fn reason(&self, of: Placement) -> String {
        let Placement { test, target } = of;
        if self.marks_time == Some(of) {
            return format!("nothing else runs, and what test {test} misses can be shown by no device that is free");
        }
        let Some(kind) = self.devices.kind_of(target) else { return format!("target {target} is not of the plan") };
        let own = self.cover.own_gain(&self.devices, test, kind);
        let among = self.cover.gain(&self.devices, test, kind) - own;
        format!(
            "target {target} shows {own} values that test {test} has not met, and {among} pairs of values that no test has"
        )
    }

    fn report(&mut self) -> String {
        certificate::text(self)
    }
}

headend_sdk::export_policy!(Pairwise);

#[cfg(test)]
mod tests;
