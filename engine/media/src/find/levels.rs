//! Box sums of the image, and what they rule out: of groups of places by the smallest and the largest sum among them, of single places by their own.

use std::ops::Range;

use super::blocks::{Block, Blocks, Grid, Usual};
use super::ranges::{Ranges, ranges};
use super::rows::{Plane, box_rows};
use crate::lanes::wide;
use crate::{Picture, Rect};

/// Places that are looked at together.
pub(super) const CHUNK: usize = 64;
/// Groups of places that are looked at together.
pub(super) const GROUPS: usize = 32;
/// A number for each.
pub(super) type Chunk = [u16; CHUNK];
pub(super) type Groups = [u16; GROUPS];
/// Side of the largest boxes.
const LARGE: u32 = 8;
/// Groups of places that do without the fine level.
const WITHOUT_FINE: u64 = 32;
/// Sums at all places of some rows are made for so many times as many places as they are larger than what is looked for: then all would take as long as they do.
const WORTH_SUMS: u64 = 32;
/// Rows of places whose sums are made together, at least.
const ROWS: u32 = 64;
/// Blocks between two looks at whether any place is left.
const BETWEEN: usize = 8;

/// What is looked for by boxes of one side, and groups of places of the image.
pub(super) struct Level {
    /// The smallest and the largest sum of each group, one plane after the other, in rows of `stride`, and room for one chunk.
    low: Vec<u16>,
    high: Vec<u16>,
    stride: usize,
    /// Power of two that is the side of a group.
    group: u32,
    blocks: Blocks,
    pub(super) steps: Steps,
}

/// A block, by how far behind that of a place its own number lies.
#[derive(Clone, Copy)]
pub(super) struct Step {
    behind: u32,
    sum: u16,
}

/// Blocks in the order in which they are looked at.
pub(super) type Steps = Vec<Step>;

/// What is looked for by boxes of one side, and every place of some rows of the image.
pub(super) struct Places {
    rows: Range<u32>,
    /// At every place, one plane after the other, in rows of `stride`, and room for one chunk.
    sums: Vec<u16>,
    stride: usize,
    steps: Steps,
}

/// From coarse to fine. What is not coarse is made when it is asked for: what is there is found without.
pub(super) struct Levels<'a> {
    image: &'a Picture,
    what: &'a Picture,
    mask: Option<&'a Picture>,
    usual: Usual,
    pub(super) coarse: Level,
    side: u32,
    /// Of boxes of half the side, in the first plane: they are there anyhow when the large ones are made.
    half: Option<Ranges>,
    finest: Option<(Vec<Plane>, Blocks)>,
    fine: Option<Level>,
    places: Option<Places>,
    groups_asked: u64,
    places_asked: u64,
}

impl<'a> Levels<'a> {
    /// With the largest boxes that fit. `None`: the mask lets nothing through.
    pub(super) fn new(image: &'a Picture, what: &'a Picture, mask: Option<&'a Picture>) -> Option<Self> {
        let (side, grid) = [LARGE, 4, 2, 1].into_iter().find_map(|side| Some((side, Grid::new(what, mask, side)?)))?;
        let usual = Usual::of(image);
        let (half, coarse) = if side == LARGE {
            let [half, coarse] = ranges(image, Plane::SUM, [side / 2, side]);
            (Some(half), coarse)
        } else {
            let [coarse] = ranges(image, Plane::SUM, [side]);
            (None, coarse)
        };
        let coarse = Level::new(&[&coarse], grid.blocks(&[Plane::SUM], usual));
        let (finest, fine, places, groups_asked, places_asked) = (None, None, None, 0, 0);
        Some(Self { image, what, mask, usual, coarse, side, half, finest, fine, places, groups_asked, places_asked })
    }

    /// Boxes of half the side, each in the plane where it tells most. `None`: those there are are small. Also for the first few groups that are asked about: to look
    /// at them exactly takes less time than to make it.
    pub(super) fn fine(&mut self, asked: usize) -> Option<&Level> {
        self.groups_asked += asked as u64;
        if self.fine.is_none() && self.groups_asked > WITHOUT_FINE {
            self.fine = self.make_fine();
        }
        self.fine.as_ref()
    }

    fn make_fine(&mut self) -> Option<Level> {
        self.find_finest()?;
        let (half, (planes, blocks)) = (self.half.as_ref()?, self.finest.as_ref()?);
        let others = planes[1..].iter().flat_map(|plane| ranges(self.image, *plane, [self.side / 2]));
        let others: Vec<Ranges> = others.collect();
        let all: Vec<&Ranges> = std::iter::once(half).chain(&others).collect();
        Some(Level::new(&all, blocks.clone()))
    }

