//! Cases of hostile plugins, as the files below `tests/guests` tell them: how they are read, filled into a frame, let in, and gone
//! through beside somebody who must not notice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headend_plugin_host::lifecycle::LoadError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Of what is no matter of time. The machine may be busy.
const PATIENT_MS: i64 = 30_000;

#[derive(Deserialize)]
struct Cases<C> {
    case: Vec<C>,
}

/// The folder of a kind of plugin.
pub(crate) fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests").join(kind)
}

/// The cases of all files there.
pub(crate) fn read<C: DeserializeOwned>(kind: &str) -> Vec<C> {
    let mut files: Vec<_> = fs::read_dir(folder(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        toml::from_str::<Cases<C>>(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).case
    };
    files.iter().flat_map(read).collect()
}

/// The only cases that somebody wants to see, by a part of their names.
pub(crate) fn only() -> Option<String> {
    std::env::var("HEADEND_CASE").ok()
}

/// A frame of a kind without its comments, with the parts of a case in their places. `guarded` ones do what they do only once the
/// guest is armed, unless `always`.
pub(crate) fn fill(
    (kind, frame): (&str, &str),
    always: bool,
    guarded: &[(&str, &str)],
    plain: &[(&str, &str)],
) -> String {
    let frame = fs::read_to_string(folder(kind).join("frames").join(frame)).unwrap();
    let code = frame.lines().filter(|line| !line.trim_start().starts_with(";;")).collect::<Vec<_>>().join("\n");
    let code = guarded.iter().fold(code, |code, (place, body)| {
        let body = if always { (*body).to_owned() } else { format!("(if (global.get $armed) (then {body}))") };
        code.replace(place, &body)
    });
    plain.iter().fold(code, |code, (place, body)| code.replace(place, body))
}

/// The lines of a manifest for capabilities and limits: with time enough, unless time is what a case is about.
pub(crate) fn grants(capabilities: &[String], limits: &BTreeMap<String, i64>) -> String {
    let mut limits = limits.clone();
    limits.entry("deadline_ms".into()).or_insert(PATIENT_MS);
    let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("capabilities = {capabilities:?}\n[limits]\n{}\n", limits.join("\n"))
}

/// Loads. A busy machine may let a sound call miss a short deadline while it is tried: that says nothing of a case that is to be let in.
pub(crate) fn let_in(to_be_refused: bool, load: impl Fn() -> Result<(), LoadError>) -> Result<(), LoadError> {
    let mut tries = 0..5;
    loop {
        match load() {
            Err(LoadError::SelfCheck { what, .. })
                if !to_be_refused && what.contains("did not answer") && tries.next().is_some() => {}
            loaded => return loaded,
        }
    }
}

/// The step in which it was refused, and everything that was said.
pub(crate) fn refusal(error: &LoadError) -> (String, String) {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    (error.step().as_str().to_owned(), format!("{error}{cause}"))
}

/// Words are the runtime's; what they are about must be there.
pub(crate) fn is_about(text: &str, expected: Option<&String>) -> bool {
    expected.is_none_or(|expected| text.to_lowercase().contains(&expected.to_lowercase()))
}

/// Judges all cases, so many at a time. `beside` has a thread of its own, and goes on until it is told that all is done.
pub(crate) fn go_through<C: Sync>(
    cases: &[C],
    at_once: usize,
    name: impl Fn(&C) -> &str + Sync,
    judge: impl Fn(&C) -> Result<(), String> + Sync,
    beside: impl FnOnce(&dyn Fn() -> bool) + Send,
) {
    let (next, done, failures) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let one_after_another = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            let judged = catch_unwind(AssertUnwindSafe(|| judge(case)));
            let judged = judged.unwrap_or_else(|_| Err("broke a rule that holds for all, see above".into()));
            if let Err(what) = judged {
                failures.lock().unwrap().push(format!("{}: {what}", name(case)));
            }
            if only().is_some() {
                eprintln!("{}: {:?}", name(case), began.elapsed());
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(one_after_another);
        }
        scope.spawn(|| beside(&|| done.load(Ordering::Relaxed) >= cases.len()));
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// What a busy allocator and the code of the runtime may keep, in KiB. One bomb that is not let go is as large, and there are dozens.
const KEPT_KIB: u64 = 256 << 10;
const PATIENCE: Duration = Duration::from_mins(2);

/// This process before an attack.
pub(crate) struct Before {
    children: BTreeSet<u32>,
    memory_kib: u64,
}

impl Before {
    pub(crate) fn now() -> Self {
        Self { children: children(), memory_kib: resident_kib() }
    }

    /// Nothing half made lies in the host's folders.
    pub(crate) fn nothing_is_half_made(home: &Path) {
        let left: Vec<PathBuf> = everything(home).into_iter().filter(|path| is_hidden(path)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// No process of a guest or a compiler is left, and memory is back. To be asked when the host is gone.
    pub(crate) fn nothing_is_left(self) {
        let began = Instant::now();
        // What others do in this process meanwhile, where tests share one, comes to an end as well.
        while !children().is_subset(&self.children) {
            assert!(began.elapsed() < PATIENCE, "processes {:?} are left of {:?}", children(), self.children);
            std::thread::sleep(Duration::from_millis(20));
        }
        let grown = resident_kib().saturating_sub(self.memory_kib);
        assert!(grown <= KEPT_KIB, "{grown} KiB more than before");
    }
}

/// Processes whose parent this one is.
fn children() -> BTreeSet<u32> {
    let own = std::process::id();
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|pid| parent(*pid) == Some(own)).collect()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { everything(&path).into_iter().chain([path]).collect() } else { vec![path] })
        .collect()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
