//! Policies in WebAssembly. An instance answers within this process, on the caller's thread, between an epoch deadline and a memory cap.
//!
//! One way of asking inside ([`Serves`]), a module per version of the contract: `v1`, `v2`.

mod guest;
mod queue;
mod v1;
mod v2;

use std::collections::BTreeSet;
use std::sync::Arc;

use headend_scheduler::view::PlanView;
use wasmtime::component::{Component, HasSelf, Linker};

use super::Serves;
use super::fault::PolicyFault;
use crate::lifecycle::LoadError;
use crate::manifest::{Capability, Kind, Limits, Manifest};
use crate::wasm::{Compiler, Counting, Ticker};
use guest::{Guest, State};

pub(crate) use queue::WasmQueue;

/// Building reads the whole past: it may take this many times as long as a question.
const BUILD_FACTOR: u64 = 10;

/// A linked policy: an instance costs some microseconds.
pub(crate) struct WasmPolicy {
    pre: Pre,
    ticker: Arc<Ticker>,
    label: Arc<str>,
    limits: Limits,
}

enum Pre {
    CoverageV1(v1::world::CoveragePolicyPre<State>),
    CoverageV2(v2::world::CoveragePolicyPre<State>),
    Queue(queue::QueuePre),
}

impl WasmPolicy {
    /// Steps compile and link.
    pub(crate) fn load(compiler: &Compiler, code: &[u8], manifest: &Manifest, label: &str) -> Result<Self, LoadError> {
        let limits = manifest.limits;
        let counting = if limits.fuel.is_some() { Counting::Fuel } else { Counting::Time };
        let component =
            compiler.component(code, counting).map_err(|source| LoadError::Compile { plugin: label.into(), source })?;
        let pre = link(&component, manifest).map_err(|error| LoadError::Link {
            plugin: label.into(),
            world: manifest.kind,
            what: format!("{error:#}"),
        })?;
        Ok(Self { pre, ticker: Arc::clone(compiler.engines().ticker()), label: label.into(), limits })
    }

    /// What is compiled in this process: for code that we wrote ourselves.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn compiled_here(
        component: &Component,
        manifest: &Manifest,
        ticker: &Arc<Ticker>,
    ) -> wasmtime::Result<Self> {
        let (ticker, limits) = (Arc::clone(ticker), manifest.limits);
        Ok(Self { pre: link(component, manifest)?, ticker, label: manifest.name.to_string().into(), limits })
    }

    /// An instance for one plan. `parameters`: JSON text of an object.
    pub(crate) fn coverage(&self, plan: &PlanView, parameters: String) -> Result<Box<dyn Serves>, PolicyFault> {
        match &self.pre {
            Pre::CoverageV1(pre) => Ok(Box::new(v1::Coverage::build(self.guest(), pre, plan)?)),
            Pre::CoverageV2(pre) => Ok(Box::new(v2::Coverage::build(self.guest(), pre, plan, parameters)?)),
            Pre::Queue(_) => Err(self.guest().wrong_kind(Kind::QueuePolicy, Kind::CoveragePolicy)),
        }
    }

    /// An instance for all jobs. `parameters`: JSON text of an object.
    pub(crate) fn queue(&self, parameters: &str) -> Result<WasmQueue, PolicyFault> {
        let guest = self.guest();
        let Pre::Queue(pre) = &self.pre else {
            return Err(guest.wrong_kind(Kind::CoveragePolicy, Kind::QueuePolicy));
        };
        pre.build(guest, parameters)
    }

    fn guest(&self) -> Guest {
        let engine = match &self.pre {
            Pre::CoverageV1(pre) => pre.engine(),
            Pre::CoverageV2(pre) => pre.engine(),
            Pre::Queue(pre) => pre.engine(),
        };
        Guest::new(engine, &self.ticker, &self.label, self.limits)
    }
}

fn link(component: &Component, manifest: &Manifest) -> wasmtime::Result<Pre> {
    let mut linker = Linker::<State>::new(component.engine());
    let log = wants_log(&manifest.capabilities);
    Ok(match (manifest.kind, manifest.world.0) {
        (Kind::QueuePolicy, version) => Pre::Queue(queue::QueuePre::link(component, version.into(), log)?),
        (Kind::CoveragePolicy | Kind::Analyser | Kind::Script, 0 | 1) => {
            use v1::world::{CoveragePolicyPre, headend::policy};
            policy::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            if log {
                policy::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            }
            Pre::CoverageV1(CoveragePolicyPre::new(linker.instantiate_pre(component)?)?)
        }
        (Kind::CoveragePolicy | Kind::Analyser | Kind::Script, _) => {
            use v2::world::{CoveragePolicyPre, headend::policy};
            policy::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            policy::plans::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            if log {
                policy::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            }
            Pre::CoverageV2(CoveragePolicyPre::new(linker.instantiate_pre(component)?)?)
        }
    })
}

fn wants_log(capabilities: &BTreeSet<Capability>) -> bool {
    capabilities.contains(&Capability::Log)
}
