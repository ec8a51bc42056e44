//! The two tables as rows.

/// In the order of the columns.
pub(super) const IDENTITIES: [&str; 5] = ["olga", "theo", "admin", "nobody", "rack"];

/// One line: a call by example, and what each identity gets.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// `METHOD /path header=value`, or the name of a method.
    pub(super) call: &'static str,
    /// The body, or the arguments.
    pub(super) given: &'static str,
    wanted: [i64; 5],
    line: usize,
}

impl Row {
    pub(super) fn wanted(&self, who: &str) -> i64 {
        let at = IDENTITIES.iter().position(|known| *known == who).unwrap();
        self.wanted[at]
    }

    /// Whether it names something of the owner's.
    pub(super) fn names_hers(&self, hers: impl Fn(&str) -> bool) -> bool {
        hers(self.call) || hers(self.given)
    }

    pub(super) fn told(&self) -> String {
        format!("line {}: {} {}", self.line, self.call, self.given)
    }
}

/// Reads a table. Comments and blank lines are passed over.
pub(super) fn read(text: &'static str) -> Vec<Row> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(line, number)| row(line, number)).collect()
}

fn row(text: &'static str, line: usize) -> Row {
    let cells: Vec<&'static str> = text.split(" | ").map(str::trim).collect();
    let [call, given, verdicts @ ..] = &cells[..] else { panic!("line {line} is no row: {text}") };
    let wanted: Vec<i64> = verdicts.iter().map(|cell| cell.parse().unwrap()).collect();
    let wanted = wanted.try_into().unwrap_or_else(|_| panic!("line {line} does not have five verdicts: {text}"));
    Row { call, given, wanted, line }
}
