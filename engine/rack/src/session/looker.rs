//! One analyser at work on one slot: fed frame by frame, with sound, or with lines of the serial port, until it has said what is waited for or the time is over.

use std::cell::OnceCell;

use headend_media::Picture;
use headend_plugin_host::AnalyserFault;
use headend_plugin_host::analyser::serial::{Line, News};
use headend_plugin_host::analyser::{Frame, Heard, Tone, Verdict};
use headend_wire::session::{CallError, Found, Until, Watched};

use super::trail::Trail;
use crate::analysers::Built;
use crate::driver::{Driver, DriverError, Shot};

/// Sound is fed in pieces of this length, in microseconds.
const PIECE_US: u64 = 40_000;

/// What a device shows at one moment, grabbed or drawn at most once however many look at it.
pub(super) struct View<'a> {
    driver: &'a dyn Driver,
    now_us: u64,
    shot: OnceCell<Result<Shot, DriverError>>,
}

impl<'a> View<'a> {
    pub(super) fn of(driver: &'a dyn Driver) -> Self {
        Self { driver, now_us: driver.now_us(), shot: OnceCell::new() }
    }

    pub(super) fn now_us(&self) -> u64 {
        self.now_us
    }

    pub(super) fn shot(&self) -> Result<&Shot, &DriverError> {
        self.shot.get_or_init(|| self.driver.capture()).as_ref()
    }

    /// The picture, if somebody has looked.
    pub(super) fn taken(&self) -> Option<&Shot> {
        self.shot.get().and_then(|shot| shot.as_ref().ok())
    }
}

/// When a looker looks, in microseconds of the device's clock.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_field_names, reason = "units stand last")]
pub(super) struct Hours {
    pub(super) began_us: u64,
    pub(super) timeout_us: u64,
    /// From one look to the next; 0: every picture.
    pub(super) gap_us: u64,
}

/// How it came to its end.
#[derive(Clone, Debug)]
enum End {
    Met,
    Over,
    Fault(AnalyserFault),
}

/// What an analyser said last, and of which picture.
#[derive(Clone, Debug)]
struct Said {
    verdict: Verdict,
    picture: Option<Picture>,
}

/// How far it has read.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    /// The next line, as the driver counts them.
    line: u64,
    /// Lines of before do not count.
    since_us: u64,
    begun: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Looker {
    built: Built,
    until: Until,
    hours: Hours,
    deadline_us: u64,
    next_us: u64,
    heard_us: u64,
    reading: Reading,
    frames: u64,
    looks: u64,
    said: Option<Said>,
    /// Of the last picture that was fed, whatever was said of it.
    seen: Option<Picture>,
    /// It was fed with something.
    fed: bool,
    trouble: Option<String>,
    ended_us: u64,
    end: Option<End>,
    /// Pictures on the way, if somebody wants them.
    trail: Option<Trail>,
}

impl Looker {
    pub(super) fn new(built: Built, until: Until, hours: Hours, frame_us: u64) -> Self {
        let Hours { began_us, timeout_us, gap_us } = hours;
        // One look of an ear is one piece.
        let ear = built.senses.sound && !built.senses.sight;
        let first = if ear { began_us.saturating_add(PIECE_US) } else { began_us };
        let hours = Hours { gap_us: gap_us.max(frame_us).max(1), ..hours };
        Self {
            built,
            until,
            hours,
            deadline_us: began_us.saturating_add(timeout_us).max(first),
            next_us: first,
            heard_us: began_us,
            reading: Reading { since_us: began_us, ..Reading::default() },
            frames: 0,
            looks: 0,
            said: None,
            seen: None,
            fed: false,
            trouble: None,
            ended_us: began_us,
            end: None,
            trail: None,
        }
    }

    /// Keeps some of the pictures that come from now on.
    pub(super) fn leave_a_trail(&mut self) {
        self.trail = Some(Trail::default());
    }

    /// What was kept of them.
    pub(super) fn take_trail(&mut self) -> Option<Trail> {
        self.trail.take()
    }

    /// Lines count from this one on, as the driver counts them, that came no longer than so before the beginning.
    pub(super) fn reading_from(mut self, line: u64, back_us: u64) -> Self {
        let since_us = self.hours.began_us.saturating_sub(back_us);
        self.reading = Reading { line, since_us, begun: false };
        self
    }

    pub(super) fn looks_at_pictures(&self) -> bool {
        self.built.senses.sight
    }

    pub(super) fn version(&self) -> &str {
        &self.built.version
    }

    /// When its time is over.
    pub(super) fn deadline_us(&self) -> u64 {
        self.deadline_us
    }

    pub(super) fn ended(&self) -> bool {
        self.end.is_some()
    }

