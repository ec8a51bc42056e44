//! The files that runs leave, on disk: `runs/<run>/<path>` in the data folder.
//!
//! A file is written under another name, flushed, moved to its place, and the folders above it are flushed. Only then is it
//! acknowledged: the rack forgets its own copy after that. What an upload that was cut off leaves is removed at the next start.

use std::io;
use std::path::{Path, PathBuf};

use headend_model::TreePath;
use headend_wire::api::ArtifactItem;
use headend_wire::codes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::crash::crash_point;
use crate::http::{ApiError, ApiResult};

/// Where files are while they come in. No run has such a number.
const INCOMING: &str = "incoming";

/// The files of all runs.
pub(crate) struct RunFiles {
    root: PathBuf,
}

impl RunFiles {
    /// Opens the folder, which is there, and removes what uploads left behind that never came to their end.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        match std::fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir(&incoming)?;
        Ok(Self { root })
    }

    /// Where this file of a run is, if it is there.
    pub(crate) fn place(&self, run: u64, path: &TreePath) -> PathBuf {
        self.folder(run).join(path.as_str())
    }

    /// Where the files of a run are, if it has left any.
    pub(crate) fn folder(&self, run: u64) -> PathBuf {
        self.root.join(run.to_string())
    }

    /// Keeps a file of at most `room` bytes. A reader sees the old file or the new one, whole; what this gives the size
    /// of outlives a loss of power.
    ///
    /// # Errors
    /// `too_large`, `storage_full`, `conflict` for a file and a folder of one name. Nothing of the file is kept then.
    pub(crate) async fn keep(
        &self,
        run: u64,
        path: &TreePath,
        body: impl AsyncRead + Unpin,
        room: u64,
    ) -> ApiResult<u64> {
        let temporary = self.root.join(INCOMING).join(format!("{:016x}", rand::random::<u64>()));
        let kept = match write(&temporary, body, room).await {
            Ok(size) => self.settle(temporary.clone(), self.place(run, path)).await.map(|()| size),
            Err(error) => Err(error),
        };
        if kept.is_err() {
            // Whatever there is of it is of no use.
            let _ = tokio::fs::remove_file(&temporary).await;
        }
        kept
    }

    /// Name second, folders third: a name never stands for bytes that are not on the disk.
    async fn settle(&self, temporary: PathBuf, place: PathBuf) -> ApiResult<()> {
        let root = self.root.clone();
        let moved = tokio::task::spawn_blocking(move || {
            let folder = place.parent().unwrap_or(&root);
            std::fs::create_dir_all(folder)?;
            crash_point("artifact.before_rename");
            std::fs::rename(&temporary, &place)?;
            // All of them: who made a folder a moment ago may not have flushed the one above it yet.
            flush(folder, &root)
        });
        moved.await.map_err(io::Error::other).and_then(|moved| moved).map_err(|error| io_error(&error))?;
        crash_point("artifact.before_ack");
        Ok(())
    }

    /// Deletes files of a run, and the folders that are empty then. What is not there need not be deleted.
    ///
    /// # Errors
    /// When one that is there cannot be deleted; those before it are gone.
    pub(crate) async fn delete(&self, run: u64, paths: Vec<String>) -> io::Result<()> {
        let folder = self.folder(run);
        tokio::task::spawn_blocking(move || delete(&folder, &paths)).await.map_err(io::Error::other)?
    }

    /// What a run has left so far, by path.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) async fn list(&self, run: u64) -> ApiResult<Vec<ArtifactItem>> {
        let folder = self.folder(run);
        let listed = tokio::task::spawn_blocking(move || {
            let mut files = Vec::new();
            walk(&folder, "", &mut files).map(|()| files)
        });
        let listed = listed.await.map_err(io::Error::other).and_then(|files| files);
        let mut files = listed.map_err(|error| io_error(&error))?;
        files.sort();
        Ok(files)
    }
}

