//! What is wrong in a rack file, and where.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

/// Most characters of a value that are shown.
const LONGEST_VALUE: usize = 60;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Line in the file, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// Number of the slot, if it is known by then.
    pub slot: Option<u16>,
    /// The key, from the table down: `capture.ffmpeg.source`. Empty: the file or the slot as a whole.
    pub key: String,
    /// What stands there, shortened. Empty: nothing, or a whole table.
    pub value: String,
    /// What is wrong.
    pub problem: String,
    /// What helps. Empty: the problem says so already.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot.map(|no| format!("slot {no}"));
        let value = if self.value.is_empty() { String::new() } else { format!(" = {}", self.value) };
        let key = (!self.key.is_empty()).then(|| format!("{}{value}", self.key));
        let place: Vec<String> = slot.into_iter().chain(key).collect();
        if !place.is_empty() {
            write!(f, "{}: ", place.join(", "))?;
        }
        f.write_str(&self.problem)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// A rack file that cannot be used: all that is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// At least one, by line.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    /// A line for each, as compilers do: `rack.toml:12:3: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{}:{}: {fault}", self.file.display(), fault.line, fault.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The text of a rack file, and what was found in it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) faults: Vec<Fault>,
}

/// Where something stands.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) slot: Option<u16>,
    pub(super) key: String,
    pub(super) span: Range<usize>,
}

impl At {
    /// A key below this one.
    pub(super) fn below(&self, key: &str, span: Range<usize>) -> Self {
        let key = if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) };
        Self { slot: self.slot, key, span }
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, faults: Vec::new() }
    }

    /// Notes a fault without a value.
    pub(super) fn fault(&mut self, at: &At, problem: impl Into<String>, remedy: impl Into<String>) {
        self.fault_of(at, None, problem, remedy);
    }

    /// Notes a fault; `value`: where what is wrong stands.
    pub(super) fn fault_of(
        &mut self,
        at: &At,
        value: Option<Range<usize>>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (line, column) = place(self.text, at.span.start);
        let value = value.and_then(|span| self.text.get(span)).map(shortened).unwrap_or_default();
        let (problem, remedy) = (problem.into(), remedy.into());
        self.faults.push(Fault { line, column, slot: at.slot, key: at.key.clone(), value, problem, remedy });
    }

    /// The line in which something stands.
    pub(super) fn line(&self, at: &At) -> usize {
        place(self.text, at.span.start).0
    }
}

/// Line and character, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

fn shortened(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_VALUE {
        return line;
    }
    let start: String = line.chars().take(LONGEST_VALUE).collect();
    format!("{start}…")
}
