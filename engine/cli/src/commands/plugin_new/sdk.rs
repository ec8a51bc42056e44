//! Where the SDK for Rust is.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Where it lies in a clone.
const IN_CLONE: &str = "sdk/rust";

/// The folder of the SDK: the one that was named, or that of the clone that this program lies in, that one stands in, or that this
/// program was built from.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return usable(named).ok_or_else(|| {
            let what = format!("{} is not the SDK: it holds no Cargo.toml of `headend-sdk`", named.display());
            Failure::usage(what).help("name the folder sdk/rust of a clone of the repository")
        });
    }
    candidates().iter().find_map(|folder| usable(folder)).ok_or_else(|| {
        Failure::usage("the SDK for Rust is not here: this program is not in a clone of the repository")
            .help("clone the repository and name its folder: --sdk PATH/sdk/rust")
    })
}

fn candidates() -> Vec<PathBuf> {
    let exe = std::env::current_exe().and_then(|exe| exe.canonicalize()).ok();
    let here = std::env::current_dir().ok();
    // Where this was built; elsewhere nothing is there, or somebody else's clone, which does as well.
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
    let starts = exe.into_iter().chain(here).chain([built]);
    starts.flat_map(|start| start.ancestors().map(|folder| folder.join(IN_CLONE)).collect::<Vec<_>>()).collect()
}

fn usable(folder: &Path) -> Option<PathBuf> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = toml::from_str(&manifest).ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    (name == "headend-sdk").then(|| folder.canonicalize().ok()).flatten()
}
