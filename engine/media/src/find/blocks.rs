//! The boxes of what is looked for, and by which of them it is told apart best.

use super::rows::Plane;
use crate::Picture;

/// A box of what is looked for: where it is, in which plane it is looked at, and its sum there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    pub(super) sum: u16,
    pub(super) plane: u8,
    pub(super) y: u32,
    pub(super) x: u32,
}

/// The blocks of what is looked for, those first that tell most.
pub(super) type Blocks = Vec<Block>;

/// A square of a grid and the sum of each of its channels.
struct Square {
    sums: [u32; 3],
    y: u32,
    x: u32,
}

/// Rows of the image that say what is usual in it.
const SAMPLE: u32 = 16;

/// The usual pixel of an image, roughly.
#[derive(Clone, Copy)]
pub(super) struct Usual([u32; 3]);

impl Usual {
    pub(super) fn of(image: &Picture) -> Self {
        let step = (image.height() / SAMPLE).max(1);
        let rows = (0..image.height()).step_by(step as usize);
        let (mut sums, pixels) = ([0; 3], rows.len() as u64 * u64::from(image.width()));
        for row in rows {
            add_pixels(image.row(row), image.channels(), &mut sums);
        }
        Self(sums.map(|sum| (sum / pixels) as u32))
    }

    /// By how much a square differs from one of usual pixels.
    fn tells(self, square: &Square, plane: Plane, side: u32) -> u32 {
        let pixels = side * side;
        plane.of_sums(square.sums, pixels).abs_diff(plane.of_sums(self.0.map(|mean| mean * pixels), pixels))
    }
}

fn add_pixels(row: &[u8], channels: usize, sums: &mut [u64; 3]) {
    for pixel in row.chunks_exact(channels) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(*value);
        }
    }
}

/// What is looked for as squares of one side; those that the mask lets through completely.
pub(super) struct Grid {
    squares: Vec<Square>,
    side: u32,
}

impl Grid {
    /// `None`: there is no whole square that counts.
    pub(super) fn new(what: &Picture, mask: Option<&Picture>, side: u32) -> Option<Self> {
        let (columns, rows) = (what.width() / side, what.height() / side);
        let corners = (0..rows).flat_map(|row| (0..columns).map(move |column| (column * side, row * side)));
        let counts = |x: u32, y: u32| mask.is_none_or(|mask| lets_through(mask, x, y, side));
        let squares =
            corners.filter(|(x, y)| counts(*x, *y)).map(|(x, y)| Square { sums: square_sums(what, x, y, side), y, x });
        let squares: Vec<Square> = squares.collect();
        (!squares.is_empty()).then_some(Self { squares, side })
    }

    /// The plane that, beside the sum, tells the squares best from what is usual; `None`: the sum alone does nearly as well.
    pub(super) fn second_plane(&self, usual: Usual) -> Option<Plane> {
        let tells = |plane: Plane| -> u64 {
            let best = |square| usual.tells(square, Plane::SUM, self.side).max(usual.tells(square, plane, self.side));
            self.squares.iter().map(|square| u64::from(best(square))).sum()
        };
        let (most, plane) =
            Plane::AGAINST.map(|plane| (tells(plane), plane)).into_iter().max_by_key(|(most, _)| *most)?;
        (most > tells(Plane::SUM) * 17 / 16).then_some(plane)
    }

    /// Each in the plane in which it tells most.
    pub(super) fn blocks(&self, planes: &[Plane], usual: Usual) -> Blocks {
        let mut blocks: Vec<(u32, Block)> =
            self.squares.iter().filter_map(|square| self.block(square, planes, usual)).collect();
        blocks.sort_unstable_by_key(|block| std::cmp::Reverse(*block));
        blocks.into_iter().map(|(_, block)| block).collect()
    }

    fn block(&self, square: &Square, planes: &[Plane], usual: Usual) -> Option<(u32, Block)> {
        let in_plane = |(number, plane): (usize, &Plane)| {
            let sum = plane.of_sums(square.sums, self.side * self.side) as u16;
            (usual.tells(square, *plane, self.side), Block { sum, plane: number as u8, y: square.y, x: square.x })
        };
        planes.iter().enumerate().map(in_plane).max()
    }
}

fn lets_through(mask: &Picture, x: u32, y: u32, side: u32) -> bool {
    (y..y + side).all(|y| mask.row(y)[x as usize..(x + side) as usize].iter().all(|value| *value != 0))
}

fn square_sums(what: &Picture, x: u32, y: u32, side: u32) -> [u32; 3] {
    let (channels, mut sums) = (what.channels(), [0; 3]);
    for y in y..y + side {
        let row = &what.row(y)[x as usize * channels..(x + side) as usize * channels];
        for pixel in row.chunks_exact(channels) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u32::from(*value);
            }
        }
    }
    sums
}
