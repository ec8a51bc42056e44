//! The rule that orders the jobs, in words.

use headend_model::{JobId, PolicyName};
use headend_scheduler::Farm;
use headend_scheduler::action::QueueState;
use headend_scheduler::view::QueueRank;
use headend_wire::api::{QueueInfo, WhyQueue};

/// The core's own rule, as the API names it.
pub(crate) const BUILT_IN: &str = "priority-fifo";

/// The rule's name.
pub(crate) fn name(policy: Option<&PolicyName>) -> &str {
    policy.map_or(BUILT_IN, PolicyName::as_str)
}

/// What has become of the order: a sentence, and the state's stable name.
pub(crate) fn order(policy: Option<&PolicyName>, state: &QueueState) -> (String, &'static str) {
    let name = name(policy);
    match state {
        QueueState::InForce => (format!("{name} orders the jobs"), "in_force"),
        QueueState::Ranking(jobs) => {
            (format!("{name} is asked for the ranks of {jobs} open jobs; until then the order stays"), "ranking")
        }
        QueueState::StoodIn { reason } => {
            (format!("{BUILT_IN} orders the jobs in place of {name}: {reason}"), "stood_in")
        }
    }
}

/// The rule now.
pub(crate) fn info(farm: &Farm) -> QueueInfo {
    let view = farm.queue_order();
    let (text, state) = order(view.wanted, &view.state);
    let reason = match view.state {
        QueueState::StoodIn { reason } => Some(reason),
        QueueState::InForce | QueueState::Ranking(_) => None,
    };
    QueueInfo {
        policy: name(view.wanted).to_owned(),
        in_force: name(view.ranked_by).to_owned(),
        state: state.to_owned(),
        reason,
        text,
    }
}

/// Where an open job stands.
pub(crate) fn place(farm: &Farm, job: JobId) -> Option<WhyQueue> {
    let (policy, rank) = match farm.queue_rank(job)? {
        QueueRank::BuiltIn(rank) => (None, Some(rank)),
        QueueRank::Plugin { policy, rank } => (Some(policy), Some(rank)),
        QueueRank::NotYet { policy } => (Some(policy), None),
    };
    let name = name(policy);
    let text = match rank {
        Some(rank) => format!("rank {rank} by queue policy {name}; smaller ranks get slots first"),
        None => format!("queue policy {name} has not ranked it yet: it stands behind all that it has"),
    };
    Some(WhyQueue { policy: name.to_owned(), rank, text })
}
