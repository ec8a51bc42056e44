//! Compilers for guests in C and Zig: where they are, and how they come here. Without them those examples are not built, and their tests are
//! left out with a line that says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::pythons::Python;
use crate::setup;
use crate::shell::{self, Context, Failure, Result, Shell};
use crate::toolchain;

/// Tells tests the environment of Python that has Zig in it.
pub(crate) const ZIG: &str = "HEADEND_ZIG";
/// Debian's packages.
const C_PACKAGES: &str = "clang lld";
/// Exact, with hashes.
const ZIG_LOCK: &str = "sdk/zig/requirements.txt";
/// The oldest Python whose pip knows the wheels of Zig.
const OLDEST: (u8, u8) = (3, 7);

/// clang, which can call wasm-ld.
pub(crate) fn clang(shell: &Shell) -> Option<Command> {
    let here = toolchain::on_path("clang")?;
    // Apple's clang, for one, has no WebAssembly in it, and neither has every clang a linker beside it.
    let knows = shell::read(shell.program(&here).arg("--print-targets")).ok()?.contains("wasm32");
    (knows && toolchain::on_path("wasm-ld").is_some()).then(|| shell.program(here))
}

/// Zig, as the lock file says.
pub(crate) fn zig(shell: &Shell) -> Option<Command> {
    if !zig_is_as_locked(shell) {
        return None;
    }
    let mut command = shell.program(folder_of_zig(shell).join("bin/python"));
    command.args(["-m", "ziglang"]).env("ZIG_GLOBAL_CACHE_DIR", folder_of_zig(shell).join("cache"));
    Some(command)
}

/// Installs clang where it is missing and can be had.
pub(crate) fn get_clang(shell: &Shell) -> Result<()> {
    if clang(shell).is_none() && setup::is_debian_root(shell) && !toolchain::is_offline() {
        setup::apt(shell, C_PACKAGES, "plugins and tests in C are built with them")?;
        clang(shell).context(format_args!("{C_PACKAGES} are installed, and still clang cannot build for wasm32"))?;
    }
    let said = if clang(shell).is_some() { "here" } else { C_MISSING };
    setup::here("clang", said);
    Ok(())
}

/// What to say where there is none.
pub(crate) const C_MISSING: &str = "missing, or without wasm-ld: PLUGINS AND TESTS IN C ARE LEFT OUT; on Debian run \
     `apt-get install clang lld` as root";
/// What to say where there is none.
pub(crate) const ZIG_MISSING: &str =
    "missing: PLUGINS IN ZIG ARE LEFT OUT; `cargo xtask setup` installs it from Python's package index";

/// Installs Zig where it is missing and can be had.
pub(crate) fn get_zig(shell: &Shell, pythons: &[Python]) -> Result<()> {
    let can = !toolchain::is_offline();
    if let Some(python) = pythons.iter().rev().find(|python| python.version >= OLDEST)
        && can
        && !zig_is_as_locked(shell)
    {
        let folder = folder_of_zig(shell);
        eprintln!(
            "installing Zig into {}, 100 MB to fetch and 430 MB there: plugins in Zig are built with it",
            folder.display()
        );
        match install_zig(shell, &python.path) {
            Ok(()) => {}
            // On Debian everything is to be had, so what is missing is a fault; there are no wheels for every other system.
            Err(failure) if Path::new("/etc/debian_version").exists() => return Err(failure),
            Err(failure) => eprintln!("{failure}"),
        }
    }
    setup::here("zig", if zig_is_as_locked(shell) { "here" } else { ZIG_MISSING });
    Ok(())
}

/// Where Zig is, once it has been installed.
pub(crate) fn zig_folder(shell: &Shell) -> Option<PathBuf> {
    zig_is_as_locked(shell).then(|| folder_of_zig(shell))
}

fn folder_of_zig(shell: &Shell) -> PathBuf {
    shell.target().join("zig")
}

fn stamp(shell: &Shell) -> PathBuf {
    folder_of_zig(shell).join("requirements.txt")
}

fn zig_is_as_locked(shell: &Shell) -> bool {
    let wanted = std::fs::read_to_string(shell.path(ZIG_LOCK)).ok();
    wanted.is_some() && std::fs::read_to_string(stamp(shell)).ok() == wanted
}

fn install_zig(shell: &Shell, python: &Path) -> Result<()> {
    setup::venv(
        shell,
        python,
        &folder_of_zig(shell),
        "Zig comes as a Python package and goes into an environment of its own",
    )?;
    let mut pip = shell.program(folder_of_zig(shell).join("bin/python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-deps"]);
    shell::run(pip.args(["--only-binary", ":all:", "--require-hashes", "--requirement", ZIG_LOCK]))?;
    let mut version = shell.program(folder_of_zig(shell).join("bin/python"));
    if !shell::answers(version.args(["-m", "ziglang", "version"])) {
        return Err(Failure::new("Zig was installed and does not start"));
    }
    std::fs::copy(shell.path(ZIG_LOCK), stamp(shell)).map(drop).context(stamp(shell).display())
}
