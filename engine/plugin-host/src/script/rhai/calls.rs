//! The session's calls under their Rhai names. Where a slot may be left out, every reserved slot is meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use headend_wire::session::{Call, Captured, LogLevel, SlotAnswer};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FLOAT, FnPtr, INT, ImmutableString, Map, Module, NativeCallContext,
    Position, Scope,
};

use super::super::desk::{Answer, CallFailure, Desk, milliseconds, refused};
use super::errors::Stop;
use super::{screens, senses};

pub(super) type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Registers every call, and the constants `PASS`, `FAIL`, `PARTIAL_PASS` and `NOT_RUN`.
pub(super) fn register(engine: &mut Engine, desk: &Arc<Desk>) {
    register_constants(engine);
    register_session(engine, desk);
    register_slots(engine, desk);
    register_keys(engine, desk);
    register_power_and_wait(engine, desk);
    register_capture(engine, desk);
    register_log(engine, desk);
    register_regions(engine, desk);
    register_steps(engine, desk);
    senses::register(engine, desk);
    screens::register(engine, desk);
}

/// Codes of `result` and `end_step`.
mod code {
    use rhai::INT;

    pub(super) const PASS: INT = 111;
    pub(super) const PARTIAL_PASS: INT = 110;
    pub(super) const NOT_RUN: INT = 101;
    pub(super) const FAIL: INT = 100;
}

const CONSTANTS: [(&str, INT); 4] =
    [("PASS", code::PASS), ("PARTIAL_PASS", code::PARTIAL_PASS), ("NOT_RUN", code::NOT_RUN), ("FAIL", code::FAIL)];

/// For functions, which see no scope.
fn register_constants(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, value) in CONSTANTS {
        module.set_var(name, value);
    }
    engine.register_global_module(module.into());
}

/// What a script finds in place. The names are always the same, so a parsed script serves any run.
pub(super) fn scope(desk: &Desk) -> Scope<'static> {
    let mut scope = Scope::new();
    for (name, value) in CONSTANTS {
        scope.push_constant(name, value);
    }
    scope.push_constant_dynamic("args", arguments(desk).into());
    scope
}

/// The arguments as an array of strings.
fn arguments(desk: &Desk) -> Array {
    desk.info().args.iter().map(|argument| argument.clone().into()).collect()
}

/// The public area's path, or `()`.
fn public_folder(desk: &Desk) -> Dynamic {
    desk.info().public.clone().map_or(Dynamic::UNIT, Dynamic::from)
}

/// Registers `$name` as a function that has the desk at hand, which then knows the line that it is called from. Editors are told the names of
/// its parameters, and what it gives.
macro_rules! call {
    ($engine:expr, $desk:expr, $name:expr, |$d:ident $(, $argument:ident : $type:ty)*| -> $answer:ty $body:block) => {{
        let desk = Arc::clone($desk);
        let parameters: [&str; _] = [$(concat!(stringify!($argument), ": ", stringify!($type)),)* stringify!($answer)];
        let function = rhai::FuncRegistration::new($name).with_params_info(parameters);
        function.register_into_engine($engine, move |context: rhai::NativeCallContext, $($argument: $type),*| -> Outcome<$answer> {
            let $d: &Desk = &desk;
            $d.stand_on(context.call_position().line());
            $body
        });
    }};
}
pub(super) use call;

fn register_session(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "connect", |d| -> bool { connect(d, "", "") });
    call!(engine, desk, "connect", |d, server: &str| -> bool { connect(d, server, "") });
    call!(engine, desk, "connect", |d, server: &str, description: &str| -> bool { connect(d, server, description) });
    call!(engine, desk, "disconnect", |d| -> bool { ok(d.call(Call::Disconnect {})) });
    call!(engine, desk, "args", |d| -> Array { Ok(arguments(d)) });
    call!(engine, desk, "public_folder", |d| -> Dynamic { Ok(public_folder(d)) });
    call!(engine, desk, "under_daemon", |d| -> bool { Ok(d.info().under_daemon) });
    call!(engine, desk, "attempt", |d| -> INT { Ok(INT::from(d.info().attempt)) });
    call!(engine, desk, "allocations", |d| -> Map {
        let allocations = ok(d.allocations())?;
        let slots: Array = allocations.slots.iter().map(|&slot| INT::from(slot).into()).collect();
        Ok(map([("server", allocations.server.into()), ("slots", slots.into())]))
    });
}

fn connect(desk: &Desk, server: &str, description: &str) -> Outcome<bool> {
    ok(desk.call(Call::Connect { server: server.to_owned(), description: description.to_owned() }))
}

fn register_slots(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "reserve_slot", |d, slot: INT| -> bool { reserve(d, slot, &Map::new()) });
    call!(engine, desk, "reserve_slot", |d, slot: INT, params: Map| -> bool { reserve(d, slot, &params) });
    call!(engine, desk, "free_slot", |d, slot: INT| -> bool {
        ok(d.call(Call::FreeSlot { slot: slot_number(slot)? }))
    });
}

