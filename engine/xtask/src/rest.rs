//! What the REST API is tried with: schemathesis, in a folder of its own below the folder of build results.

use std::path::{Path, PathBuf};

use crate::pythons::Python;
use crate::setup;
use crate::shell::{self, Context, Result, Shell};
use crate::toolchain;

/// The oldest Python that schemathesis takes.
const OLDEST: (u8, u8) = (3, 11);
/// Tells the story `rest_fuzz` where `st` is.
pub(crate) const PROGRAM: &str = "HEADEND_SCHEMATHESIS";

/// Where `st` is, once it has been installed.
pub(crate) fn program(shell: &Shell) -> PathBuf {
    folder(shell).join("bin/st")
}

fn folder(shell: &Shell) -> PathBuf {
    shell.target().join("schemathesis")
}

/// Installs it, unless it is here as the lock file says. `false`: this machine cannot have it, and the reason was said.
pub(crate) fn get(shell: &Shell, pythons: &[Python]) -> Result<bool> {
    let wanted = std::fs::read_to_string(shell.path("tests/rest/requirements.txt")).context("tests/rest")?;
    let stamp = folder(shell).join("requirements.txt");
    if program(shell).is_file() && std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        setup::here("schemathesis", "here");
        return Ok(true);
    }
    if toolchain::is_offline() {
        setup::here(
            "schemathesis",
            "missing, and cargo is told to stay offline: REST IS NOT TRIED AGAINST ITS DESCRIPTION",
        );
        return Ok(false);
    }
    let Some(python) = pythons.iter().rev().find(|python| python.version >= OLDEST) else {
        setup::here("schemathesis", "needs Python 3.11 or newer: REST IS NOT TRIED AGAINST ITS DESCRIPTION");
        return Ok(false);
    };
    eprintln!(
        "installing schemathesis into {}: it makes requests from the description of the REST API and checks the answers",
        folder(shell).display()
    );
    install(shell, &python.path)?;
    std::fs::write(&stamp, wanted).context(stamp.display())?;
    setup::here("schemathesis", "installed");
    Ok(true)
}

/// Exactly what the lock file names, each checked by its hash, and nothing that it does not name.
fn install(shell: &Shell, python: &Path) -> Result<()> {
    setup::venv(shell, python, &folder(shell), "schemathesis goes into a virtual environment of its own")?;
    let mut pip = shell.program(folder(shell).join("bin/python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-deps"]);
    shell::run(pip.args(["--require-hashes", "--requirement", "tests/rest/requirements.txt"]))
}
