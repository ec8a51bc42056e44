//! The process: takes the socket, says that it is ready, and runs one script after the other.

use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use headend_wire::session::{GuestLimits, ScriptEnd, SessionInfo, ToHost, ToScript};

use super::desk::{Desk, shortened};
use super::guard::{Guard, Work};
use super::limits::Memory;
use super::link::{Link, LinkError};
use super::rhai::RhaiHost;
use super::source::{self, Language};
use super::wasm::{WasmEngine, WasmHost};

/// Environment variable with the folder for compiled WASM scripts. It must belong to this user and to nobody else, since what lies there is
/// executed; without it nothing is kept across processes.
pub const ENV_CACHE: &str = "HEADEND_CACHE";

/// File descriptor of the session socket.
const SESSION_FD: i32 = 3;
/// Stack of the thread that runs scripts. Interpreters recurse; their own limits are reached well before this.
const STACK_BYTES: usize = 64 << 20;

/// The body of `headend guest script`: serves runs on the Unix socket at file descriptor 3 until the supervisor hangs up.
///
/// Call it once per process, before anything else uses descriptor 3. Exit status 0: the supervisor has hung up, or the guest wants to be
/// replaced after an `Ended`; 1: the socket or the protocol failed, told on standard error; 3: a script could not be stopped in any other way
/// (`Ended` was sent).
pub fn guest_main() -> ExitCode {
    match serve_inherited() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headend guest script: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum GuestError {
    #[error("cannot set up the guest process: {0}")]
    SetUp(std::io::Error),
    #[error("cannot set up WebAssembly: {0:#}")]
    Wasm(wasmtime::Error),
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("the thread that runs scripts has died")]
    Thread,
}

fn serve_inherited() -> Result<(), GuestError> {
    let stream = inherited_socket().map_err(GuestError::SetUp)?;
    let cache = std::env::var_os(ENV_CACHE).map(PathBuf::from);
    let worker = std::thread::Builder::new()
        .name("script".into())
        .stack_size(STACK_BYTES)
        .spawn(move || Guest::start(stream, cache.as_deref())?.serve())
        .map_err(GuestError::SetUp)?;
    worker.join().map_err(|_| GuestError::Thread)?
}

fn inherited_socket() -> std::io::Result<UnixStream> {
    if !Path::new("/proc/self/fd").join(SESSION_FD.to_string()).exists() {
        return Err(std::io::Error::other("descriptor 3 is not open; a rack starts this command, not a person"));
    }
    // SAFETY: descriptor 3 is open, was handed to this process for us, and nothing else here uses it.
    #[allow(unsafe_code, reason = "an inherited descriptor comes as a number")]
    let stream = unsafe { UnixStream::from_raw_fd(SESSION_FD) };
    // A descriptor that is no socket is found out here, not in the middle of a run.
    stream.peer_addr()?;
    Ok(stream)
}

/// Everything that stays warm between runs.
struct Guest {
    desk: Arc<Desk>,
    memory: Arc<Memory>,
    rhai: RhaiHost,
    wasm: WasmHost,
}

impl Guest {
    fn start(stream: UnixStream, cache: Option<&Path>) -> Result<Self, GuestError> {
        let engine = WasmEngine::new().map_err(GuestError::Wasm)?;
        let last_words = stream.try_clone().map_err(GuestError::SetUp)?;
        let guard = Guard::start(last_words, engine.interrupter()).map_err(GuestError::SetUp)?;
        let desk = Arc::new(Desk::new(Link::new(stream), guard));
        let memory = Arc::new(Memory::init().map_err(GuestError::SetUp)?);
        let rhai = RhaiHost::new(&desk, &memory);
        let wasm = WasmHost::new(engine, &desk, &memory, cache).map_err(GuestError::Wasm)?;
        Ok(Self { desk, memory, rhai, wasm })
    }

    fn serve(mut self) -> Result<(), GuestError> {
        self.desk.send(&ToHost::Ready { protocol: headend_wire::PROTOCOL })?;
        loop {
            match self.desk.receive() {
                Ok(ToScript::Run { info, limits }) => {
                    if self.run(info, &limits)? == Next::Retire {
                        return Ok(());
                    }
                }
                Ok(other) => return Err(LinkError::Unexpected(format!("{other:?} between two runs")).into()),
                Err(LinkError::Closed) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn run(&mut self, info: SessionInfo, limits: &GuestLimits) -> Result<Next, GuestError> {
        let script = PathBuf::from(&info.script);
        self.desk.open(info, limits.log_bytes);
        self.desk.compute(Work::Preparing, Duration::from_millis(limits.cpu_ms));
        // A panic is a bug of ours or of an interpreter; either way it ends the run and not the rack's trust in this process's state.
        let caught = catch_unwind(AssertUnwindSafe(|| self.run_script(&script, limits)));
        let panicked = caught.is_err();
        let how = caught.unwrap_or_else(|panic| ScriptEnd::Crashed(panic_text(panic.as_ref())));
        if self.desk.gone() {
            return Ok(Next::Retire);
        }
        let spent = panicked || matches!(how, ScriptEnd::Limit(_)) || self.memory.has_grown();
        match self.desk.close(bounded(how)) {
            Ok(()) if !spent => Ok(Next::Run),
            Ok(()) | Err(LinkError::Closed) => Ok(Next::Retire),
            Err(error) => Err(error.into()),
        }
    }

    fn run_script(&mut self, script: &Path, limits: &GuestLimits) -> ScriptEnd {
        let Some(language) = Language::of(script) else {
            let name = script.display();
            return ScriptEnd::CannotStart(format!("`{name}` is not a script for this host; .rhai and .wasm are"));
        };
        let bytes = match source::read(script, language, limits) {
            Ok(bytes) => bytes,
            Err(end) => return end,
        };
        match language {
            Language::Rhai => self.rhai.run(script, &bytes, limits),
            Language::Wasm => self.wasm.run(script, &bytes, limits),
        }
    }
}

/// What the process does after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Run,
    Retire,
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the script host panicked: {}; please report this with the script", text.unwrap_or("no text"))
}

/// Texts in an end are for people: long ones are cut.
fn bounded(how: ScriptEnd) -> ScriptEnd {
    match how {
        ScriptEnd::Finished => ScriptEnd::Finished,
        ScriptEnd::Crashed(text) => ScriptEnd::Crashed(shortened(&text)),
        ScriptEnd::Limit(text) => ScriptEnd::Limit(shortened(&text)),
        ScriptEnd::CannotStart(text) => ScriptEnd::CannotStart(shortened(&text)),
    }
}
