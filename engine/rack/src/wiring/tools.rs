//! The tools that a rack file may name, and what the rack has to know of each: its options are its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use headend_drivers::tools::{adb, command, ffmpeg, lirc, pdudaemon, qemu, serial};
use headend_drivers::{DriverError, Place};
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::fault::{At, Source};
use super::keeper::{Tools, fresh};
use super::typed::typed;
use crate::driver::wired::{Face, Gear};

/// What the rack asks of the options of a tool.
pub trait Spec: Send + Sync + fmt::Debug {
    /// As in the rack file.
    fn name(&self) -> &'static str;

    /// Looks for what makes no sense and what is missing on this machine, touching no device: numbers, files, programs.
    ///
    /// # Errors
    /// The key, its value and what helps.
    fn check(&self) -> Result<(), DriverError>;

    /// What it needs for itself alone.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// Starts it. All that it can be is in the answer, used or not.
    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>>;
}

/// A tool with its options.
pub type ToolOptions = Arc<dyn Spec>;

/// Something that only one tool of a rack can have: a port, a card, an outlet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// What it is, for people: `serial port`.
    pub what: &'static str,
    /// Which one: `/dev/ttyUSB0`.
    pub which: String,
}

impl Claim {
    /// A file of a device: two names of one file are one claim.
    pub fn device(what: &'static str, path: &Path) -> Self {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self { what, which: path.display().to_string() }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.which)
    }
}

/// A kind of tool.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What it can be for a slot.
    pub(super) faces: &'static [Face],
    /// May stand for one face: `capture = { ffmpeg = … }`.
    pub(super) alone: bool,
    /// May stand for the whole slot: `qemu = { … }`.
    pub(super) machine: bool,
    pub(super) read: fn(&mut Source<'_>, &At, &DeTable<'_>) -> Option<ToolOptions>,
}

fn read<T: Spec + DeserializeOwned + 'static>(
    source: &mut Source<'_>,
    at: &At,
    table: &DeTable<'_>,
) -> Option<ToolOptions> {
    typed::<T>(source, at, table).map(|options| Arc::new(options) as ToolOptions)
}

/// All of them.
pub(super) static KINDS: &[Kind] = &[
    Kind { name: "qemu", faces: &Face::ALL, alone: false, machine: true, read: read::<qemu::Options> },
    Kind { name: "adb", faces: &[Face::Capture, Face::Remote], alone: true, machine: true, read: read::<adb::Options> },
    Kind { name: "ffmpeg", faces: &[Face::Capture], alone: true, machine: false, read: read::<ffmpeg::Options> },
    Kind { name: "lirc", faces: &[Face::Remote], alone: true, machine: false, read: read::<lirc::Options> },
    Kind { name: "pdudaemon", faces: &[Face::Power], alone: true, machine: false, read: read::<pdudaemon::Options> },
    Kind { name: "command", faces: &[Face::Power], alone: true, machine: false, read: read::<command::Options> },
    Kind { name: "serial", faces: &[Face::Serial], alone: true, machine: false, read: read::<serial::Options> },
    #[cfg(test)]
    Kind { name: "fake", faces: &Face::ALL, alone: false, machine: true, read: read::<super::fake::FakeOptions> },
    #[cfg(test)]
    Kind {
        name: "port",
        faces: &[Face::Serial, Face::Remote],
        alone: true,
        machine: false,
        read: read::<super::fake::PortOptions>,
    },
];

pub(super) fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What a slot is wired to.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// Number of the slot.
    pub no: u16,
    /// Name of the DUT that stands there: made known to the server, and placed there at the first sight.
    pub dut: Option<String>,
    /// A tool that is the whole device: it is what no other tool is wired to be.
    pub machine: Option<ToolOptions>,
    /// A tool per face.
    pub faces: BTreeMap<Face, ToolOptions>,
}

impl Wiring {
    /// Nothing is wired.
    pub fn is_empty(&self) -> bool {
        self.machine.is_none() && self.faces.is_empty()
    }

    /// Names of its tools: `qemu`, `ffmpeg+lirc`.
    pub fn kind(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for tool in self.machine.iter().chain(self.faces.values()) {
            if !names.contains(&tool.name()) {
                names.push(tool.name());
            }
        }
        names.join("+")
    }

    /// What is wired, and to which tool.
    pub fn wired(&self) -> Vec<(Face, &'static str)> {
        let by_machine = self.machine.as_ref().and_then(|machine| kind_named(machine.name()));
        let tool = |face: Face| {
            let alone = self.faces.get(&face).map(|tool| tool.name());
            alone.or_else(|| by_machine.filter(|kind| kind.faces.contains(&face)).map(|kind| kind.name))
        };
        Face::ALL.into_iter().filter_map(|face| Some((face, tool(face)?))).collect()
    }
}

impl Tools for Wiring {
    fn start<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Gear, DriverError>> {
        async move {
            let mut gear = Gear::default();
            for (face, tool) in &self.faces {
                let part = start_at(tool, face.name(), place).await?;
                gear.take(&[*face], part);
            }
            if let Some(machine) = &self.machine {
                let rest: Vec<Face> = Face::ALL.into_iter().filter(|face| !self.faces.contains_key(face)).collect();
                let part = start_at(machine, machine.name(), place).await?;
                gear.take(&rest, part);
            }
            Ok(gear)
        }
        .boxed()
    }
}

/// A tool in a folder of its own below that of the slot.
async fn start_at(tool: &ToolOptions, folder: &str, place: &Place) -> Result<Gear, DriverError> {
    let place = Place { slot: place.slot, scratch: place.scratch.join(folder) };
    fresh(&place)?;
    let told = |error| match folder {
        same if same == tool.name() => DriverError(format!("{same}: {error}")),
        face => DriverError(format!("{face} ({}): {error}", tool.name())),
    };
    tool.start(&place).await.map_err(told)
}

impl Gear {
    /// Takes these faces from what a tool can be.
    fn take(&mut self, faces: &[Face], part: Self) {
        let mut taken = Vec::new();
        for face in faces {
            let there = match face {
                Face::Capture => part.capture.clone().map(|tool| self.capture = Some(tool)),
                Face::Remote => part.remote.clone().map(|tool| self.remote = Some(tool)),
                Face::Power => part.power.clone().map(|tool| self.power = Some(tool)),
                Face::Serial => part.serial.clone().map(|tool| self.serial = Some(tool)),
            };
            if there.is_some() {
                taken.push(face.name());
            }
        }
        let label = taken.join(", ");
        self.tools.extend(part.tools.into_iter().map(|(_, tool)| (label.clone(), tool)));
    }
}
