//! A revision of an area: which file has which bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use headend_model::TreePath;
use unicode_normalization::UnicodeNormalization;

use crate::error::FilesError;
use crate::hash::BlobHash;

/// Most files of an area.
pub const MAX_FILES: usize = 100_000;

/// The bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEntry {
    /// Their hash.
    pub hash: BlobHash,
    /// How many.
    pub size: u64,
}

/// A sorted map from path to bytes, in which no two names collide on any rack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<TreePath, FileEntry>,
}

/// What is to change in a tree. Deletes come first, so a folder may become a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Files to add or replace.
    pub put: BTreeMap<TreePath, FileEntry>,
    /// Files, or folders with all that is in them.
    pub delete: BTreeSet<TreePath>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// A folder, by its full path.
    Folder(TreePath),
    /// A file, by its full path.
    File(TreePath, FileEntry),
}

/// What differs between two trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeDiff {
    /// Files only in the newer one.
    pub added: BTreeMap<TreePath, FileEntry>,
    /// Files with other bytes: the newer ones.
    pub changed: BTreeMap<TreePath, FileEntry>,
    /// Files only in the older one.
    pub removed: BTreeSet<TreePath>,
}

impl From<TreeDiff> for Change {
    fn from(diff: TreeDiff) -> Self {
        let mut put = diff.added;
        put.extend(diff.changed);
        Self { put, delete: diff.removed }
    }
}

impl Tree {
    /// The tree without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// No files at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The bytes of a file.
    pub fn get(&self, path: &TreePath) -> Option<FileEntry> {
        self.files.get(path).copied()
    }

    /// The files in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, FileEntry)> {
        self.files.iter().map(|(path, entry)| (path, *entry))
    }

    /// All blobs that the tree needs, besides its own.
    pub fn blobs(&self) -> impl Iterator<Item = BlobHash> {
        self.files.values().map(|entry| entry.hash)
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.values().map(|entry| entry.size).sum()
    }

    /// A new tree with the change made, all of it or none.
    ///
    /// # Errors
    /// [`FilesError::Collision`], [`FilesError::TooManyFiles`]; [`FilesError::NoFile`] for a delete of what is not there.
    pub fn apply(&self, change: &Change) -> Result<Self, FilesError> {
        let mut files = self.files.clone();
        for path in &change.delete {
            delete(&mut files, path)?;
        }
        files.extend(change.put.iter().map(|(path, entry)| (path.clone(), *entry)));
        Self::from_files(files)
    }

    /// A tree of these files.
    ///
    /// # Errors
    /// [`FilesError::Collision`], [`FilesError::TooManyFiles`].
    pub fn from_files(files: BTreeMap<TreePath, FileEntry>) -> Result<Self, FilesError> {
        if files.len() > MAX_FILES {
            return Err(FilesError::TooManyFiles { files: files.len(), limit: MAX_FILES });
        }
        refuse_collisions(files.keys())?;
        Ok(Self { files })
    }

    /// What leads from this tree to a newer one.
    pub fn diff(&self, newer: &Self) -> TreeDiff {
        let mut diff = TreeDiff::default();
        for (path, entry) in newer.iter() {
            match self.get(path) {
                None => diff.added.insert(path.clone(), entry),
                Some(old) if old != entry => diff.changed.insert(path.clone(), entry),
                Some(_) => None,
            };
        }
        diff.removed = self.files.keys().filter(|path| !newer.files.contains_key(path)).cloned().collect();
        diff
    }

    /// Whether a folder of this name is in the tree.
    pub fn has_folder(&self, path: &TreePath) -> bool {
        below(&self.files, path).next().is_some()
    }

    /// What is directly in a folder (`None`: at the top): folders and files by name. A path that names a file gives that.
    ///
    /// # Errors
    /// [`FilesError::NoFile`].
    pub fn list(&self, folder: Option<&TreePath>) -> Result<Vec<Listed>, FilesError> {
        let Some(folder) = folder else { return Ok(children(self.files.iter(), 0)) };
        if let Some(entry) = self.get(folder) {
            return Ok(vec![Listed::File(folder.clone(), entry)]);
        }
        match children(below(&self.files, folder), folder.as_str().len() + 1) {
            found if found.is_empty() => Err(FilesError::NoFile { path: folder.clone() }),
            found => Ok(found),
        }
    }

    /// Files in a folder and in the folders in it (`None`: all), in the order of their paths.
    pub fn under(&self, folder: Option<&TreePath>) -> Vec<(TreePath, FileEntry)> {
        match folder {
            None => self.files.iter().map(|(path, entry)| (path.clone(), *entry)).collect(),
            Some(folder) => below(&self.files, folder).map(|(path, entry)| (path.clone(), *entry)).collect(),
        }
    }

    /// The canonical text of the tree: a first line `headend-tree 1`, then for each file, in the byte order of the
    /// paths, `<hash, 64 lower-case hex digits> <size, decimal> <path>`, each line ended by one line feed. Paths hold no
    /// control characters, so a line is a line. Equal trees have equal texts, and so equal hashes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::with_capacity(HEADER.len() + self.files.len() * 128);
        text.push_str(HEADER);
        for (path, FileEntry { hash, size }) in self.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{hash} {size} {path}");
        }
        text.into_bytes()
    }

    /// The hash of [`Tree::to_bytes`]: the name of the snapshot, and of the blob that holds it.
    pub fn hash(&self) -> BlobHash {
        BlobHash::of(&self.to_bytes())
    }

    /// Reads the canonical text, and only that.
    ///
    /// # Errors
    /// [`FilesError::BadTree`] with the line; [`FilesError::Collision`], [`FilesError::TooManyFiles`].
    pub fn parse(bytes: &[u8]) -> Result<Self, FilesError> {
        let bad = |line, problem: &dyn std::fmt::Display| FilesError::BadTree { line, problem: problem.to_string() };
        let text = std::str::from_utf8(bytes).map_err(|e| bad(1, &e))?;
        let lines = text.strip_prefix(HEADER).ok_or_else(|| bad(1, &"it does not begin with `headend-tree 1`"))?;
        let mut files = BTreeMap::new();
        for (at, line) in lines.split_terminator('\n').enumerate() {
            let (path, entry) = parse_line(line).map_err(|problem| bad(at + 2, &problem))?;
            files.insert(path, entry);
        }
        let tree = Self::from_files(files)?;
        // One text per tree: this refuses wrong order, doubled paths, other spellings of numbers and paths.
        if tree.to_bytes() != bytes {
            return Err(bad(tree.len() + 1, &"the text is not in canonical form"));
        }
        Ok(tree)
    }
}

