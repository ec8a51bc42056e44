//! A job as a TOML file.

use std::io::Read;
use std::path::Path;

use headend_wire::api::{ModeRef, SlotRef, SubmitRequest, TestRequest};
use serde::Deserialize;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets::SlotRange;

/// What stands in the file; shown by `headend submit --help`.
pub(crate) const SCHEMA: &str = "\
JOB FILES
  A job file is TOML. Flags come before what stands in it; lists are added up.

    name = \"nightly zapping\"         # default: the name of the file
    priority = 5                     # 1 (first) to 9 (last)
    slots = [\"rack1/1-4\", \"rack2/1\"]
    duts = [17]
    accept_warnings = false          # true: start in spite of warnings

    [[test]]
    script = \"zap/zap.rhai\"
    args = \"--channel 'BBC 1'\"       # split as a shell would, without a shell
    slots_needed = 4                 # default: one run on every target
    mode = \"test-coverage\"           # 0, 1, 2 or the name of a policy; default 1
    private = false                  # true: the script is in your own area
    time_limit_s = 600

    [parameters.pairwise]            # what a policy of the tests is asked for; see its page
    fields = [\"HardwareVersion\"]

  Modes: 0 single process (all slots at once), 1 DUT coverage (on each box the tests in
  list order), 2 test coverage (every test starts as soon as possible).";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobFile {
    name: Option<String>,
    priority: Option<u8>,
    #[serde(default)]
    slots: Vec<String>,
    #[serde(default)]
    duts: Vec<u64>,
    #[serde(default)]
    accept_warnings: bool,
    /// By policy.
    #[serde(default)]
    parameters: serde_json::Map<String, serde_json::Value>,
    #[serde(default, rename = "test")]
    tests: Vec<TestEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestEntry {
    script: String,
    #[serde(default)]
    args: String,
    slots_needed: Option<i64>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    private: bool,
    time_limit_s: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Mode {
    Number(i64),
    Name(String),
}

impl Default for Mode {
    fn default() -> Self {
        Self::Number(1)
    }
}

/// Reads a job file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<SubmitRequest> {
    let is_stdin = path == Path::new("-");
    let mut text = String::new();
    let read = if is_stdin {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| Failure::file("read", path, error))?;
    let name = if is_stdin { None } else { path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) };
    parse(&text, name)
        .map_err(|failure| failure.help(format!("see `headend submit --help`; the file was {}", path.display())))
}

fn parse(text: &str, file_name: Option<String>) -> Result<SubmitRequest> {
    let file: JobFile = toml::from_str(text)
        .map_err(|error| Failure::new(Exit::Usage, "bad_job_file", "cannot understand the job file").because(error))?;
    let mut slots: Vec<SlotRef> = Vec::new();
    for text in &file.slots {
        let SlotRange(range) = text.parse().map_err(|what: String| Failure::new(Exit::Usage, "bad_job_file", what))?;
        slots.extend(range);
    }
    Ok(SubmitRequest {
        name: file.name.or(file_name).unwrap_or_default(),
        priority: file.priority,
        slots,
        duts: file.duts,
        tests: file.tests.into_iter().map(TestRequest::from).collect(),
        parameters: file.parameters,
        fail_on_warning: !file.accept_warnings,
    })
}

impl From<TestEntry> for TestRequest {
    fn from(test: TestEntry) -> Self {
        Self {
            script: test.script,
            public: !test.private,
            slots_needed: test.slots_needed,
            mode: match test.mode {
                Mode::Number(number) => ModeRef::Number(number),
                Mode::Name(name) => ModeRef::Name(name),
            },
            args: test.args,
            time_limit_s: test.time_limit_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_shown_in_the_help_is_taken() {
        let lines = SCHEMA.lines().filter_map(|line| line.strip_prefix("    "));
        let text = lines.collect::<Vec<_>>().join("\n");
        let request = parse(&text, None).unwrap();
        assert_eq!(
            (request.name.as_str(), request.slots.len(), request.duts.as_slice()),
            ("nightly zapping", 5, &[17][..])
        );
        assert!(request.fail_on_warning);
        assert_eq!(request.tests[0].mode, ModeRef::Name("test-coverage".to_owned()));
        assert_eq!(request.tests[0].slots_needed, Some(4));
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let failure = parse("name = \"x\"\nslot = [\"rack1/1\"]\n", None).unwrap_err();
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert!(cause.contains("line 2") && cause.contains("slot"), "{cause}");
    }
}
