//! The page: one file, no scripts, nothing from elsewhere.

use std::fmt::Write;

use super::{Load, long, rows, svg, thousandths};
use crate::figures::Figures;

const STYLE: &str = "body{font:15px/1.45 sans-serif;margin:2em auto;max-width:64em;padding:0 1em;color:#222;background:#fff}\
table{border-collapse:collapse;margin:1em 0}th,td{padding:.25em .8em;text-align:right;border-bottom:1px solid #ddd}\
th:first-child,td:first-child,td.what{text-align:left}td.what{color:#666;font-size:.85em}svg{max-width:100%;height:auto}";

/// A page that stands alone.
pub fn html(load: &Load, all: &[Figures]) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>What if: {}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>What if</h1>\n<p>{}</p>\n",
        escape(&load.source),
        escape(&load.line())
    );
    table(&mut out, all);
    out.push_str(&svg(all));
    owners(&mut out, all);
    refused(&mut out, all);
    out.push_str(
        "<p>Played on a virtual clock by the scheduler's own step. Racks never fail here, starting takes no time, and \
         policies answer at once. Each run takes the same time under every policy. Percentages in brackets compare with \
         the first case.</p>\n</body>\n</html>\n",
    );
    out
}

// Writing to a string cannot fail, here and below.
fn table(out: &mut String, all: &[Figures]) {
    out.push_str("<table>\n<tr><th></th>");
    for figures in all {
        write!(out, "<th>{}</th>", escape(&figures.case)).ok();
    }
    out.push_str("<th></th></tr>\n");
    for row in rows(all) {
        write!(out, "<tr><td>{}</td>", row.name).ok();
        for cell in &row.cells {
            write!(out, "<td>{}</td>", escape(cell)).ok();
        }
        writeln!(out, "<td class=\"what\">{}</td></tr>", row.what).ok();
    }
    out.push_str("</table>\n");
}

fn owners(out: &mut String, all: &[Figures]) {
    out.push_str(
        "<h2>Owners</h2>\n<table>\n<tr><th>case</th><th>owner</th><th>runs</th><th>share of time running</th></tr>\n",
    );
    for figures in all {
        for (name, owner) in &figures.owners {
            let (case, name, share) = (escape(&figures.case), escape(name), thousandths(owner.share));
            writeln!(out, "<tr><td>{case}</td><td>{name}</td><td>{}</td><td>{share}</td></tr>", owner.runs).ok();
        }
    }
    out.push_str("</table>\n");
}

fn refused(out: &mut String, all: &[Figures]) {
    let lines = all.iter().flat_map(|figures| {
        let of = figures.refused.iter().flat_map(|(policy, reasons)| reasons.iter().map(move |why| (policy, why)));
        of.map(|(policy, (reason, count))| format!("{}: {policy} was refused {count} times: {reason}", figures.case))
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        out.push_str("<h2>Refused</h2>\n<ul>\n");
        for line in &lines {
            writeln!(out, "<li>{}</li>", escape(line)).ok();
        }
        out.push_str("</ul>\n");
    }
    let covered = all.iter().filter_map(|figures| Some((&figures.case, figures.coverage.get(90).copied()??)));
    for (case, when) in covered {
        writeln!(out, "<p>{}: nine in ten tests had been started once after {}.</p>", escape(case), long(when)).ok();
    }
}

/// Text from outside stays text.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
