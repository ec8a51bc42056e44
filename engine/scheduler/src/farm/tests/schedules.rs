//! Schedules (document 7.1): each rule of `engine/design/0011-schedules.md` shown once.

use headend_model::run::Incomplete;
use headend_model::schedule::{
    AtWindowEnd, DaySet, NewSchedule, OccurrenceFate, ScheduledTest, TestChange, TimingSpec, WhileFormerRuns,
};
use headend_model::{
    DutId, JobId, JobStatus, Mode, OccurrenceNo, Outcome, Priority, RunId, ScheduleId, ScheduleKind, ScheduleSettings,
    ScheduledTestId, SlotId, Span, Target, Timestamp, Timing, UserName, ZoneName,
};

use super::{Lab, lab, test};
use crate::schedule::{OccurrenceReason, OccurrenceRecord, ScheduleAction, ScheduleCommand, ScheduledTestStatus};
use crate::view::WaitReason;
use crate::{Action, Event};

const MINUTE: Span = Span::seconds(60);
const DAY: Span = Span::seconds(86_400);

pub(super) fn anna() -> UserName {
    UserName::new("anna").unwrap()
}

/// From 1 January 1970, a Thursday, when every lab begins.
pub(super) fn spec(kind: ScheduleKind, start_time: &str, end_time: &str) -> TimingSpec {
    TimingSpec {
        kind,
        start_date: "1970-01-01".parse().unwrap(),
        end_date: None,
        start_time: start_time.parse().unwrap(),
        end_time: end_time.parse().unwrap(),
        repeat_count: 0,
        repeat_rate: 1,
        repeat_days: DaySet::default(),
    }
}

