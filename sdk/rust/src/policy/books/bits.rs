//! Sets of small numbers, a bit each.

/// Bits of a word.
const WIDTH: usize = u64::BITS as usize;

/// Places in a list. Takes memory up to the highest place that was ever in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    held: usize,
}

impl Bits {
    pub(super) fn insert(&mut self, place: usize) {
        let (at, bit) = split(place);
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            self.held += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    pub(super) fn remove(&mut self, place: usize) {
        let (at, bit) = split(place);
        if let Some(word) = self.words.get_mut(at) {
            self.held -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    pub(super) fn contains(&self, place: usize) -> bool {
        let (at, bit) = split(place);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// What is here and not in `others`, in rising order.
    pub(super) fn without<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = usize> + 'a {
        let left = |at: usize, word: u64| word & !others.words.get(at).copied().unwrap_or_default();
        self.words.iter().enumerate().flat_map(move |(at, word)| Ones { base: at * WIDTH, left: left(at, *word) })
    }
}

fn split(place: usize) -> (usize, u64) {
    (place / WIDTH, 1 << (place % WIDTH))
}

/// The bits of one word, from its low end.
struct Ones {
    base: usize,
    left: u64,
}

impl Iterator for Ones {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let bit = self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(self.base + bit)
    }
}
