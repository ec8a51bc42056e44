//! `OpenCV` and stb-tester, in a Python of their own that is asked line by line.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::cases::{Case, Files};
use super::{Answer, Measured};

/// How many threads `OpenCV` may use.
#[derive(Clone, Copy)]
pub(crate) enum Threads {
    One,
    /// As many as it likes.
    All,
}

/// Is there for the whole run; ends when its input does.
pub(crate) struct Baseline {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Baseline {
    /// `python`: one that has `OpenCV`.
    pub(crate) fn start(python: &OsStr) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench/opencv/baseline.py");
        let mut command = Command::new(python);
        let command = command.arg("-u").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", python.display()));
        let (asked, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, asked, answers }
    }

    /// `None`: it has nothing like it, and has said why.
    pub(crate) fn measure(&mut self, case: &Case, files: &Files, threads: Threads) -> Option<Measured> {
        let question = json!({
            "analyser": case.analyser, "frames": files.frames, "reference": files.reference,
            "parameters": case.parameters, "one_thread": matches!(threads, Threads::One),
        });
        writeln!(self.asked.as_mut().unwrap(), "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{}: the baseline says {line:?}: {error}", case.name()));
        let passed = said["passed"].as_bool()?;
        let place = || Some((coordinate(&said["place"][0])?, coordinate(&said["place"][1])?));
        let answer = Answer { passed, place: place() };
        Some(Measured { answer, us: said["us"].as_f64()?, by: said["by"].as_str()?.to_owned() })
    }
}

pub(crate) fn coordinate(value: &Value) -> Option<u32> {
    value.as_f64().map(|value| value as u32)
}

impl Drop for Baseline {
    fn drop(&mut self) {
        drop(self.asked.take());
        self.child.wait().ok();
    }
}
