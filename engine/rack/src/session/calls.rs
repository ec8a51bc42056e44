//! The calls of `headend_wire::session`, one function each.

use std::collections::BTreeMap;

use headend_wire::session::{Allocations, Call, CallError, LogLevel, SlotAnswer};
use serde::Serialize;
use serde_json::{Value, json};

use super::arm::Trigger;
use super::frames::Wish;
use super::heard::as_line;
use super::limits::Limits;
use super::look::{Watching, blocking};
use super::screens::Patience;
use super::{Chosen, Session, capture};
use crate::driver::DriverError;

type Answer = Result<Value, CallError>;

impl Session {
    pub(super) async fn dispatch(&mut self, call: Call) -> Answer {
        match call {
            Call::Connect { server, description } => Ok(self.connect(&server, &description)),
            Call::Disconnect {} => Ok(self.disconnect()),
            Call::ReserveSlot { slot, params } => self.reserve(slot, &params),
            Call::FreeSlot { slot } => Ok(self.free(slot)),
            Call::Allocations {} => Ok(self.allocations()),
            Call::Press { key, slot } => self.press(&key, slot).await,
            Call::Power { on, slot } => self.power(on, slot).await,
            Call::Wait { ms } => self.wait(ms).await,
            Call::Capture { rect, name, slot } => self.capture(rect, name.as_deref(), slot).await,
            Call::Log { level, text } => Ok(self.log(level, &text)),
            Call::Console { text } => Ok(self.console(&text)),
            Call::BeginRegion { name } => Ok(self.begin_region(name)),
            Call::EndRegion { name, style, comment } => {
                Ok(self.end_region(&name, style.as_deref(), comment.as_deref()))
            }
            Call::BeginStep { name } => Ok(self.begin_step(name)),
            Call::EndStep { name, result, comment } => Ok(self.end_step(&name, result, comment.as_deref()).await),
            Call::Result { code, comment } => self.result(code, comment).await,
            other => self.dispatch_senses(other).await,
        }
    }

    /// The calls that see and hear, and what comes of them.
    async fn dispatch_senses(&mut self, call: Call) -> Answer {
        match call {
            Call::Watch { question, until, timeout_ms, gap_ms, slot } => {
                self.watch(question, Watching { until, timeout_ms, gap_ms }, slot).await
            }
            Call::Analyse { question, picture } => self.analyse(question, picture).await,
            Call::Arm { question, key, presses, timeout_ms, slot } => {
                self.arm(question, Trigger { key, presses, timeout_ms }, slot).await
            }
            Call::Armed { slot } => self.armed(slot).await,
            Call::KeepFrames { most, first, skip, slot } => self.keep_frames(Wish { most, first, skip }, slot),
            Call::KeptFrames { slot } => self.kept_frames(slot).await,
            Call::KeptFrame { index, slot } => self.kept_frame(index, slot).await,
            Call::Screens { file } => self.screens(file).await,
            Call::WaitScreen { screen, timeout_ms, gap_ms, slot } => {
                self.wait_screen(&screen, Patience { timeout_ms, gap_ms }, slot).await
            }
            Call::MatchScreen { screen, picture } => self.match_screen(&screen, picture).await,
            Call::SaveScreen { screen, name } => self.save_screen(screen, &name).await,
            Call::Named { kind, name, slot } => self.named(kind, name, slot).await,
            Call::SerialSend { bytes, slot } => self.serial_send(&bytes, slot).await,
            Call::SerialRead { from, slot } => self.serial_read(from, slot),
            Call::VideoStart { prefix, slot } => self.video_start(prefix.as_deref(), slot).await,
            Call::VideoStop { slot } => self.video_stop(slot).await,
            Call::Signal { slot } => self.signal(slot).await,
            Call::Inject { fault, slot } => self.inject(&fault, slot),
            Call::Measure { name, value, unit, low, high } => {
                self.measure(&name, (value, unit.as_deref()), Limits { low, high })
            }
            Call::Artifact { path, name } => self.artifact(&path, name.as_deref()),
            other => Self::refuse("bad_call", format!("{other:?} was asked in the wrong place; please report this")),
        }
    }

