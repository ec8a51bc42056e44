//! A lab of real processes: a server, a rack of virtual boxes, each killable, on a folder of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::{Client, DEADLINE, eventually};

/// The `headend` binary: `HEADEND_PROGRAM`, or the one that was built beside this test.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("HEADEND_PROGRAM") {
        return path.into();
    }
    let exe = std::env::current_exe().expect("this test has a path");
    let built = exe.ancestors().map(|folder| folder.join("headend")).find(|path| path.is_file());
    built.unwrap_or_else(|| {
        panic!("no `headend` beside {}; run `cargo xtask test`, or `cargo build -p headend-cli`", exe.display())
    })
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Built plugins and example guests, laid out by `cargo xtask plugins`.
pub fn guests() -> PathBuf {
    let folder = std::env::var_os("HEADEND_GUESTS").map_or_else(|| repository().join("target/guests"), PathBuf::from);
    assert!(folder.is_dir(), "{} is missing; run `cargo xtask plugins`", folder.display());
    folder
}

/// A free port on loopback; it stays the same over restarts of a server.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback has a free port").port()
}

/// A child that is killed with its owner.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn spawn(arguments: &[&str], environment: &[(&str, &str)], log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let child = Command::new(program())
            .args(arguments)
            .envs(environment.iter().copied())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("`headend` starts");
        Self { child, log: log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of the process, if it has come.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// SIGSTOP: the process does nothing more until [`Process::resume`].
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// SIGKILL, then waits.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then waits for an orderly end.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "pid {} does not end on SIGTERM:\n{}", self.pid(), self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `credentials.toml`, as the server leaves it in its data folder.
#[derive(Debug, Deserialize)]
struct Credentials {
    server: String,
    token: String,
}

/// A server and a rack on one folder.
#[derive(Debug)]
pub struct Lab {
    pub folder: TempDir,
    pub client: Client,
    pub port: u16,
    pub slots: u16,
    pub server: Option<Process>,
    pub rack: Option<Process>,
}

/// Lease terms that make a lost rack cheap to wait for.
pub const QUICK_LEASES: &[(&str, &str)] = &[
    ("HEADEND_LEASE_MS", "3000"),
    ("HEADEND_HEARTBEAT_MS", "200"),
    ("HEADEND_KILL_BOUND_MS", "1000"),
    ("HEADEND_LEASE_MARGIN_MS", "200"),
];

impl Lab {
    /// `headend serve` and `headend rack` with so many virtual boxes, both up, the rack named `rack1`.
    pub async fn start(slots: u16) -> Self {
        Self::start_with(slots, &[]).await
    }

    /// The same, with an environment for the server.
    pub async fn start_with(slots: u16, server_environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("headend-lab-").tempdir().expect("a folder");
        Self::start_in(folder, slots, server_environment).await
    }

    /// The same, in a folder that may have been prepared.
    pub async fn start_in(folder: TempDir, slots: u16, server_environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}");
        let mut lab = Self { folder, client: Client::new(&base, ""), port, slots, server: None, rack: None };
        lab.start_server(server_environment);
        lab.client = lab.credentials().await;
        lab.start_rack(&[]).await;
        lab.rack_online().await;
        lab
    }

    pub fn server_data(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    pub fn witness(&self) -> PathBuf {
        self.folder.path().join("witness.jsonl")
    }

    /// Waits until the witness has seen this of a run.
    pub async fn witnessed(&self, run: u64, what: &str) {
        eventually(&format!("{what} of run {run}"), || async {
            crate::witness::read(&self.witness()).iter().any(|seen| seen.run == run && seen.what == what).then_some(())
        })
        .await;
    }

    /// How often the witness has seen this of a run.
    pub fn sightings(&self, run: u64, what: &str) -> usize {
        crate::witness::read(&self.witness()).iter().filter(|seen| seen.run == run && seen.what == what).count()
    }

    /// Starts the server (again), on the same folder and port.
    pub fn start_server(&mut self, environment: &[(&str, &str)]) {
        let listen = format!("127.0.0.1:{}", self.port);
        let data = self.server_data();
        let config = data.join("credentials.toml");
        let mut all = vec![("HEADEND_CONFIG", config.to_str().expect("a plain path"))];
        all.extend_from_slice(QUICK_LEASES);
        all.extend_from_slice(environment);
        let data = data.to_str().expect("a plain path");
        let arguments = ["serve", "--data", data, "--listen", &listen, "--cpu-gate", "100"];
        self.server = Some(Process::spawn(&arguments, &all, &self.folder.path().join("server.log")));
    }

    async fn credentials(&self) -> Client {
        let file = self.server_data().join("credentials.toml");
        let client = eventually("the server's credentials", || async {
            let text = std::fs::read_to_string(&file).ok()?;
            let found: Credentials = toml::from_str(&text).ok()?;
            Some(Client::new(&found.server, &found.token))
        })
        .await;
        self.ready(&client).await;
        client
    }

    async fn ready(&self, client: &Client) {
        eventually("the server to answer", || async {
            let answer = client.send(client.request(reqwest::Method::GET, "/server")).await.ok()?;
            answer.status.is_success().then_some(())
        })
        .await;
    }

    /// Waits until the server answers (again).
    pub async fn server_ready(&self) {
        self.ready(&self.client).await;
    }

    /// Starts the rack (again); the first time with a fresh enrol token.
    pub async fn start_rack(&mut self, environment: &[(&str, &str)]) {
        let data = self.folder.path().join("rack1");
        let server = format!("http://127.0.0.1:{}", self.port);
        let slots = self.slots.to_string();
        let witness = self.witness();
        let mut arguments = vec![
            "rack",
            "--server",
            &server,
            "--name",
            "rack1",
            "--data",
            data.to_str().expect("a plain path"),
            "--slots",
            &slots,
        ];
        arguments.extend(["--virtual-time", "--witness", witness.to_str().expect("a plain path")]);
        let token;
        if !data.exists() {
            token = self.enrol_token().await;
            arguments.extend(["--token", &token]);
        }
        self.rack = Some(Process::spawn(&arguments, environment, &self.folder.path().join("rack.log")));
    }

    /// A one-use token for a rack.
    pub async fn enrol_token(&self) -> String {
        let token: headend_wire::api::EnrolToken =
            self.client.post("/racks/tokens", &serde_json::json!({})).await.json();
        token.token
    }

    /// Waits until the rack has reported ready and all its slots hold a box.
    pub async fn rack_online(&self) {
        eventually("the rack to come online", || async {
            let answer = self.client.send(self.client.request(reqwest::Method::GET, "/racks")).await.ok()?;
            let list: headend_wire::api::RackList = answer.status.is_success().then(|| answer.json())?;
            let rack = list.racks.into_iter().find(|r| r.rack == "rack1")?;
            (rack.online && rack.slots.iter().filter(|s| s.dut.is_some()).count() == usize::from(self.slots))
                .then_some(())
        })
        .await;
    }

    /// Everything that the processes printed, for a failing test.
    pub fn logs(&self) -> String {
        let of = |p: &Option<Process>| p.as_ref().map(Process::log).unwrap_or_default();
        format!("--- server\n{}\n--- rack\n{}", of(&self.server), of(&self.rack))
    }
}

impl Drop for Lab {
    /// A failed story leaves its folder for whoever looks for the reason.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the lab's folder is kept: {}", self.folder.path().display());
        }
    }
}
