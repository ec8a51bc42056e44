//! Versions that were loaded once are kept by content, so that one can go back to them when what they came from is gone.
//!
//! `FOLDER/HASH/` holds what was brought, in the form in which it came: a manifest with its code, or one file; and the signature.
//! What is read back is hashed again.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::LoadError;
use super::package::{Brought, Origin, Package, SIGNATURE_ENDING};
use crate::manifest::{Limits, MANIFEST_FILE};

/// The folder of kept versions. Private to this user: what lies in it is run.
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// In this folder; made when something is kept.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a package. Kept already: nothing to do.
    pub(crate) fn keep(&self, package: &Package) -> io::Result<()> {
        let place = self.folder.join(&package.hash);
        if place.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // A reader sees all of it or nothing: it is made beside its place.
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&self.folder)?;
        write(new.path(), package)?;
        match fs::rename(new.path(), &place) {
            // Somebody was quicker, with the same content.
            Err(_) if place.is_dir() => Ok(()),
            result => result,
        }
    }

    /// The version of this hash, as if it came from `origin`.
    pub(crate) fn read(&self, hash: &str, origin: &Origin, most: &Limits) -> Result<Package, LoadError> {
        let gone = |source| LoadError::NotKept { hash: hash.into(), source };
        // A hash is a name here: nothing else is looked for.
        if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(gone(io::Error::other("it is no hash")));
        }
        let folder = self.folder.join(hash);
        let path = if folder.join(MANIFEST_FILE).is_file() { folder } else { only_file(&folder).map_err(gone)? };
        let package = Package { origin: origin.clone(), ..Package::read(&path, most)? };
        if package.hash != hash {
            return Err(gone(io::Error::other("what is kept has another hash: it was changed on disk")));
        }
        Ok(package)
    }

    /// Drops a version that nobody goes back to any more.
    pub(crate) fn drop(&self, hash: &str) {
        let place = self.folder.join(hash);
        if let Err(error) = fs::remove_dir_all(&place)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(place = %place.display(), %error, "an old version of a plugin was not removed");
        }
    }
}

fn write(folder: &Path, package: &Package) -> io::Result<()> {
    match &package.brought {
        Brought::Parts { signature } => {
            fs::write(folder.join(MANIFEST_FILE), &package.text)?;
            fs::write(folder.join(&package.manifest.file), &package.code)?;
            sign(folder, MANIFEST_FILE, signature.as_deref())?;
        }
        Brought::File { name, bytes, signature } => {
            // The name decides how it is read, and may name the code; it was never more than a file name.
            let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
            fs::write(folder.join(&*name), bytes)?;
            sign(folder, &name, signature.as_deref())?;
        }
    }
    fs::File::open(folder)?.sync_all()
}

fn sign(folder: &Path, name: &str, signature: Option<&str>) -> io::Result<()> {
    signature.map_or(Ok(()), |text| fs::write(folder.join(format!("{name}{SIGNATURE_ENDING}")), text))
}

fn only_file(folder: &Path) -> io::Result<PathBuf> {
    let files = fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files = files.filter(|path| !path.to_string_lossy().ends_with(SIGNATURE_ENDING));
    files.next().ok_or_else(|| io::Error::other("there is nothing in it"))
}
