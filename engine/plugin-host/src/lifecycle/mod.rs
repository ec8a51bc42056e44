//! Loading a plugin: a row of small steps, each with an error of its own. Nothing is switched before the last step has passed.
//!
//! ```text
//!  folder, bundle or file ─► read ─► manifest ─► world ─► capabilities ─► signature ─► parameters
//!                                    ─► compile ─► link ─► self-check ─► keep ─► switch
//! ```
//!
//! [`Step`] names them; [`LoadError::step`] tells which one failed.

mod analysers;
mod bundle;
mod grants;
mod inside;
mod kept;
mod loading;
mod package;
mod steps;
mod trials;
pub(crate) mod watch;

pub use analysers::ServedAnalyser;
pub use bundle::is_bundle;
pub use grants::{BadGrant, Grant, Grants};
pub(crate) use kept::Kept;
pub use loading::{Former, HeldVersion};
pub use package::{MAX_CODE, MAX_SIGNATURE, MAX_UPLOAD, Origin, Upload};
pub(crate) use package::{Package, label};
pub use steps::{Step, Tried};
pub use trials::OnTrial;
pub use watch::{FolderChange, FolderWatch, WatchError};

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::manifest::{Capability, Kind, ManifestError, ParameterError, WorldVersion};
use crate::trust::SignatureFault;
use crate::wasm::CompileError;

/// Contracts that a host offers, for people: `1.0.0 and older 1.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worlds(pub &'static [WorldVersion]);

impl fmt::Display for Worlds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, world) in self.0.iter().rev().enumerate() {
            let before = if place == 0 { "" } else { "; " };
            write!(f, "{before}{world} and older {}.x", world.0)?;
        }
        Ok(())
    }
}

/// Kinds that a host loads, for people: `coverage-policy and queue-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(pub &'static [Kind]);

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.0.iter().enumerate() {
            let before = if place == 0 {
                ""
            } else if place + 1 == self.0.len() {
                " and "
            } else {
                ", "
            };
            write!(f, "{before}{}", kind.as_str())?;
        }
        Ok(())
    }
}

/// Where a plugin of this kind belongs.
fn whereto(kind: Kind) -> &'static str {
    match kind {
        Kind::CoveragePolicy | Kind::QueuePolicy => "; `headend plugin install` gives it to the server",
        Kind::Analyser => {
            "; `headend plugin install` gives it to the server, and racks load it when a test asks for it"
        }
        Kind::Script => "; a test needs no manifest: `headend files upload` sends it to the server",
    }
}

fn listed(capabilities: &[Capability]) -> String {
    capabilities.iter().map(|asked| format!("`{asked}`")).collect::<Vec<_>>().join(", ")
}

