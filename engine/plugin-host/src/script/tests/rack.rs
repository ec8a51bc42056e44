//! A rack as a script sees it: one guest process, and answers to its calls.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use headend_wire::session::{
    Allocations, Call, CallError, CalledFrom, Captured, Found, Frames, GuestLimits, LogLevel, RegionSeen, Reply,
    Resource, Screened, Screens, ScriptEnd, SerialLine, SerialRead, SessionInfo, Signal, SlotAnswer, ToHost, ToScript,
    Watched,
};
use serde_json::{Value, json};

/// Far beyond anything that a test waits for; it ends a hang, it does not measure.
const PATIENCE: Duration = Duration::from_mins(2);
/// After so many calls of one run the rack hangs up.
const MAX_CALLS: usize = 1_000;

/// What a run did to its rack.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: Vec<Call>,
    /// Where each call stands.
    pub(super) sources: Vec<CalledFrom>,
    pub(super) result: Option<i64>,
    pub(super) log_bytes: usize,
    pub(super) warnings: Vec<String>,
    held: BTreeSet<u32>,
    connected: bool,
}

/// How a run ended, from outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Said(ScriptEnd),
    /// The process went without a word.
    Died,
    /// The host had enough.
    HungUp,
}

/// A guest process, and the highest amount of memory that it was seen with.
pub(super) struct Guest {
    child: Child,
    reader: BufReader<UnixStream>,
    peak_kib: Arc<AtomicU64>,
    sampler: Option<JoinHandle<()>>,
}

impl Guest {
    /// Starts a process and waits for its `Ready`.
    pub(super) fn start(cache: Option<&Path>) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = Command::new("/bin/sh");
        // The shell moves the socket from descriptor 0 to 3 and becomes the guest.
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 </dev/null"]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "script::tests::guest_process", "--nocapture"]);
        command.env(super::ENV_GUEST, "1").env_remove(super::super::ENV_CACHE);
        if let Some(cache) = cache {
            command.env(super::super::ENV_CACHE, cache);
        }
        let child = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        drop(command);
        let peak_kib = Arc::new(AtomicU64::new(0));
        let sampler = sample(child.id(), Arc::clone(&peak_kib));
        let mut guest = Self { child, reader: BufReader::new(ours), peak_kib, sampler: Some(sampler) };
        assert_eq!(guest.word(), Some(ToHost::Ready { protocol: headend_wire::PROTOCOL }));
        guest
    }

    /// Runs a script to its end.
    pub(super) fn run(&mut self, info: SessionInfo, limits: &GuestLimits) -> (Outcome, Seen) {
        let mut seen = Seen::default();
        if !self.say(&ToScript::Run { info, limits: limits.clone() }) {
            return (Outcome::Died, seen);
        }
        loop {
            match self.word() {
                None => return (Outcome::Died, seen),
                Some(ToHost::Ended { how }) => return (Outcome::Said(how), seen),
                Some(ToHost::Call { id, source, call }) => {
                    if seen.calls.len() == MAX_CALLS {
                        self.reader.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
                        return (Outcome::HungUp, seen);
                    }
                    seen.sources.push(source);
                    let reply = seen.answer(call);
                    if !self.say(&ToScript::Reply { id, reply }) {
                        return (Outcome::Died, seen);
                    }
                }
                Some(other) => panic!("not expected from a guest: {other:?}"),
            }
        }
    }

    /// Hangs up and waits for the process. Its exit status; `None` when a signal ended it.
    pub(super) fn finish(mut self) -> (Option<i32>, u64) {
        let _ = self.reader.get_ref().shutdown(std::net::Shutdown::Both);
        let status = self.child.wait().unwrap();
        self.sampler.take().map(JoinHandle::join);
        (status.code(), self.peak_kib.load(Ordering::Relaxed))
    }

    /// Highest resident memory so far, in KiB.
    pub(super) fn peak_kib(&self) -> u64 {
        peak(self.child.id()).unwrap_or(0)
    }

    fn say(&mut self, message: &ToScript) -> bool {
        let mut line = serde_json::to_vec(message).unwrap();
        line.push(b'\n');
        self.reader.get_mut().write_all(&line).is_ok()
    }

    /// `None` at the end of the stream.
    fn word(&mut self) -> Option<ToHost> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no word from the guest: {error}"),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks at the process's peak memory until it is gone. A process that dies keeps its last value.
