//! The session ABI on the wire: one JSON object per line, over a Unix stream socket.
//!
//! A Python script connects to the socket named in its environment and says [`ToHost::Hello`]; a guest process has the
//! socket as file descriptor 3, says [`ToHost::Ready`], and gets one [`ToScript::Run`] after the other. From then on both
//! send [`ToHost::Call`] and wait for [`ToScript::Reply`]; one call at a time per session. The calls are the same for
//! Rhai, WASM and Python: three spellings of one list (DESIGN: session).
//!
//! A line is at most [`MAX_LINE_BYTES`] long. Slots in calls are the *script's* numbers (document 3.2): the host maps
//! them to leased slots in the order in which they are reserved, and answers with the script's numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest line on a session socket, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Environment variable with the path of the session socket, for Python.
pub const ENV_SOCKET: &str = "HEADEND_SESSION";
/// Environment variable with the token of the run, for Python.
pub const ENV_TOKEN: &str = "HEADEND_SESSION_TOKEN";

/// Where a call stands in the script's sources: `FILE:LINE`, the innermost first, at most [`MOST_SOURCES`]. Files are named below the script's folder, with
/// `/` between their parts, or below the public area as [`PUBLIC_SOURCES`]`/FILE`. Empty: nobody knows, as of WebAssembly.
pub type CalledFrom = Vec<String>;

/// Places of a [`CalledFrom`] that count.
pub const MOST_SOURCES: usize = 8;

/// First part of the name of a source file that lies in the public area, outside of the script's folder.
pub const PUBLIC_SOURCES: &str = "STORMTEST_PUBLIC";

/// From the script's side to the rack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToHost {
    /// First word of a process that connected by itself. Answered by [`ToScript::Welcome`].
    Hello {
        /// [`crate::PROTOCOL`].
        protocol: u32,
        /// Token of the run.
        token: String,
        /// The script's file, absolute. Said at a prompt, where nobody else knows it; a rack knows what it has started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        script: Option<String>,
    },
    /// A guest process is up and warm, and wants its next run.
    Ready {
        /// [`crate::PROTOCOL`].
        protocol: u32,
    },
    /// A call.
    Call {
        /// Number of the call, given back in the reply.
        id: u64,
        /// Where in the script it stands, as [`CalledFrom`] says.
        #[serde(default, skip_serializing_if = "CalledFrom::is_empty")]
        source: CalledFrom,
        /// What is wanted.
        #[serde(flatten)]
        call: Call,
    },
    /// A guest's run has ended; the process may be used again if it was clean.
    Ended {
        /// How the script ended, apart from its result.
        how: ScriptEnd,
    },
}

/// From the rack to the script's side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToScript {
    /// Answer to `Hello`.
    Welcome(SessionInfo),
    /// For a guest: run this script.
    Run {
        /// What the session is about.
        info: SessionInfo,
        /// What may be used up.
        limits: GuestLimits,
    },
    /// Answer to a call.
    Reply {
        /// Number of the call.
        id: u64,
        /// The answer.
        #[serde(flatten)]
        reply: Reply,
    },
}

/// What a session is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionInfo {
    /// The job's handle.
    pub job: u64,
    /// The run.
    pub run: u64,
    /// Which try, from 1.
    pub attempt: u32,
    /// Script file, absolute.
    pub script: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The public area, absolute: `STORMTEST_PUBLIC`. `None` when nobody schedules (document 4.9).
    pub public: Option<String>,
    /// Where results, logs and captures of this run go, absolute.
    pub out: String,
    /// Name of the rack, as `allocations` gives it.
    pub rack: String,
    /// Port shown beside it.
    pub port: u16,
    /// The leased slots' real numbers, in order.
    pub slots: Vec<u16>,
    /// A rack runs this (as opposed to `headend run` and `python script.py`).
    pub under_daemon: bool,
}

/// What a guest may use up before it is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestLimits {
    /// Script operations (Rhai; WASM is bounded by `cpu_ms`); 0: none allowed.
    pub operations: u64,
    /// Memory of the script, in bytes.
    pub memory_bytes: u64,
    /// Size of a Rhai source, in bytes (parsing is not covered by other limits).
    pub source_bytes: u64,
    /// CPU time without a host call, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes of log lines kept; more are counted and dropped.
    pub log_bytes: u64,
}

