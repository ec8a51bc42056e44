//! Films as the pictures in them: MJPEG in AVI, as runs leave it (`engine/rack`, `record/avi`). For others there is ffmpeg.

use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Largest film, in bytes.
const LARGEST: u64 = 256 << 20;
/// Most turns: hours of film.
const MOST_TURNS: usize = 1_000_000;

/// Whether a file is one, by its name.
pub(super) fn is_film(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("avi"))
}

/// Takes a film apart: its frames as files in `folder`, one that is shown for several turns named as often, and frames per second.
pub(super) fn unpack(path: &Path, folder: &Path) -> Result<(Vec<PathBuf>, f64)> {
    let meta = std::fs::metadata(path).map_err(|error| Failure::file("read", path, error))?;
    let no_film = |what: &str| {
        Failure::new(Exit::Usage, "film", format!("cannot take {}: {what}", path.display()))
            .help("films of runs are MJPEG in AVI; of others make pictures: ffmpeg -i FILM frame-%05d.png")
    };
    if meta.len() > LARGEST {
        return Err(no_film("it is larger than 256 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, error))?;
    let (turn_us, turns) = turns(&bytes).ok_or_else(|| no_film("it is no film that was understood"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut files: Vec<PathBuf> = Vec::new();
    for (number, picture) in turns.into_iter().enumerate() {
        let file = match files.last() {
            // An empty turn shows the picture before.
            Some(before) if picture.is_empty() => before.clone(),
            _ => {
                let file = folder.join(format!("{name}@{number:05}.jpg"));
                std::fs::write(&file, picture).map_err(|error| Failure::file("write", &file, error))?;
                file
            }
        };
        files.push(file);
    }
    Ok((files, 1e6 / f64::from(turn_us)))
}

/// Microseconds of a turn, and what each shows. Sizes of lists are not looked at: a film that was cut off has none.
fn turns(bytes: &[u8]) -> Option<(u32, Vec<&[u8]>)> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"AVI " {
        return None;
    }
    let (mut at, mut turn_us, mut turns) = (12, None, Vec::new());
    while let (Some(kind), Some(size)) = (bytes.get(at..at + 4), word(at + 4)) {
        if kind == b"LIST" {
            at += 12;
            continue;
        }
        let Some(content) = bytes.get(at + 8..at + 8 + size as usize) else { break };
        match kind {
            b"avih" => turn_us = word(at + 8).filter(|us| *us > 0),
            b"00dc" if turns.len() < MOST_TURNS => turns.push(content),
            _ => {}
        }
        at += 8 + content.len() + content.len() % 2;
    }
    Some((turn_us?, turns)).filter(|(_, turns)| !turns.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        [kind, &size, content, &[0][..content.len() % 2]].concat()
    }

    fn film(turns: &[&[u8]]) -> Vec<u8> {
        let head =
            [b"RIFF\0\0\0\0AVI LIST\0\0\0\0hdrl".as_slice(), &chunk(b"avih", &100_000_u32.to_le_bytes())].concat();
        let turns: Vec<u8> = turns.iter().flat_map(|turn| chunk(b"00dc", turn)).collect();
        [head.as_slice(), b"LIST\0\0\0\0movi", &turns, &chunk(b"idx1", &[7; 32])].concat()
    }

    #[test]
    fn a_film_is_its_turns_and_an_empty_one_shows_the_picture_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.avi");
        std::fs::write(&path, film(&[b"one", b"", b"three", b""])).unwrap();
        let (files, fps) = unpack(&path, folder.path()).unwrap();
        let shown: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        assert_eq!(shown, [b"one".as_slice(), b"one", b"three", b"three"]);
        assert!((fps - 10.0).abs() < 1e-9 && files[2].ends_with("a.avi@00002.jpg"));
        assert!(is_film(&path) && !is_film(folder.path()));
    }

    #[test]
    fn what_is_no_film_or_was_cut_off_is_told_or_read_as_far_as_it_goes() {
        let whole = film(&[b"one", b"two"]);
        assert_eq!(turns(&whole[..whole.len() - 44]).unwrap().1, [b"one"]);
        for cut in 0..whole.len() {
            let _ = turns(&whole[..cut]);
        }
        assert!(turns(b"RIFF\0\0\0\0WAVE").is_none() && turns(&film(&[])).is_none());
        let huge = [b"RIFF\0\0\0\0AVI ".as_slice(), b"avih\xff\xff\xff\xff1234"].concat();
        assert!(turns(&huge).is_none());
    }
}
