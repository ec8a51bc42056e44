//! A running script's view of its slots: one per run, the same for Rhai, WASM and Python.
//!
//! The script speaks of slots by its own numbers; the session maps them to the leased slots in the order in which they
//! are reserved (document 3.2) and answers with the script's numbers. Each drive of a device first asks the fence
//! whether the lease still holds. The first result counts; what comes later is logged and answered with `false`.

mod arm;
mod calls;
pub mod capture;
pub mod ends;
mod files;
mod fitting;
mod frames;
mod heard;
mod host;
pub(crate) mod limits;
mod look;
mod looker;
pub mod recorder;
mod results;
mod scene;
mod screens;
mod serial;
mod slots;
mod sources;
mod trail;
mod video;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headend_model::{Epoch, Lease, RunId, SlotId, TestResult};
use headend_wire::session::{Call, CallError, Reply, SessionInfo};
use serde_json::json;
use tokio::task::JoinSet;

use crate::analysers::Analysers;
use crate::driver::Driver;
use crate::options::LogLimits;
use crate::record::page;
use crate::witness::Witness;
pub(crate) use files::Places;
pub(crate) use fitting::fitting;
pub(crate) use heard::Heard;
pub use host::Host;
pub(crate) use look::blocking;
pub use recorder::Recorder;
use scene::Scene;
use slots::Slots;
pub(crate) use sources::{Kept, Sources};

/// A chosen slot: the script's number, its position in the lease, its device.
type Chosen = (u32, usize, Arc<dyn Driver>);

/// Says whether a run may drive a slot now.
pub trait Guard: Send + Sync {
    /// The epoch under which it may; `None`: its lease is over.
    fn may_drive(&self, run: RunId, slot: SlotId) -> Option<Epoch>;
}

/// Takes lines of running scripts for whoever watches. Lines may be lost.
pub trait Watcher: Send + Sync {
    /// A line of the log.
    fn note(&self, run: RunId, text: String);
    /// What the script printed.
    fn console(&self, run: RunId, text: &str);
}

/// All that a session stands on.
#[derive(Clone)]
pub struct SessionSetup {
    /// What the script is told.
    pub info: SessionInfo,
    /// The right to drive.
    pub lease: Lease,
    /// The devices, in the order of the lease's targets.
    pub drivers: Vec<Arc<dyn Driver>>,
    /// Asked before each drive.
    pub guard: Arc<dyn Guard>,
    /// Sees each key press.
    pub witness: Arc<Witness>,
    /// Hears the log.
    pub watcher: Arc<dyn Watcher>,
    /// What looks and listens for the script.
    pub analysers: Arc<Analysers>,
    /// What the evidence may grow to.
    pub limits: LogLimits,
}

/// What the script has reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Its result.
    pub result: TestResult,
    /// What it said with it.
    pub comment: String,
}

/// The session of one run.
pub struct Session {
    setup: SessionSetup,
    slots: Slots,
    recorder: Recorder,
    connected: bool,
    reported: Option<Reported>,
    lease_lost: bool,
    regions: Vec<String>,
    steps: Vec<String>,
    /// What goes on at each device of the lease, by place.
    scenes: Vec<Scene>,
    /// Those that follow devices in real time. Dropped with the session.
    tasks: JoinSet<()>,
    /// Timers whose key has not been pressed, and those that run, by place.
    armed: BTreeMap<usize, arm::Ready>,
    timed: BTreeMap<usize, look::Asked>,
    /// Which pictures after a timer's key are to be kept, by place.
    wishes: BTreeMap<usize, frames::Wish>,
    serial: BTreeMap<usize, serial::Mark>,
    /// Analysers with their versions, as the log has them.
    versions: BTreeSet<(String, String)>,
    /// Folders besides its own that the run's pictures may lie in.
    readable: Vec<PathBuf>,
    /// The script has done something to a device, or looked at one.
    driven: bool,
    strips: u32,
    sources: sources::Sources,
}

impl Session {
    /// A session that has done nothing yet. Nothing is written to disk before there is something to keep.
    pub fn new(setup: SessionSetup) -> Self {
        let slots = Slots::new(setup.lease.targets.len());
        let recorder = Recorder::new(PathBuf::from(&setup.info.out), setup.limits);
        let scenes = setup.drivers.iter().cloned().map(Scene::new).collect();
        Self {
            setup,
            slots,
            recorder,
            connected: false,
            reported: None,
            lease_lost: false,
            regions: Vec::new(),
            steps: Vec::new(),
            scenes,
            tasks: JoinSet::new(),
            armed: BTreeMap::new(),
            timed: BTreeMap::new(),
            wishes: BTreeMap::new(),
            serial: BTreeMap::new(),
            versions: BTreeSet::new(),
            readable: Vec::new(),
            driven: false,
            strips: 0,
            sources: sources::Sources::default(),
        }
    }

