//! Looking for results: one filter for runs, steps, measurements and files, a page at a time, the newest run first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use headend_model::{JobId, RunId, Timestamp, UserName};
use sqlx::AssertSqlSafe;

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::fault::said;
use crate::read::MOST;
use crate::results::{ArtifactRow, DeviceRow, MeasurementRow, OriginRow, PerClass, ResultCounts, ResultRow, StepRow};
use crate::store::Store;

/// Which results. What is `None` or empty does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultQuery {
    /// Only of this person's jobs.
    pub owner: Option<UserName>,
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only this run.
    pub run: Option<RunId>,
    /// Only of tests whose path this pattern fits: `*` any text, `?` one character, `[a-z]` one of these.
    pub test: Option<String>,
    /// Only of a DUT of this name or id.
    pub dut: Option<String>,
    /// Only runs that ended then or later,
    pub since: Option<Timestamp>,
    /// and before then.
    pub until: Option<Timestamp>,
    /// Only runs that ended so: words of [`crate::OUTCOMES`].
    pub outcomes: Vec<String>,
    /// Only what comes after this: a run, and the number (or path) in it of what was last seen.
    pub after: Option<(RunId, Option<String>)>,
    /// At most so many; 1,000 at the very most.
    pub limit: u32,
}

/// Something of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct OfRun<T> {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobId,
    /// Its test.
    pub test: String,
    /// Its first DUT's name.
    pub dut: Option<String>,
    /// What it is.
    pub item: T,
}

/// A statement in the making.
struct Statement {
    sql: String,
    values: Values,
    count: usize,
}

impl Statement {
    fn new(head: &str) -> Self {
        Self { sql: format!("{head} WHERE 1"), values: Values::default(), count: 0 }
    }

    /// `condition` has a `?` for each value that `bind` adds: they are numbered here.
    fn and(&mut self, condition: &str, bind: impl FnOnce(&mut Values)) {
        self.sql.push_str(" AND ");
        for part in condition.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(text) => {
                    self.count += 1;
                    // Writing to a string cannot fail.
                    let _ = write!(self.sql, "{text}${}", self.count);
                }
                None => self.sql.push_str(part),
            }
        }
        bind(&mut self.values);
    }

    fn narrow(&mut self, query: &ResultQuery) {
        if let Some(owner) = &query.owner {
            self.and("r.owner = ?", |values| {
                values.text(owner.as_str());
            });
        }
        if let Some(job) = query.job {
            self.and("r.job = ?", |values| {
                values.number(job.0);
            });
        }
        if let Some(run) = query.run {
            self.and("r.run = ?", |values| {
                values.number(run.0);
            });
        }
        if let Some(test) = &query.test {
            self.and("r.test GLOB ?", |values| {
                values.text(test);
            });
        }
        if let Some(dut) = &query.dut {
            let named = "EXISTS (SELECT 1 FROM result_devices d WHERE d.run = r.run AND (d.dut_name = ? OR d.dut = ?))";
            let id = dut.parse::<u64>().ok().filter(|id| i64::try_from(*id).is_ok());
            self.and(named, |values| {
                values.text(dut).number(id);
            });
        }
        if let Some(since) = query.since {
            self.and("r.ended >= ?", |values| {
                values.time(since);
            });
        }
        if let Some(until) = query.until {
            self.and("r.ended < ?", |values| {
                values.time(until);
            });
        }
        if !query.outcomes.is_empty() {
            let marks = vec!["?"; query.outcomes.len()].join(", ");
            self.and(&format!("r.outcome IN ({marks})"), |values| {
                for outcome in &query.outcomes {
                    values.text(outcome);
                }
            });
        }
    }

    /// The order, and where in it to go on. `key`: the column that orders what a run has; a number unless `text`.
    fn go_on_at(&mut self, query: &ResultQuery, key: Option<(&str, bool)>) {
        match (&query.after, key) {
            (None, _) => {}
            (Some((run, Some(last))), Some((column, is_text))) => {
                let number = last.parse::<u64>().unwrap_or(0).min(i64::MAX as u64);
                self.and(&format!("r.run <= ? AND (r.run < ? OR {column} > ?)"), |values| {
                    values.number(run.0).number(run.0);
                    if is_text {
                        values.text(last)
                    } else {
                        values.number(number)
                    };
                });
            }
            (Some((run, _)), _) => self.and("r.run < ?", |values| {
                values.number(run.0);
            }),
        }
        let within = key.map_or_else(String::new, |(column, _)| format!(", {column}"));
        // Writing to a string cannot fail.
        let _ = write!(self.sql, " ORDER BY r.run DESC{within} LIMIT {}", query.limit.min(MOST));
    }
}

