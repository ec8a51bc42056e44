//! What a test has found out besides its result: measurements, files, what comes in, faults that it orders. And what is kept for the day when
//! something fails.

use std::path::Path;

use headend_media::Picture;
use headend_model::TestResult;
use headend_wire::session::{CallError, Signal, SlotAnswer};
use serde_json::{Value, json};

use super::calls::{device_error, value};
use super::limits::Limits;
use super::look::blocking;
use super::{Reported, Session};
use crate::record::strip::LastSeconds;

/// Longest name of a measurement or file, in bytes.
const LONGEST_NAME: usize = 200;
/// Failures of a run that get a film strip.
const MOST_STRIPS: u32 = 5;

impl Session {
    /// Keeps a number. What lies outside of its limits is told, and the script decides what comes of it.
    pub(super) fn measure(
        &mut self,
        name: &str,
        (number, unit): (f64, Option<&str>),
        limits: Limits,
    ) -> Result<Value, CallError> {
        if !number.is_finite() {
            return Self::refuse("bad_call", format!("{name} = {number}: a measurement is a finite number"));
        }
        if name.is_empty() || name.len() > LONGEST_NAME || unit.is_some_and(|unit| unit.len() > LONGEST_NAME) {
            let why = format!("names and units of measurements have 1 to {LONGEST_NAME} bytes");
            return Self::refuse("bad_call", why);
        }
        if let Some(fault) = limits.fault() {
            return Self::refuse("bad_call", format!("{name}: {fault}"));
        }
        let mut kept = json!({ "name": name, "value": number, "unit": unit });
        let Some(within) = limits.hold(number) else {
            self.recorder.event("measure", true, &kept);
            return Ok(Value::Null);
        };
        kept["low"] = limits.low.into();
        kept["high"] = limits.high.into();
        kept["within"] = within.into();
        self.recorder.event("measure", true, &kept);
        Ok(within.into())
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
        let kept = json!({ "name": name, "result": result, "comment": comment, "ok": open.is_some() });
        self.recorder.event("step_end", true, &kept);
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

    /// The last seconds of each slot as a film strip and as a film. `look`: with what it shows now, if it is still ours.
    pub(super) async fn keep_strips(&mut self, why: &str, look: bool) {
        if !self.driven {
            return;
        }
        for (number, place) in self.slots.chosen(None) {
            let Some(scene) = self.scenes.get(place).cloned().filter(|_| self.strips < MOST_STRIPS) else { return };
            let look = look && self.device_quietly(number, place).is_ok();
            let last = blocking(move || {
                let last = scene.last_seconds(look)?;
                let sheet = last.sheet()?;
                Some((last, sheet))
            });
            let Ok(Some((last, sheet))) = last.await else { continue };
            self.strips += 1;
            self.keep_last_seconds(number, why, last, sheet).await;
        }
    }

    async fn keep_last_seconds(&mut self, number: u32, why: &str, last: LastSeconds, sheet: Picture) {
        let (times, failed, count) = (last.times(), last.failed_us(), last.count());
        let path = self.keep_picture(format!("filmstrip_{number}.png"), sheet).await;
        let film = match self.recorder.folder_for_picture() {
            None => None,
            Some(folder) => blocking(move || last.film(&folder, &format!("lastseconds_{number}.avi"))).await.ok(),
        };
        let film = film.and_then(|film| {
            film.inspect_err(|error| tracing::warn!(%error, "the last seconds of a run are not kept as a film")).ok()
        });
        let film = film.map(|film| film.display().to_string());
        let kept = json!({
            "slot": number, "why": why, "path": path, "film": film, "film_pictures": count, "times_us": times, "failed_us": failed,
        });
        self.recorder.event("filmstrip", true, &kept);
    }
}
