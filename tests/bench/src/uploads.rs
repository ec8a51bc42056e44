//! Uploads through the clients that people use, the Python package and `headend files upload`: 10,000 small files, and one of
//! 4 GiB. What is promised is memory (at most 64 MiB each for client and server); the time stands beside `cp -r` and `sync` of the
//! same files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headend_integration::Lab;
use headend_integration::lab::{program, repository};

use crate::budgets::{Budgets, Limit};

/// Most memory, in MiB.
const MEMORY: f64 = 64.0;
const SMALL_FILES: u64 = 10_000;
/// Bytes of the large file, in MiB, unless `HEADEND_BENCH_LARGE_MIB` says otherwise.
const LARGE_MIB: u64 = 4 << 10;
/// Free space that must be left to others.
const SPARE: u64 = 2 << 30;

const UPLOAD: &str = "import sys; from stormtest.JobConfigurator import CJobConfigurator\n\
                      answer = CJobConfigurator(sys.argv[1]).uploadFiles(sys.argv[2], 'bench', True, True)\n\
                      assert answer[0] == 0 and not answer[4], (answer[:2], answer[4][:3])";

/// Measures both, each with both clients.
pub(crate) async fn run(budgets: &mut Budgets) {
    let folder = tempfile::Builder::new().prefix("headend-uploads-").tempdir().unwrap();
    measure(budgets, "10,000 small files", &folder.path().join("small"), small_files).await;
    let mib = std::env::var("HEADEND_BENCH_LARGE_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(LARGE_MIB);
    let what = if mib == LARGE_MIB { "one file of 4 GiB".to_owned() } else { format!("one file of {mib} MiB") };
    if free_bytes(folder.path()) < ((2 * mib) << 20) + SPARE {
        budgets.unknown(format!("upload of {what}"), "too little free disk", Limit::AtMost(MEMORY), " MiB");
        return;
    }
    measure(budgets, &what, &folder.path().join("large"), |source| large_file(source, mib)).await;
}

async fn measure(budgets: &mut Budgets, what: &str, source: &Path, make: impl FnOnce(&Path)) {
    fs::create_dir_all(source).unwrap();
    make(source);
    sync(source);
    let copy = copy_time(source);
    for client in ["Python 3", "CLI"] {
        let mut lab = Lab::start(1).await;
        let server = lab.server.as_ref().unwrap().pid();
        let idle = memory(server, "VmRSS").unwrap();
        let (took, peak) = upload(client_of(client, &lab, source));
        let most = memory(server, "VmHWM").unwrap();
        let (again, _) = upload(client_of(client, &lab, source));
        println!(
            "upload of {what}, {client}: {:.1} s, again with nothing to send {:.1} s; `cp -r` and sync {:.1} s; ratio {:.2}; \
             memory: client {peak:.0} MiB, server {most:.0} MiB, idle {idle:.0} MiB",
            took.as_secs_f64(),
            again.as_secs_f64(),
            copy.as_secs_f64(),
            took.as_secs_f64() / copy.as_secs_f64()
        );
        let upload = format!("upload of {what}, {client}");
        budgets.judge(format!("{upload}: memory of the client"), peak, Limit::AtMost(MEMORY), " MiB");
        budgets.judge(format!("{upload}: memory of the server"), most, Limit::AtMost(MEMORY), " MiB");
        // The processes first: what they hold open takes room.
        (lab.server, lab.rack) = (None, None);
    }
    fs::remove_dir_all(source).unwrap();
}

fn client_of(client: &str, lab: &Lab, source: &Path) -> Command {
    let mut command = if client == "CLI" {
        let mut command = Command::new(program());
        command.args(["--quiet", "files", "upload", "--to", "bench"]).arg(source);
        command
    } else {
        let mut command = Command::new(std::env::var_os("HEADEND_PYTHON3").unwrap_or_else(|| "python3".into()));
        command.args(["-c", UPLOAD, &format!("127.0.0.1:{}", lab.port)]).arg(source);
        command.env("PYTHONPATH", repository().join("sdk/python"));
        command
    };
    command.env("HEADEND_CONFIG", lab.server_data().join("credentials.toml")).stdout(Stdio::null());
    command
}

/// How long it took, and the most memory of the client in MiB, as seen up to a few milliseconds before its end.
fn upload(mut command: Command) -> (Duration, f64) {
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut peak = 0.0_f64;
    loop {
        peak = memory(child.id(), "VmHWM").map_or(peak, |now| now.max(peak));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{command:?}: {status}");
            return (start.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// A figure of `/proc/PID/status` in MiB; none: the process has ended.
fn memory(pid: u32, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn free_bytes(folder: &Path) -> u64 {
    let about = rustix::fs::statvfs(folder).unwrap();
    about.f_bavail * about.f_frsize
}

/// Copies the files, durably, and removes the copy.
fn copy_time(source: &Path) -> Duration {
    let copy: PathBuf = source.with_extension("copy");
    let start = Instant::now();
    assert!(Command::new("cp").arg("-r").args([source, &copy]).status().unwrap().success());
    sync(&copy);
    let took = start.elapsed();
    fs::remove_dir_all(copy).unwrap();
    took
}

fn sync(folder: &Path) {
    assert!(Command::new("sync").arg("-f").arg(folder).status().unwrap().success());
}

/// Bytes without a pattern, so that nothing is stored once for many.
fn noise(name: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn small_files(source: &Path) {
    for number in 0..SMALL_FILES {
        let folder = source.join(format!("suite{:02}", number / 100));
        fs::create_dir_all(&folder).unwrap();
        let size = usize::try_from(300 + number % 3_500).unwrap();
        fs::write(folder.join(format!("test{number:05}.py")), noise(&number.to_string(), size)).unwrap();
    }
}

fn large_file(source: &Path, mib: u64) {
    let mut file = fs::File::create(source.join("film.ts")).unwrap();
    for piece in 0..mib {
        file.write_all(&noise(&format!("piece {piece}"), 1 << 20)).unwrap();
    }
}
