//! What only a store on a disk can meet: second openers, damage, failing writes, sudden death.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "contract/samples.rs"]
mod samples;

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headend_model::{JobId, TestResult};
use headend_store::{Fault, FaultHook, Recovered, Store, StoreError, StoreOptions, WriteStep};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use samples::{ended, entry, feed, job, kill, pin, submit, tick};

#[tokio::test]
async fn a_second_opener_is_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path()).await.unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains(&format!("by process {}", std::process::id())), "{error}");
    first.close().await;
    Store::open(folder.path()).await.unwrap();
    assert!(matches!(first.append(vec![tick(1)]).await, Err(StoreError::Stopped { .. })));
}

/// A folder with a hundred events, ten jobs and a snapshot in it.
async fn filled(folder: &Path) {
    let store = Store::open(folder).await.unwrap();
    for id in 1..=10 {
        let rows = vec![job(id, "ann"), ended(id * 10, id, TestResult::Pass), feed("x"), pin(id, "aa")];
        store.append(vec![entry(1, submit("night"), rows)]).await.unwrap();
        store.append((0..9).map(tick).collect()).await.unwrap();
    }
    store.save_snapshot(50, samples::at(1), vec![7; 20_000]).await.unwrap();
    store.close().await;
}

/// Opens and reads all there is: the events, or the first error.
async fn read_all(folder: &Path) -> Result<Recovered, StoreError> {
    let store = Store::open(folder).await?;
    let found = async {
        let recovered = store.recover().await?;
        store.check_history().await?;
        for id in 1..=10 {
            store.job(JobId(id)).await?;
            store.runs_of(JobId(id), None, 10).await?;
        }
        store.feed_after(0, 100).await?;
        Ok(recovered)
    };
    let found = found.await;
    store.close().await;
    found
}

#[tokio::test]
async fn what_is_not_our_database_is_refused_and_left_alone() {
    let foreign = [b"SQLite format 3\0".as_slice(), &[1; 4096]].concat();
    for (bytes, word) in [(&b""[..], "no bytes"), (b"short", "less than its head"), (&[b'x'; 4096], "not a headend")] {
        refused(bytes, word).await;
    }
    refused(&foreign, "application id").await;
}

async fn refused(bytes: &[u8], word: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headend.db");
    std::fs::write(&path, bytes).unwrap();
    let error = Store::open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains(word) && error.contains("left untouched"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_lost_database_is_not_replaced_by_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    std::fs::rename(folder.path().join("headend.db"), folder.path().join("elsewhere")).unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(!folder.path().join("headend.db").exists());
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let path = folder.path().join("headend.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'later', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    let StoreError::Newer { found: 99, known, .. } = error else { panic!("{error}") };
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap();
    assert_eq!(known, migrations.count() as i64);
}

/// Flips bits at seeded places. Each time the store either tells of damage or gives back exactly what was stored:
/// in the journal and the snapshot nothing else will do.
#[tokio::test]
async fn flipped_bits_never_pass_for_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let path = folder.path().join("headend.db");
    let good = std::fs::read(&path).unwrap();
    let before = read_all(folder.path()).await.unwrap();
    let mut random = SmallRng::seed_from_u64(11);
    let mut told = 0;
    for round in 0..200 {
        let mut bytes = good.clone();
        let at = if round < 50 { random.random_range(0..4096) } else { random.random_range(0..bytes.len()) };
        bytes[at] ^= 1 << random.random_range(0..8);
        write_database(folder.path(), &bytes);
        match read_all(folder.path()).await {
            // The older events are needed only when the snapshot is not sound.
            Ok(found) if found.snapshot.is_none() => panic!("offset {at}: the snapshot is gone without a word"),
            Ok(found) => assert_eq!(found, before, "offset {at}"),
            Err(_) => told += 1,
        }
    }
    assert!(told >= 20, "only {told} of 200 flips were told");
}

#[tokio::test]
async fn a_truncated_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let good = std::fs::read(folder.path().join("headend.db")).unwrap();
    let mut random = SmallRng::seed_from_u64(12);
    for _ in 0..30 {
        let length = random.random_range(0..good.len());
        write_database(folder.path(), &good[..length]);
        let error = read_all(folder.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{length} bytes: {error}");
    }
}

fn write_database(folder: &Path, bytes: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("headend.db{suffix}")));
    }
    std::fs::write(folder.join("headend.db"), bytes).unwrap();
}

