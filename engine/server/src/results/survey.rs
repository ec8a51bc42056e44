//! What lies in a run's folder: its files with their hashes, and what its events tell.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use headend_wire::api::ArtifactItem;

use super::parse::{LONGEST_LINE, Parsed, Parser};

/// Where the rack writes what a run does.
pub(super) const EVENTS: &str = "log.jsonl";

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Path below the run's folder.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
    /// BLAKE3, 64 hex digits.
    pub(super) hash: String,
}

/// What a run has left.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Survey {
    /// Its files.
    pub(super) files: Vec<Found>,
    /// What its events tell; `None`: there are none.
    pub(super) events: Option<Parsed>,
}

/// Reads all of it. `listed`: the files that are there. One that goes meanwhile is left out.
///
/// # Errors
/// When what is there cannot be read.
pub(super) fn survey(folder: &Path, listed: Vec<ArtifactItem>) -> io::Result<Survey> {
    let mut found = Survey::default();
    for file in listed {
        let place = folder.join(&file.path);
        let hash = match hash(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            hash => hash?,
        };
        if file.path == EVENTS {
            found.events = Some(events(&place)?);
        }
        found.files.push(Found { path: file.path, size: file.size, hash });
    }
    Ok(found)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn events(path: &Path) -> io::Result<Parsed> {
    let mut parser = Parser::default();
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line)? {
        parser.line(&line);
    }
    Ok(parser.finish())
}

/// The next line; of one that is too long the rest is passed over. `false`: the end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = reader.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', line)?;
    if read == LONGEST_LINE && !line.ends_with(b"\n") {
        line.clear();
        reader.skip_until(b'\n')?;
    }
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_events_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("{{\"kind\":\"step\",\"name\":\"{}\"}}", "x".repeat(LONGEST_LINE));
        let text = format!("{long}\n{}\n{}", r#"{"kind":"step","name":"a"}"#, r#"{"kind":"measure","name":"cut o"#);
        std::fs::write(folder.path().join(EVENTS), &text).unwrap();
        let item = |path: &str| ArtifactItem { path: path.to_owned(), size: text.len() as u64 };
        let found = survey(folder.path(), vec![item(EVENTS), item("gone.png")]).unwrap();
        assert_eq!(found.files.len(), 1);
        assert_eq!(found.files[0].hash, blake3::hash(text.as_bytes()).to_hex().to_string());
        let numbers = found.events.unwrap().numbers;
        assert_eq!(numbers.steps.iter().map(|step| &*step.name).collect::<Vec<_>>(), ["a"]);
        assert_eq!(numbers.measurements, []);
        assert_eq!(survey(folder.path(), Vec::new()).unwrap().events, None);
    }
}
