//! The plugins at the start of a server: as they were left, before the farm asks anybody; told to it together with the start itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headend_model::{JobId, PolicyName};
use headend_plugin_host::lifecycle::{HeldVersion, is_bundle};
use headend_plugin_host::policy::{PluginInfo, PluginState};
use headend_plugin_host::{LoadError, PolicyHost};
use headend_scheduler::event::Event;

use super::deeds::blocking;
use super::memory::Memory;
use super::plugins::{MANIFEST, Plugins, Standing, Word, events_of, same_folder};
use super::{PolicyDesk, lock};
use crate::http::ApiResult;

/// What lay in the folder, and what there was before.
pub(crate) struct Found {
    loaded: Vec<PluginInfo>,
    broken: Vec<(PathBuf, LoadError)>,
    known: Vec<PolicyName>,
}

impl Plugins {
    /// Loads what there was before, each as it was left, and what lies in the folder. Only the host knows of it so far.
    ///
    /// # Errors
    /// When the store fails. A plugin that cannot be loaded is found broken, no more.
    pub(crate) async fn find(&self) -> ApiResult<Found> {
        let rows = self.store.plugins().await?;
        let memories: Vec<Memory> = rows.iter().filter_map(Memory::read).collect();
        for memory in &memories {
            lock(&self.times).extend(memory.times());
        }
        let known = memories.iter().map(|memory| memory.name.clone()).collect();
        let (host, folder, tell) = (self.host.clone(), self.folder.clone(), self.tell.clone());
        blocking(move || {
            let broken = bring_back(&host, &folder, &memories);
            for memory in memories.iter().filter(|memory| !memory.enabled) {
                // Not loaded this time: nothing to disable.
                let _ = host.disable(&memory.name);
            }
            hold(&host, &tell.policies, &memories);
            Found { loaded: host.list(), broken, known }
        })
        .await
    }

    /// Tells the farm of the start, and in the same breath what it may ask, and what it may not any more: nothing is asked
    /// in between that is not there. What was in quarantine stays there.
    ///
    /// # Errors
    /// When the store or the farm fails.
    pub(crate) async fn announce(&self, started: Vec<Event>, found: Found) -> ApiResult<()> {
        let Found { loaded, broken, known } = found;
        let is_asked =
            |name: &PolicyName| loaded.iter().any(|info| info.name == *name && info.state != PluginState::Disabled);
        let gone = known.into_iter().filter(|name| !is_asked(name)).map(|policy| Event::PolicyRemoved { policy });
        let here = loaded.iter().flat_map(|info| events_of(info, Word::Nobody));
        let events: Vec<Event> = started.into_iter().chain(here).chain(gone).collect();
        let names: Vec<PolicyName> = loaded.iter().map(|info| info.name.clone()).collect();
        let standing = move |farm: &headend_scheduler::Farm| {
            let all = names.into_iter().filter_map(|name| Standing::of(farm, &name).map(|standing| (name, standing)));
            let open: Vec<JobId> = farm.open_jobs().map(|job| job.job).collect();
            (all.collect::<BTreeMap<_, _>>(), open)
        };
        let (standings, open) = self.farm.apply(events, move |_, view| standing(view.farm)).await?;
        self.tell.policies.unpin_all_but(&open);
        for info in loaded {
            let info = self.mirror(&info, standings.get(&info.name));
            self.note_there(&info).await?;
        }
        for (folder, error) in broken {
            self.note_broken(folder, &error).await?;
        }
        Ok(())
    }
}

/// Has the versions ready that open jobs began with.
fn hold(host: &PolicyHost, desk: &PolicyDesk, memories: &[Memory]) {
    for memory in memories {
        let mut ready = BTreeMap::<String, Option<HeldVersion>>::new();
        for (job, content) in memory.held() {
            let held = ready.entry(content.clone()).or_insert_with(|| {
                let held = host.hold(&memory.name, &content);
                held.inspect_err(|error| tracing::warn!(plugin = %memory.name, content, %error, "a version that jobs began with is not to be had")).ok()
            });
            desk.pin(job, memory.name.clone(), content, held.clone());
        }
    }
}

/// Loads what there was before, and what has come into the plugin folder since; what could not be loaded, and why.
fn bring_back(host: &PolicyHost, folder: &Path, memories: &[Memory]) -> Vec<(PathBuf, LoadError)> {
    let mut broken = Vec::new();
    for memory in memories {
        bring_one_back(host, folder, memory, &mut broken);
    }
    std::fs::create_dir_all(folder).ok();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut new: Vec<PathBuf> = entries.filter(|path| path.join(MANIFEST).is_file() || is_bundle_file(path)).collect();
    let known =
        |path: &PathBuf| memories.iter().any(|m| m.former.origin.path().is_some_and(|had| same_folder(had, path)));
    new.retain(|path| !known(path));
    new.sort();
    broken.extend(new.into_iter().filter_map(|path| host.load(&path).err().map(|error| (path, error))));
    broken
}

fn is_bundle_file(path: &Path) -> bool {
    path.is_file() && path.file_name().is_some_and(|name| is_bundle(&name.to_string_lossy()))
}

/// A plugin that was there before: the version that was in force, unless what lies at its path is a newer one.
fn bring_one_back(host: &PolicyHost, folder: &Path, memory: &Memory, broken: &mut Vec<(PathBuf, LoadError)>) {
    let Memory { name, former, .. } = memory;
    let path = former.origin.path();
    let now = path.and_then(|path| host.hash_at(path));
    if memory.removed() {
        if let (Some(path), Some(seen)) = (path, former.seen.clone()) {
            host.saw(path, seen);
        }
        if !memory.is_outdated(now.as_ref()) {
            return;
        }
    } else {
        // What lay in the plugin folder and has gone from there has gone; what came from elsewhere is kept.
        let followed = |path: &Path| folder.canonicalize().is_ok_and(|folder| path.starts_with(folder));
        if path.is_some_and(|path| !path.exists() && followed(path)) {
            return;
        }
        if let Err(error) = host.restore(former.clone()) {
            tracing::warn!(plugin = %name, %error, "its version of the last time is not to be had");
            // Rows of an older release have no kept version: what lies at the path is all there is.
            match path {
                Some(_) if now.is_some() => {}
                Some(path) => broken.push((path.to_owned(), error)),
                None => broken.push((PathBuf::from(name.as_str()), error)),
            }
        }
    }
    let is_there = host.list().iter().any(|info| info.name == *name);
    if let Some(path) = path
        && (memory.is_outdated(now.as_ref()) || (!is_there && now.is_some()))
        && let Err(error) = host.load(path)
    {
        broken.push((path.to_owned(), error));
    }
}
