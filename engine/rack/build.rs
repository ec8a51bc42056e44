//! Puts the files of the Python package `stormtest` into the binary, so that a rack needs nothing beside itself.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let sdk = manifest.join("../../sdk/python");
    println!("cargo::rerun-if-changed={}", sdk.join("stormtest").display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    collect(&sdk.join("stormtest"), &mut files)?;
    files.sort();
    let mut code =
        String::from("/// (path below the package's folder, text)\npub(super) const FILES: &[(&str, &str)] = &[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&sdk).unwrap_or(&file).display().to_string();
        let absolute = file.canonicalize()?.display().to_string();
        let _ = writeln!(code, "    ({name:?}, include_str!({absolute:?})),");
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("sdk.rs"), code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "__pycache__") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}
