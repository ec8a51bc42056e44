//! The virtual set-top box as a driver: a clock and a lock around [`headend_stb::Stb`].

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, ready};
use headend_media::Sound;
use headend_stb::{FRAME_US, Stb};

use super::past::{Deed, Story};
use super::{Driver, DriverError, Past, SerialLine, SerialNews, Shot};
use crate::clock::boot_now;
use crate::options::VirtualOptions;

/// One box.
#[derive(Debug)]
pub struct VirtualStb {
    name: String,
    virtual_time: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    stb: Stb,
    /// What can be looked back at.
    story: Story,
    /// The box's time when it is virtual.
    virtual_us: u64,
}

impl VirtualStb {
    /// A box that has been on for a while and shows its first channel. In virtual time its clock begins at 0; in real time it is that of the host.
    pub fn new(options: VirtualOptions) -> Self {
        let VirtualOptions { name, virtual_time, stb } = options;
        let now_us = if virtual_time { 0 } else { host_us() };
        let stb = Stb::new(stb, now_us);
        let story = Story::of(&stb);
        Self { name, virtual_time, inner: Mutex::new(Inner { stb, story, virtual_us: 0 }) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Stb, u64) -> T) -> T {
        self.with_story(|stb, _, now_us| work(stb, now_us))
    }

    fn with_story<T>(&self, work: impl FnOnce(&mut Stb, &mut Story, u64) -> T) -> T {
        // The state stays whole even if a holder panicked: each change is made in one go.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now_us = if self.virtual_time { inner.virtual_us } else { host_us() };
        let Inner { stb, story, .. } = &mut *inner;
        story.keep_up(stb);
        work(stb, story, now_us)
    }

    /// Does something to the box, and remembers it.
    fn change<T>(&self, deed: Deed, work: impl FnOnce(&mut Stb, u64) -> T) -> T {
        self.with_story(|stb, story, now_us| {
            let done = work(stb, now_us);
            story.note(stb, now_us, deed);
            done
        })
    }

    /// A virtual clock goes on to the next picture: what was done is to be seen in it.
    fn next_picture(&self) {
        if self.virtual_time {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.virtual_us = inner.virtual_us.saturating_add(FRAME_US);
        }
    }
}

fn host_us() -> u64 {
    boot_now().micros().unsigned_abs()
}

