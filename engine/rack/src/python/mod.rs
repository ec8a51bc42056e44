//! Python scripts, 3 and 2.7, unchanged: forked from a warm interpreter, served over a socket of their own.
//!
//! Which interpreter runs a script ([`choose`]): the one it names itself, else Python 3, else, if only that accepts its
//! syntax, Python 2.

pub mod choose;
mod connection;
mod host;
pub mod interpreters;
mod sdk;
mod zygote;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use choose::Wish;
use interpreters::Interpreter;
use tokio::sync::OnceCell;
use zygote::Zygote;

use crate::options::PythonOptions;
use crate::process::Nursery;
use crate::process::cgroup::Cgroup;

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
    sdk: PathBuf,
    found: OnceCell<Vec<Interpreter>>,
    /// One zygote per interpreter.
    zygotes: tokio::sync::Mutex<HashMap<PathBuf, Zygote>>,
    choices: Mutex<HashMap<blake3::Hash, Interpreter>>,
}

impl Pythons {
    /// Nothing is started yet. `home`: a folder for the package's files when they come out of the binary.
    ///
    /// # Errors
    /// When these files cannot be written.
    pub fn new(
        options: PythonOptions,
        nursery: Nursery,
        (home, pids): (PathBuf, PathBuf),
        cgroup: Option<Cgroup>,
    ) -> std::io::Result<Self> {
        let sdk = sdk::folder(options.sdk.as_deref(), &home)?;
        let (found, zygotes, choices) = (OnceCell::new(), tokio::sync::Mutex::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { options, nursery, pids, cgroup, sdk, found, zygotes, choices }) })
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
        let program = self.inner.sdk.join("stormtest/zygote.py");
        let zygote =
            Zygote::start(&self.inner.nursery, interpreter, &program, &self.inner.pids, self.inner.cgroup.as_ref());
        let zygote = zygote.await?;
        zygotes.insert(interpreter.path.clone(), zygote.clone());
        Ok(zygote)
    }

    /// Ends the warm processes.
    pub async fn close(&self) {
        for (_, zygote) in self.inner.zygotes.lock().await.drain() {
            zygote.close().await;
        }
    }
}
