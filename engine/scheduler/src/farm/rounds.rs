//! Rounds with policy plugins: they propose, the core disposes.
//!
//! A job's turn comes at some of its free targets: they are offered to its policy in one question and nobody else gets
//! them until it has answered. The answer frees them again and is used up when the job's turn comes in the same step,
//! so a better job that arrived meanwhile goes first.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{JobId, PolicyName, SlotId, TargetIx, TestIx};

use super::Farm;
use super::books::{Rule, Turn};
use super::dispatch::{Candidate, Verdict};
use super::skips::cut;
use super::state::{AskBook, Timer};
use crate::action::{Action, Ask, ChosenBy, Noted, PlacementFault};
use crate::event::{Placement, PolicyKind, Said, Skip};
use crate::policy::{DutCoverage, PlanBooks, native};

impl Farm {
    pub(super) fn try_policy(&mut self, candidate: &Candidate, number: u32, name: PolicyName) -> Verdict {
        let Some(group) = self.group(candidate.job(), number) else { return Verdict::Never };
        if !group.wants(candidate.target) {
            return Verdict::Never;
        }
        if let Some(reason) = &group.talk.declined {
            let instead = ChosenBy::Fallback { policy: name, reason: reason.clone() };
            return self.try_native(candidate, number, &DutCoverage, Some(instead));
        }
        match &group.talk.turn {
            Turn::Answer(wishes) if wishes.contains_key(&candidate.target) => {
                let test = wishes[&candidate.target];
                self.fulfil(candidate, number, test, name)
            }
            Turn::Fallback { targets, reason } if targets.contains(&candidate.target) => {
                let instead = ChosenBy::Fallback { policy: name, reason: reason.clone() };
                self.try_native(candidate, number, &DutCoverage, Some(instead))
            }
            Turn::Asking | Turn::Answer(_) | Turn::Fallback { .. } => self.miss(candidate, number),
            Turn::Idle if !self.may_be_asked(&name, PolicyKind::Coverage) => self.try_unasked(candidate, number, name),
            Turn::Idle if group.talk.deferred.contains(&candidate.target) => Verdict::Later,
            Turn::Idle => self.ask(candidate, number, name),
        }
    }

    /// The target is free while the policy is busy with others: it comes next, unless the policy has just left it out.
    fn miss(&mut self, candidate: &Candidate, number: u32) -> Verdict {
        let job = self.jobs.get_mut(&candidate.job());
        if let Some(group) = job.and_then(|job| job.groups.get_mut(number as usize))
            && !group.talk.deferred.contains(&candidate.target)
        {
            group.talk.missed.insert(candidate.target);
        }
        Verdict::Later
    }

