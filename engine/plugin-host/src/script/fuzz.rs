//! Any text as a test in Rhai, in this process, with few operations, against a rack that grants or refuses every call.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use headend_wire::session::{CallError, GuestLimits, MAX_LINE_BYTES, Reply, ScriptEnd, ToHost, ToScript};
use serde_json::json;

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

/// A rack of moods: it grants, refuses, and answers with what nobody has asked for.
fn answer(stream: &UnixStream) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let Ok(ToHost::Call { id, .. }) = serde_json::from_str(&line) else { continue };
        let reply = match id % 4 {
            0 => Reply::Error(CallError { code: "no".into(), message: "not today".into() }),
            1 => Reply::Ok(json!(true)),
            2 => Reply::Ok(json!([{ "slot": 1, "value": true }])),
            _ => Reply::Ok(json!(null)),
        };
        let Ok(mut text) = serde_json::to_vec(&ToScript::Reply { id, reply }) else { return };
        text.push(b'\n');
        let mut stream = stream;
        if stream.write_all(&text).is_err() {
            return;
        }
    }
}
