//! Any text as a test in Rhai, in this process, with few operations, against a rack that grants or refuses every call.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use headend_wire::session::{Call, CallError, GuestLimits, MAX_LINE_BYTES, Reply, ScriptEnd, ToHost, ToScript};
use serde_json::{Value, json};

use super::desk::{Desk, shortened};
use super::guard::Guard;
use super::limits::Memory;
use super::link::Link;
use super::rhai::RhaiHost;

/// No time limit that would end this process, and no memory limit that a sanitizer could not live with; operations bound both.
const LIMITS: GuestLimits = GuestLimits {
    operations: 20_000,
    memory_bytes: 64 << 30,
    source_bytes: 64 << 10,
    cpu_ms: 1 << 40,
    log_bytes: 1 << 20,
};

struct Host {
    rhai: RhaiHost,
    desk: Arc<Desk>,
}

/// Runs the text. Whether it ran to its end. Whatever it does, it comes to one, and what is said of it can be cut to size.
///
/// # Panics
/// When that does not hold.
pub fn script_source(source: &str) -> bool {
    static HOST: OnceLock<Mutex<Host>> = OnceLock::new();
    let start = || Mutex::new(host().unwrap_or_else(|error| panic!("no host: {error}")));
    let mut host = HOST.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner);
    let info = host.desk.info();
    host.desk.open((*info).clone(), LIMITS.log_bytes);
    let end = host.rhai.run(Path::new("fuzz.rhai"), source.as_bytes(), &LIMITS);
    host.desk.guard().end();
    assert!(!host.desk.gone(), "the rack is still there");
    match &end {
        ScriptEnd::Finished => return true,
        ScriptEnd::Crashed(text) | ScriptEnd::Limit(text) | ScriptEnd::CannotStart(text) => {
            assert!(!text.is_empty() && shortened(text).len() <= MAX_LINE_BYTES / 6);
        }
    }
    false
}

fn host() -> std::io::Result<Host> {
    let (ours, theirs) = UnixStream::pair()?;
    let guard = Guard::start(ours.try_clone()?, || {})?;
    let desk = Arc::new(Desk::new(Link::new(ours), guard));
    let rhai = RhaiHost::new(&desk, &Arc::new(Memory::init()?));
    // Lives as long as the process, like the guard.
    std::thread::Builder::new().name("rack".into()).spawn(move || answer(&theirs))?;
    Ok(Host { rhai, desk })
}

/// A rack of moods: of what it is asked it grants a part.
fn answer(stream: &UnixStream) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let Ok(ToHost::Call { id, call, .. }) = serde_json::from_str(&line) else { continue };
        let refused = CallError { code: "no".into(), message: "not today".into() };
        let reply = granted(&call).filter(|_| id % 5 > 0).map_or(Reply::Error(refused), Reply::Ok);
        let Ok(mut text) = serde_json::to_vec(&ToScript::Reply { id, reply }) else { return };
        text.push(b'\n');
        let mut stream = stream;
        if stream.write_all(&text).is_err() {
            return;
        }
    }
}

/// What this call is answered with when it is granted, if it ever is.
fn granted(call: &Call) -> Option<Value> {
    match call {
        Call::Connect { .. }
        | Call::Disconnect {}
        | Call::ReserveSlot { .. }
        | Call::FreeSlot { .. }
        | Call::Result { .. } => Some(json!(true)),
        Call::Press { .. } | Call::Power { .. } => Some(json!([{ "slot": 1, "value": true }])),
        Call::Allocations {} => Some(json!({ "server": "rack:8000", "slots": [1] })),
        Call::Log { .. }
        | Call::Console { .. }
        | Call::Wait { .. }
        | Call::BeginRegion { .. }
        | Call::EndRegion { .. }
        | Call::BeginStep { .. }
        | Call::EndStep { .. } => Some(Value::Null),
        // Not spelled by guests.
        _ => None,
    }
}