fn sample(pid: u32, peak_kib: Arc<AtomicU64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while let Some(kib) = peak(pid) {
            peak_kib.fetch_max(kib, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(2));
        }
    })
}

fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

impl Seen {
    fn answer(&mut self, call: Call) -> Reply {
        let reply = self.judge(&call);
        self.calls.push(call);
        match reply {
            Ok(value) => Reply::Ok(value),
            Err((code, message)) => Reply::Error(CallError { code: code.into(), message: message.into() }),
        }
    }

    fn judge(&mut self, call: &Call) -> Result<Value, (&'static str, &'static str)> {
        match call {
            Call::Connect { .. } => Ok(json!(!std::mem::replace(&mut self.connected, true))),
            Call::Disconnect {} => {
                self.held.clear();
                Ok(json!(true))
            }
            Call::ReserveSlot { slot, .. } => Ok(json!(self.held.is_empty() && self.held.insert(*slot))),
            Call::FreeSlot { slot } => Ok(json!(self.held.remove(slot))),
            Call::Allocations {} => Ok(json!(Allocations { server: "rack-1:8000".into(), slots: vec![5] })),
            Call::Press { slot, .. } | Call::Power { slot, .. } => self.each(*slot, |_| true),
            Call::Capture { name, slot, .. } => self.each(*slot, |slot| Captured {
                path: format!("/out/{}-{slot}.png", name.as_deref().unwrap_or("capture")),
                width: 720,
                height: 576,
            }),
            Call::Log { level, text } => {
                if *level == LogLevel::Warning {
                    self.warnings.push(text.clone());
                } else {
                    self.log_bytes += text.len();
                }
                Ok(Value::Null)
            }
            Call::Console { text } => {
                self.log_bytes += text.len();
                Ok(Value::Null)
            }
            Call::Result { code, .. } if [100, 101, 110, 111].contains(code) => {
                let first = self.result.is_none();
                self.result.get_or_insert(*code);
                Ok(json!(first))
            }
            Call::Result { .. } => Err(("bad_result", "a result is 111, 110, 101 or 100")),
            Call::Wait { .. }
            | Call::BeginRegion { .. }
            | Call::EndRegion { .. }
            | Call::BeginStep { .. }
            | Call::EndStep { .. } => Ok(Value::Null),
            other => self.judge_senses(other),
        }
    }

    /// Eyes that see what they are asked for, ears that hear it.
    fn judge_senses(&self, call: &Call) -> Result<Value, (&'static str, &'static str)> {
        match call {
            Call::Watch { slot, question, .. } if question.analyser == "never" => {
                self.each(*slot, |_| Watched { met: false, ..seen() })
            }
            Call::Watch { slot, .. } | Call::Armed { slot } => self.each(*slot, |_| seen()),
            Call::Analyse { .. } => Ok(serde_json::to_value(seen()).unwrap()),
            Call::Arm { slot, .. }
            | Call::KeepFrames { slot, .. }
            | Call::SerialSend { slot, .. }
            | Call::VideoStop { slot }
            | Call::Inject { slot, .. } => self.each(*slot, |_| true),
            Call::KeptFrames { slot } => self.each(*slot, |_| Frames { count: 2, width: 1280, height: 720 }),
            Call::KeptFrame { index, slot } => self.each(*slot, |_| {
                let path = format!("/out/zapframe_{index}.jpg");
                (*index < 2).then_some(Captured { path, width: 1280, height: 720 })
            }),
            Call::SerialRead { slot, .. } => self.each(*slot, |_| SerialRead {
                lines: vec![SerialLine { at_us: 5, text: "boot".into() }],
                next: 9,
                lost: 0,
            }),
            Call::VideoStart { slot, .. } => self.each(*slot, |_| Some("/out/film.avi")),
            Call::Signal { slot } => {
                self.each(*slot, |_| Signal { present: true, width: 1280, height: 720, rate: 25.0 })
            }
            Call::Measure { low: None, high: None, .. } | Call::Artifact { .. } => Ok(Value::Null),
            Call::Measure { value, low, high, .. } => {
                let within = low.is_none_or(|low| *value >= low) && high.is_none_or(|high| *value <= high);
                Ok(within.into())
            }
            other => self.judge_screens(other),
        }
    }

