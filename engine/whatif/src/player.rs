//! Plays a load: the farm on a virtual clock, with racks that never fail.
//!
//! What happens at one moment happens in this order: runs end, jobs arrive, then the farm's own timers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use headend_model::{
    Epoch, JobId, JobSpec, Lease, LeaseTerms, Outcome, RackId, RackName, SlotId, SlotNo, Span, Target, TestIx,
    TestResult, TestSpec, Timestamp,
};
use headend_scheduler::event::{Claim, RackReady, Submission};
use headend_scheduler::{Action, Event, Farm, FarmConfig};

use crate::ask::{Policies, Question};
use crate::case::Case;
use crate::chance::{Draw, Use};
use crate::figures::Figures;
use crate::meter::Meter;
use crate::plan::{JobPlan, Place, Plan, PlanFault};

/// Nobody falls silent and no lease runs out in a play.
const NEVER: Span = Span::seconds(100 * 365 * 86_400);
/// What has not come to an end when nothing has happened for so long waits for something that never comes.
const STILL: Span = Span::seconds(7 * 86_400);
/// More steps can only be a circle.
const MOST_STEPS: u64 = 50_000_000;

/// Sees every step of a play.
pub trait Observer {
    /// What happened when, and what the farm made of it.
    fn stepped(&mut self, now: Timestamp, event: &Event, told: &[Action], farm: &Farm);
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Observer for Unwatched {
    fn stepped(&mut self, _: Timestamp, _: &Event, _: &[Action], _: &Farm) {}
}

/// How long runs take, and how they end.
pub(crate) trait Lengths {
    fn of(&mut self, farm: &Farm, lease: &Lease, test: TestIx) -> (Span, bool);
}

/// Settings under which only the load decides.
pub(crate) fn without_leases(config: &FarmConfig) -> FarmConfig {
    let lease = LeaseTerms { heartbeat: NEVER, length: NEVER, ..config.lease };
    FarmConfig { lease, ..config.clone() }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    Ends { rack: RackId, claim: Claim, how: End },
    Arrives(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Passes,
    Fails,
    Lost,
}

impl End {
    fn outcome(self) -> Outcome {
        let done = |result| Outcome::Done { result, comment: String::new() };
        match self {
            Self::Passes => done(TestResult::Pass),
            Self::Fails => done(TestResult::Fail),
            Self::Lost => Outcome::Incomplete(headend_model::run::Incomplete::RackLost),
        }
    }
}

/// A farm at play.
pub(crate) struct Player<'a> {
    pub(crate) farm: Farm,
    pub(crate) now: Timestamp,
    pub(crate) steps: u64,
    /// Why the last job that was handed in was not taken.
    refused: Option<String>,
    coming: BinaryHeap<Reverse<(Timestamp, Happening)>>,
    answers: VecDeque<Event>,
    policies: &'a mut dyn Policies,
    lengths: &'a mut dyn Lengths,
    watch: &'a mut dyn Observer,
}

impl<'a> Player<'a> {
    pub(crate) fn new(
        farm: Farm,
        now: Timestamp,
        policies: &'a mut dyn Policies,
        lengths: &'a mut dyn Lengths,
        watch: &'a mut dyn Observer,
    ) -> Self {
        let (coming, answers) = Default::default();
        Self { farm, now, steps: 0, refused: None, coming, answers, policies, lengths, watch }
    }

    pub(crate) fn expect(&mut self, at: Timestamp, what: Happening) {
        self.coming.push(Reverse((at, what)));
    }

    /// Takes an event, and all answers that it leads to.
    #[allow(clippy::needless_pass_by_value, reason = "events are made where they are taken")]
    pub(crate) fn take(&mut self, event: Event) {
        self.step(&event);
        while let Some(answer) = self.answers.pop_front() {
            self.step(&answer);
        }
    }

    fn step(&mut self, event: &Event) {
        self.steps += 1;
        let told = self.farm.step(self.now, event);
        self.watch.stepped(self.now, event, &told, &self.farm);
        // All questions are drawn up before the first is answered, as live: a plan taken later would hold changes that
        // the next question tells again.
        let questions: Vec<_> = told.iter().filter_map(|action| self.draw_up(action)).collect();
        for question in questions {
            let answer = self.answer(question);
            self.answers.push_back(answer);
        }
        for action in &told {
            match action {
                Action::Start { lease, test, .. } => self.started(lease, *test),
                Action::Refused(refusal) => self.refused = Some(refusal.to_string()),
                Action::JobChanged { job, status, .. } if status.is_final() => self.policies.forget(*job),
                _ => {}
            }
        }
    }

