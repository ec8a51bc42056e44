//! What a Python run can reach and use up, and what happens when processes die under it: through the whole daemon.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use headend_model::run::Incomplete;
use headend_model::{Outcome, RunId};
use headend_rack::{Rack, RackHandle, RackOptions};
use rustix::process::{Pid, Signal, kill_process};

use crate::lab::Lab;
use crate::server::eventually;

const REPORT: &str = "from stormtest.ClientAPI import *\n";

impl Lab {
    fn data(&self) -> PathBuf {
        self.folder.path().join("rack")
    }

    async fn rack_with(&self, change: impl FnOnce(&mut RackOptions)) -> RackHandle {
        let mut options = self.options();
        change(&mut options);
        let rack = Rack::start(options).await.unwrap();
        assert!(rack.ready().await);
        rack
    }

    fn start(&self, text: &str, slot: u16) -> RunId {
        self.server.lease(self.server.order(("test1/script.py", &format!("{REPORT}{text}")), &[slot]))
    }

    async fn play(&self, text: &str) -> Outcome {
        self.server.outcome(self.start(text, 1)).await
    }

    fn out(&self, run: RunId) -> PathBuf {
        self.data().join(format!("runs/{run}-1"))
    }

    /// The warm interpreters of this lab's rack: they are told which folder to hide.
    fn zygotes(&self) -> Vec<Pid> {
        let hidden = self.data().canonicalize().unwrap();
        let is_ours = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let parent = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = parent.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap_or("0").to_owned();
            words.contains(&hidden.as_os_str().as_encoded_bytes()) && parent == std::process::id().to_string()
        };
        let pids = headend_rack::process::proc::all().into_iter().filter(is_ours);
        pids.filter_map(|pid| Pid::from_raw(pid as i32)).collect()
    }
}

/// Bytes on the disk below a folder.
fn used(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let sizes = entries.map(|path| {
        let file = std::fs::symlink_metadata(&path).unwrap();
        if file.is_dir() { used(&path) } else { file.blocks() * 512 }
    });
    sizes.sum()
}

fn limit(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Incomplete(Incomplete::Limit(text)) => text,
        other => panic!("no limit: {other}"),
    }
}

const SPY: &str = r#"
import os, sys
data = sys.argv[1]
touched = []
def touch(name, what):
    try:
        what()
    except (IOError, OSError):
        return
    touched.append(name)
for name in ("token", "journal", "lock", "slots"):
    touch("read " + name, lambda: open(os.path.join(data, name)).read())
# (Below /tmp it sees the folders on the way to its own, empty else.)
for name in ("runs", "files/blobs", "pids", "sockets", "files/copies"):
    mine = set(os.path.join(data, p) for p in ("runs/%s-1" % os.environ["HEADEND_RUN_ID"],
        "sockets/%s-1" % os.environ["HEADEND_RUN_ID"], STORMTEST_PUBLIC.split("/public")[0]))
    try:
        seen = [n for n in os.listdir(os.path.join(data, name)) if os.path.join(data, name, n) not in mine]
    except (IOError, OSError):
        continue
    touched += ["list %s/%s" % (name, one) for one in seen]
