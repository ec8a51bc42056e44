//! From what is known of a run to its rows. Nothing here reads a file, a database or a clock.

use std::collections::BTreeMap;

use headend_model::{DutId, JobSpec};
use headend_store::{
    ArtifactRow, DeviceRow, JobRow, KeptClass, OriginRow, PerClass, ResultCounts, ResultRow, RunNumbers, RunResults,
    RunRow, outcome_word,
};

use super::parse::{Parsed, cut};
use super::survey::{EVENTS, Found, Survey};
use crate::show;

/// Longest comment of a run, in characters.
const LONGEST_COMMENT: usize = 2_000;
/// What a row takes beside its texts, in bytes: numbers, its place in indexes.
const ROW_BYTES: usize = 60;

/// All that is known of a run.
pub(super) struct Known<'a> {
    /// The run.
    pub(super) run: &'a RunRow,
    /// Its job.
    pub(super) job: &'a JobRow,
    /// Name and model's name of its DUTs, as far as they are there.
    pub(super) duts: &'a BTreeMap<DutId, (String, String)>,
    /// The schedule that has made its job.
    pub(super) origin: Option<OriginRow>,
    /// Revisions of the public and the private tree that it saw.
    pub(super) revisions: (Option<u64>, Option<u64>),
    /// What it has left.
    pub(super) survey: Survey,
    /// Its row as it was made the last time.
    pub(super) before: Option<ResultRow>,
    /// Of the list of what is due.
    pub(super) mark: u64,
}

/// Its rows. Where its events are gone, what they told before stays.
pub(super) fn derive(known: Known<'_>) -> RunResults {
    let Survey { files, events } = known.survey;
    let artifacts: Vec<ArtifactRow> = files.into_iter().map(|file| artifact(file, events.as_ref())).collect();
    let mut held = PerClass::default();
    for class in [KeptClass::Video, KeptClass::Logs] {
        let of_class = artifacts.iter().filter(|file| file.class == class.as_str());
        *held.of_mut(class) = of_class.map(|file| file.size).sum();
    }
    let before = known.before;
    // What is there again is not gone.
    let mut removed = before.as_ref().map_or_else(PerClass::default, |before| before.removed);
    for class in [KeptClass::Video, KeptClass::Logs] {
        if held.of(class) > 0 {
            *removed.of_mut(class) = None;
        }
    }
    let mut row = blank(known.run, known.job, known.duts);
    row.origin = known.origin;
    row.public.1 = known.revisions.0;
    row.private.1 = known.revisions.1;
    row.removed = removed;
    let numbers = match (events, before) {
        (Some(parsed), _) => Some(take(&mut row, parsed)),
        (None, Some(before)) if before.events != "none" => {
            keep(&mut row, &before);
            None
        }
        (None, _) => Some(RunNumbers::default()),
    };
    row.counts.artifacts = (artifacts.len() as u64).max(if numbers.is_none() { row.counts.artifacts } else { 0 });
    held.numbers = match &numbers {
        Some(numbers) => size_of(numbers, &artifacts),
        None => row.held.numbers,
    };
    row.held = held;
    RunResults { row, numbers, artifacts, mark: known.mark }
}

fn blank(run: &RunRow, job: &JobRow, duts: &BTreeMap<DutId, (String, String)>) -> ResultRow {
    let devices = run.places.iter().zip(0..).map(|(place, no)| {
        let (dut_name, model) = duts.get(&place.dut).cloned().unwrap_or_default();
        DeviceRow { run: run.run, no, slot: place.slot, dut: place.dut, dut_name, model }
    });
    ResultRow {
        run: run.run,
        job: run.job,
        job_name: job.spec.name.clone(),
        owner: job.spec.owner.clone(),
        test: test_of(&job.spec, run),
        attempt: run.attempt,
        outcome: outcome_word(&run.outcome).to_owned(),
        code: run.outcome.code(),
        comment: cut(&run.outcome.to_string(), LONGEST_COMMENT),
        chosen_by: run.why.as_ref().map(|why| show::chosen_by(&why.chosen_by)).unwrap_or_default(),
        rack: run.rack.as_ref().map(ToString::to_string),
        devices: devices.collect(),
        leased: run.leased,
        ended: run.ended,
        origin: None,
        public: (run.public_tree.clone(), None),
        private: (run.private_tree.clone(), None),
        plugins: "{}".to_owned(),
        events: "none".to_owned(),
        counts: ResultCounts::default(),
        held: PerClass::default(),
        removed: PerClass::default(),
    }
}

