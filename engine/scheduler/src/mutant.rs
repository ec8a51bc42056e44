//! Deliberately broken variants, to prove that the tests notice. Never in a release: only with the feature `mutants`.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// The farm leases again at `until`, without waiting for the kill bound and the margin.
    ReuseAtUntil,
    /// The farm takes a report of a former lease as the end of whatever runs on the slot now.
    StaleResultAccepted,
    /// The farm lets a late result take the place of the end it has recorded.
    LateResultOverwrites,
    /// The farm counts epochs from 0 after a restart.
    EpochsReset,
    /// The farm leases slots only, not DUTs.
    NoDutLease,
    /// The farm takes the youngest job of a priority first.
    Lifo,
    /// The fence does not stop a run whose lease ran out.
    NoSelfStop,
    /// The fence counts a lease from the answer to a heartbeat, not from sending it.
    DeadlineFromReceipt,
    /// The fence takes an epoch that it has seen.
    EpochsNotChecked,
    /// The fence says that it will not start a run, and forgets it.
    RefusalForgotten,
    /// The farm does not hear that a process could not be killed.
    UnkillableIgnored,
    /// The farm goes on as before when its past is missing.
    RestoreUnnoticed,
    /// The farm leases at once when its past is missing.
    NoQuietTime,
    /// The farm goes on with the epochs it knows when its past is missing.
    NoNewEra,
    /// The farm does not count its quiet time anew when the server starts again.
    QuietCutShort,
    /// The farm starts a run of a backup under the number of the try that it may have had in the lost past.
    AttemptsRepeat,
    /// The farm lets a lease run out that a former life of its rack has surely not taken.
    FormerLivesForgotten,
    /// The farm says that a queue policy's ranks are in force, and goes by its own.
    RanksIgnored,
}
