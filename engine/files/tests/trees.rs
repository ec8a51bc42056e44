//! Trees: one text for each, changes and differences that agree, and no names that some rack cannot tell apart.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use headend_files::{BlobHash, Change, FileEntry, FilesError, Listed, MAX_FILES, Tree};
use headend_model::TreePath;
use proptest::prelude::*;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn entry(text: &str) -> FileEntry {
    FileEntry { hash: BlobHash::of(text.as_bytes()), size: text.len() as u64 }
}

fn tree(paths: &[&str]) -> Result<Tree, FilesError> {
    Tree::from_files(paths.iter().map(|text| (path(text), entry(text))).collect())
}

#[test]
fn the_text_of_a_tree_is_this_and_no_other() {
    let text = String::from_utf8(tree(&["b/x.py", "a.rhai"]).unwrap().to_bytes()).unwrap();
    let (a, b) = (entry("a.rhai").hash, entry("b/x.py").hash);
    assert_eq!(text, format!("headend-tree 1\n{a} 6 a.rhai\n{b} 6 b/x.py\n"));
    assert_eq!(Tree::parse(text.as_bytes()).unwrap(), tree(&["a.rhai", "b/x.py"]).unwrap());
    let line = format!("{a} 6 a.rhai\n");
    for bad in [
        String::new(),
        "headend-tree 2\n".to_owned(),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("headend-tree 1\n{line}{line}"),
        format!("headend-tree 1\n{b} 6 b/x.py\n{line}"),
        text.replace(" 6 ", " 06 "),
        text.replace(" 6 ", " +6 "),
        text.replace('\n', "\r\n"),
        text.replace("b/x.py", "b\\x.py"),
        text.replace("b/x.py", "../x.py"),
        text.replace(&a.to_string(), &a.to_string().to_uppercase()),
    ] {
        assert!(Tree::parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
    }
    assert!(Tree::parse(b"headend-tree 1\n\xff").is_err());
    assert_eq!(Tree::parse(b"headend-tree 1\n").unwrap(), Tree::new());
}

#[test]
fn names_that_some_rack_cannot_tell_apart_are_refused() {
    for pair in [
        ["Test.py", "test.py"],
        ["a/x", "A/y"],
        ["a", "a/b"],
        ["A", "a/b"],
        ["caf\u{e9}", "cafe\u{301}"],
        ["\u{c9}/x", "e\u{301}/y"],
        ["x/ÄÖ/1", "x/äö/2"],
    ] {
        let error = tree(&pair).unwrap_err();
        assert!(matches!(error, FilesError::Collision { .. }), "{pair:?}: {error}");
    }
    assert_eq!(tree(&["a/b", "a/c", "ab", "a b/c", "a-b"]).unwrap().len(), 5);
}

#[test]
fn a_folder_may_become_a_file_in_one_change() {
    let old = tree(&["a/b", "a/c", "d"]).unwrap();
    let change = Change { put: [(path("a"), entry("new"))].into(), delete: [path("a")].into() };
    let new = old.apply(&change).unwrap();
    assert_eq!((new.len(), new.get(&path("a"))), (2, Some(entry("new"))));
    let nothing = Change { delete: [path("x")].into(), ..Change::default() };
    assert!(matches!(old.apply(&nothing), Err(FilesError::NoFile { .. })));
    let clash = Change { put: [(path("A/z"), entry("z"))].into(), ..Change::default() };
    assert!(old.apply(&clash).is_err());
}

#[test]
fn a_listing_shows_one_level() {
    let tree = tree(&["a-b", "a/b/c", "a/b/d", "a/e", "a.x", "z"]).unwrap();
    let file = |text: &str| Listed::File(path(text), entry(text));
    let top = [file("a-b"), file("a.x"), file("z"), Listed::Folder(path("a"))];
    let found: BTreeSet<_> = tree.list(None).unwrap().into_iter().collect();
    assert_eq!(found, top.into());
    assert_eq!(tree.list(Some(&path("a"))).unwrap(), [Listed::Folder(path("a/b")), file("a/e")]);
    assert_eq!(tree.list(Some(&path("a/e"))).unwrap(), [file("a/e")]);
    assert!(tree.list(Some(&path("b"))).is_err());
    assert!(tree.has_folder(&path("a/b")) && !tree.has_folder(&path("a/e")));
    assert_eq!(tree.under(Some(&path("a"))).len(), 3);
}

#[test]
fn an_area_has_a_limit() {
    let many: BTreeMap<_, _> = (0..=MAX_FILES).map(|n| (path(&format!("f{n}")), entry(""))).collect();
    let error = Tree::from_files(many).unwrap_err();
    assert!(matches!(error, FilesError::TooManyFiles { files: 100_001, .. }), "{error}");
}

/// Names from few letters, so that folders are shared and collisions happen.
fn any_tree() -> impl Strategy<Value = Tree> {
    let files = prop::collection::btree_map("[a-cA é.]{0,2}[a-c](/[a-cB]{1,2}){0,2}", any::<u8>(), 0..12);
    files.prop_filter_map("collides", |files| {
        let mut kept = Tree::new();
        for (name, content) in files {
            let put = [(TreePath::parse(&name).ok()?, entry(&content.to_string()))].into();
            // What collides stays out.
            kept = kept.apply(&Change { put, ..Change::default() }).unwrap_or(kept);
        }
        Some(kept)
    })
}

proptest! {
    #[test]
    fn a_tree_is_its_text(tree in any_tree()) {
        let text = tree.to_bytes();
        prop_assert_eq!(Tree::parse(&text).unwrap(), tree.clone());
        prop_assert_eq!(BlobHash::of(&text), tree.hash());
    }

    #[test]
    fn equal_text_means_equal_tree(a in any_tree(), b in any_tree()) {
        prop_assert_eq!(a == b, a.to_bytes() == b.to_bytes());
    }

    #[test]
    fn a_difference_leads_from_one_to_the_other(a in any_tree(), b in any_tree()) {
        let diff = a.diff(&b);
        prop_assert!(a.diff(&a) == headend_files::TreeDiff::default());
        prop_assert_eq!(a.apply(&diff.into()).unwrap(), b);
    }

    #[test]
    fn whatever_is_taken_folds_apart(tree in any_tree()) {
        let folded: BTreeSet<String> = tree.iter().map(|(path, _)| path.folded()).collect();
        prop_assert_eq!(folded.len(), tree.len());
        for (path, _) in tree.iter() {
            let mut parent = path.parent();
            while let Some(folder) = parent {
                prop_assert!(!folded.contains(&folder.folded()), "{} is a file and a folder", folder);
                parent = folder.parent();
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Tree::parse(&[b"headend-tree 1\n".as_slice(), &bytes].concat());
    }
}