pub(super) fn daily(start_time: &str, end_time: &str) -> Timing {
    Timing::new(spec(ScheduleKind::Daily, start_time, end_time)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::EPOCH + Span::seconds(seconds)
}

pub(super) fn clock(hours: i64, minutes: i64) -> Timestamp {
    at(hours * 3_600 + minutes * 60)
}

impl Lab {
    pub(super) fn ask(&mut self, command: ScheduleCommand) -> ScheduleAction {
        let actions = self.step(Event::Schedule { by: anna(), command: Box::new(command) });
        let answer = actions.into_iter().find_map(|action| match action {
            Action::Schedule(news) if matches!(*news, ScheduleAction::Noted { .. } | ScheduleAction::Refused(_)) => {
                Some(*news)
            }
            _ => None,
        });
        answer.expect("a command is answered")
    }

    pub(super) fn noted(&mut self, command: ScheduleCommand) -> (ScheduleId, Option<ScheduledTestId>) {
        match self.ask(command) {
            ScheduleAction::Noted { schedule, test, .. } => (schedule, test),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refused(&mut self, command: ScheduleCommand) -> String {
        match self.ask(command) {
            ScheduleAction::Refused(refusal) => refusal.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A schedule of anna's without anything on it.
    pub(super) fn create(&mut self, name: &str, timing: Timing, settings: ScheduleSettings) -> ScheduleId {
        let new = NewSchedule {
            owner: anna(),
            name: name.parse().unwrap(),
            zone: ZoneName::utc(),
            timing,
            settings,
            policy_parameters: std::collections::BTreeMap::new(),
        };
        self.noted(ScheduleCommand::Create(new)).0
    }

    pub(super) fn add_slots(&mut self, schedule: ScheduleId, slots: impl IntoIterator<Item = u32>) {
        for slot in slots {
            self.noted(ScheduleCommand::AddTarget { schedule, target: Target::Slot(SlotId(slot)) });
        }
    }

    pub(super) fn add_test(&mut self, schedule: ScheduleId, needed: u32, priority: u8) -> ScheduledTestId {
        let test = ScheduledTest { test: test(Mode::DutCoverage, needed), priority: Priority(priority) };
        self.noted(ScheduleCommand::AddTest { schedule, test }).1.unwrap()
    }

    /// A schedule on slot 1 with one test.
    fn ready_schedule(&mut self, timing: Timing, settings: ScheduleSettings) -> ScheduleId {
        let id = self.create("nightly", timing, settings);
        self.add_slots(id, [1]);
        self.add_test(id, 1, 1);
        id
    }

    pub(super) fn news(&self) -> Vec<ScheduleAction> {
        let news = self.log.iter().filter_map(|action| match action {
            Action::Schedule(news) => Some((**news).clone()),
            _ => None,
        });
        news.collect()
    }

    pub(super) fn records(&self) -> Vec<OccurrenceRecord> {
        let ended = self.news().into_iter().filter_map(|news| match news {
            ScheduleAction::Ended(record) => Some(record),
            _ => None,
        });
        ended.collect()
    }

    pub(super) fn fates(&self) -> Vec<(u64, OccurrenceFate, Option<OccurrenceReason>)> {
        self.records().into_iter().map(|record| (record.first.0, record.fate, record.reason)).collect()
    }

    pub(super) fn until(&mut self, time: Timestamp) {
        self.pass(time - self.now);
    }

    fn first_running(&self) -> RunId {
        RunId(self.running().first().expect("something runs").0)
    }

    pub(super) fn tick(&mut self) {
        self.step(Event::Tick);
    }
}

#[test]
fn an_occurrence_is_ordinary_jobs_one_per_priority_under_the_owners_name() {
    let mut lab = lab(2);
    let id = lab.create("nightly", daily("01:00", "02:00"), ScheduleSettings::default());
    lab.add_slots(id, [1, 2]);
    let urgent = [lab.add_test(id, 2, 1), lab.add_test(id, 1, 1)];
    let later = lab.add_test(id, 1, 5);
    assert_eq!(lab.farm.schedule(id).unwrap().next, Some(clock(1, 0)));
    lab.until(clock(0, 59));
    assert_eq!(lab.farm.open_jobs().count(), 0);
    lab.until(clock(1, 0));
    let jobs: Vec<_> = lab.farm.open_jobs().collect();
    let shown: Vec<_> = jobs
        .iter()
        .map(|job| (job.spec.priority.0, job.spec.tests.len(), job.spec.owner.as_str(), job.spec.name.as_str()))
        .collect();
    assert_eq!(shown, [(1, 2, "anna", "nightly"), (5, 1, "anna", "nightly")]);
    let origins: Vec<_> = jobs.iter().map(|job| job.origin.unwrap()).collect();
    assert_eq!((origins[0].schedule, origins[0].occurrence), (id, OccurrenceNo(1)));
    assert_eq!((origins[0].tests.as_slice(), origins[1].tests.as_slice()), (&urgent[..], &[later][..]));
    let first = jobs[0].job;
    assert!(first.0 > later.0, "jobs, schedules and tests have their numbers from one row");
    lab.finish();
    lab.tick();
    let records = lab.records();
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(
        (record.first, record.last, record.fate, &record.reason),
        (OccurrenceNo(1), OccurrenceNo(1), OccurrenceFate::Ran, &None)
    );
    assert_eq!((record.planned, record.began, record.window_end), (clock(1, 0), Some(clock(1, 0)), Some(clock(2, 0))));
    assert_eq!(record.jobs, [first, JobId(first.0 + 1)]);
    assert_eq!(lab.farm.schedule(id).unwrap().next, Some(clock(25, 0)));
}

#[test]
fn what_is_shown_of_tests_is_counted_run_by_run() {
    let mut lab = lab(2);
    let id = lab.create("nightly", daily("01:00", "02:00"), ScheduleSettings::default());
    lab.add_slots(id, [1, 2]);
    let test = lab.add_test(id, 2, 1);
    let shown = |lab: &Lab| {
        let views = lab.farm.schedule_tests(id).unwrap();
        (views[0].status, views[0].loops_completed, views[0].last_start, views[0].last_end)
    };
    assert_eq!(shown(&lab), (ScheduledTestStatus::NotRun, 0, None, None));
    lab.until(clock(1, 0));
    assert_eq!(shown(&lab), (ScheduledTestStatus::Running, 0, Some(clock(1, 0)), None));
    lab.until(clock(1, 1));
    lab.pass_run(lab.first_running());
    assert_eq!(shown(&lab), (ScheduledTestStatus::Running, 0, Some(clock(1, 0)), Some(clock(1, 1))));
    lab.until(clock(1, 2));
    lab.pass_run(lab.first_running());
    assert_eq!(shown(&lab), (ScheduledTestStatus::Ran, 1, Some(clock(1, 0)), Some(clock(1, 2))));
    assert_eq!(lab.farm.schedule_of_test(test), Some(id));
}

#[test]
fn a_schedule_created_inside_its_window_begins_when_it_has_been_left_alone() {
    let mut lab = lab(2);
    lab.pass(Span::seconds(1_800));
    let id = lab.create("now", daily("00:00", "12:00"), ScheduleSettings::default());
    assert_eq!(lab.farm.schedule(id).unwrap().pending, Some((OccurrenceNo(1), OccurrenceReason::NoTests)));
    lab.add_slots(id, [1]);
    lab.pass(Span::seconds(3));
    lab.add_test(id, 1, 1);
    lab.pass(Span::seconds(4));
    assert_eq!(lab.farm.open_jobs().count(), 0, "more may come");
    lab.add_test(id, 1, 1);
    lab.pass(Span::seconds(5));
    let jobs: Vec<_> = lab.farm.open_jobs().map(|job| job.spec.tests.len()).collect();
    assert_eq!(jobs, [2]);
    lab.finish();
    lab.tick();
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Late, Some(OccurrenceReason::NoTests))]);
}

#[test]
fn an_empty_schedule_is_skipped_and_says_so() {
    let mut lab = lab(1);
    let id = lab.create("empty", daily("01:00", "02:00"), ScheduleSettings::default());
    lab.until(clock(2, 0));
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Skipped, Some(OccurrenceReason::NoTests))]);
    lab.add_test(id, 1, 1);
    lab.until(clock(26, 0));
    assert_eq!(lab.fates()[1], (2, OccurrenceFate::Skipped, Some(OccurrenceReason::NoTargets)));
}

