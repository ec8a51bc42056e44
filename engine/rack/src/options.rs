//! What a rack is told at its start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use headend_wire::session::GuestLimits;

pub use crate::wiring::Wiring;
pub use headend_stb::{Chances, Options as BoxOptions, Size};

/// How often the tools of an idle slot are probed, unless a rack file says otherwise.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// Everything that `headend rack` and `headend up` decide. [`RackOptions::new`] has sound defaults.
#[derive(Clone, Debug)]
pub struct RackOptions {
    /// Address of the server, such as `http://127.0.0.1:8001`.
    pub server: String,
    /// Name of this rack.
    pub name: String,
    /// One-use token; needed until the rack has a token of its own in its data folder.
    pub enrol_token: Option<String>,
    /// Where the journal, the rack's token, working copies and evidence live. One daemon at a time.
    pub data: PathBuf,
    /// The slots, by number.
    pub slots: BTreeMap<u16, SlotDriver>,
    /// How often the tools of an idle slot are probed.
    pub probe_every: Duration,
    /// Program of the script guests.
    pub guest: GuestProgram,
    /// Where Python interpreters come from.
    pub python: PythonOptions,
    /// Working copies of file snapshots kept (document 6.1.1).
    pub working_copies: usize,
    /// Guest processes alive at most; 0: as many as slots.
    pub max_guests: usize,
    /// What a Rhai or WASM script may use up.
    pub limits: GuestLimits,
    /// What logs of a run may grow to.
    pub logs: LogLimits,
    /// Ends that may wait for the server before no new run is taken.
    pub outbox: usize,
    /// How long the first contact with the server may take; `None`: for ever.
    pub patience: Option<Duration>,
    /// Tests: a file that takes one line per drive and key press (see [`crate::witness`]).
    pub witness: Option<PathBuf>,
    /// What looks and listens for scripts.
    pub analysers: AnalyserOptions,
}

/// Where analysers come from. A folder holds one folder for each, named as the analyser.
#[derive(Clone, Debug)]
pub struct AnalyserOptions {
    /// Looked through first, in this order.
    pub folders: Vec<PathBuf>,
    /// Then those that `HEADEND_ANALYSERS` names, and the usual ones beside the program.
    pub search: bool,
    /// Compiles them and runs those in Rhai; `None`: the program of script guests.
    pub guest: Option<GuestProgram>,
}

impl Default for AnalyserOptions {
    /// Searches.
    fn default() -> Self {
        Self { folders: Vec::new(), search: true, guest: None }
    }
}

impl RackOptions {
    /// A rack with `slots` virtual boxes.
    pub fn new(server: impl Into<String>, name: impl Into<String>, data: impl Into<PathBuf>, slots: u16) -> Self {
        Self {
            server: server.into(),
            name: name.into(),
            enrol_token: None,
            data: data.into(),
            slots: (1..=slots).map(|no| (no, SlotDriver::Virtual(VirtualOptions::numbered(no)))).collect(),
            probe_every: PROBE_EVERY,
            guest: GuestProgram::default(),
            python: PythonOptions::default(),
            working_copies: 4,
            max_guests: 0,
            limits: GuestLimits::default(),
            logs: LogLimits::default(),
            outbox: 10_000,
            patience: Some(Duration::from_secs(30)),
            witness: None,
            analysers: AnalyserOptions::default(),
        }
    }

    /// Changes every virtual box, such as its boot time or its chances of faults.
    #[must_use]
    pub fn boxes(mut self, change: impl Fn(&mut BoxOptions)) -> Self {
        self.each_box(|options| change(&mut options.stb));
        self
    }

    /// Makes every virtual box run in virtual time: waits cost nothing.
    #[must_use]
    pub fn virtual_time(mut self, on: bool) -> Self {
        self.each_box(|options| options.virtual_time = on);
        self
    }

    fn each_box(&mut self, change: impl Fn(&mut VirtualOptions)) {
        for slot in self.slots.values_mut() {
            if let SlotDriver::Virtual(options) = slot {
                change(options);
            }
        }
    }
}

/// What a slot is made of.
#[derive(Clone, Debug)]
pub enum SlotDriver {
    /// A virtual set-top box.
    Virtual(VirtualOptions),
    /// Real tools.
    Wired(Wiring),
}

/// A virtual set-top box.
#[derive(Clone, Debug)]
pub struct VirtualOptions {
    /// Its name as a DUT.
    pub name: String,
    /// Its clock moves only by waits and key presses, which then cost no real time.
    pub virtual_time: bool,
    /// The box itself: seed, size of pictures, times, what goes wrong by chance.
    pub stb: BoxOptions,
}

impl VirtualOptions {
    /// The box of slot `no`, in real time; its number is its seed.
    pub fn numbered(no: u16) -> Self {
        let stb = BoxOptions::seeded(u64::from(no));
        Self { name: format!("virtual-{no}"), virtual_time: false, stb }
    }
}

/// How a guest process is started; it finds the session socket as file descriptor 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestProgram {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Default for GuestProgram {
    /// `headend guest script`, the running binary itself.
    fn default() -> Self {
        Self {
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("headend")),
            args: vec!["guest".into(), "script".into()],
        }
    }
}

/// Python hosting.
#[derive(Clone, Debug)]
pub struct PythonOptions {
    /// Interpreters to use besides those found.
    pub interpreters: Vec<PathBuf>,
    /// Look for more on `PATH`, in `/usr/bin` and in pyenv's folder.
    pub search: bool,
    /// Folder that holds the package `stormtest`; `None`: `HEADEND_PYTHON_SDK`, else the one inside the binary.
    pub sdk: Option<PathBuf>,
    /// Address space of each process of a script and, where there is a cgroup for it, memory of all of them together, in
    /// bytes; 0: no limit.
    pub memory_bytes: u64,
    /// Processes that a script may have at a time: what stops a fork bomb. By cgroup where there is one, else by
    /// `RLIMIT_NPROC`, which counts all processes of the daemon's user and binds any but root. 0: no limit.
    pub processes: u64,
    /// What a run may write into its folders, in bytes (blocks on the disk). 0: no limit.
    pub disk_bytes: u64,
    /// Files and folders that a run may make. 0: no limit.
    pub disk_files: u64,
    /// Folders and files besides the system and its own that scripts may read.
    pub readable: Vec<PathBuf>,
    /// Folders and files besides its own that scripts may write: a serial port, say.
    pub writable: Vec<PathBuf>,
    /// Shut scripts in: only the system to read, only their own folders to write, no capabilities.
    pub isolate: bool,
}

impl Default for PythonOptions {
    /// Searches; 4 GiB of memory, 1,024 processes, 4 GiB of disk in 100,000 files, shut in.
    fn default() -> Self {
        Self {
            interpreters: Vec::new(),
            search: true,
            sdk: None,
            memory_bytes: 4 << 30,
            processes: 1_024,
            disk_bytes: 4 << 30,
            disk_files: 100_000,
            readable: Vec::new(),
            writable: Vec::new(),
            isolate: true,
        }
    }
}

/// How large the evidence of one run may become, and how much of it is kept.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// Bytes of `log.jsonl` and of `console.txt`, each.
    pub log_bytes: u64,
    /// Captures.
    pub captures: u32,
    /// Run folders kept on the rack after they were handed to the server.
    pub runs_kept: usize,
}

impl Default for LogLimits {
    /// 4 MiB, 1,000 captures, 500 runs.
    fn default() -> Self {
        Self { log_bytes: 4 << 20, captures: 1_000, runs_kept: 500 }
    }
}
