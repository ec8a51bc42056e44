//! What tests of device tools share: the programs that they are tried against, and waiting for what must come.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headend_drivers::Place;

/// Says that every device tool is here, so a missing one is a fault.
const ALL_HERE: &str = "HEADEND_DEVICE_TOOLS";
/// Longest wait for anything. Machines that test are slow and busy.
pub(crate) const LONGEST: Duration = Duration::from_mins(2);

/// Where a program is. `None`, with a line that says so: the test is to be left out.
///
/// # Panics
/// It is missing where all are said to be here.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons are where only root looks.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.or_else(|| missing(name))
}

/// The program that an environment variable names.
pub(crate) fn program_in(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    named.filter(|file| file.is_file()).or_else(|| missing(&format!("{name} (as {variable} names it)")))
}

fn missing(what: &str) -> Option<PathBuf> {
    assert!(std::env::var_os(ALL_HERE).is_none_or(|value| value != "1"), "{what} is not here, and {ALL_HERE}=1");
    eprintln!("NOT TRIED: {what} is not here; `cargo xtask setup` installs it");
    None
}

/// Returns when it is so.
///
/// # Panics
/// It does not become so.
pub(crate) async fn until(what: impl Display, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONGEST, "waited for nothing: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// There is none.
pub(crate) async fn awaited<T>(what: impl Display, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < LONGEST, "waited for nothing: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A folder, gone with this, and a slot that stands there.
pub(crate) fn place(slot: u16) -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { slot, scratch: folder.path().to_owned() };
    (folder, place)
}

/// A process that ends with the test.
#[derive(Debug)]
pub(crate) struct Peer(pub(crate) Child);

impl Peer {
    /// Starts it; what it says goes to a file in the folder.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Self {
        let log = std::fs::File::create(folder.join("peer.log")).unwrap();
        let also = log.try_clone().unwrap();
        Self(command.stdin(Stdio::null()).stdout(log).stderr(also).spawn().unwrap())
    }

    /// It runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_none())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