    /// Sums of the finest boxes at each place of some rows, of which this is one. `None`, too, until so many places have been asked about that they are worth their
    /// time. Rows are asked about from the top.
    pub(super) fn places(&mut self, row: u32, asked: usize) -> Option<&Places> {
        if self.places.as_ref().is_some_and(|places| places.rows.contains(&row)) {
            return self.places.as_ref();
        }
        let rows = row..row + self.what.height().max(ROWS);
        let pixels = u64::from(self.image.width()) * u64::from(rows.end - row + self.what.height());
        self.places_asked += asked as u64;
        if self.places_asked <= WORTH_SUMS * pixels / self.what.bounds().pixels() {
            return None;
        }
        self.places_asked = 0;
        self.places = self.make_places(rows);
        self.places.as_ref()
    }

    fn make_places(&mut self, rows: Range<u32>) -> Option<Places> {
        self.find_finest()?;
        let (planes, blocks) = self.finest.as_ref()?;
        let height = rows.end - rows.start + self.what.height();
        let part = self.image.crop(Rect { x: 0, y: rows.start, width: self.image.width(), height }).ok()?;
        Some(Places::new(&part, rows, planes, self.finest_side(), blocks))
    }

    const fn finest_side(&self) -> u32 {
        if self.half.is_some() { self.side / 2 } else { self.side }
    }

    /// The finest boxes, and the planes that they are looked at in.
    fn find_finest(&mut self) -> Option<()> {
        if self.finest.is_none() {
            let grid = Grid::new(self.what, self.mask, self.finest_side())?;
            let second = if self.image.is_grey() { None } else { grid.second_plane(self.usual) };
            let planes: Vec<Plane> = std::iter::once(Plane::SUM).chain(second).collect();
            let blocks = grid.blocks(&planes, self.usual);
            self.finest = Some((planes, blocks));
        }
        Some(())
    }
}

impl Level {
    /// Ranges of one plane after the other, all of one side.
    fn new(planes: &[&Ranges], blocks: Blocks) -> Self {
        let [mut low, mut high] = [(); 2].map(|()| Vec::with_capacity(planes[0].low.len() * planes.len() + GROUPS));
        for plane in planes {
            low.extend_from_slice(&plane.low);
            high.extend_from_slice(&plane.high);
        }
        for values in [&mut low, &mut high] {
            values.resize(values.len() + GROUPS, 0);
        }
        let (stride, plane_length, group) = (planes[0].stride, planes[0].low.len(), planes[0].side.ilog2());
        let behind = |block: &Block| {
            (block.plane as usize * plane_length, (block.y >> group) as usize, (block.x >> group) as usize)
        };
        let steps = steps(&blocks, stride, behind);
        Self { low, high, stride, group, blocks, steps }
    }

    /// Side of the groups, as a power of two.
    pub(super) const fn group(&self) -> u32 {
        self.group
    }

    /// So many blocks that differ from each other as much as they can, and the others; those first that tell most.
    pub(super) fn telling(&self, most: usize) -> (Steps, Steps) {
        let count = self.blocks.len();
        if count <= most {
            return (self.steps.clone(), Steps::new());
        }
        let mut sorted = self.blocks.clone();
        sorted.sort_unstable();
        let picked: Blocks = (0..most).map(|n| sorted[n * (count - 1) / (most - 1)]).collect();
        let (some, others): (Vec<_>, Vec<_>) =
            self.blocks.iter().zip(&self.steps).partition(|(block, _)| picked.binary_search(block).is_ok());
        let steps = |some: Vec<(&Block, &Step)>| some.into_iter().map(|(_, step)| *step).collect();
        (steps(some), steps(others))
    }

    /// Adds to the lower bounds of the differences at the places of groups what these blocks differ, in units of two to the power of `shift`, rounded down: 16 bits
    /// hold them, and a saturated one is still a bound. Stops when all are more than the limit; also answers whether any is not.
    // By value: nobody else can see the bounds, so they stay in registers.
    #[inline(always)]
    fn add(
        &self,
        steps: &[Step],
        (column, row): (u32, u32),
        shift: u32,
        limit: u16,
        mut bounds: Groups,
    ) -> (Groups, bool) {
        let here = row as usize * self.stride + column as usize;
        let (low, high) = (&self.low[here..], &self.high[here..]);
        for some in that_say(steps, shift).chunks(BETWEEN) {
            for step in some {
                let (Some(low), Some(high)) = (step.from(low), step.from(high)) else { continue };
                bounds = add_ranges(low, high, step.sum, shift, &bounds);
            }
            if least(&bounds) > limit {
                return (bounds, false);
            }
        }
        (bounds, least(&bounds) <= limit)
    }

    /// Bounds of all groups of a row by some blocks. Where they are more than the limit it is not said by how much.
    pub(super) fn bounds_of_row(&self, row: u32, steps: &[Step], shift: u32, limit: u16, bounds: &mut [u16]) {
        wide(
            #[inline(always)]
            || {
                for (number, bounds) in bounds.chunks_mut(GROUPS).enumerate() {
                    let (some, _) = self.add(steps, ((number * GROUPS) as u32, row), shift, limit, [0; GROUPS]);
                    bounds.copy_from_slice(&some[..bounds.len()]);
                }
            },
        );
    }

