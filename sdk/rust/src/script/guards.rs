//! Regions and steps that end by themselves.

use super::bindings::headend::script::session as host;
use super::{RegionStyle, Result, TestResult};

/// An open region of the log. It ends when this value goes, plainly; or with a word by [`pass`](Self::pass), [`fail`](Self::fail) or [`end`](Self::end).
#[derive(Debug)]
#[must_use = "the region ends when this value goes"]
pub struct Region {
    name: String,
    open: bool,
}

impl Region {
    pub(super) fn begin(name: &str) -> Result<Self> {
        host::begin_region(name)?;
        Ok(Self { name: name.to_owned(), open: true })
    }

    /// Ends it as passed; the comment is shown beside its title.
    ///
    /// # Errors
    /// The session is over.
    pub fn pass(self, comment: &str) -> Result<()> {
        self.end(RegionStyle::Pass, comment)
    }

    /// Ends it as failed.
    ///
    /// # Errors
    /// The session is over.
    pub fn fail(self, comment: &str) -> Result<()> {
        self.end(RegionStyle::Fail, comment)
    }

    /// Ends it in a style.
    ///
    /// # Errors
    /// The session is over.
    pub fn end(mut self, style: RegionStyle, comment: &str) -> Result<()> {
        self.open = false;
        Ok(host::end_region(&self.name, Some(style), Some(comment))?)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.open {
            // Nobody is left to be told of a failure here.
            let _ = host::end_region(&self.name, None, None);
        }
    }
}

/// An open test step. A step that goes without [`end`](Self::end), as after an error, has failed.
#[derive(Debug)]
#[must_use = "a step that goes without `end` has failed"]
pub struct Step {
    name: String,
    open: bool,
}

impl Step {
    pub(super) fn begin(name: &str) -> Result<Self> {
        host::begin_step(name)?;
        Ok(Self { name: name.to_owned(), open: true })
    }

    /// Ends it as passed.
    ///
    /// # Errors
    /// The session is over.
    pub fn pass(self) -> Result<()> {
        self.end(TestResult::Pass, None)
    }

    /// Ends it as failed, with what was seen.
    ///
    /// # Errors
    /// The session is over.
    pub fn fail(self, comment: &str) -> Result<()> {
        self.end(TestResult::Fail, Some(comment))
    }

    /// Ends it.
    ///
    /// # Errors
    /// The session is over.
    pub fn end(mut self, result: TestResult, comment: Option<&str>) -> Result<()> {
        self.open = false;
        Ok(host::end_step(&self.name, result.code(), comment)?)
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.open {
            let _ = host::end_step(&self.name, TestResult::Fail.code(), Some("left before its end"));
        }
    }
}
