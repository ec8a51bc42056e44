//! Where a smaller picture is in a larger one: the place of the smallest sum of absolute differences, exactly.
//!
//! Nearly all places are ruled out without looking at their pixels. The sum over a box of one picture cannot differ from that of the other by more than
//! the pixels in it do, so differences of box sums add up to a lower bound of the true difference:
//!
//! ```text
//!  groups of 4x4 places ─► bound by some coarse boxes ─► the most promising ones exactly: what is the best so far?
//!                         └► the rest, in chunks: bound by the other coarse boxes, too ─► by all fine boxes
//!                              └► places of groups that are left: bound by fine boxes, if there are many ─► pixel rows, each until it is too much
//! ```
//!
//! A group is bound by the smallest and the largest box sum of its places: neighbours are much alike, so that little is lost and fifteen of sixteen need not be looked at.
//!
//! No place is ruled out that could be as good as the best, so the answer is that of a search of everything.

mod blocks;
mod exact;
mod levels;
mod ranges;
mod rows;

use std::collections::BinaryHeap;

use crate::lanes::wide;
use crate::{Fault, Picture, Rect};
use exact::Exact;
use levels::{CHUNK, GROUPS, Level, Levels, Steps, least};

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Found {
    /// From the left, of its top left corner.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// 1.0 minus the mean difference over 255.
    pub score: f64,
}

/// Boxes that the first bound looks at.
const FIRST_LOOK: usize = 64;
/// Promising groups that are looked at before the others.
const PROMISING: usize = 8;
/// So few places of a chunk are looked at exactly without more ado.
const FEW: usize = 6;

/// What is looked for, and where.
struct Search<'a> {
    image: Picture,
    what: &'a Picture,
    mask: Option<&'a Picture>,
    exact: Exact,
    stopped: &'a dyn Fn() -> bool,
}

/// A group of places that is not ruled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    bound: u16,
    row: u32,
    column: u32,
}

/// The best place so far; ties go to the topmost, then leftmost.
type Best = Option<(u64, u32, u32)>;

impl Picture {
    /// Looks for `what` at every place of a part, to the pixel. The best score that is at least `least`, if there is one; the topmost and then leftmost of equals.
    ///
    /// `mask`: grey, of the size of `what`; pixels where it is 0 do not count. `stopped` is asked now and then.
    ///
    /// # Errors
    /// [`Fault::Misfit`] when one has colour and the other has not, or the mask does not fit; [`Fault::Empty`] when the mask lets nothing
    /// through; [`Fault::Stopped`].
    pub fn find(
        &self,
        what: &Self,
        mask: Option<&Self>,
        area: Rect,
        least: f64,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Found>, Fault> {
        if self.is_grey() != what.is_grey() || mask.is_some_and(|mask| !mask.masks(what)) {
            return Err(Fault::Misfit);
        }
        let pixels = mask.map_or(what.bounds().pixels() as u32, Self::let_through);
        if pixels == 0 {
            return Err(Fault::Empty);
        }
        let Ok(image) = self.crop(area) else { return Ok(None) };
        if image.width() < what.width() || image.height() < what.height() {
            return Ok(None);
        }
        let samples = u64::from(pixels) * what.channels() as u64;
        let Some(limit) = limit(samples, least) else { return Ok(None) };
        let search = Search { image, what, mask, exact: Exact::new(what, mask), stopped };
        let found = search.run(limit)?;
        Ok(found.map(|(difference, y, x)| Found { x: area.x + x, y: area.y + y, score: score(difference, samples) }))
    }
}

fn score(difference: u64, samples: u64) -> f64 {
    1.0 - difference as f64 / (samples as f64 * 255.0)
}

/// Largest difference whose score is still `least`. `None`: no score is.
fn limit(samples: u64, least: f64) -> Option<u64> {
    if least.is_nan() || least > 1.0 {
        return None;
    }
    let most = samples * 255;
    let mut limit = (((1.0 - least.max(0.0)) * most as f64) as u64).min(most);
    // The last digits of a product of floating-point numbers are settled by the score itself.
    while limit < most && score(limit + 1, samples) >= least {
        limit += 1;
    }
    while limit > 0 && score(limit, samples) < least {
        limit -= 1;
    }
    (score(limit, samples) >= least).then_some(limit)
}

/// Lower bounds of a row of groups after another, by some blocks.
struct Bounds {
    values: Vec<u16>,
    columns: usize,
    shift: u32,
    /// The blocks that are not in them.
    others: Steps,
}

impl Bounds {
    /// Those of a chunk in units of a smaller shift. Groups that are not there are full.
    fn in_units(&self, some: &[u16], shift: u32) -> [u16; GROUPS] {
        let mut bounds = [u16::MAX; GROUPS];
        for (bound, value) in bounds.iter_mut().zip(some) {
            *bound = u16::try_from(u64::from(*value) << (self.shift - shift)).unwrap_or(u16::MAX);
        }
        bounds
    }

