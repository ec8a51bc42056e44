//! A plugin of this machine as one file to send.

use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Its file name.
const MANIFEST: &str = "headend-plugin.toml";
/// Ending of a signature, behind the name of what it signs.
const SIGNATURE: &str = ".minisig";

/// Of a folder that holds no plugin.
const NO_MANIFEST: &str = "a plugin is a folder with a headend-plugin.toml; `headend plugin new` begins one. A test needs none: `headend run` \
                           runs it here, `headend files upload` sends it to the server";
/// Of a folder whose manifest names what is not there.
const NO_CODE: &str =
    "build the plugin first, and put there what headend-plugin.toml names as `file`; its README.md says how";

/// What is sent.
pub(super) struct Packed {
    /// Name of the file.
    pub(super) file: String,
    pub(super) bytes: Vec<u8>,
    /// The signature that lies beside it.
    pub(super) signature: Option<String>,
}

/// A folder, or code with its manifest beside it, is packed; a bundle, or a file with its manifest inside, is sent as it is. What is in
/// the files is for the server to judge.
pub(super) fn pack(path: &Path) -> Result<Packed> {
    let meta = std::fs::metadata(path).map_err(|error| Failure::file("find", path, error))?;
    if meta.is_dir() {
        return pack_folder(path);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if name == MANIFEST || (is_code(&name) && code_of(folder).is_ok_and(|code| code == name)) {
        return pack_folder(folder);
    }
    Ok(Packed { bytes: read(path)?, signature: signature(path)?, file: name })
}

fn is_code(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "rhai" || ending == "wasm")
}

/// The code that the folder's manifest names.
fn code_of(folder: &Path) -> Result<String> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&path).map_err(|error| missing(&path, error, NO_MANIFEST))?;
    let bad = |what: &str| {
        let what = format!("{} {what}", path.display());
        Failure::new(Exit::Usage, "bad_plugin", what).help("name the code beside it: file = \"policy.rhai\"")
    };
    let manifest: toml::Table = toml::from_str(&text).map_err(|error| bad("is no TOML").because(error))?;
    let file = manifest.get("file").and_then(toml::Value::as_str).ok_or_else(|| bad("names no `file`"))?;
    // The manifest may be a stranger's: it is not to send what lies elsewhere.
    if Path::new(file).file_name() != Some(file.as_ref()) {
        return Err(bad("names a `file` that does not lie beside it"));
    }
    Ok(file.to_owned())
}

fn pack_folder(folder: &Path) -> Result<Packed> {
    let code = code_of(folder)?;
    let mut files = vec![MANIFEST.to_owned(), code.clone()];
    let signature = format!("{MANIFEST}{SIGNATURE}");
    if folder.join(&signature).exists() {
        files.push(signature);
    }
    let mut tar = tar::Builder::new(Vec::new());
    for name in files {
        let path = folder.join(&name);
        let bytes = std::fs::read(&path).map_err(|error| missing(&path, error, NO_CODE))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, &name, bytes.as_slice()).map_err(|error| Failure::file("pack", &path, error))?;
    }
    let bytes = tar.into_inner().map_err(|error| Failure::file("pack", folder, error))?;
    let stem = code.rsplit_once('.').map_or(code.as_str(), |(stem, _)| stem);
    Ok(Packed { file: format!("{stem}.tar"), bytes, signature: None })
}

/// With a remedy of its own if there is no such file.
fn missing(path: &Path, error: std::io::Error, remedy: &str) -> Failure {
    let is_missing = error.kind() == std::io::ErrorKind::NotFound;
    let failure = Failure::file("read", path, error);
    if is_missing { failure.help(remedy) } else { failure }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::file("read", path, error))
}

fn signature(path: &Path) -> Result<Option<String>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(SIGNATURE);
    let beside = PathBuf::from(beside);
    if !beside.exists() {
        return Ok(None);
    }
    std::fs::read_to_string(&beside).map(Some).map_err(|error| Failure::file("read", &beside, error))
}
