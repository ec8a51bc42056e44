//! Analysers in the care of a [`PolicyHost`]: they have the same life as policies, and are not asked here.
//!
//! The steps up to the self-check are those of [`AnalyserHost`](crate::AnalyserHost); versions, parameters and grants are kept as those of policies are. Who runs
//! them asks for the version in force: [`PolicyHost::analyser`].

use headend_model::PolicyName;
use serde_json::Value;

use super::{LoadError, Package, Upload};
use crate::analyser::AnalyserHostConfig;
use crate::manifest::{Kind, Limits};
use crate::policy::PluginState;
use crate::policy::host::PolicyHost;

/// An analyser in force, as whoever runs it needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedAnalyser {
    /// Its version.
    pub version: String,
    /// BLAKE3 over manifest and code, in hex.
    pub hash: String,
    /// Parameters as they were set: an object, or null.
    pub set: Value,
    /// What it asks for and was granted.
    pub capabilities: Vec<String>,
    /// Text of its manifest.
    pub manifest: String,
    /// Name of its code, as the manifest has it.
    pub file: String,
    /// Its code.
    pub code: Vec<u8>,
}

impl PolicyHost {
    /// The analyser in force under this name. `have`: who asks has that content, and needs no code. `None`: there is none of this name.
    ///
    /// # Errors
    /// [`LoadError::Disabled`]; [`LoadError::NotKept`] when its files are not as they were. Reads up to 32 MiB: not for an event loop.
    pub fn analyser(&self, name: &PolicyName, have: Option<&str>) -> Result<Option<ServedAnalyser>, LoadError> {
        let (version, state) = match self.plugins().get(name) {
            Some(plugin) if plugin.current.manifest.kind == Kind::Analyser => (plugin.current.clone(), plugin.state),
            _ => return Ok(None),
        };
        if state != PluginState::Enabled {
            return Err(LoadError::Disabled(name.to_string()));
        }
        let (manifest, code) = if have == Some(version.hash.as_str()) {
            (String::new(), Vec::new())
        } else {
            let package = self.package(|most| self.kept.read(&version.hash, &version.origin, most))?;
            (package.text, package.code.to_vec())
        };
        Ok(Some(ServedAnalyser {
            version: version.manifest.version.clone(),
            hash: version.hash.clone(),
            set: version.set.clone(),
            capabilities: version.manifest.capabilities.iter().map(ToString::to_string).collect(),
            manifest,
            file: version.manifest.file.clone(),
            code,
        }))
    }

    /// Reads a package. Analysers may ask for more than policies, and whether it is one is only known when its manifest has been read.
    pub(super) fn package(&self, read: impl Fn(&Limits) -> Result<Package, LoadError>) -> Result<Package, LoadError> {
        let refused = match read(&self.most) {
            Err(refused @ LoadError::Manifest(_)) => refused,
            other => return other,
        };
        match &self.analysers {
            None => Err(refused),
            Some(AnalyserHostConfig { most, .. }) => analyser_or(refused, read(most)),
        }
    }

    /// The same for what was sent.
    pub(super) fn sent(&self, upload: Upload) -> Result<Package, LoadError> {
        let Some(AnalyserHostConfig { most, .. }) = &self.analysers else { return Package::sent(upload, &self.most) };
        match Package::sent(upload.clone(), &self.most) {
            Err(refused @ LoadError::Manifest(_)) => analyser_or(refused, Package::sent(upload, most)),
            other => other,
        }
    }
}

/// The package, if it is an analyser; else what was said of it as a policy.
fn analyser_or(refused: LoadError, again: Result<Package, LoadError>) -> Result<Package, LoadError> {
    match again {
        Ok(package) if package.manifest.kind == Kind::Analyser => Ok(package),
        _ => Err(refused),
    }
}
