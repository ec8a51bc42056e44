//! A device whose pictures, sound and serial lines are known exactly, and analysers that tests write themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use futures::future::{BoxFuture, FutureExt};
use headend_media::{Picture, Sound};

use super::*;
use crate::driver::{DriverError, SerialLine, SerialNews, Shot};
use crate::options::{AnalyserOptions, GuestProgram};

pub(super) const RED: [u8; 3] = [200, 20, 20];
pub(super) const GREEN: [u8; 3] = [20, 200, 20];
/// Black after a key, in microseconds.
pub(super) const GAP_US: u64 = 400_000;

/// Red until a key is pressed, then black for [`GAP_US`], then green; silent in its first second, then a tone; a serial line every second.
#[derive(Debug)]
pub(super) struct Fake {
    now_us: AtomicU64,
    /// In real time.
    since: Option<Instant>,
    key_us: AtomicU64,
    sent: Mutex<Vec<u8>>,
}

impl Fake {
    pub(super) fn in_virtual_time() -> Arc<Self> {
        Arc::new(Self {
            now_us: AtomicU64::new(0),
            since: None,
            key_us: AtomicU64::new(u64::MAX),
            sent: Mutex::default(),
        })
    }

    pub(super) fn in_real_time() -> Arc<Self> {
        let since = Some(Instant::now());
        Arc::new(Self { now_us: AtomicU64::new(0), since, key_us: AtomicU64::new(u64::MAX), sent: Mutex::default() })
    }

    pub(super) fn sent(&self) -> Vec<u8> {
        self.sent.lock().unwrap().clone()
    }
}

impl Driver for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn builtin_dut(&self) -> Option<String> {
        None
    }

    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        if key != "Nothing" {
            self.key_us.store(self.now_us(), Ordering::SeqCst);
        }
        self.now_us.fetch_add(40_000, Ordering::SeqCst);
        std::future::ready(Ok(true)).boxed()
    }

    fn power(&self, _: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        std::future::ready(Ok(true)).boxed()
    }

    fn capture(&self) -> Result<Shot, DriverError> {
        let at_us = self.now_us();
        let key_us = self.key_us.load(Ordering::SeqCst);
        let colour = match at_us.checked_sub(key_us) {
            None => RED,
            Some(0..GAP_US) => [0; 3],
            Some(_) => GREEN,
        };
        Ok(Shot { at_us, picture: Picture::colour(320, 180, colour.repeat(320 * 180)).unwrap() })
    }

    fn now_us(&self) -> u64 {
        let virtual_us = self.now_us.load(Ordering::SeqCst);
        self.since.map_or(virtual_us, |since| since.elapsed().as_micros() as u64)
    }

    fn is_virtual(&self) -> bool {
        self.since.is_none()
    }

    fn reach(&self, at_us: u64) -> BoxFuture<'_, ()> {
        match self.since {
            None => {
                self.now_us.fetch_max(at_us, Ordering::SeqCst);
                std::future::ready(()).boxed()
            }
            Some(since) => tokio::time::sleep_until((since + std::time::Duration::from_micros(at_us)).into()).boxed(),
        }
    }

    fn sound(&self, from_us: u64, length_us: u64) -> Result<Option<Sound>, DriverError> {
        let count = length_us * 48 / 1_000;
        let loud = |n: u64| if from_us < 1_000_000 { 0 } else { ((n % 48) as i16 - 24) * 500 };
        Ok(Sound::new(48_000, 1, (0..count).map(loud).collect::<Vec<i16>>()))
    }

    fn has_serial(&self) -> bool {
        true
    }

    fn serial_send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        self.sent.lock().unwrap().extend_from_slice(bytes);
        std::future::ready(Ok(())).boxed()
    }

    fn serial_since(&self, from: u64) -> SerialNews {
        let next = self.now_us() / 1_000_000;
        let line = |second: u64| SerialLine { at_us: second * 1_000_000, text: format!("second <{second}>") };
        SerialNews { lines: (from..next).map(line).collect(), next, lost: 0 }
    }

    fn inject(&self, fault: &str) -> Result<(), DriverError> {
        if fault == "freeze 5s" {
            Ok(())
        } else {
            Err(DriverError(format!("{fault:?}: it can freeze, as in `freeze 5s`")))
        }
    }
}

