//! Regions that fold, one inside the other.

use std::fmt::Write;

use super::escape::escaped;

/// Regions deeper than this are shown as lines: browsers have bounds, too.
const DEEPEST: usize = 60;

/// Styles that a region may end in.
const STYLES: [&str; 8] = ["pass", "fail", "warn", "serial", "observe", "console", "verbose", "entry"];

/// A region that has not ended yet.
#[derive(Debug)]
struct Open {
    name: String,
    began: String,
    /// Where it was called from.
    place: String,
    inside: String,
    /// It has no folding of its own.
    flat: bool,
}

/// The page's body as it grows.
#[derive(Debug, Default)]
pub(super) struct Tree {
    top: String,
    open: Vec<Open>,
}

impl Tree {
    /// `place`: where it was called from, as markup.
    pub(super) fn open(&mut self, name: &str, began: &str, place: String) {
        let flat = self.open.len() >= DEEPEST;
        self.open.push(Open { name: name.to_owned(), began: began.to_owned(), place, inside: String::new(), flat });
    }

    /// Ends the innermost region of that name and what is open inside it.
    pub(super) fn close(&mut self, name: &str, style: Option<&str>, comment: Option<&str>) {
        let Some(place) = self.open.iter().rposition(|open| open.name == name) else { return };
        while self.open.len() > place + 1 {
            self.fold(None, None);
        }
        self.fold(style, comment);
    }

    pub(super) fn line(&mut self, html: &str) {
        self.inside().push_str(html);
    }

    pub(super) fn len(&self) -> usize {
        self.top.len() + self.open.iter().map(|open| open.inside.len()).sum::<usize>()
    }

    /// All of it; what is still open was so at the end.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.fold(None, Some("open at the end"));
        }
        self.top
    }

    fn inside(&mut self) -> &mut String {
        self.open.last_mut().map_or(&mut self.top, |open| &mut open.inside)
    }

    fn fold(&mut self, style: Option<&str>, comment: Option<&str>) {
        let Some(region) = self.open.pop() else { return };
        let style = style.and_then(|style| STYLES.iter().find(|known| style.eq_ignore_ascii_case(known)));
        let style = style.copied().unwrap_or("plain");
        let comment =
            comment.filter(|comment| !comment.is_empty()).map(|comment| format!(" <q>{}</q>", escaped(comment)));
        let (name, comment) = (escaped(&region.name), comment.unwrap_or_default());
        let title = format!("<time>{}</time> {name}{comment}{}", region.began, region.place);
        let into = self.inside();
        // Writing to a string cannot fail.
        let _ = if region.flat {
            write!(into, "<div class=\"line info\">{title}</div>\n{}", region.inside)
        } else {
            // What went well may be folded away.
            let open = if style == "pass" { "" } else { " open" };
            write!(
                into,
                "<details class=\"region {style}\"{open}><summary>{title}</summary>\n{}</details>\n",
                region.inside
            )
        };
    }
}
