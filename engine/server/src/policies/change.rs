//! What people do to a plugin that is there: look, set parameters, go back, take away; and what plugins are granted.

use std::collections::BTreeSet;

use headend_model::{PolicyName, UserName};
use headend_plugin_host::lifecycle::{Grant, Grants};
use headend_plugin_host::policy::{PluginInfo, PluginState};
use headend_plugin_host::{Capability, LoadError};
use headend_scheduler::event::Event;
use headend_store::{GrantRow, Projection};
use headend_wire::api::PluginItem;
use headend_wire::codes;
use headend_wire::plugins::{
    CapabilityItem, GrantItem, GrantList, PluginDetail, PluginLimits, PluginParameters, PluginUses, VersionItem,
};
use serde_json::{Value, json};

use super::deeds::blocking;
use super::install::{refused, signature};
use super::plugins::{Plugins, Word};
use super::{lock, uses};
use crate::auth::Person;
use crate::clock::rfc3339;
use crate::http::{ApiError, ApiResult};

impl Plugins {
    /// Everything about a plugin.
    ///
    /// # Errors
    /// `unknown_plugin`.
    pub(crate) async fn detail(&self, name: &str, person: &Person) -> ApiResult<PluginDetail> {
        let name = self.known(name)?;
        let find = || self.host.list().into_iter().find(|info| info.name == name);
        let info = find().ok_or_else(|| ApiError::new(&codes::UNKNOWN_PLUGIN, format!("{name} was removed")))?;
        let person = person.clone();
        let uses = self.farm.read(move |view| uses::seen(view.farm, &name, |owner| person.may_see(owner)));
        Ok(self.detailed(&info, uses.await?))
    }

    fn detailed(&self, info: &PluginInfo, uses: PluginUses) -> PluginDetail {
        let limits = info.limits;
        PluginDetail {
            item: self.item(info),
            description: info.description.clone(),
            origin: info.origin.to_string(),
            capabilities: info.capabilities.iter().map(|asked| self.capability(info, *asked)).collect(),
            limits: PluginLimits {
                memory_mib: limits.memory_mib,
                deadline_ms: limits.deadline_ms,
                fuel: limits.fuel,
                host_calls: limits.host_calls,
            },
            parameters: PluginParameters {
                schema: info.schema.clone(),
                set: info.set.clone(),
                effective: info.parameters.clone(),
            },
            signature: signature(&info.signature),
            versions: self.versions(info),
            uses,
        }
    }

    fn capability(&self, info: &PluginInfo, asked: Capability) -> CapabilityItem {
        CapabilityItem {
            capability: asked.to_string(),
            about: asked.about().to_owned(),
            granted: self.grants().allow(&info.name, asked),
        }
    }

    fn versions(&self, info: &PluginInfo) -> Vec<VersionItem> {
        let mut at_work = self.tell.policies.contents(&info.name);
        let installed = |hash: &str| lock(&self.times).get(hash).copied().map(rfc3339).unwrap_or_default();
        let item = |kept: &headend_plugin_host::policy::KeptVersion| VersionItem {
            version: kept.version.clone(),
            installed: installed(&kept.hash),
            current: kept.hash == info.hash,
            jobs: at_work.remove(&kept.hash).into_iter().flatten().map(|job| job.0).collect(),
            hash: kept.hash.clone(),
        };
        info.versions.iter().map(item).collect()
    }

    /// Goes back to an older version.
    ///
    /// # Errors
    /// `unknown_plugin`; `not_found` when there is no such version; the step that failed.
    pub(crate) async fn roll_back(&self, name: &str, to: Option<String>, by: &UserName) -> ApiResult<PluginItem> {
        let (name, host) = (self.known(name)?, self.host.clone());
        let _turn = self.turn().await?;
        let result = blocking(move || host.roll_back(&name, to.as_deref())).await?;
        self.changed(result, "rolled_back", by).await
    }

    /// Sets parameters.
    ///
    /// # Errors
    /// `unknown_plugin`; `bad_parameters` with the place of the mistake.
    pub(crate) async fn set_parameters(&self, name: &str, set: Value, by: &UserName) -> ApiResult<PluginItem> {
        let (name, host) = (self.known(name)?, self.host.clone());
        let _turn = self.turn().await?;
        let result = blocking(move || host.set_parameters(&name, set)).await?;
        self.changed(result, "parameters", by).await
    }

    async fn changed(
        &self,
        result: Result<PluginInfo, LoadError>,
        change: &str,
        by: &UserName,
    ) -> ApiResult<PluginItem> {
        let info = result.map_err(|error| refused(&error))?;
        let info = self.note_changed(&info, Word::Person, change, by).await?;
        Ok(self.item(&info))
    }

    /// Takes a plugin away.
    ///
    /// # Errors
    /// `unknown_plugin`; `plugin_in_use` with its users, unless `force`.
    pub(crate) async fn remove(&self, name: &str, force: bool, by: &UserName) -> ApiResult<PluginUses> {
        let name = self.known(name)?;
        let _turn = self.turn().await?;
        let wanted = name.clone();
        let uses = self.farm.read(move |view| uses::of(view.farm, &wanted)).await?;
        if !force && !uses.is_empty() {
            let detail = format!("{name} is used by {}; --force takes it away all the same", uses::words(&uses));
            return Err(ApiError::new(&codes::PLUGIN_IN_USE, detail));
        }
        let host = self.host.clone();
        let gone = name.clone();
        let info = blocking(move || host.remove(&gone)).await?;
        let info = info.map_err(|error| ApiError::new(&codes::UNKNOWN_PLUGIN, error.to_string()))?;
        self.forget(&name).await?;
        let mut rows = vec![Projection::PluginRemoved { name: name.to_string() }];
        rows.extend(self.row_of_removed(&info));
        let data = json!({ "policy": name.as_str(), "change": "removed", "state": "removed", "by": by.as_str() });
        self.publish(format!("{name} was removed by {by}"), data, rows).await?;
        Ok(uses)
    }