/// Where the built analysers are; `None`: the guests have not been built, and there is nothing to try.
pub(super) fn built() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("HEADEND_GUESTS")?).join("analysers");
    assert!(folder.is_dir(), "HEADEND_GUESTS has no analysers; run `cargo xtask plugins`");
    Some(folder)
}

/// The built ones, and some of our own in Rhai.
pub(super) fn analysers(folder: &Path) -> Arc<Analysers> {
    let own = folder.join("own-analysers");
    write(
        &own,
        "since-key",
        "from_us = { type = \"integer\", default = -1 }\nproperties.fail = { type = \"boolean\", default = false }",
        SINCE_KEY,
    );
    write(&own, "audio-there", "least = { type = \"number\", default = -60 }", AUDIO_THERE);
    write(
        &own,
        "line-there",
        "text = { type = \"string\", default = \"login\" }\nproperties.back_s = { type = \"number\", default = 0 }",
        LINE_THERE,
    );
    // Built beside the tests; it compiles and runs analysers as `headend guest` does.
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("headend-guest");
    let guest = Some(GuestProgram { program, args: Vec::new() });
    let options =
        AnalyserOptions { folders: [Some(own), built()].into_iter().flatten().collect(), search: false, guest };
    Arc::new(Analysers::new(&options, &GuestProgram::default(), folder.join("cache")))
}

fn write(own: &Path, name: &str, property: &str, code: &str) {
    let folder = own.join(name);
    fs::create_dir_all(&folder).unwrap();
    let (sense, world) = match code {
        code if code.contains("fn hear") => ("sound", "1.0.0"),
        code if code.contains("fn read") => ("serial", "1.2.0"),
        _ => ("sight", "1.0.0"),
    };
    let manifest = format!(
        "name = \"{name}\"\nversion = \"1.0.0\"\nkind = \"analyser\"\nworld = \"{world}\"\nfile = \"code.rhai\"\nsenses = [\"{sense}\"]\n\
         description = \"For a test.\"\n[limits]\nmemory_mib = 32\ndeadline_ms = 4000\n\
         [parameters]\ntype = \"object\"\nadditionalProperties = false\nproperties.{property}\n"
    );
    fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    fs::write(folder.join("code.rhai"), code).unwrap();
}

/// Passes when the picture is bright in green; tells what it was given.
const SINCE_KEY: &str = r#"
fn feed(frame) {
    if this.parameters.fail { throw "broken on purpose"; }
    if this.first == () { this.first = frame.at; }
    let seen = frame.picture.statistics(());
    #{
        passed: seen.mean[1] > 100.0,
        sentence: "green, or not",
        values: #{ from_us: this.parameters.from_us, first: this.first, now: frame.at },
    }
}
"#;

/// Passes when something is heard.
const AUDIO_THERE: &str = r#"
fn hear(sound) {
    let level = sound.levels(0, 0, sound.count).dbfs;
    #{ passed: level > this.parameters.least, sentence: "heard", values: #{ level: level, at: sound.at } }
}
fn feed(frame) { () }
"#;

/// Passes at the line that has the text.
const LINE_THERE: &str = r"
fn build(setup) { this.text = setup.parameters.text; this.lines = 0; }
fn read(news) {
    for line in news.lines {
        this.lines += 1;
        if line.text.contains(this.text) {
            return #{ passed: true, sentence: `it said ${line.text}`, at: line.at, values: #{ lines: this.lines } };
        }
    }
    ()
}
fn finish() { #{ passed: false, sentence: `${this.lines} lines, and none had it` } }
";
