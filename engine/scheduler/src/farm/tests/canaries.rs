//! Canaries: a share of the jobs under another policy, within bounds, and back by themselves.

use std::collections::BTreeSet;

use headend_model::{JobId, Mode, PolicyName, RunId, Span, UserName};

use super::lab::slots;
use super::{Lab, job, lab, test};
use crate::action::{Ask, ChosenBy};
use crate::event::{PolicyKind, Skip};
use crate::trials::{Breach, CanaryRefusal, CanaryRequest, CanaryState, CanaryTerms, Permille};
use crate::{Action, Event, Farm};

fn name(policy: &str) -> PolicyName {
    PolicyName::new(policy).unwrap()
}

fn by() -> UserName {
    UserName::new("root").unwrap()
}

fn terms() -> CanaryTerms {
    CanaryTerms {
        share: Permille(1_000),
        length: Span::seconds(3_600),
        max_faults: Some(0),
        max_incomplete: None,
        max_wait_ratio: None,
        min_runs: 1,
    }
}

/// Version `new` of the plugin `live`, or another plugin of that name.
fn request(policy: &str, plugin: &str, terms: CanaryTerms) -> CanaryRequest {
    let (policy, plugin, beside) = (name(policy), name(plugin), name("live"));
    CanaryRequest { policy, plugin, hash: "b".repeat(64), contract: 2, beside, terms, by: by() }
}

fn found(lab: &mut Lab, policy: &str, hash: &str) {
    let hash = hash.repeat(64);
    lab.step(Event::PolicyFound { policy: name(policy), kind: PolicyKind::Coverage, hash, contract: 2 });
}

/// A lab with `live` and `other`, and a canary of another version of `live`.
fn canary(boxes: u16, terms: CanaryTerms) -> Lab {
    let mut lab = lab(boxes);
    found(&mut lab, "live", "a");
    found(&mut lab, "other", "c");
    let begun = lab.step(Event::BeginCanary(Box::new(request("live.bbb", "live", terms))));
    assert_eq!(begun, [Action::CanaryChanged { policy: name("live.bbb") }]);
    lab
}

fn submit(lab: &mut Lab, slot: u32, runs: usize) -> JobId {
    let tests = (0..runs).map(|_| test(Mode::Policy(name("live")), 1));
    lab.submit(job(slots([slot]), tests))
}

fn ask(lab: &Lab) -> Ask {
    lab.last_ask().unwrap()
}

fn state(lab: &Lab) -> CanaryState {
    lab.farm.canary(&name("live.bbb")).unwrap().state.clone()
}

fn moved(actions: &[Action]) -> Vec<JobId> {
    let moved = |action: &Action| if let Action::PolicyMoved { job, .. } = action { Some(*job) } else { None };
    actions.iter().filter_map(moved).collect()
}

fn chosen_by(lab: &Lab, run: RunId) -> ChosenBy {
    let of = |action: &Action| match action {
        Action::Start { lease, why, .. } if lease.run == run => Some(why.chosen_by.clone()),
        _ => None,
    };
    lab.log.iter().find_map(of).unwrap()
}

#[test]
fn its_share_of_the_new_jobs_is_asked_under_its_name() {
    let mut lab = canary(1, CanaryTerms { share: Permille(500), ..terms() });
    let mut on_canary = BTreeSet::new();
    for _ in 0..40 {
        let id = submit(&mut lab, 1, 1);
        let asked = ask(&lab);
        assert_eq!(asked.job, id);
        let trial = lab.farm.trials_of(id).remove(0);
        assert_eq!((asked.policy == name("live.bbb"), asked.policy == name("live")), (trial.served, !trial.served));
        if trial.served {
            on_canary.insert(id);
        }
        lab.propose(asked.ask, &[(0, 0)]);
        lab.pass_run(lab.run_on(1).unwrap());
    }
    assert!((10..30).contains(&on_canary.len()), "{on_canary:?}");
    let view = lab.farm.canary(&name("live.bbb")).unwrap();
    assert_eq!((view.own.jobs, view.own.ended), (on_canary.len() as u32, on_canary.len() as u32));
    assert_eq!(view.own.jobs + view.others.jobs, 40);
    assert_eq!((view.own.faults, view.own.incomplete, view.state), (0, 0, &CanaryState::Running));
}

