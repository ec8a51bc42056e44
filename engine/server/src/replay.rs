//! Decides everything in the journal a second time, and compares with what was kept: the same starts, at the same places
//! and times, for the same reasons, with the same digests of their inputs.

use std::collections::BTreeMap;

use headend_scheduler::action::StartReason;
use headend_scheduler::{Action, Farm, FarmConfig};
use headend_store::{RunRow, Snapshot, Store};

use crate::farm_loop::RecoverError;

/// Differences that are told; there may be more.
const MOST_TOLD: usize = 20;

/// What a replay has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReplayReport {
    /// The replay began behind this event.
    pub after: u64,
    /// Events that were replayed.
    pub events: u64,
    /// Starts that were decided again.
    pub starts: u64,
    /// Of these, so many have ended and are kept: they were compared with their rows.
    pub compared: u64,
    /// Runs that ended in the journal; each was compared with its row too.
    pub ends: u64,
    /// A snapshot lies within what was replayed: the farm at that point was compared with it.
    pub snapshots: u64,
    /// What differs, the first few.
    pub differences: Vec<String>,
    /// How much differs.
    pub different: u64,
}

impl ReplayReport {
    fn differs(&mut self, what: String) {
        self.different += 1;
        if self.differences.len() < MOST_TOLD {
            self.differences.push(what);
        }
    }
}

/// Replays what the journal of a store keeps, from the oldest snapshot that there is.
///
/// # Errors
/// [`RecoverError`] when the journal or its snapshot cannot be read.
pub async fn replay_check(store: &Store) -> Result<ReplayReport, RecoverError> {
    let (snapshots, events) = store.whole_journal().await?;
    let mut snapshots = snapshots.into_iter();
    let (mut farm, after) = match snapshots.next() {
        Some(first) => (farm_of(&first)?, first.seq),
        None => (Farm::default(), 0),
    };
    let mut later: BTreeMap<u64, Snapshot> = snapshots.map(|snapshot| (snapshot.seq, snapshot)).collect();
    let mut report = ReplayReport { after, ..ReplayReport::default() };
    for journaled in events {
        report.events += 1;
        let told = farm.step(journaled.at, &journaled.event);
        if let Some(violation) = farm.violation() {
            report.differs(format!("event {}: {violation}", journaled.seq));
        }
        for action in &told {
            note(store, action, &mut report).await?;
        }
        if let Some(snapshot) = later.remove(&journaled.seq) {
            report.snapshots += 1;
            compare_farms(&farm, &snapshot, &mut report)?;
        }
    }
    Ok(report)
}

fn farm_of(snapshot: &Snapshot) -> Result<Farm, RecoverError> {
    let seq = snapshot.seq;
    serde_json::from_slice(&snapshot.farm).map_err(|source| RecoverError::Snapshot { seq, source })
}

fn compare_farms(farm: &Farm, snapshot: &Snapshot, report: &mut ReplayReport) -> Result<(), RecoverError> {
    let kept = farm_of(snapshot)?;
    // By what they remember, as text: a snapshot leaves out what is only of use within a step.
    let text = |farm: &Farm| serde_json::to_vec(farm).unwrap_or_default();
    if text(farm) != text(&kept) {
        report.differs(format!("the farm after event {} is not the one of the snapshot there", snapshot.seq));
    }
    Ok(())
}

async fn note(store: &Store, action: &Action, report: &mut ReplayReport) -> Result<(), RecoverError> {
    match action {
        Action::Start { lease, why, .. } => {
            report.starts += 1;
            let row = store.run(lease.run).await?;
            if let Some(row) = &row {
                report.compared += 1;
                compare_start(row, lease, why, report);
            }
        }
        Action::RunEnded(record) => {
            report.ends += 1;
            match store.run(record.run).await? {
                None => report.differs(format!("run {} ended, and no row of it is kept", record.run)),
                Some(row) => compare_end(&row, record, report),
            }
        }
        _ => {}
    }
    Ok(())
}

fn compare_start(row: &RunRow, lease: &headend_model::Lease, why: &StartReason, report: &mut ReplayReport) {
    let epochs = lease.targets.iter().map(|target| (target.slot_epoch.0, target.dut.0));
    let kept = row.places.iter().map(|place| (place.slot_epoch, place.dut.0));
    if !epochs.eq(kept) {
        report.differs(format!("run {}: kept at {:?}, decided at {:?}", row.run, row.places, lease.targets));
    }
    match &row.why {
        Some(kept) if kept == why => {}
        // Kept by a release that had no digests.
        Some(kept) if kept.inputs == 0 && StartReason { inputs: 0, ..why.clone() } == *kept => {}
        kept => report.differs(format!("run {}: kept for {kept:?}, decided for {why:?}", row.run)),
    }
}

fn compare_end(row: &RunRow, record: &headend_scheduler::action::RunRecord, report: &mut ReplayReport) {
    if row.leased != record.leased || row.ended != record.ended || row.outcome != record.outcome {
        report.differs(format!("run {}: its end is kept as another one than was decided", row.run));
    }
}

/// The farm of a store that nobody serves.
///
/// # Errors
/// [`RecoverError`].
pub async fn farm_in(store: &Store) -> Result<Farm, RecoverError> {
    let recovered = crate::farm_loop::recover(store, &FarmConfig::default()).await?;
    Ok(recovered.farm)
}
