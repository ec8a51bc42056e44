//! The rows of one transaction, gathered so that many of a kind go to SQLite in one statement.

use std::collections::BTreeMap;

use headend_model::{JobId, JobStatus, Outcome, RunId, TestResult, Timestamp, UserName};

use crate::codec::{Values, digest};
use crate::error::StoreError;
use crate::occurrences::{self, OccurrenceRow};
use crate::rows::{FeedItem, JobRow, Pin, Projection, RunRow};
use crate::tx::Tx;

/// What is to be written at the end of the transaction.
pub(crate) struct Sheet<'a> {
    /// Number of the next event.
    pub(crate) next_seq: u64,
    /// Number of the next item of the feed.
    pub(crate) next_feed: u64,
    journal: Vec<(u64, Timestamp, &'a str)>,
    jobs: Vec<&'a JobRow>,
    changes: BTreeMap<JobId, Change<'a>>,
    runs: Vec<&'a RunRow>,
    counts: BTreeMap<JobId, Counts>,
    /// `None`: the pin goes.
    pins: BTreeMap<RunId, Option<&'a Pin>>,
    feed: Vec<(u64, &'a FeedItem)>,
    occurrences: Vec<&'a OccurrenceRow>,
}

struct Change<'a> {
    status: JobStatus,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    stopped_by: Option<&'a UserName>,
}

#[derive(Default)]
struct Counts {
    passed: u32,
    failed: u32,
    incomplete: u32,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done { result: TestResult::Pass | TestResult::PartialPass, .. } => self.passed += 1,
            Outcome::Done { result: TestResult::Fail, .. } => self.failed += 1,
            Outcome::Done { result: TestResult::NotRun, .. } | Outcome::Incomplete(_) | Outcome::Killed => {
                self.incomplete += 1;
            }
        }
    }
}

impl<'a> Sheet<'a> {
    pub(crate) fn new(next_seq: u64, next_feed: u64) -> Self {
        Self {
            next_seq,
            next_feed,
            journal: Vec::new(),
            jobs: Vec::new(),
            changes: BTreeMap::new(),
            runs: Vec::new(),
            counts: BTreeMap::new(),
            pins: BTreeMap::new(),
            feed: Vec::new(),
            occurrences: Vec::new(),
        }
    }

    pub(crate) fn event(&mut self, at: Timestamp, event: &'a str) {
        self.journal.push((self.next_seq, at, event));
        self.next_seq += 1;
    }

    /// Takes a row: the frequent kinds wait for [`Sheet::flush`], the others are written at once.
    pub(crate) async fn row(&mut self, tx: &mut Tx<'_>, row: &'a Projection) -> Result<(), StoreError> {
        match row {
            Projection::JobAccepted(job) => self.jobs.push(job),
            Projection::JobChanged { job, status, started, ended, stopped_by } => {
                let change =
                    Change { status: *status, started: *started, ended: *ended, stopped_by: stopped_by.as_ref() };
                self.changes.insert(*job, change);
            }
            Projection::RunPinned(pin) => {
                self.pins.insert(pin.run, Some(pin));
            }
            Projection::RunEnded(run) => {
                self.pins.insert(run.run, None);
                self.counts.entry(run.job).or_default().add(&run.outcome);
                self.runs.push(run);
            }
            Projection::OccurrenceEnded(row) => self.occurrences.push(row),
            Projection::Feed(item) => {
                self.feed.push((self.next_feed, item));
                self.next_feed += 1;
            }
            rare => return crate::rare::write(tx, rare).await,
        }
        Ok(())
    }