fn test_of(spec: &JobSpec, run: &RunRow) -> String {
    spec.tests.get(run.test.0 as usize).map(show::jobs::script_of).unwrap_or_default()
}

fn take(row: &mut ResultRow, parsed: Parsed) -> RunNumbers {
    let numbers = parsed.numbers;
    "read".clone_into(&mut row.events);
    row.removed.numbers = None;
    row.plugins = serde_json::to_string(&parsed.plugins).unwrap_or_else(|_| "{}".to_owned());
    row.counts = ResultCounts {
        steps: numbers.steps.len() as u64,
        steps_failed: numbers.steps.iter().filter(|step| step.outcome == "fail").count() as u64,
        measurements: numbers.measurements.len() as u64,
        artifacts: 0,
        steps_left_out: parsed.steps_left_out,
        measurements_left_out: parsed.measurements_left_out,
        log_bytes_left_out: parsed.log_bytes_left_out,
        measurements_outside: numbers.measurements.iter().filter(|row| row.is_outside()).count() as u64,
    };
    numbers
}

fn keep(row: &mut ResultRow, before: &ResultRow) {
    "removed".clone_into(&mut row.events);
    row.plugins.clone_from(&before.plugins);
    row.counts = before.counts;
    row.held.numbers = before.held.numbers;
}

/// What the rows take in the database, about.
fn size_of(numbers: &RunNumbers, artifacts: &[ArtifactRow]) -> u64 {
    let steps = numbers.steps.iter().map(|row| row.path.len() + row.name.len() + row.comment.len() + ROW_BYTES);
    let measured =
        numbers.measurements.iter().map(|row| row.path.len() + 2 * row.name.len() + row.unit.len() + ROW_BYTES);
    let files = artifacts.iter().map(|row| row.path.len() + row.name.len() + row.hash.len() + ROW_BYTES);
    steps.chain(measured).chain(files).sum::<usize>() as u64
}

fn artifact(file: Found, parsed: Option<&Parsed>) -> ArtifactRow {
    let own = file.path.rsplit('/').next().unwrap_or_default();
    let name = parsed.and_then(|parsed| parsed.names.get(&file.path).cloned()).unwrap_or_else(|| own.to_owned());
    let kind = kind_of(&file.path);
    let class = if matches!(kind, "film" | "strip") { KeptClass::Video } else { KeptClass::Logs };
    ArtifactRow {
        name,
        kind: kind.to_owned(),
        class: class.as_str().to_owned(),
        size: file.size,
        hash: file.hash,
        path: file.path,
        removed: None,
    }
}