    /// What plugins are granted: what the server was started with, and what was added.
    pub(crate) fn grant_list(&self) -> GrantList {
        let plugin = |grant: &Grant| grant.plugin.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
        let started = self.started_with.0.iter().map(|grant| GrantItem {
            plugin: plugin(grant),
            capability: grant.capability.to_string(),
            by: None,
            at: None,
        });
        let added = lock(&self.granted).clone().into_iter().map(|row| GrantItem {
            plugin: row.plugin,
            capability: row.capability,
            by: Some(row.by.to_string()),
            at: Some(rfc3339(row.at)),
        });
        let capabilities = Capability::ALL.iter().map(ToString::to_string).collect();
        GrantList { grants: started.chain(added).collect(), capabilities }
    }

    /// Grants a capability.
    ///
    /// # Errors
    /// `invalid` for a name that is none.
    pub(crate) async fn grant(&self, plugin: &str, capability: &str, by: &UserName) -> ApiResult<GrantList> {
        let grant = grant_of(plugin, capability)?;
        let row = GrantRow {
            plugin: plugin.trim().to_owned(),
            capability: grant.capability.to_string(),
            by: by.clone(),
            at: self.clock.now(),
        };
        let data = json!({ "policy": plugin, "change": "granted", "capability": capability, "by": by.as_str() });
        let text = format!("{} was granted to {} by {by}", row.capability, row.plugin);
        self.publish(text, data, vec![Projection::Grant(row.clone())]).await?;
        let mut rows = lock(&self.granted);
        rows.retain(|had| (&had.plugin, &had.capability) != (&row.plugin, &row.capability));
        rows.push(row);
        drop(rows);
        self.host.set_grants(self.grants());
        Ok(self.grant_list())
    }

    /// Takes a grant back. Plugins that live by it are disabled.
    ///
    /// # Errors
    /// `not_found` when it was not granted; `conflict` when the server was started with it.
    pub(crate) async fn revoke(&self, plugin: &str, capability: &str, by: &UserName) -> ApiResult<GrantList> {
        let grant = grant_of(plugin, capability)?;
        let name = grant.capability.to_string();
        let had = lock(&self.granted).iter().any(|row| row.plugin == plugin.trim() && row.capability == name);
        if !had {
            return Err(if self.started_with.0.contains(&grant) {
                let detail = format!("the server was started with {grant}; start it with other --plugin-grant flags");
                ApiError::new(&codes::CONFLICT, detail)
            } else {
                ApiError::not_found(format!("grant {grant}"))
            });
        }
        let row = Projection::GrantRemoved { plugin: plugin.trim().to_owned(), capability: name.clone() };
        let data = json!({ "policy": plugin, "change": "revoked", "capability": capability, "by": by.as_str() });
        self.publish(format!("the grant {grant} was taken back by {by}"), data, vec![row]).await?;
        lock(&self.granted).retain(|row| row.plugin != plugin.trim() || row.capability != name);
        self.host.set_grants(self.grants());
        for info in self.host.list() {
            let lives_by_it = info.capabilities.iter().any(|asked| !self.grants().allow(&info.name, *asked));
            if lives_by_it && info.state != PluginState::Disabled {
                self.disable(info.name.as_str(), by).await?;
            }
        }
        Ok(self.grant_list())
    }

    /// A plugin whose grant was taken back stays disabled.
    pub(super) fn require_grants(&self, name: &PolicyName) -> ApiResult<()> {
        let infos = self.host.list();
        let asked = infos.iter().find(|info| info.name == *name).map(|info| info.capabilities.as_slice());
        let missing = asked.unwrap_or_default().iter().find(|asked| !self.grants().allow(name, **asked));
        let Some(missing) = missing else { return Ok(()) };
        let detail = format!(
            "{name} asks for `{missing}`, which nobody has granted to it; `headend plugin grant {name} {missing}` first"
        );
        Err(ApiError::new(&codes::NOT_GRANTED, detail))
    }

    /// All grants in force.
    pub(super) fn grants(&self) -> Grants {
        all_grants(&self.started_with, &lock(&self.granted))
    }

    /// The farm and the policy threads hear no more of a plugin.
    pub(super) async fn forget(&self, name: &PolicyName) -> ApiResult<()> {
        lock(&self.loaded).remove(name);
        self.tell.policies.forget_policy(name);
        self.farm.step(Event::PolicyRemoved { policy: name.clone() }).await?;
        Ok(())
    }
}

/// What the server was started with, and what was added. A row that cannot be read (of another release) grants nothing.
pub(super) fn all_grants(started_with: &Grants, rows: &[GrantRow]) -> Grants {
    let added = rows.iter().filter_map(|row| format!("{}={}", row.plugin, row.capability).parse().ok());
    Grants(started_with.0.iter().cloned().chain(added).collect::<BTreeSet<Grant>>())
}

fn grant_of(plugin: &str, capability: &str) -> ApiResult<Grant> {
    let text = format!("{}={}", crate::edge::names::cut(plugin), crate::edge::names::cut(capability));
    text.parse()
        .map_err(|error: headend_plugin_host::lifecycle::BadGrant| ApiError::new(&codes::INVALID, error.to_string()))
}
