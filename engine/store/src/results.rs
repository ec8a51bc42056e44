//! What runs have found out: their rows, and how they are written. Reading them is in [`crate::results_read`].

use headend_model::{DutId, JobId, Outcome, RunId, SlotNo, TestResult, Timestamp, UserName};

use crate::codec::Values;
use crate::error::StoreError;
use crate::store::Store;
use crate::tx::Tx;
use crate::writer::Work;

/// Words for how a run has ended, as results show and filter them.
pub const OUTCOMES: [&str; 6] = ["pass", "partial_pass", "fail", "not_run", "incomplete", "killed"];

/// The word of [`OUTCOMES`] for an outcome.
pub const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done { result, .. } => result_word(*result),
        Outcome::Incomplete(_) => "incomplete",
        Outcome::Killed => "killed",
    }
}

/// The same for a step, or for what a script has reported.
pub const fn result_word(result: TestResult) -> &'static str {
    match result {
        TestResult::Pass => "pass",
        TestResult::PartialPass => "partial_pass",
        TestResult::NotRun => "not_run",
        TestResult::Fail => "fail",
    }
}

/// What is kept of a run, in the order in which it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeptClass {
    /// Films and film strips.
    Video,
    /// Logs, the page, captures, and every other file.
    Logs,
    /// Steps, measurements, and what is known of files.
    Numbers,
}

impl KeptClass {
    /// All, the first to go first.
    pub const ALL: [Self; 3] = [Self::Video, Self::Logs, Self::Numbers];

    /// `video`, `logs` or `numbers`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Logs => "logs",
            Self::Numbers => "numbers",
        }
    }
}

/// One value for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerClass<T> {
    /// Of [`KeptClass::Video`].
    pub video: T,
    /// Of [`KeptClass::Logs`].
    pub logs: T,
    /// Of [`KeptClass::Numbers`].
    pub numbers: T,
}

impl<T: Copy> PerClass<T> {
    /// The value of a class.
    pub const fn of(&self, class: KeptClass) -> T {
        match class {
            KeptClass::Video => self.video,
            KeptClass::Logs => self.logs,
            KeptClass::Numbers => self.numbers,
        }
    }

    /// The place of a class.
    pub const fn of_mut(&mut self, class: KeptClass) -> &mut T {
        match class {
            KeptClass::Video => &mut self.video,
            KeptClass::Logs => &mut self.logs,
            KeptClass::Numbers => &mut self.numbers,
        }
    }
}

/// Where a job came from, if a schedule made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRow {
    /// The job.
    pub job: JobId,
    /// The schedule that made it,
    pub schedule: u64,
    /// its name then,
    pub name: String,
    /// and which occurrence.
    pub occurrence: u64,
}

/// Where a run ran, with the names of that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// The run.
    pub run: RunId,
    /// From 0.
    pub no: u32,
    /// Number of the slot in its rack.
    pub slot: SlotNo,
    /// The DUT,
    pub dut: DutId,
    /// its name; empty: it was gone already,
    pub dut_name: String,
    /// and its model's.
    pub model: String,
}

/// A run that has ended, and what has come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// The run.
    pub run: RunId,
    /// Its job,
    pub job: JobId,
    /// which is called so
    pub job_name: String,
    /// and belongs to this person.
    pub owner: UserName,
    /// `public/…` or `private/…` and the script.
    pub test: String,
    /// Which try, from 1; 0: never leased.
    pub attempt: u32,
    /// A word of [`OUTCOMES`].
    pub outcome: String,
    /// `TM` code, or 1.
    pub code: u16,
    /// In words.
    pub comment: String,
    /// Which rule or plugin chose it.
    pub chosen_by: String,
    /// The rack; `None`: never executed.
    pub rack: Option<String>,
    /// Its slots, the first of them first.
    pub devices: Vec<DeviceRow>,
    /// When it was leased.
    pub leased: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// The schedule that made its job.
    pub origin: Option<OriginRow>,
    /// The public area as it saw it: hash of the tree and its revision.
    pub public: (Option<String>, Option<u64>),
    /// The owner's area, for private scripts.
    pub private: (Option<String>, Option<u64>),
    /// JSON text of an object: versions of analysers by name.
    pub plugins: String,
    /// `read`, `none` (the run has left no events, or they have not come yet) or `removed`.
    pub events: String,
    /// How many rows there are of it.
    pub counts: ResultCounts,
    /// Bytes that are held of it.
    pub held: PerClass<u64>,
    /// When retention took it.
    pub removed: PerClass<Option<Timestamp>>,
}