impl Default for GuestLimits {
    /// 2·10⁹ operations, 64 MiB, 64 KiB of source, 10 s without a call, 4 MiB of log.
    fn default() -> Self {
        Self {
            operations: 2_000_000_000,
            memory_bytes: 64 << 20,
            source_bytes: 64 << 10,
            cpu_ms: 10_000,
            log_bytes: 4 << 20,
        }
    }
}

/// How a script ended, apart from the result that it may have reported before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "end", content = "text")]
pub enum ScriptEnd {
    /// It came to its end.
    Finished,
    /// It broke: a trap, an uncaught error, with source line where known.
    Crashed(String),
    /// A limit stopped it; the text names which.
    Limit(String),
    /// It could not be started: not found, not a script, does not compile.
    CannotStart(String),
}

/// The session's calls. `slot`: the script's number; `None`: every slot that the session has reserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "call", content = "args", deny_unknown_fields)]
pub enum Call {
    /// `ConnectToServer`: the server is ignored under a rack (document 3.1). Answer: `true`; a second connect: `false`.
    Connect {
        /// Ignored under a rack.
        server: String,
        /// Shown in the log.
        description: String,
    },
    /// `ReleaseServerConnection`: frees all slots. Answer: `true`.
    Disconnect {},
    /// `ReserveSlot`: the next leased slot under the script's number. Answer: `true`, or `false` when the number is
    /// held already or no leased slot is left.
    ReserveSlot {
        /// The script's number.
        slot: u32,
        /// IR key set, serial parameters and the like, kept for the log.
        #[serde(default)]
        params: BTreeMap<String, serde_json::Value>,
    },
    /// `FreeSlot`. Answer: `true` if it was held.
    FreeSlot {
        /// The script's number.
        slot: u32,
    },
    /// `GetPhysicalAllocations`. Answer: [`Allocations`].
    Allocations {},
    /// `PressButton`. Answer: list of [`SlotAnswer`]`<bool>`.
    Press {
        /// Key name of the remote control.
        key: String,
        /// Where.
        slot: Option<u32>,
    },
    /// Mains power (`PowerOnSTB`, `PowerOffSTB`). Answer: list of [`SlotAnswer`]`<bool>`.
    Power {
        /// On or off.
        on: bool,
        /// Where.
        slot: Option<u32>,
    },
    /// `WaitSec`. Answer: `null`. Under virtual time it costs nothing.
    Wait {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// `CaptureImageEx`: a PNG (or JPEG by extension) of the screen in the run's output folder. Answer: list of
    /// [`SlotAnswer`]`<`[`Captured`]`>`.
    Capture {
        /// Part of the screen `[x, y, width, height]` in pixels; `None`: all of it.
        rect: Option<[u32; 4]>,
        /// File name wanted; an existing one is never overwritten, a number is added. `None`: one is made.
        name: Option<String>,
        /// Where.
        slot: Option<u32>,
    },
    /// A line in the run's log. Answer: `null`.
    Log {
        /// How it is shown.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// What the script printed (guests; Python's output is taken from its pipe); a line end is added if there is none.
    /// Answer: `null`.
    Console {
        /// The text.
        text: String,
    },
    /// `BeginLogRegion`. Answer: `null`.
    BeginRegion {
        /// Its title.
        name: String,
    },
    /// `EndLogRegion`: ends the innermost open region of that name and what is open inside it. Answer: `null`.
    EndRegion {
        /// Its title.
        name: String,
        /// One of `pass fail warn serial observe console verbose entry`.
        style: Option<String>,
        /// Shown after the title.
        comment: Option<String>,
    },
    /// `BeginTestStep`. Answer: `null`.
    BeginStep {
        /// Its name; may repeat and nest.
        name: String,
    },
    /// `EndTestStep`. Answer: `null`.
    EndStep {
        /// Its name.
        name: String,
        /// A `TM` code.
        result: i64,
        /// What to say with it.
        comment: Option<String>,
    },
    /// An analyser over what the slot shows or plays from now on: `WaitColorMatch`, `WaitImageMatch`, `DetectMotionEx`, `WaitAudioPresence`,
    /// `OCRSlot` and the like. Answer: list of [`SlotAnswer`]`<`[`Watched`]`>`.
    Watch {
        /// What is asked.
        question: Question,
        /// When it is answered.
        until: Until,
        /// For how long at most, in milliseconds of the device's clock; 0: one look.
        timeout_ms: u64,
        /// Time from one look to the next, in milliseconds of the device's clock; 0: every picture.
        gap_ms: u64,
        /// Where.
        slot: Option<u32>,
    },
    /// An analyser over a stored picture: `CompareColorEx`, `CompareImageEx`, `OCRImage`. Answer: [`Watched`].
    Analyse {
        /// What is asked.
        question: Question,
        /// The picture's file, PNG or JPEG; or `frame:SLOT/INDEX`, a picture that [`Call::KeepFrames`] has kept at the script's slot.
        picture: String,
    },
    /// Gets an analyser ready to follow each picture from the key on that is pressed next (`StartZapMeasurement`, `TriggerHighSpeedTimer`).
    /// What was armed before is forgotten. Answer: list of [`SlotAnswer`]`<bool>`.
    Arm {
        /// What is asked; its parameter `from_us` is set to the time of the key.
        question: Question,
        /// Only this key counts; `None`: any.
        key: Option<String>,
        /// The key's how manieth press counts, from 1.
        presses: u32,
        /// For how long after the key at most, in milliseconds of the device's clock.
        timeout_ms: u64,
        /// Where.
        slot: Option<u32>,
    },
    /// What came of [`Call::Arm`]; waits for it (`GetZapTimes`). Answer: list of [`SlotAnswer`]`<`[`Watched`]`>`.
    Armed {
        /// Where.
        slot: Option<u32>,
    },
    /// Keeps single pictures of what comes after a key that a timer waits for ([`Call::Arm`]), from the next such key on
    /// (`EnableCaptureZapFrames`). They are there until the next timer is armed. Answer: list of [`SlotAnswer`]`<bool>`.
    KeepFrames {
        /// This many at most; 0: none any more.
        most: u32,
        /// The first of them; 0 is the first new picture after the key.
        first: u32,
        /// Pictures left out between two.
        skip: u32,
        /// Where.
        slot: Option<u32>,
    },
    /// What [`Call::KeepFrames`] has kept; waits until it is all there (`GetCountImagesSaved`). Answer: list of [`SlotAnswer`]`<`[`Frames`]`>`.
    KeptFrames {
        /// Where.
        slot: Option<u32>,
    },
    /// A picture that [`Call::KeepFrames`] has kept, as a file; waits for it (`GetRawZapFrame`). Answer: list of
    /// [`SlotAnswer`]`<Option<`[`Captured`]`>>`; `null`: there is none of that number.
    KeptFrame {
        /// Which, from 0.
        index: u32,
        /// Where.
        slot: Option<u32>,
    },
    /// The screens of a file: a `.stscreen` file has one, a navigator several (`ScreenDefinition.Load`, `OpenNavigatorFile`). Answer: [`Screens`].
    Screens {
        /// Absolute or beside the script.
        file: String,
    },
    /// Waits until all regions of a screen that count are as wanted, in one picture (`WaitScreenDefMatch`). Answer: list of
    /// [`SlotAnswer`]`<`[`Screened`]`>`.
    WaitScreen {
        /// A JSON object as [`Call::Screens`] gives it; or one that the script has made.
        screen: serde_json::Value,
        /// For how long at most, in milliseconds of the device's clock; 0: one look.
        timeout_ms: u64,
        /// Time from one look to the next, in milliseconds of the device's clock; 0: every picture.
        gap_ms: u64,
        /// Where.
        slot: Option<u32>,
    },
    /// A screen over a stored picture (`ScreenDefMatchImage`): movement and sound cannot be told of one. Answer: [`Screened`].
    MatchScreen {
        /// As of [`Call::WaitScreen`].
        screen: serde_json::Value,
        /// As of [`Call::Analyse`].
        picture: String,
    },
    /// Writes a screen into the run's output folder (`ScreenDefinition.Save`), over one of this name. Answer: the file's absolute path.
    SaveScreen {
        /// As of [`Call::WaitScreen`].
        screen: serde_json::Value,
        /// A plain name; it gets the ending `.stscreen`.
        name: String,
    },
    /// What tests share under a name such as `/FOLDER/Name` (`FindNamedImage` and its kin). Answer: an image's absolute path;
    /// `[x, y, width, height]`; parameters of the analyser `colour`; a text.
    Named {
        /// What it is.
        kind: Resource,
        /// The name.
        name: String,
        /// The value for this slot, where slots have values of their own.
        slot: Option<u32>,
    },
    /// Bytes to the serial port, as text of code points 0 to 255. Answer: list of [`SlotAnswer`]`<bool>`.
    SerialSend {
        /// One character per byte.
        bytes: String,
        /// Where.
        slot: Option<u32>,
    },
    /// Lines that came from the serial port (`AddObserve`). Answer: list of [`SlotAnswer`]`<`[`SerialRead`]`>`.
    SerialRead {
        /// Where the last look ended; 0: the session's beginning.
        from: u64,
        /// Where.
        slot: Option<u32>,
    },
    /// `StartVideoLog`. Answer: list of [`SlotAnswer`]`<Option<String>>`, the file's absolute path.
    VideoStart {
        /// Before the name.
        prefix: Option<String>,
        /// Where.
        slot: Option<u32>,
    },
    /// `StopVideoLog`. Answer: list of [`SlotAnswer`]`<bool>`, of those slots that had one.
    VideoStop {
        /// Where.
        slot: Option<u32>,
    },
    /// What comes in from the device. Answer: list of [`SlotAnswer`]`<`[`Signal`]`>`.
    Signal {
        /// Where.
        slot: Option<u32>,
    },
    /// Orders a fault at a device that can have some, in the driver's words. Answer: list of [`SlotAnswer`]`<bool>`.
    Inject {
        /// Such as `freeze 5s`.
        fault: String,
        /// Where.
        slot: Option<u32>,
    },
    /// A number that the test has measured, kept with the results. Answer: `null`; with a limit `true` when the value lies within, else
    /// `false`. The limits judge the number, not the run: what the run's result is stays the script's word.
    Measure {
        /// What.
        name: String,
        /// How much; finite.
        value: f64,
        /// In what.
        unit: Option<String>,
        /// Not less than this; finite, not above `high`. A rack of a release that knew no limits refuses the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// Not more than this; finite.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
    },
    /// A file of the run's output folder that belongs to the results. Answer: `null`.
    Artifact {
        /// Below the output folder, or absolute within it.
        path: String,
        /// What it is.
        name: Option<String>,
    },
    /// `ReturnTestResult`: the first one counts. Answer: `true`, or `false` for a later one.
    Result {
        /// A `TM` code: 111, 110, 101 or 100. Others are refused with error `bad_result`.
        code: i64,
        /// What to say with it.
        comment: Option<String>,
    },
}

/// What an analyser is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name, such as `colour`.
    pub analyser: String,
    /// An object, as its manifest's schema says; `null`: its defaults.
    #[serde(default)]
    pub parameters: serde_json::Value,
    /// Pictures that it compares with.
    #[serde(default)]
    pub references: Vec<ReferenceFile>,
}

/// A picture to compare with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceFile {
    /// As the analyser's page speaks of it.
    pub name: String,
    /// PNG or JPEG, absolute or beside the script; what is transparent in a PNG does not count.
    pub path: String,
}

