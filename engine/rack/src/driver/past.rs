//! What a virtual box has shown lately, drawn again when somebody asks. The same story gives the same pictures, so what was told to the box is kept, and the
//! box as it was before: nothing is drawn, and no picture kept, for a failure that may not come.

use std::collections::VecDeque;

use headend_stb::Stb;

use super::Shot;

/// As far back as can be looked at least, in microseconds.
const SPAN_US: u64 = 10_000_000;
/// Most bytes of a story; when more was told in a shorter time, it reaches back less far.
const MOST_BYTES: usize = 16 << 10;
/// What a deed takes besides its words, in bytes.
const DEED_BYTES: usize = 64;

/// Something that was done to the box.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Press(Box<str>),
    Mains(bool),
    Send(Box<[u8]>),
    Inject(Box<str>),
}

impl Deed {
    fn bytes(&self) -> usize {
        DEED_BYTES
            + match self {
                Self::Press(text) | Self::Inject(text) => text.len(),
                Self::Send(bytes) => bytes.len(),
                Self::Mains(_) => 0,
            }
    }

    fn again(&self, stb: &mut Stb, at_us: u64) {
        match self {
            Self::Press(key) => {
                stb.press(key, at_us);
            }
            Self::Mains(on) => stb.mains(*on, at_us),
            Self::Send(bytes) => stb.send(bytes, at_us),
            // What was refused then is refused now.
            Self::Inject(fault) => {
                stb.inject(fault, at_us).ok();
            }
        }
    }
}

/// A box as it was, and what was done to it since.
#[derive(Clone, Debug)]
struct Chapter {
    stb: Stb,
    deeds: Vec<(u64, Deed)>,
    bytes: usize,
}

impl Chapter {
    fn of(stb: &Stb) -> Self {
        Self { stb: stb.without_records(), deeds: Vec::new(), bytes: 0 }
    }
}

/// Two chapters: the newer one begins at most [`SPAN_US`] of story after the older one, so both together reach back that far.
#[derive(Debug)]
pub(super) struct Story {
    older: Option<Chapter>,
    newer: Chapter,
}

impl Story {
    pub(super) fn of(stb: &Stb) -> Self {
        Self { older: None, newer: Chapter::of(stb) }
    }

    /// To be called before the box is asked for anything.
    pub(super) fn keep_up(&mut self, stb: &Stb) {
        if stb.now_us().saturating_sub(self.newer.stb.now_us()) >= SPAN_US {
            self.turn(stb);
        }
    }

    fn turn(&mut self, stb: &Stb) {
        self.older = Some(std::mem::replace(&mut self.newer, Chapter::of(stb)));
    }

    /// This was done to the box, which is now so.
    pub(super) fn note(&mut self, stb: &Stb, at_us: u64, deed: Deed) {
        let bytes = deed.bytes();
        if bytes > MOST_BYTES {
            *self = Self::of(stb);
            return;
        }
        self.newer.bytes += bytes;
        self.newer.deeds.push((at_us, deed));
        if self.newer.bytes > MOST_BYTES {
            self.turn(stb);
        }
    }

    /// The box on its way from then to now. To be drawn without the box of now.
    pub(super) fn told(&self, from_us: u64, to_us: u64, every_us: u64) -> Told {
        let old = self.older.as_ref().filter(|_| self.newer.stb.now_us() > from_us);
        let first = old.unwrap_or(&self.newer);
        let later = old.map(|_| &self.newer).into_iter().flat_map(|chapter| &chapter.deeds);
        let deeds = first.deeds.iter().chain(later).cloned().collect();
        let next_us = from_us.max(first.stb.now_us());
        Told { stb: first.stb.clone(), deeds, next_us, to_us, every_us: every_us.max(1) }
    }
}

/// Draws what was shown, picture by picture.
pub(super) struct Told {
    stb: Stb,
    deeds: VecDeque<(u64, Deed)>,
    next_us: u64,
    to_us: u64,
    every_us: u64,
}

impl Iterator for Told {
    type Item = Shot;

    fn next(&mut self) -> Option<Shot> {
        if self.next_us > self.to_us {
            return None;
        }
        while let Some((at_us, deed)) = self.deeds.pop_front_if(|(at_us, _)| *at_us <= self.next_us) {
            deed.again(&mut self.stb, at_us);
        }
        let view = self.stb.look(self.next_us);
        self.next_us = self.next_us.saturating_add(self.every_us);
        Some(Shot { at_us: view.at_us(), picture: view.draw() })
    }
}
