//! What people write into rack files, and what they are told.

use std::path::Path;

use headend_drivers::Place;

use super::keeper::Tools;
use super::{Look, probe};
use crate::driver::wired::Face;
use crate::options::{SlotDriver, Wiring};

const FILE: &str = "rack.toml";

fn look(text: &str) -> Look {
    Look::at(text)
}

/// All faults, a line each.
fn told(text: &str) -> String {
    look(text).into_file(Path::new(FILE)).unwrap_err().to_string()
}

fn wiring(text: &str) -> Wiring {
    let file = look(text).into_file(Path::new(FILE)).unwrap();
    let Some(SlotDriver::Wired(wiring)) = file.slots.get(&1) else { panic!("{file:?}") };
    wiring.clone()
}

#[test]
fn slots_may_be_virtual_machines_or_wired_face_by_face() {
    let text = r#"
        [rack]
        name = "rack1"
        server = "http://lab:8001"
        probe_every_s = 5

        [[slot]]
        no = 1
        virtual = { seed = 7, picture = "1080p", boot_ms = 0, chances = "lose-key 0.5", virtual_time = true }

        [[slot]]
        no = 4
        dut = "bench-4"
        fake = { memory_mib = 64 }
        remote.port.path = "/dev/null"

        [[slot]]
        no = 5
        [slot.serial.port]
        path = "/dev/zero"
    "#;
    let file = look(text).into_file(Path::new(FILE)).unwrap();
    assert_eq!((file.rack.name.as_deref(), file.rack.probe_every().unwrap().as_secs()), (Some("rack1"), 5));
    assert_eq!(file.slots.keys().copied().collect::<Vec<_>>(), [1, 4, 5]);
    let SlotDriver::Virtual(stb) = &file.slots[&1] else { panic!("{file:?}") };
    assert_eq!((stb.name.as_str(), stb.virtual_time, stb.stb.seed, stb.stb.boot_ms), ("virtual-1", true, 7, 0));
    assert!((stb.stb.chances.lose_key - 0.5).abs() < 1e-9);
    let SlotDriver::Wired(bench) = &file.slots[&4] else { panic!("{file:?}") };
    assert_eq!((bench.dut.as_deref(), bench.kind().as_str()), (Some("bench-4"), "fake+port"));
    let wired = [(Face::Capture, "fake"), (Face::Remote, "port"), (Face::Power, "fake"), (Face::Serial, "fake")];
    assert_eq!(bench.wired(), wired);
    let SlotDriver::Wired(line) = &file.slots[&5] else { panic!("{file:?}") };
    assert_eq!(line.wired(), [(Face::Serial, "port")]);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place_and_what_helps() {
    let text = r#"[rack]
nmae = "rack1"
[[slot]]
no = 1
virtual = { sede = 7, picture = "4k" }
fake = {}
[[slot]]
no = 1
capture = { port = { path = "/dev/null" } }
serial = { port = { path = 7 } }
[[slot]]
dut = ""
fake = { memory_mib = 4096 }
qemu = {}
[[slot]]
no = 9
[[slot]]
no = 3
port = { path = "/dev/null" }
remote = { fake = {} }
power = { lever = {} }
[[slot]]
no = 4
qemu = { program = "no-such-qemu" }
"#;
    let told = told(text);
    let wanted = [
        "rack.toml:2:1: rack.nmae = \"rack1\": there is no key `nmae` here; known: name, server, data, probe_every_s; \
         did you mean `name`?",
        "slot 1, virtual: a virtual box has no tools; take `virtual` away, or the tools",
        "rack.toml:8:6: slot.no = 1: slot 1 stands in line 4 already; give each slot a number of its own",
        "slot 1, capture.port: port gives no capture; write `capture = { TOOL = { … } }` with one of ",
        "rack.toml:10:21: slot 1, serial.port.path = 7: invalid type: integer `7`",
        "slot: the slot has no number; add `no = 1`, or the next one",
        "rack.toml:12:7: dut = \"\": this is no name of a DUT; give 1 to 200 characters that can be printed",
        "rack.toml:13:1: fake: memory_mib = 4096: at most 1024",
        "rack.toml:14:1: qemu: the slot is a fake already; give it one machine",
        "rack.toml:24:1: slot 4, qemu: program = \"no-such-qemu\" is not on PATH; on Debian install qemu-system-x86",
        "slot 9: nothing is wired to the slot; give it `virtual = {}`",
        "rack.toml:19:1: slot 3, port: port is not a whole device; write `serial = { port = { … } }` or \
         `remote = { port = { … } }`",
        "slot 3, remote.fake: fake is a whole machine; write `fake = { … }` beside `no`",
        "slot 3, power.lever: there is no tool `lever`",
    ];
    for part in wanted {
        assert!(told.contains(part), "{part}\n--- is not in\n{told}");
    }
}

#[test]
fn a_virtual_box_is_checked_as_on_the_command_line() {
    let text = "[[slot]]\nno = 1\nvirtual = { sede = 7, picture = \"4k\", chances = \"gremlins 0.5\", boot_ms = 0 }";
    let told = told(text);
    for part in ["virtual.sede = 7: there is no key `sede` here; known: seed,", "did you mean `seed`?"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(told.contains("virtual.picture = \"4k\": unknown variant `4k`"), "{told}");
    assert!(told.contains("gremlins") && told.contains("lose-key"), "{told}");
    assert!(self::told("[[slot]]\nno = 1\nvirtual = { boot_ms = 9000000 }").contains("boot-ms = 9000000"), "an hour");
}

#[test]
fn one_port_serves_one_slot_whatever_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("by-id");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let text = format!(
        "[[slot]]\nno = 1\nserial = {{ port = {{ path = '/dev/null' }} }}\n[[slot]]\nno = 2\nserial = {{ port = {{ path = '{}' }} }}\n",
        link.display()
    );
    let told = told(&text);
    let wanted = "rack.toml:6:12: slot 2, serial.port: serial port /dev/null is wired to slot 1 in line 3 already; two slots \
                  cannot share it: give this one another";
    assert_eq!(told, wanted);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let told = told("[[slot]]\nno = \n");
    assert!(told.starts_with("rack.toml:2:") && told.contains("this is no TOML"), "{told}");
    assert!(self::told("").contains("the rack has no slots"));
    assert!(self::told("slot = 3").contains("write `[[slot]]` above each slot"));
    assert!(
        self::told("[[slot]]\nno = 0\nvirtual = {}")
            .contains("slot.no = 0: this is no number of a slot; give 1 to 1024")
    );
}

#[tokio::test]
async fn a_tool_is_what_it_is_wired_to_be_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let wiring = wiring("[[slot]]\nno = 1\nfake = {}\nserial = { port = { path = '/dev/null' } }");
    let words = probe(&wiring).await.unwrap();
    assert_eq!(words.keys().copied().collect::<Vec<_>>(), Face::ALL);
    assert!(words.values().all(Result::is_ok));
    let place = Place { slot: 1, scratch: folder.path().join("again") };
    let gear = wiring.start(&place).await.unwrap();
    let labels: Vec<_> = gear.tools.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["serial", "capture, remote, power"]);
    assert!(place.scratch.join("serial").is_dir() && place.scratch.join("fake").is_dir());
}

#[tokio::test]
async fn what_does_not_come_up_says_which_tool_it_was() {
    let wiring = wiring("[[slot]]\nno = 1\nserial = { port = { path = '/dev/no-such-port' } }");
    let error = probe(&wiring).await.unwrap_err().to_string();
    assert_eq!(error, "serial (port): /dev/no-such-port is not there");
}
