//! What a Python run may reach and how much it may write: its working copy, its temporary folder, its artifacts.

use std::fs;
use std::path::{Path, PathBuf};

use headend_wire::zygote::Sandbox;

use super::Inner;
use super::host::Place;
use crate::options::PythonOptions;
use crate::process::quota::Quota;
use crate::session::Session;

/// What the rack itself writes there, with bounds of its own.
const OURS: [&str; 4] = ["log.jsonl", "console.txt", "console.times", "serial.txt"];
/// Pictures kept of a run that wrote too much, in bytes.
const PICTURES: u64 = 64 << 20;

/// Where a run may write.
fn folders(place: Place<'_>, root: &Path, out: &str) -> Vec<PathBuf> {
    vec![root.to_owned(), place.private.to_owned(), PathBuf::from(out)]
}

/// The run's view of the files.
pub(super) fn sandbox(inner: &Inner, place: Place<'_>, out: &str) -> Option<Sandbox> {
    let root = place.root.filter(|_| inner.options.isolate)?;
    let text = |path: &PathBuf| path.display().to_string();
    let read = [&inner.sdk].into_iter().chain(&inner.options.readable).map(text).collect();
    let write = folders(place, root, out).iter().chain(&inner.options.writable).map(text).collect();
    Some(Sandbox { read, write, tmp: text(&place.private.join("tmp")) })
}

/// What it may write, from now on. A user's own script has no limit.
pub(super) fn quota(options: &PythonOptions, session: &Session, place: Place<'_>) -> Quota {
    match place.root {
        None => Quota::new(Vec::new(), 0, 0),
        Some(root) => Quota::new(folders(place, root, &session.info().out), options.disk_bytes, options.disk_files),
    }
}

/// What stays after the end are the artifacts: a run that wrote too much of them, perhaps at its very end, or was ended because it is
/// `full`, keeps the rack's own records and some pictures.
pub(super) fn cut_evidence(options: &PythonOptions, session: &Session, place: Place<'_>, full: bool) -> Option<String> {
    place.root?;
    let out = PathBuf::from(&session.info().out);
    // The folder is the run's alone: all that is in it counts.
    let excess = Quota::whole(out.clone(), options.disk_bytes, options.disk_files).excess();
    if !full && excess.is_none() {
        return None;
    }
    if let Err(error) = cut(&out) {
        tracing::warn!(%error, folder = %out.display(), "artifacts beyond the limit stay");
    }
    excess
}

fn cut(out: &Path) -> std::io::Result<()> {
    let mut left = PICTURES;
    for entry in fs::read_dir(out)? {
        let (path, file) = {
            let entry = entry?;
            (entry.path(), entry.metadata()?)
        };
        let name = path.file_name().unwrap_or_default();
        let picture = path.extension().is_some_and(|extension| extension == "png" || extension == "jpg");
        if file.is_file() && OURS.iter().any(|ours| name == *ours) {
            continue;
        }
        if file.is_file() && picture && file.len() <= left {
            left -= file.len().max(4 << 10);
        } else if file.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_some_pictures_stay() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        fs::create_dir_all(at("deep/er")).unwrap();
        for name in ["log.jsonl", "console.txt", "menu.png", "deep/er/file", "dump.bin"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::File::create(at("huge.png")).unwrap().set_len(PICTURES + 1).unwrap();
        std::os::unix::fs::symlink("/etc", at("link")).unwrap();
        cut(temp.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["console.txt", "log.jsonl", "menu.png"]);
        assert!(Path::new("/etc/passwd").exists());
    }
}
