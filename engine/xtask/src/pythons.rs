//! Which Python interpreters are here. Scripts need 2.7 or 3.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::shell::{self, Shell};

/// An interpreter that runs.
#[derive(Clone)]
pub(crate) struct Python {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Major and minor version.
    pub(crate) version: (u8, u8),
}

/// One interpreter for each version, oldest first: what PATH has, then what pyenv has.
pub(crate) fn find(shell: &Shell) -> Vec<Python> {
    let mut found = BTreeMap::new();
    for path in candidates() {
        if let Some(python) = ask(shell, &path) {
            found.entry(python.version).or_insert(python);
        }
    }
    found.into_values().collect()
}

fn candidates() -> Vec<PathBuf> {
    let minors = 6..=15;
    let names: Vec<String> = ["python3", "python2.7", "python2"]
        .map(str::to_owned)
        .into_iter()
        .chain(minors.map(|n| format!("python3.{n}")))
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let on_path = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    on_path.chain(pyenv()).filter(|file| file.is_file()).collect()
}

/// pyenv's own programs rather than its shims, which answer only for the selected version.
fn pyenv() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    let Some(Ok(versions)) = root.map(|root| std::fs::read_dir(root.join("versions"))) else { return Vec::new() };
    let mut found: Vec<_> = versions.flatten().map(|version| version.path().join("bin/python")).collect();
    found.sort();
    found
}

/// Starts it. Its own word for where it is counts, since the file found may be a shim that depends on the environment.
fn ask(shell: &Shell, path: &Path) -> Option<Python> {
    let print = "import sys; sys.stdout.write('%d %d %s' % (sys.version_info[0], sys.version_info[1], sys.executable))";
    let said = shell::read(shell.program(path).args(["-S", "-c", print])).ok()?;
    let mut words = said.trim().splitn(3, ' ');
    let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let path = words.next().filter(|own| !own.is_empty()).map_or_else(|| path.to_owned(), PathBuf::from);
    (version == (2, 7) || version >= (3, 6)).then_some(Python { path, version })
}
