//! The books against plain ones that walk over everything.

use std::collections::BTreeSet;

use super::super::{Target, Test};
use super::counts::Row;
use super::*;

#[derive(Clone, Default)]
struct Plain {
    rows: Vec<Row>,
    been: BTreeSet<(TestIx, TargetIx)>,
}

impl Plain {
    fn count(&mut self, test: TestIx, change: impl Fn(u32) -> u32) {
        self.rows.iter_mut().filter(|row| row.ix == test).for_each(|row| row.starts = change(row.starts));
    }

    fn in_order(&self, target: TargetIx) -> Vec<TestIx> {
        let open = |row: &&Row| row.starts < row.runs && !self.been.contains(&(row.ix, target));
        self.rows.iter().filter(open).map(|row| row.ix).collect()
    }

    fn least_started(&self, target: TargetIx) -> Vec<TestIx> {
        let mut tests = self.in_order(target);
        tests.sort_by_key(|test| self.rows.iter().find(|row| row.ix == *test).map(|row| row.starts));
        tests
    }
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // 31 bits: they fit everywhere.
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }
}

fn plan(tests: &[(TestIx, u32)], targets: &[TargetIx]) -> Plan {
    Plan {
        tests: tests
            .iter()
            .map(|(ix, runs)| Test { ix: *ix, runs: *runs, name: String::new(), history: None })
            .collect(),
        targets: targets.iter().map(|ix| Target { ix: *ix, place: None, dut: None }).collect(),
        parameters: String::new(),
        accepted: 0,
        outcomes: Vec::new(),
        past: Vec::new(),
    }
}

fn compare(books: &mut Books, plain: &Plain, targets: &[TargetIx]) {
    for row in &plain.rows {
        assert_eq!(books.starts(row.ix), row.starts);
        assert_eq!(books.runs_left(row.ix), row.runs.saturating_sub(row.starts));
        assert!(targets.iter().all(|to| books.was_on(row.ix, *to) == plain.been.contains(&(row.ix, *to))));
    }
    for target in targets {
        assert_eq!(books.in_order(*target).collect::<Vec<_>>(), plain.in_order(*target));
        assert_eq!(books.least_started(*target).collect::<Vec<_>>(), plain.least_started(*target));
    }
}

fn history(tests: &[(TestIx, u32)], known: &[TargetIx], targets: &[TargetIx], seed: u64) {
    let (mut dice, mut books) = (Dice(seed), Books::new(&plan(tests, known)));
    let rows = tests.iter().map(|(ix, runs)| Row { ix: *ix, runs: *runs, starts: 0 }).collect();
    let mut plain = Plain { rows, ..Plain::default() };
    let mut past: Vec<Placement> = Vec::new();
    for _ in 0..300 {
        if dice.roll(4) > 0 {
            let test = tests[dice.roll(tests.len())].0;
            let placement = Placement { test, target: targets[dice.roll(targets.len())] };
            if plain.been.insert((placement.test, placement.target)) {
                plain.count(placement.test, |starts| starts + 1);
                books.start(placement);
                past.push(placement);
            }
        } else if let Some(placement) = past.pop() {
            plain.been.remove(&(placement.test, placement.target));
            plain.count(placement.test, |starts| starts - 1);
            books.undo(placement);
        }
        compare(&mut books, &plain, targets);
    }
}

#[test]
fn answers_are_those_of_plain_books_through_any_history() {
    let many: Vec<(TestIx, u32)> = (0..150).map(|ix| (ix, ix % 5)).collect();
    history(&many, &[0, 1, 2, 3], &[0, 1, 2, 3], 1);
    let few: Vec<(TestIx, u32)> = (7..12).map(|ix| (ix, 3)).collect();
    history(&few, &[4, 5, 9], &[4, 5, 9], 2);
    // Numbers with gaps and out of order, and a target that the plan does not name.
    history(&[(30, 2), (4, 1), (11, 4), (5, 9)], &[8, 2], &[2, 8, 40], 3);
}

#[test]
fn a_test_that_is_not_of_the_plan_changes_nothing() {
    let mut books = Books::new(&plan(&[(5, 1), (6, 1)], &[0]));
    for test in [0, 4, 7, u32::MAX] {
        books.start(Placement { test, target: 0 });
        assert_eq!((books.starts(test), books.runs_left(test), books.was_on(test, 0)), (0, 0, false));
    }
    assert_eq!(books.in_order(0).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(Books::default().in_order(0).count(), 0);
}

#[test]
fn proposals_see_each_other_and_leave_no_trace() {
    let tests: Vec<(TestIx, u32)> = (0..3).map(|ix| (ix, 2)).collect();
    let mut books = Books::new(&plan(&tests, &[0, 1, 2, 3]));
    books.start(Placement { test: 0, target: 0 });
    let before: Vec<Vec<TestIx>> = (0..4).map(|target| books.least_started(target).collect()).collect();
    let answer = books.propose(&[0, 1, 2, 3], |books, target| books.least_started(target).next());
    let tests: Vec<TestIx> = answer.iter().map(|placement| placement.test).collect();
    assert_eq!(tests, [1, 2, 0, 1]);
    assert_eq!((books.starts(1), books.runs_left(1), books.was_on(1, 0)), (0, 2, false), "asked for a reason");
    // A pair that had been started stays started, even when a policy names it again.
    let careless = books.propose(&[0], |_, _| Some(0));
    assert_eq!((careless.len(), books.was_on(0, 0)), (1, true));
    let after: Vec<Vec<TestIx>> = (0..4).map(|target| books.least_started(target).collect()).collect();
    assert_eq!(before, after);
}

#[test]
fn whatever_becomes_of_a_proposal_the_books_are_those_of_what_was_told() {
    let (tests, targets): (Vec<_>, Vec<_>) = ((0..40).map(|ix| (ix, 1 + ix % 4)).collect(), (0..6).collect());
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let mut books = Books::new(&plan(&tests, &targets));
        let rows = tests.iter().map(|(ix, runs)| Row { ix: *ix, runs: *runs, starts: 0 }).collect();
        let mut plain = Plain { rows, ..Plain::default() };
        for _ in 0..60 {
            let free: Vec<TargetIx> = targets.iter().copied().filter(|_| dice.roll(3) > 0).collect();
            let mut news = books.propose(&free, |books, target| books.least_started(target).next());
            // All of it, a part of it, in another order, or something else besides.
            news.retain(|_| dice.roll(6) > 0);
            if dice.roll(4) == 0 {
                news.reverse();
            }
            if dice.roll(4) == 0 {
                let test = tests[dice.roll(tests.len())].0;
                news.push(Placement { test, target: targets[dice.roll(targets.len())] });
            }
            for placement in news {
                let open = plain.rows.iter().any(|row| row.ix == placement.test && row.starts < row.runs);
                if open && plain.been.insert((placement.test, placement.target)) {
                    plain.count(placement.test, |starts| starts + 1);
                    books.start(placement);
                }
            }
            if dice.roll(8) == 0 {
                let at = dice.roll(plain.rows.len());
                let row = &mut plain.rows[at];
                if row.starts < row.runs {
                    row.runs -= 1;
                    books.drop_runs(row.ix, 1);
                }
            }
            if dice.roll(2) == 0 {
                compare(&mut books, &plain, &targets);
            }
        }
    }
}