#[test]
fn a_server_that_was_down_makes_one_late_start_inside_the_window_and_the_rest_missed() {
    let mut lab = lab(1);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    // Nobody looks for three days; then it is half past one.
    lab.now = clock(73, 30);
    lab.beat_all();
    lab.tick();
    assert_eq!(lab.records().len(), 1);
    let missed = &lab.records()[0];
    assert_eq!((missed.first.0, missed.last.0, missed.fate), (1, 3, OccurrenceFate::Missed));
    assert_eq!((missed.planned, missed.planned_last), (clock(1, 0), clock(49, 0)));
    assert_eq!(missed.reason, Some(OccurrenceReason::NotSeen));
    lab.finish();
    lab.tick();
    assert_eq!(lab.fates()[1], (4, OccurrenceFate::Late, Some(OccurrenceReason::NotSeen)));
    assert_eq!(lab.farm.schedule(id).unwrap().next, Some(clock(97, 0)));
}

#[test]
fn a_server_that_comes_back_after_the_window_records_a_miss() {
    let mut lab = lab(1);
    lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.now = clock(2, 30);
    lab.tick();
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Missed, Some(OccurrenceReason::NotSeen))]);
    assert_eq!(lab.farm.open_jobs().count(), 0);
}

#[test]
fn a_clock_set_back_fires_nothing_twice_and_a_jump_forward_catches_up_once() {
    let mut lab = lab(1);
    lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.until(clock(1, 0));
    lab.finish();
    // Two hours back: the farm's time stands still until the clock has caught up.
    lab.now = clock(0, 0);
    lab.tick();
    lab.now = clock(1, 0);
    lab.tick();
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None)]);
    // A year forward, between two windows: all of them are one record.
    lab.now = Timestamp::EPOCH + DAY.times(365) + Span::seconds(7_200);
    lab.tick();
    assert_eq!(lab.records().len(), 2, "{:?}", lab.fates());
    let missed = &lab.records()[1];
    assert_eq!((missed.first.0, missed.last.0, missed.fate), (2, 366, OccurrenceFate::Missed));
    assert_eq!(lab.farm.open_jobs().count(), 0);
    lab.now = clock(3, 0);
    lab.tick();
    assert_eq!(lab.records().len(), 2);
}

