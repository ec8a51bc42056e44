//! Infrared, tried against Debian's `lircd` with its driver `file`, which writes down what a transmitter would send.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use common::{Peer, program, until};
use headend_drivers::tools::lirc::{Lirc, Options, start};
use headend_drivers::{DriverError, Place, Remote as _, Tool as _};
use tempfile::TempDir;

/// A remote control as manuals give them: pulses of 560 µs, and spaces that tell ones from zeros.
const REMOTE: &str = "begin remote
  name testbox
  bits 16
  flags SPACE_ENC|CONST_LENGTH
  eps 30
  aeps 100
  header 9000 4500
  one 560 1690
  zero 560 560
  ptrail 560
  gap 108000
  begin codes
    KEY_POWER 0x00FF
    KEY_OK 0x01FE
    KEY_1 0x02FD
    KEY_CHANNELUP 0x03FC
    TV_Guide 0x04FB
    MODEL_7_SOURCE 0x05FA
  end codes
end remote
";

struct Lircd {
    program: PathBuf,
    folder: TempDir,
    peer: Option<Peer>,
}

impl Lircd {
    /// `None`: it is not here.
    async fn running() -> Option<Self> {
        let mut lircd = Self { program: program("lircd")?, folder: tempfile::tempdir().unwrap(), peer: None };
        lircd.configure(REMOTE);
        lircd.start().await;
        Some(lircd)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, remote: &str) {
        std::fs::write(self.path("remote.conf"), remote).unwrap();
    }

    async fn start(&mut self) {
        let option = |name: &str, file: &str| format!("--{name}={}", self.path(file).display());
        let mut command = Command::new(&self.program);
        command.args(["--nodaemon", "--driver=file"]).arg(option("device", "sent"));
        command.arg(option("output", "lircd.sock")).arg(option("pidfile", "lircd.pid")).arg(self.path("remote.conf"));
        self.peer = Some(Peer::start(&mut command, self.folder.path()));
        let socket = self.path("lircd.sock");
        until("lircd", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    }

    fn options(&self) -> Options {
        Options::of_remote(self.path("lircd.sock"), "testbox")
    }

    async fn remote(&self, options: &Options) -> Result<Lirc, DriverError> {
        start(options, &Place { slot: 1, scratch: self.folder.path().to_owned() }).await
    }

    /// Codes that were sent, read from the pulses.
    async fn codes(&self, most: usize) -> Vec<u16> {
        let file = self.path("sent");
        let read = || codes(&std::fs::read_to_string(&file).unwrap_or_default());
        until(format!("{most} codes"), || read().len() >= most).await;
        read()
    }
}

/// After every header, sixteen spaces, the long ones are ones.
fn codes(pulses: &str) -> Vec<u16> {
    let mut frames: Vec<Vec<u32>> = Vec::new();
    for line in pulses.lines() {
        match line.split_once(' ') {
            Some(("pulse", "9000")) => frames.push(Vec::new()),
            Some(("space", length)) => frames.last_mut().unwrap().push(length.parse().unwrap()),
            _ => {}
        }
    }
    // The first space belongs to the header.
    let whole = frames.into_iter().filter(|spaces| spaces.len() > 16);
    whole.map(|spaces| spaces[1..17].iter().fold(0, |code, space| code << 1 | u16::from(*space > 1_000))).collect()
}

#[tokio::test]
async fn keys_are_sent_under_the_names_that_the_remote_has() {
    let Some(lircd) = Lircd::running().await else { return };
    let remote = lircd.remote(&lircd.options()).await.unwrap();
    let said = remote.probe().await.unwrap();
    assert!(said.starts_with("lircd 0.") && said.ends_with("remote testbox with 6 keys"), "{said}");
    for key in ["Ok", "SELECT", "Channel+", "ChannelUp", "TV_Guide", "1", "KEY_POWER"] {
        assert!(remote.press(key).await.unwrap(), "{key}");
    }
    let sent = lircd.codes(7).await;
    assert_eq!(sent, [0x01FE, 0x01FE, 0x03FC, 0x03FC, 0x04FB, 0x02FD, 0x00FF], "{sent:04x?}");
}

#[tokio::test]
async fn a_model_has_names_and_repeats_of_its_own() {
    let Some(lircd) = Lircd::running().await else { return };
    let keys = BTreeMap::from([("Swap".to_owned(), "MODEL_7_SOURCE".to_owned())]);
    let remote = lircd.remote(&Options { keys, repeats: 2, ..lircd.options() }).await.unwrap();
    assert!(remote.press("Swap").await.unwrap());
    assert_eq!(lircd.codes(3).await, [0x05FA; 3]);
}

#[tokio::test]
async fn what_the_remote_does_not_have_is_told_with_what_it_has() {
    let Some(lircd) = Lircd::running().await else { return };
    let remote = lircd.remote(&lircd.options()).await.unwrap();
    let said = remote.press("Red").await.unwrap_err().to_string();
    assert!(said.contains("Red, KEY_RED") && said.contains("MODEL_7_SOURCE") && said.contains("`keys`"), "{said}");
    let said = remote.press("KEY_OK 5").await.unwrap_err().to_string();
    assert!(said.contains("white space"), "{said}");
    let other = Options { remote: "lounge".into(), ..lircd.options() };
    let said = lircd.remote(&other).await.unwrap_err().to_string();
    assert!(said.contains("does not know `remote` \"lounge\"") && said.ends_with("it knows: testbox"), "{said}");
    assert!(codes(&std::fs::read_to_string(lircd.path("sent")).unwrap_or_default()).is_empty());
}

#[tokio::test]
async fn a_daemon_that_goes_and_comes_back_is_taken_up_again() {
    let Some(mut lircd) = Lircd::running().await else { return };
    let remote = lircd.remote(&lircd.options()).await.unwrap();
    assert!(remote.press("Ok").await.unwrap());
    lircd.peer = None;
    let said = remote.press("Ok").await.unwrap_err().to_string();
    assert!(said.contains("did not answer") && said.contains("check that it runs"), "{said}");
    assert!(remote.probe().await.is_err());
    lircd.start().await;
    assert!(remote.press("1").await.unwrap());
    assert_eq!(lircd.codes(2).await, [0x01FE, 0x02FD]);
}

#[tokio::test]
async fn a_configuration_that_is_read_anew_brings_its_keys() {
    let Some(lircd) = Lircd::running().await else { return };
    let remote = lircd.remote(&lircd.options()).await.unwrap();
    assert!(remote.press("Mute").await.is_err());
    lircd.configure(&REMOTE.replace("MODEL_7_SOURCE", "KEY_MUTE"));
    let id = i32::try_from(lircd.peer.as_ref().unwrap().0.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::HUP).unwrap();
    // It reads when it comes to it.
    let mut sent = false;
    for _ in 0..600 {
        sent = remote.press("Mute").await.is_ok();
        if sent {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(sent);
    assert_eq!(lircd.codes(1).await, [0x05FA]);
}
