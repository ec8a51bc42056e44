//! What a coverage policy that is asked aside would have done, against what the one at work did; judged as the farm judges.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{TargetIx, TestIx};

use crate::action::{Noted, PlacementFault, PlanChange};
use crate::event::{Placement, Skip};
use crate::view::PlanView;

/// The books of one plan as its policy is told of it: from plan and past, kept up by the changes of each question.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    left: BTreeMap<TestIx, u32>,
    was_on: BTreeSet<Placement>,
}

impl Aside {
    /// From what an instance is built from.
    pub fn of(plan: &PlanView) -> Self {
        let left = plan.tests.iter().map(|test| (test.test, test.runs)).collect();
        let mut books = Self { left, was_on: BTreeSet::new() };
        plan.past.iter().for_each(|news| books.note(news));
        books
    }

    /// Something has happened.
    pub fn note(&mut self, news: &Noted) {
        match &news.change {
            PlanChange::Started(placement) => {
                self.was_on.insert(*placement);
                self.take(placement.test, 1);
            }
            PlanChange::Dropped { test, runs } => self.take(*test, *runs),
            PlanChange::Ended { .. } | PlanChange::TargetLost(_) => {}
        }
    }

    fn take(&mut self, test: TestIx, runs: u32) {
        if let Some(left) = self.left.get_mut(&test) {
            *left = left.saturating_sub(runs);
        }
    }

    /// The rules of the contract that an answer to this question breaks, in its order: as the farm would judge it if nothing
    /// else had happened.
    pub fn judge(&self, free: &[TargetIx], start: &[Placement], skip: &[Skip]) -> Vec<PlacementFault> {
        let mut given = BTreeSet::new();
        let mut taken: BTreeMap<TestIx, u32> = BTreeMap::new();
        let mut faults = Vec::new();
        // More placements than targets cannot be sound; they are not even read.
        for placement in start.iter().take(free.len() + 1) {
            if let Some(fault) = self.fault(free, *placement, &given, &taken) {
                faults.push(fault);
            } else {
                given.insert(placement.target);
                *taken.entry(placement.test).or_default() += 1;
            }
        }
        faults.extend(skip.iter().take(self.left.len() + 1).filter_map(|skip| self.skip_fault(skip, &taken)));
        faults
    }

    fn fault(
        &self,
        free: &[TargetIx],
        placement: Placement,
        given: &BTreeSet<TargetIx>,
        taken: &BTreeMap<TestIx, u32>,
    ) -> Option<PlacementFault> {
        let Some(left) = self.left.get(&placement.test) else { return Some(PlacementFault::UnknownTest) };
        if !free.contains(&placement.target) {
            return Some(PlacementFault::NotOffered);
        }
        if given.contains(&placement.target) {
            return Some(PlacementFault::TargetTwice);
        }
        if self.was_on.contains(&placement) {
            return Some(PlacementFault::AlreadyThere);
        }
        (*left <= taken.get(&placement.test).copied().unwrap_or_default()).then_some(PlacementFault::NothingLeft)
    }

    fn skip_fault(&self, skip: &Skip, taken: &BTreeMap<TestIx, u32>) -> Option<PlacementFault> {
        let Some(left) = self.left.get(&skip.test) else { return Some(PlacementFault::UnknownTest) };
        let left = left.saturating_sub(taken.get(&skip.test).copied().unwrap_or_default());
        (skip.runs == 0 || skip.runs > left).then_some(PlacementFault::NothingLeft)
    }
}

