//! Rack files: `headend rack check` and `headend rack schema`, and what every command that goes by one has in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comfy_table::Color;
use headend_rack::folder::DataFolder;
use headend_rack::options::{SlotDriver, Wiring};
use headend_rack::wiring::{self, Fault, Look, Probed, RackFile};
use headend_rack::{RackError, RackOptions};
use serde::Serialize;

use super::life;
use crate::args::OutputArgs;
use crate::credentials;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{self, Ui, cell, verdict};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What a rack file wires, slot by slot, and what is wrong with it.
    Check {
        /// The rack file.
        file: PathBuf,
        /// Start every tool and try it. Devices may notice: a machine is switched on, a port is opened.
        #[arg(long)]
        probe: bool,
    },
    /// What may stand in a rack file, as JSON Schema, for editors.
    Schema,
}

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Row {
    /// `None`: the file as a whole, or a slot without a number.
    slot: Option<u16>,
    /// `capture`, `remote`, `power`, `serial`; `-`: all of it.
    face: String,
    tool: String,
    /// `fine`, `wrong`, or after a probe `works` and `fails`.
    state: &'static str,
    /// What it is, or what is wrong and what helps.
    detail: String,
    /// Where it stands, if it is wrong.
    line: Option<usize>,
}

impl Row {
    fn of_fault(fault: &Fault) -> Self {
        let key = fault.key.split('.').next().unwrap_or_default();
        let face = if key.is_empty() || fault.slot.is_none() { "-" } else { key };
        let (tool, line) = ("-".to_owned(), Some(fault.line));
        Self { slot: fault.slot, face: face.to_owned(), tool, state: "wrong", detail: fault.to_string(), line }
    }

    const fn is_wrong(&self) -> bool {
        matches!(self.state.as_bytes(), b"wrong" | b"fails")
    }
}

pub(crate) fn run(command: &Command, output: OutputArgs, ui: Ui) -> Result<()> {
    match command {
        Command::Check { file, probe } => {
            life::log(ui, output, "error");
            check(file, *probe, ui)
        }
        Command::Schema => ui.print(wiring::schema().trim_end()),
    }
}

/// A rack file without a fault; with one, nothing is started.
pub(super) fn read(path: &Path) -> Result<RackFile> {
    let look = look(path)?;
    let mistakes = ui::count(look.faults.len() as u64, "mistake");
    look.into_file(path).map_err(|faults| {
        Failure::new(Exit::Usage, "rack_file", format!("{mistakes} in {}; nothing is started", path.display()))
            .because(faults)
            .help("`headend rack check FILE` shows slot by slot what is wired; `headend rack schema` what may stand there")
    })
}

/// A rack with the slots of its file in place of virtual boxes.
pub(super) fn with(options: RackOptions, file: RackFile) -> RackOptions {
    let probe_every = file.rack.probe_every().unwrap_or(options.probe_every);
    RackOptions { probe_every, slots: file.slots, ..options }
}

/// Slots of a rack file that a script drives without the rack, and what keeps the rack from going up meanwhile.
pub(super) struct Borrowed {
    pub(super) slots: BTreeMap<u16, SlotDriver>,
    _folder: Option<DataFolder>,
}

/// These slots of a rack file, the only one if none is named. Refused while a rack is up with the file: one program drives a device.
pub(super) fn borrow(path: &Path, wanted: &[u16]) -> Result<Borrowed> {
    let file = read(path)?;
    let slots = chosen(path, &file, wanted)?;
    let folder = hold(path, &file, &slots)?;
    Ok(Borrowed { slots, _folder: folder })
}

fn chosen(path: &Path, file: &RackFile, wanted: &[u16]) -> Result<BTreeMap<u16, SlotDriver>> {
    let there = || file.slots.keys().map(u16::to_string).collect::<Vec<_>>().join(", ");
    if wanted.is_empty() && file.slots.len() > 1 {
        let message = format!("{} has the slots {}, and none is chosen", path.display(), there());
        return Err(Failure::usage(message).help("say which with --slot; several times for several"));
    }
    if let Some(no) = wanted.iter().find(|no| !file.slots.contains_key(no)) {
        let message = format!("{} has no slot {no}", path.display());
        return Err(Failure::usage(message).help(format!("its slots are {}", there())));
    }
    let is_wanted = |no: &u16| wanted.is_empty() || wanted.contains(no);
    Ok(file.slots.iter().filter(|(no, _)| is_wanted(no)).map(|(no, slot)| (*no, slot.clone())).collect())
}

