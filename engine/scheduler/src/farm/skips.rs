//! What a coverage policy leaves out for good: runs that end without ever being started, and plans that it declines.

use std::collections::BTreeMap;

use headend_model::run::Incomplete;
use headend_model::{JobId, PolicyName, TargetIx, TestIx};

use super::Farm;
use super::state::AskBook;
use crate::action::{Action, PlacementFault};
use crate::event::Skip;
use crate::policy::PlanBooks;

/// Most bytes of a reason that are kept, as many as a reason for a start has.
const MOST_REASON: usize = 300;

impl Farm {
    /// Ends what holds of an answer's skips; whether that was anything, and the first thing that a sound policy could not
    /// have said. `wishes` are the placements of the same answer: their runs are not left.
    pub(super) fn leave_out(
        &mut self,
        name: &PolicyName,
        book: &AskBook,
        skips: &[Skip],
        wishes: &BTreeMap<TargetIx, TestIx>,
    ) -> (bool, Option<PlacementFault>) {
        let most = self.group(book.job, book.group).map_or(0, |group| group.tests().len());
        // Since the question runs may have been dropped that the policy did not know of.
        let behind = self.group(book.job, book.group).is_some_and(|group| group.talk.told < group.talk.past.len());
        let (mut any, mut lie) = (false, None);
        // More skips than tests say nothing new; they are not even read.
        for skip in skips.iter().take(most + 1) {
            let left = self.left_beside(book, skip.test, wishes);
            match left {
                Some(left) if skip.runs > 0 && (skip.runs <= left || behind) => {
                    any |= self.drop_left_out(name, book.job, skip, left);
                }
                known => {
                    let reason = known.map_or(PlacementFault::UnknownTest, |_left| PlacementFault::NothingLeft);
                    lie = lie.or_else(|| Some(reason.clone()));
                    let (policy, skip) = (name.clone(), Skip { reason: cut(&skip.reason), ..skip.clone() });
                    self.emit(Action::SkipRefused { policy, job: book.job, skip, reason });
                }
            }
        }
        self.unqueue_if_done(book.job);
        (any, lie)
    }

    /// Runs of the test that are left beside those that the same answer starts; `None`: no test of the group.
    fn left_beside(&self, book: &AskBook, test: TestIx, wishes: &BTreeMap<TargetIx, TestIx>) -> Option<u32> {
        let group = self.group(book.job, book.group)?;
        group.tests().binary_search(&test).ok()?;
        let wanted = wishes.values().filter(|wish| **wish == test).count() as u32;
        Some(group.runs_left(test).saturating_sub(wanted))
    }

    fn drop_left_out(&mut self, policy: &PolicyName, job: JobId, skip: &Skip, left: u32) -> bool {
        let why = Incomplete::LeftOut { policy: policy.clone(), reason: cut(&skip.reason) };
        self.drop_runs(job, skip.test, skip.runs.min(left), &why);
        left > 0
    }

    /// The policy cannot serve this plan: the core's rule does, until the policy is another one.
    pub(super) fn policy_declined(&mut self, ask: u64, reason: &str) {
        if self.report_failed(ask, reason) {
            return;
        }
        let Some(book) = self.take_ask(ask) else { return };
        let reason = if reason.is_empty() { "it declined the plan".to_owned() } else { cut(reason) };
        if self.declined_by_canary(book.job, book.group, &reason) {
            return;
        }
        if let Some(group) = self.jobs.get_mut(&book.job).and_then(|job| job.groups.get_mut(book.group as usize)) {
            group.talk.declined = Some(reason);
        }
    }

    pub(super) fn forget_refusal(&mut self, id: JobId, number: u32) {
        if let Some(group) = self.jobs.get_mut(&id).and_then(|job| job.groups.get_mut(number as usize)) {
            group.talk.declined = None;
        }
    }
}

/// The first bytes of a reason, cut between characters.
pub(super) fn cut(reason: &str) -> String {
    let end = (0..=MOST_REASON.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
    reason.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}