    /// Targets that came while the policy was busy are looked at again.
    fn look_at_missed(&mut self, id: JobId, number: u32) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(group) = job.groups.get_mut(number as usize) else { return };
        let missed = std::mem::take(&mut group.talk.missed);
        self.mark(id, &missed);
    }

    /// The slots of these targets of the job are looked at in this step.
    fn mark(&mut self, id: JobId, targets: &BTreeSet<TargetIx>) {
        let Some(job) = self.jobs.get(&id) else { return };
        let places = targets.iter().filter_map(|target| job.spec.targets.get(target.0 as usize));
        let slots: Vec<SlotId> = places.filter_map(|target| self.slot_at(*target)).collect();
        self.round.dirty.extend(slots);
    }

    /// No plugin of that name can be asked: a built-in of that name, or the fallback with its reason.
    fn try_unasked(&mut self, candidate: &Candidate, number: u32, name: PolicyName) -> Verdict {
        let known = self.policies.get(&name).filter(|book| book.kind == PolicyKind::Coverage);
        let quarantined = known.is_some_and(|book| book.loaded && book.quarantined);
        if let Some(rule) = native(name.as_str()).filter(|_| !quarantined) {
            return self.try_native(candidate, number, rule, None);
        }
        let reason = if quarantined { "in quarantine after repeated failures" } else { "not loaded" };
        let instead = ChosenBy::Fallback { policy: name, reason: reason.to_owned() };
        self.try_native(candidate, number, &DutCoverage, Some(instead))
    }

    fn fulfil(&mut self, candidate: &Candidate, number: u32, test: TestIx, name: PolicyName) -> Verdict {
        let Some(group) = self.group(candidate.job(), number) else { return Verdict::Never };
        if group.runs_left(test) == 0 || group.was_on(test, candidate.target) {
            return Verdict::Later;
        }
        let stock = || format!("{name} chose test {} for target {}", test.0, candidate.target.0);
        let reason = self.round.words.get(&(candidate.job(), candidate.target)).cloned().unwrap_or_else(stock);
        let verdict = self.start_one(candidate, test, ChosenBy::Plugin(name), reason);
        if matches!(verdict, Verdict::Started)
            && let Some(Turn::Answer(wishes)) = self.turn_mut(candidate.job(), number)
        {
            wishes.remove(&candidate.target);
        }
        verdict
    }

    fn turn_mut(&mut self, job: JobId, number: u32) -> Option<&mut Turn> {
        self.jobs.get_mut(&job)?.groups.get_mut(number as usize).map(|group| &mut group.talk.turn)
    }

    fn ask(&mut self, candidate: &Candidate, number: u32, name: PolicyName) -> Verdict {
        let id = candidate.job();
        let free = self.offerable(candidate, number);
        let rack = self.inventory.rack_of(candidate.slot);
        if !rack.is_some_and(|rack| self.gate_opens(rack)) {
            return Verdict::Taken;
        }
        let ask = self.next.ask;
        self.next.ask += 1;
        for (_, slot) in &free {
            if let Some(book) = self.slots.get_mut(slot) {
                book.offered = Some(ask);
            }
        }
        let deadline = self.now + self.config.policy_deadline;
        self.arm(deadline, Timer::Ask(ask));
        let changes = self.news(id, number);
        let targets = free.iter().map(|(target, _)| *target).collect();
        self.asks.insert(ask, AskBook { job: id, group: number, free });
        self.emit(Action::Ask(Ask { ask, policy: name, job: id, group: number, free: targets, changes, deadline }));
        Verdict::Taken
    }

    /// Every free target of the job that the group could use, whoever's rack gate is open.
    fn offerable(&self, candidate: &Candidate, number: u32) -> Vec<(TargetIx, SlotId)> {
        let id = candidate.job();
        let Some(group) = self.group(id, number) else { return Vec::new() };
        let mut free = self.free_targets(id, |slot| {
            slot != candidate.slot
                && self.is_usable(slot)
                && self.is_open_to(slot, candidate.key)
                && self.gate_is_open(slot)
        });
        free.retain(|(target, _)| group.wants(*target));
        free.push((candidate.target, candidate.slot));
        free.sort_unstable();
        free
    }

    fn gate_is_open(&self, slot: SlotId) -> bool {
        let limit = self.config.cpu_gate_percent;
        let rack = self.slots.get(&slot).and_then(|slot| self.racks.get(&slot.rack));
        rack.is_some_and(|rack| rack.gate.is_none() && (limit >= 100 || rack.cpu_percent <= limit))
    }

    fn news(&mut self, job: JobId, number: u32) -> Vec<Noted> {
        let Some(group) = self.jobs.get_mut(&job).and_then(|job| job.groups.get_mut(number as usize)) else {
            return Vec::new();
        };
        let talk = &mut group.talk;
        talk.turn = Turn::Asking;
        talk.met = true;
        // What it left out before and is not offered now (a busy rack) gets its turn after this question.
        talk.missed.append(&mut talk.deferred);
        self.untold(job, number)
    }

    /// What its policy has not been told yet.
    pub(super) fn untold(&mut self, job: JobId, number: u32) -> Vec<Noted> {
        let Some(group) = self.jobs.get_mut(&job).and_then(|job| job.groups.get_mut(number as usize)) else {
            return Vec::new();
        };
        let talk = &mut group.talk;
        let news = talk.past.get(talk.told..).unwrap_or_default().to_vec();
        talk.told = talk.past.len();
        news
    }

    /// Takes a question off the table: its slots are free again.
    pub(super) fn take_ask(&mut self, ask: u64) -> Option<AskBook> {
        let book = self.asks.remove(&ask)?;
        for (_, slot) in &book.free {
            if let Some(slot) = self.slots.get_mut(slot).filter(|slot| slot.offered == Some(ask)) {
                slot.offered = None;
            }
            self.round.dirty.insert(*slot);
        }
        self.set_turn(book.job, book.group, Turn::Idle);
        self.look_at_missed(book.job, book.group);
        Some(book)
    }

    fn set_turn(&mut self, job: JobId, number: u32, turn: Turn) {
        if let Some(now) = self.turn_mut(job, number) {
            *now = turn;
        }
    }

    pub(super) fn proposed(&mut self, ask: u64, placements: &[Placement], skips: &[Skip], said: &Said) {
        let Some(book) = self.take_ask(ask) else { return };
        let Some(name) = self.policy_of(book.job, book.group) else { return };
        let (wishes, lie) = self.judge(&name, &book, placements);
        let (left_out, skip_lie) = self.leave_out(&name, &book, skips, &wishes);
        let lie = lie.or(skip_lie);
        match (&lie, &said.fault) {
            (Some(fault), _) => self.strike(&name, &fault.to_string()),
            // It could not say why: a failure, and yet what it wants is sound.
            (None, Some(fault)) => self.strike(&name, fault),
            (None, None) => self.forgive(&name),
        }
        self.keep_words(book.job, &wishes, said);
        let idle = self.group(book.job, book.group).is_some_and(|group| group.running == 0);
        self.defer(&book, &wishes);
        if wishes.is_empty() && !left_out && (idle || lie.is_some()) {
            let reason =
                lie.map_or_else(|| "proposed nothing while nothing of it ran".to_owned(), |fault| fault.to_string());
            return self.fall_back(&book, reason);
        }
        self.round.answered.insert((book.job, book.group));
        self.set_turn(book.job, book.group, Turn::Answer(wishes));
    }

    /// Its reasons for what may be started in this step.
    fn keep_words(&mut self, job: JobId, wishes: &BTreeMap<TargetIx, TestIx>, said: &Said) {
        let of_use = said.reasons.iter().filter(|(target, reason)| wishes.contains_key(target) && !reason.is_empty());
        self.round.words.extend(of_use.map(|(target, reason)| ((job, *target), cut(reason))));
    }

    fn policy_of(&self, job: JobId, number: u32) -> Option<PolicyName> {
        match &self.group(job, number)?.rule {
            Rule::Policy(name) => Some(name.clone()),
            Rule::DutCoverage | Rule::TestCoverage | Rule::Gang => None,
        }
    }

    /// What holds of an answer, and the first thing in it that a sound policy could not have said.
    fn judge(
        &mut self,
        name: &PolicyName,
        book: &AskBook,
        placements: &[Placement],
    ) -> (BTreeMap<TargetIx, TestIx>, Option<PlacementFault>) {
        let mut wishes = BTreeMap::new();
        let mut taken: BTreeMap<TestIx, u32> = BTreeMap::new();
        let mut lie = None;
        // More placements than targets cannot be sound; they are not even read.
        for placement in placements.iter().take(book.free.len() + 1) {
            match self.fault(book, *placement, &wishes, &taken) {
                None => {
                    wishes.insert(placement.target, placement.test);
                    *taken.entry(placement.test).or_default() += 1;
                }
                Some(reason) => {
                    lie = lie.or(reason.is_lie().then(|| reason.clone()));
                    self.emit(Action::ProposalRefused {
                        policy: name.clone(),
                        job: book.job,
                        placement: *placement,
                        reason,
                    });
                }
            }
        }
        (wishes, lie)
    }

    fn fault(
        &self,
        book: &AskBook,
        placement: Placement,
        wishes: &BTreeMap<TargetIx, TestIx>,
        taken: &BTreeMap<TestIx, u32>,
    ) -> Option<PlacementFault> {
        let group = self.group(book.job, book.group)?;
        if !group.tests().contains(&placement.test) {
            return Some(PlacementFault::UnknownTest);
        }
        if !book.free.iter().any(|(target, _)| *target == placement.target) {
            return Some(PlacementFault::NotOffered);
        }
        if wishes.contains_key(&placement.target) {
            return Some(PlacementFault::TargetTwice);
        }
        if group.was_on(placement.test, placement.target) {
            return Some(PlacementFault::AlreadyThere);
        }
        let taken = taken.get(&placement.test).copied().unwrap_or_default();
        (group.runs_left(placement.test) <= taken).then_some(PlacementFault::NothingLeft)
    }

    /// Targets it had nothing for are not offered again before something of the group has changed.
    fn defer(&mut self, book: &AskBook, wishes: &BTreeMap<TargetIx, TestIx>) {
        let Some(group) = self.jobs.get_mut(&book.job).and_then(|job| job.groups.get_mut(book.group as usize)) else {
            return;
        };
        group.talk.deferred =
            book.free.iter().map(|(target, _)| *target).filter(|target| !wishes.contains_key(target)).collect();
    }

    /// Something of the group has changed: its policy may have an answer now.
    pub(super) fn forget_deferral(&mut self, id: JobId, number: u32) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(group) = job.groups.get_mut(number as usize) else { return };
        let again = std::mem::take(&mut group.talk.deferred);
        self.mark(id, &again);
    }

    fn fall_back(&mut self, book: &AskBook, reason: String) {
        let targets: BTreeSet<TargetIx> = book.free.iter().map(|(target, _)| *target).collect();
        self.round.answered.insert((book.job, book.group));
        self.set_turn(book.job, book.group, Turn::Fallback { targets, reason });
    }

    pub(super) fn policy_failed(&mut self, ask: u64, reason: &str) {
        if self.order.is_asking(ask) {
            return self.ranks_failed(reason);
        }
        if self.report_failed(ask, reason) {
            return;
        }
        let Some(book) = self.take_ask(ask) else { return };
        let Some(name) = self.policy_of(book.job, book.group) else { return };
        self.strike(&name, reason);
        self.fall_back(&book, reason.to_owned());
    }

    pub(super) fn ask_due(&mut self, ask: u64) {
        let usual = || if self.order.is_asking(ask) { self.ranks_deadline() } else { self.config.policy_deadline };
        let limit = self.report_deadline(ask).unwrap_or_else(usual);
        self.policy_failed(ask, &format!("no answer within {limit}"));
    }

    /// Questions that nobody will answer any more: those to one policy, or all. Nobody is to blame.
    pub(super) fn drop_asks(&mut self, to: Option<&PolicyName>) {
        let asks: Vec<u64> = self
            .asks
            .iter()
            .filter(|(_, book)| to.is_none() || self.policy_of(book.job, book.group).as_ref() == to)
            .map(|(ask, _)| *ask)
            .collect();
        for ask in asks {
            self.take_ask(ask);
        }
    }

    pub(super) fn drop_asks_of(&mut self, job: JobId) {
        let asks: Vec<u64> = self.asks.iter().filter(|(_, book)| book.job == job).map(|(ask, _)| *ask).collect();
        for ask in asks {
            self.take_ask(ask);
        }
    }

    pub(super) fn retry_policy(&mut self, name: &PolicyName) {
        let of_policy = |(id, job): (&JobId, &super::state::Job)| {
            let groups = job.groups.iter().enumerate();
            let mine = groups.filter(|(_, group)| matches!(&group.rule, Rule::Policy(other) if other == name));
            mine.map(|(number, _)| (*id, number as u32)).collect::<Vec<_>>()
        };
        let groups: Vec<(JobId, u32)> = self.jobs.iter().flat_map(of_policy).collect();
        for (id, number) in groups {
            self.forget_refusal(id, number);
            self.forget_deferral(id, number);
        }
    }

    /// The round is over: wishes that found their slot taken are turned down. Says whether there is more to look at.
    pub(super) fn close_answers(&mut self) -> bool {
        for (id, number) in std::mem::take(&mut self.round.answered) {
            let Some(turn) = self.turn_mut(id, number).map(std::mem::take) else { continue };
            self.look_at_missed(id, number);
            // Nothing of it came about: nothing would ever end and call for a new question.
            if self.group(id, number).is_some_and(|group| group.running == 0) {
                self.forget_deferral(id, number);
            }
            let (Turn::Answer(wishes), Some(policy)) = (turn, self.policy_of(id, number)) else { continue };
            for (target, test) in wishes {
                let reason = PlacementFault::NoLongerFree;
                self.emit(Action::ProposalRefused {
                    policy: policy.clone(),
                    job: id,
                    placement: Placement { test, target },
                    reason,
                });
            }
        }
        !self.round.dirty.is_empty()
    }
}