    /// The groups with the smallest bounds that are no more than the limit, from the smallest.
    fn promising(&self, limit: u64) -> Vec<Group> {
        let mut most = units(limit, self.shift);
        let mut heap = BinaryHeap::with_capacity(PROMISING + 1);
        for (number, row) in self.values.chunks_exact(self.columns).enumerate() {
            if wide(
                #[inline(always)]
                || least(row),
            ) > most
            {
                continue;
            }
            for (column, bound) in row.iter().enumerate() {
                if *bound > most {
                    continue;
                }
                heap.push(Group { bound: *bound, row: number as u32, column: column as u32 });
                if heap.len() > PROMISING {
                    heap.pop();
                    most = heap.peek().map_or(most, |group| group.bound).min(most);
                }
            }
        }
        heap.into_sorted_vec()
    }
}

/// The smallest unit in which 16 bits hold this limit, with room to see that it is passed.
fn shift_for(limit: u64) -> u32 {
    (u64::BITS - limit.leading_zeros()).saturating_sub(15)
}

fn units(limit: u64, shift: u32) -> u16 {
    u16::try_from(limit >> shift).unwrap_or(u16::MAX)
}

/// The most that a place of this row, or of one below it, may differ and be the best: of equals the topmost is. `None`: none can be.
fn bar(limit: u64, best: Best, y: u32) -> Option<u64> {
    match best {
        Some((difference, top, _)) if y > top => difference.checked_sub(1),
        _ => Some(limit),
    }
}

impl Search<'_> {
    fn run(&self, mut limit: u64) -> Result<Best, Fault> {
        // There is a box as soon as one pixel counts, and one does.
        let Some(mut levels) = Levels::new(&self.image, self.what, self.mask) else { return Err(Fault::Empty) };
        let bounds = self.first_look(&levels.coarse, limit)?;
        let mut best = None;
        for group in bounds.promising(limit) {
            self.patient()?;
            self.look_at_group(group.column, group.row, levels.coarse.group(), &mut limit, &mut best);
        }
        self.rest(&mut levels, &bounds, &mut limit, &mut best)?;
        Ok(best)
    }

    fn patient(&self) -> Result<(), Fault> {
        if (self.stopped)() { Err(Fault::Stopped) } else { Ok(()) }
    }

    fn places(&self) -> (u32, u32) {
        (self.image.width() - self.what.width() + 1, self.image.height() - self.what.height() + 1)
    }

    /// All groups by some of the coarsest boxes.
    fn first_look(&self, coarse: &Level, limit: u64) -> Result<Bounds, Fault> {
        let (steps, others) = coarse.telling(FIRST_LOOK);
        let (columns, rows) = self.places();
        let side = 1 << coarse.group();
        let (columns, rows, shift) = (columns.div_ceil(side) as usize, rows.div_ceil(side), shift_for(limit));
        let mut values = vec![0_u16; columns * rows as usize];
        for (row, bounds) in values.chunks_exact_mut(columns).enumerate() {
            self.patient()?;
            coarse.bounds_of_row(row as u32, &steps, shift, units(limit, shift), bounds);
        }
        Ok(Bounds { values, columns, shift, others })
    }

