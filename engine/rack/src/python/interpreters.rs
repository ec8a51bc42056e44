//! Which Pythons a host has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use tokio::io::AsyncWriteExt;

use crate::options::PythonOptions;
use crate::process::{Nursery, Spec, Stdio3};

/// How long an interpreter may take to answer a small question.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Python that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program, absolute.
    pub path: PathBuf,
    /// `sys.version_info[:3]`.
    pub version: (u32, u32, u32),
}

impl Interpreter {
    /// Is this version `wanted`, which may leave out what does not matter (`3`, `2.7`)?
    pub fn is(&self, wanted: &[u32]) -> bool {
        let (major, minor, patch) = self.version;
        [major, minor, patch].starts_with(wanted)
    }
}

/// The preferred first: those given, then those of `PATH`, of `/usr/bin`, and pyenv's from the newest down; each
/// program once. pyenv's shims are left out: they are shell scripts that find the same programs slowly.
pub(super) async fn find(options: &PythonOptions, nursery: &Nursery) -> Vec<Interpreter> {
    let mut candidates = options.interpreters.clone();
    if options.search {
        candidates.extend(on_path());
        candidates.extend(of_pyenv());
    }
    let mut seen = BTreeSet::new();
    candidates.retain(|path| path.canonicalize().is_ok_and(|real| seen.insert(real)));
    let given = options.interpreters.len();
    let asked = join_all(candidates.iter().map(|path| version_of(nursery, path))).await;
    let mut found = Vec::new();
    for (index, (path, version)) in candidates.into_iter().zip(asked).enumerate() {
        match version {
            Some(version) => found.push(Interpreter { path, version }),
            None if index < given => tracing::warn!(path = %path.display(), "this Python does not work"),
            None => tracing::debug!(path = %path.display(), "not a working Python"),
        }
    }
    found
}

fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let is_shim = |folder: &Path| folder.file_name().is_some_and(|name| name == "shims");
    let folders = folders.filter(|folder| folder.is_absolute() && !is_shim(folder));
    let programs = |folder: PathBuf| ["python3", "python2.7", "python2"].map(|name| folder.join(name));
    folders.flat_map(programs).filter(|program| program.is_file()).collect()
}

fn of_pyenv() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let Some(Ok(entries)) = root.map(|root| std::fs::read_dir(root.join("versions"))) else { return Vec::new() };
    let mut programs: Vec<(Vec<u32>, PathBuf)> = entries
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name.split('.').map_while(|part| part.parse().ok()).collect(), entry.path().join("bin/python"))
        })
        .filter(|(_, program)| program.is_file())
        .collect();
    programs.sort();
    programs.into_iter().rev().map(|(_, program)| program).collect()
}

async fn version_of(nursery: &Nursery, path: &Path) -> Option<(u32, u32, u32)> {
    let text = ask(nursery, path, "import sys; print('%d %d %d' % sys.version_info[:3])", b"").await.ok()?;
    let mut numbers = text.split_whitespace().map_while(|part| part.parse().ok());
    Some((numbers.next()?, numbers.next()?, numbers.next()?))
}

/// Runs a line of our own Python with `input`; gives what it prints, or an error when it does not end well in time.
pub(super) async fn ask(nursery: &Nursery, path: &Path, line: &str, input: &[u8]) -> std::io::Result<String> {
    let mut env = BTreeMap::new();
    env.insert("LC_ALL".into(), "C.UTF-8".into());
    env.extend(std::env::var_os("LD_LIBRARY_PATH").map(|libraries| ("LD_LIBRARY_PATH".into(), libraries)));
    let args = ["-E", "-s", "-c", line].map(Into::into).to_vec();
    let mut child = nursery.spawn(Spec { program: path.to_owned(), args, env, stdio: Stdio3::Pipes }).await?;
    let stdin = child.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // One that does not read to the end says so by its exit status.
            let _ = stdin.write_all(input).await;
        }
    };
    // Dropped at the deadline, the child is killed.
    let all = async { tokio::join!(write, child.wait_with_output()).1 };
    let output = tokio::time::timeout(PATIENCE, all).await.map_err(std::io::Error::other)??;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
