//! Python scripts, 3 and 2.7, unchanged: forked from a warm interpreter, served over a socket of their own.
//!
//! Which interpreter runs a script ([`choose`]): the one it names itself, else Python 3, else, if only that accepts its
//! syntax, Python 2.

pub mod choose;
mod confine;
mod connection;
mod host;
pub mod interpreters;
mod sdk;
mod zygote;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use choose::Wish;
use interpreters::Interpreter;
use tokio::sync::OnceCell;
use zygote::Zygote;

use crate::options::PythonOptions;
use crate::process::Nursery;
use crate::process::cgroup::Cgroup;
use crate::process::controllers::Controllers;
use crate::process::isolation::Isolation;

pub(crate) use connection::Door;
pub use host::{Place, run};

/// Remembered choices by the hash of the script; beyond this many all are forgotten.
const MOST_CHOICES: usize = 10_000;

/// The interpreters of a rack and what is warm of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pythons {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: PythonOptions,
    nursery: Nursery,
    pids: PathBuf,
    cgroup: Option<Cgroup>,
    controllers: Controllers,
    /// No script may look into it: the rack's data.
    home: PathBuf,
    sdk: PathBuf,
    /// Known when the first interpreter is warm.
    isolation: OnceLock<Isolation>,
    found: OnceCell<Vec<Interpreter>>,
    /// One zygote per interpreter.
    zygotes: tokio::sync::Mutex<HashMap<PathBuf, Zygote>>,
    choices: Mutex<HashMap<blake3::Hash, Interpreter>>,
}

impl Pythons {
    /// Nothing is started yet. `home`: a folder for the package's files when they come out of the binary; scripts see
    /// nothing else of it but what is theirs.
    ///
    /// # Errors
    /// When these files cannot be written.
    pub fn new(
        options: PythonOptions,
        nursery: Nursery,
        (home, pids): (PathBuf, PathBuf),
        (cgroup, controllers): (Option<Cgroup>, Controllers),
    ) -> std::io::Result<Self> {
        let sdk = sdk::folder(options.sdk.as_deref(), &home)?;
        let (found, zygotes, choices) = (OnceCell::new(), tokio::sync::Mutex::default(), Mutex::default());
        let isolation = OnceLock::new();
        let inner =
            Inner { options, nursery, pids, cgroup, controllers, home, sdk, isolation, found, zygotes, choices };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The interpreters of this host, the preferred first. The first call looks for them.
    pub async fn interpreters(&self) -> &[Interpreter] {
        let search = || interpreters::find(&self.inner.options, &self.inner.nursery);
        self.inner.found.get_or_init(search).await
    }

    /// Starts the preferred interpreter, so that the first run finds it warm.
    pub async fn warm_up(&self) {
        if let Some(first) = self.interpreters().await.first()
            && let Err(problem) = self.zygote(first).await
        {
            tracing::warn!(problem, "Python could not be warmed up");
        }
    }

    /// The interpreter for a script.
    ///
    /// # Errors
    /// A sentence for the run's outcome.
    pub async fn choose(&self, source: &[u8]) -> Result<Interpreter, String> {
        let found = self.interpreters().await;
        let key = blake3::hash(source);
        let known = self.inner.choices.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let chosen = match choose::wish(source) {
            Wish::Version(version) => choose::named(found, &version)?,
            Wish::None => choose::by_syntax(found, source, &self.inner.nursery).await?,
        };
        let mut choices = self.inner.choices.lock().unwrap_or_else(PoisonError::into_inner);
        if choices.len() >= MOST_CHOICES {
            choices.clear();
        }
        choices.insert(key, chosen.clone());
        Ok(chosen)
    }

    /// The warm process of an interpreter, started (again) if need be.
    async fn zygote(&self, interpreter: &Interpreter) -> Result<Zygote, String> {
        let mut zygotes = self.inner.zygotes.lock().await;
        if let Some(zygote) = zygotes.get(&interpreter.path).filter(|zygote| zygote.is_alive()) {
            return Ok(zygote.clone());
        }
        let start = zygote::Start {
            python: interpreter,
            program: &self.inner.sdk.join("stormtest/zygote.py"),
            hidden: &self.inner.home,
            pids: &self.inner.pids,
            cgroup: self.inner.cgroup.as_ref(),
        };
        let zygote = Zygote::start(&self.inner.nursery, start).await?;
        self.tell_isolation(&zygote);
        zygotes.insert(interpreter.path.clone(), zygote.clone());
        Ok(zygote)
    }

    /// What keeps runs apart here; `None` as long as no interpreter has been started.
    pub fn isolation(&self) -> Option<Isolation> {
        self.inner.isolation.get().copied()
    }

    /// Once, at the start: whoever runs the rack should know what his machine offers.
    fn tell_isolation(&self, zygote: &Zygote) {
        let inner = &self.inner;
        let isolation = Isolation {
            cgroup: inner.cgroup.is_some() && zygote.in_cgroup,
            memory: inner.controllers.memory(),
            processes: inner.controllers.processes(),
            open: !inner.options.isolate,
            ..zygote.isolation
        };
        if inner.isolation.set(isolation).is_ok() {
            tracing::info!("Python runs are kept apart by: {isolation}");
        }
    }

    /// Ends the warm processes.
    pub async fn close(&self) {
        for (_, zygote) in self.inner.zygotes.lock().await.drain() {
            zygote.close().await;
        }
        self.inner.controllers.clear();
    }
}
