//! The hostile scripts of `tests/guests`: each ends as its verdict says, and hurts nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use headend_wire::session::{GuestLimits, ScriptEnd};
use serde::Deserialize;

use super::rack::{Guest, Outcome, Seen, session};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests");
const MEMORY_BYTES: u64 = 32 << 20;
/// What a process may have on top of its script's memory: its own needs, and code that it touches for the first time.
const OWN_KIB: u64 = 128 << 10;

#[derive(Deserialize)]
struct Verdicts {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: PathBuf,
    name: Option<String>,
    repeat: Option<Repeat>,
    truncate: Option<usize>,
    end: Vec<Verdict>,
    text: Option<String>,
    result: Option<i64>,
    operations: Option<u64>,
    log_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    text: String,
    times: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Finished,
    Crashed,
    Limit,
    CannotStart,
    Dies,
    HungUp,
}

impl Case {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.file.display().to_string())
    }

    /// Puts the script where a guest finds it.
    fn script(&self, folder: &Path) -> PathBuf {
        let source = Path::new(FOLDER).join(&self.file);
        let made = folder.join(self.file.file_name().unwrap());
        if let Some(Repeat { text, times }) = &self.repeat {
            let parts = (0..*times).map(|number| text.replace("{n}", &number.to_string()));
            fs::write(&made, parts.collect::<String>()).unwrap();
            return made;
        }
        if source.extension().is_some_and(|extension| extension == "wat") {
            let made = made.with_extension("wasm");
            let mut bytes = wat::parse_file(&source).unwrap();
            bytes.truncate(self.truncate.unwrap_or(usize::MAX));
            fs::write(&made, bytes).unwrap();
            return made;
        }
        source
    }

    fn limits(&self) -> GuestLimits {
        let defaults = GuestLimits { memory_bytes: MEMORY_BYTES, cpu_ms: 400, ..GuestLimits::default() };
        GuestLimits {
            operations: self.operations.unwrap_or(defaults.operations),
            log_bytes: self.log_bytes.unwrap_or(defaults.log_bytes),
            ..defaults
        }
    }

    fn check(&self, outcome: &Outcome, seen: &Seen) -> Result<(), String> {
        let (verdict, text) = match outcome {
            Outcome::Died => (Verdict::Dies, ""),
            Outcome::HungUp => (Verdict::HungUp, ""),
            Outcome::Said(ScriptEnd::Finished) => (Verdict::Finished, ""),
            Outcome::Said(ScriptEnd::Crashed(text)) => (Verdict::Crashed, text.as_str()),
            Outcome::Said(ScriptEnd::Limit(text)) => (Verdict::Limit, text.as_str()),
            Outcome::Said(ScriptEnd::CannotStart(text)) => (Verdict::CannotStart, text.as_str()),
        };
        if !self.end.contains(&verdict) {
            return Err(format!("ended as {verdict:?}, not {:?}: {text}", self.end));
        }
        let said = self.text.as_deref().is_none_or(|wanted| text.contains(wanted));
        if verdict != Verdict::Dies && !said {
            return Err(format!("does not say {:?}: {text}", self.text));
        }
        if seen.result != self.result {
            return Err(format!("result {:?}, not {:?}", seen.result, self.result));
        }
        let log_limit = self.limits().log_bytes as usize;
        if seen.log_bytes > log_limit {
            return Err(format!("{} bytes of log; {log_limit} are allowed", seen.log_bytes));
        }
        if self.log_bytes.is_some() && !seen.warnings.iter().any(|line| line.contains("were dropped")) {
            return Err(format!("nobody is told that lines were dropped: {:?}", seen.warnings));
        }
        Ok(())
    }
}

#[test]
fn every_hostile_script_ends_as_its_verdict_says() {
    let verdicts = fs::read_to_string(Path::new(FOLDER).join("verdicts.toml")).unwrap();
    let cases = toml::from_str::<Verdicts>(&verdicts).unwrap().case;
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    let told: BTreeSet<&Path> = cases.iter().map(|case| case.file.as_path()).collect();
    for folder in ["rhai", "wasm"] {
        for entry in fs::read_dir(Path::new(FOLDER).join(folder)).unwrap() {
            let file = Path::new(folder).join(entry.unwrap().file_name());
            assert!(told.contains(file.as_path()), "{} has no verdict", file.display());
        }
    }
    let failures: Vec<String> =
        cases.iter().filter_map(|case| judge(case).err().map(|error| format!("{}: {error}", case.name()))).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn judge(case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let script = case.script(folder.path());
    let mut guest = Guest::start(None);
    let before_kib = guest.peak_kib();
    let (outcome, seen) = guest.run(session(&script, &[]), &case.limits());
    let checked = case.check(&outcome, &seen);
    if matches!(outcome, Outcome::Said(ScriptEnd::Finished | ScriptEnd::Crashed(_) | ScriptEnd::CannotStart(_))) {
        serves_again(&mut guest, folder.path())?;
    }
    let (_, peak_kib) = guest.finish();
    let allowed_kib = before_kib + MEMORY_BYTES / 1024 + OWN_KIB;
    if peak_kib > allowed_kib {
        return Err(format!("peak memory {peak_kib} KiB; at most {allowed_kib} are allowed"));
    }
    checked
}

/// A guest that was not limited serves the next run, and nothing of the last one is left in it.
fn serves_again(guest: &mut Guest, folder: &Path) -> Result<(), String> {
    let script = folder.join("next.rhai");
    fs::write(&script, "if args != [\"fresh\"] { throw args; } result(PASS);").unwrap();
    let (outcome, seen) = guest.run(session(&script, &["fresh"]), &GuestLimits::default());
    if outcome == Outcome::Said(ScriptEnd::Finished) && seen.result == Some(111) {
        return Ok(());
    }
    Err(format!("the next run of the same process: {outcome:?}"))
}
