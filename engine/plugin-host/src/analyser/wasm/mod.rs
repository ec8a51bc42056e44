//! Analysers in WebAssembly. An instance answers within this process, on the caller's thread, between an epoch deadline and a memory cap.

mod calls;
mod guest;

use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, Linker, Resource};

use super::desk::May;
use super::{AnalyserFault, AnalyserInstance, BUILD_FACTOR, Frame, Heard, Reference, Shape, Tone, Value, Verdict};
use crate::lifecycle::LoadError;
use crate::manifest::{Limits, Manifest};
use crate::wasm::{Compiler, Counting, Ticker};
use calls::rect_of;
use guest::{Guest, State};
use world::exports::headend::analyser::analysing as exported;
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
    pre: world::AnalyserPre<State>,
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
        let pre = link(&component, &may).map_err(|error| LoadError::Link {
            plugin: label.into(),
            world: manifest.kind,
            what: format!("{error:#}"),
        })?;
        Ok(Self { pre, ticker: Arc::clone(compiler.engines().ticker()), label: label.into(), limits, may })
    }

    /// An instance for one stream. `parameters`: JSON text of an object.
    pub(super) fn build(
        &self,
        parameters: &str,
        references: &[Reference],
    ) -> Result<Box<dyn AnalyserInstance>, AnalyserFault> {
        let mut guest = Guest::new(self.pre.engine(), &self.ticker, &self.label, self.limits, self.may.clone());
        let bindings = guest.call("instantiate", BUILD_FACTOR, |store| self.pre.instantiate(store))?;
        let references = references.iter().map(|reference| guest.take(reference)).collect::<Result<_, _>>()?;
        let setup = exported::Setup { parameters: parameters.to_owned(), references };
        let analysing = bindings.headend_analyser_analysing();
        let built = guest.call("build", BUILD_FACTOR, |store| analysing.call_build(store, &setup))?;
        built.map_err(|what| guest.declined(&what))?;
        Ok(Box::new(Instance { guest, bindings }))
    }
}

fn link(component: &Component, may: &May) -> wasmtime::Result<world::AnalyserPre<State>> {
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
    world::AnalyserPre::new(linker.instantiate_pre(component)?)
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
    bindings: world::Analyser,
}

impl AnalyserInstance for Instance {
    fn feed(&mut self, frame: &Frame) -> Result<Option<Verdict>, AnalyserFault> {
        let handle = self.guest.state().desk.lend_frame(frame);
        let analysing = self.bindings.headend_analyser_analysing();
        let said = self.guest.call("feed", 1, |store| analysing.call_feed(store, Resource::new_borrow(handle)));
        self.guest.state().desk.drop(handle);
        self.guest.verdict("feed", said?)
    }

    fn hear(&mut self, heard: &Heard) -> Result<Option<Verdict>, AnalyserFault> {
        let handle = self.guest.state().desk.lend_sound(heard);
        let analysing = self.bindings.headend_analyser_analysing();
        let said = self.guest.call("hear", 1, |store| analysing.call_hear(store, Resource::new_borrow(handle)));
        self.guest.state().desk.drop(handle);
        self.guest.verdict("hear", said?)
    }

    fn finish(&mut self) -> Result<Option<Verdict>, AnalyserFault> {
        let analysing = self.bindings.headend_analyser_analysing();
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
