//! What a host tells of its plugins.

use headend_model::PolicyName;
use serde_json::Value;

use super::version::Version;
use crate::lifecycle::Origin;
use crate::manifest::{Capability, Kind, Limits, Manifest, Senses};
use crate::trust::SignatureInfo;

/// A loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    /// Its name, as jobs name it.
    pub name: PolicyName,
    /// Its own version, from its manifest.
    pub version: String,
    /// What it is.
    pub kind: Kind,
    /// `wasm` or `rhai`.
    pub language: &'static str,
    /// Its sentence about itself.
    pub description: String,
    /// Version of the contract it was written against.
    pub world: String,
    /// BLAKE3 of manifest and code, in hex.
    pub hash: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it may do beyond answering.
    pub capabilities: Vec<Capability>,
    /// What it is given of a stream (analysers).
    pub senses: Senses,
    /// What each call may cost.
    pub limits: Limits,
    /// JSON Schema of its parameters; `null`: it takes none.
    pub schema: Value,
    /// Parameters as they were set; `null`: none were.
    pub set: Value,
    /// Parameters that it gets: what is set, and the schema's defaults.
    pub parameters: Value,
    /// Who vouches for it.
    pub signature: SignatureInfo,
    /// Versions that one can go back to, oldest first; the one in force is among them.
    pub versions: Vec<KeptVersion>,
    /// Whether it is asked.
    pub state: PluginState,
    /// Instances of this version at work.
    pub instances: usize,
    /// Older versions that still have instances at work.
    pub older: Vec<VersionInUse>,
}

impl PluginInfo {
    /// What a manifest says, of a plugin that nobody has tried yet.
    pub(crate) fn of(manifest: &Manifest, hash: &str, origin: &Origin) -> Self {
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: manifest.kind,
            language: manifest.language.as_str(),
            description: manifest.description.clone(),
            world: manifest.world.to_string(),
            hash: hash.to_owned(),
            origin: origin.clone(),
            capabilities: manifest.capabilities.iter().copied().collect(),
            senses: manifest.senses,
            limits: manifest.limits,
            schema: manifest.parameters.schema().clone(),
            set: Value::Null,
            parameters: Value::Null,
            signature: SignatureInfo::NotChecked,
            versions: Vec::new(),
            state: PluginState::Disabled,
            instances: 0,
            older: Vec::new(),
        }
    }
}

/// Whether a plugin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginState {
    /// Yes.
    Enabled,
    /// No: a person switched it off.
    Disabled,
    /// No: it failed too often. Loading it again ends this.
    Quarantined,
}

/// A version that one can go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptVersion {
    /// Its version.
    pub version: String,
    /// Its hash.
    pub hash: String,
}

impl KeptVersion {
    pub(crate) fn of(version: &Version) -> Self {
        Self { version: version.manifest.version.clone(), hash: version.hash.clone() }
    }
}

/// An older version of a plugin, kept until its last instance goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionInUse {
    /// Its version.
    pub version: String,
    /// Its hash.
    pub hash: String,
    /// Instances at work.
    pub instances: usize,
}
