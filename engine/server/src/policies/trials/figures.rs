//! What has come of a shadow.

use std::collections::VecDeque;
use std::time::Duration;

use headend_model::{PolicyName, Timestamp};
use headend_scheduler::event::{Placement, Skip};
use headend_scheduler::trials::{Comparison, OrderComparison};
use headend_wire::trials::{ShadowDetail, ShadowDifference, ShadowFigures, ShadowItem};
use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;

/// Differences that are kept.
const DIFFERENCES: usize = 100;
/// Times that are kept of each policy, for their quantiles.
const TIMES: usize = 512;
/// Placements of an answer that are shown.
const SHOWN: usize = 8;

/// A shadow, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Shadow {
    pub(super) plugin: String,
    pub(super) hash: String,
    pub(super) beside: String,
    /// Of queue policies.
    pub(super) queue: bool,
    pub(super) by: String,
    /// Microseconds since 1970, here and below.
    pub(super) began: i64,
    pub(super) until: Option<i64>,
    pub(super) ended: Option<(i64, String)>,
    pub(super) figures: ShadowFigures,
    pub(super) taus: u64,
    pub(super) tau_sum: f64,
    pub(super) own: Times,
    pub(super) live: Times,
    pub(super) numbered: u64,
    pub(super) differences: VecDeque<ShadowDifference>,
    /// Failures since the last answer.
    #[serde(skip)]
    pub(super) in_a_row: u32,
    /// Since it was last written.
    #[serde(skip)]
    pub(super) changed: bool,
}

/// The last times, in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Times(VecDeque<u32>);

impl Times {
    fn note(&mut self, took: Duration) {
        if self.0.len() == TIMES {
            self.0.pop_front();
        }
        self.0.push_back(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// By nearest rank.
    fn quantile(&self, percent: usize) -> Option<u64> {
        let mut all: Vec<u32> = self.0.iter().copied().collect();
        all.sort_unstable();
        let at = (all.len() * percent).div_ceil(100).checked_sub(1)?;
        all.get(at).copied().map(u64::from)
    }
}

/// An answer about tests.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) start: Vec<Placement>,
    pub(super) skip: Vec<Skip>,
}

impl Given {
    fn parts(&self) -> (&[Placement], &[Skip]) {
        (&self.start, &self.skip)
    }

    /// `starts test 0 on target 1; leaves out 2 of test 3`.
    fn text(&self) -> String {
        let starts = self.start.iter().take(SHOWN).map(|one| format!("test {} on target {}", one.test.0, one.target.0));
        let more = self.start.len().saturating_sub(SHOWN);
        let starts = starts.chain((more > 0).then(|| format!("{more} more"))).collect::<Vec<_>>().join(", ");
        let skips = self.skip.iter().take(SHOWN).map(|one| format!("{} of test {}", one.runs, one.test.0));
        let skips = skips.collect::<Vec<_>>().join(", ");
        let starts = if starts.is_empty() { "starts nothing".to_owned() } else { format!("starts {starts}") };
        if skips.is_empty() { starts } else { format!("{starts}; leaves out {skips}") }
    }
}

/// A question whose answers are compared.
pub(super) struct About {
    pub(super) job: u64,
    pub(super) at: Timestamp,
    /// Why the shadow wants what it wants.
    pub(super) reason: String,
    /// Rules that its answer breaks.
    pub(super) broken: Vec<String>,
}

impl Shadow {
    /// Whether it is asked what this live policy is asked.
    pub(super) fn is_asked_beside(&self, live: &str, queue: bool) -> bool {
        self.ended.is_none() && self.beside == live && self.queue == queue
    }

    /// It has answered, within its time or not.
    pub(super) fn answered(&mut self, took: Duration, allowed: Duration) {
        self.figures.asked += 1;
        self.in_a_row = 0;
        self.figures.late += u64::from(took > allowed);
        self.own.note(took);
    }

    /// It has failed.
    pub(super) fn failed(&mut self, reason: String) {
        self.figures.asked += 1;
        self.in_a_row += 1;
        self.figures.faults += 1;
        self.figures.last_fault = Some(reason);
    }

    pub(super) fn live_took(&mut self, took: Duration) {
        self.live.note(took);
    }

    /// Two answers about tests.
    pub(super) fn compare(&mut self, about: &About, live: &Given, own: &Given) {
        let found = Comparison::of(live.parts(), own.parts());
        let figures = &mut self.figures;
        figures.compared += 1;
        *match found {
            Comparison::Same => &mut figures.same,
            Comparison::OtherPlacements => &mut figures.other_placements,
            Comparison::StartsFewer => &mut figures.starts_fewer,
            Comparison::StartsMore => &mut figures.starts_more,
            Comparison::SkipsDiffer => &mut figures.skips_differ,
        } += 1;
        figures.broken_rules += u64::from(!about.broken.is_empty());
        let broken = (!about.broken.is_empty()).then(|| format!(" (breaks a rule: {})", about.broken.join("; ")));
        let what = if broken.is_some() { "broken_rule" } else { found.as_str() };
        if what != Comparison::Same.as_str() {
            let text = format!("{}{}", own.text(), broken.unwrap_or_default());
            self.differ(about, what, live.text(), text);
        }
    }

