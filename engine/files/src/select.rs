//! Which files of a tree people mean: folders with both slashes, a `*` in the last component, names that clash.

use std::collections::{BTreeMap, HashMap};

use headend_model::path::{BadPath, PathProblem};
use headend_model::{Pattern, TreePath};

use crate::tree::{Change, FileEntry, Tree, folded, prefixes};

/// A folder as people write it: either slash, one at the end too; `None` for the area itself: nothing, or a slash of either kind.
///
/// # Errors
/// [`BadPath`].
pub fn folder(text: &str) -> Result<Option<TreePath>, BadPath> {
    if text.is_empty() || (text.len() <= 2 && text.chars().all(is_slash)) {
        return Ok(None);
    }
    TreePath::parse(text.strip_suffix(is_slash).unwrap_or(text)).map(Some)
}

/// A file or folder to take away: never the whole area, never a wildcard.
///
/// # Errors
/// [`BadPath`].
pub fn root_or_path(text: &str) -> Result<TreePath, BadPath> {
    match folder(text)? {
        Some(path) => Ok(path),
        None => Err(BadPath { path: text.to_owned(), problem: PathProblem::Empty }),
    }
}

fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// What of a tree is meant, and where it goes in another one (document 4.10).
#[derive(Clone, Debug)]
pub struct Selection {
    /// Where to look; `None`: at the top.
    folder: Option<TreePath>,
    /// Which names there; `None`: what is called `folder`, a file or a folder.
    pattern: Option<Pattern>,
    /// Folders in it too.
    deep: bool,
}

impl Selection {
    /// Reads a path whose last component may hold `*`. `deep`: also what lies in folders below.
    ///
    /// # Errors
    /// [`BadPath`], also for a `*` in another place.
    pub fn parse(text: &str, deep: bool) -> Result<Self, BadPath> {
        let bad = |bad: BadPath| misplaced_wildcard(text, bad);
        if !text.contains('*') {
            return Ok(Self { folder: folder(text).map_err(bad)?, pattern: None, deep });
        }
        let (before, last) = text.rsplit_once(is_slash).map_or(("", text), |(before, last)| (before, last));
        // The rest of the last component has to be a name; a star is as good as any letter of one.
        TreePath::parse(&last.replace('*', "x")).map_err(bad)?;
        let folder = if before.is_empty() { None } else { Some(TreePath::parse(before).map_err(bad)?) };
        Ok(Self { folder, pattern: Some(Pattern::new(last)), deep })
    }

    /// The files that are meant, each with the path that it has in a folder `into` (`None`: at the top).
    ///
    /// A single file keeps its name, unless `into` ends in that name already.
    ///
    /// # Errors
    /// [`BadPath`] when a path would become too long.
    pub fn copies(&self, tree: &Tree, into: Option<&TreePath>) -> Result<BTreeMap<TreePath, FileEntry>, BadPath> {
        if let (None, Some(file)) = (&self.pattern, &self.folder)
            && let Some(entry) = tree.get(file)
        {
            let name = file.file_name();
            let whole = into.filter(|into| into.file_name() == name).cloned();
            return Ok(BTreeMap::from([(whole.map_or_else(|| joined(into, name), Ok)?, entry)]));
        }
        let skip = self.folder.as_ref().map_or(0, |folder| folder.as_str().len() + 1);
        let mut found = BTreeMap::new();
        for (path, entry) in tree.under(self.folder.as_ref()) {
            let inside = &path.as_str()[skip..];
            let named = self.pattern.as_ref().is_none_or(|pattern| pattern.matches(path.file_name()));
            if named && (self.deep || !inside.contains('/')) {
                found.insert(joined(into, inside)?, entry);
            }
        }
        Ok(found)
    }
}

/// Nobody who writes `?` or `te*/` means a file of that name.
fn misplaced_wildcard(text: &str, bad: BadPath) -> BadPath {
    let problem = match bad.problem {
        PathProblem::Character(sign @ ('*' | '?')) => PathProblem::Wildcard(sign),
        other => other,
    };
    BadPath { path: text.chars().take(80).collect(), problem }
}

