//! See before you switch: loads that can be played again, and answers about what is yet to come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{ModeRef, SlotRef};

/// A lab and its load: what `headend simulate` plays, and what `GET /load` gives of a period. TOML or JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanDoc {
    /// When the load begins, RFC 3339; times of jobs count from here. The Unix epoch unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Decides all that is left to chance.
    #[serde(default)]
    pub seed: u64,
    /// Seconds that a run takes of which nothing is known; 60 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<f64>,
    /// A job gains one priority for so many seconds of waiting; 0: never. As the server's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ageing_step: Option<f64>,
    /// The racks.
    #[serde(default, rename = "rack")]
    pub racks: Vec<RackDoc>,
    /// Past durations of scripts, in seconds, for tests that last as long as their history says.
    #[serde(default)]
    pub history: BTreeMap<String, Vec<f64>>,
    /// The jobs.
    #[serde(default, rename = "job")]
    pub jobs: Vec<JobDoc>,
}

/// A rack of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RackDoc {
    /// Its name.
    pub name: String,
    /// So many slots, numbered from 1, each with a DUT of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u16>,
    /// Or the slots one by one.
    #[serde(default, rename = "slot", skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<SlotDoc>,
}

/// A slot of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotDoc {
    /// Its number.
    pub no: u16,
    /// The DUT in it; none: it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dut: Option<u64>,
}

/// A job of a plan, or several that come one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobDoc {
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// 1 (first) to 9 (last); 5 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Seconds after the start at which it is handed in.
    #[serde(default)]
    pub at: f64,
    /// So many of them; 1 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Seconds from one to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<f64>,
    /// Slots by name: `rack1/3`, `rack1/*`, or `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// Slots one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<SlotRef>,
    /// DUTs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duts: Vec<u64>,
    /// What it asks of coverage policies: JSON text of an object each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policy_parameters: BTreeMap<String, String>,
    /// What it runs, in order.
    #[serde(rename = "test")]
    pub tests: Vec<TestDoc>,
}

/// A test of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestDoc {
    /// Its script.
    pub script: String,
    /// As in a job.
    #[serde(default)]
    pub mode: ModeRef,
    /// On how many targets it is to run; 1 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots_needed: Option<u32>,
    /// How long a run takes.
    #[serde(default)]
    pub lasts: LastsDoc,
    /// So many runs in a hundred fail.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fails_percent: u8,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// How long a run takes, in seconds: `12.5`, `"history"`, `{ uniform = [10, 20] }`, `{ p50 = 10, p90 = 30 }` or
/// `{ samples = [9, 11, 10] }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LastsDoc {
    /// Always so long.
    Fixed(f64),
    /// `"history"`: as the past durations of its script say.
    History(String),
    /// Anything between two.
    Uniform {
        /// The shortest and the longest.
        uniform: (f64, f64),
    },
    /// By two quantiles.
    Quantiles {
        /// Half take at most so long.
        p50: f64,
        /// Nine in ten.
        p90: f64,
    },
    /// One of these.
    Samples {
        /// As measured.
        samples: Vec<f64>,
    },
}

impl Default for LastsDoc {
    fn default() -> Self {
        Self::History("history".to_owned())
    }
}

/// `GET /runs/{run}/why-not?rack=rack1&slot=3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyNotAnswer {
    /// The run.
    pub run: u64,
    /// Its job.
    pub job: u64,
    /// Its script.
    pub script: String,
    /// `rack1/3`.
    pub slot: String,
    /// Stable code of the one reason that binds: `runs_here`, `runs_elsewhere`, `over`, `stopping`, `not_a_target`,
    /// `given_up`, `already_there`, or a code of `why`.
    pub code: String,
    /// For people.
    pub reason: String,
    /// When what stands in the way is over, as far as anybody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Waiting jobs that get the slot first, in order; the first few.
    #[serde(default)]
    pub ahead: Vec<u64>,
    /// How many there are in all.
    #[serde(default)]
    pub ahead_in_all: u32,
}

/// `GET /jobs/{job}/eta?samples=20`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EtaAnswer {
    /// The job.
    pub job: u64,
    /// Status in words.
    pub status_text: String,
    /// When it was looked at.
    pub now: String,
    /// Plays of the farm on a virtual clock from which this was read.
    pub samples: u32,
    /// Its first start; none if it has started, or did not start in every play.
    #[serde(default)]
    pub start: Option<EtaTime>,
    /// Its end; none if it did not end in every play.
    #[serde(default)]
    pub end: Option<EtaTime>,
    /// Plays in which it did not come to its end.
    pub open: u32,
    /// What is not known, and what was assumed instead.
    pub unknown: Vec<String>,
}

/// A moment that is not certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EtaTime {
    /// As likely before it as after it.
    pub p50: String,
    /// Before it in nine of ten plays.
    pub p90: String,
}

/// `GET /jobs/{job}/change`: the smallest single change that would start something of the job now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeAnswer {
    /// The job.
    pub job: u64,
    /// `nothing_waits`, `none_needed`, `no_single_change`, or the kind of change: `allow_slot`, `raise_priority`,
    /// `open_window`, `undrain`, `clear_quarantine`, `relieve_rack`, `connect_rack`, `place_dut`, `free_slot`.
    pub code: String,
    /// For people.
    pub text: String,
    /// Where something of it would start.
    #[serde(default)]
    pub starts_on: Vec<String>,
    /// Changes that were tried, each on a copy of the farm.
    pub tried: u32,
    /// Changes of the same kinds that were not tried.
    pub left_out: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_apart_by_their_form() {
        let read = |text: &str| serde_json::from_str::<LastsDoc>(text).ok();
        assert_eq!(read("12.5"), Some(LastsDoc::Fixed(12.5)));
        assert_eq!(read("\"history\""), Some(LastsDoc::default()));
        assert_eq!(read("{\"uniform\": [1, 2]}"), Some(LastsDoc::Uniform { uniform: (1.0, 2.0) }));
        assert_eq!(read("{\"p50\": 1, \"p90\": 2}"), Some(LastsDoc::Quantiles { p50: 1.0, p90: 2.0 }));
        assert_eq!(read("{\"samples\": [3]}"), Some(LastsDoc::Samples { samples: vec![3.0] }));
        assert_eq!(read("{\"p50\": 1}"), None);
    }
}