    fn draw_up(&self, action: &Action) -> Option<Asked> {
        let now = self.now;
        let plan = |job, group| if self.policies.has(job, group) { None } else { self.farm.plan(job, group) };
        Some(match action {
            Action::Ask(ask) => Asked::Tests(Question { now, ask: ask.clone(), plan: plan(ask.job, ask.group) }),
            Action::AskReport(ask) => Asked::Report(Question { now, ask: ask.clone(), plan: plan(ask.job, ask.group) }),
            Action::AskRanks(ask) => Asked::Ranks(ask.clone()),
            _ => return None,
        })
    }

    fn answer(&mut self, asked: Asked) -> Event {
        match asked {
            Asked::Tests(question) => self.policies.propose(&question),
            Asked::Ranks(ask) => self.policies.rank(&ask),
            Asked::Report(question) => self.policies.report(&question),
        }
    }

    fn started(&mut self, lease: &Lease, test: TestIx) {
        let Some(claim) = claim_of(lease) else { return };
        let (length, passes) = self.lengths.of(&self.farm, lease, test);
        let how = if passes { End::Passes } else { End::Fails };
        self.expect(self.now + length, Happening::Ends { rack: lease.rack, claim, how });
    }

    /// Goes on to the next moment at which something happens. `None`: nothing will, or nothing that counts.
    pub(crate) fn next(&mut self) -> Option<Next> {
        if self.steps >= MOST_STEPS {
            return None;
        }
        let due = self.farm.next_deadline().filter(|due| *due < self.now + STILL);
        let coming = self.coming.peek().map(|Reverse((at, _))| *at);
        if let Some(due) = due.filter(|due| coming.is_none_or(|coming| *due < coming)) {
            self.now = self.now.max(due);
            return Some(Next::Tick);
        }
        let Reverse((at, what)) = self.coming.pop()?;
        self.now = self.now.max(at);
        Some(Next::Happens(what))
    }

    /// Ends a run.
    pub(crate) fn end(&mut self, rack: RackId, claim: Claim, how: End) {
        self.take(Event::RunEnded { rack, claim, outcome: how.outcome(), unkillable: false });
    }
}

/// What is next.
pub(crate) enum Next {
    Tick,
    Happens(Happening),
}

enum Asked {
    Tests(Question),
    Ranks(headend_scheduler::action::AskRanks),
    Report(Question<headend_scheduler::action::AskReport>),
}

/// How a rack names this lease.
pub(crate) fn claim_of(lease: &Lease) -> Option<Claim> {
    let epoch = lease.targets.first()?.slot_epoch;
    Some(Claim { run: lease.run, attempt: lease.attempt, epoch })
}

/// Plays a load under a case.
///
/// # Errors
/// [`PlanFault`] when the farm does not take a job of the plan.
pub fn play(plan: &Plan, case: &Case, policies: &mut dyn Policies) -> Result<Figures, PlanFault> {
    play_watched(plan, case, policies, &mut Unwatched)
}

/// As [`play`], with somebody who sees every step.
///
/// # Errors
/// As [`play`].
pub fn play_watched(
    plan: &Plan,
    case: &Case,
    policies: &mut dyn Policies,
    watch: &mut dyn Observer,
) -> Result<Figures, PlanFault> {
    let start = plan.jobs.iter().map(|job| job.arrives).min().unwrap_or_default();
    let mut both = Both { meter: Meter::new(plan, start), other: watch };
    let mut order: Vec<usize> = (0..plan.jobs.len()).collect();
    order.sort_by_key(|at| plan.jobs.get(*at).map(|job| job.arrives));
    let mut lengths = OfPlan { plan, order, started: BTreeMap::new() };
    let farm = Farm::new(without_leases(&plan.config));
    let mut player = Player::new(farm, start, policies, &mut lengths, &mut both);
    player.take(Event::ServerStarted { config: without_leases(&plan.config) });
    furnish(plan, &mut player);
    case.events().into_iter().for_each(|event| player.take(event));
    let places = places(&player.farm);
    for (at, job) in plan.jobs.iter().enumerate() {
        player.expect(job.arrives, Happening::Arrives(at));
    }
    while let Some(next) = player.next() {
        match next {
            Next::Tick => player.take(Event::Tick),
            Next::Happens(Happening::Ends { rack, claim, how }) => player.end(rack, claim, how),
            Next::Happens(Happening::Arrives(at)) => arrive(plan, case, at, &places, &mut player)?,
        }
        if player.coming.is_empty() && player.farm.open_jobs().next().is_none() {
            break;
        }
    }
    let (steps, left) = (player.steps, player.farm.open_jobs().count());
    Ok(both.meter.figures(&case.name, steps, left as u64))
}

struct Both<'a> {
    meter: Meter,
    other: &'a mut dyn Observer,
}

