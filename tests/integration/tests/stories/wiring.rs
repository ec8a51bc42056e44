//! A rack by its file: a virtual box beside a real machine, driven by one script; and what happens when the machine dies.

use std::path::Path;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{Process, program, repository};
use headend_integration::{Lab, eventually};
use headend_wire::api::{RackList, SlotItem, TestRequest};

const SCRIPT: &str = "rhai-screen/screen.rhai";

fn is_there(program: &str) -> bool {
    std::process::Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The programs of the story. `HEADEND_DEVICE_TOOLS`: that they are missing is a failure, not a reason to pass.
fn has_tools() -> bool {
    let missing: Vec<_> =
        ["qemu-system-x86_64", "tesseract"].into_iter().filter(|program| !is_there(program)).collect();
    assert!(
        missing.is_empty() || std::env::var_os("HEADEND_DEVICE_TOOLS").is_none(),
        "{missing:?} must be there: HEADEND_DEVICE_TOOLS is set"
    );
    missing.is_empty()
}

/// A machine whose disk can be taken away: without it, it does not come up again.
fn rack_file(lab: &Lab, disk: &Path) -> std::path::PathBuf {
    let path = lab.folder.path().join("bench.toml");
    let text = format!(
        r#"
[rack]
name = "bench"
server = "http://127.0.0.1:{port}"
data = "{data}"
probe_every_s = 1

[[slot]]
no = 1
dut = "drawn"
virtual = {{ seed = 7, virtual_time = true }}

[[slot]]
no = 2
dut = "machine"
qemu = {{ memory_mib = 32, disk = "{disk}" }}
"#,
        port = lab.port,
        data = lab.folder.path().join("bench").display(),
        disk = disk.display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

async fn slot(lab: &Lab, no: u16) -> Option<SlotItem> {
    let racks: RackList = lab.client.get("/racks").await.json();
    let bench = racks.racks.into_iter().find(|rack| rack.rack == "bench")?;
    bench.slots.into_iter().find(|slot| slot.slot == no)
}

async fn slot_is(lab: &Lab, no: u16, state: &str, detail: &str) {
    eventually(&format!("slot {no} of bench to be {state}, {detail:?}"), || async {
        slot(lab, no).await.filter(|slot| slot.state == state && slot.detail.contains(detail)).map(drop)
    })
    .await;
}

fn reads(key: &str, text: &str) -> TestRequest {
    TestRequest { args: format!("{key} {text}"), ..test(SCRIPT) }
}

async fn submit(lab: &Lab, no: u16, key: &str, text: &str) -> u64 {
    lab.client.submit(&request("screen", &slots("bench", [no]), [reads(key, text)])).await.job
}

async fn passes(lab: &Lab, bench: &Process, job: u64) {
    let detail = lab.client.finished(job).await;
    let run = &detail.run_list[0];
    assert_eq!(run.result, 111, "{}\n{}\n{}", run.comment, bench.log(), lab.logs());
}

/// The process of the machine in slot 2 of this lab's rack.
fn machine(lab: &Lab) -> rustix::process::Pid {
    let ours = lab.folder.path().to_str().unwrap().to_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut machines = pids.filter(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains("headend-slot-2") && words.contains(&ours)
    });
    rustix::process::Pid::from_raw(machines.next().expect("a machine runs")).unwrap()
}

#[tokio::test]
async fn a_machine_is_read_and_driven_and_its_slot_is_out_while_it_is_dead() {
    if !has_tools() {
        return;
    }
    let lab = Lab::start(1).await;
    let disk = lab.folder.path().join("disk.img");
    std::fs::write(&disk, vec![0; 1 << 20]).unwrap();
    let file = rack_file(&lab, &disk);
    let token = lab.enrol_token().await;
    let arguments = ["rack", "--file", file.to_str().unwrap(), "--token", &token];
    let bench = Process::spawn(&arguments, &[], &lab.folder.path().join("bench.log"));
    slot_is(&lab, 1, "free", "").await;
    slot_is(&lab, 2, "free", "").await;
    let script = std::fs::read(repository().join("examples").join(SCRIPT)).unwrap();
    lab.client.upload("public", &[(SCRIPT, &script)]).await;
    let drawn = submit(&lab, 1, "Menu", "Recordings").await;
    let real = submit(&lab, 2, "Ok", "SeaBIOS").await;
    passes(&lab, &bench, drawn).await;
    passes(&lab, &bench, real).await;

    std::fs::remove_file(&disk).unwrap();
    rustix::process::kill_process(machine(&lab), rustix::process::Signal::KILL).unwrap();
    slot_is(&lab, 2, "out", "disk.img is no file").await;
    let waits = submit(&lab, 2, "Ok", "SeaBIOS").await;
    let why: serde_json::Value = lab.client.get(&format!("/jobs/{waits}/why")).await.json();
    let at = &why["waiting"][0]["at"][0];
    assert_eq!(at["code"], "slot_out", "{why}");
    assert!(at["reason"].as_str().unwrap().contains("qemu"), "{why}");
    let other = submit(&lab, 1, "Menu", "Recordings").await;
    passes(&lab, &bench, other).await;

    std::fs::write(&disk, vec![0; 1 << 20]).unwrap();
    passes(&lab, &bench, waits).await;
}

/// No server, no rack: the machine is switched on for the script and goes with it.
#[test]
fn a_script_by_hand_reads_a_machine() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("headend-hand-").tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    std::fs::write(&disk, vec![0; 1 << 20]).unwrap();
    let text = format!("[[slot]]\nno = 6\nqemu = {{ memory_mib = 32, disk = \"{}\" }}\n", disk.display());
    std::fs::write(folder.path().join("rack.toml"), text).unwrap();
    let script = repository().join("examples").join(SCRIPT);
    let words = ["run", "--out", "out", "--file", "rack.toml", script.to_str().unwrap(), "Ok", "SeaBIOS"];
    let output = std::process::Command::new(program()).args(words).current_dir(folder.path()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let ours = disk.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let left = processes.filter(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(ours)
    });
    assert_eq!(left.count(), 0, "the machine is gone");
}

#[test]
fn a_rack_does_not_go_up_on_wrong_wiring_and_tells_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rack.toml");
    let text =
        "[rack]\nname = \"bench\"\n\n[[slot]]\nno = 1\nvirtual = { sede = 7 }\n\n[[slot]]\nno = 1\nvirtual = {}\n";
    std::fs::write(&file, text).unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(program()).args(arguments).arg(&file).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.code(), said)
    };
    let (code, said) = run(&["rack", "--file"]);
    assert_eq!(code, Some(2), "{said}");
    // Long lines are broken wherever the terminal ends.
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["2 mistakes in", "there is no key `sede` here", "slot 1 stands in line 5 already"] {
        assert!(words.contains(part), "{part}: {said}");
    }
    let (code, said) = run(&["--json", "rack", "check"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("\"state\": \"wrong\"") && said.contains("\"line\": 6"), "{said}");
}