    /// When it wants to look again; `None`: never.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.end.is_none().then_some(self.next_us)
    }

    /// Looks, if it is time. Takes as long as the analyser takes.
    pub(super) fn look(&mut self, view: &View<'_>) {
        let now = view.now_us();
        if self.end.is_some() || now < self.next_us {
            return;
        }
        self.looks += 1;
        self.ended_us = now;
        if self.built.senses.sound {
            // What has been played and not come in yet is heard at a later look.
            self.hear(view.driver, now.saturating_sub(view.driver.sound_lag_us()));
        }
        if self.built.senses.serial && self.end.is_none() {
            self.read(view.driver, now);
        }
        if self.built.senses.sight && self.end.is_none() {
            match view.shot() {
                Ok(shot) => self.see(shot),
                // A picture that is missing may come back: that is what is waited for, perhaps.
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
        self.next_us = now.saturating_add(self.hours.gap_us).min(self.deadline_us).max(now + 1);
        if now >= self.deadline_us {
            self.close();
        }
    }

    /// Feeds a picture of before the first look.
    pub(super) fn see(&mut self, shot: &Shot) {
        let at_us = i64::try_from(shot.at_us).unwrap_or(i64::MAX);
        let frame = Frame { number: self.frames, at_us, picture: shot.picture.clone() };
        self.frames += 1;
        self.fed = true;
        self.seen = Some(shot.picture.clone());
        if let Some(trail) = &mut self.trail {
            trail.note(shot);
        }
        let said = self.built.instance.feed(&frame);
        self.take(said);
    }

    fn hear(&mut self, driver: &dyn Driver, until_us: u64) {
        while self.heard_us.saturating_add(PIECE_US) <= until_us && self.end.is_none() {
            match driver.sound(self.heard_us, PIECE_US) {
                Ok(Some(sound)) => {
                    self.fed = true;
                    let at_us = i64::try_from(self.heard_us).unwrap_or(i64::MAX);
                    let said = self.built.instance.hear(&Heard { at_us, sound });
                    self.take(said);
                }
                Ok(None) => self.trouble = Some("it plays no sound that could be heard".to_owned()),
                Err(error) => self.trouble = Some(error.to_string()),
            }
            self.heard_us += PIECE_US;
        }
    }

    fn read(&mut self, driver: &dyn Driver, until_us: u64) {
        if !driver.has_serial() {
            self.trouble = Some("it has no serial port that could be read".to_owned());
            return;
        }
        let news = driver.serial_since(self.reading.line);
        // What was gone before the first look may have been of before the watch.
        let lost = if self.reading.begun { news.lost } else { 0 };
        (self.reading.line, self.reading.begun, self.fed) = (news.next, true, true);
        let since_us = self.reading.since_us;
        let instant = |at_us: u64| i64::try_from(at_us).unwrap_or(i64::MAX);
        let lines = news.lines.into_iter().filter(|line| line.at_us >= since_us);
        let lines = lines.map(|line| Line { at_us: instant(line.at_us), text: line.text });
        for news in News::of(lines, lost, instant(until_us)) {
            if self.end.is_some() {
                return;
            }
            let said = self.built.instance.read(&news);
            self.take(said);
        }
    }

    fn take(&mut self, said: Result<Option<Verdict>, AnalyserFault>) {
        match said {
            Err(fault) => self.end = Some(End::Fault(fault)),
            Ok(None) => {}
            Ok(Some(verdict)) => {
                let met = match self.until {
                    Until::Match => verdict.passed,
                    Until::NoMatch => !verdict.passed,
                    Until::End => false,
                };
                self.said = Some(Said { verdict, picture: self.seen.clone() });
                if met {
                    self.end = Some(End::Met);
                }
            }
        }
    }

    /// The time is over: what the analyser says of the stream as a whole counts, too.
    pub(super) fn close(&mut self) {
        if self.end.is_some() {
            return;
        }
        let last = self.built.instance.finish();
        self.take(last);
        self.end.get_or_insert(End::Over);
    }

    /// What came of it, with the picture that it was said of.
    pub(super) fn answer(mut self, slot: u32) -> Result<(Watched, Option<Picture>), CallError> {
        self.close();
        if let Some(End::Fault(fault)) = &self.end {
            return Err(fault_error(fault));
        }
        if !self.fed {
            let why = self.trouble.unwrap_or_else(|| "it gave nothing to go by".to_owned());
            return Err(CallError { code: "device".to_owned(), message: format!("slot {slot}: {why}") });
        }
        let ended = i64::try_from(self.ended_us).unwrap_or(i64::MAX);
        let began = i64::try_from(self.hours.began_us).unwrap_or(i64::MAX);
        let met = matches!(self.end, Some(End::Met));
        let Some(Said { verdict, picture }) = self.said else {
            let sentence = "the analyser has said nothing".to_owned();
            let seconds = seconds(began, ended);
            let watched = Watched { sentence, at_us: ended, looks: self.looks, seconds, ..Watched::default() };
            return Ok((watched, self.seen));
        };
        let met = met || self.until == Until::End && verdict.passed;
        let at_us = if met { verdict.at_us } else { ended };
        let watched = Watched {
            met,
            looks: self.looks,
            seconds: seconds(began, if self.until == Until::End { ended } else { at_us }),
            ..watched(verdict)
        };
        Ok((watched, picture.or(self.seen)))
    }
}

fn seconds(from_us: i64, to_us: i64) -> f64 {
    to_us.saturating_sub(from_us).max(0) as f64 / 1e6
}

/// A verdict as the wire has it; what is not in it is left as it is by default.
pub(super) fn watched(verdict: Verdict) -> Watched {
    let found = |shape: headend_plugin_host::analyser::Shape| Found {
        area: [shape.area.x, shape.area.y, shape.area.width, shape.area.height],
        tone: match shape.tone {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Note => "note",
        }
        .to_owned(),
        label: shape.label,
    };
    Watched {
        met: verdict.passed,
        passed: verdict.passed,
        score: verdict.score,
        sentence: verdict.sentence,
        values: verdict.values.into_iter().map(|value| (value.name, value.number)).collect(),
        found: verdict.overlay.into_iter().map(found).collect(),
        at_us: verdict.at_us,
        ..Watched::default()
    }
}

/// What an analyser did as a call's error: it declines what it cannot do, anything else is a fault of the plugin.
pub(super) fn fault_error(fault: &AnalyserFault) -> CallError {
    let declined = matches!(fault, AnalyserFault::Declined { .. } | AnalyserFault::Unknown(_));
    if declined {
        return CallError { code: "bad_call".to_owned(), message: fault.to_string() };
    }
    let message = format!(
        "{fault}; the session goes on: ask again with less to look at, or have another version of the plugin installed"
    );
    CallError { code: "analyser".to_owned(), message }
}
