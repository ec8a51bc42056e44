//! The Rhai policy of ours: each test on as many racks as possible.

use headend_model::Timestamp;
use headend_scheduler::action::PlanChange;

use super::support::{Lab, at, free, name, plan};

#[test]
fn each_test_meets_both_racks_before_it_meets_one_twice() {
    let lab = Lab::new();
    lab.host.load(&lab.stage_own("spread")).unwrap();
    // Targets 0 and 2 are on rack0, 1 and 3 on rack1; two tests, two runs each.
    let plan = plan(&[2, 2], 4);
    let mut instance = lab.host.instance(&name("spread"), &plan).unwrap();
    let all = free(&[0, 1, 2, 3]);
    let answer = instance.propose(Timestamp::EPOCH, &all).unwrap().start;
    assert_eq!(answer, [at(0, 0), at(1, 1), at(1, 2), at(0, 3)]);
    assert_eq!(instance.reason(answer[0]).unwrap(), "test 0 has run least often on the rack of target 0");

    // rack0 has started twice, rack1 once; test 0 was on rack0 only: its last run goes to rack1, and target 2 gets nothing.
    for placement in [at(0, 0), at(1, 1), at(1, 2)] {
        instance.apply(&PlanChange::Started(placement).at(Timestamp::EPOCH));
    }
    assert_eq!(instance.propose(Timestamp::EPOCH, &free(&[2, 3])).unwrap().start, [at(0, 3)]);
}

#[test]
fn it_starts_nothing_that_cannot_be_started() {
    let lab = Lab::new();
    lab.host.load(&lab.stage_own("spread")).unwrap();
    let mut instance = lab.host.instance(&name("spread"), &plan(&[1], 2)).unwrap();
    assert_eq!(instance.propose(Timestamp::EPOCH, &free(&[0, 1])).unwrap().start, [at(0, 0)]);
    instance.apply(&PlanChange::Started(at(0, 0)).at(Timestamp::EPOCH));
    assert_eq!(instance.propose(Timestamp::EPOCH, &free(&[0, 1])).unwrap().start, []);
}
