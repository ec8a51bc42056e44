//! The best set of tests that fits into a time: exact for few tests or when all are worth alike, else within half of the best.

use std::cmp::Reverse;

use headend_sdk::policy::{Millis, TestIx};

/// Up to so many tests on so many devices the choice is exact, whatever they are worth. More would take too long.
const MOST_EXACT: usize = 100;
const MOST_DEVICES: usize = 32;

/// A test that may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) test: TestIx,
    /// How long it is taken to last, at least 1.
    pub(crate) ms: Millis,
    /// 1 to 100.
    pub(crate) worth: u8,
}

impl Item {
    /// Whether it is worth more for its time than another one; the shorter of equal ones first.
    pub(crate) fn density(&self) -> impl Ord + use<> {
        // Worth by time, without fractions: at most 100 x 2^64.
        (Reverse(u128::from(self.worth) * (1 << 64) / u128::from(self.ms.max(1))), self.ms, self.test)
    }
}

pub(crate) fn worth(items: &[Item]) -> u64 {
    items.iter().map(|item| u64::from(item.worth)).sum()
}

pub(crate) fn length(items: &[Item]) -> Millis {
    items.iter().fold(0, |sum, item| sum.saturating_add(item.ms))
}

fn are_worth_alike(items: &[Item]) -> bool {
    items.windows(2).all(|pair| matches!(pair, [one, next] if one.worth == next.worth))
}

/// The choice is exact for such a plan.
pub(crate) fn is_exact(items: &[Item], devices: usize) -> bool {
    are_worth_alike(items) || items.len() <= MOST_EXACT && devices <= MOST_DEVICES
}

/// The set that is worth most of those that last at most `time`, or, if not `exact`, one that is worth at least half of it.
pub(crate) fn choose(mut items: Vec<Item>, time: Millis, exact: bool) -> Vec<Item> {
    items.retain(|item| item.ms <= time);
    items.sort_by_key(Item::density);
    if length(&items) <= time {
        return items;
    }
    // Worth alike, shortest first: no other set of as many lasts less.
    if are_worth_alike(&items) || !exact { greedy(&items, time) } else { exactly(&items, time) }
}

/// By worth for time, passing over what does not fit; or the one that is worth most, if that is more.
pub(crate) fn greedy(items: &[Item], time: Millis) -> Vec<Item> {
    let mut left = time;
    let mut taken = Vec::new();
    for item in items.iter().filter(|item| item.ms <= time) {
        if item.ms <= left {
            left -= item.ms;
            taken.push(*item);
        }
    }
    let best = items.iter().filter(|item| item.ms <= time).max_by_key(|item| item.worth);
    match best {
        Some(best) if u64::from(best.worth) > worth(&taken) => vec![*best],
        _ => taken,
    }
}

/// The least time for each worth, item by item.
fn exactly(items: &[Item], time: Millis) -> Vec<Item> {
    let most = usize::try_from(worth(items)).unwrap_or(usize::MAX);
    let mut quickest: Vec<Option<Millis>> = vec![None; most + 1];
    if let Some(first) = quickest.first_mut() {
        *first = Some(0);
    }
    // Per item: at which worth it is the last of the quickest set.
    let mut last = Vec::with_capacity(items.len());
    for item in items {
        let mut is_last = vec![false; most + 1];
        for worth in (usize::from(item.worth)..=most).rev() {
            let without = quickest.get(worth - usize::from(item.worth)).copied().flatten();
            let Some(with) = without.map(|ms| ms.saturating_add(item.ms)).filter(|ms| *ms <= time) else { continue };
            if let (Some(known), Some(is_last)) = (quickest.get_mut(worth), is_last.get_mut(worth))
                && known.is_none_or(|known| with < known)
            {
                (*known, *is_last) = (Some(with), true);
            }
        }
        last.push(is_last);
    }
    let mut worth = quickest.iter().rposition(Option::is_some).unwrap_or(0);
    let mut taken = Vec::new();
    for (item, is_last) in items.iter().zip(&last).rev() {
        if is_last.get(worth) == Some(&true) {
            taken.push(*item);
            worth = worth.saturating_sub(item.worth.into());
        }
    }
    taken.reverse();
    taken
}
