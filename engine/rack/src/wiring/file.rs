//! The rack file: which tools stand behind which slot.
//!
//! ```toml
//! [rack]
//! name = "rack1"
//!
//! [[slot]]
//! no = 1
//! virtual = { seed = 7 }
//!
//! [[slot]]
//! no = 2
//! dut = "bench-2"
//! qemu = { memory_mib = 128 }
//! remote = { lirc = { remote = "box" } }
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_model::RackName;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{At, Fault, Faults, Source};
use super::tools::{Claim, KINDS, Kind, ToolOptions, kind_named};
use super::typed::{known_names, typed};
use super::virtual_table::VirtualTable;
use crate::driver::wired::Face;
use crate::options::{SlotDriver, Wiring};

/// Most slots of a rack.
const MOST_SLOTS: i64 = 1_024;
/// Keys of a slot's table besides tools.
const SLOT_KEYS: [&str; 7] = ["no", "dut", "virtual", "capture", "remote", "power", "serial"];
/// Longest name of a DUT.
const LONGEST_DUT: usize = 200;

/// What a rack file says.
#[derive(Clone, Debug, Default)]
pub struct RackFile {
    /// `[rack]`.
    pub rack: RackTable,
    /// `[[slot]]`, by number.
    pub slots: BTreeMap<u16, SlotDriver>,
}

/// `[rack]`: what the command line may say as well, and then wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RackTable {
    /// Name of the rack.
    pub name: Option<String>,
    /// Address of the server.
    pub server: Option<String>,
    /// Folder of everything that the rack keeps.
    pub data: Option<PathBuf>,
    /// How often the tools of an idle slot are probed, in seconds.
    pub probe_every_s: Option<u32>,
}

impl RackTable {
    /// How often the tools of an idle slot are probed.
    pub fn probe_every(&self) -> Option<Duration> {
        self.probe_every_s.map(|seconds| Duration::from_secs(u64::from(seconds)))
    }
}

/// What a look into a rack file has brought: all that could be read, and all that is wrong.
#[derive(Clone, Debug)]
pub struct Look {
    /// As far as it could be read.
    pub file: RackFile,
    /// By line.
    pub faults: Vec<Fault>,
}

impl Look {
    /// Reads the text of a file and looks at everything that can be known without starting a tool.
    pub fn at(text: &str) -> Self {
        let mut reader = Reader { source: Source::new(text), claims: BTreeMap::new(), numbers: BTreeMap::new() };
        let file = reader.read();
        let mut faults = reader.source.faults;
        faults.sort_by_key(|fault| (fault.line, fault.column));
        Self { file, faults }
    }

    /// The file, if nothing is wrong with it.
    ///
    /// # Errors
    /// [`Faults`]: all that is wrong.
    pub fn into_file(self, path: &Path) -> Result<RackFile, Faults> {
        if self.faults.is_empty() {
            return Ok(self.file);
        }
        Err(Faults { file: path.to_owned(), faults: self.faults })
    }
}

struct Reader<'a> {
    source: Source<'a>,
    /// What only one slot can have, and which one has it in which line.
    claims: BTreeMap<Claim, (u16, usize)>,
    /// In which line a slot stands.
    numbers: BTreeMap<u16, usize>,
}