    /// Fills up those groups of a chunk that these blocks rule out, and empties the others. Answers whether any is left.
    pub(super) fn rule_out(&self, steps: &[Step], at: (u32, u32), shift: u32, limit: u16, out: &mut Groups) -> bool {
        wide(
            #[inline(always)]
            || {
                let (bounds, any) = self.add(steps, at, shift, limit, *out);
                sort_out(&bounds, limit, out);
                any
            },
        )
    }
}

impl Places {
    /// `image`: from the first of these rows on, as far as what is looked for may reach from the last.
    fn new(image: &Picture, rows: Range<u32>, planes: &[Plane], side: u32, blocks: &[Block]) -> Self {
        let (stride, whole) = (image.width() as usize, (image.height() - side + 1) as usize);
        let plane_length = stride * whole;
        let mut sums = Vec::with_capacity(plane_length * planes.len() + CHUNK);
        for plane in planes {
            wide(
                #[inline(always)]
                || {
                    box_rows(
                        image,
                        *plane,
                        side as usize,
                        #[inline(always)]
                        |boxes, _, row| {
                            if boxes == side as usize {
                                sums.extend_from_slice(row);
                            }
                        },
                    );
                },
            );
        }
        sums.resize(plane_length * planes.len() + CHUNK, 0);
        let behind = |block: &Block| (block.plane as usize * plane_length, block.y as usize, block.x as usize);
        let steps = steps(blocks, stride, behind);
        Self { rows, sums, stride, steps }
    }

    /// As [`Level::rule_out`], for places, by all blocks.
    pub(super) fn rule_out(&self, (x, y): (u32, u32), shift: u32, limit: u16, out: &mut Chunk) -> bool {
        wide(
            #[inline(always)]
            || {
                let (bounds, any) = self.add((x, y), shift, limit, *out);
                sort_out(&bounds, limit, out);
                any
            },
        )
    }

    #[inline(always)]
    fn add(&self, (x, y): (u32, u32), shift: u32, limit: u16, mut bounds: Chunk) -> (Chunk, bool) {
        let sums = &self.sums[(y - self.rows.start) as usize * self.stride + x as usize..];
        for some in that_say(&self.steps, shift).chunks(BETWEEN) {
            for step in some {
                let Some(sums) = step.from(sums) else { continue };
                bounds = add_differences(sums, step.sum, shift, &bounds);
            }
            if least(&bounds) > limit {
                return (bounds, false);
            }
        }
        (bounds, true)
    }
}

/// Of a limit so large that its unit is more than any sum, blocks say nothing.
#[inline(always)]
fn that_say(steps: &[Step], shift: u32) -> &[Step] {
    if shift < u16::BITS { steps } else { &[] }
}

/// Steps in rows of this length. `behind`: of a block the place of its plane, and how many rows and numbers further on it is.
fn steps(blocks: &[Block], stride: usize, behind: impl Fn(&Block) -> (usize, usize, usize)) -> Steps {
    let step = |block: &Block| {
        let (plane, rows, numbers) = behind(block);
        // Pictures have no more pixels than 32 bits count.
        Step { behind: (plane + rows * stride + numbers) as u32, sum: block.sum }
    };
    blocks.iter().map(step).collect()
}

impl Step {
    /// So many numbers from there on.
    #[inline(always)]
    fn from<const COUNT: usize>(self, numbers: &[u16]) -> Option<&[u16; COUNT]> {
        numbers.get(self.behind as usize..)?.first_chunk()
    }
}

/// A value in a range differs from the sum at least by what the range lies away from it.
#[inline(always)]
fn add_ranges(low: &Groups, high: &Groups, sum: u16, shift: u32, bounds: &Groups) -> Groups {
    let mut next = [0; GROUPS];
    for at in 0..GROUPS {
        let away = low[at].saturating_sub(sum) | sum.saturating_sub(high[at]);
        next[at] = bounds[at].saturating_add(away >> shift);
    }
    next
}

#[inline(always)]
fn add_differences(sums: &Chunk, sum: u16, shift: u32, bounds: &Chunk) -> Chunk {
    let mut next = [0; CHUNK];
    for at in 0..CHUNK {
        next[at] = bounds[at].saturating_add(sums[at].abs_diff(sum) >> shift);
    }
    next
}

#[inline(always)]
pub(super) fn least(bounds: &[u16]) -> u16 {
    bounds.iter().copied().fold(u16::MAX, u16::min)
}

#[inline(always)]
fn sort_out(bounds: &[u16], limit: u16, out: &mut [u16]) {
    for (out, bound) in out.iter_mut().zip(bounds) {
        *out = if *bound > limit { u16::MAX } else { 0 };
    }
}