/// How two answers to the same question differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// They do not.
    Same,
    /// As many starts, others.
    OtherPlacements,
    /// The one aside starts fewer.
    StartsFewer,
    /// The one aside starts more.
    StartsMore,
    /// The same starts, and others are left out.
    SkipsDiffer,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Same, Self::OtherPlacements, Self::StartsFewer, Self::StartsMore, Self::SkipsDiffer];

    /// Of what the one at work has answered, and the one aside.
    pub fn of(live: (&[Placement], &[Skip]), aside: (&[Placement], &[Skip])) -> Self {
        let starts = |all: &[Placement]| all.iter().copied().collect::<BTreeSet<_>>();
        // A reason is for people: other words leave out the same.
        let skips = |all: &[Skip]| {
            let mut runs = BTreeMap::<TestIx, u32>::new();
            for skip in all {
                *runs.entry(skip.test).or_default() += skip.runs;
            }
            runs
        };
        let (one, other) = (starts(live.0), starts(aside.0));
        match other.len().cmp(&one.len()) {
            std::cmp::Ordering::Less => Self::StartsFewer,
            std::cmp::Ordering::Greater => Self::StartsMore,
            std::cmp::Ordering::Equal if one != other => Self::OtherPlacements,
            std::cmp::Ordering::Equal if skips(live.1) != skips(aside.1) => Self::SkipsDiffer,
            std::cmp::Ordering::Equal => Self::Same,
        }
    }

    /// In words without spaces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::OtherPlacements => "other_placements",
            Self::StartsFewer => "starts_fewer",
            Self::StartsMore => "starts_more",
            Self::SkipsDiffer => "skips_differ",
        }
    }
}

#[cfg(test)]
mod tests {
    use headend_model::Timestamp;

    use super::*;
    use crate::view::TestView;

    fn at(test: u32, target: u32) -> Placement {
        Placement { test: TestIx(test), target: TargetIx(target) }
    }

    fn skip(test: u32, runs: u32) -> Skip {
        Skip { test: TestIx(test), runs, reason: "why not".to_owned() }
    }

    /// Two tests of two runs each; test 0 was started on target 0, a run of test 1 was dropped.
    fn books() -> Aside {
        let test = |test: u32| TestView { test: TestIx(test), runs: 2, name: "a.rhai".to_owned(), history: None };
        let past = [PlanChange::Started(at(0, 0)), PlanChange::Ended { placement: at(0, 0), code: 111 }];
        let past = past.map(|change| change.at(Timestamp::EPOCH)).to_vec();
        let mut books = Aside::of(&PlanView { tests: vec![test(0), test(1)], past, ..PlanView::default() });
        books.note(&PlanChange::Dropped { test: TestIx(1), runs: 1 }.at(Timestamp::EPOCH));
        books
    }

    #[test]
    fn answers_are_judged_as_the_farm_judges() {
        use PlacementFault::{AlreadyThere, NotOffered, NothingLeft, TargetTwice, UnknownTest};
        let (books, free) = (books(), [TargetIx(0), TargetIx(1), TargetIx(2)]);
        assert_eq!(books.judge(&free, &[at(1, 0), at(0, 1)], &[]), []);
        assert_eq!(
            books.judge(&free, &[at(0, 0), at(7, 1), at(1, 9), at(1, 2)], &[]),
            [AlreadyThere, UnknownTest, NotOffered]
        );
        assert_eq!(books.judge(&free, &[at(1, 0), at(0, 0), at(1, 1)], &[]), [TargetTwice, NothingLeft]);
        assert_eq!(books.judge(&free, &[], &[skip(0, 1), skip(1, 1)]), []);
        assert_eq!(
            books.judge(&free, &[at(0, 1)], &[skip(0, 1), skip(1, 0), skip(9, 1)]),
            [NothingLeft, NothingLeft, UnknownTest]
        );
    }

    #[test]
    fn differences_have_names() {
        let of = |live: &[Placement], aside: &[Placement]| Comparison::of((live, &[]), (aside, &[]));
        assert_eq!(of(&[at(0, 0), at(1, 1)], &[at(1, 1), at(0, 0)]), Comparison::Same, "order says nothing");
        assert_eq!(of(&[at(0, 0)], &[at(1, 0)]), Comparison::OtherPlacements);
        assert_eq!(of(&[at(0, 0)], &[]), Comparison::StartsFewer);
        assert_eq!(of(&[], &[at(0, 0)]), Comparison::StartsMore);
        let one = Skip { reason: "other words".to_owned(), ..skip(0, 1) };
        assert_eq!(Comparison::of((&[], &[skip(0, 1)]), (&[], &[one])), Comparison::Same);
        assert_eq!(Comparison::of((&[], &[skip(0, 1)]), (&[], &[])), Comparison::SkipsDiffer);
    }
}
