//! The table.

use std::fmt::Write;

use super::{Load, Row, rows};
use crate::figures::Figures;

/// A row per figure, a column per case.
pub fn text(load: &Load, all: &[Figures]) -> String {
    let mut out = load.line();
    let rows = rows(all);
    let head = Row { name: "", what: "", cells: all.iter().map(|figures| figures.case.clone()).collect() };
    let lines: Vec<&Row> = std::iter::once(&head).chain(&rows).collect();
    let names = lines.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..all.len()).map(|at| width(&lines, at)).collect();
    for row in lines {
        let mut line = format!("{:names$}", row.name);
        for (cell, width) in row.cells.iter().zip(&widths) {
            // Writing to a string cannot fail, here and below.
            write!(line, "  {cell:>width$}").ok();
        }
        write!(out, "\n{}", line.trim_end()).ok();
    }
    for figures in all {
        refusals(&mut out, figures);
    }
    out
}

fn width(lines: &[&Row], at: usize) -> usize {
    lines.iter().filter_map(|row| row.cells.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn refusals(out: &mut String, figures: &Figures) {
    for (policy, reasons) in &figures.refused {
        for (reason, count) in reasons {
            write!(out, "\n{}: {policy} was refused {count} times: {reason}", figures.case).ok();
        }
    }
}
