//! `logfile.html`: what happened in a run, for people. Made at its end of `log.jsonl`, `console.txt` and the pictures beside it.
//!
//! One file that needs no other but the pictures: styles are inside, there is no script at all, and the page forbids itself to load anything from
//! elsewhere. Folding is `<details>`, filters are check boxes. All text of scripts and devices is escaped; names of files become links only below
//! the run's own folder.

mod console;
mod escape;
mod lines;
mod sources;
mod tree;
mod versions;

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use headend_wire::session::SessionInfo;
use serde_json::Value;

use super::playable;
use super::source::Source;
use crate::options::LogLimits;
use crate::session::recorder::CONSOLE_TIMES;
use console::Console;
use escape::escaped;
use sources::Sources;
use tree::Tree;

/// Its name.
pub const FILE: &str = "logfile.html";

/// Longest page that films are shown on, in bytes: beyond what the logs of a run can make.
const LONGEST: u64 = 512 << 20;

const STYLE: &str = include_str!("style.css");

/// Nothing from elsewhere, and no scripts, even if something slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:; media-src 'self' file:";

/// What the head of the page tells.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What the run was.
    pub info: &'a SessionInfo,
    /// How it ended.
    pub how: &'a str,
    /// What has run.
    pub sources: &'a [Source],
}

/// Writes the page into a run's folder. A run without one is a run all the same: what goes wrong is noted in the rack's own log.
pub fn write(folder: &Path, about: &About<'_>, limits: LogLimits) {
    let written = read(&folder.join("log.jsonl"), limits.log_bytes).and_then(|log| {
        let console = read(&folder.join("console.txt"), limits.log_bytes)?;
        let times = read(&folder.join(CONSOLE_TIMES), limits.log_bytes)?;
        let mut console = Console::new(&console, &String::from_utf8_lossy(&times));
        put(&folder.join(FILE), page(about, folder, &String::from_utf8_lossy(&log), &mut console).as_bytes())
    });
    if let Err(error) = written {
        tracing::warn!(%error, folder = %folder.display(), "a run has no log page");
    }
}

/// Shows films on a page that is there, those of which there is an MP4 by now.
pub fn show_films(folder: &Path, films: &[PathBuf]) {
    let page = folder.join(FILE);
    let shown = read(&page, LONGEST).and_then(|bytes| {
        let before = String::from_utf8_lossy(&bytes);
        let there = films.iter().filter_map(|film| playable::name(film.file_name()?.to_str()?));
        let there = there.filter(|mp4| folder.join(mp4).is_file());
        let after =
            there.fold(before.to_string(), |page, mp4| page.replace(&lines::place_of(&mp4), &lines::film(&mp4)));
        if after == before { Ok(()) } else { put(&page, after.as_bytes()) }
    });
    if let Err(error) = shown {
        tracing::warn!(%error, folder = %folder.display(), "films are not shown on the page of a run");
    }
}

/// A script may write in that folder, too: a link is not followed, and no more is read than we have written.
pub(super) fn read(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(64 << 10)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new().create_new(true).write(true).open(path)?;
    file.write_all(bytes)
}

/// The whole page. `folder`: where the files lie that events name.
fn page(about: &About<'_>, folder: &Path, log: &str, console: &mut Console<'_>) -> String {
    // A line that somebody has spoilt is shown as it is.
    let events = log.lines().filter(|line| !line.is_empty()).map(|line| {
        serde_json::from_str(line).unwrap_or_else(|_| serde_json::json!({ "kind": "unreadable", "text": line }))
    });
    let mut tree = Tree::default();
    let mut steps = Vec::new();
    let mut numbers = Vec::new();
    let mut versions = versions::of(about);
    let sources = Sources::new(about.sources);
    for event in events {
        collect(&event, &mut steps, &mut numbers);
        versions::collect(&event, &mut versions);
        if let Some(at) = event["at"].as_i64() {
            tree.line(&console.until(at));
        }
        match event["kind"].as_str().unwrap_or_default() {
            "region" => {
                let name = event["name"].as_str().unwrap_or_default();
                tree.open(name, &lines::time(&event), sources.places(&event));
            }
            "region_end" if event["ok"] == true => tree.close(
                event["name"].as_str().unwrap_or_default(),
                event["style"].as_str(),
                event["comment"].as_str(),
            ),
            _ => tree.line(&lines::line(&event, folder, &sources)),
        }
    }
    tree.line(&console.rest());
    let sources = sources.section();
    let mut out = String::with_capacity(tree.len() + sources.len() + (16 << 10));
    out.push_str(&head(about));
    out.push_str(&table("Steps", ["step", "result", "comment"], &steps));
    out.push_str(&table("Measurements", ["what", "value", "unit and limits"], &numbers));
    out.push_str(&table("Versions", ["what", "which", "remark"], &versions));
    out.push_str("<main>\n");
    out.push_str(&tree.finish());
    out.push_str("</main>\n");
    out.push_str(&sources);
    out.push_str("</body></html>\n");
    out
}

/// Rows of the tables in front: the first cell, the second with its class, the third.
fn collect(event: &Value, steps: &mut Vec<[String; 4]>, numbers: &mut Vec<[String; 4]>) {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match event["kind"].as_str() {
        Some("step_end") => {
            let (words, class) = lines::result(event);
            steps.push([text("name"), words, class.to_owned(), text("comment")]);
        }
        Some("measure") => {
            let class = if event["within"] == false { "fail" } else { "" };
            numbers.push([text("name"), event["value"].to_string(), class.to_owned(), lines::unit_and_limits(event)]);
        }
        _ => {}
    }
}

fn head(about: &About<'_>) -> String {
    let About { info, how, .. } = about;
    let script = Path::new(&info.script).file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy());
    let slots = info.slots.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let run = if info.under_daemon {
        format!("job {}, run {}, attempt {}, rack {}, slots {slots}", info.job, info.run, info.attempt, info.rack)
    } else {
        format!("run by hand, slots {slots}")
    };
    let arguments = if info.args.is_empty() { String::new() } else { format!(" {}", info.args.join(" ")) };
    let mut head = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n\
         <header><h1>{title}<small>{arguments}</small></h1><p>{run}</p><p class=\"how\">{how}</p></header>\n",
        title = escaped(&script),
        arguments = escaped(&arguments),
        run = escaped(&run),
        how = escaped(how),
    );
    for filter in ["error", "warning", "info", "verbose", "serial", "console"] {
        // Writing to a string cannot fail.
        let _ = writeln!(
            head,
            "<input type=\"checkbox\" id=\"show-{filter}\" checked><label for=\"show-{filter}\">{filter}</label>"
        );
    }
    head
}

fn table(title: &str, heads: [&str; 3], rows: &[[String; 4]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let [one, two, three] = heads;
    let mut out = format!("<h2>{title}</h2>\n<table><tr><th>{one}<th>{two}<th>{three}</tr>\n");
    for [first, second, class, third] in rows {
        let [first, second, third] = [first, second, third].map(|cell| escaped(cell));
        let _ = writeln!(out, "<tr class=\"{class}\"><td>{first}<td>{second}<td>{third}</tr>");
    }
    out.push_str("</table>\n");
    out
}

#[cfg(test)]
mod tests;