fn reserve(desk: &Desk, slot: INT, params: &Map) -> Outcome<bool> {
    let json = |(name, value): (_, &Dynamic)| {
        serde_json::to_value(value).map(|value| (String::from(name), value)).map_err(|error| {
            throw(refused("bad_call", format!("the parameter `{name}` cannot be written as JSON: {error}")))
        })
    };
    let params =
        params.iter().map(|(name, value)| json((name.as_str(), value))).collect::<Outcome<BTreeMap<_, _>>>()?;
    ok(desk.call(Call::ReserveSlot { slot: slot_number(slot)?, params }))
}

fn register_keys(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "press", |d, key: &str| -> bool { press(d, key, None) });
    call!(engine, desk, "press", |d, key: &str, slot: INT| -> bool { press(d, key, Some(slot)) });
    call!(engine, desk, "press_digits", |d, digits: INT| -> bool { press_digits(d, &digits.to_string(), None) });
    call!(engine, desk, "press_digits", |d, digits: &str| -> bool { press_digits(d, digits, None) });
    call!(engine, desk, "press_digits", |d, digits: INT, slot: INT| -> bool {
        press_digits(d, &digits.to_string(), Some(slot))
    });
    call!(engine, desk, "press_digits", |d, digits: &str, slot: INT| -> bool { press_digits(d, digits, Some(slot)) });
}

fn press(desk: &Desk, key: &str, slot: Option<INT>) -> Outcome<bool> {
    let answers = ok(desk.press(key.to_owned(), slot_option(slot)?))?;
    Ok(all(&answers))
}

fn press_digits(desk: &Desk, digits: &str, slot: Option<INT>) -> Outcome<bool> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("press_digits({digits:?}): only the digits 0 to 9 can be pressed");
        return Err(throw(refused("bad_call", message)));
    }
    let mut taken = true;
    for digit in digits.chars() {
        taken &= press(desk, digit.encode_utf8(&mut [0; 4]), slot)?;
    }
    Ok(taken)
}

fn register_power_and_wait(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "power", |d, on: bool| -> bool { Ok(all(&ok(d.power(on, None))?)) });
    call!(engine, desk, "power", |d, on: bool, slot: INT| -> bool {
        Ok(all(&ok(d.power(on, Some(slot_number(slot)?)))?))
    });
    call!(engine, desk, "wait", |d, seconds: INT| -> () { wait(d, seconds as FLOAT) });
    call!(engine, desk, "wait", |d, seconds: FLOAT| -> () { wait(d, seconds) });
}

fn wait(desk: &Desk, seconds: FLOAT) -> Outcome<()> {
    let ms = ok(milliseconds(seconds))?;
    ok(desk.call(Call::Wait { ms }))
}

fn register_capture(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "capture", |d| -> Array { capture(d, None, None, None) });
    call!(engine, desk, "capture", |d, name: &str| -> Array { capture(d, Some(name), None, None) });
    call!(engine, desk, "capture", |d, name: &str, slot: INT| -> Array { capture(d, Some(name), None, Some(slot)) });
    call!(engine, desk, "capture", |d, name: &str, rect: Array| -> Array { capture(d, Some(name), Some(&rect), None) });
    call!(engine, desk, "capture", |d, name: &str, rect: Array, slot: INT| -> Array {
        capture(d, Some(name), Some(&rect), Some(slot))
    });
}

/// One map per slot: `slot`, `path`, `width` and `height` in pixels.
fn capture(desk: &Desk, name: Option<&str>, rect: Option<&Array>, slot: Option<INT>) -> Outcome<Array> {
    let rect = rect.map(rectangle).transpose()?;
    let pictures = ok(desk.capture(rect, name.map(str::to_owned), slot_option(slot)?))?;
    Ok(pictures.into_iter().map(picture).collect())
}

fn picture(answer: SlotAnswer<Captured>) -> Dynamic {
    let Captured { path, width, height } = answer.value;
    map([
        ("slot", INT::from(answer.slot).into()),
        ("path", path.into()),
        ("width", INT::from(width).into()),
        ("height", INT::from(height).into()),
    ])
    .into()
}

/// `[x, y, width, height]` in pixels.
fn rectangle(values: &Array) -> Outcome<[u32; 4]> {
    let pixels: Option<Vec<u32>> = values.iter().map(|value| u32::try_from(value.as_int().ok()?).ok()).collect();
    pixels.and_then(|pixels| pixels.try_into().ok()).ok_or_else(|| {
        throw(refused("bad_call", "a rectangle is [x, y, width, height] in whole pixels from 0 up".to_owned()))
    })
}

fn register_log(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "log", |d, text: &str| -> () { ok(d.log(LogLevel::Info, text)) });
    call!(engine, desk, "log", |d, text: &str, level: &str| -> () { ok(d.log(log_level(level)?, text)) });
}

fn log_level(name: &str) -> Outcome<LogLevel> {
    match name.to_ascii_lowercase().as_str() {
        "error" => Ok(LogLevel::Error),
        "warning" => Ok(LogLevel::Warning),
        "info" => Ok(LogLevel::Info),
        "verbose" => Ok(LogLevel::Verbose),
        _ => Err(throw(refused("bad_call", format!("no log level {name:?}; use error, warning, info or verbose")))),
    }
}

