//! Chance without a memory: what comes of a throw is a function of the seed, of what is thrown for, and of how manieth throw it is.

/// What a throw is for, so that throws do not move together.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Programme = 1,
    Motion,
    LoseKey,
    WrongChannel,
    SlowZap,
    Second,
    Length,
    Blocks,
    Noise,
    Stars,
}

/// Any 64 bits.
pub(crate) fn throw(seed: u64, stream: Stream, index: u64) -> u64 {
    let mut bits = seed.wrapping_add((stream as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = scramble(bits).wrapping_add(index.wrapping_mul(0xD1B5_4A32_D192_ED03));
    scramble(bits)
}

/// The finisher of `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(crate) const fn scramble(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Whether what has this probability happens at this throw.
pub(crate) fn happens(probability: f64, throw: u64) -> bool {
    let unit = (throw >> 11) as f64 / (1_u64 << 53) as f64;
    unit < probability
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_often_as_it_should() {
        let hits = (0..10_000).filter(|n| happens(0.1, throw(7, Stream::LoseKey, *n))).count();
        assert!((900..1_100).contains(&hits), "{hits}");
        assert!((0..100).all(|n| happens(1.0, throw(7, Stream::LoseKey, n))));
        assert!((0..100).all(|n| !happens(0.0, throw(7, Stream::LoseKey, n))));
    }
}