#[test]
fn one_fault_too_many_and_its_jobs_go_on_under_the_live_policy() {
    let mut lab = canary(2, terms());
    let (first, second) = (submit(&mut lab, 1, 3), submit(&mut lab, 2, 2));
    let of_second = ask(&lab).ask;
    lab.propose(1, &[(2, 0)]);
    assert_eq!(chosen_by(&lab, lab.run_on(1).unwrap()), ChosenBy::Plugin(name("live.bbb")));
    let actions = lab.step(Event::PolicyFailed { ask: of_second, reason: "trap".to_owned() });
    assert_eq!(moved(&actions), [first, second]);
    let CanaryState::Broken(Breach::Faults { faults: 1, most: 0, last }) = state(&lab) else {
        panic!("{:?}", state(&lab))
    };
    assert_eq!(last, "trap");
    let asked = ask(&lab);
    assert_eq!((asked.policy, asked.job), (name("live"), second), "the live policy is asked in the same step");
    lab.propose(asked.ask, &[(1, 0)]);
    lab.pass_run(lab.run_on(1).unwrap());
    let asked = ask(&lab);
    assert_eq!((asked.policy, asked.job), (name("live"), first));
    let past = lab.farm.plan(first, 0).unwrap().past;
    assert_eq!(past.len(), 2, "whoever is asked anew is told what has happened before: {past:?}");
    let trial = lab.farm.trials_of(first).remove(0);
    assert!(trial.left.unwrap().1.contains("at most 0 were allowed"));
    let third = submit(&mut lab, 2, 1);
    assert_eq!(lab.farm.trials_of(third), [], "it does not come back by itself");
    assert_eq!(lab.farm.policy(&name("live")).unwrap().strikes, 0, "its failures are its own");
}

#[test]
fn an_answer_that_breaks_a_rule_is_not_carried_out_and_a_late_one_is_nobodys() {
    let mut lab = canary(2, terms());
    let (first, second) = (submit(&mut lab, 1, 2), submit(&mut lab, 2, 1));
    let of_second = ask(&lab).ask;
    let actions = lab.propose(1, &[(0, 0), (9, 0)]);
    assert_eq!(moved(&actions), [first, second]);
    assert!(lab.running().is_empty(), "not even what holds of it");
    assert_eq!(lab.propose(of_second, &[(0, 0)]), []);
    assert_eq!(ask(&lab).policy, name("live"));
}

#[test]
fn runs_left_out_count_against_it() {
    let terms = CanaryTerms { max_incomplete: Some(Permille(100)), min_runs: 3, ..terms() };
    let mut lab = canary(1, terms);
    let id = submit(&mut lab, 1, 5);
    let skip = |test| Skip { test: headend_model::TestIx(test), runs: 1, reason: "dull".to_owned() };
    let actions = lab.step(Event::Proposed {
        ask: 1,
        placements: Vec::new(),
        skips: (0..3).map(skip).collect(),
        said: crate::event::Said::default(),
    });
    assert_eq!(moved(&actions), [id]);
    assert!(matches!(state(&lab), CanaryState::Broken(Breach::Incomplete { incomplete: 3, ended: 3, .. })));
}

#[test]
fn long_waits_against_the_others_break_it() {
    let terms = CanaryTerms { share: Permille(500), max_wait_ratio: Some(150), min_runs: 2, ..terms() };
    let mut lab = canary(1, terms);
    while state(&lab) == CanaryState::Running {
        let id = submit(&mut lab, 1, 1);
        let asked = ask(&lab);
        assert!(id.0 < 40, "it was never broken");
        if lab.farm.trials_of(id).remove(0).served {
            // Late, and heard before its deadline is looked at.
            lab.now = lab.now + Span::seconds(5);
        }
        lab.propose(asked.ask, &[(0, 0)]);
        lab.pass_run(lab.run_on(1).unwrap());
    }
    assert!(matches!(state(&lab), CanaryState::Broken(Breach::Wait { most_percent: 150, .. })), "{:?}", state(&lab));
}

#[test]
fn quarantine_and_removal_end_it_whatever_its_bounds_say() {
    let mut lab = canary(1, CanaryTerms { max_faults: None, ..terms() });
    let id = submit(&mut lab, 1, 9);
    for strike in 1..=3 {
        assert_eq!(state(&lab), CanaryState::Running);
        assert_eq!(ask(&lab).ask, strike);
        lab.step(Event::PolicyFailed { ask: strike, reason: "trap".to_owned() });
        if strike < 3 {
            lab.pass_run(lab.run_on(1).unwrap());
        }
    }
    assert!(matches!(state(&lab), CanaryState::Broken(Breach::Quarantined(_))));
    assert_eq!((ask(&lab).policy, ask(&lab).job), (name("live"), id));

    let mut lab = canary(1, terms());
    let id = submit(&mut lab, 1, 1);
    let actions = lab.step(Event::PolicyRemoved { policy: name("live.bbb") });
    assert_eq!(moved(&actions), [id]);
    let mut lab = canary(1, terms());
    found(&mut lab, "live", "d");
    assert_eq!(state(&lab), CanaryState::Broken(Breach::Changed(name("live"))));
}

#[test]
fn a_plan_that_it_declines_is_the_live_policys() {
    let mut lab = canary(1, terms());
    let id = submit(&mut lab, 1, 1);
    let actions = lab.step(Event::PolicyDeclined { ask: 1, reason: "odd".to_owned() });
    assert_eq!(moved(&actions), [id]);
    assert_eq!((ask(&lab).policy, state(&lab)), (name("live"), CanaryState::Running));
    assert_eq!(lab.farm.canary(&name("live.bbb")).unwrap().own.declined, 1);
}

