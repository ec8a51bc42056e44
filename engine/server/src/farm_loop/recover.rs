//! The farm as it was: the newest snapshot, and what happened after it.

use std::collections::BTreeMap;

use headend_model::{RunId, Timestamp};
use headend_scheduler::{Farm, FarmConfig};
use headend_store::{Pin, Store, StoreError};

/// Why the farm cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The store does not give it.
    #[error("the journal cannot be read")]
    Store(#[from] StoreError),
    /// The snapshot is of another shape, most likely of another release.
    #[error("the snapshot after event {seq} cannot be read; start the release that wrote it")]
    Snapshot {
        /// Its last event.
        seq: u64,
        /// What the reader says.
        #[source]
        source: serde_json::Error,
    },
}

/// A farm, and where in the journal it stands.
pub(crate) struct Recovered {
    pub(crate) farm: Farm,
    /// Time of the last event.
    pub(crate) at: Timestamp,
    /// Number of the last event.
    pub(crate) seq: u64,
    /// Events since the snapshot.
    pub(crate) since_snapshot: u64,
    /// The trees that leased runs were given.
    pub(crate) pins: BTreeMap<RunId, Pin>,
}

/// Reads the snapshot and replays what follows it.
///
/// # Errors
/// [`RecoverError`].
pub(crate) async fn recover(store: &Store, config: &FarmConfig) -> Result<Recovered, RecoverError> {
    let kept = store.recover().await?;
    let pins = store.pins().await?.into_iter().map(|pin| (pin.run, pin)).collect();
    let mut recovered = match kept.snapshot {
        Some(snapshot) => {
            let seq = snapshot.seq;
            let farm =
                serde_json::from_slice(&snapshot.farm).map_err(|source| RecoverError::Snapshot { seq, source })?;
            Recovered { farm, at: snapshot.at, seq, since_snapshot: 0, pins }
        }
        None => Recovered { farm: Farm::new(config.clone()), at: Timestamp::EPOCH, seq: 0, since_snapshot: 0, pins },
    };
    for journaled in &kept.events {
        recovered.farm.step(journaled.at, &journaled.event);
        recovered.at = recovered.at.max(journaled.at);
        recovered.seq = journaled.seq;
        recovered.since_snapshot += 1;
        if recovered.since_snapshot % 256 == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(recovered)
}
