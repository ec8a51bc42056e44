//! The script's sources at the end of the page, and links into them.

use std::fmt::Write;

use serde_json::Value;

use super::escape::escaped;
use crate::record::source::{Source, place};

/// Lines of a file that are shown.
const MOST_LINES: usize = 20_000;

/// The sources, with how many lines of each are shown.
#[derive(Debug)]
pub(super) struct Sources<'a>(Vec<(&'a Source, usize)>);

impl<'a> Sources<'a> {
    pub(super) fn new(sources: &'a [Source]) -> Self {
        let lines = |source: &Source| source.text.as_deref().map_or(0, |text| text.lines().take(MOST_LINES).count());
        Self(sources.iter().map(|source| (source, lines(source))).collect())
    }

    /// Where the call of an event stands, the innermost first, each a link to the line if it is shown.
    pub(super) fn places(&self, event: &Value) -> String {
        let places = event["source"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let links: Vec<String> = places.map(|place| self.link(place)).collect();
        if links.is_empty() {
            return String::new();
        }
        format!(" <small class=\"src\">{}</small>", links.join(" \u{2190} "))
    }

    fn link(&self, text: &str) -> String {
        let shown = place(text).and_then(|(name, line)| {
            let no = self.0.iter().position(|(source, lines)| source.name == name && line <= *lines)?;
            Some((no, line))
        });
        match shown {
            Some((no, line)) => format!("<a href=\"#s{no}-{line}\">{}</a>", escaped(text)),
            None => escaped(text).into_owned(),
        }
    }

    /// The sources themselves, each line with a name.
    pub(super) fn section(&self) -> String {
        let mut out = String::new();
        for (no, (source, _)) in self.0.iter().enumerate() {
            let Some(text) = &source.text else { continue };
            let name = escaped(&source.name);
            // Writing to a string cannot fail.
            let _ = writeln!(out, "<details class=\"source\" open><summary>{name}</summary><ol>");
            for (line, number) in text.lines().take(MOST_LINES).zip(1..) {
                let _ = writeln!(out, "<li id=\"s{no}-{number}\">{}", escaped(line));
            }
            out.push_str("</ol></details>\n");
        }
        if out.is_empty() { out } else { format!("<h2>Sources</h2>\n{out}") }
    }
}
