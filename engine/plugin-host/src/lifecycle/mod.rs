//! Loading a plugin: a row of small steps, each with an error of its own. Nothing is switched before the last step has passed.

mod package;
pub(crate) mod watch;

pub use package::MAX_CODE;
pub(crate) use package::{Package, label};
pub use watch::{FolderChange, FolderWatch, WatchError};

use std::io;
use std::path::PathBuf;

use crate::manifest::{Capability, Kind, ManifestError, WorldVersion};
use crate::wasm::CompileError;

/// Which step failed, on what, and what helps.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Step 1, read: no such folder, no manifest, no code, no right to read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Step 1, read: the file is too large for a plugin.
    #[error("{} is larger than {} KiB, the most it may be", path.display(), most >> 10)]
    TooLarge {
        /// The code or the manifest.
        path: PathBuf,
        /// The limit in bytes.
        most: u64,
    },
    /// Step 2, manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Step 2, manifest: a plugin of another kind.
    #[error("plugin {plugin} is of kind {kind}; only coverage-policy and queue-policy are loaded here")]
    Kind {
        /// Name and version.
        plugin: String,
        /// Its kind.
        kind: Kind,
    },
    /// Step 3, world version.
    #[error("plugin {plugin} was written against contract {asked}; this server offers {offered} and older {}.x", offered.0)]
    World {
        /// Name and version.
        plugin: String,
        /// What it wants.
        asked: WorldVersion,
        /// What there is.
        offered: WorldVersion,
    },
    /// Step 4, capabilities.
    #[error("plugin {plugin} asks for the capability `{capability}`, which this server does not grant to plugins")]
    Capability {
        /// Name and version.
        plugin: String,
        /// What it wants.
        capability: Capability,
    },
    /// Step 5, compile.
    #[error("plugin {plugin} does not compile")]
    Compile {
        /// Name and version.
        plugin: String,
        /// Why not.
        #[source]
        source: CompileError,
    },
    /// Step 6, link: it wants something that a plugin of its kind does not get, or lacks what its kind must have.
    #[error("plugin {plugin} does not fit the world `{world}`: {what}")]
    Link {
        /// Name and version.
        plugin: String,
        /// The world.
        world: Kind,
        /// The import or export, by name.
        what: String,
    },
    /// Step 7, self-check: it was tried on a tiny plan and failed.
    #[error("plugin {plugin} failed its self-check: {what}")]
    SelfCheck {
        /// Name and version.
        plugin: String,
        /// What it did.
        what: String,
    },
    /// Step 8, switch: the name is in use.
    #[error("plugin {plugin}: the name is taken by the plugin in {}; remove that one first", folder.display())]
    NameTaken {
        /// Name and version.
        plugin: String,
        /// Who has it.
        folder: PathBuf,
    },
    /// Step 8, switch: a reload found another plugin in the folder.
    #[error("{} now holds plugin {found}, not {wanted}; load it under its new name", folder.display())]
    Renamed {
        /// The folder.
        folder: PathBuf,
        /// What it held.
        wanted: String,
        /// What it holds.
        found: String,
    },
    /// A reload of something that is not loaded.
    #[error("no policy plugin {0:?} is loaded; `headend plugin list` shows those that are")]
    NotLoaded(String),
}