fn commands(name: &str, capabilities: &[Capability]) -> String {
    let command = |asked: &Capability| format!("`headend plugin grant {name} {asked}`");
    capabilities.iter().map(command).collect::<Vec<_>>().join(" and ")
}

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
    #[error("plugin {plugin} is of kind {kind}; only {taken} {} loaded here{}", if taken.0.len() == 1 { "is" } else { "are" }, whereto(*kind))]
    Kind {
        /// Name and version.
        plugin: String,
        /// Its kind.
        kind: Kind,
        /// Those that are loaded.
        taken: Kinds,
    },
    /// Step 1, read: a bundle, or a single file, without what makes a plugin.
    #[error("{bundle} cannot be taken as a plugin: {what}")]
    Bundle {
        /// The file.
        bundle: String,
        /// What is wrong with it.
        what: String,
    },
    /// Step 1, read: the manifest vouches for other code.
    #[error("plugin {plugin}: {file} is not the code that the manifest's `sha256` names; its own is {found}")]
    OtherCode {
        /// Name and version.
        plugin: String,
        /// The code.
        file: String,
        /// Its SHA-256.
        found: String,
    },
    /// Step 3, world version.
    #[error("plugin {plugin} was written against contract {asked}; this server offers {offered}")]
    World {
        /// Name and version.
        plugin: String,
        /// What it wants.
        asked: WorldVersion,
        /// What there is.
        offered: Worlds,
    },
    /// Step 4, capabilities.
    #[error(
        "plugin {plugin} asks for {}, which nobody has granted to it; grant it with {} or start the server with --plugin-grant",
        listed(missing),
        commands(name, missing)
    )]
    Capability {
        /// Name and version.
        plugin: String,
        /// Name alone.
        name: String,
        /// What it asks for and does not get.
        missing: Vec<Capability>,
    },
    /// Step 5, signature.
    #[error("plugin {plugin} is not vouched for, and this server requires it")]
    Signature {
        /// Name and version.
        plugin: String,
        /// Why not.
        #[source]
        source: SignatureFault,
    },
    /// Step 6, parameters.
    #[error(
        "plugin {plugin} does not take the parameters that are set for it; set others with `headend plugin parameters {name}`"
    )]
    Parameters {
        /// Name and version.
        plugin: String,
        /// Name alone.
        name: String,
        /// Which, and why.
        #[source]
        source: ParameterError,
    },
    /// Step 7, compile.
    #[error("plugin {plugin} does not compile")]
    Compile {
        /// Name and version.
        plugin: String,
        /// Why not.
        #[source]
        source: CompileError,
    },
    /// Step 8, link: it wants something that a plugin of its kind does not get, or lacks what its kind must have.
    #[error("plugin {plugin} does not fit the world `{world}`: {what}")]
    Link {
        /// Name and version.
        plugin: String,
        /// The world.
        world: Kind,
        /// The import or export, by name.
        what: String,
    },
    /// Step 9, self-check: it was tried on a tiny plan and failed.
    #[error("plugin {plugin} failed its self-check: {what}")]
    SelfCheck {
        /// Name and version.
        plugin: String,
        /// What it did.
        what: String,
    },
    /// Step 11, switch: the name is in use.
    #[error("plugin {plugin}: the name is taken by the plugin from {taken}; remove that one first")]
    NameTaken {
        /// Name and version.
        plugin: String,
        /// Where the one came from that has it.
        taken: Origin,
    },
    /// Step 11, switch: a reload found another plugin in the folder.
    #[error("{from} now holds plugin {found}, not {wanted}; load it under its new name")]
    Renamed {
        /// Where it came from.
        from: Origin,
        /// What it held.
        wanted: String,
        /// What it holds.
        found: String,
    },
    /// A reload of something that is not loaded.
    #[error("no policy plugin {0:?} is loaded; `headend plugin list` shows those that are")]
    NotLoaded(String),
    /// Step 10, keep: the version cannot be kept for later.
    #[error("plugin {plugin} cannot be kept in {}", folder.display())]
    Keep {
        /// Name and version.
        plugin: String,
        /// Where.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An analyser that nobody is to run.
    #[error("analyser {0} is disabled; `headend plugin enable {0}` lets it in again")]
    Disabled(String),
    /// An analyser where a policy is wanted.
    #[error("plugin {plugin} is of kind {kind}; only policies can be tried beside others")]
    NoPolicy {
        /// Name and version.
        plugin: String,
        /// Its kind.
        kind: Kind,
    },
    /// The name is that of a policy, and of an analyser from now on, or the other way round: what counts on it would break.
    #[error(
        "plugin {plugin} is of kind {kind}, and the plugin of that name that is loaded is of kind {is}; remove that one first"
    )]
    OtherKind {
        /// Name and version.
        plugin: String,
        /// The kind of what was brought.
        kind: Kind,
        /// The kind of what is there.
        is: Kind,
    },
    /// A version that is to be gone back to is not kept, or not as it was.
    #[error("version {hash} is not kept")]
    NotKept {
        /// Its hash.
        hash: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no version to go back to.
    #[error("plugin {plugin} has no version {wanted}; kept are: {kept}")]
    NoSuchVersion {
        /// Its name.
        plugin: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        kept: String,
    },
}
