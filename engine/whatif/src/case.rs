//! Under which policies a load is played.

use headend_model::{Mode, PolicyName};
use headend_scheduler::Event;
use headend_scheduler::event::PolicyKind;

/// One way to play a load.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// As the report shows it.
    pub name: String,
    /// What chooses among the tests of a job.
    pub coverage: Coverage,
    /// What orders the jobs; `None`: the built-in `priority-fifo`.
    pub queue: Option<PolicyName>,
    /// Plugins that may be asked.
    pub plugins: Vec<Plugin>,
}

/// What chooses among the tests of a job. Single-process tests stay what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// What each test of the plan asks for.
    #[default]
    AsPlanned,
    /// The core's own rules: tests that ask for a policy by name get DUT coverage.
    Native,
    /// This policy for every test: a built-in of that name, or a plugin.
    Policy(PolicyName),
}

/// A plugin that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name.
    pub name: PolicyName,
    /// What it is asked for.
    pub kind: PolicyKind,
    /// Hash of its content.
    pub hash: String,
    /// Major version of the contract that it was written against.
    pub contract: u32,
}

impl Case {
    /// The mode of a test in this case.
    pub(crate) fn mode(&self, planned: &Mode) -> Mode {
        match (&self.coverage, planned) {
            (Coverage::Native, Mode::Policy(_)) => Mode::DutCoverage,
            (_, Mode::SingleProcess) | (Coverage::AsPlanned | Coverage::Native, _) => planned.clone(),
            (Coverage::Policy(name), _) => self.mode_of(name),
        }
    }

    fn mode_of(&self, name: &PolicyName) -> Mode {
        let is_plugin = self.plugins.iter().any(|plugin| plugin.name == *name);
        match name.as_str() {
            "dut-coverage" if !is_plugin => Mode::DutCoverage,
            "test-coverage" if !is_plugin => Mode::TestCoverage,
            _ => Mode::Policy(name.clone()),
        }
    }

    /// What the farm is told before the load.
    pub(crate) fn events(&self) -> Vec<Event> {
        let found = self.plugins.iter().map(|plugin| Event::PolicyFound {
            policy: plugin.name.clone(),
            kind: plugin.kind,
            hash: plugin.hash.clone(),
            contract: plugin.contract,
        });
        let by = headend_model::UserName::new("simulate").ok();
        let order =
            self.queue.iter().zip(by).map(|(policy, by)| Event::UseQueuePolicy { policy: Some(policy.clone()), by });
        found.chain(order).collect()
    }
}