/// When a watch is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The analyser says that it is so.
    #[default]
    Match,
    /// The analyser says that it is not so.
    NoMatch,
    /// The time is over; the last verdict counts.
    End,
}

/// Answer to [`Call::Watch`], [`Call::Analyse`] and [`Call::Armed`]: the verdict that decided, or the last one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// What was waited for has come.
    pub met: bool,
    /// What the analyser looks for was so.
    pub passed: bool,
    /// How much so, 0.0 to 1.0.
    pub score: f64,
    /// For people.
    pub sentence: String,
    /// What was measured, by name.
    pub values: BTreeMap<String, f64>,
    /// What was found and where, in order; of text: the words.
    pub found: Vec<Found>,
    /// When, in microseconds of the device's clock.
    pub at_us: i64,
    /// Pictures looked at.
    pub looks: u64,
    /// From the beginning of the watch to the verdict, in seconds of the device's clock.
    pub seconds: f64,
    /// The picture that it was said of, as a file in the run's output folder.
    pub picture: Option<String>,
}

/// Answer to [`Call::KeptFrames`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Numbers below this are there.
    pub count: u32,
    /// In pixels; 0 of none.
    pub width: u32,
    /// In pixels; 0 of none.
    pub height: u32,
}

/// A kind of what tests share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A picture's file.
    Image,
    /// A rectangle.
    Region,
    /// A colour with its tolerances.
    Colour,
    /// A text.
    String,
}

