//! Policy plugins in the lab: one for coverage, one that orders the jobs. They are found, changed, removed, switched on and
//! off, and answer soundly, late, in parts, with nonsense or not at all.

use headend_model::{JobId, PolicyName, UserName};
use headend_scheduler::action::AskRanks;
use headend_scheduler::event::PolicyKind;
use headend_scheduler::{Action, Event};

use crate::rng::Rng;
use crate::witness::Broken;
use crate::world::{CALM, Happening, MS, SECOND, ToServer, World};

/// The coverage policy.
pub(crate) fn odd() -> PolicyName {
    PolicyName::new("odd").unwrap()
}

/// The queue policy.
fn turns() -> PolicyName {
    PolicyName::new("turns").unwrap()
}

/// How the queue policy ranks: a pure function, so that the witness knows what is right.
pub(crate) const fn rank_of(job: JobId) -> i64 {
    ((job.0 * 7) % 5) as i64
}

/// What lies in the plugin folder: whether each plugin is there, and with which content.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    content: [u64; 2],
    there: [bool; 2],
}

impl Default for Folder {
    fn default() -> Self {
        Self { content: [1, 1], there: [true, true] }
    }
}

impl Folder {
    /// What a server that starts finds.
    pub(crate) fn found(&self) -> Vec<Event> {
        (0..2).filter(|at| self.there[*at]).map(|at| self.found_one(at)).collect()
    }

    fn found_one(&self, at: usize) -> Event {
        let (policy, kind) = [(odd(), PolicyKind::Coverage), (turns(), PolicyKind::Queue)][at].clone();
        Event::PolicyFound { policy, kind, hash: format!("{:x}", self.content[at]), contract: 1 }
    }

    /// Somebody changes a plugin, takes it away, puts it back, or says that it may be asked again.
    fn change(&mut self, rng: &mut Rng) -> Event {
        let at = rng.range(0, 1) as usize;
        let policy = [odd(), turns()][at].clone();
        match rng.range(0, 4) {
            0 if self.there[at] => {
                self.there[at] = false;
                Event::PolicyRemoved { policy }
            }
            1 if self.there[at] => Event::PolicyLoaded { policy },
            2 => {
                self.there[at] = true;
                self.content[at] += 1;
                self.found_one(at)
            }
            _ => {
                self.there[at] = true;
                self.found_one(at)
            }
        }
    }
}

fn wish(policy: Option<PolicyName>) -> Event {
    Event::UseQueuePolicy { policy, by: UserName::new("olga").unwrap() }
}

impl World {
    /// In half of the labs somebody works with plugins. All is as it should be when the faults end.
    pub(crate) fn plan_plugins(&mut self) {
        if !self.rng.percent(50) {
            return;
        }
        for _ in 0..self.rng.range(1, 5) {
            let at = self.rng.range(0, CALM - 10 * SECOND);
            self.at(at, Happening::Plugins);
        }
    }

    pub(crate) fn plugins_change(&mut self) {
        let event = match self.rng.range(0, 9) {
            0..=4 => wish(Some(turns())),
            5 => wish(None),
            _ => self.server.folder.change(&mut self.rng),
        };
        self.after(MS, Happening::AtServer(Box::new(ToServer::Plugin(Box::new(event)))));
    }

    /// Questions to the queue policy among what the farm wants done.
    pub(crate) fn note_questions(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Ask(ask) => self.server.asks.push(ask.clone()),
                Action::AskRanks(ask) => self.server.rank_asks.push(ask.clone()),
                _ => {}
            }
        }
    }

    pub(crate) fn ask_ranks(&mut self) {
        for AskRanks { ask, jobs, .. } in std::mem::take(&mut self.server.rank_asks) {
            // Some answers come after the deadline (5 s), some never.
            let delay = match self.rng.range(0, 19) {
                0 => self.rng.range(4 * SECOND, 6 * SECOND),
                1..=4 => self.rng.range(100 * MS, SECOND),
                _ => self.rng.range(0, 100 * MS),
            };
            if !self.rng.percent(5) {
                let jobs = jobs.iter().map(|job| job.job).collect();
                self.after(delay, Happening::AtServer(Box::new(ToServer::Ranks { ask, jobs })));
            }
        }
    }

    /// A queue policy that is sound, most of the time.
    pub(crate) fn ranks_come(&mut self, ask: u64, jobs: &[JobId], durable: bool) -> Result<(), Broken> {
        let mut ranks: Vec<(JobId, i64)> = jobs.iter().map(|job| (*job, rank_of(*job))).collect();
        let event = match self.rng.range(0, 19) {
            0 => Event::PolicyFailed { ask, reason: "trap".to_owned() },
            1 => {
                ranks.pop();
                Event::Ranked { ask, ranks, slots: Vec::new() }
            }
            2 => {
                // Of jobs that it was not asked about.
                ranks.push((JobId(self.rng.range(1, 40) as u64), -1));
                ranks.rotate_right(1);
                Event::Ranked { ask, ranks, slots: Vec::new() }
            }
            _ => Event::Ranked { ask, ranks, slots: Vec::new() },
        };
        self.commit(event, durable).map(drop)
    }
}
