//! Policies as live: WebAssembly in this process, Rhai in a guest process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headend_model::{JobId, PolicyName};
use headend_plugin_host::policy::PolicyFault;
use headend_plugin_host::{GuestProgram, Kind, PolicyHost, PolicyHostConfig, PolicyInstance};
use headend_scheduler::Event;
use headend_scheduler::action::{AskRanks, AskReport};
use headend_scheduler::event::PolicyKind;
use headend_whatif::{Case, Coverage, Plugin, Policies, Question};

use crate::credentials::default_data;
use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Plugins that cases name, loaded when the first of them does.
pub(super) struct Plugins {
    folder: Option<PathBuf>,
    host: Option<PolicyHost>,
    loaded: BTreeMap<PathBuf, Plugin>,
}

impl Plugins {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, host: None, loaded: BTreeMap::new() }
    }

    /// The case of these two policies.
    pub(super) fn case(&mut self, coverage: &str, queue: &str, with_queue: bool) -> Result<Case> {
        let mut plugins = Vec::new();
        let (first, coverage) = self.coverage(coverage, &mut plugins)?;
        let (second, queue) = self.queue(queue, &mut plugins)?;
        let name = if with_queue || queue.is_some() { format!("{first} / {second}") } else { first };
        Ok(Case { name, coverage, queue, plugins })
    }

    fn coverage(&mut self, given: &str, plugins: &mut Vec<Plugin>) -> Result<(String, Coverage)> {
        let chosen = match given {
            "as-planned" => Coverage::AsPlanned,
            "native" => Coverage::Native,
            "dut-coverage" | "test-coverage" => Coverage::Policy(named(given)?),
            given => {
                let plugin = self.plugin(given, PolicyKind::Coverage)?;
                let name = plugin.name.clone();
                plugins.push(plugin);
                return Ok((format!("{name} (plugin)"), Coverage::Policy(name)));
            }
        };
        Ok((given.to_owned(), chosen))
    }

    fn queue(&mut self, given: &str, plugins: &mut Vec<Plugin>) -> Result<(String, Option<PolicyName>)> {
        if matches!(given, "native" | "priority-fifo") {
            return Ok(("priority-fifo".to_owned(), None));
        }
        let plugin = self.plugin(given, PolicyKind::Queue)?;
        let name = plugin.name.clone();
        plugins.push(plugin);
        Ok((format!("{name} (plugin)"), Some(name)))
    }

    fn plugin(&mut self, given: &str, kind: PolicyKind) -> Result<Plugin> {
        let folder = self.folder_of(given)?;
        if !self.loaded.contains_key(&folder) {
            let plugin = load(self.host()?, &folder)?;
            self.loaded.insert(folder.clone(), plugin);
        }
        let found = self.loaded.get(&folder).filter(|plugin| plugin.kind == kind).cloned();
        found.ok_or_else(|| {
            let wanted = if kind == PolicyKind::Queue { "queue" } else { "coverage" };
            Failure::usage(format!("{} is no {wanted} policy", folder.display()))
        })
    }

    fn folder_of(&self, given: &str) -> Result<PathBuf> {
        let by_name = self.folder.iter().map(|folder| folder.join(given));
        let mut all = std::iter::once(PathBuf::from(given)).chain(by_name);
        let found = all.find(|folder| folder.exists()).and_then(|folder| folder.canonicalize().ok());
        found.ok_or_else(|| {
            Failure::new(Exit::NotFound, "plugin", format!("there is no policy {given:?}"))
                .help("give native, dut-coverage, test-coverage, the folder of a plugin, or --plugins with its name")
        })
    }

    fn host(&mut self) -> Result<&PolicyHost> {
        let host = match self.host.take() {
            Some(host) => host,
            None => start_host()?,
        };
        Ok(self.host.insert(host))
    }

    /// Fresh instances for one case.
    pub(super) const fn asked(&self) -> Asked<'_> {
        Asked { host: self.host.as_ref(), instances: BTreeMap::new(), late: 0 }
    }
}

fn start_host() -> Result<PolicyHost> {
    let broken = |what: &str| Failure::new(Exit::Fault, "plugins", what);
    let program = std::env::current_exe().map_err(|error| broken("cannot find this program").because(error))?;
    let cache = default_data()?.join("simulate");
    std::fs::create_dir_all(&cache).map_err(|error| Failure::file("make", &cache, error))?;
    PolicyHost::new(PolicyHostConfig::new(GuestProgram::headend(program), cache.join("plugins")))
        .map_err(|error| broken("the plugin host cannot start").because(error))
}

fn load(host: &PolicyHost, folder: &Path) -> Result<Plugin> {
    let info = host.load(folder).map_err(|error| {
        Failure::new(Exit::Usage, "bad_plugin", format!("cannot load {}", folder.display())).because(error)
    })?;
    let kind = match info.kind {
        Kind::CoveragePolicy => PolicyKind::Coverage,
        Kind::QueuePolicy => PolicyKind::Queue,
        Kind::Analyser | Kind::Script => {
            return Err(Failure::usage(format!("{} is no policy", folder.display())));
        }
    };
    let contract = info.world.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(1);
    Ok(Plugin { name: info.name, kind, hash: info.hash, contract })
}