    /// Two orders of the open jobs.
    pub(super) fn compare_orders(&mut self, at: Timestamp, found: &OrderComparison) {
        let figures = &mut self.figures;
        figures.compared += 1;
        if let Some(tau) = found.tau {
            self.taus += 1;
            self.tau_sum += tau;
            figures.tau = Some(tau);
        }
        if found.same_first {
            figures.same += 1;
            return;
        }
        figures.other_placements += 1;
        let tau = found.tau.map(|tau| format!(", tau {tau:.3}")).unwrap_or_default();
        let reason = format!("{} open jobs in both orders{tau}", found.jobs);
        let about = About { job: found.first_aside.0, at, reason, broken: Vec::new() };
        let first = |job: headend_model::JobId| format!("job {job} comes first");
        self.differ(&about, "other_first", first(found.first), first(found.first_aside));
    }

    fn differ(&mut self, about: &About, what: &str, live: String, shadow: String) {
        self.numbered += 1;
        if self.differences.len() == DIFFERENCES {
            self.differences.pop_back();
        }
        self.differences.push_front(ShadowDifference {
            number: self.numbered,
            at: rfc3339(about.at),
            job: about.job,
            what: what.to_owned(),
            live,
            shadow,
            reason: about.reason.clone(),
        });
    }

    /// As the API shows it.
    pub(crate) fn item(&self, name: &PolicyName) -> ShadowItem {
        let time = |micros: i64| rfc3339(Timestamp::from_micros(micros));
        let mut figures = self.figures.clone();
        figures.tau_mean = (self.taus > 0).then(|| self.tau_sum / self.taus as f64);
        (figures.p50_us, figures.p99_us) = (self.own.quantile(50), self.own.quantile(99));
        (figures.live_p50_us, figures.live_p99_us) = (self.live.quantile(50), self.live.quantile(99));
        ShadowItem {
            policy: name.to_string(),
            plugin: self.plugin.clone(),
            hash: self.hash.clone(),
            beside: self.beside.clone(),
            kind: if self.queue { "queue-policy" } else { "coverage-policy" }.to_owned(),
            state: if self.ended.is_some() { "stopped" } else { "running" }.to_owned(),
            reason: self.ended.as_ref().map(|(_, reason)| reason.clone()),
            by: self.by.clone(),
            began: time(self.began),
            until: self.until.map(time),
            figures,
        }
    }

    /// With its differences.
    pub(crate) fn detail(&self, name: &PolicyName) -> ShadowDetail {
        ShadowDetail { item: self.item(name), differences: self.differences.iter().cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use headend_model::{TargetIx, TestIx};

    use super::*;

    fn given(all: &[(u32, u32)]) -> Given {
        let start = all.iter().map(|(test, target)| Placement { test: TestIx(*test), target: TargetIx(*target) });
        Given { start: start.collect(), skip: Vec::new() }
    }

    fn about(broken: &[&str]) -> About {
        let broken = broken.iter().map(ToString::to_string).collect();
        About { job: 7, at: Timestamp::EPOCH, reason: "longest first".to_owned(), broken }
    }

    #[test]
    fn what_differs_is_counted_and_the_last_ones_are_kept() {
        let mut shadow = Shadow::default();
        shadow.compare(&about(&[]), &given(&[(0, 0)]), &given(&[(0, 0)]));
        shadow.compare(&about(&[]), &given(&[(0, 0)]), &given(&[(1, 0)]));
        shadow.compare(&about(&["the test has no run left"]), &given(&[(0, 0)]), &given(&[]));
        let detail = shadow.detail(&PolicyName::new("new").unwrap());
        let figures = &detail.item.figures;
        assert_eq!((figures.compared, figures.same, figures.other_placements), (3, 1, 1));
        assert_eq!((figures.starts_fewer, figures.broken_rules), (1, 1));
        let [last, first] = &detail.differences[..] else { panic!("{:?}", detail.differences) };
        assert_eq!((first.number, first.what.as_str(), first.job), (1, "other_placements", 7));
        assert_eq!(
            (first.live.as_str(), first.shadow.as_str()),
            ("starts test 0 on target 0", "starts test 1 on target 0")
        );
        assert_eq!(last.what, "broken_rule");
        assert_eq!(last.shadow, "starts nothing (breaks a rule: the test has no run left)");
        for _ in 0..2 * DIFFERENCES {
            shadow.compare(&about(&[]), &given(&[(0, 0)]), &given(&[(1, 0)]));
        }
        let kept = serde_json::to_string(&shadow).unwrap();
        let read: Shadow = serde_json::from_str(&kept).unwrap();
        let detail = read.detail(&PolicyName::new("new").unwrap());
        assert_eq!((detail.differences.len(), detail.differences[0].number), (DIFFERENCES, 2 + 2 * DIFFERENCES as u64));
    }

    #[test]
    fn times_are_by_nearest_rank() {
        let mut times = Times::default();
        assert_eq!(times.quantile(50), None);
        (1..=100).for_each(|ms| times.note(Duration::from_millis(ms)));
        assert_eq!((times.quantile(50), times.quantile(99)), (Some(50_000), Some(99_000)));
    }
}
