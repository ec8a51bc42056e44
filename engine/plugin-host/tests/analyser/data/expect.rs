//! What a case expects, held against what an analyser said.

use std::collections::BTreeMap;

use headend_plugin_host::analyser::Verdict;
use headend_plugin_host::analyser::media::Rect;
use serde::Deserialize;

use super::rect;

/// Of the verdict that decides: the first that passes or, where none may, the last.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    passed: bool,
    /// The sentence has this in it.
    sentence: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, Range>,
    /// Where it is: this and the verdict's area have at least half of what they cover together in common.
    region: Option<[u32; 4]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    min: Option<f64>,
    max: Option<f64>,
}

impl Expected {
    /// What is not as expected, and what was said.
    pub(super) fn held_against(&self, verdicts: &[Verdict]) -> Result<(), String> {
        let passed = verdicts.iter().find(|verdict| verdict.passed);
        let Some(said) = passed.or(verdicts.last()) else { return Err("it said nothing at all".into()) };
        let told = |what: String| format!("{what}: {} (frame {}, {:?})", said.sentence, said.frame, said.values);
        if said.passed != self.passed {
            return Err(told(if said.passed { "it passed" } else { "it did not pass" }.into()));
        }
        if let Some(words) = self.sentence.as_ref().filter(|words| !said.sentence.contains(*words)) {
            return Err(told(format!("the sentence has no {words:?}")));
        }
        let off = self.values.iter().find_map(|(name, range)| range.misses(name, said));
        if let Some(what) = off {
            return Err(told(what));
        }
        match self.region.map(rect) {
            Some(region) if !said.area.is_some_and(|area| overlap(area, region) >= 0.5) => {
                Err(told(format!("the area is {:?}, not {region:?}", said.area)))
            }
            _ => Ok(()),
        }
    }
}

impl Range {
    fn misses(&self, name: &str, said: &Verdict) -> Option<String> {
        let Some(value) = said.values.iter().find(|value| value.name == name) else {
            return Some(format!("there is no value {name}"));
        };
        let within = self.min.is_none_or(|min| value.number >= min) && self.max.is_none_or(|max| value.number <= max);
        (!within).then(|| format!("{name} is {}", value.number))
    }
}

/// What two parts have in common, of all that they cover.
fn overlap(one: Rect, other: Rect) -> f64 {
    let common = |one: (u32, u32), other: (u32, u32)| {
        let (begin, end) = (one.0.max(other.0), (one.0 + one.1).min(other.0 + other.1));
        f64::from(end.saturating_sub(begin))
    };
    let both =
        common((one.x, one.width), (other.x, other.width)) * common((one.y, one.height), (other.y, other.height));
    both / (one.pixels() as f64 + other.pixels() as f64 - both).max(1.0)
}
