//! Each test once per DUT model: a run that would only repeat a model is left out.

mod models;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use headend_sdk::policy::{Answer, Books, CoveragePolicy, Instant, Placement, Plan, Skip, TargetIx, TestIx};
use models::{Model, Models, Unknown};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    unknown_model: Unknown,
}

/// A model is done for a test when a run of the test on a device of the model has come to a result: pass, partial pass or fail.
pub struct OncePerModel {
    books: Books,
    models: Models,
    /// Test numbers and script names, in list order.
    tests: Vec<(TestIx, String)>,
    done: BTreeMap<(TestIx, Model), TargetIx>,
    running: BTreeSet<(TestIx, TargetIx)>,
    lost: BTreeSet<TargetIx>,
    /// Tests of which runs may have become useless since they were last looked at.
    suspects: BTreeSet<TestIx>,
    /// Runs that were left out or no longer fitted.
    dropped: BTreeMap<TestIx, u32>,
}

/// The run says something about the test on this model.
fn is_result(code: u16) -> bool {
    matches!(code, 100 | 110 | 111)
}

impl OncePerModel {
    fn is_running(&self, test: TestIx, model: Model) -> bool {
        self.running.iter().any(|(other, target)| *other == test && self.models.of(*target) == Some(model))
    }

    /// Targets that could still bring the test to a model that is not done.
    fn useful_runs(&self, test: TestIx) -> usize {
        let useful = |(target, model): &(TargetIx, Model)| {
            !self.lost.contains(target) && !self.books.was_on(test, *target) && !self.done.contains_key(&(test, *model))
        };
        self.models.targets().filter(useful).count()
    }

    /// Runs that can bring nothing any more.
    fn skips(&mut self) -> Vec<Skip> {
        let mut skips = Vec::new();
        for test in self.suspects.clone() {
            let useful = u32::try_from(self.useful_runs(test)).unwrap_or(u32::MAX);
            let runs = self.books.runs_left(test).saturating_sub(useful);
            if runs > 0 {
                skips.push(Skip { test, runs, reason: self.why_skipped(test) });
            } else {
                // One that is left out stays a suspect until that has come true.
                self.suspects.remove(&test);
            }
        }
        skips
    }

    fn why_skipped(&self, test: TestIx) -> String {
        let (done, all) = (self.models_done(test), self.models.len());
        let first = self.done.iter().find(|((other, _), _)| *other == test);
        let example = first.map_or_else(String::new, |((_, model), target)| {
            format!(", `{}` on target {target} among them", self.models.name(*model))
        });
        let rest = if done < all { "; of the others too few devices are left" } else { "" };
        format!("test {test} has run on {done} of {all} models{example}{rest}")
    }

    fn models_done(&self, test: TestIx) -> usize {
        self.done.keys().filter(|(other, _)| *other == test).count()
    }

    /// What each free device can add, the least-started test first.
    fn starts(&mut self, free: &[TargetIx]) -> Vec<Placement> {
        let busy: BTreeSet<(TestIx, Model)> =
            self.running.iter().filter_map(|(test, target)| Some((*test, self.models.of(*target)?))).collect();
        let (models, done) = (&self.models, &self.done);
        let chosen = std::cell::RefCell::new(busy);
        self.books.propose(free, |books, target| {
            let model = models.of(target)?;
            let mut chosen = chosen.borrow_mut();
            let test = books
                .least_started(target)
                .find(|test| !done.contains_key(&(*test, model)) && !chosen.contains(&(*test, model)))?;
            chosen.insert((test, model));
            Some(test)
        })
    }

    /// Nothing runs and nothing useful can start here, but somewhere that is not free now. No policy may wait then. One run that
    /// repeats a model, of the test that can best spare it, wins the time until the others are free.
    fn mark_time(&mut self, free: &[TargetIx]) -> Vec<Placement> {
        let open = |target: &TargetIx| {
            let tests = self.tests.iter().map(|(test, _)| *test);
            let open = tests.filter(|test| self.books.runs_left(*test) > 0 && !self.books.was_on(*test, *target));
            open.map(|test| Placement { test, target: *target }).collect::<Vec<_>>()
        };
        let to_spare = |of: &Placement| {
            let missing = self.models.len().saturating_sub(self.models_done(of.test));
            i64::from(self.books.runs_left(of.test)) - i64::try_from(missing).unwrap_or(i64::MAX)
        };
        // The first of the best: `min_by_key` keeps it.
        free.iter().flat_map(open).min_by_key(|of| std::cmp::Reverse(to_spare(of))).into_iter().collect()
    }
}

impl CoveragePolicy for OncePerModel {
    type Proposal = Answer;

    fn build(plan: &Plan) -> Result<Self, String> {
        let Settings { unknown_model } = plan.settings()?;
        Ok(Self {
            books: Books::new(plan),
            models: Models::of_plan(plan, unknown_model),
            tests: plan.tests.iter().map(|test| (test.ix, test.name.clone())).collect(),
            done: BTreeMap::new(),
            running: BTreeSet::new(),
            lost: BTreeSet::new(),
            suspects: plan.tests.iter().map(|test| test.ix).collect(),
            dropped: BTreeMap::new(),
        })
    }

    fn started(&mut self, placement: Placement, _at: Instant) {
        self.books.start(placement);
        self.running.insert((placement.test, placement.target));
    }

    fn ended(&mut self, placement: Placement, code: u16, _at: Instant) {
        self.running.remove(&(placement.test, placement.target));
        if let Some(model) = self.models.of(placement.target).filter(|_| is_result(code)) {
            self.done.entry((placement.test, model)).or_insert(placement.target);
            self.suspects.insert(placement.test);
        }
    }

    fn target_lost(&mut self, target: TargetIx, _at: Instant) {
        self.lost.insert(target);
        self.suspects.extend(self.tests.iter().map(|(test, _)| *test));
    }

    fn dropped(&mut self, test: TestIx, runs: u32, _at: Instant) {
        self.books.drop_runs(test, runs);
        *self.dropped.entry(test).or_default() += runs;
    }

    fn propose(&mut self, _now: Instant, free: &[TargetIx]) -> Answer {
        let skip = self.skips();
        if !skip.is_empty() {
            // The targets are offered again at once.
            return Answer { start: Vec::new(), skip };
        }
        let mut start = self.starts(free);
        if start.is_empty() && self.running.is_empty() {
            start = self.mark_time(free);
        }
        Answer { start, skip }
    }

    fn reason(&self, of: Placement) -> String {
        let Placement { test, target } = of;
        let Some(model) = self.models.of(target) else { return format!("target {target} is not of the plan") };
        let name = self.models.name(model);
        if self.done.contains_key(&(test, model)) || self.is_running(test, model) {
            return format!("nothing else runs, and no free device can add a model: test {test} has runs to spare");
        }
        format!("test {test} has not run on model `{name}`, which target {target} is")
    }

    fn report(&mut self) -> String {
        report::report(self)
    }
}

headend_sdk::export_policy!(OncePerModel);

#[cfg(test)]
mod tests;