/// Rows of a run, and what was over a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultCounts {
    /// Steps.
    pub steps: u64,
    /// Those that failed.
    pub steps_failed: u64,
    /// Measurements.
    pub measurements: u64,
    /// Files, those that are gone too.
    pub artifacts: u64,
    /// Steps over the bound.
    pub steps_left_out: u64,
    /// Measurements over the bound.
    pub measurements_left_out: u64,
    /// Those of the measurements that lie outside of their limits.
    pub measurements_outside: u64,
    /// Bytes of events that the rack did not write.
    pub log_bytes_left_out: u64,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// Its number in the run, from 1, in the order in which they began.
    pub no: u32,
    /// The step around it.
    pub parent: Option<u32>,
    /// 0 for the outermost.
    pub depth: u32,
    /// Names of the steps around it and its own, with `/`.
    pub path: String,
    /// Its name.
    pub name: String,
    /// As of a run, or `open` (the script ended before it), or `other` (a number that `TM` does not have).
    pub outcome: String,
    /// What the script gave; `None`: open.
    pub code: Option<i64>,
    /// On the rack's wall clock.
    pub began: Option<Timestamp>,
    /// On the rack's wall clock.
    pub ended: Option<Timestamp>,
    /// What was said at its end.
    pub comment: String,
}

/// A measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementRow {
    /// Its number in the run, from 1.
    pub no: u32,
    /// Number of the step in which it was taken,
    pub step: Option<u32>,
    /// and that one's path.
    pub path: String,
    /// What.
    pub name: String,
    /// How much; finite.
    pub value: f64,
    /// In what; may be empty.
    pub unit: String,
    /// Not less than this.
    pub low: Option<f64>,
    /// Not more than this.
    pub high: Option<f64>,
    /// On the rack's wall clock.
    pub at: Option<Timestamp>,
}

impl MeasurementRow {
    /// It has limits and lies beyond one of them; a value on a limit does not.
    pub fn is_outside(&self) -> bool {
        self.low.is_some_and(|low| self.value < low) || self.high.is_some_and(|high| self.value > high)
    }
}

/// A file that a run has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRow {
    /// Path below the run's folder.
    pub path: String,
    /// What the script calls it; else the file's own name.
    pub name: String,
    /// `film`, `strip`, `picture`, `sound`, `page`, `events`, `log`, `data` or `other`.
    pub kind: String,
    /// Its class for retention: `video` or `logs`.
    pub class: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, 64 hex digits.
    pub hash: String,
    /// Gone since.
    pub removed: Option<Timestamp>,
}

/// Steps and measurements of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunNumbers {
    /// Its steps.
    pub steps: Vec<StepRow>,
    /// Its measurements.
    pub measurements: Vec<MeasurementRow>,
}

/// Everything of one run, to be written in place of what there was.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResults {
    /// The run.
    pub row: ResultRow,
    /// `None`: what there is stays.
    pub numbers: Option<RunNumbers>,
    /// Files that are there. Rows of files that retention took stay beside them.
    pub artifacts: Vec<ArtifactRow>,
    /// The mark of [`Store::results_due`] before it was looked at.
    pub mark: u64,
}

impl RunResults {
    /// How many rows it is.
    pub fn rows(&self) -> usize {
        let numbers = self.numbers.as_ref().map_or(0, |numbers| numbers.steps.len() + numbers.measurements.len());
        1 + self.row.devices.len() + numbers + self.artifacts.len()
    }
}

pub(crate) const ORIGIN: &str = "INSERT INTO job_origins (job, schedule, name, occurrence) VALUES ($1, $2, $3, $4) \
                                 ON CONFLICT (job) DO NOTHING";

pub(crate) fn bind_origin(values: &mut Values, row: &OriginRow) {
    values.number(row.job.0).number(row.schedule).text(&row.name).number(row.occurrence);
}

impl Store {
    /// Keeps the results of runs, all of them or none. Runs whose mark has risen meanwhile stay due.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn save_results(&self, runs: Vec<RunResults>) -> Result<(), StoreError> {
        self.ask(Work::Results { runs }).await?.committed().await.map(drop)
    }

    /// Something has changed that the results of a run are made from. Nothing happens for a run that has not ended: it is due
    /// then anyway.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn results_changed(&self, run: RunId) -> Result<(), StoreError> {
        self.ask(Work::ResultsChanged { run }).await?.committed().await.map(drop)
    }
}

pub(crate) async fn changed(tx: &mut Tx<'_>, run: RunId) -> Result<(), StoreError> {
    let mut values = Values::default();
    values.number(run.0);
    let sql = "INSERT INTO results_due (run, mark) SELECT run, 1 FROM runs WHERE run = $1 \
               ON CONFLICT (run) DO UPDATE SET mark = mark + 1";
    tx.run(sql, values).await.map(drop)
}

pub(crate) async fn save(tx: &mut Tx<'_>, runs: &[RunResults]) -> Result<(), StoreError> {
    for one in runs {
        let run = one.row.run;
        of_run(tx, "DELETE FROM result_devices WHERE run = $1", run).await?;
        of_run(tx, "DELETE FROM result_artifacts WHERE run = $1 AND removed IS NULL", run).await?;
        if one.numbers.is_some() {
            of_run(tx, "DELETE FROM result_steps WHERE run = $1", run).await?;
            of_run(tx, "DELETE FROM result_measurements WHERE run = $1", run).await?;
        }
    }
    let rows: Vec<&ResultRow> = runs.iter().map(|one| &one.row).collect();
    tx.insert_all(RESULTS, 41, "", &rows, |values, row| bind_result(values, row)).await?;
    let devices: Vec<&DeviceRow> = rows.iter().flat_map(|row| &row.devices).collect();
    tx.insert_all(DEVICES, 6, "", &devices, |values, row| {
        values.number(row.run.0).number(u64::from(row.no)).number(u64::from(row.slot.0)).number(row.dut.0);
        values.text(&row.dut_name).text(&row.model);
    })
    .await?;
    for one in runs {
        save_parts(tx, one).await?;
        let mut values = Values::default();
        values.number(one.row.run.0).number(one.mark);
        tx.run("DELETE FROM results_due WHERE run = $1 AND mark = $2", values).await?;
    }
    Ok(())
}

