//! The pictures of a change, one by one: kept from the key on that a timer waits for (`EnableCaptureZapFrames`, `GetRawZapFrame`).
//!
//! They are JPEG of the full size in memory, as many as were asked for and no more than [`MOST_BYTES`] of a slot. A file is made of one that a script
//! asks for; analysers see the others without.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use headend_media::Picture;
use headend_plugin_host::analyser::stored;
use headend_wire::session::{CallError, Captured, Frames, SlotAnswer};
use serde_json::{Value, json};

use super::Session;
use super::calls::value;
use super::look::blocking;
use super::looker::{Hours, View};
use super::walk::Lookers;
use crate::record::pictures::{create, jpeg};

/// Most pictures of a change.
const MOST: u32 = 1_000;
/// Most bytes of them.
const MOST_BYTES: usize = 64 << 20;
/// High enough that colours are not smeared over from one pixel to the next.
const QUALITY: u8 = 92;
/// How a call names one of them: `frame:SLOT/INDEX`.
const NAME: &str = "frame:";
/// They are given this much longer than the timer, in microseconds.
const SLACK_US: u64 = 10_000_000;

/// Which pictures are to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) most: u32,
    /// 0: the first new one after the key.
    pub(super) first: u32,
    /// So many are left out between two.
    pub(super) skip: u32,
}

impl Wish {
    fn wants(self, number: u32) -> bool {
        number.checked_sub(self.first).is_some_and(|past| past.is_multiple_of(self.skip.saturating_add(1)))
    }
}

/// One of them.
#[derive(Clone, Debug)]
struct Kept {
    at_us: u64,
    jpeg: Arc<[u8]>,
    /// The file that was made of it.
    file: Option<PathBuf>,
}

/// Those of one change at one slot.
#[derive(Debug)]
pub(super) struct Reel {
    wish: Wish,
    deadline_us: u64,
    frame_us: u64,
    next_us: u64,
    /// New pictures so far, and when the last one came; at first when the key was pressed.
    seen: u32,
    last_us: u64,
    kept: Vec<Kept>,
    bytes: usize,
    size: (u32, u32),
    over: bool,
}

impl Reel {
    fn new(wish: Wish, Hours { began_us, timeout_us, .. }: Hours, frame_us: u64) -> Self {
        Self {
            wish,
            deadline_us: began_us.saturating_add(timeout_us),
            frame_us: frame_us.max(1),
            next_us: began_us,
            seen: 0,
            last_us: began_us,
            kept: Vec::new(),
            bytes: 0,
            size: (0, 0),
            over: false,
        }
    }

    /// When it wants to look again; `None`: never.
    pub(super) fn due_us(&self) -> Option<u64> {
        (!self.over).then_some(self.next_us)
    }

    /// It does not have the picture of this number, and more come.
    pub(super) fn may_get(&self, index: u32) -> bool {
        !self.over && self.kept.len() <= index as usize
    }

    /// Looks, if it is time. Takes some milliseconds.
    pub(super) fn look(&mut self, view: &View<'_>) {
        let now = view.now_us();
        if self.over || now < self.next_us {
            return;
        }
        self.next_us = now.saturating_add(self.frame_us);
        if let Ok(shot) = view.shot() {
            self.take(shot.at_us, &shot.picture);
        }
        let full = self.kept.len() >= self.wish.most as usize || self.bytes >= MOST_BYTES;
        self.over = full || now >= self.deadline_us;
    }

    /// A picture that was there before, or was seen already, is no new one.
    fn take(&mut self, at_us: u64, picture: &Picture) {
        if at_us <= self.last_us {
            return;
        }
        (self.last_us, self.seen) = (at_us, self.seen.saturating_add(1));
        if !self.wish.wants(self.seen - 1) {
            return;
        }
        // What cannot be encoded is too large for any file of a picture.
        let Ok(jpeg) = jpeg(picture, QUALITY) else { return };
        self.bytes += jpeg.len();
        self.size = (picture.width(), picture.height());
        self.kept.push(Kept { at_us, jpeg: jpeg.into(), file: None });
    }

    fn frames(&self) -> Frames {
        let (width, height) = self.size;
        Frames { count: u32::try_from(self.kept.len()).unwrap_or(u32::MAX), width, height }
    }
}

