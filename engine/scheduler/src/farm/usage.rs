//! What each owner has of the farm: jobs, runs, and devices times time.
//!
//! Device time is forgotten by half per [`FarmConfig::usage_half_life`], smoothly and in whole numbers: a replay comes to
//! the same microsecond. It is brought up to date when a run of the owner starts or ends and when somebody asks, never by a clock of
//! its own. What can be counted from jobs and leases is not kept in snapshots, so those of former versions are read.
//!
//! [`FarmConfig::usage_half_life`]: crate::FarmConfig::usage_half_life

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{JobId, Span, Timestamp, UserName};

use super::invariants::ensure;
use super::{Farm, Violation};
use crate::action::OwnerUsage;

/// So many owners are remembered. Beyond that those without open jobs are forgotten, the longest idle first.
const MOST_OWNERS: usize = 4_096;
/// A shorter half-life would forget a run before it has ended.
const SHORTEST: Span = Span::seconds(60);

/// The books of all owners.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub(super) struct Usage {
    owners: BTreeMap<UserName, OwnerBook>,
    /// Jobs and runs were counted since the books were opened or read.
    #[cfg_attr(feature = "serde", serde(skip))]
    counted: bool,
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct OwnerBook {
    /// Device-microseconds as of `at`.
    used: u64,
    at: Timestamp,
    #[cfg_attr(feature = "serde", serde(skip))]
    jobs: BTreeSet<JobId>,
    #[cfg_attr(feature = "serde", serde(skip))]
    runs: u32,
    #[cfg_attr(feature = "serde", serde(skip))]
    devices: u32,
}

impl OwnerBook {
    fn used_at(&self, now: Timestamp, half_life: Span) -> u64 {
        let span = now.since(self.at).as_micros().unsigned_abs();
        let half_life = half_life.max(SHORTEST).as_micros().unsigned_abs();
        let kept = kept(span, half_life);
        let grown = held(kept, half_life).saturating_mul(u64::from(self.devices));
        share(self.used, kept).saturating_add(grown)
    }

    fn settle(&mut self, now: Timestamp, half_life: Span) {
        self.used = self.used_at(now, half_life);
        self.at = self.at.max(now);
    }

    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.runs == 0
    }

    fn view(&self, now: Timestamp, half_life: Span) -> OwnerUsage {
        OwnerUsage {
            running: self.runs,
            device_ms: self.used_at(now, half_life) / 1_000,
            open_jobs: self.jobs.len() as u32,
        }
    }
}

impl Usage {
    /// Open jobs of an owner, from the given one on.
    pub(super) fn jobs_from(&self, owner: &UserName, from: JobId) -> impl Iterator<Item = JobId> + '_ {
        self.owners.get(owner).into_iter().flat_map(move |book| book.jobs.range(from..)).copied()
    }

    pub(super) fn has_open(&self, owner: &UserName) -> bool {
        self.owners.get(owner).is_some_and(|book| !book.jobs.is_empty())
    }

    /// Owners with open jobs.
    pub(super) fn with_jobs(&self) -> impl Iterator<Item = &UserName> {
        self.owners.iter().filter(|(_, book)| !book.jobs.is_empty()).map(|(owner, _)| owner)
    }

    /// The book of an owner, up to date.
    fn open(&mut self, owner: &UserName, now: Timestamp, half_life: Span) -> &mut OwnerBook {
        if !self.owners.contains_key(owner) {
            self.forget_one();
            self.owners.insert(owner.clone(), OwnerBook { at: now, ..OwnerBook::default() });
        }
        let book = self.owners.entry(owner.clone()).or_default();
        book.settle(now, half_life);
        book
    }

    fn forget_one(&mut self) {
        if self.owners.len() < MOST_OWNERS {
            return;
        }
        let idle = self.owners.iter().filter(|(_, book)| book.is_idle());
        if let Some(longest) = idle.min_by_key(|(_, book)| book.at).map(|(owner, _)| owner.clone()) {
            self.owners.remove(&longest);
        }
    }
}

