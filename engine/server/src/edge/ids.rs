//! Numbers of things.

/// The largest number that the store keeps. Nothing has a larger one, so what is asked for by it is not there.
pub(crate) const LARGEST: u64 = i64::MAX.cast_unsigned();
