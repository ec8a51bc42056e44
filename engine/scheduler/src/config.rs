//! What an administrator may set.

use headend_model::{LeaseTerms, Span};

/// Settings of the farm. Part of its state: a change is an event, so that replay sees it too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct FarmConfig {
    /// Leases and heartbeats.
    pub lease: LeaseTerms,
    /// A job gains one priority for this much waiting; `None`: strict priority, starvation possible.
    pub ageing_step: Option<Span>,
    /// A rack whose CPU use (percent) is above this gets no new run (document 6.2). 100 or more: off.
    pub cpu_gate_percent: u8,
    /// The next look after the gate has closed (document 6.2: 30 s).
    pub cpu_gate_retry: Span,
    /// How long a run waits for a rack that is away, or for a DUT at its target, before it ends incomplete.
    pub absence_patience: Span,
    /// A gang that was passed over this often gets a dated hold on its slots.
    pub gang_skips: u32,
    /// How long such a hold lasts before others may pass again.
    pub gang_hold: Span,
    /// A policy that has not answered by then is passed over for the round.
    pub policy_deadline: Span,
    /// So many failures in a row put a policy plugin into quarantine.
    pub policy_strikes: u32,
    /// Most runs one job may have.
    pub max_runs_per_job: u32,
    /// An occurrence of a schedule that begins later than this after its time counts as late.
    pub schedule_grace: Span,
    /// A schedule begins nothing until it has been left alone for so long: its slots and tests are added one by one.
    pub schedule_settle: Span,
    /// How long an idempotency key is remembered after acceptance.
    pub key_memory: Span,
    /// Of the device time that an owner has used, half is forgotten after so long. Less than a minute counts as a minute.
    pub usage_half_life: Span,
    /// Longest that a person may have a slot, counted from now: when it is reserved, and whenever that is extended.
    pub longest_reservation: Span,
    /// Most slots that one person may have reserved at once.
    pub reservations_per_user: u32,
    /// Which history the store tells: whoever puts back an older backup raises it, and the farm knows at the next start
    /// that it has forgotten what its racks remember. 0: not counted.
    pub generation: u64,
}

impl Default for FarmConfig {
    fn default() -> Self {
        Self {
            lease: LeaseTerms::default(),
            ageing_step: Some(Span::seconds(3_600)),
            cpu_gate_percent: 80,
            cpu_gate_retry: Span::seconds(30),
            absence_patience: Span::seconds(60),
            gang_skips: 8,
            gang_hold: Span::seconds(600),
            policy_deadline: Span::millis(250),
            policy_strikes: 3,
            max_runs_per_job: 100_000,
            schedule_grace: Span::seconds(60),
            schedule_settle: Span::seconds(5),
            key_memory: Span::seconds(86_400),
            usage_half_life: Span::seconds(86_400),
            longest_reservation: Span::seconds(8 * 3_600),
            reservations_per_user: 4,
            generation: 0,
        }
    }
}