impl Farm {
    /// What an owner has of the farm now.
    pub fn usage(&self, owner: &UserName) -> OwnerUsage {
        let book = self.usage.owners.get(owner);
        book.map(|book| book.view(self.now, self.config.usage_half_life)).unwrap_or_default()
    }

    /// All owners that the farm remembers, by name.
    pub fn owners(&self) -> impl Iterator<Item = (&UserName, OwnerUsage)> {
        let view = |book: &OwnerBook| book.view(self.now, self.config.usage_half_life);
        self.usage.owners.iter().map(move |(owner, book)| (owner, view(book)))
    }

    /// Counts what a snapshot does not hold. At the first step after it was read only.
    pub(super) fn count_usage(&mut self) {
        if std::mem::replace(&mut self.usage.counted, true) {
            return;
        }
        // The books are not brought up to date: what was held then has been held since.
        let new = || OwnerBook { at: self.now, ..OwnerBook::default() };
        for (id, job) in &self.jobs {
            self.usage.owners.entry(job.spec.owner.clone()).or_insert_with(new).jobs.insert(*id);
        }
        for held in self.leases.values() {
            let Some(job) = self.jobs.get(&held.lease.job) else { continue };
            let book = self.usage.owners.entry(job.spec.owner.clone()).or_insert_with(new);
            book.runs += 1;
            book.devices += held.lease.targets.len() as u32;
        }
    }

    pub(super) fn usage_of_job(&mut self, id: JobId, owner: &UserName, is_open: bool) {
        let book = self.usage.open(owner, self.now, self.config.usage_half_life);
        if is_open {
            book.jobs.insert(id)
        } else {
            book.jobs.remove(&id)
        };
        self.standing_changed(owner);
    }

    /// A run on so many devices has started, or has ended.
    pub(super) fn usage_of_run(&mut self, job: JobId, devices: usize, started: bool) {
        let Some(owner) = self.jobs.get(&job).map(|job| job.spec.owner.clone()) else { return };
        let book = self.usage.open(&owner, self.now, self.config.usage_half_life);
        let devices = devices as u32;
        if started {
            book.runs += 1;
            book.devices += devices;
        } else {
            book.runs = book.runs.saturating_sub(1);
            book.devices = book.devices.saturating_sub(devices);
        }
        self.standing_changed(&owner);
    }

    /// The counts are those of the books.
    pub(super) fn check_usage(&self) -> Result<(), Violation> {
        if !self.usage.counted {
            return Ok(());
        }
        let mut counts: BTreeMap<&UserName, (usize, u32, u32)> = BTreeMap::new();
        for job in self.jobs.values() {
            let count = counts.entry(&job.spec.owner).or_default();
            count.0 += 1;
            count.1 += job.running.len() as u32;
            let held = job.running.iter().filter_map(|run| self.leases.get(run));
            count.2 += held.map(|held| held.lease.targets.len() as u32).sum::<u32>();
        }
        for (owner, book) in &self.usage.owners {
            let is = (book.jobs.len(), book.runs, book.devices);
            let should = counts.remove(owner).unwrap_or_default();
            ensure(is == should, "S4", || format!("{owner} has {should:?} jobs, runs and devices, counted as {is:?}"))?;
        }
        ensure(counts.is_empty(), "S4", || format!("owners without a book: {counts:?}"))
    }
}

/// One, in shares.
const ONE: u128 = 1 << 63;
/// `1 / ln 2`, in 2^-32.
const PER_LN2: u128 = 6_196_328_019;
/// `ln 2`, in 2^-64.
const LN2: u128 = 12_786_308_645_202_655_660;
/// `2^-(1/2)`, `2^-(1/4)`, and so on, in shares: each is the root of the one before.
const ROOTS: [u64; 32] = roots();

const fn roots() -> [u64; 32] {
    let mut roots = [0; 32];
    let mut last = ONE / 2;
    let mut at = 0;
    while at < 32 {
        last = (last * ONE).isqrt();
        roots[at] = last as u64;
        at += 1;
    }
    roots
}

