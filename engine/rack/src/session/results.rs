//! What a test has found out besides its result: measurements, files, what comes in, faults that it orders. And what is kept for the day when
//! something fails.

use std::path::Path;

use headend_model::TestResult;
use headend_wire::session::{CallError, Signal, SlotAnswer};
use serde_json::{Value, json};

use super::calls::{device_error, value};
use super::look::blocking;
use super::looker::View;
use super::{Reported, Session};

/// Longest name of a measurement or file, in bytes.
const LONGEST_NAME: usize = 200;
/// Failures of a run that get a film strip.
const MOST_STRIPS: u32 = 5;

impl Session {
    pub(super) fn measure(&mut self, name: &str, number: f64, unit: Option<&str>) -> Result<Value, CallError> {
        if !number.is_finite() {
            return Self::refuse("bad_call", format!("{name} = {number}: a measurement is a finite number"));
        }
        if name.is_empty() || name.len() > LONGEST_NAME || unit.is_some_and(|unit| unit.len() > LONGEST_NAME) {
            let why = format!("names and units of measurements have 1 to {LONGEST_NAME} bytes");
            return Self::refuse("bad_call", why);
        }
        self.recorder.event("measure", true, &json!({ "name": name, "value": number, "unit": unit }));
        Ok(Value::Null)
    }

    pub(super) fn artifact(&mut self, path: &str, name: Option<&str>) -> Result<Value, CallError> {
        let folder = Path::new(&self.setup.info.out);
        let no_file = |why: String| CallError {
            code: "bad_call".to_owned(),
            message: format!("{path:?} cannot be kept with the results: {why}; files of the output folder can"),
        };
        let root = folder.canonicalize().map_err(|error| no_file(format!("{}: {error}", folder.display())))?;
        let real = folder.join(path).canonicalize().map_err(|error| no_file(error.to_string()))?;
        let below = real.strip_prefix(&root).map_err(|_| no_file("it lies somewhere else".to_owned()))?;
        let meta = real.metadata().map_err(|error| no_file(error.to_string()))?;
        if !meta.is_file() {
            return Err(no_file("it is no file".to_owned()));
        }
        let kept = json!({ "path": below.display().to_string(), "name": name, "bytes": meta.len() });
        self.recorder.event("artifact", true, &kept);
        Ok(Value::Null)
    }

    pub(super) async fn signal(&mut self, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, _, driver) in self.chosen("asking for the signal", slot)? {
            let rate = 1e6 / driver.frame_us().max(1) as f64;
            let seen = blocking(move || driver.capture()).await?;
            let signal = seen.map_or_else(
                |_no_picture| Signal::default(),
                |shot| Signal { present: true, width: shot.picture.width(), height: shot.picture.height(), rate },
            );
            answers.push(SlotAnswer { slot: number, value: signal });
        }
        Ok(value(&answers))
    }

    pub(super) fn inject(&mut self, fault: &str, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, _, driver) in self.chosen("ordering a fault", slot)? {
            driver.inject(fault).map_err(|error| device_error(number, &error))?;
            answers.push(SlotAnswer { slot: number, value: true });
        }
        self.keep_slots("inject", &json!({ "fault": fault }), &answers);
        Ok(value(&answers))
    }

    /// Ends the innermost open step of that name. Steps inside it stay open: scripts do end an outer one first.
    pub(super) async fn end_step(&mut self, name: &str, result: i64, comment: Option<&str>) -> Value {
        let open = self.steps.iter().rposition(|open| open == name);
        if let Some(place) = open {
            self.steps.remove(place);
        }
        let words = TestResult::from_code(result).map_or_else(|| result.to_string(), |result| result.to_string());
        let kept = json!({ "name": name, "result": result, "comment": comment, "ok": open.is_some() });
        self.recorder.event("step_end", true, &kept);
        self.setup.watcher.note(self.setup.lease.run, format!("step {name}: {words}"));
        if TestResult::from_code(result) == Some(TestResult::Fail) {
            self.keep_strips(&format!("step {name}"), true).await;
        }
        Value::Null
    }

    pub(super) async fn result(&mut self, code: i64, comment: Option<String>) -> Result<Value, CallError> {
        let Some(result) = TestResult::from_code(code) else {
            return Self::refuse(
                "bad_result",
                format!("{code} is not a test result; use 111, 110, 101 or 100 (class TM)"),
            );
        };
        let first = self.reported.is_none();
        let comment = comment.unwrap_or_default();
        self.recorder.event("result", !first, &json!({ "result": code, "comment": comment, "counts": first }));
        if first {
            self.reported = Some(Reported { result, comment });
            if result == TestResult::Fail {
                self.keep_strips("result", true).await;
            }
        }
        Ok(first.into())
    }

    /// The last seconds of each slot as a film strip. `look`: with what it shows now, if it is still ours.
    pub(super) async fn keep_strips(&mut self, why: &str, look: bool) {
        if !self.driven {
            return;
        }
        for (number, place) in self.slots.chosen(None) {
            let Some(scene) = self.scenes.get(place).cloned().filter(|_| self.strips < MOST_STRIPS) else { return };
            let look = look && self.device_quietly(number, place).is_ok();
            let film = blocking(move || {
                if look && let Ok(shot) = View::of(scene.driver.as_ref()).shot() {
                    scene.strip().offer(shot);
                }
                let mut strip = scene.strip();
                if strip.is_fresh() { strip.film() } else { None }
            });
            let Ok(Some((picture, times))) = film.await else { continue };
            self.strips += 1;
            let path = self.keep_picture(format!("filmstrip_{number}.png"), picture).await;
            let kept = json!({ "slot": number, "why": why, "path": path, "times_us": times });
            self.recorder.event("filmstrip", true, &kept);
        }
    }
}