touch("environ", lambda: open("/proc/%d/environ" % int(sys.argv[2])).read())
touch("write", lambda: open("/etc/headend-was-here", "w").close())
open("mine.txt", "w").close()
open(os.path.join(os.environ["HEADEND_OUT_DIR"], "artifact.txt"), "w").close()
open(os.path.join(os.environ["TMPDIR"], "scratch"), "w").close()
print("touched %s" % touched)
ReturnTestResult(TM.FAIL if touched else TM.PASS)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_reaches_its_own_folders_and_not_the_racks() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    assert!(lab.data().join("token").exists());
    let mut order = lab.server.order(("test1/script.py", &format!("{REPORT}{SPY}")), &[1]);
    order.args = vec![lab.data().canonicalize().unwrap().display().to_string(), std::process::id().to_string()];
    let run = lab.server.lease(order);
    let outcome = lab.server.outcome(run).await;
    let console = std::fs::read_to_string(lab.out(run).join("console.txt")).unwrap_or_default();
    if rack.isolation().unwrap().landlock == 0 {
        println!("SKIPPED: this kernel has no Landlock");
        return;
    }
    assert!(outcome.is_pass(), "{outcome}: {console}");
    assert!(lab.out(run).join("artifact.txt").exists());
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_laid_for_the_rack_lead_it_nowhere() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let token = lab.data().join("token");
    let secret = std::fs::read_to_string(&token).unwrap();
    let outcome = lab
        .play(&format!(
            r#"
import os
os.chdir(os.environ["HEADEND_OUT_DIR"])
for name in ("console.txt", "log.jsonl", ".delivered"):
    if os.path.exists(name):
        os.remove(name)
    os.symlink({:?}, name)
BeginLogRegion("a region")
os._exit(3)
"#,
            token.display()
        ))
        .await;
    assert!(outcome.to_string().contains("exit code 3"), "{outcome}");
    assert!(!outcome.to_string().contains(secret.trim()), "{outcome}");
    eventually("the evidence is handed over", || {
        let mark = lab.out(RunId(1)).join(".delivered");
        std::fs::symlink_metadata(mark).is_ok_and(|file| file.is_file()).then_some(())
    })
    .await;
    assert_eq!(std::fs::read_to_string(&token).unwrap(), secret);
    assert!(lab.server.farm().files.values().all(|bytes| !String::from_utf8_lossy(bytes).contains(secret.trim())));
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fills_the_disk_is_ended_and_the_others_are_not() {
    let lab = Lab::new().await;
    let rack = lab.rack_with(|options| options.python.disk_bytes = 8 << 20).await;
    let neighbour = lab.start("open('mine', 'w').write('x' * 100000)\nReturnTestResult(TM.PASS)\n", 2);
    for folder in ["'.'", "os.environ['HEADEND_OUT_DIR']", "os.environ['TMPDIR']", "'/tmp'"] {
        if folder == "'/tmp'" && !rack.isolation().is_some_and(|isolation| isolation.mounts) {
            println!("SKIPPED: no /tmp of its own here");
            continue;
        }
        let script = format!(
            "import os, time\nfor n in range(4000):\n    with open('%s/big%d' % ({folder}, n // 16), 'ab') as big:\n        \
             big.write(b'x' * 65536)\n    time.sleep(0.005)\n"
        );
        let run = lab.start(&script, 1);
        let outcome = lab.server.outcome(run).await;
        let text = limit(&outcome);
        assert!(text.starts_with("disk: ") && text.ends_with(" MiB written, 8.0 MiB allowed"), "{text}");
        assert!(used(&lab.out(run)) < 1 << 20, "artifacts beyond the limit stay");
        assert!(!lab.data().join(format!("sockets/{run}-1")).exists());
    }
    assert!(used(&lab.data().join("files/copies")) < 1 << 20, "the working copy was not cleaned");
    let told = lab.server.outcome(neighbour).await;
    assert!(told.is_pass(), "{told}");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_files_ends_its_run_even_at_the_very_end() {
    let lab = Lab::new().await;
    let rack = lab.rack_with(|options| options.python.disk_files = 200).await;
    let flood =
        "import os, time\nfor n in range(300):\n    open('%s/f%d' % (os.environ['HEADEND_OUT_DIR'], n), 'w').close()\n";
    let quick = lab.start(flood, 1);
    let outcome = lab.server.outcome(quick).await;
    assert!(limit(&outcome).contains("files and folders made, 200 allowed"), "{outcome}");
    assert!(std::fs::read_dir(lab.out(quick)).map_or(0, Iterator::count) < 5);
    let slow = flood.replace("os.environ['HEADEND_OUT_DIR']", "'.'") + "time.sleep(3600)\n";
    let outcome = lab.play(&slow).await;
    assert!(limit(&outcome).contains("files and folders made, 200 allowed"), "{outcome}");
    assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    rack.stop().await;
}

const BOMB: &str = r#"
import os, time
count = 0
try:
    while count < 300:
        if os.fork() == 0:
            time.sleep(3600)
            os._exit(0)
        count += 1
except OSError:
    pass
print("forked %d" % count)
ReturnTestResult(TM.PASS if count < 60 else TM.FAIL)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_stops_at_its_limit_and_is_cleaned_up() {
    let lab = Lab::new().await;
    let rack = lab.rack_with(|options| options.python.processes = 60).await;
    let outcome = lab.play(BOMB).await;
    let isolation = rack.isolation().unwrap();
    assert!(outcome.to_string().contains("leaky"), "{outcome}");
    if isolation.processes {
        assert!(outcome.is_pass(), "{outcome}");
    } else {
        println!("SKIPPED: no cgroup that counts processes here ({isolation})");
    }
    assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    rack.stop().await;
}

const HOG: &str = r"
import os
for child in range(6):
    if os.fork() == 0:
        hog = bytearray(80 << 20)
        for at in range(0, len(hog), 4096):
            hog[at] = 1
        import time
        time.sleep(3600)
own = bytearray(80 << 20)
for at in range(0, len(own), 4096):
    own[at] = 1
while True:
    if os.wait()[1] == 9:
        os.kill(os.getpid(), 9)
";

#[tokio::test(flavor = "multi_thread")]
async fn many_small_eaters_of_memory_are_one_large_one() {
    let lab = Lab::new().await;
    let rack = lab.rack_with(|options| options.python.memory_bytes = 320 << 20).await;
    assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    let isolation = rack.isolation().unwrap();
    if isolation.memory {
        let outcome = lab.play(HOG).await;
        assert!(limit(&outcome).starts_with("memory: more than 335544320 bytes"), "{outcome}");
        assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    } else {
        println!("SKIPPED: no cgroup that counts memory here ({isolation})");
    }
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_interpreter_killed_while_idle_is_replaced() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    for _ in 0..3 {
        let before = lab.zygotes();
        assert!(!before.is_empty());
        for pid in &before {
            kill_process(*pid, Signal::KILL).unwrap();
        }
        // At once: the daemon may not even have heard of the death.
        let outcome = lab.play("ReturnTestResult(TM.PASS)").await;
        assert!(outcome.is_pass(), "{outcome}");
        assert!(lab.zygotes().iter().all(|pid| !before.contains(pid)));
    }
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_interpreter_killed_during_a_run_ends_that_run_with_a_reason() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let run = lab
        .start("import time\nConnectToServer('x', 'y')\nReserveSlot(1, 'default')\nwhile True: PressButton('Ok')\n", 1);
    eventually("it drives", || (lab.count("press", run.0) > 0).then_some(())).await;
    for pid in lab.zygotes() {
        kill_process(pid, Signal::KILL).unwrap();
    }
    let outcome = lab.server.outcome(run).await;
    assert!(outcome.to_string().contains("the warm Python interpreter died under it"), "{outcome}");
    assert_eq!(lab.count("drive_begin", run.0), 1, "it was started again");
    let pressed = lab.count("press", run.0);
    assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    assert_eq!(lab.count("press", run.0), pressed, "it still drives");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stops_itself_is_ended_at_its_deadline() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let script = "import os, signal\nif os.fork():\n    os.kill(os.getpid(), signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGSTOP)\n";
    let mut order = lab.server.order(("test1/script.py", script), &[1]);
    order.time_limit_ms = 500;
    let run = lab.server.lease(order);
    let outcome = lab.server.outcome(run).await;
    assert!(limit(&outcome).starts_with("time of 0.5 s"), "{outcome}");
    assert!(lab.play("ReturnTestResult(TM.PASS)").await.is_pass());
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_opens_everything() {
    let lab = Lab::new().await;
    let rack = lab.rack_with(|options| options.python.isolate = false).await;
    let token = lab.data().join("token");
    let outcome = lab.play(&format!("open({token:?}).read()\nReturnTestResult(TM.PASS)\n")).await;
    assert!(outcome.is_pass(), "{outcome}");
    assert!(rack.isolation().unwrap().to_string().contains("switched off"));
    rack.stop().await;
}

/// A user who owns nothing.
const NOBODY: u32 = 65_534;
const ENV_NOBODY: &str = "HEADEND_TEST_NOBODY";

/// Not a test: the body of a daemon without rights. Does nothing in an ordinary test run.
#[tokio::test(flavor = "multi_thread")]
async fn daemon_of_nobody() {
    let Some(text) = std::env::var_os(ENV_NOBODY) else { return };
    let words: Vec<PathBuf> = text.to_str().unwrap().split('\n').map(PathBuf::from).collect();
    let mut options = RackOptions::new(words[0].to_str().unwrap(), "rack1", &words[1], 4).virtual_time(true);
    options.enrol_token = Some("once".into());
    options.guest = crate::lab::guest();
    options.max_guests = 1;
    options.python.search = false;
    options.python.interpreters = vec![words[2].clone()];
    options.python.processes = 100;
    let rack = Rack::start(options).await.unwrap();
    let line = loop {
        if let Some(isolation) = rack.isolation() {
            break isolation.to_string();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    std::fs::write(words[1].join("isolation"), line).unwrap();
    rack.finished().await;
}

/// `None`, with the reason printed, where there is no way to become nobody or nothing for him to run.
fn as_nobody(lab: &Lab, data: &Path) -> Option<std::process::Child> {
    let python = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| Path::new(path).exists());
    let (Some(python), true) = (python, rustix::process::geteuid().is_root()) else {
        println!("SKIPPED: only root can become another user, and that user needs a python3 in /usr");
        return None;
    };
    let words = [lab.server.url.clone(), data.display().to_string(), python.to_owned()].join("\n");
    std::os::unix::fs::chown(data.parent()?, Some(NOBODY), Some(NOBODY)).unwrap();
    // Where the build lies may be closed to others.
    let program = data.parent()?.join("daemon");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::os::unix::fs::chown(&program, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", "isolation::daemon_of_nobody", "--nocapture"]).env(ENV_NOBODY, words);
    command.env("HOME", data.parent()?).env_remove("HEADEND_PYTHON_SDK").current_dir("/");
    std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
    std::os::unix::process::CommandExt::gid(&mut command, NOBODY);
    Some(command.stdout(std::process::Stdio::null()).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_without_rights_keeps_runs_apart_too() {
    let lab = Lab::new().await;
    // Outside of /tmp, which a run does not see at all.
    let base = tempfile::Builder::new().prefix("headend-").tempdir_in("/var/tmp").unwrap();
    let data = base.path().join("rack");
    let Some(mut daemon) = as_nobody(&lab, &data) else { return };
    let line = eventually("it says what there is", || {
        assert!(daemon.try_wait().unwrap().is_none(), "the daemon of nobody has ended");
        std::fs::read_to_string(data.join("isolation")).ok().filter(|line| !line.is_empty())
    })
    .await;
    println!("without rights: {line}");
    let mut order = lab.server.order(("test1/script.py", &format!("{REPORT}{SPY}")), &[1]);
    order.args = vec![data.display().to_string(), daemon.id().to_string()];
    let outcome = lab.server.outcome(lab.server.lease(order)).await;
    if line.contains("files by Landlock") {
        assert!(outcome.is_pass(), "{outcome}");
    } else {
        println!("SKIPPED: this kernel has no Landlock");
    }
    // Leaves its session, forks twice: found by whatever means there is.
    let daemonised = r"
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
os.wait()
assert os.getuid() == 65534
ReturnTestResult(TM.PASS)
";
    let outcome = lab.play(daemonised).await;
    assert!(outcome.is_pass() && outcome.to_string().contains("leaky: 1"), "{outcome}");
    let outcome = lab.play(BOMB.replace("< 60", "< 100").as_str()).await;
    assert!(outcome.is_pass() && outcome.to_string().contains("leaky"), "{outcome}");
    if line.contains("user namespaces") {
        let first = lab.play("import os\nReturnTestResult(TM.PASS if os.getppid() == 1 else TM.FAIL)\n").await;
        assert!(first.is_pass(), "{first}");
    } else {
        println!("SKIPPED: this kernel lets users without rights make no user namespaces");
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
