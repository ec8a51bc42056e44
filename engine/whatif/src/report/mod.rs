//! What people see of figures: a table, a picture, a page. Cases stand side by side; the first is what the others are
//! compared with. The same figures make the same bytes.

mod html;
mod svg;
mod text;

pub use html::html;
pub use svg::svg;
pub use text::text;

use headend_model::Span;

use crate::figures::Figures;

/// What the load was, for the head of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Where it came from.
    pub source: String,
    /// Jobs in it.
    pub jobs: usize,
    /// Slots of all racks.
    pub slots: usize,
    /// What decides chance.
    pub seed: u64,
}

impl Load {
    fn line(&self) -> String {
        format!("{}: {} jobs on {} slots, seed {}", self.source, self.jobs, self.slots, self.seed)
    }
}

/// A figure by its name, in all cases.
struct Row {
    name: &'static str,
    what: &'static str,
    cells: Vec<String>,
}

/// Name, meaning, and where to look.
type Spanning = (&'static str, &'static str, fn(&Figures) -> Option<Span>);

fn rows(all: &[Figures]) -> Vec<Row> {
    let spans: [Spanning; 9] = [
        ("wait p50", "from acceptance of its job to the start of a run: half wait at most so long", |f| {
            Some(f.wait.p50)
        }),
        ("wait p95", "19 of 20 runs wait at most so long", |f| Some(f.wait.p95)),
        ("wait max", "the longest wait of a run", |f| Some(f.wait.max)),
        ("first start p95", "19 of 20 jobs have their first start within so long", |f| Some(f.first_start.p95)),
        ("turnaround p50", "from acceptance of a job to its end: half take at most so long", |f| {
            Some(f.turnaround.p50)
        }),
        ("turnaround p95", "19 of 20 jobs take at most so long", |f| Some(f.turnaround.p95)),
        ("makespan", "from the first arrival to the last end", |f| Some(f.makespan)),
        ("half covered", "half of all tests have been started once", |f| f.coverage.get(50).copied().flatten()),
        ("all covered", "all tests have been started once", |f| f.coverage.get(100).copied().flatten()),
    ];
    let mut rows: Vec<Row> = spans.map(|(name, what, get)| Row { name, what, cells: compared(all, get) }).into();
    rows.push(plain("idle", "share of slot time that nothing ran in", all, |f| percent(f.idle)));
    let fair = "Jain's index over owners' shares of run time in waiting and running; 1 is even";
    rows.push(plain("fairness", fair, all, |f| thousandths(f.fairness)));
    rows.push(plain("runs", "runs that were started", all, |f| f.runs.to_string()));
    rows.push(plain("not started", "runs that ended without a start", all, |f| f.never_started.to_string()));
    rows.push(plain("left open", "jobs that had not ended when nothing more would happen", all, |f| {
        f.left_open.to_string()
    }));
    rows.push(plain("refused", "placements of policies that were turned down", all, |f| sum(f).to_string()));
    rows.push(plain("failures", "questions that policies failed to answer", all, |f| {
        f.failures.values().sum::<u64>().to_string()
    }));
    rows.push(plain("stood in", "starts that the core chose in place of a plugin", all, |f| f.stood_in.to_string()));
    rows.push(plain("decisions", "digest: the same means the same starts in the same order", all, |f| {
        f.decisions.clone()
    }));
    rows
}

fn sum(figures: &Figures) -> u64 {
    figures.refused.values().flat_map(|of| of.values()).sum()
}

fn plain(name: &'static str, what: &'static str, all: &[Figures], get: impl Fn(&Figures) -> String) -> Row {
    Row { name, what, cells: all.iter().map(get).collect() }
}

/// Each with how far it is from the first.
fn compared(all: &[Figures], get: fn(&Figures) -> Option<Span>) -> Vec<String> {
    let first = all.first().and_then(get);
    let cell = |(at, figures): (usize, &Figures)| {
        let Some(span) = get(figures) else { return "never".to_owned() };
        let shown = long(span);
        match first {
            Some(first) if at > 0 => format!("{shown} ({})", change(first, span)),
            _ => shown,
        }
    };
    all.iter().enumerate().map(cell).collect()
}

fn change(from: Span, to: Span) -> String {
    let (from, to) = (from.as_micros(), to.as_micros());
    match (from, to) {
        (from, to) if from == to => "same".to_owned(),
        (0, _) => "new".to_owned(),
        (from, to) => {
            let tenths = (i128::from(to) - i128::from(from)) * 1_000 / i128::from(from);
            let (sign, tenths) = if to < from { ('-', -tenths) } else { ('+', tenths) };
            format!("{sign}{}.{} %", tenths / 10, tenths % 10)
        }
    }
}

/// `12.3 s`, `3 min 20 s`, `2 h 05 min`: by whole numbers, so that it is the same everywhere.
fn long(span: Span) -> String {
    let ms = span.as_millis().max(0);
    let s = ms / 1_000;
    match s {
        0..60 => format!("{}.{} s", s, ms % 1_000 / 100),
        60..3_600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3_600, s % 3_600 / 60),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn thousandths(number: f64) -> String {
    format!("{number:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_changes_read_well() {
        assert_eq!(long(Span::millis(12_340)), "12.3 s");
        assert_eq!(long(Span::seconds(200)), "3 min 20 s");
        assert_eq!(long(Span::seconds(7_500)), "2 h 05 min");
        assert_eq!(change(Span::seconds(10), Span::seconds(5)), "-50.0 %");
        assert_eq!(change(Span::seconds(8), Span::seconds(9)), "+12.5 %");
        assert_eq!(change(Span::ZERO, Span::seconds(9)), "new");
        assert_eq!(change(Span::seconds(9), Span::seconds(9)), "same");
    }
}
