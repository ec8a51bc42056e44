//! The server: the farm in memory, and what of it would survive.

use std::collections::BTreeSet;

use headend_model::{DutId, Epoch, RackName, RunId, SlotId, SlotNo, Span, TargetIx, Timestamp, UserName};
use headend_scheduler::event::{Claim, Heartbeat, Placement, RackReady, Said, Skip};
use headend_scheduler::view::SlotState;
use headend_scheduler::{Action, Event, Farm, FarmConfig};

use crate::plugins::{Folder, odd};
use crate::rng::Rng;
use crate::witness::{Broken, Stuck, Witness, ensure};
use crate::world::{Break, Clock, Exchange, Happening, MS, Real, Reply, SECOND, ToServer, World, rack_id};

/// How the process dies while it handles a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    BeforeCommit,
    AfterCommit,
}

/// Snapshot, journal, and what the world knew then.
type Backup = (Farm, Vec<(Timestamp, Event)>, Witness);

pub(crate) struct Server {
    pub(crate) farm: Farm,
    pub(crate) up: bool,
    pub(crate) clock: Clock,
    snapshot: Farm,
    journal: Vec<(Timestamp, Event)>,
    /// The tick that is on its way.
    tick: Option<Real>,
    /// Life and time of the last exchange of each rack: what a waiting request would be answered with.
    waiting: Vec<Option<(u64, Timestamp)>>,
    /// Questions to a policy plugin that were just asked.
    pub(crate) asks: Vec<headend_scheduler::action::Ask>,
    pub(crate) rank_asks: Vec<headend_scheduler::action::AskRanks>,
    pub(crate) folder: Folder,
    broken: Option<Break>,
    config: FarmConfig,
    /// A copy of the durable half, and what the world knew then.
    backup: Option<Box<Backup>>,
    /// The durable half is older than what was told.
    past_is_lost: bool,
}

impl Server {
    pub(crate) fn new(config: FarmConfig, clock: Clock, broken: Option<Break>) -> Self {
        let mut farm = Farm::new(config.clone());
        if let Some(Break::Core(mutant)) = broken {
            farm.mutate(mutant);
        }
        let snapshot = farm.clone();
        Self {
            farm,
            up: true,
            clock,
            snapshot,
            journal: Vec::new(),
            tick: None,
            waiting: Vec::new(),
            asks: Vec::new(),
            rank_asks: Vec::new(),
            folder: Folder::default(),
            broken,
            config,
            backup: None,
            past_is_lost: false,
        }
    }

    /// Racks, slots, and a DUT in most slots.
    pub(crate) fn furnish(&mut self, racks: &[u16], rng: &mut Rng) -> Vec<DutId> {
        let now = self.clock.read(0);
        let mut duts = Vec::new();
        for (at, slots) in racks.iter().enumerate() {
            let name = RackName::new(format!("rack{}", at + 1)).unwrap();
            self.farm.step(now, &Event::EnrolRack { name });
            let slots = (1..=*slots).map(|no| (SlotNo(no), Epoch::default())).collect();
            let ready = RackReady {
                rack: rack_id(at),
                incarnation: 0,
                slots,
                dut_epochs: Vec::new(),
                not_taking: None,
                out: Vec::new(),
            };
            self.farm.step(now, &Event::RackReady(ready));
            self.waiting.push(None);
        }
        for slot in self.farm.inventory().slots.keys().copied().collect::<Vec<_>>() {
            let dut = DutId(100 + u64::from(slot.0));
            let place = (!rng.percent(10)).then_some(slot);
            self.farm.step(now, &Event::PlaceDut { dut, slot: place });
            duts.push(dut);
        }
        for found in self.folder.found() {
            self.farm.step(now, &found);
        }
        crate::schedules::furnish(&mut self.farm, now, rng);
        self.snapshot = self.farm.clone();
        duts
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.up && self.asks.is_empty() && self.rank_asks.is_empty()
    }

    fn loses_answers(&self) -> bool {
        self.broken == Some(Break::AnswerBeforeDurable)
    }
}

