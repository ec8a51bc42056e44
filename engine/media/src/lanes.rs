//! Vector instructions without naming any.

/// Runs the work compiled for the widest instructions that this machine has. The closure itself and all that it calls must be `#[inline(always)]`: what stays a
/// function of its own is compiled for the oldest machine.
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Bytes of a row that are worked on at a time: accumulators of all kinds stay in the nearest cache. Three channels fit evenly.
pub(crate) const STRIP: usize = 1536;

/// Rows after which 8 bit counters are emptied.
pub(crate) const ROWS: usize = 255;

/// Parts of a row of so many bytes: where they begin and end.
pub(crate) fn strips(bytes: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..bytes).step_by(STRIP).map(move |at| at..(at + STRIP).min(bytes))
}
