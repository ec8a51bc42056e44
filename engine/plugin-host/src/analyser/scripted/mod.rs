//! Analysers in Rhai. They run in a child process, never in this one (why: [`crate::rhai_child`]). Each instance has a child of
//! its own. Frames stay here; the child asks the desk, over its pipes.

mod calls;
mod guest;
mod protocol;
mod values;

use std::time::Duration;

use super::desk::{Desk, Handle, May, Over, Trouble};
use super::serial::{Line, News};
use super::verdict::{MAX_SENTENCE, cut};
use super::{AnalyserFault, AnalyserInstance, BUILD_FACTOR, Frame, Heard, Reference, Verdict};
use crate::excerpt::with_place;
use crate::guest::GuestProgram;
use crate::lifecycle::{LoadError, Package};
use crate::manifest::Limits;
use crate::rhai_child::{Child, ChildFault, LOAD_DEADLINE};
use crate::wasm::CompileError;
use protocol::{Call, FromChild, Reply, ToChild, WireFrame, WireNews, WireReference, WireSound};

pub use calls::definitions;
pub use guest::guest_main;

/// A script that a child has parsed once.
#[derive(Clone)]
pub(super) struct RhaiAnalyser {
    guest: GuestProgram,
    source: String,
    label: String,
    limits: Limits,
    may: May,
    /// Its manifest says that it reads the serial line.
    reads: bool,
}

impl RhaiAnalyser {
    /// Steps compile and link: lets a child parse it.
    pub(super) fn load(guest: &GuestProgram, package: &Package, may: May) -> Result<Self, LoadError> {
        let refused =
            |what: String| LoadError::Compile { plugin: package.label(), source: CompileError::Refused(what) };
        let source = String::from_utf8(package.code.to_vec()).map_err(|error| refused(error.to_string()))?;
        let limits = package.manifest.limits;
        let reads = package.manifest.senses.serial;
        let this = Self { guest: guest.clone(), source, label: package.label(), limits, may, reads };
        match this.start() {
            Ok((_, FromChild::Done)) => Ok(this),
            Ok((_, FromChild::Misfit(what))) => {
                Err(LoadError::Link { plugin: package.label(), world: package.manifest.kind, what })
            }
            Ok((_, other)) => Err(refused(with_place(&this.source, said(other)))),
            Err(fault) => {
                let source = fault.into_compile_error(guest, LOAD_DEADLINE);
                Err(LoadError::Compile { plugin: package.label(), source })
            }
        }
    }

    /// A child, and what it said to the source.
    fn start(&self) -> Result<(Child, FromChild), ChildFault> {
        let mut child = Child::start(&self.guest, "analyser")?;
        child.say(&ToChild::Load { source: self.source.clone(), memory_mib: self.limits.memory_mib })?;
        let answer = child.hear(LOAD_DEADLINE)?;
        Ok((child, answer))
    }

    /// An instance for one stream. `parameters`: JSON text of an object.
    pub(super) fn build(
        &self,
        parameters: &str,
        references: &[Reference],
    ) -> Result<Box<dyn AnalyserInstance>, AnalyserFault> {
        let child = match self.start() {
            Ok((child, FromChild::Done)) => child,
            Ok((_, other)) => return Err(self.failed("load", said(other))),
            Err(fault) => return Err(self.failed("load", fault.text(&self.guest, self.limits.memory_mib))),
        };
        let desk = Desk::new(&self.label, self.limits.host_calls, self.may.clone());
        let mut instance = Instance { script: self.clone(), child, desk, fault: None };
        let references = references.iter().map(|reference| instance.take(reference)).collect::<Option<_>>();
        let Some(references) = references else {
            let what = "its references are more than an instance may keep (64 MiB of pixels)".into();
            return Err(AnalyserFault::Declined { plugin: self.label.clone(), what });
        };
        match instance.ask(&ToChild::Build { parameters: parameters.to_owned(), references }, "build", BUILD_FACTOR)? {
            FromChild::Done => Ok(Box::new(instance)),
            FromChild::Declined(what) => {
                Err(AnalyserFault::Declined { plugin: self.label.clone(), what: cut(&what, MAX_SENTENCE).into() })
            }
            other => Err(self.failed("build", said(other))),
        }
    }