impl World {
    /// One event through the farm, into the journal, past the witness.
    pub(crate) fn commit(&mut self, event: Event, durable: bool) -> Result<Vec<Action>, Broken> {
        let now = self.server.clock.read(self.now);
        let actions = self.server.farm.step(now, &event);
        let now = self.server.farm.now();
        self.tell(|| format!("{event:?} -> {actions:?}"));
        self.mix(actions.len() as u64);
        if let Event::RunEnded { claim, unkillable: true, .. } = &event
            && let Some(process) = self.witness.alive.get_mut(&claim.run)
            && process.stuck == Stuck::Hidden
        {
            process.stuck = Stuck::Told;
        }
        self.witness.actions(now, &self.server.farm, &actions)?;
        self.farm_is_sound()?;
        self.note_questions(&actions);
        for action in &actions {
            match action {
                Action::RunEnded(record) => self.mix(record.run.0),
                Action::Start { lease, .. } => self.mix(lease.run.0 << 20 | u64::from(lease.targets[0].slot.0)),
                _ => {}
            }
        }
        if durable {
            self.server.journal.push((now, event));
        }
        Ok(actions)
    }

    pub(crate) fn server_gets(&mut self, message: ToServer) -> Result<(), Broken> {
        if !self.server.up {
            if let ToServer::Place { .. } | ToServer::Plugin(_) = &message {
                // The person waits until somebody listens.
                self.after(SECOND, Happening::AtServer(Box::new(message)));
            }
            return Ok(());
        }
        let death = self.death();
        if death == Some(Death::BeforeCommit) && !self.server.loses_answers() {
            self.server_crashes();
            return Ok(());
        }
        let durable = death != Some(Death::BeforeCommit);
        let answers = death != Some(Death::AfterCommit);
        match message {
            ToServer::Exchange(exchange) => self.exchange(&exchange, durable, answers)?,
            ToServer::Submit { client } => self.submit(client, durable, answers)?,
            ToServer::Kill { client } => {
                if let Some(job) = self.clients[client].job {
                    self.witness.killed(self.now, job);
                    self.commit(Event::Kill { job, by: UserName::new("bert").unwrap() }, durable)?;
                }
            }
            ToServer::Stop { job } => {
                self.witness.killed(self.now, job);
                self.commit(Event::Kill { job, by: UserName::new("bert").unwrap() }, durable)?;
            }
            ToServer::Clear { slot } => drop(self.commit(Event::ClearQuarantine { slot }, durable)?),
            ToServer::Place { dut, slot } => drop(self.commit(Event::PlaceDut { dut, slot }, durable)?),
            ToServer::Answer { ask } => self.policy_answers(ask, durable)?,
            ToServer::Ranks { ask, jobs } => self.ranks_come(ask, &jobs, durable)?,
            ToServer::Person => drop(self.person_acts(durable)?),
            ToServer::Plugin(event) => drop(self.commit(*event, durable)?),
        }
        if death.is_some() {
            self.server_crashes();
            return Ok(());
        }
        self.push_offers();
        self.ask_policies();
        self.arm_server();
        self.cut_journal();
        Ok(())
    }

    fn death(&mut self) -> Option<Death> {
        if self.is_calm() || self.rng.range(0, 399) > 0 {
            return None;
        }
        Some(if self.rng.percent(50) { Death::BeforeCommit } else { Death::AfterCommit })
    }

