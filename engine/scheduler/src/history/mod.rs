//! What the farm remembers of scripts and devices after their jobs are gone: how long they take, how they ended.
//!
//! Part of the farm's state, fed by `step` alone, so a replay remembers the same. Bounded: at most [`MOST_SCRIPTS`] scripts
//! and [`MOST_PAIRS`] pairs of script and DUT; the script whose last run ended longest ago goes first, with its pairs.
//! Worst case some 4 MB of a snapshot.

mod script;

#[cfg(feature = "serde")]
mod form;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use headend_model::run::Incomplete;
use headend_model::{DutId, Outcome, Span, Timestamp, TreePath, UserName};

use script::Script;
pub use script::{LastOutcome, ScriptHistory};

/// So many scripts are remembered.
pub const MOST_SCRIPTS: usize = 4_096;
/// So many pairs of script and DUT, over all scripts.
pub const MOST_PAIRS: usize = 65_536;
/// So many DUTs per script; the one whose outcome is oldest goes first.
pub const MOST_DUTS: usize = 256;
/// Quantiles are those of so many runs.
pub const LAST_RUNS: usize = 32;

/// A script, wherever it is named: its area and its path there. Arguments make no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptName<'a> {
    /// Whose private area; `None`: the public one.
    pub owner: Option<&'a UserName>,
    /// The path in it.
    pub path: &'a TreePath,
}

/// All scripts that are remembered.
#[derive(Clone, Debug, Default)]
pub struct History {
    public: BTreeMap<TreePath, u64>,
    private: BTreeMap<UserName, BTreeMap<TreePath, u64>>,
    books: BTreeMap<u64, Book>,
    /// Books in the order in which they are forgotten.
    ages: BTreeSet<(u64, u64)>,
    pairs: usize,
    /// The next number, for books and for their ages.
    next: u64,
}

#[derive(Clone, Debug)]
struct Book {
    owner: Option<UserName>,
    path: TreePath,
    used: u64,
    script: Script,
}

/// Says something about the script: it came to a result, or broke by itself.
fn counts(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { .. } => true,
        Outcome::Incomplete(why) => {
            matches!(why, Incomplete::NoResult(_) | Incomplete::Limit(_) | Incomplete::Crashed(_))
        }
        Outcome::Killed => false,
    }
}

impl History {
    /// What is remembered of a script.
    pub fn script(&self, name: ScriptName<'_>) -> Option<ScriptHistory> {
        self.book(name).map(|book| book.script.summary())
    }

    /// How the script ended when it last ran on each DUT that is remembered.
    pub fn outcomes(&self, name: ScriptName<'_>) -> impl Iterator<Item = (DutId, LastOutcome)> + '_ {
        self.book(name).into_iter().flat_map(|book| book.script.outcomes())
    }

    /// A run has ended that held these DUTs for `took`. Outcomes that say nothing about the script are not remembered.
    pub(crate) fn note(
        &mut self,
        name: ScriptName<'_>,
        duts: impl Iterator<Item = DutId>,
        outcome: &Outcome,
        at: Timestamp,
        took: Span,
    ) {
        if !counts(outcome) {
            return;
        }
        let number = self.number(name).unwrap_or_else(|| self.open(name));
        let used = self.count();
        let Some(book) = self.books.get_mut(&number) else { return };
        self.ages.remove(&(book.used, number));
        book.used = used;
        self.ages.insert((used, number));
        let before = book.script.pairs();
        book.script.note(duts, LastOutcome { code: outcome.code(), at }, outcome.is_pass(), took);
        self.pairs = self.pairs + book.script.pairs() - before;
        self.forget_surplus();
    }

    fn count(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn number(&self, name: ScriptName<'_>) -> Option<u64> {
        let area = name.owner.map_or(Some(&self.public), |owner| self.private.get(owner))?;
        area.get(name.path).copied()
    }

    fn book(&self, name: ScriptName<'_>) -> Option<&Book> {
        self.books.get(&self.number(name)?)
    }

    fn open(&mut self, name: ScriptName<'_>) -> u64 {
        let (number, used) = (self.count(), self.count());
        let (owner, path) = (name.owner.cloned(), name.path.clone());
        self.insert(number, Book { owner, path, used, script: Script::default() });
        number
    }

    fn insert(&mut self, number: u64, book: Book) {
        let area = match &book.owner {
            None => &mut self.public,
            Some(owner) => self.private.entry(owner.clone()).or_default(),
        };
        area.insert(book.path.clone(), number);
        self.ages.insert((book.used, number));
        self.pairs += book.script.pairs();
        self.books.insert(number, book);
    }

    fn forget_surplus(&mut self) {
        while self.books.len() > MOST_SCRIPTS || self.pairs > MOST_PAIRS {
            let Some((_, number)) = self.ages.pop_first() else { return };
            let Some(book) = self.books.remove(&number) else { return };
            self.pairs -= book.script.pairs();
            match &book.owner {
                None => drop(self.public.remove(&book.path)),
                Some(owner) => self.forget_private(owner, &book.path),
            }
        }
    }

    fn forget_private(&mut self, owner: &UserName, path: &TreePath) {
        let Some(area) = self.private.get_mut(owner) else { return };
        area.remove(path);
        if area.is_empty() {
            self.private.remove(owner);
        }
    }
}
