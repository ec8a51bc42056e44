//! Names of files: what is taken is stored as it was written, and stays below its folder on every rack.
#![no_main]

use std::path::{Component, Path};

use headend_files::{BlobHash, FileEntry, Selection, Tree, folder, root_or_path};
use headend_model::TreePath;
use headend_model::path::{MAX_COMPONENT_BYTES, MAX_DEPTH, MAX_PATH_BYTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(path) = TreePath::parse(text) {
        let slashed = text.replace('\\', "/");
        assert_eq!(slashed.strip_prefix('/').unwrap_or(&slashed), path.as_str(), "never cleaned up");
        sound(&path);
    }
    if let Ok(Some(path)) = folder(text) {
        sound(&path);
    }
    if let Ok(path) = root_or_path(text) {
        sound(&path);
    }
    pattern(text);
});

fn sound(path: &TreePath) {
    let text = path.as_str();
    assert_eq!(TreePath::parse(text).as_ref(), Ok(path), "format and parse are inverse");
    assert_eq!(TreePath::parse(&text.replace('/', "\\")).as_ref(), Ok(path), "either slash");
    assert!(text.len() <= MAX_PATH_BYTES && path.components().count() <= MAX_DEPTH);
    let mut parts = Path::new("/area").join(text);
    for part in path.components().collect::<Vec<_>>().into_iter().rev() {
        assert!(!part.is_empty() && part.len() <= MAX_COMPONENT_BYTES && part != "." && part != "..");
        assert!(!part.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', '%']));
        assert!(!part.chars().any(char::is_control) && !part.ends_with(['.', ' ']));
        assert!(matches!(parts.components().next_back(), Some(Component::Normal(last)) if last == part));
        assert!(parts.pop());
    }
    assert_eq!(parts, Path::new("/area"));
    let files = [(path.clone(), FileEntry { hash: BlobHash::of(b""), size: 0 })].into();
    let tree = Tree::from_files(files).expect("one name clashes with nothing");
    assert_eq!(Tree::parse(&tree.to_bytes()).expect("our own text"), tree);
}

fn pattern(text: &str) {
    let Ok(selection) = Selection::parse(text, true) else { return };
    let (one, into) = (TreePath::parse("a/b.py").expect("a path"), TreePath::parse("public").expect("a path"));
    let files = [(one, FileEntry { hash: BlobHash::of(b""), size: 0 })].into();
    let tree = Tree::from_files(files).expect("one name clashes with nothing");
    let copies = selection.copies(&tree, Some(&into)).expect("a short path");
    assert!(copies.keys().all(|path| path.as_str().starts_with("public/")));
}
