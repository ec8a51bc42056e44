//! What the run was made of: its script, its files, its analysers.

use serde_json::Value;

use super::About;

/// Hex digits of a hash that people compare.
const DIGITS: usize = 16;

/// Rows of the table: what, which, a class for the second cell, and a remark.
pub(super) fn of(about: &About<'_>) -> Vec<[String; 4]> {
    let script = |source: &crate::record::source::Source| {
        let remark = if source.changed { "written to while it ran: what ran may have been another text" } else { "" };
        let class = if source.changed { "warn" } else { "" };
        [format!("source {}", source.name), short(&source.hash), class.to_owned(), remark.to_owned()]
    };
    about.sources.iter().map(script).collect()
}

/// Adds what an event tells.
pub(super) fn collect(event: &Value, rows: &mut Vec<[String; 4]>) {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let row = |what: String, which: String| [what, which, String::new(), String::new()];
    match event["kind"].as_str() {
        Some("analyser") => rows.push(row(format!("analyser {}", text("name")), text("version").to_owned())),
        Some("files") => {
            for area in ["public", "private"] {
                let tree = text(area);
                if !tree.is_empty() {
                    rows.push(row(format!("{area} files"), short(tree)));
                }
            }
        }
        _ => {}
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(DIGITS).collect()
}
