//! Sees a play and counts.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{JobId, Span, TestIx, Timestamp, UserName};
use headend_scheduler::action::{ChosenBy, RunRecord, StartReason};
use headend_scheduler::{Action, Event, Farm};

use crate::figures::{Figures, Owner, Quantiles, jain};
use crate::plan::Plan;
use crate::player::Observer;

#[derive(Debug)]
struct Known {
    accepted: Timestamp,
    owner: UserName,
    started: bool,
}

#[derive(Debug, Default)]
struct Served {
    runs: u64,
    ran: i128,
    waited: i128,
}

/// Counts what the figures need.
#[derive(Debug)]
pub(crate) struct Meter {
    begin: Timestamp,
    end: Timestamp,
    slots: usize,
    tests: usize,
    known: BTreeMap<JobId, Known>,
    seen: BTreeSet<(JobId, TestIx)>,
    first: Vec<Span>,
    waits: Vec<Span>,
    first_starts: Vec<Span>,
    turnarounds: Vec<Span>,
    busy: i128,
    owners: BTreeMap<UserName, Served>,
    figures: Figures,
    last: u64,
}

impl Meter {
    pub(crate) fn new(plan: &Plan, begin: Timestamp) -> Self {
        let tests = plan.jobs.iter().map(|job| job.tests.len()).sum();
        let (known, seen, owners) = Default::default();
        let (first, waits, first_starts, turnarounds) = Default::default();
        let (slots, figures) = (plan.slots(), Figures::default());
        let (busy, last) = (0, 0);
        Self {
            begin,
            end: begin,
            slots,
            tests,
            known,
            seen,
            first,
            waits,
            first_starts,
            turnarounds,
            busy,
            owners,
            figures,
            last,
        }
    }

    fn started(&mut self, now: Timestamp, job: JobId, test: TestIx, why: &StartReason) {
        self.figures.runs += 1;
        self.last = why.inputs;
        self.figures.stood_in += u64::from(matches!(why.chosen_by, ChosenBy::Fallback { .. }));
        if self.seen.insert((job, test)) {
            self.first.push(now.since(self.begin));
        }
        let Some(known) = self.known.get_mut(&job) else { return };
        let waited = now.since(known.accepted);
        self.waits.push(waited);
        if !std::mem::replace(&mut known.started, true) {
            self.first_starts.push(waited);
        }
    }

    fn ended(&mut self, record: &RunRecord) {
        let (Some(lease), Some(leased)) = (&record.lease, record.leased) else {
            self.figures.never_started += 1;
            return;
        };
        self.end = self.end.max(record.ended);
        let ran = i128::from(record.ended.since(leased).as_micros());
        self.busy += ran * lease.targets.len() as i128;
        let Some(known) = self.known.get(&record.job) else { return };
        let served = self.owners.entry(known.owner.clone()).or_default();
        served.runs += 1;
        served.ran += ran;
        served.waited += i128::from(leased.since(known.accepted).as_micros());
    }

    /// All that was counted.
    pub(crate) fn figures(self, case: &str, steps: u64, left_open: u64) -> Figures {
        let span = self.end.since(self.begin);
        let owners: BTreeMap<String, Owner> =
            self.owners.iter().map(|(owner, served)| (owner.to_string(), served.as_owner())).collect();
        let shares: Vec<f64> = owners.values().map(|owner| owner.share).collect();
        let all = i128::from(span.as_micros()) * self.slots as i128;
        Figures {
            case: case.to_owned(),
            left_open,
            wait: Quantiles::of(self.waits),
            first_start: Quantiles::of(self.first_starts),
            turnaround: Quantiles::of(self.turnarounds),
            idle: if all == 0 { 0.0 } else { (all - self.busy) as f64 / all as f64 },
            makespan: span,
            coverage: (0..=100).map(|percent| covered(&self.first, self.tests, percent)).collect(),
            fairness: jain(&shares),
            owners,
            steps,
            decisions: format!("{:016x}", self.last),
            ..self.figures
        }
    }
}

/// When so many per cent of the tests had been started once. `first` is sorted: it was filled as time went on.
fn covered(first: &[Span], tests: usize, percent: usize) -> Option<Span> {
    match (tests * percent).div_ceil(100) {
        0 => Some(Span::ZERO),
        rank => first.get(rank - 1).copied(),
    }
}

impl Served {
    fn as_owner(&self) -> Owner {
        let all = self.ran + self.waited;
        Owner { runs: self.runs, share: if all == 0 { 0.0 } else { self.ran as f64 / all as f64 } }
    }
}

impl Observer for Meter {
    fn stepped(&mut self, now: Timestamp, event: &Event, told: &[Action], _: &Farm) {
        for action in told {
            match action {
                Action::Accepted { job, repeated: false, .. } => {
                    let Event::Submit(submission) = event else { continue };
                    self.figures.jobs += 1;
                    let owner = submission.spec.owner.clone();
                    self.known.insert(*job, Known { accepted: now, owner, started: false });
                }
                Action::Start { lease, test, why } => self.started(now, lease.job, *test, why),
                Action::RunEnded(record) => self.ended(record),
                Action::JobChanged { job, status, .. } if status.is_final() => {
                    let known = self.known.get(job);
                    self.turnarounds.extend(known.map(|known| now.since(known.accepted)));
                }
                Action::ProposalRefused { policy, reason, .. } => {
                    let of_policy = self.figures.refused.entry(policy.to_string()).or_default();
                    *of_policy.entry(reason.to_string()).or_default() += 1;
                }
                Action::PolicyStruck { policy, .. } => {
                    *self.figures.failures.entry(policy.to_string()).or_default() += 1;
                }
                _ => {}
            }
        }
    }
}
