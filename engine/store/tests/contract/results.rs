//! What runs have found out, and what is kept of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use headend_model::{JobId, RunId, TestResult};
use headend_store::{
    ArtifactRow, DeviceRow, KeepRow, KeptClass, MeasurementRow, OriginRow, PerClass, Projection, Removal, ResultCounts,
    ResultQuery, ResultRow, RunNumbers, RunResults, StepRow, Store, StoreOptions,
};

use super::cases::Factory;
use super::samples::{at, ended, job, user};

/// A store with three runs of two jobs that have ended; 11 and 12 of ann's job 1, 21 of bob's job 2.
async fn filled(factory: &impl Factory) -> Store {
    let store = factory.open(StoreOptions::default()).await;
    let runs = [(11, 1, TestResult::Pass), (12, 1, TestResult::Fail), (21, 2, TestResult::Pass)];
    let runs = runs.map(|(run, job, result)| ended(run, job, result));
    store.write([job(1, "ann"), job(2, "bob")].into_iter().chain(runs).collect()).await.unwrap();
    let all = [results(11, 1, "ann", "pass"), results(12, 1, "ann", "fail"), results(21, 2, "bob", "pass")];
    store.save_results(all.to_vec()).await.unwrap();
    store
}

pub(crate) fn results(run: u64, job: u64, owner: &str, outcome: &str) -> RunResults {
    let device = DeviceRow {
        run: RunId(run),
        no: 0,
        slot: headend_model::SlotNo(4),
        dut: headend_model::DutId(run),
        dut_name: format!("box {run}"),
        model: "M1".to_owned(),
    };
    let row = ResultRow {
        run: RunId(run),
        job: JobId(job),
        job_name: "night".to_owned(),
        owner: user(owner),
        test: format!("public/zap/{run}.py"),
        attempt: 1,
        outcome: outcome.to_owned(),
        code: 111,
        comment: "it zaps".to_owned(),
        chosen_by: "test-coverage".to_owned(),
        rack: Some("rack1".to_owned()),
        devices: vec![device],
        leased: Some(at(5)),
        ended: at(run as i64 * 1_000_000),
        origin: Some(OriginRow { job: JobId(job), schedule: 3, name: "nightly".to_owned(), occurrence: 8 }),
        public: (Some("ab".repeat(32)), Some(4)),
        private: (None, None),
        plugins: r#"{"ocr":"1.2.0"}"#.to_owned(),
        events: "read".to_owned(),
        counts: ResultCounts {
            steps: 3,
            steps_failed: 1,
            measurements: 2,
            artifacts: 2,
            measurements_outside: 1,
            ..ResultCounts::default()
        },
        held: PerClass { video: 100, logs: 10, numbers: 1 },
        removed: PerClass::default(),
    };
    let numbers = RunNumbers { steps: (1..=3).map(step).collect(), measurements: (1..=2).map(measurement).collect() };
    let artifacts = vec![artifact("a.avi", "video"), artifact("log.jsonl", "logs")];
    RunResults { row, numbers: Some(numbers), artifacts, mark: 1 }
}

fn step(no: u32) -> StepRow {
    StepRow {
        no,
        parent: (no > 1).then_some(1),
        depth: u32::from(no > 1),
        path: format!("zap/{no}"),
        name: no.to_string(),
        outcome: "pass".to_owned(),
        code: Some(111),
        began: Some(at(1_000_000)),
        ended: Some(at(1_500_000)),
        comment: String::new(),
    }
}

fn measurement(no: u32) -> MeasurementRow {
    MeasurementRow {
        no,
        step: Some(1),
        path: "zap/1".to_owned(),
        name: "time".to_owned(),
        value: f64::from(no) / 10.0,
        unit: "s".to_owned(),
        low: None,
        high: Some(0.15),
        at: Some(at(7)),
    }
}

fn artifact(path: &str, class: &str) -> ArtifactRow {
    ArtifactRow {
        path: path.to_owned(),
        name: path.to_owned(),
        kind: "data".to_owned(),
        class: class.to_owned(),
        size: 5,
        hash: "cd".repeat(32),
        removed: None,
    }
}

fn all() -> ResultQuery {
    ResultQuery { limit: 100, ..ResultQuery::default() }
}

async fn runs(store: &Store, query: ResultQuery) -> Vec<u64> {
    store.results(&query).await.unwrap().into_iter().map(|row| row.run.0).collect()
}

