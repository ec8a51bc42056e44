//! When will it start, when will it end?

use headend_model::{JobId, Mode, PolicyName, Span, Timestamp};
use headend_scheduler::event::PolicyKind;
use headend_scheduler::{Action, Event, Farm};
use headend_whatif::{Case, Forecast, Lasts, NoPolicies, Observer, Plan, Plugin, Unknown, forecast, play_watched};

use super::{MORNING, job, lab, test};

/// Keeps a copy of the farm as it is when a job comes in.
struct Keep {
    job: JobId,
    kept: Option<(Farm, Timestamp)>,
    ended: Option<Timestamp>,
}

impl Observer for Keep {
    fn stepped(&mut self, now: Timestamp, _: &Event, told: &[Action], farm: &Farm) {
        for action in told {
            match action {
                Action::Accepted { job, .. } if *job == self.job => self.kept = Some((farm.clone(), now)),
                Action::JobChanged { job, status, .. } if *job == self.job && status.is_final() => {
                    self.ended = Some(now);
                }
                _ => {}
            }
        }
    }
}

fn foretell(plan: &Plan, job: JobId, samples: u32) -> (Forecast, Timestamp, Timestamp) {
    foretell_in(plan, &Case::default(), job, samples)
}

fn foretell_in(plan: &Plan, case: &Case, job: JobId, samples: u32) -> (Forecast, Timestamp, Timestamp) {
    let mut keep = Keep { job, kept: None, ended: None };
    play_watched(plan, case, &mut NoPolicies, &mut keep).unwrap();
    let (farm, now) = keep.kept.unwrap();
    let told = forecast(&farm, now, job, samples, &mut || Box::new(NoPolicies), &mut || false).unwrap();
    (told, now, keep.ended.unwrap())
}

#[test]
fn with_a_steady_past_the_end_is_foretold_to_the_second() {
    let mut plan = lab(&[1]);
    let one = || [test("a.rhai", Mode::DutCoverage, 1, 30)];
    plan.jobs = vec![job(0, [1], one()), job(100, [1], one()), job(110, [1], one()), job(115, [1], one())];
    let (told, now, ended) = foretell(&plan, JobId(4), 8);
    assert_eq!(now, MORNING + Span::seconds(115));
    assert_eq!(ended, MORNING + Span::seconds(190));
    let (start, end) = (told.start.unwrap(), told.end.unwrap());
    assert_eq!((start.p50, start.p90), (MORNING + Span::seconds(160), MORNING + Span::seconds(160)));
    assert_eq!((end.p50, end.p90), (ended, ended));
    assert_eq!((told.samples, told.open), (8, 0));
    assert_eq!(told.unknown, [Unknown::FutureJobs]);
}

#[test]
fn an_uneven_past_gives_a_span_that_mostly_holds() {
    let mut plan = lab(&[2]);
    plan.seed = 5;
    let lasts = Lasts::Quantiles { p50: Span::seconds(20), p90: Span::seconds(60) };
    plan.jobs = (0..60).map(|at| job(at * 15, [1, 2], [test("a.rhai", Mode::DutCoverage, 1, 0)])).collect();
    plan.jobs.iter_mut().flat_map(|job| &mut job.tests).for_each(|test| test.lasts = lasts.clone());
    let mut held = 0;
    for number in 31..=60 {
        let (told, _, ended) = foretell(&plan, JobId(number), 20);
        let end = told.end.unwrap();
        assert!(end.p50 <= end.p90);
        held += u32::from(ended <= end.p90);
    }
    assert!((22..=30).contains(&held), "p90 held for {held} of 30 jobs");
}

#[test]
fn what_is_not_known_is_said() {
    let mut plan = lab(&[1]);
    plan.jobs = vec![job(0, [1], [test("new.rhai", Mode::DutCoverage, 1, 10)])];
    let (told, ..) = foretell(&plan, JobId(1), 3);
    let taken = Span::seconds(300);
    assert!(told.unknown.contains(&Unknown::NoHistory { script: "new.rhai".to_owned(), taken }));
    assert!(told.start.is_none(), "it has started already");

    // Policies that decide in the lab, and are not asked here.
    let named = |name: &str| PolicyName::new(name).unwrap();
    let plugin = |name: &str, kind| Plugin { name: named(name), kind, hash: String::new(), contract: 1 };
    let plugins = vec![plugin("pairwise", PolicyKind::Coverage), plugin("people-first", PolicyKind::Queue)];
    let case = Case { queue: Some(named("people-first")), plugins, ..Case::default() };
    plan.jobs = vec![job(0, [1], [test("new.rhai", Mode::Policy(named("pairwise")), 1, 10)])];
    let (told, ..) = foretell_in(&plan, &case, JobId(1), 3);
    assert!(told.unknown.contains(&Unknown::PolicyNotAsked("pairwise".to_owned())), "{:?}", told.unknown);
    assert!(told.unknown.contains(&Unknown::QueueNotAsked("people-first".to_owned())), "{:?}", told.unknown);
    assert!(forecast(&Farm::default(), MORNING, JobId(1), 1, &mut || Box::new(NoPolicies), &mut || true).is_none());
}