impl Store {
    async fn look<T>(
        &self,
        statement: Statement,
        read: impl Fn(&Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let reader = self.reader();
        // All text in it is ours: what was asked for is bound.
        let found = sqlx::query_with(AssertSqlSafe(statement.sql), statement.values.done()?).fetch_all(&reader.pool);
        let rows = found.await.map_err(|error| said(&reader.places, "read", error))?;
        rows.into_iter().map(|row| read(&Columns { places: &reader.places, row })).collect()
    }

    /// Results of runs.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or a failure of the database.
    pub async fn results(&self, query: &ResultQuery) -> Result<Vec<ResultRow>, StoreError> {
        let mut statement = Statement::new("SELECT r.* FROM results r");
        statement.narrow(query);
        statement.go_on_at(query, None);
        let mut found = self.look(statement, result).await?;
        let mut devices = self.devices_of(&found).await?;
        for row in &mut found {
            row.devices = devices.remove(&row.run).unwrap_or_default();
        }
        Ok(found)
    }

    /// The results of one run, if they are there.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn result(&self, run: RunId) -> Result<Option<ResultRow>, StoreError> {
        Ok(self.results(&ResultQuery { run: Some(run), limit: 1, ..ResultQuery::default() }).await?.pop())
    }

    async fn devices_of(&self, rows: &[ResultRow]) -> Result<BTreeMap<RunId, Vec<DeviceRow>>, StoreError> {
        let runs: Vec<u64> = rows.iter().map(|row| row.run.0).collect();
        let mut values = Values::default();
        values.json(&runs);
        let sql = "SELECT * FROM result_devices WHERE run IN (SELECT value FROM json_each($1)) ORDER BY run, no";
        let mut devices: BTreeMap<RunId, Vec<DeviceRow>> = BTreeMap::new();
        for row in self.reader().rows(sql, values, device).await? {
            devices.entry(row.run).or_default().push(row);
        }
        Ok(devices)
    }

    /// Steps of runs.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn result_steps(&self, query: &ResultQuery) -> Result<Vec<OfRun<StepRow>>, StoreError> {
        let head = "SELECT r.job AS of_job, r.test AS of_test, r.dut_name AS of_dut, x.* \
                    FROM results r CROSS JOIN result_steps x ON x.run = r.run";
        self.parts(head, query, ("x.no", false), step).await
    }

    /// Measurements of runs.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn result_measurements(&self, query: &ResultQuery) -> Result<Vec<OfRun<MeasurementRow>>, StoreError> {
        let head = "SELECT r.job AS of_job, r.test AS of_test, r.dut_name AS of_dut, x.* \
                    FROM results r CROSS JOIN result_measurements x ON x.run = r.run";
        self.parts(head, query, ("x.no", false), measurement).await
    }

    /// Files of runs.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn result_artifacts(&self, query: &ResultQuery) -> Result<Vec<OfRun<ArtifactRow>>, StoreError> {
        let head = "SELECT r.job AS of_job, r.test AS of_test, r.dut_name AS of_dut, x.* \
                    FROM results r CROSS JOIN result_artifacts x ON x.run = r.run";
        self.parts(head, query, ("x.path", true), artifact).await
    }

    async fn parts<T>(
        &self,
        head: &'static str,
        query: &ResultQuery,
        key: (&str, bool),
        read: impl Fn(&Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<OfRun<T>>, StoreError> {
        let mut statement = Statement::new(head);
        statement.narrow(query);
        statement.go_on_at(query, Some(key));
        self.look(statement, |row| {
            Ok(OfRun {
                run: RunId(row.number("run")?),
                job: JobId(row.number("of_job")?),
                test: row.text("of_test")?,
                dut: row.maybe_text("of_dut")?,
                item: read(row)?,
            })
        })
        .await
    }

    /// Runs whose results are not up to date, with their marks; the lowest numbers first.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn results_due(&self, limit: u32) -> Result<Vec<(RunId, u64)>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(limit.min(MOST)));
        let read = |row: &Columns<'_>| Ok((RunId(row.number("run")?), row.number("mark")?));
        self.reader().rows("SELECT run, mark FROM results_due ORDER BY run LIMIT $1", values, read).await
    }

    /// The schedule that has made a job.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn job_origin(&self, job: JobId) -> Result<Option<OriginRow>, StoreError> {
        let mut values = Values::default();
        values.number(job.0);
        self.reader().row("SELECT * FROM job_origins WHERE job = $1", values, origin).await
    }

    /// The newest revision of an area that had this tree. `owner`: whose area; `None`: the public one.
    ///
    /// # Errors
    /// As [`Store::results`].
    pub async fn tree_revision(&self, owner: Option<&UserName>, tree: &str) -> Result<Option<u64>, StoreError> {
        let mut values = Values::default();
        values.text(tree);
        let sql = match owner {
            None => "SELECT max(revision) AS n FROM revisions WHERE area = 0 AND tree = $1",
            Some(owner) => {
                values.text(owner.as_str());
                "SELECT max(v.revision) AS n FROM revisions v JOIN areas a ON a.area = v.area \
                 WHERE v.tree = $1 AND a.owner = $2"
            }
        };
        Ok(self.reader().row(sql, values, |row| row.maybe_number("n")).await?.flatten())
    }
}

