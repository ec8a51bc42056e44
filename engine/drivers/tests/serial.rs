//! A serial port, tried on pseudo-terminals that `socat` ties together.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Peer, program, until};
use headend_drivers::tools::serial::{Options, Serial, start};
use headend_drivers::{Place, Serial as _, SerialNews, Tool as _};
use tempfile::TempDir;

/// Two terminals, and the program that carries bytes from each to the other.
struct Cable {
    socat: PathBuf,
    folder: TempDir,
    peer: Option<Peer>,
}

impl Cable {
    /// `None`: socat is not here.
    async fn plugged_in() -> Option<Self> {
        let mut cable = Self { socat: program("socat")?, folder: tempfile::tempdir().unwrap(), peer: None };
        cable.plug_in().await;
        Some(cable)
    }

    fn end(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn plug_in(&mut self) {
        let ends = ["near", "far"].map(|name| self.end(name));
        let terminal = |path: &Path| format!("pty,raw,echo=0,link={}", path.display());
        let mut command = Command::new(&self.socat);
        command.args(["-d", "-d"]).args(ends.each_ref().map(|path| terminal(path)));
        self.peer = Some(Peer::start(&mut command, self.folder.path()));
        until("terminals", || ends.iter().all(|end| end.exists())).await;
    }

    fn cut(&mut self) {
        self.peer = None;
        // Killed, it leaves its links behind, which lead nowhere.
        for end in ["near", "far"] {
            let _ = std::fs::remove_file(self.end(end));
        }
    }

    async fn open(&self, name: &str) -> Serial {
        let options = Options { baud: 9_600, quiet_ms: 0, ..Options::of_port(self.end(name)) };
        start(&options, &Place { slot: 1, scratch: self.folder.path().to_owned() }).await.unwrap()
    }
}

async fn lines(port: &Serial, most: usize) -> SerialNews {
    until(format!("{most} lines"), || port.since(0).lines.len() >= most).await;
    port.since(0)
}

fn is_gone(port: &Serial) -> bool {
    futures::executor::block_on(port.probe()).is_err()
}

fn texts(news: &SerialNews) -> Vec<&str> {
    news.lines.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn what_one_side_sends_the_other_observes() {
    let Some(cable) = Cable::plugged_in().await else { return };
    let (near, far) = (cable.open("near").await, cable.open("far").await);
    assert!(near.probe().await.unwrap().ends_with("near, 9600 8N1, open"), "{:?}", near.probe().await);
    near.send(b"status\r\nreboot\r\n").await.unwrap();
    assert_eq!(texts(&lines(&far, 2).await), ["status", "reboot"]);
    far.send(b"\xff\x00ok\n").await.unwrap();
    let news = lines(&near, 1).await;
    assert_eq!(texts(&news), ["\u{fffd}\0ok"]);
    // A later look begins where the last one ended.
    far.send(b"more\n").await.unwrap();
    until("a second line", || near.since(news.next).lines.len() == 1).await;
    let more = near.since(news.next);
    assert_eq!((texts(&more), more.lost), (vec!["more"], 0));
    assert!(more.lines[0].at_us >= news.lines[0].at_us);
}

#[tokio::test]
async fn a_long_line_is_neither_lost_nor_hoarded() {
    let Some(cable) = Cable::plugged_in().await else { return };
    let (near, far) = (cable.open("near").await, cable.open("far").await);
    let mut long = vec![b'x'; 50_000];
    long.push(b'\n');
    near.send(&long).await.unwrap();
    near.send(b"end\n").await.unwrap();
    until("the end", || far.since(0).lines.last().is_some_and(|line| line.text == "end")).await;
    let news = far.since(0);
    let longest = news.lines.iter().map(|line| line.text.len()).max().unwrap();
    let all: usize = news.lines.iter().map(|line| line.text.len()).sum();
    assert_eq!((longest, all), (4_096, 50_003));
}

#[tokio::test]
async fn every_byte_goes_as_it_is() {
    let Some(socat) = program("socat") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (port, file) = (folder.path().join("port"), folder.path().join("bytes"));
    let mut command = Command::new(socat);
    command.args(["-u", &format!("pty,raw,echo=0,link={}", port.display()), &format!("CREATE:{}", file.display())]);
    let _peer = Peer::start(&mut command, folder.path());
    until("a terminal", || port.exists()).await;
    let place = Place { slot: 1, scratch: folder.path().to_owned() };
    let port = start(&Options::of_port(&port), &place).await.unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000).collect();
    port.send(&bytes).await.unwrap();
    until("the bytes", || std::fs::read(&file).is_ok_and(|have| have.len() >= bytes.len())).await;
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn a_cable_that_is_cut_and_comes_back_is_taken_up_again() {
    let Some(mut cable) = Cable::plugged_in().await else { return };
    let (near, far) = (cable.open("near").await, cable.open("far").await);
    near.send(b"before\n").await.unwrap();
    lines(&far, 1).await;
    cable.cut();
    until("the cut is seen", || is_gone(&near) && is_gone(&far)).await;
    let said = near.send(b"lost\n").await.unwrap_err().to_string();
    assert!(said.contains(&cable.end("near").display().to_string()), "{said}");
    assert!(near.probe().await.is_err());
    cable.plug_in().await;
    until("both are back", || !is_gone(&near) && !is_gone(&far)).await;
    near.send(b"after\n").await.unwrap();
    assert_eq!(texts(&lines(&far, 2).await), ["before", "after"]);
}

#[tokio::test]
async fn what_is_no_port_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { slot: 1, scratch: folder.path().to_owned() };
    let said = start(&Options::of_port("/dev/null"), &place).await.unwrap_err().to_string();
    assert!(said.contains("/dev/null is no serial port"), "{said}");
    let said = start(&Options::of_port(folder.path().join("ttyS9")), &place).await.unwrap_err().to_string();
    assert!(said.contains("ttyS9 is not there"), "{said}");
}
