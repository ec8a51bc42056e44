//! Machine code by content: compiled once per module, engine and settings, kept in a folder that only we may touch.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::{CompileError, compile_in_child};
use super::{Counting, Engines};
use crate::guest::GuestProgram;

/// Compiles by child process, or takes what was compiled before.
pub(crate) struct Compiler {
    guest: GuestProgram,
    folder: PathBuf,
    engines: Engines,
}

impl Compiler {
    /// `folder` is made, private to this user, when it is not there.
    pub(crate) fn new(guest: GuestProgram, folder: PathBuf, engines: Engines) -> Result<Self, CompileError> {
        private_folder(&folder).map_err(|source| CompileError::Cache { path: folder.clone(), source })?;
        Ok(Self { guest, folder, engines })
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.engines
    }

    pub(crate) fn guest(&self) -> &GuestProgram {
        &self.guest
    }

    /// The module as a component that is ready to link.
    pub(crate) fn component(&self, code: &[u8], counting: Counting) -> Result<Component, CompileError> {
        let engine = self.engines.of(counting);
        let path = self.folder.join(key(code, counting, engine));
        if path.is_file() {
            match load(engine, &path) {
                Ok(component) => return Ok(component),
                // Damaged, or of another build after all: compiled afresh below.
                Err(error) => tracing::warn!(path = %path.display(), %error, "cached plugin code is of no use"),
            }
        }
        let machine_code = compile_in_child(&self.guest, code, counting)?;
        self.keep(&path, &machine_code).map_err(|source| CompileError::Cache { path: path.clone(), source })?;
        load(engine, &path).map_err(CompileError::Foreign)
    }

    /// A reader sees all of the file or none of it.
    fn keep(&self, path: &Path, machine_code: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(machine_code)?;
        file.persist(path)?;
        Ok(())
    }
}

/// Everything that decides on the machine code is in the name.
fn key(code: &[u8], counting: Counting, engine: &Engine) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let code = blake3::hash(code).to_hex();
    format!("{code}-{}-{:016x}-{}.cwasm", env!("CARGO_PKG_VERSION"), settings.finish(), counting.as_str())
}

#[allow(
    unsafe_code,
    reason = "machine code is loaded only from our private folder, where only our own compiler writes"
)]
fn load(engine: &Engine, path: &Path) -> Result<Component, String> {
    // SAFETY: the folder is ours alone (mode 0700, checked), and files in it were written by `keep` from our compiler's output.
    unsafe { Component::deserialize_file(engine, path) }.map_err(|error| format!("{error:#}"))
}

/// Makes the folder, and refuses one that others may write to: what lies in it is run as machine code.
fn private_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(folder)?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if !meta.is_dir() || !ours || meta.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it must be a folder of this user with mode 0700; remove it, it is made again",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cache_that_others_may_write_to_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        private_folder(&folder).unwrap();
        private_folder(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let error = private_folder(&folder).unwrap_err();
        assert!(error.to_string().contains("mode 0700"), "{error}");
    }
}
