//! The session.

use std::cell::OnceCell;
use std::time::Duration;

use super::bindings::headend::script::{senses, session as host};
use super::{
    Allocation, Error, LogLevel, Look, Named, Param, Region, Result, Screen, ScreenSeen, Seen, SessionInfo, Slot, Step,
    TestResult, screens,
};

/// A running test's view of its rack. There is one per run; the test's function gets it.
///
/// Every call fails with code `lease_lost` once the rack has lost the right to drive the slot.
#[derive(Debug)]
pub struct Session {
    /// Fetched when first asked for.
    info: OnceCell<SessionInfo>,
}

impl Session {
    pub(super) fn new() -> Self {
        Self { info: OnceCell::new() }
    }

    /// Job, run, attempt, and what else the session is about.
    pub fn info(&self) -> &SessionInfo {
        self.info.get_or_init(host::info)
    }

    /// The test's arguments.
    pub fn args(&self) -> &[String] {
        &self.info().args
    }

    /// The public area, absolute; `None` when nobody schedules.
    pub fn public_folder(&self) -> Option<&str> {
        self.info().public.as_deref()
    }

    /// Connects to the rack; the description is shown in the log. True, or false when connected already.
    ///
    /// # Errors
    /// The rack refused.
    pub fn connect(&mut self, description: &str) -> Result<bool> {
        Ok(host::connect("", description)?)
    }

    /// Frees all slots.
    ///
    /// # Errors
    /// The rack refused.
    pub fn disconnect(&mut self) -> Result<bool> {
        Ok(host::disconnect()?)
    }

    /// Reserves the next leased slot under this number.
    ///
    /// # Errors
    /// `no_slot`: the number is held already, or no leased slot is left. Others as the rack says.
    pub fn reserve(&mut self, number: u32) -> Result<Slot> {
        self.reserve_with(number, &[])
    }

    /// As [`reserve`](Self::reserve), with parameters: IR key set, serial settings and the like.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn reserve_with(&mut self, number: u32, params: &[(&str, &str)]) -> Result<Slot> {
        let params: Vec<Param> =
            params.iter().map(|&(name, value)| Param { name: name.to_owned(), value: value.to_owned() }).collect();
        if host::reserve_slot(number, &params)? { Ok(Slot::new(number)) } else { Err(Error::no_slot(number)) }
    }

    /// Where the session really is: `host:port` and the leased slots' real numbers.
    ///
    /// # Errors
    /// The rack refused.
    pub fn allocations(&self) -> Result<Allocation> {
        Ok(host::allocations()?)
    }

    /// Waits. On a virtual device it costs next to nothing.
    ///
    /// # Errors
    /// The session is over.
    pub fn wait(&self, time: Duration) -> Result<()> {
        Ok(host::wait(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))?)
    }

    /// A line in the run's log.
    ///
    /// # Errors
    /// The session is over.
    pub fn log(&self, text: &str) -> Result<()> {
        self.log_as(LogLevel::Info, text)
    }

    /// A line in the run's log, at a level.
    ///
    /// # Errors
    /// The session is over.
    pub fn log_as(&self, level: LogLevel, text: &str) -> Result<()> {
        Ok(host::log(level, text)?)
    }

    /// What a program would print.
    ///
    /// # Errors
    /// The session is over.
    pub fn print(&self, text: &str) -> Result<()> {
        Ok(host::print(text)?)
    }

    /// Opens a folding region in the log. It ends when the value goes.
    ///
    /// # Errors
    /// The session is over.
    pub fn region(&self, name: &str) -> Result<Region> {
        Region::begin(name)
    }

    /// Begins a test step.
    ///
    /// # Errors
    /// The session is over.
    pub fn step(&self, name: &str) -> Result<Step> {
        Step::begin(name)
    }

    /// What an analyser says of a stored picture, absolute or beside the script.
    ///
    /// # Errors
    /// `bad_call`: the picture cannot be taken, or the analyser cannot work like that. `analyser`: the plugin failed.
    pub fn look_at(&self, picture: &str, look: &Look) -> Result<Seen> {
        look.analyse(picture)
    }

    /// The screen of a `.stscreen` file, absolute or beside the script.
    ///
    /// # Errors
    /// `bad_call`: it cannot be read or understood, or is a navigator with more than one screen.
    pub fn screen(&self, file: &str) -> Result<Screen> {
        screens::only(file)
    }

    /// All screens of a navigator, in its order.
    ///
    /// # Errors
    /// `bad_call`: it cannot be read or understood.
    pub fn screens(&self, file: &str) -> Result<Vec<Screen>> {
        screens::load(file)
    }

    /// Writes a screen into the run's output folder as a `.stscreen` file of this plain name, over one that is there. Its path.
    ///
    /// # Errors
    /// `bad_call`: it is no screen. `device`, `limit`: there is no room.
    pub fn save_screen(&self, screen: &Screen, name: &str) -> Result<String> {
        screen.save(name)
    }

    /// A screen over a stored picture. Regions of movement and sound are not as wanted: they cannot be told of one.
    ///
    /// # Errors
    /// `bad_call`: it is no screen, or the picture cannot be taken.
    pub fn look_at_screen(&self, picture: &str, screen: &Screen) -> Result<ScreenSeen> {
        screen.look_at(picture)
    }

    /// What tests share under names.
    pub fn named(&self) -> Named {
        Named::of(None)
    }

    /// Keeps a number with the run's results.
    ///
    /// # Errors
    /// `bad_call`: it is not finite.
    pub fn measure(&self, name: &str, value: f64, unit: Option<&str>) -> Result<()> {
        Ok(senses::measure(name, value, unit)?)
    }

    /// Keeps a number with its limits: not less than `low`, not more than `high`. True when it lies within. The run's result stays the test's
    /// own word: `session.check(session.measure_within("zap time", s, Some("s"), None, Some(2.0))?, "too slow")?` makes it one.
    ///
    /// # Errors
    /// `bad_call`: a number is not finite, or the limits are the wrong way round.
    pub fn measure_within(
        &self,
        name: &str,
        value: f64,
        unit: Option<&str>,
        low: Option<f64>,
        high: Option<f64>,
    ) -> Result<bool> {
        Ok(senses::measure_within(name, value, unit, low, high)?)
    }

    /// Names a file of the run's output folder as a result.
    ///
    /// # Errors
    /// `bad_call`: there is no such file.
    pub fn artifact(&self, path: &str, name: Option<&str>) -> Result<()> {
        Ok(senses::artifact(path, name)?)
    }

    /// Goes on if it holds, else ends the test with this text.
    ///
    /// # Errors
    /// Code `test` with the text, when it does not hold.
    pub fn check(&self, holds: bool, otherwise: &str) -> Result<()> {
        if holds { Ok(()) } else { Err(Error::new(otherwise)) }
    }

    /// Reports how the test went. The first report counts. True, or false for a later one.
    ///
    /// # Errors
    /// The session is over.
    pub fn result(&self, result: TestResult) -> Result<bool> {
        Ok(host::set_result(result.code(), None)?)
    }

    /// As [`result`](Self::result), with what to say.
    ///
    /// # Errors
    /// The session is over.
    pub fn result_with(&self, result: TestResult, comment: &str) -> Result<bool> {
        Ok(host::set_result(result.code(), Some(comment))?)
    }
}
