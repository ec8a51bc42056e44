//! What the drivers of real devices are tried against: QEMU, lircd, socat, ffmpeg and adb from Debian, pdudaemon in a folder of its own below
//! the folder of build results. Where one is missing, its tests are left out with a line that says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::pythons::Python;
use crate::setup;
use crate::shell::{self, Context, Failure, Result, Shell};
use crate::toolchain;

/// Programs, and Debian's packages that have them.
const PROGRAMS: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("lircd", "lirc"),
    ("socat", "socat"),
    ("ffmpeg", "ffmpeg"),
    ("adb", "adb"),
];
/// Tells tests that all of them are here, so one that is not found is a fault.
const ALL_HERE: &str = "HEADEND_DEVICE_TOOLS";
/// Tells tests where pdudaemon is.
const PDUDAEMON: &str = "HEADEND_PDUDAEMON";
/// Exact, with hashes.
const LOCK: &str = "engine/drivers/tests/pdudaemon/requirements.txt";
/// The Pythons that it runs on.
const PYTHONS: std::ops::RangeInclusive<(u8, u8)> = (3, 11)..=(3, 13);

/// Installs what is missing and can be had.
pub(crate) fn get(shell: &Shell, pythons: &[Python]) -> Result<()> {
    if !missing().is_empty() && setup::is_debian_root(shell) && !toolchain::is_offline() {
        let packages: Vec<_> = missing().iter().map(|(_, package)| *package).collect();
        setup::apt(shell, &packages.join(" "), "the drivers of real devices are tried against them")?;
    }
    let left: Vec<_> = missing().iter().map(|(program, _)| *program).collect();
    let said = if left.is_empty() {
        "here: QEMU, lircd, socat, ffmpeg, adb".to_owned()
    } else {
        let packages: Vec<_> = missing().iter().map(|(_, package)| *package).collect();
        format!(
            "{} missing: THEIR DRIVERS ARE NOT TRIED; on Debian run `apt-get install {}` as root",
            left.join(", "),
            packages.join(" ")
        )
    };
    setup::here("devices", &said);
    get_pdudaemon(shell, pythons)
}

/// Tests find the tools by these.
pub(crate) fn tell(shell: &Shell, command: &mut Command) {
    let pdudaemon = is_as_locked(shell);
    if pdudaemon {
        command.env(PDUDAEMON, program(shell));
    }
    if pdudaemon && missing().is_empty() {
        command.env(ALL_HERE, "1");
    } else {
        eprintln!("NOT TRIED: drivers of devices whose tools are missing, see the set-up");
    }
}

fn missing() -> Vec<(&'static str, &'static str)> {
    // Daemons are where only root looks.
    let is_here = |name: &str| toolchain::on_path(name).is_some() || Path::new("/usr/sbin").join(name).is_file();
    PROGRAMS.into_iter().filter(|(program, _)| !is_here(program)).collect()
}

fn get_pdudaemon(shell: &Shell, pythons: &[Python]) -> Result<()> {
    if !is_as_locked(shell)
        && !toolchain::is_offline()
        && let Some(python) = pythons.iter().rev().find(|python| PYTHONS.contains(&python.version))
    {
        eprintln!("installing pdudaemon into {}: the driver for power is tried against it", folder(shell).display());
        match install(shell, &python.path) {
            Ok(()) => {}
            // On Debian everything is to be had, so what is missing is a fault; there are no wheels for every other system.
            Err(failure) if Path::new("/etc/debian_version").exists() => return Err(failure),
            Err(failure) => eprintln!("{failure}"),
        }
    }
    let missing = "missing: ITS DRIVER IS NOT TRIED; it needs Python 3.11 to 3.13 and its package index";
    setup::here("pdudaemon", if is_as_locked(shell) { "here" } else { missing });
    Ok(())
}

fn folder(shell: &Shell) -> PathBuf {
    shell.target().join("pdudaemon")
}

fn program(shell: &Shell) -> PathBuf {
    folder(shell).join("bin/pdudaemon")
}

fn stamp(shell: &Shell) -> PathBuf {
    folder(shell).join("requirements.txt")
}

fn is_as_locked(shell: &Shell) -> bool {
    let wanted = std::fs::read_to_string(shell.path(LOCK)).ok();
    wanted.is_some() && std::fs::read_to_string(stamp(shell)).ok() == wanted
}

/// Exactly what the lock file names, each checked by its hash, and nothing that would have to be compiled.
fn install(shell: &Shell, python: &Path) -> Result<()> {
    setup::venv(shell, python, &folder(shell), "pdudaemon goes into a virtual environment of its own")?;
    let mut pip = shell.program(folder(shell).join("bin/python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-deps"]);
    shell::run(pip.args(["--only-binary", ":all:", "--require-hashes", "--requirement", LOCK]))?;
    if !shell::answers(shell.program(program(shell)).arg("--help")) {
        return Err(Failure::new("pdudaemon was installed and does not start"));
    }
    std::fs::copy(shell.path(LOCK), stamp(shell)).map(drop).context(stamp(shell).display())
}
