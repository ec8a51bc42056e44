//! What a rack file says of a machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys;
use crate::{DriverError, Place, programs};

/// A machine. It has a screen, a keyboard, a serial port, and only those other devices that the options name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Name or path of QEMU. Default: `qemu-system-x86_64`.
    pub program: String,
    /// Kind of machine, as for QEMU's `-machine`. Default: `pc`. `pc,graphics=off` lets the firmware speak on the serial port too.
    pub machine: String,
    /// `tcg` (in software, everywhere) or `kvm` (by the processor, needs `/dev/kvm`). Default: `tcg`.
    pub accel: Accel,
    /// Memory in MiB, 1 to 65536. Default: 256.
    pub memory_mib: u32,
    /// Processors, 1 to 64. Default: 1.
    pub cpus: u32,
    /// Screen, as for QEMU's `-vga`. Default: `std`.
    pub vga: String,
    /// Image of a disk. Default: none, so the machine shows its firmware.
    pub disk: Option<PathBuf>,
    /// Kind of the image: `raw` or `qcow2`. Default: by its name, `qcow2` for that ending, else `raw`.
    pub disk_format: Option<String>,
    /// What the machine writes stays in the image. Default: false, every start is from the image as it was.
    pub keep_writes: bool,
    /// More arguments for QEMU, each as it is, such as `["-nic", "user", "-boot", "menu=on"]`. Default: none.
    pub args: Vec<String>,
    /// Keys that are to be others than by default: from the Client API's name, in either spelling, to QEMU's key code or several with `+`
    /// between them, such as `Guide = "ctrl+g"`. Default: none.
    pub keys: BTreeMap<String, String>,
    /// How long a key is held, in milliseconds, 20 to 2000. Default: 80.
    pub key_ms: u32,
    /// Most pictures a second that are asked for, 1 to 30; none unless somebody looks. Default: 10.
    pub fps: u32,
    /// Milliseconds without a byte after which a line of the serial port without an end is given as a line; 0: never. Default: 1000.
    pub quiet_ms: u32,
}

/// What executes the machine's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// Software.
    #[default]
    Tcg,
    /// The processor.
    Kvm,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: "qemu-system-x86_64".into(),
            machine: "pc".into(),
            accel: Accel::Tcg,
            memory_mib: 256,
            cpus: 1,
            vga: "std".into(),
            disk: None,
            disk_format: None,
            keep_writes: false,
            args: Vec::new(),
            keys: BTreeMap::new(),
            key_ms: 80,
            fps: 10,
            quiet_ms: crate::tools::serial::quiet_ms(),
        }
    }
}

impl Options {
    /// What can be said without starting the machine.
    ///
    /// # Errors
    /// The first key that is wrong, its value, and what to do.
    pub fn check(&self) -> Result<(), DriverError> {
        self.found()?;
        within("memory_mib", self.memory_mib, 1, 65_536)?;
        within("cpus", self.cpus, 1, 64)?;
        within("key_ms", self.key_ms, 20, 2_000)?;
        within("fps", self.fps, 1, 30)?;
        keys::check(&self.keys)?;
        self.check_disk()?;
        if self.accel == Accel::Kvm && !Path::new("/dev/kvm").exists() {
            return Err(DriverError(
                "`accel` is kvm, and /dev/kvm is not there; say tcg, or let the host give its processor's help".into(),
            ));
        }
        Ok(())
    }

    fn check_disk(&self) -> Result<(), DriverError> {
        match &self.disk {
            Some(disk) if !disk.is_file() => {
                Err(DriverError(format!("`disk` {} is no file; check the path", disk.display())))
            }
            Some(_) if !matches!(self.format(), "raw" | "qcow2") => {
                Err(DriverError(format!("`disk_format` is {:?}; it is raw or qcow2", self.format())))
            }
            _ => Ok(()),
        }
    }

    /// Where QEMU is.
    pub(super) fn found(&self) -> Result<PathBuf, DriverError> {
        programs::find(&self.program, "on Debian install qemu-system-x86, or give the program's whole path")
    }

    fn format(&self) -> &str {
        let by_name = |disk: &PathBuf| disk.extension().is_some_and(|ending| ending == "qcow2");
        let usual = if self.disk.as_ref().is_some_and(by_name) { "qcow2" } else { "raw" };
        self.disk_format.as_deref().unwrap_or(usual)
    }

