//! Which source files have run, and the copies of them: the script itself, and what its calls stood in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use headend_wire::session::{Call, CalledFrom, MOST_SOURCES, Reply};
use serde_json::{Value, json};

use super::Session;
use super::files::Places;
use super::look::blocking;
use crate::record::source::{self, Source};

/// Files of a run that are kept.
const MOST_FILES: usize = 64;
/// Largest one, in bytes.
const LARGEST: u64 = 256 << 10;
/// All of them, in bytes.
const MOST_BYTES: u64 = 2 << 20;

/// What is known of a run's sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// When the files were there.
    began: Option<SystemTime>,
    /// Files that calls stood in.
    named: BTreeSet<String>,
    /// Copied, the script first.
    pub(super) kept: Vec<Source>,
}

/// The copy of a source, and what the log says of it (event `script`).
pub(crate) struct Kept {
    pub(crate) source: Source,
    pub(crate) told: Value,
}

impl Sources {
    /// The files are there, and nothing has run yet.
    pub(crate) fn begin(&mut self) {
        self.began = Some(SystemTime::now());
    }

    /// Remembers the files of those places that can be ones, and gives the places.
    pub(crate) fn note(&mut self, from: CalledFrom) -> CalledFrom {
        let mut places = from;
        places.truncate(MOST_SOURCES);
        places.retain(|place| source::place(place).is_some());
        for (name, _) in places.iter().filter_map(|place| source::place(place)) {
            if self.named.len() < MOST_FILES && !self.named.contains(name) {
                self.named.insert(name.to_owned());
            }
        }
        places
    }

    /// The script, then what its calls stood in.
    fn names(&self, script: &Path) -> Vec<String> {
        let script = script.file_name().and_then(|name| name.to_str());
        let others = self.named.iter().map(String::as_str).filter(|name| script != Some(*name));
        script.into_iter().chain(others).take(MOST_FILES).map(str::to_owned).collect()
    }

    /// Copies them into a run's folder, the script first: what can be read and is not too much. One that cannot be written is shown on the page all
    /// the same. Reads and writes files.
    pub(crate) fn copy(&self, places: &Places, script: &Path, folder: &Path) -> Vec<Kept> {
        let mut room = MOST_BYTES;
        let mut copies = Vec::new();
        for name in self.names(script) {
            let (bytes, written) = match places.source(&name, LARGEST.min(room)) {
                Ok(found) => found,
                Err(why) => {
                    tracing::debug!(name, why, "a source of a run is not kept");
                    continue;
                }
            };
            room -= (bytes.len() as u64).min(room);
            let path = source::write(folder, &name, &bytes);
            let path = path.inspect_err(|error| tracing::debug!(%error, name, "a source of a run is not copied")).ok();
            let changed = self.began.zip(written).is_some_and(|(began, written)| written > began);
            copies.push(Kept::of(Source::of(name, &bytes, changed), path.as_deref()));
        }
        copies
    }
}

impl Kept {
    fn of(source: Source, path: Option<&str>) -> Self {
        let told = json!({
            "name": source.name, "bytes": source.bytes, "hash": source.hash, "path": path, "changed": source.changed,
        });
        Self { source, told }
    }
}

impl Session {
    /// Carries out one call that stands there in the script: what comes of it names the place.
    pub async fn call_from(&mut self, call: Call, source: CalledFrom) -> Reply {
        let source = self.sources.note(source);
        self.recorder.called_from(source);
        let reply = self.call(call).await;
        self.recorder.called_from(CalledFrom::new());
        reply
    }

    /// Copies the sources of what has run, if the run has left anything. Call it once nothing of the script runs, while its files are there.
    pub async fn keep_sources(&mut self) {
        if self.sources.began.is_none() || !self.recorder.is_worth_keeping() {
            return;
        }
        if let Err(error) = self.recorder.make_folder() {
            tracing::warn!(%error, folder = %self.recorder.folder().display(), "no folder for the sources of a run");
            return;
        }
        self.recorder.called_from(CalledFrom::new());
        let (sources, script) = (self.sources.clone(), PathBuf::from(&self.setup.info.script));
        let (places, folder) = (self.places(), self.recorder.folder().to_owned());
        let Ok(copies) = blocking(move || sources.copy(&places, &script, &folder)).await else { return };
        for Kept { source, told } in copies {
            self.recorder.event("script", false, &told);
            self.sources.kept.push(source);
        }
    }
}
