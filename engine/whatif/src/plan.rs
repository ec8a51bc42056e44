//! A load: the lab, and what comes when and takes how long.

use std::collections::BTreeMap;

use headend_model::{DutId, Mode, PolicyName, Priority, RackName, SlotNo, Span, Timestamp, TreePath, UserName};
use headend_scheduler::FarmConfig;

use crate::chance::{Draw, Use, between};

/// The lab and its load.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Settings of the farm; leases and heartbeats are left out of the play.
    pub config: FarmConfig,
    /// Decides all that is left to chance.
    pub seed: u64,
    /// The racks, all there from the start.
    pub racks: Vec<RackPlan>,
    /// The jobs, in the order of their arrival.
    pub jobs: Vec<JobPlan>,
    /// Past durations per script, for [`Lasts::History`].
    pub history: BTreeMap<String, Vec<Span>>,
    /// What a run without any past takes.
    pub otherwise: Span,
}

/// A rack.
#[derive(Clone, Debug)]
pub struct RackPlan {
    /// Its name.
    pub name: RackName,
    /// Its slots.
    pub slots: Vec<SlotPlan>,
}

/// A slot.
#[derive(Clone, Copy, Debug)]
pub struct SlotPlan {
    /// Its number.
    pub no: SlotNo,
    /// The DUT in it.
    pub dut: Option<DutId>,
}

/// Where a job may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A slot by its place.
    Slot(RackName, SlotNo),
    /// A DUT, wherever it is.
    Dut(DutId),
}

/// A job.
#[derive(Clone, Debug)]
pub struct JobPlan {
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    pub owner: UserName,
    /// Between jobs.
    pub priority: Priority,
    /// When it is handed in.
    pub arrives: Timestamp,
    /// Where it may run.
    pub targets: Vec<Place>,
    /// What it runs, in order.
    pub tests: Vec<TestPlan>,
    /// What it asks of coverage policies, JSON text of an object each.
    pub parameters: BTreeMap<PolicyName, String>,
}

/// A test of a job.
#[derive(Clone, Debug)]
pub struct TestPlan {
    /// Its script; also its key in [`Plan::history`].
    pub script: TreePath,
    /// How it is spread.
    pub mode: Mode,
    /// Over how many targets.
    pub slots_needed: u32,
    /// How long a run takes.
    pub lasts: Lasts,
    /// So many runs in a hundred fail.
    pub fails_percent: u8,
}

/// How long a run takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Always the same.
    Fixed(Span),
    /// Anything between two lengths, all alike.
    Uniform(Span, Span),
    /// Half of them at most the first, nine in ten at most the second; straight lines between. None is shorter than the
    /// first less what lies between the two (or half of the first), and none longer than the second and as much again.
    Quantiles {
        /// The middle.
        p50: Span,
        /// Nine in ten.
        p90: Span,
    },
    /// The first run takes the first of these, and so on; one of them by chance if there are more runs.
    Samples(Vec<Span>),
    /// One of the past durations of the script.
    History,
}

/// A plan that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFault {
    /// The job, counted from 0.
    pub job: usize,
    /// What is wrong with it, and what would help.
    pub what: String,
}

impl std::fmt::Display for PlanFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "job {} of the plan: {}", self.job + 1, self.what)
    }
}

impl std::error::Error for PlanFault {}

impl Plan {
    /// What one run takes.
    pub(crate) fn length(&self, test: &TestPlan, draw: Draw) -> Span {
        let drawn = match &test.lasts {
            Lasts::History => {
                let past = self.history.get(test.script.as_str());
                past.and_then(|past| one_of(past, draw))
            }
            lasts => lasts.length(draw),
        };
        drawn.unwrap_or(self.otherwise).max(Span::micros(1))
    }

    /// Slots of all racks.
    pub fn slots(&self) -> usize {
        self.racks.iter().map(|rack| rack.slots.len()).sum()
    }
}

impl Lasts {
    fn length(&self, draw: Draw) -> Option<Span> {
        let share = draw.share(Use::Length);
        match self {
            Self::Fixed(span) => Some(*span),
            Self::Uniform(low, high) => Some(between(*low, *high, share)),
            Self::Quantiles { p50, p90 } => Some(Spread { p50: *p50, p90: *p90 }.at(share)),
            Self::Samples(samples) => samples.get(draw.nth as usize).copied().or_else(|| one_of(samples, draw)),
            Self::History => None,
        }
    }
}

