//! Runs whose files have just come in.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use headend_model::RunId;
use headend_store::{Store, StoreError};

/// A run of which nothing came in for so long is looked at: the files of a run come one after the other.
const QUIET: Duration = Duration::from_millis(250);
/// Nor does one wait longer than this, however its files trickle in.
const PATIENCE: Duration = Duration::from_secs(20);

/// Spares the database: of a run that is due and that nobody has begun to look at, it need not be told again.
#[derive(Debug, Default)]
pub(crate) struct DueRuns(Mutex<Touches>);

#[derive(Debug, Default)]
struct Touches {
    runs: HashMap<RunId, Touched>,
    /// Number of the next one.
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Touched {
    /// Which one: a run that was begun and touched again has another.
    number: u64,
    first: Instant,
    last: Instant,
    /// The database knows.
    told: bool,
}

impl DueRuns {
    /// A file of a run has come in, and is in its place.
    ///
    /// # Errors
    /// Of the store. The file is there, and its row is not up to date: whoever sent it is to send it again.
    pub(crate) async fn file_came(&self, store: &Store, run: RunId) -> Result<(), StoreError> {
        let Some(number) = self.touch(run, Instant::now()) else { return Ok(()) };
        // Whoever asks may go away here: the next file tells again, as this one is not noted as told.
        store.results_changed(run).await?;
        self.told(run, number);
        Ok(())
    }

    /// `None`: the database knows, and nobody has begun since. Else what to say once it knows.
    fn touch(&self, run: RunId, now: Instant) -> Option<u64> {
        let Ok(mut touches) = self.0.lock() else { return Some(0) };
        let number = touches.next;
        let mine = touches.runs.entry(run).or_insert(Touched { number, first: now, last: now, told: false });
        mine.last = now;
        let mine = *mine;
        touches.next += u64::from(mine.number == number);
        (!mine.told).then_some(mine.number)
    }

    /// The database knows since then. Not of one that was begun meanwhile: that may have been looked at too early.
    fn told(&self, run: RunId, number: u64) {
        let Ok(mut touches) = self.0.lock() else { return };
        if let Some(touched) = touches.runs.get_mut(&run).filter(|touched| touched.number == number) {
            touched.told = true;
        }
    }

    /// Whether it is time to look at a run; if so, what comes in from now on is told anew.
    pub(crate) fn begin(&self, run: RunId, now: Instant) -> bool {
        let Ok(mut touches) = self.0.lock() else { return true };
        let waits = touches.runs.get(&run).is_some_and(|touched| {
            now.saturating_duration_since(touched.last) < QUIET
                && now.saturating_duration_since(touched.first) < PATIENCE
        });
        if !waits {
            touches.runs.remove(&run);
        }
        !waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_looked_at_when_its_files_are_there_or_when_it_takes_too_long() {
        let (due, run, start) = (DueRuns::default(), RunId(7), Instant::now());
        assert!(due.begin(run, start), "nothing came in: no reason to wait");
        due.touch(run, start);
        assert!(!due.begin(run, start + QUIET / 2));
        due.touch(run, start + QUIET);
        assert!(!due.begin(run, start + QUIET + QUIET / 2));
        assert!(due.begin(run, start + QUIET * 2));
        due.touch(run, start);
        due.touch(run, start + PATIENCE);
        assert!(due.begin(run, start + PATIENCE));
    }

    #[test]
    fn the_database_is_told_once_until_somebody_begins() {
        let (due, run, start) = (DueRuns::default(), RunId(7), Instant::now());
        let first = due.touch(run, start).unwrap();
        assert_eq!(due.touch(run, start), Some(first), "not told yet: whoever comes tells, too");
        due.told(run, first);
        assert_eq!(due.touch(run, start), None);
        assert!(due.begin(run, start + QUIET));
        let second = due.touch(run, start + QUIET).unwrap();
        assert_ne!(second, first);
        // Of the time before it was begun: says nothing of what has come since.
        due.told(run, first);
        assert_eq!(due.touch(run, start + QUIET), Some(second));
    }
}
