//! Where the package `stormtest` lies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The folder to put on the path: the one given, `HEADEND_PYTHON_SDK`, or the package from inside this binary, written
/// below `home` under a name that says what is in it.
pub(super) fn folder(given: Option<&Path>, home: &Path) -> io::Result<PathBuf> {
    if let Some(given) = given {
        return given.canonicalize();
    }
    match std::env::var_os("HEADEND_PYTHON_SDK") {
        Some(named) => PathBuf::from(named).canonicalize(),
        None => unpack(home),
    }
}

fn unpack(home: &Path) -> io::Result<PathBuf> {
    let mut hash = blake3::Hasher::new();
    for (name, text) in FILES {
        hash.update(name.as_bytes()).update(&[0]).update(text.as_bytes()).update(&[0]);
    }
    let folder = home.join(format!("sdk-{}", &hash.finalize().to_hex()[..16]));
    if folder.join(".whole").exists() {
        return Ok(folder);
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(path, text)?;
    }
    // Last, so that a crash in the middle leaves a folder that is written again.
    fs::write(folder.join(".whole"), "")?;
    Ok(folder)
}
