//! Which run adds most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use headend_sdk::policy::{Placement, TargetIx, TestIx};

use super::Pairwise;
use super::pairs::{Cover, Value};

/// What is known while an answer is made: the past, what runs, and the entries of the answer so far.
struct Draft {
    /// As if all that runs or is about to came to a result.
    cover: Cover,
    /// Free targets by kind, in slot order.
    free: BTreeMap<usize, Vec<TargetIx>>,
    added: BTreeMap<TestIx, u32>,
}

/// A candidate: more pairs first, then fewer starts, then the order of the list, then that of kinds.
type Candidate = (usize, Reverse<(u32, usize, usize)>);

impl Pairwise {
    /// The runs that add most, one after the other, each seeing those before it.
    pub(crate) fn starts(&self, free: &[TargetIx]) -> Vec<Placement> {
        let mut draft = self.draft(free);
        let mut heap: BinaryHeap<Candidate> = BinaryHeap::new();
        let mut careful = BTreeMap::new();
        for place in 0..self.books.tests().len() {
            let kinds = draft.free.keys().copied();
            heap.extend(kinds.filter_map(|kind| self.candidate(&draft, &mut careful, place, kind)));
        }
        let mut start = Vec::new();
        while let Some(candidate) = heap.pop() {
            let (_, Reverse((_, place, kind))) = candidate;
            // What a run adds only gets less while the answer grows: one that is still the same is the best.
            let now = self.candidate(&draft, &mut careful, place, kind);
            if now != Some(candidate) {
                heap.extend(now);
                continue;
            }
            if let Some(of) = self.take(&mut draft, place, kind) {
                careful.remove(&of.test);
                start.push(of);
                heap.extend(self.candidate(&draft, &mut careful, place, kind));
            }
        }
        start
    }

    fn draft(&self, free: &[TargetIx]) -> Draft {
        let mut cover = self.cover.clone();
        for of in self.books.running() {
            cover.add(&self.devices, of);
        }
        let mut by_kind: BTreeMap<usize, Vec<TargetIx>> = BTreeMap::new();
        for target in free {
            if let Some(kind) = self.devices.kind_of(*target) {
                by_kind.entry(kind).or_default().push(*target);
            }
        }
        Draft { cover, free: by_kind, added: BTreeMap::new() }
    }

    fn left(&self, draft: &Draft, test: TestIx) -> u32 {
        self.books.runs_left(test).saturating_sub(draft.added.get(&test).copied().unwrap_or_default())
    }

    /// A run of the test on a free device of the kind, if it adds anything and takes nothing from what the test needs.
    fn candidate(
        &self,
        draft: &Draft,
        careful: &mut BTreeMap<TestIx, Option<usize>>,
        place: usize,
        kind: usize,
    ) -> Option<Candidate> {
        let (test, _) = self.books.tests().get(place)?;
        self.free_device(draft, *test, kind)?;
        let gain = draft.cover.gain(&self.devices, *test, kind);
        if gain == 0 || self.left(draft, *test) == 0 {
            return None;
        }
        let least = *careful.entry(*test).or_insert_with(|| self.least_gain(draft, *test));
        let own = draft.cover.own_gain(&self.devices, *test, kind);
        let starts = self.books.starts(*test) + draft.added.get(test).copied().unwrap_or_default();
        (own >= least.unwrap_or(0)).then_some((gain, Reverse((starts, place, kind))))
    }

    fn free_device(&self, draft: &Draft, test: TestIx, kind: usize) -> Option<TargetIx> {
        draft.free.get(&kind)?.iter().copied().find(|target| !self.books.was_on(test, *target))
    }

    fn take(&self, draft: &mut Draft, place: usize, kind: usize) -> Option<Placement> {
        let (test, _) = self.books.tests().get(place)?;
        let target = self.free_device(draft, *test, kind)?;
        draft.free.get_mut(&kind)?.retain(|other| *other != target);
        let of = Placement { test: *test, target };
        draft.cover.add(&self.devices, of);
        *draft.added.entry(*test).or_default() += 1;
        Some(of)
    }

    /// While the test has only just as many runs as it needs: the most new values that any device, free or not, can show it. A run must
    /// bring so many then. `None`: it has runs to spare.
    fn least_gain(&self, draft: &Draft, test: TestIx) -> Option<usize> {
        let left = self.left(draft, test) as usize;
        let open = |(target, _): &(TargetIx, usize)| self.books.is_open(test, *target);
        let devices: Vec<usize> = self.devices.targets().filter(open).map(|(_, kind)| kind).collect();
        if left >= devices.len() {
            return None;
        }
        let kinds: BTreeSet<usize> = devices.into_iter().collect();
        let mut missing: BTreeSet<_> = kinds.iter().flat_map(|kind| self.devices.shown(*kind)).copied().collect();
        missing.retain(|value| !draft.cover.own.get(&test).is_some_and(|own| own.contains_key(value)));
        if left > missing.len() {
            return None;
        }
        let news = |missing: &BTreeSet<Value>, kind: usize| {
            self.devices.shown(kind).iter().filter(|value| missing.contains(*value)).count()
        };
        let (mut first, mut needed) = (None, 0);
        // The runs that it needs, by always taking the device that shows most.
        while let Some((most, Reverse(kind))) = kinds.iter().map(|kind| (news(&missing, *kind), Reverse(*kind))).max() {
            if most == 0 || needed > left {
                break;
            }
            first = first.or(Some(most));
            needed += 1;
            for value in self.devices.shown(kind) {
                missing.remove(value);
            }
        }
        first.filter(|_| left <= needed)
    }

    /// Nothing runs and nothing free adds anything, but something that is not free would. No policy may wait then. One run, of the
    /// test that can best spare it, wins the time until the others are free.
    pub(crate) fn mark_time(&self, free: &[TargetIx]) -> Option<Placement> {
        let to_spare = |test: TestIx| {
            let missing = self.devices.values().saturating_sub(self.cover.covered_of(test));
            i64::from(self.books.runs_left(test)) - i64::try_from(missing).unwrap_or(i64::MAX)
        };
        let mut best = None;
        for (place, (test, _)) in
            self.books.tests().iter().enumerate().filter(|(_, (test, _))| self.books.runs_left(*test) > 0)
        {
            for target in free.iter().filter(|target| !self.books.was_on(*test, **target)) {
                let own =
                    self.devices.kind_of(*target).map_or(0, |kind| self.cover.own_gain(&self.devices, *test, kind));
                let rank = (to_spare(*test), own, Reverse((place, *target)));
                if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                    best = Some((rank, Placement { test: *test, target: *target }));
                }
            }
        }
        best.map(|(_, of)| of)
    }
}