/// `2^-(span / half_life)` in shares of 2^63.
fn kept(span: u64, half_life: u64) -> u64 {
    let (halves, rest) = (span / half_life, span % half_life);
    if halves >= 63 {
        return 0;
    }
    // The exponent's fraction: 32 bits by the table, what is below them as a straight line.
    let fraction = (u128::from(rest) << 64) / u128::from(half_life);
    let mut kept = ONE;
    for (bit, root) in (32..64).rev().zip(ROOTS) {
        if fraction >> bit & 1 == 1 {
            kept = (kept * u128::from(root)) >> 63;
        }
    }
    let below = fraction & 0xFFFF_FFFF;
    kept -= (kept * ((below * LN2) >> 64)) >> 64;
    (kept >> halves) as u64
}

/// A share of an amount, rounded.
fn share(amount: u64, share: u64) -> u64 {
    ((u128::from(amount) * u128::from(share) + ONE / 2) >> 63) as u64
}

/// What one device that was held meanwhile adds: the integral of what is kept of each moment.
fn held(kept: u64, half_life: u64) -> u64 {
    let window = (u128::from(half_life) * PER_LN2) >> 32;
    let lost = ONE - u128::from(kept);
    let window = window.min(u128::from(u64::MAX));
    u64::try_from((window * lost + ONE / 2) >> 63).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400_000_000;

    proptest! {
        /// As the formula in floating point, within a part in a million.
        #[test]
        fn forgetting_is_the_power_of_a_half(span in 0..60 * DAY, half_life in DAY / 1_440..30 * DAY) {
            let exact = (-(span as f64) / half_life as f64).exp2();
            prop_assert!((kept(span, half_life) as f64 / ONE as f64 - exact).abs() < 1e-12);
            let grown = half_life as f64 / std::f64::consts::LN_2 * (1.0 - exact);
            prop_assert!((held(kept(span, half_life), half_life) as f64 - grown).abs() <= 2.0 + grown * 1e-6);
        }

        /// However often the books are brought up to date, they come to the same within a microsecond a time and device.
        #[test]
        fn looking_often_changes_nothing(used in 0..DAY * 1_000, devices in 0..300u32, cuts in prop::collection::vec(0..DAY / 10, 1..40)) {
            let half_life = Span::seconds(86_400);
            let start = OwnerBook { used, devices, ..OwnerBook::default() };
            let (mut often, mut now) = (start.clone(), Timestamp::EPOCH);
            for cut in &cuts {
                now = now + Span::micros(*cut as i64);
                often.settle(now, half_life);
            }
            let once = start.used_at(now, half_life);
            let slack = (cuts.len() as u64 + 1) * u64::from(devices + 1);
            prop_assert!(often.used.abs_diff(once) <= slack, "{} {once}", often.used);
        }
    }

    #[test]
    fn one_device_that_never_rests_comes_to_one_half_life_over_ln_2() {
        let half_life = Span::seconds(86_400);
        let mut book = OwnerBook { devices: 1, ..OwnerBook::default() };
        assert_eq!(
            book.used_at(Timestamp::EPOCH + Span::seconds(10), half_life) / 1_000,
            9_999,
            "hardly anything is lost yet"
        );
        book.settle(Timestamp::EPOCH + Span::seconds(86_400 * 40), half_life);
        let most = 86_400e6 / std::f64::consts::LN_2;
        assert!((book.used as f64 - most).abs() < 1e3, "{} {most}", book.used);
    }

    #[test]
    fn the_books_are_bounded_and_the_longest_idle_goes_first() {
        let mut usage = Usage::default();
        let owner = |n: usize| UserName::new(format!("u{n}")).unwrap();
        let half_life = Span::seconds(86_400);
        for n in 0..MOST_OWNERS {
            let now = Timestamp::from_micros(if n == 7 { 0 } else { 5 + n as i64 });
            usage.open(&owner(n), now, half_life);
        }
        usage.open(&owner(7), Timestamp::EPOCH, half_life).jobs.insert(JobId(1));
        usage.open(&owner(9_999), Timestamp::from_micros(9_999), half_life);
        assert_eq!(usage.owners.len(), MOST_OWNERS);
        assert!(usage.owners.contains_key(&owner(7)), "it has a job");
        assert!(!usage.owners.contains_key(&owner(0)), "idle for longest");
    }
}
