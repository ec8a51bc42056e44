//! The plugins at the start of a server: loaded before the farm asks anybody, told to it together with the start itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headend_model::PolicyName;
use headend_plugin_host::policy::{PluginInfo, PluginState};
use headend_plugin_host::{LoadError, PolicyHost};
use headend_scheduler::event::Event;
use headend_store::PluginRow;

use super::plugins::{MANIFEST, Plugins, Standing, Word, blocking, events_of, same_folder};
use crate::http::ApiResult;

/// What lay in the folder, and where plugins were loaded from before.
pub(crate) struct Found {
    loaded: Vec<PluginInfo>,
    broken: Vec<(PathBuf, LoadError)>,
    rows: Vec<PluginRow>,
}

impl Plugins {
    /// Loads what lies in the folder. Only the host knows of it so far.
    ///
    /// # Errors
    /// When the store fails. A plugin that cannot be loaded is found broken, no more.
    pub(crate) async fn find(&self) -> ApiResult<Found> {
        let rows = self.store.plugins().await?;
        let (host, folder) = (self.host.clone(), self.folder.clone());
        blocking(move || {
            let broken = load_folders(&host, &folder, &rows);
            for row in rows.iter().filter(|row| !row.enabled) {
                if let Ok(name) = PolicyName::new(row.name.clone()) {
                    // Not loaded this time: nothing to disable.
                    let _ = host.disable(&name);
                }
            }
            Found { loaded: host.list(), broken, rows }
        })
        .await
    }

    /// Tells the farm of the start, and in the same breath what it may ask, and what it may not any more: nothing is asked
    /// in between that is not there. What was in quarantine stays there.
    ///
    /// # Errors
    /// When the store or the farm fails.
    pub(crate) async fn announce(&self, started: Vec<Event>, found: Found) -> ApiResult<()> {
        let Found { loaded, broken, rows } = found;
        let is_asked =
            |name: &PolicyName| loaded.iter().any(|info| info.name == *name && info.state != PluginState::Disabled);
        let known = rows.iter().filter_map(|row| PolicyName::new(row.name.clone()).ok());
        let gone = known.filter(|name| !is_asked(name)).map(|policy| Event::PolicyRemoved { policy });
        let here = loaded.iter().flat_map(|info| events_of(info, Word::Nobody));
        let events: Vec<Event> = started.into_iter().chain(here).chain(gone).collect();
        let names: Vec<PolicyName> = loaded.iter().map(|info| info.name.clone()).collect();
        let standing = move |farm: &headend_scheduler::Farm| {
            let all = names.into_iter().filter_map(|name| Standing::of(farm, &name).map(|standing| (name, standing)));
            all.collect::<BTreeMap<_, _>>()
        };
        let standings = self.farm.apply(events, move |_, view| standing(view.farm)).await?;
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

/// Loads the folders in the plugin folder and those that plugins were loaded from before; those that could not be.
fn load_folders(host: &PolicyHost, folder: &Path, rows: &[PluginRow]) -> Vec<(PathBuf, LoadError)> {
    std::fs::create_dir_all(folder).ok();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join(MANIFEST).is_file()).collect();
    folders.extend(rows.iter().map(|row| PathBuf::from(&row.path)).filter(|path| path.is_dir()));
    folders.sort();
    folders.dedup_by(|a, b| same_folder(a, b));
    let results = folders.into_iter().map(|folder| (host.load(&folder), folder));
    results.filter_map(|(result, folder)| result.err().map(|error| (folder, error))).collect()
}
