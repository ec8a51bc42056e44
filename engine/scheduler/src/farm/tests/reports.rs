//! What coverage policies leave out, decline and report, and what they are told of the past.

use headend_model::run::Incomplete;
use headend_model::{DutId, JobId, JobStatus, Mode, Outcome, PolicyName, RunId, Span, TargetIx, TestIx, TestResult};

use super::lab::slots;
use super::{Lab, job, lab, test};
use crate::action::{AskReport, ChosenBy, PlacementFault, PlanChange, PolicyReport};
use crate::event::{Placement, Said, Skip};
use crate::{Action, Event, FarmConfig};

fn mine() -> PolicyName {
    PolicyName::new("mine").unwrap()
}

/// A lab with a policy at work on `tests` tests, each on all slots.
fn asked(boxes: u16, tests: usize) -> (Lab, JobId) {
    let mut lab = lab(boxes);
    lab.load("mine");
    let tests = (0..tests).map(|_| test(Mode::Policy(mine()), u32::from(boxes)));
    let id = lab.submit(job(slots(1..=u32::from(boxes)), tests));
    (lab, id)
}

fn answer(lab: &mut Lab, placements: &[(u32, u32)], skips: &[(u32, u32)]) -> Vec<Action> {
    let ask = lab.last_ask().unwrap().ask;
    let wish = |(test, target): &(u32, u32)| Placement { test: TestIx(*test), target: TargetIx(*target) };
    let skip = |(test, runs): &(u32, u32)| Skip { test: TestIx(*test), runs: *runs, reason: "no time left".to_owned() };
    let (placements, skips) = (placements.iter().map(wish).collect(), skips.iter().map(skip).collect());
    lab.step(Event::Proposed { ask, placements, skips, said: Said::default() })
}

fn refused(actions: &[Action]) -> Vec<(u32, u32, PlacementFault)> {
    let refused = actions.iter().filter_map(|action| match action {
        Action::SkipRefused { skip, reason, .. } => Some((skip.test.0, skip.runs, reason.clone())),
        _ => None,
    });
    refused.collect()
}

fn report_asked(lab: &Lab) -> Vec<AskReport> {
    let asks = lab.log.iter();
    asks.filter_map(|action| if let Action::AskReport(ask) = action { Some(ask.clone()) } else { None }).collect()
}

fn reports(actions: &[Action]) -> Vec<PolicyReport> {
    let found = actions.iter();
    found.filter_map(|action| if let Action::PolicyReport(told) = action { Some(told.clone()) } else { None }).collect()
}

fn left_out() -> Outcome {
    Outcome::Incomplete(Incomplete::LeftOut { policy: mine(), reason: "no time left".to_owned() })
}

