//! Which tool chain builds WebAssembly here: the one that runs this if it has the target, else Debian's `rust*-web` if it is
//! here, else rustup is asked to add the target. What is here goes before what has to be fetched.
//!
//! `HEADEND_GUEST_TOOLCHAIN=present|debian|rustup` allows one of these ways alone, to try out each.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Failure, Result, Shell};

/// All guests are built for this target; the host makes components of them when it loads them.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's packages that build for it.
pub(crate) const DEBIAN: &str = "rustc-web cargo-web rust-web-src lld";
/// Longest wait for rustup: where its server cannot be reached it tries for long.
const RUSTUP_SECONDS: &str = "60";
/// Names the only way to take.
const FORCE: &str = "HEADEND_GUEST_TOOLCHAIN";

/// How to come by a tool chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The one that runs this has the target.
    Present,
    /// Debian's packages.
    Debian,
    /// rustup adds the target.
    Rustup,
}

impl Way {
    /// Those that may be taken, in order.
    pub(crate) fn allowed() -> Result<Vec<Self>> {
        match std::env::var(FORCE) {
            Err(_) => Ok(vec![Self::Present, Self::Debian, Self::Rustup]),
            Ok(text) => Self::named(&text).map(|way| vec![way]),
        }
    }

    fn named(text: &str) -> Result<Self> {
        match text {
            "present" => Ok(Self::Present),
            "debian" => Ok(Self::Debian),
            "rustup" => Ok(Self::Rustup),
            _ => Err(Failure::new(format!("{FORCE} is {text:?}; it is `present`, `debian` or `rustup`"))),
        }
    }

    /// Goes this way as far as it goes without installing packages.
    fn take(self, shell: &Shell) -> Option<Toolchain> {
        match self {
            Self::Present => own_has_target(shell).then_some(Toolchain::Own),
            Self::Debian => debian_is_here().then_some(Toolchain::Debian),
            Self::Rustup => (add_by_rustup(shell) && own_has_target(shell)).then_some(Toolchain::Own),
        }
    }
}

/// A tool chain that can build guests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one that runs this, with its own standard library for the target.
    Own,
    /// Debian's `rustc-web`, which has the standard library as source only.
    Debian,
}

impl Toolchain {
    /// The first that works.
    pub(crate) fn pick(shell: &Shell) -> Result<Self> {
        let ways = Way::allowed()?;
        ways.iter().find_map(|way| way.take(shell)).ok_or_else(|| {
            let forced = if ways.len() == 1 { format!(" ({FORCE} allows one way only)") } else { String::new() };
            Failure::new(format!(
                "nothing here can build for {TARGET}{forced}; one of these helps:\n  \
                 rustup target add {TARGET}\n  \
                 apt-get install {DEBIAN}     (Debian, as root)"
            ))
        })
    }

    /// In words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Own => "target of the Rust tool chain",
            Self::Debian => "Debian's rustc-web",
        }
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
    if is_offline() {
        return false;
    }
    if on_path("rustup").is_none() || on_path("timeout").is_none() {
        return false;
    }
    eprintln!(
        "adding the target {TARGET} to the Rust tool chain, for {RUSTUP_SECONDS} s at most: plugins and WASM tests are built for it"
    );
    shell::run(shell.program("timeout").args([RUSTUP_SECONDS, "rustup", "target", "add", TARGET]))
        .inspect_err(|failure| eprintln!("{failure}; looking for another way"))
        .is_ok()
}

/// Cargo was told to stay away from the network, and so are we.
pub(crate) fn is_offline() -> bool {
    std::env::var_os("CARGO_NET_OFFLINE").is_some_and(|value| value != "false" && value != "0")
}

/// Where a program of that name is.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::Way;

    #[test]
    fn a_way_is_named_or_refused_with_the_names_there_are() {
        assert_eq!(Way::named("debian").unwrap(), Way::Debian);
        let said = Way::named("Debian").unwrap_err().to_string();
        assert!(said.contains("\"Debian\"") && said.contains("`present`"), "{said}");
    }
}
