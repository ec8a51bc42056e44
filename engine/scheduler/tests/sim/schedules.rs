//! Schedules in the lab: loops that share its slots with the clients' jobs, through crashes, cuts and clocks that drift.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::schedule::{
    AtWindowEnd, DaySet, NewSchedule, OccurrenceFate, ScheduleSettings, ScheduledTest, TimeOfDay, TimingSpec,
};
use headend_model::{
    Mode, OccurrenceNo, Priority, ScheduleId, ScheduleKind, SlotId, Target, TestSpec, Timestamp, Timing, TreePath,
    UserName, ZoneName,
};
use headend_scheduler::schedule::OccurrenceRecord;
use headend_scheduler::{Event, Farm, ScheduleAction, ScheduleCommand};

use crate::rng::Rng;
use crate::witness::{Check, ensure};

/// In a third of the labs: a schedule of two or three rounds on some slots, from the first moment on.
pub(crate) fn furnish(farm: &mut Farm, now: Timestamp, rng: &mut Rng) {
    if !rng.percent(33) {
        return;
    }
    let step = |farm: &mut Farm, command| {
        let by = UserName::new("nina").unwrap();
        farm.step(now, &Event::Schedule { by, command: Box::new(command) });
    };
    step(farm, ScheduleCommand::Create(schedule(rng)));
    let Some(schedule) = farm.schedules().next().map(|view| view.schedule) else { return };
    let slots: Vec<SlotId> = farm.inventory().slots.keys().copied().filter(|_| rng.percent(60)).collect();
    for slot in slots {
        step(farm, ScheduleCommand::AddTarget { schedule, target: Target::Slot(slot) });
    }
    for _ in 0..rng.range(1, 3) {
        step(farm, ScheduleCommand::AddTest { schedule, test: test(rng) });
    }
}

/// What was told of occurrences: each begins at most once, at most one of a schedule is under way, and each ends in exactly
/// one record, with a reason unless it ran at its time (D3, D5, D7).
#[derive(Clone, Debug, Default)]
pub(crate) struct Occurrences {
    under_way: BTreeMap<ScheduleId, OccurrenceNo>,
    recorded: BTreeSet<(ScheduleId, OccurrenceNo)>,
    last_planned: BTreeMap<ScheduleId, Timestamp>,
}

impl Occurrences {
    pub(crate) fn see(&mut self, news: &ScheduleAction) -> Check {
        match news {
            ScheduleAction::Began(start) => {
                let (id, no) = (start.schedule, start.occurrence);
                let former = self.under_way.insert(id, no);
                ensure(former.is_none(), "D7", || format!("{no} of schedule {id} begins during {former:?}"))?;
                let last = self.last_planned.insert(id, start.planned);
                ensure(last < Some(start.planned), "D3", || format!("{no} of schedule {id} comes again"))
            }
            ScheduleAction::Ended(record) => self.ended(record),
            _ => Ok(()),
        }
    }

    fn ended(&mut self, record: &OccurrenceRecord) -> Check {
        let id = record.schedule;
        for no in (record.first.0..=record.last.0).map(OccurrenceNo) {
            ensure(self.recorded.insert((id, no)), "D5", || format!("{no} of schedule {id} is recorded twice"))?;
        }
        if matches!(record.fate, OccurrenceFate::Ran | OccurrenceFate::Late) {
            let begun = self.under_way.remove(&id);
            ensure(begun == Some(record.first), "D5", || format!("{} of {id} ran, {begun:?} began", record.first))?;
        }
        let silent = record.reason.is_none() && record.fate != OccurrenceFate::Ran;
        ensure(!silent, "D5", || format!("{} of schedule {id} has no reason", record.first))
    }
}

fn schedule(rng: &mut Rng) -> NewSchedule {
    let wait = rng.percent(50);
    let timing = TimingSpec {
        kind: ScheduleKind::Loop,
        start_date: "1970-01-01".parse().unwrap(),
        end_date: None,
        start_time: TimeOfDay::MIDNIGHT,
        end_time: TimeOfDay::MIDNIGHT,
        repeat_count: rng.range(2, 3) as u32,
        repeat_rate: 1,
        repeat_days: DaySet::default(),
    };
    NewSchedule {
        owner: UserName::new("nina").unwrap(),
        name: "loop".parse().unwrap(),
        zone: ZoneName::utc(),
        timing: Timing::new(timing).unwrap(),
        settings: ScheduleSettings {
            at_window_end: if wait { AtWindowEnd::Wait } else { AtWindowEnd::End },
            ..ScheduleSettings::default()
        },
        policy_parameters: std::collections::BTreeMap::new(),
    }
}

fn test(rng: &mut Rng) -> ScheduledTest {
    let mode = match rng.range(0, 2) {
        0 => Mode::SingleProcess,
        1 => Mode::DutCoverage,
        _ => Mode::TestCoverage,
    };
    let test = TestSpec {
        script: TreePath::parse("t.py").unwrap(),
        public: true,
        slots_needed: rng.range(1, 2) as u32,
        mode,
        args: Vec::new(),
        time_limit: None,
    };
    ScheduledTest { test, priority: Priority(rng.range(4, 6) as u8) }
}