impl Driver for VirtualStb {
    fn kind(&self) -> &'static str {
        "virtual"
    }

    fn builtin_dut(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>> {
        let taken = self.change(Deed::Press(key.into()), |stb, now_us| stb.press(key, now_us));
        self.next_picture();
        ready(Ok(taken)).boxed()
    }

    fn power(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        self.change(Deed::Mains(on), |stb, now_us| stb.mains(on, now_us));
        ready(Ok(true)).boxed()
    }

    fn capture(&self) -> Result<Shot, DriverError> {
        // Nobody waits for the drawing: it needs no box.
        let view = self.with(Stb::look);
        Ok(Shot { at_us: view.at_us(), picture: view.draw() })
    }

    fn shows_past(&self) -> bool {
        true
    }

    fn past(&self, from_us: u64, to_us: u64, every_us: u64) -> Option<Past> {
        let told = self.with_story(|_, story, now_us| story.told(from_us, to_us.min(now_us), every_us));
        Some(Box::new(told))
    }

    fn frame_us(&self) -> u64 {
        FRAME_US
    }

    fn now_us(&self) -> u64 {
        self.with(|_, now_us| now_us)
    }

    fn is_virtual(&self) -> bool {
        self.virtual_time
    }

    fn reach(&self, at_us: u64) -> BoxFuture<'_, ()> {
        if self.virtual_time {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.virtual_us = inner.virtual_us.max(at_us);
            return ready(()).boxed();
        }
        let left = Duration::from_micros(at_us.saturating_sub(self.now_us()));
        tokio::time::sleep(left).boxed()
    }

    fn sound(&self, from_us: u64, length_us: u64) -> Result<Option<Sound>, DriverError> {
        Ok(self.with(|stb, now_us| {
            stb.advance(now_us);
            stb.sound(from_us, length_us)
        }))
    }

    fn has_serial(&self) -> bool {
        true
    }

    fn serial_send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        self.change(Deed::Send(bytes.into()), |stb, now_us| stb.send(bytes, now_us));
        ready(Ok(())).boxed()
    }

    fn serial_since(&self, from: u64) -> SerialNews {
        let news = self.with(|stb, now_us| stb.serial_since(from, now_us));
        let line = |line: headend_stb::Line| SerialLine { at_us: line.at_us, text: line.text.into() };
        SerialNews { lines: news.lines.into_iter().map(line).collect(), next: news.next, lost: news.lost }
    }

    fn inject(&self, fault: &str) -> Result<(), DriverError> {
        let ordered = self.change(Deed::Inject(fault.into()), |stb, now_us| stb.inject(fault, now_us));
        ordered.map_err(|error| DriverError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stb(virtual_time: bool) -> VirtualStb {
        VirtualStb::new(VirtualOptions { virtual_time, ..VirtualOptions::numbered(1) })
    }

    #[tokio::test]
    async fn a_virtual_clock_moves_by_keys_and_waits_only() {
        let stb = stb(true);
        assert_eq!((stb.now_us(), stb.is_virtual(), stb.capture().unwrap().at_us), (0, true, 0));
        assert!(stb.press("Channel+").await.unwrap());
        assert_eq!(stb.now_us(), FRAME_US, "the picture after the key");
        assert!(stb.capture().unwrap().picture.rows().flatten().all(|value| *value == 0), "a zap begins black");
        stb.reach(2_000_000).await;
        stb.reach(1).await;
        let shot = stb.capture().unwrap();
        assert_eq!((stb.now_us(), shot.at_us), (2_000_000, 2_000_000));
        let sound = stb.sound(1_000_000, 1_000_000).unwrap().unwrap();
        assert!(sound.tone(0, sound.whole(), 450.0) > 0.99, "the tone of channel 2");
        assert!(stb.power(false).await.unwrap() && !stb.press("Ok").await.unwrap());
    }

    #[tokio::test]
    async fn what_was_shown_is_drawn_again_to_the_last_pixel() {
        let stb = stb(true);
        let mut seen = Vec::new();
        for turn in 0..40_u64 {
            match turn % 8 {
                1 => assert!(stb.press("Channel+").await.is_ok()),
                3 => stb.serial_send(b"channel 7\n").await.unwrap(),
                5 => stb.inject("freeze 300ms").unwrap(),
                6 => assert!(stb.press("Menu").await.is_ok()),
                7 if turn == 23 => assert!(stb.power(false).await.unwrap()),
                7 if turn == 31 => assert!(stb.power(true).await.unwrap()),
                _ => {}
            }
            stb.reach(turn * 520_000 + 13).await;
            seen.push(stb.capture().unwrap());
        }
        let now = stb.now_us();
        let from = now - 10_000_000;
        let past: Vec<Shot> = stb.past(from, now, FRAME_US).unwrap().collect();
        assert_eq!(past.len(), 251, "25 a second, and the first");
        let late: Vec<&Shot> = seen.iter().filter(|shot| shot.at_us >= from).collect();
        assert!(late.len() >= 18);
        for shot in late {
            let again = past.iter().rev().find(|past| past.at_us <= shot.at_us).unwrap();
            assert_eq!((again.at_us, &again.picture), (shot.at_us, &shot.picture));
        }
        assert_eq!(stb.now_us(), now, "nothing has passed meanwhile");
    }

    #[tokio::test]
    async fn the_past_of_a_box_that_was_told_too_much_is_short_and_bounded() {
        let stb = stb(true);
        stb.press(&"x".repeat(1 << 20)).await.unwrap();
        for _ in 0..3_000 {
            stb.press("no such key of this box").await.unwrap();
        }
        let now = stb.now_us();
        let past: Vec<Shot> = stb.past(0, now, 1_000_000).unwrap().collect();
        assert!(!past.is_empty() && past[0].at_us > 0, "{}", past.len());
    }

    #[tokio::test]
    async fn a_real_clock_runs_by_itself_and_is_waited_for() {
        let stb = stb(false);
        let begun = stb.now_us();
        stb.reach(begun + 50_000).await;
        let shot = stb.capture().unwrap();
        assert!(!stb.is_virtual() && stb.now_us() >= begun + 50_000);
        assert!(shot.at_us.is_multiple_of(FRAME_US) && shot.at_us + FRAME_US > begun + 50_000, "the newest picture");
        assert!(stb.sound(begun, 50_000).unwrap().is_some());
    }

    #[tokio::test]
    async fn serial_line_and_faults_reach_the_box() {
        let stb = stb(true);
        stb.serial_send(b"channel 3\nstatus\n").await.unwrap();
        let news = stb.serial_since(0);
        assert!(stb.has_serial());
        let texts: Vec<&str> = news.lines.iter().map(|line| line.text.as_str()).collect();
        assert!(texts.contains(&"zap 3 Sport Arena") && texts[3].starts_with("status: on"), "{texts:?}");
        assert_eq!((news.lost, stb.serial_since(news.next).lines.len()), (0, 0));
        stb.inject("black 1s").unwrap();
        assert!(stb.capture().unwrap().picture.rows().flatten().all(|value| *value == 0));
        let error = stb.inject("gremlins").unwrap_err().to_string();
        assert!(error.contains("freeze 5s") && error.contains("clear"), "{error}");
    }
}