    fn exchange(&mut self, exchange: &Exchange, durable: bool, answers: bool) -> Result<(), Broken> {
        let rack = rack_id(exchange.rack);
        for report in &exchange.ends {
            let (claim, outcome, unkillable) = (report.claim, report.outcome.clone(), report.unkillable);
            self.commit(Event::RunEnded { rack, claim, outcome, unkillable }, durable)?;
        }
        for claim in &exchange.declined {
            let reason = "refused by the rack".to_owned();
            self.commit(Event::NotStarted { rack, claim: *claim, reason }, durable)?;
        }
        if let Some(ready) = &exchange.ready {
            self.commit(Event::RackReady(ready.clone()), durable)?;
            self.goes_on(exchange, durable)?;
        }
        for claim in &exchange.started {
            self.commit(Event::RunStarted { rack, claim: *claim }, durable)?;
        }
        let known = self.server.farm.incarnation(rack) == Some(exchange.life);
        if known {
            let holds = exchange.holds.clone();
            let beat = Heartbeat {
                rack,
                incarnation: exchange.life,
                cpu_percent: exchange.cpu,
                holds,
                not_taking: None,
                out: Vec::new(),
            };
            self.commit(Event::Heartbeat(beat), durable)?;
            self.server.waiting[exchange.rack] = Some((exchange.life, exchange.sent));
        }
        let mut reply = self.orders(exchange.rack, &exchange.holds);
        reply.sent = exchange.sent;
        reply.acknowledged = exchange.ends.last().map(|report| report.seq);
        reply.renewed = known.then(|| exchange.holds.clone());
        reply.say_ready = !known;
        if !known {
            reply.offers.clear();
            reply.stops.clear();
            reply.refusals.clear();
        }
        if answers {
            self.reply(exchange.rack, exchange.life, reply);
        }
        Ok(())
    }

    /// L8: as soon as a new life of a rack is ready, what its journal answers for has ended or is the rack's again.
    fn goes_on(&mut self, exchange: &Exchange, durable: bool) -> Result<(), Broken> {
        let (rack, former) = (rack_id(exchange.rack), exchange.former.clone());
        if former.is_empty() {
            return Ok(());
        }
        self.commit(Event::RackContinues { rack, incarnation: exchange.life, former }, durable)?;
        // Late words of a life that is over; a past that is lost has leases that nobody answers for.
        if !self.racks[exchange.rack].lives(exchange.life) || self.server.config.generation > 1 {
            return Ok(());
        }
        let farm = &self.server.farm;
        let told: BTreeSet<RunId> = farm.leases_on(rack).iter().map(|granted| granted.run).collect();
        let slots = farm.racks().into_iter().filter(|view| view.rack == rack).flat_map(|view| view.slots);
        let leased =
            slots.filter_map(|slot| if let SlotState::Leased { run, .. } = slot.state { Some(run) } else { None });
        let between = leased.filter(|run| !told.contains(run)).min();
        ensure(between.is_none(), "L8", || format!("{between:?} is leased to no life of rack {}", exchange.rack))
    }

    /// What the rack should have and stop, level-triggered.
    fn orders(&self, rack: usize, holds: &[Claim]) -> Reply {
        let mut reply = Reply::default();
        let granted = self.server.farm.leases_on(rack_id(rack));
        for grant in &granted {
            let claim = claim_of(grant.lease);
            match (grant.stopping, holds.contains(&claim)) {
                (true, false) if !grant.confirmed => reply.refusals.push(grant.lease.clone()),
                (true, _) => reply.stops.push(grant.run),
                (false, false) => reply.offers.push(grant.lease.clone()),
                (false, true) => {}
            }
        }
        let unknown = holds.iter().filter(|claim| !granted.iter().any(|grant| claim_of(grant.lease) == **claim));
        reply.stops.extend(unknown.map(|claim| claim.run));
        reply
    }

    fn reply(&mut self, rack: usize, life: u64, reply: Reply) {
        let cut = self.racks[rack].is_cut(self.now);
        self.send(Happening::AtRack { rack, life, reply: Box::new(reply) }, cut);
    }

    /// A request of each rack waits at the server: it is answered when there is something to start.
    fn push_offers(&mut self) {
        for rack in 0..self.racks.len() {
            let Some((life, sent)) = self.server.waiting[rack] else { continue };
            let fresh = self
                .server
                .farm
                .leases_on(rack_id(rack))
                .iter()
                .any(|grant| !grant.stopping && grant.lease.until >= self.server.farm.now() + Span::seconds(6));
            if fresh && self.server.farm.incarnation(rack_id(rack)) == Some(life) {
                let reply = Reply { sent, ..self.orders(rack, &[]) };
                self.server.waiting[rack] = None;
                self.reply(rack, life, Reply { stops: Vec::new(), ..reply });
            }
        }
    }