    fn connect(&mut self, server: &str, description: &str) -> Value {
        let first = !std::mem::replace(&mut self.connected, true);
        let kept = json!({ "server": server, "description": description, "ok": first });
        self.recorder.event("connect", !first, &kept);
        first.into()
    }

    fn disconnect(&mut self) -> Value {
        self.slots.free_all();
        self.connected = false;
        self.recorder.event("disconnect", false, &json!({}));
        true.into()
    }

    fn reserve(&mut self, slot: u32, params: &BTreeMap<String, Value>) -> Answer {
        if !self.connected {
            return Self::refuse("not_connected", format!("slot {slot} cannot be reserved before ConnectToServer"));
        }
        let place = self.slots.reserve(slot);
        if let Some(place) = place {
            self.mark_serial(place);
        }
        let real = place.and_then(|place| self.setup.info.slots.get(place));
        let kept = json!({ "slot": slot, "real_slot": real, "params": params, "ok": place.is_some() });
        self.recorder.event("reserve", place.is_none(), &kept);
        Ok(place.is_some().into())
    }

    fn free(&mut self, slot: u32) -> Value {
        let held = self.slots.free(slot);
        self.recorder.event("free", false, &json!({ "slot": slot, "ok": held }));
        held.into()
    }

    fn allocations(&self) -> Value {
        let info = &self.setup.info;
        value(&Allocations { server: format!("{}:{}", info.rack, info.port), slots: info.slots.clone() })
    }

    /// The slots that a call is for, after the lease of each has been checked.
    pub(super) fn chosen(&mut self, what: &str, slot: Option<u32>) -> Result<Vec<Chosen>, CallError> {
        let chosen = self.slots.chosen(slot);
        if chosen.is_empty() {
            let which =
                slot.map_or_else(|| "no slot is reserved".to_owned(), |slot| format!("slot {slot} is not reserved"));
            return Self::refuse("no_slot", format!("{what}: {which}; call ReserveSlot first"));
        }
        let device = |(number, place)| self.device(number, place);
        chosen.into_iter().map(device).collect()
    }

    /// A slot's device, as long as its lease holds.
    pub(super) fn device(&mut self, number: u32, place: usize) -> Result<Chosen, CallError> {
        let device = self.device_quietly(number, place);
        if let Err(error) = &device {
            self.lease_lost |= error.code == "lease_lost";
        }
        device
    }

    /// As [`Session::device`], for what the script has not asked for.
    pub(super) fn device_quietly(&self, number: u32, place: usize) -> Result<Chosen, CallError> {
        let target = self.setup.lease.targets.get(place);
        let Some((target, driver)) = target.zip(self.setup.drivers.get(place)) else {
            return Self::refuse("no_slot", format!("slot {number} has no device"));
        };
        if self.setup.guard.may_drive(self.setup.lease.run, target.slot) != Some(target.slot_epoch) {
            return Self::refuse(
                "lease_lost",
                format!("slot {number} is no longer leased to this run, which is being stopped"),
            );
        }
        Ok((number, place, driver.clone()))
    }

    async fn press(&mut self, key: &str, slot: Option<u32>) -> Answer {
        let chosen = self.chosen(&format!("PressButton({key})"), slot)?;
        self.driven = true;
        let mut answers = Vec::with_capacity(chosen.len());
        for (number, place, driver) in chosen {
            // A multi-slot press takes a while at real devices: each is checked when its turn comes.
            self.device(number, place)?;
            let start = self.before_press(place, key, &driver).await?;
            self.setup.witness.target(&self.setup.lease, &self.setup.lease.targets[place], "press");
            let taken = driver.press(key).await.map_err(|error| device_error(number, &error))?;
            if let Some(start) = start {
                self.after_press(place, start).await?;
            }
            answers.push(SlotAnswer { slot: number, value: taken });
        }
        self.keep_slots("press", &json!({ "key": key }), &answers);
        Ok(value(&answers))
    }

