//! QEMU, tried for real: a machine without a disk, and what its firmware shows, says and hears.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Peer, program, until};
use headend_drivers::tools::qemu::{Options, Qemu, start};
use headend_drivers::{Capture as _, Place, Power as _, Remote as _, Serial as _, Tool as _};
use headend_media::Picture;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The firmware speaks on the serial port too, and waits for a key as long as slow machines need.
fn options() -> Options {
    Options {
        machine: "pc,graphics=off".into(),
        memory_mib: 64,
        args: ["-boot", "menu=on,splash-time=65000"].map(String::from).to_vec(),
        ..Options::default()
    }
}

/// The firmware goes on at once, and finds nothing to start.
fn without_menu() -> Options {
    Options { args: Vec::new(), ..options() }
}

struct Machine {
    qemu: Qemu,
    folder: TempDir,
}

impl Machine {
    /// `None`: QEMU is not here.
    async fn started(options: Options) -> Option<Self> {
        program("qemu-system-x86_64")?;
        let folder = tempfile::tempdir().unwrap();
        let qemu = start(&options, &place(folder.path())).await.unwrap();
        Some(Self { qemu, folder })
    }

    /// How often the firmware said it.
    fn said(&self, words: &str) -> usize {
        self.qemu.since(0).lines.iter().filter(|line| line.text.contains(words)).count()
    }

    async fn until_said(&self, words: &str, times: usize) {
        until(format!("{words:?} x {times} in {:?}", self.qemu.since(0).lines), || self.said(words) >= times).await;
    }

    fn picture(&self) -> Picture {
        self.qemu.latest().unwrap().picture
    }

    /// Its text, once these words are in it.
    async fn until_shown(&self, words: &str) -> Option<String> {
        let tesseract = program("tesseract")?;
        let mut text = String::new();
        until(format!("{words:?} on the screen"), || {
            text = read(&tesseract, self.folder.path(), &self.picture());
            text.contains(words)
        })
        .await;
        Some(text)
    }

    fn process(&self) -> Option<Pid> {
        process_of(self.folder.path())
    }
}

fn place(folder: &Path) -> Place {
    Place { slot: 7, scratch: folder.to_owned() }
}

/// The machine whose sockets are in this folder.
fn process_of(folder: &Path) -> Option<Pid> {
    let socket = folder.join("qmp.sock");
    let socket = socket.to_str().unwrap();
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let id = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw);
        String::from_utf8_lossy(&words).contains(socket).then_some(id)?
    })
}