#[test]
fn what_a_policy_leaves_out_ends_without_a_start_and_the_job_with_it() {
    let (mut lab, id) = asked(2, 2);
    let actions = answer(&mut lab, &[(0, 0)], &[(0, 1), (1, 2)]);
    assert_eq!(refused(&actions), []);
    assert_eq!((lab.starts(), lab.ends().len()), (vec![(0, 1)], 3));
    assert!(lab.ends().iter().all(|end| end.lease.is_none() && end.outcome == left_out()));
    assert_eq!(left_out().to_string(), "Incomplete test (left out by mine: no time left)");
    lab.pass_run(RunId(1));
    assert_eq!((lab.status(id), lab.ends().len()), (JobStatus::Completed, 4));
    let told = report_asked(&lab).remove(0).changes.into_iter().map(|noted| noted.change);
    let (here, runs) = (Placement { test: TestIx(0), target: TargetIx(0) }, 1);
    let (one, two) = (PlanChange::Dropped { test: TestIx(0), runs }, PlanChange::Dropped { test: TestIx(1), runs: 2 });
    let expected = [one, two, PlanChange::Started(here), PlanChange::Ended { placement: here, code: 111 }];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn a_job_may_be_left_out_as_a_whole() {
    let (mut lab, id) = asked(1, 3);
    answer(&mut lab, &[], &[(0, 1), (1, 1), (2, 1)]);
    assert_eq!((lab.status(id), lab.starts(), lab.ends().len()), (JobStatus::Completed, vec![], 3));
    assert_eq!(report_asked(&lab).len(), 1);
}

#[test]
fn only_waiting_runs_of_its_own_tests_may_be_left_out() {
    let (mut lab, _) = asked(2, 2);
    let actions = answer(&mut lab, &[(0, 0)], &[(0, 2), (7, 1), (1, 0), (1, 3)]);
    let lies =
        [(0, 2, PlacementFault::NothingLeft), (7, 1, PlacementFault::UnknownTest), (1, 0, PlacementFault::NothingLeft)];
    assert_eq!(refused(&actions), lies, "no more is read than there are tests");
    assert!(actions.iter().any(|action| matches!(action, Action::PolicyStruck { strikes: 1, .. })));
    assert_eq!((lab.starts(), lab.ends().len()), (vec![(0, 1)], 0), "what holds is taken");
}

#[test]
fn a_skip_that_the_farm_was_ahead_of_is_no_lie() {
    let config = FarmConfig { policy_deadline: Span::seconds(3_600), ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[3]);
    lab.load("mine");
    lab.place(103, None);
    lab.submit(job(slots(1..=3), [test(Mode::Policy(mine()), 3)]));
    // The device is given up while the policy thinks: one run less is left than it knows of.
    lab.pass(Span::seconds(90));
    assert_eq!((lab.ends().len(), lab.last_ask().unwrap().ask), (1, 1));
    let actions = answer(&mut lab, &[], &[(0, 3)]);
    assert_eq!((refused(&actions), lab.ends().len()), (vec![], 3));
    assert!(!actions.iter().any(|action| matches!(action, Action::PolicyStruck { .. })));
}

#[test]
fn skips_alone_are_an_answer_and_the_rest_is_asked_for_at_once() {
    let (mut lab, _) = asked(1, 2);
    answer(&mut lab, &[], &[(0, 1)]);
    assert_eq!((lab.starts(), lab.last_ask().unwrap().ask), (vec![], 2));
    answer(&mut lab, &[], &[]);
    assert_eq!(lab.starts(), [(1, 1)], "an answer with nothing in it is none");
}

#[test]
fn a_policy_that_declines_a_plan_is_not_blamed_and_not_asked_again() {
    let (mut lab, _) = asked(1, 2);
    let actions = lab.step(Event::PolicyDeclined { ask: 1, reason: "no field Colour".to_owned() });
    assert!(!actions.iter().any(|action| matches!(action, Action::PolicyStruck { .. })));
    lab.pass_run(RunId(1));
    assert_eq!((lab.starts(), lab.last_ask().unwrap().ask), (vec![(0, 1), (1, 1)], 1));
    let instead = ChosenBy::Fallback { policy: mine(), reason: "no field Colour".to_owned() };
    let starts = lab.log.iter().filter_map(|action| match action {
        Action::Start { why, .. } => Some(why.chosen_by.clone()),
        _ => None,
    });
    assert_eq!(starts.collect::<Vec<_>>(), [instead.clone(), instead]);
}

#[test]
fn a_declined_plan_is_shown_to_a_policy_that_was_loaded_again() {
    let (mut lab, _) = asked(1, 2);
    lab.step(Event::PolicyDeclined { ask: 1, reason: "no field Colour".to_owned() });
    lab.load("mine");
    lab.pass_run(RunId(1));
    assert_eq!(lab.last_ask().unwrap().ask, 2);
}

#[test]
fn a_report_is_asked_for_once_when_all_runs_have_ended() {
    let (mut lab, id) = asked(1, 1);
    answer(&mut lab, &[(0, 0)], &[]);
    assert_eq!(report_asked(&lab), [], "a run is under way");
    lab.pass_run(RunId(1));
    let ask = report_asked(&lab).remove(0);
    assert_eq!((ask.job, ask.group, report_asked(&lab).len()), (id, 0, 1));
    assert_eq!(lab.farm.plan(id, 0).unwrap().past.len(), 2, "a new instance can still be built");
    let actions = lab.step(Event::Reported { ask: ask.ask, report: "{}".to_owned() });
    let kept = PolicyReport { job: id, group: 0, policy: mine(), report: Ok("{}".to_owned()) };
    assert_eq!(reports(&actions), [kept]);
    assert_eq!(lab.step(Event::Reported { ask: ask.ask, report: "{}".to_owned() }), []);
}

#[test]
fn a_report_that_fails_or_is_late_is_on_record_and_nobody_is_struck() {
    for late in [false, true] {
        let (mut lab, _) = asked(1, 1);
        answer(&mut lab, &[(0, 0)], &[]);
        lab.pass_run(RunId(1));
        let ask = report_asked(&lab).remove(0).ask;
        let actions = if late {
            lab.now = lab.farm.next_deadline().unwrap().max(lab.now + Span::seconds(3));
            lab.step(Event::Tick)
        } else {
            lab.step(Event::PolicyFailed { ask, reason: "trap".to_owned() })
        };
        let why = reports(&actions).remove(0).report.unwrap_err();
        assert!(why.starts_with(if late { "no answer within" } else { "trap" }), "{why}");
        assert!(!actions.iter().any(|action| matches!(action, Action::PolicyStruck { .. })));
    }
}

#[test]
fn a_report_survives_a_restart_and_a_long_night() {
    let (mut lab, id) = asked(1, 1);
    answer(&mut lab, &[(0, 0)], &[]);
    lab.pass_run(RunId(1));
    lab.now = lab.now + Span::seconds(36_000);
    lab.step(Event::ServerStarted { config: lab.farm.config().clone() });
    let asks = report_asked(&lab);
    assert_eq!((asks.len(), asks[1].job), (2, id));
    assert!(lab.farm.plan(id, 0).is_some(), "its job is not forgotten before it is answered");
    lab.step(Event::Reported { ask: asks[1].ask, report: String::new() });
    lab.step(Event::Tick);
    assert!(lab.farm.plan(id, 0).is_none());
}

#[test]
fn a_policy_that_never_was_at_work_has_nothing_to_report() {
    let mut lab = lab(1);
    lab.load("mine");
    let busy = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let waiting = lab.submit(job(slots([1]), [test(Mode::Policy(mine()), 1)]));
    lab.kill(waiting);
    lab.kill(busy);
    assert_eq!((lab.last_ask(), report_asked(&lab)), (None, vec![]));
}

#[test]
fn a_plan_tells_what_scripts_did_before() {
    let (mut lab, _) = asked(2, 1);
    answer(&mut lab, &[(0, 0), (0, 1)], &[]);
    lab.now = lab.now + Span::seconds(4);
    lab.pass_run(RunId(1));
    lab.now = lab.now + Span::seconds(2);
    let failed = Outcome::Done { result: TestResult::Fail, comment: String::new() };
    lab.end_run(RunId(2), failed, false);
    let next = lab.submit(job(slots([2, 1]), [test(Mode::Policy(mine()), 2)]));
    let plan = lab.farm.plan(next, 0).unwrap();
    let history = plan.tests[0].history.unwrap();
    assert_eq!(plan.tests[0].name, "samples/test1/script_one.py");
    assert_eq!((history.runs, history.passed, history.failures_in_a_row), (2, 1, 1));
    assert_eq!((history.p50, history.p90), (Span::seconds(4), Span::seconds(6)));
    let outcomes: Vec<_> = plan.outcomes.iter().map(|(of, last)| (of.test.0, of.target.0, last.code)).collect();
    assert_eq!(outcomes, [(0, 0, 100), (0, 1, 111)]);
    assert_eq!(plan.targets[0].dut, Some(DutId(102)));
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_of_a_former_release_is_read() {
    let (mut lab, id) = asked(1, 2);
    answer(&mut lab, &[(0, 0)], &[]);
    let mut snapshot = serde_json::to_value(&lab.farm).unwrap();
    let farm = snapshot.as_object_mut().unwrap();
    farm.remove("history").unwrap();
    farm.remove("reports").unwrap();
    let talk = snapshot["jobs"][id.0.to_string()]["groups"][0]["talk"].as_object_mut().unwrap();
    for field in ["met", "reporting", "declined"] {
        talk.remove(field).unwrap();
    }
    talk["past"] = serde_json::json!([{ "started": { "test": 0, "target": 0 } }]);
    let read: crate::Farm = serde_json::from_value(snapshot).unwrap();
    assert_eq!(read.plan(id, 0).unwrap().past[0].change, lab.farm.plan(id, 0).unwrap().past[0].change);
}

fn say(lab: &mut Lab, placements: &[(u32, u32)], said: Said) -> Vec<Action> {
    let ask = lab.last_ask().unwrap().ask;
    let wish = |(test, target): &(u32, u32)| Placement { test: TestIx(*test), target: TargetIx(*target) };
    lab.step(Event::Proposed { ask, placements: placements.iter().map(wish).collect(), skips: Vec::new(), said })
}

fn reasons_of_starts(actions: &[Action]) -> Vec<(String, ChosenBy)> {
    let whys =
        actions.iter().filter_map(|action| if let Action::Start { why, .. } = action { Some(why) } else { None });
    whys.map(|why| (why.test.clone(), why.chosen_by.clone())).collect()
}

#[test]
fn a_start_is_told_with_the_policys_own_words_and_what_it_leaves_unsaid_with_ours() {
    let (mut lab, _) = asked(3, 3);
    let long = "\u{e4}".repeat(400);
    let reasons =
        vec![(TargetIx(0), "never ran on this model".to_owned()), (TargetIx(1), long), (TargetIx(2), String::new())];
    let actions = say(&mut lab, &[(0, 0), (1, 1), (2, 2)], Said { reasons, fault: None });
    let by = || ChosenBy::Plugin(mine());
    let expected = [
        ("never ran on this model".to_owned(), by()),
        ("\u{e4}".repeat(150), by()),
        ("mine chose test 2 for target 2".to_owned(), by()),
    ];
    assert_eq!(reasons_of_starts(&actions), expected);
}

#[test]
fn a_policy_that_fails_over_its_reasons_has_a_strike_and_what_it_wants_is_started() {
    let (mut lab, _) = asked(2, 2);
    let fault = Some("it trapped in `reason`".to_owned());
    let said = Said { reasons: vec![(TargetIx(0), "first".to_owned())], fault };
    let actions = say(&mut lab, &[(0, 0), (1, 1)], said);
    let texts: Vec<String> = reasons_of_starts(&actions).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["first", "mine chose test 1 for target 1"]);
    let struck = |action: &Action| matches!(action, Action::PolicyStruck { strikes: 1, reason, .. } if reason.contains("`reason`"));
    assert!(actions.iter().any(struck), "{actions:?}");
}

#[test]
fn reasons_for_what_is_not_wanted_are_nobodys() {
    let (mut lab, _) = asked(2, 2);
    let said = Said { reasons: vec![(TargetIx(9), "x".to_owned()), (TargetIx(1), "later".to_owned())], fault: None };
    let actions = say(&mut lab, &[(0, 0)], said);
    assert_eq!(reasons_of_starts(&actions).len(), 1);
    let actions = lab.pass_run(RunId(1));
    assert!(!actions.iter().any(|action| matches!(action, Action::Start { why, .. } if why.test == "later")));
}

#[cfg(feature = "serde")]
#[test]
fn a_journal_from_before_reasons_is_read_and_what_says_nothing_is_written_as_before() {
    let old = r#"{"proposed":{"ask":3,"placements":[{"test":0,"target":1}],"skips":[]}}"#;
    let event: Event = serde_json::from_str(old).unwrap();
    assert!(matches!(&event, Event::Proposed { ask: 3, said, .. } if said.is_empty()));
    assert_eq!(serde_json::to_string(&event).unwrap(), old);
}