/// Damage in the middle of the log would make SQLite forget all commits after it.
#[tokio::test]
async fn a_damaged_log_is_refused_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    for n in 0..40 {
        store.append(vec![tick(n)]).await.unwrap();
    }
    let copy = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let (database, log) = (copy("headend.db"), copy("headend.db-wal"));
    store.close().await;
    let open = async |log: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("headend.db"), &database).unwrap();
        std::fs::write(folder.path().join("headend.db-wal"), log).unwrap();
        let store = Store::open(folder.path()).await?;
        let events = store.recover().await?.events.len();
        store.close().await;
        Ok::<_, StoreError>(events)
    };
    assert_eq!(open(&log).await.unwrap(), 40);
    let mut random = SmallRng::seed_from_u64(13);
    for _ in 0..50 {
        let mut bytes = log.clone();
        let at = random.random_range(0..bytes.len() * 3 / 4);
        bytes[at] ^= 1 << random.random_range(0..8);
        match open(&bytes).await {
            Ok(events) => assert_eq!(events, 40, "offset {at}: acknowledged events were forgotten"),
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
        }
    }
    // A torn last write is no damage: its commit was never acknowledged.
    assert_eq!(open(&log[..log.len() - 100]).await.unwrap(), 39);
}

/// Fails the first, second, third … step of a write until the write passes untouched.
#[tokio::test]
async fn a_write_that_fails_at_any_step_leaves_nothing() {
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let counter = Arc::new(AtomicUsize::new(0));
        let armed = Arc::new(AtomicUsize::new(usize::MAX));
        let hook = FaultHook::new({
            let (counter, armed) = (counter.clone(), armed.clone());
            move |at| {
                let now = counter.fetch_add(1, Ordering::SeqCst) == armed.load(Ordering::SeqCst);
                (now && at != WriteStep::Committed).then_some(Fault::Full)
            }
        });
        let options = StoreOptions { faults: Some(hook), ..StoreOptions::default() };
        let store = Store::open_with(folder.path(), options).await.unwrap();
        counter.store(0, Ordering::SeqCst);
        armed.store(step, Ordering::SeqCst);
        let rows = vec![job(1, "ann"), pin(1, "aa"), ended(10, 1, TestResult::Pass), feed("x")];
        let entries = vec![entry(1, submit("a"), rows), entry(2, kill(1), vec![])];
        let done = store.append(entries.clone()).await;
        armed.store(usize::MAX, Ordering::SeqCst);
        if done.is_ok() {
            assert!(step > 5, "only {step} steps were tried");
            break;
        }
        assert!(matches!(done, Err(StoreError::Full)), "{done:?}");
        assert_eq!(store.recover().await.unwrap(), Recovered::default(), "step {step}");
        assert_eq!((store.job(JobId(1)).await.unwrap(), store.last_feed().await.unwrap()), (None, 0), "step {step}");
        // There is room again: the same request goes through, with the same numbers.
        let again = store.append(entries).await.unwrap();
        assert_eq!((again.seq, again.feed), (2, 1..2), "step {step}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_full_database_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { max_bytes: Some(600_000), ..StoreOptions::default() };
    let store = Store::open_with(folder.path(), options).await.unwrap();
    let big = || vec![entry(1, submit(&"x".repeat(20_000)), vec![])];
    let mut stored = 0;
    let error = loop {
        match store.append(big()).await {
            Ok(done) => stored = done.seq,
            Err(error) => break error,
        }
        assert!(stored < 100, "it never was full");
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    assert_eq!(store.recover().await.unwrap().events.len() as u64, stored);
    assert!(store.stopped().is_none());
    store.close().await;
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.append(big()).await.unwrap().seq, stored + 1);
}

#[tokio::test]
async fn a_failing_disk_stops_the_store_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicUsize::new(0));
    let hook = FaultHook::new({
        let broken = broken.clone();
        move |at| (at == WriteStep::Commit && broken.load(Ordering::SeqCst) == 1).then_some(Fault::Io)
    });
    let options = StoreOptions { faults: Some(hook), ..StoreOptions::default() };
    let store = Store::open_with(folder.path(), options).await.unwrap();
    store.append(vec![tick(1)]).await.unwrap();
    broken.store(1, Ordering::SeqCst);
    assert!(matches!(store.append(vec![tick(2)]).await, Err(StoreError::Stopped { .. })));
    broken.store(0, Ordering::SeqCst);
    let error = store.append(vec![tick(3)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Stopped { .. }), "{error}");
    assert!(store.stopped().is_some());
    store.close().await;
    drop(store);
    assert_eq!(Store::open(folder.path()).await.unwrap().recover().await.unwrap().events.len(), 1);
}