async fn of_run(tx: &mut Tx<'_>, sql: &'static str, run: RunId) -> Result<(), StoreError> {
    let mut values = Values::default();
    values.number(run.0);
    tx.run(sql, values).await.map(drop)
}

async fn save_parts(tx: &mut Tx<'_>, one: &RunResults) -> Result<(), StoreError> {
    let run = one.row.run.0;
    if let Some(numbers) = &one.numbers {
        tx.insert_all(STEPS, 11, "", &numbers.steps, |values, row| {
            values.number(run).number(u64::from(row.no)).number(row.parent.map(u64::from));
            values.number(u64::from(row.depth)).text(&row.path).text(&row.name).text(&row.outcome);
            values.int(row.code).time(row.began).time(row.ended).text(&row.comment);
        })
        .await?;
        tx.insert_all(MEASUREMENTS, 10, "", &numbers.measurements, |values, row| {
            values.number(run).number(u64::from(row.no)).number(row.step.map(u64::from));
            values.text(&row.path).text(&row.name).real(row.value).text(&row.unit);
            values.real(row.low).real(row.high).time(row.at);
        })
        .await?;
    }
    tx.insert_all(ARTIFACTS, 8, ARTIFACTS_AGAIN, &one.artifacts, |values, row| {
        values.number(run).text(&row.path).text(&row.name).text(&row.kind).text(&row.class);
        values.number(row.size).text(&row.hash).time(row.removed);
    })
    .await
}

const RESULTS: &str = "INSERT OR REPLACE INTO results (run, job, job_name, owner, test, attempt, outcome, code, comment, \
                       chosen_by, rack, slot, dut, dut_name, model, devices, leased, ended, schedule, schedule_name, \
                       occurrence, public_tree, public_revision, private_tree, private_revision, plugins, events, steps, \
                       steps_failed, measurements, artifacts, steps_left_out, measurements_left_out, log_bytes_left_out, \
                       video_bytes, logs_bytes, numbers_bytes, video_removed, logs_removed, numbers_removed, measurements_outside) VALUES ";
const DEVICES: &str = "INSERT INTO result_devices (run, no, slot, dut, dut_name, model) VALUES ";
const STEPS: &str = "INSERT INTO result_steps (run, no, parent, depth, path, name, outcome, code, began, ended, comment) \
                     VALUES ";
const MEASUREMENTS: &str =
    "INSERT INTO result_measurements (run, no, step, path, name, value, unit, low, high, at) VALUES ";
const ARTIFACTS: &str = "INSERT INTO result_artifacts (run, path, name, kind, class, size, hash, removed) VALUES ";
/// It was taken, and is there again.
const ARTIFACTS_AGAIN: &str = " ON CONFLICT (run, path) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
                               class = excluded.class, size = excluded.size, hash = excluded.hash, removed = excluded.removed";

fn bind_result(values: &mut Values, row: &ResultRow) {
    values.number(row.run.0).number(row.job.0).text(&row.job_name).text(row.owner.as_str()).text(&row.test);
    values.number(u64::from(row.attempt)).text(&row.outcome).int(i64::from(row.code)).text(&row.comment);
    values.text(&row.chosen_by).maybe_text(row.rack.as_deref());
    let first = row.devices.first();
    values.number(first.map(|one| u64::from(one.slot.0))).number(first.map(|one| one.dut.0));
    values.maybe_text(first.map(|one| &*one.dut_name)).maybe_text(first.map(|one| &*one.model));
    values.number(row.devices.len() as u64).time(row.leased).time(row.ended);
    let origin = row.origin.as_ref();
    values.number(origin.map(|origin| origin.schedule)).maybe_text(origin.map(|origin| &*origin.name));
    values.number(origin.map(|origin| origin.occurrence));
    for (tree, revision) in [&row.public, &row.private] {
        values.maybe_text(tree.as_deref()).number(*revision);
    }
    let counts = row.counts;
    values.text(&row.plugins).text(&row.events).number(counts.steps).number(counts.steps_failed);
    values.number(counts.measurements).number(counts.artifacts).number(counts.steps_left_out);
    values.number(counts.measurements_left_out).number(counts.log_bytes_left_out);
    for class in KeptClass::ALL {
        values.number(row.held.of(class));
    }
    for class in KeptClass::ALL {
        values.time(row.removed.of(class));
    }
    values.number(counts.measurements_outside);
}
