//! Plugins that were compiled against former versions of the contract load for ever, and answer as they did then.

use std::path::Path;

use headend_model::{TargetIx, TestIx, Timestamp};
use headend_plugin_host::PolicyInstance;
use headend_scheduler::action::PlanChange;
use headend_scheduler::view::PlanView;

use super::support::{Lab, at, free, name, plan};

/// DUT coverage as it was compiled against version 1.0.0.
fn first(plan: &PlanView) -> (Lab, Box<dyn PolicyInstance>) {
    let lab = Lab::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/released/dut-coverage-1.0.0");
    let info = lab.host.load(&folder).unwrap();
    assert_eq!((info.world.as_str(), info.version.as_str()), ("1.0.0", "1.0.0"));
    let instance = lab.host.instance(&name("dut-coverage"), plan).unwrap();
    (lab, instance)
}

#[test]
fn a_plugin_of_the_first_version_answers_as_it_did_then() {
    let (_lab, mut policy) = first(&plan(&[2, 1, 1], 2));
    let mut ask = |free: &[TargetIx]| policy.propose(Timestamp::EPOCH, free).unwrap();
    assert_eq!(ask(&free(&[0, 1])).start, [at(0, 0), at(0, 1)]);
    let answer = ask(&free(&[1]));
    assert_eq!((answer.start, answer.skip), (vec![at(0, 1)], vec![]), "a proposal is not a start");
    let reason = policy.reason(at(0, 1)).unwrap();
    assert_eq!(reason, "test 0 is the first of the list that target 1 has not run");
    for change in [
        PlanChange::Started(at(0, 1)),
        PlanChange::Ended { placement: at(0, 1), code: 100 },
        PlanChange::Started(at(1, 0)),
        PlanChange::TargetLost(TargetIx(7)),
    ] {
        policy.apply(&change.at(Timestamp::from_micros(5)));
    }
    assert_eq!(policy.propose(Timestamp::EPOCH, &free(&[0, 1])).unwrap().start, [at(0, 0), at(2, 1)]);
    assert_eq!(policy.report().unwrap(), "", "it has never heard of reports");
}

#[test]
fn what_the_first_version_has_no_word_for_is_kept_from_it() {
    let mut plan = plan(&[2, 1, 3], 3);
    let dropped = |test, runs| PlanChange::Dropped { test: TestIx(test), runs }.at(Timestamp::EPOCH);
    plan.past = vec![dropped(0, 2), dropped(2, 2), PlanChange::Started(at(1, 0)).at(Timestamp::EPOCH)];
    let (_lab, mut policy) = first(&plan);
    assert_eq!(policy.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start, [at(2, 0)]);
    policy.apply(&dropped(2, 1));
    assert_eq!(policy.propose(Timestamp::EPOCH, &free(&[1])).unwrap().start, [at(2, 1)], "news of it are not told");
}

#[test]
fn it_takes_no_parameters() {
    let (lab, _policy) = first(&plan(&[1], 1));
    let asked = PlanView { parameters: r#"{"colour": "red"}"#.to_owned(), ..plan(&[1], 1) };
    let fault = lab.host.instance(&name("dut-coverage"), &asked).err().unwrap().to_string();
    assert!(fault.contains("/colour") && fault.contains("takes no parameters"), "{fault}");
}