#[test]
fn its_time_over_it_passes_and_a_person_promotes_it() {
    let promote = |force| Event::PromoteCanary { policy: name("live.bbb"), force, by: by() };
    let mut lab = canary(1, terms());
    assert!(matches!(lab.step(promote(false))[..], [Action::CanaryRefused(CanaryRefusal::State { .. })]));
    let id = submit(&mut lab, 1, 2);
    lab.propose(1, &[(0, 0)]);
    lab.pass_run(lab.run_on(1).unwrap());
    lab.pass(Span::millis(10));
    lab.propose(ask(&lab).ask, &[(1, 0)]);
    lab.pass(Span::seconds(3_600));
    assert_eq!(state(&lab), CanaryState::Passed);
    assert_eq!(lab.farm.trials_of(id)[0].left, None, "who began with it keeps it");
    let next = lab.submit(job(slots([1]), [test(Mode::Policy(name("live")), 1)]));
    assert_eq!(lab.farm.trials_of(next), [], "and no other gets it");
    assert_eq!(lab.step(promote(false)), [Action::CanaryChanged { policy: name("live.bbb") }]);
    found(&mut lab, "live", "b");
    assert!(matches!(state(&lab), CanaryState::Promoted { .. }));
    assert!(matches!(lab.step(promote(true))[..], [Action::CanaryRefused(CanaryRefusal::State { .. })]));

    let mut lab = canary(1, terms());
    lab.pass(Span::seconds(3_601));
    assert_eq!(state(&lab), CanaryState::Unproven, "not a run of it has ended");
    assert!(matches!(lab.step(promote(false))[..], [Action::CanaryRefused(CanaryRefusal::State { .. })]));
    assert!(matches!(lab.step(promote(true))[..], [Action::CanaryChanged { .. }]));
}

#[test]
fn another_policy_that_is_promoted_stands_in_until_it_is_stopped() {
    let mut lab = lab(1);
    found(&mut lab, "live", "a");
    found(&mut lab, "other", "c");
    lab.step(Event::BeginCanary(Box::new(request("other", "other", terms()))));
    lab.step(Event::PromoteCanary { policy: name("other"), force: true, by: by() });
    lab.pass(Span::seconds(7_200));
    let id = submit(&mut lab, 1, 2);
    assert_eq!((ask(&lab).policy, ask(&lab).job), (name("other"), id));
    let again = Event::BeginCanary(Box::new(request("live.bbb", "live", terms())));
    assert!(matches!(lab.step(again)[..], [Action::CanaryRefused(CanaryRefusal::Busy { .. })]));
    let actions = lab.step(Event::StopCanary { policy: name("other"), by: by() });
    assert_eq!(moved(&actions), [id]);
    assert_eq!(ask(&lab).policy, name("live"));
    let again = lab.step(Event::StopCanary { policy: name("other"), by: by() });
    assert!(matches!(again[..], [Action::CanaryRefused(CanaryRefusal::State { .. })]));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut lab = canary(1, terms());
    let mut begin =
        |policy: &str, plugin: &str| lab.step(Event::BeginCanary(Box::new(request(policy, plugin, terms()))));
    assert!(matches!(begin("live", "live")[..], [Action::CanaryRefused(CanaryRefusal::Itself(_))]));
    assert!(matches!(begin("live.bbb", "live")[..], [Action::CanaryRefused(CanaryRefusal::Busy { .. })]));
    assert!(matches!(begin("other", "other")[..], [Action::CanaryRefused(CanaryRefusal::Busy { .. })]));
    let stop = Event::StopCanary { policy: name("nobody"), by: by() };
    assert!(matches!(lab.step(stop)[..], [Action::CanaryRefused(CanaryRefusal::Unknown(_))]));
    lab.step(Event::StopCanary { policy: name("live.bbb"), by: by() });
    let nobody = Event::BeginCanary(Box::new(request("nobody", "nobody", terms())));
    assert!(matches!(lab.step(nobody)[..], [Action::CanaryRefused(CanaryRefusal::NotAsked { .. })]));
}

/// From a snapshot in the middle the same follows, and a snapshot of a former release knows of no canaries.
#[test]
fn it_outlives_the_server() {
    let mut lab = canary(2, terms());
    submit(&mut lab, 1, 3);
    submit(&mut lab, 2, 2);
    lab.propose(1, &[(2, 0)]);
    let mut restored = lab.clone();
    restored.farm = serde_json::from_str::<Farm>(&serde_json::to_string(&lab.farm).unwrap()).unwrap();
    let failed = Event::PolicyFailed { ask: 2, reason: "trap".to_owned() };
    assert_eq!(lab.step(failed.clone()), restored.step(failed));
    assert_eq!(serde_json::to_string(&lab.farm).unwrap(), serde_json::to_string(&restored.farm).unwrap());
    let mut old = serde_json::to_value(&lab.farm).unwrap();
    old.as_object_mut().unwrap().remove("trials");
    for (_, job) in old["jobs"].as_object_mut().unwrap() {
        job["groups"][0].as_object_mut().unwrap().remove("trial");
    }
    let old: Farm = serde_json::from_value(old).unwrap();
    assert!(old.canaries().is_empty());
}
