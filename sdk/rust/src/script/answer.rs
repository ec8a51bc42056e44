//! How a test went.

use super::{Result, Session};

/// How a test, or a step of it, went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TestResult {
    /// All is well. Code 111.
    Pass,
    /// Some of it is well. Code 110.
    PartialPass,
    /// It could not be tried, for example because no slot was free. Code 101.
    NotRun,
    /// The device is wrong. Code 100.
    Fail,
}

impl TestResult {
    /// The number in the results: 111, 110, 101 or 100.
    pub const fn code(self) -> i64 {
        match self {
            Self::Pass => 111,
            Self::PartialPass => 110,
            Self::NotRun => 101,
            Self::Fail => 100,
        }
    }
}

/// What a test's function may give back.
pub trait Answer {
    /// Hands it in.
    ///
    /// # Errors
    /// The rack refused it, or the session is over.
    fn report(self, session: &Session) -> Result<()>;
}

impl Answer for TestResult {
    fn report(self, session: &Session) -> Result<()> {
        session.result(self).map(drop)
    }
}

/// The test has reported, or has nothing to report: the run then counts as incomplete.
impl Answer for () {
    fn report(self, _: &Session) -> Result<()> {
        Ok(())
    }
}
