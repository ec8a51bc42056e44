//! What devices show, and which pairs are covered.

use std::collections::{BTreeMap, BTreeSet};

use headend_sdk::policy::{Placement, Plan, Target, TargetIx, TestIx};

/// A value of a field: place of the field among the chosen ones, and of the value among those of the field.
pub(crate) type Value = (usize, usize);

/// Two values that a device shows together, the one of the earlier field first.
pub(crate) type Both = (Value, Value);

/// A chosen field and its values, in the order in which targets show them.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

/// The plan's devices: those that show the same values are of one kind.
pub(crate) struct Devices {
    pub(crate) fields: Vec<Field>,
    /// Per kind the values that it shows, by field.
    kinds: Vec<Vec<Value>>,
    by_target: BTreeMap<TargetIx, usize>,
}

impl Devices {
    /// # Errors
    /// No field, or one that no device has, in a sentence for the job's owner.
    pub(crate) fn of_plan(plan: &Plan, fields: &[String]) -> Result<Self, String> {
        if fields.is_empty() {
            return Err(format!("the parameter `fields` names no field; the devices of this job have {}", names(plan)));
        }
        let fields = fields.iter().map(|name| Field { name: name.clone(), values: Vec::new() }).collect();
        let mut devices = Self { fields, kinds: Vec::new(), by_target: BTreeMap::new() };
        for target in &plan.targets {
            let shown = devices.look_at(target);
            let known = devices.kinds.iter().position(|kind| *kind == shown);
            let kind = known.unwrap_or_else(|| {
                devices.kinds.push(shown);
                devices.kinds.len() - 1
            });
            devices.by_target.insert(target.ix, kind);
        }
        match devices.fields.iter().find(|field| field.values.is_empty()) {
            Some(field) => {
                Err(format!("no device of this job has a field `{}`; they have {}", field.name, names(plan)))
            }
            None => Ok(devices),
        }
    }

    fn look_at(&mut self, target: &Target) -> Vec<Value> {
        let mut shown = Vec::new();
        for (at, field) in self.fields.iter_mut().enumerate() {
            let of_dut = target.dut.iter().flat_map(|dut| &dut.fields);
            let Some(found) = of_dut.clone().find(|known| known.name.eq_ignore_ascii_case(&field.name)) else {
                continue;
            };
            let known = field.values.iter().position(|value| *value == found.value);
            let value = known.unwrap_or_else(|| {
                field.values.push(found.value.clone());
                field.values.len() - 1
            });
            shown.push((at, value));
        }
        shown
    }

    pub(crate) fn kinds(&self) -> std::ops::Range<usize> {
        0..self.kinds.len()
    }

    pub(crate) fn kind_of(&self, target: TargetIx) -> Option<usize> {
        self.by_target.get(&target).copied()
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = (TargetIx, usize)> + '_ {
        self.by_target.iter().map(|(target, kind)| (*target, *kind))
    }

    pub(crate) fn shown(&self, kind: usize) -> &[Value] {
        self.kinds.get(kind).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn both(&self, kind: usize) -> impl Iterator<Item = Both> + '_ {
        let shown = self.shown(kind);
        shown.iter().enumerate().flat_map(|(at, one)| shown.iter().skip(at + 1).map(|other| (*one, *other)))
    }

    /// All pairs of values that some device shows.
    pub(crate) fn all_both(&self) -> BTreeSet<Both> {
        self.kinds().flat_map(|kind| self.both(kind)).collect()
    }

    /// How many values all fields have together: so many pairs each test has.
    pub(crate) fn values(&self) -> usize {
        self.fields.iter().map(|field| field.values.len()).sum()
    }
}

fn names(plan: &Plan) -> String {
    let duts = plan.targets.iter().filter_map(|target| target.dut.as_ref());
    let names: BTreeSet<String> = duts.flat_map(|dut| &dut.fields).map(|field| format!("`{}`", field.name)).collect();
    if names.is_empty() { "none".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

/// Covered pairs, and the run that covered each first.
#[derive(Clone, Default)]
pub(crate) struct Cover {
    pub(crate) own: BTreeMap<TestIx, BTreeMap<Value, TargetIx>>,
    pub(crate) both: BTreeMap<Both, Placement>,
}

impl Cover {
    /// Counts a run; whether it covered a pair of values.
    pub(crate) fn add(&mut self, devices: &Devices, of: Placement) -> bool {
        let Some(kind) = devices.kind_of(of.target) else { return false };
        let own = self.own.entry(of.test).or_default();
        for value in devices.shown(kind) {
            own.entry(*value).or_insert(of.target);
        }
        let before = self.both.len();
        for both in devices.both(kind) {
            self.both.entry(both).or_insert(of);
        }
        self.both.len() > before
    }

    pub(crate) fn covered_of(&self, test: TestIx) -> usize {
        self.own.get(&test).map_or(0, BTreeMap::len)
    }

    /// Values that a device of this kind shows and the test has not met.
    pub(crate) fn own_gain(&self, devices: &Devices, test: TestIx, kind: usize) -> usize {
        let shown = devices.shown(kind);
        self.own.get(&test).map_or(shown.len(), |own| shown.iter().filter(|value| !own.contains_key(value)).count())
    }

    /// All pairs that a run of the test on a device of this kind would add.
    pub(crate) fn gain(&self, devices: &Devices, test: TestIx, kind: usize) -> usize {
        self.own_gain(devices, test, kind) + self.both_gain(devices, kind)
    }

    pub(crate) fn both_gain(&self, devices: &Devices, kind: usize) -> usize {
        devices.both(kind).filter(|both| !self.both.contains_key(both)).count()
    }
}
