//! What every store has to do, told without naming any.
#![allow(clippy::unwrap_used, reason = "tests")]

use headend_model::{
    CatalogueEntry, DeviceModel, DutFields, DutId, DutRefs, JobId, JobStatus, OccurrenceNo, Outcome, RackId, RunId,
    ScheduleId, SlotId, SlotNo, Smartcard, TestResult, Timestamp,
};
use headend_store::{
    AreaHead, AreaId, CatalogueRow, DutRow, Entry, GrantRow, JobQuery, OccurrenceRow, PluginRow, Projection, RackRow,
    Recovered, SlotRow, Store, StoreError, StoreOptions, TokenRow,
};

use super::samples::{at, ended, entry, feed, job, kill, occurrence, pin, run, submit, tick, user};

/// Opens the same store again and again.
pub(crate) trait Factory {
    /// The store, with what was left in it the last time.
    async fn open(&self, options: StoreOptions) -> Store;
}

async fn open(factory: &impl Factory) -> Store {
    factory.open(StoreOptions::default()).await
}

async fn reopened(factory: &impl Factory, store: Store) -> Store {
    store.close().await;
    drop(store);
    open(factory).await
}

pub(crate) async fn a_fresh_store_is_empty(factory: &impl Factory) {
    let store = open(factory).await;
    assert_eq!(store.recover().await.unwrap(), Recovered::default());
    assert_eq!(store.jobs(&JobQuery { limit: 10, ..JobQuery::default() }).await.unwrap(), []);
    assert_eq!((store.last_feed().await.unwrap(), store.area(AreaId::PUBLIC).await.unwrap()), (0, None));
    let first = store.meta().await.unwrap();
    assert_eq!((first.server_id.len(), first.generation), (32, 0));
    assert_eq!(store.raise_generation().await.unwrap(), 1);
    let store = reopened(factory, store).await;
    let again = store.meta().await.unwrap();
    assert_eq!((again.server_id, again.generation), (first.server_id, 1));
    store.check_history().await.unwrap();
}

pub(crate) async fn events_come_back_in_order_after_a_restart(factory: &impl Factory) {
    let store = open(factory).await;
    let entries = vec![entry(1, submit("night"), vec![]), entry(2, kill(1), vec![]), tick(3)];
    let done = store.append(entries.clone()).await.unwrap();
    assert_eq!(done.seq, 3);
    let store = reopened(factory, store).await;
    assert_eq!(store.append(vec![tick(4)]).await.unwrap().seq, 4);
    let found = store.recover().await.unwrap();
    assert_eq!(found.snapshot, None);
    let told: Vec<Entry> =
        found.events.into_iter().map(|e| Entry { at: e.at, event: e.event, projections: vec![] }).collect();
    assert_eq!(told, [entries, vec![tick(4)]].concat());
}

