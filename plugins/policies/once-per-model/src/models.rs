//! Which target is of which model.

use std::collections::BTreeMap;
use std::fmt;

use headend_sdk::policy::{Plan, Target, TargetIx};
use serde::Deserialize;

/// Place of a model in the list of those that the plan's devices have.
pub(crate) type Model = usize;

/// What becomes of devices whose model nobody has named, and of targets without a device.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unknown {
    /// Each is a model of its own: nobody knows that they are alike.
    Apart,
    /// All are one model.
    Together,
}

/// Models in the order in which targets show them.
pub(crate) struct Models {
    names: Vec<String>,
    by_target: BTreeMap<TargetIx, Model>,
}

impl Models {
    pub(crate) fn of_plan(plan: &Plan, unknown: Unknown) -> Self {
        let mut models = Self { names: Vec::new(), by_target: BTreeMap::new() };
        let mut known: BTreeMap<Name, Model> = BTreeMap::new();
        for target in &plan.targets {
            let name = Name::of(target, unknown);
            if !known.contains_key(&name) {
                models.names.push(name.to_string());
            }
            let next = known.len();
            let model = *known.entry(name).or_insert(next);
            models.by_target.insert(target.ix, model);
        }
        models
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn of(&self, target: TargetIx) -> Option<Model> {
        self.by_target.get(&target).copied()
    }

    pub(crate) fn name(&self, model: Model) -> &str {
        self.names.get(model).map_or("", String::as_str)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = (TargetIx, Model)> + '_ {
        self.by_target.iter().map(|(target, model)| (*target, *model))
    }
}

/// What tells models apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Model(String),
    /// None, or none that anybody has named: of this target, or of all like it.
    Unknown(Option<TargetIx>),
}

impl Name {
    fn of(target: &Target, unknown: Unknown) -> Self {
        match target.dut.as_ref().map(|dut| dut.model.as_str()).filter(|model| !model.is_empty()) {
            Some(model) => Self::Model(model.to_owned()),
            None => Self::Unknown(matches!(unknown, Unknown::Apart).then_some(target.ix)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(model) => f.write_str(model),
            Self::Unknown(Some(target)) => write!(f, "(unknown, target {target})"),
            Self::Unknown(None) => f.write_str("(unknown)"),
        }
    }
}