fn named(name: &str) -> Result<PolicyName> {
    PolicyName::new(name).map_err(|error| Failure::usage(error.to_string()))
}

/// Instances at work in one case.
pub(super) struct Asked<'a> {
    host: Option<&'a PolicyHost>,
    instances: BTreeMap<(JobId, u32), Box<dyn PolicyInstance>>,
    late: u64,
}

/// What a question may lead to beside its answer.
enum Trouble {
    Declined(String),
    Failed(String),
}

impl Asked<'_> {
    /// Questions that were not answered in time: the only thing here that depends on the machine.
    pub(super) const fn late(&self) -> u64 {
        self.late
    }

    fn trouble(&mut self, fault: &PolicyFault) -> Trouble {
        self.late += u64::from(matches!(fault, PolicyFault::Deadline { .. }));
        match fault {
            PolicyFault::Declined { what, .. } => Trouble::Declined(what.clone()),
            fault => Trouble::Failed(fault.to_string()),
        }
    }

    /// The instance of a group, built if it is new and told what is new if not.
    fn ready<A>(
        &mut self,
        key: (JobId, u32),
        policy: &PolicyName,
        question: &Question<A>,
        changes: &[headend_scheduler::action::Noted],
    ) -> std::result::Result<&mut Box<dyn PolicyInstance>, Trouble> {
        if let Some(plan) = &question.plan {
            let host = self.host.ok_or_else(|| Trouble::Failed("no plugin is loaded".to_owned()))?;
            let instance = host.instance(policy, plan).map_err(|fault| self.trouble(&fault))?;
            self.instances.insert(key, instance);
        }
        let found = self.instances.get_mut(&key);
        let instance = found.ok_or_else(|| Trouble::Failed("the job has no plan any more".to_owned()))?;
        if question.plan.is_none() {
            for news in changes {
                instance.apply(news);
            }
        }
        Ok(instance)
    }

    fn failed(&mut self, ask: u64, key: (JobId, u32), trouble: Trouble) -> Event {
        self.instances.remove(&key);
        match trouble {
            Trouble::Declined(reason) => Event::PolicyDeclined { ask, reason },
            Trouble::Failed(reason) => Event::PolicyFailed { ask, reason },
        }
    }

    fn ranks(&mut self, ask: &AskRanks) -> std::result::Result<Event, PolicyFault> {
        let Some(host) = self.host else { return Err(PolicyFault::Unknown(ask.policy.to_string())) };
        let mut queue = host.queue(&ask.policy)?;
        let ranks = ask.jobs.iter().map(|job| job.job).zip(queue.rank(&ask.jobs)?).collect();
        let slots = if ask.slots.is_empty() { Vec::new() } else { queue.rank_slots(&ask.slots)? };
        let slots = ask.slots.iter().map(|slot| slot.slot).zip(slots).collect();
        Ok(Event::Ranked { ask: ask.ask, ranks, slots })
    }
}

impl Policies for Asked<'_> {
    fn has(&self, job: JobId, group: u32) -> bool {
        self.instances.contains_key(&(job, group))
    }

    fn propose(&mut self, question: &Question) -> Event {
        let ask = &question.ask;
        let key = (ask.job, ask.group);
        let answer = match self.ready(key, &ask.policy, question, &ask.changes) {
            Ok(instance) => instance.propose(question.now, &ask.free).map_err(|fault| self.trouble(&fault)),
            Err(trouble) => Err(trouble),
        };
        match answer {
            // Nobody reads reasons of a play, so none is asked for.
            Ok(answer) => {
                let said = headend_scheduler::event::Said::default();
                Event::Proposed { ask: ask.ask, placements: answer.start, skips: answer.skip, said }
            }
            Err(trouble) => self.failed(ask.ask, key, trouble),
        }
    }

    fn rank(&mut self, ask: &AskRanks) -> Event {
        self.ranks(ask).unwrap_or_else(|fault| match self.trouble(&fault) {
            Trouble::Declined(reason) | Trouble::Failed(reason) => Event::PolicyFailed { ask: ask.ask, reason },
        })
    }

    fn report(&mut self, question: &Question<AskReport>) -> Event {
        let ask = &question.ask;
        let key = (ask.job, ask.group);
        let report = match self.ready(key, &ask.policy, question, &ask.changes) {
            Ok(instance) => instance.report().map_err(|fault| self.trouble(&fault)),
            Err(trouble) => Err(trouble),
        };
        match report {
            Ok(report) => Event::Reported { ask: ask.ask, report },
            Err(trouble) => self.failed(ask.ask, key, trouble),
        }
    }

    fn forget(&mut self, job: JobId) {
        // Its report is asked for before or after its end; an instance that is needed once more is built anew.
        self.instances.retain(|(of, _), _| *of != job);
    }
}
