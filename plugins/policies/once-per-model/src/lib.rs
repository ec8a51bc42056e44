//! Each test once per DUT model: a run that would only repeat a model is left out.

mod models;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use headend_sdk::policy::{Answer, CoveragePolicy, Instant, Placement, Plan, Skip, SparingBooks, TargetIx, TestIx};
use models::{Model, Models, Unknown};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    unknown_model: Unknown,
}

/// A model is done for a test when a run of the test on a device of the model has come to a result: pass, partial pass or fail.
pub struct OncePerModel {
    books: SparingBooks,
    models: Models,
    done: Done,
}

/// Where a test has come to a result on a model.
type Done = BTreeMap<(TestIx, Model), TargetIx>;

/// The run says something about the test on this model.
fn is_result(code: u16) -> bool {
    matches!(code, 100 | 110 | 111)
}

/// Targets that could still bring the test to a model that is not done.
fn useful_runs(books: &SparingBooks, models: &Models, done: &Done, test: TestIx) -> usize {
    let useful =
        |(target, model): &(TargetIx, Model)| books.is_open(test, *target) && !done.contains_key(&(test, *model));
    models.targets().filter(useful).count()
}

fn why_skipped(models: &Models, done: &Done, test: TestIx) -> String {
    let (ready, all) = (models_done(done, test), models.len());
    let first = done.iter().find(|((other, _), _)| *other == test);
    let example = first.map_or_else(String::new, |((_, model), target)| {
        format!(", `{}` on target {target} among them", models.name(*model))
    });
    let rest = if ready < all { "; of the others too few devices are left" } else { "" };
    format!("test {test} has run on {ready} of {all} models{example}{rest}")
}

fn models_done(done: &Done, test: TestIx) -> usize {
    done.keys().filter(|(other, _)| *other == test).count()
}

impl OncePerModel {
    fn is_running(&self, test: TestIx, model: Model) -> bool {
        self.books.running().any(|of| of.test == test && self.models.of(of.target) == Some(model))
    }

    /// Runs that can bring nothing any more.
    fn skips(&mut self) -> Vec<Skip> {
        let Self { books, models, done } = self;
        books.skips(|books, test| useful_runs(books, models, done, test), |_, test| why_skipped(models, done, test))
    }

    fn models_done(&self, test: TestIx) -> usize {
        models_done(&self.done, test)
    }

    /// What each free device can add, the least-started test first.
    fn starts(&mut self, free: &[TargetIx]) -> Vec<Placement> {
        let busy: BTreeSet<(TestIx, Model)> =
            self.books.running().filter_map(|of| Some((of.test, self.models.of(of.target)?))).collect();
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
            let tests = self.books.tests().iter().map(|(test, _)| *test);
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
        Ok(Self { books: SparingBooks::new(plan), models: Models::of_plan(plan, unknown_model), done: BTreeMap::new() })
    }

    fn started(&mut self, placement: Placement, _at: Instant) {
        self.books.start(placement);
    }

    fn ended(&mut self, placement: Placement, code: u16, _at: Instant) {
        self.books.end(placement);
        if let Some(model) = self.models.of(placement.target).filter(|_| is_result(code)) {
            self.done.entry((placement.test, model)).or_insert(placement.target);
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
        let skip = self.skips();
        if !skip.is_empty() {
            // The targets are offered again at once.
            return Answer { start: Vec::new(), skip };
        }
        let mut start = self.starts(free);
        if start.is_empty() && self.books.is_idle() {
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