/// Answer to [`Call::Screens`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Screens {
    /// Of the screen, or of the navigator.
    pub name: String,
    /// JSON objects in the form of `.stscreen` files that stand for themselves: images have absolute paths, named resources are looked up.
    pub screens: Vec<serde_json::Value>,
}

/// Answer to [`Call::WaitScreen`] and [`Call::MatchScreen`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Screened {
    /// All that counts was as wanted.
    pub met: bool,
    /// Name of the screen.
    pub name: String,
    /// Its regions and those of the screens within it, in their order.
    pub regions: Vec<RegionSeen>,
    /// From the beginning to the verdict, in seconds of the device's clock.
    pub seconds: f64,
    /// Pictures looked at.
    pub looks: u64,
    /// The picture that it was said of, as a file in the run's output folder.
    pub picture: Option<String>,
}

/// What was seen of one region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegionSeen {
    /// After the names of the screens that it is within, with `/` between them.
    pub name: String,
    /// In the words of files, such as `ColorTest`.
    pub kind: String,
    /// It was as wanted; for `PassOnNoMatch`: what it looks for was not there.
    pub met: bool,
    /// The screen is not there without it (`Verify`).
    pub counts: bool,
    /// What the analyser has said; of what could not be looked at a sentence alone, which says why.
    pub seen: Watched,
}

