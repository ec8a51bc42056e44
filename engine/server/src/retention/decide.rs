//! What goes. Runs are looked at one after the other, the one that ended first at the front; nothing here reads a clock or a
//! database.

use std::time::Duration;

use headend_model::Timestamp;
use headend_store::{HeldRow, KeptClass, PerClass, Removal};

use super::settings::Retention;

/// Why something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is too old.
    Age,
    /// There is too much.
    Space,
}

impl Reason {
    /// `age` or `space`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Space => "space",
        }
    }
}

/// Knows what is held still, as far as it has looked.
#[derive(Clone, Debug)]
pub(crate) struct Decider {
    limits: Retention,
    now: Timestamp,
    held: PerClass<u64>,
}

impl Decider {
    /// `held`: bytes of all runs together.
    pub(crate) const fn new(limits: Retention, now: Timestamp, held: PerClass<u64>) -> Self {
        Self { limits, now, held }
    }

    /// What goes of the next run. A class takes along those that go before it.
    pub(crate) fn look(&mut self, run: &HeldRow, is_live: bool) -> Option<(Removal, Reason)> {
        if run.kept || is_live {
            return None;
        }
        let held = KeptClass::ALL.into_iter().rev().filter(|class| run.held.of(*class) > 0);
        let mut going = held.filter_map(|class| Some((class, self.reason(class, run.ended)?)));
        let (through, reason) = going.next()?;
        let mut bytes = PerClass::default();
        for class in KeptClass::ALL.into_iter().filter(|class| *class <= through) {
            *bytes.of_mut(class) = run.held.of(class);
            *self.held.of_mut(class) = self.held.of(class).saturating_sub(run.held.of(class));
        }
        Some((Removal { run: run.run, through, bytes }, reason))
    }

    /// Nothing goes of runs that ended then or later.
    pub(crate) fn is_settled(&self, ended: Timestamp) -> bool {
        KeptClass::ALL.into_iter().all(|class| self.reason(class, ended).is_none())
    }

    fn reason(&self, class: KeptClass, ended: Timestamp) -> Option<Reason> {
        let age = Duration::from_micros(u64::try_from((self.now - ended).as_micros()).unwrap_or(0));
        if self.limits.age.of(class).is_some_and(|limit| age >= limit) {
            return Some(Reason::Age);
        }
        self.limits.space.of(class).is_some_and(|limit| self.held.of(class) > limit).then_some(Reason::Space)
    }
}

#[cfg(test)]
mod tests {
    use headend_model::{RunId, Span};
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;

