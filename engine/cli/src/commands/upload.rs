//! `headend files upload`: names and hashes first, then only the bytes that the server lacks, then one commit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use headend_model::TreePath;
use headend_wire::files::{CommitAnswer, CommitRequest, MissingAnswer, MissingRequest, PutItem};

use super::files::AreaArgs;
use super::{Context, send};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::count;

/// How often bytes are sent that the server says at the commit it does not have: it may have been restarted.
const TRIES: usize = 3;
/// Files that are asked about at once.
const ASKED: usize = 10_000;

/// A file to upload.
pub(crate) struct Local {
    pub(crate) disk: PathBuf,
    pub(crate) item: PutItem,
}

/// Uploads everything below the paths as one revision.
pub(crate) async fn run(context: &Context, paths: &[PathBuf], to: Option<&str>, area: AreaArgs) -> Result<()> {
    let (paths, prefix) = (paths.to_vec(), to.map(tree_path).transpose()?);
    let found = tokio::task::spawn_blocking(move || collect(&paths, prefix.as_ref())).await;
    let found = found
        .map_err(|error| Failure::new(Exit::Fault, "walk", "the walk through the files broke").because(error))??;
    if found.files.is_empty() {
        return Err(Failure::usage("there is nothing to upload").help("give a folder with files in it"));
    }
    if found.hidden > 0 {
        context.ui.say(&format!("left out {} hidden or compiled files and folders", found.hidden));
    }
    let put = found.files.values().map(|file| file.item.clone()).collect();
    let commit = CommitRequest { put, delete: Vec::new() };
    let (answer, sent) = send_and_commit(context, &found.files, &commit, area).await?;
    context.ui.show(&answer, |answer| format!("revision {}", answer.revision))?;
    let all = count(found.files.len() as u64, "file");
    context.ui.say(&format!("{all} in the {} area, {sent} of them sent", area.name()));
    Ok(())
}

/// The new revision, and how many files were sent for it.
async fn send_and_commit(
    context: &Context,
    files: &BTreeMap<TreePath, Local>,
    commit: &CommitRequest,
    area: AreaArgs,
) -> Result<(CommitAnswer, usize)> {
    let path = format!("/files/{}/commit", area.name());
    let mut tries = TRIES;
    loop {
        let missing = missing(context, files, area).await?;
        send::all(context, &missing).await?;
        tries -= 1;
        match context.client.post(&path, commit).await {
            Err(failure) if failure.name() == "missing_blobs" && tries > 0 => {}
            answer => return Ok((answer?, missing.len())),
        }
    }
}

fn tree_path(text: &str) -> Result<TreePath> {
    TreePath::parse(text).map_err(|error| Failure::new(Exit::Usage, "bad_path", error.to_string()))
}

/// What a walk finds.
#[derive(Default)]
struct Found {
    files: BTreeMap<TreePath, Local>,
    hidden: u64,
}

fn collect(paths: &[PathBuf], prefix: Option<&TreePath>) -> Result<Found> {
    let mut found = Found::default();
    let prefix = prefix.map(|path| path.as_str().to_owned()).unwrap_or_default();
    for path in paths {
        let meta = fs::symlink_metadata(path).map_err(|error| Failure::file("read", path, error))?;
        if meta.is_dir() {
            walk(&mut found, path, &prefix)?;
        } else {
            take(&mut found, path, &meta, &join(&prefix, &name_of(path)?))?;
        }
    }
    Ok(found)
}

fn walk(found: &mut Found, folder: &Path, prefix: &str) -> Result<()> {
    let failed = |error| Failure::file("read", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = name_of(&path)?;
        if name.starts_with('.') || name == "__pycache__" || path.extension().is_some_and(|ext| ext == "pyc") {
            found.hidden += 1;
            continue;
        }
        let meta = fs::symlink_metadata(&path).map_err(|error| Failure::file("read", &path, error))?;
        let inside = join(prefix, &name);
        if meta.is_dir() { walk(found, &path, &inside)? } else { take(found, &path, &meta, &inside)? }
    }
    Ok(())
}

/// Only plain files: a link could lead anywhere on this machine.
fn take(found: &mut Found, disk: &Path, meta: &fs::Metadata, inside: &str) -> Result<()> {
    if meta.is_symlink() {
        return Err(Failure::usage(format!("{} is a symbolic link, and links are not uploaded", disk.display()))
            .help("replace it by the file it leads to, or leave it out"));
    }
    if !meta.is_file() {
        return Err(Failure::usage(format!("{} is neither a file nor a folder", disk.display())).help("leave it out"));
    }
    let path = tree_path(inside)?;
    let mut hasher = blake3::Hasher::new();
    let read = fs::File::open(disk).and_then(|file| hasher.update_reader(file).map(|hasher| hasher.count()));
    let size = read.map_err(|error| Failure::file("read", disk, error))?;
    let edited =
        meta.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok()).map(|time| time.to_string());
    let item = PutItem { path: path.to_string(), hash: hasher.finalize().to_hex().to_string(), size, edited };
    if let Some(twin) = found.files.insert(path, Local { disk: disk.to_owned(), item }) {
        return Err(Failure::usage(format!(
            "{} and {} would be the same file {inside}",
            twin.disk.display(),
            disk.display()
        ))
        .help("upload them one after the other, or to different folders"));
    }
    Ok(())
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!("{} has a name that is not UTF-8", path.display())).help("rename it, or leave it out")
    })
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

/// One file for each hash that the server lacks.
async fn missing<'a>(
    context: &Context,
    files: &'a BTreeMap<TreePath, Local>,
    area: AreaArgs,
) -> Result<Vec<&'a Local>> {
    let mut by_hash: BTreeMap<&str, &Local> = files.values().map(|file| (file.item.hash.as_str(), file)).collect();
    let all: Vec<&PutItem> = files.values().map(|file| &file.item).collect();
    let mut missing = Vec::new();
    // With names and sizes, so that what the area has no room for is refused before it is sent.
    for part in all.chunks(ASKED) {
        let request = MissingRequest {
            hashes: part.iter().map(|item| item.hash.clone()).collect(),
            paths: part.iter().map(|item| item.path.clone()).collect(),
            sizes: part.iter().map(|item| item.size).collect(),
        };
        let answer: MissingAnswer = context.client.post(&format!("/files/{}/missing", area.name()), &request).await?;
        missing.extend(answer.missing.iter().filter_map(|hash| by_hash.remove(hash.as_str())));
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_walked_and_links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("zap/__pycache__")).unwrap();
        fs::write(folder.path().join("zap/zap.rhai"), "x").unwrap();
        fs::write(folder.path().join("zap/__pycache__/a.pyc"), "x").unwrap();
        fs::write(folder.path().join(".hidden"), "x").unwrap();
        let paths = [folder.path().to_owned()];
        let found = collect(&paths, Some(&TreePath::parse("lab").unwrap())).unwrap();
        let items: Vec<_> = found.files.values().map(|file| (file.item.path.as_str(), file.item.size)).collect();
        assert_eq!((items, found.hidden), (vec![("lab/zap/zap.rhai", 1)], 2));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", folder.path().join("zap/link")).unwrap();
            assert!(collect(&paths, None).err().unwrap().to_string().contains("symbolic link"));
        }
    }
}
