//! Compiling foreign code, in a process made for it: the compiler is where a bad module can hurt most.
//!
//! The child reads the module from its standard input and writes machine code, or one line of error, to its standard output. It
//! limits its own memory and CPU time before it reads anything; the parent adds a wall-clock limit.

use std::io::{self, Read, Write};
use std::panic::catch_unwind;
use std::process::{Child, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::thread::gettid;
use wasmtime::Engine;
use wit_component::ComponentEncoder;

use super::{Counting, config};
use crate::cores::give_way;
use crate::guest::{GuestProgram, ProcessLimits};
use crate::lifecycle::MAX_CODE;

/// Address space of the child in bytes.
const CHILD_MEMORY: u64 = 1 << 30;
/// CPU time of the child in seconds.
const CHILD_CPU_S: u64 = 30;
/// Wall-clock time of the child.
const CHILD_DEADLINE: Duration = Duration::from_mins(1);
/// Largest machine code taken from the child in bytes.
const MAX_OUTPUT: u64 = 512 << 20;
/// Largest error text taken from the child in bytes.
const MAX_ERROR: u64 = 4 << 10;
/// The child's exit code for "the module is bad": what is on its error output is the reason.
const REFUSED: u8 = 3;

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The module is malformed, or is no component and cannot be made one.
    #[error("the code is refused: {0}")]
    Refused(String),
    /// The compiler overran.
    #[error("the compiler was stopped after {} s; make the module smaller", .0.as_secs())]
    Deadline(Duration),
    /// The compiler died, most likely of its own limits.
    #[error("the compiler ended with {status} (it may use {} MiB and {CHILD_CPU_S} s of CPU time): {said}", CHILD_MEMORY >> 20)]
    Died {
        /// How.
        status: ExitStatus,
        /// Its last words.
        said: String,
    },
    /// The program could not be started or talked to.
    #[error("cannot run the compiler {program:?}")]
    Start {
        /// Which.
        program: std::path::PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The cache folder cannot be used.
    #[error("cannot use the cache of compiled plugins, {}", path.display())]
    Cache {
        /// The folder or file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The child's code does not load here: another build of the program, or a damaged cache.
    #[error("the compiled code does not load; the guest program must be of the same build as the server: {0}")]
    Foreign(String),
}

/// Makes a component of a core module that carries its WIT. Components pass unchanged.
pub(crate) fn componentize(code: Vec<u8>) -> Result<Vec<u8>, String> {
    // Bytes 4 to 8 tell: layer 1 is a component, layer 0 a core module.
    match code.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(code),
        Some([0, b'a', b's', b'm', _, _, 0, 0]) => {
            // The encoder reads the WIT that the module carries, and panics when that is cut short.
            let encoded = catch_unwind(|| {
                let encoder = ComponentEncoder::default().validate(true).module(&code);
                encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))
            });
            let encoded = encoded.unwrap_or_else(|_panic| Err("the WIT that it carries is malformed".into()));
            encoded.map_err(|error| format!("cannot make a component of this core module: {error}"))
        }
        _ => Err("it is not WebAssembly: the first bytes are not those of a module or component".into()),
    }
}

fn compile(code: Vec<u8>, counting: Counting) -> Result<Vec<u8>, String> {
    let mut config = config(counting);
    // Worker threads would need address space each, and the child has a limit on that.
    config.parallel_compilation(false);
    let engine = Engine::new(&config).map_err(|error| format!("{error:#}"))?;
    engine.precompile_component(&componentize(code)?).map_err(|error| format!("{error:#}"))
}

/// The compiling child's whole life: `headend guest compile [time|fuel]`. Limits itself, reads a module, writes machine code.
pub fn compile_main() -> ExitCode {
    let counting =
        if std::env::args().any(|arg| arg == Counting::Fuel.as_str()) { Counting::Fuel } else { Counting::Time };
    match child(counting) {
        Ok(()) => ExitCode::SUCCESS,
        Err(ChildError::Refused(why)) => {
            let _ = writeln!(io::stderr(), "{why}");
            ExitCode::from(REFUSED)
        }
        Err(ChildError::Io(error)) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

enum ChildError {
    Refused(String),
    Io(io::Error),
}

impl From<io::Error> for ChildError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn child(counting: Counting) -> Result<(), ChildError> {
    ProcessLimits { memory: CHILD_MEMORY, cpu_s: Some(CHILD_CPU_S) }.apply()?;
    // Nobody waits for a compiler but those who have sent it work: whoever else wants a processor goes first.
    let _ = rustix::process::nice(10);
    // For as long as it lives.
    let _given = give_way(gettid());
    let mut code = Vec::new();
    io::stdin().lock().take(MAX_CODE).read_to_end(&mut code)?;
    let machine_code = compile(code, counting).map_err(ChildError::Refused)?;
    let mut out = io::stdout().lock();
    out.write_all(&machine_code)?;
    Ok(out.flush()?)
}

/// Compiles in a child of `guest`.
pub(crate) fn compile_in_child(guest: &GuestProgram, code: &[u8], counting: Counting) -> Result<Vec<u8>, CompileError> {
    let start = |source| CompileError::Start { program: guest.program.clone(), source };
    let mut child = guest
        .command("compile")
        .arg(counting.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let talk = talk(&mut child, code);
    // Whatever happened, no child and no zombie is left behind.
    if talk.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(start)?;
    let (machine_code, said) = talk.ok_or(CompileError::Deadline(CHILD_DEADLINE))?;
    match status.code() {
        Some(0) => Ok(machine_code),
        Some(code) if code == i32::from(REFUSED) => Err(CompileError::Refused(said)),
        _ => Err(CompileError::Died { status, said }),
    }
}

/// Feeds the child and hears it out. `None`: it did not end in time.
fn talk(child: &mut Child, code: &[u8]) -> Option<(Vec<u8>, String)> {
    let (mut stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
    thread::scope(|scope| {
        // Not joined by hand: each ends when the child does, and the child is killed on overrun.
        scope.spawn(move || {
            // A child that has died of its limits leaves a broken pipe; its exit status says more than that.
            let _ = stdin.write_all(code);
        });
        let (tell_out, out) = mpsc::sync_channel(1);
        let (tell_err, err) = mpsc::sync_channel(1);
        scope.spawn(move || tell_out.send(drain(stdout, MAX_OUTPUT)));
        scope.spawn(move || tell_err.send(drain(stderr, MAX_ERROR)));
        let heard = out.recv_timeout(CHILD_DEADLINE).ok();
        if heard.is_none() {
            let _ = child.kill();
        }
        let said = err.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
        heard.map(|machine_code| (machine_code, String::from_utf8_lossy(&said).trim().to_owned()))
    })
}

fn drain(from: impl Read, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What could be read before an error is still worth having; the exit status decides.
    let _ = from.take(most).read_to_end(&mut bytes);
    bytes
}
