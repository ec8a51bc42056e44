//! The host's side of all handles of one instance: what it may ask, how often, for how long, and how much it may keep.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headend_media::{self as media, Cell, Colour, Comparison, Found, Picture, Rect, Span, Statistics, Sums};

use super::ocr::{Ocr, Reading, Unread, Word};
use super::{Frame, Heard};
use crate::analyser::verdict::cut;
use crate::manifest::{Capability, Manifest};

/// Most handles of an instance.
const MAX_HANDLES: usize = 256;
/// Most bytes of pixels and sums that an instance may keep alive.
const MAX_KEPT: usize = 64 << 20;
/// Most bytes of one read.
const MAX_READ: u64 = 64 << 10;
/// Most parts that are covered at once.
const MAX_PARTS: usize = 64;
/// Most bytes of a log line.
const MAX_LOG_LINE: usize = 1 << 10;

/// Name of something that the desk keeps for the guest.
pub(super) type Handle = u32;

/// Told to the guest, who may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Fault {
    Empty,
    TooLarge,
    Misfit,
    Full,
}

impl Fault {
    /// For people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Empty => "nothing is left of the part that was asked about",
            Self::TooLarge => "that is more than one call may hand over (64 KiB), or larger than 4096 pixels a side",
            Self::Misfit => "the pictures, or picture and mask, differ in size or kind",
            Self::Full => "too much is kept: at most 256 handles and 64 MiB of pixels",
        }
    }
}

/// What ends the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Too many calls.
    Calls,
    /// Out of time.
    Time,
    /// A handle that is not there. Guests cannot make such; a bug of ours would.
    Handle,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Fault(Fault),
    Over(Over),
}

impl From<media::Fault> for Trouble {
    fn from(fault: media::Fault) -> Self {
        match fault {
            media::Fault::Empty => Self::Fault(Fault::Empty),
            media::Fault::TooLarge => Self::Fault(Fault::TooLarge),
            media::Fault::Misfit => Self::Fault(Fault::Misfit),
            media::Fault::Stopped => Self::Over(Over::Time),
        }
    }
}

type Answer<T> = Result<T, Trouble>;

enum Thing {
    Picture(Picture),
    Sums(Sums),
    Frame(Frame),
    Heard(Heard),
}

impl Thing {
    /// Frames and sounds are lent by the host, and gone after the call.
    fn kept_bytes(&self) -> usize {
        match self {
            Self::Picture(picture) => picture.kept_bytes(),
            Self::Sums(sums) => sums.bytes(),
            Self::Frame(_) | Self::Heard(_) => 0,
        }
    }
}

/// What an instance may do beyond asking about pictures and sound: what its manifest asks for and was granted.
#[derive(Clone, Debug)]
pub(super) struct May {
    pub(super) log: bool,
    /// The program for it.
    pub(super) ocr: Option<Ocr>,
}

impl May {
    /// Of a plugin that was let in, so all that it asks for is granted.
    pub(super) fn of(manifest: &Manifest, ocr: &Ocr) -> Self {
        let asks = |capability| manifest.capabilities.contains(&capability);
        Self { log: asks(Capability::Log), ocr: asks(Capability::Ocr).then(|| ocr.clone()) }
    }
}

/// One per instance.
pub(super) struct Desk {
    label: String,
    /// Per call.
    most_calls: u32,
    calls: u32,
    until: Instant,
    over: Option<Over>,
    may: May,
    lines_dropped: u64,
    things: BTreeMap<Handle, Thing>,
    next: Handle,
    kept: usize,
}

impl Desk {
    pub(super) fn new(label: &str, most_calls: u32, may: May) -> Self {
        let (calls, until, next) = (0, Instant::now(), 1);
        let (label, things) = (label.to_owned(), BTreeMap::new());
        Self { label, most_calls, calls, until, over: None, may, lines_dropped: 0, things, next, kept: 0 }
    }

    /// A call into the guest begins.
    pub(super) fn begin(&mut self, deadline: Duration) {
        self.calls = 0;
        self.until = Instant::now() + deadline;
    }