/// The data folder that a rack with this file uses unless it is told otherwise, if there has been such a rack: it is locked while one is up.
fn hold(path: &Path, file: &RackFile, slots: &BTreeMap<u16, SlotDriver>) -> Result<Option<DataFolder>> {
    let folder = match (&file.rack.data, &file.rack.name) {
        (Some(data), _) => data.clone(),
        (None, Some(name)) => credentials::default_data()?.join(name),
        (None, None) => return Ok(None),
    };
    // A virtual box is made anew for everybody who wants one.
    if !folder.is_dir() || !slots.values().any(|slot| matches!(slot, SlotDriver::Wired(_))) {
        return Ok(None);
    }
    DataFolder::open(&folder).map(Some).map_err(|error| match error {
        RackError::FolderInUse { pid, .. } => {
            let rack = file.rack.name.as_deref().unwrap_or("rack");
            let slot = slots.keys().next().copied().unwrap_or(1);
            let (file, folder) = (path.display(), folder.display());
            let message = format!("the rack of {file} is up (process {pid}, in {folder}): it drives these slots");
            Failure::new(Exit::Conflict, "rack_up", message).help(format!(
                "submit a job, or reserve the slot: headend reserve {rack}/{slot} --for 30m, then headend run --slot {rack}/{slot} \
                 SCRIPT, or HEADEND_SLOT={rack}/{slot} python script.py; if that process goes by another file, give `data` in [rack] a folder of its own"
            ))
        }
        error => super::rack::failed(error),
    })
}

/// Reads a rack file and looks at everything that can be known without starting a tool.
fn look(path: &Path) -> Result<Look> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, error))?;
    Ok(Look::at(&text))
}

fn check(file: &Path, probe: bool, ui: Ui) -> Result<()> {
    let look = look(file)?;
    let probed = if probe { probe_all(&look)? } else { BTreeMap::new() };
    let rows = rows(&look, &probed);
    let wrong = rows.iter().filter(|row| row.is_wrong()).count() as u64;
    ui.show(&rows, |rows| table(ui, rows))?;
    if wrong == 0 {
        return Ok(());
    }
    let what = if look.faults.is_empty() { "tool does not work" } else { "mistake" };
    let count =
        if look.faults.is_empty() && wrong > 1 { format!("{wrong} tools do not work") } else { ui::count(wrong, what) };
    ui.say(&format!("{}: {count}", file.display()));
    Err(Failure::silent(if look.faults.is_empty() { Exit::CouldNotRun } else { Exit::Usage }))
}

/// The tools of slots in which nothing is wrong, one slot after the other: they may share a bus.
fn probe_all(look: &Look) -> Result<BTreeMap<u16, Probed>> {
    life::runtime()?.block_on(async {
        let mut probed = BTreeMap::new();
        for (no, slot) in &look.file.slots {
            let faulty = look.faults.iter().any(|fault| fault.slot == Some(*no));
            if let SlotDriver::Wired(wiring) = slot
                && !faulty
            {
                let words = tokio::select! {
                    words = wiring::probe(wiring) => words,
                    _ = tokio::signal::ctrl_c() => return Err(Failure::silent(Exit::Interrupted)),
                };
                probed.insert(*no, words);
            }
        }
        Ok(probed)
    })
}

fn rows(look: &Look, probed: &BTreeMap<u16, Probed>) -> Vec<Row> {
    let mut rows: Vec<Row> = look.faults.iter().map(Row::of_fault).collect();
    for (no, slot) in &look.file.slots {
        match slot {
            SlotDriver::Virtual(stb) => {
                let clock = if stb.virtual_time { "virtual time" } else { "real time" };
                let size = stb.stb.picture;
                rows.push(Row {
                    slot: Some(*no),
                    face: "-".to_owned(),
                    tool: "virtual".to_owned(),
                    state: "fine",
                    detail: format!("{}, {}x{}, {clock}", stb.name, size.width(), size.height()),
                    line: None,
                });
            }
            SlotDriver::Wired(wiring) => rows.extend(wired(wiring, look, probed.get(no))),
        }
    }
    rows.sort_by_key(|row| row.slot);
    rows
}

/// Faces that are wired and of which nothing wrong was told.
fn wired(wiring: &Wiring, look: &Look, probed: Option<&Probed>) -> Vec<Row> {
    let no = wiring.no;
    let told = |name: &str| {
        let of_it = |fault: &&Fault| fault.slot == Some(no) && fault.key.split('.').next() == Some(name);
        look.faults.iter().any(|fault| of_it(&fault))
    };
    let fine = wiring.wired().into_iter().filter(|(face, tool)| !told(face.name()) && !told(tool));
    let row = |(face, tool): (headend_rack::driver::wired::Face, &str)| {
        let (state, detail) = match probed {
            None => ("fine", String::new()),
            Some(Err(error)) => ("fails", error.to_string()),
            Some(Ok(words)) => match words.get(&face) {
                Some(Ok(word)) => ("works", word.clone()),
                Some(Err(error)) => ("fails", error.to_string()),
                None => ("fails", format!("{tool} gives no {face} as it is set up")),
            },
        };
        Row { slot: Some(no), face: face.to_string(), tool: tool.to_owned(), state, detail, line: None }
    };
    fine.map(row).collect()
}

fn table(ui: Ui, rows: &[Row]) -> String {
    let mut table = ui.table(&["SLOT", "FACE", "TOOL", "STATE", "DETAIL"]);
    for row in rows {
        let color = if row.is_wrong() { Color::Red } else { Color::Green };
        let line = row.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        table.add_row([
            cell(&row.slot.map_or_else(|| "-".to_owned(), |no| no.to_string())),
            cell(&row.face),
            cell(&row.tool),
            verdict(row.state, color),
            cell(&format!("{line}{}", row.detail)),
        ]);
    }
    ui::text(&table)
}
