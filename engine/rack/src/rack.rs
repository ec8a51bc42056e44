//! Starting and stopping a rack's daemon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::time::{Duration, Instant};

use headend_drivers::Place;
use headend_files::WorkingCopies;
use headend_model::{LeaseTerms, RackName};
use headend_scheduler::fence::{Fence, FenceAction, FenceEvent, FenceRecord, Life};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::analysers::Analysers;
use crate::clock::boot_now;
use crate::core::{Core, Msg, Outbox, Shared, SharedFence};
use crate::cpu::CpuGauge;
use crate::driver::Driver;
use crate::driver::virtual_stb::VirtualStb;
use crate::driver::wired::Wired;
use crate::error::RackError;
use crate::evidence;
use crate::folder::DataFolder;
use crate::guest::GuestPool;
use crate::journal::Journal;
use crate::link::{Client, Link, ServerAnalysers, ServerBlobs, report_loop, wait_loop};
use crate::options::{RackOptions, SlotDriver, Wiring};
use crate::process::Nursery;
use crate::process::cgroup::Cgroup;
use crate::process::controllers::Controllers;
use crate::process::isolation::Isolation;
use crate::process::leftovers;
use crate::python::Pythons;
use crate::served::Served;
use crate::wiring::{Keeper, Users};
use crate::witness::Witness;

/// How long the last ends may take to reach the server when the daemon stops; they are in the journal anyway.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Folders of evidence that wait in memory.
const EVIDENCE_QUEUE: usize = 1_000;
/// Guests warmed up at the start, at most.
const WARM: usize = 8;

/// A rack's daemon.
#[derive(Debug)]
pub struct Rack;

/// A daemon that runs. Dropped, it goes on until its runtime ends; stop it with [`RackHandle::stop`].
#[derive(Debug)]
pub struct RackHandle {
    shared: Arc<Shared>,
    core: mpsc::Sender<Msg>,
    drained: watch::Receiver<bool>,
    known: watch::Receiver<bool>,
    stop: CancellationToken,
    tasks: TaskTracker,
    cgroup: Option<Cgroup>,
}

impl Rack {
    /// Locks the data folder, cleans up what a former life left, enrols if need be, and begins to take runs.
    ///
    /// Returns when the daemon is set up; [`RackHandle::ready`] waits for the server's first answer.
    ///
    /// # Errors
    /// [`RackError`], each naming the thing and what helps.
    pub async fn start(options: RackOptions) -> Result<RackHandle, RackError> {
        let name = RackName::new(options.name.as_str())?;
        let folder = DataFolder::open(&options.data)?;
        let cgroup = Cgroup::for_rack(folder.root());
        let started = Self::start_in(options, name, folder, cgroup.clone()).await;
        if let Some(cgroup) = cgroup.filter(|_| started.is_err()) {
            cgroup.remove();
        }
        started
    }

    async fn start_in(
        options: RackOptions,
        name: RackName,
        folder: DataFolder,
        cgroup: Option<Cgroup>,
    ) -> Result<RackHandle, RackError> {
        // Before anything else: nothing of a former life may drive a device when this one says that it is ready.
        leftovers::sweep(&folder.pids(), &folder.sockets(), cgroup.as_ref()).await?;
        // 0 means nobody.
        let incarnation = rand::random::<u64>().max(1);
        let (fence, journal) = recover(&folder, Life { incarnation, home: folder.home()? })?;
        let client = enrol(&options, &folder, &name).await?;
        start(options, folder, cgroup, (incarnation, fence, journal), client)
    }
}

/// The fence as the journal knows it, with an end for every run that a former life left open, and with this life in the
/// journal.
fn recover(folder: &DataFolder, life: Life) -> Result<(Fence, Journal), RackError> {
    let (mut journal, records) = Journal::open(&folder.journal())?;
    let mut fence = Fence::new(LeaseTerms::default());
    let actions = fence.step(boot_now(), &FenceEvent::Recovered(records));
    let ends: Vec<FenceRecord> = actions
        .into_iter()
        .filter_map(|action| match action {
            FenceAction::Write(record) => Some(record),
            // Nothing is held yet, so there is nothing to start, stop or decline.
            FenceAction::Start(_) | FenceAction::Stop { .. } | FenceAction::Decline { .. } => None,
        })
        .collect();
    if !ends.is_empty() {
        tracing::warn!(runs = ends.len(), "runs of a former life were cut off; their ends will be told");
    }
    // What is to be written is part of the compacted journal.
    fence.step(boot_now(), &FenceEvent::Began(life));
    journal.compact(&fence.compacted())?;
    Ok((fence, journal))
}