pub(crate) async fn results_come_back_as_they_were_saved(factory: &impl Factory) {
    let store = filled(factory).await;
    let saved = results(12, 1, "ann", "fail");
    assert_eq!(store.result(RunId(12)).await.unwrap(), Some(saved.row.clone()));
    let of_12 = ResultQuery { run: Some(RunId(12)), ..all() };
    let steps = store.result_steps(&of_12).await.unwrap();
    assert_eq!((&*steps[0].test, steps[0].dut.as_deref()), ("public/zap/12.py", Some("box 12")));
    let numbers = saved.numbers.clone().unwrap();
    assert_eq!(steps.into_iter().map(|one| one.item).collect::<Vec<_>>(), numbers.steps);
    let measured = store.result_measurements(&of_12).await.unwrap();
    assert_eq!(measured.into_iter().map(|one| one.item).collect::<Vec<_>>(), numbers.measurements);
    let files = store.result_artifacts(&of_12).await.unwrap();
    assert_eq!(files.into_iter().map(|one| one.item).collect::<Vec<_>>(), saved.artifacts);
    // Once more changes nothing; without numbers, those that are there stay.
    store.save_results(vec![saved.clone()]).await.unwrap();
    store.save_results(vec![RunResults { numbers: None, ..saved }]).await.unwrap();
    assert_eq!(store.result_steps(&of_12).await.unwrap().len(), 3);
    store.check_history().await.unwrap();
}

pub(crate) async fn results_are_found_by_what_is_asked(factory: &impl Factory) {
    let store = filled(factory).await;
    assert_eq!(runs(&store, all()).await, [21, 12, 11]);
    assert_eq!(runs(&store, ResultQuery { owner: Some(user("ann")), ..all() }).await, [12, 11]);
    assert_eq!(runs(&store, ResultQuery { job: Some(JobId(2)), ..all() }).await, [21]);
    assert_eq!(runs(&store, ResultQuery { test: Some("public/*/1?.py".to_owned()), ..all() }).await, [12, 11]);
    assert_eq!(runs(&store, ResultQuery { dut: Some("box 11".to_owned()), ..all() }).await, [11]);
    assert_eq!(runs(&store, ResultQuery { dut: Some("21".to_owned()), ..all() }).await, [21]);
    assert_eq!(runs(&store, ResultQuery { since: Some(at(12_000_000)), ..all() }).await, [21, 12]);
    assert_eq!(runs(&store, ResultQuery { until: Some(at(12_000_000)), ..all() }).await, [11]);
    let outcomes = vec!["fail".to_owned(), "killed".to_owned()];
    assert_eq!(runs(&store, ResultQuery { outcomes, ..all() }).await, [12]);
    // What looks like SQL is a name like any other.
    assert_eq!(runs(&store, ResultQuery { dut: Some("' OR 1=1 --".to_owned()), ..all() }).await, [0_u64; 0]);
}