    /// All places of a group, exactly.
    fn look_at_group(&self, column: u32, row: u32, group: u32, limit: &mut u64, best: &mut Best) {
        let (columns, rows) = self.places();
        for y in (row << group)..((row + 1) << group).min(rows) {
            for x in (column << group)..((column + 1) << group).min(columns) {
                self.look(x, y, limit, best);
            }
        }
    }

    /// All groups that the first look left, in chunks: bounds by all boxes of each level, and of what is left then the places.
    fn rest(&self, levels: &mut Levels<'_>, first: &Bounds, limit: &mut u64, best: &mut Best) -> Result<(), Fault> {
        for (row, bounds) in first.values.chunks_exact(first.columns).enumerate() {
            self.patient()?;
            for (number, some) in bounds.chunks(GROUPS).enumerate() {
                let Some(most) = bar(*limit, *best, (row as u32) << levels.coarse.group()) else { return Ok(()) };
                let most = units(most, first.shift);
                if wide(
                    #[inline(always)]
                    || least(some),
                ) > most
                {
                    continue;
                }
                self.groups(levels, first, ((number * GROUPS) as u32, row as u32), some, limit, best)?;
            }
        }
        Ok(())
    }

    /// A chunk of groups, of which the first look says this.
    fn groups(
        &self,
        levels: &mut Levels<'_>,
        first: &Bounds,
        at: (u32, u32),
        some: &[u16],
        limit: &mut u64,
        best: &mut Best,
    ) -> Result<(), Fault> {
        let Some(most) = bar(*limit, *best, at.1 << levels.coarse.group()) else { return Ok(()) };
        let shift = shift_for(most);
        let most = units(most, shift);
        let mut out = first.in_units(some, shift);
        if !levels.coarse.rule_out(&first.others, at, shift, most, &mut out) {
            return Ok(());
        }
        let left = out.iter().filter(|out| **out == 0).count();
        if levels.fine(left).is_some_and(|fine| !fine.rule_out(&fine.steps, at, shift, most, &mut out)) {
            return Ok(());
        }
        let (group, (columns, rows)) = (levels.coarse.group(), self.places());
        let side = 1_usize << group;
        for y in (at.1 << group)..((at.1 + 1) << group).min(rows) {
            for (number, some) in out.chunks(CHUNK >> group).enumerate().filter(|(_, some)| some.contains(&0)) {
                let x = (at.0 << group) + (number * CHUNK) as u32;
                let there = columns.saturating_sub(x) as usize;
                let mut places = [u16::MAX; CHUNK];
                let each = some.iter().flat_map(|out| std::iter::repeat_n(*out, side)).take(there);
                places.iter_mut().zip(each).for_each(|(place, out)| *place = out);
                self.chunk(levels, (x, y), places, limit, best)?;
            }
        }
        Ok(())
    }

    /// A chunk of places, of which those that are not 0 are ruled out.
    fn chunk(
        &self,
        levels: &mut Levels<'_>,
        (x, y): (u32, u32),
        mut out: [u16; CHUNK],
        limit: &mut u64,
        best: &mut Best,
    ) -> Result<(), Fault> {
        let Some(most) = bar(*limit, *best, y) else { return Ok(()) };
        let left = out.iter().filter(|out| **out == 0).count();
        if let Some(places) = (left > FEW).then(|| levels.places(y, left)).flatten() {
            let shift = shift_for(most);
            if !places.rule_out((x, y), shift, units(most, shift), &mut out) {
                return Ok(());
            }
        }
        self.patient()?;
        for (at, _) in out.iter().enumerate().filter(|(_, out)| **out == 0) {
            self.look(x + at as u32, y, limit, best);
        }
        Ok(())
    }

    /// One place, exactly.
    fn look(&self, x: u32, y: u32, limit: &mut u64, best: &mut Best) {
        let Some(difference) = self.exact.difference(&self.image, x, y, *limit) else { return };
        let this = (difference, y, x);
        if best.is_none_or(|best| this < best) {
            (*best, *limit) = (Some(this), difference);
        }
    }
}