/// A client with the rack's own token, got for the one-use token if there is none yet.
async fn enrol(options: &RackOptions, folder: &DataFolder, name: &RackName) -> Result<Client, RackError> {
    if let Some(token) = folder.token()? {
        return Client::new(&options.server, &token);
    }
    let no_token = || RackError::NoToken { name: name.to_string(), folder: folder.root().to_owned() };
    let once = options.enrol_token.as_deref().ok_or_else(no_token)?;
    let client = Client::new(&options.server, once)?;
    let began = Instant::now();
    loop {
        let error = match client.enrol(name.as_str()).await {
            Ok(enrolled) => {
                folder.save_token(&enrolled.token)?;
                return Ok(client.with_token(&enrolled.token));
            }
            Err(error) => error,
        };
        let patient = options.patience.is_none_or(|patience| began.elapsed() < patience);
        if error.is_final() || !patient {
            return Err(error.at_start(&options.server, name.as_str(), began.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn start(
    options: RackOptions,
    folder: DataFolder,
    cgroup: Option<Cgroup>,
    (incarnation, fence, journal): (u64, Fence, Journal),
    client: Client,
) -> Result<RackHandle, RackError> {
    let tasks = TaskTracker::new();
    let nursery = Nursery::start().map_err(RackError::io("start the thread for processes of", folder.root()))?;
    let cache = folder.cache()?;
    let served = Served::new(cache.join("served-analysers"), Box::new(ServerAnalysers::new(client.clone())));
    let analysers = Analysers::new(&options.analysers, &options.guest, cache.join("analysers")).with(served);
    let analysers = Arc::new(analysers);
    let most = if options.max_guests == 0 { options.slots.len() } else { options.max_guests };
    let guest_folders = (cache, folder.pids());
    let guests = GuestPool::new(
        nursery.clone(),
        options.guest.clone(),
        guest_folders,
        cgroup.clone(),
        (most, most.min(WARM)),
        tasks.clone(),
    );
    let python_folders = (folder.root().to_owned(), folder.pids());
    let controllers = Controllers::for_rack(folder.root(), cgroup.as_ref());
    let groups = (cgroup.clone(), controllers);
    let pythons = Pythons::new(options.python.clone(), nursery, python_folders, groups);
    let pythons = pythons.map_err(RackError::io("write the Python package to", folder.root()))?;
    let warm = pythons.clone();
    tasks.spawn(async move { warm.warm_up().await });
    let files = WorkingCopies::open(folder.files(), options.working_copies, Arc::new(ServerBlobs(client.clone())));
    let files = files.map_err(|error| RackError::Files { folder: folder.files(), source: error })?;
    let outbox = Arc::new(Outbox::default());
    outbox.publish(fence.held(), fence.unacknowledged());
    let slots = folder.slots();
    let users = Users::new(options.slots.keys().copied());
    let (drivers, keepers) = drivers(&options, &folder, &outbox, &users);
    let shared = Arc::new(Shared {
        witness: Arc::new(Witness::open(options.witness.as_deref(), incarnation)?),
        drivers,
        users,
        options,
        folder,
        incarnation,
        fence: SharedFence::new(fence),
        outbox,
        files,
        guests,
        pythons,
        analysers,
        slots: RwLock::new(slots),
        terms: Mutex::new(LeaseTerms::default()),
    });
    Ok(spawn(shared, journal, client, (tasks, cgroup), keepers))
}

type Drivers = BTreeMap<u16, Arc<dyn Driver>>;

/// What drives each slot, and who watches over its tools.
fn drivers(options: &RackOptions, folder: &DataFolder, outbox: &Arc<Outbox>, users: &Users) -> (Drivers, Vec<Keeper>) {
    let (mut drivers, mut keepers) = (Drivers::new(), Vec::new());
    for (no, slot) in &options.slots {
        match slot {
            SlotDriver::Virtual(options) => {
                drivers.insert(*no, Arc::new(VirtualStb::new(options.clone())));
            }
            SlotDriver::Wired(wiring) => {
                let faces = wiring.wired().into_iter().map(|(face, _)| face).collect();
                let wired = Arc::new(Wired::new(*no, wiring.dut.clone(), wiring.kind(), faces));
                drivers.insert(*no, wired.clone());
                // Nothing is offered for it before its tools have passed a probe.
                outbox.set_out(*no, Some("its tools are being started".to_owned()));
                let place = Place { slot: *no, scratch: folder.sockets().join(format!("slot-{no}")) };
                let (tools, outbox) = (Arc::new(Wiring::clone(wiring)), outbox.clone());
                let kept = users.of(*no).map(|users| Keeper {
                    place,
                    wired,
                    tools,
                    users,
                    outbox,
                    every: options.probe_every,
                });
                keepers.extend(kept);
            }
        }
    }
    (drivers, keepers)
}

fn spawn(
    shared: Arc<Shared>,
    journal: Journal,
    client: Client,
    (tasks, cgroup): (TaskTracker, Option<Cgroup>),
    keepers: Vec<Keeper>,
) -> RackHandle {
    let (myself, inbox) = mpsc::channel();
    let (drained_in, drained) = watch::channel(false);
    let (known_in, known) = watch::channel(false);
    let (evidence_in, evidence) = tokio::sync::mpsc::channel(EVIDENCE_QUEUE);
    let stop = CancellationToken::new();
    let cpu = Arc::new(CpuGauge::default());
    let core = Core {
        shared: shared.clone(),
        journal,
        inbox,
        myself: myself.clone(),
        runtime: tokio::runtime::Handle::current(),
        tasks: tasks.clone(),
        evidence: evidence_in,
        drained: drained_in,
        client: client.clone(),
        offers: BTreeMap::new(),
        running: BTreeMap::new(),
        early_stops: BTreeMap::new(),
        unwritten: Vec::new(),
        deferred: Vec::new(),
        waiting: Vec::new(),
        draining: false,
        shutdown: false,
        disk_trouble: None,
    };
    // Owned by the handle: `drained` tells its end. A plain thread, since it waits for the disk.
    std::thread::spawn(move || core.run());
    let link = Arc::new(Link {
        shared: shared.clone(),
        client: client.clone(),
        core: myself.clone(),
        cpu: cpu.clone(),
        known: known_in,
        stop: stop.clone(),
    });
    for keeper in keepers {
        tasks.spawn(keeper.keep(stop.clone()));
    }
    tasks.spawn(report_loop(link.clone()));
    tasks.spawn(wait_loop(link));
    tasks.spawn(evidence::hand_over(shared.clone(), client, evidence, stop.clone()));
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stopped.cancelled() => {}
            () = cpu.sample() => {}
        }
    });
    RackHandle { shared, core: myself, drained, known, stop, tasks, cgroup }
}

impl RackHandle {
    /// Waits until the server has taken this life's first word. `false`: the daemon has ended before that.
    pub async fn ready(&self) -> bool {
        let (mut known, mut drained) = (self.known.clone(), self.drained.clone());
        tokio::select! {
            known = known.wait_for(|known| *known) => known.is_ok(),
            _ = drained.wait_for(|drained| *drained) => false,
        }
    }

    /// Name of the rack.
    pub fn name(&self) -> &str {
        &self.shared.options.name
    }

    /// Random number of this life of the daemon.
    pub fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    /// What keeps Python runs apart on this machine; `None` until an interpreter is warm.
    pub fn isolation(&self) -> Option<Isolation> {
        self.shared.pythons.isolation()
    }

    /// Takes no new runs; [`RackHandle::finished`] returns when the last one has ended.
    pub fn drain(&self) {
        let _ = self.core.send(Msg::Drain);
    }

    /// Waits until the daemon has drained, by order of the server or by [`RackHandle::drain`].
    pub async fn finished(&self) {
        let _ = self.drained.clone().wait_for(|drained| *drained).await;
    }

    /// Stops: takes nothing more, stops what runs, tells the server the last ends if it can be reached, and leaves no
    /// process behind.
    pub async fn stop(self) {
        let _ = self.core.send(Msg::Shutdown);
        self.finished().await;
        let outbox = self.shared.outbox.clone();
        let told = async {
            while *self.known.borrow() && !outbox.all_told() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, told).await;
        self.stop.cancel();
        self.shared.guests.close().await;
        self.shared.pythons.close().await;
        self.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await;
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill(Duration::from_secs(5)).await;
            cgroup.remove();
        }
    }
}