    fn failed(&self, call: &'static str, what: String) -> AnalyserFault {
        AnalyserFault::Failed { plugin: self.label.clone(), call, what: with_place(&self.source, what) }
    }
}

fn said(answer: FromChild) -> String {
    match answer {
        FromChild::Refused(what) | FromChild::Misfit(what) | FromChild::Threw(what) | FromChild::Declined(what) => what,
        FromChild::Done | FromChild::Verdict(_) | FromChild::Call { .. } | FromChild::Log(_) => {
            "it answered another question".into()
        }
    }
}

/// An analyser at work.
struct Instance {
    script: RhaiAnalyser,
    child: Child,
    desk: Desk,
    fault: Option<AnalyserFault>,
}

impl AnalyserInstance for Instance {
    fn feed(&mut self, frame: &Frame) -> Result<Option<Verdict>, AnalyserFault> {
        let handle = self.desk.lend_frame(frame);
        let (width, height) = (frame.picture.width(), frame.picture.height());
        let wire = WireFrame { handle, number: frame.number, at: frame.at_us, width, height };
        let verdict = self.verdict(&ToChild::Feed(wire), "feed");
        self.desk.drop(handle);
        verdict
    }

    fn hear(&mut self, heard: &Heard) -> Result<Option<Verdict>, AnalyserFault> {
        let handle = self.desk.lend_sound(heard);
        let Heard { at_us, sound } = heard;
        let (rate, channels, count) = (sound.rate(), sound.channels(), sound.count());
        let wire = WireSound { handle, at: *at_us, rate, channels, count };
        let verdict = self.verdict(&ToChild::Hear(wire), "hear");
        self.desk.drop(handle);
        verdict
    }

    fn read(&mut self, news: &News) -> Result<Option<Verdict>, AnalyserFault> {
        if !self.script.reads {
            return Ok(None);
        }
        let line = |line: &Line| (line.at_us, line.text.clone());
        let lines = news.lines().iter().map(line).collect();
        let wire = WireNews { lines, lost: news.lost(), now: news.now_us() };
        self.verdict(&ToChild::Read(wire), "read")
    }

    fn finish(&mut self) -> Result<Option<Verdict>, AnalyserFault> {
        self.verdict(&ToChild::Finish, "finish")
    }
}

impl Instance {
    fn take(&mut self, reference: &Reference) -> Option<WireReference> {
        let picture = self.desk.give(&reference.picture)?;
        let mask = match &reference.mask {
            Some(mask) => Some(self.desk.give(mask)?),
            None => None,
        };
        Some(WireReference { name: reference.name.clone(), picture, mask })
    }

    fn verdict(&mut self, what: &ToChild, call: &'static str) -> Result<Option<Verdict>, AnalyserFault> {
        let verdict = match self.ask(what, call, 1)? {
            FromChild::Verdict(verdict) => verdict.map(Verdict::checked).transpose(),
            other => Err(said(other)),
        };
        verdict.map_err(|what| {
            let fault = self.script.failed(call, what);
            self.fault = Some(fault.clone());
            fault
        })
    }

    /// One question, and the child's own in between. After a fault the instance answers nothing but that fault.
    fn ask(&mut self, what: &ToChild, call: &'static str, factor: u32) -> Result<FromChild, AnalyserFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.desk.begin(Duration::from_millis(self.script.limits.deadline_ms) * factor);
        let answer = self.talk(what);
        self.desk.end();
        let answer = match answer {
            Ok(FromChild::Threw(what)) => Err(self.script.failed(call, what)),
            Ok(answer) => Ok(answer),
            Err(fault) => Err(self.fault_of(call, factor, &fault)),
        };
        self.fault = answer.as_ref().err().cloned();
        answer
    }

