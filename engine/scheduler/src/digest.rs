//! A short digest of plain data: the same everywhere, for comparing decisions. No protection against forgery.

/// 64 bits, fed word by word.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u64);

impl Digest {
    /// Goes on from an earlier digest; 0 begins.
    pub const fn after(earlier: u64) -> Self {
        Self(earlier ^ 0xcbf2_9ce4_8422_2325)
    }

    /// Takes a number in.
    pub const fn word(&mut self, word: u64) -> &mut Self {
        // `SplitMix64`'s mixer: every bit of the input moves half of the output.
        let mut z = self.0.rotate_left(23) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
        self
    }

    /// Takes a text in, with its length, so that two texts in a row cannot be taken for others.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(bytes));
        }
        self
    }

    /// The digest of all that was taken in.
    pub const fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_borders_count() {
        let words = |a, b| Digest::after(0).word(a).word(b).value();
        let texts = |a, b| Digest::after(0).text(a).text(b).value();
        assert_ne!(words(1, 2), words(2, 1));
        assert_ne!(texts("ab", "c"), texts("a", "bc"));
        assert_eq!(texts("rack1", ""), texts("rack1", ""));
    }
}
