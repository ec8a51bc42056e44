//! Settings of the farm as flags.

use headend_model::Span;
use headend_scheduler::FarmConfig;

/// What an administrator may set.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Scheduling")]
pub(crate) struct FarmArgs {
    /// A job gains one priority for so much waiting; 0: strict priority.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    ageing: u32,
    /// A rack with more CPU use than this gets no new run; 100 switches the gate off.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    cpu_gate: Option<u8>,
    /// The next look at a rack that was too busy.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    cpu_gate_retry: u32,
    /// How long a run waits for a rack that is away, or for a DUT, before it ends incomplete.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    absence_patience: u32,
    /// Longest that a person may have a slot reserved, counted from now.
    #[arg(long, value_name = "SECONDS", default_value_t = 28_800, value_parser = clap::value_parser!(u32).range(1..))]
    longest_reservation: u32,
    /// Most slots that one person may have reserved at once; 0: nobody may.
    #[arg(long, value_name = "N", default_value_t = 4)]
    reservations_per_user: u32,
    /// Length of a lease.
    #[arg(long, value_name = "MS", env = "HEADEND_LEASE_MS", hide = true)]
    lease_ms: Option<u32>,
    /// Time between heartbeats.
    #[arg(long, value_name = "MS", env = "HEADEND_HEARTBEAT_MS", hide = true)]
    heartbeat_ms: Option<u32>,
    /// Bound for a confirmed kill.
    #[arg(long, value_name = "MS", env = "HEADEND_KILL_BOUND_MS", hide = true)]
    kill_bound_ms: Option<u32>,
    /// What the server waits on top.
    #[arg(long, value_name = "MS", env = "HEADEND_LEASE_MARGIN_MS", hide = true)]
    lease_margin_ms: Option<u32>,
    /// An occurrence of a schedule that begins later than this is late.
    #[arg(long, value_name = "MS", env = "HEADEND_SCHEDULE_GRACE_MS", hide = true)]
    schedule_grace_ms: Option<u32>,
    /// A schedule begins nothing until it has been left alone for so long.
    #[arg(long, value_name = "MS", env = "HEADEND_SCHEDULE_SETTLE_MS", hide = true)]
    schedule_settle_ms: Option<u32>,
    /// A policy that has not answered by then is passed over for the round.
    #[arg(long, value_name = "MS", env = "HEADEND_POLICY_DEADLINE_MS", hide = true)]
    policy_deadline_ms: Option<u32>,
}

impl FarmArgs {
    /// The settings; `cpu_gate` is what holds unless a flag says otherwise.
    pub(crate) fn config(&self, cpu_gate: u8) -> FarmConfig {
        let mut config = FarmConfig {
            ageing_step: (self.ageing > 0).then(|| seconds(self.ageing)),
            cpu_gate_percent: self.cpu_gate.unwrap_or(cpu_gate),
            cpu_gate_retry: seconds(self.cpu_gate_retry),
            absence_patience: seconds(self.absence_patience),
            longest_reservation: seconds(self.longest_reservation),
            reservations_per_user: self.reservations_per_user,
            ..FarmConfig::default()
        };
        let set = |span: &mut Span, ms: Option<u32>| {
            if let Some(ms) = ms {
                *span = Span::millis(i64::from(ms));
            }
        };
        set(&mut config.lease.length, self.lease_ms);
        set(&mut config.lease.heartbeat, self.heartbeat_ms);
        set(&mut config.lease.kill_bound, self.kill_bound_ms);
        set(&mut config.lease.margin, self.lease_margin_ms);
        set(&mut config.schedule_grace, self.schedule_grace_ms);
        set(&mut config.schedule_settle, self.schedule_settle_ms);
        set(&mut config.policy_deadline, self.policy_deadline_ms);
        config
    }
}

fn seconds(s: u32) -> Span {
    Span::seconds(i64::from(s))
}