    fn talk(&mut self, what: &ToChild) -> Result<FromChild, Lost> {
        self.child.say(what)?;
        loop {
            match self.child.hear(self.desk.left())? {
                FromChild::Call { gone, call } => {
                    for handle in gone {
                        self.desk.drop(handle);
                    }
                    let reply = match self.answer(call) {
                        Ok(reply) => Ok(reply),
                        Err(Trouble::Fault(fault)) => Err(fault),
                        Err(Trouble::Over(over)) => return Err(Lost::Over(over)),
                    };
                    self.child.say(&ToChild::Reply(reply))?;
                }
                FromChild::Log(text) => self.desk.log(&text),
                answer => return Ok(answer),
            }
        }
    }

    fn answer(&mut self, call: Call) -> Result<Reply, Trouble> {
        let desk = &mut self.desk;
        let handle = |handle: Result<Handle, Trouble>| handle.map(Reply::Handle);
        match call {
            Call::FramePicture(of) => handle(desk.frame_picture(of)),
            Call::Size(of) => {
                desk.picture(of).map(|picture| Reply::Size(picture.width(), picture.height(), picture.is_grey()))
            }
            Call::Crop(of, area) => handle(desk.crop(of, area)),
            Call::Grey(of) => handle(desk.grey(of)),
            Call::Scale(of, width, height) => handle(desk.scale(of, width, height)),
            Call::Difference(of, other) => handle(desk.difference(of, other)),
            Call::Covered(of, parts) => handle(desk.covered(of, &parts)),
            Call::Plain(width, height, value) => handle(desk.plain(width, height, value)),
            Call::Read(of, area) => desk.read(of, area).map(Reply::Bytes),
            Call::Statistics(of, area) => desk.statistics(of, area).map(Reply::Statistics),
            Call::Histogram(of, area) => desk.histogram(of, area).map(Reply::Counts),
            Call::Near(of, area, colour, tolerance) => desk.near(of, area, colour, tolerance).map(Reply::Count),
            Call::Sharpness(of, area) => desk.sharpness(of, area).map(Reply::Share),
            Call::Grid(of, area, side) => desk.grid(of, area, side).map(Reply::Cells),
            Call::ReadText(of, area, how) => desk.read_text(of, area, &how).map(Reply::Words),
            Call::Sums(of) => handle(desk.sums(of)),
            Call::Sum(of, area) => desk.sum(of, area).map(|(sum, squares)| Reply::Sum(sum, squares)),
            Call::Compare(of, other, tolerance, mask) => {
                desk.compare(of, other, tolerance, mask).map(Reply::Comparison)
            }
            Call::Find(of, what, mask, area, least) => desk.find(of, what, mask, area, least).map(Reply::Found),
            Call::Levels(of, channel, part) => desk.heard(of).map(|Heard { sound, .. }| {
                Reply::Levels(sound.rms(channel, part), sound.peak(channel, part), sound.dbfs(channel, part))
            }),
            Call::Tone(of, channel, part, hertz) => {
                desk.heard(of).map(|heard| Reply::Share(heard.sound.tone(channel, part, hertz)))
            }
            Call::Samples(of, channel, part) => desk.samples(of, channel, part).map(Reply::Samples),
        }
    }

    fn fault_of(&self, call: &'static str, factor: u32, lost: &Lost) -> AnalyserFault {
        let (plugin, limits) = (self.script.label.clone(), self.script.limits);
        let deadline_ms = limits.deadline_ms * u64::from(factor);
        match lost {
            Lost::Over(Over::Calls) => AnalyserFault::HostCalls { plugin, call, most: limits.host_calls },
            Lost::Over(Over::Time) | Lost::Child(ChildFault::Silent) => {
                AnalyserFault::Deadline { plugin, call, deadline_ms }
            }
            Lost::Over(Over::Handle) => self.script.failed(call, "it named a handle that it does not have".into()),
            Lost::Child(fault) => self.script.failed(call, fault.text(&self.script.guest, limits.memory_mib)),
        }
    }
}

/// Why a talk came to nothing.
enum Lost {
    Child(ChildFault),
    Over(Over),
}

impl From<ChildFault> for Lost {
    fn from(fault: ChildFault) -> Self {
        Self::Child(fault)
    }
}