/// What a file is, by its name.
fn kind_of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    if path == EVENTS {
        return "events";
    }
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "avi" | "mp4" | "mkv" | "webm" | "mov" | "ts" | "mpg" | "mjpeg" => "film",
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp" if name.starts_with("filmstrip") => "strip",
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp" => "picture",
        "wav" | "mp3" | "ogg" | "flac" => "sound",
        "html" | "htm" | "css" => "page",
        "txt" | "log" => "log",
        "json" | "jsonl" | "csv" | "xml" | "toml" | "yaml" => "data",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use headend_model::{Outcome, RunId, SlotNo, TestIx, TestResult, Timestamp};
    use headend_store::{RunPlace, StepRow};

    use super::*;

    fn job() -> JobRow {
        let spec = serde_json::from_value(serde_json::json!({
            "name": "nightly", "owner": "olga", "priority": 5, "targets": [{ "slot": 1 }],
            "tests": [{ "script": "a/zap.py", "public": true, "slots_needed": 1, "mode": "dut_coverage", "args": [], "time_limit": null }],
        }));
        JobRow::accepted(headend_model::JobId(3), spec.unwrap(), RunId(9), 1, Timestamp::from_micros(1))
    }

    fn run() -> RunRow {
        RunRow {
            run: RunId(9),
            job: headend_model::JobId(3),
            test: TestIx(0),
            attempt: 1,
            rack: Some("rack1".parse().unwrap()),
            places: vec![RunPlace { slot: SlotNo(2), slot_epoch: 1, dut: DutId(4), dut_epoch: 1 }],
            leased: Some(Timestamp::from_micros(10)),
            ended: Timestamp::from_micros(20),
            outcome: Outcome::Done { result: TestResult::Fail, comment: "too slow".to_owned() },
            why: None,
            public_tree: Some("aa".to_owned()),
            private_tree: None,
        }
    }

    fn derived(survey: Survey, before: Option<ResultRow>) -> RunResults {
        let duts = [(DutId(4), ("box".to_owned(), "M1".to_owned()))].into();
        let (run, job) = (run(), job());
        derive(Known {
            run: &run,
            job: &job,
            duts: &duts,
            origin: None,
            revisions: (Some(7), None),
            survey,
            before,
            mark: 1,
        })
    }

    fn found(path: &str, size: u64) -> Found {
        Found { path: path.to_owned(), size, hash: "00".to_owned() }
    }

    fn step(name: &str, outcome: &str) -> StepRow {
        StepRow {
            no: 1,
            parent: None,
            depth: 0,
            path: name.to_owned(),
            name: name.to_owned(),
            outcome: outcome.to_owned(),
            code: None,
            began: None,
            ended: None,
            comment: String::new(),
        }
    }

    fn parsed() -> Parsed {
        let numbers = RunNumbers { steps: vec![step("a", "pass"), step("b", "fail")], measurements: Vec::new() };
        let names = [("out/x.bin".to_owned(), "the dump".to_owned())].into();
        Parsed { numbers, names, plugins: [("ocr".to_owned(), "1.2".to_owned())].into(), ..Parsed::default() }
    }

    #[test]
    fn a_run_is_told_with_where_it_ran_and_what_it_left() {
        let files = vec![found(EVENTS, 5), found("out/x.bin", 7), found("filmstrip_1.png", 11), found("a.avi", 13)];
        let made = derived(Survey { files, events: Some(parsed()) }, None);
        let row = &made.row;
        assert_eq!((&*row.test, &*row.outcome, &*row.comment, row.code), ("public/a/zap.py", "fail", "too slow", 100));
        assert_eq!((&*row.devices[0].dut_name, &*row.devices[0].model, row.devices[0].slot), ("box", "M1", SlotNo(2)));
        assert_eq!(row.public, (Some("aa".to_owned()), Some(7)));
        assert_eq!((&*row.events, &*row.plugins), ("read", r#"{"ocr":"1.2"}"#));
        assert_eq!((row.counts.steps, row.counts.steps_failed, row.counts.artifacts), (2, 1, 4));
        assert_eq!((row.held.video, row.held.logs), (24, 12));
        assert!(row.held.numbers > 0);
        let kinds: Vec<_> = made.artifacts.iter().map(|file| (&*file.name, &*file.kind)).collect();
        assert_eq!(kinds, [(EVENTS, "events"), ("the dump", "other"), ("filmstrip_1.png", "strip"), ("a.avi", "film")]);
    }

    #[test]
    fn the_same_again_gives_the_same_rows() {
        let survey = Survey { files: vec![found(EVENTS, 5)], events: Some(parsed()) };
        let first = derived(survey.clone(), None);
        assert_eq!(derived(survey, Some(first.row.clone())), first);
    }

    #[test]
    fn numbers_outlive_the_log_that_they_came_from() {
        let first = derived(Survey { files: vec![found(EVENTS, 5)], events: Some(parsed()) }, None);
        let mut before = first.row;
        before.removed.logs = Some(Timestamp::from_micros(99));
        let again = derived(Survey::default(), Some(before.clone()));
        assert_eq!(again.numbers, None, "what there is stays");
        assert_eq!((again.row.counts, again.row.held.numbers), (before.counts, before.held.numbers));
        assert_eq!((&*again.row.events, again.row.removed.logs), ("removed", before.removed.logs));
        // A file that comes back is there again.
        let back = derived(Survey { files: vec![found("console.txt", 3)], events: None }, Some(again.row));
        assert_eq!((back.row.removed.logs, back.row.held.logs), (None, 3));
    }

    #[test]
    fn a_run_that_left_nothing_has_a_verdict_all_the_same() {
        let made = derived(Survey::default(), None);
        assert_eq!((&*made.row.events, made.numbers), ("none", Some(RunNumbers::default())));
        assert_eq!((made.row.held, made.row.counts), (PerClass::default(), ResultCounts::default()));
    }
}
