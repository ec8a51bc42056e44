//! A host with its guest program, plugins in temporary folders, and plans in one line.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headend_model::{DutId, PolicyName, RackName, SlotNo, TargetIx, TestIx};
use headend_plugin_host::lifecycle::LoadError;
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::{GuestProgram, Limits, PolicyHost, PolicyHostConfig};
use headend_scheduler::event::Placement;
use headend_scheduler::view::{PlanView, TargetView, TestView};
use tempfile::TempDir;

/// A host, and a folder for plugins and cache that goes with it.
pub(crate) struct Lab {
    pub(crate) host: Arc<PolicyHost>,
    pub(crate) home: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With a configuration of its own.
    pub(crate) fn with(change: impl FnOnce(&mut PolicyHostConfig)) -> Self {
        let home = tempfile::tempdir().unwrap();
        // In the debug build `headend-guest` stands for `headend guest`.
        let guest = GuestProgram { program: env!("CARGO_BIN_EXE_headend-guest").into(), args: vec![] };
        let mut config = PolicyHostConfig::new(guest, home.path().join("cache"));
        // The machine may be busy: deadlines of sound plugins are not what is tested here.
        config.most = Limits { memory_mib: 64, deadline_ms: 60_000, fuel: None, host_calls: 1_000 };
        change(&mut config);
        Self { host: Arc::new(PolicyHost::new(config).unwrap()), home }
    }

    /// Another host on the same folders, as after a restart.
    pub(crate) fn restart(&mut self) {
        let guest = GuestProgram { program: env!("CARGO_BIN_EXE_headend-guest").into(), args: vec![] };
        let mut config = PolicyHostConfig::new(guest, self.home.path().join("cache"));
        config.most = Limits { memory_mib: 64, deadline_ms: 60_000, fuel: None, host_calls: 1_000 };
        self.host = Arc::new(PolicyHost::new(config).unwrap());
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.home.path().join("plugins")
    }

    /// Writes a plugin's folder. `more`: lines of the manifest, such as limits.
    pub(crate) fn write(&self, name: &str, file: &str, code: &[u8], more: &str) -> PathBuf {
        let folder = self.plugins().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), code).unwrap();
        fs::write(folder.join("headend-plugin.toml"), manifest(name, file, more)).unwrap();
        folder
    }

    /// Loads a component given as text.
    pub(crate) fn wat(&self, name: &str, text: &str, more: &str) -> Result<PluginInfo, LoadError> {
        let folder = self.write(name, "p.wasm", &wat::parse_str(text).unwrap(), more);
        self.host.load(&folder)
    }

    /// Loads a script.
    pub(crate) fn rhai(&self, name: &str, source: &str, more: &str) -> Result<PluginInfo, LoadError> {
        let folder = self.write(name, "p.rhai", source.as_bytes(), more);
        self.host.load(&folder)
    }

    /// Copies one of our own plugins from the workspace, without limits that a busy machine could exceed.
    pub(crate) fn stage_own(&self, name: &str) -> PathBuf {
        let source = workspace().join("plugins/policies").join(name);
        let (manifest, file) = manifest_of(&source);
        let code = if Path::new(&file).extension().is_some_and(|end| end == "wasm") {
            guest(name, &file)
        } else {
            source.join(&file)
        };
        self.stage(name, &manifest, &file, &code)
    }

    /// As [`Self::stage_own`], an example in C or Zig. `None`, told in the output: it was not built, for want of a compiler. On Debian CI
    /// has them all.
    pub(crate) fn stage_example(&self, name: &str) -> Option<PathBuf> {
        let (manifest, file) = manifest_of(&workspace().join("examples").join(name));
        let guests =
            std::env::var_os("HEADEND_GUESTS").map_or_else(|| workspace().join("target/guests"), PathBuf::from);
        let code = guests.join("examples").join(name).join(&file);
        if code.exists() {
            return Some(self.stage(name, &manifest, &file, &code));
        }
        let must = std::env::var_os("CI").is_some() && Path::new("/etc/debian_version").exists();
        assert!(!must, "{} is not built; `cargo xtask test` brings its compiler", code.display());
        println!("SKIPPED: {} is not built; `cargo xtask setup` says what is missing", code.display());
        None
    }

    fn stage(&self, name: &str, manifest: &str, file: &str, code: &Path) -> PathBuf {
        let folder = self.plugins().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(code, folder.join(file)).unwrap();
        let patient = manifest
            .lines()
            .map(|line| if line.starts_with("deadline_ms") { "deadline_ms = 30000" } else { line })
            .collect::<Vec<_>>()
            .join("\n");
        fs::write(folder.join("headend-plugin.toml"), patient).unwrap();
        folder
    }
}

pub(crate) fn manifest(name: &str, file: &str, more: &str) -> String {
    format!(
        "name = \"{name}\"\nversion = \"1.0.0\"\nkind = \"coverage-policy\"\nworld = \"1.0.0\"\nfile = \"{file}\"\n{more}\n"
    )
}

/// The manifest in a folder, and the file that it names.
fn manifest_of(folder: &Path) -> (String, String) {
    let manifest = fs::read_to_string(folder.join("headend-plugin.toml")).unwrap();
    let file = manifest.lines().find_map(|line| line.strip_prefix("file = ")).unwrap().trim_matches('"').to_owned();
    (manifest, file)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A guest of ours: as `cargo xtask plugins` lays it out, or as built by hand in `plugins`, whichever is newer.
fn guest(plugin: &str, file: &str) -> PathBuf {
    let laid_out = |guests: PathBuf| guests.join("plugins").join(plugin).join(file);
    let by_hand = || workspace().join("plugins/target/wasm32-unknown-unknown/release").join(file);
    let places = match std::env::var_os("HEADEND_GUESTS") {
        Some(guests) => vec![laid_out(guests.into())],
        None => vec![laid_out(workspace().join("target/guests")), by_hand()],
    };
    let built = |path: &PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let newest = places.iter().filter(|path| built(path).is_some()).max_by_key(|path| built(path));
    newest.unwrap_or_else(|| panic!("none of {places:?} is there; build the guests first: cargo xtask plugins")).clone()
}

pub(crate) fn name(text: &str) -> PolicyName {
    PolicyName::new(text).unwrap()
}

/// A test of a plan, never run before.
pub(crate) fn planned(ix: u32, runs: u32) -> TestView {
    TestView { test: TestIx(ix), runs, name: format!("tests/{ix}.py"), history: None }
}

/// A plan with tests of `runs` each on targets over two racks.
pub(crate) fn plan(runs: &[u32], targets: u32) -> PlanView {
    let target = |n: u32| TargetView {
        target: TargetIx(n),
        place: Some((RackName::new(format!("rack{}", n % 2)).unwrap(), SlotNo(n as u16 + 1))),
        dut: Some(DutId(u64::from(n) + 100)),
    };
    PlanView {
        tests: runs.iter().enumerate().map(|(ix, runs)| planned(ix as u32, *runs)).collect(),
        targets: (0..targets).map(target).collect(),
        ..PlanView::default()
    }
}

pub(crate) fn at(test: u32, target: u32) -> Placement {
    Placement { test: TestIx(test), target: TargetIx(target) }
}

pub(crate) fn free(targets: &[u32]) -> Vec<TargetIx> {
    targets.iter().copied().map(TargetIx).collect()
}

/// Waits for something that must come to be. The limit is for a machine that is stuck, not for one that is slow.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
