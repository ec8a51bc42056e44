//! Bundles: a manifest, its code and perhaps a signature in one `.tar`, `.tar.gz` or `.zip`.
//!
//! The files lie at the top or in one folder; whatever else a bundle holds is passed over. Nothing is written to disk, no link is followed,
//! and more than a plugin may have is not unpacked.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Component, Path};

use super::LoadError;
use super::package::MAX_CODE;
use crate::manifest::MANIFEST_FILE;

/// Most bytes that are unpacked: the code, and some for manifest and reading matter.
const MAX_UNPACKED: u64 = MAX_CODE + (4 << 20);
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 256;

/// Files by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// How a bundle is packed, told by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tar,
    TarGz,
    Zip,
}

impl Form {
    fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ending: &str| name.ends_with(ending);
        match () {
            () if ends(".tar") => Some(Self::Tar),
            () if ends(".tar.gz") || ends(".tgz") => Some(Self::TarGz),
            () if ends(".zip") => Some(Self::Zip),
            () => None,
        }
    }
}

/// A file of this name is a bundle.
pub fn is_bundle(name: &str) -> bool {
    Form::of(name).is_some()
}

/// The files beside the manifest, it included.
pub(super) fn unpack(name: &str, bytes: &[u8]) -> Result<Files, LoadError> {
    let fail = |what: String| LoadError::Bundle { bundle: name.into(), what };
    let found = match Form::of(name) {
        Some(Form::Tar) => untar(bytes),
        Some(Form::TarGz) => untar(flate2::read::GzDecoder::new(bytes)),
        Some(Form::Zip) => unzip(bytes),
        None => Err(io::Error::other("it ends in none of .tar, .tar.gz, .tgz and .zip")),
    };
    let all = found.map_err(|error| fail(error.to_string()))?;
    let mut folders = all.keys().filter(|(_, file)| file == MANIFEST_FILE).map(|(folder, _)| folder.clone());
    let (Some(folder), None) = (folders.next(), folders.next()) else {
        return Err(fail(format!("it must hold one {MANIFEST_FILE}, at the top or in one folder")));
    };
    Ok(all.into_iter().filter(|((of, _), _)| *of == folder).map(|((_, file), bytes)| (file, bytes)).collect())
}

/// By folder (empty: the top) and name.
type Found = BTreeMap<(String, String), Vec<u8>>;

/// Gathers entries within the bounds.
struct Gather {
    found: Found,
    left: u64,
    entries: usize,
}

impl Gather {
    fn new() -> Self {
        Self { found: Found::new(), left: MAX_UNPACKED, entries: 0 }
    }

    /// Every entry counts, also one that is passed over.
    fn count(&mut self) -> io::Result<()> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(io::Error::other(format!("it has more than {MAX_ENTRIES} entries")));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, from: &mut dyn Read) -> io::Result<()> {
        let Some(place) = place_of(path)? else { return Ok(()) };
        let mut bytes = Vec::new();
        from.take(self.left + 1).read_to_end(&mut bytes)?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            io::Error::other(format!("it holds more than {} MiB, the most a plugin may have", MAX_UNPACKED >> 20))
        })?;
        match self.found.insert(place, bytes) {
            None => Ok(()),
            Some(_) => Err(io::Error::other(format!("it holds {} twice", shown(path)))),
        }
    }
}

/// Folder and name; `None`: lies too deep to be of interest.
fn place_of(path: &Path) -> io::Result<Option<(String, String)>> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            _ => return Err(io::Error::other(format!("{} leads out of it", shown(path)))),
        }
    }
    let file = parts.pop();
    Ok(match (parts.len(), file) {
        (0, Some(file)) => Some((String::new(), file)),
        (1, Some(file)) => Some((parts.remove(0), file)),
        _ => None,
    })
}

fn shown(path: &Path) -> String {
    path.display().to_string().chars().take(100).collect()
}

fn untar(from: impl Read) -> io::Result<Found> {
    let mut gather = Gather::new();
    // What a bundle of zeros could make us read is bounded too.
    let mut archive = tar::Archive::new(from.take(2 * MAX_UNPACKED));
    for entry in archive.entries()? {
        let mut entry = entry?;
        gather.count()?;
        let path = entry.path()?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_file() {
            gather.file(&path, &mut entry)?;
        } else if kind.is_symlink() || kind.is_hard_link() {
            return Err(io::Error::other(format!("{} is a link; pack the file itself", shown(&path))));
        }
    }
    Ok(gather.found)
}

fn unzip(bytes: &[u8]) -> io::Result<Found> {
    let mut gather = Gather::new();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(io::Error::other)?;
    for number in 0..archive.len() {
        gather.count()?;
        let mut entry = archive.by_index(number).map_err(io::Error::other)?;
        let path = Path::new(entry.name().map_err(io::Error::other)?.as_ref()).to_owned();
        if entry.is_symlink() {
            return Err(io::Error::other(format!("{} is a link; pack the file itself", shown(&path))));
        }
        if entry.is_file() {
            gather.file(&path, &mut entry)?;
        }
    }
    Ok(gather.found)
}