fn joined(folder: Option<&TreePath>, inside: &str) -> Result<TreePath, BadPath> {
    match folder {
        None => TreePath::parse(inside),
        Some(folder) => TreePath::parse(&format!("{folder}/{inside}")),
    }
}

/// Answers show paths as `public/...`, calls take them without that: what to say about one that is not there.
pub fn area_hint(path: &str) -> &'static str {
    match path.split('/').next() {
        Some("public") => "; paths begin inside the area, so leave out `public/`",
        Some("private") => "; paths begin inside the area, so leave out `private/`",
        _ => "",
    }
}

/// Why `new` cannot be there with `old`, a file or folder.
pub fn clash_text(new: &TreePath, old: &str) -> String {
    if new.as_str() == old {
        return format!("{new} cannot be a file and a folder at once; choose another name");
    }
    if new.as_str().strip_prefix(old).is_some_and(|rest| rest.starts_with('/')) {
        return format!("{old} is a file, so {new} cannot lie in it; delete {old} first, or choose another folder");
    }
    format!("{new} and {old} would be one name on some racks; rename one of them")
}

/// Places in `paths` of those that cannot be put into a tree, each with the name that it clashes with: one that the tree
/// has after the deletes of `change`, or another of `paths`. Of two of `paths` that clash, both are named.
pub fn clashes(tree: &Tree, change: &Change, paths: &[TreePath]) -> Vec<(usize, String)> {
    // What the tree keeps stands; a file that is replaced by one of the same name is no clash.
    let kept = match tree.apply(&Change { delete: change.delete.clone(), ..Change::default() }) {
        Ok(kept) => kept,
        // Deletes of what is not there are told by the commit itself.
        Err(_) => tree.clone(),
    };
    let mut there: HashMap<String, (&str, bool)> = HashMap::new();
    for (path, _) in kept.iter() {
        for (spelled, is_file) in prefixes(path) {
            there.entry(folded(spelled)).or_insert((spelled, is_file));
        }
    }
    // Of the new names: how each is first spelled, and another spelling if there is one.
    let mut new: HashMap<String, ((&str, bool), Option<&str>)> = HashMap::new();
    for path in paths {
        for (spelled, is_file) in prefixes(path) {
            let known = new.entry(folded(spelled)).or_insert(((spelled, is_file), None));
            if known.0 != (spelled, is_file) && known.1.is_none() {
                known.1 = Some(spelled);
            }
        }
    }
    let clash_of = |path: &TreePath| {
        prefixes(path).find_map(|(spelled, is_file)| {
            let key = folded(spelled);
            match there.get(&key) {
                Some(old) if *old != (spelled, is_file) => Some(old.0.to_owned()),
                Some(_) => None,
                None => match new.get(&key) {
                    Some(((first, _), Some(second))) => {
                        Some(if *first == spelled { (*second).to_owned() } else { (*first).to_owned() })
                    }
                    _ => None,
                },
            }
        })
    };
    paths.iter().enumerate().filter_map(|(at, path)| clash_of(path).map(|old| (at, old))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::hash::BlobHash;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn tree(paths: &[&str]) -> Tree {
        let entry = FileEntry { hash: BlobHash::of(b"x"), size: 1 };
        Tree::from_files(paths.iter().map(|one| (path(one), entry)).collect()).unwrap()
    }

    fn copies(from: &str, into: &str, deep: bool) -> Vec<String> {
        let tree = tree(&["a/b/one.py", "a/b/two.PY", "a/b/x.bmp", "a/b/c/three.py", "a/b/c/d/four.py", "top.py"]);
        let into = folder(into).unwrap();
        let found = Selection::parse(from, deep).unwrap().copies(&tree, into.as_ref()).unwrap();
        found.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn the_documents_example_takes_a_pattern_and_folders_below() {
        let deep = ["p/q/c/d/four.py", "p/q/c/three.py", "p/q/one.py", "p/q/two.PY"];
        assert_eq!(copies("/a/b/*.py", "/p/q/", true), deep);
        assert_eq!(copies("\\a\\b\\*.py", "p\\q", true), deep);
        assert_eq!(copies("a/b/*.py", "p/q", false), ["p/q/one.py", "p/q/two.PY"]);
        assert_eq!(copies("*.py", "", false), ["top.py"]);
        assert_eq!(copies("a/b/*", "p", false).len(), 3);
    }

    #[test]
    fn a_file_keeps_its_name_and_a_folder_its_content() {
        assert_eq!(copies("a/b/one.py", "p", false), ["p/one.py"]);
        assert_eq!(copies("a/b/one.py", "p/one.py", true), ["p/one.py"]);
        assert_eq!(copies("a/b/one.py", "/", true), ["one.py"]);
        assert_eq!(copies("a/b", "p", false), ["p/one.py", "p/two.PY", "p/x.bmp"]);
        assert_eq!(copies("a/b/", "p", true).len(), 5);
        assert_eq!(copies("", "p", true).len(), 6);
        assert!(copies("a/nothing", "p", true).is_empty() && copies("z*", "p", true).is_empty());
    }

    #[test]
    fn a_star_elsewhere_and_paths_that_lead_out_are_refused() {
        for bad in ["a/*/b.py", "*/..", "../*.py", "a/..*/../x", "//host/*", "C:\\*", "a//*", "*/", "%2e%2e/*", "a/\0*"]
        {
            assert!(Selection::parse(bad, true).is_err(), "{bad:?} was taken");
        }
        for bad in ["te*/one.py", "**/*.py", "one?.py", "a/o?e*.py"] {
            let told = Selection::parse(bad, true).unwrap_err();
            assert!(matches!(told.problem, PathProblem::Wildcard(_)), "{told}");
            assert_eq!(told.path, bad);
        }
        for bad in ["//host/share", "a//", "..", "a/../b", "///"] {
            assert!(folder(bad).is_err(), "{bad:?} was taken");
        }
        for root in ["", "/", "\\", "\\\\", "//"] {
            assert_eq!(folder(root).unwrap(), None);
            assert!(root_or_path(root).is_err(), "nobody means the whole area");
        }
    }

    #[test]
    fn a_clash_says_what_is_in_the_way() {
        let told = |new: &str, old: &str| clash_text(&path(new), old);
        assert!(told("a/b.py/x.bmp", "a/b.py").starts_with("a/b.py is a file, so a/b.py/x.bmp cannot lie in it"));
        assert!(told("a/b", "a/b").contains("a file and a folder at once"));
        assert!(told("a/B.py", "a/b.py").contains("one name on some racks"));
        assert!(told("a/b.pyc", "a/b.py").contains("one name on some racks"));
    }

    #[test]
    fn all_names_that_clash_are_told() {
        let tree = tree(&["Test.py", "dir/a.py", "old.py"]);
        let found = |paths: &[&str], delete: &[&str]| {
            let change = Change { delete: delete.iter().map(|one| path(one)).collect(), ..Change::default() };
            let paths: Vec<_> = paths.iter().map(|one| path(one)).collect();
            clashes(&tree, &change, &paths).into_iter().map(|(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(found(&["Test.py", "new.py", "dir/b.py"], &[]), Vec::<usize>::new());
        assert_eq!(found(&["new.py", "test.py", "DIR/x.py", "dir", "old.py/x"], &[]), [1, 2, 3, 4]);
        assert_eq!(found(&["a.py", "b.py", "A.py"], &[]), [0, 2], "of two new ones both are named");
        assert_eq!(found(&["é.py", "e\u{301}.py"], &[]), [0, 1], "however the accent is written");
        assert_eq!(found(&["test.py"], &["Test.py"]), Vec::<usize>::new(), "what is deleted stands in nobody's way");
    }
}
