//! What must hold for any history: S1 to S13 and O1 to O6 as far as the state machine alone can show them. (Time, crashes
//! and the network are the simulator's part.)

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{
    DutId, Epoch, JobId, Lease, Mode, Outcome, PolicyName, Priority, RackId, ReservationId, RunId, SlotId, SlotNo,
    Span, Target, TargetIx, TestIx, TestResult, Timestamp, UserName,
};
use proptest::prelude::*;

use super::lab::claim;
use super::order::Order;
use super::{Lab, job, test};
use crate::action::AskRanks;
use crate::event::PolicyKind;
use crate::event::{Heartbeat, Placement, RackReady, Submission};
use crate::policy::{PriorityFifo, QueuePolicy};
use crate::reservation::{ReservationAction, ReservationCommand};
use crate::{Action, Event, Farm, FarmConfig};

/// A step of a history; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Move {
    Submit { priority: u8, targets: Vec<(bool, u8)>, tests: Vec<(u8, u32)>, key: Option<u8> },
    Kill(u8),
    End { which: u8, pass: bool, unkillable: bool },
    Stale { which: u8 },
    Confirm(u8),
    Beat { rack: u8, cpu: u8, names: bool },
    Reborn { rack: u8, knows: bool },
    Place { dut: u8, slot: Option<u8> },
    Clear(u8),
    Drain { rack: u8, on: bool },
    Propose { ask: u8, placements: Vec<(u8, u8)> },
    Fail(u8),
    Load(bool),
    Restart,
    Wait(u16),
    Reserve { slot: u8, seconds: u8, who: bool },
    Visit { which: u8, what: u8 },
}

fn any_move() -> impl Strategy<Value = Move> {
    let targets = prop::collection::vec((any::<bool>(), 0..4u8), 1..4);
    let tests = prop::collection::vec((0..5u8, 1..4u32), 1..4);
    prop_oneof![
        6 => (4..7u8, targets, tests, prop::option::of(0..3u8)).prop_map(|(priority, targets, tests, key)| Move::Submit { priority, targets, tests, key }),
        1 => any::<u8>().prop_map(Move::Kill),
        8 => (any::<u8>(), any::<bool>(), prop::bool::weighted(0.05)).prop_map(|(which, pass, unkillable)| Move::End { which, pass, unkillable }),
        1 => any::<u8>().prop_map(|which| Move::Stale { which }),
        2 => any::<u8>().prop_map(Move::Confirm),
        4 => (any::<u8>(), prop_oneof![Just(10u8), 0..100u8], any::<bool>()).prop_map(|(rack, cpu, names)| Move::Beat { rack, cpu, names }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(rack, knows)| Move::Reborn { rack, knows }),
        2 => (any::<u8>(), prop::option::of(any::<u8>())).prop_map(|(dut, slot)| Move::Place { dut, slot }),
        1 => any::<u8>().prop_map(Move::Clear),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(rack, on)| Move::Drain { rack, on }),
        3 => (any::<u8>(), prop::collection::vec((0..4u8, 0..4u8), 0..4)).prop_map(|(ask, placements)| Move::Propose { ask, placements }),
        1 => any::<u8>().prop_map(Move::Fail),
        1 => any::<bool>().prop_map(Move::Load),
        1 => Just(Move::Restart),
        4 => (0..20_000u16).prop_map(Move::Wait),
        2 => (any::<u8>(), 0..60u8, any::<bool>()).prop_map(|(slot, seconds, who)| Move::Reserve { slot, seconds, who }),
        3 => (any::<u8>(), 0..8u8).prop_map(|(which, what)| Move::Visit { which, what }),
    ]
}

/// What the actions so far have promised.
#[derive(Default)]
struct Judge {
    leases: BTreeMap<RunId, Lease>,
    over: Vec<Lease>,
    ended: BTreeSet<RunId>,
    finals: BTreeSet<JobId>,
    epochs: BTreeMap<SlotId, Epoch>,
    dut_epochs: BTreeMap<DutId, Epoch>,
    keys: BTreeMap<u8, JobId>,
    was_on: BTreeSet<(JobId, TestIx, TargetIx)>,
    reserved: BTreeMap<SlotId, ReservationId>,
}

