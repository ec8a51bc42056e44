//! The simulated lab: a server with a durable and a volatile half, racks, clients, a network that loses, doubles, delays
//! and reorders, crashes, drifting clocks, moving DUTs. One seed decides everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use headend_model::{DutId, Epoch, JobId, LeaseTerms, Mode, RackId, RunId, SlotId, Span, Timestamp};
use headend_scheduler::event::{Claim, RackReady};
use headend_scheduler::fence::EndReport;
use headend_scheduler::view::{SlotState, WaitReason};
use headend_scheduler::{Event, FarmConfig};

use crate::client::Client;
use crate::rack::Rack;
use crate::rng::Rng;
use crate::server::Server;
use crate::witness::{Broken, Witness, busy_slot};

/// Real time, in microseconds. Nobody in the lab can read it.
pub(crate) type Real = i64;

pub(crate) const MS: Real = 1_000;
pub(crate) const SECOND: Real = 1_000_000;
/// Bound on the error of a clock's rate, parts per million.
pub(crate) const DRIFT_PPM: i64 = 20_000;
/// Faults end, calm begins.
pub(crate) const CALM: Real = 45 * SECOND;
/// By then everybody is back: the longest outage began just before the calm.
const FAULTS_END: Real = CALM + 21 * SECOND;
/// L3: after a fault dispatch goes on within L + K + margin + 2 H, and what the clocks may be off.
const RESUMED: Real = 10 * SECOND;
/// L6: a stop reaches a rack within H, is final within K, and told within H; and what the network and clocks take.
const KILLED: Real = 4 * SECOND;
/// By then everything must have come to its end.
const END: Real = CALM + 150 * SECOND;

/// More can only be a circle.
const MOST_HAPPENINGS: u64 = 100_000;

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Inside the farm or the fence.
    Core(headend_scheduler::mutant::Mutant),
    /// The server answers before what it did is durable.
    AnswerBeforeDurable,
    /// A rack's daemon starts with an empty journal.
    JournalForgotten,
    /// Clients hand in without a key.
    NoKey,
    /// Processes outlive a crash of their daemon, and nobody sweeps them.
    OrphansLive,
}

/// A clock with an error in its rate and any offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) offset: i64,
    pub(crate) ppm: i64,
}

impl Clock {
    pub(crate) fn drifting(rng: &mut Rng) -> Self {
        // Racks at both ends of what is allowed, more often than between.
        let ppm =
            if rng.percent(60) { DRIFT_PPM * (rng.range(0, 1) * 2 - 1) } else { rng.range(-DRIFT_PPM, DRIFT_PPM) };
        Self { offset: rng.range(0, 1_000 * SECOND), ppm }
    }

    pub(crate) fn read(&self, real: Real) -> Timestamp {
        Timestamp::from_micros(self.offset + real + real * self.ppm / 1_000_000)
    }

    /// The first moment at which the clock shows this time, or an instant later.
    pub(crate) fn reaches(&self, time: Timestamp) -> Real {
        (time.micros() - self.offset) * 1_000_000 / (1_000_000 + self.ppm) + 2
    }
}

/// Everything that can happen in the lab.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    AtServer(Box<ToServer>),
    AtRack { rack: usize, life: u64, reply: Box<Reply> },
    AtClient { client: usize, job: JobId },
    ServerTick,
    ServerBack,
    ServerCrash,
    Beat { rack: usize, life: u64 },
    FenceTick { rack: usize, life: u64 },
    ProcessEnds { rack: usize, life: u64, claim: Claim, killed: bool },
    RackCrash { rack: usize },
    RackBack { rack: usize },
    ClientActs { client: usize },
    MoveDut,
    Cut { rack: usize, until: Real },
    Load { rack: usize, cpu: u8 },
    StuckGoes { run: RunId },
    OperatorLooks,
    BackUp,
    Restore,
    LateKill,
    Plugins,
    Person,
}

/// What reaches the server.
#[derive(Clone, Debug)]
pub(crate) enum ToServer {
    Exchange(Box<Exchange>),
    Submit { client: usize },
    Kill { client: usize },
    Place { dut: DutId, slot: Option<SlotId> },
    Clear { slot: SlotId },
    Stop { job: JobId },
    Answer { ask: u64 },
    Ranks { ask: u64, jobs: Vec<JobId> },
    Plugin(Box<Event>),
    Person,
}