    /// How long one picture is shown, in microseconds.
    pub(super) fn frame_us(&self) -> u64 {
        1_000_000 / u64::from(self.fps.max(1))
    }

    /// The command line. The machine is made and stands still until it is told to go on, so nothing is missed.
    pub(super) fn arguments(&self, place: &Place) -> Vec<OsString> {
        let accel = match self.accel {
            Accel::Tcg => "tcg",
            Accel::Kvm => "kvm",
        };
        let plain = [
            ("-name", format!("headend-slot-{}", place.slot)),
            ("-machine", self.machine.clone()),
            ("-accel", accel.to_owned()),
            ("-m", self.memory_mib.to_string()),
            ("-smp", self.cpus.to_string()),
            ("-vga", self.vga.clone()),
            ("-display", "none".to_owned()),
            ("-mon", "chardev=qmp,mode=control".to_owned()),
            ("-serial", "chardev:serial".to_owned()),
        ];
        let mut arguments: Vec<OsString> =
            ["-S", "-nodefaults", "-no-user-config", "-no-shutdown"].map(OsString::from).into();
        arguments.extend(plain.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
        for name in ["qmp", "serial"] {
            let socket = valued(&format!("socket,id={name},server=on,wait=off,path="), &socket_of(place, name));
            arguments.extend(["-chardev".into(), socket]);
        }
        if let Some(disk) = &self.disk {
            let snapshot = if self.keep_writes { "off" } else { "on" };
            let drive = format!("if=ide,format={},snapshot={snapshot},file=", self.format());
            arguments.extend(["-drive".into(), valued(&drive, disk)]);
        }
        arguments.extend(self.args.iter().map(OsString::from));
        arguments
    }
}

/// Where QEMU listens.
pub(super) fn socket_of(place: &Place, name: &str) -> PathBuf {
    place.scratch.join(format!("{name}.sock"))
}

/// A path at the end of a list of options: a comma in it is written twice.
fn valued(before: &str, path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = before.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        bytes.extend(std::iter::repeat_n(*byte, if *byte == b',' { 2 } else { 1 }));
    }
    OsString::from_vec(bytes)
}

fn within(key: &str, value: u32, least: u32, most: u32) -> Result<(), DriverError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(DriverError(format!("`{key}` is {value}; it is {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Options {
        Options { program: "/bin/sh".into(), ..Options::default() }
    }

    #[test]
    fn a_machine_without_a_disk_needs_no_options() {
        let options: Options = toml::from_str("").unwrap();
        assert_eq!(options, Options::default());
        let said = toml::from_str::<Options>("memory = 512").unwrap_err().to_string();
        assert!(said.contains("memory_mib"), "{said}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_value() {
        here().check().unwrap();
        let wrong = |change: fn(&mut Options)| {
            let mut options = here();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(wrong(|o| o.program = "no-such-qemu".into()).contains("\"no-such-qemu\" is not on PATH"));
        assert!(wrong(|o| o.memory_mib = 0).contains("`memory_mib` is 0; it is 1 to 65536"));
        assert!(wrong(|o| o.fps = 60).contains("`fps` is 60"));
        assert!(wrong(|o| o.disk = Some("/nowhere/box.img".into())).contains("/nowhere/box.img is no file"));
        let format = wrong(|o| (o.disk, o.disk_format) = (Some("/bin/sh".into()), Some("vmdk".into())));
        assert!(format.contains("`disk_format` is \"vmdk\""), "{format}");
    }

    #[test]
    fn paths_with_commas_reach_the_machine_whole() {
        let place = Place { slot: 3, scratch: "/tmp/a,b".into() };
        let options = Options { disk: Some("/box,1.qcow2".into()), ..Options::default() };
        let said: Vec<_> = options.arguments(&place).into_iter().map(|word| word.into_string().unwrap()).collect();
        assert!(said.contains(&"socket,id=qmp,server=on,wait=off,path=/tmp/a,,b/qmp.sock".to_owned()), "{said:?}");
        assert!(said.contains(&"if=ide,format=qcow2,snapshot=on,file=/box,,1.qcow2".to_owned()), "{said:?}");
        assert!(said.contains(&"headend-slot-3".to_owned()), "{said:?}");
    }
}
