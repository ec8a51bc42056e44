//! The simulated lab: a server with a durable and a volatile half, racks, clients, a network that loses, doubles, delays
//! and reorders, crashes, drifting clocks, moving DUTs. One seed decides everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use headend_model::{DutId, Epoch, JobId, LeaseTerms, RackId, RunId, SlotId, Span, Timestamp};
use headend_scheduler::FarmConfig;
use headend_scheduler::event::{Claim, RackReady};
use headend_scheduler::fence::EndReport;

use crate::client::Client;
use crate::rack::Rack;
use crate::rng::Rng;
use crate::server::Server;
use crate::witness::{Broken, Witness};

/// Real time, in microseconds. Nobody in the lab can read it.
pub(crate) type Real = i64;

pub(crate) const MS: Real = 1_000;
pub(crate) const SECOND: Real = 1_000_000;
/// Bound on the error of a clock's rate, parts per million.
pub(crate) const DRIFT_PPM: i64 = 20_000;
/// Faults end, calm begins.
const CALM: Real = 45 * SECOND;
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
    ProcessEnds { rack: usize, life: u64, run: RunId, killed: bool },
    RackCrash { rack: usize },
    RackBack { rack: usize },
    ClientActs { client: usize },
    MoveDut,
    Cut { rack: usize, until: Real },
    Load { rack: usize, cpu: u8 },
}

/// What reaches the server.
#[derive(Clone, Debug)]
pub(crate) enum ToServer {
    Exchange(Exchange),
    Submit { client: usize },
    Kill { client: usize },
    Place { dut: DutId, slot: Option<SlotId> },
    Answer { ask: u64 },
}

/// One message of a rack.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) rack: usize,
    pub(crate) life: u64,
    pub(crate) sent: Timestamp,
    pub(crate) ready: Option<RackReady>,
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
        ..FarmConfig::default()
    }
}

/// What a run of one seed has shown.
pub(crate) struct Shown {
    pub(crate) hash: u64,
    pub(crate) happenings: u64,
    pub(crate) starts: u64,
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

    fn check_farm(&self) -> Result<(), Broken> {
        self.server.farm.check_invariants().map_err(|violation| Broken { id: violation.id, what: violation.what })
    }

    fn is_over(&self) -> bool {
        !self.clients.iter().any(Client::waits)
            && self.witness.open_jobs() == 0
            && self.witness.alive.is_empty()
            && self.server.is_idle()
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
        for _ in 0..self.rng.range(2, 12) {
            let at = self.rng.range(0, CALM - SECOND);
            self.at(at, Happening::MoveDut);
        }
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
            Happening::ProcessEnds { rack, life, run, killed } => self.process_ends(rack, life, run, killed)?,
            Happening::RackCrash { rack } => self.rack_crashes(rack),
            Happening::RackBack { rack } => self.rack_is_back(rack)?,
            Happening::ClientActs { client } => self.client_acts(client),
            Happening::MoveDut => self.move_dut(),
            Happening::Cut { rack, until } => self.racks[rack].cut_until = self.racks[rack].cut_until.max(until),
            Happening::Load { rack, cpu } => self.racks[rack].cpu = cpu,
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
            Happening::ProcessEnds { run, .. } => 1_000 + run.0,
            Happening::RackCrash { rack } => 96 + *rack as u64,
            Happening::RackBack { rack } => 112 + *rack as u64,
            Happening::ClientActs { client } => 128 + *client as u64,
            Happening::MoveDut => 5,
            Happening::Cut { .. } => 6,
            Happening::Load { .. } => 7,
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

/// What a rack's journal has seen on each of its slots.
pub(crate) fn seen_on(seen: &[(SlotId, Epoch)], slot: SlotId) -> Epoch {
    seen.iter().find(|(other, _)| *other == slot).map(|(_, epoch)| *epoch).unwrap_or_default()
}

/// Racks are enrolled in order.
pub(crate) fn rack_id(rack: usize) -> RackId {
    RackId(rack as u32 + 1)
}