    async fn power(&mut self, on: bool, slot: Option<u32>) -> Answer {
        let chosen = self.chosen(if on { "PowerOnSTB" } else { "PowerOffSTB" }, slot)?;
        self.driven = true;
        let mut answers = Vec::with_capacity(chosen.len());
        for (number, place, driver) in chosen {
            self.device(number, place)?;
            self.setup.witness.target(&self.setup.lease, &self.setup.lease.targets[place], "power");
            let done = driver.power(on).await.map_err(|error| device_error(number, &error))?;
            answers.push(SlotAnswer { slot: number, value: done });
        }
        self.keep_slots("power", &json!({ "on": on }), &answers);
        Ok(value(&answers))
    }

    pub(super) fn keep_slots(&mut self, kind: &str, what: &Value, answers: &[SlotAnswer<bool>]) {
        let slots: Vec<u32> = answers.iter().map(|answer| answer.slot).collect();
        let ok = answers.iter().all(|answer| answer.value);
        let mut kept = what.clone();
        kept["slots"] = json!(slots);
        kept["ok"] = ok.into();
        self.recorder.event(kind, true, &kept);
    }

    async fn capture(&mut self, rect: Option<[u32; 4]>, name: Option<&str>, slot: Option<u32>) -> Answer {
        let chosen = self.chosen("CaptureImageEx", slot)?;
        let mut answers = Vec::with_capacity(chosen.len());
        for (number, place, driver) in chosen {
            let folder = self.folder_for_capture()?;
            let wish = capture::Wish { folder, name: name.map(str::to_owned), slot: number, rect };
            let (captured, taken) = capture::take(driver, wish).await.map_err(|error| device_error(number, &error))?;
            let at_us = taken.at_us;
            if let Some(scene) = self.scenes.get(place).cloned() {
                blocking(move || scene.offer(&taken)).await?;
            }
            let kept = json!({ "slot": number, "path": captured.path, "at_us": at_us });
            self.recorder.event("capture", true, &kept);
            answers.push(SlotAnswer { slot: number, value: captured });
        }
        Ok(value(&answers))
    }

    /// The output folder, with room for one more picture or film that the script asks for.
    pub(super) fn folder_for_capture(&mut self) -> Result<std::path::PathBuf, CallError> {
        let folder = self.recorder.folder_for_capture();
        folder.map_err(|error| CallError { code: error.code.to_owned(), message: error.message })
    }

    fn log(&mut self, level: LogLevel, text: &str) -> Value {
        self.recorder.event("log", true, &json!({ "level": level, "text": text }));
        Value::Null
    }

    fn console(&mut self, text: &str) -> Value {
        self.recorder.console(as_line(text).as_bytes());
        Value::Null
    }

    fn begin_region(&mut self, name: String) -> Value {
        self.recorder.event("region", true, &json!({ "name": name, "depth": self.regions.len() }));
        self.regions.push(name);
        Value::Null
    }

    fn end_region(&mut self, name: &str, style: Option<&str>, comment: Option<&str>) -> Value {
        let open = self.regions.iter().rposition(|open| open == name);
        if let Some(place) = open {
            // What is open inside ends with it.
            self.regions.truncate(place);
        }
        let kept = json!({ "name": name, "style": style, "comment": comment, "ok": open.is_some() });
        self.recorder.event("region_end", true, &kept);
        Value::Null
    }

    fn begin_step(&mut self, name: String) -> Value {
        self.recorder.event("step", true, &json!({ "name": name }));
        self.steps.push(name);
        Value::Null
    }
}

pub(super) fn device_error(slot: u32, error: &DriverError) -> CallError {
    CallError { code: "device".to_owned(), message: format!("slot {slot}: {error}") }
}

/// Answers are plain structs of numbers and strings: turning them into JSON cannot fail.
pub(super) fn value(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}
