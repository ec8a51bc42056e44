//! Where words go: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, Color, ContentArrangement, Table};
use serde::Serialize;

use crate::failure::Result;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How this run of the program talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    /// Data as JSON.
    pub(crate) json: bool,
    /// Little talk.
    pub(crate) quiet: bool,
    color: ColorChoice,
}

impl Ui {
    pub(crate) const fn new(json: bool, quiet: bool, color: ColorChoice) -> Self {
        Self { json, quiet, color }
    }

    /// Data for people.
    #[allow(clippy::unused_self, reason = "callers talk one way, whatever it needs")]
    pub(crate) fn print(self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()?;
        Ok(())
    }

    /// Data for programs.
    pub(crate) fn print_json<T: Serialize>(self, data: &T) -> Result<()> {
        let text = serde_json::to_string_pretty(data).map_err(io::Error::other)?;
        self.print(&text)
    }

    /// One line of JSON, for streams.
    pub(crate) fn print_json_line<T: Serialize>(self, data: &T) -> Result<()> {
        let text = serde_json::to_string(data).map_err(io::Error::other)?;
        self.print(&text)
    }

    /// The same data either way.
    pub(crate) fn show<T: Serialize>(self, data: &T, people: impl FnOnce(&T) -> String) -> Result<()> {
        if self.json { self.print_json(data) } else { self.print(&people(data)) }
    }

    /// Talk.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            // Nobody to hear it is no failure.
            writeln!(io::stderr(), "{text}").ok();
        }
    }

    /// Progress bars make sense.
    pub(crate) fn has_bars(self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal() && !is_dumb()
    }

    /// Standard output takes colours.
    pub(crate) fn colors_stdout(self) -> bool {
        self.colors(io::stdout().is_terminal())
    }

    /// Standard error takes colours.
    pub(crate) fn colors_stderr(self) -> bool {
        self.colors(io::stderr().is_terminal())
    }

    fn colors(self, is_terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
            ColorChoice::Auto => set("CLICOLOR_FORCE") || (is_terminal && !is_dumb()),
        }
    }

    /// A table without frames, so that lines can be cut by other programs.
    pub(crate) fn table(self, heads: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        if io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        if self.colors_stdout() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(heads.iter().map(|head| Cell::new(head).add_attribute(comfy_table::Attribute::Bold)));
        table
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The table as text: no frame, no blanks at the ends of lines.
pub(crate) fn text(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()).to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A cell with text from outside.
pub(crate) fn cell(text: &str) -> Cell {
    Cell::new(plain(text))
}

/// A cell in the colour of what it says.
pub(crate) fn verdict(text: &str, color: Color) -> Cell {
    cell(text).fg(color)
}

/// Text from scripts and servers without control characters: nobody else steers the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A time of the server in the time zone of the reader, to the second.
pub(crate) fn when(time: &str) -> String {
    let Ok(time) = time.parse::<jiff::Timestamp>() else { return plain(time) };
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The same, or `-`.
pub(crate) fn when_or_dash(time: Option<&String>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| when(time))
}

/// `1 run`, `2 runs`.
pub(crate) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(plain("ok\x1b[31mred\x07\r\n"), "ok [31mred");
        assert_eq!(plain("a\u{202e}b"), "a b");
        assert_eq!(plain("Menü öffnen"), "Menü öffnen");
    }
}
