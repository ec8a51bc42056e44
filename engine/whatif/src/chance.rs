//! Chance that depends on what it is for, and on nothing else.

use headend_model::{Span, TestIx};
use headend_scheduler::digest::Digest;

/// What is drawn for one run: the same whichever policy starts it, and whenever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub(crate) seed: u64,
    /// Number of the job in its load.
    pub(crate) job: u64,
    pub(crate) test: TestIx,
    /// Which run of the test: the first that was started is 0, wherever that was.
    pub(crate) nth: u64,
}

/// What a draw is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    Length = 1,
    Result = 2,
}

impl Draw {
    /// 64 even bits.
    pub(crate) fn roll(self, what: Use) -> u64 {
        let mut digest = Digest::after(self.seed);
        digest.word(what as u64).word(self.job).word(u64::from(self.test.0)).word(self.nth);
        digest.value()
    }

    /// From 0 to 1, in steps of a millionth.
    pub(crate) fn share(self, what: Use) -> u64 {
        self.roll(what) % 1_000_001
    }
}

/// Between two lengths; `share` in millionths.
pub(crate) fn between(low: Span, high: Span, share: u64) -> Span {
    let width = (high.as_micros() - low.as_micros()).max(0);
    let part = i128::from(width) * i128::from(share) / 1_000_000;
    Span::micros(low.as_micros() + part as i64)
}
