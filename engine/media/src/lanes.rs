//! Vector instructions without naming any, but for one.

#[cfg(target_arch = "x86_64")]
use pulp::{cast, u8x32, u64x4, x86::V3};

/// Runs the work compiled for the widest instructions that this machine has. The closure itself and all that it calls must be `#[inline(always)]`: what stays a
/// function of its own is compiled for the oldest machine.
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// As [`wide`], for work that sums up absolute differences.
pub(crate) fn wide_differences<R>(work: impl FnOnce(Differences) -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = V3::try_new() {
        return simd.vectorize(
            #[inline(always)]
            || work(Differences::Wide(simd)),
        );
    }
    work(Differences::Plain)
}

/// Sums of absolute differences. There is an instruction for 32 bytes at once; of plain code compilers make one for 8.
#[derive(Clone, Copy)]
pub(crate) enum Differences {
    #[cfg(target_arch = "x86_64")]
    Wide(V3),
    Plain,
}

impl Differences {
    /// Of two rows of a length, at most 16384 bytes.
    #[inline(always)]
    pub(crate) fn of(self, one: &[u8], other: &[u8]) -> u32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(simd) => by_32(simd, one, other),
            Self::Plain => plain(one, other),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn by_32(simd: V3, one: &[u8], other: &[u8]) -> u32 {
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk()) else { return plain(one, other) };
    let mut sums = u64x4(0, 0, 0, 0);
    for (one, other) in one.as_chunks().0.iter().zip(other.as_chunks().0) {
        sums = add(simd, sums, *one, *other, [u8::MAX; 32]);
    }
    if let Some(mask) = LAST[one.len() % 32..].first_chunk() {
        sums = add(simd, sums, *last, *other_last, *mask);
    }
    (sums.0 + sums.1 + sums.2 + sums.3) as u32
}

/// Begins with as many zeros as are left out, from as many bytes on as are left over.
#[cfg(target_arch = "x86_64")]
const LAST: [u8; 64] = {
    let (mut mask, mut at) = ([0; 64], 32);
    while at < 64 {
        mask[at] = u8::MAX;
        at += 1;
    }
    mask
};

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn add(simd: V3, sums: u64x4, one: [u8; 32], other: [u8; 32], mask: [u8; 32]) -> u64x4 {
    let mask: u8x32 = cast(mask);
    let (one, other) = (simd.and_u8x32(cast(one), mask), simd.and_u8x32(cast(other), mask));
    simd.wrapping_add_u64x4(sums, simd.sum_of_absolute_differences_u8x32(one, other))
}

#[inline(always)]
fn plain(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other))).sum()
}

/// Bytes of a row that are worked on at a time: accumulators of all kinds stay in the nearest cache. Three channels fit evenly.
pub(crate) const STRIP: usize = 1536;

/// Rows after which 8 bit counters are emptied.
pub(crate) const ROWS: usize = 255;

/// Parts of a row of so many bytes: where they begin and end.
pub(crate) fn strips(bytes: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..bytes).step_by(STRIP).map(move |at| at..(at + STRIP).min(bytes))
}
