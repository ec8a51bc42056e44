//! Where programs are.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::DriverError;

/// The file of a program: `name` itself if it has a `/`, else the first of that name on `PATH`.
///
/// # Errors
/// It is not there, or may not be run; `remedy` is the end of the sentence.
pub(crate) fn find(name: &str, remedy: &str) -> Result<PathBuf, DriverError> {
    let runs = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| runs(path))
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| runs(path))
    };
    found.ok_or_else(|| {
        let place = if name.contains('/') { "is no program that may be run" } else { "is not on PATH" };
        DriverError(format!("program = {name:?} {place}; {remedy}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_or_missed_by_name() {
        assert!(find("sh", "install it").unwrap().ends_with("sh"));
        assert!(find("/bin/sh", "install it").is_ok());
        let missing = find("no-such-program", "install it").unwrap_err().to_string();
        assert_eq!(missing, "program = \"no-such-program\" is not on PATH; install it");
        assert!(find("/etc/passwd", "install it").unwrap_err().to_string().contains("may be run"));
    }
}
