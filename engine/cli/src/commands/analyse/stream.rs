//! Stored pictures as frames and references.

use std::path::{Path, PathBuf};

use headend_plugin_host::analyser::{Frame, Reference, stored};

use super::film;
use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// `NAME=FILE`.
pub(super) fn named(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), PathBuf::from(file))),
        _ => Err("write a name and a file: logo=logo.png".into()),
    }
}

/// Frames per second.
pub(super) fn fps(text: &str) -> std::result::Result<f64, String> {
    let fps: f64 = text.parse().map_err(|_| "write a number such as 25 or 29.97".to_owned())?;
    if (0.001..=1_000.0).contains(&fps) { Ok(fps) } else { Err("it must be from 0.001 to 1000".into()) }
}

/// Endings of what is taken from a folder; a file that is named is taken whatever its name.
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];

/// What is looked at, one picture after the other.
pub(super) struct Stream {
    pub(super) files: Vec<PathBuf>,
    /// Frames per second.
    pub(super) fps: f64,
    /// Where the frames of a film lie, as long as they are needed.
    unpacked: Option<tempfile::TempDir>,
}

impl Stream {
    /// What a frame is called: its file; of a film its place in it, since the files go.
    pub(super) fn name(&self, frame: u64) -> Option<String> {
        let file = usize::try_from(frame).ok().and_then(|frame| self.files.get(frame))?;
        let inside = self.unpacked.as_ref().and_then(|_| file.file_stem());
        Some(inside.map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned()))
    }
}

/// Of these files. A film has its own time; it is looked at alone.
pub(super) fn open(named: &[PathBuf], fps: f64) -> Result<Stream> {
    if !named.iter().any(|path| film::is_film(path)) {
        return Ok(Stream { files: files(named)?, fps, unpacked: None });
    }
    let [path] = named else {
        return Err(Failure::usage("a film is a stream of its own").help("name one film and nothing else"));
    };
    let folder = tempfile::Builder::new().prefix("headend-film-").tempdir();
    let folder = folder.map_err(|error| Failure::file("make a folder in", &std::env::temp_dir(), error))?;
    let (files, fps) = film::unpack(path, folder.path())?;
    Ok(Stream { files, fps, unpacked: Some(folder) })
}

/// Folders give way to the pictures in them, by name: `frame-2` comes after `frame-10` there, so numbers need zeros in front.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            files.append(&mut pictures(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let list = list.map_err(|error| Failure::file("read", folder, error))?;
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        PICTURES.iter().any(|known| ending.eq_ignore_ascii_case(known))
    };
    let mut found: Vec<PathBuf> = list.into_iter().map(|entry| entry.path()).filter(is_picture).collect();
    if found.is_empty() {
        let none = format!("there are no pictures in {}", folder.display());
        return Err(Failure::new(Exit::NotFound, "file", none).help("pictures end in .png, .jpg or .jpeg"));
    }
    found.sort();
    Ok(found)
}

/// One after the other: a long stream is not held in memory.
pub(super) fn frames(files: &[PathBuf], fps: f64) -> impl Iterator<Item = Result<Frame>> + '_ {
    files.iter().enumerate().map(move |(number, file)| {
        let at_us = (number as f64 * 1e6 / fps).round() as i64;
        Ok(Frame { number: number as u64, at_us, picture: read(file)?.picture })
    })
}

/// Decodes each.
pub(super) fn references(named: &[(String, PathBuf)]) -> Result<Vec<Reference>> {
    let reference = |(name, file): &(String, PathBuf)| {
        let stored::Stored { picture, mask } = read(file)?;
        Ok(Reference { name: name.clone(), picture, mask })
    };
    named.iter().map(reference).collect()
}

pub(super) fn read(file: &Path) -> Result<stored::Stored> {
    stored::read(file).map_err(|error| {
        let exit = match &error {
            stored::StoredError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
            stored::StoredError::Read { .. } => Exit::Io,
            stored::StoredError::Picture { .. } => Exit::Usage,
        };
        Failure::new(exit, "picture", format!("cannot take {}", file.display())).because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_rates_are_read() {
        assert_eq!(named("logo=a=b.png"), Ok(("logo".into(), "a=b.png".into())));
        assert!(["logo", "=x", "x=", ""].into_iter().all(|text| named(text).is_err()));
        assert_eq!(fps("29.97"), Ok(29.97));
        assert!(["0", "-1", "NaN", "inf", "x"].into_iter().all(|text| fps(text).is_err()));
    }
}