pub(crate) async fn results_go_a_page_at_a_time(factory: &impl Factory) {
    let store = filled(factory).await;
    let mut query = ResultQuery { limit: 2, ..all() };
    let mut seen = Vec::new();
    loop {
        let page = store.result_steps(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some((last.run, Some(last.item.no.to_string())));
        seen.extend(page.iter().map(|one| (one.run.0, one.item.no)));
    }
    assert_eq!(seen, [(21, 1), (21, 2), (21, 3), (12, 1), (12, 2), (12, 3), (11, 1), (11, 2), (11, 3)]);
    let files = ResultQuery { after: Some((RunId(12), Some("a.avi".to_owned()))), limit: 2, ..all() };
    let files = store.result_artifacts(&files).await.unwrap();
    let files: Vec<_> = files.iter().map(|one| (one.run.0, &*one.item.path)).collect();
    assert_eq!(files, [(12, "log.jsonl"), (11, "a.avi")]);
    assert_eq!(runs(&store, ResultQuery { after: Some((RunId(12), None)), ..all() }).await, [11]);
}

pub(crate) async fn a_change_during_the_work_is_not_lost(factory: &impl Factory) {
    let store = factory.open(StoreOptions::default()).await;
    store.write(vec![job(1, "ann"), ended(11, 1, TestResult::Pass)]).await.unwrap();
    assert_eq!(store.results_due(10).await.unwrap(), [(RunId(11), 1)]);
    // A file comes in while the run is looked at.
    store.results_changed(RunId(11)).await.unwrap();
    store.save_results(vec![results(11, 1, "ann", "pass")]).await.unwrap();
    assert_eq!(store.results_due(10).await.unwrap(), [(RunId(11), 2)]);
    store.save_results(vec![RunResults { mark: 2, ..results(11, 1, "ann", "pass") }]).await.unwrap();
    assert_eq!(store.results_due(10).await.unwrap(), []);
    // A run that has not ended is not due.
    store.results_changed(RunId(99)).await.unwrap();
    assert_eq!(store.results_due(10).await.unwrap(), []);
}

fn removal(run: u64, through: KeptClass) -> Removal {
    Removal { run: RunId(run), through, bytes: PerClass::default() }
}

pub(crate) async fn what_goes_says_so_before_it_goes(factory: &impl Factory) {
    let store = filled(factory).await;
    let held = store.held_after(None, 10).await.unwrap();
    assert_eq!(held.iter().map(|row| row.run.0).collect::<Vec<_>>(), [11, 12, 21]);
    let later = store.held_after(Some((held[0].ended, held[0].run)), 10).await.unwrap();
    assert_eq!(later, held[1..]);
    assert_eq!(store.held_in_all().await.unwrap(), PerClass { video: 300, logs: 30, numbers: 3 });

    let gone =
        store.remove(vec![removal(11, KeptClass::Video), removal(12, KeptClass::Numbers)], at(77)).await.unwrap();
    assert_eq!(gone[0].bytes, PerClass { video: 100, logs: 0, numbers: 0 });
    assert_eq!(gone[1].bytes, PerClass { video: 100, logs: 10, numbers: 1 });
    assert_eq!(store.removals_due(10).await.unwrap(), [RunId(11), RunId(12)]);
    let files = store.removed_artifacts(RunId(11)).await.unwrap();
    assert_eq!(files.iter().map(|file| (&*file.path, file.removed)).collect::<Vec<_>>(), [("a.avi", Some(at(77)))]);
    let row = store.result(RunId(12)).await.unwrap().unwrap();
    assert_eq!(row.removed, PerClass { video: Some(at(77)), logs: Some(at(77)), numbers: Some(at(77)) });
    assert_eq!((&*row.outcome, row.counts.steps), ("fail", 3), "the verdict stays, and how much there was");
    let of_12 = ResultQuery { run: Some(RunId(12)), ..all() };
    assert_eq!(store.result_steps(&of_12).await.unwrap(), []);
    assert_eq!(store.result_artifacts(&of_12).await.unwrap().len(), 2, "until the files are gone, too");

    store.removals_done(vec![RunId(11), RunId(12)]).await.unwrap();
    assert_eq!(store.removals_due(10).await.unwrap(), []);
    assert_eq!(store.result_artifacts(&of_12).await.unwrap(), []);
    let of_11 = ResultQuery { run: Some(RunId(11)), ..all() };
    assert_eq!(store.result_artifacts(&of_11).await.unwrap().len(), 2, "a row outlives its file");
    let log = store.retention_log(10).await.unwrap();
    let log: Vec<_> = log.iter().map(|row| (&*row.class, row.runs, row.bytes)).collect();
    assert_eq!(log, [("numbers", 1, 1), ("logs", 1, 10), ("video", 2, 200)]);
    assert_eq!(store.held_in_all().await.unwrap(), PerClass { video: 100, logs: 20, numbers: 2 });
}

pub(crate) async fn a_kept_run_does_not_go(factory: &impl Factory) {
    let store = filled(factory).await;
    let keep = |run: u64, note: &str| {
        let (owner, by, note) = (user("ann"), user("bob"), note.to_owned());
        Projection::RunKept(KeepRow { run: RunId(run), owner, by, at: at(3), note })
    };
    store.write(vec![keep(11, "first"), keep(11, "the reference"), keep(12, "")]).await.unwrap();
    assert_eq!(store.keep_of(RunId(11)).await.unwrap().unwrap().note, "the reference");
    assert_eq!(store.count_keeps(&user("ann")).await.unwrap(), 2);
    assert_eq!(store.keeps(None, None, 1).await.unwrap()[0].run, RunId(12));
    assert_eq!(store.keeps(Some(&user("ann")), Some(RunId(12)), 10).await.unwrap()[0].run, RunId(11));
    assert_eq!(store.keeps(Some(&user("bob")), None, 10).await.unwrap(), []);
    assert!(store.held_after(None, 1).await.unwrap()[0].kept);
    // It was planned before it was pinned.
    let gone = store.remove(vec![removal(11, KeptClass::Logs), removal(21, KeptClass::Logs)], at(5)).await.unwrap();
    assert_eq!(gone.iter().map(|one| one.run.0).collect::<Vec<_>>(), [21]);
    store.write(vec![Projection::RunNotKept(RunId(11)), Projection::RunNotKept(RunId(99))]).await.unwrap();
    assert_eq!(store.remove(vec![removal(11, KeptClass::Logs)], at(6)).await.unwrap().len(), 1);
}