pub(crate) async fn a_snapshot_replaces_what_came_before_it(factory: &impl Factory) {
    let store = open(factory).await;
    store.append((1..=5).map(tick).collect()).await.unwrap();
    store.save_snapshot(4, at(50), b"farm after 4".to_vec()).await.unwrap();
    let store = reopened(factory, store).await;
    let found = store.recover().await.unwrap();
    let snapshot = found.snapshot.unwrap();
    assert_eq!((snapshot.seq, snapshot.at, snapshot.farm.as_slice()), (4, at(50), b"farm after 4".as_slice()));
    assert_eq!(found.events.iter().map(|e| e.seq).collect::<Vec<_>>(), [5]);
    let error = store.save_snapshot(6, at(60), vec![]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

pub(crate) async fn pruning_spares_what_the_older_snapshot_needs(factory: &impl Factory) {
    let store = open(factory).await;
    for round in 1..=4_u64 {
        store.append((1..=2_500).map(tick).collect()).await.unwrap();
        store.save_snapshot(round * 2_500, at(1), format!("farm {round}").into_bytes()).await.unwrap();
    }
    store.append(vec![tick(9)]).await.unwrap();
    let store = reopened(factory, store).await;
    let found = store.recover().await.unwrap();
    assert_eq!((found.snapshot.unwrap().farm, found.events.len()), (b"farm 4".to_vec(), 1));
    assert_eq!(store.append(vec![tick(9)]).await.unwrap().seq, 10_002);
}

pub(crate) async fn jobs_runs_and_counts(factory: &impl Factory) {
    let store = open(factory).await;
    let changed = |status, ended| Projection::JobChanged {
        job: JobId(1),
        status,
        started: Some(at(5)),
        ended,
        stopped_by: Some(user("bob")),
    };
    let rows = vec![job(1, "ann"), changed(JobStatus::Running, None), ended(10, 1, TestResult::Pass)];
    store.append(vec![entry(1, submit("night"), rows)]).await.unwrap();
    let killed = Projection::RunEnded(Box::new(run(12, 1, Outcome::Killed)));
    let rows = vec![ended(11, 1, TestResult::Fail), killed, changed(JobStatus::Stopped, Some(at(9)))];
    store.append(vec![entry(2, kill(1), rows)]).await.unwrap();

    let store = reopened(factory, store).await;
    let found = store.job(JobId(1)).await.unwrap().unwrap();
    assert_eq!((found.passed, found.failed, found.incomplete), (1, 1, 1));
    assert_eq!((found.status, found.started, found.ended), (JobStatus::Stopped, Some(at(5)), Some(at(9))));
    assert_eq!((found.spec, found.stopped_by), (super::samples::spec("night", "ann"), Some(user("bob"))));
    let runs = store.runs_of(JobId(1), None, 2).await.unwrap();
    assert_eq!(runs.iter().map(|r| r.run.0).collect::<Vec<_>>(), [10, 11]);
    let rest = store.runs_of(JobId(1), Some(RunId(11)), 2).await.unwrap();
    assert_eq!(rest, [run(12, 1, Outcome::Killed)]);
    assert_eq!(store.run(RunId(12)).await.unwrap(), Some(run(12, 1, Outcome::Killed)));
    assert_eq!((store.run(RunId(13)).await.unwrap(), store.job(JobId(2)).await.unwrap()), (None, None));
}

pub(crate) async fn a_run_that_ends_loses_its_pin(factory: &impl Factory) {
    let store = open(factory).await;
    let rows = vec![job(1, "ann"), pin(10, "aa"), pin(11, "bb"), pin(11, "cc")];
    store.append(vec![entry(1, submit("night"), rows)]).await.unwrap();
    assert_eq!(store.pin(RunId(11)).await.unwrap().unwrap().public_tree, "cc".repeat(32));
    let rows = vec![ended(10, 1, TestResult::Pass), pin(12, "dd"), ended(12, 1, TestResult::Pass)];
    store.append(vec![entry(2, kill(1), rows)]).await.unwrap();
    assert_eq!(store.pins().await.unwrap().iter().map(|p| p.run.0).collect::<Vec<_>>(), [11]);
}

pub(crate) async fn occurrences_are_kept_and_listed_by_page(factory: &impl Factory) {
    let store = open(factory).await;
    assert!(store.has_no_occurrences().await.unwrap());
    // As the farm tells them: one at a time, each with the event that it came of, some for several in a row.
    for no in 1..=120 {
        let rows = vec![occurrence(7, no), occurrence(8, no)];
        store.append(vec![entry(no as i64, kill(1), rows)]).await.unwrap();
    }
    let store = reopened(factory, store).await;
    assert!(!store.has_no_occurrences().await.unwrap());
    let numbers = async |before: Option<u64>, limit| {
        let page = store.occurrences(ScheduleId(7), before.map(OccurrenceNo), limit).await.unwrap();
        page.iter().map(|row| row.first.0).collect::<Vec<_>>()
    };
    assert_eq!(numbers(None, 3).await, [120, 119, 118]);
    assert_eq!(numbers(Some(3), 10).await, [2, 1]);
    assert!(numbers(Some(1), 10).await.is_empty());
    assert_eq!(numbers(None, 1_000).await.len(), 120);
    // What was written stays as it was.
    let Projection::OccurrenceEnded(other) = occurrence(7, 5) else { unreachable!() };
    let again = OccurrenceRow { fate: "missed".to_owned(), ..*other };
    store.write(vec![Projection::OccurrenceEnded(Box::new(again.clone()))]).await.unwrap();
    let found = store.occurrences(ScheduleId(7), Some(OccurrenceNo(6)), 1).await.unwrap();
    assert_eq!(found, [OccurrenceRow { fate: "late".to_owned(), ..again }]);
    store.check_history().await.unwrap();
}

pub(crate) async fn old_occurrences_are_forgotten_by_age_and_by_number(factory: &impl Factory) {
    let store = open(factory).await;
    // More than one portion of each.
    let rows = (1..=2_500).flat_map(|no| [occurrence(7, no), occurrence(8, no)]).collect();
    store.write(rows).await.unwrap();
    store.write((1..=10).map(|no| occurrence(9, no)).collect()).await.unwrap();
    let left = async |schedule| {
        let mut found = Vec::new();
        while let page = store.occurrences(ScheduleId(schedule), found.last().copied(), 1_000).await.unwrap()
            && !page.is_empty()
        {
            found.extend(page.iter().map(|row| row.first));
        }
        (found.len(), found.last().map(|no| no.0))
    };
    assert_eq!(store.forget_occurrences(None, None).await.unwrap(), 0);
    // Number 400 ended at 400,090.
    assert_eq!(store.forget_occurrences(Some(at(400_090)), None).await.unwrap(), 399 * 2 + 10);
    assert_eq!((left(7).await, left(8).await, left(9).await), ((2_101, Some(400)), (2_101, Some(400)), (0, None)));
    assert_eq!(store.forget_occurrences(Some(at(400_090)), Some(3_000)).await.unwrap(), 0);
    assert_eq!(store.forget_occurrences(None, Some(100)).await.unwrap(), 2_001 * 2);
    assert_eq!(left(7).await, (100, Some(2_401)));
    let store = reopened(factory, store).await;
    assert_eq!(store.occurrences(ScheduleId(8), None, 1_000).await.unwrap().len(), 100);
}

pub(crate) async fn jobs_are_listed_newest_first_by_page(factory: &impl Factory) {
    let store = open(factory).await;
    let rows = (1..=9).map(|id| job(id, if id % 3 == 0 { "bob" } else { "ann" })).collect();
    store.write(rows).await.unwrap();
    let done = |id| Projection::JobChanged {
        job: JobId(id),
        status: JobStatus::Completed,
        started: None,
        ended: Some(at(9)),
        stopped_by: None,
    };
    store.write(vec![done(9), done(8)]).await.unwrap();
    let list = async |before: Option<u64>, owner: Option<&str>, open| {
        let query = JobQuery { before: before.map(JobId), owner: owner.map(user), open, limit: 3 };
        store.jobs(&query).await.unwrap().iter().map(|job| job.job.0).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, false).await, [9, 8, 7]);
    assert_eq!(list(Some(7), None, false).await, [6, 5, 4]);
    assert_eq!(list(None, None, true).await, [7, 6, 5]);
    assert_eq!(list(None, Some("bob"), false).await, [9, 6, 3]);
    assert_eq!(list(Some(6), Some("bob"), true).await, [3]);
}

pub(crate) async fn the_feed_goes_on_where_it_was(factory: &impl Factory) {
    let store = open(factory).await;
    assert_eq!(store.write(vec![feed("a"), feed("b")]).await.unwrap().feed, 1..3);
    let store = reopened(factory, store).await;
    assert_eq!(store.write(vec![feed("c")]).await.unwrap().feed, 3..4);
    let found = store.feed_after(1, 10).await.unwrap();
    assert_eq!(found.iter().map(|e| (e.number, e.item.text.as_str())).collect::<Vec<_>>(), [(2, "b"), (3, "c")]);
    assert_eq!(Projection::Feed(found[1].item.clone()), feed("c"));
    assert_eq!((store.last_feed().await.unwrap(), store.feed_after(u64::MAX, 1).await.unwrap()), (3, vec![]));
}

pub(crate) async fn the_feed_keeps_the_newest(factory: &impl Factory) {
    let store = factory.open(StoreOptions { feed_kept: 10, ..StoreOptions::default() }).await;
    for _ in 0..3 {
        store.write((0..1_000).map(|_| feed("x")).collect()).await.unwrap();
    }
    let found = store.feed_after(0, 1_000).await.unwrap();
    assert!((10..1_000).contains(&found.len()), "{} items are left", found.len());
    assert_eq!(found.last().unwrap().number, 3_000);
}

pub(crate) async fn a_bad_request_leaves_its_neighbours_alone(factory: &impl Factory) {
    let store = open(factory).await;
    store.write(vec![job(1, "ann")]).await.unwrap();
    // Handed over without waiting, so that they meet in one transaction.
    let good = store.enqueue(vec![entry(1, submit("a"), vec![job(2, "ann"), feed("a")])]).await.unwrap();
    let bad = store.enqueue(vec![entry(2, submit("b"), vec![feed("b"), job(1, "bob")])]).await.unwrap();
    let unknown = store.enqueue(vec![entry(3, submit("c"), vec![ended(5, 77, TestResult::Pass)])]).await.unwrap();
    let last = store.enqueue(vec![entry(4, submit("d"), vec![feed("d")])]).await.unwrap();
    let (good, last) = (good.committed().await.unwrap(), last.committed().await.unwrap());
    for error in [bad.committed().await.unwrap_err(), unknown.committed().await.unwrap_err()] {
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    }
    assert_eq!((good.seq, good.feed, last.seq, last.feed), (1, 1..2, 2, 2..3));
    let found = store.recover().await.unwrap().events;
    assert_eq!(found.iter().map(|e| e.at).collect::<Vec<_>>(), [at(1), at(4)]);
    assert_eq!(store.job(JobId(1)).await.unwrap().unwrap().spec.owner, user("ann"));
}

pub(crate) async fn requests_are_stored_whole_or_not_at_all(factory: &impl Factory) {
    let store = open(factory).await;
    let rows = vec![entry(1, submit("a"), vec![job(1, "ann")]), entry(2, kill(1), vec![job(1, "ann")])];
    assert!(store.append(rows).await.is_err());
    let too_big = vec![entry(1, submit("a"), vec![job(2, "ann"), pin(u64::MAX, "aa")])];
    assert!(matches!(store.append(too_big).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.recover().await.unwrap(), Recovered::default());
    assert_eq!((store.job(JobId(1)).await.unwrap(), store.job(JobId(2)).await.unwrap()), (None, None));
}

pub(crate) async fn an_enrol_token_is_good_once(factory: &impl Factory) {
    let store = open(factory).await;
    let token = |hash: &str, expires| Projection::EnrolToken { hash: hash.to_owned(), expires: at(expires) };
    store.write(vec![token("one", 100), token("old", 50)]).await.unwrap();
    assert!(!store.redeem_enrol_token("none", at(10)).await.unwrap());
    let (a, b) = tokio::join!(store.redeem_enrol_token("one", at(10)), store.redeem_enrol_token("one", at(10)));
    assert_eq!(u8::from(a.unwrap()) + u8::from(b.unwrap()), 1);
    assert!(!store.redeem_enrol_token("old", at(50)).await.unwrap());
}

pub(crate) async fn duts_get_ids_that_are_never_given_twice(factory: &impl Factory) {
    let store = open(factory).await;
    let fields = DutFields { name: "box".to_owned(), ir_name: "nec".to_owned(), ..DutFields::default() };
    assert_eq!(store.create_dut(fields.clone(), at(1)).await.unwrap(), DutId(1));
    let row = DutRow { dut: DutId(7), fields: DutFields::default(), refs: DutRefs::default(), created: at(2) };
    store.write(vec![Projection::Dut(Box::new(row))]).await.unwrap();
    assert_eq!(store.create_dut(fields.clone(), at(3)).await.unwrap(), DutId(8));
    store.write(vec![Projection::DutRemoved(DutId(8))]).await.unwrap();
    let store = reopened(factory, store).await;
    assert_eq!(store.create_dut(fields.clone(), at(4)).await.unwrap(), DutId(9));
    assert_eq!(store.duts().await.unwrap().iter().map(|d| d.dut.0).collect::<Vec<_>>(), [1, 7, 9]);
    assert_eq!(
        store.dut(DutId(1)).await.unwrap(),
        Some(DutRow { dut: DutId(1), fields, refs: DutRefs::default(), created: at(1) })
    );
}

pub(crate) async fn what_duts_share_is_kept_and_ids_are_taken_once(factory: &impl Factory) {
    let store = open(factory).await;
    let first = store.take_catalogue_ids(2).await.unwrap();
    assert_eq!(store.take_catalogue_ids(1).await.unwrap(), first + 2);
    assert_eq!((store.take_dut_ids(5).await.unwrap(), store.take_dut_ids(1).await.unwrap()), (1, 6));
    let model = CatalogueEntry::Model(DeviceModel { name: "HD+".to_owned(), ..DeviceModel::default() });
    let card = CatalogueEntry::Smartcard(Smartcard { number: "0042".to_owned(), ..Smartcard::default() });
    let row = |id, entry: &CatalogueEntry| CatalogueRow { id, entry: entry.clone(), created: at(3) };
    let refs = DutRefs { model: Some(first), smartcard: Some(first + 1), ir_set: None };
    let dut = DutRow { dut: DutId(6), fields: DutFields::default(), refs, created: at(4) };
    let rows = [row(first, &model), row(first + 1, &card)];
    let all = rows.iter().cloned().map(|row| Projection::Catalogue(Box::new(row)));
    store.write(all.chain([Projection::Dut(Box::new(dut.clone()))]).collect()).await.unwrap();
    let store = reopened(factory, store).await;
    assert_eq!((store.catalogue().await.unwrap(), store.dut(DutId(6)).await.unwrap()), (rows.to_vec(), Some(dut)));
    let twice = Projection::Catalogue(Box::new(row(first + 2, &model)));
    assert!(matches!(store.write(vec![twice]).await, Err(StoreError::Conflict { .. })), "a name is given once");
    store.write(vec![Projection::DutRemoved(DutId(6)), Projection::CatalogueRemoved { id: first }]).await.unwrap();
    assert_eq!(store.catalogue().await.unwrap(), rows[1..]);
}

pub(crate) async fn racks_slots_tokens_and_plugins(factory: &impl Factory) {
    let store = open(factory).await;
    let rack = |name: &str, hash: &str| RackRow {
        rack: RackId(1),
        name: name.parse().unwrap(),
        token_hash: hash.to_owned(),
        enrolled: at(1),
    };
    let slot = SlotRow { slot: SlotId(5), rack: RackId(1), no: SlotNo(2) };
    let token = TokenRow {
        hash: "t".to_owned(),
        user: user("ann"),
        role: "admin".to_owned(),
        expires: Some(at(90)),
        label: "laptop".to_owned(),
        created: at(1),
        act_as: true,
    };
    let plugin = PluginRow {
        name: "fair".to_owned(),
        hash: "h".to_owned(),
        path: "/p".to_owned(),
        enabled: true,
        details: "{\"seen\":\"h\"}".to_owned(),
    };
    let grant = |by: &str| GrantRow { plugin: "*".to_owned(), capability: "log".to_owned(), by: user(by), at: at(5) };
    let rows = vec![
        Projection::Rack(rack("rack1", "old")),
        Projection::Rack(rack("rack1", "new")),
        Projection::Slot(slot.clone()),
        Projection::Token(token.clone()),
        Projection::Plugin(plugin.clone()),
        Projection::Grant(grant("ann")),
        Projection::Grant(grant("bob")),
    ];
    store.write(rows).await.unwrap();
    assert_eq!(store.racks().await.unwrap(), [rack("rack1", "new")]);
    assert_eq!(store.rack_by_token("new").await.unwrap(), Some(rack("rack1", "new")));
    assert_eq!(store.rack_by_token("old").await.unwrap(), None);
    assert_eq!(store.slots(Some(RackId(1))).await.unwrap(), std::slice::from_ref(&slot));
    assert_eq!((store.slots(Some(RackId(2))).await.unwrap(), store.slots(None).await.unwrap()), (vec![], vec![slot]));
    assert_eq!(store.token("t", at(89)).await.unwrap(), Some(token.clone()));
    assert_eq!((store.token("t", at(90)).await.unwrap(), store.tokens().await.unwrap()), (None, vec![token]));
    assert_eq!(store.plugins().await.unwrap(), [plugin]);
    assert_eq!(store.plugin_grants().await.unwrap(), [grant("bob")]);
    let gone = vec![
        Projection::TokenRemoved { hash: "t".to_owned() },
        Projection::PluginRemoved { name: "fair".to_owned() },
        Projection::PluginRemoved { name: "never".to_owned() },
        Projection::GrantRemoved { plugin: "*".to_owned(), capability: "log".to_owned() },
    ];
    store.write(gone).await.unwrap();
    assert_eq!((store.tokens().await.unwrap(), store.plugins().await.unwrap()), (vec![], vec![]));
    assert_eq!(store.plugin_grants().await.unwrap(), []);
}

fn head(area: u32, revision: u64, tree: &str) -> AreaHead {
    AreaHead { area: AreaId(area), revision, tree: tree.to_owned(), by: user("ann"), at: Timestamp::EPOCH }
}

pub(crate) async fn areas_have_one_winner_per_revision(factory: &impl Factory) {
    let store = open(factory).await;
    let (a, b) = tokio::join!(
        store.commit_area(0, head(0, 1, "a"), vec![feed("a")]),
        store.commit_area(0, head(0, 1, "b"), vec![feed("b")])
    );
    let error = a.and(b).unwrap_err();
    assert!(matches!(error, StoreError::StaleRevision { area: 0, expected: 0, found: 1 }), "{error}");
    assert_eq!(store.last_feed().await.unwrap(), 1);
    store.commit_area(1, head(0, 2, "c"), vec![]).await.unwrap();
    assert!(store.commit_area(2, head(0, 2, "d"), vec![]).await.is_err());
    let store = reopened(factory, store).await;
    assert_eq!(store.area(AreaId::PUBLIC).await.unwrap(), Some(head(0, 2, "c")));
    let history = store.area_history(AreaId::PUBLIC, Some(2), 10).await.unwrap();
    assert_eq!(history.iter().map(|h| h.revision).collect::<Vec<_>>(), [1]);
}

pub(crate) async fn private_areas_are_numbered(factory: &impl Factory) {
    let store = open(factory).await;
    let bob = store.private_area(&user("Bob")).await.unwrap();
    let small = store.private_area(&user("bob")).await.unwrap();
    assert_eq!((bob, small), (AreaId(1), AreaId(2)));
    let store = reopened(factory, store).await;
    assert_eq!(store.private_area(&user("Bob")).await.unwrap(), AreaId(1));
    let error = store.commit_area(0, head(9, 1, "x"), vec![]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

pub(crate) async fn live_trees_are_heads_and_pins(factory: &impl Factory) {
    let store = open(factory).await;
    store.private_area(&user("ann")).await.unwrap();
    for revision in 1..=3 {
        store.commit_area(revision - 1, head(0, revision, &format!("p{revision}")), vec![]).await.unwrap();
    }
    store.commit_area(0, head(1, 1, "q1"), vec![]).await.unwrap();
    store.write(vec![pin(4, "aa")]).await.unwrap();
    let mut one = store.live_trees(1).await.unwrap();
    one.sort();
    assert_eq!(one, ["aa".repeat(32), "ef".repeat(32), "p3".to_owned(), "q1".to_owned()]);
    assert_eq!(store.live_trees(2).await.unwrap().len(), 5);
}

pub(crate) async fn concurrent_callers_all_get_their_own_numbers(factory: &impl Factory) {
    let store = open(factory).await;
    let callers = (0..64).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut seqs = Vec::new();
            for n in 0..10 {
                seqs.push(store.append(vec![tick(caller * 100 + n)]).await.unwrap().seq);
            }
            assert!(seqs.is_sorted(), "{seqs:?}");
            seqs
        })
    });
    let mut all = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        all.extend(caller.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (1..=640).collect::<Vec<_>>());
    assert_eq!(store.recover().await.unwrap().events.len(), 640);
}
