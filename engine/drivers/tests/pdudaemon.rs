//! Mains, tried against the real `pdudaemon` with its driver `localcmdline`: commands that write down what they switch.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Peer, program_in, until};
use headend_drivers::tools::pdudaemon::{Options, Pdudaemon, Port, start};
use headend_drivers::{DriverError, Place, Power as _, Tool as _};
use tempfile::TempDir;

struct Daemon {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    peer: Option<Peer>,
}

impl Daemon {
    /// `None`: it is not here.
    async fn running() -> Option<Self> {
        let program = program_in("HEADEND_PDUDAEMON", "pdudaemon")?;
        let mut daemon = Self { program, folder: tempfile::tempdir().unwrap(), port: 0, peer: None };
        // Somebody else may take the port in between.
        for _ in 0..5 {
            daemon.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if daemon.start().await {
                return Some(daemon);
            }
        }
        panic!("it does not start: {}", std::fs::read_to_string(daemon.folder.path().join("peer.log")).unwrap());
    }

    async fn start(&mut self) -> bool {
        let write = |word: &str| format!("echo {word} %s >> {}", self.switched_file().display());
        let configuration = serde_json::json!({
            "daemon": { "hostname": "127.0.0.1", "port": self.port, "listener": "http", "logging_level": "DEBUG" },
            "pdus": {
                "shelf": { "driver": "localcmdline", "cmd_on": write("on"), "cmd_off": write("off") },
                // Its commands have no place for the port, which this driver takes for a fault.
                "broken": { "driver": "localcmdline", "cmd_on": "true", "cmd_off": "true", "retries": 1, "retrydelay": 0 },
            },
        });
        let file = self.folder.path().join("pdudaemon.conf");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let mut command = Command::new(&self.program);
        command.arg(format!("--conf={}", file.display())).current_dir(self.folder.path());
        let mut peer = Peer::start(&mut command, self.folder.path());
        let address = ("127.0.0.1", self.port);
        until("pdudaemon", || std::net::TcpStream::connect(address).is_ok() || !peer.runs()).await;
        let runs = peer.runs();
        self.peer = Some(peer);
        runs
    }

    fn switched_file(&self) -> PathBuf {
        self.folder.path().join("switched")
    }

    fn switched(&self) -> String {
        std::fs::read_to_string(self.switched_file()).unwrap_or_default()
    }

    fn options(&self) -> Options {
        Options { url: format!("http://127.0.0.1:{}", self.port), ..Options::of_port("shelf", Port::Number(3)) }
    }

    async fn port(&self, options: &Options) -> Result<Pdudaemon, DriverError> {
        open(options, self.folder.path()).await
    }
}

async fn open(options: &Options, folder: &Path) -> Result<Pdudaemon, DriverError> {
    start(options, &Place { slot: 1, scratch: folder.to_owned() }).await
}

#[tokio::test]
async fn mains_are_switched_when_it_returns() {
    let Some(daemon) = Daemon::running().await else { return };
    let mains = daemon.port(&daemon.options()).await.unwrap();
    let said = mains.probe().await.unwrap();
    assert!(said.contains("port 3 of shelf was not tried"), "{said}");
    assert_eq!(daemon.switched(), "", "a probe switches nothing");
    assert!(mains.switch(false).await.unwrap());
    assert_eq!(daemon.switched(), "off 3\n");
    assert!(mains.switch(true).await.unwrap());
    assert_eq!(daemon.switched(), "off 3\non 3\n");
}

#[tokio::test]
async fn ports_may_have_names() {
    let Some(daemon) = Daemon::running().await else { return };
    let options = Options { port: Port::Name("left lamp".into()), ..daemon.options() };
    assert!(daemon.port(&options).await.unwrap().switch(true).await.unwrap());
    assert_eq!(daemon.switched(), "on left lamp\n");
}

#[tokio::test]
async fn a_switch_that_the_daemon_does_not_know_is_told() {
    let Some(daemon) = Daemon::running().await else { return };
    let options = Options { hostname: "cellar".into(), ..daemon.options() };
    let mains = daemon.port(&options).await.unwrap();
    let said = mains.switch(true).await.unwrap_err().to_string();
    assert!(said.contains("port 3 of `hostname` \"cellar\" on: 500") && said.contains("configuration"), "{said}");
    assert_eq!(daemon.switched(), "");
}

#[tokio::test]
async fn a_switch_that_fails_is_told() {
    let Some(daemon) = Daemon::running().await else { return };
    let options = Options { hostname: "broken".into(), ..daemon.options() };
    let said = daemon.port(&options).await.unwrap().switch(false).await.unwrap_err().to_string();
    assert!(said.contains("did not switch port 3 of `hostname` \"broken\" off: 500, \"Invalid request\""), "{said}");
}

#[tokio::test]
async fn a_daemon_that_goes_and_comes_back_is_taken_up_again() {
    let Some(mut daemon) = Daemon::running().await else { return };
    let mains = daemon.port(&daemon.options()).await.unwrap();
    assert!(mains.switch(true).await.unwrap());
    daemon.peer = None;
    let said = mains.switch(false).await.unwrap_err().to_string();
    assert!(said.contains("does not answer") && said.contains("refused"), "{said}");
    assert!(mains.probe().await.is_err());
    assert!(daemon.start().await);
    assert!(mains.switch(false).await.unwrap());
    assert_eq!(daemon.switched(), "on 3\noff 3\n");
}

#[tokio::test]
async fn another_server_is_not_taken_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options {
        url: format!("http://{}", listener.local_addr().unwrap()),
        ..Options::of_port("shelf", Port::Number(3))
    };
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello").unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let said = open(&options, folder.path()).await.unwrap_err().to_string();
    assert!(said.contains("is no pdudaemon: 200, \"hello\""), "{said}");
    server.join().unwrap();
}
