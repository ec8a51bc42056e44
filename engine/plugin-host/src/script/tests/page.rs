//! The page with a test in three languages (`sdk/SCRIPTS.md`) names nothing that is not there.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::rhai::definitions;

fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk")
}

/// The code in a column of the page's table, counted from 1.
fn column(page: &str, number: usize) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what "));
    let cells = rows.filter_map(|row| row.replace("\\|", "\u{1}").split('|').nth(number).map(str::to_owned));
    let codes = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    codes.map(|code| code.replace('\u{1}', "|")).collect()
}

/// The names in a piece of code that are called, texts left out.
fn called(code: &str) -> Vec<String> {
    let bare: String = code.split('"').step_by(2).collect();
    let before_brackets = bare.split('(').rev().skip(1);
    let name =
        |before: &str| before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("").to_owned();
    before_brackets.map(name).filter(|name| !name.is_empty()).collect()
}

/// All source files below a folder, as one text.
fn sources(folder: &Path, ending: &str) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|it| it == ending))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn each_call_on_the_page_of_three_languages_is_there() {
    let page = fs::read_to_string(sdk().join("SCRIPTS.md")).unwrap();
    let rhai = definitions().unwrap();
    let rust = sources(&sdk().join("rust/src/script"), "rs");
    let python = sources(&sdk().join("python/stormtest"), "py");
    let not_the_sdks = ["Some", "json", "from_secs"];
    let mut seen = 0;
    for (number, there) in [(2, (&python, "def ")), (3, (&rhai, "fn ")), (4, (&rust, "fn "))] {
        for code in column(&page, number) {
            for name in called(&code).into_iter().filter(|name| !not_the_sdks.contains(&name.as_str())) {
                let (text, before) = there;
                assert!(text.contains(&format!("{before}{name}(")), "{code}: there is no `{name}`");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "only {seen} calls were found on the page");
}

#[test]
fn editors_are_told_the_names_of_parameters() {
    let definitions = definitions().unwrap();
    for line in
        ["fn press(key: string, slot: int) -> bool;", "fn measure(name: string, value: ?, details: map) -> bool;"]
    {
        assert!(
            definitions.contains(line),
            "{line}: {:?}",
            definitions.lines().filter(|it| it.contains("fn press(")).collect::<Vec<_>>()
        );
    }
}
