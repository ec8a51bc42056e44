//! Which tool chain builds WebAssembly here: rustup's target if it is there or can be had, else Debian's `rust*-web`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Failure, Result, Shell};

/// All guests are built for this target; the host makes components of them when it loads them.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A tool chain that can build guests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that runs this, with its own standard library for the target.
    Own,
    /// Debian's `rustc-web`, which has the standard library as source only.
    Debian,
}

impl Toolchain {
    /// The first that works, in this order: there already, added by rustup, Debian's.
    pub(crate) fn pick(shell: &Shell) -> Result<Self> {
        if own_has_target(shell) {
            return Ok(Self::Own);
        }
        if add_by_rustup(shell) && own_has_target(shell) {
            return Ok(Self::Own);
        }
        if debian_is_here() {
            return Ok(Self::Debian);
        }
        Err(Failure::new(format!(
            "nothing here can build for {TARGET}; one of these helps:\n  \
             rustup target add {TARGET}\n  \
             apt-get install rustc-web cargo-web rust-web-src lld     (Debian, as root)"
        )))
    }

    /// A cargo command line that builds the workspace of `manifest`.
    pub(crate) fn build(self, shell: &Shell, manifest: &Path) -> Command {
        let mut command = match self {
            Self::Own => shell.cargo(["build"]),
            Self::Debian => debian(shell),
        };
        command.args(["--release", "--target", TARGET, "--manifest-path"]).arg(manifest);
        command
    }
}

/// By absolute paths, since rustup's shims shadow both programs.
fn debian(shell: &Shell) -> Command {
    let mut command = shell.program("/usr/bin/cargo");
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", "/usr/bin/rustc")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
        .env_remove("RUSTUP_TOOLCHAIN")
        .args(["build", "-Zbuild-std=std,panic_abort"]);
    command
}

/// Debian's parts are all there.
pub(crate) fn debian_is_here() -> bool {
    let source = Path::new("/usr/lib/rust-web/lib/rustlib/src/rust/library").exists()
        || Path::new("/usr/lib/rustlib/src/rust/library").exists()
        || std::fs::read_dir("/usr/src").is_ok_and(|mut dir| {
            dir.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("rustc-")))
        });
    source
        && Path::new("/usr/bin/cargo").exists()
        && Path::new("/usr/bin/rustc").exists()
        && on_path("wasm-ld").is_some()
}

/// The compiler has a core library for the target (rustc brings its own linker for it).
pub(crate) fn own_has_target(shell: &Shell) -> bool {
    let Ok(folder) = shell::read(shell.program("rustc").args(["--print", "target-libdir", "--target", TARGET])) else {
        return false;
    };
    std::fs::read_dir(folder.trim()).is_ok_and(|mut dir| {
        dir.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
    })
}

fn add_by_rustup(shell: &Shell) -> bool {
    if std::env::var_os("CARGO_NET_OFFLINE").is_some_and(|value| value != "false" && value != "0") {
        return false;
    }
    if on_path("rustup").is_none() || on_path("timeout").is_none() {
        return false;
    }
    eprintln!("adding the target {TARGET} to the Rust tool chain: plugins and WASM tests are built for it");
    shell::run(shell.program("timeout").args(["60", "rustup", "target", "add", TARGET]))
        .inspect_err(|failure| eprintln!("{failure}; looking for another way"))
        .is_ok()
}

/// Where a program of that name is.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
