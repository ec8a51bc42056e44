//! Hands what runs left behind over to the server, in the background, and keeps the newest folders here.
//!
//! A run's end never waits for its files. A folder that was handed over has a file `.delivered` in it; folders without
//! one are found again after a restart, so the queue in memory may overflow without loss.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use crate::core::{Shared, chain};
use crate::link::Client;
use crate::record::playable;

/// How often the folder is looked through for what the queue has missed.
const LOOK: Duration = Duration::from_mins(1);
/// Largest file handed over, in bytes.
const LARGEST: u64 = 64 << 20;
/// Most files of a run handed over.
const MOST_FILES: usize = 5_000;
/// Tries for one folder before it waits for the next look.
const TRIES: u32 = 3;
const DELIVERED: &str = ".delivered";

/// Serves the queue until stopped.
pub(crate) async fn hand_over(
    shared: Arc<Shared>,
    client: Client,
    mut queue: Receiver<PathBuf>,
    stop: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = queue.recv() => next,
            () = tokio::time::sleep(LOOK) => None,
        };
        let folders = match next {
            Some(folder) => vec![folder],
            None => look(&shared.folder.runs(), shared.options.logs.runs_kept).await,
        };
        for folder in folders {
            tokio::select! {
                () = stop.cancelled() => return,
                () = deliver_with_patience(&client, &folder) => {}
            }
        }
    }
}

async fn deliver_with_patience(client: &Client, folder: &Path) {
    for attempt in 1..=TRIES {
        match deliver(client, folder).await {
            Ok(()) => return,
            Err(problem) => {
                tracing::debug!(folder = %folder.display(), problem, attempt, "evidence was not handed over");
            }
        }
        tokio::time::sleep(Duration::from_millis(200) * attempt).await;
    }
}

async fn deliver(client: &Client, folder: &Path) -> Result<(), String> {
    let Some(run) = run_of(folder) else { return Ok(()) };
    playable::make(folder).await;
    let mut files = Vec::new();
    list(folder, folder, &mut files);
    for (path, name) in files {
        let bytes = tokio::fs::read(&path).await.map_err(|error| format!("{}: {error}", path.display()))?;
        client.put_run_file(run, &name, bytes).await.map_err(|error| chain(&error))?;
    }
    mark_delivered(folder).map_err(|error| error.to_string())
}

/// What a script has put there under our name is removed: through a link we would write somewhere else.
fn mark_delivered(folder: &Path) -> std::io::Result<()> {
    let mark = folder.join(DELIVERED);
    match fs::symlink_metadata(&mark) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&mark)?,
        Ok(_) => fs::remove_file(&mark)?,
        Err(_) => {}
    }
    fs::File::create_new(mark).map(drop)
}

/// The run of a folder `RUN-ATTEMPT`.
fn run_of(folder: &Path) -> Option<u64> {
    folder.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}

/// Plain files with their names below the run's folder; links are not followed, what is too large stays here.
fn list(root: &Path, folder: &Path, out: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_dir() {
            list(root, &path, out);
        } else if kind.is_file() && out.len() < MOST_FILES && entry.metadata().is_ok_and(|file| file.len() <= LARGEST) {
            let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
            out.extend(name.filter(|name| name != DELIVERED).map(|name| (path, name)));
        }
    }
}

/// Folders that still have to be handed over; on the way the oldest of those that were are removed.
async fn look(runs: &Path, keep: usize) -> Vec<PathBuf> {
    let runs = runs.to_owned();
    let looked = tokio::task::spawn_blocking(move || look_now(&runs, keep)).await;
    looked.unwrap_or_default()
}

fn look_now(runs: &Path, keep: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
    let (mut open, mut done) = (Vec::new(), Vec::new());
    for path in entries.flatten().map(|entry| entry.path()) {
        match fs::metadata(path.join(DELIVERED)).and_then(|file| file.modified()) {
            Ok(when) => done.push((when, path)),
            // A folder that was written to just now belongs to a run under way.
            Err(_) if quiet(&path) => open.push(path),
            Err(_) => {}
        }
    }
    done.sort();
    let surplus = done.len().saturating_sub(keep);
    for (_, path) in done.drain(..surplus) {
        let _ = fs::remove_dir_all(path);
    }
    open
}

fn quiet(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|folder| folder.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > LOOK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_their_run() {
        assert_eq!(run_of(Path::new("/x/runs/42-1")), Some(42));
        assert_eq!(run_of(Path::new("/x/runs/lost+found")), None);
    }

    #[test]
    fn the_oldest_delivered_go_and_links_stay_out() {
        let temp = tempfile::tempdir().unwrap();
        for run in 1..=3 {
            let folder = temp.path().join(format!("{run}-1"));
            fs::create_dir_all(folder.join("sub")).unwrap();
            fs::write(folder.join("sub/a.png"), "x").unwrap();
            std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
            fs::write(folder.join(DELIVERED), "").unwrap();
            let when = SystemTime::now() - Duration::from_secs(100 - run);
            fs::File::options().write(true).open(folder.join(DELIVERED)).unwrap().set_modified(when).unwrap();
        }
        assert!(look_now(temp.path(), 2).is_empty());
        assert!(!temp.path().join("1-1").exists() && temp.path().join("2-1").exists());
        let mut files = Vec::new();
        list(&temp.path().join("3-1"), &temp.path().join("3-1"), &mut files);
        assert_eq!(files.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["sub/a.png"]);
    }
}
