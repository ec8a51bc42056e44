//! The table of codes against the code that makes errors. That an error has a row is a matter of types: `Problem` and the
//! server's own error are made of a `&Code`, and only this crate can make a `Code` (its page shows that nobody else's
//! compiles). What types do not say is looked for in the sources: rows that nobody makes, and problems made by hand.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use headend_wire::codes::{ALL, OF_CLIENTS, RETIRED};

const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// All Rust sources below a folder, without those of tests.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                waiting.extend((name != "tests").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                // The unit tests stand at a file's end.
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
                found.push((path, code));
            }
        }
    }
    found
}

fn server() -> Vec<(PathBuf, String)> {
    sources(&Path::new(ENGINE).join("server/src"))
}

/// The constant of each row's name, as the table's own source has them.
fn constants() -> BTreeMap<String, String> {
    let table = std::fs::read_to_string(Path::new(ENGINE).join("wire/src/codes.rs")).unwrap();
    let row = |line: &str| {
        let (constant, rest) = line.trim().split_once(" = ")?;
        let name = rest.split('"').nth(1)?;
        let is_constant = constant.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        is_constant.then(|| (name.to_owned(), constant.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn each_row_is_made_by_the_server_or_marked_as_of_clients() {
    let (server, constants) = (server(), constants());
    let made = |constant: &str| {
        let named = format!("codes::{constant}");
        let whole = |text: &str| {
            text.match_indices(&named).any(|(at, _)| {
                let next = text[at + named.len()..].chars().next().unwrap_or(' ');
                !next.is_ascii_alphanumeric() && next != '_'
            })
        };
        server.iter().any(|(_, text)| whole(text))
    };
    let of_clients: BTreeSet<&str> = OF_CLIENTS.iter().map(|code| code.name).collect();
    for code in ALL {
        let constant = constants.get(code.name).unwrap_or_else(|| panic!("{code:?} stands not in the table's source"));
        let (made, marked) = (made(constant), of_clients.contains(code.name));
        assert!(made || marked, "nothing in engine/server makes `{}`: remove it, or mark it as OF_CLIENTS", code.name);
        assert!(!(made && marked), "the server makes `{}`, which is marked as of clients", code.name);
        assert!(!RETIRED.contains(&code.number), "{code:?} has a number that meant something else once");
    }
}

#[test]
fn the_server_makes_no_problem_by_hand() {
    for (path, text) in server() {
        for by_hand in ["Problem {", "Problem{", ".code = "] {
            let found = text.match_indices(by_hand).any(|(at, _)| {
                let before = text[..at].trim_end_matches(['&', ' ']);
                // Longer names, types of results, and blocks of `impl`.
                !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric())
                    && !before.ends_with("->")
                    && !before.ends_with("for")
            });
            assert!(!found, "{} has `{by_hand}`: make problems with `ApiError::new`, of a row", path.display());
        }
    }
}
