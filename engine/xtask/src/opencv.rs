//! What analysers are measured beside: `OpenCV` and stb-tester, in a folder of their own below the folder of build results.

use std::path::PathBuf;

use crate::pythons;
use crate::setup;
use crate::shell::{self, Context, Result, Shell};
use crate::toolchain;

/// The oldest Python that the lock file is for.
const OLDEST: (u8, u8) = (3, 11);
/// The lock file: exact versions, each with its hashes.
const LOCK: &str = "tests/bench/opencv/requirements.txt";
/// Tells the bench which Python has them.
pub(crate) const PYTHON: &str = "HEADEND_OPENCV";

/// A Python that has them: named in `HEADEND_OPENCV`, or made here. `None`: this machine cannot have one, and the reason was said.
pub(crate) fn python(shell: &Shell) -> Option<PathBuf> {
    if let Some(python) = std::env::var_os(PYTHON) {
        return Some(python.into());
    }
    get(shell).unwrap_or_else(|failure| {
        eprintln!("{failure}\nthe figures of the analysers stand alone");
        None
    })
}

/// Installs them, unless they are here as the lock file says.
fn get(shell: &Shell) -> Result<Option<PathBuf>> {
    let folder = shell.target().join("opencv");
    let python = folder.join("bin/python");
    let wanted = std::fs::read_to_string(shell.path(LOCK)).context(LOCK)?;
    let stamp = folder.join("requirements.txt");
    if python.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        setup::here("opencv", "here");
        return Ok(Some(python));
    }
    if toolchain::is_offline() {
        setup::here("opencv", "missing, and cargo is told to stay offline: the figures of the analysers stand alone");
        return Ok(None);
    }
    let pythons = pythons::find(shell);
    let Some(base) = pythons.iter().rev().find(|python| python.version >= OLDEST) else {
        setup::here("opencv", "needs Python 3.11 or newer: the figures of the analysers stand alone");
        return Ok(None);
    };
    eprintln!("installing OpenCV and stb-tester into {}: analysers are measured beside them", folder.display());
    setup::venv(shell, &base.path, &folder, "OpenCV goes into a virtual environment of its own")?;
    let mut pip = shell.program(&python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-deps"]);
    shell::run(pip.args(["--require-hashes", "--requirement", LOCK]))?;
    std::fs::write(&stamp, wanted).context(stamp.display())?;
    setup::here("opencv", "installed");
    Ok(Some(python))
}
