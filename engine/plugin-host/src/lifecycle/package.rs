//! Steps 1 to 4: a folder becomes a package that may be compiled.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::LoadError;
use crate::manifest::{Capability, Kind, Limits, MANIFEST_FILE, Manifest, WorldVersion};

/// Largest code file in bytes.
pub const MAX_CODE: u64 = 32 << 20;

/// Largest Rhai source in bytes: parsing takes time that grows with the square of the number of statements.
const MAX_RHAI: u64 = 64 << 10;

/// Largest manifest in bytes.
const MAX_MANIFEST: u64 = 64 << 10;

/// The contract this build offers to policies (`sdk/wit/v1/policy`).
pub(crate) const POLICY_WORLD: WorldVersion = WorldVersion(1, 0, 0);

/// A plugin as read: its bytes are in memory, so that what is hashed is what is compiled.
pub(crate) struct Package {
    pub(crate) manifest: Manifest,
    pub(crate) code: Vec<u8>,
    pub(crate) folder: PathBuf,
    /// BLAKE3 over manifest and code, in hex.
    pub(crate) hash: String,
}

impl Package {
    /// Reads the folder of a plugin, or the folder of the manifest that is named.
    pub(crate) fn read(path: &Path, most: &Limits) -> Result<Self, LoadError> {
        let folder = if path.ends_with(MANIFEST_FILE) { path.parent().unwrap_or(Path::new(".")) } else { path };
        let file = folder.join(MANIFEST_FILE);
        // One folder has one spelling from here on: a plugin's name belongs to its folder.
        let folder = folder.canonicalize().map_err(|source| LoadError::Read { path: file.clone(), source })?;
        let text = read_capped(&file, MAX_MANIFEST)?;
        let text = String::from_utf8(text).map_err(|error| LoadError::Read {
            path: file.clone(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })?;
        let manifest = Manifest::parse(&text, &file, most)?;
        let code = read_capped(&folder.join(&manifest.file), code_cap(&manifest))?;
        let hash = hash(&text, &code);
        Ok(Self { manifest, code, folder, hash })
    }

    /// Name and version, for messages.
    pub(crate) fn label(&self) -> String {
        label(&self.manifest)
    }

    /// Steps 3 and 4: the contract is offered, and what is asked for is granted.
    pub(crate) fn check_policy(&self, granted: &BTreeSet<Capability>) -> Result<(), LoadError> {
        let manifest = &self.manifest;
        if !matches!(manifest.kind, Kind::CoveragePolicy | Kind::QueuePolicy) {
            return Err(LoadError::Kind { plugin: self.label(), kind: manifest.kind });
        }
        if !POLICY_WORLD.serves(manifest.world) {
            return Err(LoadError::World { plugin: self.label(), asked: manifest.world, offered: POLICY_WORLD });
        }
        match manifest.capabilities.difference(granted).next() {
            Some(missing) => Err(LoadError::Capability { plugin: self.label(), capability: *missing }),
            None => Ok(()),
        }
    }
}

/// Name and version.
pub(crate) fn label(manifest: &Manifest) -> String {
    format!("{} {}", manifest.name, manifest.version)
}

fn code_cap(manifest: &Manifest) -> u64 {
    match manifest.language {
        crate::manifest::Language::Wasm => MAX_CODE,
        crate::manifest::Language::Rhai => MAX_RHAI,
    }
}

fn read_capped(path: &Path, most: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |source| LoadError::Read { path: path.into(), source };
    // Looked at before it is opened: a FIFO would hold the loader up, a device would never end.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(std::io::Error::other("it is not a plain file")));
    }
    let file = File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too large" from "just fits", whatever the file's length said.
    file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > most {
        return Err(LoadError::TooLarge { path: path.into(), most });
    }
    Ok(bytes)
}

fn hash(manifest: &str, code: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(manifest.len() as u64).to_le_bytes()).update(manifest.as_bytes()).update(code);
    hasher.finalize().to_hex().to_string()
}
