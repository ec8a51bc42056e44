//! Working copies: byte-exact, private to their run, cheap to have again.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use headend_files::{Access, BlobHash, BlobStream, Fetch, FileEntry, FilesError, SnapshotId, Tree, WorkingCopies};
use headend_model::TreePath;

/// The server's blobs.
#[derive(Default)]
struct Server {
    blobs: Mutex<BTreeMap<BlobHash, Vec<u8>>>,
    fetched: AtomicUsize,
}

impl Server {
    fn blob(&self, bytes: &[u8]) -> BlobHash {
        let hash = BlobHash::of(bytes);
        self.blobs.lock().unwrap().insert(hash, bytes.to_vec());
        hash
    }

    fn tree(&self, files: &[(&str, &str)]) -> BlobHash {
        let entry = |text: &str| FileEntry { hash: self.blob(text.as_bytes()), size: text.len() as u64 };
        let files = files.iter().map(|(path, text)| (TreePath::parse(path).unwrap(), entry(text))).collect();
        self.blob(&Tree::from_files(files).unwrap().to_bytes())
    }
}

/// What a rack holds on to.
struct ToServer(Arc<Server>);

impl Fetch for ToServer {
    fn fetch(&self, hash: BlobHash) -> Pin<Box<dyn Future<Output = std::io::Result<BlobStream>> + Send + '_>> {
        Box::pin(async move {
            self.0.fetched.fetch_add(1, Ordering::SeqCst);
            let found = self.0.blobs.lock().unwrap().get(&hash).cloned();
            let bytes = found.ok_or_else(|| std::io::Error::other("404"))?;
            Ok(Box::new(std::io::Cursor::new(bytes)) as BlobStream)
        })
    }
}

struct Rack {
    server: Arc<Server>,
    copies: WorkingCopies,
    folder: tempfile::TempDir,
}

fn rack(keep: usize) -> Rack {
    let (server, folder) = (Arc::new(Server::default()), tempfile::tempdir().unwrap());
    let copies = WorkingCopies::open(folder.path(), keep, Arc::new(ToServer(server.clone()))).unwrap();
    Rack { server, copies, folder }
}

fn public(tree: BlobHash) -> SnapshotId {
    SnapshotId { public: tree, private: None }
}