/// Something that an analyser marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// `[x, y, width, height]` in pixels.
    pub area: [u32; 4],
    /// `good`, `bad`, `note`.
    pub tone: String,
    /// Beside it; of text: the word.
    pub label: String,
}

/// Answer to [`Call::SerialRead`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialRead {
    /// In the order in which they came.
    pub lines: Vec<SerialLine>,
    /// Where the next look begins.
    pub next: u64,
    /// Lines that were gone before they were looked at.
    pub lost: u64,
}

/// A line from the serial port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialLine {
    /// When, in microseconds of the device's clock.
    pub at_us: u64,
    /// Without its line end.
    pub text: String,
}

/// Answer to [`Call::Signal`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// There is a picture.
    pub present: bool,
    /// In pixels; 0 without a signal.
    pub width: u32,
    /// In pixels; 0 without a signal.
    pub height: u32,
    /// Pictures a second.
    pub rate: f64,
}

/// How a log line is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "plain names")]
pub enum LogLevel {
    Error,
    Warning,
    #[default]
    Info,
    Verbose,
}

/// Answer of one slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotAnswer<T> {
    /// The script's number.
    pub slot: u32,
    /// What came of it there.
    pub value: T,
}

/// Answer to [`Call::Allocations`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocations {
    /// `host:port`.
    pub server: String,
    /// The leased slots' real numbers, in order.
    pub slots: Vec<u16>,
}

/// A captured picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// Absolute path of the file.
    pub path: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// Answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// As the call says.
    Ok(serde_json::Value),
    /// The call was refused or failed. The session goes on.
    Error(CallError),
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// Stable: `not_connected`, `no_slot`, `bad_result`, `bad_call`, `lease_lost`, `limit`, `device`, `analyser`.
    pub code: String,
    /// For people, with a remedy.
    pub message: String,
}