/// One message of a rack.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) rack: usize,
    pub(crate) life: u64,
    pub(crate) sent: Timestamp,
    pub(crate) ready: Option<RackReady>,
    pub(crate) former: Vec<u64>,
    pub(crate) ends: Vec<EndReport>,
    pub(crate) started: Vec<Claim>,
    pub(crate) declined: Vec<Claim>,
    pub(crate) holds: Vec<Claim>,
    pub(crate) cpu: u8,
}

/// What the server answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) sent: Timestamp,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) renewed: Option<Vec<Claim>>,
    pub(crate) say_ready: bool,
    pub(crate) offers: Vec<headend_model::Lease>,
    pub(crate) stops: Vec<RunId>,
    pub(crate) refusals: Vec<headend_model::Lease>,
}

/// The lab.
pub(crate) struct World {
    pub(crate) now: Real,
    pub(crate) rng: Rng,
    pub(crate) server: Server,
    pub(crate) racks: Vec<Rack>,
    pub(crate) clients: Vec<Client>,
    pub(crate) witness: Witness,
    pub(crate) duts: Vec<DutId>,
    /// Some processes cannot be killed.
    pub(crate) has_stuck: bool,
    pub(crate) happenings: u64,
    pub(crate) trace: Option<Vec<String>>,
    pub(crate) hash: u64,
    queue: BinaryHeap<Reverse<(Real, u64, usize)>>,
    slab: Vec<Option<Happening>>,
    free: Vec<usize>,
    serial: u64,
}

pub(crate) fn terms() -> LeaseTerms {
    LeaseTerms {
        heartbeat: Span::seconds(1),
        length: Span::seconds(6),
        kill_bound: Span::millis(1_500),
        margin: Span::millis(100),
        drift_ppm: DRIFT_PPM as u32,
    }
}

fn config(rng: &mut Rng) -> FarmConfig {
    FarmConfig {
        lease: terms(),
        ageing_step: None,
        cpu_gate_retry: Span::seconds(3),
        absence_patience: Span::seconds(25),
        gang_skips: rng.range(0, 3) as u32,
        gang_hold: Span::seconds(rng.range(1, 10)),
        policy_deadline: Span::millis(250),
        generation: 1,
        longest_reservation: Span::seconds(20),
        reservations_per_user: 2,
        ..FarmConfig::default()
    }
}

