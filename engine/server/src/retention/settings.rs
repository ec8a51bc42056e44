//! How long what runs leave is kept.

use std::time::Duration;

use headend_store::PerClass;

/// What is kept of runs. A class goes at the latest with the one after it: video with logs, logs with numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Goes so long after the end of its run; `None`: never by age.
    pub age: PerClass<Option<Duration>>,
    /// The oldest goes while more bytes than this are held of the class, pinned ones counted; `None`: never by space.
    pub space: PerClass<Option<u64>>,
    /// How often what is too old or too much is looked for,
    pub every: Duration,
    /// and when for the first time.
    pub first: Duration,
}

impl Retention {
    /// Nothing ever goes.
    pub(crate) fn is_endless(&self) -> bool {
        self.age == PerClass::default() && self.space == PerClass::default()
    }
}

impl Default for Retention {
    /// Everything is kept.
    fn default() -> Self {
        Self {
            age: PerClass::default(),
            space: PerClass::default(),
            every: Duration::from_mins(10),
            first: Duration::from_mins(1),
        }
    }
}
