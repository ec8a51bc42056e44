//! Analysers in WebAssembly. An instance answers within this process, on the caller's thread, between an epoch deadline and a memory cap.

mod calls;
mod guest;

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker, Resource};

use super::desk::May;
use super::serial::{Line, News};
use super::{AnalyserFault, AnalyserInstance, BUILD_FACTOR, Frame, Heard, Reference, Shape, Tone, Value, Verdict};
use crate::lifecycle::LoadError;
use crate::manifest::{Limits, Manifest};
use crate::wasm::{Compiler, Counting, Ticker};
use calls::rect_of;
use guest::{Guest, State};
use world::exports::headend::analyser::{analysing as exported, serial as reading};
use world::headend::analyser::types as said;

pub(super) mod world {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/v1/analyser",
        world: "analyser",
        imports: { default: trappable },
    });
}

/// A linked analyser: an instance costs some microseconds.
pub(super) struct WasmAnalyser {
    linked: Linked,
    ticker: Arc<Ticker>,
    label: Arc<str>,
    limits: Limits,
    may: May,
}

impl WasmAnalyser {
    /// Steps compile and link.
    pub(super) fn load(
        compiler: &Compiler,
        code: &[u8],
        manifest: &Manifest,
        label: &str,
        may: May,
    ) -> Result<Self, LoadError> {
        let limits = manifest.limits;
        let counting = if limits.fuel.is_some() { Counting::Fuel } else { Counting::Time };
        let component =
            compiler.component(code, counting).map_err(|source| LoadError::Compile { plugin: label.into(), source })?;
        let linked = link(&component, &may, manifest.senses.serial).map_err(|error| LoadError::Link {
            plugin: label.into(),
            world: manifest.kind,
            what: format!("{error:#}"),
        })?;
        Ok(Self { linked, ticker: Arc::clone(compiler.engines().ticker()), label: label.into(), limits, may })
    }

    /// An instance for one stream. `parameters`: JSON text of an object.
    pub(super) fn build(
        &self,
        parameters: &str,
        references: &[Reference],
    ) -> Result<Box<dyn AnalyserInstance>, AnalyserFault> {
        let engine = self.linked.pre.component().engine();
        let mut guest = Guest::new(engine, &self.ticker, &self.label, self.limits, self.may.clone());
        let exports = guest.call("instantiate", BUILD_FACTOR, |store| self.linked.instantiate(store))?;
        let references = references.iter().map(|reference| guest.take(reference)).collect::<Result<_, _>>()?;
        let setup = exported::Setup { parameters: parameters.to_owned(), references };
        let built = guest.call("build", BUILD_FACTOR, |store| exports.analysing.call_build(store, &setup))?;
        built.map_err(|what| guest.declined(&what))?;
        Ok(Box::new(Instance { guest, exports }))
    }
}

/// A component with its imports, and where its exports are. Not the whole world at once: guests of former versions do not export what came later.
struct Linked {
    pre: InstancePre<State>,
    analysing: exported::GuestIndices,
    /// Of those that read.
    serial: Option<reading::GuestIndices>,
}

/// What the host calls.
struct Exports {
    analysing: exported::Guest,
    serial: Option<reading::Guest>,
}

impl Linked {
    fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        let instance = self.pre.instantiate(&mut *store)?;
        let analysing = self.analysing.load(&mut *store, &instance)?;
        let serial = self.serial.as_ref().map(|serial| serial.load(&mut *store, &instance)).transpose()?;
        Ok(Exports { analysing, serial })
    }
}

fn link(component: &Component, may: &May, reads: bool) -> wasmtime::Result<Linked> {
    use world::headend::analyser;
    let mut linker = Linker::<State>::new(component.engine());
    analyser::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    analyser::pictures::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    analyser::sounds::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    if may.log {
        analyser::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    }
    if may.ocr.is_some() {
        analyser::ocr::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    }
    let pre = linker.instantiate_pre(component)?;
    let analysing = exported::GuestIndices::new(&pre)?;
    let serial = if reads { Some(reading::GuestIndices::new(&pre)?) } else { None };
    Ok(Linked { pre, analysing, serial })
}

impl Guest {
    fn take(&mut self, reference: &Reference) -> Result<exported::Reference, AnalyserFault> {
        let desk = &mut self.state().desk;
        let picture = desk.give(&reference.picture);
        let mask = reference.mask.as_ref().map(|mask| desk.give(mask));
        let too_much = || "its references are more than an instance may keep (64 MiB of pixels)".to_owned();
        let (Some(picture), false) = (picture, mask == Some(None)) else {
            return Err(self.declined(&too_much()));
        };
        Ok(exported::Reference {
            name: reference.name.clone(),
            picture: Resource::new_own(picture),
            mask: mask.flatten().map(Resource::new_own),
        })
    }
}

/// An analyser at work.
struct Instance {
    guest: Guest,
    exports: Exports,
}

impl AnalyserInstance for Instance {
    fn feed(&mut self, frame: &Frame) -> Result<Option<Verdict>, AnalyserFault> {
        let handle = self.guest.state().desk.lend_frame(frame);
        let analysing = &self.exports.analysing;
        let said = self.guest.call("feed", 1, |store| analysing.call_feed(store, Resource::new_borrow(handle)));
        self.guest.state().desk.drop(handle);
        self.guest.verdict("feed", said?)
    }

    fn hear(&mut self, heard: &Heard) -> Result<Option<Verdict>, AnalyserFault> {
        let handle = self.guest.state().desk.lend_sound(heard);
        let analysing = &self.exports.analysing;
        let said = self.guest.call("hear", 1, |store| analysing.call_hear(store, Resource::new_borrow(handle)));
        self.guest.state().desk.drop(handle);
        self.guest.verdict("hear", said?)
    }

    fn read(&mut self, news: &News) -> Result<Option<Verdict>, AnalyserFault> {
        let Some(serial) = &self.exports.serial else { return Ok(None) };
        let line = |line: &Line| reading::Line { at: line.at_us, text: line.text.clone() };
        let lines = news.lines().iter().map(line).collect();
        let news = reading::News { lines, lost: news.lost(), now: news.now_us() };
        let said = self.guest.call("read", 1, |store| serial.call_read(store, &news))?;
        self.guest.verdict("read", said)
    }

    fn finish(&mut self) -> Result<Option<Verdict>, AnalyserFault> {
        let analysing = &self.exports.analysing;
        let said = self.guest.call("finish", 1, |store| analysing.call_finish(store))?;
        self.guest.verdict("finish", said)
    }
}

impl Guest {
    fn verdict(&mut self, call: &'static str, said: Option<said::Verdict>) -> Result<Option<Verdict>, AnalyserFault> {
        let verdict = said.map(|said| from_said(said).checked()).transpose();
        verdict.map_err(|what| self.fail(call, what))
    }
}

fn from_said(said: said::Verdict) -> Verdict {
    let value = |value: said::Value| Value { name: value.name, number: value.number };
    let shape = |shape: said::Shape| Shape {
        area: rect_of(shape.area),
        tone: match shape.tone {
            said::Tone::Good => Tone::Good,
            said::Tone::Bad => Tone::Bad,
            said::Tone::Note => Tone::Note,
        },
        label: shape.label,
    };
    Verdict {
        passed: said.passed,
        score: said.score,
        area: said.area.map(rect_of),
        frame: said.frame,
        at_us: said.at,
        sentence: said.sentence,
        values: said.values.into_iter().map(value).collect(),
        overlay: said.overlay.into_iter().map(shape).collect(),
    }
}