#[test]
fn at_the_end_of_the_window_running_tests_finish_and_the_rest_waits_for_the_next() {
    let mut lab = lab(1);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.add_test(id, 1, 1);
    lab.until(clock(2, 0));
    let job = lab.farm.open_jobs().next().unwrap().job;
    assert!(lab.news().contains(&ScheduleAction::Paused { schedule: id, occurrence: OccurrenceNo(1), waiting: 1 }));
    lab.pass_run(lab.first_running());
    assert!(lab.running().is_empty(), "nothing new starts");
    assert_eq!(lab.why(job, 1), [WaitReason::WindowClosed { schedule: id, next: Some(clock(25, 0)) }]);
    lab.until(clock(25, 0));
    assert!(lab.news().contains(&ScheduleAction::Resumed { schedule: id, occurrence: OccurrenceNo(1) }));
    assert_eq!(lab.running().len(), 1);
    lab.until(clock(25, 5));
    // The former one ends; the one whose window it was begins late, and has the rest of the window.
    lab.pass_run(lab.first_running());
    lab.tick();
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None)]);
    assert_eq!(lab.running().len(), 1);
    lab.finish();
    lab.finish();
    lab.tick();
    assert_eq!(lab.fates()[1], (2, OccurrenceFate::Late, Some(OccurrenceReason::FormerRan(OccurrenceNo(1)))));
}

#[test]
fn the_rest_ends_incomplete_if_the_schedule_says_so_or_no_window_comes() {
    let end = ScheduleSettings { at_window_end: AtWindowEnd::End, ..ScheduleSettings::default() };
    let once = TimingSpec { repeat_count: 1, ..spec(ScheduleKind::Daily, "01:00", "02:00") };
    for (timing, settings) in
        [(daily("01:00", "02:00"), end), (Timing::new(once).unwrap(), ScheduleSettings::default())]
    {
        let mut lab = lab(1);
        let id = lab.ready_schedule(timing, settings);
        lab.add_test(id, 1, 1);
        lab.until(clock(2, 0));
        let closed = Outcome::Incomplete(Incomplete::WindowClosed);
        assert_eq!((lab.outcome(2), closed.to_string().as_str()), (Some(closed.clone()), "Incomplete (window closed)"));
        assert_eq!(lab.running().len(), 1, "the running one finishes");
        lab.until(clock(2, 10));
        lab.finish();
        lab.tick();
        assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, Some(OccurrenceReason::WindowClosed))]);
        assert_eq!(lab.records()[0].ended, at(2 * 3_600 + 601));
    }
}

#[test]
fn the_next_occurrence_waits_for_the_former_or_is_skipped_and_never_overlaps_it() {
    let skip = ScheduleSettings { while_former_runs: WhileFormerRuns::Skip, ..ScheduleSettings::default() };
    for settings in [ScheduleSettings::default(), skip] {
        let mut lab = lab(2);
        let id = lab.ready_schedule(daily("01:00", "00:30"), settings);
        lab.add_slots(id, [2]);
        // It runs through its whole window and on into the next one.
        lab.until(clock(25, 30));
        assert_eq!(lab.running().len(), 1, "slot 2 is free, and yet nothing overlaps");
        lab.finish();
        lab.tick();
        lab.pass(MINUTE);
        let former = Some(OccurrenceReason::FormerRan(OccurrenceNo(1)));
        if settings == skip {
            assert_eq!(lab.fates(), [(2, OccurrenceFate::Skipped, former), (1, OccurrenceFate::Ran, None)]);
            assert!(lab.running().is_empty());
        } else {
            assert_eq!(lab.running().len(), 1);
            lab.finish();
            lab.tick();
            assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None), (2, OccurrenceFate::Late, former)]);
        }
    }
}