impl Judge {
    fn see(&mut self, farm: &Farm, actions: &[Action]) -> Result<(), TestCaseError> {
        for action in actions {
            match action {
                Action::Start { lease, test, .. } => self.start(farm, lease, *test)?,
                Action::RunEnded(record) => {
                    prop_assert!(self.ended.insert(record.run), "S3: run {} has ended twice", record.run);
                    prop_assert!(!self.finals.contains(&record.job), "S3: run {} ended after its job", record.run);
                    self.over.extend(self.leases.remove(&record.run));
                }
                Action::JobChanged { job, status, .. } => {
                    prop_assert!(!self.finals.contains(job), "S3: job {job} changed after its end");
                    if status.is_final() {
                        self.finals.insert(*job);
                        prop_assert!(self.leases.values().all(|lease| lease.job != *job), "S12: job {job} still runs");
                    }
                }
                Action::Reservation(news) => self.reservation(farm, news)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn reservation(&mut self, farm: &Farm, news: &ReservationAction) -> Result<(), TestCaseError> {
        match news {
            ReservationAction::Made { reservation, slot, .. } => {
                let before = self.reserved.insert(*slot, *reservation);
                prop_assert_eq!(before, None, "S1: slot {} is reserved twice", slot);
                let driven = self.leases.values().flat_map(|lease| &lease.targets).any(|target| target.slot == *slot);
                prop_assert!(!driven, "S1: slot {slot} is reserved while it is driven");
            }
            ReservationAction::Ended { reservation, slot, .. } => {
                prop_assert_eq!(self.reserved.remove(slot), Some(*reservation), "S3");
            }
            ReservationAction::SessionBegun { reservation, lease, .. } => {
                let slot = lease.targets[0].slot;
                prop_assert_eq!(self.reserved.get(&slot), Some(reservation), "S1: a session without a reservation");
                self.lease(farm, lease)?;
            }
            ReservationAction::SessionEnded { run, .. } => {
                let lease = self.leases.remove(run);
                prop_assert!(lease.is_some(), "S3: session {run} has ended twice");
                self.over.extend(lease);
            }
            ReservationAction::Extended { .. } | ReservationAction::Refused(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, farm: &Farm, lease: &Lease, test: TestIx) -> Result<(), TestCaseError> {
        let reserved = lease.targets.iter().find(|target| self.reserved.contains_key(&target.slot));
        prop_assert!(reserved.is_none(), "S1: a run starts on a slot that a person has");
        self.lease(farm, lease)?;
        for at in farm.targets_of(lease.run).unwrap_or_default() {
            prop_assert!(
                self.was_on.insert((lease.job, test, *at)),
                "S5: test {} of job {} on target {} again",
                test.0,
                lease.job,
                at.0
            );
        }
        Ok(())
    }

    fn lease(&mut self, farm: &Farm, lease: &Lease) -> Result<(), TestCaseError> {
        let racks: BTreeSet<_> = lease.targets.iter().map(|target| farm.inventory().rack_of(target.slot)).collect();
        prop_assert_eq!(racks, BTreeSet::from([Some(lease.rack)]), "S11");
        for target in &lease.targets {
            let busy = self
                .leases
                .values()
                .flat_map(|lease| &lease.targets)
                .any(|old| old.slot == target.slot || old.dut == target.dut);
            prop_assert!(!busy, "S1: slot {} or its DUT is leased twice", target.slot);
            let last = self.epochs.insert(target.slot, target.slot_epoch).unwrap_or_default();
            prop_assert!(target.slot_epoch > last, "S9");
            let last = self.dut_epochs.insert(target.dut, target.dut_epoch).unwrap_or_default();
            prop_assert!(target.dut_epoch > last, "S9");
        }
        self.leases.insert(lease.run, lease.clone());
        Ok(())
    }
}

fn pick<T: Copy>(all: &[T], which: u8) -> Option<T> {
    (!all.is_empty()).then(|| all[usize::from(which) % all.len()])
}

struct Play {
    lab: Lab,
    twin: Farm,
    judge: Judge,
    order: Order,
    life: u64,
    /// A queue policy answers at once: jobs as the core ranks them, slots by a whim of its own.
    ranked: bool,
}

impl Play {
    fn new(ageing_step: Option<Span>) -> Self {
        let config = FarmConfig { ageing_step, gang_skips: 1, gang_hold: Span::seconds(5), ..FarmConfig::default() };
        let mut lab = Lab::with(config, &[2, 2]);
        lab.load("odd");
        let twin = lab.farm.clone();
        Self { lab, twin, judge: Judge::default(), order: Order::default(), life: 1_000, ranked: false }
    }

    /// The same under a queue policy of the second contract.
    fn ranked(ageing_step: Option<Span>) -> Result<Self, TestCaseError> {
        let mut play = Self { ranked: true, ..Self::new(ageing_step) };
        let policy = PolicyName::new("mine").unwrap();
        let (kind, hash) = (PolicyKind::Queue, String::new());
        play.step(&Event::PolicyFound { policy: policy.clone(), kind, hash, contract: 2 })?;
        play.step(&Event::UseQueuePolicy { policy: Some(policy), by: UserName::new("anna").unwrap() })?;
        Ok(play)
    }

    fn answer(&mut self, question: &AskRanks) -> Result<(), TestCaseError> {
        let rule = PriorityFifo { ageing_step: self.lab.farm.config().ageing_step };
        let ranks = question.jobs.iter().map(|job| (job.job, rule.rank(&job.as_queued()))).collect();
        let whim = |slot: SlotId| i64::from(slot.0).wrapping_mul(0x9E37_79B9 + question.ask as i64) % 5;
        let slots = question.slots.iter().map(|slot| (slot.slot, whim(slot.slot))).collect();
        self.step(&Event::Ranked { ask: question.ask, ranks, slots }).map(drop)
    }

    /// O6: the same state and event give the same actions. Then the rest.
    fn step(&mut self, event: &Event) -> Result<Vec<Action>, TestCaseError> {
        let actions = self.lab.farm.step(self.lab.now, event);
        prop_assert_eq!(&actions, &self.twin.step(self.lab.now, event), "O6");
        self.lab.farm.check_invariants().map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        prop_assert_eq!(self.lab.farm.violation(), None);
        self.judge.see(&self.lab.farm, &actions)?;
        self.order.see(&self.lab.farm, event, &actions)?;
        self.lab.log.extend(actions.iter().cloned());
        for action in &actions {
            if let Action::AskRanks(question) = action
                && self.ranked
            {
                self.answer(question)?;
            }
        }
        Ok(actions)
    }

    fn leases(&self) -> Vec<RunId> {
        self.judge.leases.keys().copied().collect()
    }

    fn play(&mut self, one: Move) -> Result<(), TestCaseError> {
        let anna = UserName::new("anna").unwrap();
        let rack = |which: u8| RackId(u32::from(which % 2) + 1);
        let event = match one {
            Move::Submit { priority, targets, tests, key } => return self.submit(priority, &targets, &tests, key),
            Move::Wait(millis) => return self.wait(millis),
            Move::Kill(which) => {
                let open: Vec<JobId> = self.lab.farm.open_jobs().map(|job| job.job).collect();
                Event::Kill { job: pick(&open, which).unwrap_or(JobId(9_999)), by: anna }
            }
            Move::End { which, pass, unkillable } => {
                let Some(run) = pick(&self.leases(), which) else { return Ok(()) };
                let lease = &self.judge.leases[&run];
                let outcome = if pass {
                    Outcome::Done { result: TestResult::Pass, comment: String::new() }
                } else {
                    Outcome::Killed
                };
                Event::RunEnded { rack: lease.rack, claim: claim(lease), outcome, unkillable }
            }
            Move::Stale { which } => {
                let over: Vec<usize> = (0..self.judge.over.len()).collect();
                let Some(at) = pick(&over, which) else { return Ok(()) };
                let lease = &self.judge.over[at];
                Event::RunEnded { rack: lease.rack, claim: claim(lease), outcome: Outcome::Killed, unkillable: false }
            }
            Move::Confirm(which) => {
                let Some(run) = pick(&self.leases(), which) else { return Ok(()) };
                let lease = &self.judge.leases[&run];
                Event::RunStarted { rack: lease.rack, claim: claim(lease) }
            }
            Move::Beat { rack: which, cpu, names } => self.beat(rack(which), cpu, names),
            Move::Reborn { rack: which, knows } => self.reborn(rack(which), knows),
            Move::Place { dut, slot } => Event::PlaceDut {
                dut: DutId(u64::from(dut % 4) + 101),
                slot: slot.map(|slot| SlotId(u32::from(slot % 4) + 1)),
            },
            Move::Clear(slot) => Event::ClearQuarantine { slot: SlotId(u32::from(slot % 4) + 1) },
            Move::Drain { rack: which, on } => Event::Drain { rack: rack(which), on },
            Move::Propose { ask, placements } => {
                let wish = |(test, target): (u8, u8)| Placement {
                    test: TestIx(u32::from(test)),
                    target: TargetIx(u32::from(target)),
                };
                // Now and then the first of them is left out instead, as a sound policy would or would not.
                let skip = |(test, runs): (u8, u8)| crate::event::Skip {
                    test: TestIx(u32::from(test)),
                    runs: u32::from(runs),
                    reason: "not worth it".to_owned(),
                };
                let out = usize::from(ask % 4 == 0).min(placements.len());
                // It may have words for some of them, or have failed over these.
                let said = crate::event::Said {
                    reasons: vec![(headend_model::TargetIx(u32::from(ask % 3)), "why not".to_owned())],
                    fault: (ask % 16 == 7).then(|| "trap in `reason`".to_owned()),
                };
                Event::Proposed {
                    ask: self.ask(ask),
                    skips: placements.iter().take(out).copied().map(skip).collect(),
                    placements: placements.into_iter().skip(out).map(wish).collect(),
                    said,
                }
            }
            Move::Fail(ask) => Event::PolicyFailed { ask: self.ask(ask), reason: "trap".to_owned() },
            Move::Load(true) => Event::PolicyLoaded { policy: PolicyName::new("odd").unwrap() },
            Move::Load(false) => Event::PolicyRemoved { policy: PolicyName::new("odd").unwrap() },
            Move::Reserve { slot, seconds, who } => Event::Reservation {
                by: UserName::new(if who { "anna" } else { "bert" }).unwrap(),
                command: ReservationCommand::Reserve {
                    slot: SlotId(u32::from(slot % 5) + 1),
                    length: Span::seconds(i64::from(seconds)),
                    note: String::new(),
                },
            },
            Move::Visit { which, what } => Event::Reservation { by: anna, command: self.visit(which, what) },
            Move::Restart => Event::ServerStarted { config: self.lab.farm.config().clone() },
        };
        self.step(&event).map(drop)
    }

    /// Somebody does something with a reservation, perhaps with one that is over.
    fn visit(&self, which: u8, what: u8) -> ReservationCommand {
        let views = self.lab.farm.reservations();
        let known: Vec<(ReservationId, Option<RunId>)> =
            views.iter().map(|view| (view.reservation, view.session)).collect();
        let (reservation, session) = pick(&known, which).unwrap_or((ReservationId(u64::from(which)), None));
        match what {
            0 => ReservationCommand::Release { reservation },
            1 => ReservationCommand::Kick { reservation, reason: "needed".to_owned() },
            2 => ReservationCommand::Extend { reservation, by: Span::seconds(i64::from(which)) },
            3 => ReservationCommand::Close { reservation, session: session.unwrap_or(RunId(u64::from(which))) },
            _ => ReservationCommand::Open { reservation },
        }
    }

    /// Mostly the last question, sometimes an old one.
    fn ask(&self, which: u8) -> u64 {
        let last = self.lab.last_ask().map_or(0, |ask| ask.ask);
        if which < 32 { u64::from(which) } else { last }
    }

    fn beat(&self, rack: RackId, cpu_percent: u8, names: bool) -> Event {
        let incarnation = self.lab.farm.incarnation(rack).unwrap_or_default();
        let mine = self.judge.leases.values().filter(|lease| lease.rack == rack);
        let holds = if names { mine.map(claim).collect() } else { Vec::new() };
        Event::Heartbeat(Heartbeat { rack, incarnation, cpu_percent, holds, not_taking: None, out: Vec::new() })
    }

    fn reborn(&mut self, rack: RackId, knows: bool) -> Event {
        self.life += 1;
        let first = (rack.0 - 1) * 2;
        let seen = |no: u32| self.judge.epochs.get(&SlotId(first + no)).copied().filter(|_| knows).unwrap_or_default();
        let slots = (1..=2).map(|no| (SlotNo(no as u16), seen(no))).collect();
        Event::RackReady(RackReady {
            rack,
            incarnation: self.life,
            slots,
            dut_epochs: Vec::new(),
            not_taking: None,
            out: Vec::new(),
        })
    }

    fn submit(
        &mut self,
        priority: u8,
        targets: &[(bool, u8)],
        tests: &[(u8, u32)],
        key: Option<u8>,
    ) -> Result<(), TestCaseError> {
        let place = |(slot, at): &(bool, u8)| {
            if *slot { Target::Slot(SlotId(u32::from(*at) + 1)) } else { Target::Dut(DutId(u64::from(*at) + 101)) }
        };
        let targets: BTreeSet<Target> = targets.iter().map(place).collect();
        let modes = [
            Mode::SingleProcess,
            Mode::DutCoverage,
            Mode::TestCoverage,
            Mode::DutCoverage,
            Mode::Policy(PolicyName::new("odd").unwrap()),
        ];
        let tests = tests.iter().map(|(mode, needed)| test(modes[usize::from(*mode)].clone(), *needed));
        let spec = headend_model::JobSpec { priority: Priority(priority), ..job(targets, tests) };
        let named = key.map(|key| crate::event::IdempotencyKey { key: key.to_string(), digest: 1 });
        let submission = Submission { spec, missing_scripts: BTreeSet::new(), fail_on_warning: false, key: named };
        let actions = self.step(&Event::Submit(Box::new(submission)))?;
        for action in &actions {
            if let (Action::Accepted { job, .. }, Some(key)) = (action, key) {
                prop_assert_eq!(self.judge.keys.entry(key).or_insert(*job), job, "S6");
            }
        }
        Ok(())
    }

    fn wait(&mut self, millis: u16) -> Result<(), TestCaseError> {
        let end: Timestamp = self.lab.now + Span::millis(i64::from(millis));
        while let Some(due) = self.lab.farm.next_deadline().filter(|due| *due <= end) {
            self.lab.now = self.lab.now.max(due);
            self.step(&Event::Tick)?;
        }
        self.lab.now = end;
        Ok(())
    }

    /// A calm end: racks answer, DUTs come home, runs end. Everything must become final, every slot free (L2, L7).
    fn calm(&mut self) -> Result<(), TestCaseError> {
        for at in 0..4u8 {
            self.play(Move::Place { dut: at, slot: Some(at) })?;
            self.play(Move::Clear(at))?;
        }
        for rack in 0..2 {
            self.play(Move::Reborn { rack, knows: true })?;
            self.play(Move::Drain { rack, on: false })?;
        }
        for view in self.lab.farm.reservations() {
            let command = ReservationCommand::Release { reservation: view.reservation };
            self.step(&Event::Reservation { by: view.user, command })?;
        }
        for _ in 0..400 {
            for rack in 0..2 {
                self.play(Move::Beat { rack, cpu: 0, names: true })?;
            }
            for _ in 0..self.judge.leases.len() {
                self.play(Move::End { which: 0, pass: true, unkillable: false })?;
            }
            self.play(Move::Wait(1_000))?;
        }
        let open: Vec<_> =
            self.lab.farm.open_jobs().map(|job| (job.job, self.lab.farm.why(self.lab.now, job.job))).collect();
        prop_assert!(open.is_empty(), "L2: {open:?}");
        let busy: Vec<_> = self
            .lab
            .farm
            .racks()
            .into_iter()
            .flat_map(|rack| rack.slots)
            .filter(|slot| slot.state != crate::view::SlotState::Free)
            .collect();
        prop_assert!(busy.is_empty(), "L7: {busy:?}");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_hold_for_any_history(history in prop::collection::vec(any_move(), 1..80)) {
        let mut play = Play::new(None);
        for one in history {
            play.play(one)?;
        }
        play.calm()?;
    }

    #[test]
    fn the_rules_hold_when_waiting_counts(
        history in prop::collection::vec(any_move(), 1..80),
        step in 1..30i64,
    ) {
        let mut play = Play::new(Some(Span::seconds(step)));
        for one in history {
            play.play(one)?;
        }
        play.calm()?;
    }

    #[test]
    fn the_rules_hold_whichever_device_is_taken_first(
        history in prop::collection::vec(any_move(), 1..80),
        step in prop::option::of(1..30i64),
    ) {
        let mut play = Play::ranked(step.map(Span::seconds))?;
        for one in history {
            let text = serde_json::to_string(&play.twin).unwrap();
            play.twin = serde_json::from_str(&text).unwrap();
            play.play(one)?;
        }
        play.calm()?;
    }

    #[test]
    fn the_state_survives_as_data_anywhere(history in prop::collection::vec(any_move(), 1..40)) {
        let mut play = Play::new(None);
        for one in history {
            let text = serde_json::to_string(&play.twin).unwrap();
            play.twin = serde_json::from_str(&text).unwrap();
            play.play(one)?;
        }
    }
}