fn register_regions(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "region", |d, name: &str| -> () { begin_region(d, name) });
    call!(engine, desk, "end_region", |d, name: &str| -> () { end_region(d, name, None, None) });
    call!(engine, desk, "end_region", |d, name: &str, style: &str| -> () { end_region(d, name, Some(style), None) });
    call!(engine, desk, "end_region", |d, name: &str, style: &str, comment: &str| -> () {
        end_region(d, name, Some(style), Some(comment))
    });
    let desk = Arc::clone(desk);
    engine.register_fn("region", move |context: NativeCallContext, name: ImmutableString, body: FnPtr| {
        desk.stand_on(context.call_position().line());
        begin_region(&desk, &name)?;
        let done = body.call_within_context::<Dynamic>(&context, ());
        desk.stand_on(context.call_position().line());
        let style = if done.is_ok() { None } else { Some("fail") };
        if stopped(&done) { done } else { end_region(&desk, &name, style, None).and(done) }
    });
}

fn begin_region(desk: &Desk, name: &str) -> Outcome<()> {
    ok(desk.call(Call::BeginRegion { name: name.to_owned() }))
}

fn end_region(desk: &Desk, name: &str, style: Option<&str>, comment: Option<&str>) -> Outcome<()> {
    ok(desk.call(Call::EndRegion {
        name: name.to_owned(),
        style: style.map(str::to_ascii_lowercase),
        comment: comment.map(str::to_owned),
    }))
}

fn register_steps(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "step", |d, name: &str| -> () { begin_step(d, name) });
    call!(engine, desk, "end_step", |d, name: &str, result: INT| -> () { end_step(d, name, result, None) });
    call!(engine, desk, "end_step", |d, name: &str, result: INT, comment: &str| -> () {
        end_step(d, name, result, Some(comment))
    });
    call!(engine, desk, "result", |d, code: INT| -> bool { ok(d.call(Call::Result { code, comment: None })) });
    call!(engine, desk, "result", |d, code: INT, comment: &str| -> bool {
        ok(d.call(Call::Result { code, comment: Some(comment.to_owned()) }))
    });
    let desk = Arc::clone(desk);
    engine.register_fn("step", move |context: NativeCallContext, name: ImmutableString, body: FnPtr| {
        desk.stand_on(context.call_position().line());
        begin_step(&desk, &name)?;
        let done = body.call_within_context::<Dynamic>(&context, ());
        desk.stand_on(context.call_position().line());
        if stopped(&done) { done } else { end_step(&desk, &name, step_code(&done), None).and(done) }
    });
}

fn begin_step(desk: &Desk, name: &str) -> Outcome<()> {
    ok(desk.call(Call::BeginStep { name: name.to_owned() }))
}

fn end_step(desk: &Desk, name: &str, result: INT, comment: Option<&str>) -> Outcome<()> {
    ok(desk.call(Call::EndStep { name: name.to_owned(), result, comment: comment.map(str::to_owned) }))
}

/// What a step's closure says: a code as it is, `false` and an error are `FAIL`, anything else is `PASS`.
fn step_code(done: &Outcome<Dynamic>) -> INT {
    match done {
        Err(_) => code::FAIL,
        Ok(value) => value.as_int().unwrap_or(if value.as_bool() == Ok(false) { code::FAIL } else { code::PASS }),
    }
}

/// The script is being stopped: no calls any more.
fn stopped(done: &Outcome<Dynamic>) -> bool {
    matches!(done, Err(error) if matches!(error.unwrap_inner(), EvalAltResult::ErrorTerminated(..)))
}

/// A slot's number as the wire has it.
pub(super) fn slot_number(slot: INT) -> Outcome<u32> {
    u32::try_from(slot)
        .map_err(|_| throw(refused("bad_call", format!("{slot} is not a slot number; they are 0 or more"))))
}

pub(super) fn slot_option(slot: Option<INT>) -> Outcome<Option<u32>> {
    slot.map(slot_number).transpose()
}

pub(super) fn all(answers: &[SlotAnswer<bool>]) -> bool {
    answers.iter().all(|answer| answer.value)
}

pub(super) fn map<const N: usize>(fields: [(&str, Dynamic); N]) -> Map {
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

pub(super) fn ok<T>(answer: Answer<T>) -> Outcome<T> {
    answer.map_err(throw)
}

/// A refusal can be caught (`e.code`, `e.message`); the end of the session cannot.
#[allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed everywhere")]
pub(super) fn throw(failure: CallFailure) -> Box<EvalAltResult> {
    match failure {
        CallFailure::Refused(error) => {
            let error = map([("code", error.code.into()), ("message", error.message.into())]);
            EvalAltResult::ErrorRuntime(error.into(), Position::NONE).into()
        }
        CallFailure::Gone(_) => EvalAltResult::ErrorTerminated(Dynamic::from(Stop::Gone), Position::NONE).into(),
    }
}
