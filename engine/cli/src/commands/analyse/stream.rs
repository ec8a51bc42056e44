//! Stored pictures as frames and references.

use std::path::{Path, PathBuf};

use headend_plugin_host::analyser::{Frame, Reference, stored};

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
