//! Builds the `headend` binary.

use std::path::PathBuf;

use crate::shell::{self, Result, Shell};

/// How it is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly, for tests and the demo.
    Dev,
    /// Optimised, for measuring.
    Release,
}

/// Builds it and says where it is.
pub(crate) fn build(shell: &Shell, profile: Profile) -> Result<PathBuf> {
    let folder = if profile == Profile::Dev { "debug" } else { "release" };
    shell::step("build headend", || {
        let mut command = shell.cargo(["build", "--package", "headend-cli"]);
        if profile == Profile::Release {
            command.arg("--release");
        }
        shell::run(&mut command)?;
        Ok(shell.target().join(folder).join(format!("headend{}", std::env::consts::EXE_SUFFIX)))
    })
}