fn result(row: &Columns<'_>) -> Result<ResultRow, StoreError> {
    let job = JobId(row.number("job")?);
    let origin = match row.maybe_number("schedule")? {
        None => None,
        Some(schedule) => Some(OriginRow {
            job,
            schedule,
            name: row.maybe_text("schedule_name")?.unwrap_or_default(),
            occurrence: row.maybe_number("occurrence")?.unwrap_or_default(),
        }),
    };
    Ok(ResultRow {
        run: RunId(row.number("run")?),
        job,
        job_name: row.text("job_name")?,
        owner: row.parsed("owner")?,
        test: row.text("test")?,
        attempt: row.number("attempt")?,
        outcome: row.text("outcome")?,
        code: row.number("code")?,
        comment: row.text("comment")?,
        chosen_by: row.text("chosen_by")?,
        rack: row.maybe_text("rack")?,
        devices: Vec::new(),
        leased: row.maybe_time("leased")?,
        ended: row.time("ended")?,
        origin,
        public: (row.maybe_text("public_tree")?, row.maybe_number("public_revision")?),
        private: (row.maybe_text("private_tree")?, row.maybe_number("private_revision")?),
        plugins: row.text("plugins")?,
        events: row.text("events")?,
        counts: counts(row)?,
        held: held(row)?,
        removed: PerClass {
            video: row.maybe_time("video_removed")?,
            logs: row.maybe_time("logs_removed")?,
            numbers: row.maybe_time("numbers_removed")?,
        },
    })
}

fn counts(row: &Columns<'_>) -> Result<ResultCounts, StoreError> {
    Ok(ResultCounts {
        steps: row.number("steps")?,
        steps_failed: row.number("steps_failed")?,
        measurements: row.number("measurements")?,
        artifacts: row.number("artifacts")?,
        steps_left_out: row.number("steps_left_out")?,
        measurements_left_out: row.number("measurements_left_out")?,
        measurements_outside: row.number("measurements_outside")?,
        log_bytes_left_out: row.number("log_bytes_left_out")?,
    })
}

pub(crate) fn held(row: &Columns<'_>) -> Result<PerClass<u64>, StoreError> {
    Ok(PerClass {
        video: row.number("video_bytes")?,
        logs: row.number("logs_bytes")?,
        numbers: row.number("numbers_bytes")?,
    })
}

fn device(row: &Columns<'_>) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        run: RunId(row.number("run")?),
        no: row.number("no")?,
        slot: headend_model::SlotNo(row.number("slot")?),
        dut: headend_model::DutId(row.number("dut")?),
        dut_name: row.text("dut_name")?,
        model: row.text("model")?,
    })
}

fn step(row: &Columns<'_>) -> Result<StepRow, StoreError> {
    Ok(StepRow {
        no: row.number("no")?,
        parent: row.maybe_number("parent")?,
        depth: row.number("depth")?,
        path: row.text("path")?,
        name: row.text("name")?,
        outcome: row.text("outcome")?,
        code: row.maybe_number("code")?,
        began: row.maybe_time("began")?,
        ended: row.maybe_time("ended")?,
        comment: row.text("comment")?,
    })
}

fn measurement(row: &Columns<'_>) -> Result<MeasurementRow, StoreError> {
    Ok(MeasurementRow {
        no: row.number("no")?,
        step: row.maybe_number("step")?,
        path: row.text("path")?,
        name: row.text("name")?,
        value: row.real("value")?,
        unit: row.text("unit")?,
        low: row.maybe_real("low")?,
        high: row.maybe_real("high")?,
        at: row.maybe_time("at")?,
    })
}

pub(crate) fn artifact(row: &Columns<'_>) -> Result<ArtifactRow, StoreError> {
    Ok(ArtifactRow {
        path: row.text("path")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        class: row.text("class")?,
        size: row.number("size")?,
        hash: row.text("hash")?,
        removed: row.maybe_time("removed")?,
    })
}

fn origin(row: &Columns<'_>) -> Result<OriginRow, StoreError> {
    Ok(OriginRow {
        job: JobId(row.number("job")?),
        schedule: row.number("schedule")?,
        name: row.text("name")?,
        occurrence: row.number("occurrence")?,
    })
}