    /// A call into the guest has ended.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.lines_dropped) > 0 {
            tracing::warn!(plugin = %self.label, "wrote more log lines than its host calls allow; the rest was dropped");
        }
    }

    /// What ended it, if the desk did.
    pub(super) const fn over(&self) -> Option<Over> {
        self.over
    }

    /// Time that is left for the call into the guest.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Each answer of the desk goes through here.
    fn count<T>(&mut self, work: impl FnOnce(&mut Self) -> Answer<T>) -> Answer<T> {
        self.calls = self.calls.saturating_add(1);
        let answer = if self.calls > self.most_calls {
            Err(Trouble::Over(Over::Calls))
        } else if Instant::now() >= self.until {
            Err(Trouble::Over(Over::Time))
        } else {
            work(self)
        };
        if let Err(Trouble::Over(over)) = answer {
            self.over = Some(over);
        }
        answer
    }

    fn put(&mut self, thing: Thing) -> Answer<Handle> {
        let bytes = self.kept.saturating_add(thing.kept_bytes());
        if self.things.len() >= MAX_HANDLES || bytes > MAX_KEPT {
            return Err(Trouble::Fault(Fault::Full));
        }
        self.kept = bytes;
        Ok(self.put_anyhow(thing))
    }

    fn put_anyhow(&mut self, thing: Thing) -> Handle {
        let handle = self.next;
        // Used again after four thousand million handles at the earliest; those that still live are stepped over.
        self.next = (handle.wrapping_add(1)).max(1);
        while self.things.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1).max(1);
        }
        self.things.insert(handle, thing);
        handle
    }

    /// Lends a frame for one call.
    pub(super) fn lend_frame(&mut self, frame: &Frame) -> Handle {
        self.put_anyhow(Thing::Frame(frame.clone()))
    }

    /// Lends a sound for one call.
    pub(super) fn lend_sound(&mut self, heard: &Heard) -> Handle {
        self.put_anyhow(Thing::Heard(heard.clone()))
    }

    /// Hands over a picture for good. `None`: it is more than an instance may keep.
    pub(super) fn give(&mut self, picture: &Picture) -> Option<Handle> {
        self.put(Thing::Picture(picture.clone())).ok()
    }

    /// The guest, or the host, is done with it.
    pub(super) fn drop(&mut self, handle: Handle) {
        if let Some(thing) = self.things.remove(&handle) {
            self.kept = self.kept.saturating_sub(thing.kept_bytes());
        }
    }

    fn thing(&self, handle: Handle) -> Answer<&Thing> {
        self.things.get(&handle).ok_or(Trouble::Over(Over::Handle))
    }

    fn seen(&self, handle: Handle) -> Answer<&Picture> {
        match self.thing(handle)? {
            Thing::Picture(picture) => Ok(picture),
            Thing::Sums(_) | Thing::Frame(_) | Thing::Heard(_) => Err(Trouble::Over(Over::Handle)),
        }
    }

    fn mask(&self, handle: Option<Handle>) -> Answer<Option<&Picture>> {
        handle.map(|handle| self.seen(handle)).transpose()
    }

    /// Log lines past the budget are dropped, not punished.
    pub(super) fn log(&mut self, text: &str) {
        self.calls = self.calls.saturating_add(1);
        if self.may.log && self.calls <= self.most_calls {
            tracing::info!(plugin = %self.label, "{}", cut(text, MAX_LOG_LINE));
        } else {
            self.lines_dropped += 1;
        }
    }

    pub(super) fn frame(&mut self, of: Handle) -> Answer<Frame> {
        self.count(|desk| match desk.thing(of)? {
            Thing::Frame(frame) => Ok(frame.clone()),
            Thing::Picture(_) | Thing::Sums(_) | Thing::Heard(_) => Err(Trouble::Over(Over::Handle)),
        })
    }

    pub(super) fn frame_picture(&mut self, of: Handle) -> Answer<Handle> {
        let picture = self.frame(of)?.picture;
        self.put(Thing::Picture(picture))
    }

    pub(super) fn heard(&mut self, of: Handle) -> Answer<Heard> {
        self.count(|desk| match desk.thing(of)? {
            Thing::Heard(heard) => Ok(heard.clone()),
            Thing::Picture(_) | Thing::Sums(_) | Thing::Frame(_) => Err(Trouble::Over(Over::Handle)),
        })
    }

    /// Samples of one channel.
    pub(super) fn samples(&mut self, of: Handle, channel: u32, part: Span) -> Answer<Vec<i16>> {
        let heard = self.heard(of)?;
        if u64::from(part.count.min(heard.sound.count())) * 2 > MAX_READ {
            return Err(Trouble::Fault(Fault::TooLarge));
        }
        Ok(heard.sound.read(channel, part).collect())
    }

    /// The picture itself, for its size and kind.
    pub(super) fn picture(&mut self, of: Handle) -> Answer<Picture> {
        self.count(|desk| desk.seen(of).cloned())
    }

    fn made(&mut self, of: Handle, make: impl FnOnce(&Self, &Picture) -> Answer<Picture>) -> Answer<Handle> {
        self.count(|desk| {
            let picture = make(desk, desk.seen(of)?)?;
            desk.put(Thing::Picture(picture))
        })
    }

    pub(super) fn keep(&mut self, of: Handle) -> Answer<Handle> {
        self.made(of, |_, picture| Ok(picture.clone()))
    }

    pub(super) fn crop(&mut self, of: Handle, area: Rect) -> Answer<Handle> {
        self.made(of, |_, picture| Ok(picture.crop(area)?))
    }

    pub(super) fn grey(&mut self, of: Handle) -> Answer<Handle> {
        self.made(of, |_, picture| Ok(picture.grey()))
    }

    pub(super) fn scale(&mut self, of: Handle, width: u32, height: u32) -> Answer<Handle> {
        self.made(of, |_, picture| Ok(picture.scale(width, height)?))
    }

    pub(super) fn difference(&mut self, of: Handle, other: Handle) -> Answer<Handle> {
        self.made(of, |desk, picture| Ok(picture.difference(desk.seen(other)?)?))
    }

    pub(super) fn covered(&mut self, of: Handle, parts: &[Rect]) -> Answer<Handle> {
        if parts.len() > MAX_PARTS {
            return Err(Trouble::Fault(Fault::TooLarge));
        }
        self.made(of, |_, picture| Ok(picture.covered(parts)))
    }

    pub(super) fn plain(&mut self, width: u32, height: u32, value: u8) -> Answer<Handle> {
        self.count(|desk| {
            // Looked at before it is made.
            if width > media::MAX_SIDE || height > media::MAX_SIDE {
                return Err(Trouble::Fault(Fault::TooLarge));
            }
            let data = vec![value; width as usize * height as usize];
            desk.put(Thing::Picture(Picture::of_grey(width, height, data)?))
        })
    }

    pub(super) fn read(&mut self, of: Handle, area: Rect) -> Answer<Vec<u8>> {
        self.count(|desk| {
            let picture = desk.seen(of)?;
            let bytes = if picture.is_grey() { 1 } else { 3 };
            if area.within(picture.width(), picture.height()).pixels() * bytes > MAX_READ {
                return Err(Trouble::Fault(Fault::TooLarge));
            }
            Ok(picture.read(area))
        })
    }

    pub(super) fn statistics(&mut self, of: Handle, area: Rect) -> Answer<Statistics> {
        self.count(|desk| Ok(desk.seen(of)?.statistics(area)?))
    }

    pub(super) fn histogram(&mut self, of: Handle, area: Rect) -> Answer<Vec<u32>> {
        self.count(|desk| {
            let picture = desk.seen(of)?;
            if area.within(picture.width(), picture.height()).is_empty() {
                return Err(Trouble::Fault(Fault::Empty));
            }
            Ok(picture.histogram(area).to_vec())
        })
    }

    pub(super) fn near(&mut self, of: Handle, area: Rect, colour: Colour, tolerance: Colour) -> Answer<u32> {
        self.count(|desk| Ok(desk.seen(of)?.near(area, colour, tolerance)))
    }

    pub(super) fn sharpness(&mut self, of: Handle, area: Rect) -> Answer<f64> {
        self.count(|desk| Ok(desk.seen(of)?.sharpness(area)?))
    }

    pub(super) fn grid(&mut self, of: Handle, area: Rect, side: u32) -> Answer<Vec<Cell>> {
        self.count(|desk| Ok(desk.seen(of)?.grid(area, side)?))
    }

    /// The inner error is a sentence for people.
    pub(super) fn read_text(&mut self, of: Handle, area: Rect, how: &Reading) -> Answer<Result<Vec<Word>, String>> {
        let within = self.left();
        self.count(|desk| {
            let picture = desk.seen(of)?;
            let Some(ocr) = &desk.may.ocr else {
                return Ok(Err("the manifest does not ask for the capability `ocr`".into()));
            };
            match ocr.read(picture, area, how, within) {
                Ok(words) => Ok(Ok(words)),
                Err(Unread::Said(what)) => Ok(Err(what)),
                Err(Unread::Late) => Err(Trouble::Over(Over::Time)),
            }
        })
    }

    pub(super) fn sums(&mut self, of: Handle) -> Answer<Handle> {
        self.count(|desk| {
            let picture = desk.seen(of)?;
            // Looked at before they are made: sums are large.
            if desk.kept.saturating_add(Sums::bytes_for(picture.width(), picture.height())) > MAX_KEPT {
                return Err(Trouble::Fault(Fault::Full));
            }
            let sums = picture.sums();
            desk.put(Thing::Sums(sums))
        })
    }

    /// Sum, and sum of squares.
    pub(super) fn sum(&mut self, of: Handle, area: Rect) -> Answer<(u64, u64)> {
        self.count(|desk| match desk.thing(of)? {
            Thing::Sums(sums) => Ok((sums.sum(area), sums.square_sum(area))),
            Thing::Picture(_) | Thing::Frame(_) | Thing::Heard(_) => Err(Trouble::Over(Over::Handle)),
        })
    }

    pub(super) fn compare(
        &mut self,
        of: Handle,
        other: Handle,
        tolerance: u8,
        mask: Option<Handle>,
    ) -> Answer<Comparison> {
        self.count(|desk| Ok(desk.seen(of)?.compare(desk.seen(other)?, tolerance, desk.mask(mask)?)?))
    }

    pub(super) fn find(
        &mut self,
        of: Handle,
        what: Handle,
        mask: Option<Handle>,
        area: Rect,
        least: f64,
    ) -> Answer<Option<Found>> {
        let until = self.until;
        let stopped = move || Instant::now() >= until;
        self.count(|desk| Ok(desk.seen(of)?.find(desk.seen(what)?, desk.mask(mask)?, area, least, &stopped)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(calls: u32) -> Desk {
        let mut desk = Desk::new("test 1.0.0", calls, May { log: false, ocr: None });
        desk.begin(Duration::from_mins(1));
        desk
    }

    fn large() -> Picture {
        Picture::colour(2_048, 2_048, vec![0; 2_048 * 2_048 * 3]).unwrap()
    }

    #[test]
    fn an_instance_keeps_so_much_and_no_more() {
        let mut desk = desk(10_000);
        let first = desk.give(&large()).unwrap();
        let mut kept: Vec<Handle> = std::iter::from_fn(|| desk.keep(first).ok()).collect();
        assert_eq!(kept.len(), 4, "five times 12 MiB fit into 64 MiB");
        assert_eq!(desk.crop(first, Rect::of_size(1, 1)), Err(Trouble::Fault(Fault::Full)), "a part keeps the whole");
        assert_eq!(desk.sums(first), Err(Trouble::Fault(Fault::Full)));
        desk.drop(kept.remove(0));
        assert!(desk.scale(first, 10, 10).is_ok());
        let tiny = desk.grey(first).and_then(|grey| desk.scale(grey, 1, 1)).unwrap();
        assert!((0..300).any(|_| desk.keep(tiny) == Err(Trouble::Fault(Fault::Full))), "handles are counted too");
    }

    #[test]
    fn calls_and_time_end_it() {
        let mut desk = desk(2);
        let picture = desk.give(&large()).unwrap();
        assert!(desk.picture(picture).is_ok() && desk.picture(picture).is_ok());
        assert_eq!(
            desk.near(picture, Rect::of_size(1, 1), Colour::default(), Colour::default()),
            Err(Trouble::Over(Over::Calls))
        );
        assert_eq!(desk.over(), Some(Over::Calls));
        desk.begin(Duration::ZERO);
        assert_eq!(desk.grey(picture), Err(Trouble::Over(Over::Time)));
        desk.begin(Duration::from_mins(1));
        assert_eq!(desk.read(picture, Rect::of_size(2_048, 11)), Err(Trouble::Fault(Fault::TooLarge)));
        assert_eq!(desk.picture(99), Err(Trouble::Over(Over::Handle)));
    }
}
