//! Rows of results: all columns for programs, some for people.

use headend_wire::api::{MeasurementItem, ResultFile, RunResult, StepItem};

use crate::ui::{when, when_or_dash};

/// Something that is a row.
pub(super) trait Row {
    /// Names of all columns.
    const COLUMNS: &[&str];
    /// Heads of the columns for people.
    const HEADS: &[&str];
    /// A value for each of [`Row::COLUMNS`]; empty: there is none.
    fn values(&self) -> Vec<String>;
    /// A text for each of [`Row::HEADS`].
    fn cells(&self) -> Vec<String>;
}

fn text(value: Option<&impl ToString>) -> String {
    value.map_or_else(String::new, ToString::to_string)
}

fn shown(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3}"))
}

impl Row for RunResult {
    const COLUMNS: &[&str] = &[
        "run",
        "job",
        "job_name",
        "owner",
        "test",
        "attempt",
        "outcome",
        "code",
        "comment",
        "chosen_by",
        "rack",
        "slot",
        "dut",
        "dut_name",
        "model",
        "devices",
        "started",
        "ended",
        "seconds",
        "schedule",
        "schedule_name",
        "occurrence",
        "public_tree",
        "public_revision",
        "private_tree",
        "private_revision",
        "plugins",
        "events",
        "steps",
        "steps_failed",
        "measurements",
        "artifacts",
        "steps_left_out",
        "measurements_left_out",
        "log_bytes_left_out",
        "video_removed",
        "logs_removed",
        "numbers_removed",
    ];
    const HEADS: &[&str] = &[
        "RUN", "JOB", "TEST", "DUT", "OUTCOME", "STEPS", "FAILED", "MEASURED", "FILES", "SECONDS", "ENDED", "COMMENT",
    ];

    fn values(&self) -> Vec<String> {
        let (device, schedule, left_out) = (self.devices.first(), self.schedule.as_ref(), self.left_out.as_ref());
        let (snapshot, counts) = (&self.snapshot, &self.counts);
        let plugins: Vec<String> = self.plugins.iter().map(|(name, version)| format!("{name}={version}")).collect();
        vec![
            self.run.to_string(),
            self.job.to_string(),
            self.job_name.clone(),
            self.owner.clone(),
            self.test.clone(),
            self.attempt.to_string(),
            self.outcome.clone(),
            self.code.to_string(),
            self.comment.clone(),
            self.chosen_by.clone(),
            text(self.rack.as_ref()),
            text(device.map(|one| &one.slot)),
            text(device.map(|one| &one.dut)),
            text(device.map(|one| &one.dut_name)),
            text(device.map(|one| &one.model)),
            self.devices.len().to_string(),
            text(self.started.as_ref()),
            self.ended.clone(),
            text(self.seconds.as_ref()),
            text(schedule.map(|one| &one.id)),
            text(schedule.map(|one| &one.name)),
            text(schedule.map(|one| &one.occurrence)),
            text(snapshot.public_tree.as_ref()),
            text(snapshot.public_revision.as_ref()),
            text(snapshot.private_tree.as_ref()),
            text(snapshot.private_revision.as_ref()),
            plugins.join(" "),
            self.events.clone(),
            counts.steps.to_string(),
            counts.steps_failed.to_string(),
            counts.measurements.to_string(),
            counts.artifacts.to_string(),
            left_out.map_or(0, |one| one.steps).to_string(),
            left_out.map_or(0, |one| one.measurements).to_string(),
            left_out.map_or(0, |one| one.log_bytes).to_string(),
            text(self.video_removed.as_ref()),
            text(self.logs_removed.as_ref()),
            text(self.numbers_removed.as_ref()),
        ]
    }

    fn cells(&self) -> Vec<String> {
        let dut = self.devices.first().map_or_else(|| "-".to_owned(), |one| one.dut_name.clone());
        let more = if self.left_out.is_some() { "+" } else { "" };
        vec![
            self.run.to_string(),
            self.job.to_string(),
            self.test.clone(),
            dut,
            self.outcome.clone(),
            format!("{}{more}", self.counts.steps),
            self.counts.steps_failed.to_string(),
            format!("{}{more}", self.counts.measurements),
            self.counts.artifacts.to_string(),
            shown(self.seconds),
            when(&self.ended),
            self.comment.clone(),
        ]
    }
}

