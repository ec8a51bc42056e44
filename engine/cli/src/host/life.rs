//! How long-running commands live: log, runtime, signals.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::OutputArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

/// The log goes to standard error, at `level` unless `RUST_LOG` or `-v` say otherwise.
pub(crate) fn log(ui: Ui, output: OutputArgs, level: &str) {
    let level = match output.verbose {
        0 if output.quiet => "error",
        0 => level,
        1 => "info,headend=debug",
        _ => "info,headend=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ui.colors_stderr());
    // A second start in one process would keep the first log, which is as good.
    if output.json {
        log.json().try_init().ok()
    } else {
        log.try_init().ok()
    };
}

/// Most threads of the runtime. One task decides and one thread writes, so more would only cost memory.
const WORKERS: usize = 8;
/// Most threads for work on files. What waits for one waits in order.
const FILE_THREADS: usize = 64;

/// For servers and racks.
pub(crate) fn runtime() -> Result<Runtime> {
    super::memory::share_heaps();
    headend_plugin_host::precedence::come_first();
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(WORKERS);
    let runtime =
        Builder::new_multi_thread().worker_threads(workers).max_blocking_threads(FILE_THREADS).enable_all().build();
    runtime.map_err(|error| Failure::new(Exit::Fault, "runtime", "cannot start threads").because(error))
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on signals are kept for [`Self::next`] instead of ending the process.
    pub(crate) fn catch() -> Result<Self> {
        let catch =
            |kind| signal(kind).map_err(|e| Failure::new(Exit::Fault, "signals", "cannot catch signals").because(e));
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Stops in order; a second signal ends the wait for it.
pub(crate) async fn stop(ui: Ui, signals: &mut Signals, stopping: impl Future<Output = Result<()>>) -> Result<()> {
    ui.say("stopping; once more to hurry");
    tokio::select! {
        result = stopping => result,
        () = signals.next() => Err(Failure::silent(Exit::Interrupted)),
    }
}
