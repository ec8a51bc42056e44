//! What people do with plugins: load, reload, disable, enable, and choose who orders the jobs.

use std::path::PathBuf;

use headend_model::{PolicyName, UserName};
use headend_plugin_host::policy::{PluginInfo, PluginState, PolicyFault};
use headend_plugin_host::{Kind, LoadError};
use headend_scheduler::event::Event;
use headend_wire::api::{PluginItem, QueueInfo};
use headend_wire::codes;

use super::install::refused;
use super::plugins::{Plugins, Word, changed, events_of};
use crate::http::{ApiError, ApiResult};
use crate::show;

impl Plugins {
    /// Loads a plugin from a path, absolute or below the plugin folder.
    ///
    /// # Errors
    /// `forbidden` for a path elsewhere unless `anywhere`; `bad_plugin` with the step that failed.
    pub(crate) async fn load(&self, path: &str, anywhere: bool) -> ApiResult<PluginItem> {
        let path = self.resolve(path, anywhere)?;
        let _turn = self.turn().await?;
        let host = self.host.clone();
        let result = blocking(move || host.load(&path)).await?;
        // Others may bring a plugin, but not bring one back that was put aside.
        self.after(result, if anywhere { Word::Person } else { Word::Nobody }).await
    }

    fn resolve(&self, path: &str, anywhere: bool) -> ApiResult<PathBuf> {
        if path.is_empty() || path.contains('\0') {
            return Err(ApiError::new(&codes::BAD_PLUGIN, "the path is empty or has a NUL").at("/path"));
        }
        let wanted = self.folder.join(path);
        let shown = crate::edge::names::cut(path);
        let bad = |error: std::io::Error| {
            ApiError::new(&codes::BAD_PLUGIN, format!("{shown:?} cannot be read: {error}")).at("/path")
        };
        if anywhere {
            return wanted.canonicalize().map_err(bad);
        }
        // One answer for what is elsewhere and what is nowhere: the server's disk is not to be searched by guesses.
        let inside = |real: &PathBuf| self.folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
        wanted.canonicalize().ok().filter(inside).ok_or_else(|| {
            let detail =
                format!("there is no {shown:?} in the plugin folder; only an administrator may load from elsewhere");
            ApiError::new(&codes::FORBIDDEN, detail).at("/path")
        })
    }

    /// Loads a plugin again from where it came from.
    ///
    /// # Errors
    /// `unknown_plugin`; `bad_plugin`, and the loaded version stays in use.
    pub(crate) async fn reload(&self, name: &str, by: &UserName) -> ApiResult<PluginItem> {
        let name = self.known(name)?;
        let _turn = self.turn().await?;
        let host = self.host.clone();
        let result = blocking(move || host.reload(&name)).await?;
        let info = result.map_err(|error| refused(&error))?;
        let info = self.note_changed(&info, Word::Person, "reloaded", by).await?;
        Ok(self.item(&info))
    }

    async fn after(&self, result: Result<PluginInfo, LoadError>, word: Word) -> ApiResult<PluginItem> {
        let info = result.map_err(|error| refused(&error))?;
        let info = self.note_loaded(&info, word).await?;
        Ok(self.item(&info))
    }

    /// Stops asking a plugin.
    ///
    /// # Errors
    /// `unknown_plugin`.
    pub(crate) async fn disable(&self, name: &str, by: &UserName) -> ApiResult<PluginItem> {
        let name = self.known(name)?;
        let info = self.host.disable(&name).map_err(|error| unknown(&error))?;
        self.tell.policies.forget_policy(&name);
        self.farm.step(Event::PolicyRemoved { policy: name.clone() }).await?;
        let data = changed(&info, "disabled", by);
        self.publish(format!("{name} was disabled by {by}"), data, vec![self.row_of(&info)]).await?;
        Ok(self.item(&info))
    }