/// A spread of lengths that two quantiles tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) p50: Span,
    pub(crate) p90: Span,
}

impl Spread {
    pub(crate) const fn always(span: Span) -> Self {
        Self { p50: span, p90: span }
    }

    /// Lengths at shares of 0, a half, nine tenths and 1.
    fn knots(self) -> [(u64, Span); 4] {
        let (p50, p90) = (self.p50.as_micros(), self.p90.as_micros());
        let least = p50.saturating_mul(2).saturating_sub(p90).max(p50 / 2);
        [(0, Span::micros(least)), (500_000, self.p50), (900_000, self.p90), (1_000_000, self.most())]
    }

    /// Longer than this is not expected.
    pub(crate) fn most(self) -> Span {
        Span::micros(self.p90.as_micros().saturating_mul(2).saturating_sub(self.p50.as_micros()))
    }

    /// The length at a share, in millionths.
    pub(crate) fn at(self, share: u64) -> Span {
        let knots = self.knots();
        let piece = knots.windows(2).find(|piece| share <= piece[1].0).unwrap_or(&knots[2..]);
        let [(from, low), (to, high)] = [piece[0], piece[1]];
        between(low, high, share.saturating_sub(from) * 1_000_000 / (to - from))
    }

    /// What is left of a length of which it is known that it is longer than `gone`. `None`: none is.
    pub(crate) fn rest_after(self, gone: Span, share: u64) -> Option<Span> {
        if gone >= self.most() {
            return None;
        }
        let passed = self.share_of(gone);
        let left = passed + share.min(1_000_000) * (1_000_000 - passed) / 1_000_000;
        Some(Span::micros((self.at(left).as_micros() - gone.as_micros()).max(0)))
    }

    fn share_of(self, gone: Span) -> u64 {
        let knots = self.knots();
        let Some(piece) = knots.windows(2).find(|piece| gone <= piece[1].1) else { return 1_000_000 };
        let ([(from, low), (to, high)], gone) = ([piece[0], piece[1]], gone.as_micros());
        let (low, high) = (low.as_micros(), high.as_micros());
        if gone <= low || high == low {
            return if gone <= low { from } else { to };
        }
        from + (i128::from(to - from) * i128::from(gone - low) / i128::from(high - low)) as u64
    }
}

pub(crate) fn one_of(samples: &[Span], draw: Draw) -> Option<Span> {
    let at = draw.roll(Use::Length).checked_rem(samples.len() as u64)?;
    samples.get(at as usize).copied()
}

#[cfg(test)]
mod tests {
    use headend_model::TestIx;

    use super::*;

    fn draws() -> impl Iterator<Item = Draw> {
        (0..10_000).map(|job| Draw { seed: 7, job, test: TestIx(0), nth: 7 })
    }

    fn at_most(lasts: &Lasts, bound: Span) -> usize {
        draws().filter_map(|draw| lasts.length(draw)).filter(|span| *span <= bound).count()
    }

    #[test]
    fn lengths_are_spread_as_they_say() {
        let skewed = Lasts::Quantiles { p50: Span::seconds(10), p90: Span::seconds(40) };
        assert!((4_800..5_200).contains(&at_most(&skewed, Span::seconds(10))));
        assert!((8_800..9_200).contains(&at_most(&skewed, Span::seconds(40))));
        assert_eq!(at_most(&skewed, Span::seconds(70)), 10_000);
        let same = Lasts::Quantiles { p50: Span::seconds(10), p90: Span::seconds(10) };
        assert!(draws().all(|draw| same.length(draw) == Some(Span::seconds(10))));
        assert!(at_most(&skewed, Span::millis(4_999)) == 0);
        let even = Lasts::Uniform(Span::seconds(10), Span::seconds(20));
        assert!((4_800..5_200).contains(&at_most(&even, Span::seconds(15))));
        let spread = Spread { p50: Span::seconds(10), p90: Span::seconds(20) };
        assert_eq!(spread.rest_after(Span::seconds(10), 800_000), Some(Span::seconds(10)), "at nine tenths of all");
        assert_eq!(spread.rest_after(Span::seconds(30), 0), None);
        assert_eq!(spread.rest_after(Span::ZERO, 500_000), Some(Span::seconds(10)));
        let samples = Lasts::Samples(vec![Span::seconds(1), Span::seconds(2)]);
        assert!((4_800..5_200).contains(&at_most(&samples, Span::seconds(1))));
    }
}
