//! A host with its guest program, analysers in temporary folders, and frames in one line.

use std::fs;
use std::path::{Path, PathBuf};

use headend_model::PolicyName;
use headend_plugin_host::analyser::media::{Colour, Picture, Rect, Sound};
use headend_plugin_host::analyser::{AnalyserFault, Frame, Heard, Reference, Verdict};
use headend_plugin_host::lifecycle::LoadError;
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::{AnalyserHost, AnalyserHostConfig, GuestProgram};
use tempfile::TempDir;

pub(crate) struct Lab {
    pub(crate) host: AnalyserHost,
    pub(crate) home: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut AnalyserHostConfig)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let guest = GuestProgram { program: env!("CARGO_BIN_EXE_headend-guest").into(), args: vec![] };
        let mut config = AnalyserHostConfig::new(guest, home.path().join("cache"));
        // The machine may be busy: deadlines of sound plugins are not what is tested here.
        config.most.deadline_ms = 60_000;
        change(&mut config);
        Self { host: AnalyserHost::new(config).unwrap(), home }
    }

    /// Writes a plugin's folder. `more`: lines of the manifest, such as limits.
    pub(crate) fn write(&self, name: &str, file: &str, code: &[u8], more: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), code).unwrap();
        // Each against the first version that has what it needs.
        let world = if more.contains("\"serial\"") { "1.2.0" } else { "1.0.0" };
        let manifest = format!(
            "name = \"{name}\"\nversion = \"1.0.0\"\nkind = \"analyser\"\nworld = \"{world}\"\nfile = \"{file}\"\n{more}\n"
        );
        fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
        folder
    }

    pub(crate) fn rhai(&self, name: &str, source: &str, more: &str) -> Result<PluginInfo, LoadError> {
        self.host.load(&self.write(name, "a.rhai", source.as_bytes(), more))
    }

    pub(crate) fn wat(&self, name: &str, text: &str, more: &str) -> Result<PluginInfo, LoadError> {
        self.host.load(&self.write(name, "a.wasm", &wat::parse_str(text).unwrap(), more))
    }

    /// One of our own, without limits that a busy machine could exceed.
    pub(crate) fn own(name: &str) -> Self {
        Self::new().and(name)
    }

    /// With one of our own.
    pub(crate) fn and(self, name: &str) -> Self {
        let lab = self;
        let built = guests().join("analysers").join(name);
        let folder = lab.home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let source = workspace().join("plugins/analysers").join(name);
        let manifest = fs::read_to_string(source.join("headend-plugin.toml")).unwrap();
        let patient =
            |line: &str| if line.starts_with("deadline_ms") { "deadline_ms = 30000".into() } else { line.to_owned() };
        let manifest: Vec<String> = manifest.lines().map(patient).collect();
        fs::write(folder.join("headend-plugin.toml"), manifest.join("\n")).unwrap();
        let file = manifest.iter().find_map(|line| line.strip_prefix("file = ")).unwrap().trim_matches('"');
        let code = if Path::new(file).extension().is_some_and(|end| end == "rhai") { source } else { built }.join(file);
        let copied = fs::copy(&code, folder.join(file));
        copied
            .unwrap_or_else(|error| panic!("{}: {error}; build the guests first: cargo xtask plugins", code.display()));
        lab.host.load(&folder).unwrap();
        lab
    }

    /// All verdicts on a stream, that at its end included.
    pub(crate) fn verdicts(
        &self,
        name: &str,
        parameters: &str,
        references: &[Reference],
        frames: &[Frame],
    ) -> Result<Vec<Verdict>, AnalyserFault> {
        let mut instance = self.host.instance(&PolicyName::new(name).unwrap(), references, parameters)?;
        let mut verdicts = Vec::new();
        for frame in frames {
            verdicts.extend(instance.feed(frame)?);
        }
        verdicts.extend(instance.finish()?);
        Ok(verdicts)
    }
}

/// What is shown and heard.
pub(crate) enum Event {
    Shown(Frame),
    Heard(Heard),
}

impl Lab {
    /// All verdicts on frames and sounds, in the order of their instants.
    pub(crate) fn events(&self, name: &str, parameters: &str, mut events: Vec<Event>) -> Vec<Verdict> {
        let mut instance = self.host.instance(&PolicyName::new(name).unwrap(), &[], parameters).unwrap();
        events.sort_by_key(|event| match event {
            Event::Shown(frame) => frame.at_us,
            Event::Heard(heard) => heard.at_us,
        });
        let mut verdicts = Vec::new();
        for event in events {
            verdicts.extend(match event {
                Event::Shown(frame) => instance.feed(&frame).unwrap(),
                Event::Heard(heard) => instance.hear(&heard).unwrap(),
            });
        }
        verdicts.extend(instance.finish().unwrap());
        verdicts
    }
}

/// Samples per second.
pub(crate) const RATE: u32 = 48_000;

/// Sound in pieces of 40 ms: left and right are functions of time in seconds, -1.0 to 1.0.
pub(crate) fn pieces(seconds: f64, both: impl Fn(f64) -> [f64; 2]) -> Vec<Event> {
    const PIECE: u32 = RATE / 25;
    let piece = |number: u32| {
        let instant = |n: u32| f64::from(number * PIECE + n) / f64::from(RATE);
        let samples: Vec<i16> = (0..PIECE).flat_map(|n| both(instant(n)).map(|v| (v * 32_767.0) as i16)).collect();
        let sound = Sound::new(RATE, 2, samples).unwrap();
        Event::Heard(Heard { at_us: i64::from(number) * 40_000, sound })
    };
    (0..(seconds * 25.0) as u32).map(piece).collect()
}

/// A tone at a time.
pub(crate) fn sine(hertz: f64, time: f64) -> f64 {
    (std::f64::consts::TAU * hertz * time).sin()
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn guests() -> PathBuf {
    std::env::var_os("HEADEND_GUESTS").map_or_else(|| workspace().join("target/guests"), PathBuf::from)
}

/// `below`, with `above` laid over it at a place.
pub(crate) fn laid(below: &Picture, above: &Picture, x: u32, y: u32) -> Picture {
    let place = Rect { x, y, ..above.bounds() };
    headend_plugin_host::analyser::drawn::picture(below.width(), below.height(), |at_x, at_y| {
        let inside = at_x >= x && at_y >= y && at_x < x + place.width && at_y < y + place.height;
        let (from, x, y) = if inside { (above, at_x - x, at_y - y) } else { (below, at_x, at_y) };
        let pixel = from.read(Rect { x, y, width: 1, height: 1 });
        Colour::new(pixel[0], pixel[1], pixel[2])
    })
}