/// What a run of one seed has shown.
pub(crate) struct Shown {
    pub(crate) hash: u64,
    pub(crate) happenings: u64,
    pub(crate) starts: u64,
    pub(crate) reservations: u64,
    pub(crate) sessions: u64,
    pub(crate) trace: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, broken: Option<Break>, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let racks: Vec<u16> = (0..rng.range(1, 3)).map(|_| rng.range(1, 3) as u16).collect();
        let mut server = Server::new(config(&mut rng), Clock::drifting(&mut rng), broken);
        let duts = server.furnish(&racks, &mut rng);
        let clients = (0..rng.range(2, 5)).map(|_| Client::new(&mut rng, &server, broken)).collect();
        let racks = racks.iter().enumerate().map(|(at, slots)| Rack::new(at, *slots, &mut rng, broken)).collect();
        let mut world = Self {
            now: 0,
            rng,
            server,
            racks,
            clients,
            witness: Witness::default(),
            duts,
            has_stuck: false,
            happenings: 0,
            trace: traced.then(Vec::new),
            hash: 0xcbf2_9ce4_8422_2325,
            queue: BinaryHeap::new(),
            slab: Vec::new(),
            free: Vec::new(),
            serial: 0,
        };
        world.plan();
        world
    }

    /// Plays the seed to its end.
    pub(crate) fn play(mut self) -> Result<Shown, (Broken, Vec<String>)> {
        match self.run() {
            Ok(()) => Ok(Shown {
                hash: self.hash,
                happenings: self.happenings,
                starts: self.witness.starts,
                reservations: self.witness.reservations,
                sessions: self.witness.sessions,
                trace: self.trace.unwrap_or_default(),
            }),
            Err(broken) => Err((broken, self.trace.unwrap_or_default())),
        }
    }

    fn run(&mut self) -> Result<(), Broken> {
        while let Some(Reverse((at, _, slot))) = self.queue.pop() {
            let Some(happening) = self.slab[slot].take() else { continue };
            self.free.push(slot);
            if at > END || (at > CALM && self.is_over()) {
                break;
            }
            self.now = at;
            self.happenings += 1;
            if self.happenings > MOST_HAPPENINGS {
                return Err(Broken { id: "L2", what: "something goes round in circles".to_owned() });
            }
            self.note(&happening);
            self.happen(happening)?;
            if self.happenings.is_multiple_of(64) {
                self.check_farm()?;
            }
        }
        self.check_farm()?;
        let waits = self.clients.iter().position(Client::waits);
        if let Some(client) = waits {
            return Err(Broken { id: "L1", what: format!("client {client} has no answer") });
        }
        self.witness.all_is_done(&self.server.farm)
    }

    /// What the farm itself noticed in its last step, as a release build would.
    pub(crate) fn farm_is_sound(&self) -> Result<(), Broken> {
        match self.server.farm.violation() {
            Some(violation) => Err(Broken { id: violation.id, what: format!("in the farm: {}", violation.what) }),
            None => Ok(()),
        }
    }

    fn check_farm(&self) -> Result<(), Broken> {
        self.check_calm()?;
        self.server.farm.check_invariants().map_err(|violation| Broken { id: violation.id, what: violation.what })
    }

    /// L3, L6: what must be so some time after the last fault has ended.
    fn check_calm(&self) -> Result<(), Broken> {
        if !self.server.up || self.now < FAULTS_END + RESUMED {
            return Ok(());
        }
        self.witness.stops_are_final(self.now, FAULTS_END + RESUMED, KILLED)?;
        let farm = &self.server.farm;
        for job in farm.open_jobs() {
            let waiting = farm.why(farm.now(), job.job);
            let idle = waiting.iter().find_map(|waiting| {
                let native = !matches!(job.spec.tests[waiting.test.0 as usize].mode, Mode::Policy(_));
                waiting.at.iter().find(|(_, why)| is_idle(why, native))
            });
            if let Some((_, why)) = idle {
                let what = format!("job {} waits, and all faults are over: {why:?}", job.job);
                return Err(Broken { id: "L3", what });
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        !self.clients.iter().any(Client::waits)
            && self.witness.open_jobs() == 0
            && self.witness.alive.is_empty()
            && self.server.is_idle()
            && busy_slot(&self.server.farm).is_none()
    }

    /// The faults and the work of this seed.
    fn plan(&mut self) {
        for rack in 0..self.racks.len() {
            let at = self.rng.range(0, 500 * MS);
            self.at(at, Happening::RackBack { rack });
            for _ in 0..self.rng.range(0, 2) {
                let at = self.rng.range(0, CALM - SECOND);
                self.at(at, Happening::RackCrash { rack });
            }
            for _ in 0..self.rng.range(0, 2) {
                let (at, cpu) = (self.rng.range(0, CALM), self.rng.range(0, 100) as u8);
                self.at(at, Happening::Load { rack, cpu });
            }
            self.at(CALM, Happening::Load { rack, cpu: 0 });
            self.plan_cuts(rack);
        }
        for client in 0..self.clients.len() {
            let at = self.rng.range(0, CALM - 15 * SECOND);
            self.at(at, Happening::ClientActs { client });
        }
        for _ in 0..self.rng.range(0, 2) {
            let at = self.rng.range(SECOND, CALM - SECOND);
            self.at(at, Happening::ServerCrash);
        }
        self.plan_rare_things();
        self.plan_plugins();
        self.plan_people();
        for _ in 0..self.rng.range(2, 12) {
            let at = self.rng.range(0, CALM - SECOND);
            self.at(at, Happening::MoveDut);
        }
    }

    /// A restore from a backup, or processes that cannot be killed. Not both: a quarantine that is forgotten with the
    /// past is for people to remember.
    fn plan_rare_things(&mut self) {
        match self.rng.range(0, 9) {
            0 => {
                let copied = self.rng.range(2 * SECOND, CALM - 15 * SECOND);
                // A backup of a moment ago knows of runs that wait, and that drive by now.
                let latest = if self.rng.percent(50) { copied + 4 * SECOND } else { CALM - 10 * SECOND };
                let back = self.rng.range(copied, latest);
                self.at(copied, Happening::BackUp);
                self.at(back, Happening::Restore);
                if self.rng.percent(80) {
                    // Whoever restores often starts the server once more, and sets its clock on the way; and the racks are
                    // the harder to reach the longer they have to be trusted to stop by themselves.
                    let again = back + self.rng.range(300 * MS, 2_500 * MS);
                    self.at(again, Happening::ServerCrash);
                    let rack = self.rng.range(0, self.racks.len() as i64 - 1) as usize;
                    let cut = back - self.rng.range(0, SECOND);
                    self.at(cut, Happening::Cut { rack, until: (back + 9 * SECOND).min(CALM) });
                }
            }
            1..=3 => {
                self.has_stuck = true;
                self.at(5 * SECOND, Happening::OperatorLooks);
            }
            _ => {}
        }
        self.at(FAULTS_END + RESUMED, Happening::LateKill);
    }

    /// An operator clears a quarantine, after a look at what drives there.
    fn operator_looks(&mut self) {
        let drives = |slot: SlotId, dut: Option<DutId>| {
            let targets = self.witness.alive.values().flat_map(|process| &process.lease.targets);
            targets.into_iter().any(|target| target.slot == slot || Some(target.dut) == dut)
        };
        let racks = self.server.farm.racks();
        let slots = racks.iter().flat_map(|rack| &rack.slots);
        let clear: Vec<SlotId> = slots
            .filter(|view| view.state == SlotState::Quarantined && !drives(view.slot, view.dut))
            .map(|view| view.slot)
            .collect();
        for slot in clear {
            self.after(10 * MS, Happening::AtServer(Box::new(ToServer::Clear { slot })));
        }
        self.after(2 * SECOND, Happening::OperatorLooks);
    }

    fn plan_cuts(&mut self, rack: usize) {
        for _ in 0..self.rng.range(0, 3) {
            let at = self.rng.range(0, CALM - 10 * SECOND);
            // Around the length of a lease is where it hurts.
            let length = if self.rng.percent(50) {
                self.rng.range(5 * SECOND, 9 * SECOND)
            } else {
                self.rng.range(0, 20 * SECOND)
            };
            self.at(at, Happening::Cut { rack, until: (at + length).min(CALM) });
        }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.now >= CALM
    }

    pub(crate) fn at(&mut self, at: Real, happening: Happening) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slab.push(None);
            self.slab.len() - 1
        });
        self.slab[slot] = Some(happening);
        self.serial += 1;
        self.queue.push(Reverse((at.max(self.now), self.serial, slot)));
    }

    pub(crate) fn after(&mut self, delay: Real, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    /// Over the network: may be lost, doubled, late. `cut`: the link is down.
    pub(crate) fn send(&mut self, happening: Happening, cut: bool) {
        if self.is_calm() {
            let delay = self.rng.range(MS, 50 * MS);
            return self.after(delay, happening);
        }
        if cut || self.rng.percent(6) {
            return;
        }
        if self.rng.percent(6) {
            let delay = self.delay();
            self.after(delay, happening.clone());
        }
        let delay = self.delay();
        self.after(delay, happening);
    }

    fn delay(&mut self) -> Real {
        match self.rng.range(0, 9) {
            0 => self.rng.range(0, 4 * SECOND),
            1..=3 => self.rng.range(0, 500 * MS),
            _ => self.rng.range(0, 50 * MS),
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::AtServer(message) => self.server_gets(*message)?,
            Happening::AtRack { rack, life, reply } => self.rack_gets(rack, life, *reply)?,
            Happening::AtClient { client, job } => self.client_gets(client, job),
            Happening::ServerTick => self.server_ticks()?,
            Happening::ServerBack => self.server_is_back()?,
            Happening::ServerCrash => self.server_crashes(),
            Happening::Beat { rack, life } => self.rack_beats(rack, life),
            Happening::FenceTick { rack, life } => self.fence_ticks(rack, life)?,
            Happening::ProcessEnds { rack, life, claim, killed } => self.process_ends(rack, life, claim, killed)?,
            Happening::RackCrash { rack } => self.rack_crashes(rack),
            Happening::RackBack { rack } => self.rack_is_back(rack)?,
            Happening::ClientActs { client } => self.client_acts(client),
            Happening::MoveDut => self.move_dut(),
            Happening::Cut { rack, until } => self.racks[rack].cut_until = self.racks[rack].cut_until.max(until),
            Happening::Load { rack, cpu } => self.racks[rack].cpu = cpu,
            Happening::StuckGoes { run } => self.witness.process_ends(run, None),
            Happening::OperatorLooks => self.operator_looks(),
            Happening::BackUp => self.back_up(),
            Happening::Plugins => self.plugins_change(),
            Happening::Person => self.after(MS, Happening::AtServer(Box::new(ToServer::Person))),
            Happening::Restore => self.restore(),
            Happening::LateKill => {
                if let Some(job) = self.witness.stoppable() {
                    self.after(MS, Happening::AtServer(Box::new(ToServer::Stop { job })));
                }
            }
        }
        Ok(())
    }

    /// A person takes a box from one slot and puts it into another, or on the shelf, and says so.
    fn move_dut(&mut self) {
        let dut = self.duts[self.rng.range(0, self.duts.len() as i64 - 1) as usize];
        let slots: Vec<SlotId> = self.server.farm.inventory().slots.keys().copied().collect();
        let slot = (!slots.is_empty() && !self.rng.percent(15))
            .then(|| slots[self.rng.range(0, slots.len() as i64 - 1) as usize]);
        self.after(MS, Happening::AtServer(Box::new(ToServer::Place { dut, slot })));
    }

    fn note(&mut self, happening: &Happening) {
        let code = match happening {
            Happening::AtServer(_) => 1,
            Happening::AtRack { rack, .. } => 16 + *rack as u64,
            Happening::AtClient { job, .. } => 32 + job.0,
            Happening::ServerTick => 2,
            Happening::ServerBack => 3,
            Happening::ServerCrash => 4,
            Happening::Beat { rack, .. } => 64 + *rack as u64,
            Happening::FenceTick { rack, .. } => 80 + *rack as u64,
            Happening::ProcessEnds { claim, .. } => 1_000 + claim.run.0,
            Happening::RackCrash { rack } => 96 + *rack as u64,
            Happening::RackBack { rack } => 112 + *rack as u64,
            Happening::ClientActs { client } => 128 + *client as u64,
            Happening::MoveDut => 5,
            Happening::Cut { .. } => 6,
            Happening::Load { .. } => 7,
            Happening::StuckGoes { run } => 2_000_000 + run.0,
            Happening::OperatorLooks => 8,
            Happening::BackUp => 9,
            Happening::Restore => 10,
            Happening::LateKill => 11,
            Happening::Plugins => 12,
            Happening::Person => 13,
        };
        self.mix(self.now as u64);
        self.mix(code);
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>11.6} {happening:?}", self.now as f64 / 1e6));
        }
    }

    pub(crate) fn mix(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("            {}", line()));
        }
    }
}

/// Nothing keeps the run, and yet it waits.
fn is_idle(why: &WaitReason, native: bool) -> bool {
    match why {
        WaitReason::NoRack { .. } | WaitReason::Cooling { .. } | WaitReason::CpuGate { .. } => true,
        WaitReason::AboutToStart => native,
        _ => false,
    }
}

/// What a rack's journal has seen on each of its slots.
pub(crate) fn seen_on(seen: &[(SlotId, Epoch)], slot: SlotId) -> Epoch {
    seen.iter().find(|(other, _)| *other == slot).map(|(_, epoch)| *epoch).unwrap_or_default()
}

/// Racks are enrolled in order.
pub(crate) fn rack_id(rack: usize) -> RackId {
    RackId(rack as u32 + 1)
}