    fn run(number: u64, days_ago: i64, held: [u64; 3]) -> HeldRow {
        let [video, logs, numbers] = held;
        HeldRow {
            run: RunId(number),
            ended: now() - Span::seconds(days_ago * DAY),
            held: PerClass { video, logs, numbers },
            kept: false,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_micros(2_000_000_000_000_000)
    }

    fn limits(age_days: [Option<u64>; 3], space: [Option<u64>; 3]) -> Retention {
        let days = |days: Option<u64>| days.map(|days| Duration::from_hours(24 * days));
        let [video, logs, numbers] = age_days.map(days);
        let age = PerClass { video, logs, numbers };
        let [video, logs, numbers] = space;
        Retention { age, space: PerClass { video, logs, numbers }, ..Retention::default() }
    }

    fn total(runs: &[HeldRow]) -> PerClass<u64> {
        let mut all = PerClass::default();
        for class in KeptClass::ALL {
            *all.of_mut(class) = runs.iter().map(|run| run.held.of(class)).sum();
        }
        all
    }

    /// As the task does it: oldest first, until nothing younger goes.
    fn decide(limits: Retention, runs: &[HeldRow], live: &[u64]) -> Vec<(Removal, Reason)> {
        let mut decider = Decider::new(limits, now(), total(runs));
        let mut gone = Vec::new();
        for run in runs {
            if decider.is_settled(run.ended) {
                break;
            }
            gone.extend(decider.look(run, live.contains(&run.run.0)));
        }
        gone
    }

    fn after(runs: &[HeldRow], gone: &[(Removal, Reason)]) -> Vec<HeldRow> {
        let mut left = runs.to_vec();
        for (removal, _) in gone {
            for run in left.iter_mut().filter(|run| run.run == removal.run) {
                for class in KeptClass::ALL.into_iter().filter(|class| *class <= removal.through) {
                    *run.held.of_mut(class) = 0;
                }
            }
        }
        left
    }

    #[test]
    fn each_class_has_its_age() {
        let runs = [run(1, 400, [1, 2, 3]), run(2, 100, [1, 2, 3]), run(3, 40, [1, 2, 3]), run(4, 1, [1, 2, 3])];
        let gone = decide(limits([Some(30), Some(90), Some(365)], [None; 3]), &runs, &[]);
        let through: Vec<_> = gone.iter().map(|(removal, _)| (removal.run.0, removal.through)).collect();
        assert_eq!(through, [(1, KeptClass::Numbers), (2, KeptClass::Logs), (3, KeptClass::Video)]);
        assert_eq!(gone[1].0.bytes, PerClass { video: 1, logs: 2, numbers: 0 });
    }

    #[test]
    fn what_is_too_much_goes_oldest_first_and_no_further() {
        let runs = [run(1, 3, [10, 5, 1]), run(2, 2, [10, 5, 1]), run(3, 1, [10, 5, 1])];
        let gone = decide(limits([None; 3], [Some(15), None, None]), &runs, &[]);
        let told: Vec<_> = gone.iter().map(|(removal, why)| (removal.run.0, removal.through, *why)).collect();
        assert_eq!(told, [(1, KeptClass::Video, Reason::Space), (2, KeptClass::Video, Reason::Space)]);
        // Logs take the video along that is bound to them.
        let gone = decide(limits([None; 3], [None, Some(10), None]), &runs, &[]);
        assert_eq!(gone[0].0.bytes, PerClass { video: 10, logs: 5, numbers: 0 });
        assert_eq!(gone.len(), 1);
    }

    #[test]
    fn pinned_and_live_runs_stay() {
        let mut runs = [run(1, 300, [9, 9, 9]), run(2, 200, [9, 9, 9]), run(3, 100, [9, 9, 9])];
        runs[0].kept = true;
        let gone = decide(limits([Some(1); 3], [Some(0); 3]), &runs, &[2]);
        assert_eq!(gone.iter().map(|(removal, _)| removal.run.0).collect::<Vec<_>>(), [3]);
    }

    fn any_limits() -> impl Strategy<Value = Retention> {
        let days = || proptest::option::of(0_u64..50);
        let bytes = || proptest::option::of(0_u64..300);
        ([days(), days(), days()], [bytes(), bytes(), bytes()]).prop_map(|(age, space)| limits(age, space))
    }

    fn any_runs() -> impl Strategy<Value = Vec<HeldRow>> {
        let one = (0_i64..60, [0_u64..40, 0_u64..40, 0_u64..40], proptest::bool::weighted(0.2));
        proptest::collection::vec(one, 0..30).prop_map(|mut all| {
            all.sort_by_key(|(days, ..)| std::cmp::Reverse(*days));
            let with_numbers = all.into_iter().zip(1..);
            with_numbers.map(|((days, held, kept), no)| HeldRow { kept, ..run(no, days, held) }).collect()
        })
    }

    proptest! {
        #[test]
        fn whatever_is_held(limits in any_limits(), runs in any_runs(), live in proptest::collection::vec(1_u64..30, 0..5)) {
            let gone = decide(limits, &runs, &live);
            let left = after(&runs, &gone);
            // Nobody who is protected loses anything, and no run is named twice.
            let mut named: Vec<u64> = gone.iter().map(|(removal, _)| removal.run.0).collect();
            for run in &runs {
                prop_assert!(!(run.kept || live.contains(&run.run.0)) || !named.contains(&run.run.0));
            }
            named.sort_unstable();
            named.dedup();
            prop_assert_eq!(named.len(), gone.len());
            // Numbers outlive logs, and logs outlive video.
            for (removal, _) in &gone {
                let run = left.iter().find(|run| run.run == removal.run).unwrap();
                for class in KeptClass::ALL.into_iter().filter(|class| *class <= removal.through) {
                    prop_assert_eq!(run.held.of(class), 0);
                }
            }
            // What may go and should go has gone.
            let free: Vec<&HeldRow> = left.iter().filter(|run| !run.kept && !live.contains(&run.run.0)).collect();
            for class in KeptClass::ALL {
                if let Some(age) = limits.age.of(class) {
                    let old = |run: &&&HeldRow| Duration::from_micros((now() - run.ended).as_micros() as u64) >= age;
                    prop_assert!(free.iter().filter(old).all(|run| run.held.of(class) == 0));
                }
                if let Some(space) = limits.space.of(class) {
                    let fits = total(&left).of(class) <= space;
                    prop_assert!(fits || free.iter().all(|run| run.held.of(class) == 0));
                }
            }
            // Nothing more goes the second time, and nothing at all without limits.
            prop_assert_eq!(decide(limits, &left, &live), []);
            prop_assert_eq!(decide(Retention::default(), &runs, &live), []);
        }

        #[test]
        fn nothing_goes_for_space_that_fits(runs in any_runs()) {
            let all = total(&runs);
            let fitting = limits([None; 3], [Some(all.video), Some(all.logs), Some(all.numbers)]);
            prop_assert_eq!(decide(fitting, &runs, &[]), []);
        }
    }
}