const HEADER: &str = "headend-tree 1\n";

fn parse_line(line: &str) -> Result<(TreePath, FileEntry), String> {
    let mut parts = line.splitn(3, ' ');
    let (Some(hash), Some(size), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("it is not `hash size path`".to_owned());
    };
    let hash = hash.parse().map_err(|e: FilesError| e.to_string())?;
    let size = size.parse().map_err(|e| format!("size {size:?}: {e}"))?;
    let path = TreePath::parse(path).map_err(|e| e.to_string())?;
    Ok((path, FileEntry { hash, size }))
}

/// What lies below a folder. `/` sorts before all other characters of names but a few, so a range by prefix finds it.
fn below<'a>(
    files: &'a BTreeMap<TreePath, FileEntry>,
    folder: &TreePath,
) -> impl Iterator<Item = (&'a TreePath, &'a FileEntry)> + use<'a> {
    let prefix = format!("{folder}/");
    files
        .range(folder.clone()..)
        .skip_while({
            let prefix = prefix.clone();
            move |(path, _)| path.as_str() < prefix.as_str()
        })
        .take_while(move |(path, _)| path.as_str().starts_with(&prefix))
}

fn children<'a>(files: impl Iterator<Item = (&'a TreePath, &'a FileEntry)>, skip: usize) -> Vec<Listed> {
    let mut found = BTreeMap::new();
    for (path, entry) in files {
        let rest = &path.as_str()[skip..];
        match rest.split_once('/') {
            None => found.insert(rest.to_owned(), Listed::File(path.clone(), *entry)),
            Some((name, _)) => {
                let Ok(folder) = TreePath::parse(&path.as_str()[..skip + name.len()]) else { continue };
                found.insert(name.to_owned(), Listed::Folder(folder))
            }
        };
    }
    found.into_values().collect()
}

fn delete(files: &mut BTreeMap<TreePath, FileEntry>, path: &TreePath) -> Result<(), FilesError> {
    if files.remove(path).is_some() {
        return Ok(());
    }
    let inside: Vec<TreePath> = below(files, path).map(|(path, _)| path.clone()).collect();
    if inside.is_empty() {
        return Err(FilesError::NoFile { path: path.clone() });
    }
    for path in inside {
        files.remove(&path);
    }
    Ok(())
}

/// Each folded name, of file or folder, may have one spelling and one meaning.
fn refuse_collisions<'a>(paths: impl Iterator<Item = &'a TreePath>) -> Result<(), FilesError> {
    let mut names: HashMap<String, (&'a str, bool)> = HashMap::new();
    for path in paths {
        for (spelled, is_file) in prefixes(path) {
            let old = names.entry(folded(spelled)).or_insert((spelled, is_file));
            if *old != (spelled, is_file) {
                return Err(FilesError::Collision { new: path.clone(), old: old.0.to_owned() });
            }
        }
    }
    Ok(())
}

/// A path's folders from the top, then the path itself; `true` for that.
pub(crate) fn prefixes(path: &TreePath) -> impl Iterator<Item = (&str, bool)> {
    let text = path.as_str();
    let ends = text.match_indices('/').map(|(at, _)| (at, false)).chain([(text.len(), true)]);
    ends.map(move |(end, is_file)| (&text[..end], is_file))
}

/// The key under which names count as one: letter case and the ways to write an accent make no difference.
pub(crate) fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfd().flat_map(char::to_lowercase).nfc().collect()
}
