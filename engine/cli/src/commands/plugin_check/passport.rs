//! What is known of a plugin after its check, for people and programs.

use std::fmt::Write as _;

use headend_plugin_host::lifecycle::Tried;
use headend_plugin_host::policy::PluginInfo;
use headend_wire::plugins::StepItem;
use serde::Serialize;
use serde_json::Value;

use crate::ui::plain;

/// Longest input that people are shown, in characters.
const SHOWN: usize = 1_000;

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Passport {
    /// It would be loaded, and passed all tests, and some could be tried.
    pub(super) ok: bool,
    /// Version of the program that checked it.
    checked_by: String,
    /// What it is, as far as its manifest could be read.
    plugin: Option<Plugin>,
    /// The steps of loading.
    steps: Vec<StepItem>,
    /// The contract tests of its kind; empty if it would not be loaded.
    pub(super) tests: Vec<Test>,
}

#[derive(Debug, Serialize)]
struct Plugin {
    name: String,
    version: String,
    description: String,
    kind: &'static str,
    language: &'static str,
    world: String,
    /// BLAKE3 of manifest and code, as servers show it.
    hash: String,
    capabilities: Vec<&'static str>,
    limits: Limits,
    /// What it was checked with.
    parameters: Value,
}

#[derive(Debug, Serialize)]
struct Limits {
    memory_mib: u32,
    deadline_ms: u64,
    fuel: Option<u64>,
    host_calls: u32,
}

/// A contract test.
#[derive(Debug, Serialize)]
pub(super) struct Test {
    #[serde(rename = "test")]
    name: &'static str,
    pub(super) how: How,
    /// What was tried, or measured.
    pub(super) figures: String,
    /// What it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// The input that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    Passed,
    Failed,
    /// It declined everything that it was asked.
    NotTried,
}

/// What it did, and on what.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) input: Value,
}

impl Test {
    /// Passed unless there is a fault.
    pub(super) fn new(name: &'static str, figures: String, fault: Option<Fault>) -> Self {
        let how = if fault.is_some() { How::Failed } else { How::Passed };
        let (reason, input) = fault.map(|fault| (fault.what, fault.input)).unzip();
        Self { name, how, figures, reason, input }
    }

    /// Nothing can be said of it.
    pub(super) fn not_tried(name: &'static str, why: &str) -> Self {
        Self { name, how: How::NotTried, figures: String::new(), reason: Some(why.to_owned()), input: None }
    }
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Sound,
    Failed,
    /// It declined everything.
    NotTried,
    NotLoaded,
}

impl Passport {
    /// Before the tests.
    pub(super) fn new(tried: &Tried) -> Self {
        let reason = tried.error.as_ref().map(chain);
        let item = |(step, how): (_, &str)| StepItem {
            step: format!("{step}"),
            how: how.to_owned(),
            reason: match how {
                "failed" => reason.clone(),
                // The last two of a plugin that would be loaded: nothing has gone wrong.
                "not reached" if reason.is_none() => Some("`headend plugin install` does that".to_owned()),
                _ => None,
            },
        };
        Self {
            ok: tried.error.is_none(),
            checked_by: env!("CARGO_PKG_VERSION").to_owned(),
            plugin: tried.info.as_deref().map(Plugin::of),
            steps: tried.steps().map(item).collect(),
            tests: Vec::new(),
        }
    }

    /// With the tests of its kind.
    pub(super) fn with(mut self, tests: Vec<Test>) -> Self {
        let none_failed = tests.iter().all(|test| test.how != How::Failed);
        self.ok &= none_failed && tests.iter().any(|test| test.how == How::Passed);
        self.tests = tests;
        self
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.ok {
            Outcome::Sound
        } else if self.tests.is_empty() {
            Outcome::NotLoaded
        } else if self.tests.iter().any(|test| test.how == How::Failed) {
            Outcome::Failed
        } else {
            Outcome::NotTried
        }
    }

    /// As text.
    pub(super) fn people(&self) -> String {
        let mut text = self.plugin.as_ref().map(Plugin::people).unwrap_or_default();
        for step in &self.steps {
            row(&mut text, &step.step, &step.how, step.reason.as_deref().unwrap_or_default());
        }
        for test in &self.tests {
            let how = match test.how {
                How::Passed => "passed",
                How::Failed => "failed",
                How::NotTried => "not tried",
            };
            let about = [Some(test.figures.as_str()), test.reason.as_deref()];
            let about: Vec<&str> = about.into_iter().flatten().filter(|text| !text.is_empty()).collect();
            row(&mut text, test.name, how, &about.join(": "));
            if let Some(input) = &test.input {
                let input: String = input.to_string().chars().take(SHOWN).collect();
                // Writing to a string cannot fail.
                let _ = writeln!(text, "    with {}", plain(&input));
            }
        }
        text + match self.outcome() {
            Outcome::Sound => "sound",
            Outcome::Failed => "not sound",
            Outcome::NotTried => {
                "neither sound nor not: it declined every plan, so none of its answers was seen; give it what it wants with --parameters, \
                 or put `examples` into its schema"
            }
            Outcome::NotLoaded => "it would not be loaded",
        }
    }
}

fn row(text: &mut String, name: &str, how: &str, about: &str) {
    let colon = if about.is_empty() { "" } else { ": " };
    // A place in a script has lines of its own.
    let about = about.trim_end().lines().map(plain).collect::<Vec<_>>().join("\n      ");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {name:<13}{how}{colon}{about}");
}

impl Plugin {
    fn of(info: &PluginInfo) -> Self {
        let limits = info.limits;
        Self {
            name: info.name.to_string(),
            version: info.version.clone(),
            description: info.description.clone(),
            kind: info.kind.as_str(),
            language: info.language,
            world: info.world.clone(),
            hash: info.hash.clone(),
            capabilities: info.capabilities.iter().map(|capability| capability.as_str()).collect(),
            limits: Limits {
                memory_mib: limits.memory_mib,
                deadline_ms: limits.deadline_ms,
                fuel: limits.fuel,
                host_calls: limits.host_calls,
            },
            parameters: info.parameters.clone(),
        }
    }

    fn people(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<15}{}", plain(value));
        };
        line("plugin", &format!("{} {}", self.name, self.version));
        if !self.description.is_empty() {
            line("about", &self.description);
        }
        line("hash", &self.hash);
        line("kind", &format!("{}, {}, contract {}", self.kind, self.language, self.world));
        let asked = if self.capabilities.is_empty() { "nothing".to_owned() } else { self.capabilities.join(", ") };
        line("asks for", &asked);
        let Limits { memory_mib, deadline_ms, fuel, host_calls } = &self.limits;
        let fuel = fuel.map(|fuel| format!(", {fuel} units of fuel")).unwrap_or_default();
        line("limits", &format!("{memory_mib} MiB, {deadline_ms} ms, {host_calls} host calls{fuel}"));
        if !self.parameters.is_null() {
            line("parameters", &self.parameters.to_string());
        }
        text
    }
}

/// An error with its causes.
fn chain(error: &headend_plugin_host::LoadError) -> String {
    let first: Option<&dyn std::error::Error> = Some(error);
    let parts = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    parts.collect::<Vec<_>>().join(": ")
}
