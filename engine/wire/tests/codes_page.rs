//! The page of all codes, for people: made of the one table, and compared with what is committed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use headend_wire::codes::{ALL, Code};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/CODES.md");

const HEAD: &str = "# Codes

Every answer of the Remote Job API begins with a number and its text: 0 is success, negative numbers are warnings, positive ones errors
(document 4.3). REST names the same rows by `code` in its problem documents, and `headend --json` by `code` in its errors. The document
itself prints no numbers but 0, so these are ours; a number keeps its meaning for ever.

This page is made of the table in `engine/wire/src/codes.rs`.

| number | name | HTTP | text | what helps |
|---:|---|---:|---|---|
";

fn page() -> String {
    let mut rows: Vec<&Code> = ALL.iter().collect();
    rows.sort_by_key(|code| code.number);
    let mut page = HEAD.to_owned();
    for Code { number, name, status, text, remedy, .. } in rows {
        let helps = if remedy.is_empty() { "-" } else { remedy };
        writeln!(page, "| {number} | `{name}` | {status} | {text} | {helps} |").unwrap();
    }
    page
}

#[test]
fn the_committed_page_is_the_table() {
    if std::env::var_os("HEADEND_RENEW").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        committed == page(),
        "sdk/python/CODES.md is not what the table says; renew it: `HEADEND_RENEW=1 cargo test -p headend-wire --test codes_page`"
    );
}

#[test]
fn every_row_can_be_read_in_a_table_and_says_what_helps() {
    for code in ALL {
        let texts = [code.name, code.text, code.remedy];
        assert!(texts.iter().all(|text| !text.contains(['|', '\n'])), "{code:?} breaks the page");
        assert!(!code.text.is_empty() && (code.number == 0 || !code.remedy.is_empty()), "{code:?} does not help");
        assert_eq!(code.number > 0, code.status >= 400, "{code:?}: errors, and only they, are errors of HTTP");
    }
}