    /// Whatever is waited for is there; what is looked at once is not.
    fn judge_screens(&self, call: &Call) -> Result<Value, (&'static str, &'static str)> {
        let region = |met| RegionSeen { name: "title".into(), kind: "OCRTest".into(), met, counts: true, seen: seen() };
        let screened = |met| Screened {
            met,
            name: "Guide".into(),
            regions: vec![region(met)],
            seconds: 2.5,
            looks: 3,
            picture: Some("/out/screen.png".into()),
        };
        match call {
            Call::Screens { file } => {
                let of = |name: &str| json!({ "Type": "ScreenDef", "Name": name, "Regions": [] });
                let names: &[&str] = if file == "menus.json" { &["Guide", "Main menu"] } else { &["Guide"] };
                Ok(json!(Screens { name: "menus".into(), screens: names.iter().map(|name| of(name)).collect() }))
            }
            Call::WaitScreen { timeout_ms, slot, .. } => self.each(*slot, |_| screened(*timeout_ms > 0)),
            Call::MatchScreen { .. } => Ok(json!(screened(true))),
            Call::SaveScreen { name, .. } => Ok(json!(format!("/out/{name}.stscreen"))),
            Call::Named { name, .. } if name == "/UI/none" => Err(("bad_call", "there is none of that name")),
            Call::Named { kind: Resource::Image, .. } => Ok(json!("/srv/public/resources/UI/logo.png")),
            Call::Named { kind: Resource::Region, .. } => Ok(json!([50, 40, 300, 44])),
            Call::Named { kind: Resource::Colour, .. } => Ok(json!({ "value": [16, 20, 40], "flatness": 90 })),
            Call::Named { kind: Resource::String, .. } => Ok(json!("Guten Tag")),
            _ => Err(("bad_call", "this rack does not know that")),
        }
    }

    fn each<T: serde::Serialize>(
        &self,
        slot: Option<u32>,
        value: impl Fn(u32) -> T,
    ) -> Result<Value, (&'static str, &'static str)> {
        let slots: Vec<u32> = slot.map_or_else(|| self.held.iter().copied().collect(), |slot| vec![slot]);
        if slots.is_empty() || !slots.iter().all(|slot| self.held.contains(slot)) {
            return Err(("no_slot", "this slot is not reserved; call reserve_slot first"));
        }
        let answers = slots.into_iter().map(|slot| SlotAnswer { slot, value: value(slot) });
        Ok(serde_json::to_value(answers.collect::<Vec<_>>()).unwrap())
    }
}

/// What an analyser says that has seen what it was asked for.
fn seen() -> Watched {
    Watched {
        met: true,
        passed: true,
        score: 0.5,
        sentence: "so it is".into(),
        values: [("percent".to_owned(), 97.5)].into(),
        found: vec![Found { area: [1, 2, 3, 4], tone: "good".into(), label: "BBC".into() }],
        at_us: 1_000_000,
        looks: 4,
        seconds: 1.5,
        picture: Some("/out/seen.png".into()),
    }
}

/// A session of one slot for a script.
pub(super) fn session(script: &Path, args: &[&str]) -> SessionInfo {
    SessionInfo {
        job: 7,
        run: 9,
        attempt: 1,
        script: script.to_str().unwrap().to_owned(),
        args: args.iter().map(|&argument| argument.to_owned()).collect(),
        public: Some("/srv/public".into()),
        out: "/out".into(),
        rack: "rack-1".into(),
        port: 8000,
        slots: vec![5],
        under_daemon: true,
    }
}