#[test]
fn a_loop_begins_again_when_a_round_has_ended_until_its_count_or_its_end() {
    let counted = TimingSpec { repeat_count: 3, ..spec(ScheduleKind::Loop, "00:10", "00:00") };
    let ended =
        TimingSpec { end_date: Some("1970-01-01".parse().unwrap()), ..spec(ScheduleKind::Loop, "00:10", "00:12") };
    let mut lab = lab(1);
    let id = lab.ready_schedule(Timing::new(counted).unwrap(), ScheduleSettings::default());
    for round in 1..=3u64 {
        lab.pass(MINUTE.times(20));
        let origin = lab.farm.open_jobs().next().unwrap().origin.unwrap().clone();
        assert_eq!(origin.occurrence, OccurrenceNo(round));
        lab.finish();
    }
    lab.pass(MINUTE.times(20));
    assert_eq!(lab.fates(), [1, 2, 3].map(|round| (round, OccurrenceFate::Ran, None)));
    assert_eq!((lab.farm.open_jobs().count(), lab.farm.schedule(id).unwrap().next), (0, None));
    assert_eq!(lab.farm.schedule_tests(id).unwrap()[0].loops_completed, 3);

    let mut lab = self::lab(1);
    lab.ready_schedule(Timing::new(ended).unwrap(), ScheduleSettings::default());
    lab.until(clock(0, 10));
    while lab.now < clock(0, 30) {
        lab.finish();
        lab.pass(Span::seconds(10));
    }
    assert!(lab.records().iter().all(|record| record.began.unwrap() < clock(0, 12)), "{:?}", lab.records());
    assert!(lab.records().len() > 5);
}

#[test]
fn a_loop_of_which_nothing_can_start_does_not_spin() {
    let mut lab = lab(1);
    let id = lab.create(
        "loop",
        Timing::new(spec(ScheduleKind::Loop, "00:00", "00:00")).unwrap(),
        ScheduleSettings::default(),
    );
    lab.noted(ScheduleCommand::AddTarget { schedule: id, target: Target::Dut(DutId(101)) });
    lab.add_test(id, 1, 1);
    lab.place(101, None);
    lab.pass(MINUTE.times(60));
    let rounds = lab.records().len();
    assert!((10..=60).contains(&rounds), "{rounds} rounds in an hour");
}

#[test]
fn one_off_runs_once_in_its_period() {
    let once =
        TimingSpec { end_date: Some("1970-01-02".parse().unwrap()), ..spec(ScheduleKind::OneOff, "01:00", "03:00") };
    let mut lab = lab(1);
    let id = lab.ready_schedule(Timing::new(once).unwrap(), ScheduleSettings::default());
    let view = lab.farm.schedule(id).unwrap();
    assert_eq!((view.combined_start, view.combined_end), (Some(clock(1, 0)), Some(clock(27, 0))));
    lab.until(clock(1, 0));
    lab.finish();
    lab.until(clock(40, 0));
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None)]);
}