    /// What the script is told.
    pub fn info(&self) -> &SessionInfo {
        &self.setup.info
    }

    /// Says where the script and the public area are, once they are there.
    pub fn set_files(&mut self, script: &Path, public: Option<&Path>) {
        self.setup.info.script = script.display().to_string();
        self.setup.info.public = public.map(|path| path.display().to_string());
        self.sources.begin();
    }

    /// Pictures that the script names may lie in this folder, too.
    pub fn allow_pictures_in(&mut self, folder: &Path) {
        self.readable.push(folder.to_owned());
    }

    /// What the evidence may grow to.
    pub fn limits(&self) -> LogLimits {
        self.setup.limits
    }

    /// The result reported so far.
    pub fn reported(&self) -> Option<&Reported> {
        self.reported.as_ref()
    }

    /// A call was refused because the lease is over. A script that breaks at that is not broken.
    pub fn lease_lost(&self) -> bool {
        self.lease_lost
    }

    /// The run's log.
    pub fn recorder(&mut self) -> &mut Recorder {
        &mut self.recorder
    }

    /// Carries out one call. Refusals are answers too: the session goes on.
    pub async fn call(&mut self, call: Call) -> Reply {
        let heard = Heard::of(&call);
        match self.dispatch(call).await.and_then(fitting) {
            Ok(value) => {
                if let Some(heard) = heard {
                    heard.tell(&value, self.setup.lease.run, &*self.setup.watcher);
                }
                Reply::Ok(value)
            }
            Err(error) => {
                let error = self.explained(error);
                self.recorder.event("error", true, &json!({ "code": error.code, "text": error.message }));
                Reply::Error(error)
            }
        }
    }

    /// What broke while the run was losing its slots broke because of that: a script is told so, whatever was noticed first.
    fn explained(&mut self, error: CallError) -> CallError {
        if !matches!(error.code.as_str(), "analyser" | "device") {
            return error;
        }
        let held = self.slots.chosen(None);
        held.into_iter().find_map(|(number, place)| self.device(number, place).err()).unwrap_or(error)
    }

    /// Says where the script is that somebody has started by hand, unless that is known.
    pub(crate) fn set_script(&mut self, script: &Path) {
        if self.setup.info.run == 0 && self.setup.info.script.is_empty() && script.is_absolute() {
            self.set_files(script, None);
        }
    }

    /// Ends what goes on beside the script: films are closed, a failure gets its film strip. Call once nothing of the script is left, before
    /// [`Session::finish`].
    pub async fn close(&mut self) {
        // A call that was broken off has left its place behind.
        self.recorder.called_from(Vec::new());
        self.tasks.shutdown().await;
        for place in 0..self.scenes.len() {
            // A slot that the script has freed since has no number any more.
            let number = self.slots.chosen(None).into_iter().find(|(_, held)| *held == place);
            let number = number.map_or_else(|| place as u32 + 1, |(number, _)| number);
            self.end_film(number, place).await;
        }
        self.collect_serial();
        if self.reported.is_none() {
            self.keep_strips("no result", false).await;
        }
    }

    /// Closes the log and writes its page. Call once, after nothing of the script is left. `true`: there is something to keep.
    pub fn finish(&mut self, how: &str) -> bool {
        for name in std::mem::take(&mut self.steps) {
            self.recorder.event("step_open_at_end", true, &json!({ "name": name }));
        }
        self.recorder.event("end", false, &json!({ "text": how }));
        let keep = self.recorder.finish();
        if keep {
            let about = page::About { info: &self.setup.info, how, sources: &self.sources.kept };
            page::write(self.recorder.folder(), &about, self.setup.limits);
        }
        keep
    }

    /// A device in real time is looked at by a task as long as somebody wants to look.
    fn follow(&mut self, place: usize) {
        if let Some(task) = self.scenes.get(place).and_then(Scene::task) {
            self.tasks.spawn(task);
        }
        while self.tasks.try_join_next().is_some() {}
    }

    fn refuse<T>(code: &str, message: impl Into<String>) -> Result<T, CallError> {
        Err(CallError { code: code.to_owned(), message: message.into() })
    }
}

#[cfg(test)]
mod tests;
