//! `cargo xtask setup`: what building and testing need, what is here, what gets installed and why.

use std::path::Path;

use crate::compilers;
use crate::devices;
use crate::pythons::{self, Python};
use crate::rest;
use crate::shell::{self, Context, Failure, Result, Shell};
use crate::toolchain::{self, Toolchain, Way};

/// The test runner that CI uses. A fixed version, since newer ones may need a newer compiler.
const NEXTEST: &str = "0.9.143";
const OLDEST_RUST: (u32, u32) = (1, 95);

/// What the tests run with.
pub(crate) struct Tools {
    /// nextest is here; else the tests run under `cargo test`.
    pub(crate) nextest: bool,
    /// At least one Python 3.
    pub(crate) pythons: Vec<Python>,
    /// schemathesis is here; else REST is not tried against its description.
    pub(crate) schemathesis: bool,
}

/// Looks for everything, installs what is missing, and says so.
pub(crate) fn run(shell: &Shell) -> Result<Tools> {
    shell::step("set-up", || {
        check_rust(shell)?;
        check_cc(shell)?;
        get_wasm(shell)?;
        let nextest = get_nextest(shell);
        let pythons = get_pythons(shell)?;
        compilers::get_clang(shell)?;
        compilers::get_zig(shell, &pythons)?;
        get_tesseract(shell)?;
        devices::get(shell, &pythons)?;
        let schemathesis = rest::get(shell, &pythons)?;
        Ok(Tools { nextest, pythons, schemathesis })
    })
}

/// What building alone needs.
pub(crate) fn for_building(shell: &Shell) -> Result<()> {
    shell::step("set-up", || {
        check_rust(shell)?;
        check_cc(shell)?;
        get_wasm(shell)?;
        get_pythons(shell).map(drop)
    })
}

/// What the demo needs: its tests also read text on screens.
pub(crate) fn for_the_demo(shell: &Shell) -> Result<()> {
    for_building(shell)?;
    shell::step("set-up of the demo", || get_tesseract(shell))
}

/// Says what was found.
pub(crate) fn here(what: &str, detail: &str) {
    eprintln!("  {what:<12} {detail}");
}

fn check_rust(shell: &Shell) -> Result<()> {
    let said = shell::read(shell.program("rustc").arg("--version"))?;
    let version = said.split_whitespace().nth(1).context("`rustc --version` gave no version")?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST_RUST {
        return Err(Failure::new(format!("Rust {version} is too old; install 1.95 or newer")));
    }
    here("rust", version);
    Ok(())
}

/// SQLite and BLAKE3 bring C code.
fn check_cc(shell: &Shell) -> Result<()> {
    if toolchain::on_path("cc").is_none() {
        apt(shell, "gcc libc6-dev", "SQLite is compiled from its C source")?;
    }
    here("cc", "here");
    Ok(())
}

fn get_wasm(shell: &Shell) -> Result<()> {
    let picked = match Toolchain::pick(shell) {
        Ok(picked) => picked,
        Err(_) if Way::allowed()?.contains(&Way::Debian) => {
            apt(shell, toolchain::DEBIAN, "plugins and WASM tests are built for WebAssembly")?;
            Toolchain::pick(shell)?
        }
        Err(failure) => return Err(failure),
    };
    here("wasm", picked.text());
    Ok(())
}

/// Reads text on screens. Its tests are left out where it is not, with a line that says so.
fn get_tesseract(shell: &Shell) -> Result<()> {
    let english = || {
        toolchain::on_path("tesseract").is_some()
            && shell::read(shell.program("tesseract").arg("--list-langs"))
                .is_ok_and(|said| said.lines().any(|line| line.trim() == "eng"))
    };
    if !english() && is_debian_root(shell) && !toolchain::is_offline() {
        apt(shell, "tesseract-ocr tesseract-ocr-eng", "the analyser `ocr` reads text on screens with it")?;
    }
    here("tesseract", if english() { "here" } else { TESSERACT_MISSING });
    Ok(())
}

const TESSERACT_MISSING: &str = "missing, or without English: TESTS THAT READ TEXT ARE LEFT OUT; on Debian run `apt-get install \
     tesseract-ocr tesseract-ocr-eng` as root";

fn get_nextest(shell: &Shell) -> bool {
    let is_here = || shell::answers(&mut shell.cargo(["nextest", "--version"]));
    if !is_here() && !toolchain::is_offline() {
        eprintln!(
            "installing cargo-nextest {NEXTEST}, which takes some minutes: it runs each test in a process of its own and \
             stops those that hang"
        );
        let install = shell::run(&mut shell.cargo(["install", "cargo-nextest", "--locked", "--version", NEXTEST]));
        if let Err(failure) = install {
            eprintln!("{failure}\nthe tests will run under `cargo test` instead");
        }
    }
    let nextest = is_here();
    here("nextest", if nextest { "here" } else { "missing, not needed: `cargo test` does it" });
    nextest
}

fn get_pythons(shell: &Shell) -> Result<Vec<Python>> {
    let has_3 = |found: &[Python]| found.iter().any(|python| python.version.0 == 3);
    let mut found = pythons::find(shell);
    if !has_3(&found) {
        apt(shell, "python3", "Python scripts and their tests need an interpreter")?;
        found = pythons::find(shell);
    }
    if !has_3(&found) {
        return Err(Failure::new("no Python 3.6 or newer is here; install python3"));
    }
    for python in &found {
        here("python", &format!("{}.{} at {}", python.version.0, python.version.1, python.path.display()));
    }
    if !found.iter().any(|python| python.version.0 == 2) {
        here("python", "no 2.7: its tests are left out");
    }
    Ok(found)
}

/// A virtual environment, made anew.
pub(crate) fn venv(shell: &Shell, python: &Path, folder: &Path, why: &str) -> Result<()> {
    if !shell::answers(shell.program(python).args(["-c", "import ensurepip, venv"])) {
        // Debian keeps them apart from its interpreter.
        apt(shell, "python3-venv", why)?;
    }
    shell::run(shell.program(python).args(["-m", "venv", "--clear"]).arg(folder))
}

/// Packages can be installed here.
pub(crate) fn is_debian_root(shell: &Shell) -> bool {
    let root = shell::read(shell.program("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && Path::new("/etc/debian_version").exists() && toolchain::on_path("apt-get").is_some()
}

/// Debian packages, only as root on Debian; anybody else is told what is missing.
pub(crate) fn apt(shell: &Shell, packages: &str, why: &str) -> Result<()> {
    if !is_debian_root(shell) {
        return Err(Failure::new(format!(
            "{packages} is missing ({why}); on Debian run `apt-get install {packages}` as root, elsewhere install what \
             your system has in its place, and start this again"
        )));
    }
    eprintln!("installing {packages} with apt-get: {why}");
    // The lists that are here may do, so a server that cannot be reached is no reason to give up yet.
    if let Err(failure) = shell::run(shell.program("apt-get").args(["update", "-q"])) {
        eprintln!("{failure}; going on with the package lists that are here");
    }
    let mut install = shell.program("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-q", "-y", "--no-install-recommends"]);
    shell::run(install.args(packages.split(' '))).map_err(|failure| {
        Failure::new(format!("{failure}\n{packages} could not be installed ({why}); see above what apt-get says"))
    })
}
