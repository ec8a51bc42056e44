//! Results in the API's words.

use headend_model::Timestamp;
use headend_store::{ArtifactRow, MeasurementRow, OfRun, ResultRow, StepRow};
use headend_wire::api::{
    MeasurementItem, ResultCounts, ResultDevice, ResultFile, ResultLeftOut, ResultSchedule, ResultSnapshot, RunResult,
    StepItem,
};

use crate::clock::rfc3339;
use crate::show::time;

/// A run.
pub(crate) fn result(row: ResultRow) -> RunResult {
    let counts = row.counts;
    let left_out = ResultLeftOut {
        steps: counts.steps_left_out,
        measurements: counts.measurements_left_out,
        log_bytes: counts.log_bytes_left_out,
    };
    RunResult {
        run: row.run.0,
        job: row.job.0,
        job_name: row.job_name,
        owner: row.owner.to_string(),
        test: row.test,
        attempt: row.attempt,
        outcome: row.outcome,
        code: row.code,
        comment: row.comment,
        chosen_by: row.chosen_by,
        rack: row.rack,
        devices: row
            .devices
            .into_iter()
            .map(|one| ResultDevice { slot: one.slot.0, dut: one.dut.0, dut_name: one.dut_name, model: one.model })
            .collect(),
        started: time(row.leased),
        ended: rfc3339(row.ended),
        seconds: seconds(row.leased, Some(row.ended)),
        schedule: row.origin.map(|origin| ResultSchedule {
            id: origin.schedule,
            name: origin.name,
            occurrence: origin.occurrence,
        }),
        snapshot: ResultSnapshot {
            public_tree: row.public.0,
            public_revision: row.public.1,
            private_tree: row.private.0,
            private_revision: row.private.1,
        },
        plugins: serde_json::from_str(&row.plugins).unwrap_or_default(),
        events: row.events,
        counts: ResultCounts {
            steps: counts.steps,
            steps_failed: counts.steps_failed,
            measurements: counts.measurements,
            artifacts: counts.artifacts,
        },
        left_out: (left_out.steps + left_out.measurements + left_out.log_bytes > 0).then_some(left_out),
        video_removed: time(row.removed.video),
        logs_removed: time(row.removed.logs),
        numbers_removed: time(row.removed.numbers),
    }
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some((to? - from?).as_micros() as f64 / 1e6)
}

/// A step.
pub(crate) fn step(found: OfRun<StepRow>) -> StepItem {
    let row = found.item;
    StepItem {
        run: found.run.0,
        job: found.job.0,
        test: found.test,
        dut_name: found.dut,
        no: row.no,
        parent: row.parent,
        depth: row.depth,
        path: row.path,
        name: row.name,
        outcome: row.outcome,
        code: row.code,
        began: time(row.began),
        ended: time(row.ended),
        seconds: seconds(row.began, row.ended),
        comment: row.comment,
    }
}

/// A measurement.
pub(crate) fn measurement(found: OfRun<MeasurementRow>) -> MeasurementItem {
    let row = found.item;
    let limited = row.low.is_some() || row.high.is_some();
    let within = row.low.is_none_or(|low| row.value >= low) && row.high.is_none_or(|high| row.value <= high);
    MeasurementItem {
        run: found.run.0,
        job: found.job.0,
        test: found.test,
        dut_name: found.dut,
        no: row.no,
        step: row.step,
        path: row.path,
        name: row.name,
        value: row.value,
        unit: row.unit,
        low: row.low,
        high: row.high,
        within: limited.then_some(within),
        at: time(row.at),
    }
}

/// A file.
pub(crate) fn artifact(found: OfRun<ArtifactRow>) -> ResultFile {
    let row = found.item;
    ResultFile {
        run: found.run.0,
        job: found.job.0,
        test: found.test,
        dut_name: found.dut,
        path: row.path,
        name: row.name,
        kind: row.kind,
        class: row.class,
        size: row.size,
        hash: row.hash,
        removed: time(row.removed),
    }
}
