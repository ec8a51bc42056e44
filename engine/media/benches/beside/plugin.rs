//! The analyser as a plugin, by `headend analyse --timing`: loaded, with all its limits, over the same files.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::cases::{Case, Files};
use super::python::coordinate;
use super::{Answer, Measured};

/// How often the stream is fed.
const TIMES: &str = "15";

/// `program`: `headend`; `guests`: the folder with the plugins.
pub(crate) fn measure(program: &OsStr, guests: &Path, case: &Case, files: &Files) -> Measured {
    let mut command = Command::new(program);
    command.args(["--json", "analyse"]).arg(guests.join("analysers").join(case.analyser)).args(&files.frames);
    command.args(["--timing", TIMES, "--parameters", &case.parameters.to_string()]);
    if let Some(reference) = &files.reference {
        command.arg("--reference").arg(format!("logo={}", reference.display()));
    }
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}: {}", case.name(), String::from_utf8_lossy(&output.stderr)));
    let last = said["verdicts"].as_array().and_then(|verdicts| verdicts.last()).cloned().unwrap_or_default();
    let values = &last["values"];
    let value = |name: &str| {
        let all = values.as_array()?;
        all.iter().find(|value| value["name"] == name).and_then(|value| coordinate(&value["number"]))
    };
    let passed = last["passed"] == true;
    let place = if passed { value("x").zip(value("y")) } else { None };
    let us = said["frame_us"].as_array().and_then(|frames| frames.last()?.as_f64());
    let us = us.unwrap_or_else(|| panic!("{}: no times in {said}", case.name()));
    Measured { answer: Answer { passed, place }, us, by: format!("{} {}", said["plugin"], said["version"]) }
}