    /// Writes all that waits.
    pub(crate) async fn flush(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.insert_all("INSERT INTO journal (seq, at, event, digest) VALUES ", 4, "", &self.journal, journal).await?;
        tx.insert_all(JOBS, 15, "", &self.jobs, |v, row| job(v, row)).await?;
        tx.insert_all(RUNS, 14, "", &self.runs, |v, row| run(v, row)).await?;
        tx.insert_all("INSERT INTO feed (number, at, kind, job, run, text, data) VALUES ", 7, "", &self.feed, feed)
            .await?;
        let occurrences = &self.occurrences;
        tx.insert_all(occurrences::INSERT, occurrences::COLUMNS, occurrences::AGAIN, occurrences, |v, row| {
            occurrences::bind(v, row);
        })
        .await?;
        let put: Vec<&Pin> = self.pins.values().copied().flatten().collect();
        let gone: Vec<RunId> = self.pins.iter().filter(|(_, pin)| pin.is_none()).map(|(run, _)| *run).collect();
        tx.insert_all(PINS, 3, PINS_AGAIN, &put, |v, row| pin(v, row)).await?;
        tx.insert_all("DELETE FROM pins WHERE run IN (VALUES ", 1, ")", &gone, |v, run| {
            v.number(run.0);
        })
        .await?;
        for (id, change) in self.changes {
            change.write(tx, id).await?;
        }
        for (id, counts) in self.counts {
            counts.write(tx, id).await?;
        }
        Ok(())
    }
}

impl Change<'_> {
    async fn write(&self, tx: &mut Tx<'_>, job: JobId) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET status = $2, started = $3, ended = $4, stopped_by = $5 WHERE job = $1";
        let mut values = Values::default();
        values.number(job.0).int(i64::from(self.status.code())).time(self.started).time(self.ended);
        values.maybe_text(self.stopped_by.map(UserName::as_str));
        known(tx.run(sql, values).await?, job)
    }
}

impl Counts {
    async fn write(&self, tx: &mut Tx<'_>, job: JobId) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET passed = passed + $2, failed = failed + $3, incomplete = incomplete + $4 \
                   WHERE job = $1";
        let mut values = Values::default();
        values.number(job.0);
        for count in [self.passed, self.failed, self.incomplete] {
            values.number(u64::from(count));
        }
        known(tx.run(sql, values).await?, job)
    }
}

fn known(changed: u64, job: JobId) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::Conflict { what: format!("job {job} is not known") }),
        _ => Ok(()),
    }
}

const JOBS: &str = "INSERT INTO jobs (job, name, owner, priority, spec, first_run, runs, accepted, status, started, \
                    ended, stopped_by, passed, failed, incomplete) VALUES ";
const RUNS: &str = "INSERT INTO runs (run, job, test, attempt, rack, places, leased, ended, code, comment, outcome, \
                    why, public_tree, private_tree) VALUES ";
const PINS: &str = "INSERT INTO pins (run, public_tree, private_tree) VALUES ";
const PINS_AGAIN: &str =
    " ON CONFLICT (run) DO UPDATE SET public_tree = excluded.public_tree, private_tree = excluded.private_tree";

fn journal(values: &mut Values, (seq, at, event): &(u64, Timestamp, &str)) {
    values.number(*seq).time(*at).text(*event).int(digest(*seq, *at, event));
}

fn job(values: &mut Values, row: &JobRow) {
    values.number(row.job.0).text(&row.spec.name).text(row.spec.owner.as_str()).int(i64::from(row.priority.0));
    values.json(&row.spec).number(row.first_run.0).number(u64::from(row.runs)).time(row.accepted);
    values.int(i64::from(row.status.code())).time(row.started).time(row.ended);
    values.maybe_text(row.stopped_by.as_ref().map(UserName::as_str));
    for count in [row.passed, row.failed, row.incomplete] {
        values.number(u64::from(count));
    }
}

fn run(values: &mut Values, row: &RunRow) {
    values.number(row.run.0).number(row.job.0).number(u64::from(row.test.0)).number(u64::from(row.attempt));
    values.maybe_text(row.rack.as_ref().map(ToString::to_string)).json(&row.places).time(row.leased).time(row.ended);
    values.int(i64::from(row.outcome.code())).text(row.outcome.to_string()).json(&row.outcome);
    values.maybe_json(row.why.as_ref()).maybe_text(row.public_tree.as_deref()).maybe_text(row.private_tree.as_deref());
}

fn pin(values: &mut Values, row: &Pin) {
    values.number(row.run.0).text(&row.public_tree).maybe_text(row.private_tree.as_deref());
}

fn feed(values: &mut Values, (number, item): &(u64, &FeedItem)) {
    values.number(*number).time(item.at).text(&item.kind).number(item.job.map(|job| job.0));
    values.number(item.run.map(|run| run.0)).text(&item.text).json(&item.data);
}
