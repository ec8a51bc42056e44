//! What a host tells of its plugins.

use std::path::PathBuf;

use headend_model::PolicyName;

use crate::manifest::{Capability, Kind, Limits};

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
    /// Where it was loaded from: the folder of its manifest.
    pub folder: PathBuf,
    /// What it may do beyond answering.
    pub capabilities: Vec<Capability>,
    /// What each call may cost.
    pub limits: Limits,
    /// Whether it is asked.
    pub state: PluginState,
    /// Instances of this version at work.
    pub instances: usize,
    /// Older versions that still have instances at work.
    pub older: Vec<VersionInUse>,
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