/// Holds the commit back: nobody may be told before it, and all who waited share it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_before_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, wait) = std::sync::mpsc::channel::<()>();
    let (wait, at_gate) = (std::sync::Mutex::new(wait), Arc::new(AtomicUsize::new(0)));
    let hook = FaultHook::new({
        let at_gate = at_gate.clone();
        move |at| {
            if at == WriteStep::Commit {
                at_gate.fetch_add(1, Ordering::SeqCst);
                let _ = wait.lock().unwrap().recv();
            }
            None
        }
    });
    let options = StoreOptions { faults: Some(hook), ..StoreOptions::default() };
    let store = Store::open_with(folder.path(), options).await.unwrap();
    // Polled here and not in a task of its own: the gate holds up the thread of the writer, and a task that the writer has just
    // woken may be bound to that thread.
    let mut first = std::pin::pin!(store.enqueue(vec![tick(0)]).await.unwrap().committed());
    while at_gate.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut later = Vec::new();
    for n in 1..=20 {
        later.push(store.enqueue(vec![tick(n)]).await.unwrap());
    }
    tokio::select! {
        biased;
        told = &mut first => panic!("told before the commit: {told:?}"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(store.recover().await.unwrap().events.len(), 0);
    gate.send(()).unwrap();
    assert_eq!(first.await.unwrap().seq, 1);
    gate.send(()).unwrap();
    for (ticket, seq) in later.into_iter().zip(2..) {
        assert_eq!(ticket.committed().await.unwrap().seq, seq);
    }
    assert_eq!(at_gate.load(Ordering::SeqCst), 2, "the twenty did not share one commit");
    drop(gate);
}

const CHILD: &str = "HEADEND_STORE_APPENDER";

/// Not a test by itself: the process that `sudden_death_loses_nothing_acknowledged` kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appender() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let store = Store::open(folder).await.unwrap();
    let callers: Vec<_> = (0..8).map(|_| tokio::spawn(append_for_ever(store.clone()))).collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

async fn append_for_ever(store: Store) {
    loop {
        let done = store.append(vec![entry(1, kill(1), vec![feed("x")])]).await.unwrap();
        // One write call per line, so that the parent never reads half of one that counts.
        std::io::stdout().write_all(format!("acknowledged {}\n", done.seq).as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn sudden_death_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 0..5_u64 {
        let told = kill_after(folder.path(), 50 + round * 97);
        let store = Store::open(folder.path()).await.unwrap();
        let found = store.recover().await.unwrap().events.len() as u64;
        assert!(found >= told && told > before, "{found} events are there, {told} were acknowledged, {before} before");
        assert_eq!(store.last_feed().await.unwrap(), found);
        before = found;
        store.close().await;
    }
}

/// Starts an appender, kills it after so many lines, and gives the highest number that it told.
fn kill_after(folder: &Path, lines: u64) -> u64 {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "appender", "--nocapture"])
        .env(CHILD, folder)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let (mut highest, mut seen) = (0, 0);
    for line in output.lines() {
        let Ok(line) = line else { break };
        let Some(seq) = line.strip_prefix("acknowledged ").and_then(|n| n.parse::<u64>().ok()) else { continue };
        (highest, seen) = (highest.max(seq), seen + 1);
        if seen == lines {
            // SIGKILL; what is in the pipe was acknowledged too, so the loop reads on to its end.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= lines, "the appender ended by itself after {seen} lines");
    highest
}
