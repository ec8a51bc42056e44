//! Cases of hostile plugins, as the files below `tests/guests` tell them: how they are read, filled into a frame, let in, and gone
//! through beside somebody who must not notice.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

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
