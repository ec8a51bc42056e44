//! `headend plugin check`: the steps of loading, then the contract tests of the plugin's kind. Needs no server.

mod analyser;
mod cover;
mod game;
mod memory;
mod passport;
mod plans;
mod queue;
mod random;

use std::path::{Path, PathBuf};

use headend_plugin_host::lifecycle::{Tried, Upload};
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::{GuestProgram, Kind, LoadError, PolicyHost, PolicyHostConfig};
use serde_json::Value;

use self::passport::{Outcome, Passport};
use super::plugin_pack::pack;
use crate::credentials::default_data;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

const AFTER: &str = "\
First the steps that a server takes when it loads a plugin (without its signature: that is a matter of the server's keys), then what \
the contract of its kind asks for, on plans or queues that are made up, always the same ones:

  answers     every question is answered, within its limits
  allowed     a coverage policy proposes only what is allowed
  repeatable  the same questions have the same answers
  restart     built again from the plan and its past, it answers as if it had been there (coverage)
  company     a rank does not depend on what else is asked about (queue)
  time        a rank does not depend on when it is asked for, or on what was asked before (queue)
  sizes       frames of all sizes, down to 1x1, also mixed (analyser)
  empty       a stream without frames (analyser)
  lines       lines of a serial port: none, many, long, odd (analyser that reads)
  settings    every parameter at the ends of what its schema allows (analyser)
  load        deadline and memory with --load tests on as many devices, or jobs and devices; frames of 720p and 1080p

A coverage policy is asked with what is set, and with the example of its parameters' schema, if that has one. One that declines all of its \
plans is neither sound nor not: nothing of it was tried.

A test that fails shows the smallest input that was found. A deadline that is missed counts at the third try: a machine may be busy.
Exit code 0: all passed; 1: a test failed, or nothing could be tried; 2: it would not be loaded.
A script is no plugin of the server's: `headend run FILE` tries it.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The plugin: its folder, a bundle, or a file.
    path: PathBuf,
    /// Parameters to check it with: a JSON object, or @FILE with one [default: those of its schema].
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// How many tests and devices, or jobs and devices, it is to cope with.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    load: u32,
}

/// Checks the plugin and prints its passport.
pub(crate) fn run(args: &Args, ui: Ui) -> Result<()> {
    let set = args.parameters.as_deref().map(super::plugin_life::json).transpose()?;
    let stage = Stage::open()?;
    let passport = stage.passport(&args.path, set.as_ref(), args.load)?;
    ui.show(&passport, Passport::people)?;
    match passport.outcome() {
        Outcome::Sound => Ok(()),
        Outcome::Failed | Outcome::NotTried => Err(Failure::silent(Exit::Failed)),
        Outcome::NotLoaded => Err(Failure::silent(Exit::Usage)),
    }
}

/// A host of its own: nothing that is checked is left behind.
struct Stage {
    host: PolicyHost,
    versions: PathBuf,
    guest: GuestProgram,
    compiled: PathBuf,
}

impl Stage {
    fn open() -> Result<Self> {
        let broken = |what: &str| Failure::new(Exit::Fault, "plugins", what);
        let program = std::env::current_exe().map_err(|error| broken("cannot find this program").because(error))?;
        let folder = default_data()?.join("check");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::file("make", &folder, error))?;
        let (guest, compiled) = (GuestProgram::headend(program), folder.join("compiled"));
        let mut config = PolicyHostConfig::new(guest.clone(), &compiled);
        // Two checks at once must not clear away each other's.
        config.versions = folder.join(format!("versions-{}", std::process::id()));
        let versions = config.versions.clone();
        let host = PolicyHost::new(config).map_err(|error| broken("the plugin host cannot start").because(error))?;
        Ok(Self { host, versions, guest, compiled })
    }

    fn passport(&self, path: &Path, set: Option<&Value>, load: u32) -> Result<Passport> {
        let tried = self.host.try_out(upload(path)?, set.cloned());
        // Analysers may ask for longer deadlines than policies: whether such a manifest is good is for their host to say.
        if let Some(LoadError::Kind { kind: Kind::Analyser, .. } | LoadError::Manifest(_)) = &tried.error
            && let Some(passport) = analyser::passport(self.guest.clone(), &self.compiled, upload(path)?, set)?
        {
            return Ok(passport);
        }
        let passport = Passport::new(&tried);
        let Tried { info: Some(info), error: None } = tried else { return Ok(passport) };
        self.host.install(upload(path)?, set.cloned()).map_err(|error| {
            Failure::new(Exit::Fault, "bad_plugin", format!("cannot load {}", path.display())).because(error)
        })?;
        Ok(passport.with(self.tests(&info, load)))
    }

    fn tests(&self, info: &PluginInfo, load: u32) -> Vec<passport::Test> {
        match info.kind {
            Kind::CoveragePolicy => cover::tests(&self.host, info, load),
            Kind::QueuePolicy => queue::tests(&self.host, info, load),
            // Refused when it was loaded.
            Kind::Analyser | Kind::Script => Vec::new(),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left is small, and cleared with the folder.
        let _ = std::fs::remove_dir_all(&self.versions);
    }
}

fn upload(path: &Path) -> Result<Upload> {
    let packed = pack(path)?;
    Ok(Upload { file: packed.file, bytes: packed.bytes, signature: packed.signature })
}
