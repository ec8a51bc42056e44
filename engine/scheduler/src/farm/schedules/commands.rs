//! Commands: create, change, delete. All or nothing, each answered once.

use std::collections::BTreeMap;

use headend_model::run::Incomplete;
use headend_model::schedule::{OccurrenceFate, TestChange};
use headend_model::{
    NewSchedule, PolicyName, ScheduleId, ScheduleName, ScheduleSettings, ScheduledTest, ScheduledTestId, Target,
    Timing, UserName, ZoneName,
};

use super::book::{Book, TestEntry, floor};
use crate::farm::Farm;
use crate::recurrence::Recurrence;
use crate::schedule::{OccurrenceReason, ScheduleAction, ScheduleCommand, ScheduleRefusal};

/// Most schedules of one user.
const MOST_SCHEDULES: u32 = 10_000;
/// Most tests on one schedule.
const MOST_TESTS: u32 = 1_000;
/// Most slots and DUTs of one schedule.
const MOST_TARGETS: u32 = 1_000;

type Done = Result<(ScheduleId, Option<ScheduledTestId>), ScheduleRefusal>;

impl Farm {
    pub(in crate::farm) fn schedule_command(&mut self, by: &UserName, command: &ScheduleCommand) {
        if let ScheduleCommand::Delete { schedule } = command {
            return self.delete_schedule(*schedule);
        }
        match self.obey(by, command) {
            Ok((schedule, test)) => {
                let revision = self.schedules.books.get(&schedule).map_or(0, |book| book.revision);
                self.tell(ScheduleAction::Noted { schedule, test, revision });
                self.advance(schedule);
            }
            Err(refusal) => self.tell(ScheduleAction::Refused(refusal)),
        }
    }

    fn obey(&mut self, by: &UserName, command: &ScheduleCommand) -> Done {
        match command {
            ScheduleCommand::Create(new) => self.create(new),
            ScheduleCommand::Rename { schedule, name } => self.rename(*schedule, name),
            ScheduleCommand::Modify { schedule, timing, zone } => self.modify(*schedule, timing, zone.as_ref()),
            ScheduleCommand::Configure { schedule, settings } => self.configure(*schedule, *settings),
            ScheduleCommand::SetParameters { schedule, parameters } => self.set_parameters(*schedule, parameters),
            ScheduleCommand::AddTarget { schedule, target } => self.add_target(*schedule, *target),
            ScheduleCommand::RemoveTarget { schedule, target } => self.remove_target(*schedule, *target),
            ScheduleCommand::AddTest { schedule, test } => self.add_test(by, *schedule, test),
            ScheduleCommand::UpdateTest { test, change } => self.update_test(*test, change),
            ScheduleCommand::DeleteTest { test } => self.delete_test(*test),
            ScheduleCommand::Delete { schedule } => Err(ScheduleRefusal::NoSchedule(*schedule)),
        }
    }

    /// A number that no job, schedule or test has.
    fn fresh_id(&mut self) -> u64 {
        let id = self.next.job;
        self.next.job += 1;
        id
    }

    fn book(&mut self, id: ScheduleId) -> Result<&mut Book, ScheduleRefusal> {
        self.schedules.books.get_mut(&id).ok_or(ScheduleRefusal::NoSchedule(id))
    }

    fn in_zone(&self, timing: &Timing, zone: &ZoneName) -> Result<Recurrence, ScheduleRefusal> {
        let rules = self.schedules.zone(zone).ok_or_else(|| ScheduleRefusal::UnknownZone(zone.clone()))?;
        Ok(Recurrence::new(*timing, rules))
    }

    fn name_is_free(&self, owner: &UserName, name: &ScheduleName) -> Result<(), ScheduleRefusal> {
        let taken = self.schedules.named(owner, name.as_str());
        taken.map_or(Ok(()), |schedule| Err(ScheduleRefusal::NameTaken { name: name.clone(), schedule }))
    }

    fn create(&mut self, new: &NewSchedule) -> Done {
        self.name_is_free(&new.owner, &new.name)?;
        let most = MOST_SCHEDULES;
        if self.schedules.names.get(&new.owner).is_some_and(|names| names.len() >= most as usize) {
            return Err(ScheduleRefusal::TooManySchedules { most });
        }
        let recurrence = self.in_zone(&new.timing, &new.zone)?;
        let id = ScheduleId(self.fresh_id());
        self.schedules.books.insert(id, Book::new(new, self.now, &recurrence));
        self.schedules.names.entry(new.owner.clone()).or_default().insert(new.name.clone(), id);
        Ok((id, None))
    }

    fn rename(&mut self, id: ScheduleId, name: &ScheduleName) -> Done {
        let book = self.book(id)?;
        let (owner, old) = (book.owner.clone(), book.name.clone());
        if old != *name {
            self.name_is_free(&owner, name)?;
            self.schedules.forget_name(&owner, &old);
            self.schedules.names.entry(owner).or_default().insert(name.clone(), id);
            let book = self.book(id)?;
            book.name = name.clone();
            book.revision += 1;
        }
        Ok((id, None))
    }

