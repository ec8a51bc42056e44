//! Lays guests out as a server and its users take them:
//!
//! ```text
//! target/guests/plugins/<name>/{headend-plugin.toml, *.wasm | *.rhai}      policies: what a server loads
//! target/guests/analysers/<name>/{headend-plugin.toml, *.wasm | *.rhai}
//! target/guests/examples/<story>/{*.rhai, *.py, *.wasm, ...}
//! ```
//!
//! Files that did not change are left alone, so that whoever watches the folder sees only what did.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::guests::{self, Guest};
use crate::shell::{Context, Failure, Result, Shell};

const MANIFEST: &str = "headend-plugin.toml";

/// What was done.
pub(crate) struct Laid {
    plugins: usize,
    written: usize,
    total: usize,
}

impl fmt::Display for Laid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} plugins; {} of {} files were new", self.plugins, self.written, self.total)
    }
}

/// Files to be there in the end, and what was done for it.
#[derive(Default)]
struct Plan {
    wanted: BTreeSet<PathBuf>,
    written: usize,
}

/// Copies what was built and what needs no building.
pub(crate) fn lay_out(shell: &Shell, guests: &[Guest]) -> Result<Laid> {
    let into = guests::folder(shell);
    let mut plan = Plan::default();
    let manifests = find_manifests(&shell.path("plugins"))?;
    for manifest in &manifests {
        lay_plugin(&mut plan, manifest, &into, guests)?;
    }
    let examples = shell.path("examples");
    lay_tree(&mut plan, &examples, &into.join("examples"))?;
    for guest in guests.iter().filter(|guest| guest.folder.starts_with(&examples)) {
        let folder = guest.folder.strip_prefix(&examples).context("an example outside of `examples`")?;
        // The extension says the rest.
        let name = guest.name.strip_prefix("wasm-").unwrap_or(&guest.name);
        plan.copy(&guest.module, &into.join("examples").join(folder).join(format!("{name}.wasm")))?;
    }
    remove_others(&into, &plan.wanted)?;
    Ok(Laid { plugins: manifests.len(), written: plan.written, total: plan.wanted.len() })
}

impl Plan {
    fn copy(&mut self, from: &Path, to: &Path) -> Result<()> {
        let bytes = fs::read(from).context(format_args!("cannot read {}", from.display()))?;
        self.wanted.insert(to.to_owned());
        if fs::read(to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let folder = to.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).context(format_args!("cannot make {}", folder.display()))?;
        // By rename, so that a server that loads this folder never sees half a file.
        let partial = folder.join(format!(".{}.partial", to.file_name().unwrap_or_default().to_string_lossy()));
        fs::write(&partial, bytes).context(format_args!("cannot write {}", partial.display()))?;
        fs::rename(&partial, to).context(format_args!("cannot write {}", to.display()))?;
        self.written += 1;
        Ok(())
    }
}

fn find_manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() && !skipped(&path) {
            found.append(&mut find_manifests(&path)?);
        } else if path.file_name().is_some_and(|name| name == MANIFEST) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The manifest says the plugin's name and its file; a module takes the file's name, whatever its package is called.
fn lay_plugin(plan: &mut Plan, manifest: &Path, into: &Path, guests: &[Guest]) -> Result<()> {
    let text = fs::read_to_string(manifest).context(format_args!("cannot read {}", manifest.display()))?;
    let table: toml::Table = text.parse().context(format_args!("cannot parse {}", manifest.display()))?;
    let folder = manifest.parent().context("a manifest without a folder")?;
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let name = text("name").context(format_args!("{} has no `name`", manifest.display()))?;
    let kind = if text("kind") == Some("analyser") { "analysers" } else { "plugins" };
    let into = into.join(kind).join(name);
    plan.copy(manifest, &into.join(MANIFEST))?;
    if let Some(guest) = guests.iter().find(|guest| guest.folder == folder) {
        let file = text("file").unwrap_or(&guest.name);
        let file = if has_extension(Path::new(file), "wasm") { file.to_owned() } else { format!("{file}.wasm") };
        return plan.copy(&guest.module, &into.join(file));
    }
    let scripts: Vec<_> = entries(folder)?.into_iter().filter(|path| has_extension(path, "rhai")).collect();
    if scripts.is_empty() {
        return Err(Failure::new(format!("{} has neither a package nor a .rhai file beside it", manifest.display())));
    }
    scripts.iter().try_for_each(|script| plan.copy(script, &into.join(script.file_name().unwrap_or_default())))
}

/// Everything but what only the build of a package needs.
fn lay_tree(plan: &mut Plan, from: &Path, into: &Path) -> Result<()> {
    for path in entries(from)? {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && !skipped(&path) {
            lay_tree(plan, &path, &into.join(name))?;
        } else if path.is_file()
            && !["Cargo.toml", "Cargo.lock", "README.md"].iter().any(|skip| name == *skip)
            && !["pyc", "c", "zig"].iter().any(|skip| has_extension(&path, skip))
        {
            plan.copy(&path, &into.join(name))?;
        }
    }
    Ok(())
}

/// What a former build laid and this one does not.
fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for path in entries(folder)? {
        if path.is_dir() {
            remove_others(&path, wanted)?;
            // Fails, as it should, when something is in it.
            fs::remove_dir(&path).ok();
        } else if !wanted.contains(&path) {
            fs::remove_file(&path).context(format_args!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn skipped(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name == "target"
        || name == "__pycache__"
        || name.starts_with('.')
        || (name == "src" && folder.with_file_name("Cargo.toml").exists())
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).context(format_args!("cannot list {}", folder.display()))?;
    let mut paths: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