impl Row for StepItem {
    const COLUMNS: &[&str] = &[
        "run", "job", "test", "dut_name", "no", "parent", "depth", "path", "name", "outcome", "code", "began", "ended",
        "seconds", "comment",
    ];
    const HEADS: &[&str] = &["RUN", "NO", "STEP", "OUTCOME", "SECONDS", "COMMENT"];

    fn values(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.job.to_string(),
            self.test.clone(),
            text(self.dut_name.as_ref()),
            self.no.to_string(),
            text(self.parent.as_ref()),
            self.depth.to_string(),
            self.path.clone(),
            self.name.clone(),
            self.outcome.clone(),
            text(self.code.as_ref()),
            text(self.began.as_ref()),
            text(self.ended.as_ref()),
            text(self.seconds.as_ref()),
            self.comment.clone(),
        ]
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.no.to_string(),
            self.path.clone(),
            self.outcome.clone(),
            shown(self.seconds),
            self.comment.clone(),
        ]
    }
}

/// `0.5..2`, `..2`, or `-`.
pub(super) fn limits(item: &MeasurementItem) -> String {
    match (item.low, item.high) {
        (None, None) => "-".to_owned(),
        (low, high) => format!("{}..{}", text(low.as_ref()), text(high.as_ref())),
    }
}

impl Row for MeasurementItem {
    const COLUMNS: &[&str] = &[
        "run", "job", "test", "dut_name", "no", "step", "path", "name", "value", "unit", "low", "high", "within", "at",
    ];
    const HEADS: &[&str] = &["RUN", "NO", "NAME", "VALUE", "UNIT", "LIMITS", "WITHIN", "STEP", "AT"];

    fn values(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.job.to_string(),
            self.test.clone(),
            text(self.dut_name.as_ref()),
            self.no.to_string(),
            text(self.step.as_ref()),
            self.path.clone(),
            self.name.clone(),
            self.value.to_string(),
            self.unit.clone(),
            text(self.low.as_ref()),
            text(self.high.as_ref()),
            text(self.within.as_ref()),
            text(self.at.as_ref()),
        ]
    }

    fn cells(&self) -> Vec<String> {
        let within = match self.within {
            None => "-",
            Some(true) => "yes",
            Some(false) => "no",
        };
        vec![
            self.run.to_string(),
            self.no.to_string(),
            self.name.clone(),
            self.value.to_string(),
            self.unit.clone(),
            limits(self),
            within.to_owned(),
            self.path.clone(),
            when_or_dash(self.at.as_ref()),
        ]
    }
}

impl Row for ResultFile {
    const COLUMNS: &[&str] =
        &["run", "job", "test", "dut_name", "path", "name", "kind", "class", "size", "hash", "removed"];
    const HEADS: &[&str] = &["RUN", "PATH", "KIND", "BYTES", "REMOVED BY RETENTION", "NAME"];

    fn values(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.job.to_string(),
            self.test.clone(),
            text(self.dut_name.as_ref()),
            self.path.clone(),
            self.name.clone(),
            self.kind.clone(),
            self.class.clone(),
            self.size.to_string(),
            self.hash.clone(),
            text(self.removed.as_ref()),
        ]
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.path.clone(),
            self.kind.clone(),
            self.size.to_string(),
            when_or_dash(self.removed.as_ref()),
            self.name.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_value() {
        fn check<R: Row>(row: &R) {
            assert_eq!(R::COLUMNS.len(), row.values().len());
            assert_eq!(R::HEADS.len(), row.cells().len());
        }
        check(&super::super::junit::tests::run(1, "pass"));
        check(&super::super::junit::tests::step(1, "a", "pass"));
        let measured = super::super::junit::tests::measured(1, 0.1, Some(true));
        check(&measured);
        assert_eq!(measured.values()[8], "0.1");
        assert_eq!(measured.cells()[5..7], ["..2", "yes"]);
        assert_eq!(super::super::junit::tests::measured(1, 2.5, Some(false)).cells()[6], "no");
        check(&ResultFile {
            run: 1,
            job: 1,
            test: String::new(),
            dut_name: None,
            path: String::new(),
            name: String::new(),
            kind: String::new(),
            class: String::new(),
            size: 0,
            hash: String::new(),
            removed: None,
        });
    }
}