    /// Asks a plugin again.
    ///
    /// # Errors
    /// `unknown_plugin`.
    pub(crate) async fn enable(&self, name: &str, by: &UserName) -> ApiResult<PluginItem> {
        let name = self.known(name)?;
        self.require_grants(&name)?;
        let info = self.host.enable(&name).map_err(|error| unknown(&error))?;
        self.farm.apply(events_of(&info, Word::Person), |_, _| ()).await?;
        self.tell.policies.remember(&name, 0, "");
        let data = changed(&info, "enabled", by);
        self.publish(format!("{name} was enabled by {by}"), data, vec![self.row_of(&info)]).await?;
        Ok(self.item(&info))
    }

    pub(super) fn known(&self, name: &str) -> ApiResult<PolicyName> {
        let all = self.host.list();
        if let Some(info) = all.iter().find(|info| info.name.as_str() == name) {
            return Ok(info.name.clone());
        }
        let names = crate::edge::names::listed(all.iter().map(|info| info.name.to_string()));
        let detail = format!("there is no plugin {:?}; loaded are: {names}", crate::edge::names::cut(name));
        Err(ApiError::new(&codes::UNKNOWN_PLUGIN, detail))
    }

    /// Another rule is to order the jobs: a loaded queue policy, or the built-in one.
    ///
    /// # Errors
    /// `unknown_plugin`; `invalid` for a plugin of another kind; `conflict` for one that is not to be asked; `bad_parameters` with the plugin's
    /// sentence when it does not take those that are set; `bad_plugin` when it fails.
    pub(crate) async fn use_queue(&self, name: &str, by: &UserName) -> ApiResult<QueueInfo> {
        let policy = if name == show::queue::BUILT_IN { None } else { Some(self.queue_policy(name)?) };
        if let Some(name) = &policy {
            self.try_queue(name).await?;
        }
        let event = Event::UseQueuePolicy { policy, by: by.clone() };
        Ok(self.farm.apply(vec![event], |_, view| show::queue::info(view.farm)).await?)
    }

    /// Builds it once, as it will be built: better a refusal now than an order that never comes.
    async fn try_queue(&self, name: &PolicyName) -> ApiResult<()> {
        let (host, wanted) = (self.host.clone(), name.clone());
        match blocking(move || host.queue(&wanted).map(drop)).await? {
            Ok(()) => Ok(()),
            Err(PolicyFault::Declined { what, .. }) => {
                let detail = format!(
                    "{name} does not take the parameters that are set: {what}; `headend plugin parameters {name}` shows and sets them"
                );
                Err(ApiError::new(&codes::BAD_PARAMETERS, detail))
            }
            Err(fault) => Err(ApiError::new(&codes::BAD_PLUGIN, fault.to_string())),
        }
    }

    fn queue_policy(&self, name: &str) -> ApiResult<PolicyName> {
        let name = self.known(name)?;
        let infos = self.host.list();
        let Some(info) = infos.iter().find(|info| info.name == name) else {
            return Err(ApiError::new(&codes::UNKNOWN_PLUGIN, format!("{name} was removed")));
        };
        if info.kind != Kind::QueuePolicy {
            let detail = format!("{name} is of kind {}; only a queue-policy orders jobs", info.kind.as_str());
            return Err(ApiError::new(&codes::INVALID, detail).at("/policy"));
        }
        match info.state {
            PluginState::Enabled => Ok(name),
            PluginState::Disabled => {
                let detail = format!("{name} is disabled; `headend plugin enable {name}` first");
                Err(ApiError::new(&codes::CONFLICT, detail))
            }
            PluginState::Quarantined => {
                let detail = format!("{name} is in quarantine; `headend plugin reload {name}` first");
                Err(ApiError::new(&codes::CONFLICT, detail))
            }
        }
    }
}

fn unknown(error: &headend_plugin_host::policy::UnknownPlugin) -> ApiError {
    ApiError::new(&codes::UNKNOWN_PLUGIN, error.to_string())
}

/// Loading compiles and tries the plugin: not for the threads that answer requests.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("the plugin host failed", &error))
}
