//! Versions beside the one in force: kept without a switch, and asked under names of their own.

use headend_model::PolicyName;

use super::{LoadError, Upload};
use crate::manifest::Kind;
use crate::policy::host::PolicyHost;
use crate::policy::version::Code;
use crate::policy::{KeptVersion, PluginInfo};

/// Characters of the hash in the name of a version.
const SHOWN: usize = 12;
/// Characters of the plugin's name that leave room for them.
const ROOM: usize = 50;

/// A version that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnTrial {
    /// What it is asked as: the plugin's name if it is in force, else the name, a dot, and the start of its hash.
    pub policy: PolicyName,
    /// The plugin.
    pub plugin: PolicyName,
    /// What it is.
    pub kind: Kind,
    /// Its content.
    pub hash: String,
    /// Version of its contract.
    pub world: String,
}

impl PolicyHost {
    /// Takes all steps but the last: the version is kept, and what is in force stays so. Of a plugin that is not there this is an install.
    ///
    /// # Errors
    /// As [`PolicyHost::load`].
    pub fn install_beside(&self, upload: Upload) -> Result<PluginInfo, LoadError> {
        let package = self.sent(upload.clone())?;
        let name = package.manifest.name.clone();
        if !self.plugins().contains_key(&name) {
            return self.install(upload, None);
        }
        self.keep_beside(&package)
    }

    /// The version of a plugin by the beginning of its hash or by its own number; neither: the one in force.
    ///
    /// # Errors
    /// [`LoadError::NotLoaded`]; [`LoadError::NoSuchVersion`] when there is none or more than one.
    pub fn find_version(
        &self,
        name: &PolicyName,
        hash: Option<&str>,
        version: Option<&str>,
    ) -> Result<KeptVersion, LoadError> {
        let plugins = self.plugins();
        let plugin = plugins.get(name).ok_or_else(|| LoadError::NotLoaded(name.to_string()))?;
        let fits = |kept: &&KeptVersion| match (hash, version) {
            (None, None) => kept.hash == plugin.current.hash,
            (hash, version) => {
                hash.is_none_or(|hash| !hash.is_empty() && kept.hash.starts_with(hash))
                    && version.is_none_or(|version| kept.version == version)
            }
        };
        let mut found = plugin.versions.iter().filter(fits);
        if let (Some(one), None) = (found.next(), found.next()) {
            return Ok(one.clone());
        }
        let short = |kept: &KeptVersion| format!("{} ({})", start(&kept.hash), kept.version);
        Err(LoadError::NoSuchVersion {
            plugin: name.to_string(),
            wanted: format!("{:?} that is the only one", hash.or(version).unwrap_or("in force")),
            kept: plugin.versions.iter().map(short).collect::<Vec<_>>().join(", "),
        })
    }

    /// Has a version ready to be asked. Another than the one in force gets a name of its own, until [`PolicyHost::end_trial`]. Takes its
    /// time.
    ///
    /// # Errors
    /// As [`PolicyHost::hold`].
    pub fn begin_trial(&self, plugin: &PolicyName, hash: &str) -> Result<OnTrial, LoadError> {
        let version = self.version_of(plugin, hash)?;
        if matches!(version.code, Code::Analyser) {
            return Err(LoadError::NoPolicy { plugin: super::label(&version.manifest), kind: version.manifest.kind });
        }
        let in_force = self.plugins().get(plugin).is_some_and(|plugin| plugin.current.hash == hash);
        let policy = if in_force { plugin.clone() } else { name_of(plugin, hash) };
        let (kind, world) = (version.manifest.kind, version.manifest.world.to_string());
        if !in_force {
            self.on_trial().insert(policy.clone(), version);
        }
        Ok(OnTrial { policy, plugin: plugin.clone(), kind, hash: hash.to_owned(), world })
    }

    /// As [`PolicyHost::begin_trial`], under the name that it had in a former life of the host.
    ///
    /// # Errors
    /// As [`PolicyHost::hold`].
    pub fn resume_trial(&self, policy: &PolicyName, plugin: &PolicyName, hash: &str) -> Result<(), LoadError> {
        let version = self.version_of(plugin, hash)?;
        if policy != plugin {
            self.on_trial().insert(policy.clone(), version);
        }
        Ok(())
    }

    /// Nobody asks it under that name any more.
    pub fn end_trial(&self, policy: &PolicyName) {
        self.on_trial().remove(policy);
    }
}

fn start(hash: &str) -> &str {
    hash.get(..SHOWN).unwrap_or(hash)
}

/// `order.1a2b3c4d5e6f`.
fn name_of(plugin: &PolicyName, hash: &str) -> PolicyName {
    let name = plugin.as_str();
    let name = name.get(..ROOM).unwrap_or(name);
    // Letters, digits and a dot behind a name are a name.
    PolicyName::new(format!("{name}.{}", start(hash))).unwrap_or_else(|_| plugin.clone())
}