impl Observer for Both<'_> {
    fn stepped(&mut self, now: Timestamp, event: &Event, told: &[Action], farm: &Farm) {
        self.meter.stepped(now, event, told, farm);
        self.other.stepped(now, event, told, farm);
    }
}

struct OfPlan<'a> {
    plan: &'a Plan,
    /// Jobs in the order of their arrival: handles count from 1.
    order: Vec<usize>,
    /// Starts so far: which run of a test it is decides its length, wherever it runs, so that every policy has the same work.
    started: BTreeMap<(JobId, TestIx), u64>,
}

impl Lengths for OfPlan<'_> {
    fn of(&mut self, _: &Farm, lease: &Lease, test: TestIx) -> (Span, bool) {
        let starts = self.started.entry((lease.job, test)).or_default();
        let nth = std::mem::replace(starts, *starts + 1);
        let at = self.order.get(lease.job.0.wrapping_sub(1) as usize).copied().unwrap_or(usize::MAX);
        let job = self.plan.jobs.get(at);
        let Some(planned) = job.and_then(|job| job.tests.get(test.0 as usize)) else {
            return (self.plan.otherwise, true);
        };
        let draw = Draw { seed: self.plan.seed, job: at as u64, test, nth };
        let passes = draw.roll(Use::Result) % 100 >= u64::from(planned.fails_percent);
        (self.plan.length(planned, draw), passes)
    }
}

fn furnish(plan: &Plan, player: &mut Player<'_>) {
    for (at, rack) in plan.racks.iter().enumerate() {
        let id = RackId(at as u32 + 1);
        player.take(Event::EnrolRack { name: rack.name.clone() });
        let slots = rack.slots.iter().map(|slot| (slot.no, Epoch::default())).collect();
        let ready =
            RackReady { rack: id, incarnation: 1, slots, dut_epochs: Vec::new(), not_taking: None, out: Vec::new() };
        player.take(Event::RackReady(ready));
    }
    let places = places(&player.farm);
    for rack in &plan.racks {
        for slot in &rack.slots {
            let place = places.get(&(rack.name.clone(), slot.no)).copied();
            if let (Some(dut), Some(slot)) = (slot.dut, place) {
                player.take(Event::PlaceDut { dut, slot: Some(slot) });
            }
        }
    }
}

type Places = BTreeMap<(RackName, SlotNo), SlotId>;

fn places(farm: &Farm) -> Places {
    let inventory = farm.inventory();
    let named = |(slot, place): (&SlotId, &headend_model::inventory::SlotPlace)| {
        Some(((inventory.racks.get(&place.rack)?.clone(), place.no), *slot))
    };
    inventory.slots.iter().filter_map(named).collect()
}

fn arrive(plan: &Plan, case: &Case, at: usize, places: &Places, player: &mut Player<'_>) -> Result<(), PlanFault> {
    let Some(job) = plan.jobs.get(at) else { return Ok(()) };
    let fault = |what: String| PlanFault { job: at, what };
    let spec = spec_of(job, case, places).map_err(fault)?;
    let submission = Submission { spec, missing_scripts: BTreeSet::new(), fail_on_warning: false, key: None };
    player.take(Event::Submit(Box::new(submission)));
    player.refused.take().map_or(Ok(()), |what| Err(fault(what)))
}

fn spec_of(job: &JobPlan, case: &Case, places: &Places) -> Result<JobSpec, String> {
    let target = |place: &Place| match place {
        Place::Dut(dut) => Ok(Target::Dut(*dut)),
        Place::Slot(rack, no) => {
            let slot = places.get(&(rack.clone(), *no)).copied();
            slot.map(Target::Slot).ok_or_else(|| format!("there is no slot {rack}/{no}; add it to the plan's racks"))
        }
    };
    let tests = job.tests.iter().map(|test| TestSpec {
        script: test.script.clone(),
        public: true,
        slots_needed: test.slots_needed,
        mode: case.mode(&test.mode),
        args: Vec::new(),
        time_limit: None,
    });
    Ok(JobSpec {
        name: job.name.clone(),
        owner: job.owner.clone(),
        priority: job.priority,
        targets: job.targets.iter().map(target).collect::<Result<_, _>>()?,
        tests: tests.collect(),
        policy_parameters: job.parameters.clone(),
    })
}