    fn modify(&mut self, id: ScheduleId, timing: &Timing, zone: Option<&ZoneName>) -> Done {
        let now = self.now;
        let book = self.book(id)?;
        let zone = zone.unwrap_or(&book.zone).clone();
        let recurrence = self.in_zone(timing, &zone)?;
        let open = recurrence.open_at(now);
        let book = self.book(id)?;
        book.timing = *timing;
        book.zone = zone;
        book.floor = floor(&recurrence, now);
        book.timed = now;
        book.edit(now);
        let same = book.pending.as_ref().is_some_and(|pending| open.is_some_and(|open| open.start == pending.planned));
        if let Some(pending) = book.pending.as_mut().filter(|_| same) {
            pending.end = open.and_then(|open| open.end);
        }
        // What is under way uses the new window, if one is open; else it keeps its own.
        if let (Some(active), Some(open)) = (book.active.as_mut().filter(|active| !active.paused), open) {
            active.window_end = open.end;
        }
        if let Some(open) = open {
            self.reopen(id, open.end);
        }
        if !same {
            self.drop_pending(id, OccurrenceReason::Changed);
        }
        Ok((id, None))
    }

    fn configure(&mut self, id: ScheduleId, settings: ScheduleSettings) -> Done {
        let book = self.book(id)?;
        book.settings = settings;
        book.revision += 1;
        Ok((id, None))
    }

    fn set_parameters(&mut self, id: ScheduleId, parameters: &BTreeMap<PolicyName, String>) -> Done {
        let book = self.book(id)?;
        book.policy_parameters.clone_from(parameters);
        book.revision += 1;
        Ok((id, None))
    }

    fn delete_schedule(&mut self, id: ScheduleId) {
        self.set_timer(id, None);
        self.drop_pending(id, OccurrenceReason::Deleted);
        self.drop_waiting(id, &Incomplete::Removed);
        self.end_active(id, Some(OccurrenceReason::Deleted));
        let Some(book) = self.schedules.books.remove(&id) else {
            return self.tell(ScheduleAction::Refused(ScheduleRefusal::NoSchedule(id)));
        };
        for test in &book.tests {
            self.schedules.tests.remove(&test.id);
        }
        self.schedules.forget_name(&book.owner, &book.name);
        self.tell(ScheduleAction::Noted { schedule: id, test: None, revision: book.revision });
    }

    fn add_target(&mut self, id: ScheduleId, target: Target) -> Done {
        match target {
            Target::Slot(slot) if !self.slots.contains_key(&slot) => return Err(ScheduleRefusal::UnknownSlot(slot)),
            Target::Dut(dut) if !self.inventory.duts.contains_key(&dut) => {
                return Err(ScheduleRefusal::UnknownDut(dut));
            }
            Target::Slot(_) | Target::Dut(_) => {}
        }
        let (now, most) = (self.now, MOST_TARGETS);
        let book = self.book(id)?;
        if book.targets.contains(&target) {
            return Err(ScheduleRefusal::AlreadyThere(id));
        }
        if book.targets.len() >= most as usize {
            return Err(ScheduleRefusal::TooManyTargets { schedule: id, most });
        }
        book.targets.push(target);
        book.edit(now);
        Ok((id, None))
    }

    fn remove_target(&mut self, id: ScheduleId, target: Target) -> Done {
        let now = self.now;
        let book = self.book(id)?;
        let at = book.targets.iter().position(|there| *there == target).ok_or(ScheduleRefusal::NotThere(id))?;
        book.targets.remove(at);
        book.edit(now);
        Ok((id, None))
    }

    fn add_test(&mut self, by: &UserName, id: ScheduleId, test: &ScheduledTest) -> Done {
        let (now, most) = (self.now, MOST_TESTS);
        let book = self.book(id)?;
        if test.test.slots_needed == 0 {
            return Err(ScheduleRefusal::ZeroSlots);
        }
        if book.tests.len() >= most as usize {
            return Err(ScheduleRefusal::TooManyTests { schedule: id, most });
        }
        let number = ScheduledTestId(self.fresh_id());
        let book = self.book(id)?;
        book.tests.push(TestEntry {
            id: number,
            spec: test.clone(),
            by: by.clone(),
            created: now,
            loops: 0,
            open: 0,
            running: 0,
            started: 0,
            last_start: None,
            last_end: None,
            last_job: None,
        });
        book.edit(now);
        self.schedules.tests.insert(number, id);
        Ok((id, Some(number)))
    }

    fn schedule_with(&self, test: ScheduledTestId) -> Result<ScheduleId, ScheduleRefusal> {
        self.schedules.tests.get(&test).copied().ok_or(ScheduleRefusal::NoTest(test))
    }

    fn update_test(&mut self, test: ScheduledTestId, change: &TestChange) -> Done {
        let (now, id) = (self.now, self.schedule_with(test)?);
        if change.slots_needed == 0 {
            return Err(ScheduleRefusal::ZeroSlots);
        }
        let entry = self.schedules.entry(id, test).ok_or(ScheduleRefusal::NoTest(test))?;
        entry.spec.priority = change.priority;
        let spec = &mut entry.spec.test;
        spec.public = change.public;
        spec.slots_needed = change.slots_needed;
        spec.mode = change.mode.clone();
        spec.args.clone_from(&change.args);
        self.book(id)?.edit(now);
        Ok((id, Some(test)))
    }

    fn delete_test(&mut self, test: ScheduledTestId) -> Done {
        let (now, id) = (self.now, self.schedule_with(test)?);
        self.drop_waiting_of(id, test, &Incomplete::Removed);
        let book = self.book(id)?;
        book.tests.retain(|entry| entry.id != test);
        book.edit(now);
        self.schedules.tests.remove(&test);
        Ok((id, Some(test)))
    }

    /// What has not begun does not.
    fn drop_pending(&mut self, id: ScheduleId, reason: OccurrenceReason) {
        let pending = self.schedules.books.get_mut(&id).and_then(|book| book.pending.take());
        if let Some(pending) = pending {
            self.record_pending(id, &pending, OccurrenceFate::Skipped, Some(reason));
        }
    }
}