/// Text on a picture, three times as large, since Tesseract wants letters of thirty lines.
fn read(tesseract: &Path, folder: &Path, picture: &Picture) -> String {
    const TIMES: usize = 3;
    let file = folder.join("read.png");
    let (width, height) = (picture.width() * 3, picture.height() * 3);
    let mut encoder = png::Encoder::new(std::fs::File::create(&file).unwrap(), width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut pixels = Vec::new();
    for row in picture.rows() {
        // Dark on light, as on paper.
        let row: Vec<u8> = row.chunks(3).flat_map(|pixel| [255 - pixel[1]; TIMES]).collect();
        (0..TIMES).for_each(|_| pixels.extend_from_slice(&row));
    }
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    let mut command = Command::new(tesseract);
    command.arg(&file).args(["-", "--psm", "6"]).env("OMP_THREAD_LIMIT", "1").stderr(Stdio::null());
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

#[tokio::test]
async fn the_screen_of_the_firmware_is_seen_and_read() {
    let Some(machine) = Machine::started(without_menu()).await else { return };
    machine.until_said("No bootable device", 1).await;
    let picture = machine.picture();
    assert_eq!((picture.width(), picture.height()), (720, 400));
    let said = machine.qemu.probe().await.unwrap();
    assert!(said.starts_with("QEMU ") && said.ends_with(", running, 720x400"), "{said}");
    assert!(!machine.folder.path().join("screen.ppm").exists());
    let Some(text) = machine.until_shown("No bootable device").await else { return };
    // In letters of such a screen B and b are hard to tell apart.
    assert!(text.to_lowercase().contains("seabios (version"), "{text}");
}

#[tokio::test]
async fn keys_reach_the_firmware() {
    let Some(machine) = Machine::started(options()).await else { return };
    machine.until_said("Press ESC for boot menu", 1).await;
    let before = machine.picture();
    assert!(machine.qemu.press("Exit").await.unwrap());
    machine.until_said("Select boot device", 1).await;
    until("another picture", || machine.picture() != before).await;
    assert!(machine.until_shown("Select boot device").await.is_some() || program("tesseract").is_none());
    let said = machine.qemu.press("Warp").await.unwrap_err().to_string();
    assert!(said.contains("\"Warp\" as warp") && said.contains("`keys`"), "{said}");
}

/// A program that a disk starts with: it says `ready`, and then every key that it gets.
fn echo(file: &Path) {
    #[rustfmt::skip]
    let code = [
        0x31, 0xC0, 0x8E, 0xD8, 0xFC, 0xBE, 0x21, 0x7C, // ds = 0; si = text
        0xAC, 0x84, 0xC0, 0x74, 0x08, // say: next letter; at the end go to `key`
        0xB4, 0x0E, 0x31, 0xDB, 0xCD, 0x10, 0xEB, 0xF3, // show it (int 10h); go to `say`
        0x30, 0xE4, 0xCD, 0x16, // key: wait for one (int 16h)
        0xB4, 0x0E, 0x31, 0xDB, 0xCD, 0x10, 0xEB, 0xF4, // show it; go to `key`
    ];
    let mut sector = [&code[..], b"ready\r\n\0"].concat();
    sector.resize(510, 0);
    sector.extend([0x55, 0xAA]);
    // As large as the smallest disk that has a geometry.
    sector.resize(1 << 20, 0);
    std::fs::write(file, sector).unwrap();
}

#[tokio::test]
async fn a_disk_is_started_and_its_program_gets_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("echo, keys.img");
    echo(&disk);
    let keys = [("Red".to_owned(), "shift+a".to_owned())].into();
    let Some(machine) = Machine::started(Options { disk: Some(disk), keys, ..without_menu() }).await else { return };
    machine.until_said("ready", 1).await;
    for key in ["1", "KEY_2", "Guide", "Red", "Ok"] {
        assert!(machine.qemu.press(key).await.unwrap());
    }
    machine.until_said("12gA", 1).await;
}

#[tokio::test]
async fn bytes_reach_the_firmware_by_its_serial_port() {
    let Some(machine) = Machine::started(options()).await else { return };
    machine.until_said("Press ESC for boot menu", 1).await;
    machine.qemu.send(b"\x1b").await.unwrap();
    machine.until_said("Select boot device", 1).await;
    let news = machine.qemu.since(0);
    assert_eq!(news.lost, 0);
    assert!(news.lines.iter().any(|line| line.text.contains("SeaBIOS (version")), "{news:?}");
}

#[tokio::test]
async fn without_mains_there_is_no_machine() {
    let Some(machine) = Machine::started(without_menu()).await else { return };
    machine.until_said("SeaBIOS", 1).await;
    let first = machine.process().unwrap();
    assert!(machine.qemu.switch(false).await.unwrap());
    assert_eq!(machine.process(), None);
    let said = machine.qemu.latest().unwrap_err().to_string();
    assert_eq!(said, "the machine is off; switch its mains on first");
    assert!(!machine.qemu.press("Ok").await.unwrap());
    assert!(machine.qemu.send(b"x").await.is_err());
    assert!(machine.qemu.probe().await.unwrap().ends_with("mains are off"));
    // Again changes nothing.
    assert!(machine.qemu.switch(false).await.unwrap());
    let times = machine.said("SeaBIOS");
    assert!(machine.qemu.switch(true).await.unwrap());
    machine.until_said("SeaBIOS", times + 1).await;
    let second = machine.process().unwrap();
    assert_ne!(first, second);
    assert!(machine.qemu.switch(true).await.unwrap());
    assert_eq!(machine.process(), Some(second));
    assert_eq!(machine.picture().width(), 720);
}

#[tokio::test]
async fn a_machine_that_dies_is_started_again() {
    let Some(machine) = Machine::started(without_menu()).await else { return };
    machine.until_said("No bootable device", 1).await;
    let first = machine.process().unwrap();
    kill_process(first, Signal::KILL).unwrap();
    until("the death is seen", || machine.qemu.latest().is_err()).await;
    until("another machine", || machine.process().is_some_and(|process| process != first)).await;
    machine.until_said("No bootable device", 2).await;
    until("its picture", || machine.qemu.latest().is_ok()).await;
}

#[tokio::test]
async fn a_machine_that_hangs_is_told_and_can_be_switched_off() {
    let Some(machine) = Machine::started(without_menu()).await else { return };
    machine.until_said("No bootable device", 1).await;
    let hung = machine.process().unwrap();
    kill_process(hung, Signal::STOP).unwrap();
    let said = machine.qemu.latest().unwrap_err().to_string();
    assert!(said.contains("did not answer screendump within 3000 ms"), "{said}");
    assert!(machine.qemu.probe().await.is_err());
    assert!(machine.qemu.switch(false).await.unwrap());
    assert_eq!(machine.process(), None);
    assert!(machine.qemu.switch(true).await.unwrap());
    until("its picture", || machine.qemu.latest().is_ok()).await;
}

#[tokio::test]
async fn the_machine_ends_with_its_tool() {
    let Some(machine) = Machine::started(without_menu()).await else { return };
    assert!(machine.process().is_some());
    let Machine { qemu, folder } = machine;
    drop(qemu);
    until("the end of the process", || process_of(folder.path()).is_none()).await;
}

#[tokio::test]
async fn what_qemu_does_not_take_is_told_in_its_words() {
    if program("qemu-system-x86_64").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let wrong = Options { args: vec!["-no-such-option".into()], ..Options::default() };
    let said = start(&wrong, &place(folder.path())).await.unwrap_err().to_string();
    assert!(said.contains("-no-such-option: invalid option") && said.contains("`args`"), "{said}");
    let deep = folder.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let said = start(&Options::default(), &place(&deep)).await.unwrap_err().to_string();
    assert!(said.contains("shorter path"), "{said}");
}

/// Where the process below has its machine.
const FOLDER: &str = "HEADEND_TEST_MACHINE";

#[tokio::test]
async fn the_machine_ends_with_the_process_that_started_it() {
    if program("qemu-system-x86_64").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_process_with_a_machine"]).env(FOLDER, folder.path());
    let mut peer = Peer::start(&mut command, folder.path());
    until("a machine", || folder.path().join("up").exists()).await;
    assert!(process_of(folder.path()).is_some());
    peer.0.kill().unwrap();
    peer.0.wait().unwrap();
    until("the end of the machine", || process_of(folder.path()).is_none()).await;
}

/// Not a test by itself: the process that `the_machine_ends_with_the_process_that_started_it` kills.
#[tokio::test]
async fn a_process_with_a_machine() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let _qemu = start(&without_menu(), &place(&folder)).await.unwrap();
    std::fs::write(folder.join("up"), "").unwrap();
    std::future::pending::<()>().await;
}
