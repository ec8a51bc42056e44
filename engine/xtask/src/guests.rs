//! `cargo xtask plugins`: builds what runs as WebAssembly, and lays it out in `target/guests` ready to load.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell::{self, Context, Result, Shell};
use crate::toolchain::{TARGET, Toolchain};
use crate::{freestanding, layout};

/// A package or an example in C or Zig that becomes a guest.
pub(crate) struct Guest {
    /// Where its manifest is.
    pub(crate) folder: PathBuf,
    /// The module that was built.
    pub(crate) module: PathBuf,
    /// The package's name.
    pub(crate) name: String,
}

/// Where the guests lie when all is done: `HEADEND_GUESTS`, as the tests know it, or `target/guests`.
pub(crate) fn folder(shell: &Shell) -> PathBuf {
    std::env::var_os("HEADEND_GUESTS").map_or_else(|| shell.path("target/guests"), |folder| shell.path(folder))
}

/// Builds and lays out all guests.
pub(crate) fn run(shell: &Shell) -> Result<PathBuf> {
    shell::step("guests: plugins and examples", || {
        let workspaces = workspaces(shell)?;
        let mut guests = Vec::new();
        if !workspaces.is_empty() {
            let toolchain = Toolchain::pick(shell)?;
            eprintln!("with the {}", toolchain.text());
            for manifest in &workspaces {
                guests.extend(build(shell, toolchain, manifest)?);
            }
        }
        guests.extend(freestanding::build(shell)?);
        let laid = layout::lay_out(shell, &guests)?;
        eprintln!("{laid} in {}", folder(shell).display());
        Ok(folder(shell))
    })
}

/// Manifests of the guest workspaces: `plugins`, and `examples` as one or one for each story.
pub(crate) fn workspaces(shell: &Shell) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for top in ["plugins", "examples"] {
        let manifest = shell.path(top).join("Cargo.toml");
        if manifest.exists() {
            found.push(manifest);
            continue;
        }
        let entries = std::fs::read_dir(shell.path(top)).context(format_args!("cannot list `{top}`"))?;
        let mut inner: Vec<_> = entries.flatten().map(|e| e.path().join("Cargo.toml")).filter(|m| m.exists()).collect();
        inner.sort();
        found.append(&mut inner);
    }
    Ok(found)
}

fn build(shell: &Shell, toolchain: Toolchain, manifest: &Path) -> Result<Vec<Guest>> {
    shell::run(&mut toolchain.build(shell, manifest))?;
    let mut command = shell.cargo(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let text = shell::read(command.arg(manifest))?;
    let metadata: Value = serde_json::from_str(&text).context("`cargo metadata` gave no JSON")?;
    let target = metadata["target_directory"].as_str().context("`cargo metadata` named no target folder")?;
    let built = Path::new(target).join(TARGET).join("release");
    let packages = metadata["packages"].as_array().context("`cargo metadata` named no packages")?;
    Ok(packages.iter().filter_map(|package| guest_of(package, &built)).collect())
}

/// The module that a package builds, if it builds one.
fn guest_of(package: &Value, built: &Path) -> Option<Guest> {
    let library = package["targets"].as_array()?.iter().find(|target| {
        target["crate_types"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "cdylib"))
    })?;
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
    let module = built.join(format!("{}.wasm", library["name"].as_str()?.replace('-', "_")));
    Some(Guest { folder, module, name: package["name"].as_str()?.to_owned() })
}
