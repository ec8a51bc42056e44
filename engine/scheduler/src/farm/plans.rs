//! What a coverage policy is told of its plan, and what it says at the end of it.

use std::collections::BTreeMap;

use headend_model::{DutId, JobId, PolicyName, Span, Target, TargetIx, TestIx, TestSpec};

use super::Farm;
use super::books::{Group, Rule};
use super::state::{Held, Job, ReportBook, Timer};
use crate::action::{Action, AskReport, PolicyReport};
use crate::event::{Placement, PolicyKind};
use crate::history::{History, LastOutcome, ScriptName};
use crate::view::{PlanView, TargetView, TestView};

/// A report may have to be made by a new instance that reads the whole past first.
const REPORT_FACTOR: i64 = 10;

impl Farm {
    /// What a policy instance for this group is built from. The devices' fields are not known here.
    pub fn plan(&self, id: JobId, group: u32) -> Option<PlanView> {
        let job = self.known_job(id)?;
        let books = job.groups.get(group as usize)?;
        let policy = books.named_policy();
        let targets = job.spec.targets.iter().enumerate();
        let targets: Vec<TargetView> =
            targets.map(|(at, target)| self.view_target(TargetIx(at as u32), *target)).collect();
        Some(PlanView {
            parameters: policy.and_then(|name| job.spec.policy_parameters.get(name)).cloned().unwrap_or_default(),
            accepted: job.accepted,
            tests: books.tests.iter().filter_map(|test| self.view_test(job, *test)).collect(),
            outcomes: self.outcomes(job, books, &targets),
            targets,
            duts: BTreeMap::new(),
            past: books.talk.past.clone(),
        })
    }

    /// An open job, or one that became final a moment ago.
    pub(super) fn known_job(&self, id: JobId) -> Option<&Job> {
        let recent = || self.recent.iter().rev().find(|(recent, _)| *recent == id).map(|(_, job)| job);
        self.jobs.get(&id).or_else(recent)
    }

    /// What is remembered of scripts.
    pub const fn history(&self) -> &History {
        &self.history
    }

    fn view_test(&self, job: &Job, test: TestIx) -> Option<TestView> {
        let spec = job.spec.tests.get(test.0 as usize)?;
        let runs = job.tests.get(test.0 as usize)?.total;
        let history = self.history.script(script_of(job, spec));
        Some(TestView { test, runs, name: spec.script.as_str().to_owned(), history })
    }

    fn view_target(&self, at: TargetIx, target: Target) -> TargetView {
        let slot = self.slot_at(target);
        let place = slot.and_then(|slot| self.inventory.slots.get(&slot));
        let named = place.and_then(|place| self.inventory.racks.get(&place.rack).map(|name| (name.clone(), place.no)));
        TargetView { target: at, place: named, dut: slot.and_then(|slot| self.inventory.dut_in(slot)) }
    }

    /// Goes by what is remembered of each script, which is little, not by all pairs of the plan.
    fn outcomes(&self, job: &Job, group: &Group, targets: &[TargetView]) -> Vec<(Placement, LastOutcome)> {
        let mut at: Vec<(DutId, TargetIx)> =
            targets.iter().filter_map(|target| Some((target.dut?, target.target))).collect();
        at.sort_unstable();
        let target_of = |dut: DutId| {
            let found = at.binary_search_by_key(&dut, |(dut, _)| *dut).ok()?;
            at.get(found).map(|(_, target)| *target)
        };
        let mut outcomes = Vec::new();
        for test in &group.tests {
            let Some(spec) = job.spec.tests.get(test.0 as usize) else { continue };
            let remembered = self.history.outcomes(script_of(job, spec));
            let here = remembered.filter_map(|(dut, last)| Some((target_of(dut)?, last)));
            outcomes.extend(here.map(|(target, last)| (Placement { test: *test, target }, last)));
        }
        outcomes.sort_unstable_by_key(|(of, _)| *of);
        outcomes
    }

    /// A run has ended on its rack.
    pub(super) fn remember_run(&mut self, held: &Held, outcome: &headend_model::Outcome) {
        let Some(job) = self.jobs.get(&held.lease.job) else { return };
        let Some(spec) = job.spec.tests.get(held.test.0 as usize) else { return };
        let duts = held.lease.targets.iter().map(|target| target.dut);
        let took = self.now.since(held.leased);
        self.history.note(script_of(job, spec), duts, outcome, self.now, took);
    }

    /// Groups of a job whose last run has just ended: their policies are asked what has come of it.
    pub(super) fn ask_reports_of(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let groups = (0..).zip(&mut job.groups);
        let over: Vec<(u32, PolicyName)> = groups.filter_map(|(number, group)| Some((number, over(group)?))).collect();
        for (group, policy) in over {
            if self.may_be_asked(&policy, PolicyKind::Coverage) {
                self.ask_report(ReportBook { job: id, group, policy });
            }
        }
    }

    fn ask_report(&mut self, book: ReportBook) {
        let ask = self.next.ask;
        self.next.ask += 1;
        let ReportBook { job, group, policy } = book.clone();
        let changes = self.untold(job, group);
        let deadline = self.now + self.config.policy_deadline.times(REPORT_FACTOR);
        self.arm(deadline, Timer::Ask(ask));
        self.reports.insert(ask, book);
        self.emit(Action::AskReport(AskReport { ask, policy, job, group, changes, deadline }));
    }

    /// A server that starts again has lost who was asked. Its instances are new, and know the past from their plan.
    pub(super) fn ask_reports_anew(&mut self) {
        for book in std::mem::take(&mut self.reports).into_values() {
            if self.may_be_asked(&book.policy, PolicyKind::Coverage) {
                self.ask_report(book);
            }
        }
    }

    /// Somebody still asks what has come of this job.
    pub(super) fn is_reporting(&self, id: JobId) -> bool {
        self.reports.values().any(|book| book.job == id)
    }

    pub(super) fn reported(&mut self, ask: u64, report: &str) {
        let Some(book) = self.reports.remove(&ask) else { return };
        if !report.is_empty() {
            self.keep_report(book, Ok(report.to_owned()));
        }
    }

    /// Nothing waits for a report, so there is nothing to punish: the job shows what has happened. Says whether it was one.
    pub(super) fn report_failed(&mut self, ask: u64, reason: &str) -> bool {
        let Some(book) = self.reports.remove(&ask) else { return false };
        self.keep_report(book, Err(reason.to_owned()));
        true
    }

    fn keep_report(&mut self, book: ReportBook, report: Result<String, String>) {
        let ReportBook { job, group, policy } = book;
        self.emit(Action::PolicyReport(PolicyReport { job, group, policy, report }));
    }

    pub(super) fn report_deadline(&self, ask: u64) -> Option<Span> {
        self.reports.contains_key(&ask).then(|| self.config.policy_deadline.times(REPORT_FACTOR))
    }
}

fn script_of<'a>(job: &'a Job, spec: &'a TestSpec) -> ScriptName<'a> {
    ScriptName { owner: (!spec.public).then_some(&job.spec.owner), path: &spec.script }
}

/// The group's policy was at work, and has not been asked for its report yet though all runs have ended.
fn over(group: &mut Group) -> Option<PolicyName> {
    let Rule::Policy(policy) = &group.rule else { return None };
    let over = group.is_done() && group.running == 0 && group.talk.met && !group.talk.reporting;
    group.talk.reporting |= over;
    over.then(|| policy.clone())
}