#[test]
fn a_modified_schedule_does_not_fire_a_time_again_that_was_seen() {
    let mut lab = lab(1);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.until(clock(1, 0));
    lab.finish();
    lab.until(clock(1, 5));
    lab.noted(ScheduleCommand::Modify { schedule: id, timing: daily("01:00", "05:00"), zone: None });
    lab.until(clock(1, 30));
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None)], "the same instant counts once");
    // A time that was not seen, inside its window now: it begins, late.
    lab.noted(ScheduleCommand::Modify { schedule: id, timing: daily("01:20", "05:00"), zone: None });
    lab.until(clock(1, 31));
    lab.finish();
    lab.tick();
    assert_eq!(lab.fates()[1], (2, OccurrenceFate::Late, Some(OccurrenceReason::Edited)));
    assert_eq!(lab.farm.schedule(id).unwrap().next, Some(clock(25, 20)));
    // Windows that were over before are none of its business.
    lab.noted(ScheduleCommand::Modify { schedule: id, timing: daily("00:30", "01:00"), zone: None });
    lab.tick();
    assert_eq!(lab.records().len(), 2);
}

#[test]
fn a_window_made_longer_after_it_has_closed_lets_go_on_what_waits() {
    let mut lab = lab(1);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.add_test(id, 1, 1);
    lab.until(clock(2, 0));
    lab.pass_run(lab.first_running());
    lab.until(clock(2, 5));
    assert!(lab.running().is_empty());
    lab.noted(ScheduleCommand::Modify { schedule: id, timing: daily("01:00", "03:00"), zone: None });
    assert_eq!(lab.running().len(), 1);
    lab.finish();
    lab.tick();
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None)]);
}

#[test]
fn tests_and_slots_change_from_the_next_occurrence_on() {
    let mut lab = lab(2);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.until(clock(1, 0));
    let test = lab.farm.schedule_tests(id).unwrap()[0].test;
    lab.add_slots(id, [2]);
    let change = TestChange {
        public: false,
        slots_needed: 2,
        priority: Priority(3),
        mode: Mode::DutCoverage,
        args: vec!["-s".to_owned(), "an argument".to_owned()],
    };
    lab.noted(ScheduleCommand::UpdateTest { test, change });
    assert_eq!(lab.running().len(), 1);
    lab.finish();
    lab.until(clock(25, 0));
    let job = lab.farm.open_jobs().next().unwrap();
    assert_eq!((job.spec.priority.0, job.running.len(), job.spec.tests[0].public), (3, 2, false));
    assert_eq!(job.spec.tests[0].args, ["-s", "an argument"]);
    lab.noted(ScheduleCommand::RemoveTarget { schedule: id, target: Target::Slot(SlotId(1)) });
    assert_eq!(lab.farm.schedule_targets(id).unwrap(), [Target::Slot(SlotId(2))]);
}

#[test]
fn a_deleted_test_and_a_deleted_schedule_start_nothing_more_and_stop_nothing() {
    let mut lab = lab(1);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    let second = lab.add_test(id, 1, 1);
    lab.add_test(id, 1, 1);
    lab.until(clock(1, 0));
    lab.noted(ScheduleCommand::DeleteTest { test: second });
    let removed = Some(Outcome::Incomplete(Incomplete::Removed));
    assert_eq!((lab.outcome(1), lab.outcome(2), lab.outcome(3)), (None, removed.clone(), None));
    lab.noted(ScheduleCommand::Delete { schedule: id });
    assert_eq!((lab.outcome(1), lab.outcome(3)), (None, removed));
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, Some(OccurrenceReason::Deleted))]);
    let job = lab.farm.open_jobs().next().unwrap().job;
    lab.finish();
    assert_eq!(lab.status(job), JobStatus::Completed);
    lab.pass(DAY);
    assert_eq!((lab.farm.open_jobs().count(), lab.farm.schedules().count()), (0, 0));
}

#[test]
fn a_killed_job_ends_its_occurrence() {
    let mut lab = lab(1);
    let id = lab.ready_schedule(daily("01:00", "02:00"), ScheduleSettings::default());
    lab.add_test(id, 1, 1);
    lab.until(clock(2, 1));
    let job = lab.farm.open_jobs().next().unwrap().job;
    lab.kill(job);
    lab.finish();
    lab.tick();
    assert_eq!(lab.fates(), [(1, OccurrenceFate::Ran, None)]);
    assert_eq!(lab.status(job), JobStatus::Stopped);
}