    fn submit(&mut self, client: usize, durable: bool, answers: bool) -> Result<(), Broken> {
        let submission = self.clients[client].submission.clone();
        let actions = self.commit_submit(client, &submission, durable)?;
        let handle =
            actions.iter().find_map(|action| if let Action::Accepted { job, .. } = action { Some(*job) } else { None });
        if let (Some(job), true) = (handle, answers) {
            self.send(Happening::AtClient { client, job }, false);
        }
        Ok(())
    }

    fn commit_submit(
        &mut self,
        client: usize,
        submission: &headend_scheduler::event::Submission,
        durable: bool,
    ) -> Result<Vec<Action>, Broken> {
        let now = self.server.clock.read(self.now);
        let event = Event::Submit(Box::new(submission.clone()));
        let actions = self.server.farm.step(now, &event);
        let now = self.server.farm.now();
        self.tell(|| format!("{event:?} -> {actions:?}"));
        self.witness.submitted(now, client, submission, &actions)?;
        self.witness.actions(now, &self.server.farm, &actions)?;
        self.farm_is_sound()?;
        self.note_questions(&actions);
        if durable {
            self.server.journal.push((now, event));
        }
        Ok(actions)
    }

    fn ask_policies(&mut self) {
        self.ask_ranks();
        for ask in std::mem::take(&mut self.server.asks) {
            // Some answers come too late, some never.
            let delay =
                if self.rng.percent(90) { self.rng.range(0, 200 * MS) } else { self.rng.range(200 * MS, 400 * MS) };
            if !self.rng.percent(5) {
                self.after(delay, Happening::AtServer(Box::new(ToServer::Answer { ask: ask.ask })));
            }
        }
    }

    /// A policy that is sound, silent, silly or broken, as chance will have it.
    fn policy_answers(&mut self, ask: u64, durable: bool) -> Result<(), Broken> {
        let mood = self.rng.range(0, 9);
        let event = match mood {
            0 => Event::PolicyFailed { ask, reason: "trap".to_owned() },
            1 => Event::Proposed { ask, placements: Vec::new(), skips: Vec::new(), said: Said::default() },
            3 if self.rng.percent(10) => Event::PolicyDeclined { ask, reason: "not this one".to_owned() },
            _ => {
                let wish = |rng: &mut Rng| Placement {
                    test: headend_model::TestIx(rng.range(0, 3) as u32),
                    target: TargetIx(rng.range(0, 3) as u32),
                };
                let skip = |rng: &mut Rng| Skip {
                    test: headend_model::TestIx(rng.range(0, 3) as u32),
                    runs: rng.range(0, 2) as u32,
                    reason: "not worth it".to_owned(),
                };
                let (count, out) = (self.rng.range(1, 4), if mood == 4 { self.rng.range(0, 2) } else { 0 });
                Event::Proposed {
                    ask,
                    placements: (0..count).map(|_| wish(&mut self.rng)).collect(),
                    skips: (0..out).map(|_| skip(&mut self.rng)).collect(),
                    said: Said {
                        reasons: vec![(TargetIx(0), "why not".to_owned())],
                        fault: (mood == 5).then(|| "trap in `reason`".to_owned()),
                    },
                }
            }
        };
        self.commit(event, durable)?;
        if mood == 2 {
            self.commit(Event::PolicyLoaded { policy: odd() }, durable)?;
        }
        Ok(())
    }

    pub(crate) fn arm_server(&mut self) {
        let Some(deadline) = self.server.farm.next_deadline() else { return };
        let at = self.server.clock.reaches(deadline).max(self.now);
        if self.server.tick.is_none_or(|tick| at < tick) {
            self.server.tick = Some(at);
            self.at(at, Happening::ServerTick);
        }
    }

    pub(crate) fn server_ticks(&mut self) -> Result<(), Broken> {
        if !self.server.up || self.server.tick.is_none_or(|tick| tick > self.now) {
            return Ok(());
        }
        self.server.tick = None;
        let now = self.server.clock.read(self.now);
        if self.server.farm.next_deadline().is_some_and(|at| at <= now) {
            self.commit(Event::Tick, true)?;
            self.push_offers();
            self.ask_policies();
        }
        self.arm_server();
        Ok(())
    }