/// Flushes a folder and those above it, up to `root`.
fn flush(folder: &Path, root: &Path) -> io::Result<()> {
    for folder in folder.ancestors() {
        std::fs::File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

fn delete(folder: &Path, paths: &[String]) -> io::Result<()> {
    // As they were put there: a name that leads elsewhere is none of ours.
    for path in paths.iter().filter_map(|path| TreePath::parse(path).ok()) {
        let place = folder.join(path.as_str());
        match std::fs::remove_file(&place) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(error);
            }
            _ => {}
        }
        // Up to the run's own folder, as long as they are empty.
        let mut above = place.parent();
        while let Some(empty) = above.filter(|above| above.starts_with(folder)) {
            if std::fs::remove_dir(empty).is_err() {
                break;
            }
            above = empty.parent();
        }
    }
    Ok(())
}

async fn write(path: &Path, body: impl AsyncRead + Unpin, room: u64) -> ApiResult<u64> {
    let failed = |error| io_error(&error);
    let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut body = body.take(room.saturating_add(1));
    let size = tokio::io::copy(&mut body, &mut file).await.map_err(failed)?;
    if size > room {
        return Err(ApiError::new(&codes::TOO_LARGE, format!("the file is over {room} bytes, all that is left here")));
    }
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    Ok(size)
}

/// What went wrong with a file of a run, for the client.
pub(crate) fn io_error(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ApiError::new(&codes::STORAGE_FULL, "the disk of the server is full; nothing of this file was kept")
        }
        io::ErrorKind::TimedOut => ApiError::new(&codes::TOO_SLOW, error.to_string()),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
            ApiError::new(&codes::CONFLICT, "a file and a folder of one name; choose another name")
        }
        _ => ApiError::internal("a file of a run could not be read or written", error),
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<ArtifactItem>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() {
            files.push(ArtifactItem { path: format!("{prefix}{name}"), size: entry.metadata()?.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(root: &Path) -> usize {
        std::fs::read_dir(root.join(INCOMING)).unwrap().count()
    }

    #[tokio::test]
    async fn a_file_is_kept_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let files = RunFiles::open(root.path().to_owned()).unwrap();
        let path = TreePath::parse("pictures/1.png").unwrap();
        assert_eq!(files.keep(7, &path, &b"12345"[..], 5).await.unwrap(), 5);
        // Over its room: the old one stays, and nothing lies about.
        assert_eq!(files.keep(7, &path, &b"123456"[..], 5).await.unwrap_err().problem().code, "too_large");
        let below = TreePath::parse("pictures/1.png/x").unwrap();
        assert_eq!(files.keep(7, &below, &b"1"[..], 5).await.unwrap_err().problem().code, "conflict");
        assert_eq!(files.list(7).await.unwrap(), [ArtifactItem { path: path.to_string(), size: 5 }]);
        assert_eq!(incoming(root.path()), 0);
    }

    #[tokio::test]
    async fn deleted_files_take_empty_folders_along() {
        let root = tempfile::tempdir().unwrap();
        let files = RunFiles::open(root.path().to_owned()).unwrap();
        for path in ["a/b/1.png", "a/2.png", "3.png"] {
            files.keep(7, &TreePath::parse(path).unwrap(), &b"x"[..], 5).await.unwrap();
        }
        let gone = ["a/b/1.png", "not/there.png", "../../etc/passwd"].map(str::to_owned);
        files.delete(7, gone.to_vec()).await.unwrap();
        assert!(!files.folder(7).join("a/b").exists() && files.folder(7).join("a/2.png").exists());
        files.delete(7, vec!["a/2.png".to_owned(), "3.png".to_owned()]).await.unwrap();
        assert!(!files.folder(7).exists() && root.path().exists());
    }

    #[tokio::test]
    async fn what_a_cut_off_upload_left_is_gone_after_a_start() {
        let root = tempfile::tempdir().unwrap();
        let files = RunFiles::open(root.path().to_owned()).unwrap();
        let path = TreePath::parse("console.txt").unwrap();
        files.keep(1, &path, &b"all"[..], 10).await.unwrap();
        std::fs::write(root.path().join(INCOMING).join("0123456789abcdef"), "ha").unwrap();
        let files = RunFiles::open(root.path().to_owned()).unwrap();
        assert_eq!(incoming(root.path()), 0);
        assert_eq!(files.list(1).await.unwrap().len(), 1, "what was acknowledged stays");
    }
}