/// Everything in a folder: files with their text, folders with a slash, links with an arrow.
fn look(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(now) = todo.pop() {
        for entry in std::fs::read_dir(&now).unwrap() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                found.insert(format!("{name}/"), String::new());
                todo.push(entry.path());
            } else if kind.is_symlink() {
                found.insert(format!("{name} ->"), String::new());
            } else {
                found.insert(name, std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    found
}

fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn a_copy_holds_both_areas_and_knows_its_scripts() {
    let rack = rack(4);
    let snapshot = SnapshotId {
        public: rack.server.tree(&[("samples/a.py", "A"), ("images/x.png", "X"), ("top.py", "T")]),
        private: Some(rack.server.tree(&[("mine/b.py", "B")])),
    };
    let copy = rack.copies.acquire(snapshot, Access::Own).await.unwrap();
    assert!(copy.public_root().is_absolute() && copy.public_root().ends_with("public"));
    let all = [("images/", ""), ("images/x.png", "X"), ("samples/", ""), ("samples/a.py", "A"), ("top.py", "T")];
    assert_eq!(look(copy.public_root()), files(&all));
    assert_eq!(look(copy.private_root().unwrap()), files(&[("mine/", ""), ("mine/b.py", "B")]));
    let path = |text| TreePath::parse(text).unwrap();
    let (file, folder) = copy.script(true, &path("samples/a.py")).unwrap();
    assert_eq!((std::fs::read_to_string(&file).unwrap().as_str(), file.parent().unwrap()), ("A", folder.as_path()));
    assert_eq!(copy.script(true, &path("top.py")).unwrap().1, copy.public_root());
    assert_eq!(copy.script(false, &path("mine/b.py")).unwrap().1, copy.private_root().unwrap().join("mine"));
    for (area, name) in [(false, "samples/a.py"), (true, "mine/b.py"), (true, "samples")] {
        assert!(matches!(copy.script(area, &path(name)), Err(FilesError::NoFile { .. })), "{name}");
    }
    std::fs::write(folder.join("left.txt"), "a script may write in its folder").unwrap();
    assert_eq!(copy.public_root().metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[tokio::test]
async fn no_run_sees_what_another_one_wrote() {
    let rack = rack(4);
    let snapshot = public(rack.server.tree(&[("s/a.py", "A"), ("s/b.py", "B"), ("t/c.py", "C")]));
    let clean = [("s/", ""), ("s/a.py", "A"), ("s/b.py", "B"), ("t/", ""), ("t/c.py", "C")];
    let other = rack.copies.acquire(snapshot, Access::Own).await.unwrap();
    let outside = rack.folder.path().join("outside");
    std::fs::write(&outside, "mine").unwrap();
    let mut used: Option<PathBuf> = None;
    // With and without `release`: the next run gets a clean copy either way, and the same folder again.
    for released in [true, false, true] {
        let copy = rack.copies.acquire(snapshot, Access::Own).await.unwrap();
        let root = copy.public_root().to_owned();
        assert_eq!(look(&root), files(&clean));
        assert!(used.replace(root.clone()).is_none_or(|before| before == root));
        misbehave(&root, &outside);
        if released {
            copy.release().await.unwrap();
            assert_eq!(look(&root), files(&clean));
        }
    }
    assert_eq!(look(other.public_root()), files(&clean));
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine");
    let shared = rack.copies.acquire(snapshot, Access::Shared).await.unwrap();
    assert_eq!(look(shared.public_root()), files(&clean));
}

/// Everything that a run may do to its copy.
fn misbehave(root: &Path, outside: &Path) {
    // Same length in place, and a new file of the old name; links out; a link for a folder; locked folders; leftovers.
    std::fs::write(root.join("s/a.py"), "Z").unwrap();
    std::fs::remove_file(root.join("s/b.py")).unwrap();
    symlink(outside, root.join("s/b.py")).unwrap();
    std::fs::remove_dir_all(root.join("t")).unwrap();
    symlink(outside.parent().unwrap(), root.join("t")).unwrap();
    std::fs::create_dir_all(root.join("u/v/w")).unwrap();
    std::fs::write(root.join("u/v/w/x"), "x").unwrap();
    std::fs::set_permissions(root.join("u/v"), std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(root.join("s"), std::fs::Permissions::from_mode(0o500)).unwrap();
    std::fs::create_dir_all(root.join("../leftover")).unwrap();
}

#[tokio::test]
async fn a_write_with_a_forged_time_is_found() {
    let rack = rack(4);
    let snapshot = public(rack.server.tree(&[("a.py", "AAAA")]));
    for round in 0..5 {
        let copy = rack.copies.acquire(snapshot, Access::Own).await.unwrap();
        let path = copy.public_root().join("a.py");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "AAAA", "round {round}");
        let time = path.metadata().unwrap().modified().unwrap();
        std::fs::write(&path, "BBBB").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        copy.release().await.unwrap();
    }
}

#[tokio::test]
async fn shared_copies_are_made_once() {
    let rack = rack(4);
    let snapshot = public(rack.server.tree(&[("a.rhai", "A"), ("b.rhai", "B")]));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let copies = rack.copies.clone();
            tokio::spawn(async move { copies.acquire(snapshot, Access::Shared).await.unwrap() })
        })
        .collect();
    let mut roots = std::collections::BTreeSet::new();
    for task in tasks {
        roots.insert(task.await.unwrap().public_root().to_owned());
    }
    assert_eq!((roots.len(), rack.server.fetched.load(Ordering::SeqCst)), (1, 3));
}

#[tokio::test]
async fn a_few_unused_copies_are_kept_and_none_in_use_is_touched() {
    let rack = rack(2);
    let snapshots: Vec<_> =
        (0..6).map(|n| public(rack.server.tree(&[("a.py", &format!("A{n}")), ("b.py", "same")]))).collect();
    let mut in_use = Vec::new();
    for access in [Access::Own, Access::Shared] {
        for snapshot in &snapshots {
            in_use.push((rack.copies.acquire(*snapshot, access).await.unwrap(), *snapshot));
        }
    }
    assert_eq!(rack.copies.count(), 12);
    for (n, (copy, _)) in in_use.iter().enumerate() {
        assert_eq!(look(copy.public_root()), files(&[("a.py", &format!("A{}", n % 6)), ("b.py", "same")]));
    }
    // One blob per tree, one per `a.py`, and `b.py` once.
    assert_eq!(rack.server.fetched.load(Ordering::SeqCst), 13);
    for (copy, _) in in_use {
        copy.release().await.unwrap();
    }
    assert_eq!(rack.copies.count(), 4);
    // The next revision is brought into an old copy: only what differs is fetched.
    let next = public(rack.server.tree(&[("a.py", "A7"), ("b.py", "same")]));
    let copy = rack.copies.acquire(next, Access::Own).await.unwrap();
    assert_eq!(look(copy.public_root()), files(&[("a.py", "A7"), ("b.py", "same")]));
    assert_eq!((rack.copies.count(), rack.server.fetched.load(Ordering::SeqCst)), (4, 15));
}

#[tokio::test]
async fn a_damaged_cache_is_mended_and_a_lying_server_refused() {
    let rack = rack(4);
    let tree = rack.server.tree(&[("a.py", "AAAA")]);
    drop(rack.copies.acquire(public(tree), Access::Shared).await.unwrap());
    for hash in [tree, BlobHash::of(b"AAAA")] {
        let name = hash.to_string();
        let path = rack.folder.path().join("blobs").join(&name[..2]).join(&name[2..]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let copy = rack.copies.acquire(public(tree), Access::Own).await.unwrap();
    assert_eq!(look(copy.public_root()), files(&[("a.py", "AAAA")]));

    let lying = rack.server.tree(&[("b.py", "truth")]);
    rack.server.blobs.lock().unwrap().insert(BlobHash::of(b"truth"), b"lies!".to_vec());
    let error = rack.copies.acquire(public(lying), Access::Own).await.unwrap_err();
    assert!(matches!(error, FilesError::WrongHash { .. }), "{error}");
    let error = rack.copies.acquire(public(BlobHash::of(b"nowhere")), Access::Shared).await.unwrap_err();
    assert!(matches!(error, FilesError::Fetch { .. }), "{error}");
    let no_tree = rack.server.blob(b"not a tree");
    let error = rack.copies.acquire(public(no_tree), Access::Own).await.unwrap_err();
    assert!(matches!(error, FilesError::BadTree { .. }), "{error}");
}

#[tokio::test]
async fn private_files_do_not_stay_for_the_next_user() {
    let rack = rack(1);
    let tree = rack.server.tree(&[("a.py", "A")]);
    let secret = rack.server.tree(&[("secret.py", "S")]);
    let mine = SnapshotId { public: tree, private: Some(secret) };
    rack.copies.acquire(mine, Access::Own).await.unwrap().release().await.unwrap();
    let copy = rack.copies.acquire(public(tree), Access::Own).await.unwrap();
    assert_eq!(copy.private_root(), None);
    assert_eq!(look(copy.public_root().parent().unwrap()), files(&[("public/", ""), ("public/a.py", "A")]));
}

#[tokio::test]
async fn a_new_life_begins_with_the_blobs_and_without_the_copies() {
    let rack = rack(4);
    let snapshot = public(rack.server.tree(&[("a.py", "A")]));
    let old = rack.copies.acquire(snapshot, Access::Own).await.unwrap();
    std::mem::forget(old);
    let copies = WorkingCopies::open(rack.folder.path(), 4, Arc::new(ToServer(rack.server.clone()))).unwrap();
    assert_eq!(copies.count(), 0);
    copies.acquire(snapshot, Access::Shared).await.unwrap();
    assert_eq!(rack.server.fetched.load(Ordering::SeqCst), 2);
}