    fn cut_journal(&mut self) {
        if self.server.journal.len() >= 256 {
            self.server.snapshot = self.server.farm.clone();
            self.server.journal.clear();
        }
    }

    pub(crate) fn server_crashes(&mut self) {
        if !self.server.up {
            return;
        }
        self.server.up = false;
        self.server.tick = None;
        self.server.asks.clear();
        self.server.rank_asks.clear();
        self.server.waiting.iter_mut().for_each(|waiting| *waiting = None);
        let restored = self.server.past_is_lost || self.server.config.generation > 1;
        let down = if self.rng.percent(if restored { 90 } else { 50 }) {
            self.rng.range(10 * MS, if restored { 500 * MS } else { 2 * SECOND })
        } else {
            self.rng.range(SECOND, 15 * SECOND)
        };
        let down = if self.is_calm() { 100 * MS } else { down };
        self.after(down, Happening::ServerBack);
    }

    /// Somebody copies the durable half.
    pub(crate) fn back_up(&mut self) {
        if self.server.up {
            let copy = (self.server.snapshot.clone(), self.server.journal.clone(), self.witness.clone());
            self.server.backup = Some(Box::new(copy));
        }
    }

    /// Somebody puts the copy back, and says so. Clients whose jobs are gone hand them in again.
    pub(crate) fn restore(&mut self) {
        let Some(backup) = self.server.backup.take() else { return };
        self.server.past_is_lost = true;
        self.server_crashes();
        let (snapshot, journal, then) = *backup;
        (self.server.snapshot, self.server.journal) = (snapshot, journal);
        self.witness.rewind(then);
        for client in 0..self.clients.len() {
            if self.clients[client].job.is_some_and(|job| !self.witness.knows_job(job)) {
                self.clients[client].job = None;
                self.after(SECOND, Happening::ClientActs { client });
            }
        }
    }

    /// The snapshot, and what was journalled behind it (O6: replayed, it must come out the same).
    pub(crate) fn server_is_back(&mut self) -> Result<(), Broken> {
        let mut farm = self.server.snapshot.clone();
        for (now, event) in &self.server.journal {
            farm.step(*now, event);
        }
        let lost = std::mem::take(&mut self.server.past_is_lost);
        if !self.server.loses_answers() && !lost {
            let same = farm.next_deadline() == self.server.farm.next_deadline()
                && farm.open_jobs().count() == self.server.farm.open_jobs().count();
            if !same {
                return Err(Broken { id: "O6", what: "the journal, replayed, gives another state".to_owned() });
            }
        }
        self.server.farm = farm;
        // Wall clocks may jump while nobody looks.
        let restored = self.server.config.generation > 1;
        if self.rng.percent(if restored { 85 } else { 20 }) {
            self.server.clock.offset += self.rng.range(0, 30 * SECOND);
        }
        self.server.up = true;
        if lost {
            self.server.config.generation += 1;
        }
        let config = self.server.config.clone();
        self.commit(Event::ServerStarted { config }, true)?;
        self.witness.server_is_back(&self.server.farm)?;
        for found in self.server.folder.found() {
            self.commit(found, true)?;
        }
        self.ask_policies();
        self.arm_server();
        Ok(())
    }
}

pub(crate) fn claim_of(lease: &headend_model::Lease) -> Claim {
    Claim { run: lease.run, attempt: lease.attempt, epoch: lease.targets[0].slot_epoch }
}

/// Slots of a rack, by number: slots are declared rack by rack.
pub(crate) fn slots_of(farm: &Farm, rack: usize) -> Vec<(SlotNo, SlotId)> {
    let places = farm.inventory().slots.iter().filter(|(_, place)| place.rack == rack_id(rack));
    places.map(|(slot, place)| (place.no, *slot)).collect::<BTreeSet<_>>().into_iter().collect()
}
