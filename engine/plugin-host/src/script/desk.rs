//! Where a running script hands in its calls: what Rhai's functions and WASM's imports have in common.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headend_wire::session::{
    Allocations, Call, CallError, CalledFrom, Captured, LogLevel, Reply, ScriptEnd, SessionInfo, SlotAnswer, ToHost,
    ToScript,
};
use serde::de::DeserializeOwned;

use super::guard::{Guard, Work};
use super::link::{Link, LinkError};

/// Longest text of one log line, in bytes. JSON may write one byte as six, so this keeps any line below the wire's limit.
const MAX_TEXT_BYTES: usize = 128 << 10;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailure {
    /// The rack said no. The script may go on.
    #[error("{0}")]
    Refused(#[from] CallError),
    /// The session is over.
    #[error(transparent)]
    Gone(#[from] LinkError),
}

/// Answer to a call.
pub(super) type Answer<T> = Result<T, CallFailure>;

/// The link to the supervisor with what is counted per run. One call at a time.
pub(super) struct Desk {
    inner: Mutex<Inner>,
    guard: Arc<Guard>,
}

struct Inner {
    link: Link,
    info: Arc<SessionInfo>,
    log: LogBudget,
    /// Where the script stands that calls; `None`: it does not tell.
    line: Option<usize>,
    gone: bool,
}

impl Inner {
    /// What is printed is not called: nobody says where that stands.
    fn called_from(&self, call: &Call) -> CalledFrom {
        let line = self.line.filter(|_| !matches!(call, Call::Console { .. }));
        let name = Path::new(&self.info.script).file_name().and_then(|name| name.to_str());
        line.zip(name).map(|(line, name)| format!("{name}:{line}")).into_iter().collect()
    }
}

/// How much log a run may still write.
#[derive(Default)]
struct LogBudget {
    left: u64,
    dropped_lines: u64,
    dropped_bytes: u64,
}

impl LogBudget {
    /// Takes `bytes` from the budget; false, and counted, when there is not enough left.
    fn take(&mut self, bytes: u64) -> bool {
        let granted = bytes <= self.left && self.dropped_lines == 0;
        if granted {
            self.left -= bytes;
        } else {
            self.dropped_lines += 1;
            self.dropped_bytes += bytes;
        }
        granted
    }
}

impl Desk {
    pub(super) fn new(link: Link, guard: Arc<Guard>) -> Self {
        let inner = Inner { link, info: Arc::new(nobody()), log: LogBudget::default(), line: None, gone: false };
        Self { inner: Mutex::new(inner), guard }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The supervisor's next word between two runs.
    pub(super) fn receive(&self) -> Result<ToScript, LinkError> {
        self.lock().link.receive()
    }

    /// Says something that is not a call.
    pub(super) fn send(&self, message: &ToHost) -> Result<(), LinkError> {
        self.lock().link.send(message)
    }

    /// A run begins.
    pub(super) fn open(&self, info: SessionInfo, log_bytes: u64) {
        let mut inner = self.lock();
        inner.info = Arc::new(info);
        inner.log = LogBudget { left: log_bytes, ..LogBudget::default() };
        inner.line = None;
    }

    /// The calls to come stand on this line of the script.
    pub(super) fn stand_on(&self, line: Option<usize>) {
        self.lock().line = line;
    }

    /// A run has ended: says how, after what was dropped from the log.
    pub(super) fn close(&self, how: ScriptEnd) -> Result<(), LinkError> {
        self.stand_on(None);
        let LogBudget { dropped_lines, dropped_bytes, .. } = std::mem::take(&mut self.lock().log);
        if dropped_lines > 0 {
            let text =
                format!("log_bytes: the log is full; {dropped_lines} lines ({dropped_bytes} bytes) were dropped");
            match self.call(Call::Log { level: LogLevel::Warning, text }) {
                Ok(()) | Err(CallFailure::Refused(_)) => {}
                Err(CallFailure::Gone(gone)) => return Err(gone),
            }
        }
        self.guard.end();
        self.send(&ToHost::Ended { how })
    }

    /// The session is over: nothing more can be said.
    pub(super) fn gone(&self) -> bool {
        self.lock().gone
    }

    pub(super) fn info(&self) -> Arc<SessionInfo> {
        Arc::clone(&self.lock().info)
    }

    /// A budget of CPU time begins.
    pub(super) fn compute(&self, what: Work, budget: Duration) {
        self.guard.begin(what, budget);
    }

    /// One call and its answer. The clock stands still meanwhile.
    pub(super) fn call<T: DeserializeOwned>(&self, call: Call) -> Answer<T> {
        self.guard.pause();
        let answer = self.exchange(call);
        self.guard.resume();
        answer
    }

    fn exchange<T: DeserializeOwned>(&self, call: Call) -> Answer<T> {
        let mut inner = self.lock();
        let source = inner.called_from(&call);
        let encoded = inner.link.encode_call(call, source).map_err(|error| refused("bad_call", error.to_string()))?;
        let reply = inner.link.exchange(&encoded).inspect_err(|_| inner.gone = true)?;
        match reply {
            Reply::Error(error) => Err(error.into()),
            Reply::Ok(value) => serde_json::from_value(value).map_err(|error| {
                inner.gone = true;
                LinkError::Unexpected(format!("an answer of another shape: {error}")).into()
            }),
        }
    }

    pub(super) fn press(&self, key: String, slot: Option<u32>) -> Answer<Vec<SlotAnswer<bool>>> {
        self.call(Call::Press { key, slot })
    }

    pub(super) fn power(&self, on: bool, slot: Option<u32>) -> Answer<Vec<SlotAnswer<bool>>> {
        self.call(Call::Power { on, slot })
    }

    pub(super) fn capture(
        &self,
        rect: Option<[u32; 4]>,
        name: Option<String>,
        slot: Option<u32>,
    ) -> Answer<Vec<SlotAnswer<Captured>>> {
        self.call(Call::Capture { rect, name, slot })
    }

    pub(super) fn allocations(&self) -> Answer<Allocations> {
        self.call(Call::Allocations {})
    }

    pub(super) fn log(&self, level: LogLevel, text: &str) -> Answer<()> {
        self.say(text, |text| Call::Log { level, text })
    }

    pub(super) fn console(&self, text: &str) -> Answer<()> {
        self.say(text, |text| Call::Console { text })
    }

    fn say(&self, text: &str, call: impl FnOnce(String) -> Call) -> Answer<()> {
        if self.lock().log.take(text.len() as u64) { self.call(call(shortened(text))) } else { Ok(()) }
    }
}

/// A refusal that needs no supervisor.
pub(super) fn refused(code: &str, message: String) -> CallFailure {
    CallError { code: code.to_owned(), message }.into()
}

/// Seconds, as scripts write them, in whole milliseconds.
pub(super) fn milliseconds(seconds: f64) -> Answer<u64> {
    /// A year: longer than any lease.
    const LONGEST: f64 = 366.0 * 86_400.0;
    if (0.0..=LONGEST).contains(&seconds) {
        Ok((seconds * 1000.0).round() as u64)
    } else {
        Err(refused("bad_call", format!("cannot wait {seconds} seconds; give a number from 0 to {LONGEST}")))
    }
}

/// `text` cut at [`MAX_TEXT_BYTES`], saying so.
pub(super) fn shortened(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let cut = text.floor_char_boundary(MAX_TEXT_BYTES);
    format!("{} … ({} bytes more)", &text[..cut], text.len() - cut)
}

/// Before the first run.
fn nobody() -> SessionInfo {
    SessionInfo {
        job: 0,
        run: 0,
        attempt: 0,
        script: String::new(),
        args: Vec::new(),
        public: None,
        out: String::new(),
        rack: String::new(),
        port: 0,
        slots: Vec::new(),
        under_daemon: false,
    }
}
