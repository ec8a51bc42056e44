//! The one parser of names, at length (reliability E7, E11 to E14): what it takes is what is stored, and nothing that it
//! takes means something else on any rack.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use headend_files::{BlobHash, Change, FileEntry, Selection, Tree, clashes, folder};
use headend_model::TreePath;
use headend_model::path::{MAX_COMPONENT_BYTES, MAX_DEPTH, MAX_PATH_BYTES};
use proptest::prelude::*;

/// Pieces of which hostile names are made, beside plain ones.
fn piece() -> impl Strategy<Value = String> {
    let hostile = [
        ".",
        "..",
        "...",
        "/",
        "\\",
        "//",
        "\\\\",
        ":",
        "C:",
        "c:\\",
        "%2e",
        "%2F",
        "%00",
        "%252e",
        "\0",
        "\n",
        "\r",
        "\t",
        "\u{7f}",
        "\u{202e}",
        "\u{2066}",
        "\u{fffd}",
        "*",
        "?",
        "<",
        ">",
        "|",
        "\"",
        " ",
        ". ",
        "~1",
        "CON",
        "nul",
        "Aux.txt",
        "COM1",
        "lpt9.",
        "CONIN$",
        "é",
        "e\u{301}",
        "İ",
        "ß",
        "K",
        "ﬁ",
        "\u{ff0f}",
        "\u{2215}",
        "\u{2024}",
        "$I30",
        "::$DATA",
        "host/share",
        "?\\C:\\x",
        "UNC\\a\\b",
        ".git",
        "desktop.ini",
    ];
    prop_oneof![
        4 => proptest::sample::select(hostile.to_vec()).prop_map(str::to_owned),
        4 => "[a-cA-C0-2_.]{1,4}",
        1 => any::<char>().prop_map(String::from),
        1 => (1_usize..260).prop_map(|count| "n".repeat(count)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

/// All that has to hold for a name that was taken, told anew.
fn require_sound(given: &str, path: &TreePath) {
    let text = path.as_str();
    assert_eq!(TreePath::parse(text).as_ref(), Ok(path), "format and parse are inverse: {given:?}");
    let backslashed = text.replace('/', "\\");
    assert_eq!(TreePath::parse(&backslashed).as_ref(), Ok(path), "either slash");
    assert_eq!(TreePath::parse(&format!("\\{backslashed}")).as_ref(), Ok(path), "the document's form");
    let slashed = given.replace('\\', "/");
    assert_eq!(slashed.strip_prefix('/').unwrap_or(&slashed), text, "never cleaned up: {given:?}");
    assert!(text.len() <= MAX_PATH_BYTES && path.components().count() <= MAX_DEPTH);
    // What a rack's operating system makes of it stays below its folder.
    let joined = std::path::Path::new("/area").join(text);
    let parts: Vec<_> = joined.components().collect();
    assert_eq!(parts.len(), 2 + path.components().count(), "{text:?}");
    assert!(parts.iter().skip(2).all(|part| matches!(part, std::path::Component::Normal(_))), "{text:?}");
    for part in path.components() {
        assert!(!part.is_empty() && part.len() <= MAX_COMPONENT_BYTES && part != "." && part != "..");
        assert!(!part.contains(['\\', ':', '*', '?', '"', '<', '>', '|', '%']), "{part:?}");
        assert!(!part.chars().any(char::is_control), "{part:?}");
        assert!(!part.ends_with(['.', ' ']), "Windows drops these: {part:?}");
        let stem = part.split('.').next().unwrap().trim_end().to_ascii_uppercase();
        assert!(!["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()), "{part:?}");
        assert!(
            !(stem.len() == 4
                && (stem.starts_with("COM") || stem.starts_with("LPT"))
                && stem.as_bytes()[3].is_ascii_digit())
        );
    }
}

fn entry() -> FileEntry {
    FileEntry { hash: BlobHash::of(b"x"), size: 1 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_is_taken_is_sound_and_stays_as_it_was_written(text in text()) {
        if let Ok(path) = TreePath::parse(&text) {
            require_sound(&text, &path);
        }
        // Folders and patterns come by the same parser.
        if let Ok(Some(path)) = folder(&text) {
            require_sound(path.as_str(), &path);
        }
        if let Ok(selection) = Selection::parse(&text, true) {
            let tree = Tree::from_files(BTreeMap::from([(TreePath::parse("a/b.py").unwrap(), entry())])).unwrap();
            let into = TreePath::parse("public").unwrap();
            for path in selection.copies(&tree, Some(&into)).unwrap().keys() {
                prop_assert!(path.as_str().starts_with("public/"), "{text:?} gave {path}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn names_that_are_taken_together_never_meet_after_folding(texts in proptest::collection::vec(text(), 1..8)) {
        let paths: Vec<TreePath> = texts.iter().filter_map(|text| TreePath::parse(text).ok()).collect();
        let distinct: BTreeMap<TreePath, FileEntry> = paths.iter().map(|path| (path.clone(), entry())).collect();
        let names: Vec<TreePath> = distinct.keys().cloned().collect();
        let at_fault = clashes(&Tree::new(), &Change::default(), &names);
        let tree = Tree::from_files(distinct);
        // Those that are said to clash are exactly why the tree is refused.
        prop_assert_eq!(tree.is_err(), !at_fault.is_empty(), "{:?}", names);
        if let Ok(tree) = tree {
            let mut folded: Vec<String> = tree.iter().map(|(path, _)| path.folded()).collect();
            folded.sort();
            prop_assert!(folded.windows(2).all(|pair| pair[0] != pair[1]), "{folded:?}");
            prop_assert_eq!(Tree::parse(&tree.to_bytes()).unwrap(), tree);
        } else {
            let rest: BTreeMap<TreePath, FileEntry> = names
                .iter()
                .enumerate()
                .filter(|(at, _)| !at_fault.iter().any(|(bad, _)| bad == at))
                .map(|(_, path)| (path.clone(), entry()))
                .collect();
            prop_assert!(Tree::from_files(rest).is_ok(), "without them the others are taken: {names:?}");
        }
    }
}

#[test]
fn hostile_names_are_refused_by_every_way_in() {
    let long = ["n".repeat(MAX_COMPONENT_BYTES + 1), vec!["abcdefghij"; 20].join("/"), ["a"; MAX_DEPTH + 1].join("/")];
    let all = [
        "..",
        "../x",
        "a/../b",
        "..\\x",
        "a\\..\\b",
        ".",
        "a/./b",
        "%2e%2e%2fx",
        "%252e%252e/x",
        "a%00",
        "//host/share",
        "\\\\host\\share",
        "\\\\?\\C:\\x",
        "\\\\.\\pipe\\x",
        "C:\\x",
        "C:x",
        "c:/x",
        "a:b",
        "a::$DATA",
        "a//b",
        "a\\\\b",
        "CON",
        "con.txt",
        "nul",
        "AUX ",
        "COM1",
        "lpt9.log",
        "a/PRN/b",
        "CONOUT$",
        "a.",
        "a ",
        "a./b",
        "a /b",
        "x<",
        ">x",
        "a|b",
        "a?b",
        "a*b",
        "a\"b",
        "a\0b",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{202e}b",
        "a\u{2066}b",
    ];
    for bad in all.into_iter().chain(long.iter().map(String::as_str)) {
        assert!(TreePath::parse(bad).is_err(), "{bad:?} was taken as a path");
        assert!(folder(bad).is_err(), "{bad:?} was taken as a folder");
        if bad != "a*b" {
            assert!(Selection::parse(bad, true).is_err(), "{bad:?} was taken as a pattern");
        }
    }
}
