//! Slots of a rack file without a rack of its own: one script by hand (`headend run`, `python script.py`), and `headend up` with the file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{Process, program, repository};
use headend_integration::{Client, Lab, eventually};
use headend_wire::api::RackList;
use serde_json::Value;

/// Says something on the serial line and passes with what comes back.
const SCRIPT: &str = r#"
    connect("any server", "by hand");
    reserve_slot(1);
    power(true);
    serial_send("hello\n");
    let said = "";
    for look in 0..100 {
        let read = serial_read();
        if !read.lines.is_empty() { said = read.lines[0].text; break; }
        wait(0.1);
    }
    capture("seen.png");
    result(if said == "hello" { PASS } else { FAIL }, said);
"#;

/// A folder with a rack file and a script. Slot 1 is a virtual box, slot 2 has a test pattern, a switch that is a file, and a serial port behind
/// which somebody repeats all that he hears.
struct Bench {
    folder: tempfile::TempDir,
    _echo: Echo,
}

/// A child that is killed with its owner.
struct Echo(std::process::Child);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bench {
    /// `None`: the tools are not here. `HEADEND_DEVICE_TOOLS`: that is a failure.
    async fn set_up(rack: &str) -> Option<Self> {
        let is_there = |program: &str| Command::new(program).arg("-version").output().is_ok();
        let missing: Vec<_> = ["ffmpeg", "socat"].into_iter().filter(|program| !is_there(program)).collect();
        assert!(
            missing.is_empty() || std::env::var_os("HEADEND_DEVICE_TOOLS").is_none(),
            "{missing:?} must be there: HEADEND_DEVICE_TOOLS is set"
        );
        if !missing.is_empty() {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("headend-bench-").tempdir().unwrap();
        let port = folder.path().join("port");
        let mut echo = Command::new("socat");
        echo.arg(format!("pty,raw,echo=0,link={}", port.display())).arg("EXEC:/bin/cat");
        let echo = Echo(echo.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("a serial port", || async { port.exists().then_some(()) }).await;
        let bench = Self { folder, _echo: echo };
        bench.write("rack.toml", &bench.rack_file(rack));
        bench.write("script.rhai", SCRIPT);
        Some(bench)
    }

    fn rack_file(&self, rack: &str) -> String {
        format!(
            r#"
[rack]
{rack}

[[slot]]
no = 1
virtual = {{ seed = 7, virtual_time = true }}

[[slot]]
no = 2
dut = "box-2"
capture = {{ ffmpeg = {{ input = {{ lavfi = "testsrc2=size=320x180:rate=25" }}, width = 320, height = 180 }} }}
power = {{ command = {{ on = ["/usr/bin/touch", "{on}"], off = ["/bin/rm", "-f", "{on}"] }} }}
serial = {{ serial = {{ port = "{port}" }} }}
"#,
            on = self.path("on").display(),
            port = self.path("port").display(),
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// `headend run --file rack.toml … script.rhai`.
    fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        let words = [&["run", "--out", "out", "--file", "rack.toml"], more, &["script.rhai"]].concat();
        let output = Command::new(program()).args(words).current_dir(self.folder.path()).output().unwrap();
        (output.status.code(), said(&output))
    }
}

/// All that was said, with single blanks: long lines are broken wherever the terminal ends.
fn said(output: &Output) -> String {
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_script_by_hand_drives_real_tools() {
    let Some(bench) = Bench::set_up("").await else { return };
    let (code, said) = bench.run(&["--slot", "2"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("PASS: hello"), "{said}");
    assert!(bench.path("on").is_file(), "the switch was switched");
    let log = std::fs::read_to_string(bench.path("out/log.jsonl")).unwrap();
    assert!(log.contains("\"real_slot\":2"), "{log}");
    let png = std::fs::read(bench.path("out/seen.png")).unwrap();
    assert_eq!((&png[1..4], &png[16..24]), (b"PNG".as_slice(), [0, 0, 1, 64, 0, 0, 0, 180].as_slice()), "320x180");
}

#[tokio::test]
async fn what_cannot_be_driven_by_hand_is_told_before_anything_starts() {
    let Some(bench) = Bench::set_up("").await else { return };
    for (more, word) in [
        (vec![], "rack.toml has the slots 1, 2, and none is chosen"),
        (vec!["--slot", "9"], "rack.toml has no slot 9"),
        (vec!["--slot", "1", "--slots", "2"], "cannot be used with"),
    ] {
        let (code, said) = bench.run(&more);
        assert!(code == Some(2) && said.contains(word), "{code:?} {said}");
    }
    let session = |more: &[&str]| {
        let words = [&["session", "--out", "out"], more].concat();
        let output = Command::new(program()).args(words).current_dir(bench.folder.path()).output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, said) = session(&["--file", "rack.toml", "--slot", "rack1/2"]);
    assert!(code == Some(2) && said.contains("rack1/2 is a slot of a server"), "{code:?} {said}");
    let (code, said) = session(&["--slot", "2"]);
    assert!(code == Some(2) && said.contains("2 is no slot of a server"), "{code:?} {said}");

    // A tool that does not work is not the script's failure.
    let text = std::fs::read_to_string(bench.path("rack.toml")).unwrap();
    bench.write("rack.toml", &text.replace("power = { command = {", "power = { command = { probe = [\"/bin/false\"],"));
    let (code, said) = bench.run(&["--slot", "2"]);
    assert!(code == Some(3) && said.contains("the tools of slot 2 do not work") && said.contains("power"), "{said}");
    // The same words as of a rack that does not go up.
    bench.write("rack.toml", &text.replace("seed = 7", "sede = 7"));
    for command in [
        &["run", "--file", "rack.toml", "script.rhai"][..],
        &["rack", "--file", "rack.toml"],
        &["up", "--port", "0", "--data", "data", "--file", "rack.toml"],
    ] {
        let output = Command::new(program()).args(command).current_dir(bench.folder.path()).output().unwrap();
        let said = self::said(&output);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("1 mistake in rack.toml; nothing is started"), "{command:?}: {said}");
        assert!(said.contains("there is no key `sede` here"), "{command:?}: {said}");
    }
    assert!(!bench.path("out").exists() && !bench.path("data").exists() && !bench.path("on").exists());
}

#[tokio::test]
async fn nobody_drives_by_hand_what_a_rack_drives() {
    let lab = Lab::start(1).await;
    let rack = format!(
        "name = \"bench\"\nserver = \"http://127.0.0.1:{}\"\ndata = \"{}\"",
        lab.port,
        lab.folder.path().join("bench").display()
    );
    let Some(bench) = Bench::set_up(&rack).await else { return };
    let token = lab.enrol_token().await;
    let file = bench.path("rack.toml");
    let arguments = ["rack", "--file", file.to_str().unwrap(), "--token", &token];
    let mut daemon = Process::spawn(&arguments, &[], &bench.path("rack.log"));
    free(&lab.client, 2, &daemon).await;
    let (code, said) = bench.run(&["--slot", "2"]);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("the rack of rack.toml is up") && said.contains("headend reserve bench/2"), "{said}");
    daemon.stop();
}

/// Waits until the slot of the rack `bench` can be had.
async fn free(client: &Client, no: u16, daemon: &Process) {
    eventually(&format!("slot {no} of bench to be free: {}", daemon.log()), || async {
        let answer = client.send(client.request(reqwest::Method::GET, "/racks")).await.ok()?;
        let list: RackList = answer.json();
        let bench = list.racks.into_iter().find(|rack| rack.rack == "bench")?;
        bench.slots.into_iter().any(|slot| slot.slot == no && slot.state == "free").then_some(())
    })
    .await;
}

#[tokio::test]
async fn server_and_rack_of_a_file_go_up_in_one() {
    let Some(bench) = Bench::set_up("name = \"bench\"\nserver = \"http://127.0.0.1:1\"").await else { return };
    let (file, data) = (bench.path("rack.toml"), bench.path("data"));
    let arguments = ["up", "--json", "--port", "0", "--data", data.to_str().unwrap(), "--file", file.to_str().unwrap()];
    let mut daemon = Process::spawn(&arguments, &[], &bench.path("up.log"));
    let ready: Value = eventually("the word that all is ready", || async {
        let said = daemon.log();
        let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["event"] == "ready")
    })
    .await;
    assert_eq!((&ready["rack"], &ready["slots"]), (&Value::from("bench"), &Value::from(2)));
    assert!(daemon.log().contains("`server` is for `headend rack`"), "{}", daemon.log());
    let client =
        Client::new(ready["server"].as_str().unwrap(), &token(Path::new(ready["credentials"].as_str().unwrap())));
    free(&client, 2, &daemon).await;
    client.upload("public", &[("script.rhai", SCRIPT.as_bytes())]).await;
    let job = client.submit(&request("by hand", &slots("bench", [2]), [test("script.rhai")])).await.job;
    let run = &client.finished(job).await.run_list[0];
    assert_eq!((run.result, run.comment.as_str()), (111, "hello"), "{}", daemon.log());
    assert!(bench.path("on").is_file());
    assert!(daemon.stop().success(), "{}", daemon.log());
}

fn token(credentials: &Path) -> String {
    let text = std::fs::read_to_string(credentials).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("token = ")).unwrap();
    line.trim_matches('"').to_owned()
}

#[tokio::test]
async fn a_python_script_at_a_prompt_drives_real_tools_and_is_told_where_its_files_are() {
    let Some(python) = std::env::var_os("HEADEND_PYTHON3") else { return };
    let Some(bench) = Bench::set_up("").await else { return };
    bench.write(
        "script.py",
        "import stormtest.ClientAPI as S\n\
         S.ConnectToServer('of another lab', '')\n\
         assert S.ReserveSlot(7) and S.PowerOnSTB()\n\
         row = S.CaptureImageEx(None, 'seen')[0]\n\
         assert row[1], row\n\
         S.ReturnTestResult(S.TM.PASS)\n",
    );
    let output = Command::new(python)
        .arg("script.py")
        .current_dir(bench.folder.path())
        .env("PYTHONPATH", repository().join("sdk/python"))
        .env("HEADEND_PROGRAM", program())
        .env("HEADEND_RACK_FILE", "rack.toml")
        .env("HEADEND_SLOT", "2")
        .output()
        .unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    let folder = said.split("log and captures of the session are in ").nth(1).unwrap_or_else(|| panic!("{said}"));
    let folder = Path::new(folder.split_whitespace().next().unwrap());
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().any(|name| name == "logfile.html") && left.iter().any(|name| name == "seen.jpg"), "{left:?}");
    assert!(bench.path("on").is_file(), "{said}");
}
