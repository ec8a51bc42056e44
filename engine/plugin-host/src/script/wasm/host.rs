//! The session's calls as a component imports them.

use std::collections::BTreeMap;
use std::sync::Arc;

use headend_wire::session::{self as wire, Call};

use self::bindings::headend::script::session::{
    Allocation, CallError, Captured, Host, LogLevel, Param, Rect, RegionStyle, SessionInfo, SlotAnswer,
};
use super::super::desk::{Answer, CallFailure, Desk};
use super::limiter::Limiter;

#[allow(missing_docs, clippy::pedantic, reason = "made by a macro from the WIT, which has the documentation")]
pub(super) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v1/script",
        world: "script",
        imports: { default: trappable },
    });
}

/// A store's own data.
pub(super) struct State {
    pub(super) desk: Arc<Desk>,
    pub(super) limiter: Limiter,
}

impl State {
    pub(super) fn new(desk: &Arc<Desk>, memory_bytes: u64) -> Self {
        Self { desk: Arc::clone(desk), limiter: Limiter::new(memory_bytes) }
    }
}

/// A call's answer as WIT has it: a refusal is a value, the end of the session is a trap.
pub(super) type Imported<T> = wasmtime::Result<Result<T, CallError>>;

pub(super) fn imported<T>(answer: Answer<T>) -> Imported<T> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(CallFailure::Refused(wire::CallError { code, message })) => Ok(Err(CallError { code, message })),
        Err(CallFailure::Gone(gone)) => Err(gone.into()),
    }
}

impl Host for State {
    fn info(&mut self) -> wasmtime::Result<SessionInfo> {
        let info = self.desk.info();
        Ok(SessionInfo {
            job: info.job,
            run: info.run,
            attempt: info.attempt,
            script: info.script.clone(),
            args: info.args.clone(),
            public: info.public.clone(),
            out: info.out.clone(),
            rack: info.rack.clone(),
            port: info.port,
            slots: info.slots.clone(),
            under_daemon: info.under_daemon,
        })
    }

    fn connect(&mut self, server: String, description: String) -> Imported<bool> {
        imported(self.desk.call(Call::Connect { server, description }))
    }

    fn disconnect(&mut self) -> Imported<bool> {
        imported(self.desk.call(Call::Disconnect {}))
    }

    fn reserve_slot(&mut self, slot: u32, params: Vec<Param>) -> Imported<bool> {
        let params: BTreeMap<_, _> = params.into_iter().map(|Param { name, value }| (name, json(value))).collect();
        imported(self.desk.call(Call::ReserveSlot { slot, params }))
    }

    fn free_slot(&mut self, slot: u32) -> Imported<bool> {
        imported(self.desk.call(Call::FreeSlot { slot }))
    }

    fn allocations(&mut self) -> Imported<Allocation> {
        let allocations = self.desk.allocations();
        imported(allocations.map(|wire::Allocations { server, slots }| Allocation { server, slots }))
    }

    fn press(&mut self, key: String, slot: Option<u32>) -> Imported<Vec<SlotAnswer>> {
        imported(self.desk.press(key, slot).map(answers))
    }

    fn power(&mut self, on: bool, slot: Option<u32>) -> Imported<Vec<SlotAnswer>> {
        imported(self.desk.power(on, slot).map(answers))
    }

    fn wait(&mut self, ms: u64) -> Imported<()> {
        imported(self.desk.call(Call::Wait { ms }))
    }

    fn capture(&mut self, name: Option<String>, area: Option<Rect>, slot: Option<u32>) -> Imported<Vec<Captured>> {
        let rect = area.map(|Rect { x, y, width, height }| [x, y, width, height]);
        imported(self.desk.capture(rect, name, slot).map(pictures))
    }

    fn log(&mut self, level: LogLevel, text: String) -> Imported<()> {
        imported(self.desk.log(wire_level(level), &text))
    }

    fn print(&mut self, text: String) -> Imported<()> {
        imported(self.desk.console(&text))
    }

    fn begin_region(&mut self, name: String) -> Imported<()> {
        imported(self.desk.call(Call::BeginRegion { name }))
    }

    fn end_region(&mut self, name: String, style: Option<RegionStyle>, comment: Option<String>) -> Imported<()> {
        let style = style.map(|style| style_name(style).to_owned());
        imported(self.desk.call(Call::EndRegion { name, style, comment }))
    }

    fn begin_step(&mut self, name: String) -> Imported<()> {
        imported(self.desk.call(Call::BeginStep { name }))
    }

    fn end_step(&mut self, name: String, code: i64, comment: Option<String>) -> Imported<()> {
        imported(self.desk.call(Call::EndStep { name, result: code, comment }))
    }

    fn set_result(&mut self, code: i64, comment: Option<String>) -> Imported<bool> {
        imported(self.desk.call(Call::Result { code, comment }))
    }
}

/// A parameter's value: JSON where it is, else the text.
fn json(value: String) -> serde_json::Value {
    serde_json::from_str(&value).unwrap_or(serde_json::Value::String(value))
}

pub(super) fn answers(answers: Vec<wire::SlotAnswer<bool>>) -> Vec<SlotAnswer> {
    answers.into_iter().map(|answer| SlotAnswer { slot: answer.slot, ok: answer.value }).collect()
}

fn pictures(answers: Vec<wire::SlotAnswer<wire::Captured>>) -> Vec<Captured> {
    let picture = |wire::SlotAnswer { slot, value: wire::Captured { path, width, height } }| Captured {
        slot,
        path,
        width,
        height,
    };
    answers.into_iter().map(picture).collect()
}

fn wire_level(level: LogLevel) -> wire::LogLevel {
    match level {
        LogLevel::Error => wire::LogLevel::Error,
        LogLevel::Warning => wire::LogLevel::Warning,
        LogLevel::Info => wire::LogLevel::Info,
        LogLevel::Verbose => wire::LogLevel::Verbose,
    }
}

fn style_name(style: RegionStyle) -> &'static str {
    match style {
        RegionStyle::Pass => "pass",
        RegionStyle::Fail => "fail",
        RegionStyle::Warn => "warn",
        RegionStyle::Serial => "serial",
        RegionStyle::Observe => "observe",
        RegionStyle::Console => "console",
        RegionStyle::Verbose => "verbose",
        RegionStyle::Entry => "entry",
    }
}