impl Session {
    pub(super) fn keep_frames(&mut self, wish: Wish, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, place, _) in self.chosen("keeping pictures of a zap", slot)? {
            let wish = Wish { most: wish.most.min(MOST), ..wish };
            if wish.most == 0 {
                self.wishes.remove(&place);
            } else {
                self.wishes.insert(place, wish);
            }
            answers.push(SlotAnswer { slot: number, value: true });
        }
        self.keep_slots("keep_frames", &json!({ "most": wish.most, "first": wish.first, "skip": wish.skip }), &answers);
        Ok(value(&answers))
    }

    /// For a timer whose key has just been pressed; `None`: nobody wants pictures.
    pub(super) fn reel(&self, place: usize, hours: Hours, frame_us: u64) -> Option<Reel> {
        self.wishes.get(&place).map(|wish| Reel::new(*wish, hours, frame_us))
    }

    pub(super) async fn kept_frames(&mut self, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, place, _) in self.chosen("counting pictures of a zap", slot)? {
            let frames = self.with_reel((number, place), u32::MAX, |reel| reel.frames()).await?;
            answers.push(SlotAnswer { slot: number, value: frames.unwrap_or_default() });
        }
        Ok(value(&answers))
    }

    pub(super) async fn kept_frame(&mut self, index: u32, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, place, _) in self.chosen("taking a picture of a zap", slot)? {
            let found = self.with_reel((number, place), index, move |reel| {
                Some((reel.kept.get(index as usize)?.clone(), reel.frames()))
            });
            let captured = match found.await?.flatten() {
                None => None,
                Some((kept, frames)) => Some(self.frame_file((number, place), index, kept, frames).await?),
            };
            answers.push(SlotAnswer { slot: number, value: captured });
        }
        Ok(value(&answers))
    }

    /// Its file, made when it is first asked for.
    async fn frame_file(
        &mut self,
        (number, place): (u32, usize),
        index: u32,
        kept: Kept,
        Frames { width, height, .. }: Frames,
    ) -> Result<Captured, CallError> {
        if let Some(file) = kept.file {
            return Ok(Captured { path: file.display().to_string(), width, height });
        }
        let folder = self.folder_for_capture()?;
        let written = blocking(move || -> std::io::Result<PathBuf> {
            let (mut file, path) = create(&folder, &format!("zapframe_{number}_{index:04}.jpg"))?;
            file.write_all(&kept.jpeg)?;
            Ok(path)
        });
        let path = written.await?.map_err(|error| CallError {
            code: "device".to_owned(),
            message: format!("slot {number}: picture {index} of a zap cannot be written: {error}"),
        })?;
        let captured = Captured { path: path.display().to_string(), width, height };
        let event = json!({ "slot": number, "index": index, "at_us": kept.at_us, "path": captured.path });
        self.recorder.event("zap_frame", true, &event);
        let noted = move |reel: &mut Reel| {
            if let Some(kept) = reel.kept.get_mut(index as usize) {
                kept.file = Some(path);
            }
        };
        self.with_reel((number, place), 0, noted).await?;
        Ok(captured)
    }

    /// A picture of a zap by its name in calls, `frame:SLOT/INDEX`; `None`: it is the name of something else.
    pub(super) async fn frame_named(&mut self, name: &str) -> Result<Option<(i64, Picture)>, CallError> {
        let Some((slot, index)) = name.strip_prefix(NAME).and_then(|name| name.split_once('/')) else {
            return Ok(None);
        };
        let none = || CallError {
            code: "bad_call".to_owned(),
            message: format!("there is no picture {name}; GetCountImagesSaved tells how many a slot has"),
        };
        let (slot, index) = (slot.parse().map_err(|_| none())?, index.parse::<u32>().map_err(|_| none())?);
        let (_, place) = self.slots.chosen(Some(slot)).first().copied().ok_or_else(none)?;
        let found = self.with_reel((slot, place), index, move |reel| reel.kept.get(index as usize).cloned());
        let kept = found.await?.flatten().ok_or_else(none)?;
        let decoded = blocking(move || stored::decode(&kept.jpeg)).await?.map_err(|_| none())?;
        Ok(Some((i64::try_from(kept.at_us).unwrap_or(i64::MAX), decoded.picture)))
    }

    /// Lets time pass until that one is kept or no more come, and does something with them. `None`: no key has begun any.
    async fn with_reel<T: Send + 'static>(
        &mut self,
        (number, place): (u32, usize),
        index: u32,
        work: impl FnOnce(&mut Reel) -> T + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        let Some(scene) = self.scenes.get(place).cloned() else { return Ok(None) };
        let looking = scene.clone();
        let due = blocking(move || looking.lock().reel.as_ref().map(|reel| reel.deadline_us)).await?;
        let give_up = due.unwrap_or_default().saturating_add(SLACK_US);
        while scene.reel_turns(index) && scene.driver.now_us() < give_up {
            self.device(number, place)?;
            self.walk(scene.driver.frame_us(), &mut Lookers::new()).await?;
        }
        blocking(move || scene.lock().reel.as_mut().map(work)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reel(wish: Wish) -> Reel {
        let mut reel = Reel::new(wish, Hours { began_us: 80_000, timeout_us: 1_000_000, gap_us: 0 }, 40_000);
        for frame in 0..20_u8 {
            let picture = Picture::colour(16, 8, vec![frame; 16 * 8 * 3]).unwrap();
            // A card may give the same picture twice.
            for _ in 0..2 {
                if (reel.kept.len() as u32) < wish.most {
                    reel.take(u64::from(frame) * 40_000, &picture);
                }
            }
        }
        reel
    }

    fn times(wish: Wish) -> Vec<u64> {
        reel(wish).kept.iter().map(|kept| kept.at_us / 40_000).collect()
    }

    #[test]
    fn the_first_after_the_key_is_number_0_and_some_may_be_left_out() {
        assert_eq!(times(Wish { most: 3, first: 0, skip: 0 }), [3, 4, 5]);
        assert_eq!(times(Wish { most: 3, first: 2, skip: 0 }), [5, 6, 7]);
        assert_eq!(times(Wish { most: 9, first: 1, skip: 3 }), [4, 8, 12, 16]);
        assert_eq!(times(Wish { most: 9, first: u32::MAX, skip: u32::MAX }), [0; 0]);
        let kept = reel(Wish { most: 2, first: 0, skip: 0 });
        assert_eq!(kept.frames(), Frames { count: 2, width: 16, height: 8 });
    }
}
