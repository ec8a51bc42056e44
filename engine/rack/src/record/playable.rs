//! Films for browsers and players of all kinds: an MP4 beside each of ours, where ffmpeg is installed.
//!
//! It is a copy for people. What the device showed is in our own film, each picture coded once: that is what analysers look at again, and it is there
//! without ffmpeg, too. Copies are made when a run is over and its slots are free, before its files are handed over.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_drivers::tools::ffmpeg;
use serde_json::Value;

use super::page;

/// What one may take.
const MOST: Duration = Duration::from_mins(1);
/// What the end of a run waits that somebody sits in front of.
const LAST: Duration = Duration::from_secs(10);
/// What is read of a log, in bytes: more than a run may write.
const LONGEST_LOG: u64 = 256 << 20;
/// Films of a run that get one.
const MOST_FILMS: usize = 32;

/// Makes those that are missing in a run's folder, one after the other, and shows them on its page. What cannot be made is told in the rack's own
/// log: the film is as good without. May be called again after it was broken off.
pub async fn make(folder: &Path) {
    let films = films(folder.to_owned()).await;
    if films.is_empty() || !ffmpeg::can_make_mp4() {
        return;
    }
    for film in &films {
        if let Err(why) = copy(film).await {
            tracing::warn!(film = %film.display(), why, "there is no MP4 of a film");
        }
    }
    show(folder.to_owned(), films).await;
}

/// As [`make`], as far as it goes in the time that a person waits.
pub async fn make_for_a_person(folder: &Path) {
    if tokio::time::timeout(LAST, make(folder)).await.is_err() {
        tracing::info!(folder = %folder.display(), "MP4s of long films were not waited for; the films are there");
        show_those_there(folder).await;
    }
}

/// Shows films on a page that was written again.
pub async fn show_those_there(folder: &Path) {
    show(folder.to_owned(), films(folder.to_owned()).await).await;
}

async fn show(folder: PathBuf, films: Vec<PathBuf>) {
    // A page that could not be written has told so.
    let _ = tokio::task::spawn_blocking(move || page::show_films(&folder, &films)).await;
}

/// The film's copy.
pub(super) fn name(film: &str) -> Option<String> {
    film.strip_suffix(".avi").map(|stem| format!("{stem}.mp4"))
}

/// The run's films. There may be others in the folder, which are somebody's: the log tells.
async fn films(folder: PathBuf) -> Vec<PathBuf> {
    let read = move || {
        let log = page::read(&folder.join("log.jsonl"), LONGEST_LOG).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let named: BTreeSet<_> = log.lines().filter_map(film).map(|name| folder.join(name)).collect();
        let there = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|file| file.is_file());
        named.into_iter().filter(there).take(MOST_FILMS).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

/// The film of an event, by its plain name.
fn film(line: &str) -> Option<OsString> {
    // Few lines have one, and there may be many.
    let event: Value = line.contains(".avi").then(|| serde_json::from_str(line).ok())??;
    let path = match event["kind"].as_str()? {
        "video_stop" => event["path"].as_str()?,
        "filmstrip" => event["film"].as_str()?,
        _ => return None,
    };
    Path::new(path).file_name().filter(|name| Path::new(name).extension().is_some_and(|it| it == "avi")).map(Into::into)
}

async fn copy(film: &Path) -> Result<(), String> {
    let mp4 = film.with_extension("mp4");
    if fs::symlink_metadata(&mp4).is_ok() {
        return Ok(());
    }
    let told = |error: io::Error| error.to_string();
    // A script may write in that folder, too: links are not followed.
    let no_links = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let from = OpenOptions::new().read(true).custom_flags(no_links).open(film).map_err(told)?;
    let half = Half::beside(film).map_err(told)?;
    let to = OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(&half.0).map_err(told)?;
    ffmpeg::to_mp4(from, to, MOST).await.map_err(|error| error.to_string())?;
    // The name may have been taken meanwhile, by whom this must not overwrite.
    fs::hard_link(&half.0, &mp4).map_err(told)
}

/// A file that is not whole. It goes with whoever makes it.
struct Half(PathBuf);

impl Half {
    /// What was left of it when a process was killed is gone.
    fn beside(film: &Path) -> io::Result<Self> {
        let half = Self(film.with_extension("mp4.partial"));
        match fs::remove_file(&half.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(half),
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