type Entry<'t, 'i> = (&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

impl Reader<'_> {
    fn read(&mut self) -> RackFile {
        let text = self.source.text;
        let (document, errors) = DeTable::parse_recoverable(text);
        let nowhere = At { slot: None, key: String::new(), span: 0..0 };
        if !errors.is_empty() {
            for error in errors {
                let at = At { span: error.span().unwrap_or(0..0), ..nowhere.clone() };
                self.source.fault(&at, format!("this is no TOML: {}", error.message()), "");
            }
            return RackFile::default();
        }
        let mut file = RackFile::default();
        for (key, value) in document.get_ref() {
            let at = nowhere.below(key.get_ref(), key.span());
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("rack", DeValue::Table(table)) => file.rack = self.rack(&at, table),
                ("slot", DeValue::Array(slots)) => {
                    for slot in slots {
                        self.slot(slot, &mut file);
                    }
                }
                ("rack", _) => self.source.fault(&at, "this is not a table", "write `[rack]` above its keys"),
                ("slot", _) => {
                    self.source.fault(&at, "this is not a list of tables", "write `[[slot]]` above each slot");
                }
                (name, _) => {
                    self.source.fault(
                        &at,
                        format!("there is no key `{name}` here"),
                        known_names(name, &["rack", "slot"]),
                    );
                }
            }
        }
        if file.slots.is_empty() && self.source.faults.is_empty() {
            self.source.fault(&nowhere, "the rack has no slots", "write a table `[[slot]]` for each");
        }
        file
    }

    fn rack(&mut self, at: &At, table: &DeTable<'_>) -> RackTable {
        let rack: RackTable = typed(&mut self.source, at, table).unwrap_or_default();
        let of = |key: &str| table.get(key).map_or(at.clone(), |value| at.below(key, value.span()));
        if let Some(Err(error)) = rack.name.as_deref().map(RackName::new) {
            self.source.fault(&of("name"), error.to_string(), "");
        }
        if rack.probe_every_s == Some(0) {
            self.source.fault(&of("probe_every_s"), "0 seconds between probes", "give at least 1");
        }
        rack
    }

    fn slot(&mut self, slot: &Spanned<DeValue<'_>>, file: &mut RackFile) {
        let at = At { slot: None, key: "slot".to_owned(), span: slot.span() };
        let DeValue::Table(table) = slot.get_ref() else {
            return self.source.fault(&at, "this is not a table", "write `[[slot]]` above each slot");
        };
        let no = self.number(&at, table);
        let at = At { slot: no, key: String::new(), span: slot.span() };
        let dut = self.dut(&at, table);
        let mut wiring = Wiring { no: no.unwrap_or_default(), dut, machine: None, faces: BTreeMap::new() };
        for (key, value) in table {
            self.slot_key(&at, (key, value), &mut wiring);
        }
        let driver = match table.get("virtual") {
            Some(value) => {
                self.virtual_box(&at.below("virtual", value.span()), value, &wiring).map(SlotDriver::Virtual)
            }
            None if wiring.is_empty() => {
                // Whatever was meant to stand there was wrong, or there is nothing at all.
                if !table.keys().any(|key| names_a_tool(key.get_ref())) {
                    let remedy = "give it `virtual = {}`, a whole machine such as `qemu = { … }`, or one of capture, remote, \
                                  power and serial";
                    self.source.fault(&at, "nothing is wired to the slot", remedy);
                }
                None
            }
            None => Some(SlotDriver::Wired(wiring)),
        };
        if let (Some(no), Some(driver)) = (no, driver) {
            file.slots.entry(no).or_insert(driver);
        }
    }

    fn number(&mut self, at: &At, table: &DeTable<'_>) -> Option<u16> {
        let Some(value) = table.get("no") else {
            self.source.fault(at, "the slot has no number", "add `no = 1`, or the next one");
            return None;
        };
        let at = At { slot: None, key: "slot.no".to_owned(), span: value.span() };
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (1..=MOST_SLOTS).contains(number)).and_then(|no| u16::try_from(no).ok());
        let Some(no) = number else {
            self.source.fault_of(&at, Some(value.span()), "this is no number of a slot", "give 1 to 1024");
            return None;
        };
        let line = self.source.line(&at);
        if let Some(other) = self.numbers.get(&no) {
            let problem = format!("slot {no} stands in line {other} already");
            self.source.fault_of(&at, Some(value.span()), problem, "give each slot a number of its own");
            return Some(no);
        }
        self.numbers.insert(no, line);
        Some(no)
    }

    fn dut(&mut self, at: &At, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("dut")?;
        let at = at.below("dut", value.span());
        let DeValue::String(name) = value.get_ref() else {
            self.source.fault_of(&at, Some(value.span()), "the name of a DUT is text", "put it into quotes");
            return None;
        };
        if name.trim().is_empty() || name.chars().count() > LONGEST_DUT || name.chars().any(char::is_control) {
            let remedy = format!("give 1 to {LONGEST_DUT} characters that can be printed");
            self.source.fault_of(&at, Some(value.span()), "this is no name of a DUT", remedy);
            return None;
        }
        Some(name.to_string())
    }

    fn slot_key(&mut self, at: &At, (key, value): Entry<'_, '_>, wiring: &mut Wiring) {
        let name = key.get_ref().as_ref();
        let here = at.below(name, key.span());
        if let Some(face) = Face::ALL.into_iter().find(|face| face.name() == name) {
            if let Some(tool) = self.face(&here, face, value) {
                wiring.faces.insert(face, tool);
            }
        } else if let Some(kind) = kind_named(name) {
            self.machine(&here, kind, value, wiring);
        } else if !SLOT_KEYS.contains(&name) {
            let known: Vec<&str> =
                SLOT_KEYS.into_iter().chain(KINDS.iter().filter(|k| k.machine).map(|k| k.name)).collect();
            let problem = format!("there is no key `{name}` in a slot");
            self.source.fault(&here, problem, known_names(name, &known));
        }
    }

    /// `qemu = { … }` beside `no`: a tool that is the whole device.
    fn machine(&mut self, at: &At, kind: &Kind, value: &Spanned<DeValue<'_>>, wiring: &mut Wiring) {
        if !kind.machine {
            let faces: Vec<String> =
                kind.faces.iter().map(|face| format!("`{face} = {{ {} = {{ … }} }}`", kind.name)).collect();
            let problem = format!("{} is not a whole device", kind.name);
            return self.source.fault(at, problem, format!("write {}", faces.join(" or ")));
        }
        if let Some(other) = &wiring.machine {
            let problem = format!("the slot is a {} already", other.name());
            return self.source.fault(at, problem, "give it one machine");
        }
        wiring.machine = self.tool(at, kind, value);
    }

    /// `capture = { ffmpeg = { … } }`.
    fn face(&mut self, at: &At, face: Face, value: &Spanned<DeValue<'_>>) -> Option<ToolOptions> {
        let able: Vec<&str> =
            KINDS.iter().filter(|kind| kind.alone && kind.faces.contains(&face)).map(|kind| kind.name).collect();
        let remedy = || format!("write `{face} = {{ TOOL = {{ … }} }}` with one of {}", able.join(", "));
        let table = match value.get_ref() {
            DeValue::Table(table) if table.len() == 1 => table,
            DeValue::Table(table) => {
                self.source.fault(at, format!("{} tools are named here; it takes one", table.len()), remedy());
                return None;
            }
            _ => {
                self.source.fault_of(at, Some(value.span()), "this is not a table", remedy());
                return None;
            }
        };
        let (name, value) = table.iter().next()?;
        let here = at.below(name.get_ref(), name.span());
        match kind_named(name.get_ref()) {
            Some(kind) if kind.alone && kind.faces.contains(&face) => self.tool(&here, kind, value),
            Some(kind) if kind.machine && kind.faces.contains(&face) => {
                let remedy =
                    format!("write `{} = {{ … }}` beside `no`: it gives what is not wired otherwise", kind.name);
                self.source.fault(&here, format!("{} is a whole machine", kind.name), remedy);
                None
            }
            Some(kind) => {
                self.source.fault(&here, format!("{} gives no {face}", kind.name), remedy());
                None
            }
            None => {
                let name = name.get_ref();
                self.source.fault(&here, format!("there is no tool `{name}`"), known_names(name, &able));
                None
            }
        }
    }

    fn tool(&mut self, at: &At, kind: &Kind, value: &Spanned<DeValue<'_>>) -> Option<ToolOptions> {
        let DeValue::Table(table) = value.get_ref() else {
            let remedy = format!("write `{} = {{ … }}`; `headend rack schema` says what goes in", kind.name);
            self.source.fault_of(at, Some(value.span()), "this is not a table", remedy);
            return None;
        };
        // A table of its own, `[slot.qemu]`, has its head as its place.
        let tool = (kind.read)(&mut self.source, at, table)?;
        if let Err(error) = tool.check() {
            self.source.fault(at, error.to_string(), "");
        }
        self.claim(at, &tool);
        Some(tool)
    }

    fn claim(&mut self, at: &At, tool: &ToolOptions) {
        let (slot, line) = (at.slot.unwrap_or_default(), self.source.line(at));
        for claim in tool.claims() {
            if let Some((other, other_line)) = self.claims.get(&claim).filter(|(other, _)| *other != slot || slot == 0)
            {
                let problem = format!("{claim} is wired to slot {other} in line {other_line} already");
                self.source.fault(at, problem, "two slots cannot share it: give this one another");
            } else {
                // Two faces of one slot may be one device.
                self.claims.entry(claim).or_insert((slot, line));
            }
        }
    }

    fn virtual_box(
        &mut self,
        at: &At,
        value: &Spanned<DeValue<'_>>,
        wiring: &Wiring,
    ) -> Option<crate::options::VirtualOptions> {
        if !wiring.is_empty() {
            self.source.fault(at, "a virtual box has no tools", "take `virtual` away, or the tools");
            return None;
        }
        let DeValue::Table(table) = value.get_ref() else {
            self.source.fault_of(at, Some(value.span()), "this is not a table", "write `virtual = {}`");
            return None;
        };
        let read: VirtualTable = typed(&mut self.source, at, table)?;
        let options = read.options(wiring.no, wiring.dut.as_deref());
        if let Err(error) = options.stb.check() {
            self.source.fault(at, error.to_string(), "");
            return None;
        }
        Some(options)
    }
}

fn names_a_tool(key: &str) -> bool {
    Face::ALL.iter().any(|face| face.name() == key) || kind_named(key).is_some()
}
