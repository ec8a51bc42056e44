//! From a file's bytes to a component: made from a core module where needed, compiled once, kept on disk.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use headend_wire::session::GuestLimits;
use wasmtime::Engine;
use wasmtime::component::Component;
use wit_component::ComponentEncoder;

use super::super::cache::ContentHash;
use super::limiter::{PARTS, TABLE_ELEMENTS};

/// The version is part of a kept file's name; wasmtime checks it, and its settings, once more.
const WASMTIME: &str = "48";
/// Compiled scripts kept on disk.
const KEPT_FILES: usize = 256;
/// CPU time that compiling may take, if the script's own limit is not larger.
const COMPILE_TIME: Duration = Duration::from_secs(30);

/// CPU time for a script that has to be compiled first.
pub(super) fn budget(limits: &GuestLimits) -> Duration {
    Duration::from_millis(limits.cpu_ms).max(COMPILE_TIME)
}

/// Why a file is no script.
#[derive(Debug, thiserror::Error)]
pub(super) enum CompileError {
    #[error("this is not WebAssembly; build the test for wasm32-unknown-unknown")]
    NotWasm,
    #[error("the core module cannot be made a component of the world `script`: {0:#}; build it with the SDK")]
    NotAComponent(wasmtime::Error),
    #[error("it does not compile: {0:#}")]
    Invalid(wasmtime::Error),
    /// Not an error of the code: it declares more than any script gets.
    #[error("table size: at most {TABLE_ELEMENTS} elements in each of {PARTS} tables are allowed: {0:#}")]
    TooLarge(wasmtime::Error),
}

impl CompileError {
    /// The runtime has no type for what does not fit. A change of its words makes the end less exact, not wrong.
    fn of(error: wasmtime::Error) -> Self {
        let too_large = format!("{error:#}").contains("does not fit in pooling allocator requirements");
        if too_large { Self::TooLarge(error) } else { Self::Invalid(error) }
    }
}

/// Compiles, and remembers on disk.
pub(super) struct Compiler {
    engine: Engine,
    folder: Option<PathBuf>,
}

impl Compiler {
    pub(super) fn new(engine: &Engine, cache: Option<&Path>) -> Self {
        // Without its folder the compiler is slower and nothing else.
        let folder = cache.and_then(|cache| {
            private_folder(cache)
                .inspect_err(|error| {
                    eprintln!("compiled scripts are not kept: folder `{}`: {error}", cache.display());
                })
                .ok()
        });
        Self { engine: engine.clone(), folder }
    }

    pub(super) fn component(&self, hash: &ContentHash, bytes: &[u8]) -> Result<Component, CompileError> {
        let kept = self.folder.as_ref().map(|folder| folder.join(format!("script-{hash}-{WASMTIME}.cwasm")));
        if let Some(component) = kept.as_deref().and_then(|kept| self.load(kept)) {
            return Ok(component);
        }
        let component = self.compile(bytes)?;
        if let Some(kept) = kept {
            // A full disk must not fail a test.
            let _ = keep(&kept, &component);
        }
        Ok(component)
    }

    fn load(&self, kept: &Path) -> Option<Component> {
        if !kept.exists() {
            return None;
        }
        // SAFETY: the folder is ours alone (checked when it was opened), and files come into it whole, by a rename, from `serialize`.
        // A file of another version or other settings is refused by its header.
        #[allow(unsafe_code, reason = "compiled code is executed as it lies on disk")]
        let component = unsafe { Component::deserialize_file(&self.engine, kept) };
        component.inspect_err(|_| drop(fs::remove_file(kept))).ok()
    }

    fn compile(&self, bytes: &[u8]) -> Result<Component, CompileError> {
        match bytes.get(..8) {
            Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => {
                Component::from_binary(&self.engine, bytes).map_err(CompileError::of)
            }
            Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
                let component = encode(bytes).map_err(CompileError::NotAComponent)?;
                Component::from_binary(&self.engine, &component).map_err(CompileError::of)
            }
            _ => Err(CompileError::NotWasm),
        }
    }
}

/// A core module with its WIT in a custom section, as a component.
fn encode(module: &[u8]) -> wasmtime::Result<Vec<u8>> {
    // The encoder reads the WIT that the module carries, and panics when that is cut short.
    let encoded = std::panic::catch_unwind(|| {
        let encoder = ComponentEncoder::default().validate(true).module(module);
        encoder.and_then(|mut encoder| encoder.encode()).map_err(wasmtime::Error::from_anyhow)
    });
    encoded.unwrap_or_else(|_panic| Err(wasmtime::Error::msg("the WIT that it carries is malformed")))
}

/// Opens the folder, or makes it. What lies in it is executed, so it must be ours and nobody else may write there.
fn private_folder(folder: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if !ours || found.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::other("it must be a folder of this user that nobody else may write to"));
    }
    Ok(folder.to_owned())
}

fn keep(file: &Path, component: &Component) -> io::Result<()> {
    let code = component.serialize().map_err(io::Error::other)?;
    let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
    make_room(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(&code)?;
    // A name must never stand for half a file, not even after a power cut.
    temporary.as_file().sync_data()?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Removes the oldest file when the folder is full.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        files.push((age, entry.path()));
    }
    if files.len() >= KEPT_FILES
        && let Some((_, oldest)) = files.iter().min()
    {
        fs::remove_file(oldest)?;
    }
    Ok(())
}
